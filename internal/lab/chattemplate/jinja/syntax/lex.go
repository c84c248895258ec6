// Package syntax reads the part of the Jinja language that chat templates use:
// from text to a tree. Texts may be hostile: size and nesting are bounded. It
// evaluates nothing.
package syntax

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxTemplate bounds a template in bytes.
const maxTemplate = 512 << 10

// token is a piece of a template: data between tags, the bounds of tags, and
// what stands within them.
type token struct {
	kind  kind
	text  string
	Value any // of numbers
	line  int
}

type kind uint8

const (
	end kind = iota
	data
	beginExpr
	endExpr
	beginStmt
	endStmt
	name
	str
	number
	op
)

type lexer struct {
	src  string
	at   int
	line int
	out  []token
}

// lex takes a template apart. Like the tokenizers' own renderer it drops the
// blanks before a statement on its line and the line end behind it.
func lex(src string) ([]token, error) {
	if len(src) > maxTemplate {
		return nil, fmt.Errorf("the template has %d bytes, more than %d", len(src), maxTemplate)
	}
	src = strings.ReplaceAll(src, "\r\n", "\n")
	l := &lexer{src: strings.TrimSuffix(src, "\n"), line: 1}
	strip := false // the tag before asked to drop blanks
	trim := false  // the tag before was a statement
	for l.at < len(l.src) {
		begin, tag := l.nextTag()
		text := l.src[l.at:begin]
		switch {
		case strip:
			text = strings.TrimLeftFunc(text, unicode.IsSpace)
		case trim:
			text = strings.TrimPrefix(text, "\n")
		}
		atLineStart := trim && len(text) < begin-l.at || l.at == 0 || strings.Contains(l.src[l.at:begin], "\n")
		l.count(l.src[l.at:begin])
		if tag == 0 {
			l.emit(data, text)
			break
		}
		inner := begin + 2
		mark := byte(0)
		if inner < len(l.src) && (l.src[inner] == '-' || l.src[inner] == '+') {
			mark = l.src[inner]
			inner++
		}
		switch {
		case mark == '-':
			text = strings.TrimRightFunc(text, unicode.IsSpace)
		case mark != '+' && tag != '{':
			if i := strings.LastIndexByte(text, '\n'); strings.Trim(text[i+1:], " \t") == "" && (i >= 0 || atLineStart) {
				text = text[:i+1]
			}
		}
		l.emit(data, text)
		l.at = inner
		var err error
		if strip, trim, err = l.tag(tag); err != nil {
			return nil, err
		}
	}
	l.emit(end, "")
	return l.out, nil
}

// nextTag finds the next {{, {% or {#; tag is 0 at the end.
func (l *lexer) nextTag() (begin int, tag byte) {
	for i := l.at; i+1 < len(l.src); i++ {
		if l.src[i] == '{' && (l.src[i+1] == '{' || l.src[i+1] == '%' || l.src[i+1] == '#') {
			return i, l.src[i+1]
		}
	}
	return len(l.src), 0
}

func (l *lexer) emit(k kind, text string) {
	if k != data || text != "" {
		l.out = append(l.out, token{kind: k, text: text, line: l.line})
	}
}

func (l *lexer) count(s string) { l.line += strings.Count(s, "\n") }

// tag reads one tag up to its end; strip and trim say what it does to the text
// behind it.
func (l *lexer) tag(tag byte) (strip, trim bool, err error) {
	switch tag {
	case '#':
		i := strings.Index(l.src[l.at:], "#}")
		if i < 0 {
			return false, false, errors.New("a comment does not end")
		}
		strip = i > 0 && l.src[l.at+i-1] == '-'
		l.count(l.src[l.at : l.at+i])
		l.at += i + 2
		return strip, true, nil
	case '{':
		l.emit(beginExpr, "")
		mark, err := l.inside("}}")
		l.emit(endExpr, "")
		return mark == '-', false, err
	}
	start := len(l.out)
	l.emit(beginStmt, "")
	mark, err := l.inside("%}")
	if err != nil {
		return false, false, err
	}
	l.emit(endStmt, "")
	if len(l.out) == start+3 && l.out[start+1].text == "raw" && l.out[start+1].kind == name {
		l.out = l.out[:start]
		return l.raw(mark)
	}
	return mark == '-', mark != '+', nil
}

// raw takes text as it is up to endraw.
func (l *lexer) raw(mark byte) (strip, trim bool, err error) {
	rest := l.src[l.at:]
	for from := 0; ; {
		i := strings.Index(rest[from:], "{%")
		if i < 0 {
			return false, false, errors.New("a raw block does not end")
		}
		i += from
		inner := strings.TrimLeft(rest[i+2:], "-+ \t\n")
		if after, ok := strings.CutPrefix(inner, "endraw"); ok {
			closing := strings.TrimLeft(after, " \t\n")
			if tail, ok := strings.CutPrefix(strings.TrimLeft(closing, "-+"), "%}"); ok {
				text := rest[:i]
				if mark == '-' {
					text = strings.TrimLeftFunc(text, unicode.IsSpace)
				}
				if strings.HasPrefix(rest[i+2:], "-") {
					text = strings.TrimRightFunc(text, unicode.IsSpace)
				}
				l.count(rest[:i])
				l.emit(data, text)
				l.at = len(l.src) - len(tail)
				return strings.HasPrefix(closing, "-"), true, nil
			}
		}
		from = i + 2
	}
}

