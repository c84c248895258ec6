// Package block splits Markdown into its blocks while it arrives, line by line:
// what a line decides is told at once and never taken back. It follows
// CommonMark with the tables of GitHub; it knows neither what is inside a
// paragraph nor how anything looks.
//
// What only a later line could decide is decided by rule: a list is told item
// by item, so whether it is loose is each blank line's own matter; a paragraph
// or table that outgrows its limit is told in parts.
package block

import (
	"slices"
	"strings"
)

// Kind is what an event tells.
type Kind uint8

// The events. Those of a leaf stand between the Enter and the Leave of the
// containers around it.
const (
	// EnterQuote, EnterList and EnterItem begin containers; Leave ends the
	// innermost.
	EnterQuote Kind = iota
	EnterList
	EnterItem
	Leave
	// Paragraph is a paragraph, or a part of one, with its line ends.
	Paragraph
	Heading
	Rule
	// CodeStart, CodeLine and CodeEnd are code between fences or indented.
	CodeStart
	CodeLine
	CodeEnd
	// HTMLStart, HTMLLine and HTMLEnd are a block of HTML.
	HTMLStart
	HTMLLine
	HTMLEnd
	// TableStart has the cells of the header; TableRow those of a row.
	TableStart
	TableRow
	TableEnd
)

// Align is how a column of a table is aligned.
type Align uint8

// The alignments.
const (
	Default Align = iota
	Left
	Center
	Right
)

// Event is one thing about the text. Which fields count depends on the kind.
type Event struct {
	Kind Kind
	// Apart is set on the first event behind one or more blank lines.
	Apart bool
	// Text is that of a paragraph, heading or line, or the info string of a
	// fence.
	Text string
	// Level is that of a heading, from 1 to 6.
	Level int
	// Continued: this is more of the paragraph before.
	Continued bool
	// Marker is a bullet ('-', '+', '*') or what stands behind a number ('.',
	// ')'); Number is the number as it is written.
	Marker byte
	Number int
	// Cells and Aligns belong to tables. A row has as many cells as the header.
	Cells  []string
	Aligns []Align
}

// ParagraphLimit is how many bytes of an open paragraph are kept together: about
// a screen. It ends behind the next line that ends a sentence, or where it is
// twice as long.
const ParagraphLimit = 2 << 10

// depthLimit is how many containers may be open; what would open more is text.
// It bounds the work for each line.
const depthLimit = 32

// columnLimit is how many columns a table may have: each row has as many cells,
// however short it is.
const columnLimit = 64

// container is an open quote, list or item.
type container struct {
	kind Kind
	// marker is that of the list.
	marker byte
	// indent is how far the content of an item is indented.
	indent int
	// empty: nothing has been in the item yet.
	empty bool
}

// shape is what kind of leaf is open.
type shape uint8

const (
	none shape = iota
	paragraph
	fenced
	indented
	html
	table
)

// leaf is the open leaf.
type leaf struct {
	shape shape
	apart bool
	// lines and size are those of a paragraph.
	lines     []string
	size      int
	continued bool
	// fence, length and indent are those of a fence.
	fence  byte
	length int
	indent int
	// blanks is how many blank lines of indented code have not been told.
	blanks int
	// end is what ends HTML; empty for a blank line.
	end []string
	// columns is how many a table has.
	columns int
}

// Parser takes lines and tells events.
type Parser struct {
	emit func(Event)
	open []container
	leaf leaf
	// blank: a blank line came since the last event.
	blank bool
	begun bool
}

// New returns a parser that tells its events to emit.
func New(emit func(Event)) *Parser { return &Parser{emit: emit} }

// Clone returns a parser in the same state that tells another.
func (p *Parser) Clone(emit func(Event)) *Parser {
	c := *p
	c.emit = emit
	c.open = slices.Clone(p.open)
	c.leaf.lines = slices.Clip(p.leaf.lines)
	return &c
}

// Line takes the next line, without its end and with blanks instead of tabs.
func (p *Parser) Line(line string) {
	rest, matched := p.match(line)
	if matched == len(p.open) && p.continueLeaf(rest) {
		return
	}
	p.start(rest, matched)
}

// Rest takes more of the line that Line was given last, where that was too long
// to give at once: it begins nothing. A line longer than twice ParagraphLimit is
// too long.
func (p *Parser) Rest(part string) {
	if part == "" {
		return
	}
	switch p.leaf.shape {
	case fenced, indented:
		p.tell(Event{Kind: CodeLine, Text: part})
	case html:
		p.tell(Event{Kind: HTMLLine, Text: part})
		p.endHTML(part)
	default:
		if p.leaf.shape != paragraph {
			p.closeLeaf()
		}
		p.addText(strings.TrimLeft(part, " "))
	}
}

