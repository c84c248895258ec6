// Package flow breaks styled text into lines of a given width. It measures as a
// terminal does, by what a reader sees as one character, and knows neither
// colours nor where the text is from.
package flow

import (
	"strings"
	"unicode"

	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// TabStop is how far apart the stops of tabs are.
const TabStop = 4

// Line is one line.
type Line struct {
	Spans []theme.Span
	Width int
}

// Wrap breaks between words. Newlines in the text end lines; blanks at a break
// are dropped; a word longer than the width is broken. Between wide characters,
// which are written without blanks, lines break anywhere but in front of what
// closes and behind what opens. The text is one that Clean returns.
func Wrap(spans []theme.Span, width int) []Line {
	w := newWriter(spans, width)
	for w.next() {
		switch {
		case w.text == "\n":
			w.end()
		case blank(w.text):
			w.blank()
		default:
			if w.breakable() {
				w.mark()
			}
			w.place()
		}
	}
	w.end()
	return w.lines
}

// Cut breaks at the width wherever that is, and keeps every blank: for code.
func Cut(spans []theme.Span, width int) []Line {
	w := newWriter(spans, width)
	for w.next() {
		if w.text == "\n" {
			w.end()
			continue
		}
		w.place()
	}
	w.end()
	return w.lines
}

// Width is the widest line the text has if nothing is broken, and the width of
// its longest word.
func Width(spans []theme.Span) (line, word int) {
	w := newWriter(spans, 0)
	inLine, inWord := 0, 0
	for w.next() {
		switch {
		case w.text == "\n":
			inLine, inWord = 0, 0
			continue
		case blank(w.text):
			inWord = 0
		default:
			if w.breakable() {
				inWord = 0
			}
			inWord += w.width
		}
		inLine += w.width
		line, word = max(line, inLine), max(word, inWord)
	}
	return line, word
}

// writer goes through a text and fills lines.
type writer struct {
	whole string
	// styles holds, for each style, where it ends; style is that of pos.
	styles []run
	style  int
	limit  int
	lines  []Line

	// The character read last: where it is, what it is, how wide.
	pos, after  int
	text        string
	width       int
	before      string
	widthBefore int

	// The open line: where it starts, how wide it is up to pos.
	start, used int
	// The last place to break: where the line would end and the next start, and
	// how wide the line is up to each.
	breakEnd, breakNext, endUsed, nextUsed int
}

type run struct {
	end  int
	span theme.Span
}

func newWriter(spans []theme.Span, limit int) *writer {
	w := &writer{limit: limit, styles: make([]run, 0, len(spans))}
	if len(spans) == 1 {
		w.whole = spans[0].Text
		w.styles = append(w.styles, run{len(w.whole), spans[0]})
		return w
	}
	var b strings.Builder
	for _, s := range spans {
		b.WriteString(s.Text)
		w.styles = append(w.styles, run{b.Len(), s})
	}
	w.whole = b.String()
	return w
}

// next reads the next character.
func (w *writer) next() bool {
	w.before, w.widthBefore, w.pos = w.text, w.width, w.after
	rest := w.whole[w.pos:]
	if rest == "" {
		return false
	}
	if rest[0] < 0x80 && (len(rest) == 1 || rest[1] < 0x80) {
		w.text, w.width = rest[:1], 1
	} else {
		w.text, w.width = ansi.FirstGraphemeCluster(rest, ansi.GraphemeWidth)
	}
	w.after += len(w.text)
	// A character has one style, that of its start.
	for w.styles[w.style].end <= w.pos {
		w.style++
	}
	w.styles[w.style].end = max(w.styles[w.style].end, w.after)
	return true
}

// mark notes a place to break.
func (w *writer) mark() {
	w.breakEnd, w.breakNext = w.pos, w.pos
	w.endUsed, w.nextUsed = w.used, w.used
}

// blank places a blank, behind which the line may break. A run of them is one
// place.
func (w *writer) blank() {
	if w.breakNext != w.pos || !blank(w.before) {
		w.mark()
	}
	w.used += w.width
	w.breakNext, w.nextUsed = w.after, w.used
}

// place puts the character into the line, or into a new one.
func (w *writer) place() {
	if w.used == 0 && w.width == 0 {
		// What changes the character before it has none to change here.
		w.start = w.after
		return
	}
	if w.used+w.width > w.limit && w.breakNext > w.start {
		if w.breakEnd > w.start {
			w.emit(w.breakEnd, w.endUsed)
		}
		w.start, w.used = w.breakNext, w.used-w.nextUsed
	}
	if w.used+w.width > w.limit && w.used > 0 {
		w.emit(w.pos, w.used)
		w.start, w.used = w.pos, 0
	}
	w.used += w.width
}

// end finishes a line in front of the character read last and begins the next
// behind it.
func (w *writer) end() {
	if w.breakNext == w.pos && w.breakNext > w.start { // blanks at the end
		w.emit(w.breakEnd, w.endUsed)
	} else {
		w.emit(w.pos, w.used)
	}
	w.start, w.used = w.after, 0
}

// emit makes a line of what is between its start and end.
func (w *writer) emit(end, width int) {
	line := Line{Width: width}
	for len(w.styles) > 1 && w.styles[0].end <= w.start {
		w.styles = w.styles[1:]
		w.style--
	}
	for i, from := 0, w.start; from < end; i++ {
		if to := min(w.styles[i].end, end); to > from {
			span := w.styles[i].span
			span.Text = w.whole[from:to]
			line.Spans = append(line.Spans, span)
			from = to
		}
	}
	w.lines = append(w.lines, line)
}

// breakable reports whether a line may break between the last two characters,
// which are no blanks.
func (w *writer) breakable() bool {
	return (w.width == 2 || w.widthBefore == 2) && w.before != "" && !blank(w.before) &&
		!strings.Contains(closers, w.text) && !strings.Contains(openers, w.before)
}

// What does not begin and what does not end a line.
const (
	closers = ")]}>.,!?;:%'\"、。，．！？；：）」』】》〉〕］｝…—～・ーゝゞ々〜％”’"
	openers = "([{<'\"「『（【《〈〔［｛“‘"
)

// blank reports whether a line may break at a character and it is not seen.
func blank(s string) bool {
	if len(s) == 1 {
		return s == " "
	}
	for _, r := range s {
		return unicode.IsSpace(r) && r != '\u00a0' && r != '\u202f' && r != '\u2007'
	}
	return false
}

// Clean returns text that can be laid out: without control sequences, without
// invisible characters that have no width or not the same everywhere, and with
// blanks for all other white space but newlines.
func Clean(s string) string {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\n' || c >= 0x7f {
			return strings.Map(Rune, plain.String(s))
		}
	}
	return s
}

// Rune returns what a character of plain text becomes in Clean; negative for
// nothing.
func Rune(r rune) rune {
	switch {
	case r < 0x80 && r != '\t':
		return r
	case plain.Reorders(r):
		return unicode.ReplacementChar
	case r == '\t', r == '\u2028', r == '\u2029':
		return ' '
	case r == '\u00ad', r == '\u034f', r == '\u061c', r == '\ufeff', r >= '\u200b' && r <= '\u200f' && r != '\u200c' && r != '\u200d',
		r >= '\u2060' && r <= '\u206f', r >= '\ufff9' && r <= '\ufffb', r >= 0xe0000 && r <= 0xe0fff:
		return -1
	}
	return r
}
