// Package inline turns the text of a paragraph, heading or cell into styled
// spans: emphasis, code, links. It knows what was defined earlier in the same
// document and neither blocks nor widths.
package inline

import (
	"bytes"
	"strings"
	"sync"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/flow"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// Options say how spans are written.
type Options struct {
	// Marks keeps the signs of emphasis and code, for terminals that show no
	// styles.
	Marks bool
	// ASCII leaves the names of characters beyond ASCII as they are.
	ASCII bool
	// Hyperlinks puts addresses behind the spans of links.
	Hyperlinks bool
}

// Reader reads the texts of one document in order. Addresses that are defined
// in one (`[name]: address`) are known in those after it; the definition itself
// is shown, since an earlier use of it could not know it.
type Reader struct {
	options Options
	// known are the definitions so far, before those of the Reader it was
	// forked from.
	known map[string]parser.Reference
	from  *Reader
}

// New returns a Reader for a document.
func New(o Options) *Reader { return &Reader{options: o} }

// Fork returns a Reader that knows the same and learns for itself.
func (r *Reader) Fork() *Reader { return &Reader{options: r.options, from: r} }

// paragraphs and titles read one paragraph and nothing else; the first reads
// definitions too.
var (
	paragraphs = sync.OnceValue(func() parser.Parser {
		return newParser(parser.WithParagraphTransformers(util.Prioritized(parser.LinkReferenceParagraphTransformer, 100)))
	})
	titles = sync.OnceValue(func() parser.Parser { return newParser() })
)

func newParser(o ...parser.Option) parser.Parser {
	return parser.NewParser(append(o,
		parser.WithBlockParsers(util.Prioritized(parser.NewParagraphParser(), 1000)),
		parser.WithInlineParsers(
			util.Prioritized(parser.NewCodeSpanParser(), 100),
			util.Prioritized(parser.NewLinkParser(), 200),
			util.Prioritized(parser.NewAutoLinkParser(), 300),
			util.Prioritized(parser.NewRawHTMLParser(), 400),
			util.Prioritized(parser.NewEmphasisParser(), 500),
			util.Prioritized(strikeParser{}, 500),
			util.Prioritized(addressParser{}, 999),
		),
	)...)
}

// Paragraph returns the spans of a paragraph, which may define addresses. A
// newline in them is one that the text asks for.
func (r *Reader) Paragraph(s string) []theme.Span { return r.read(paragraphs(), s, 0) }

// Title returns the spans of a heading or a cell, in a style that theirs are
// added to.
func (r *Reader) Title(s string, style theme.Style) []theme.Span { return r.read(titles(), s, style) }

func (r *Reader) read(markdown parser.Parser, s string, style theme.Style) []theme.Span {
	source := []byte(s)
	w := &writer{source: source, options: r.options}
	root := markdown.Parse(text.NewReader(source), parser.WithContext(&context{Context: parser.NewContext(), reader: r}))
	for n := root.FirstChild(); n != nil; n = n.NextSibling() {
		if len(w.spans) > 0 {
			w.add(style, "\n")
		}
		if d, ok := n.(*ast.LinkReferenceDefinition); ok {
			w.definition(d, style)
		} else {
			w.children(n, style)
		}
	}
	return w.spans
}

// context gives goldmark the definitions of earlier texts.
type context struct {
	parser.Context
	reader *Reader
}

// Reference looks a definition up. Marks of citations stay marks.
func (c *context) Reference(label string) (parser.Reference, bool) {
	if citation(label) {
		return nil, false
	}
	for r := c.reader; r != nil; r = r.from {
		if ref, ok := r.known[label]; ok {
			return ref, true
		}
	}
	return nil, false
}

// AddReference keeps a definition, the first of each name.
func (c *context) AddReference(ref parser.Reference) {
	label := util.ToLinkReference(ref.Label())
	if _, ok := c.Reference(label); ok {
		return
	}
	r := c.reader
	if r.known == nil {
		r.known = map[string]parser.Reference{}
	}
	r.known[label] = parser.NewReference(bytes.Clone(ref.Label()), bytes.Clone(ref.Destination()), nil)
}

// citation reports whether a label is that of a source: S and a number.
func citation(label string) bool {
	return len(label) > 1 && label[0]|0x20 == 's' && strings.Trim(label[1:], "0123456789") == ""
}

// writer collects spans.
type writer struct {
	source  []byte
	options Options
	spans   []theme.Span
	// link is the address behind what is written.
	link string
}

func (w *writer) add(style theme.Style, s string) {
	if s == "" {
		return
	}
	if n := len(w.spans); n > 0 && w.spans[n-1].Style == style && w.spans[n-1].Link == w.link {
		w.spans[n-1].Text += s
		return
	}
	w.spans = append(w.spans, theme.Span{Text: s, Style: style, Link: w.link})
}

// mark writes the sign of a style where the style is not to be seen.
func (w *writer) mark(style theme.Style, sign string) {
	if w.options.Marks {
		w.add(style, sign)
	}
}

func (w *writer) children(n ast.Node, style theme.Style) {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		w.node(c, style)
	}
}

