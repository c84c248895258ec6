package approve

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve/call"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve/sheet"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// narrowest is the fewest columns that are laid out for.
const narrowest = 20

// View draws the item at hand: painted lines, none wider than width and, with a
// height above 0, no more than that many. What does not fit says so.
func (r *Review) View(width, height int) []string {
	if r.Done() {
		return nil
	}
	p := &page{r: r, theme: r.o.Theme, width: max(width, narrowest)}
	it := r.items[r.at]
	s := r.describe(it)
	head := p.head(it)
	alerts, facts := p.alerts(s), p.facts(s)
	foot := append(p.answers(it), p.note()...)
	room := unbounded
	if height > 0 {
		room = height - len(head) - len(foot)
		if room < 1 { // too low a screen: the answers count most
			return last(append(head, foot...), height)
		}
	}
	alerts = p.cut(alerts, max(1, room-2))
	room -= len(alerts)
	need := min(p.bodyLines(s, leastBody), leastBody)
	facts = p.cut(facts, max(0, room-need))
	room -= len(facts)
	lines := append(append(head, alerts...), facts...)
	return append(append(lines, p.bodies(s, room)...), foot...)
}

const (
	unbounded = 1 << 30
	// leastBody is how many lines of a script are shown at least, where there
	// is room for them.
	leastBody = 4
)

func last(lines []string, n int) []string { return lines[max(0, len(lines)-n):] }

// page lays out one view.
type page struct {
	r     *Review
	theme *theme.Theme
	width int
}

// head names the request and the item.
func (p *page) head(it *item) []string {
	title := "Approval required " + p.dash() + " " + amount.Count(len(p.r.items), "item")
	if p.r.money != nil {
		title = p.r.money.title()
	}
	line := p.theme.PaintStyle(theme.In(theme.Strong, theme.Warning), ansi.Truncate(title, p.width, p.theme.Glyph(theme.Ellipsis)))
	if free := p.width - ansi.StringWidth(title) - 1; free > 0 && !p.r.o.Linear {
		line += " " + p.theme.Paint(theme.Border, strings.Repeat(p.theme.Glyph(theme.Horizontal), free))
	}
	if p.r.money != nil {
		return []string{line}
	}
	name := fmt.Sprintf("[%d/%d]  %s", p.r.at+1, len(p.r.items), call.Clean(it.call.Tool))
	if op := call.Clean(it.call.Operation()); op != "" {
		name += "  " + op
	}
	return append([]string{line}, p.wrapped(name, "", "       ", theme.Strong)...)
}

// dash is the one that upstream writes in the heading.
func (p *page) dash() string {
	if p.theme.ASCII() {
		return "-"
	}
	return "—"
}

// wrapped breaks a text into painted lines, with something in front of the first
// and of the others.
func (p *page) wrapped(text, first, rest string, role theme.Role) []string {
	var out []string
	front, free := first, p.width-max(ansi.StringWidth(first), ansi.StringWidth(rest))
	for line := range strings.SplitSeq(ansi.Wrap(text, free, ""), "\n") {
		out = append(out, front+p.theme.Paint(role, strings.TrimRight(line, " ")))
		front = rest
	}
	return out
}

func (p *page) alerts(s *sheet.Sheet) []string {
	var out []string
	for _, a := range s.Alerts {
		mark := p.theme.Glyph(theme.Failed)
		switch a.Role {
		case theme.Success:
			mark = p.theme.Glyph(theme.Done)
		case theme.Warning:
			mark = p.theme.Glyph(theme.Current)
		}
		out = append(out, p.wrapped(a.Text, "  "+p.theme.Paint(a.Role, mark)+" ", "    ", a.Role)...)
	}
	return out
}

// labelWidth is the column of the values of facts.
const labelWidth = 12

func (p *page) facts(s *sheet.Sheet) []string {
	var out []string
	for _, f := range s.Facts {
		free := labelWidth - ansi.StringWidth(f.Label)
		if free < 1 {
			out = append(out, p.wrapped(f.Label+": "+f.Value, "  ", "    ", theme.Text)...)
			continue
		}
		label := p.theme.Paint(theme.Dim, f.Label) + strings.Repeat(" ", free)
		out = append(out, p.wrapped(f.Value, "  "+label, strings.Repeat(" ", labelWidth+2), theme.Text)...)
	}
	return out
}

// cut keeps as many lines as there is room for; the last one then says what is
// missing.
func (p *page) cut(lines []string, room int) []string {
	if len(lines) <= room {
		return lines
	}
	if room == 0 {
		return nil
	}
	return append(lines[:room-1:room-1], p.more(len(lines)-room+1))
}

