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
	head, foot := p.head(it), p.answers(it)
	room := unbounded
	if height > 0 {
		room = height - len(head) - len(foot)
	}
	note := p.note()
	if most := max(1, room-leastBody); len(note) > most {
		note = append(note[:most-1], "  "+p.theme.Paint(theme.Warning, p.theme.Glyph(theme.Ellipsis)))
	}
	foot = append(foot, note...)
	if room -= len(note); room < 1 { // too low a screen: the answers count most
		return last(append(head, foot...), height)
	}
	return append(append(head, p.middle(s, room)...), foot...)
}

const (
	unbounded = 1 << 30
	// leastBody is how many lines of a script are shown at least, where there
	// is room for them.
	leastBody = 4
	// leastFacts is how many lines of facts are shown before those.
	leastFacts = 4
)

func last(lines []string, n int) []string { return lines[max(0, len(lines)-n):] }

// middle draws alerts, facts and longer texts. Where there is not room for all,
// alerts count most; what is left out is counted.
func (p *page) middle(s *sheet.Sheet, room int) []string {
	alerts, facts, total := p.alerts(s), p.facts(s), 0
	for _, b := range s.Bodies {
		total += 1 + len(b.Lines)
	}
	forAlerts := min(len(alerts), max(1, room-2))
	forFacts := min(len(facts), room-forAlerts, max(leastFacts, room-forAlerts-min(total, leastBody)))
	forBodies := room - forAlerts - forFacts
	var bodies []string
	hidden := total
	if forBodies > 0 {
		if bodies, hidden = p.bodies(s, total, forBodies); hidden > 0 {
			bodies, hidden = append(bodies, p.more(hidden)), 0
		}
	}
	facts, hidden = p.cut(facts, forFacts, hidden)
	alerts, _ = p.cut(alerts, forAlerts, hidden)
	return append(append(alerts, facts...), bodies...)
}

// cut keeps as many lines as there is room for and says how many are missing, its
// own and the hidden ones behind it. Without room it only adds to those.
func (p *page) cut(lines []string, room, hidden int) ([]string, int) {
	switch {
	case len(lines) <= room && hidden == 0:
		return lines, 0
	case room == 0:
		return nil, hidden + len(lines)
	}
	kept := min(len(lines), room-1)
	return append(lines[:kept:kept], p.more(len(lines)-kept+hidden)), 0
}

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

func (p *page) more(n int) string {
	text := fmt.Sprintf("%s %s more (v shows all)", p.theme.Glyph(theme.Ellipsis), amount.Count(n, "line"))
	text = strings.Replace(text, "lines more", "more lines", 1)
	text = strings.Replace(text, "line more", "more line", 1)
	return "  " + p.theme.Paint(theme.Dim, ansi.Truncate(text, p.width-2, ""))
}

// bodies draws the longer texts one below the other. Where they do not fit into
// room, a line is left free, and hidden says how many of their total lines are not
// there in full.
func (p *page) bodies(s *sheet.Sheet, total, room int) (out []string, hidden int) {
	whole := 0     // source lines that are there in full
	var ends []int // where each of them ends in out
	for _, b := range s.Bodies {
		out = append(out, p.wrapped(b.Title, "  ", "    ", theme.Dim)...)
		ends = append(ends, len(out))
		for i, line := range b.Lines {
			if len(out) > room || b.Most > 0 && i >= b.Most {
				break
			}
			out = append(out, p.bodyLine(b, line)...)
			ends = append(ends, len(out))
		}
		if len(out) > room {
			break
		}
	}
	if len(ends) == total && len(out) <= room {
		return out, 0
	}
	out = out[:min(len(out), room-1)]
	for whole < len(ends) && ends[whole] <= len(out) {
		whole++
	}
	return out, total - whole
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
	var lines []string
	for _, line := range append(out, line) {
		lines = append(lines, p.wrapped(line, "  ", "  ", theme.Accent)...)
	}
	return lines
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
		mark := "! "
		if a.Role == theme.Success {
			mark = ""
		}
		b.WriteString(mark + a.Text + "\n")
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
