package source

import (
	"path"
	"strings"
	"unicode"
)

// maxNames is how many symbols are listed when one is not found.
const maxNames = 60

// Symbol finds the block of a symbol, such as "class GRPOConfig", "def main" or
// "Trainer.train", by indentation in Python and by braces elsewhere. from and to
// are lines counted from 1.
func Symbol(name, symbol string, lines []string) (from, to int, ok bool) {
	symbol = strings.TrimSpace(symbol)
	for _, prefix := range []string{"async ", "def ", "class ", "func ", "function ", "type ", "interface ", "struct ", "enum ", "fn ", "const "} {
		symbol = strings.TrimSpace(strings.TrimPrefix(symbol, prefix))
	}
	symbol = strings.TrimRight(symbol, "(): ")
	if symbol == "" {
		return 0, 0, false
	}
	find, begin, end := pythonBlock, 0, len(lines)
	if !indented(name) {
		find = braceBlock
	}
	for part := range strings.SplitSeq(symbol, ".") {
		at := -1
		for i := begin; i < end; i++ {
			if declares(lines[i], part) && (at < 0 || indent(lines[i]) < indent(lines[at])) {
				at = i // the outermost one
			}
		}
		if at < 0 {
			return 0, 0, false
		}
		begin, end = find(lines[:end], at)
		from, to = begin+1, end
		begin = min(at+1, end) // the parts that follow are inside
	}
	return from, to, true
}

// indented reports whether blocks are made by indentation.
func indented(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".py", ".pyi", ".pyx", ".ipynb", ".md", "":
		return true
	}
	return false
}

// Names lists what the outer declarations of a text are called.
func Names(lines []string) []string {
	var names []string
	for _, line := range lines {
		if n := declared(line); n != "" && indent(line) == 0 && len(names) < maxNames {
			names = append(names, n)
		}
	}
	return names
}

func declares(line, name string) bool { return declared(line) == name }

// declared is the name that a line declares, empty without one.
func declared(line string) string {
	line = strings.TrimSpace(line)
	for {
		word, rest, ok := strings.Cut(line, " ")
		if !ok {
			return ""
		}
		rest = strings.TrimLeft(rest, " ")
		switch word {
		case "async", "export", "default", "public", "private", "protected", "static", "abstract", "pub", "declare", "inline":
			line = rest
			continue
		case "func":
			if strings.HasPrefix(rest, "(") { // a Go method's receiver
				_, after, closed := strings.Cut(rest, ")")
				if !closed {
					return ""
				}
				rest = strings.TrimLeft(after, " ")
			}
			return leading(rest)
		case "def", "class", "function", "function*", "type", "interface", "struct", "enum", "fn", "trait", "impl", "const", "let", "var", "namespace":
			return leading(rest)
		}
		return ""
	}
}

// leading is the identifier at the beginning of s.
func leading(s string) string {
	end := strings.IndexFunc(s, func(r rune) bool { return r != '_' && r != '$' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if end < 0 {
		return s
	}
	return s[:end]
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }

// pythonBlock is the block declared on line at, its decorators included: from
// begin up to, not including, end.
func pythonBlock(lines []string, at int) (begin, end int) {
	depth := indent(lines[at])
	begin = at
	for begin > 0 && indent(lines[begin-1]) == depth && strings.HasPrefix(strings.TrimSpace(lines[begin-1]), "@") {
		begin--
	}
	end = at + 1
	quoted := ""
	for i := at; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		inside := quoted != ""
		quoted = quoteAfter(line, quoted)
		switch {
		case i == at || inside:
			end = i + 1
		case line == "" || strings.HasPrefix(line, "#"):
		case indent(lines[i]) > depth, strings.ContainsRune(")]}", rune(line[0])):
			end = i + 1
		default:
			return begin, end
		}
	}
	return begin, end
}

// quoteAfter is the triple quote that is open behind a line.
func quoteAfter(line, open string) string {
	for {
		if open != "" {
			_, rest, closed := strings.Cut(line, open)
			if !closed {
				return open
			}
			line, open = rest, ""
		}
		d, s := strings.Index(line, `"""`), strings.Index(line, "'''")
		switch {
		case d < 0 && s < 0:
			return ""
		case s < 0 || d >= 0 && d < s:
			line, open = line[d+3:], `"""`
		default:
			line, open = line[s+3:], "'''"
		}
	}
}

// braceBlock is the block declared on line at, the comment above it included.
func braceBlock(lines []string, at int) (begin, end int) {
	const reach = 20 // lines in which the first brace must come
	begin = at
	for begin > 0 && comments(lines[begin-1]) {
		begin--
	}
	depth, opened := 0, false
	var state byte // the quote that is open, '*' in a comment, 0 for neither
	for i := at; i < len(lines); i++ {
		var change int
		var seen bool
		change, seen, state = braces(lines[i], state)
		depth += change
		opened = opened || seen
		switch {
		case opened && depth <= 0:
			return begin, i + 1
		case !opened && (i-at >= reach || strings.HasSuffix(strings.TrimSpace(lines[i]), ";")):
			return begin, at + 1
		}
	}
	if !opened {
		return begin, at + 1
	}
	return begin, len(lines)
}

func comments(line string) bool {
	line = strings.TrimSpace(line)
	return strings.HasPrefix(line, "//") || strings.HasPrefix(line, "*") || strings.HasPrefix(line, "/*") || strings.HasPrefix(line, "@")
}

// braces counts how much deeper in brackets of any kind a line ends than it
// begins, outside strings and comments. seen is whether it opens a brace.
func braces(line string, state byte) (change int, seen bool, after byte) {
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case state == '*':
			if c == '*' && strings.HasPrefix(line[i:], "*/") {
				state = 0
				i++
			}
		case state != 0:
			if c == '\\' && state != '`' {
				i++
			} else if c == state {
				state = 0
			}
		case strings.HasPrefix(line[i:], "//"):
			return change, seen, 0
		case strings.HasPrefix(line[i:], "/*"):
			state = '*'
			i++
		case c == '"' || c == '`' || c == '\'' && strings.IndexByte(line[i+1:], '\'') >= 0:
			state = c
		case c == '{':
			change++
			seen = true
		case c == '(' || c == '[':
			change++
		case c == '}' || c == ')' || c == ']':
			change--
		}
	}
	if state == '"' || state == '\'' { // these end with their line
		state = 0
	}
	return change, seen, state
}
