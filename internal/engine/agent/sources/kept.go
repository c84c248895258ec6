package sources

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/engine/policy/danger"
)

// Bounds of what is kept to be recognised, in bytes: of one text, and of all.
const (
	keptText = 256 << 10
	keptAll  = 1 << 20
)

// What of an address is taken for a piece of a kept text, in bytes: a whole
// value of the query, a run inside a longer one, a run in a path, whose words
// may be a title that stands anywhere.
const (
	wholeValue = 12
	queryRun   = 24
	pathRun    = 32
)

// kept is a text that others have not written.
type kept struct{ text, words string }

// Keep remembers a result that is not from outside: a file of this machine,
// what a command printed, a file of a repository that may be private. An
// address that holds a piece of it would tell its host.
func (s *Sources) Keep(text string) {
	if len(text) < wholeValue {
		return
	}
	if len(text) > keptText {
		text = text[:keptText]
	}
	k := kept{text: text, words: words(text)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept, s.size = append(s.kept, k), s.size+len(text)
	for s.size > keptAll {
		s.size -= len(s.kept[0].text)
		s.kept = s.kept[1:]
	}
}

// cited reports whether a result of an earlier run of the program names its
// sources: its last line is one of marks.
func cited(output string) bool {
	return strings.HasPrefix(output[strings.LastIndexByte(output, '\n')+1:], "[S")
}

// Carries returns the host that a call would tell a piece of a kept text by its
// address; it is empty where there is none. Only calls that ask any host are
// looked at. Texts that were turned into something else than base64 or hex are
// not recognised.
func (s *Sources) Carries(name string, args json.RawMessage) string {
	var p struct{ URL, Command string }
	_ = json.Unmarshal(args, &p) // arguments that are no object hold no address
	var addresses []string
	switch name {
	case "web_fetch":
		addresses = []string{strings.TrimSpace(p.URL)}
	case "bash":
		addresses = strings.FieldsFunc(p.Command, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("'\"`|;<>()", r) })
	}
	s.mu.Lock()
	texts := s.kept
	s.mu.Unlock()
	if len(texts) == 0 {
		return ""
	}
	for _, a := range addresses {
		if host := carries(a, texts); host != "" {
			return host
		}
	}
	return ""
}

func carries(address string, texts []kept) string {
	_, rest, ok := strings.Cut(address, "://")
	if !ok {
		rest = address
		if !strings.ContainsAny(rest, "/?") || !strings.Contains(rest, ".") {
			return ""
		}
	}
	if danger.KnownHost(address) {
		return ""
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	host, path, _ := strings.Cut(rest, "/")
	for _, k := range texts {
		if strings.Contains(k.text, address) {
			return "" // it is written there as it is
		}
	}
	for _, label := range strings.Split(host, ".") {
		if holds(texts, decoded(label), queryRun) {
			return host
		}
	}
	for _, segment := range strings.Split(path, "/") {
		plain, err := url.PathUnescape(segment)
		if err != nil {
			plain = segment
		}
		stem, _, _ := strings.Cut(plain, ".")
		if holds(texts, []string{plain}, pathRun) || holds(texts, append(decoded(plain), decoded(stem)...), queryRun) {
			return host
		}
	}
	for _, pair := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' }) {
		for _, part := range strings.SplitN(pair, "=", 2) {
			plain, err := url.QueryUnescape(part)
			if err != nil {
				plain = part
			}
			if holds(texts, append(decoded(plain), plain), queryRun) {
				return host
			}
		}
	}
	return ""
}

// holds reports whether one of the values is, or has in it, a piece of one of
// the texts of at least run bytes. In a path only that counts.
func holds(texts []kept, values []string, run int) bool {
	for _, v := range values {
		v = words(v)
		for _, k := range texts {
			if run == queryRun && len(v) >= wholeValue && strings.Contains(k.words, v) {
				return true
			}
			// Every piece of 3/2 run bytes has one of these windows in it.
			for i := 0; i+run <= len(v); i += run / 2 {
				if strings.Contains(k.words, v[i:i+run]) {
					return true
				}
			}
		}
	}
	return false
}

// words is a text in small letters and figures, with one blank for all else.
func words(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	blank := false
	for _, r := range text {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			blank = b.Len() > 0
			continue
		}
		if blank {
			b.WriteByte(' ')
			blank = false
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// decoded are the texts that a value may be an encoding of.
func decoded(value string) []string {
	if len(value) < wholeValue {
		return nil
	}
	var out []string
	bare := strings.NewReplacer("-", "+", "_", "/", " ", "+").Replace(strings.TrimRight(value, "="))
	if raw, err := base64.RawStdEncoding.DecodeString(bare); err == nil && utf8.Valid(raw) {
		out = append(out, string(raw))
	}
	if raw, err := hex.DecodeString(value); err == nil && utf8.Valid(raw) {
		out = append(out, string(raw))
	}
	return out
}
