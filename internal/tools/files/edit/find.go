package edit

import (
	"bytes"
	"strings"
	"unicode"
)

// search looks for old in body; old and new have \n as their line ends.
type search struct {
	body     []byte
	old, new string
	raw      string // old as it was given
	all      bool

	lines []line // of body, split on first use
	// unshiftable is the first window that matched but for an indentation that
	// differs from line to line, or that new cannot follow.
	unshiftable *Range
}

// line is one line of the body.
type line struct {
	text     string // without its line end
	start    int
	textEnd  int // where the line end begins
	lineEnd  int // behind the line end
	complete bool
}

// exact finds old as it stands, each \n matching either line end.
func (s *search) exact() []hit {
	if hits := s.in(plain(s.body), s.old); len(hits) > 0 || !strings.Contains(s.raw, "\r") {
		return hits
	}
	hits := s.in(&view{text: s.body}, s.raw)
	for i := range hits {
		hits[i].verbatim = true
	}
	return hits
}

// unicode finds old with typographic characters as their plain forms, at any
// place of a line.
func (s *search) unicode() []hit {
	old := plainText(s.old)
	if old == "" || isASCII(s.body) && old == s.old {
		return nil
	}
	return s.in(mapped(s.body), old)
}

// in returns the matches of old in w. Without all, one that overlaps the only
// other match counts too: the place is then not unique.
func (s *search) in(w *view, old string) []hit {
	var hits []hit
	pattern := []byte(old)
	add := func(v int) {
		hits = append(hits, hit{start: w.start(v), end: w.end(v + len(pattern))})
	}
	for at := 0; ; {
		i := bytes.Index(w.text[at:], pattern)
		if i < 0 {
			break
		}
		add(at + i)
		at += i + len(pattern)
	}
	if len(hits) == 1 && !s.all {
		first := bytes.Index(w.text, pattern)
		if i := bytes.Index(w.text[first+1:], pattern); i >= 0 {
			add(first + 1 + i)
		}
	}
	return hits
}

// window returns the step that compares whole lines, trimmed as m says.
func (s *search) window(m Method) func() []hit {
	return func() []hit {
		want := strings.Split(strings.TrimSuffix(s.old, "\n"), "\n")
		ended := strings.HasSuffix(s.old, "\n")
		if strings.TrimSpace(plainText(s.old)) == "" {
			return nil // blank lines are everywhere
		}
		if s.lines == nil {
			s.lines = split(s.body)
		}
		have := make([]string, len(s.lines))
		for i, l := range s.lines {
			have[i] = trim(l.text, m)
		}
		trimmed := make([]string, len(want))
		for i := range want {
			trimmed[i] = trim(want[i], m)
		}
		var hits []hit
		for i := 0; i+len(want) <= len(have); i++ {
			if !sameLines(have[i:i+len(want)], trimmed) {
				continue
			}
			if h, ok := s.fit(i, want, ended, m); ok {
				hits = append(hits, h)
			}
		}
		return hits
	}
}

func sameLines(have, want []string) bool {
	for i := range want {
		if have[i] != want[i] {
			return false
		}
	}
	return true
}

// fit makes a hit of the window that begins at line i, unless its indentation
// cannot be carried over to new.
func (s *search) fit(i int, want []string, ended bool, m Method) (hit, bool) {
	last := s.lines[i+len(want)-1]
	h := hit{start: s.lines[i].start, end: last.textEnd}
	if ended {
		h.end, h.atEnd = last.lineEnd, !last.complete
	}
	if m == TrailingBlanks {
		return h, true
	}
	texts := make([]string, len(want))
	for j := range want {
		texts[j] = s.lines[i+j].text
	}
	var ok bool
	if h.shift, ok = between(want, texts, m); ok {
		_, ok = h.shift.apply(s.new)
	}
	if !ok && s.unshiftable == nil {
		s.unshiftable = &Range{First: i + 1, Last: i + len(want)}
	}
	return h, ok
}

// trim is what m leaves of a line for comparing.
func trim(text string, m Method) string {
	if m == BlanksUnicode {
		text = plainText(text)
	}
	text = strings.TrimRightFunc(text, unicode.IsSpace)
	if m == TrailingBlanks {
		return text
	}
	return strings.TrimLeftFunc(text, unicode.IsSpace)
}

// split cuts body into lines. Only \n and \r\n end one.
func split(body []byte) []line {
	text := string(body)
	lines := make([]line, 0, strings.Count(text, "\n")+1)
	for at := 0; at < len(body); {
		l := line{start: at, textEnd: len(body), lineEnd: len(body)}
		if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
			l.textEnd, l.lineEnd, l.complete = at+i, at+i+1, true
			if i > 0 && text[at+i-1] == '\r' {
				l.textEnd--
			}
		}
		l.text = text[at:l.textEnd]
		lines = append(lines, l)
		at = l.lineEnd
	}
	return lines
}
