// Package rank finds the texts of a small set that best answer some words: a
// few hundred titles, sections or descriptions, ranked in memory. It knows how
// English words and names in code are written, and not what they are about.
package rank

import (
	"strings"
	"unicode"
)

// Words are the words of a text in the form in which they are compared: lower
// case, without endings. A name in code gives its parts as well: SFTConfig is
// "sftconfig", "sft" and "config".
func Words(text string) []string {
	var out []string
	for _, w := range Split(text) {
		lower := strings.ToLower(w)
		out = append(out, Stem(lower))
		if parts := Parts(w); len(parts) > 1 {
			for _, p := range parts {
				out = append(out, Stem(strings.ToLower(p)))
			}
		}
	}
	return out
}

// Split cuts a text at everything that is neither letter nor digit.
func Split(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// Parts are the words that a name in camel case is made of; one for others.
func Parts(name string) []string {
	var parts []string
	runes := []rune(name)
	start := 0
	for i := 1; i < len(runes); i++ {
		a, b := runes[i-1], runes[i]
		next := i+1 < len(runes) && unicode.IsLower(runes[i+1])
		// fooBar, and the last capital of SFTConfig.
		if unicode.IsLower(a) && unicode.IsUpper(b) || unicode.IsUpper(a) && unicode.IsUpper(b) && next {
			parts = append(parts, string(runes[start:i]))
			start = i
		}
	}
	return append(parts, string(runes[start:]))
}

// endings are tried in order; the first that fits replaces the word's own.
// What is left of the word has at least min letters.
var endings = [...]struct {
	end, by string
	min     int
}{
	{"izations", "iz", 2},
	{"ization", "iz", 2},
	{"izing", "iz", 2},
	{"izers", "iz", 2},
	{"izer", "iz", 2},
	{"ized", "iz", 2},
	{"izes", "iz", 2},
	{"ize", "iz", 2},
	{"ations", "at", 3},
	{"ation", "at", 3},
	{"ators", "at", 3},
	{"ator", "at", 3},
	{"ating", "at", 3},
	{"ated", "at", 3},
	{"ates", "at", 3},
	{"ate", "at", 3},
	{"ments", "", 4},
	{"ment", "", 4},
	{"ness", "", 4},
	{"ies", "i", 2},
	{"sses", "ss", 1},
	{"ing", "", 3},
	{"ings", "", 3},
	{"ed", "", 3},
	{"ers", "", 4},
	{"er", "", 4},
	{"ions", "", 4},
	{"ion", "", 4},
	{"es", "", 3},
	{"ly", "", 4},
	{"e", "", 3},
}

// Stem takes the ending off an English word in lower case, so that "training",
// "trained" and "trains" are one. Words that are not English lose little.
func Stem(word string) string {
	if len(word) < 4 || strings.ContainsFunc(word, func(r rune) bool { return r < 'a' || r > 'z' }) {
		return word
	}
	for _, e := range endings {
		if stem, ok := strings.CutSuffix(word, e.end); ok && len(stem) >= e.min {
			return single(stem + e.by)
		}
	}
	if stem, ok := strings.CutSuffix(word, "y"); ok && !strings.ContainsRune("aeiou", rune(stem[len(stem)-1])) {
		return stem + "i"
	}
	if stem, ok := strings.CutSuffix(word, "s"); ok && !strings.HasSuffix(stem, "s") && !strings.HasSuffix(stem, "u") {
		return single(stem)
	}
	return word
}

// single drops one of two like consonants at the end: "logg" of "logging".
func single(stem string) string {
	n := len(stem)
	if n > 2 && stem[n-1] == stem[n-2] && !strings.ContainsRune("aeiouls", rune(stem[n-1])) {
		return stem[:n-1]
	}
	return stem
}

// stop are the words of questions that say nothing about what is asked.
const stop = " a about after all also an and any are as at be been before being but by can could do does doing " +
	"done during each every for from get gets getting had has have having how i if in into is it its just let like made make makes making " +
	"may me might more most must my need needs no not of on only or other our out over own please should so some such than that the their " +
	"them then there these they thing things this those to too under up us use used uses using very want wants was way we " +
	"were what when where which while who whose why will with within without work works would you your "

// Stop reports whether a word in lower case says nothing by itself.
func Stop(word string) bool { return strings.Contains(stop, " "+word+" ") }

// Letters are the letters and digits of a name, in lower case.
func Letters(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}