func (w *writer) node(n ast.Node, style theme.Style) {
	switch n := n.(type) {
	case *ast.Text:
		w.add(style, w.resolve(n.Segment.Value(w.source)))
		if n.HardLineBreak() {
			w.add(style, "\n")
		} else if n.SoftLineBreak() {
			w.add(style, " ")
		}
	case *ast.CodeSpan:
		style = style.With(theme.Code)
		w.mark(style, "`")
		for c := n.FirstChild(); c != nil; c = c.NextSibling() {
			if t, ok := c.(*ast.Text); ok {
				w.add(style, strings.ReplaceAll(string(t.Segment.Value(w.source)), "\n", " "))
			}
		}
		w.mark(style, "`")
	case *ast.Emphasis:
		w.emphasis(n, style)
	case *ast.Link:
		w.address(n, n.Destination, style)
	case *ast.Image:
		w.address(n, n.Destination, style)
	case *ast.AutoLink:
		label := flow.Clean(string(n.Label(w.source)))
		w.linked(w.target(string(n.URL(w.source)), n.AutoLinkType), func() { w.add(style.With(theme.Link), label) })
	case *ast.RawHTML:
		w.html(n, style)
	default:
		w.children(n, style)
	}
}

// struckLevel is the level of emphasis that stands for struck text.
const struckLevel = 3

func (w *writer) emphasis(n *ast.Emphasis, style theme.Style) {
	sign := "*"
	switch n.Level {
	case 1:
		style = style.With(theme.Emphasis)
	case 2:
		sign, style = "**", style.With(theme.Strong)
	case struckLevel:
		// Not every terminal can strike text, and without it the text would say
		// the opposite.
		style = style.With(theme.Struck)
		w.add(style, "~~")
		w.children(n, style)
		w.add(style, "~~")
		return
	}
	w.mark(style, sign)
	w.children(n, style)
	w.mark(style, sign)
}

// html writes a tag as it is; that of a line break breaks the line.
func (w *writer) html(n *ast.RawHTML, style theme.Style) {
	var b strings.Builder
	for i := range n.Segments.Len() {
		at := n.Segments.At(i)
		b.Write(at.Value(w.source))
	}
	tag := strings.ReplaceAll(b.String(), "\n", " ")
	if name := strings.Trim(strings.ToLower(tag), "</ >"); name == "br" {
		w.add(style, "\n")
		return
	}
	w.add(style.With(theme.Dim), tag)
}

func (w *writer) definition(d *ast.LinkReferenceDefinition, style theme.Style) {
	for i := range d.Lines().Len() {
		at := d.Lines().At(i)
		if i > 0 {
			w.add(style, " ")
		}
		w.add(style.With(theme.Dim), strings.Trim(string(at.Value(w.source)), " \n"))
	}
}
