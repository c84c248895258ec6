package github

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// Place is where something lies: a repository, or a file or folder in it.
type Place struct {
	Repo string // owner/name
	Ref  string // empty is the default branch
	Path string // empty is the repository itself
	// From and To are lines, counted from 1; 0 is none.
	From, To int
	// Number is that of an issue or pull request; 0 is none.
	Number int
}

// ParseRepo reads owner/name or the address of a repository. Without an owner
// it takes the given one; an empty one refuses.
func ParseRepo(s, owner string) (string, error) {
	s = strings.TrimSpace(s)
	if p, ok, err := ParseURL(s); ok {
		return p.Repo, err
	}
	s = strings.Trim(s, "/")
	if !strings.Contains(s, "/") && owner != "" {
		s = strings.Trim(strings.TrimSpace(owner), "/@") + "/" + s
	}
	user, name, ok := strings.Cut(s, "/")
	if name = strings.TrimSuffix(name, ".git"); !ok || !isOwner(user) || !isName(name) {
		return "", errors.New("repo must be in format 'owner/repo'")
	}
	return user + "/" + name, nil
}

// ParseOwner reads the name of a user or an organisation, or its address.
func ParseOwner(s string) (string, error) {
	s = strings.TrimSpace(s)
	for _, prefix := range []string{"https://", "http://", "www.", "github.com/", "@"} {
		s = strings.TrimPrefix(s, prefix)
	}
	s, _, _ = strings.Cut(s, "/")
	if !isOwner(s) {
		return "", errors.New("owner must be the name of a GitHub user or organisation, such as huggingface")
	}
	return s, nil
}

// ParseURL reads an address on github.com, its API or raw.githubusercontent.com.
// ok is false when s is no address of theirs. A branch whose name has slashes
// is taken for its first part.
func ParseURL(s string) (p Place, ok bool, err error) {
	if strings.HasPrefix(s, "github.com/") || strings.HasPrefix(s, "www.github.com/") {
		s = "https://" + s
	}
	if !strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") {
		return p, false, nil
	}
	u, err := url.Parse(s)
	if err != nil {
		return p, true, errors.New("it is no address")
	}
	segments := strings.FieldsFunc(u.Path, func(r rune) bool { return r == '/' })
	switch strings.ToLower(u.Hostname()) {
	case "github.com", "www.github.com":
	case "raw.githubusercontent.com":
		if len(segments) > 2 {
			segments = append([]string{segments[0], segments[1], "raw"}, segments[2:]...)
		}
	case "api.github.com":
		if len(segments) > 0 && segments[0] == "repos" {
			segments = segments[1:]
		}
		if len(segments) > 3 && segments[2] == "contents" {
			segments = append([]string{segments[0], segments[1], "blob", u.Query().Get("ref")}, segments[3:]...)
		}
	default:
		return p, true, errors.New("only addresses on github.com and raw.githubusercontent.com are read; use web_fetch for others")
	}
	if len(segments) < 2 || !isOwner(segments[0]) || !isName(strings.TrimSuffix(segments[1], ".git")) {
		return p, true, errors.New("the address names no repository")
	}
	p.Repo = segments[0] + "/" + strings.TrimSuffix(segments[1], ".git")
	if len(segments) > 3 {
		switch segments[2] {
		case "blob", "tree", "raw", "blame", "edit":
			if segments[3] == "refs" && len(segments) > 5 { // refs/heads/main, refs/tags/v1
				segments = append(segments[:3:3], segments[5:]...)
			}
			p.Ref, p.Path = segments[3], strings.Join(segments[4:], "/")
		case "issues", "pull":
			p.Number, _ = strconv.Atoi(segments[3]) // 0 is none
		}
	}
	p.From, p.To = lines(u.Fragment)
	return p, true, CheckPath(p.Path)
}

// lines reads L10, L10-L40 and L10C3-L40C7.
func lines(fragment string) (from, to int) {
	first, last, ranged := strings.Cut(fragment, "-")
	number := func(s string) int {
		s, ok := strings.CutPrefix(s, "L")
		if !ok {
			return 0
		}
		s, _, _ = strings.Cut(s, "C")
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return 0
		}
		return n
	}
	from = number(first)
	if to = number(last); !ranged {
		to = from
	}
	if from == 0 || to == 0 {
		return 0, 0
	}
	return from, to
}

// CheckPath refuses paths that lead out of the repository.
func CheckPath(path string) error {
	if len(path) > 4096 {
		return errors.New("path is longer than 4,096 bytes")
	}
	for s := range strings.SplitSeq(path, "/") {
		if s == ".." || s == "." {
			return errors.New("path must not contain '.' or '..' as a part")
		}
	}
	for _, r := range path {
		if r < ' ' || r == 0x7f {
			return errors.New("path must not contain control characters")
		}
	}
	return nil
}

func isOwner(s string) bool {
	return len(s) > 0 && len(s) <= 100 && only(s, "-_") && s[0] != '-'
}

func isName(s string) bool {
	return len(s) > 0 && len(s) <= 100 && only(s, "-_.") && s != "." && s != ".."
}

// only reports whether s has ASCII letters, digits and the extra characters.
func only(s, extra string) bool {
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(extra, r):
		default:
			return false
		}
	}
	return true
}