// Close ends everything that is open.
func (p *Parser) Close() {
	p.closeTo(0)
	p.closeLeaf()
}

// match goes through the open containers as far as the line continues them, and
// returns what is left of it.
func (p *Parser) match(line string) (rest string, matched int) {
	for matched < len(p.open) {
		c := &p.open[matched]
		indent := indentOf(line)
		switch c.kind {
		case EnterQuote:
			if indent > 3 || !strings.HasPrefix(line[indent:], ">") {
				return line, matched
			}
			line = afterQuote(line[indent:])
		case EnterItem:
			switch {
			case indent == len(line):
				if c.empty {
					return line, matched
				}
			case indent < c.indent:
				return line, matched
			default:
				line = line[c.indent:]
			}
		}
		matched++
	}
	return line, matched
}

// afterQuote is what stands behind a '>' and the blank that belongs to it.
func afterQuote(s string) string { return strings.TrimPrefix(s[1:], " ") }

// continueLeaf gives the line to a leaf that takes lines as they are, and says
// whether it did.
func (p *Parser) continueLeaf(line string) bool {
	l := &p.leaf
	indent := indentOf(line)
	switch l.shape {
	case fenced:
		if indent <= 3 && closesFence(line[indent:], l.fence, l.length) {
			p.closeLeaf()
			return true
		}
		p.tell(Event{Kind: CodeLine, Text: line[min(indent, l.indent):]})
		return true
	case html:
		if len(l.end) == 0 && indent == len(line) {
			p.closeLeaf()
			return false
		}
		p.tell(Event{Kind: HTMLLine, Text: line})
		p.endHTML(line)
		return true
	case indented:
		switch {
		case indent == len(line):
			l.blanks++
			p.blank = true
			return true
		case indent < 4:
			p.closeLeaf()
			return false
		}
		p.blank = false
		for ; l.blanks > 0; l.blanks-- {
			p.tell(Event{Kind: CodeLine})
		}
		p.tell(Event{Kind: CodeLine, Text: line[4:]})
		return true
	}
	return false
}

// start opens the blocks that begin in the line and gives the rest of it to a
// leaf. The containers behind matched are not continued by it.
func (p *Parser) start(line string, matched int) {
	for entered := false; ; entered = true {
		indent := indentOf(line)
		rest := line[indent:]
		if rest == "" {
			p.closeTo(matched)
			p.closeLeaf()
			p.blank = p.begun && !entered
			return
		}
		if indent > 3 {
			if p.inText() {
				break
			}
			p.begin(matched, leaf{shape: indented})
			p.tell(Event{Kind: CodeStart})
			p.tell(Event{Kind: CodeLine, Text: line[4:]})
			return
		}
		if deeper, ok := p.startContainer(line, indent, matched); ok {
			line, matched = deeper, len(p.open)
			continue
		}
		if p.startLeaf(rest, indent, matched) {
			return
		}
		break
	}
	p.text(strings.TrimLeft(line, " "), matched)
}

// startContainer opens the quote or the list item that begins in the line.
func (p *Parser) startContainer(line string, indent, matched int) (rest string, ok bool) {
	if len(p.open) >= depthLimit {
		return "", false
	}
	text := line[indent:]
	if text[0] == '>' {
		p.enter(matched, container{kind: EnterQuote}, Event{Kind: EnterQuote})
		return afterQuote(text), true
	}
	m, ok := parseMarker(text)
	if !ok || isRule(text) {
		return "", false
	}
	after := text[m.width:]
	blanks := indentOf(after)
	empty := blanks == len(after)
	if p.leaf.shape == paragraph && matched == len(p.open) && (empty || m.ordered && m.number != 1) {
		return "", false
	}
	padding := m.width + 1
	if !empty && blanks <= 4 {
		padding = m.width + blanks
	}
	if matched == 0 || p.open[matched-1].kind != EnterList || p.open[matched-1].marker != m.marker {
		p.enter(matched, container{kind: EnterList, marker: m.marker}, Event{Kind: EnterList, Marker: m.marker, Number: m.number})
		matched = len(p.open)
	}
	p.enter(matched, container{kind: EnterItem, marker: m.marker, indent: indent + padding, empty: true},
		Event{Kind: EnterItem, Marker: m.marker, Number: m.number})
	return text[min(padding, len(text)):], true
}

// inText reports whether a paragraph is open, or a table, which begins as one.
func (p *Parser) inText() bool { return p.leaf.shape == paragraph || p.leaf.shape == table }

// underlines reports whether the line makes the open paragraph a heading.
func (p *Parser) underlines(text string, matched int) bool {
	return matched == len(p.open) && p.leaf.shape == paragraph && len(p.leaf.lines) > 0 && underline(text) > 0
}

