// Package show lays out runs for a screen: a table of them, their curves, and
// what was noticed, in the room there is. It asks nobody and keeps nothing.
package show

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/app/runs"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/lab/curve"
	"github.com/ml-intern/ml-intern/internal/lab/curve/sample"
	"github.com/ml-intern/ml-intern/internal/ui/chart"
)

// Options say how much room there is.
type Options struct {
	// Width and Height are those of the screen; a height of 0 has no limit.
	Width, Height int
	// ASCII uses no character above 0x7e.
	ASCII bool
	Now   time.Time
	// Paint colours a piece of a chart; nil leaves it.
	Paint func(chart.Part, string) string
}

const (
	minWidth = 20
	// shownFindings are the newest ones of a run.
	shownFindings = 5
	// chartMin is the least height of a chart, below which a curve is a line of
	// the text; chartMain and chartMore are those of the losses and of the rest.
	chartMin, chartMain, chartMore = 6, 12, 8
	// columnWidth is what a chart beside another needs.
	columnWidth = 56
	// numbersWidth is the least room for the newest numbers of a run.
	numbersWidth = 16
	// shownSeries bounds the curves of one chart.
	shownSeries = 4
	gap         = 2 // blanks between columns
)

// Lines are the table of all runs, what was noticed in each, and its curves. No
// line is wider than the screen.
func Lines(all []runs.Snapshot, o Options) []string {
	o.Width = max(o.Width, minWidth)
	lines := Table(all, o)
	for _, s := range all {
		name := ""
		if len(all) > 1 {
			name = s.Row.ID + ": "
		}
		lines = append(lines, findings(s.Findings, name, o)...)
	}
	left := 1 << 20
	if o.Height > 0 {
		left = max(0, o.Height-len(lines))
	}
	var with []runs.Snapshot
	for _, s := range all {
		if len(groups(s.Series)) > 0 {
			with = append(with, s)
		}
	}
	for i, s := range with {
		budget := left / (len(with) - i)
		part := curves(s, len(all) > 1, budget, o)
		lines, left = append(lines, part...), left-len(part)
	}
	return lines
}

// findings are lines about what was noticed in a run, the newest ones.
func findings(found []event.Finding, name string, o Options) []string {
	var lines []string
	for _, f := range found[max(0, len(found)-shownFindings):] {
		text := f.Severity + ": " + name + f.Text
		lines = append(lines, strings.Split(ansi.Wrap(o.ascii(text), o.Width, ""), "\n")...)
	}
	return lines
}

// Table has a line about each run: what it is, where it runs, how it is, since
// when, and its cost so far.
func Table(all []runs.Snapshot, o Options) []string {
	o.Width = max(o.Width, minWidth)
	rows := make([][]string, 0, len(all))
	var total int64
	unknown, paid := 0, 0
	for _, s := range all {
		cost, costs := s.Row.Costs()
		text := ""
		if costs {
			paid++
			text = Dollars(cost)
			if cost == nil {
				unknown++
			} else {
				total += *cost
			}
		}
		rows = append(rows, []string{s.Row.ID, where(s.Row), state(s), Age(s.Row.Began, o.Now), text, cmp.Or(s.Newest, s.Row.Name)})
	}
	lines := aligned(rows, o)
	if paid > 1 {
		text := "together " + Dollars(&total)
		if unknown > 0 {
			text += fmt.Sprintf(" and %d of unknown cost", unknown)
		}
		lines = append(lines, text)
	}
	return lines
}

// where is where a run is: the flavor of its machine, or here.
func where(r runs.Row) string {
	switch {
	case r.Flavor != "":
		return r.Flavor
	case strings.HasPrefix(r.Source, "file:"):
		return "file"
	}
	return "here"
}

func state(s runs.Snapshot) string {
	if s.Err != nil {
		return "lost"
	}
	return s.Row.State
}

// Age is how long ago a time was, in its largest units; empty where nobody
// knows.
func Age(since, now time.Time) string {
	if since.IsZero() {
		return ""
	}
	switch d := max(0, now.Sub(since)); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
	}
}

// Dollars is an amount of millionths of a dollar; nil is unknown.
func Dollars(micro *int64) string {
	if micro == nil {
		return "unknown"
	}
	return amount.Dollars(*micro)
}

// aligned writes cells beneath each other. What is too wide loses its last
// cells, then the end of its first.
func aligned(rows [][]string, o Options) []string {
	widths := make([]int, 6)
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], ansi.StringWidth(cell))
		}
	}
	// Columns are given up in this order until the others fit; the numbers have
	// what is left.
	needs := func() int {
		sum := 0
		for _, w := range widths[:5] {
			if w > 0 {
				sum += w + gap
			}
		}
		return max(0, sum-gap)
	}
	for _, i := range []int{1, 3} {
		if needs() > o.Width {
			widths[i] = 0
		}
	}
	if over := needs() - o.Width; over > 0 {
		widths[0] = max(8, widths[0]-over)
	}
	lines := make([]string, 0, len(rows))
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			if i < 5 && widths[i] == 0 || i == 5 && (cell == "" || o.Width-needs() < numbersWidth) {
				continue
			}
			if i < 5 {
				cell = ansi.Truncate(cell, widths[i], o.dots())
				cell += strings.Repeat(" ", widths[i]-ansi.StringWidth(cell)+gap)
			}
			b.WriteString(cell)
		}
		lines = append(lines, strings.TrimRight(ansi.Truncate(o.ascii(strings.TrimRight(b.String(), " ")), o.Width, o.dots()), " "))
	}
	return lines
}

