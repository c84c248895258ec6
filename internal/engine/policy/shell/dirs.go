package shell

import (
	"path"
	"slices"
	"strings"
)

// Dirs is where a command may run; nil means nobody knows.
type Dirs []string

// maxDirs bounds the set of possible directories; beyond it all is possible.
const maxDirs = 16

// change adds what `cd to` may lead to.
func (d Dirs) change(to []string) Dirs {
	if d == nil || to == nil {
		return nil
	}
	out := slices.Clone(d)
	for _, dir := range to {
		if !slices.Contains(out, dir) {
			out = append(out, dir)
		}
	}
	if len(out) > maxDirs {
		return nil
	}
	return out
}

// Target is a file that a word may name. Pattern holds the last parts when
// they are a file name pattern; Path is then the folder it starts in.
type Target struct {
	Path    string
	Pattern string
}

// Resolve returns every file that w may name, or false when that cannot be
// told. home may be empty.
func (d Dirs) Resolve(w Word, home string) ([]Target, bool) {
	text := w.Text
	if text == "" || strings.ContainsRune(text, Any) || w.Splits && !strings.ContainsRune(text, Glob) {
		return nil, false
	}
	pattern := ""
	if i := strings.IndexByte(text, Glob); i >= 0 {
		cut := strings.LastIndexByte(text[:i], '/') + 1
		text, pattern = text[:cut], text[cut:]
		if slices.Contains(strings.Split(pattern, "/"), "..") {
			return nil, false
		}
	}
	var out []Target
	switch {
	case strings.HasPrefix(text, homeText):
		if home == "" {
			return nil, false
		}
		out = append(out, Target{path.Join(home, text[1:]), pattern})
	case strings.HasPrefix(text, "/"):
		out = append(out, Target{path.Clean(text), pattern})
	default:
		if d == nil {
			return nil, false
		}
		text = strings.TrimPrefix(text, hereText)
		for _, dir := range d {
			out = append(out, Target{path.Join(dir, text), pattern})
		}
	}
	for _, t := range out {
		if strings.ContainsAny(t.Path, marks) {
			return nil, false
		}
	}
	return out, true
}
