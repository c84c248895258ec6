// Package name holds the rules of names that are put into the addresses of a
// Hub: ids, paths, revisions, labels. Each rule returns what is broken about a
// name, in words that follow it, or "". It knows no request.
package name

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

func only(s, extra string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(extra, c) >= 0) {
			return false
		}
	}
	return true
}

// RepoID accepts ids of repositories and buckets: "name" or
// "namespace/name".
func RepoID(id string) string {
	parts := strings.Split(id, "/")
	name := parts[len(parts)-1]
	switch {
	case id == "":
		return "is missing"
	case len(parts) > 2:
		return "must be name or namespace/name"
	case len(name) > 96 || len(parts[0]) > 96:
		return "is longer than 96 characters"
	case strings.Contains(id, "--") || strings.Contains(id, ".."):
		return "must not contain -- or .."
	case strings.HasSuffix(strings.ToLower(name), ".git"):
		return "must not end in .git"
	}
	for _, part := range parts {
		switch {
		case part == "":
			return "must be name or namespace/name"
		case !only(part, "_.-"):
			return "may hold only letters, digits and _ . -"
		case strings.Trim(part, "-.") != part:
			return "must not begin or end with - or ."
		}
	}
	return ""
}

// FullRepoID accepts ids with a namespace only.
func FullRepoID(id string) string {
	if rule := RepoID(id); rule != "" {
		return rule
	}
	if !strings.Contains(id, "/") {
		return "must be namespace/name"
	}
	return ""
}

// Namespace accepts names of users and organisations.
func Namespace(name string) string { return word(name) }

// JobID accepts ids of jobs and scheduled jobs.
func JobID(id string) string { return word(id) }

func word(s string) string {
	switch {
	case s == "":
		return "is missing"
	case len(s) > 64:
		return "is longer than 64 characters"
	case !only(s, "_-"):
		return "may hold only letters, digits, _ and -"
	}
	return ""
}

// Path accepts the path of a file or folder in a repository.
func Path(path string) string {
	switch {
	case path == "":
		return "is missing"
	case !utf8.ValidString(path):
		return "is not UTF-8"
	case len(path) > 4096:
		return "is longer than 4096 bytes"
	case strings.ContainsFunc(path, unicode.IsControl):
		return "holds a control character"
	case strings.HasPrefix(path, "/"):
		return "must not begin with /"
	}
	for _, part := range strings.Split(path, "/") {
		switch {
		case part == "":
			return "has an empty part"
		case part == "." || part == "..":
			return "must not contain . or .. as a part"
		case strings.EqualFold(part, ".git"):
			return "must not contain .git as a part"
		}
	}
	return ""
}

// Revision accepts what names a state of a repository: a branch, a tag, a
// commit, HEAD, refs/pr/N.
func Revision(rev string) string {
	switch {
	case rev == "":
		return "is missing"
	case len(rev) > 244:
		return "is longer than 244 bytes"
	case !utf8.ValidString(rev) || strings.ContainsFunc(rev, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }):
		return "holds a space or a control character"
	case strings.ContainsAny(rev, `~^:?*[\`):
		return `must not contain ~ ^ : ? * [ or \`
	case strings.Contains(rev, "..") || strings.Contains(rev, "@{") || rev == "@":
		return "must not contain .. or @{"
	case strings.HasPrefix(rev, "-") || strings.HasSuffix(rev, "."):
		return "must not begin with - or end with ."
	}
	for _, part := range strings.Split(rev, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return "has a part that is empty, begins with . or ends in .lock"
		}
	}
	return ""
}

// Branch accepts names of branches that can be made or deleted.
func Branch(name string) string {
	if rule := Revision(name); rule != "" {
		return rule
	}
	if name == "HEAD" || strings.HasPrefix(name, "refs/") && !isPull(name) {
		return "is no name of a branch"
	}
	return ""
}

func isPull(name string) bool {
	n, ok := strings.CutPrefix(name, "refs/pr/")
	return ok && n != "" && strings.Trim(n, "0123456789") == ""
}

// Tag accepts names of tags that can be made or deleted.
func Tag(name string) string {
	if rule := Revision(name); rule != "" {
		return rule
	}
	if name == "HEAD" || strings.HasPrefix(name, "refs/") {
		return "is no name of a tag"
	}
	return ""
}

// Label accepts a label's key or value.
func Label(s string) string {
	switch {
	case s == "":
		return "is missing"
	case len(s) > 100:
		return "is longer than 100 characters"
	case !only(s, "._-"):
		return "may hold only letters, digits and . _ -"
	}
	return ""
}

// Key accepts names of secrets and variables.
func Key(key string) string {
	switch {
	case key == "":
		return "is missing"
	case len(key) > 256:
		return "is longer than 256 characters"
	case !only(key, "_") || '0' <= key[0] && key[0] <= '9' || key[0] == '_':
		return "must begin with a letter and hold only letters, digits and _"
	}
	return ""
}

// Hash accepts a commit (40 hex digits) or a SHA-256 (64), as size says.
func Hash(hash string, size int) string {
	if len(hash) != size || strings.Trim(hash, "0123456789abcdef") != "" {
		return "is no hash in small hex digits of the right length"
	}
	return ""
}

// Part accepts any single part of a path that follows no stricter rule, such
// as the slug of a collection.
func Part(s string) string {
	switch {
	case s == "":
		return "is missing"
	case len(s) > 512 || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return "is too long or holds control characters"
	case s == "." || s == "..":
		return "is no name"
	}
	return ""
}
