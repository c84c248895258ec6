package paper

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/platform/markup/section"
)

func decode(s string) (rune, int) { return utf8.DecodeRuneInString(s) }

func lastRune(s string) rune {
	r, _ := utf8.DecodeLastRuneInString(s)
	return r
}

func letterOrDigit(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// ID returns the number in a heading's tag as LaTeX writes it: "2.1" of "2.1",
// "A" of "Appendix A", "IV-B" of "IV-B"; "" when it holds none.
func ID(tag string) string {
	fields := strings.Fields(strings.TrimSpace(tag))
	if len(fields) == 0 {
		return ""
	}
	last := strings.TrimRight(fields[len(fields)-1], ".:)")
	if isNumber(last) || isLetters(last) || isRoman(last) {
		return last
	}
	return ""
}

// isNumber: 2, 2.1, A.1, B.2.3 and Roman ones with parts, IV-B.
func isNumber(s string) bool {
	head, rest, parts := strings.Cut(s, ".")
	if h, r, ok := strings.Cut(s, "-"); ok && !parts {
		return isRoman(h) && r != "" && (isLetters(r) || isDigits(r) || isNumber(r))
	}
	if !isDigits(head) && (!parts || !isLetters(head) && !isRoman(head)) {
		return false
	}
	if parts {
		for p := range strings.SplitSeq(rest, ".") {
			if !isDigits(p) && !isLetters(p) {
				return false
			}
		}
	}
	return true
}

func isDigits(s string) bool {
	return s != "" && len(s) <= 3 && strings.Trim(s, "0123456789") == ""
}

// isLetters: the one letter that counts appendices.
func isLetters(s string) bool { return len(s) == 1 && s[0] >= 'A' && s[0] <= 'Z' }

func isRoman(s string) bool { return roman(s) > 0 }

// roman returns the value of a Roman number up to 50; 0 when s is none.
func roman(s string) int {
	if s == "" || len(s) > 7 {
		return 0
	}
	sum, before := 0, 50
	for i := 0; i < len(s); i++ {
		v := strings.IndexByte("I___V____X", s[i]) + 1
		if v == 0 || s[i] == '_' {
			return 0
		}
		if v > before {
			sum -= 2 * before
		}
		sum += v
		before = v
	}
	return sum
}

// arabic returns "4" for "IV" and "4.2" for "IV-B"; "" for other numbers.
func arabic(id string) string {
	head, rest, parts := strings.Cut(id, "-")
	value := roman(head)
	if value == 0 || len(head) == 1 && head != "I" && head != "V" && head != "X" {
		return ""
	}
	out := strconv.Itoa(value)
	switch {
	case !parts:
	case isLetters(rest):
		out += "." + strconv.Itoa(int(rest[0]-'A')+1)
	default:
		out += "." + rest
	}
	return out
}

// bare removes the words that people put before a number.
func bare(name string) string {
	for _, word := range [...]string{"section", "sec.", "sec", "appendix", "app.", "chapter", "§"} {
		if rest, ok := strings.CutPrefix(name, word); ok {
			rest = strings.TrimSpace(rest)
			if id := strings.ToUpper(strings.TrimRight(rest, ".:")); isNumber(id) || isLetters(id) || isRoman(id) {
				return strings.TrimRight(rest, ".:")
			}
		}
	}
	return strings.TrimRight(name, ".:")
}

// title returns a heading without its number.
func title(heading, id string) string {
	if id == "" {
		return heading
	}
	i := strings.Index(heading, id)
	if i < 0 || i > len("appendix ") {
		return heading
	}
	return strings.TrimLeft(heading[i+len(id):], " .:)")
}

// numbers reads the numbers from headings. A single letter or Roman number may
// be a word ("A Study", "I Robot"): it counts when the one after it is there.
func numbers(outline []section.Heading) []string {
	first := make([]string, len(outline))
	seen := map[string]bool{}
	for i, h := range outline {
		word, _, _ := strings.Cut(h.Text, " ")
		if strings.EqualFold(strings.TrimRight(word, "."), "appendix") {
			rest := strings.TrimSpace(h.Text[len(word):])
			word, _, _ = strings.Cut(rest, " ")
			if id := ID(word); id != "" {
				first[i] = id + "!" // no doubt
			}
			continue
		}
		first[i] = word
		seen[strings.TrimRight(word, ".:")] = true
	}
	out := make([]string, len(outline))
	for i, word := range first {
		if id, ok := strings.CutSuffix(word, "!"); ok {
			out[i] = id
			continue
		}
		id := strings.TrimRight(word, ".:")
		switch {
		case isNumber(id):
			out[i] = id
		case isLetters(id) && (strings.HasSuffix(word, ".") || seen[string(id[0]+1)] || seen[string(id[0]-1)] || seen[id+".1"]):
			out[i] = id
		case isRoman(id) && (strings.HasSuffix(word, ".") || len(id) > 1 || seen["II"] || seen["VI"]):
			out[i] = id
		}
	}
	return out
}

// ArXiv finds an arXiv id in a text: a number in the form of one behind the word
// arXiv or in an address of it. "" when there is none.
func ArXiv(text string) string {
	lower := strings.ToLower(text)
	for at := 0; ; {
		i := strings.IndexByte(lower[at:], '.')
		if i < 0 {
			return ""
		}
		at += i
		from := at - 4
		to := at + 1
		for to < len(lower) && to-at <= 5 && lower[to] >= '0' && lower[to] <= '9' {
			to++
		}
		if from >= 0 && to-at > 4 && strings.Trim(lower[from:at], "0123456789") == "" &&
			(from == 0 || lower[from-1] < '0' || lower[from-1] > '9') && (to == len(lower) || lower[to] < '0' || lower[to] > '9') {
			const near = 24 // bytes in which the word must stand
			if before := lower[max(0, from-near):from]; strings.Contains(before, "arxiv") || strings.HasSuffix(before, "abs/") {
				return lower[from:to]
			}
		}
		at++
	}
}
