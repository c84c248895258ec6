// Package panel holds what takes the place of the input for a while: a menu, a
// question, a pager, something that is watched. A panel is a value that gets
// keys and tells what it looks like; who asked, and what follows from an answer,
// it does not know.
package panel

import (
	"strings"
	"unicode"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// Panel is one of the panels. All methods belong to one goroutine.
type Panel interface {
	Key(k tea.KeyPressMsg)
	Paste(text string)
	// View is at most height lines, none wider than width. Cursor is where the
	// cursor stands in them; nil hides it.
	View(width, height int) (lines []string, cursor *Cursor)
	// Done says that the person has answered or turned away; Cancelled that it
	// was the latter.
	Done() (done, cancelled bool)
}

// Cursor is a place in a view, from 0.
type Cursor struct{ X, Y int }

// end is how a panel was left.
type end struct{ done, cancelled bool }

func (e *end) Done() (done, cancelled bool) { return e.done, e.cancelled }
func (e *end) accept()                      { e.done = true }
func (e *end) cancel()                      { e.done, e.cancelled = true, true }

// leaves reports whether a key turns away from a panel.
func leaves(k tea.KeyPressMsg) bool {
	s := k.Keystroke()
	return s == "esc" || s == "ctrl+c"
}

// field is a line of text that is typed.
type field struct {
	text   []rune
	at     int
	secret bool
}

func newField(text string, secret bool) field {
	r := []rune(clean(text))
	return field{text: r, at: len(r), secret: secret}
}

// clean makes one line of a text for a field.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return ' '
		case unicode.IsControl(r) || r == utf8.RuneError:
			return -1
		}
		return r
	}, plain.ForTerminal(text))
}

func (f *field) insert(text string) {
	add := []rune(clean(text))
	f.text = append(f.text[:f.at:f.at], append(add, f.text[f.at:]...)...)
	f.at += len(add)
}

// key edits; it reports whether the key meant anything to the field.
func (f *field) key(k tea.KeyPressMsg) bool {
	switch k.Keystroke() {
	case "left", "ctrl+b":
		f.at = max(0, f.at-1)
	case "right", "ctrl+f":
		f.at = min(len(f.text), f.at+1)
	case "home", "ctrl+a":
		f.at = 0
	case "end", "ctrl+e":
		f.at = len(f.text)
	case "backspace", "ctrl+h":
		if f.at > 0 {
			f.text = append(f.text[:f.at-1:f.at-1], f.text[f.at:]...)
			f.at--
		}
	case "delete", "ctrl+d":
		if f.at < len(f.text) {
			f.text = append(f.text[:f.at:f.at], f.text[f.at+1:]...)
		}
	case "ctrl+u":
		f.text, f.at = f.text[f.at:], 0
	case "ctrl+k":
		f.text = f.text[:f.at]
	case "ctrl+w", "alt+backspace":
		to := f.at
		for to > 0 && f.text[to-1] == ' ' {
			to--
		}
		for to > 0 && f.text[to-1] != ' ' {
			to--
		}
		f.text = append(f.text[:to:to], f.text[f.at:]...)
		f.at = to
	default:
		if k.Text == "" {
			return false
		}
		f.insert(k.Text)
	}
	return true
}

// view is the field in width columns, the part around the cursor where it is
// longer, and the cursor's column.
func (f *field) view(width int) (string, int) {
	shown := f.text
	if f.secret {
		shown = []rune(strings.Repeat("*", len(f.text)))
	}
	from := 0
	for from < f.at && ansi.StringWidth(string(shown[from:f.at])) > width-1 {
		from++
	}
	return ansi.Truncate(string(shown[from:]), width, ""), ansi.StringWidth(string(shown[from:f.at]))
}

// drawn is what every panel needs to draw itself.
type drawn struct{ theme *theme.Theme }

// fit cuts a styled line to a width.
func (d *drawn) fit(line string, width int) string {
	return ansi.Truncate(line, width, d.theme.Glyph(theme.Ellipsis))
}

// head is a title with a rule behind it.
func (d *drawn) head(title string, width int) string {
	title = d.fit(clean(title), width)
	line := d.theme.Paint(theme.Strong, title)
	if free := width - ansi.StringWidth(title) - 1; free > 0 {
		line += " " + d.theme.Paint(theme.Border, strings.Repeat(d.theme.Glyph(theme.Horizontal), free))
	}
	return line
}

// prompt stands in front of a field.
func (d *drawn) prompt() string { return d.theme.Glyph(theme.Prompt) + " " }

// line draws a field behind a mark, and says where its cursor is.
func (d *drawn) line(f *field, mark string, width int) (line string, x int) {
	text, x := f.view(max(1, width-len([]rune(mark))-1))
	return d.theme.Paint(theme.Accent, mark) + text, x + len([]rune(mark))
}

// hint says what keys do, as Hint does.
func (d *drawn) hint(width int, keys ...string) string {
	return d.theme.Paint(theme.Dim, Hint(strings.Join(keys, ", "), width, d.theme.Glyph(theme.Ellipsis)))
}

// Hint is a line below what gets the keys: parts with commas between them, the
// most important first. Those that do not fit are left out; mark is for a lone
// one that does not.
func Hint(text string, width int, mark string) string {
	for ansi.StringWidth(text)+2 > width {
		at := strings.LastIndex(text, ", ")
		if at < 0 {
			break
		}
		text = text[:at]
	}
	return ansi.Truncate("  "+text, width, mark)
}

// literal is a foreign text in lines that cannot disturb the screen.
func literal(text string) []string {
	text = strings.ReplaceAll(plain.ForTerminal(text), "\t", "    ")
	return strings.Split(strings.TrimRight(text, "\n"), "\n")
}
