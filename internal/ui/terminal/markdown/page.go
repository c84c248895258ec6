package markdown

import (
	"slices"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/flow"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/highlight"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/markdown/block"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/markdown/inline"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// codeIndent sets code apart from text, also where there are no colours. There
// is no bar beside it: it can be copied from the screen.
const codeIndent = 2

// page makes lines of blocks.
type page struct {
	options Options
	reader  *inline.Reader
	frames  []frame
	lines   []string

	// last is the block before at the outermost level, begun that there is one.
	last  block.Kind
	begun bool
	// started: there is a line.
	started bool
	// gap is how many of the frames stand beside the blank line that comes in
	// front of the next line; negative for no blank line.
	gap int

	// code paints the code or HTML that is open, and table is the open table.
	code  *highlight.Highlighter
	table *grid
}

// frame is an open container as it is drawn.
type frame struct {
	kind block.Kind
	// width is how many columns it takes at the left.
	width int
	// mark stands in front of the first line of an item, drawn once it does.
	mark  theme.Span
	drawn bool
	// fresh: nothing has been in it.
	fresh bool
	// first is the number of a list's first item as it is written, number that
	// of the last as it is shown.
	first, number int
	ordered       bool
}

func newPage(o Options) *page {
	return &page{
		options: o,
		reader:  inline.New(inline.Options{Marks: !o.Theme.Colored(), ASCII: o.Theme.ASCII(), Hyperlinks: o.Hyperlinks}),
		gap:     -1,
	}
}

// fork returns a page that goes on from the same place, without the lines.
func (p *page) fork() *page {
	c := *p
	c.lines, c.frames, c.reader = nil, slices.Clone(p.frames), p.reader.Fork()
	if p.code != nil {
		c.code = p.code.Clone()
	}
	if p.table != nil {
		c.table = p.table.clone()
	}
	return &c
}

// tell draws what an event makes final.
func (p *page) tell(ev block.Event) {
	p.space(ev)
	switch ev.Kind {
	case block.EnterQuote, block.EnterList, block.EnterItem:
		p.enter(ev)
	case block.Leave:
		p.leave()
	case block.Paragraph:
		p.paragraph(ev.Text)
	case block.Heading:
		p.heading(ev)
	case block.Rule:
		p.put([]theme.Span{{Text: strings.Repeat(p.glyph(theme.Horizontal), p.room()), Style: theme.In(theme.Border)}})
	case block.CodeStart:
		p.code = highlight.New(ev.Text, p.options.Theme)
	case block.HTMLStart:
		p.code = highlight.New("html", p.options.Theme)
	case block.CodeLine:
		p.codeLine(ev.Text, codeIndent)
	case block.HTMLLine:
		p.codeLine(ev.Text, 0)
	case block.CodeEnd, block.HTMLEnd:
		p.code = nil
	case block.TableStart:
		p.startTable(ev)
	case block.TableRow:
		p.addRow(ev.Cells)
	case block.TableEnd:
		p.drawTable()
		p.table = nil
	}
}

func (p *page) glyph(g theme.Glyph) string { return p.options.Theme.Glyph(g) }

// space decides whether a blank line stands in front of what the event begins:
// where one is in the text, and at the outermost level between blocks that
// would run into each other.
func (p *page) space(ev block.Event) {
	depth := len(p.frames)
	if ev.Apart && !(depth > 0 && p.frames[depth-1].fresh) {
		p.apart(depth)
	}
	switch ev.Kind {
	case block.Leave, block.CodeLine, block.CodeEnd, block.HTMLLine, block.HTMLEnd, block.TableRow, block.TableEnd:
		return
	}
	if depth > 0 {
		p.frames[depth-1].fresh = false
		return
	}
	if p.begun && !ev.Continued && runTogether(p.last, ev.Kind) {
		p.apart(0)
	}
	p.last, p.begun = ev.Kind, true
}

// runTogether reports whether two blocks need a blank line between them. Text
// and its list may stand close, and what a heading is above.
func runTogether(before, next block.Kind) bool {
	text := func(k block.Kind) bool { return k == block.Paragraph || k == block.EnterList }
	return next == block.Heading || before != block.Heading && !(text(before) && text(next))
}

// apart asks for a blank line beside so many frames.
func (p *page) apart(depth int) {
	if p.gap < 0 || depth < p.gap {
		p.gap = depth
	}
}

func (p *page) enter(ev block.Event) {
	f := frame{kind: ev.Kind, fresh: true}
	switch ev.Kind {
	case block.EnterQuote:
		f.width = 2
	case block.EnterList:
		f.first, f.number = ev.Number, ev.Number-1
	case block.EnterItem:
		text := p.glyph(theme.Bullet)
		if ev.Marker == '.' || ev.Marker == ')' {
			f.ordered = true
			text = strconv.Itoa(p.frames[len(p.frames)-1].count(ev.Number)) + string(ev.Marker)
		}
		f.mark = theme.Span{Text: text, Style: theme.In(theme.Accent)}
		f.width = ansi.StringWidth(text) + 1
	}
	p.frames = append(p.frames, f)
}

// count returns the number to show for the next item of a list: the one that is
// written, but where all are written the same, the next.
func (f *frame) count(written int) int {
	if f.number++; written != f.first {
		f.number = written
	}
	return f.number
}

func (p *page) leave() {
	n := len(p.frames) - 1
	if f := p.frames[n]; f.kind == block.EnterItem && !f.drawn {
		p.put(nil)
	}
	p.frames = p.frames[:n]
	p.gap = min(p.gap, n)
}

// shown says how many of the frames are drawn and what room they leave: those
// that would leave too little are not.
func (p *page) shown() (frames, room int) {
	room = max(p.options.Width-p.options.Indent, MinWidth)
	least := max(room/3, MinWidth-2)
	for i, f := range p.frames {
		if room-f.width < least {
			return i, room
		}
		room -= f.width
	}
	return len(p.frames), room
}

func (p *page) room() int {
	_, room := p.shown()
	return room
}

// hidden returns the marks of items whose frames are not drawn; they stand in
// the text.
func (p *page) hidden() []theme.Span {
	n, _ := p.shown()
	var marks []theme.Span
	for i := range p.frames[n:] {
		if f := &p.frames[n+i]; f.mark.Text != "" && !f.drawn {
			f.drawn = true
			marks = append(marks, f.mark, theme.Span{Text: " "})
		}
	}
	return marks
}

// put adds a line beside the frames, behind the blank line that is asked for.
func (p *page) put(spans []theme.Span) {
	if marks := p.hidden(); marks != nil {
		p.wrap(marks)
	}
	n, _ := p.shown()
	if p.gap >= 0 && p.started {
		beside := p.frames[:min(p.gap, n)]
		if i := slices.IndexFunc(beside, func(f frame) bool { return f.mark.Text != "" && !f.drawn }); i >= 0 {
			beside = beside[:i]
		}
		p.lines = append(p.lines, p.line(beside, nil))
	}
	p.gap, p.started = -1, true
	p.lines = append(p.lines, p.line(p.frames[:n], spans))
}

// line paints a line and what stands in front of it.
func (p *page) line(frames []frame, spans []theme.Span) string {
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", p.options.Indent))
	for i := range frames {
		f := &frames[i]
		switch {
		case f.kind == block.EnterQuote:
			b.WriteString(p.options.Theme.Paint(theme.Border, p.glyph(theme.Bar)) + " ")
		case f.mark.Text != "" && !f.drawn:
			b.WriteString(p.options.Theme.PaintSpans([]theme.Span{f.mark}) + " ")
			f.drawn = true
		default:
			b.WriteString(strings.Repeat(" ", f.width))
		}
	}
	b.WriteString(p.options.Theme.PaintSpans(spans))
	return strings.TrimRight(b.String(), " ")
}

// wrap puts text, as many lines as it takes.
func (p *page) wrap(spans []theme.Span) {
	if len(spans) == 0 {
		return
	}
	spans = append(p.hidden(), spans...)
	for _, line := range flow.Wrap(spans, p.room()) {
		p.put(line.Spans)
	}
}

func (p *page) paragraph(text string) {
	if n := len(p.frames) - 1; n >= 0 {
		if rest, ok := p.frames[n].task(text); ok {
			p.wrap(p.reader.Title(rest, 0))
			return
		}
	}
	p.wrap(p.reader.Paragraph(text))
}

// task makes the box at the start of an item its mark, and returns the rest.
func (f *frame) task(text string) (rest string, ok bool) {
	if f.mark.Text == "" || f.drawn || f.ordered || len(text) < 4 || text[0] != '[' || text[2:4] != "] " {
		return "", false
	}
	role := theme.Dim
	switch text[1] {
	case ' ':
	case 'x', 'X':
		role = theme.Success
	default:
		return "", false
	}
	f.mark = theme.Span{Text: text[:3], Style: theme.In(role)}
	f.width = len(f.mark.Text) + 1
	return strings.TrimLeft(text[4:], " "), true
}

func (p *page) heading(ev block.Event) {
	role := theme.Heading
	if ev.Level > 2 {
		role = theme.Emphasis
	}
	style := theme.In(role)
	spans := p.reader.Title(ev.Text, style)
	if !p.options.Theme.Colored() {
		sign := theme.Span{Text: strings.Repeat("#", ev.Level) + " ", Style: style}
		spans = append([]theme.Span{sign}, spans...)
	}
	p.wrap(spans)
}

// codeLine draws a line of code or HTML. What does not fit goes on in the margin,
// where no line of code begins.
func (p *page) codeLine(text string, indent int) {
	text = strings.TrimRight(text, " ")
	spans := p.code.Spans(text)
	if text == "" {
		p.put(nil)
		return
	}
	margin := theme.Span{Text: strings.Repeat(" ", indent)}
	for _, line := range flow.Cut(append([]theme.Span{margin}, spans...), p.room()) {
		p.put(line.Spans)
	}
}
