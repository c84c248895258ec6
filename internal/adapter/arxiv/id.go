package arxiv

import (
	"errors"
	"strings"
)

// ID names a paper, and one version of it where Version is set.
type ID struct {
	// Name is the id without version, such as "2402.03300" or "hep-th/9901001".
	Name string
	// Version is such as "v2"; empty is the newest.
	Version string
}

// String is the id with its version.
func (id ID) String() string { return id.Name + id.Version }

// AbstractURL is the paper's page for people.
func (id ID) AbstractURL() string { return "https://arxiv.org/abs/" + id.String() }

// ErrID says that a text names no arXiv paper.
var ErrID = errors.New("it is no arXiv id (such as 2402.03300, arXiv:2402.03300v2, hep-th/9901001) and no address of an arXiv paper")

// places are the addresses that papers have, without scheme and www.
func places() []string {
	return []string{
		"arxiv.org/abs/", "arxiv.org/pdf/", "arxiv.org/html/", "arxiv.org/format/",
		"export.arxiv.org/abs/", "export.arxiv.org/pdf/", "export.arxiv.org/html/",
		"ar5iv.labs.arxiv.org/html/", "ar5iv.labs.arxiv.org/abs/", "ar5iv.org/html/", "ar5iv.org/abs/",
		"huggingface.co/papers/", "hf.co/papers/", "doi.org/", "dx.doi.org/",
	}
}

// ParseID reads an id in any of the forms that people and pages use: bare, with
// "arXiv:" in front, as a DOI of arXiv, or as the address of the paper at
// arXiv, ar5iv or the Hub.
func ParseID(text string) (ID, error) {
	s := strings.TrimSpace(text)
	if len(s) > 300 {
		return ID{}, ErrID
	}
	s = atPlace(s)
	for _, prefix := range []string{"doi:", "10.48550/arxiv.", "arxiv:"} {
		if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
			s = strings.TrimSpace(s[len(prefix):])
		}
	}
	name, version := cutVersion(s)
	if !isNew(name) && !isOld(name) {
		return ID{}, ErrID
	}
	return ID{Name: name, Version: version}, nil
}

// atPlace takes what follows a known address; other texts come back as they are.
func atPlace(s string) string {
	rest := s
	for _, scheme := range []string{"https://", "http://"} {
		if len(rest) >= len(scheme) && strings.EqualFold(rest[:len(scheme)], scheme) {
			rest = rest[len(scheme):]
		}
	}
	rest = strings.TrimPrefix(rest, "www.")
	for _, place := range places() {
		if len(rest) < len(place) || !strings.EqualFold(rest[:len(place)], place) {
			continue
		}
		rest = rest[len(place):]
		if i := strings.IndexAny(rest, "?#"); i >= 0 {
			rest = rest[:i]
		}
		rest = strings.TrimRight(rest, "/")
		return strings.TrimSuffix(strings.TrimSuffix(rest, ".pdf"), ".md")
	}
	return s
}

// cutVersion splits a trailing v and digits off.
func cutVersion(s string) (name, version string) {
	i := len(s)
	for i > 0 && isDigit(s[i-1]) {
		i--
	}
	if i < len(s) && i > 0 && s[i-1] == 'v' {
		return s[:i-1], s[i-1:]
	}
	return s, ""
}

// isNew accepts 2402.03300 and 0704.0001.
func isNew(s string) bool {
	year, number, ok := strings.Cut(s, ".")
	return ok && len(year) == 4 && digits(year) && (len(number) == 4 || len(number) == 5) && digits(number)
}

// isOld accepts hep-th/9901001 and math.GT/0309136.
func isOld(s string) bool {
	archive, number, ok := strings.Cut(s, "/")
	if !ok || len(number) != 7 || !digits(number) {
		return false
	}
	archive, subject, sub := strings.Cut(archive, ".")
	if sub && (len(subject) != 2 || subject != strings.ToUpper(subject) || subject == strings.ToLower(subject)) {
		return false
	}
	for i := range len(archive) {
		if c := archive[i]; c != '-' && (c < 'a' || c > 'z') {
			return false
		}
	}
	for i := range len(subject) {
		if c := subject[i]; c < 'A' || c > 'Z' {
			return false
		}
	}
	return archive != ""
}

func digits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
