package skills

import (
	"slices"
	"strings"
)

// rules splits the text of allowed-tools at blanks and commas outside of
// parentheses.
func rules(text string) []string {
	var out []string
	depth, from := 0, 0
	take := func(to int) {
		if word := strings.TrimSpace(text[from:to]); word != "" {
			out = append(out, word)
		}
		from = to + 1
	}
	for i, c := range text {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth = max(depth-1, 0)
		case depth == 0 && (c == ' ' || c == ',' || c == '\t'):
			take(i)
		}
	}
	take(len(text))
	return out
}

// names maps the names that other agents give to tools of ours.
func names() map[string]string {
	return map[string]string{
		"Bash": "bash", "Read": "read", "Write": "write", "Edit": "edit", "MultiEdit": "edit", "NotebookEdit": "edit",
		"WebSearch": "web_search", "WebFetch": "web_fetch",
	}
}

// permissions makes rules of ours of what allowed-tools says: Bash(git add:*) of
// other agents is bash(git add *) here. A rule about a tool that is not there
// permits nothing.
func permissions(texts []string) []string {
	var out []string
	ours := names()
	for _, text := range texts {
		name, spec, has := strings.Cut(text, "(")
		if known, ok := ours[name]; ok {
			name = known
		}
		if has {
			if rest, ok := strings.CutSuffix(spec, ":*)"); ok {
				spec = rest + " *)"
			}
			name += "(" + spec
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
