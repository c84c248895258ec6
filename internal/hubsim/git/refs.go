package git

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Prefixes of refs.
const (
	Heads    = "refs/heads/"
	Tags     = "refs/tags/"
	Pulls    = "refs/pr/"
	Converts = "refs/convert/"
	Main     = Heads + "main"
)

// IsPull reports whether a full name is that of a pull request.
func IsPull(ref string) bool { return strings.HasPrefix(ref, Pulls) }

// Move is an entry of the log of refs; an empty name stands for no commit.
type Move struct {
	Ref string    `json:"ref"`
	Old string    `json:"old,omitempty"`
	New string    `json:"new,omitempty"`
	By  string    `json:"by,omitempty"`
	At  time.Time `json:"at"`
}

// Refs names commits. The caller guards it.
type Refs struct {
	Names map[string]string `json:"names"`
	Log   []Move            `json:"log"`
}

// NewRefs returns no refs.
func NewRefs() *Refs { return &Refs{Names: map[string]string{}} }

// Set points ref to oid, or removes it when oid is empty, and logs the move.
func (r *Refs) Set(ref, oid, by string, at time.Time) {
	r.Log = append(r.Log, Move{Ref: ref, Old: r.Names[ref], New: oid, By: by, At: at})
	if oid == "" {
		delete(r.Names, ref)
		return
	}
	r.Names[ref] = oid
}

// List returns the names below prefix, sorted.
func (r *Refs) List(prefix string) []string {
	var names []string
	for ref := range r.Names {
		if strings.HasPrefix(ref, prefix) {
			names = append(names, ref)
		}
	}
	slices.Sort(names)
	return names
}

// Find turns what a client calls a revision into the full name of a ref: a full
// name, HEAD, a branch, a tag, a pull request.
func (r *Refs) Find(rev string) (ref string, ok bool) {
	if rev == "HEAD" {
		rev = Main
	}
	for _, ref := range []string{rev, Heads + rev, Tags + rev, "refs/" + rev} {
		if _, ok := r.Names[ref]; ok && strings.HasPrefix(ref, "refs/") {
			return ref, true
		}
	}
	return "", false
}

// CheckName says what is wrong with the name of a branch or tag.
func CheckName(name string) error {
	bad := func(why string) error { return fmt.Errorf("invalid reference name %q: %s", name, why) }
	switch {
	case name == "" || len(name) > 250:
		return bad("it must have 1 to 250 bytes")
	case name == "@" || name == "HEAD" || strings.HasPrefix(name, "-") || strings.HasPrefix(name, "refs/"):
		return bad("it is reserved")
	case strings.Contains(name, "..") || strings.Contains(name, "@{") || strings.HasSuffix(name, "."):
		return bad(`it must not hold ".." or "@{" or end in "."`)
	case FullName(name):
		return bad("it looks like a commit")
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c == 0x7f || strings.IndexByte(`~^:?*[\`, c) >= 0 {
			return bad("a character is not allowed")
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return bad(`no part may be empty, start with "." or end in ".lock"`)
		}
	}
	return nil
}

// CheckPath says what is wrong with the path of a file.
func CheckPath(path string) error {
	bad := func(why string) error { return fmt.Errorf("invalid path %q: %s", path, why) }
	switch {
	case path == "" || len(path) > 4096:
		return bad("it must have 1 to 4096 bytes")
	case strings.HasPrefix(path, "/"):
		return bad("it must not start with a slash")
	}
	for _, c := range []byte(path) {
		if c < ' ' || c == 0x7f {
			return bad("it holds a control character")
		}
	}
	for part := range strings.SplitSeq(path, "/") {
		switch {
		case part == "":
			return bad("a part is empty")
		case part == "." || part == "..":
			return bad(`"." and ".." are not allowed`)
		case strings.EqualFold(part, ".git"):
			return bad(`".git" is not allowed`)
		case len(part) > 255:
			return bad("a part has more than 255 bytes")
		}
	}
	return nil
}
