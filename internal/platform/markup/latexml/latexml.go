// Package latexml reads papers in the HTML that LaTeXML makes of LaTeX, as arXiv
// and ar5iv publish them: formulas as TeX, tables, figures, footnotes, citations,
// algorithms and the numbers of sections. It does not know where a paper comes
// from.
package latexml

import (
	"errors"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/ml-intern/ml-intern/internal/platform/markup/dom"
	"github.com/ml-intern/ml-intern/internal/platform/markup/markdown"
	"github.com/ml-intern/ml-intern/internal/platform/markup/paper"
)

// ErrNoPaper says that a page is no paper, such as a page that says there is
// none.
var ErrNoPaper = errors.New("the page holds no paper made by LaTeXML")

const (
	// maxRows bounds the rows of a table that are shown.
	maxRows = 40
	// letter is how many bytes a text without sections must have to be a paper.
	letter = 2000
)

// Parse reads a paper.
func Parse(page []byte) (*paper.Paper, error) {
	root := dom.Parse(page)
	version := edition(root)
	dom.Visible(root)
	article := dom.Find(root, func(n *html.Node) bool { return dom.Class(n, "ltx_document") })
	if article == nil {
		return nil, ErrNoPaper
	}
	r := &reader{}
	r.paper.Version = version
	r.front(article)
	w := markdown.New(r.options())
	w.Children(article)
	r.paper.Body = w.String()
	p := paper.New(r.paper, r.ids)
	if len(p.Sections) == 0 && len(p.Body) < letter {
		return nil, ErrNoPaper
	}
	return p, nil
}

// edition returns the version the page says it is of, such as "v3".
func edition(root *html.Node) string {
	if base := dom.Find(root, func(n *html.Node) bool { return n.DataAtom == atom.Base }); base != nil {
		if v := version(strings.Trim(dom.Attr(base, "href"), "/")); v != "" {
			return v
		}
	}
	mark := dom.Find(root, func(n *html.Node) bool { return dom.Attr(n, "id") == "watermark-tr" })
	if mark == nil {
		return ""
	}
	for word := range strings.FieldsSeq(dom.Text(mark)) {
		if v := version(word); v != "" {
			return v
		}
	}
	return ""
}

// version returns the version at the end of an id.
func version(id string) string {
	i := strings.LastIndexByte(id, 'v')
	if i < 4 || i+1 == len(id) || len(id)-i > 4 || strings.Trim(id[i+1:], "0123456789") != "" || id[i-1] < '0' || id[i-1] > '9' {
		return ""
	}
	return id[i:]
}

// reader makes Markdown of a paper and notes what it comes across.
type reader struct {
	paper paper.Paper
	ids   []string // of the headings so far
	// quiet: what is rendered is noted elsewhere already.
	quiet bool
}

func (r *reader) options() markdown.Options {
	return markdown.Options{Special: r.special, Rows: maxRows}
}

// front takes title, authors and abstract out of the article.
func (r *reader) front(article *html.Node) {
	r.quiet = true
	defer func() { r.quiet = false }()
	if n := dom.Find(article, func(n *html.Node) bool { return dom.Class(n, "ltx_title_document") }); n != nil {
		drop(n, "ltx_note")
		title := strings.TrimSpace(r.inner(n))
		r.paper.Title = strings.TrimSpace(strings.TrimPrefix(title, "Title:"))
		n.Parent.RemoveChild(n)
	}
	if n := dom.Find(article, func(n *html.Node) bool { return dom.Class(n, "ltx_authors") }); n != nil {
		var names []string
		for _, a := range dom.All(n, func(n *html.Node) bool { return dom.Class(n, "ltx_personname") }) {
			drop(a, "ltx_note")
			drop(a, "ltx_sup") // which of the institutes below
			if name := r.inner(a); name != "" {
				names = append(names, name)
			}
		}
		r.paper.Authors = strings.Join(names, ", ")
		n.Parent.RemoveChild(n)
	}
	if n := dom.Find(article, func(n *html.Node) bool { return dom.Class(n, "ltx_abstract") }); n != nil {
		drop(n, "ltx_title")
		w := markdown.New(r.options())
		w.Children(n)
		r.paper.Abstract = w.String()
		n.Parent.RemoveChild(n)
	}
}

// drop removes the elements of a class below n.
func drop(n *html.Node, class string) {
	for _, c := range dom.All(n, func(c *html.Node) bool { return c != n && dom.Class(c, class) }) {
		c.Parent.RemoveChild(c)
	}
}

// special renders what LaTeXML marks with its classes.
func (r *reader) special(w *markdown.Writer, n *html.Node) bool {
	if furniture(n) {
		return true
	}
	switch n.DataAtom {
	case atom.Math:
		r.math(w, n)
		return true
	case atom.Cite:
		w.Raw(citation(w.Inline(n)))
		return true
	case atom.Img:
		return true // a paper's pictures are told by their captions
	case atom.A:
		return r.reference(w, n)
	case atom.Figure:
		r.figure(w, n)
		return true
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		return r.heading(w, n)
	case atom.Ul, atom.Ol:
		if !dom.Class(n, "ltx_biblist") && !dom.Class(n, "ltx_itemize", "ltx_enumerate") {
			return false
		}
		r.list(w, n)
		return true
	}
	return r.classes(w, n)
}

