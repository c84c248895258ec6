package panel

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// Pager shows a long text.
type Pager struct {
	end
	drawn
	title string
	text  []string
	diff  bool // it is drawn as a difference

	width int          // the text was wrapped for
	lines []string     // the text wrapped
	roles []theme.Role // of the lines
	top   int
	rows  int
	find  field
	typed bool // the search is being typed
}

// NewPager shows a text, literally; a unified difference has its colours.
func NewPager(title, text string, th *theme.Theme) *Pager {
	return &Pager{title: title, text: literal(text), diff: theme.IsDiff(text), drawn: drawn{th}, find: newField("", false)}
}

// Key scrolls, searches or leaves.
func (p *Pager) Key(k tea.KeyPressMsg) {
	s := k.Keystroke()
	if p.typed {
		switch {
		case leaves(k):
			p.typed = false
		case s == "enter":
			p.typed = false
			p.next(p.top)
		default:
			p.find.key(k)
		}
		return
	}
	page := max(1, p.rows-1)
	switch {
	case leaves(k), s == "q", s == "enter":
		p.accept()
	case s == "down" || s == "j":
		p.top++
	case s == "up" || s == "k":
		p.top--
	case s == "pgdown" || s == "space" || s == "ctrl+f" || s == "ctrl+d":
		p.top += page
	case s == "pgup" || s == "b" || s == "ctrl+b" || s == "ctrl+u":
		p.top -= page
	case s == "home" || s == "g":
		p.top = 0
	case s == "end" || s == "shift+g" || s == "G":
		p.top = len(p.lines)
	case s == "/":
		p.typed, p.find = true, newField("", false)
	case s == "n":
		p.next(p.top + 1)
	}
	p.clamp()
}

func (p *Pager) clamp() { p.top = max(0, min(p.top, len(p.lines)-max(1, p.rows))) }

// next goes to the next line that holds what is looked for, from the beginning
// again behind the last one.
func (p *Pager) next(from int) {
	want := strings.ToLower(string(p.find.text))
	if want == "" {
		return
	}
	for i := range p.lines {
		at := (from + i) % len(p.lines)
		if strings.Contains(strings.ToLower(p.lines[at]), want) {
			p.top = at
			break
		}
	}
	p.clamp()
}

// Paste goes into the search.
func (p *Pager) Paste(text string) {
	if p.typed {
		p.find.insert(text)
	}
}

// View is a page.
func (p *Pager) View(width, height int) ([]string, *Cursor) {
	if width != p.width {
		p.wrap(width)
	}
	p.rows = max(1, height-2)
	p.clamp()
	lines := []string{p.theme.Paint(theme.Strong, p.fit(clean(p.title), width))}
	end := min(len(p.lines), p.top+p.rows)
	for i := p.top; i < end; i++ {
		lines = append(lines, p.theme.Paint(p.roles[i], p.lines[i]))
	}
	if p.typed {
		text, x := p.find.view(max(1, width-1))
		return append(lines, p.theme.Paint(theme.Accent, "/")+text), &Cursor{X: x + 1, Y: len(lines)}
	}
	hint := fmt.Sprintf("%d-%d of %d, up/down, space, / searches, q leaves", p.top+1, end, len(p.lines))
	return append(lines, p.theme.Paint(theme.Dim, p.fit(hint, width))), nil
}

func (p *Pager) wrap(width int) {
	p.width, p.lines, p.roles = width, nil, nil
	for _, line := range p.text {
		role := theme.Text
		if p.diff {
			role = theme.OfDiff(line)
		}
		for _, part := range strings.Split(ansi.Hardwrap(line, max(1, width), true), "\n") {
			p.lines, p.roles = append(p.lines, part), append(p.roles, role)
		}
	}
}
