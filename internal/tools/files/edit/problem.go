package edit

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
)

// What can be wrong with a request.
var (
	ErrSame     = errors.New("old_str and new_str must differ")
	ErrEmptyOld = errors.New("old_str must not be empty: give the text to be changed (only an empty file can be filled with an empty old_str in mode replace)")
	ErrLineEnds = errors.New("old_str and new_str differ only in their line ends, which edit keeps as the file has them")
)

// Range is a range of lines, counted from 1, both ends included.
type Range struct{ First, Last int }

func (r Range) String() string {
	if r.First == r.Last {
		return fmt.Sprintf("line %d", r.First)
	}
	return fmt.Sprintf("lines %d-%d", r.First, r.Last)
}

// Similar is a place that resembles a text that was not found.
type Similar struct {
	Range
	Text []string // its lines
}

// NotFound says that the old text is not in the file.
type NotFound struct {
	Near []Similar // at most three, the most alike first
	// CutShort is a place that matches but for an indentation that is not
	// the same from line to line.
	CutShort *Range
}

func (e *NotFound) Error() string {
	var b strings.Builder
	b.WriteString("old_str was not found")
	if e.CutShort != nil {
		fmt.Fprintf(&b, "; %s would match, but the indentation differs from line to line: copy it exactly", e.CutShort)
	}
	if len(e.Near) == 0 {
		b.WriteString("; nothing in the file resembles it")
		return b.String()
	}
	b.WriteString("; most similar: ")
	for i, n := range e.Near {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(n.String())
	}
	for i, n := range e.Near {
		limit := 1
		if i == 0 {
			limit = 10 // lines of the best place are shown, of the others the first
		}
		for j, text := range n.Text[:min(limit, len(n.Text))] {
			fmt.Fprintf(&b, "\n%6d\t%s", n.First+j, cut(text))
		}
	}
	return b.String()
}

// cut bounds a line that is shown; 200 characters tell enough.
func cut(text string) string {
	const limit = 200
	text = strings.ToValidUTF8(text, "\uFFFD")
	if short := excerpt.Head(text, limit); len(short) < len(text) {
		return short + "..."
	}
	return text
}

// Ambiguous says that the old text is in the file more than once.
type Ambiguous struct {
	Count  int
	Ranges []Range // the first ten
	Method Method
}

func (e *Ambiguous) Error() string {
	places := make([]string, len(e.Ranges))
	for i, r := range e.Ranges {
		places[i] = r.String()
	}
	text := strings.Join(places, ", ")
	if e.Count > len(e.Ranges) {
		text += ", …"
	}
	if note := e.Method.Note(); note != "" {
		text += " " + note
	}
	return fmt.Sprintf("old_str matches %d places: %s; add lines around it to make it unique, or set replace_all", e.Count, text)
}

// ambiguous tells where the hits are.
func ambiguous(body []byte, hits []hit, m Method) error {
	e := &Ambiguous{Count: len(hits), Method: m}
	at, lineNo := 0, 1
	for _, h := range hits[:min(len(hits), 10)] {
		lineNo += bytes.Count(body[at:h.start], []byte("\n"))
		at = h.start
		end := max(h.start, h.end)
		covered := bytes.TrimSuffix(body[h.start:end], []byte("\n"))
		e.Ranges = append(e.Ranges, Range{lineNo, lineNo + bytes.Count(covered, []byte("\n"))})
	}
	return e
}