func (r *reader) classes(w *markdown.Writer, n *html.Node) bool {
	switch {
	case dom.Class(n, "ltx_equation", "ltx_equationgroup", "ltx_eqn_table"):
		r.equations(w, n)
	case dom.Class(n, "ltx_tabular"):
		return r.tabular(w, n)
	case dom.Class(n, "ltx_listing"):
		r.listing(w, n)
	case dom.Class(n, "ltx_note"):
		r.note(w, n)
	case dom.Class(n, "ltx_font_typewriter") && n.DataAtom == atom.Span:
		r.typewriter(w, n)
	case dom.Class(n, "ltx_font_bold") && n.DataAtom == atom.Span:
		w.Strong(n)
	case dom.Class(n, "ltx_font_italic") && n.DataAtom == atom.Span:
		w.Emphasis(n)
	default:
		return false
	}
	return true
}

// furniture reports whether an element is no part of the text.
func furniture(n *html.Node) bool {
	return n.DataAtom == atom.Nav || n.DataAtom == atom.Footer || n.DataAtom == atom.Button ||
		dom.Class(n, "ltx_page_navbar", "ltx_page_footer", "ltx_page_header", "ltx_page_logo", "ltx_TOC", "ltx_ERROR", "ltx_rdf",
			"ltx_pagination", "ltx_listing_data", "ltx_dates", "ltx_note_mark", "ltx_tag_note", "ltx_classification")
}

// heading writes a heading and notes its number. Those of theorems and proofs
// are no sections.
func (r *reader) heading(w *markdown.Writer, n *html.Node) bool {
	drop(n, "ltx_note")
	text := w.Inline(n)
	if w.InLine() || text == "" {
		return false
	}
	if r.quiet || w.Nested() || !dom.Class(n, "ltx_title") || dom.Class(n, "ltx_title_theorem", "ltx_title_proof") {
		w.Block()
		w.Raw("**" + strings.Trim(text, "*") + "**")
		w.Space()
		return true
	}
	id := ""
	if tag := dom.Find(n, func(c *html.Node) bool { return dom.Class(c, "ltx_tag") }); tag != nil {
		id = paper.ID(dom.Text(tag))
	}
	r.ids = append(r.ids, id)
	w.Heading(int(n.Data[1]-'0'), text)
	return true
}

// inner returns the content of an element on one line.
func (r *reader) inner(n *html.Node) string {
	return markdown.New(r.options()).Inline(n)
}

// reference writes a link: one to another place of the paper is only its text.
func (r *reader) reference(w *markdown.Writer, n *html.Node) bool {
	href := dom.Attr(n, "href")
	outside := strings.HasPrefix(href, "http://") || strings.HasPrefix(href, "https://")
	if outside && !strings.Contains(href, "arxiv.org/html/") {
		return false
	}
	w.Children(n)
	return true
}

// citation returns the text of a citation in brackets: "Doe et al. 2020; Roe
// 2021" of "(Doe et al., 2020; Roe, 2021)".
func citation(text string) string {
	text = strings.Map(func(r rune) rune {
		if strings.ContainsRune("()[]", r) {
			return -1
		}
		return r
	}, text)
	var parts []string
	for part := range strings.SplitSeq(text, ";") {
		words := strings.Fields(part)
		for i := range words[:max(len(words)-1, 0)] {
			if year(words[i+1]) {
				words[i] = strings.TrimRight(words[i], ",")
			}
		}
		if len(words) > 0 {
			parts = append(parts, strings.Join(words, " "))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "[" + strings.Join(parts, "; ") + "]"
}

// year: 2020, 2020a, 2020,
func year(word string) bool {
	return len(word) >= 4 && len(word) <= 6 && strings.Trim(word[:4], "0123456789") == "" && (word[0] == '1' || word[0] == '2')
}

// note writes a footnote where its mark stands.
func (r *reader) note(w *markdown.Writer, n *html.Node) {
	content := dom.Find(n, func(c *html.Node) bool { return dom.Class(c, "ltx_note_content") })
	if content == nil {
		content = n
	}
	if text := w.Inline(content); text != "" {
		w.Space()
		w.Raw("(footnote: " + text + ")")
	}
}

// typewriter writes code within a line, unless it holds more than words.
func (r *reader) typewriter(w *markdown.Writer, n *html.Node) {
	if dom.Find(n, func(c *html.Node) bool { return c.DataAtom == atom.Math || dom.Class(c, "ltx_note") }) != nil || markdown.HasBlock(n) {
		w.Children(n)
		return
	}
	w.InlineCode(n)
}
