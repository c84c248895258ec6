// Package text is what the measures of a data set share about text: one
// normal form, words of any script, and scripts. It knows no language.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Normalise is the form in which texts are compared: NFKC, lower case, and one
// blank between words, none around them.
func Normalise(s string) string {
	if !ascii(s) {
		s = strings.ToLower(norm.NFKC.String(s))
		if !ascii(s) {
			return strings.Join(strings.Fields(s), " ")
		}
	}
	return normaliseASCII(s)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func normaliseASCII(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	gap := false
	for i := range len(s) {
		c := s[i]
		switch {
		case c == ' ' || c >= '\t' && c <= '\r':
			gap = b.Len() > 0
			continue
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		}
		if gap {
			b.WriteByte(' ')
			gap = false
		}
		b.WriteByte(c)
	}
	return b.String()
}

// Next cuts the first word off a text: what stands between blanks, and in
// scripts that are written without blanks each character with the marks on it.
// At the end the word is empty.
func Next(s string) (word, rest string) {
	start := 0
	for start < len(s) {
		if c := s[start]; c < utf8.RuneSelf {
			if c != ' ' && (c < '\t' || c > '\r') {
				break
			}
			start++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[start:])
		if !unicode.IsSpace(r) {
			break
		}
		start += n
	}
	end := start
	for end < len(s) {
		c := s[end]
		if c < utf8.RuneSelf {
			if c == ' ' || c >= '\t' && c <= '\r' {
				break
			}
			end++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[end:])
		if Unspaced(r) {
			if end == start {
				end = marks(s, end+n)
			}
			break
		}
		if unicode.IsSpace(r) {
			break
		}
		end += n
	}
	return s[start:end], s[end:]
}

// marks passes over the combining marks at the position.
func marks(s string, at int) int {
	for at < len(s) && s[at] >= utf8.RuneSelf {
		r, n := utf8.DecodeRuneInString(s[at:])
		if !unicode.Is(unicode.M, r) {
			break
		}
		at += n
	}
	return at
}

// Words is all words of a text.
func Words(s string) []string {
	var out []string
	for {
		word, rest := Next(s)
		if word == "" {
			return out
		}
		out, s = append(out, word), rest
	}
}

// Fewer reports whether the text has fewer than n words, without looking at
// more of it than that takes.
func Fewer(s string, n int) bool {
	for ; n > 0; n-- {
		var word string
		if word, s = Next(s); word == "" {
			return true
		}
	}
	return false
}

// Bare is the word without the punctuation around it; words of punctuation
// alone are empty.
func Bare(word string) string {
	return strings.TrimFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.M, r) })
}

// Unspaced reports whether the character belongs to a script that is written
// without blanks between words.
func Unspaced(r rune) bool {
	switch {
	case r < 0x0E00:
		return false
	case r < 0x10A0: // Thai, Lao, Tibetan, Myanmar
		return true
	case r >= 0x1780 && r < 0x1800: // Khmer
		return true
	case r < 0x2E80:
		return false
	case r < 0x3040: // radicals and CJK punctuation; only the marks that are written as letters
		return r >= 0x3005 && r <= 0x3007 || r < 0x3000
	case r < 0x3100: // kana
		return true
	case r >= 0x31F0 && r < 0x3200, r >= 0x3400 && r < 0x4DC0, r >= 0x4E00 && r < 0xA000:
		return true
	case r >= 0xF900 && r < 0xFB00, r >= 0xFF66 && r < 0xFFA0, r >= 0x20000 && r < 0x32000:
		return true
	}
	return false
}
