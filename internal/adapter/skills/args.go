package skills

import (
	"strings"
	"unicode"
)

// arguments is what stands for everything behind a command's name.
const arguments = "$ARGUMENTS"

// Fill puts what a person has given behind a command's name into its text:
// $ARGUMENTS is all of it, $1 to $9 are its words, of which quotes make one of
// several. A backslash in front keeps a mark as it is. What is put in is not
// looked through again. A text without marks gets the arguments at its end.
func Fill(body, args string) string {
	var out strings.Builder
	given := words(args)
	used := false
	for i := 0; i < len(body); {
		mark, value := markAt(body[i:], args, given)
		switch {
		case mark == 0 && body[i] == '\\' && i+1 < len(body):
			if escaped, _ := markAt(body[i+1:], args, given); escaped > 0 {
				out.WriteString(body[i+1 : i+1+escaped])
				i += 1 + escaped
				continue
			}
			fallthrough
		case mark == 0:
			out.WriteByte(body[i])
			i++
		default:
			used = true
			out.WriteString(value)
			i += mark
		}
	}
	if args = strings.TrimSpace(args); !used && args != "" {
		return strings.TrimRight(out.String(), "\n") + "\n\n" + args
	}
	return out.String()
}

// markAt is the length of the mark that a text begins with, 0 for none, and what
// stands for it.
func markAt(text, args string, given []string) (length int, value string) {
	if rest, ok := strings.CutPrefix(text, arguments); ok {
		if rest != "" && (rest[0] == '_' || isDigit(rest[0]) || unicode.IsLetter(rune(rest[0]))) {
			return 0, "" // the beginning of another name
		}
		return len(arguments), args
	}
	if len(text) < 2 || text[0] != '$' || text[1] < '1' || text[1] > '9' || len(text) > 2 && isDigit(text[2]) {
		return 0, ""
	}
	if n := int(text[1] - '1'); n < len(given) {
		value = given[n]
	}
	return 2, value
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// words splits arguments at blanks; quotes keep blanks, and a quote that is not
// closed is a character like any other.
func words(args string) []string {
	var out []string
	var word strings.Builder
	begun := false
	runes := []rune(args)
	for i := 0; i < len(runes); i++ {
		c := runes[i]
		switch {
		case unicode.IsSpace(c):
			if begun {
				out = append(out, word.String())
				word.Reset()
				begun = false
			}
			continue
		case c == '"' || c == '\'':
			if end := closing(runes, i, begun); end > 0 {
				word.WriteString(string(runes[i+1 : end]))
				i = end
				break
			}
			word.WriteRune(c)
		default:
			word.WriteRune(c)
		}
		begun = true
	}
	if begun {
		out = append(out, word.String())
	}
	return out
}

// closing is where the quote at an index is closed, 0 where it is none: inside a
// word, as in don't, or never closed.
func closing(runes []rune, at int, inside bool) int {
	if inside && runes[at] == '\'' {
		return 0
	}
	for i := at + 1; i < len(runes); i++ {
		if runes[i] == runes[at] {
			return i
		}
	}
	return 0
}
