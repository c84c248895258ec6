package chat

import "strings"

const (
	openTag  = "<think>"
	closeTag = "</think>"
)

// splitter separates reasoning that a model writes into its answer, between
// <think> tags at the very start, from the answer. Tags may be split over
// pieces, so a few characters are held back while they may belong to one.
type splitter struct {
	state splitState
	held  string
	think trimmer
	text  trimmer
}

type splitState int

const (
	atStart  splitState = iota // nothing but blanks and a part of the tag so far
	inThink                    // between the tags
	answer                     // after the closing tag
	verbatim                   // there was no tag
)

// write takes a piece of content and returns what is certain by now.
func (s *splitter) write(piece string) (text, thinking string) {
	switch s.state {
	case verbatim:
		return piece, ""
	case answer:
		return s.text.write(piece), ""
	case inThink:
		return s.inside(piece)
	}
	s.held += piece
	start := strings.TrimLeft(s.held, " \t\r\n")
	switch {
	case strings.HasPrefix(start, openTag):
		s.state, s.held = inThink, ""
		return s.inside(start[len(openTag):])
	case strings.HasPrefix(openTag, start):
		return "", ""
	}
	text, s.held, s.state = s.held, "", verbatim
	return text, ""
}

func (s *splitter) inside(piece string) (text, thinking string) {
	s.held += piece
	if thought, rest, closed := strings.Cut(s.held, closeTag); closed {
		s.state, s.held = answer, ""
		return s.text.write(rest), s.think.write(thought)
	}
	keep := partial(s.held, closeTag)
	thinking = s.think.write(s.held[:len(s.held)-keep])
	s.held = s.held[len(s.held)-keep:]
	return "", thinking
}

// end returns what was held back. Reasoning that was never closed stays
// reasoning: there is no answer then. Nothing but blanks is no answer either.
func (s *splitter) end() (text, thinking string) {
	held := s.held
	s.held = ""
	if s.state == inThink {
		return "", s.think.write(held)
	}
	if strings.TrimSpace(held) == "" {
		return "", ""
	}
	return held, ""
}

// partial is the length of the longest end of s that begins tag.
func partial(s, tag string) int {
	for n := min(len(s), len(tag)-1); n > 0; n-- {
		if strings.HasSuffix(s, tag[:n]) {
			return n
		}
	}
	return 0
}

// trimmer removes blanks and line ends around a text that comes in pieces.
type trimmer struct {
	begun bool
	held  string // blanks that are only sent if something follows
}

func (t *trimmer) write(piece string) string {
	const blanks = " \t\r\n"
	if !t.begun {
		piece = strings.TrimLeft(piece, blanks)
		if piece == "" {
			return ""
		}
		t.begun = true
	}
	piece = t.held + piece
	out := strings.TrimRight(piece, blanks)
	t.held = piece[len(out):]
	return out
}
