package chart

import (
	"math"
	"strings"
)

// canvas is a field of cells with dots: two by four in braille, one in ASCII.
type canvas struct {
	columns, rows int
	across, down  int
	// dots are the bits of braille; owner is the first series with a dot in the
	// cell, counted from 1.
	dots  []uint8
	owner []int
	// gaps are the columns beneath which something could not be drawn.
	gaps []bool
}

// braille are the bits of the dots in a cell, by column and row.
var braille = [2][4]uint8{{0x01, 0x02, 0x04, 0x40}, {0x08, 0x10, 0x20, 0x80}}

// marks stand for the series in ASCII, over and over.
const marks = "*+o#@%"

// visible reports whether a series shows in a column of dots: the first is a
// solid line, the others are dashed each in its way, so that they differ
// without colours.
func visible(series, x int) bool {
	switch series % 4 {
	case 1:
		return x%4 < 2
	case 2:
		return x%2 == 0
	case 3:
		return x%6 < 4
	}
	return true
}

// curves draws all series.
func (d *drawing) curves(columns, rows int) *canvas {
	c := &canvas{
		columns: columns, rows: rows, across: 2, down: 4,
		dots: make([]uint8, columns*rows), owner: make([]int, columns*rows), gaps: make([]bool, columns),
	}
	if d.ASCII {
		c.across, c.down = 1, 1
	}
	for i, points := range d.points {
		joined := false
		lastX, lastY := 0, 0
		for _, p := range points {
			x := int(math.Round(d.x.at(p.x) * float64(columns*c.across-1)))
			if p.gap {
				c.gaps[x/c.across] = true
				joined = false
				continue
			}
			y := int(math.Round((1 - d.y.at(p.y)) * float64(rows*c.down-1)))
			if !joined {
				lastX, lastY = x, y
				c.dot(i, x, y, true)
			}
			c.line(i, lastX, lastY, x, y)
			lastX, lastY, joined = x, y, true
		}
	}
	return c
}

// line draws a line of dots, but for its start, which is there.
func (c *canvas) line(series, x0, y0, x1, y1 int) {
	steps := max(abs(x1-x0), abs(y1-y0))
	for i := 1; i <= steps; i++ {
		c.dot(series, x0+divide((x1-x0)*i, steps), y0+divide((y1-y0)*i, steps), false)
	}
}

// dot sets a dot; the first of a curve is shown whatever the dashes say.
func (c *canvas) dot(series, x, y int, always bool) {
	if !always && c.across > 1 && !visible(series, x) {
		return
	}
	cell := y/c.down*c.columns + x/c.across
	if c.across > 1 {
		c.dots[cell] |= braille[x%2][y%4]
	}
	if c.owner[cell] == 0 || series+1 < c.owner[cell] {
		c.owner[cell] = series + 1
	}
}

func abs(n int) int { return max(n, -n) }

// divide rounds to the nearest.
func divide(a, b int) int {
	if a < 0 {
		return -((-a + b/2) / b)
	}
	return (a + b/2) / b
}

// text returns a row of the canvas, painted.
func (d *drawing) text(c *canvas, row int) string {
	var b, run strings.Builder
	part, blank := Axis, true
	flush := func() {
		if run.Len() > 0 && !blank {
			b.WriteString(d.Paint(part, run.String()))
		} else {
			b.WriteString(run.String())
		}
		run.Reset()
	}
	for column := range c.columns {
		cell := row*c.columns + column
		sign, p, empty := " ", part, true
		switch {
		case row == c.rows-1 && c.gaps[column]:
			sign, p, empty = "×", Gap, false
			if d.ASCII {
				sign = "x"
			}
		case c.owner[cell] > 0:
			p, empty = Part(c.owner[cell]-1), false
			sign = string(rune(0x2800) + rune(c.dots[cell]))
			if d.ASCII {
				sign = string(marks[int(p)%len(marks)])
			}
		}
		if empty != blank || p != part {
			flush()
			part, blank = p, empty
		}
		run.WriteString(sign)
	}
	flush()
	return b.String()
}
