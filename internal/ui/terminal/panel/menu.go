package panel

import (
	"cmp"
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/sahilm/fuzzy"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// menuRows is how many options a menu shows at once.
const menuRows = 10

// Menu is a choice.
type Menu struct {
	end
	drawn
	menu   dialog.Menu
	filter field
	shown  []int // indexes of the options that match
	at     int   // in shown
	top    int
	rows   int // that were shown last
}

// NewMenu shows m.
func NewMenu(m dialog.Menu, th *theme.Theme) *Menu {
	p := &Menu{menu: m, drawn: drawn{th}, filter: newField("", false)}
	p.narrow()
	p.at = min(max(0, m.At), max(0, len(p.shown)-1))
	return p
}

// Choice is the chosen option.
func (p *Menu) Choice() int {
	if len(p.shown) == 0 {
		return -1
	}
	return p.shown[p.at]
}

func label(o dialog.Option) string { return cmp.Or(o.Label, o.Value) }

func (p *Menu) narrow() {
	p.shown, p.at, p.top = nil, 0, 0
	if pattern := strings.TrimSpace(string(p.filter.text)); pattern != "" {
		texts := make([]string, len(p.menu.Items))
		for i, o := range p.menu.Items {
			texts[i] = label(o) + " " + o.Hint
		}
		for _, m := range fuzzy.Find(pattern, texts) {
			p.shown = append(p.shown, m.Index)
		}
		return
	}
	for i := range p.menu.Items {
		p.shown = append(p.shown, i)
	}
}

// Key moves, narrows, chooses or leaves. Without a filter a digit chooses.
func (p *Menu) Key(k tea.KeyPressMsg) {
	switch s := k.Keystroke(); {
	case leaves(k):
		p.cancel()
	case s == "enter" || s == "tab":
		if len(p.shown) > 0 {
			p.accept()
		}
	case s == "up" || s == "ctrl+p" || s == "shift+tab":
		p.move(-1)
	case s == "down" || s == "ctrl+n":
		p.move(1)
	case s == "pgup":
		p.at = max(0, p.at-max(1, p.rows))
	case s == "pgdown":
		p.at = max(0, min(len(p.shown)-1, p.at+max(1, p.rows)))
	case s == "home" && !p.menu.Filter:
		p.at = 0
	case s == "end" && !p.menu.Filter:
		p.at = max(0, len(p.shown)-1)
	case p.menu.Filter:
		before := string(p.filter.text)
		if p.filter.key(k) && string(p.filter.text) != before {
			p.narrow()
		}
	case len(s) == 1 && s[0] >= '1' && s[0] <= '9' && int(s[0]-'1') < len(p.shown):
		p.at = int(s[0] - '1')
		p.accept()
	}
}

func (p *Menu) move(by int) {
	if n := len(p.shown); n > 0 {
		p.at = (p.at + by + n) % n
	}
}

// Paste narrows.
func (p *Menu) Paste(text string) {
	if p.menu.Filter {
		p.filter.insert(text)
		p.narrow()
	}
}

// View is the title, the options around the chosen one and what it means.
func (p *Menu) View(width, height int) ([]string, *Cursor) {
	lines := []string{p.theme.Paint(theme.Strong, p.fit(clean(p.menu.Title), width))}
	var cursor *Cursor
	if p.menu.Filter {
		text, x := p.filter.view(max(1, width-2))
		lines = append(lines, p.theme.Paint(theme.Accent, "> ")+text)
		cursor = &Cursor{X: x + 2, Y: 1}
	}
	room := max(1, height-len(lines)-1)
	p.rows = min(menuRows, room, max(1, len(p.shown)))
	p.top = max(0, min(p.top, p.at, len(p.shown)-p.rows))
	p.top = max(p.top, p.at-p.rows+1)
	for i := p.top; i < min(len(p.shown), p.top+p.rows); i++ {
		lines = append(lines, p.option(i, width))
	}
	if len(p.shown) == 0 {
		lines = append(lines, p.theme.Paint(theme.Dim, p.fit("  nothing matches", width)))
	}
	if p.menu.Preview != nil && len(p.shown) > 0 {
		for _, line := range p.menu.Preview(p.Choice(), width-2) {
			if len(lines) < height-1 {
				lines = append(lines, p.theme.Paint(theme.Dim, p.fit("  "+clean(line), width)))
			}
		}
	}
	lines = append(lines, p.theme.Paint(theme.Dim, p.fit(p.hint(), width)))
	return lines[:min(len(lines), max(1, height))], cursor
}

func (p *Menu) hint() string {
	text := "up/down, Enter chooses, Esc leaves"
	if p.menu.Filter {
		text = "type to narrow, " + text
	}
	if len(p.shown) > p.rows {
		text = fmt.Sprintf("%d of %d, ", p.at+1, len(p.shown)) + text
	}
	return text
}

func (p *Menu) option(i, width int) string {
	o := p.menu.Items[p.shown[i]]
	text, hint := clean(label(o)), clean(o.Hint)
	mark := "  "
	role := theme.Text
	if i == p.at {
		mark, role = p.theme.Glyph(theme.Current)+" ", theme.Accent
	}
	text = p.fit(mark+text, width)
	if left := width - ansi.StringWidth(text) - 2; hint != "" && left > 8 {
		return p.theme.Paint(role, text) + "  " + p.theme.Paint(theme.Dim, p.fit(hint, left))
	}
	return p.theme.Paint(role, text)
}
