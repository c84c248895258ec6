// Package excerpt shortens texts at places where no word is torn. Secrets are
// known by their beginning, their length and the name before them: half of
// one, or one without its name, would pass whatever looks for them later.
//
// The package does not know what a secret is, who reads the text or how long
// it may be.
package excerpt

import (
	"strings"
	"unicode/utf8"
)

const (
	// reach is how far from the wanted place, in bytes, a better one is looked
	// for, and so the most that is given up. Every token that is recognised by
	// its shape is shorter, but for keys of many lines and signed claims.
	reach = 512
	// blanks end a word.
	blanks = " \t\n\r"
	// apart is how many words the end of a text loses where it has no line end
	// to begin at: the torn one and two more, so that what follows a torn name
	// (`password = x`, `Authorization: Bearer x`) goes with it.
	apart = 3
)

// Head returns the first n characters of text at most: all of it when it is no
// longer, else without a torn last word. What is said about the cut is the
// caller's.
func Head(text string, n int) string {
	end := offset(text, n)
	if end == len(text) {
		return text
	}
	if strings.IndexByte(blanks, text[end]) >= 0 {
		return text[:end]
	}
	return TrimEnd(text[:end])
}

// Tail returns the last n characters of text at most: all of it when it is no
// longer, else from the beginning of a line or word on.
func Tail(text string, n int) string {
	start := offset(text, utf8.RuneCountInString(text)-n)
	if start <= 0 || text[start-1] == '\n' {
		return text[max(0, start):]
	}
	return TrimStart(text[start:])
}

// offset is where the n-th character begins, or the text's end.
func offset(text string, n int) int {
	if n >= len(text) {
		return len(text)
	}
	for i := range text {
		if n <= 0 {
			return i
		}
		n--
	}
	return len(text)
}

// TrimEnd returns the beginning of a longer text without the word it ends in.
// A word of more than 512 bytes is cut where no token goes on (behind a quote,
// comma, bracket or a character beyond ASCII), or loses 512 bytes.
func TrimEnd(head string) string {
	from := max(0, len(head)-reach)
	if i := strings.LastIndexAny(head[from:], blanks); i >= 0 {
		return head[:from+i+1]
	}
	if i := strings.LastIndexFunc(head[from:], isEdge); i >= 0 {
		_, size := utf8.DecodeRuneInString(head[from+i:])
		return head[:from+i+size]
	}
	for from > 0 && !utf8.RuneStart(head[from]) {
		from--
	}
	return head[:from]
}

func isEdge(r rune) bool { return r >= utf8.RuneSelf || strings.ContainsRune("\"'`,;()[]{}<>", r) }

// TrimStart returns the end of a longer text from its first whole line on. A
// text whose first line is longer than 512 bytes, or its only one, loses three
// words, fewer where they are longer than that, and 512 bytes of one without end.
func TrimStart(tail string) string {
	to := min(len(tail), reach)
	if i := strings.IndexByte(tail[:to], '\n'); i >= 0 && i+1 < len(tail) {
		return tail[i+1:]
	}
	start := 0
	for words := 0; words < apart; words++ {
		end := strings.IndexAny(tail[start:to], blanks)
		if end < 0 {
			if words == 0 || to == len(tail) {
				start = to
			}
			break // a word that goes on behind the reach is not torn
		}
		for start += end; start < to && strings.IndexByte(blanks, tail[start]) >= 0; {
			start++
		}
	}
	for start < len(tail) && !utf8.RuneStart(tail[start]) {
		start++
	}
	return tail[start:]
}