func (p *page) more(n int) string {
	text := fmt.Sprintf("%s %s more (v shows all)", p.theme.Glyph(theme.Ellipsis), amount.Count(n, "line"))
	text = strings.Replace(text, "lines more", "more lines", 1)
	text = strings.Replace(text, "line more", "more line", 1)
	return "  " + p.theme.Paint(theme.Dim, ansi.Truncate(text, p.width-2, ""))
}

// bodyLines counts the lines of all longer texts, up to a bound.
func (p *page) bodyLines(s *sheet.Sheet, bound int) int {
	n := 0
	for _, b := range s.Bodies {
		if n += 1 + len(b.Lines); n >= bound {
			return bound
		}
	}
	return n
}

// bodies draws the longer texts one below the other, as far as there is room.
func (p *page) bodies(s *sheet.Sheet, room int) []string {
	var out []string
	hidden := 0
	for _, b := range s.Bodies {
		if hidden > 0 || len(out)+1 >= room && room < unbounded {
			hidden += 1 + len(b.Lines)
			continue
		}
		out = append(out, p.wrapped(b.Title, "  ", "    ", theme.Dim)...)
		for i, line := range b.Lines {
			drawn := p.bodyLine(b, line)
			full := len(out)+len(drawn) > room
			if full || b.Most > 0 && i >= b.Most {
				hidden += len(b.Lines) - i
				break
			}
			out = append(out, drawn...)
		}
	}
	if hidden == 0 {
		return out
	}
	for len(out) >= max(1, room) {
		out = out[:len(out)-1]
		hidden++
	}
	return append(out, p.more(hidden))
}

// bodyLine breaks one line where the screen ends: nothing is cut off at the side,
// and a bar keeps it from looking like one of ours.
func (p *page) bodyLine(b sheet.Body, line string) []string {
	role := theme.Text
	if b.Diff && line != "" {
		switch line[0] {
		case '+':
			role = theme.Added
		case '-':
			role = theme.Removed
		case '@':
			role = theme.Dim
		}
	}
	bar := "  " + p.theme.Paint(theme.Border, p.theme.Glyph(theme.Bar)) + " "
	if p.r.o.Linear {
		bar = "  | "
	}
	var out []string
	for part := range strings.SplitSeq(ansi.Hardwrap(line, p.width-4, true), "\n") {
		out = append(out, bar+p.theme.Paint(role, part))
	}
	return out
}

// answers says what can be answered, in short.
func (p *page) answers(it *item) []string {
	if p.r.money != nil {
		return p.wrapped(p.r.money.answers(), "  ", "  ", theme.Accent)
	}
	parts := []string{"y run it", "n do not", "e edit", "v view all"}
	if p.r.noRule(it, false) == "" {
		if parts = append(parts, "a always"); p.r.o.NoProject == "" {
			parts = append(parts, "A in this project")
		}
	}
	if it.call.SubmitsJob() {
		parts = append(parts, "y @org who pays")
	}
	return p.packed(append(parts, "yolo", "? help", "or say what to do instead"))
}

// packed puts as many parts on a line as fit.
func (p *page) packed(parts []string) []string {
	between := " " + p.theme.Glyph(theme.Separator) + " "
	var out []string
	line := parts[0]
	for _, part := range parts[1:] {
		if ansi.StringWidth(line)+ansi.StringWidth(between)+ansi.StringWidth(part) > p.width-2 {
			out, line = append(out, line), part
		} else {
			line += between + part
		}
	}
	out = append(out, line)
	for i := range out {
		out[i] = "  " + p.theme.Paint(theme.Accent, out[i])
	}
	return out
}

// note is why the item is asked about again.
func (p *page) note() []string {
	if p.r.note == "" {
		return nil
	}
	hang := "  "
	if strings.Contains(p.r.note, "\n") { // a table
		hang = strings.Repeat(" ", 2+keyWidth)
	}
	var out []string
	for line := range strings.SplitSeq(p.r.note, "\n") {
		out = append(out, p.wrapped(line, "  ", hang, theme.Warning)...)
	}
	return out
}

// page is everything about an item as plain text.
func (r *Review) page(it *item) string {
	s := r.describe(it)
	var b strings.Builder
	for _, a := range s.Alerts {
		b.WriteString("! " + a.Text + "\n")
	}
	for _, f := range s.Facts {
		b.WriteString(f.Label + ": " + f.Value + "\n")
	}
	for _, body := range s.Bodies {
		b.WriteString("\n" + body.Title + "\n")
		for _, line := range body.Lines {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}
