package manifest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/markup/dom"
	"github.com/ml-intern/ml-intern/internal/tools/docs/address"
)

// Manifests asks for catalogues and lists of pages.
type Manifests struct{ fetch fetch.Getter }

// New returns Manifests that ask through g.
func New(g fetch.Getter) *Manifests { return &Manifests{g} }

// Set is a documentation set with its pages.
type Set struct {
	Product  Product
	Pages    []Page
	Response *fetch.Response // the answer it was read from
}

// Page is an entry of a list of pages.
type Page struct {
	Title string
	// URL is the page's public address. Address is the same taken apart; Ours
	// is false for addresses that are not read here.
	URL     string
	Address address.Page
	Ours    bool
}

// Directory is the folder of the page below its set, "" for the top.
func (p Page) Directory() string {
	i := strings.LastIndexByte(p.Address.Path, '/')
	if !p.Ours || i < 0 {
		return ""
	}
	return p.Address.Path[:i]
}

// maxPages and maxTitle bound what is read of a list.
const (
	maxPages = 20_000
	maxTitle = 200 // bytes
)

// Set asks for the pages of a set: the list for programs below /docs or /learn,
// else the sidebar of its first page.
func (m *Manifests) Set(ctx context.Context, p Product) (*Set, error) {
	if p.Elsewhere != "" {
		return nil, fmt.Errorf("the documentation of %s is not on the Hub but at %s", p.ID, p.Elsewhere)
	}
	areas := []string{p.Area, "learn"}
	if p.Area == "learn" {
		areas[1] = "docs"
	}
	var first error
	for _, area := range areas {
		at := Product{ID: p.ID, Area: area, Slug: p.Slug}
		resp, err := m.fetch.Do(ctx, fetch.Request{URL: at.URL() + "/llms.txt", Fresh: Fresh})
		if err == nil {
			if pages := Parse(string(resp.Body)); len(pages) > 0 {
				return &Set{at, pages, resp}, nil
			}
			continue
		}
		if first == nil {
			first = err
		}
		if !elsewhere(err) {
			return nil, err
		}
	}
	resp, err := m.fetch.Do(ctx, fetch.Request{URL: p.URL(), Fresh: Fresh})
	if err != nil {
		if first == nil {
			first = err
		}
		return nil, first
	}
	base, _ := url.Parse(p.URL()) // made of an area and a slug
	if pages := Sidebar(resp.Body, base); len(pages) > 0 {
		return &Set{p, pages, resp}, nil
	}
	return nil, &fetch.Error{Kind: fetch.Parse, Service: "the Hub", URL: p.URL(), Message: "there is neither a list of pages nor a sidebar with links"}
}

// elsewhere reports whether a failure leaves hope that the same is found at
// another address: it is about the page, not about the service.
func elsewhere(err error) bool {
	var f *fetch.Error
	return errors.As(err, &f) && (f.Kind == fetch.NotFound || f.Kind == fetch.Upstream || f.Kind == fetch.Unauthorized)
}

// Parse reads a list of pages for programs: lines "- [Title](address.md)".
func Parse(list string) []Page {
	var pages []Page
	for line := range strings.Lines(list) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "- [")
		if !ok {
			continue
		}
		// Titles may hold brackets; the address is the last thing in ( ).
		i := strings.LastIndex(rest, "](")
		if i < 0 {
			continue
		}
		target, _, ok := strings.Cut(rest[i+2:], ")")
		if !ok || len(pages) >= maxPages {
			continue
		}
		if p, ok := page(rest[:i], target, nil); ok {
			pages = append(pages, p)
		}
	}
	return pages
}

// Sidebar reads the links of a page's sidebar: the first nav with the class
// flex-auto.
func Sidebar(doc []byte, base *url.URL) []Page {
	nav := dom.Find(dom.Parse(doc), func(n *html.Node) bool { return n.DataAtom == atom.Nav && dom.Class(n, "flex-auto") })
	if nav == nil {
		return nil
	}
	var pages []Page
	for _, a := range dom.All(nav, func(n *html.Node) bool { return n.DataAtom == atom.A && dom.Attr(n, "href") != "" }) {
		if p, ok := page(dom.Text(a), dom.Attr(a, "href"), base); ok && len(pages) < maxPages {
			pages = append(pages, p)
		}
	}
	return pages
}

// page makes an entry of a title and an address, which may be relative to base.
func page(title, target string, base *url.URL) (Page, bool) {
	u, err := url.Parse(target)
	if err != nil || len(target) > 1000 {
		return Page{}, false
	}
	if base != nil {
		u = base.ResolveReference(u)
	} else if strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "//") {
		u, err = url.Parse(address.Hub + target)
	}
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return Page{}, false
	}
	title = strings.Join(strings.Fields(title), " ")
	if len(title) > maxTitle {
		title = strings.ToValidUTF8(title[:maxTitle], "") + "…"
	}
	p := Page{Title: title, URL: u.String()}
	if a, err := address.Parse(u.String(), ""); err == nil && a.Site == address.Hub && a.Slug != "" {
		p.Address, p.Ours = a, true
		p.URL = a.URL()
	}
	if p.Title == "" {
		p.Title = p.URL
	}
	return p, true
}

// Text is a page of a whole set in one file.
type Text struct {
	Page
	Text string // Markdown
}

// Whole reads all pages of a set from one file: each begins with a heading, its
// title, and a line with its address, which may have "Source:" in front.
func Whole(file string) []Text {
	var pages []Text
	type mark struct{ begin, body int }
	var marks []mark
	at, head, title := 0, -1, ""
	for line := range strings.Lines(file) {
		text := strings.TrimSpace(line)
		switch target := strings.TrimSpace(strings.TrimPrefix(text, "Source:")); {
		case strings.HasPrefix(text, "#"):
			head, title = at, strings.TrimSpace(strings.TrimLeft(text, "#"))
		case text == "" || head < 0:
		case strings.HasPrefix(target, "https://") && !strings.ContainsAny(target, " )"):
			if p, ok := page(title, target, nil); ok && p.Ours && strings.HasSuffix(target, ".md") && len(pages) < maxPages {
				marks = append(marks, mark{head, at + len(line)})
				pages = append(pages, Text{Page: p})
			}
			head = -1
		default:
			head = -1
		}
		at += len(line)
	}
	for i := range pages {
		end := len(file)
		if i+1 < len(marks) {
			end = marks[i+1].begin
		}
		pages[i].Text = strings.TrimSpace(file[marks[i].body:end])
	}
	return pages
}
