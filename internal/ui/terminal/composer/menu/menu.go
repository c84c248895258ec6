// Package menu is a short list below an input: some options, one of them
// chosen, a window that follows the choice. It knows neither keys nor where the
// options come from.
package menu

import (
	"cmp"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// Rows is the most options that are shown at once.
const Rows = 8

// Menu is a list. Its zero value is empty.
type Menu struct {
	// Names says that the labels count more than the hints: they are cut only
	// where there is nothing else to cut.
	Names bool

	items []dialog.Option
	at    int // -1 while none is chosen
	top   int
}

// Set shows other options. The choice stays on the option that has it where
// that is still there; otherwise the first is chosen, or none if free.
func (m *Menu) Set(items []dialog.Option, free bool) {
	chosen, ok := m.Chosen()
	moved := ok && m.at > 0
	m.items, m.at, m.top = items, 0, 0
	if free {
		m.at = -1
	}
	if moved {
		if i := slices.IndexFunc(items, func(o dialog.Option) bool { return o.Value == chosen.Value }); i >= 0 {
			m.at = i
		}
	}
}

// Len is how many options there are.
func (m *Menu) Len() int { return len(m.items) }

// At is the index of the chosen option, -1 for none.
func (m *Menu) At() int {
	if m.at >= len(m.items) {
		return -1
	}
	return m.at
}

// Chosen is the chosen option.
func (m *Menu) Chosen() (dialog.Option, bool) {
	if m.At() < 0 {
		return dialog.Option{}, false
	}
	return m.items[m.at], true
}

// First is the option to take where none is chosen.
func (m *Menu) First() (dialog.Option, bool) {
	if o, ok := m.Chosen(); ok || len(m.items) == 0 {
		return o, ok
	}
	return m.items[0], true
}

// Move goes down by n options, up if n is negative; behind the last comes the
// first.
func (m *Menu) Move(n int) {
	if len(m.items) == 0 {
		return
	}
	if m.at < 0 && n < 0 {
		m.at = 0
	}
	m.at = ((m.at+n)%len(m.items) + len(m.items)) % len(m.items)
}

// View draws at most rows lines of at most width columns, Rows at the most.
func (m *Menu) View(t *theme.Theme, width, rows int) []string {
	rows = min(rows, Rows, len(m.items))
	if rows < 1 {
		return nil
	}
	m.top = min(max(m.top, m.at-rows+1), max(0, m.at), len(m.items)-rows)
	shown := m.items[m.top : m.top+rows]
	column := 0
	for _, o := range shown {
		if o.Hint != "" {
			column = max(column, ansi.StringWidth(label(o)))
		}
	}
	limit := max(width/2, width-40)
	if m.Names {
		limit = width - 2
	}
	lines := make([]string, 0, rows)
	for i, o := range shown {
		lines = append(lines, m.line(t, o, m.top+i == m.at, width, min(column, limit)))
	}
	return lines
}

// line draws one option: a mark, the label in a column of its own, the hint.
func (m *Menu) line(t *theme.Theme, o dialog.Option, chosen bool, width, column int) string {
	mark, role := "  ", theme.Text
	if chosen {
		mark, role = t.Glyph(theme.Current)+" ", theme.Accent
	}
	name, hint := label(o), flat(o.Hint)
	if hint == "" {
		column = width - 2
	}
	name = ansi.Truncate(name, column, t.Glyph(theme.Ellipsis))
	line := t.Paint(role, mark+name)
	if left := width - 2 - column - 2; hint != "" && left > 3 {
		pad := strings.Repeat(" ", column-ansi.StringWidth(name)+2)
		line += pad + t.Paint(theme.Dim, ansi.Truncate(hint, left, t.Glyph(theme.Ellipsis)))
	}
	return ansi.Truncate(line, width, "")
}

func label(o dialog.Option) string { return flat(cmp.Or(o.Label, o.Value)) }

// flat makes one line of a foreign text.
func flat(s string) string {
	return strings.Join(strings.Fields(plain.ForTerminal(s)), " ")
}
