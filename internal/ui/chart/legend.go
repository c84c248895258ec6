package chart

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// apart is how far entries of the legend stand from each other.
const apart = 3

// legend returns at most so many lines that name the series, with their least
// and their last value.
func (d *drawing) legend(series []Series, limit int) []string {
	var lines []string
	line, width := "", 0
	for i, s := range series {
		sample := ansi.Truncate(d.sample(i), d.Width, "")
		text := d.entry(i, clean(s.Name), d.Width-ansi.StringWidth(sample))
		entry := ansi.StringWidth(sample + text)
		if width > 0 && width+apart+entry > d.Width {
			if len(lines)+1 == limit {
				rest := fmt.Sprintf(" +%d", len(series)-i)
				return append(lines, ansi.Truncate(ansi.Truncate(line, max(d.Width-len(rest), 0), "")+rest, d.Width, ""))
			}
			lines = append(lines, line)
			line, width = "", 0
		}
		if width > 0 {
			line += strings.Repeat(" ", apart)
			width += apart
		}
		line += d.Paint(Part(i), sample) + text
		width += entry
	}
	return append(lines, line)
}

// entry is what stands behind the sample of a series: its name and as much of
// what there is to tell as there is room for.
func (d *drawing) entry(series int, name string, room int) string {
	points := d.points[series]
	var facts []string
	if len(points) > 0 {
		last := "  last " + Short(points[len(points)-1].y, d.Unit)
		if i := least(points); i >= 0 {
			low := "  min " + Short(points[i].y, d.Unit)
			facts = append(facts, low+" at "+position(points[i].x)+last, low+last)
		}
		facts = append(facts, last)
	}
	for _, f := range facts {
		if text := " " + name + f; ansi.StringWidth(text) <= room {
			return text
		}
	}
	return ansi.Truncate(" "+name, max(room, 0), "")
}

// least returns the index of the least value; negative if there is none.
func least(points []point) int {
	at := -1
	for i, p := range points {
		if !p.gap && (at < 0 || p.y < points[at].y) {
			at = i
		}
	}
	return at
}

// sample is a piece of the line that a series is drawn with.
func (d *drawing) sample(series int) string {
	if d.ASCII {
		return strings.Repeat(marks[series%len(marks):series%len(marks)+1], 2)
	}
	var b strings.Builder
	for cell := range 3 {
		dots := uint8(0)
		for x := range 2 {
			if visible(series, 2*cell+x) {
				dots |= braille[x][2]
			}
		}
		b.WriteRune(0x2800 + rune(dots))
	}
	return b.String()
}

// clean returns a name as one line that does nothing to a terminal.
func clean(s string) string { return strings.Join(strings.Fields(plain.ForTerminal(s)), " ") }
