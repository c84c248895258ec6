// Package theme says how things look on a terminal: which colour a role of text
// has, which character stands for a state. It knows the abilities of the
// terminal as values and does not ask for them; what the text means is its
// caller's business. Texts it is given are plain or painted by itself.
package theme

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Level is how many colours a terminal shows.
type Level uint8

const (
	// None is no escape sequence at all, not even bold: for NO_COLOR, dumb
	// terminals and pipes.
	None Level = iota
	// Basic is the sixteen colours the terminal's own settings define.
	Basic
	// Palette is the fixed 256 colours.
	Palette
	// True is 24 bits.
	True
)

// Options say what the terminal can show.
type Options struct {
	Color Level
	// Dark is whether the background is dark.
	Dark bool
	// ASCII keeps the theme's own characters at or below 0x7e.
	ASCII bool
}

// Theme is immutable and may be used by several goroutines.
type Theme struct {
	options Options
	roles   [roleCount]look
}

// New returns the theme for a terminal.
func New(o Options) *Theme {
	return &Theme{options: o, roles: looks(o)}
}

// Colored reports whether Paint changes anything. Where it does not, a meaning
// must show in the text itself.
func (t *Theme) Colored() bool { return t.options.Color != None }

// ASCII reports whether the theme's own characters are ASCII.
func (t *Theme) ASCII() bool { return t.options.ASCII }

// Dark reports whether the theme is for a dark background.
func (t *Theme) Dark() bool { return t.options.Dark }

// Paint returns s in the look of a role. What is painted stands alone: the look
// ends with it, and with each of its lines. Painted pieces inside s keep their
// look, and the role's goes on behind them.
func (t *Theme) Paint(role Role, s string) string { return t.PaintStyle(In(role), s) }

// PaintStyle is Paint for several roles at once.
func (t *Theme) PaintStyle(style Style, s string) string {
	start := t.start(style)
	if start == "" || s == "" {
		return s
	}
	if !strings.ContainsAny(s, "\n\x1b") {
		return start + s + reset
	}
	var b strings.Builder
	for i, line := range strings.Split(s, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		if line == "" {
			continue
		}
		b.WriteString(start)
		b.WriteString(strings.ReplaceAll(line, reset, reset+start))
		b.WriteString(reset)
	}
	return b.String()
}

// PaintSpans returns the spans one behind the other, each in its style.
func (t *Theme) PaintSpans(spans []Span) string {
	var b strings.Builder
	for _, s := range spans {
		if s.Link != "" && t.Colored() {
			b.WriteString(ansi.SetHyperlink(s.Link) + t.PaintStyle(s.Style, s.Text) + ansi.ResetHyperlink())
		} else {
			b.WriteString(t.PaintStyle(s.Style, s.Text))
		}
	}
	return b.String()
}
