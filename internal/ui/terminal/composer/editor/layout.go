package editor

import (
	"bytes"
	"slices"

	"github.com/charmbracelet/x/ansi"
)

// Piece is a part of a row that looks the same.
type Piece struct {
	Text string
	Fold bool // the label of a fold
}

// View is what is seen of a text through a window of rows.
type View struct {
	Rows [][]Piece
	// Starts says for each row whether a line of the text begins there.
	Starts []bool
	// X and Y are the cursor's cell. X may be one behind the widest row.
	X, Y int
	// Line is the number of the cursor's line, from 1; Lines is how many there
	// are.
	Line, Lines int
	// More says on which sides rows are left out.
	More struct{ Above, Below bool }
}

// layout remembers where the rows of lines begin until the text changes.
type layout struct {
	width  int
	method ansi.Method
	lines  map[int][]int // by the start of the line
}

func (l *layout) forget() { clear(l.lines) }

// SetWidth says how many cells a row has. The cursor, and a blank between
// words, may stand in one more.
func (e *Editor) SetWidth(width int) {
	if width = max(1, width); width != e.rows.width {
		e.rows.width = width
		e.rows.forget()
	}
}

// SetMethod says how the screen counts the cells of a character. The zero
// method adds up its code points, as terminals do that promise nothing else.
func (e *Editor) SetMethod(m ansi.Method) {
	if m != e.rows.method {
		e.rows.method = m
		e.rows.forget()
	}
}

// starts lists where the rows of the line at from begin, and where it ends.
// Rows break between words where they can.
func (e *Editor) starts(from int) (starts []int, end int) {
	end = e.lineEnd(from)
	if known, ok := e.rows.lines[from]; ok {
		return known, end
	}
	starts = []int{from}
	width := max(1, e.rows.width)
	// wordAt is where the last word of the row begins; before it, the row is
	// wordX wide.
	for i, x, wordAt, wordX := from, 0, from, 0; i < end; {
		to := e.next(i)
		w := e.width(i, to)
		gap := e.text[i] == ' ' || e.text[i] == '\t'
		row := starts[len(starts)-1]
		switch {
		case x+w <= width || i == row:
			x += w
		case e.text[i] == ' ' && w == 1 && x == width: // hangs over, and ends the row
			starts, x, wordAt, wordX = append(starts, to), 0, to, 0
			i = to
			continue
		case wordAt > row && !gap && x-wordX+w <= width:
			starts = append(starts, wordAt)
			x, wordX = x-wordX+w, 0
		default:
			starts = append(starts, i)
			x, wordAt, wordX = w, i, 0
		}
		if gap || w > 1 {
			wordAt, wordX = to, x
		}
		i = to
	}
	if e.rows.lines == nil {
		e.rows.lines = map[int][]int{}
	}
	e.rows.lines[from] = starts
	return starts, end
}

// row is the row that the place i stands in, and where it ends.
func (e *Editor) row(i int) (start, end int) {
	starts, end := e.starts(e.lineStart(i))
	n, found := slices.BinarySearch(starts, i)
	if !found {
		n--
	}
	if n+1 < len(starts) {
		end = starts[n+1]
	}
	return starts[n], end
}

// above is the start of the row before the one at start.
func (e *Editor) above(start int) (int, bool) {
	if start == 0 {
		return 0, false
	}
	if line := e.lineStart(start); line < start {
		above, _ := e.row(e.prev(start))
		return above, true
	}
	starts, _ := e.starts(e.lineStart(start - 1))
	return starts[len(starts)-1], true
}

// below is the start of the row behind the one at start.
func (e *Editor) below(start int) (int, bool) {
	_, end := e.row(start)
	if end < len(e.text) && e.text[end] == '\n' && !e.begins(end, start) {
		return end + 1, true
	}
	return end, e.begins(end, start)
}

// begins reports whether a row of the same line begins at i, behind the one at
// start.
func (e *Editor) begins(i, start int) bool {
	starts, _ := e.starts(e.lineStart(start))
	_, found := slices.BinarySearch(starts, i)
	return found && i > start
}

// column is how many cells stand in front of i in the row at start.
func (e *Editor) column(start, i int) int {
	x := 0
	for start < i {
		to := e.next(start)
		start, x = to, x+e.width(start, to)
	}
	return x
}

// at is the place in the row at start that is nearest to a column.
func (e *Editor) at(start, column int) int {
	_, end := e.row(start)
	last := e.begins(end, start) // its end is shown in the next row
	for i, x := start, 0; ; {
		to := e.next(i)
		if i >= end || last && to >= end {
			return i
		}
		w := e.width(i, to)
		if x+w > column {
			return i
		}
		i, x = to, x+w
	}
}

// Up moves to the row above.
func (e *Editor) Up() bool { return e.vertical(e.above) }

// Down moves to the row below.
func (e *Editor) Down() bool { return e.vertical(e.below) }

func (e *Editor) vertical(step func(int) (int, bool)) bool {
	start, _ := e.row(e.cursor)
	to, ok := step(start)
	if !ok {
		return false
	}
	goal := e.goal
	if goal == 0 {
		goal = e.column(start, e.cursor) + 1
	}
	e.move(e.at(to, goal-1))
	e.goal = goal
	return true
}

// View shows at most height rows around the cursor. It scrolls as little as
// possible.
func (e *Editor) View(height int) View {
	height = max(1, height)
	cursorRow, _ := e.row(e.cursor)
	e.top, _ = e.row(min(e.top, len(e.text)))
	// The rows from the cursor's up to the top, at most as many as are shown.
	top, y := cursorRow, 0
	for top > e.top && y < height-1 {
		top, _ = e.above(top)
		y++
	}
	e.top = top
	starts := []int{top}
	more := true
	for next := top; len(starts) < height; {
		if next, more = e.below(next); !more {
			break
		}
		starts = append(starts, next)
	}
	// What remains of the window shows what is above.
	for len(starts) < height {
		above, ok := e.above(e.top)
		if !ok {
			break
		}
		starts = slices.Insert(starts, 0, above)
		e.top = above
		y++
	}
	v := View{X: e.column(cursorRow, e.cursor), Y: y}
	for _, start := range starts {
		v.Rows = append(v.Rows, e.pieces(start))
		v.Starts = append(v.Starts, start == e.lineStart(start))
	}
	v.More.Above = starts[0] > 0
	_, v.More.Below = e.below(starts[len(starts)-1])
	v.Line = bytes.Count(e.text[:e.cursor], []byte{'\n'}) + 1
	v.Lines = v.Line + bytes.Count(e.text[e.cursor:], []byte{'\n'})
	return v
}

// pieces is what the row at start shows.
func (e *Editor) pieces(start int) []Piece {
	_, end := e.row(start)
	var out []Piece
	var run []byte
	flush := func(fold bool) {
		if len(run) > 0 {
			out = append(out, Piece{Text: string(run), Fold: fold})
			run = run[:0]
		}
	}
	for i := start; i < end; {
		to := e.next(i)
		fold := e.text[i] == foldStart
		if fold {
			flush(false)
		}
		run = e.look(run, i, to)
		if fold {
			flush(true)
		}
		i = to
	}
	flush(false)
	return out
}
