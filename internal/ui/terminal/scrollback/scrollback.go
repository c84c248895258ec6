// Package scrollback hands finished lines to the terminal's own memory, above
// what is drawn anew, and mends the screen when the terminal has broken lines of
// its own accord.
package scrollback

import (
	"io"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// Printer hands finished lines to the terminal's scrollback. Commands of Bubble
// Tea run side by side, so only one is under way at a time: lines keep their
// order.
type Printer struct {
	// Held keeps lines back: there is no view yet that they could stand above.
	Held bool

	lines []string
	busy  bool
	drawn []frame
	count int

	rows, columns int
	widest        int      // line of the last view, in columns
	last          []string // that were printed, at most so many as the screen has rows
	resizes       int
}

// frame is how many rows a view had.
type frame struct {
	at   time.Time
	rows int
}

const (
	// lag is how long a view may take to reach the screen.
	lag = 100 * time.Millisecond
	// rest is how long the size must not change before the screen is mended:
	// whoever pulls at a window changes it many times.
	rest = 80 * time.Millisecond
	// pause is how long what is written at once waits for the next picture, at
	// the most.
	pause = 25 * time.Millisecond
)

// Messages of a Printer, for its Update.
type (
	// printedMsg says that lines stand above.
	printedMsg struct{}
	// mendMsg says that the size has not changed since.
	mendMsg struct{ resizes int }
	// clearMsg says that the screen is empty.
	clearMsg struct{}
)

// Count is how often lines have been printed. Bubble Tea then leaves the cursor
// where they ended until the view changes.
func (p *Printer) Count() int { return p.count }

// Idle reports whether all lines that were added are printed.
func (p *Printer) Idle() bool { return !p.Held && !p.busy && len(p.lines) == 0 }

// Draws notes what a view looks like.
func (p *Printer) Draws(view []string, now time.Time) {
	p.widest = 0
	for _, line := range view {
		p.widest = max(p.widest, ansi.StringWidth(line))
	}
	if n := len(p.drawn); n > 0 && p.drawn[n-1].rows == len(view) {
		return
	}
	for len(p.drawn) > 1 && now.Sub(p.drawn[1].at) > lag {
		p.drawn = p.drawn[1:]
	}
	p.drawn = append(p.drawn, frame{now, len(view)})
}

// room is how many lines may be printed at once above a view: more would push
// the view off the screen, and empty lines into the terminal's memory.
func (p *Printer) room(now time.Time) int {
	tallest := 0
	for i, f := range p.drawn {
		if i == len(p.drawn)-1 || now.Sub(p.drawn[i+1].at) <= lag {
			tallest = max(tallest, f.rows)
		}
	}
	return max(1, p.rows-tallest)
}

// Add takes a line. One that is wider than the screen to a terminal that knows
// no joined characters, such as some emoji, is broken: a line that the terminal
// broke itself would shift everything drawn below it.
func (p *Printer) Add(line string) { p.lines = append(p.lines, p.broken(line)...) }

func (p *Printer) broken(line string) []string {
	// The last column stays free: where Bubble Tea clears what is behind a
	// printed line, many terminals take the last character of a full one.
	if width := p.columns - 1; width > 0 && ansi.StringWidthWc(line) > width {
		return strings.Split(ansi.HardwrapWc(line, width, true), "\n")
	}
	return []string{line}
}

// Next prints as many lines as fit on the screen. It is nil while lines are
// under way and when there are none.
func (p *Printer) Next(now time.Time) tea.Cmd {
	if p.Held || p.busy || len(p.lines) == 0 {
		return nil
	}
	n := min(p.room(now), len(p.lines))
	batch := p.lines[:n]
	if p.lines = p.lines[n:]; len(p.lines) == 0 {
		p.lines = nil
	}
	p.busy = true
	p.last = append(p.last, batch...)
	p.last = p.last[max(0, len(p.last)-p.rows):]
	text := strings.Join(batch, "\n")
	if text == "" {
		text = " " // an empty line of its own would not be printed
	}
	return tea.Sequence(tea.Println(text), func() tea.Msg { return printedMsg{} })
}

// Clear empties the whole screen, not only what is drawn anew.
func (p *Printer) Clear() tea.Cmd {
	p.last = nil
	return tea.Sequence(tea.Raw(ansi.EraseEntireScreen+ansi.CursorHomePosition), tea.ClearScreen)
}

// Resize says how large the screen is. Most terminals break lines that are wider
// than they have become: what is drawn anew then stands there twice, in pieces.
// A screen that the conversation fills is emptied and filled again.
func (p *Printer) Resize(columns, rows int) tea.Cmd {
	narrow := columns < p.columns && p.widest > columns
	p.columns, p.rows = columns, rows
	if !narrow && p.resizes == 0 {
		return nil
	}
	p.resizes++
	return p.wait()
}

func (p *Printer) wait() tea.Cmd {
	n := p.resizes
	return tea.Tick(rest, func(time.Time) tea.Msg { return mendMsg{n} })
}

// Update takes the messages that are the Printer's own.
func (p *Printer) Update(msg tea.Msg) (cmd tea.Cmd, own bool) {
	switch msg := msg.(type) {
	case printedMsg:
		p.busy = false
		p.count++
	case mendMsg:
		switch {
		case msg.resizes != p.resizes:
		case p.busy:
			return p.wait(), true
		default:
			return p.mend(), true
		}
	case clearMsg:
		p.Held = false
		p.lines = append(p.shown(), p.lines...)
		p.last = nil
	default:
		return nil, false
	}
	return nil, true
}

// mend empties the screen and prints again what stood on it, where it was full
// of what this Printer knows.
func (p *Printer) mend() tea.Cmd {
	p.resizes = 0
	if len(p.last) < p.rows {
		return nil
	}
	p.Held = true
	// Some terminals move into their memory what is cleared from the first cell
	// on.
	empty := ansi.CursorHomePosition + ansi.EraseLineRight + ansi.CursorPosition(1, 2) + ansi.EraseScreenBelow + ansi.CursorHomePosition
	return tea.Sequence(tea.Raw(empty), tea.ClearScreen, tea.Tick(pause, func(time.Time) tea.Msg { return clearMsg{} }))
}

// again breaks a line that was made for a wider screen, between its words and
// behind its margin.
func (p *Printer) again(line string) []string {
	width := p.columns - 1
	margin := len(line) - len(strings.TrimLeft(line, " "))
	if ansi.StringWidth(line) <= width || margin > width/2 {
		return p.broken(line)
	}
	var lines []string
	for part := range strings.SplitSeq(ansi.Wrap(line[margin:], width-margin, ""), "\n") {
		lines = append(lines, p.broken(line[:margin]+part)...)
	}
	return lines
}

// shown are the lines for which there is room above the view.
func (p *Printer) shown() []string {
	var lines []string
	for _, line := range p.last {
		lines = append(lines, p.again(line)...)
	}
	view := 0
	if n := len(p.drawn); n > 0 {
		view = p.drawn[n-1].rows
	}
	return lines[max(0, len(lines)-max(0, p.rows-view)):]
}

// Afresh takes the terminal anew, with its modes, and draws the view below
// everything that others have written meanwhile.
func (p *Printer) Afresh() tea.Cmd {
	rows := 0
	if n := len(p.drawn); n > 0 {
		rows = p.drawn[n-1].rows
	}
	return tea.Exec(&blank{rows: rows}, nil)
}

// blank makes room on the screen while it belongs to nobody.
type blank struct {
	rows int
	out  io.Writer
}

func (b *blank) Run() error {
	_, err := io.WriteString(b.out, "\r"+strings.Repeat("\n", b.rows))
	return err
}

func (b *blank) SetStdin(io.Reader)      {}
func (b *blank) SetStdout(out io.Writer) { b.out = out }
func (b *blank) SetStderr(io.Writer)     {}
