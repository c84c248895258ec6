package transcript

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// kind is what a block of lines is: an empty line stands between two kinds.
type kind int

const (
	kindNone kind = iota
	kindUser
	kindAnswer
	kindNote // tools and everything that is told in passing
)

// block begins a block, or goes on with one of the same kind.
func (t *Transcript) block(k kind) {
	if t.quiet {
		return
	}
	if t.last != kindNone && t.last != k {
		t.line("")
	}
	t.last = k
}

// line adds one line that is ready.
func (t *Transcript) line(s string) {
	if !t.quiet {
		t.done = append(t.done, s)
	}
}

// note adds a text in passing: foreign words, wrapped to the width.
func (t *Transcript) note(role theme.Role, text string) { t.words(role, "  ", text) }

// words adds a wrapped text behind an indent.
func (t *Transcript) words(role theme.Role, indent, text string) {
	if t.quiet {
		return
	}
	t.block(kindNote)
	for line := range strings.SplitSeq(strings.TrimRight(clean(text), "\n"), "\n") {
		for _, part := range wrap(line, t.width-ansi.StringWidth(indent)) {
			t.line(indent + t.paint(role, part))
		}
	}
}

func (t *Transcript) paint(role theme.Role, s string) string {
	if s == "" {
		return ""
	}
	return t.theme.Paint(role, s)
}

// piece is a part of a line.
type piece struct {
	role theme.Role
	text string // plain, one line
}

// row is a line of pieces. The middle one gets the room that head and tail
// leave; where that is too little the last of the tail goes first.
func (t *Transcript) row(width int, head []piece, middle piece, tail ...piece) string {
	const least = 12 // columns of the middle below which the tail is dropped
	want := min(least, ansi.StringWidth(middle.text))
	for len(tail) > 0 && widthOf(head)+want+widthOf(tail) > width {
		tail = tail[:len(tail)-1]
	}
	left := max(0, width-widthOf(head)-widthOf(tail))
	middle.text = t.clip(middle.text, left)
	return t.join(width, append(append(head[:len(head):len(head)], middle), tail...)...)
}

// join paints pieces, and cuts what goes beyond the width.
func (t *Transcript) join(width int, pieces ...piece) string {
	var b strings.Builder
	for _, p := range pieces {
		s := t.clip(p.text, width)
		width -= ansi.StringWidth(s)
		b.WriteString(t.paint(p.role, s))
		if s != p.text {
			break
		}
	}
	return b.String()
}

func widthOf(pieces []piece) int {
	n := 0
	for _, p := range pieces {
		n += ansi.StringWidth(p.text)
	}
	return n
}

// clip cuts a line to the width.
func (t *Transcript) clip(s string, width int) string {
	if ansi.StringWidth(s) <= width {
		return s
	}
	if width < 4 {
		return ansi.Truncate(s, max(0, width), "")
	}
	return ansi.Truncate(s, width, t.glyph(theme.Ellipsis))
}

// clean makes foreign text fit to be shown: no control sequences, no tabs.
func clean(s string) string {
	return strings.ReplaceAll(plain.ForTerminal(s), "\t", "    ")
}

// oneLine is foreign text on one line.
func oneLine(s string) string { return strings.Join(strings.Fields(clean(s)), " ") }

// wrap breaks a clean line at its words.
func wrap(line string, width int) []string {
	width = max(1, width)
	if ansi.StringWidth(line) <= width {
		return []string{line}
	}
	parts := strings.Split(ansi.Wrap(line, width, ""), "\n")
	for i, p := range parts {
		parts[i] = strings.TrimRight(p, " ")
	}
	return parts
}

// clipLeft keeps the end of a line.
func (t *Transcript) clipLeft(s string, width int) string {
	if w := ansi.StringWidth(s); w > width {
		return t.glyph(theme.Ellipsis) + ansi.TruncateLeft(s, w-max(0, width-ansi.StringWidth(t.glyph(theme.Ellipsis))), "")
	}
	return s
}
