package shell

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Marks inside [Word.Text] for what a word becomes only when the shell runs.
// A command that holds these control characters itself is refused as broken,
// so they cannot be forged.
const (
	Any  = '\x00' // text that cannot be told
	Glob = '\x01' // what a file name pattern matches
	Sep  = '\x02' // stands between the words of [Command.Text]
	Home = '\x03' // the home folder, written ~ or $HOME
	Here = '\x04' // the working directory, written $PWD

	marks     = "\x00\x01\x02\x03\x04"
	anyText   = string(Any)
	globText  = string(Glob)
	dynamic   = anyText + globText
	homeText  = string(Home)
	hereText  = string(Here)
	backslash = '\\'
)

// Word is one word of a command with its quoting undone.
type Word struct {
	Text string
	// Splits says that the word may become none or several words.
	Splits bool
}

// literal is a word that stands for itself.
func literal(s string) Word { return Word{Text: s} }

// static reports whether the text is known, but for where home is.
func (w Word) static() bool { return !w.Splits && !strings.ContainsAny(w.Text, dynamic) }

// Plain reports whether the text is exactly what the program gets.
func (w Word) Plain() bool { return !w.Splits && !strings.ContainsAny(w.Text, marks) }

// Base returns what follows the last slash, and whether that is known.
func (w Word) Base() (string, bool) {
	base := w.Text[strings.LastIndexByte(w.Text, '/')+1:]
	return base, !w.Splits && base != "" && !strings.ContainsAny(base, marks)
}

// Flag reports whether the word looks like an option.
func (w Word) Flag() bool { return len(w.Text) > 1 && w.Text[0] == '-' }

// words turns parsed words into ours.
func (r *reader) words(in []*syntax.Word) []Word {
	out := make([]Word, 0, len(in))
	for _, w := range in {
		out = append(out, r.word(w))
	}
	return out
}

func (r *reader) word(w *syntax.Word) Word {
	var b builder
	b.homeSet = r.homeSet
	for i, part := range w.Parts {
		b.part(part, false, i == 0)
	}
	if b.brace && (b.comma || strings.Contains(b.text.String(), "..")) {
		return Word{Text: anyText, Splits: true} // {a,b} and {1..9} make several words
	}
	text := b.text.String()
	if text == globText && len(w.Parts) == 1 && w.Lit() == "[" {
		text, b.splits = "[", false // the test command
	}
	return Word{Text: text, Splits: b.splits}
}

// builder collects the text of one word.
type builder struct {
	text         strings.Builder
	splits       bool
	brace, comma bool // unquoted
	homeSet      bool // HOME or PWD is not what it was at the start
}

func (b *builder) any(splits bool) {
	b.text.WriteByte(Any)
	b.splits = b.splits || splits
}

func (b *builder) part(part syntax.WordPart, quoted, first bool) {
	switch p := part.(type) {
	case *syntax.Lit:
		if quoted {
			b.quotedLit(p.Value)
		} else {
			b.lit(p.Value, first)
		}
	case *syntax.SglQuoted:
		if p.Dollar && strings.ContainsRune(p.Value, backslash) {
			b.any(false) // $'…' escapes are not decoded: nobody writes them plainly
			return
		}
		b.text.WriteString(p.Value)
	case *syntax.DblQuoted:
		for _, inner := range p.Parts {
			b.part(inner, true, false)
		}
	case *syntax.ParamExp:
		b.param(p, quoted)
	default: // substitutions, arithmetic, extended patterns
		b.any(!quoted)
	}
}

func (b *builder) param(p *syntax.ParamExp, quoted bool) {
	bare := p.Param != nil && p.Exp == nil && p.Slice == nil && p.Repl == nil && p.Index == nil &&
		!p.Excl && !p.Length && p.Names == 0
	if bare && !b.homeSet {
		switch p.Param.Value {
		case "HOME":
			b.text.WriteByte(Home)
			return
		case "PWD":
			b.text.WriteByte(Here)
			return
		}
	}
	list := p.Param == nil || p.Param.Value == "@" || p.Index != nil || p.Excl || p.Names != 0
	b.any(!quoted || list)
}

// lit adds unquoted text: backslashes quote, patterns and ~ mean something.
func (b *builder) lit(s string, first bool) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case backslash:
			if i++; i < len(s) && s[i] != '\n' {
				b.text.WriteByte(s[i])
			}
		case '*', '?', '[':
			b.text.WriteByte(Glob)
			b.splits = true
		case '{':
			b.brace = true
			b.text.WriteByte(c)
		case ',':
			b.comma = true
			b.text.WriteByte(c)
		case '~':
			b.tilde(s, i, first)
		default:
			b.text.WriteByte(c)
		}
	}
}

// tilde adds a ~ at s[i]: home when it starts the word and no user follows.
func (b *builder) tilde(s string, i int, first bool) {
	starts := first && i == 0 || i > 0 && (s[i-1] == '=' || s[i-1] == ':')
	alone := i+1 == len(s) || s[i+1] == '/' || s[i+1] == ':'
	switch {
	case !starts:
		b.text.WriteByte('~')
	case alone && !b.homeSet:
		b.text.WriteByte(Home)
	default:
		b.any(false)
	}
}

// quotedLit adds text from inside double quotes, where a backslash only
// quotes $, `, ", \ and the end of a line.
func (b *builder) quotedLit(s string) {
	for i := 0; i < len(s); i++ {
		if s[i] == backslash && i+1 < len(s) && strings.IndexByte("$`\"\\\n", s[i+1]) >= 0 {
			if i++; s[i] == '\n' {
				continue
			}
		}
		b.text.WriteByte(s[i])
	}
}
