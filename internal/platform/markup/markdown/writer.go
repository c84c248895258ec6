package markdown

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// Writer collects Markdown. Space between words is one, between blocks one
// empty line; both are written only when something follows.
type Writer struct {
	o Options
	b strings.Builder
	// breaks are the line ends wanted before what comes next, spaced: a space.
	breaks int
	spaced bool
	// indent begins every line; lead replaces it on the next one.
	indent, lead string
	// outer is what indent was before lead was set.
	outer  string
	column int // bytes in the line, without its indent
	depth  int // of lists and quotes
	nested int // of texts made with Inline

	bold, italic, inLink, heading bool
	// cell: everything goes on one line.
	cell bool
}

// New returns a Writer without text.
func New(o Options) *Writer {
	if o.Limit <= 0 {
		o.Limit = DefaultLimit
	}
	if o.Rows <= 0 {
		o.Rows = 500
	}
	return &Writer{o: o}
}

// String returns the text so far, without space at its ends.
func (w *Writer) String() string { return strings.Trim(w.b.String(), " \n") }

func (w *Writer) full() bool { return w.b.Len() >= w.o.Limit }

// InLine reports whether everything goes on one line, as in the cell of a table.
func (w *Writer) InLine() bool { return w.cell }

// Nested reports whether it is within a list or quote.
func (w *Writer) Nested() bool { return w.depth > 0 }

// Column is how many bytes the line has so far.
func (w *Writer) Column() int {
	if w.breaks > 0 {
		return 0
	}
	return w.column
}

// Block makes what comes next begin after an empty line.
func (w *Writer) Block() { w.newline(2) }

// Line makes what comes next begin on a new line.
func (w *Writer) Line() { w.newline(1) }

func (w *Writer) newline(n int) {
	if w.cell {
		w.spaced = true
		return
	}
	if w.lead != "" {
		n = min(n, 1) // nothing of the item is written yet
	}
	w.breaks = max(w.breaks, n)
}

func (w *Writer) space() { w.spaced = true }

// begin writes the line ends and the space that are due.
func (w *Writer) begin() {
	if w.breaks > 0 && w.b.Len() > 0 {
		w.b.WriteByte('\n')
		if w.breaks > 1 {
			around := w.indent
			if w.lead != "" {
				around = w.outer
			}
			w.b.WriteString(strings.TrimRight(around, " "))
			w.b.WriteByte('\n')
		}
		w.column, w.spaced = 0, false
	}
	w.breaks = 0
	if w.column == 0 {
		if w.lead != "" {
			w.b.WriteString(w.lead)
			w.lead = ""
		} else {
			w.b.WriteString(w.indent)
		}
		w.spaced = false
	}
	if w.spaced {
		w.b.WriteByte(' ')
		w.column++
		w.spaced = false
	}
}

// Text writes words; space between them counts as one.
func (w *Writer) Text(s string) {
	for s != "" && !w.full() {
		i := strings.IndexFunc(s, blank)
		if i == 0 {
			w.spaced = true
			s = strings.TrimLeftFunc(s, blank)
			continue
		}
		word := s
		if i > 0 {
			word = s[:i]
		}
		s = s[len(word):]
		w.word(word)
	}
}

// blank reports space that HTML merges; no-break space becomes plain too.
func blank(r rune) bool {
	return r == ' ' || r == '\n' || r == '\t' || r == '\r' || r == '\f' || r == '\u00a0' || r == '\u200b' || r == '\ufeff'
}

func (w *Writer) word(word string) {
	word = printable(word)
	if word == "" {
		return
	}
	w.begin()
	if w.column == 0 && !w.cell && w.nested == 0 {
		word = plain(word)
	}
	w.b.WriteString(word)
	w.column += len(word)
}

// plain escapes a word that would make a heading or a fence of its line.
func plain(word string) string {
	if strings.Trim(word, "#") == "" || strings.HasPrefix(word, "```") || strings.HasPrefix(word, "~~~") {
		return `\` + word
	}
	return word
}

// printable drops control characters, which could steer a terminal.
func printable(s string) string {
	bad := func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError
	}
	if strings.IndexFunc(s, bad) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if bad(r) {
			return -1
		}
		return r
	}, s)
}

// Raw writes a piece of Markdown that stays on one line.
func (w *Writer) Raw(s string) { w.raw(strings.Join(strings.Fields(s), " ")) }

func (w *Writer) raw(s string) { w.emit(s, false) }

// emit writes a piece; one that is no block must not look like one.
func (w *Writer) emit(s string, block bool) {
	s = printable(s)
	if s == "" || w.full() {
		return
	}
	w.begin()
	if !block && w.column == 0 && !w.cell {
		first, rest, _ := strings.Cut(s, " ")
		if first[0] != '`' || !strings.Contains(rest, "`") {
			s = plain(first) + s[len(first):]
		}
	}
	w.b.WriteString(s)
	w.column += len(s)
}

// Space makes a space before what comes next.
func (w *Writer) Space() { w.spaced = true }

// Lines writes text as it stands, line by line.
func (w *Writer) Lines(text string) {
	if w.full() {
		return
	}
	for line := range strings.SplitSeq(printable(text), "\n") {
		w.begin()
		w.b.WriteString(line)
		w.column = max(len(line), 1)
		w.breaks, w.spaced = max(w.breaks, 1), false
	}
}

// inlineDepth bounds texts within texts, as each is copied once a level; what is
// deeper is written without any marks.
const inlineDepth = 8

// Inline returns the content of an element on one line.
func (w *Writer) Inline(n *html.Node) string {
	in := &Writer{
		o: w.o, cell: true, nested: w.nested + 1,
		bold: w.bold, italic: w.italic, inLink: w.inLink, heading: w.heading,
	}
	in.Children(n)
	return in.String()
}

func (w *Writer) startsWithSpace(n *html.Node) bool {
	for c := n.FirstChild; c != nil; c = c.FirstChild {
		if c.Type == html.TextNode {
			return c.Data != "" && blank(rune(c.Data[0]))
		}
	}
	return false
}

func (w *Writer) endsWithSpace(n *html.Node) bool {
	for c := n.LastChild; c != nil; c = c.LastChild {
		if c.Type == html.TextNode {
			return c.Data != "" && blank(rune(c.Data[len(c.Data)-1]))
		}
	}
	return false
}

func (w *Writer) spaceAround(n *html.Node) {
	if w.startsWithSpace(n) || w.endsWithSpace(n) {
		w.space()
	}
}

// Heading writes a heading.
func (w *Writer) Heading(level int, text string) {
	if text == "" {
		return
	}
	if w.cell {
		w.space()
		w.raw(text)
		w.space()
		return
	}
	w.Block()
	w.emit(strings.Repeat("#", min(max(level, 1), 6))+" "+text, true)
	w.Block()
}