// startLeaf opens or tells the leaf that begins in the line.
func (p *Parser) startLeaf(text string, indent, matched int) bool {
	if level, title, ok := parseHeading(text); ok {
		p.begin(matched, leaf{})
		p.tell(Event{Kind: Heading, Level: level, Text: title})
		return true
	}
	if f, info, ok := parseFence(text); ok {
		f.indent = indent
		p.begin(matched, f)
		p.tell(Event{Kind: CodeStart, Text: info})
		return true
	}
	if end, ok := startsHTML(text, p.inText()); ok {
		p.begin(matched, leaf{shape: html, end: end})
		p.tell(Event{Kind: HTMLStart})
		p.tell(Event{Kind: HTMLLine, Text: strings.Repeat(" ", indent) + text})
		p.endHTML(text)
		return true
	}
	if p.underlines(text, matched) {
		title := strings.Join(p.leaf.lines, "\n")
		p.tell(Event{Kind: Heading, Level: underline(text), Text: title, Apart: p.leaf.apart})
		p.leaf = leaf{}
		return true
	}
	if isRule(text) {
		p.begin(matched, leaf{})
		p.tell(Event{Kind: Rule})
		return true
	}
	return false
}

// text gives a line to the open paragraph or table, or begins a paragraph.
func (p *Parser) text(line string, matched int) {
	if !p.inText() {
		p.begin(matched, leaf{})
		p.addText(line)
		return
	}
	if p.leaf.shape == table {
		p.tell(Event{Kind: TableRow, Cells: cells(line, p.leaf.columns)})
		return
	}
	if !p.startTable(line) {
		p.addText(line)
	}
}

// addText appends to the open paragraph, or begins one.
func (p *Parser) addText(line string) {
	l := &p.leaf
	if l.shape != paragraph {
		*l = leaf{shape: paragraph, apart: p.takeBlank()}
		p.fill()
	}
	l.lines = append(l.lines, line)
	l.size += len(line) + 1
	if l.size >= 2*ParagraphLimit || l.size >= ParagraphLimit && endsSentence(line) {
		p.tellParagraph()
		*l = leaf{shape: paragraph, continued: true}
	}
}

func endsSentence(line string) bool {
	line = strings.TrimRight(line, " ")
	return line != "" && strings.IndexByte(".!?:;", line[len(line)-1]) >= 0
}

// begin closes what the line does not continue and opens a leaf.
func (p *Parser) begin(matched int, l leaf) {
	p.closeTo(matched)
	p.closeLeaf()
	if n := len(p.open); n > 0 && p.open[n-1].kind == EnterList {
		p.closeTo(n - 1)
	}
	p.fill()
	p.leaf = l
}

// enter closes what the line does not continue and opens a container.
func (p *Parser) enter(matched int, c container, ev Event) {
	p.closeTo(matched)
	p.closeLeaf()
	if n := len(p.open); n > 0 && p.open[n-1].kind == EnterList && c.kind != EnterItem {
		p.closeTo(n - 1)
	}
	p.fill()
	p.tell(ev)
	p.open = append(p.open, c)
}

// fill notes that the innermost item has something in it.
func (p *Parser) fill() {
	if n := len(p.open); n > 0 {
		p.open[n-1].empty = false
	}
}

// closeTo leaves the containers behind the first n, and the leaf in them.
func (p *Parser) closeTo(n int) {
	if len(p.open) > n {
		p.closeLeaf()
	}
	for len(p.open) > n {
		p.open = p.open[:len(p.open)-1]
		p.emit(Event{Kind: Leave})
	}
}

func (p *Parser) closeLeaf() {
	l := p.leaf
	switch l.shape {
	case paragraph:
		p.tellParagraph()
	case fenced, indented:
		p.emit(Event{Kind: CodeEnd})
	case html:
		p.emit(Event{Kind: HTMLEnd})
	case table:
		p.emit(Event{Kind: TableEnd})
	}
	p.leaf = leaf{}
}

func (p *Parser) tellParagraph() {
	l := &p.leaf
	if len(l.lines) > 0 {
		p.tell(Event{Kind: Paragraph, Text: strings.Join(l.lines, "\n"), Apart: l.apart, Continued: l.continued})
	}
}

// tell emits an event that is behind the blank lines there were.
func (p *Parser) tell(ev Event) {
	if p.takeBlank() {
		ev.Apart = true
	}
	p.begun = true
	p.emit(ev)
}

func (p *Parser) takeBlank() bool {
	was := p.blank
	p.blank = false
	return was
}

func indentOf(s string) int { return len(s) - len(strings.TrimLeft(s, " ")) }
