// Package page turns a web page into Markdown: its main content without
// navigation, scripts and what a reader of the page does not see. It knows no
// site, and not where the page comes from.
package page

import (
	"errors"
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/ml-intern/ml-intern/internal/platform/markup/dom"
	"github.com/ml-intern/ml-intern/internal/platform/markup/markdown"
)

// Document is what a page says.
type Document struct {
	// Title is that of the page, "" when it has none.
	Title string
	// Markdown is its main content; links are absolute.
	Markdown string
}

// ErrEmpty says that there is nothing to read in a page, as when all of it is
// made by scripts.
var ErrEmpty = errors.New("the page has no text; it may be made by scripts only")

// Markdown returns what a page says. base is the page's address; with nil,
// relative links stay as they are. What a page can cost is bounded: see the
// limits of package dom.
func Markdown(page []byte, base *url.URL) (Document, error) {
	root := dom.Parse(page)
	out := Document{Title: title(root)}
	if b := dom.Find(root, func(n *html.Node) bool { return n.DataAtom == atom.Base && dom.Attr(n, "href") != "" }); b != nil && base != nil {
		if u, err := base.Parse(dom.Attr(b, "href")); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
			base = u
		}
	}
	dom.Visible(root)
	body := dom.Find(root, func(n *html.Node) bool { return n.DataAtom == atom.Body })
	if body == nil {
		body = root
	}
	o := markdown.Options{Base: base}
	main := content(body)
	withoutFurniture(main)
	out.Markdown = markdown.Render(main, o)
	if out.Markdown == "" {
		// All of it looked like furniture: read it with.
		again := dom.Parse(page)
		dom.Visible(again)
		out.Markdown = markdown.Render(again, o)
	}
	if out.Markdown == "" {
		return out, ErrEmpty
	}
	return out, nil
}

// title returns the page's title, else its first heading.
func title(root *html.Node) string {
	for _, want := range [...]atom.Atom{atom.Title, atom.H1} {
		n := dom.Find(root, func(n *html.Node) bool {
			return n.DataAtom == want && (n.Parent == nil || n.Parent.DataAtom != atom.Svg)
		})
		if n == nil {
			continue
		}
		if text := strings.Join(strings.Fields(dom.Text(n)), " "); text != "" {
			return text
		}
	}
	return ""
}

// enough is the share of the body's text that main content must have: one part
// in enough. A page whose "main" holds less has it elsewhere.
const enough = 5

// content returns the element with the main content: what the page names so,
// else its only large article, else the body.
func content(body *html.Node) *html.Node {
	whole := weight(body)
	for _, named := range [...]func(*html.Node) bool{
		func(n *html.Node) bool { return n.DataAtom == atom.Main || dom.Attr(n, "role") == "main" },
		func(n *html.Node) bool { return dom.Attr(n, "itemprop") == "articleBody" },
		func(n *html.Node) bool { return n.DataAtom == atom.Article || dom.Attr(n, "role") == "article" },
	} {
		found := dom.All(body, named)
		var best *html.Node
		size := 0
		for _, n := range found {
			if w := weight(n); w > size {
				best, size = n, w
			}
		}
		// Several articles alike are a list: none of them is the page.
		if best != nil && size*enough >= whole && (len(found) == 1 || size*2 >= whole) {
			return best
		}
	}
	return body
}

// weight is the number of bytes of words outside of links and furniture.
func weight(n *html.Node) int {
	if n.Type == html.TextNode {
		return len(strings.TrimSpace(n.Data))
	}
	if n.Type == html.ElementNode && (n.DataAtom == atom.A || furniture(n)) {
		return 0
	}
	sum := 0
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		sum += weight(c)
	}
	return sum
}

// withoutFurniture removes navigation and the like below n.
func withoutFurniture(n *html.Node) {
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		if c.Type == html.ElementNode {
			if furniture(c) {
				n.RemoveChild(c)
			} else {
				withoutFurniture(c)
			}
		}
		c = next
	}
}

// furniture reports whether an element is on the page for other reasons than to
// be read.
func furniture(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Nav, atom.Button, atom.Menu:
		return true
	case atom.Footer, atom.Aside:
		return !within(n, atom.Blockquote) && !noted(n)
	case atom.Header:
		// That of an article has its title; that of the page has the menu.
		return !within(n, atom.Article) && !within(n, atom.Main) && dom.Find(n, func(n *html.Node) bool { return n.DataAtom == atom.H1 }) == nil
	case atom.Body, atom.Main, atom.Html, atom.Article, atom.Pre, atom.Code, atom.Table, atom.Tr, atom.Td, atom.Th:
		return false
	}
	switch dom.Attr(n, "role") {
	case "navigation", "banner", "contentinfo", "search", "menu", "menubar", "tablist", "toolbar", "alertdialog":
		return true
	}
	return dom.Class(n, "sidebar", "navbar", "navigation", "breadcrumb", "breadcrumbs", "cookie-banner", "cookie-consent",
		"toc", "table-of-contents", "site-footer", "site-header", "skip-link", "skip-to-content", "share-buttons", "social-share",
		"related-posts", "newsletter", "pagination", "advertisement", "ads", "sphinxsidebar", "wy-nav-side", "bd-sidebar",
		"mw-editsection", "navbox", "noprint", "headerlink", "sr-only", "visually-hidden", "screen-reader-text")
}

// noted reports whether an element is a note that belongs to the text.
func noted(n *html.Node) bool {
	return dom.Class(n, "admonition", "note", "warning", "tip", "callout", "footnotes", "footnote") || dom.Attr(n, "role") == "note"
}

func within(n *html.Node, a atom.Atom) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		if p.DataAtom == a {
			return true
		}
	}
	return false
}
