package edit

import (
	"strings"
	"unicode"
)

// shift is how the indentation in a file differs from that in a request: one
// of the two is empty.
type shift struct {
	add    string // stands before every line in the file
	remove string // stands before every line in the request
}

// between returns the shift that leads from the lines of a request to those of
// the file. It reports false when they do not all differ in the same way.
func between(request, file []string, m Method) (shift, bool) {
	var s shift
	first := true
	for i := range request {
		from, to := indent(request[i], m), indent(file[i], m)
		if trim(request[i], m) == "" {
			continue
		}
		var this shift
		switch {
		case strings.HasSuffix(to, from):
			this.add = to[:len(to)-len(from)]
		case strings.HasSuffix(from, to):
			this.remove = from[:len(from)-len(to)]
		default:
			return shift{}, false
		}
		if !first && this != s {
			return shift{}, false
		}
		s, first = this, false
	}
	return s, true
}

// indent is the blank beginning of a line.
func indent(text string, m Method) string {
	if m == BlanksUnicode {
		text = plainText(text)
	}
	return text[:len(text)-len(strings.TrimLeftFunc(text, unicode.IsSpace))]
}

// apply shifts the lines of text that are not blank. It reports false when a
// line has less indentation than must go.
func (s shift) apply(text string) (string, bool) {
	if s == (shift{}) {
		return text, true
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.TrimSpace(l) == "" {
			continue
		}
		rest, ok := strings.CutPrefix(l, s.remove)
		if !ok {
			return text, false
		}
		lines[i] = s.add + rest
	}
	return strings.Join(lines, "\n"), true
}
