// Package chart draws curves of numbers with characters: in braille dots, eight
// to a column, or in ASCII. It knows neither what the numbers mean nor where
// they are from; names of curves are foreign text and cleaned.
package chart

import (
	"math"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Series is one curve.
type Series struct {
	Name string
	// X and Y are as long as each other; without X the values are counted from
	// 0. What is no number, or as large as 1e300, is a gap, marked beneath it.
	X, Y []float64
}

// Part is what is painted: a series by its index, or one of those below.
type Part int

// The parts that are no series.
const (
	Axis Part = -1 - iota
	Gap
)

// Options say how a chart is drawn.
type Options struct {
	// Width and Height are those of the whole chart, legend and axes included.
	// It has exactly this height, and no line is wider. What there is no room
	// for is left out: first the x axis, then the legend.
	Width, Height int
	// XLabel says what x counts: step, epoch.
	XLabel string
	// Unit is that of y.
	Unit Unit
	// Log draws y on a logarithmic scale, where what is not above 0 is a gap.
	Log bool
	// ASCII draws with characters up to 0x7e.
	ASCII bool
	// Paint colours a piece of the chart; nil leaves it.
	Paint func(Part, string) string
}

// Below this height there is no x axis, and below that no legend.
const (
	axisHeight   = 6
	legendHeight = 3
)

// Draw returns the lines of a chart; none without width or height.
func Draw(series []Series, o Options) []string {
	if o.Width < 1 || o.Height < 1 {
		return nil
	}
	if o.Paint == nil {
		o.Paint = func(_ Part, s string) string { return s }
	}
	d := &drawing{Options: o, points: points(series, o.Log)}
	var lines []string
	rows := o.Height
	if o.Height >= axisHeight {
		rows -= 2
	}
	if o.Height >= legendHeight {
		lines = d.legend(series, max(1, rows/3))
		rows -= len(lines)
	}
	lines = append(lines, d.plot(rows)...)
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return lines
}

// drawing is a chart that is being drawn.
type drawing struct {
	Options
	points [][]point
	x, y   scale
}

// point is a value to draw; a gap if it cannot be.
type point struct {
	x, y float64
	gap  bool
}

// points returns what is to be drawn of each series.
func points(series []Series, log bool) [][]point {
	all := make([][]point, len(series))
	for i, s := range series {
		for n, y := range s.Y {
			x := float64(n)
			if len(s.X) > 0 {
				if n >= len(s.X) {
					break
				}
				x = s.X[n]
			}
			if drawable(x) {
				all[i] = append(all[i], point{x, y, !drawable(y) || log && y <= 0})
			}
		}
	}
	return all
}

// drawable reports whether v is a number whose distance from another is one.
func drawable(v float64) bool { return math.Abs(v) < 1e300 }

// plot draws the curves and their axes.
func (d *drawing) plot(rows int) []string {
	x, y := newBounds(), newBounds()
	for _, points := range d.points {
		for _, p := range points {
			x.add(p.x)
			if !p.gap {
				y.add(p.y)
			}
		}
	}
	d.y = newScale(y, d.Log)
	gutter, labels := 0, map[int]string{}
	if !y.empty() {
		labels = d.yLabels(rows)
	}
	for _, l := range labels {
		gutter = max(gutter, ansi.StringWidth(l)+2) // a blank and the axis
	}
	if gutter > d.Width/2 {
		gutter = 0
	}
	columns := d.Width - gutter
	d.x = scale{bounds: x.filled()}
	c := d.curves(columns, rows)
	var lines []string
	for row := range rows {
		line := d.text(c, row)
		if y.empty() && row == rows/2 {
			line = ansi.Truncate("no data", columns, "")
		}
		if gutter > 0 {
			label := labels[row]
			line = d.Paint(Axis, strings.Repeat(" ", gutter-2-ansi.StringWidth(label))+label+" "+d.axisSign(row, labels)) + line
		}
		lines = append(lines, line)
	}
	if d.Height >= axisHeight {
		lines = append(lines, d.xAxis(gutter, columns)...)
	}
	return lines
}

// signs are the characters of axes, in Unicode and ASCII: a plain and a marked
// piece of the y axis, the corner, a plain and a marked piece of the x axis.
var signs = [2][5]string{{"│", "┤", "└", "─", "┴"}, {"|", "+", "+", "-", "+"}}

func (d *drawing) sign(i int) string {
	if d.ASCII {
		return signs[1][i]
	}
	return signs[0][i]
}

func (d *drawing) axisSign(row int, labels map[int]string) string {
	if labels[row] != "" {
		return d.sign(1)
	}
	return d.sign(0)
}

// yLabels returns the numbers beside the rows.
func (d *drawing) yLabels(rows int) map[int]string {
	labels := map[int]string{}
	ticks, step := d.y.ticks(max(2, (rows+1)/3))
	for _, v := range ticks {
		row := rows - 1 - int(math.Round(d.y.at(v)*float64(rows-1)))
		if row >= 0 && row < rows && labels[row] == "" {
			labels[row] = number(v, step, d.Unit)
		}
	}
	return labels
}

// xAxis returns the axis and the numbers beneath it.
func (d *drawing) xAxis(gutter, columns int) []string {
	marked := map[int]bool{}
	numbers := []byte(strings.Repeat(" ", d.Width))
	label := ansi.Truncate(clean(d.XLabel), columns/2, "")
	room := d.Width - ansi.StringWidth(label) // what the numbers have
	free := 0                                 // the first column that has none
	ticks, step := d.x.ticks(max(2, columns/12))
	for _, v := range ticks {
		column := int(math.Round(d.x.at(v) * float64(columns-1)))
		text := number(v, step, Number)
		at := max(gutter+column-len(text)/2, 0)
		if at = min(at, room-1-len(text)); at < free {
			continue
		}
		marked[column] = true
		copy(numbers[at:], text)
		free = at + len(text) + 1
	}
	var axis strings.Builder
	if gutter > 0 {
		axis.WriteString(strings.Repeat(" ", gutter-1) + d.sign(2))
	}
	for column := range columns {
		if marked[column] {
			axis.WriteString(d.sign(4))
		} else {
			axis.WriteString(d.sign(3))
		}
	}
	return []string{d.Paint(Axis, axis.String()), d.Paint(Axis, string(numbers[:room])+label)}
}
