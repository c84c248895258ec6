// Package dotenv reads the KEY=value files that programs keep beside their
// work. It knows the grammar only: which file is read, which name is taken and
// what a name means are the caller's business. What it reports about a bad line
// never repeats the line, because values in such files are mostly secrets.
//
// The grammar: one assignment a line, blank lines and lines starting with "#"
// are skipped, "export" before the name is allowed.
//
//	NAME=plain text      # a comment needs a blank before the "#"
//	NAME='taken as it is, ${X} too'
//	NAME="escapes \n \t \" \\ \$, and ${X} or ${X:-text} is expanded"
//
// Quoted values may span lines. A "$" without a brace is an ordinary character,
// so that a password holding one is not changed.
package dotenv

import (
	"fmt"
	"strings"
)

// Entry is one assignment, in file order. A name assigned twice appears twice;
// the last one counts.
type Entry struct {
	Name  string
	Value string
	Line  int // 1-based
}

// Problem is a line that was left out, or a part of it that was.
type Problem struct {
	Line   int // 1-based
	Reason string
}

func (p Problem) String() string { return fmt.Sprintf("line %d: %s", p.Line, p.Reason) }

// Lookup finds the value of a name outside the file. It is asked before the
// file's own earlier lines.
type Lookup func(name string) (string, bool)

// Parse reads a whole file. A bad line is reported and skipped, the rest of the
// file counts. A nil outside means that names are looked up in the file alone.
func Parse(src []byte, outside Lookup) ([]Entry, []Problem) {
	text := strings.ReplaceAll(string(src), "\r\n", "\n")
	p := &parser{rest: strings.TrimPrefix(text, "\ufeff"), line: 1, outside: outside, own: map[string]string{}}
	for p.rest != "" {
		p.statement()
	}
	return p.entries, p.problems
}

type parser struct {
	rest     string
	line     int
	outside  Lookup
	own      map[string]string
	entries  []Entry
	problems []Problem
}

// statement reads one assignment, comment or blank line, with its line end.
func (p *parser) statement() {
	line, _, _ := strings.Cut(p.rest, "\n")
	trimmed := strings.TrimLeft(line, blanks)
	if trimmed == "" || trimmed[0] == '#' {
		p.skipLine()
		return
	}
	at := p.line
	name, after, found := strings.Cut(trimmed, "=")
	if !found {
		p.fail(at, "no \"=\"")
		return
	}
	name = strings.Trim(name, blanks)
	if words := strings.Fields(name); len(words) == 2 && words[0] == "export" {
		name = words[1]
	}
	if !validName(name) {
		p.fail(at, "the part before \"=\" is not a name")
		return
	}
	p.rest = p.rest[len(line)-len(after):]
	known := len(p.problems)
	value, reason := p.value()
	if reason != "" {
		p.problems = p.problems[:known] // those of a value that is left out
		p.fail(at, fmt.Sprintf("%s: %s", name, reason))
		return
	}
	p.skipLine()
	p.own[name] = value
	p.entries = append(p.entries, Entry{Name: name, Value: value, Line: at})
}

const blanks = " \t\v\f\r"

// value reads what stands right of "=" and leaves the rest at the line's end or
// inside its comment. It moves nothing when it gives a reason.
func (p *parser) value() (value, reason string) {
	body := strings.TrimLeft(p.rest, blanks)
	switch {
	case body != "" && (body[0] == '\'' || body[0] == '"'):
		return p.quoted(body)
	default:
		line, _, _ := strings.Cut(p.rest, "\n")
		return p.expand(strings.Trim(cutComment(line), blanks)), ""
	}
}

// cutComment drops a "#" that follows a blank, and what follows it.
func cutComment(line string) string {
	for i := 1; i < len(line); i++ {
		if line[i] == '#' && strings.IndexByte(blanks, line[i-1]) >= 0 {
			return line[:i]
		}
	}
	return line
}

func (p *parser) quoted(body string) (value, reason string) {
	quote := body[0]
	var raw strings.Builder
	i := 1
	for ; i < len(body) && body[i] != quote; i++ {
		if quote == '"' && body[i] == '\\' && i+1 < len(body) {
			i++
			raw.WriteString(escape(body[i]))
			continue
		}
		if quote == '"' && body[i] == '$' {
			if n, text := p.reference(body[i:]); n > 0 {
				raw.WriteString(text)
				i += n - 1
				continue
			}
		}
		raw.WriteByte(body[i])
	}
	if i >= len(body) {
		return "", "the closing quote is missing"
	}
	tail, _, _ := strings.Cut(body[i+1:], "\n")
	if tail = strings.TrimLeft(tail, blanks); tail != "" && tail[0] != '#' {
		return "", "text after the closing quote"
	}
	p.line += strings.Count(body[:i], "\n")
	p.rest = body[i+1:]
	return raw.String(), ""
}

// escape gives the meaning of a backslash and the byte after it inside double
// quotes. An unknown pair stays as it is.
func escape(c byte) string {
	switch c {
	case 'n':
		return "\n"
	case 't':
		return "\t"
	case 'r':
		return "\r"
	case 'a':
		return "\a"
	case 'b':
		return "\b"
	case 'f':
		return "\f"
	case 'v':
		return "\v"
	case '\\', '"', '\'', '$':
		return string(c)
	}
	return "\\" + string([]byte{c})
}

// expand replaces every reference of an unquoted value.
func (p *parser) expand(text string) string {
	if !strings.Contains(text, "${") {
		return text
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if n, value := p.reference(text[i:]); n > 0 {
			out.WriteString(value)
			i += n - 1
			continue
		}
		out.WriteByte(text[i])
	}
	return out.String()
}

// reference reads ${NAME} or ${NAME:-text} at the start of text and gives its
// length and its value. A length of 0 means that text starts with none. A name
// that is set nowhere is empty and reported.
func (p *parser) reference(text string) (length int, value string) {
	if !strings.HasPrefix(text, "${") {
		return 0, ""
	}
	end := strings.IndexByte(text, '}')
	if end < 0 {
		return 0, ""
	}
	name, fallback, hasFallback := strings.Cut(text[2:end], ":-")
	if !validName(name) {
		return 0, ""
	}
	if p.outside != nil {
		if v, ok := p.outside(name); ok {
			return end + 1, v
		}
	}
	if v, ok := p.own[name]; ok {
		return end + 1, v
	}
	if !hasFallback {
		p.problems = append(p.problems, Problem{p.line, fmt.Sprintf("%s is not set and counts as empty", name)})
	}
	return end + 1, fallback
}

// fail reports a line and leaves it out.
func (p *parser) fail(line int, reason string) {
	p.problems = append(p.problems, Problem{line, reason})
	p.skipLine()
}

func (p *parser) skipLine() {
	_, p.rest, _ = strings.Cut(p.rest, "\n")
	p.line++
}

// validName accepts a letter or "_", then letters, digits, "_", "." and "-".
func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c != '.' && c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}
