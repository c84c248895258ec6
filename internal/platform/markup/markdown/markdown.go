// Package markdown writes a tree of HTML as Markdown for a model to read:
// headings, paragraphs, lists, quotes, code with its language, tables, links.
// It knows nothing of what kind of page it is; who does can render elements of
// their own.
package markdown

import (
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/ml-intern/ml-intern/internal/platform/markup/dom"
)

// DefaultLimit bounds the text in bytes where Options set none.
const DefaultLimit = 8 << 20

// Options make a text.
type Options struct {
	// Base is what relative addresses are relative to; nil leaves them.
	Base *url.URL
	// Special, when set, may render an element itself; it reports whether it
	// did. It is asked before all other rules.
	Special func(w *Writer, n *html.Node) bool
	// Rows bounds the rows of a table; 0 is 500.
	Rows int
	// Plain leaves links and pictures out: only their texts are written.
	Plain bool
	// Limit bounds the text in bytes; 0 is DefaultLimit.
	Limit int
}

// Render returns the content of a tree, which [dom.Visible] has pruned.
func Render(root *html.Node, o Options) string {
	w := New(o)
	w.Node(root)
	return w.String()
}

// Node renders an element or a text.
func (w *Writer) Node(n *html.Node) {
	switch n.Type {
	case html.TextNode:
		w.Text(n.Data)
	case html.DocumentNode:
		w.Children(n)
	case html.ElementNode:
		switch {
		case w.full():
		case w.nested >= inlineDepth:
			w.Children(n)
		case w.o.Special == nil || !w.o.Special(w, n):
			w.element(n)
		}
	}
}

// Children renders what is in an element.
func (w *Writer) Children(n *html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		w.Node(c)
	}
}

func (w *Writer) element(n *html.Node) {
	switch n.DataAtom {
	case atom.Head, atom.Script, atom.Style, atom.Template, atom.Title, atom.Noscript:
	case atom.Br:
		w.Line()
	case atom.Hr:
		w.Block()
		w.raw("---")
		w.Block()
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		w.Heading(int(n.Data[1]-'0'), w.Inline(n))
	case atom.Ul, atom.Ol, atom.Menu:
		w.List(n)
	case atom.Pre, atom.Listing, atom.Xmp:
		w.Code(language(n), source(n))
	case atom.Table:
		w.table(n)
	case atom.Blockquote:
		w.quote(n)
	case atom.Img:
		w.picture(n)
	case atom.Math:
		w.formula(n)
	default:
		w.inlineElement(n)
	}
}

func (w *Writer) inlineElement(n *html.Node) {
	switch n.DataAtom {
	case atom.A:
		w.link(n)
	case atom.Strong, atom.B:
		w.emphasis(n, "**", &w.bold)
	case atom.Em, atom.I, atom.Cite, atom.Var, atom.Dfn:
		w.emphasis(n, "*", &w.italic)
	case atom.Code, atom.Kbd, atom.Samp, atom.Tt:
		w.inlineCode(n)
	case atom.Sup:
		w.raised(n)
	case atom.Dt:
		w.Block()
		w.emphasis(n, "**", &w.bold)
		w.Line()
	case atom.Dd, atom.Tr, atom.Option, atom.Summary:
		w.Line()
		w.Children(n)
		w.Line()
	case atom.Td, atom.Th:
		w.space()
		w.Children(n)
		w.space()
	default:
		if !IsBlock(n) {
			w.Children(n)
			return
		}
		w.Block()
		w.Children(n)
		w.Block()
	}
}

// IsBlock reports whether an element stands on lines of its own.
func IsBlock(n *html.Node) bool {
	switch n.DataAtom {
	case atom.P, atom.Div, atom.Section, atom.Article, atom.Main, atom.Header, atom.Footer, atom.Nav, atom.Aside,
		atom.Figure, atom.Figcaption, atom.Details, atom.Dl, atom.Form, atom.Fieldset, atom.Address, atom.Center,
		atom.Hgroup, atom.Caption, atom.Body, atom.Html, atom.Ul, atom.Ol, atom.Menu, atom.Pre, atom.Table,
		atom.Blockquote, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Hr, atom.Li, atom.Dt, atom.Dd,
		atom.Tr, atom.Thead, atom.Tbody, atom.Tfoot, atom.Summary, atom.Dialog, atom.Search:
		return true
	}
	return false
}

// HasBlock reports whether there is a block in an element.
func HasBlock(n *html.Node) bool {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if IsBlock(c) || HasBlock(c) {
			return true
		}
	}
	return false
}

// Strong writes an element in bold.
func (w *Writer) Strong(n *html.Node) { w.emphasis(n, "**", &w.bold) }

