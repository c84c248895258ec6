package markdown

import (
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/flow"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/markdown/block"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// A table is drawn when it has so many rows or bytes, with the columns as wide
// as these rows need; those after it come one by one.
const (
	rowLimit  = 100
	sizeLimit = 16 << 10
)

// grid is an open table.
type grid struct {
	aligns []block.Align
	head   []cell
	// rows are those that are not drawn yet, and size their bytes.
	rows [][]cell
	size int
	// natural is how wide each column would be, and word its longest word, in
	// the rows up to the first that was drawn.
	natural, word []int
	// breaks: a cell has several lines.
	breaks bool
	// headed: the head is drawn; filled: a row is.
	headed, filled bool
	// widths are what layout found for a room.
	widths []int
	room   int
}

type cell []theme.Span

func (g *grid) clone() *grid {
	c := *g
	c.natural, c.word = slices.Clone(g.natural), slices.Clone(g.word)
	return &c
}

func (p *page) startTable(ev block.Event) {
	n := len(ev.Aligns)
	p.table = &grid{aligns: ev.Aligns, natural: make([]int, n), word: make([]int, n)}
	p.table.head = p.cells(ev.Cells, theme.In(theme.Strong))
}

func (p *page) addRow(texts []string) {
	g := p.table
	for _, text := range texts {
		g.size += len(text)
	}
	g.rows = append(g.rows, p.cells(texts, 0))
	if g.headed || len(g.rows) >= rowLimit || g.size >= sizeLimit {
		p.drawTable()
	}
}

// cells reads the cells of a row and measures them.
func (p *page) cells(texts []string, style theme.Style) []cell {
	g := p.table
	row := make([]cell, len(texts))
	for i, text := range texts {
		if text == "" {
			continue
		}
		row[i] = p.reader.Title(text, style)
		if !g.headed {
			line, word := flow.Width(row[i])
			g.natural[i], g.word[i] = max(g.natural[i], line), max(g.word[i], word)
			g.breaks = g.breaks || slices.ContainsFunc(row[i], func(s theme.Span) bool { return strings.Contains(s.Text, "\n") })
		}
	}
	return row
}

// drawTable draws what is not drawn yet.
func (p *page) drawTable() {
	g := p.table
	room := p.room()
	if g.room != room {
		g.widths, g.room = g.layout(room), room
	}
	if g.widths == nil {
		p.drawRecords()
		return
	}
	if !g.headed {
		p.drawRow(g.head)
		p.drawLine()
	}
	ruled := g.breaks || !slices.Equal(g.widths, g.natural)
	for _, row := range g.rows {
		if g.filled && ruled {
			p.drawLine()
		}
		p.drawRow(row)
		g.filled = true
	}
	g.headed, g.rows = true, nil
}

// columnGap is between two columns: a bar with blanks.
const columnGap = 3

// Words up to the first length are not broken in a table; if columns of these do
// not fit, up to the second; if those do not, it is no table any more.
const (
	wholeWord = 16
	briefWord = 10
	leastWide = 3
)

// layout returns how wide the columns are in a room, or nil if it has too
// little.
func (g *grid) layout(room int) []int {
	room -= columnGap * (len(g.natural) - 1)
	if sum(g.natural) <= room {
		return slices.Clone(g.natural)
	}
	for _, longest := range []int{wholeWord, briefWord} {
		widths := make([]int, len(g.natural))
		for i, natural := range g.natural {
			widths[i] = min(natural, max(leastWide, min(g.word[i], longest)))
		}
		if sum(widths) <= room {
			g.widen(widths, room-sum(widths))
			return widths
		}
	}
	return nil
}

// widen hands out the rest of a room, always to the narrowest column that wants
// more.
func (g *grid) widen(widths []int, rest int) {
	for ; rest > 0; rest-- {
		narrowest := -1
		for i, w := range widths {
			if w < g.natural[i] && (narrowest < 0 || w < widths[narrowest]) {
				narrowest = i
			}
		}
		widths[narrowest]++ // one wants more, or the table would have fit
	}
}

func sum(all []int) int {
	n := 0
	for _, v := range all {
		n += v
	}
	return n
}

// drawRow draws a row, as many lines as its highest cell has.
func (p *page) drawRow(row []cell) {
	g := p.table
	cells := make([][]flow.Line, len(row))
	height := 1
	for i, c := range row {
		cells[i] = flow.Wrap(c, g.widths[i])
		height = max(height, len(cells[i]))
	}
	bar := theme.Span{Text: p.glyph(theme.Vertical), Style: theme.In(theme.Border)}
	for y := range height {
		var spans []theme.Span
		for x, lines := range cells {
			if x > 0 {
				spans = append(spans, blanks(1), bar, blanks(1))
			}
			line := flow.Line{}
			if y < len(lines) {
				line = lines[y]
			}
			left, right := padding(g.aligns[x], g.widths[x]-line.Width)
			spans = append(spans, blanks(left))
			spans = append(spans, line.Spans...)
			if x+1 < len(cells) {
				spans = append(spans, blanks(right))
			}
		}
		p.put(spans)
	}
}

func padding(a block.Align, rest int) (left, right int) {
	switch a {
	case block.Right:
		left = rest
	case block.Center:
		left = rest / 2
	}
	return left, rest - left
}

func blanks(n int) theme.Span { return theme.Span{Text: strings.Repeat(" ", max(n, 0))} }

// drawLine draws the line between rows.
func (p *page) drawLine() {
	var b strings.Builder
	dash := p.glyph(theme.Horizontal)
	for i, w := range p.table.widths {
		if i > 0 {
			b.WriteString(dash + p.glyph(theme.Cross) + dash)
		}
		b.WriteString(strings.Repeat(dash, w))
	}
	p.put([]theme.Span{{Text: b.String(), Style: theme.In(theme.Border)}})
}

// drawRecords draws the rows one beneath the other, each cell behind the head
// of its column: for tables with more columns than there is room for.
func (p *page) drawRecords() {
	g := p.table
	for _, row := range g.rows {
		if g.filled {
			p.put(nil)
		}
		for i, c := range row {
			if len(c) > 0 || !g.filled { // the first record names every column
				p.drawField(g.head[i], c)
			}
		}
		g.filled = true
	}
	if !g.filled {
		for _, head := range g.head {
			p.wrap(head)
		}
	}
	g.headed, g.rows = true, nil
}

// drawField draws a cell behind its head, the lines after the first set in.
func (p *page) drawField(head, value cell) {
	const hang = 2
	spans := slices.Clone(head)
	if len(head) > 0 {
		spans = append(spans, theme.Span{Text: ": "})
	}
	first := true
	for _, line := range flow.Wrap(append(spans, value...), p.room()-hang) {
		if !first {
			line.Spans = append([]theme.Span{blanks(hang)}, line.Spans...)
		}
		first = false
		p.put(line.Spans)
	}
}
