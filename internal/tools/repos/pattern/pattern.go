// Package pattern matches file names the way the Hub's own client does: shell
// wildcards, case-sensitive, in which * also crosses slashes. It knows no files.
package pattern

import (
	"fmt"
	"regexp"
	"strings"
)

// Set is a list of patterns.
type Set []*regexp.Regexp

// Compile reads patterns. One that ends in a slash means everything below that
// folder.
func Compile(patterns []string) (Set, error) {
	var s Set
	for _, p := range patterns {
		if p == "" {
			return nil, fmt.Errorf("patterns holds an empty pattern")
		}
		if strings.HasSuffix(p, "/") {
			p += "*"
		}
		re, err := regexp.Compile(translate(strings.TrimPrefix(p, "./")))
		if err != nil {
			return nil, fmt.Errorf("patterns: %q is no pattern: %w", p, err)
		}
		s = append(s, re)
	}
	return s, nil
}

// Match reports whether any pattern matches all of path.
func (s Set) Match(path string) bool {
	for _, re := range s {
		if re.MatchString(path) {
			return true
		}
	}
	return false
}

// Literal is the pattern that matches path alone.
func Literal(path string) string {
	return strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(path)
}

// translate writes a pattern as a regular expression.
func translate(p string) string {
	var out strings.Builder
	out.WriteString(`(?s)\A`)
	for i := 0; i < len(p); i++ {
		switch c := p[i]; c {
		case '*':
			out.WriteString(".*")
		case '?':
			out.WriteString(".")
		case '[':
			class, length := bracket(p[i:])
			out.WriteString(class)
			i += length - 1
		default:
			end := i + 1
			for end < len(p) && !strings.ContainsRune("*?[", rune(p[end])) {
				end++
			}
			out.WriteString(regexp.QuoteMeta(p[i:end]))
			i = end - 1
		}
	}
	out.WriteString(`\z`)
	return out.String()
}

// bracket translates a class such as [a-z] or [!0-9] at the beginning of p, and
// says how long it is. A bracket that is not closed stands for itself.
func bracket(p string) (class string, length int) {
	start := 1
	if strings.HasPrefix(p[1:], "!") {
		start = 2
	}
	end := strings.IndexByte(p[min(start+1, len(p)):], ']')
	if end < 0 {
		return `\[`, 1
	}
	end += start + 1
	inner := strings.NewReplacer(`\`, `\\`, "[", `\[`, "^", `\^`, "&&", `&\&`).Replace(p[start:end])
	if strings.HasPrefix(inner, "]") {
		inner = `\` + inner
	}
	if start == 2 {
		inner = "^" + inner
	}
	return "[" + inner + "]", end + 1
}

// Plain is the path of which p is the literal.
func Plain(p string) string {
	return strings.NewReplacer("[*]", "*", "[?]", "?", "[[]", "[").Replace(p)
}
