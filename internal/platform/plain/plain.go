// Package plain turns what a program prints for a terminal into plain text:
// control sequences are gone, line ends are one newline, and every byte is
// valid UTF-8. It knows neither where the bytes come from nor who reads them.
package plain

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"
)

// stringLimit is the most characters an unfinished operating-system or device
// command swallows. Real ones (window titles, clipboard, small pictures) are
// shorter; without a bound one stray introducer would hide all that follows.
const stringLimit = 1 << 20

// The control characters that matter here.
const (
	bel = 0x07
	can = 0x18
	sub = 0x1a
	esc = 0x1b
	del = 0x7f
	dcs = 0x90
	sos = 0x98
	csi = 0x9b
	st  = 0x9c
	osc = 0x9d
	pm  = 0x9e
	apc = 0x9f
)

// state is where in a control sequence the filter stands.
type state uint8

const (
	ground  state = iota
	escape        // after ESC
	middle        // after ESC and an intermediate character
	control       // inside CSI … final
	command       // inside OSC … BEL or ST
	device        // inside DCS, APC, PM or SOS … ST
)

// Writer is a filter that may get its input in pieces of any size: sequences
// and characters split between two calls of Write are recognised. It removes
// CSI, OSC, DCS, APC, PM and SOS sequences, other escape sequences, C0 except
// tab and newline, DEL and C1; it replaces invalid UTF-8. "\r\n" becomes "\n",
// and so does a "\r" that starts a line over.
type Writer struct {
	w     io.Writer
	state state
	// length counts the characters of the command being skipped.
	length int
	// rest are the first bytes of a character whose end has not come yet.
	rest []byte
	// cr: a carriage return came and no character after it yet.
	cr bool
	// inLine: the last character written was no newline.
	inLine bool
	out    []byte
}

// NewWriter returns a filter in front of w, which gets at most one Write for
// each Write of the filter.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// String returns s as plain text.
func String(s string) string {
	if clean(s) {
		return s
	}
	var b strings.Builder
	f := NewWriter(&b)
	_, _ = f.Write([]byte(s)) // a builder does not fail
	_ = f.Close()
	return b.String()
}

// ForTerminal is String for a person's eyes: characters that turn the order of
// others around, so that a text reads as what it is not, are shown as U+FFFD.
func ForTerminal(s string) string {
	return strings.Map(func(r rune) rune {
		if Reorders(r) {
			return utf8.RuneError
		}
		return r
	}, String(s))
}

// Reorders reports whether r is one of the invisible characters that override,
// embed or isolate the direction of those behind it.
func Reorders(r rune) bool {
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// clean reports whether s has nothing to filter, which most texts have not.
func clean(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' && c != '\n' || c >= del {
			return false
		}
	}
	return true
}

// Write filters p. It always takes all of p; the error is that of the writer
// behind it.
func (f *Writer) Write(p []byte) (int, error) {
	taken := len(p)
	f.out = f.out[:0]
	if len(f.rest) > 0 {
		p = append(f.rest, p...)
		f.rest = nil
	}
	for len(p) > 0 {
		if n := f.run(p); n > 0 {
			p = p[n:]
			continue
		}
		if !utf8.FullRune(p) {
			f.rest = bytes.Clone(p)
			break
		}
		r, size := utf8.DecodeRune(p)
		f.step(r)
		p = p[size:]
	}
	return taken, f.flush()
}

// Close writes what an incomplete last character leaves. It does not close the
// writer behind it.
func (f *Writer) Close() error {
	f.out = f.out[:0]
	if len(f.rest) > 0 && f.state == ground {
		f.emit(utf8.RuneError)
	}
	f.rest = nil
	return f.flush()
}

func (f *Writer) flush() error {
	if len(f.out) == 0 {
		return nil
	}
	_, err := f.w.Write(f.out)
	return err
}

// run copies the printable ASCII at the start of p and says how much that was.
func (f *Writer) run(p []byte) int {
	if f.state != ground || f.cr {
		return 0
	}
	n := 0
	for n < len(p) && (p[n] >= ' ' && p[n] < del || p[n] == '\n' || p[n] == '\t') {
		n++
	}
	if n > 0 {
		f.out = append(f.out, p[:n]...)
		f.inLine = p[n-1] != '\n'
	}
	return n
}

func (f *Writer) emit(r rune) {
	if f.cr && r != '\n' && f.inLine {
		f.out = append(f.out, '\n')
	}
	f.cr = false
	f.out = utf8.AppendRune(f.out, r)
	f.inLine = r != '\n'
}

// step takes one character.
func (f *Writer) step(r rune) {
	if f.introduce(r) {
		return
	}
	switch f.state {
	case ground:
		f.text(r)
	case escape:
		f.afterEscape(r)
	case middle, control:
		f.inSequence(r)
	case command, device:
		f.inString(r)
	}
}

// introduce handles the characters that mean the same in every state.
func (f *Writer) introduce(r rune) bool {
	switch r {
	case esc:
		f.state = escape
	case csi:
		f.state = control
	case osc:
		f.state, f.length = command, 0
	case dcs, sos, pm, apc:
		f.state, f.length = device, 0
	case can, sub, st:
		f.state = ground
	default:
		return false
	}
	return true
}

func (f *Writer) text(r rune) {
	switch {
	case r == '\r':
		f.cr = true
	case r < ' ' && r != '\t' && r != '\n', r >= del && r <= apc:
	default:
		f.emit(r)
	}
}

func (f *Writer) afterEscape(r rune) {
	switch {
	case r == '[':
		f.state = control
	case r == ']':
		f.state, f.length = command, 0
	case r == 'P' || r == 'X' || r == '^' || r == '_':
		f.state, f.length = device, 0
	case r >= ' ' && r <= '/':
		f.state = middle
	case r > '/' && r < del: // a sequence of two characters, "\" of ST among them
		f.state = ground
	default:
		f.state = ground
		f.text(r)
	}
}

// inSequence skips the parameters and the final character of a sequence. A
// character that cannot belong to it ends it.
func (f *Writer) inSequence(r rune) {
	parameters := rune('/')
	if f.state == control {
		parameters = '?'
	}
	switch {
	case r >= ' ' && r <= parameters:
	case r > parameters && r < del:
		f.state = ground
	case r < ' ' && r != '\n' && r != '\t' && r != '\r', r == del:
	default:
		f.state = ground
		f.text(r)
	}
}

// inString skips a command's text. A newline ends an unfinished OSC, which has
// none.
func (f *Writer) inString(r rune) {
	f.length++
	switch {
	case f.state == command && r == bel, f.length > stringLimit:
		f.state = ground
	case f.state == command && r == '\n':
		f.state = ground
		f.text(r)
	}
}
