// Package search finds words in texts: all of them, whatever their case. It
// judges a whole file by its bytes first, which is many times faster than
// reading what it says, and shows a hit with what stands around it. It does not
// know what a session is.
package search

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Query is the words that are looked for.
type Query struct {
	words []string // in lower case
	raw   [][]byte // those that stand in JSON as they are
}

// mostWords bounds a query.
const mostWords = 32

// New makes a query from what a person typed: every word must be found. The
// error says that there is none, or that there are too many.
func New(text string) (*Query, error) {
	q := &Query{}
	for _, word := range strings.Fields(strings.ToLower(text)) {
		q.words = append(q.words, word)
		if literal(word) {
			q.raw = append(q.raw, []byte(word))
		}
	}
	switch {
	case len(q.words) == 0:
		return nil, errors.New("there is no word to look for")
	case len(q.words) > mostWords:
		return nil, errors.New("too many words to look for: at most 32")
	}
	return q, nil
}

// literal reports whether a word looks the same inside a JSON string, in
// whatever case: then a file without it need not be read.
func literal(word string) bool {
	for _, c := range []byte(word) {
		if c <= ' ' || c >= utf8.RuneSelf-1 || strings.IndexByte(`"\/<>&'`, c) >= 0 {
			return false
		}
	}
	return true
}

// chunk is how much of a file is looked at at a time.
const chunk = 256 << 10

// MayBeIn reports whether r, a file of JSON, can hold all words.
func (q *Query) MayBeIn(r io.Reader) (bool, error) {
	if len(q.raw) == 0 {
		return true, nil
	}
	longest := 0
	for _, word := range q.raw {
		longest = max(longest, len(word))
	}
	missing := append([][]byte(nil), q.raw...)
	buf := make([]byte, longest+chunk)
	kept := 0 // the end of the last piece, where a word may have begun
	for {
		n, err := io.ReadFull(r, buf[kept:])
		piece := buf[:kept+n]
		lower(piece[kept:])
		for i := 0; i < len(missing); {
			if bytes.Contains(piece, missing[i]) {
				missing = append(missing[:i], missing[i+1:]...)
				continue
			}
			i++
		}
		if len(missing) == 0 {
			return true, nil
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		kept = copy(buf, piece[len(piece)-min(longest-1, len(piece)):])
	}
}

// lower puts ASCII letters in lower case, in place.
func lower(text []byte) {
	for i, c := range text {
		if c-'A' < 26 {
			text[i] = c + ('a' - 'A')
		}
	}
}

// Search looks through the texts of one thing after the other.
type Search struct {
	q       *Query
	found   []bool
	left    int
	best    int // words in the text of the snippet
	snippet string
}

// Begin starts a search.
func (q *Query) Begin() *Search {
	return &Search{q: q, found: make([]bool, len(q.words)), left: len(q.words)}
}

// Look takes in one text.
func (s *Search) Look(text string) {
	folded := strings.ToLower(text)
	hits, first := 0, -1
	for i, word := range s.q.words {
		at := strings.Index(folded, word)
		if at < 0 {
			continue
		}
		hits++
		if first < 0 || at < first {
			first = at
		}
		if !s.found[i] {
			s.found[i] = true
			s.left--
		}
	}
	if hits > s.best {
		s.best = hits
		s.snippet = around(text, folded, first)
	}
}

// Found reports whether every word was seen, and shows the text that holds the
// most of them around its first hit, on one line.
func (s *Search) Found() (snippet string, ok bool) { return s.snippet, s.left == 0 }

// before and length are how many bytes a snippet has in front of its hit and
// in all; it may be longer by two times word, so that no word is torn.
const (
	before = 40
	length = 160
	word   = 24
)

// around cuts a piece out of text. at is a place in folded, which is as long as
// text but for a few letters that change their size with their case.
func around(text, folded string, at int) string {
	if len(text) != len(folded) {
		text = folded
	}
	from, to := max(0, at-before), min(len(text), at-before+length)
	to = max(to, min(len(text), length))
	for low := max(0, from-word); from > low && !boundary(text, from); {
		from--
	}
	for high := min(len(text), to+word); to < high && !boundary(text, to); {
		to++
	}
	cut := strings.Join(strings.Fields(strings.ToValidUTF8(text[from:to], "")), " ")
	if from > 0 {
		cut = "…" + cut
	}
	if to < len(text) {
		cut += "…"
	}
	return cut
}

// boundary reports whether a blank is beside i.
func boundary(text string, i int) bool {
	r, _ := utf8.DecodeRuneInString(text[i:])
	last, _ := utf8.DecodeLastRuneInString(text[:i])
	return unicode.IsSpace(r) || unicode.IsSpace(last)
}
