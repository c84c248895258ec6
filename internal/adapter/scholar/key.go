package scholar

import (
	"errors"
	"net/url"
	"strings"
)

// Key names a paper as Semantic Scholar does: ARXIV:2402.03300, DOI:10.1/x,
// CorpusId:123 or its own 40 digits.
type Key string

// ErrKey says that a text names no paper.
var ErrKey = errors.New("it is no DOI, no CorpusId:n and no 40 hexadecimal digits of Semantic Scholar")

// ArxivKey is the key of an arXiv paper; name is its id without a version.
func ArxivKey(name string) Key { return Key("ARXIV:" + name) }

// ParseKey reads a DOI, bare or as an address, a CorpusId or an id of Semantic
// Scholar.
func ParseKey(text string) (Key, error) {
	s := strings.TrimSpace(text)
	if len(s) > 300 {
		return "", ErrKey
	}
	if isSHA(strings.ToLower(s)) {
		return Key(strings.ToLower(s)), nil
	}
	if rest, ok := cutFold(s, "CorpusId:"); ok {
		rest = strings.TrimSpace(rest)
		if len(rest) > 15 || strings.Trim(rest, "0123456789") != "" || rest == "" {
			return "", ErrKey
		}
		return Key("CorpusId:" + rest), nil
	}
	for _, prefix := range []string{"https://", "http://", "dx.", "doi.org/", "doi:"} {
		if rest, ok := cutFold(s, prefix); ok {
			s = strings.TrimSpace(rest)
		}
	}
	if !isDOI(s) {
		return "", ErrKey
	}
	return Key("DOI:" + s), nil
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// isDOI accepts 10.1093/MIND/LIX.236.433; its parts must not climb in a path.
func isDOI(s string) bool {
	registrant, suffix, ok := strings.Cut(s, "/")
	number, found := strings.CutPrefix(registrant, "10.")
	if !ok || !found || len(number) < 4 || len(number) > 9 || strings.Trim(number, "0123456789.") != "" || suffix == "" {
		return false
	}
	for part := range strings.SplitSeq(suffix, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return strings.IndexFunc(suffix, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }) < 0
}

func isSHA(s string) bool { return len(s) == 40 && strings.Trim(s, "0123456789abcdef") == "" }

// path is the key as part of an address; its slashes stay.
func (k Key) path() string {
	parts := strings.Split(string(k), "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// Bare is the key without its kind where people know it without.
func (k Key) Bare() string {
	return strings.TrimPrefix(strings.TrimPrefix(string(k), "ARXIV:"), "DOI:")
}
