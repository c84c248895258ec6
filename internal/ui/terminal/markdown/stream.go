// Package markdown shows Markdown on a terminal while it is being written. The
// text may arrive in pieces of any size; the lines that come out are the same
// for all of them. It knows where a text stands on the screen only as a width
// and an indent.
//
// What a block looks like is final when the block is over, or for code, HTML
// and very long tables when its line is. Until then Open shows it as it would
// be if the text ended here. This is what streaming costs:
//
//   - an address that is defined further down (`[name]: address`) is not known
//     to what stands above it, which is shown as it is written;
//   - whether a blank line stands between two items of a list is each place's
//     own matter;
//   - a paragraph of more than 2 kB is broken behind its next line that ends a
//     sentence, or else at 4 kB, and goes on in a new line;
//   - a line of more than 4 kB is broken between words, if it has any;
//   - the columns of a table of more than 100 rows or 16 kB are as wide as the
//     rows up to there need.
//
// All of it depends on the text alone and not on its pieces.
package markdown

import (
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/flow"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/markdown/block"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// Options say how Markdown is shown.
type Options struct {
	Theme *theme.Theme
	// Width is how many columns a line may have, the indent among them; 0 means
	// 80. There are at least MinWidth beside the indent, whatever it says.
	Width int
	// Indent is how many blanks stand in front of each line.
	Indent int
	// Hyperlinks makes addresses open at a click where the terminal can (OSC 8).
	// They are shown all the same.
	Hyperlinks bool
}

// MinWidth is the least room for text.
const MinWidth = 10

// lineLimit is how many bytes of a line are waited for.
const lineLimit = 2 * block.ParagraphLimit

// Stream is a text that is being written. One goroutine at a time may use it.
type Stream struct {
	filter *plain.Writer
	// line is the open line: clean, with blanks for tabs; column is how many
	// characters it has had, broken that its start has been told.
	line   []byte
	column int
	broken bool

	blocks *block.Parser
	page   *page
}

// New returns a stream for one text.
func New(o Options) *Stream {
	if o.Width <= 0 {
		o.Width = 80
	}
	s := &Stream{page: newPage(o)}
	s.filter = plain.NewWriter(intake{s})
	s.blocks = block.New(s.page.tell)
	return s
}

// Write adds a piece of the text.
func (s *Stream) Write(text string) { _, _ = s.filter.Write([]byte(text)) } // intake does not fail

// Take returns the lines that have become final since the last Take: painted,
// without line ends, none wider than the width.
func (s *Stream) Take() []string {
	lines := s.page.lines
	s.page.lines = nil
	return lines
}

// Open returns the lines that Close would make final.
func (s *Stream) Open() []string {
	p := s.page.fork()
	finish(s.blocks.Clone(p.tell), string(s.line), s.broken)
	return p.lines
}

// Close ends the text: what is open becomes final. What is written afterwards
// is a new block.
func (s *Stream) Close() {
	_ = s.filter.Close() // as above
	finish(s.blocks, string(s.line), s.broken)
	s.line, s.column, s.broken = s.line[:0], 0, false
}

// finish ends a text whose last line has no end.
func finish(b *block.Parser, line string, broken bool) {
	if broken {
		b.Rest(line)
	} else if line != "" {
		b.Line(line)
	}
	b.Close()
}

// Resize changes the width of the lines that are not final yet.
func (s *Stream) Resize(width int) {
	if width > 0 {
		s.page.options.Width = width
	}
}

// Render returns the lines of a whole text.
func Render(text string, o Options) []string {
	s := New(o)
	s.Write(text)
	s.Close()
	return s.Take()
}

// intake is what the filter writes to.
type intake struct{ s *Stream }

// Write takes whole characters, which is what the filter hands over.
func (in intake) Write(p []byte) (int, error) {
	s, taken := in.s, len(p)
	for len(p) > 0 {
		r, size := utf8.DecodeRune(p)
		p = p[size:]
		if r == '\n' {
			s.tell(string(s.line))
			s.line, s.column, s.broken = s.line[:0], 0, false
			continue
		}
		s.add(r)
		if len(s.line) >= lineLimit {
			s.breakLine()
		}
	}
	return taken, nil
}

// add appends a character to the open line.
func (s *Stream) add(r rune) {
	if r == '\t' {
		n := flow.TabStop - s.column%flow.TabStop
		s.line = append(s.line, "    "[:n]...)
		s.column += n
		return
	}
	if r = flow.Rune(r); r >= 0 {
		s.line = utf8.AppendRune(s.line, r)
		s.column++
	}
}

func (s *Stream) tell(part string) {
	if s.broken {
		s.blocks.Rest(part)
	} else {
		s.blocks.Line(part)
	}
}

// breakLine tells the start of an endless line, up to a sentence or a word that
// ends in its second half.
func (s *Stream) breakLine() {
	line := string(s.line)
	cut := strings.LastIndex(line, ". ") + 1
	if cut < len(line)/2 {
		cut = strings.LastIndexByte(line, ' ')
	}
	if cut < len(line)/2 {
		cut = len(line)
	}
	s.tell(line[:cut])
	s.line, s.broken = append(s.line[:0], line[cut:]...), true
}
