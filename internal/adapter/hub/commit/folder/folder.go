// Package folder finds the files of a local folder that belong into a
// repository. It knows patterns and links, not what is done with the files.
package folder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Limit is how many files one folder may have.
const Limit = 100_000

// Options says which files are wanted. Patterns match the whole path within
// the folder, in slashes: * stands for any text, also with slashes, ? for one
// character, [ab] and [!ab] for one of or none of some; a pattern that ends in
// a slash stands for all below.
type Options struct {
	// Allow names the files wanted; empty means all.
	Allow []string
	// Ignore names files that are not wanted though allowed.
	Ignore []string
}

// File is one file found.
type File struct {
	Path string // within the folder, in slashes
	Size int64
	// Open opens the file, never one outside the folder.
	Open func() (*os.File, error)
}

// Tree is what a folder holds. Close it when no file is opened any more.
type Tree struct {
	Files []File // sorted by path
	// Skipped are the paths of what is neither a file nor a folder, and of
	// links that lead out of the folder or to another folder.
	Skipped []string

	root *os.Root
}

// Close ends the use of the folder; its files cannot be opened afterwards.
func (t *Tree) Close() error { return t.root.Close() }

// Scan finds the files. Git's own folder and the Hub's download notes are
// never among them.
func Scan(ctx context.Context, dir string, o Options) (*Tree, error) {
	allow, err := compile("allow", o.Allow)
	if err != nil {
		return nil, err
	}
	ignore, err := compile("ignore", o.Ignore)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("read folder %s: %w", dir, err)
	}
	t := &Tree{root: root}
	s := scan{ctx: ctx, tree: t, wanted: func(name string) bool {
		return (len(allow) == 0 || matches(allow, name)) && !matches(ignore, name)
	}}
	if err := fs.WalkDir(root.FS(), ".", s.visit); err != nil {
		root.Close()
		return nil, fmt.Errorf("read folder %s: %w", dir, err)
	}
	slices.SortFunc(t.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return t, nil
}

type scan struct {
	ctx    context.Context
	tree   *Tree
	wanted func(name string) bool
}

func (s *scan) visit(name string, d fs.DirEntry, err error) error {
	if err == nil {
		err = s.ctx.Err()
	}
	if err != nil {
		return err
	}
	if d.IsDir() {
		if name != "." && private(name) {
			return fs.SkipDir
		}
		return nil
	}
	if private(name) || !s.wanted(name) {
		return nil
	}
	info, err := s.tree.root.Stat(name) // follows links that stay inside
	if err != nil || !info.Mode().IsRegular() {
		if d.Type().IsRegular() {
			return err
		}
		s.tree.Skipped = append(s.tree.Skipped, name)
		return nil
	}
	if len(s.tree.Files) == Limit {
		return fmt.Errorf("it has more than %d files", Limit)
	}
	root := s.tree.root
	s.tree.Files = append(s.tree.Files, File{Path: name, Size: info.Size(), Open: func() (*os.File, error) { return root.Open(name) }})
	return nil
}

// private reports whether a path is bookkeeping of git or of the Hub's own
// clients.
func private(name string) bool {
	dir, base := path.Split(name)
	return base == ".git" || base == "huggingface" && path.Base(path.Clean(dir)) == ".cache"
}

// Matcher tells paths that patterns name.
type Matcher struct{ patterns []pattern }

// Compile reads patterns as those of [Options]; field is for errors.
func Compile(field string, patterns []string) (*Matcher, error) {
	compiled, err := compile(field, patterns)
	return &Matcher{compiled}, err
}

// Match reports whether one of the patterns names the path.
func (m *Matcher) Match(name string) bool { return matches(m.patterns, name) }

func matches(patterns []pattern, name string) bool {
	return slices.ContainsFunc(patterns, func(p pattern) bool { return p.match([]rune(name)) })
}

func compile(field string, patterns []string) ([]pattern, error) {
	all := make([]pattern, 0, len(patterns))
	for i, text := range patterns {
		p, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: pattern %q: %w", field, i, text, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// pattern is a sequence of what each stands for one character or, as star, for
// any number.
type pattern []token

type token struct {
	star, any bool
	not       bool
	ranges    [][2]rune // pairs of first and last
}

func (t token) matches(r rune) bool {
	if t.any {
		return true
	}
	in := slices.ContainsFunc(t.ranges, func(pair [2]rune) bool { return pair[0] <= r && r <= pair[1] })
	return in != t.not
}

func parse(text string) (pattern, error) {
	if text == "" {
		return nil, errors.New("it is empty")
	}
	if strings.HasSuffix(text, "/") {
		text += "*"
	}
	var p pattern
	rest := []rune(strings.TrimPrefix(text, "./"))
	for len(rest) > 0 {
		r := rest[0]
		rest = rest[1:]
		switch r {
		case '*':
			if len(p) == 0 || !p[len(p)-1].star {
				p = append(p, token{star: true})
			}
		case '?':
			p = append(p, token{any: true})
		case '[':
			set, n := class(rest)
			if n == 0 { // no end: the bracket stands for itself
				set.ranges = [][2]rune{{'[', '['}}
			}
			p = append(p, set)
			rest = rest[n:]
		default:
			p = append(p, token{ranges: [][2]rune{{r, r}}})
		}
	}
	return p, nil
}

// class reads a set of characters after its bracket, and tells how many it
// took; none where the set has no end.
func class(rest []rune) (token, int) {
	var t token
	i := 0
	if i < len(rest) && rest[i] == '!' {
		t.not = true
		i++
	}
	for first := true; i < len(rest); first = false {
		if rest[i] == ']' && !first {
			return t, i + 1
		}
		from, to := rest[i], rest[i]
		i++
		if i+1 < len(rest) && rest[i] == '-' && rest[i+1] != ']' {
			to = rest[i+1]
			i += 2
		}
		t.ranges = append(t.ranges, [2]rune{from, to})
	}
	return token{}, 0
}

// match compares in time proportional to the product of the lengths: only the
// last star is ever widened.
func (p pattern) match(name []rune) bool {
	i, j, star, mark := 0, 0, -1, 0
	for j < len(name) {
		switch {
		case i < len(p) && p[i].star:
			star, mark = i, j
			i++
		case i < len(p) && p[i].matches(name[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i].star {
		i++
	}
	return i == len(p)
}
