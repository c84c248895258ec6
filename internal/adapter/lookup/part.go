package lookup

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Part is a piece of a long text: at most Max characters from Offset on, with
// what the piece says of the rest; 0 is [MaxOutput]. More
// gives the call that reads on from an offset, such as
// `fetch_hf_docs {"url":"…","offset":20000}`.
type Part struct {
	Offset, Max int
	More        func(offset int) string
}

// Cut returns the piece. It ends at the end of a line where there is one, and
// then one more line says what is left and how to read on; both together stay
// within Max, unless that is too small for anything. A code fence that is torn
// is closed and, in the next piece, opened again. Pieces follow each other
// without gap or overlap; offsets count characters of text.
func (p Part) Cut(text string) string {
	if p.Max <= 0 {
		p.Max = MaxOutput
	}
	total := utf8.RuneCountInString(text)
	start := byteAt(text, p.Offset)
	if start == len(text) && p.Offset > 0 {
		return fmt.Sprintf("… the text has %d characters; there is nothing at offset %d.", total, p.Offset)
	}
	at := fenceAt(text[:start])
	reopened := at.opening()
	left := utf8.RuneCountInString(text[start:])
	if left+utf8.RuneCountInString(reopened) <= p.Max {
		return reopened + text[start:]
	}
	more := func(int) string { return "a larger offset" }
	if p.More != nil {
		more = p.More
	}
	notice := func(end, left int) string {
		return fmt.Sprintf("… %d of %d characters follow; go on with %s", left, total, more(end))
	}
	// The longest of each, and the line ends between them.
	extra := utf8.RuneCountInString(notice(total, total)+reopened) + fenceChars + 2
	piece := text[start : start+pieceEnd(text[start:], max(p.Max-extra, min(p.Max/2, p.Max-1), 1))]
	chars := utf8.RuneCountInString(piece)
	closing := at.after(piece).closing()
	if !strings.HasSuffix(piece, "\n") {
		piece += "\n"
	}
	return reopened + piece + closing + notice(total-left+chars, left-chars)
}

// pieceEnd returns where a piece of at most max characters ends: behind the
// last line end in its second half, else anywhere.
func pieceEnd(text string, max int) int {
	end := byteAt(text, max)
	if end == len(text) {
		return end
	}
	half := byteAt(text, max/2)
	if i := strings.LastIndexByte(text[half:end], '\n'); i >= 0 {
		return half + i + 1
	}
	return end
}

// byteAt returns where character n of s begins, or the end of s.
func byteAt(s string, n int) int {
	if n <= 0 {
		return 0
	}
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

// fenceChars bounds the line that closes a fence, and openingChars what is
// repeated of one that opens it.
const (
	fenceChars   = 120
	openingChars = 100
)

// fence is the code fence that a place in a text lies in; length 0 is none.
type fence struct {
	mark   byte // ` or ~
	length int
	indent int
	line   string
}

// fenceAt returns the fence that is open behind text.
func fenceAt(text string) fence { return fence{}.after(text) }

// after returns the fence that is open behind more text. A last line without
// its end does not count: the rest of it may make it something else.
func (f fence) after(text string) fence {
	for {
		row, rest, ok := strings.Cut(text, "\n")
		if !ok {
			return f
		}
		text = rest
		f = f.next(strings.TrimSuffix(row, "\r"))
	}
}

// next returns the fence behind one line.
func (f fence) next(row string) fence {
	body := strings.TrimLeft(row, " \t")
	indent := len(row) - len(body)
	if len(body) < 3 || body[0] != '`' && body[0] != '~' {
		return f
	}
	mark := body[0]
	length := len(body) - len(strings.TrimLeft(body, string(mark)))
	info := body[length:]
	switch {
	case length < 3:
		return f
	case f.length > 0:
		if mark == f.mark && length >= f.length && strings.TrimSpace(info) == "" && indent <= f.indent+3 {
			return fence{}
		}
		return f
	case mark == '`' && strings.Contains(info, "`"):
		return f // code within a line
	}
	return fence{mark, length, indent, row}
}

// opening is the line that opens the fence again. One that is too long to be
// repeated says less.
func (f fence) opening() string {
	switch {
	case f.length == 0:
		return ""
	case len(f.line) <= openingChars:
		return f.line + "\n"
	}
	return strings.Repeat(string(f.mark), f.length) + "\n"
}

// closing is the line that closes the fence.
func (f fence) closing() string {
	if f.length == 0 {
		return ""
	}
	indent := ""
	if f.indent <= openingChars {
		indent = f.line[:f.indent]
	}
	return indent + strings.Repeat(string(f.mark), f.length) + "\n"
}

// shorten cuts a text that cannot be asked for in parts.
func shorten(text string, room int) string {
	chars := utf8.RuneCountInString(text)
	if chars <= room {
		return text
	}
	const note = "… %d more characters do not fit; ask for less at a time"
	piece := text[:pieceEnd(text, max(room-len(note)-fenceChars-12, 0))]
	f := fenceAt(piece)
	chars -= utf8.RuneCountInString(piece)
	if !strings.HasSuffix(piece, "\n") {
		piece += "\n"
	}
	return piece + f.closing() + fmt.Sprintf(note, chars)
}
