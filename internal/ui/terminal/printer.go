package terminal

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// printer hands finished lines to the terminal's scrollback. Commands of Bubble
// Tea run side by side, so only one is under way at a time: lines keep their
// order.
type printer struct {
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

// draws notes a view.
func (p *printer) draws(rows int, now time.Time) {
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
func (p *printer) room(rows int, now time.Time) int {
	tallest := 0
	for i, f := range p.drawn {
		if i == len(p.drawn)-1 || now.Sub(p.drawn[i+1].at) <= lag {
			tallest = max(tallest, f.rows)
		}
	}
	return max(1, rows-tallest)
}

// add takes a line. One that is wider than the screen to a terminal that knows
// no joined characters, such as some emoji, is broken: a line that the terminal
// broke itself would shift everything drawn below it.
func (p *printer) add(line string, width int) {
	if ansi.StringWidthWc(line) > width {
		p.lines = append(p.lines, strings.Split(ansi.HardwrapWc(line, width, true), "\n")...)
		return
	}
	p.lines = append(p.lines, line)
}

// next prints at most so many lines.
func (p *printer) next(rows int) tea.Cmd {
	if p.busy || len(p.lines) == 0 {
		return nil
	}
	n := min(rows, len(p.lines))
	batch := p.lines[:n]
	if p.lines = p.lines[n:]; len(p.lines) == 0 {
		p.lines = nil
	}
	p.busy = true
	text := strings.Join(batch, "\n")
	if text == "" {
		text = " " // an empty line of its own would not be printed
	}
	return tea.Sequence(tea.Println(text), func() tea.Msg { return printedMsg{} })
}
