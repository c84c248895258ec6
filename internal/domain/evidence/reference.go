package evidence

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// maxReferences bounds the references that are looked for in one text.
const maxReferences = 2000

// Reference is one place where a text says where something comes from.
type Reference struct {
	// Text is the reference as it is written: "S12", an address, an arXiv id.
	Text string
	// behind is where a remark about it goes, as an offset in bytes: behind the
	// link, brackets or code span that it stands in.
	behind int
	form   string // normal form; empty for a mark of the ledger
	// from and to are where a mark's brackets begin and end.
	from, to int
}

// References lists the references of a text in order.
func References(text string) []Reference {
	s := scanner{text: text}
	fence := ""
	for start := 0; start < len(text); {
		end := len(text)
		if i := strings.IndexByte(text[start:], '\n'); i >= 0 {
			end = start + i
		}
		switch mark := fenceOf(text[start:end]); {
		case fence == "" && mark != "":
			fence = mark
		case fence != "" && strings.HasPrefix(mark, fence) && strings.Trim(text[start:end], " \t\r"+fence[:1]) == "":
			fence = ""
		case fence == "":
			s.line(start, end)
		}
		start = end + 1
	}
	return s.found
}

// fenceOf is the ``` or ~~~ that a line begins with, as many as there are.
func fenceOf(line string) string {
	line = strings.TrimLeft(line, " \t>")
	for _, c := range "`~" {
		rest := strings.TrimLeft(line, string(c))
		if n := len(line) - len(rest); n >= 3 && (c == '~' || !strings.ContainsRune(rest, c)) {
			return line[:n]
		}
	}
	return ""
}

// scanner looks for references line by line.
type scanner struct {
	text  string
	end   int    // of the line at hand
	spans []span // code spans of the line
	found []Reference
}

type span struct{ from, to int }

func (s *scanner) line(start, end int) {
	s.end, s.spans = end, spansOf(s.text, start, end)
	for i := start; i < end && len(s.found) < maxReferences; {
		n := s.at(i, start)
		if n == 0 {
			_, n = utf8.DecodeRuneInString(s.text[i:end])
		}
		i += n
	}
}

// spansOf finds the code spans of a line: from a run of backquotes to the next
// of the same length.
func spansOf(text string, start, end int) []span {
	var runs []span
	for i := start; i < end; i++ {
		if text[i] == '`' {
			run := span{i, i}
			for run.to < end && text[run.to] == '`' {
				run.to++
			}
			runs = append(runs, run)
			i = run.to
		}
	}
	var out []span
	for i := 0; i+1 < len(runs); i++ {
		// Lines with very many runs are looked at in part only.
		for k := i + 1; k < min(len(runs), i+20); k++ {
			if runs[k].to-runs[k].from == runs[i].to-runs[i].from {
				out = append(out, span{runs[i].from, runs[k].to})
				i = k
				break
			}
		}
	}
	return out
}

// at reads the reference that begins at i; it returns its length in bytes.
func (s *scanner) at(i, start int) int {
	rest := s.text[i:s.end]
	if rest[0] == '[' {
		return s.marks(i)
	}
	if !isLetter(rest[0]) && !isDigit(rest[0]) || i > start && joined(s.text[i-1]) {
		return 0
	}
	if n := addressStart(rest); n > 0 {
		return s.address(i, n)
	}
	return s.paper(i, start)
}

// joined reports whether c and a letter behind it are one word.
func joined(c byte) bool {
	return isLetter(c) || isDigit(c) || c == '.' || c == '_' || c == '-' || c == '/' || c == '$' || c == '@'
}

// marks reads [S1], [S1, S2] and [^S1]; each is a reference of its own.
func (s *scanner) marks(i int) int {
	rest := s.text[i:s.end]
	at := 1
	if at < len(rest) && rest[at] == '^' {
		at++
	}
	var ids []string
	for {
		n := at
		for n < len(rest) && (rest[n] == 'S' && n == at || isDigit(rest[n]) && n > at) {
			n++
		}
		if n-at < 2 {
			return 0
		}
		ids = append(ids, rest[at:n])
		at = n
		for at < len(rest) && strings.IndexByte(",;- ", rest[at]) >= 0 || strings.HasPrefix(rest[at:], "–") {
			_, size := utf8.DecodeRuneInString(rest[at:])
			at += size
		}
		if at >= len(rest) || len(ids) > 100 {
			return 0
		}
		if rest[at] == ']' {
			break
		}
	}
	at++
	for _, id := range ids {
		s.add(id, "", i, s.linked(i+at))
		s.found[len(s.found)-1].to = i + at
	}
	return at
}

// linked moves behind the target of a link whose text ends at p.
func (s *scanner) linked(p int) int {
	if p < s.end && s.text[p] == '(' {
		if i := strings.IndexByte(s.text[p:min(s.end, p+maxURL)], ')'); i >= 0 {
			return p + i + 1
		}
	}
	return p
}

