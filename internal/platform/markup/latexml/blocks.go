package latexml

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/ml-intern/ml-intern/internal/platform/markup/dom"
	"github.com/ml-intern/ml-intern/internal/platform/markup/markdown"
	"github.com/ml-intern/ml-intern/internal/platform/markup/paper"
)

// math writes a formula once, in TeX.
func (r *reader) math(w *markdown.Writer, n *html.Node) {
	tex := formula(n)
	if tex == "" {
		return
	}
	if dom.Attr(n, "display") == "block" && !w.InLine() {
		w.Block()
		w.Raw("$$" + tex + "$$")
		w.Block()
		return
	}
	w.Raw("$" + tex + "$")
}

func formula(n *html.Node) string {
	return strings.TrimSpace(strings.TrimPrefix(markdown.Formula(n), `\displaystyle`))
}

// equations writes displayed formulas, each with its number.
func (r *reader) equations(w *markdown.Writer, n *html.Node) {
	rows := dom.All(n, func(c *html.Node) bool { return c.DataAtom == atom.Tr || dom.Class(c, "ltx_eqn_row") })
	if len(rows) == 0 {
		rows = []*html.Node{n}
	}
	w.Block()
	for _, row := range rows {
		var parts []string
		number := ""
		var walk func(*html.Node)
		walk = func(n *html.Node) {
			switch {
			case n.DataAtom == atom.Math:
				parts = append(parts, formula(n))
			case n.Type == html.TextNode:
				if text := strings.Join(strings.Fields(n.Data), " "); text != "" {
					parts = append(parts, `\text{`+text+`}`)
				}
			case dom.Class(n, "ltx_tag_equation", "ltx_eqn_eqno", "ltx_tag_equationgroup"):
				number = strings.Join(strings.Fields(dom.Text(n)), " ")
			case furniture(n):
			default:
				for c := n.FirstChild; c != nil; c = c.NextSibling {
					walk(c)
				}
			}
		}
		walk(row)
		tex := strings.TrimSpace(strings.Join(parts, " "))
		if tex == "" {
			continue
		}
		if number != "" {
			number = " " + number
		}
		w.Raw("$$" + tex + "$$" + number)
		w.Line()
	}
	w.Block()
}

// figure writes a figure as its caption, with whatever text, code or tables are
// in it.
func (r *reader) figure(w *markdown.Writer, n *html.Node) {
	caption := ""
	for _, c := range dom.All(n, func(c *html.Node) bool {
		return c != n && (c.DataAtom == atom.Figcaption || c.DataAtom == atom.Figure || dom.Class(c, "ltx_caption"))
	}) {
		if c.DataAtom != atom.Figure { // that of a figure within is its own
			caption = strings.TrimSpace(caption + " " + w.Inline(c))
			c.Parent.RemoveChild(c)
		}
	}
	picture := !dom.Class(n, "ltx_table", "ltx_float", "ltx_algorithm", "ltx_lstlisting")
	w.Block()
	if picture {
		w.Children(n)
		w.Block()
		if caption != "" {
			w.Raw("[" + caption + "]")
		}
		w.Block()
		return
	}
	if !dom.Class(n, "ltx_table") || r.quiet || w.InLine() {
		r.captioned(w, n, caption)
		return
	}
	r.quiet = true
	sub := markdown.New(r.options())
	r.captioned(sub, n, caption)
	r.quiet = false
	text := sub.String()
	r.keep(caption, text)
	if text != "" {
		w.Lines(text)
	}
	w.Block()
}

func (r *reader) captioned(w *markdown.Writer, n *html.Node, caption string) {
	if caption != "" {
		w.Raw("**" + strings.ReplaceAll(caption, "**", "") + "**")
		w.Block()
	}
	w.Children(n)
	w.Block()
}

// keep notes a table.
func (r *reader) keep(caption, text string) {
	if text != "" {
		r.paper.Tables = append(r.paper.Tables, paper.Table{Caption: caption, Markdown: text, Section: len(r.ids) - 1})
	}
}

