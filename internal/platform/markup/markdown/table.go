package markdown

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/ml-intern/ml-intern/internal/platform/markup/dom"
)

// maxColumns bounds the width of a table, maxSpan what one cell may cover.
const (
	maxColumns = 64
	maxSpan    = 1000
)

// Row is a row of a table, its cells in Markdown. Head says that all of them
// are headings.
type Row struct {
	Cells []string
	Head  bool
}

// table writes a table; one that only arranges blocks is not shown as one.
func (w *Writer) table(n *html.Node) {
	if caption := dom.Find(n, func(n *html.Node) bool { return n.DataAtom == atom.Caption }); caption != nil && !w.cell {
		if text := w.Inline(caption); text != "" {
			w.Block()
			w.raw(text)
		}
	}
	if w.cell || arranges(n) {
		w.Block()
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			if c.DataAtom != atom.Caption {
				w.Node(c)
			}
		}
		w.Block()
		return
	}
	w.Table(w.Rows(n))
}

// arranges reports whether a table holds what does not fit into its cells.
func arranges(n *html.Node) bool {
	return dom.Find(n, func(c *html.Node) bool {
		switch c.DataAtom {
		case atom.Table:
			return c != n
		case atom.Pre, atom.H1, atom.H2, atom.H3, atom.Blockquote:
			return true
		}
		return false
	}) != nil
}

// Table writes rows; the first is the heading.
func (w *Writer) Table(rows []Row) {
	width := 0
	for _, r := range rows {
		width = max(width, len(r.Cells))
	}
	if width == 0 {
		return
	}
	w.Block()
	if width == 1 {
		for _, r := range rows {
			w.raw(strings.Join(r.Cells, " "))
			w.Line()
		}
		w.Block()
		return
	}
	for i, r := range rows {
		if i == w.o.Rows {
			w.Line()
			w.raw(fmt.Sprintf("(%d more rows)", len(rows)-i))
			break
		}
		w.Lines(row(r.Cells, width))
		if i == 0 {
			w.Lines("|" + strings.Repeat(" --- |", width))
		}
	}
	w.Block()
}

func row(cells []string, width int) string {
	var b strings.Builder
	b.WriteByte('|')
	for i := range width {
		b.WriteByte(' ')
		if i < len(cells) {
			b.WriteString(pipes(cells[i]))
		}
		b.WriteString(" |")
	}
	return b.String()
}

// pipes escapes every | that is not escaped yet.
func pipes(cell string) string {
	if !strings.Contains(cell, "|") {
		return cell
	}
	return strings.ReplaceAll(strings.ReplaceAll(cell, `\|`, "|"), "|", `\|`)
}

// Rows returns the rows of a table, by element or by LaTeXML's classes. A cell
// over several columns leaves the others empty, one over several rows is
// repeated in each. Rows without any text are left out.
func (w *Writer) Rows(table *html.Node) []Row {
	type held struct {
		text string
		left int
	}
	var out []Row
	var below [maxColumns]held
	for _, tr := range dom.All(table, isRow) {
		r := Row{Head: true}
		place := func(text string) {
			r.Cells = append(r.Cells, text)
		}
		carry := func() {
			for len(r.Cells) < maxColumns && below[len(r.Cells)].left > 0 {
				h := &below[len(r.Cells)]
				h.left--
				place(h.text)
			}
		}
		for _, td := range dom.All(tr, isCell) {
			carry()
			if len(r.Cells) >= maxColumns {
				break
			}
			r.Head = r.Head && (td.DataAtom == atom.Th || dom.Class(td, "ltx_th"))
			text := w.cellText(td)
			columns, rows := span(td, "colspan", "ltx_colspan_"), span(td, "rowspan", "ltx_rowspan_")
			for i := range min(columns, maxColumns-len(r.Cells)) {
				if i > 0 {
					text = ""
				}
				below[len(r.Cells)] = held{text, rows - 1}
				place(text)
			}
		}
		carry()
		if strings.TrimSpace(strings.Join(r.Cells, "")) != "" {
			out = append(out, r)
		}
	}
	return out
}

func (w *Writer) cellText(td *html.Node) string {
	cell := &Writer{o: w.o, cell: true, nested: w.nested}
	return cell.Inline(td)
}

func isRow(n *html.Node) bool { return n.DataAtom == atom.Tr || dom.Class(n, "ltx_tr") }
func isCell(n *html.Node) bool {
	return n.DataAtom == atom.Td || n.DataAtom == atom.Th || dom.Class(n, "ltx_td")
}

func span(n *html.Node, attr, class string) int {
	value := dom.Attr(n, attr)
	if value == "" {
		for c := range strings.FieldsSeq(dom.Attr(n, "class")) {
			if v, ok := strings.CutPrefix(c, class); ok {
				value = v
			}
		}
	}
	v, err := strconv.Atoi(value)
	if err != nil {
		return 1
	}
	return min(max(v, 1), maxSpan)
}