// Emphasis writes an element in italics.
func (w *Writer) Emphasis(n *html.Node) { w.emphasis(n, "*", &w.italic) }

// InlineCode writes the text of an element as code within a line.
func (w *Writer) InlineCode(n *html.Node) { w.inlineCode(n) }

// emphasis writes an element between marks, unless it is so already or holds
// blocks.
func (w *Writer) emphasis(n *html.Node, mark string, on *bool) {
	if *on || w.heading || HasBlock(n) {
		w.Children(n)
		return
	}
	*on = true
	text := w.Inline(n)
	*on = false
	w.around(n, text, mark)
}

// around writes text between marks; spaces at the ends of the element come to
// stand outside.
func (w *Writer) around(n *html.Node, text, mark string) {
	if text == "" {
		w.spaceAround(n)
		return
	}
	if w.startsWithSpace(n) {
		w.space()
	}
	w.raw(mark + text + mark)
	if w.endsWithSpace(n) {
		w.space()
	}
}

func (w *Writer) inlineCode(n *html.Node) {
	if HasBlock(n) {
		w.Children(n)
		return
	}
	if text := strings.Join(strings.Fields(dom.Text(n)), " "); text != "" {
		w.raw(quoted(text))
	}
}

// raised writes a superscript; 10² must not become 102.
func (w *Writer) raised(n *html.Node) {
	text := w.Inline(n)
	if text == "" {
		return
	}
	if strings.ContainsAny(text[:1], "0123456789") && w.Column() > 0 {
		w.raw("^" + text)
		return
	}
	w.raw(text)
}

func (w *Writer) link(n *html.Node) {
	href := strings.TrimSpace(dom.Attr(n, "href"))
	if w.o.Plain || w.inLink || HasBlock(n) {
		w.Children(n)
		return
	}
	w.inLink = true
	text := w.Inline(n)
	w.inLink = false
	if strings.HasPrefix(href, "#") && (text == "#" || text == "¶" || text == "§" || text == "🔗" || text == "Link to this heading") {
		return // a heading's handle
	}
	target := w.address(href)
	if text == "" || target == "" || w.heading && strings.HasPrefix(href, "#") {
		if text == "" {
			w.spaceAround(n)
			return
		}
		w.around(n, text, "")
		return
	}
	if w.startsWithSpace(n) {
		w.space()
	}
	if text == target {
		w.raw("<" + target + ">")
	} else {
		w.raw("[" + text + "](" + target + ")")
	}
	if w.endsWithSpace(n) {
		w.space()
	}
}

func (w *Writer) picture(n *html.Node) {
	alt := strings.Join(strings.Fields(dom.Attr(n, "alt")), " ")
	if alt == "" {
		return
	}
	target := w.address(dom.Attr(n, "src"))
	if w.o.Plain || target == "" || w.inLink {
		w.raw("[" + alt + "]")
		return
	}
	w.raw("![" + alt + "](" + target + ")")
}

// address returns an absolute address on the web, "" for all others.
func (w *Writer) address(ref string) string {
	const longest = 2000
	if ref == "" || len(ref) > longest || strings.ContainsAny(ref, "\n\t<>") {
		return ""
	}
	u, err := url.Parse(strings.ReplaceAll(ref, " ", "%20"))
	if err != nil {
		return ""
	}
	if w.o.Base != nil {
		u = w.o.Base.ResolveReference(u)
	}
	switch u.Scheme {
	case "http", "https", "mailto", "":
		return strings.NewReplacer("(", "%28", ")", "%29").Replace(u.String())
	}
	return ""
}

// formula writes what a formula was written as in TeX, else its symbols.
func (w *Writer) formula(n *html.Node) {
	tex := Formula(n)
	if tex == "" {
		return
	}
	if dom.Attr(n, "display") == "block" && w.o.Special == nil {
		w.Block()
		w.raw("$$" + tex + "$$")
		w.Block()
		return
	}
	w.raw("$" + tex + "$")
}

// Formula returns a MathML formula in TeX on one line: its alttext or its
// annotation; its symbols where it has neither.
func Formula(n *html.Node) string {
	tex := dom.Attr(n, "alttext")
	if tex == "" {
		note := dom.Find(n, func(n *html.Node) bool {
			return n.Data == "annotation" && strings.Contains(dom.Attr(n, "encoding"), "tex")
		})
		if note == nil {
			note = n
		}
		tex = dom.Text(note)
	}
	// A % ends a line that only LaTeX's width made one.
	tex = strings.ReplaceAll(strings.ReplaceAll(tex, "\r", ""), "%\n", "")
	return strings.Join(strings.Fields(tex), " ")
}