// addressStart is the length of what makes the beginning of text an address: a
// scheme, or the host of a place that is often cited without one.
func addressStart(text string) int {
	for _, prefix := range [...]string{
		"https://", "http://", "www.", "arxiv.org/", "ar5iv.org/", "ar5iv.labs.arxiv.org/", "huggingface.co/", "hf.co/",
		"github.com/", "doi.org/", "openreview.net/",
	} {
		if len(text) > len(prefix) && strings.EqualFold(text[:len(prefix)], prefix) {
			return len(prefix)
		}
	}
	return 0
}

// address reads an address whose first n bytes are known.
func (s *scanner) address(i, n int) int {
	end := i + n
	depth := [2]int{}
	for end < s.end {
		r, size := utf8.DecodeRuneInString(s.text[end:s.end])
		if unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("<>\"`|\\^{}“”‘’«»、。，（）…", r) || r == utf8.RuneError {
			break
		}
		if at := strings.IndexRune("([", r); at >= 0 {
			depth[at]++
		} else if at := strings.IndexRune(")]", r); at >= 0 {
			if depth[at]--; depth[at] < 0 {
				break
			}
		}
		end += size
	}
	text := strings.TrimRight(s.text[i:end], ".,;:!?'*~")
	if len(text) <= n {
		return n
	}
	end = i + len(text)
	if cited(text) {
		behind := end
		switch {
		case i > 0 && s.text[i-1] == '<' && end < s.end && s.text[end] == '>':
			behind++
		case i > 1 && s.text[i-2:i] == "](":
			behind = s.linked(i - 1)
		}
		s.add(text, form(text), i, behind)
	}
	return len(text)
}

// cited leaves out addresses that nobody cites: those of this machine, and
// pages of running jobs and of settings.
func cited(text string) bool {
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return true
	}
	host := strings.ToLower(u.Hostname())
	switch {
	case host == "localhost", strings.HasSuffix(host, ".localhost"), strings.HasPrefix(host, "127."), host == "0.0.0.0", host == "::1":
		return false
	case host == "huggingface.co", host == "hf.co":
		return !strings.HasPrefix(u.Path, "/jobs/") && !strings.HasPrefix(u.Path, "/settings/")
	}
	return host != ""
}

// paper reads an arXiv id. One that is only a number needs to look like an id of
// today: five digits behind the point.
func (s *scanner) paper(i, start int) int {
	rest := s.text[i:s.end]
	prefix := 0
	if len(rest) > 6 && strings.EqualFold(rest[:5], "arxiv") && (rest[5] == ':' || rest[5] == ' ') {
		prefix = 6
		for prefix < len(rest) && rest[prefix] == ' ' && prefix < 8 {
			prefix++
		}
	}
	id, n := paperPrefix(rest[prefix:])
	switch {
	case n == 0:
		return 0
	case prefix == 0 && strings.IndexByte(id, '/') < 0 && len(id) < len("arxiv:2402.03300"):
		return 0
	case prefix+n < len(rest) && strings.IndexByte("%_/", rest[prefix+n]) >= 0:
		return 0
	}
	s.add(rest[:prefix+n], id, i, i+prefix+n)
	return prefix + n
}

func (s *scanner) add(text, form string, from, behind int) {
	for _, code := range s.spans {
		if code.from < from && from < code.to {
			behind = max(behind, code.to)
		}
	}
	s.found = append(s.found, Reference{Text: text, behind: behind, form: form, from: from})
}

// maxUnverified bounds the list of references that nothing stands behind.
const maxUnverified = 200

// Unverified lists the references of text that no entry stands behind, each
// once, in order. own are addresses of what the session has made itself: they,
// and what lies below them, are no one's words.
func Unverified(text string, entries []event.Evidence, own ...string) []string {
	var out []string
	for _, r := range unverified(text, entries, own) {
		if !slices.Contains(out, r.Text) && len(out) < maxUnverified {
			out = append(out, r.Text)
		}
	}
	return out
}

func unverified(text string, entries []event.Evidence, own []string) []Reference {
	found := References(text)
	if len(found) == 0 {
		return nil
	}
	ids, known := map[string]bool{}, map[string]bool{}
	for _, e := range entries {
		ids[e.ID] = e.ID != ""
		for _, f := range forms(e) {
			known[f] = true
		}
	}
	made := make([]string, len(own))
	for i, address := range own {
		made[i] = form(address)
	}
	return slices.DeleteFunc(found, func(r Reference) bool {
		if r.form == "" {
			return ids[r.Text]
		}
		return known[r.form] || slices.ContainsFunc(made, func(m string) bool {
			return r.form == m || strings.HasPrefix(r.form, m+"/")
		})
	})
}
