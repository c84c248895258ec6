package edit

import (
	"bytes"
	"sort"
	"strings"
	"unicode/utf8"
)

// view is a text with some of its characters replaced or left out, and the way
// back from its offsets to those of the original.
type view struct {
	text []byte
	// marks hold an offset of the view and the original's at each place where
	// the two stop running in step. Several marks with one view offset mean
	// that the characters between them are left out.
	marks []mark
}

type mark struct{ view, orig int }

// start is the original offset of the character at view offset v.
func (w *view) start(v int) int {
	i := sort.Search(len(w.marks), func(i int) bool { return w.marks[i].view > v }) - 1
	if i < 0 {
		return v
	}
	return w.marks[i].orig + v - w.marks[i].view
}

// end is the original offset right behind the character before view offset v,
// so that characters left out behind a match are no part of it.
func (w *view) end(v int) int {
	i := sort.Search(len(w.marks), func(i int) bool { return w.marks[i].view >= v })
	if i < len(w.marks) && w.marks[i].view == v {
		return w.marks[i].orig
	}
	if i == 0 {
		return v
	}
	return w.marks[i-1].orig + v - w.marks[i-1].view
}

// plain is body with every line end as \n.
func plain(body []byte) *view {
	if !bytes.Contains(body, []byte("\r\n")) {
		return &view{text: body}
	}
	w := &view{text: make([]byte, 0, len(body))}
	at := 0
	for {
		i := bytes.Index(body[at:], []byte("\r\n"))
		if i < 0 {
			w.text = append(w.text, body[at:]...)
			return w
		}
		w.text = append(w.text, body[at:at+i]...)
		w.put("\n", at+i, 2)
		at += i + 2
	}
}

// put appends text for the n original bytes at orig.
func (w *view) put(text string, orig, n int) {
	w.marks = append(w.marks, mark{len(w.text), orig})
	w.text = append(w.text, text...)
	w.marks = append(w.marks, mark{len(w.text), orig + n})
}

// mapped is body with line ends as \n and typographic characters as their
// plain forms.
func mapped(body []byte) *view {
	w := &view{text: make([]byte, 0, len(body))}
	for at := 0; at < len(body); {
		if c := body[at]; c < utf8.RuneSelf {
			if c == '\r' && at+1 < len(body) && body[at+1] == '\n' {
				w.put("\n", at, 2)
				at += 2
				continue
			}
			w.text = append(w.text, c)
			at++
			continue
		}
		r, n := utf8.DecodeRune(body[at:])
		if to, ok := plainRune(r); ok {
			w.put(to, at, n)
		} else {
			w.text = append(w.text, body[at:at+n]...)
		}
		at += n
	}
	return w
}

// plainRune is the plain form of a typographic character; empty for those
// that take no room.
func plainRune(r rune) (string, bool) {
	switch r {
	case '\u2013', '\u2014', '\u2212':
		return "-", true
	case '\u2018', '\u2019':
		return "'", true
	case '\u201C', '\u201D':
		return `"`, true
	case '\u00A0', '\u2002', '\u2003':
		return " ", true
	case '\u200B', '\uFEFF':
		return "", true
	}
	return "", false
}

// plainText is s with typographic characters as their plain forms.
func plainText(s string) string {
	if isASCII(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if to, ok := plainRune(r); ok {
			b.WriteString(to)
			continue
		}
		_, n := utf8.DecodeRuneInString(s[i:]) // bytes that are no UTF-8 stay
		b.WriteString(s[i : i+n])
	}
	return b.String()
}

func isASCII[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
