package editor

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// tabWidth is how many cells a tab takes; it does not depend on where it
// stands, so that a row is as wide wherever it begins.
const tabWidth = 4

// joiner makes one character of those around it.
const joiner = '\u200d'

// Clean makes a text fit for an Editor: every kind of line end is a newline
// (a terminal sends those of a paste as carriage returns), control characters
// and sequences are gone, and every byte is valid UTF-8.
func Clean(text string) string {
	if strings.ContainsAny(text, "\r\u2028\u2029") {
		text = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n").Replace(text)
	}
	return plain.String(text)
}

// next is the end of the character at i.
func (e *Editor) next(i int) int {
	if i >= len(e.text) {
		return len(e.text)
	}
	switch c := e.text[i]; {
	case c == foldStart:
		return i + bytes.IndexByte(e.text[i:], foldEnd) + 1
	case c < utf8.RuneSelf && (i+1 == len(e.text) || e.text[i+1] < utf8.RuneSelf):
		return i + 1 // between two ASCII characters there is always a boundary
	}
	cluster, _ := ansi.FirstGraphemeCluster(e.text[i:], ansi.GraphemeWidth)
	return i + len(cluster)
}

// prev is the start of the character that ends at i.
func (e *Editor) prev(i int) int {
	if i == 0 {
		return 0
	}
	if e.text[i-1] == foldEnd {
		return bytes.LastIndexByte(e.text[:i], foldStart)
	}
	from := e.sure(i - 1)
	for {
		to := e.next(from)
		if to >= i {
			return from
		}
		from = to
	}
}

// sure is the nearest place at or in front of i that is a boundary whatever
// surrounds it. Characters can only be counted forwards from such a place.
func (e *Editor) sure(i int) int {
	for ; i > 0; i-- {
		last := e.text[i-1]
		if last == '\n' || last == foldEnd || last < utf8.RuneSelf && i < len(e.text) && e.text[i] < utf8.RuneSelf {
			return i
		}
	}
	return 0
}

// boundaryAfter is the first boundary that is not in front of i.
func (e *Editor) boundaryAfter(i int) int {
	if i >= len(e.text) {
		return len(e.text)
	}
	at := e.sure(i)
	window := e.text[max(0, at-markBytes):at]
	if mark := bytes.LastIndexByte(window, foldStart); mark >= 0 && bytes.IndexByte(window[mark:], foldEnd) < 0 {
		at -= len(window) - mark // the digits of a fold's number
	}
	for at < i {
		at = e.next(at)
	}
	return at
}

// width is how many cells the character between from and to takes.
func (e *Editor) width(from, to int) int {
	switch c := e.text[from]; {
	case c == '\t':
		return tabWidth
	case c == foldStart:
		return len(e.folds.label(string(e.text[from:to])))
	case to == from+1:
		return 1
	}
	width, _ := e.measure(from, to)
	return width
}

// measure says how wide a character beyond ASCII is, and whether it is shown as
// a sign that it is there: what is invisible, turns around what stands behind
// it, or belongs to a letter that is not there, would change its neighbours.
func (e *Editor) measure(from, to int) (width int, replaced bool) {
	_, width = ansi.FirstGraphemeCluster(e.text[from:to], e.rows.method)
	r, _ := utf8.DecodeRune(e.text[from:])
	if width == 0 || plain.Reorders(r) || unicode.IsMark(r) || r == joiner {
		return 1, true
	}
	return width, false
}

// look appends what the character between from and to looks like.
func (e *Editor) look(b []byte, from, to int) []byte {
	switch c := e.text[from]; {
	case c == '\t':
		return append(b, strings.Repeat(" ", tabWidth)...)
	case c == foldStart:
		return append(b, e.folds.label(string(e.text[from:to]))...)
	case to == from+1:
		return append(b, c)
	}
	if _, replaced := e.measure(from, to); replaced {
		return utf8.AppendRune(b, utf8.RuneError)
	}
	return append(b, e.text[from:to]...)
}

func (e *Editor) lineStart(i int) int { return bytes.LastIndexByte(e.text[:i], '\n') + 1 }

func (e *Editor) lineEnd(i int) int {
	if n := bytes.IndexByte(e.text[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(e.text)
}

// class says what kind of word a character belongs to. A fold is a word of its
// own.
type class uint8

const (
	space class = iota
	sign
	word
	folded
)

func (e *Editor) class(i int) class {
	r, _ := utf8.DecodeRune(e.text[i:])
	switch {
	case r == foldStart:
		return folded
	case r == ' ' || r == '\n' || r == '\t' || unicode.IsSpace(r):
		return space
	case r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
		return word
	}
	return sign
}

func (e *Editor) wordLeft(i int) int {
	return e.skipLeft(i, func(c class) bool { return c == word })
}

func (e *Editor) blankLeft(i int) int {
	return e.skipLeft(i, func(c class) bool { return c != space && c != folded })
}

// skipLeft goes back over what is between words and then over one word, or one
// fold.
func (e *Editor) skipLeft(i int, inWord func(class) bool) int {
	started := false
	for i > 0 {
		p := e.prev(i)
		c := e.class(p)
		switch {
		case c == folded && !started:
			return p
		case inWord(c):
			started = true
		case started:
			return i
		}
		i = p
	}
	return i
}

func (e *Editor) wordRight(i int) int {
	started := false
	for i < len(e.text) {
		n := e.next(i)
		c := e.class(i)
		switch {
		case c == folded && !started:
			return n
		case c == word:
			started = true
		case started:
			return i
		}
		i = n
	}
	return i
}
