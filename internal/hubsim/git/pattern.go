package git

import "strings"

// Pattern is a line of an attributes or ignore file.
type Pattern struct {
	segments []string
	anchored bool // it is about the whole path, not the last element
	negated  bool
	dirOnly  bool
	lfs      bool // of attributes: filter=lfs
}

func parsePattern(text string) Pattern {
	var p Pattern
	if text, p.negated = strings.CutPrefix(text, "!"); !p.negated {
		text = strings.TrimPrefix(text, `\`)
	}
	text, p.dirOnly = strings.CutSuffix(text, "/")
	p.anchored = strings.Contains(text, "/")
	p.segments = strings.Split(strings.TrimPrefix(text, "/"), "/")
	return p
}

// matches reports whether the pattern is about path.
func (p Pattern) matches(path string) bool {
	parts := strings.Split(path, "/")
	if !p.anchored {
		return glob(p.segments[0], parts[len(parts)-1])
	}
	return globAll(p.segments, parts)
}

// globAll matches path elements; ** stands for any number of them.
func globAll(pattern, parts []string) bool {
	switch {
	case len(pattern) == 0:
		return len(parts) == 0
	case pattern[0] == "**" && len(pattern) == 1:
		return len(parts) > 0
	case pattern[0] == "**":
		return globAll(pattern[1:], parts) || len(parts) > 0 && globAll(pattern, parts[1:])
	}
	return len(parts) > 0 && glob(pattern[0], parts[0]) && globAll(pattern[1:], parts[1:])
}

// glob matches one element of a path: *, ? and [sets].
func glob(pattern, s string) bool {
	star, resume := -1, 0
	i, j := 0, 0
	for j < len(s) {
		if i < len(pattern) && pattern[i] == '*' {
			star, resume = i, j
			i++
			continue
		}
		if i < len(pattern) {
			if n, ok := one(pattern[i:], s[j]); ok {
				i += n
				j++
				continue
			}
		}
		if star < 0 {
			return false
		}
		resume++
		i, j = star+1, resume
	}
	return strings.Trim(pattern[i:], "*") == ""
}

// one matches one byte and tells how long its pattern is.
func one(pattern string, c byte) (n int, ok bool) {
	switch pattern[0] {
	case '?':
		return 1, true
	case '\\':
		if len(pattern) > 1 {
			return 2, pattern[1] == c
		}
	case '[':
		if end := strings.IndexByte(pattern[1:], ']'); end > 0 {
			return end + 2, inSet(pattern[1:end+1], c)
		}
	}
	return 1, pattern[0] == c
}

func inSet(set string, c byte) bool {
	negated := set[0] == '!' || set[0] == '^'
	if negated {
		set = set[1:]
	}
	found := false
	for i := 0; i < len(set); i++ {
		if i+2 < len(set) && set[i+1] == '-' {
			found = found || set[i] <= c && c <= set[i+2]
			i += 2
			continue
		}
		found = found || set[i] == c
	}
	return found != negated
}

// Attributes says which files go to the LFS store.
type Attributes []Pattern

// ParseAttributes reads a .gitattributes file.
func ParseAttributes(body []byte) Attributes {
	var rules Attributes
	for line := range strings.Lines(string(body)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		p := parsePattern(fields[0])
		said := false
		for _, f := range fields[1:] {
			switch f {
			case "filter=lfs":
				p.lfs, said = true, true
			case "-filter", "!filter":
				said = true
			default:
				said = said || strings.HasPrefix(f, "filter=")
			}
		}
		if said {
			rules = append(rules, p)
		}
	}
	return rules
}

// LFS reports whether path goes to the LFS store: the last matching line says.
func (a Attributes) LFS(path string) bool {
	lfs := false
	for _, p := range a {
		if p.matches(path) {
			lfs = p.lfs
		}
	}
	return lfs
}

// Ignore says which files are left out.
type Ignore []Pattern

// ParseIgnore reads a .gitignore file.
func ParseIgnore(body []byte) Ignore {
	var rules Ignore
	for line := range strings.Lines(string(body)) {
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		rules = append(rules, parsePattern(line))
	}
	return rules
}

// Ignored reports whether the file path, or a folder it is in, is left out.
func (g Ignore) Ignored(path string) bool {
	for i := 0; i <= len(path); i++ {
		dir := i < len(path)
		if dir && path[i] != '/' {
			continue
		}
		ignored := false
		for _, p := range g {
			if (!p.dirOnly || dir) && p.matches(path[:i]) {
				ignored = !p.negated
			}
		}
		if ignored {
			return true // nothing below an ignored folder comes back
		}
	}
	return false
}
