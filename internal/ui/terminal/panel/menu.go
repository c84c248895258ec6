package panel

import (
	"cmp"
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/sahilm/fuzzy"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/menu"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// Menu is a choice.
type Menu struct {
	end
	drawn
	menu   dialog.Menu
	filter field
	shown  []int // indexes of the options that match
	list   menu.Menu
	rows   int // that were shown last
}

// NewMenu shows m.
func NewMenu(m dialog.Menu, th *theme.Theme) *Menu {
	p := &Menu{menu: m, drawn: drawn{th}, filter: newField("", false)}
	p.narrow()
	p.list.Move(min(max(0, m.At), max(0, len(p.shown)-1)))
	return p
}

// Choice is the chosen option.
func (p *Menu) Choice() int {
	if len(p.shown) == 0 {
		return -1
	}
	return p.shown[p.list.At()]
}

// narrow keeps the options that match what is typed, the best first.
func (p *Menu) narrow() {
	p.shown = nil
	if pattern := strings.TrimSpace(string(p.filter.text)); pattern != "" {
		texts := make([]string, len(p.menu.Items))
		for i, o := range p.menu.Items {
			texts[i] = cmp.Or(o.Label, o.Value) + " " + o.Hint
		}
		for _, m := range fuzzy.Find(pattern, texts) {
			p.shown = append(p.shown, m.Index)
		}
	} else {
		for i := range p.menu.Items {
			p.shown = append(p.shown, i)
		}
	}
	items := make([]dialog.Option, len(p.shown))
	for i, at := range p.shown {
		items[i] = p.menu.Items[at]
	}
	p.list = menu.Menu{Names: true}
	p.list.Set(items, false)
}

// Key moves, narrows, chooses or leaves. Without a filter a digit chooses.
func (p *Menu) Key(k tea.KeyPressMsg) {
	at, last := p.list.At(), len(p.shown)-1
	switch s := k.Keystroke(); {
	case leaves(k):
		p.cancel()
	case s == "enter" || s == "tab":
		if len(p.shown) > 0 {
			p.accept()
		}
	case s == "up" || s == "ctrl+p" || s == "shift+tab":
		p.list.Move(-1)
	case s == "down" || s == "ctrl+n":
		p.list.Move(1)
	case s == "pgup":
		p.list.Move(-min(at, max(1, p.rows)))
	case s == "pgdown":
		p.list.Move(min(last-at, max(1, p.rows)))
	case s == "home" && !p.menu.Filter:
		p.list.Move(-at)
	case s == "end" && !p.menu.Filter:
		p.list.Move(last - at)
	case p.menu.Filter:
		before := string(p.filter.text)
		if p.filter.key(k) && string(p.filter.text) != before {
			p.narrow()
		}
	case len(s) == 1 && s[0] >= '1' && s[0] <= '9' && int(s[0]-'1') <= last:
		p.list.Move(int(s[0]-'1') - at)
		p.accept()
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
	lines := []string{p.head(p.menu.Title, width)}
	var cursor *Cursor
	if p.menu.Filter {
		line, x := p.line(&p.filter, p.prompt(), width)
		lines, cursor = append(lines, line), &Cursor{X: x, Y: len(lines)}
	}
	room := max(1, height-len(lines)-1)
	p.rows = min(menu.Rows, room, len(p.shown))
	lines = append(lines, p.list.View(p.theme, width, p.rows)...)
	if len(p.shown) == 0 {
		lines = append(lines, p.theme.Paint(theme.Dim, p.fit("  nothing matches", width)))
	}
	lines = append(lines, p.preview(width, height-1-len(lines))...)
	lines = append(lines, p.hint(width, p.keys()...))
	return lines[:min(len(lines), max(1, height))], cursor
}

// preview is more about the chosen option, behind an empty line.
func (p *Menu) preview(width, room int) []string {
	if p.menu.Preview == nil || len(p.shown) == 0 || room < 2 {
		return nil
	}
	lines := []string{""}
	for _, line := range p.menu.Preview(p.Choice(), width-2) {
		if len(lines) < room {
			lines = append(lines, p.theme.Paint(theme.Dim, p.fit("  "+clean(line), width)))
		}
	}
	return lines
}

func (p *Menu) keys() []string {
	keys := []string{"Enter chooses", "Esc leaves"}
	if len(p.shown) > p.rows {
		keys = append([]string{fmt.Sprintf("%d of %d", p.list.At()+1, len(p.shown))}, keys...)
	}
	if p.menu.Filter {
		keys = append(keys, "type to narrow")
	}
	return append(keys, "up/down moves")
}
