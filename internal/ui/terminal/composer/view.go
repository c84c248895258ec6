package composer

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/editor"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/menu"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// textRows is how many rows of the text are shown at once.
const textRows = 10

// View draws the input, its menu below it, and says where the cursor is: column
// x of line y. No line is wider than the width.
func (c *Composer) View() (lines []string, x, y int) {
	if c.search != nil {
		return c.viewSearch(c.room())
	}
	v, menuRows := c.window()
	for i, row := range v.Rows {
		lines = append(lines, c.margin(v, i)+c.row(row, i == 0 && v.Starts[0]))
	}
	if c.text.Empty() && c.o.Placeholder != "" {
		lines[0] += c.paint(theme.Dim, c.o.Placeholder)
	}
	if menuRows > 0 {
		lines = append(lines, c.menu.list.View(c.o.Theme, c.o.Width, menuRows)...)
	}
	return c.fit(lines, c.indent()+v.X, v.Y)
}

// room is how many rows there are.
func (c *Composer) room() int {
	if c.o.Height > 0 {
		return c.o.Height
	}
	return textRows + menu.Rows
}

// window is the part of the text that is shown, and how many rows are left to
// the menu.
func (c *Composer) window() (v editor.View, menuRows int) {
	if c.menu.visible() {
		menuRows = min(c.menu.list.Len(), menu.Rows, c.room()/2)
	}
	return c.text.View(min(textRows, c.room()-menuRows)), menuRows
}

func (c *Composer) viewSearch(room int) ([]string, int, int) {
	s := c.search
	head := c.o.Theme.Glyph(theme.Prompt) + " history: "
	s.query.SetWidth(c.o.Width - ansi.StringWidth(head) - 1)
	s.query.SetMethod(c.method)
	v := s.query.View(1)
	line := c.paint(theme.Accent, head)
	for _, p := range v.Rows[0] {
		line += p.Text
	}
	lines := []string{line}
	if room > 1 {
		if s.list.Len() == 0 {
			lines = append(lines, c.paint(theme.Dim, "  nothing found"))
		}
		lines = append(lines, s.list.View(c.o.Theme, c.o.Width, room-1)...)
	}
	return c.fit(lines, ansi.StringWidth(head)+v.X, 0)
}

// fit is for screens that are narrower than what must be shown.
func (c *Composer) fit(lines []string, x, y int) ([]string, int, int) {
	for i, line := range lines {
		lines[i] = c.method.Truncate(line, c.o.Width, "")
	}
	return lines, min(x, c.o.Width-1), y
}

// indent is how wide the margin is.
func (c *Composer) indent() int { return ansi.StringWidth(c.o.Theme.Glyph(theme.Prompt)) + 1 }

// margin is what stands left of a row: the prompt, or that there is more above
// or below.
func (c *Composer) margin(v editor.View, i int) string {
	var glyph string
	role := theme.Dim
	switch {
	case i == 0 && v.More.Above:
		glyph = c.o.Theme.Glyph(theme.Up)
	case i == len(v.Rows)-1 && v.More.Below:
		glyph = c.o.Theme.Glyph(theme.Down)
	case i == 0:
		glyph, role = c.o.Theme.Glyph(theme.Prompt), c.role()
	default:
		return strings.Repeat(" ", c.indent())
	}
	return c.paint(role, glyph) + " "
}

// role is what Enter would do with the text, as a colour.
func (c *Composer) role() theme.Role {
	switch {
	case c.mode() == Shell:
		return theme.Warning
	case c.mode() == Remember:
		return theme.Success
	case c.busy:
		return theme.Dim
	}
	return theme.Accent
}

// row paints a row. The sign that a text begins with, and that makes it
// something else than a message, looks like the prompt.
func (c *Composer) row(pieces []editor.Piece, first bool) string {
	var b strings.Builder
	for i, p := range pieces {
		text := p.Text
		switch {
		case p.Fold:
			b.WriteString(c.paint(theme.Code, text))
			continue
		case first && i == 0 && c.mode() != Submit:
			b.WriteString(c.paint(c.role(), text[:1]))
			text = text[1:]
		}
		b.WriteString(text)
	}
	return b.String()
}

func (c *Composer) paint(role theme.Role, text string) string { return c.o.Theme.Paint(role, text) }

// Hint says in a few words what keys do now; empty where there is nothing
// special. It is meant for a dim line below the input.
func (c *Composer) Hint() string {
	switch {
	case c.search != nil:
		return "Enter takes it, Esc leaves, Ctrl-R goes further back"
	case c.trouble != "":
		return c.trouble
	case c.menu.visible():
		return c.menuHint()
	case c.mode() == Shell:
		return "Enter runs this command here"
	case c.mode() == Remember:
		return "Enter adds this to the memory"
	case c.busy:
		return "Esc interrupts, Enter queues, Ctrl-S steers"
	}
	if v, _ := c.window(); v.More.Above || v.More.Below {
		return "line " + amount.Grouped(v.Line) + " of " + amount.Grouped(v.Lines)
	}
	return ""
}

// menuHint says what keys do with the menu, and how much of it is not shown.
func (c *Composer) menuHint() string {
	hint := "Tab takes it, Esc closes the list"
	if _, rows := c.window(); c.menu.list.Len() > rows {
		hint = amount.Grouped(max(0, c.menu.list.At())+1) + " of " + amount.Grouped(c.menu.list.Len()) + ", " + hint
	}
	return hint
}
