package inline

import (
	"bytes"
	"html"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/flow"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// address writes a link or an image: its text and, where that says something
// else, its address. The address is always to be seen: a text can pretend to be
// another.
func (w *writer) address(n ast.Node, destination []byte, style theme.Style) {
	shown := w.resolve(destination)
	w.linked(w.target(shown, ast.AutoLinkURL), func() {
		// Written once, however deep images stand in images.
		inner := &writer{source: w.source, options: w.options, link: w.link}
		inner.children(n, style)
		label := plainText(inner.spans)
		if strings.TrimSpace(label) == "" || shown != "" && sameAddress(label, shown) {
			w.add(style.With(theme.Link), shown)
			return
		}
		for _, s := range inner.spans {
			w.linked(s.Link, func() { w.add(s.Style, s.Text) })
		}
		if shown != "" {
			w.add(style, " (")
			w.add(style.With(theme.Link), shown)
			w.add(style, ")")
		}
	})
}

// linked writes with an address behind what is written. A link in an image in a
// link has its own.
func (w *writer) linked(address string, write func()) {
	before := w.link
	if address != "" {
		w.link = address
	}
	write()
	w.link = before
}

// target is the address to put behind a text, if such are wanted and it is one
// that a browser or a mail program opens; in printable ASCII.
func (w *writer) target(address string, kind ast.AutoLinkType) string {
	if !w.options.Hyperlinks {
		return ""
	}
	if kind == ast.AutoLinkEmail && !strings.HasPrefix(address, "mailto:") {
		address = "mailto:" + address
	}
	scheme, _, _ := strings.Cut(strings.ToLower(address), ":")
	if scheme != "http" && scheme != "https" && scheme != "mailto" {
		return ""
	}
	var b strings.Builder
	for i := range len(address) {
		if c := address[i]; c > ' ' && c < 0x7f {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + string("0123456789ABCDEF"[c>>4]) + string("0123456789ABCDEF"[c&15]))
		}
	}
	return b.String()
}

func plainText(spans []theme.Span) string {
	var b strings.Builder
	for _, s := range spans {
		b.WriteString(s.Text)
	}
	return b.String()
}

// sameAddress reports whether a text is its address, but for what is understood.
func sameAddress(label, address string) bool {
	short := func(s string) string {
		s = strings.TrimSpace(s)
		for _, scheme := range []string{"https://", "http://", "mailto:"} {
			s = strings.TrimPrefix(s, scheme)
		}
		return strings.TrimSuffix(s, "/")
	}
	return short(label) == short(address)
}

// resolve returns text with its escapes and names of characters replaced. What
// these can stand for is cleaned like all other text.
func (w *writer) resolve(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 && bytes.IndexByte(raw, '&') < 0 {
		return string(raw)
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '\\' && i+1 < len(raw) && strings.IndexByte("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", raw[i+1]) >= 0:
			i++
			b.WriteByte(raw[i])
		case c == '&':
			name := entity(raw[i:])
			b.WriteString(w.character(name))
			i += len(name) - 1
		default:
			b.WriteByte(c)
		}
	}
	return strings.ReplaceAll(flow.Clean(b.String()), "\n", " ")
}

// entity returns the name of a character at the start of raw, from '&' to ';';
// "&" where there is none. The longest has 33 bytes.
func entity(raw []byte) string {
	end := bytes.IndexByte(raw[:min(len(raw), 34)], ';')
	if end < 2 {
		return "&"
	}
	for _, c := range raw[1:end] {
		if c != '#' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return "&"
		}
	}
	return string(raw[:end+1])
}

// character is what a name stands for; the name itself where it means nothing
// or what it means cannot be shown.
func (w *writer) character(name string) string {
	s := html.UnescapeString(name)
	if strings.HasSuffix(s, ";") && s != ";" { // a known name with something behind it
		return name
	}
	for _, r := range s {
		if w.options.ASCII && r > 0x7e {
			return name
		}
	}
	return s
}

// strikeParser reads ~~struck~~ text.
type strikeParser struct{}

func (strikeParser) Trigger() []byte { return []byte{'~'} }

func (s strikeParser) Parse(_ ast.Node, block text.Reader, pc parser.Context) ast.Node {
	before := block.PrecendingCharacter()
	line, segment := block.PeekLine()
	// One tilde is "about" far more often than the start of struck text.
	d := parser.ScanDelimiter(line, before, 2, s)
	if d == nil || d.OriginalLength > 2 || before == '~' {
		return nil
	}
	d.Segment = segment.WithStop(segment.Start + d.OriginalLength)
	block.Advance(d.OriginalLength)
	pc.PushDelimiter(d)
	return d
}

// IsDelimiter and the two after it make it a parser.DelimiterProcessor.
func (strikeParser) IsDelimiter(b byte) bool { return b == '~' }

func (strikeParser) CanOpenCloser(opener, closer *parser.Delimiter) bool {
	return opener.Char == closer.Char
}

func (strikeParser) OnMatch(int) ast.Node { return ast.NewEmphasis(struckLevel) }

// addressParser reads addresses that stand in the text without any sign.
type addressParser struct{}

// Trigger names what an address may stand behind; a blank means the start of a
// line too.
func (addressParser) Trigger() []byte { return []byte(" *_~(") }

func (addressParser) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	if pc.IsInLinkLabel() {
		return nil
	}
	line, segment := block.PeekLine()
	skip := 0
	if strings.IndexByte(" *_~(", line[0]) >= 0 {
		skip = 1
	}
	length := addressLength(line[skip:])
	if length == 0 {
		return nil
	}
	if skip > 0 {
		ast.MergeOrAppendTextSegment(parent, segment.WithStop(segment.Start+1))
	}
	block.Advance(skip + length)
	start := segment.Start + skip
	link := ast.NewAutoLink(ast.AutoLinkURL, ast.NewTextSegment(text.NewSegment(start, start+length)))
	if bytes.HasPrefix(line[skip:], []byte("www.")) {
		link.Protocol = []byte("https")
	}
	return link
}

// addressLength returns how long the address at the start of s is, without
// punctuation that belongs to the sentence; 0 for none.
func addressLength(s []byte) int {
	start := 0
	for _, prefix := range []string{"https://", "http://", "www."} {
		if bytes.HasPrefix(s, []byte(prefix)) {
			start = len(prefix)
			break
		}
	}
	if start == 0 {
		return 0
	}
	end, open := start, 0
	for ; end < len(s) && s[end] > ' ' && s[end] < 0x7f && strings.IndexByte("<>`|\"\\", s[end]) < 0; end++ {
		switch s[end] {
		case '(':
			open++
		case ')':
			open--
		}
	}
	for ; end > start; end-- {
		switch c := s[end-1]; {
		case strings.IndexByte("?!.,:;*_~'", c) >= 0:
		case c == ')' && open < 0:
			open++
		default:
			return end
		}
	}
	return 0
}
