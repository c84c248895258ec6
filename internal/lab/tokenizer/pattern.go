package tokenizer

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// trailing is what patterns say for blanks that do not touch a word. Go's
// expressions look at nothing that they do not take, so the blanks are taken by
// a group of their own, and its last one is given back before a word.
const trailing = `\s+(?!\S)`

// Bounds of patterns, which come from strangers.
const (
	maxPattern = 4096 // bytes
	maxProgram = 1000 // steps of the program that it becomes
	looks      = 8    // matches between two looks at the clock
)

// expression finds a regular expression as tokenizers write them. One that has
// once been far too slow finds nothing any more: some take the square of a
// text's length, and no bound on their form tells which.
func expression(expr string) (finder, error) {
	if len(expr) > maxPattern {
		return nil, fmt.Errorf("the pattern has %d bytes, more than %d", len(expr), maxPattern)
	}
	if strings.Count(expr, trailing) == 1 {
		expr = strings.Replace(expr, trailing, `(?P<blanks>\s+)`, 1)
	}
	re, err := compile(unicodeSpaces(expr))
	if err != nil {
		return nil, fmt.Errorf("the pattern is not supported: %w", err)
	}
	group := re.SubexpIndex("blanks")
	var slow atomic.Bool
	return func(text string) []span {
		var out []span
		from := 0
		clock := deadline(len(text))
		for n := 1; from < len(text) && !slow.Load(); n++ {
			if n%looks == 0 && time.Now().After(clock) {
				slow.Store(true)
				break
			}
			m := re.FindStringSubmatchIndex(text[from:])
			if m == nil {
				break
			}
			start, end := from+m[0], from+m[1]
			if group > 0 && m[2*group] >= 0 && end < len(text) {
				if _, last := utf8.DecodeLastRuneInString(text[start:end]); end-last > start {
					end -= last
				}
			}
			if end == start { // an empty match takes nothing
				_, n := utf8.DecodeRuneInString(text[start:])
				end = start + n
				out = append(out, span{text[from:end], false})
				from = end
				continue
			}
			out = append(out, span{text[from:start], false}, span{text[start:end], true})
			from = end
		}
		return append(out, span{text[from:], false})
	}, nil
}

// deadline is when a text of some length must have been taken apart: a hundred
// times what patterns of real tokenizers need.
func deadline(length int) time.Time {
	return time.Now().Add(time.Second + time.Duration(length)*10*time.Microsecond)
}

// compile reads an expression whose program is short enough: the time of a
// match grows with it.
func compile(expr string) (*regexp.Regexp, error) {
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, err
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, err
	}
	if len(program.Inst) > maxProgram {
		return nil, fmt.Errorf("it takes %d steps, more than %d", len(program.Inst), maxProgram)
	}
	return regexp.Compile(expr)
}

// spaces are the blanks of Unicode, as the inside of a class.
const spaces = `\t\n\v\f\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}`

// unicodeSpaces makes \s and \S mean Unicode's blanks: Go's mean ASCII's.
func unicodeSpaces(expr string) string {
	var out strings.Builder
	class := false
	for i := 0; i < len(expr); i++ {
		switch c := expr[i]; {
		case c == '\\' && i+1 < len(expr):
			i++
			switch {
			case expr[i] == 's' && class:
				out.WriteString(spaces)
			case expr[i] == 's':
				out.WriteString("[" + spaces + "]")
			case expr[i] == 'S' && !class:
				out.WriteString("[^" + spaces + "]")
			default:
				out.WriteByte('\\')
				out.WriteByte(expr[i])
			}
		default:
			switch c {
			case '[':
				if class {
					out.WriteByte('\\') // a bracket inside a class is itself
				}
				class = true
			case ']':
				class = false
			}
			out.WriteByte(c)
		}
	}
	return out.String()
}
