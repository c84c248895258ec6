// Package scrollback hands finished lines to the terminal's own memory, above
// what is drawn anew.
package scrollback

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// Printer hands finished lines to the terminal's scrollback. Commands of Bubble
// Tea run side by side, so only one is under way at a time: lines keep their
// order.
type Printer struct {
	lines []string
	busy  bool
	drawn []frame
}

// frame is how many rows a view had.
type frame struct {
	at   time.Time
	rows int
}

// lag is how long a view may take to reach the screen.
const lag = 100 * time.Millisecond

// Draws notes that a view has so many rows.
func (p *Printer) Draws(rows int, now time.Time) {
	if n := len(p.drawn); n > 0 && p.drawn[n-1].rows == rows {
		return
	}
	for len(p.drawn) > 1 && now.Sub(p.drawn[1].at) > lag {
		p.drawn = p.drawn[1:]
	}
	p.drawn = append(p.drawn, frame{now, rows})
}

// room is how many lines may be printed at once above a view on a screen of so
// many rows: more would push the view off the screen, and empty lines into the
// terminal's memory.
func (p *Printer) room(rows int, now time.Time) int {
	tallest := 0
	for i, f := range p.drawn {
		if i == len(p.drawn)-1 || now.Sub(p.drawn[i+1].at) <= lag {
			tallest = max(tallest, f.rows)
		}
	}
	return max(1, rows-tallest)
}

// Add takes a line. One that is wider than the screen to a terminal that knows
// no joined characters, such as some emoji, is broken: a line that the terminal
// broke itself would shift everything drawn below it.
func (p *Printer) Add(line string, width int) {
	if ansi.StringWidthWc(line) > width {
		p.lines = append(p.lines, strings.Split(ansi.HardwrapWc(line, width, true), "\n")...)
		return
	}
	p.lines = append(p.lines, line)
}

// Printed says that what Next has printed stands above.
func (p *Printer) Printed() { p.busy = false }

// Next prints as many lines as fit on a screen of so many rows; then comes the
// message done. It is nil while lines are under way and when there are none.
func (p *Printer) Next(rows int, now time.Time, done tea.Msg) tea.Cmd {
	if p.busy || len(p.lines) == 0 {
		return nil
	}
	n := min(p.room(rows, now), len(p.lines))
	batch := p.lines[:n]
	if p.lines = p.lines[n:]; len(p.lines) == 0 {
		p.lines = nil
	}
	p.busy = true
	text := strings.Join(batch, "\n")
	if text == "" {
		text = " " // an empty line of its own would not be printed
	}
	return tea.Sequence(tea.Println(text), func() tea.Msg { return done })
}