func (o Options) dots() string {
	if o.ASCII {
		return "..."
	}
	return "…"
}

// ascii replaces what others have written in characters that the screen does not
// have.
func (o Options) ascii(text string) string {
	if !o.ASCII {
		return text
	}
	return strings.Map(func(r rune) rune {
		if r > 0x7e {
			return '?'
		}
		return r
	}, text)
}

// group are curves of one chart.
type group struct {
	series []chart.Series
	axis   string
	unit   chart.Unit
}

// groups are the charts of a run: its losses, then one for every other kind.
func groups(all []curve.Series) []group {
	var out []group
	at := map[sample.Kind]int{}
	for _, s := range all {
		kind := s.Kind
		switch kind {
		case sample.EvalLoss:
			kind = sample.Loss
		case sample.Other:
			continue
		}
		i, ok := at[kind]
		if !ok {
			i = len(out)
			at[kind] = i
			out = append(out, group{axis: s.Axis})
		}
		g := &out[i]
		if s.Axis != g.axis || len(g.series) == shownSeries {
			continue
		}
		c := chart.Series{Name: s.Name}
		if s.Unit == "%" {
			g.unit = chart.Percent
		} else if s.Unit != "" && !strings.Contains(s.Name, "/s") {
			c.Name += " " + s.Unit
		}
		for _, p := range s.Points {
			c.X, c.Y = append(c.X, p.X), append(c.Y, p.Y)
		}
		g.series = append(g.series, c)
	}
	return out
}

// curves are the charts of a run in at most so many lines. A curve that has no
// room for a chart is a line.
func curves(s runs.Snapshot, title bool, budget int, o Options) []string {
	all := groups(s.Series)
	var lines []string
	if title {
		lines = append(lines, "", ansi.Truncate(o.ascii(s.Row.ID), o.Width, o.dots()))
		budget -= 2
	}
	columns := max(1, min(len(all)-1, o.Width/columnWidth))
	rest := (len(all) - 1 + columns - 1) / columns // rows of the other charts
	more := chartMore
	if rest > 0 {
		more = min(chartMore, max(chartMin, (budget-chartMain)/rest))
	}
	height := min(chartMain, budget-rest*more)
	if height < chartMin {
		columns, height = 1, min(chartMain, budget-(len(all)-1))
	}
	if budget < 1 {
		return nil
	}
	first := block(all[0], o.Width, height, o)
	lines, budget = append(lines, first...), budget-len(first)
	for i := 1; i < len(all) && budget > 0; i += columns {
		row := all[i:min(i+columns, len(all))]
		waiting := len(all) - i - len(row) // at least a line for each of them
		width := (o.Width - gap*(len(row)-1)) / len(row)
		var blocks [][]string
		for _, g := range row {
			blocks = append(blocks, block(g, width, min(more, budget-waiting), o))
		}
		joined := beside(blocks, width)
		lines, budget = append(lines, joined...), budget-len(joined)
	}
	return lines
}

// block draws a group as a chart, or as lines where there is less room.
func block(g group, width, height int, o Options) []string {
	if height >= chartMin {
		return chart.Draw(g.series, chart.Options{Width: width, Height: height, XLabel: g.axis, Unit: g.unit, ASCII: o.ASCII, Paint: o.Paint})
	}
	var lines []string
	for _, s := range g.series[:min(max(height, 0), len(g.series))] {
		name := ansi.Truncate(o.ascii(s.Name), width/3, o.dots())
		last := chart.Short(s.Y[len(s.Y)-1], g.unit)
		spark := chart.Sparkline(s.Y, max(0, width-ansi.StringWidth(name)-len(last)-2), o.ASCII)
		lines = append(lines, ansi.Truncate(name+" "+spark+" "+last, width, ""))
	}
	return lines
}

// beside puts blocks of one width side by side.
func beside(blocks [][]string, width int) []string {
	var lines []string
	height := 0
	for _, block := range blocks {
		height = max(height, len(block))
	}
	for i := range height {
		var b strings.Builder
		for j, block := range blocks {
			line := ""
			if i < len(block) {
				line = block[i]
			}
			b.WriteString(line)
			if j < len(blocks)-1 {
				b.WriteString(strings.Repeat(" ", max(0, width-ansi.StringWidth(line))+gap))
			}
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	return lines
}