// tabular writes a table. Those within the cell of another are its text.
func (r *reader) tabular(w *markdown.Writer, n *html.Node) bool {
	if w.InLine() {
		for _, row := range dom.All(n, func(c *html.Node) bool { return c.DataAtom == atom.Tr || dom.Class(c, "ltx_tr") }) {
			w.Space()
			w.Children(row)
		}
		return true
	}
	rows := w.Rows(n)
	if r.quiet {
		w.Table(rows)
		return true
	}
	sub := markdown.New(r.options())
	sub.Table(rows)
	text := sub.String()
	if len(rows) > 1 && len(rows[0].Cells) > 1 {
		r.keep("", text)
	}
	if text != "" {
		w.Block()
		w.Lines(text)
		w.Block()
	}
	return true
}

// listing writes code or an algorithm line by line, with its spaces.
func (r *reader) listing(w *markdown.Writer, n *html.Node) {
	language := ""
	for class := range strings.FieldsSeq(dom.Attr(n, "class")) {
		if name, ok := strings.CutPrefix(class, "ltx_lst_language_"); ok {
			language = strings.ToLower(strings.Trim(name, "`"))
		}
	}
	lines := dom.All(n, func(c *html.Node) bool { return dom.Class(c, "ltx_listingline") })
	if len(lines) == 0 {
		w.Children(n)
		return
	}
	var b strings.Builder
	for _, l := range lines {
		var one strings.Builder
		verbatim(&one, l)
		b.WriteString(strings.TrimRight(one.String(), " "))
		b.WriteByte('\n')
	}
	w.Code(language, b.String())
}

// verbatim writes a line of a listing.
func verbatim(b *strings.Builder, n *html.Node) {
	switch {
	case n.Type == html.TextNode:
		b.WriteString(strings.NewReplacer("\n", "", "\u00a0", " ").Replace(n.Data))
		return
	case n.DataAtom == atom.Math:
		if tex := formula(n); tex != "" {
			b.WriteString("$" + tex + "$")
		}
		return
	case n.DataAtom == atom.Cite:
		b.WriteString(citation(dom.Text(n)))
		return
	case furniture(n):
		return
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		verbatim(b, c)
	}
	if dom.Class(n, "ltx_tag_listingline") {
		b.WriteByte(' ')
	}
}

// list writes the items of a list with the marks they have, those of the
// bibliography with what the text cites them by.
func (r *reader) list(w *markdown.Writer, n *html.Node) {
	w.Block()
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type != html.ElementNode {
			continue
		}
		if dom.Class(c, "ltx_bibitem") {
			r.entry(w, c)
			continue
		}
		w.Item(mark(c), func() { w.Children(c) })
	}
	if w.InLine() {
		w.Space()
		return
	}
	w.Block()
}

// mark takes the tag out of an item and returns what its line begins with.
func mark(item *html.Node) string {
	tag := dom.Find(item, func(c *html.Node) bool { return dom.Class(c, "ltx_tag_item") })
	if tag == nil || tag.Parent == nil {
		return "- "
	}
	text := strings.Join(strings.Fields(dom.Text(tag)), " ")
	tag.Parent.RemoveChild(tag)
	if number := strings.TrimRight(text, ".)"); number != text && number != "" && len(number) < 4 && strings.Trim(number, "0123456789") == "" {
		return number + ". "
	}
	if letters := strings.Trim(text, "()."); letters == "" || len(letters) > 20 || strings.Trim(text, "•-–—∗*⋆∙◦·▪▶►✓") == "" {
		return "- "
	}
	return "- " + text + " "
}

// entry writes an entry of the bibliography and notes it.
func (r *reader) entry(w *markdown.Writer, n *html.Node) {
	ref := paper.Reference{}
	if tag := dom.Find(n, func(c *html.Node) bool { return dom.Class(c, "ltx_tag_bibitem", "ltx_role_refnum") }); tag != nil {
		ref.Tag = strings.Trim(strings.Join(strings.Fields(dom.Text(tag)), " "), "[]")
		tag.Parent.RemoveChild(tag)
	}
	drop(n, "ltx_bib_cited")
	ref.Text = w.Inline(n)
	ref.ArXiv = paper.ArXiv(ref.Text)
	if ref.Text == "" {
		return
	}
	if !r.quiet && !w.InLine() {
		r.paper.References = append(r.paper.References, ref)
	}
	text := ref.Text
	if ref.Tag != "" {
		text = "[" + ref.Tag + "] " + text
	}
	w.Item("- ", func() { w.Raw(text) })
}
