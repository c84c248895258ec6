// Package dom reads hostile HTML into a tree that is safe to walk: bounded in
// size and depth, in time that grows with the size alone. It knows nothing of
// what the tree is for.
package dom

import (
	"bytes"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Limits of a tree. What is nested deeper hangs at the deepest level; what
// comes after the last node is not read.
const (
	MaxBytes = 16 << 20
	MaxDepth = 150
	MaxNodes = 1_000_000
	// maxAttr bounds the attributes of an element and maxValue the bytes of one.
	maxAttr  = 32
	maxValue = 16 << 10
)

// Parse reads a page. Broken HTML is read as far as it makes sense; there is no
// page that cannot be read. The tree holds no comments.
func Parse(page []byte) *html.Node {
	page = page[:min(len(page), MaxBytes)]
	p := parser{
		tokens: html.NewTokenizer(bytes.NewReader(page)),
		open:   map[string]int{},
	}
	p.root = &html.Node{Type: html.DocumentNode}
	p.stack = append(p.stack, p.root)
	for p.nodes < MaxNodes && p.next() {
	}
	return p.root
}

// parser builds a tree from tokens without the repairs of the HTML standard
// whose cost can grow with the square of the page: elements that are closed in
// the wrong order are simply closed.
type parser struct {
	tokens *html.Tokenizer
	root   *html.Node
	stack  []*html.Node
	// open counts the elements on the stack by name, skipped those beyond the
	// greatest depth that are not on it.
	open    map[string]int
	skipped int
	foreign int // open svg and math elements
	nodes   int
}

func (p *parser) next() bool {
	switch p.tokens.Next() {
	case html.ErrorToken:
		return false
	case html.TextToken:
		if text := string(p.tokens.Text()); text != "" {
			p.add(&html.Node{Type: html.TextNode, Data: text})
		}
	case html.StartTagToken:
		p.start(p.element(), false)
	case html.SelfClosingTagToken:
		p.start(p.element(), true)
	case html.EndTagToken:
		name, _ := p.tokens.TagName()
		p.end(string(name))
	case html.CommentToken, html.DoctypeToken:
	}
	return true
}

func (p *parser) element() *html.Node {
	name, more := p.tokens.TagName()
	n := &html.Node{Type: html.ElementNode, DataAtom: atom.Lookup(name), Data: string(name)}
	for more {
		var key, value []byte
		key, value, more = p.tokens.TagAttr()
		if len(n.Attr) < maxAttr && len(value) <= maxValue {
			n.Attr = append(n.Attr, html.Attribute{Key: string(key), Val: string(value)})
		}
	}
	return n
}

func (p *parser) add(n *html.Node) {
	p.stack[len(p.stack)-1].AppendChild(n)
	p.nodes++
}

func (p *parser) start(n *html.Node, closed bool) {
	if closers, ok := implied(n.DataAtom); ok && p.foreign == 0 {
		p.close(closers)
	}
	p.add(n)
	if void(n.DataAtom) || closed && (p.foreign > 0 || foreign(n)) {
		return
	}
	if len(p.stack) > MaxDepth {
		p.skipped++
		return
	}
	p.stack = append(p.stack, n)
	p.open[n.Data]++
	if foreign(n) {
		p.foreign++
	}
}

// end closes the innermost element of that name and all within it.
func (p *parser) end(name string) {
	if p.skipped > 0 {
		p.skipped--
		return
	}
	if p.open[name] == 0 {
		return
	}
	for {
		if p.pop() == name {
			return
		}
	}
}

func (p *parser) pop() string {
	last := p.stack[len(p.stack)-1]
	p.stack = p.stack[:len(p.stack)-1]
	p.open[last.Data]--
	if foreign(last) {
		p.foreign--
	}
	return last.Data
}

// closing says which open elements the beginning of another ends, up to the
// nearest of some others.
type closing struct{ ends, until []atom.Atom }

// implied says what the beginning of an element ends.
func implied(a atom.Atom) (closing, bool) {
	switch a {
	case atom.Li:
		return closing{[]atom.Atom{atom.Li}, []atom.Atom{atom.Ul, atom.Ol, atom.Menu}}, true
	case atom.Dt, atom.Dd:
		return closing{[]atom.Atom{atom.Dt, atom.Dd}, []atom.Atom{atom.Dl}}, true
	case atom.Tr:
		return closing{[]atom.Atom{atom.Tr}, []atom.Atom{atom.Table, atom.Tbody, atom.Thead, atom.Tfoot}}, true
	case atom.Td, atom.Th:
		return closing{[]atom.Atom{atom.Td, atom.Th}, []atom.Atom{atom.Table, atom.Tr}}, true
	case atom.Tbody, atom.Tfoot:
		return closing{[]atom.Atom{atom.Tbody, atom.Thead, atom.Tfoot}, []atom.Atom{atom.Table}}, true
	case atom.Body:
		return closing{[]atom.Atom{atom.Head}, nil}, true
	case atom.P, atom.Div, atom.Ul, atom.Ol, atom.Pre, atom.Table, atom.Section, atom.Article, atom.H1, atom.H2,
		atom.H3, atom.H4, atom.H5, atom.H6, atom.Blockquote, atom.Dl:
		return closing{[]atom.Atom{atom.P}, []atom.Atom{
			atom.Td, atom.Th, atom.Button, atom.Div, atom.Section, atom.Article, atom.Li, atom.Table, atom.Body, atom.Span,
		}}, true
	}
	return closing{}, false
}

// close ends the innermost of c.ends unless one of c.until is nearer.
func (p *parser) close(c closing) {
	if !slices.ContainsFunc(c.ends, func(a atom.Atom) bool { return p.open[a.String()] > 0 }) {
		return // most often, and cheap
	}
	for i := len(p.stack) - 1; i > 0; i-- {
		switch a := p.stack[i].DataAtom; {
		case slices.Contains(c.ends, a):
			for len(p.stack) > i {
				p.pop()
			}
			return
		case slices.Contains(c.until, a):
			return
		}
	}
}

func foreign(n *html.Node) bool { return n.DataAtom == atom.Svg || n.DataAtom == atom.Math }

func void(a atom.Atom) bool {
	switch a {
	case atom.Area, atom.Base, atom.Br, atom.Col, atom.Embed, atom.Hr, atom.Img, atom.Input, atom.Link, atom.Meta,
		atom.Param, atom.Source, atom.Track, atom.Wbr, atom.Keygen:
		return true
	}
	return false
}

// Attr returns an attribute's value, "" when there is none.
func Attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// HasAttr reports whether the element has the attribute.
func HasAttr(n *html.Node, key string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == key })
}

// Class reports whether one of the element's classes is among names.
func Class(n *html.Node, names ...string) bool {
	for c := range strings.FieldsSeq(Attr(n, "class")) {
		if slices.Contains(names, c) {
			return true
		}
	}
	return false
}

// Find returns the first element at or below n, in the order of the page, that
// is wanted; nil when there is none.
func Find(n *html.Node, wanted func(*html.Node) bool) *html.Node {
	if n.Type == html.ElementNode && wanted(n) {
		return n
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if found := Find(c, wanted); found != nil {
			return found
		}
	}
	return nil
}

// All returns the elements at or below n that are wanted, without those inside
// another wanted one.
func All(n *html.Node, wanted func(*html.Node) bool) []*html.Node {
	var out []*html.Node
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.ElementNode && wanted(n) {
			out = append(out, n)
			return
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(n)
	return out
}

// Text returns the text at or below n as it stands in the page.
func Text(n *html.Node) string {
	var b strings.Builder
	collect(&b, n)
	return b.String()
}

func collect(b *strings.Builder, n *html.Node) {
	if n.Type == html.TextNode {
		b.WriteString(n.Data)
	}
	if n.DataAtom == atom.Br {
		b.WriteByte('\n')
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		collect(b, c)
	}
}