// operators, the longer first.
var operators = [...]string{"**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]", "{", "}", ",", ":", ".", "|", ";"}

// inside reads tokens up to the closing of a tag; mark is the sign before it.
func (l *lexer) inside(closing string) (mark byte, err error) {
	depth := 0 // of brackets: }} may end a dictionary in a tag
	for l.at < len(l.src) {
		rest := l.src[l.at:]
		c := rest[0]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if c == '\n' {
				l.line++
			}
			l.at++
			continue
		case depth == 0 && strings.HasPrefix(rest, closing):
			l.at += 2
			return 0, nil
		case (c == '-' || c == '+') && depth == 0 && strings.HasPrefix(rest[1:], closing):
			l.at += 3
			return c, nil
		case c == '"' || c == '\'':
			if err := l.quoted(c); err != nil {
				return 0, err
			}
			continue
		case c >= '0' && c <= '9':
			if err := l.number(); err != nil {
				return 0, err
			}
			continue
		}
		if r, _ := utf8.DecodeRuneInString(rest); r == '_' || unicode.IsLetter(r) {
			n := strings.IndexFunc(rest, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
			if n < 0 {
				n = len(rest)
			}
			l.emit(name, rest[:n])
			l.at += n
			continue
		}
		sign := ""
		for _, o := range operators {
			if strings.HasPrefix(rest, o) {
				sign = o
				break
			}
		}
		switch sign {
		case "":
			return 0, fmt.Errorf("line %d: unexpected character %q", l.line, c)
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			depth--
		}
		l.emit(op, sign)
		l.at += len(sign)
	}
	return 0, fmt.Errorf("line %d: a tag does not end", l.line)
}

// quoted reads a string.
func (l *lexer) quoted(quote byte) error {
	var b strings.Builder
	for i := l.at + 1; i < len(l.src); i++ {
		switch c := l.src[i]; {
		case c == quote:
			l.emit(str, b.String())
			l.count(l.src[l.at:i])
			l.at = i + 1
			return nil
		case c == '\\' && i+1 < len(l.src):
			i++
			n := unescape(&b, l.src[i:])
			i += n - 1
		default:
			b.WriteByte(c)
		}
	}
	return fmt.Errorf("line %d: a string does not end", l.line)
}

// unescape writes what an escape stands for; n is how many bytes it has behind
// the backslash.
func unescape(b *strings.Builder, s string) (n int) {
	if plain := map[byte]string{'n': "\n", 't': "\t", 'r': "\r", '\\': `\`, '\'': "'", '"': `"`, '0': "\x00", 'a': "\a", 'b': "\b", 'f': "\f", 'v': "\v", '\n': ""}; s[0] != 'x' && s[0] != 'u' && s[0] != 'U' {
		if v, ok := plain[s[0]]; ok {
			b.WriteString(v)
		} else {
			b.WriteString(`\` + s[:1])
		}
		return 1
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[0]]
	code := rune(0)
	for i := 1; i <= digits; i++ {
		if i >= len(s) || !strings.ContainsRune("0123456789abcdefABCDEF", rune(s[i])) {
			b.WriteString(`\` + s[:1])
			return 1
		}
		var d int
		_, _ = fmt.Sscanf(s[i:i+1], "%x", &d) // one checked digit
		code = code<<4 | rune(d)
	}
	b.WriteRune(code)
	return digits + 1
}

// exponent is how long the e10 or e-5 at the beginning of s is; 0 for none.
func exponent(s string) int {
	if s == "" || s[0] != 'e' && s[0] != 'E' {
		return 0
	}
	i := 1
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	digits := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i, digits = i+1, digits+1
	}
	if digits == 0 {
		return 0
	}
	return i
}

func (l *lexer) number() error {
	rest := l.src[l.at:]
	n := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if n < 0 {
		n = len(rest)
	}
	float := false
	if n+1 < len(rest) && rest[n] == '.' && rest[n+1] >= '0' && rest[n+1] <= '9' {
		float = true
		for n++; n < len(rest) && rest[n] >= '0' && rest[n] <= '9'; n++ {
		}
	}
	if e := exponent(rest[n:]); e > 0 {
		float, n = true, n+e
	}
	var v any
	var err error
	if float {
		var f float64
		_, err = fmt.Sscanf(rest[:n], "%g", &f)
		v = f
	} else {
		var i int64
		_, err = fmt.Sscanf(rest[:n], "%d", &i)
		v = i
	}
	if err != nil || n > 40 {
		return fmt.Errorf("line %d: the number is too large", l.line)
	}
	l.out = append(l.out, token{kind: number, text: rest[:n], Value: v, line: l.line})
	l.at += n
	return nil
}
