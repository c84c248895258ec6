package highlight

import (
	"strings"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// diffLine paints the lines of a unified diff.
func diffLine(_ *state, s *scanner) bool {
	role := theme.Text
	for _, p := range []struct {
		prefix string
		role   theme.Role
	}{
		{"+++", theme.Strong},
		{"---", theme.Strong},
		{"diff ", theme.Strong},
		{"index ", theme.Dim},
		{"@@", theme.Function},
		{"+", theme.Added},
		{"-", theme.Removed},
		{"\\", theme.Dim},
	} {
		if strings.HasPrefix(s.line, p.prefix) {
			role = p.role
			break
		}
	}
	s.all(role)
	return true
}

// consoleLine paints what was typed at a prompt; the rest is what was printed.
func consoleLine(_ *state, s *scanner) bool {
	line := strings.TrimLeft(s.line, " ")
	for _, prompt := range []string{"$ ", "% ", "> ", "# ", ">>> ", "... "} {
		if strings.HasPrefix(line, prompt) {
			s.take(len(s.line)-len(line)+len(prompt), theme.Accent)
			return false
		}
	}
	s.all(theme.Text)
	return true
}

// shellLine notes a here-document that the line begins.
func shellLine(st *state, s *scanner) bool {
	rest := s.line
	for {
		_, after, ok := strings.Cut(rest, "<<")
		if !ok {
			return false
		}
		if strings.HasPrefix(after, "<") {
			rest = strings.TrimLeft(after, "<")
			continue
		}
		word := strings.TrimLeft(strings.TrimPrefix(after, "-"), " \"'\\")
		end := 0
		for end < len(word) && (st.language.letter(word[end]) && strings.IndexByte(st.language.extra, word[end]) < 0 || digit(word[end])) {
			end++
		}
		if end > 0 && !digit(word[0]) {
			st.waiting = strings.Clone(word[:end])
		}
		rest = after
	}
}

// preprocessorLine paints the directive of C.
func preprocessorLine(_ *state, s *scanner) bool {
	text := strings.TrimLeft(s.line, " ")
	if !strings.HasPrefix(text, "#") {
		return false
	}
	n := len(s.line) - len(text) + 1
	for n < len(s.line) && s.line[n]|0x20 >= 'a' && s.line[n]|0x20 <= 'z' {
		n++
	}
	s.take(n, theme.Keyword)
	return false
}

// decoratorLine paints the decorators of Python.
func decoratorLine(_ *state, s *scanner) bool {
	if text := strings.TrimLeft(s.line, " "); strings.HasPrefix(text, "@") {
		end := strings.IndexAny(text, "( #")
		if end < 0 {
			end = len(text)
		}
		s.take(len(s.line)-len(text)+end, theme.Function)
	}
	return false
}

// yamlLine paints the name in front of a colon.
func yamlLine(_ *state, s *scanner) bool {
	text := strings.TrimLeft(s.line, " -")
	if text == "" || strings.IndexByte("#\"'{[&*!|>", text[0]) >= 0 {
		return false
	}
	colon := strings.Index(text+" ", ": ")
	if hash := strings.Index(text, " #"); colon < 0 || hash >= 0 && hash < colon {
		return false
	}
	s.pos = len(s.line) - len(text)
	s.take(colon, theme.Function)
	return false
}

// settingLine paints sections and the names in front of an equals sign, of TOML,
// INI and .env.
func settingLine(_ *state, s *scanner) bool {
	text := strings.TrimLeft(s.line, " ")
	start := len(s.line) - len(text)
	switch {
	case text == "" || strings.IndexByte("#;\"'", text[0]) >= 0:
		return false
	case text[0] == '[':
		if end := strings.IndexByte(text, ']'); end > 0 && !strings.Contains(text[:end], ",") {
			s.pos = start
			s.take(end+1, theme.Keyword)
		}
		return false
	}
	equals := strings.IndexByte(text, '=')
	if equals < 0 {
		return false
	}
	s.pos = start
	s.take(len(strings.TrimRight(text[:equals], " ")), theme.Function)
	return false
}

// dockerLine paints the instruction.
func dockerLine(_ *state, s *scanner) bool {
	text := strings.TrimLeft(s.line, " ")
	word, _, _ := strings.Cut(text, " ")
	if in(dockerInstructions, strings.ToLower(word)) {
		s.pos = len(s.line) - len(text)
		s.take(len(word), theme.Keyword)
	}
	return false
}

const dockerInstructions = " add arg cmd copy entrypoint env expose from healthcheck label maintainer onbuild run shell stopsignal user volume workdir "

// makeLine paints targets and the names of variables.
func makeLine(_ *state, s *scanner) bool {
	if s.line == "" || s.line[0] == ' ' || s.line[0] == '\t' || s.line[0] == '#' {
		return false
	}
	end := strings.IndexAny(s.line, ":=")
	if end < 0 {
		return false
	}
	s.take(len(strings.TrimRight(s.line[:end], " ?+")), theme.Function)
	return false
}

// propertyLine paints the names of CSS properties.
func propertyLine(_ *state, s *scanner) bool {
	text := strings.TrimLeft(s.line, " ")
	colon := strings.IndexByte(text, ':')
	if colon <= 0 || strings.ContainsAny(text[:colon], " {}.#&@/\"'(,") || strings.HasSuffix(text, "{") {
		return false
	}
	s.pos = len(s.line) - len(text)
	s.take(colon, theme.Function)
	return false
}

// markdownLine paints Markdown that is shown as code.
func markdownLine(st *state, s *scanner) bool {
	text := strings.TrimLeft(s.line, " ")
	switch {
	case strings.HasPrefix(text, "```"), strings.HasPrefix(text, "~~~"):
		st.inside = !st.inside
		s.all(theme.Comment)
	case st.inside:
		s.all(theme.Code)
	case strings.HasPrefix(text, "#"):
		s.all(theme.Heading)
	case strings.HasPrefix(text, ">"):
		s.all(theme.Comment)
	case strings.HasPrefix(text, "- "), strings.HasPrefix(text, "* "), strings.HasPrefix(text, "+ "):
		s.take(len(s.line)-len(text)+1, theme.Keyword)
		return false
	default:
		return false
	}
	return true
}

// markupToken passes the next part of HTML or XML: of a tag, or outside of tags.
func markupToken(st *state, s *scanner) {
	rest := s.rest()
	switch {
	case st.inside:
		st.attribute(s)
	case st.opens(s):
	case rest[0] == '<' && len(rest) > 1 && (st.language.letter(rest[1]) || strings.IndexByte("/!?", rest[1]) >= 0):
		n := 2
		for n < len(rest) && (st.language.letter(rest[n]) || digit(rest[n])) {
			n++
		}
		s.take(n, theme.Keyword)
		st.inside = true
	case rest[0] == '&':
		s.take(max(strings.IndexByte(rest[:min(len(rest), 34)], ';')+1, 1), theme.Number)
	default:
		s.pos++
	}
}

// attribute passes the next part of a tag.
func (st *state) attribute(s *scanner) {
	rest := s.rest()
	switch c := rest[0]; {
	case c == '>':
		s.take(1, theme.Keyword)
		st.inside = false
	case c == '/' || c == '?':
		s.take(1, theme.Keyword)
	case c == '"' || c == '\'':
		end := strings.IndexByte(rest[1:], c) + 2
		if end == 1 {
			end = len(rest)
		}
		s.take(end, theme.String)
	case st.language.letter(c):
		n := 1
		for n < len(rest) && (st.language.letter(rest[n]) || digit(rest[n])) {
			n++
		}
		s.take(n, theme.Function)
	default:
		s.pos++
	}
}
