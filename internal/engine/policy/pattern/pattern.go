// Package pattern matches texts and paths with wildcards, where parts of the text
// may be unknown: for certain, as what permits must, or possibly, as what denies
// does. It knows no rules.
package pattern

import (
	"path"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/engine/policy/shell"
)

// Star stands for "any text" in a pattern; no rune has this value.
const Star rune = -1

// Of turns text into runes in which each * is a star.
func Of(text string) []rune {
	out := []rune(text)
	for i, c := range out {
		if c == '*' {
			out[i] = Star
		}
	}
	return out
}

// unknown reports whether c stands for text that cannot be told.
func unknown(c rune) bool { return c == shell.Any || c == shell.Glob }

// Covers reports whether p matches t whatever its unknown parts become: only a
// star takes them, since no pattern holds their marks.
func Covers(p, t []rune) bool {
	i, j, back, mark := 0, 0, -1, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == Star:
			back, mark = i, j
			i++
		case i < len(p) && (p[i] == t[j] || p[i] == one):
			i++
			j++
		case back >= 0:
			mark++
			i, j = back+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == Star {
		i++
	}
	return i == len(p)
}

// Meets reports whether p matches t for some value of its unknown parts.
func Meets(p, t []rune) bool {
	// can[i] says whether p[i:] matches what is left of t.
	can := make([]bool, len(p)+1)
	can[len(p)] = true
	for i := len(p) - 1; i >= 0 && p[i] == Star; i-- {
		can[i] = true
	}
	for j := len(t) - 1; j >= 0; j-- {
		next := can
		can = make([]bool, len(p)+1)
		free := unknown(t[j])
		can[len(p)] = free && next[len(p)]
		for i := len(p) - 1; i >= 0; i-- {
			switch {
			case p[i] == Star:
				can[i] = can[i+1] || next[i]
			case free:
				can[i] = next[i] || can[i+1]
			default:
				can[i] = p[i] == t[j] && next[i+1]
			}
		}
	}
	return can[0]
}

// Path matches slash-separated paths. * and ? stay within a part, **
// spans parts.
type Path struct {
	parts []string
	// root is what the pattern is anchored to.
	root anchor
}

type anchor int

const (
	atRoot      anchor = iota // a pattern that starts with /
	atHome                    // one that starts with ~/
	atWorkspace               // any other
	anywhere                  // one without a slash, or with ** in front
)

// NewPath reads a pattern.
func NewPath(text string) Path {
	g := Path{root: atWorkspace}
	switch {
	case strings.HasPrefix(text, "~/"):
		g.root, text = atHome, text[2:]
	case strings.HasPrefix(text, "/"):
		g.root, text = atRoot, text[1:]
	case strings.HasPrefix(text, "**/"), !strings.Contains(strings.TrimSuffix(text, "/"), "/"):
		g.root = anywhere
	}
	text = strings.TrimPrefix(text, "./")
	if strings.HasSuffix(text, "/") {
		text += "**"
	}
	for _, part := range strings.Split(text, "/") {
		if part != "" && part != "." {
			g.parts = append(g.parts, part)
		}
	}
	if g.root == anywhere && (len(g.parts) == 0 || g.parts[0] != "**") {
		g.parts = append([]string{"**"}, g.parts...)
	}
	return g
}

// Match compares an absolute path. Relative patterns are about each of the
// workspace's folders. strict is for what permits: wildcards then do not take
// names that begin with a dot, and a pattern that holds anywhere holds in the
// workspace alone. Otherwise everything below a folder that matches is taken too.
func (g Path) Match(p string, workspace []string, home string, strict bool) bool {
	switch g.root {
	case atRoot:
		return matchParts(g.parts, split(p), strict)
	case atHome:
		rest, ok := Under(p, home)
		return ok && matchParts(g.parts, split(rest), strict)
	case anywhere:
		if !strict && matchParts(g.parts, split(p), false) {
			return true
		}
	}
	return slices.ContainsFunc(workspace, func(root string) bool {
		rest, ok := Under(p, root)
		return ok && matchParts(g.parts, split(rest), strict)
	})
}

func split(p string) []string {
	return strings.FieldsFunc(p, func(c rune) bool { return c == '/' })
}

// Under returns what follows dir in p.
func Under(p, dir string) (string, bool) {
	if dir == "" {
		return "", false
	}
	dir = path.Clean(dir)
	if p == dir {
		return "", true
	}
	return strings.CutPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}

// matchParts compares part by part.
func matchParts(p, names []string, strict bool) bool {
	switch {
	case len(p) == 0:
		return len(names) == 0 || !strict
	case p[0] == "**":
		if matchParts(p[1:], names, strict) {
			return true
		}
		return len(names) > 0 && !(strict && strings.HasPrefix(names[0], ".")) && matchParts(p, names[1:], strict)
	case len(names) == 0:
		return false
	}
	if strict && strings.HasPrefix(names[0], ".") && !strings.HasPrefix(p[0], ".") {
		return false
	}
	return matchPart(p[0], names[0]) && matchParts(p[1:], names[1:], strict)
}

// one stands for any one character in a name; no rune has this value.
const one rune = -2

// matchPart matches one name: * is any text, ? one character.
func matchPart(p, name string) bool {
	runes := Of(p)
	for i, c := range runes {
		if c == '?' {
			runes[i] = one
		}
	}
	return Covers(runes, []rune(name))
}
