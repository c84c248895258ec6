package policy

import (
	"strings"

	"github.com/ml-intern/ml-intern/internal/engine/policy/shell"
)

// star stands for "any text" in a pattern; no rune has this value.
const star rune = -1

// pattern turns text into runes in which each * is a star.
func pattern(text string) []rune {
	out := []rune(text)
	for i, c := range out {
		if c == '*' {
			out[i] = star
		}
	}
	return out
}

// unknown reports whether c stands for text that cannot be told.
func unknown(c rune) bool { return c == shell.Any || c == shell.Glob }

// covers reports whether p matches t whatever its unknown parts become: only a
// star takes them, since no pattern holds their marks.
func covers(p, t []rune) bool {
	i, j, back, mark := 0, 0, -1, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == star:
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
	for i < len(p) && p[i] == star {
		i++
	}
	return i == len(p)
}

// meets reports whether p matches t for some value of its unknown parts.
func meets(p, t []rune) bool {
	// can[i] says whether p[i:] matches what is left of t.
	can := make([]bool, len(p)+1)
	can[len(p)] = true
	for i := len(p) - 1; i >= 0 && p[i] == star; i-- {
		can[i] = true
	}
	for j := len(t) - 1; j >= 0; j-- {
		next := can
		can = make([]bool, len(p)+1)
		free := unknown(t[j])
		can[len(p)] = free && next[len(p)]
		for i := len(p) - 1; i >= 0; i-- {
			switch {
			case p[i] == star:
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

// pathGlob matches slash-separated paths. * and ? stay within a part, **
// spans parts.
type pathGlob struct {
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

func newPathGlob(text string) pathGlob {
	g := pathGlob{root: atWorkspace}
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

// match reports whether the parts of a path match. strict is for rules that
// give permission: wildcards do not take names that begin with a dot. The
// others also take everything below a folder they match.
func (g pathGlob) match(path []string, strict bool) bool {
	return matchParts(g.parts, path, strict)
}

func matchParts(p, path []string, strict bool) bool {
	switch {
	case len(p) == 0:
		return len(path) == 0 || !strict
	case p[0] == "**":
		if matchParts(p[1:], path, strict) {
			return true
		}
		return len(path) > 0 && !(strict && strings.HasPrefix(path[0], ".")) && matchParts(p, path[1:], strict)
	case len(path) == 0:
		return false
	}
	if strict && strings.HasPrefix(path[0], ".") && !strings.HasPrefix(p[0], ".") {
		return false
	}
	return matchPart(p[0], path[0]) && matchParts(p[1:], path[1:], strict)
}

// one stands for any one character in a name; no rune has this value.
const one rune = -2

// matchPart matches one name: * is any text, ? one character.
func matchPart(p, name string) bool {
	runes := pattern(p)
	for i, c := range runes {
		if c == '?' {
			runes[i] = one
		}
	}
	return covers(runes, []rune(name))
}
