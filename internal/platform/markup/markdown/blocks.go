package markdown

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/ml-intern/ml-intern/internal/platform/markup/dom"
)

// maxIndent bounds how deep lists and quotes are shown within each other: each
// level is written again in front of every line.
const maxIndent = 8

// within renders into lines that begin with lead, the following ones with
// indent.
func (w *Writer) within(lead, indent string, render func()) {
	if w.depth >= maxIndent {
		w.Line()
		render()
		return
	}
	w.depth++
	before := w.indent
	if w.lead == "" {
		w.lead, w.outer = before+lead, before
	} else {
		w.lead += lead
	}
	w.indent = before + indent
	render()
	w.indent, w.lead = before, ""
	w.depth--
}

// List writes the items of a list.
func (w *Writer) List(n *html.Node) {
	if w.cell {
		w.space()
		w.Children(n)
		w.space()
		return
	}
	if w.depth == 0 || !isItem(n.Parent) {
		w.Block()
	} else {
		w.breaks = 1 // also after a paragraph
	}
	number, numbered := 1, n.DataAtom == atom.Ol
	if start, err := strconv.Atoi(dom.Attr(n, "start")); err == nil {
		number = start
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type != html.ElementNode {
			continue
		}
		lead := "- "
		if numbered {
			lead = strconv.Itoa(number) + ". "
			number++
		}
		w.Item(lead, func() { w.item(c) })
	}
	if w.depth == 0 {
		w.Block()
	} else {
		w.Line()
	}
}

func isItem(n *html.Node) bool { return n != nil && n.DataAtom == atom.Li }

// item writes an item; its first paragraph makes no empty line.
func (w *Writer) item(n *html.Node) {
	if n.DataAtom != atom.Li {
		w.Node(n)
		return
	}
	w.Children(n)
}

// Item renders one item of a list whose first line begins with lead.
func (w *Writer) Item(lead string, render func()) {
	w.Line()
	if w.cell {
		w.space()
		render()
		return
	}
	w.within(lead, strings.Repeat(" ", len(lead)), render)
	w.breaks = min(w.breaks, 1)
	w.Line()
}

func (w *Writer) quote(n *html.Node) {
	if w.cell {
		w.Children(n)
		return
	}
	w.Block()
	w.within("> ", "> ", func() { w.Children(n) })
	w.Block()
}

// Code writes a listing.
func (w *Writer) Code(language, text string) {
	text = strings.Trim(strings.ReplaceAll(text, "\r", ""), "\n")
	if strings.TrimSpace(text) == "" {
		return
	}
	if w.cell {
		text = strings.Join(strings.Fields(text), " ")
		w.raw(quoted(text))
		return
	}
	fence := strings.Repeat("`", max(3, 1+longestRun(text, '`')))
	w.Block()
	w.Lines(fence + language)
	w.Lines(text)
	w.Lines(fence)
	w.Block()
}

// quoted returns text as code within a line.
func quoted(text string) string {
	mark := strings.Repeat("`", 1+longestRun(text, '`'))
	if mark != "`" {
		text = " " + text + " "
	}
	return mark + text + mark
}

func longestRun(s string, c byte) int {
	longest, run := 0, 0
	for i := range len(s) {
		if s[i] != c {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// source returns the text of a listing without line numbers.
func source(n *html.Node) string {
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		switch {
		case n.Type == html.TextNode:
			b.WriteString(n.Data)
		case n.DataAtom == atom.Br:
			b.WriteByte('\n')
		case dom.Class(n, "linenos", "lineno", "line-numbers", "line-number", "gutter", "hljs-ln-numbers", "copybtn"), n.DataAtom == atom.Button:
			return
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
		if n.DataAtom == atom.Div || n.DataAtom == atom.P || n.DataAtom == atom.Li || n.DataAtom == atom.Tr {
			if !strings.HasSuffix(b.String(), "\n") {
				b.WriteByte('\n')
			}
		}
	}
	walk(n)
	return b.String()
}

// language returns the language a listing says it is in.
func language(pre *html.Node) string {
	places := []*html.Node{pre}
	if code := dom.Find(pre, func(n *html.Node) bool { return n.DataAtom == atom.Code }); code != nil {
		places = append(places, code)
	}
	for n, i := pre.Parent, 0; n != nil && i < 2; n, i = n.Parent, i+1 {
		places = append(places, n)
	}
	for _, n := range places {
		for _, key := range [...]string{"data-lang", "data-language"} {
			if name := word(dom.Attr(n, key)); name != "" {
				return name
			}
		}
		for class := range strings.FieldsSeq(dom.Attr(n, "class")) {
			for _, prefix := range [...]string{"language-", "lang-", "highlight-source-", "highlight-", "brush:"} {
				if name, ok := strings.CutPrefix(class, prefix); ok {
					if name = word(name); name != "" && name != "default" && name != "none" && name != "text" && name != "plaintext" {
						return name
					}
				}
			}
		}
	}
	return ""
}

// word returns s in lower case when it can be the name of a language.
func word(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	ok := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("+-#.", r)
	}
	if len(s) > 20 || strings.ContainsFunc(s, func(r rune) bool { return !ok(r) }) {
		return ""
	}
	return s
}
