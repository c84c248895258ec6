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
	words bool // lines are broken between words

	width int   // the text was wrapped for
	lines []row // the text wrapped
	top   int
	rows  int
	find  field
	typed bool // the search is being typed
	found int  // the row of the last match, -1 for none
	lost  bool // nothing was found
}

// row is a part of a line that fits the width.
type row struct {
	text string
	role theme.Role
	line int // of the text
	at   int // where in it, in bytes
}

// NewPager shows a text, literally; a unified difference has its colours.
func NewPager(title, text string, th *theme.Theme) *Pager {
	return &Pager{title: title, text: literal(text), diff: theme.IsDiff(text), drawn: drawn{th}, find: newField("", false), found: -1}
}

// Words breaks lines between words: for a text that somebody reads, not one that
// a program does.
func (p *Pager) Words() *Pager {
	p.words = true
	return p
}

// Key scrolls, searches or leaves.
func (p *Pager) Key(k tea.KeyPressMsg) {
	s := k.Keystroke()
	if p.typed {
		p.searchKey(k)
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
		p.typed = true
		p.forget()
	case s == "n":
		p.next(p.found + 1)
	}
	p.clamp()
}

// searchKey is a key while the search is typed.
func (p *Pager) searchKey(k tea.KeyPressMsg) {
	switch {
	case leaves(k):
		p.typed = false
		p.forget()
	case k.Keystroke() == "enter":
		p.typed = false
		p.next(p.top)
	default:
		p.find.key(k)
	}
}

func (p *Pager) forget() { p.find, p.found, p.lost = newField("", false), -1, false }

func (p *Pager) clamp() { p.top = max(0, min(p.top, len(p.lines)-max(1, p.rows))) }

// next goes to the next row in which what is looked for begins, from the
// beginning again behind the last one.
func (p *Pager) next(from int) {
	want := strings.ToLower(string(p.find.text))
	if want == "" {
		return
	}
	for i := range p.lines {
		at := (from + i) % len(p.lines)
		r := p.lines[at]
		if begins := strings.Index(strings.ToLower(p.text[r.line][r.at:]), want); begins >= 0 && begins < len(r.text) {
			p.top, p.found, p.lost = at, at, false
			p.clamp()
			return
		}
	}
	p.lost = true
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
	lines := []string{p.head(p.title, width)}
	end := min(len(p.lines), p.top+p.rows)
	for _, r := range p.lines[p.top:end] {
		lines = append(lines, p.marked(r))
	}
	if p.typed {
		line, x := p.line(&p.find, "  / ", width)
		return append(lines, line), &Cursor{X: x, Y: len(lines)}
	}
	return append(lines, p.hint(width, p.keys(end)...)), nil
}

func (p *Pager) keys(end int) []string {
	keys := []string{"q leaves"}
	if len(p.lines) > p.rows {
		keys = []string{fmt.Sprintf("%d-%d of %d", p.top+1, end, len(p.lines)), "q leaves", "up/down and space move"}
	}
	switch {
	case p.lost:
		return append([]string{"not found: " + string(p.find.text)}, keys...)
	case p.found >= 0:
		return append(keys, "n finds the next")
	}
	return append(keys, "/ searches")
}

// marked is a row in which what was looked for stands out.
func (p *Pager) marked(r row) string {
	text := r.text
	want, folded := strings.ToLower(string(p.find.text)), strings.ToLower(text)
	if p.found < 0 || p.typed || want == "" || len(folded) != len(text) {
		return p.theme.Paint(r.role, text)
	}
	var b strings.Builder
	for at := strings.Index(folded, want); at >= 0; at = strings.Index(folded, want) {
		end := at + len(want)
		b.WriteString(p.theme.Paint(r.role, text[:at]) + p.theme.PaintStyle(theme.In(theme.Strong, theme.Accent), text[at:end]))
		text, folded = text[end:], folded[end:]
	}
	return b.String() + p.theme.Paint(r.role, text)
}

func (p *Pager) wrap(width int) {
	p.width, p.lines, p.found = width, nil, -1
	for i, line := range p.text {
		role := theme.Text
		if p.diff {
			role = theme.OfDiff(line)
		}
		broken, at := ansi.Hardwrap(line, max(1, width), true), 0
		if p.words {
			broken = ansi.Wrap(line, max(1, width), "")
		}
		for part := range strings.SplitSeq(broken, "\n") {
			if found := strings.Index(line[at:], part); found > 0 { // a blank went with the break
				at += found
			}
			p.lines = append(p.lines, row{part, role, i, at})
			at += len(part)
		}
	}
}
