// Package page collects finished lines of a fixed width: foreign words are
// made fit to be shown, wrapped and painted, and blocks of different kinds have
// an empty line between them. It does not know what the lines tell.
package page

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/ui/sentence"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// Kind is what a block of lines is.
type Kind uint8

// The kinds.
const (
	Nothing Kind = iota
	User
	Answer
	Note // tools, and everything else that is told in passing
	Head // what stands above everything
)

// minWidth is the narrowest terminal that lines are made for, in columns.
const minWidth = 20

// Page is what lines are put on.
type Page struct {
	theme *theme.Theme
	width int
	lines []string
	last  Kind
	// Quiet takes lines and drops them.
	Quiet bool
}

// New returns an empty page.
func New(th *theme.Theme, width int) *Page {
	p := &Page{theme: th}
	p.Resize(width)
	return p
}

// Resize sets the width of the lines from now on.
func (p *Page) Resize(width int) { p.width = max(width, minWidth) }

// Width is that of a line in columns.
func (p *Page) Width() int { return p.width }

// Take returns the lines since the last Take.
func (p *Page) Take() []string {
	lines := p.lines
	p.lines = nil
	return lines
}

// Keep leaves the newest lines of those behind the first ones, and calls in the
// place of the others what says how many they were.
func (p *Page) Keep(first, most int, note func(cut int)) {
	if p.Quiet {
		return
	}
	newest := p.lines[first:]
	cut := max(0, len(newest)-most)
	p.lines = slices.Clone(p.lines[:first])
	last := p.last
	note(cut)
	if len(p.lines) > first && cut < len(newest) {
		p.lines = append(p.lines, "")
	}
	p.lines, p.last = append(p.lines, newest[cut:]...), last
}

// Len is how many lines wait to be taken.
func (p *Page) Len() int { return len(p.lines) }

// Block begins a block, or goes on with one of the same kind.
func (p *Page) Block(k Kind) {
	if p.Quiet {
		return
	}
	if p.Apart(k) {
		p.Line("")
	}
	p.last = k
}

// Apart reports whether a block of this kind would have an empty line above it.
func (p *Page) Apart(k Kind) bool { return p.last != Nothing && p.last != k }

// Under says that something stands above the first block.
func (p *Page) Under() { p.last = Head }

// Fresh begins a block, apart from one of the same kind too.
func (p *Page) Fresh(k Kind) {
	if p.last == k {
		p.Line("")
	}
	p.Block(k)
}

// Line adds a line that is ready.
func (p *Page) Line(s string) {
	if !p.Quiet {
		p.lines = append(p.lines, s)
	}
}

// Note adds a text in passing, at a depth of so many steps.
func (p *Page) Note(role theme.Role, depth int, text string) {
	p.Block(Note)
	p.Words(role, strings.Repeat("  ", depth+1), text)
}

// Words adds foreign text, wrapped behind an indent.
func (p *Page) Words(role theme.Role, indent, text string) {
	if p.Quiet {
		return
	}
	for _, line := range Wrap(strings.TrimRight(Clean(text), "\n"), p.width-ansi.StringWidth(indent)) {
		p.Line(p.Behind(indent, role, line))
	}
}

// Behind is a painted text behind an indent; an empty one is an empty line.
func (p *Page) Behind(indent string, role theme.Role, text string) string {
	if text == "" {
		return ""
	}
	return indent + p.Paint(role, text)
}

// Say adds what was put into words.
func (p *Page) Say(lines []sentence.Line) {
	for _, l := range lines {
		p.Note(roles[l.Tone], l.Depth, p.Ours(l.Text))
	}
}

// roles are those of the tones.
var roles = [...]theme.Role{
	sentence.Plain: theme.Text, sentence.Quiet: theme.Dim, sentence.Warning: theme.Warning, sentence.Bad: theme.Danger,
}

// Ours is a text of the program with characters that the terminal has.
func (p *Page) Ours(s string) string {
	if !p.theme.ASCII() {
		return s
	}
	return strings.NewReplacer("…", "...", "→", "->", "·", "|", "−", "-", "▸", ">").Replace(s)
}

// Paint is the theme's; nothing is painted as nothing.
func (p *Page) Paint(role theme.Role, s string) string {
	if s == "" {
		return ""
	}
	return p.theme.Paint(role, s)
}

// Piece is a part of a line: plain text without a newline.
type Piece struct {
	Role theme.Role
	Text string
}

// least is how many columns the middle of a row keeps before the tail loses a
// piece.
const least = 12

// Row is a line of pieces. The middle one gets the room that head and tail
// leave; where that is too little the last of the tail goes first.
func (p *Page) Row(head []Piece, middle Piece, tail ...Piece) string {
	want := min(least, ansi.StringWidth(middle.Text))
	for len(tail) > 0 && width(head)+want+width(tail) > p.width {
		tail = tail[:len(tail)-1]
	}
	middle.Text = p.Clip(middle.Text, max(0, p.width-width(head)-width(tail)))
	return p.Join(slices.Concat(head, []Piece{middle}, tail)...)
}

// Join paints pieces one behind the other; what goes beyond the width is cut.
func (p *Page) Join(pieces ...Piece) string {
	var b strings.Builder
	left := p.width
	for _, piece := range pieces {
		s := p.Clip(piece.Text, left)
		left -= ansi.StringWidth(s)
		b.WriteString(p.Paint(piece.Role, s))
		if s != piece.Text {
			break
		}
	}
	return b.String()
}

func width(pieces []Piece) int {
	n := 0
	for _, p := range pieces {
		n += ansi.StringWidth(p.Text)
	}
	return n
}

// Clip cuts a line to so many columns.
func (p *Page) Clip(s string, columns int) string {
	if ansi.StringWidth(s) <= columns {
		return s
	}
	mark := p.theme.Glyph(theme.Ellipsis)
	if columns < 2*ansi.StringWidth(mark) {
		mark = ""
	}
	return ansi.Truncate(s, max(0, columns), mark)
}

// ClipLeft cuts a line to so many columns and keeps its end.
func (p *Page) ClipLeft(s string, columns int) string {
	over := ansi.StringWidth(s) - columns
	if over <= 0 {
		return s
	}
	mark := p.theme.Glyph(theme.Ellipsis)
	return p.Clip(mark+ansi.TruncateLeft(s, over+ansi.StringWidth(mark), ""), columns)
}

// SetTheme changes how later lines look.
func (p *Page) SetTheme(th *theme.Theme) { p.theme = th }

// Glyph is the theme's.
func (p *Page) Glyph(g theme.Glyph) string { return p.theme.Glyph(g) }

// Spaced is lines, where there are any, with an empty one above.
func Spaced(lines []string) []string {
	if len(lines) == 0 {
		return nil
	}
	return append([]string{""}, lines...)
}

// Below is lines apart from those above.
func Below(above, lines []string) []string {
	if len(above) > 0 {
		lines = Spaced(lines)
	}
	return append(above, lines...)
}
