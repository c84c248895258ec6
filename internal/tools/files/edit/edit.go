// Package edit replaces one piece of a text by another. It finds the piece
// exactly or, when a model has copied it with small differences, by steps that
// allow more and more of them; it changes what was meant or nothing at all. It
// knows bytes only: no files, no sessions, no tools.
package edit

import (
	"bytes"
	"fmt"
	"strings"
)

// Mode says what happens at a match.
type Mode string

// The modes.
const (
	// Replace puts New in place of Old.
	Replace Mode = "replace"
	// AppendAfter inserts New right behind Old.
	AppendAfter Mode = "append_after"
	// PrependBefore inserts New right before Old.
	PrependBefore Mode = "prepend_before"
)

// Request is one wanted change.
type Request struct {
	Old, New string
	Mode     Mode
	// All changes every match; otherwise there must be exactly one.
	All bool
}

// Method is how a match was found.
type Method int

// The methods, in the order they are tried.
const (
	Exact Method = iota
	Unicode
	TrailingBlanks
	Blanks
	BlanksUnicode
)

// Note says in parentheses how much a match had to allow; empty when exact.
func (m Method) Note() string {
	switch m {
	case Unicode:
		return "(matched after unicode normalization)"
	case TrailingBlanks:
		return "(matched after trimming trailing whitespace)"
	case Blanks:
		return "(matched after trimming whitespace)"
	case BlanksUnicode:
		return "(matched after trimming whitespace and unicode normalization)"
	default:
		return ""
	}
}

// Change is one piece of the original, from byte Start to before byte End, and
// what stands there now.
type Change struct {
	Start, End int
	New        string
}

// Result is the changed text.
type Result struct {
	Content []byte
	// Changes are in order and do not overlap; all other bytes are untouched.
	Changes []Change
	Method  Method
}

// bom is the byte order mark some editors put in front of UTF-8.
const bom = "\uFEFF"

// Apply returns content with r done to it. The error is *NotFound,
// *Ambiguous, or one of the sentinel errors.
func Apply(content []byte, r Request) (Result, error) {
	switch {
	case r.Old == r.New:
		return Result{}, ErrSame
	case r.Mode != Replace && r.Mode != AppendAfter && r.Mode != PrependBefore:
		return Result{}, fmt.Errorf("mode must be replace, append_after or prepend_before, not %q", r.Mode)
	}
	skip := 0 // a byte order mark is no part of the text
	if bytes.HasPrefix(content, []byte(bom)) {
		skip = len(bom)
		r.Old, r.New = strings.TrimPrefix(r.Old, bom), strings.TrimPrefix(r.New, bom)
	}
	body := content[skip:]
	found, method, err := find(body, r)
	if err != nil {
		return Result{}, err
	}
	changes := make([]Change, len(found))
	for i, h := range found {
		changes[i] = h.change(r, eolOf(body, h))
		changes[i].Start += skip
		changes[i].End += skip
	}
	return Result{Content: splice(content, changes), Changes: changes, Method: method}, nil
}

// find returns the places r speaks of.
func find(body []byte, r Request) ([]hit, Method, error) {
	if r.Old == "" {
		if len(body) == 0 && r.Mode == Replace {
			return []hit{{}}, Exact, nil
		}
		return nil, Exact, ErrEmptyOld
	}
	if lf(r.Old) == lf(r.New) && r.Mode == Replace {
		return nil, Exact, ErrLineEnds
	}
	s := &search{body: body, old: lf(r.Old), new: lf(r.New), raw: r.Old, all: r.All}
	for _, step := range []struct {
		method Method
		hits   func() []hit
	}{
		{Exact, s.exact},
		{Unicode, s.unicode},
		{TrailingBlanks, s.window(TrailingBlanks)},
		{Blanks, s.window(Blanks)},
		{BlanksUnicode, s.window(BlanksUnicode)},
	} {
		hits := step.hits()
		switch {
		case len(hits) == 0:
			continue
		case r.All:
			return apart(hits), step.method, nil
		case len(hits) > 1:
			return nil, step.method, ambiguous(body, hits, step.method)
		default:
			return hits, step.method, nil
		}
	}
	return nil, Exact, &NotFound{Near: similar(body, s.old), CutShort: s.unshiftable}
}

// hit is a match: the bytes of the body it covers and how New must be fitted.
type hit struct {
	start, end int
	shift      shift
	// verbatim keeps New as it is, line ends included.
	verbatim bool
	// atEnd: the match ends the text without a line end although Old has one.
	atEnd bool
}

// change turns a match into what happens there.
func (h hit) change(r Request, eol string) Change {
	text := r.New
	if !h.verbatim {
		text = lf(text)
		if shifted, ok := h.shift.apply(text); ok {
			text = shifted
		}
		if h.atEnd && r.Mode == Replace {
			text = strings.TrimSuffix(text, "\n")
		}
		if h.atEnd && r.Mode == AppendAfter {
			text = "\n" + strings.TrimSuffix(text, "\n")
		}
		if eol != "\n" {
			text = strings.ReplaceAll(text, "\n", eol)
		}
	}
	switch r.Mode {
	case AppendAfter:
		return Change{h.end, h.end, text}
	case PrependBefore:
		return Change{h.start, h.start, text}
	default:
		return Change{h.start, h.end, text}
	}
}

// apart leaves out matches that overlap an earlier one.
func apart(hits []hit) []hit {
	out := hits[:0]
	end := -1
	for _, h := range hits {
		if h.start >= end {
			out = append(out, h)
			end = h.end
		}
	}
	return out
}

func splice(content []byte, changes []Change) []byte {
	size := len(content)
	for _, c := range changes {
		size += len(c.New) - (c.End - c.Start)
	}
	out := make([]byte, 0, size)
	at := 0
	for _, c := range changes {
		out = append(out, content[at:c.Start]...)
		out = append(out, c.New...)
		at = c.End
	}
	return append(out, content[at:]...)
}

// lf turns every line end into \n.
func lf(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

// EOL is the line end most lines of content have.
func EOL(content []byte) string {
	crlf := bytes.Count(content, []byte("\r\n"))
	if crlf > 0 && 2*crlf >= bytes.Count(content, []byte("\n")) {
		return "\r\n"
	}
	return "\n"
}

// eolOf is the line end to use at h: that of the replaced text, else the
// file's.
func eolOf(body []byte, h hit) string {
	if i := bytes.IndexByte(body[h.start:h.end], '\n'); i >= 0 {
		if i > 0 && body[h.start+i-1] == '\r' {
			return "\r\n"
		}
		return "\n"
	}
	return EOL(body)
}
