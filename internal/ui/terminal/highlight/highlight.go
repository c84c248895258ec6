// Package highlight colours code line by line while it arrives. It knows enough
// of each language to tell comments, strings, numbers and keywords apart, and
// carries what is open at the end of a line into the next. It is no parser: a
// wrong colour is the worst it can do, for it never changes the text.
package highlight

import (
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// Highlighter colours the lines of one piece of code, in order.
type Highlighter struct {
	theme *theme.Theme
	state state
}

// New returns a highlighter for a language, by one of its usual names or file
// endings; what is unknown is painted as code without parts.
func New(lang string, th *theme.Theme) *Highlighter {
	return &Highlighter{theme: th, state: state{language: find(lang)}}
}

// Clone returns a highlighter that goes on from the same place.
func (h *Highlighter) Clone() *Highlighter {
	c := *h
	return &c
}

// Line paints the next line. It is plain text without its end.
func (h *Highlighter) Line(line string) string { return h.theme.PaintSpans(h.Spans(line)) }

// Spans returns the parts of the next line; put together they are the line.
func (h *Highlighter) Spans(line string) []theme.Span {
	var s scanner
	s.begin(line)
	h.state.scan(&s)
	s.end()
	return s.spans
}
