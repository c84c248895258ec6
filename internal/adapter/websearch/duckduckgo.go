package websearch

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/markup/dom"
)

const (
	// public is the address of the page; the client asks where it is told to.
	public = "https://html.duckduckgo.com/html/"
	// agent is the name under which the page answers programs.
	agent = "clawd-rust-tools/0.1"
	// maxLinks is how many links of a page are looked at.
	maxLinks = 200
)

type duckduckgo struct{ o Options }

func (e duckduckgo) ready() string { return "" }

func (e duckduckgo) search(ctx context.Context, query string) (Answer, error) {
	r, err := e.o.Fetch.Do(ctx, fetch.Request{
		URL: public + "?" + url.Values{"q": {query}}.Encode(), Header: http.Header{"User-Agent": {agent}},
		Timeout: timeout, Fresh: fresh, Limit: limit, Answers: []int{http.StatusForbidden, http.StatusTooManyRequests},
		Keep: func(r *fetch.Response) bool { return !challenged(dom.Parse(r.Body)) },
	})
	if err != nil {
		return Answer{}, err
	}
	root := dom.Parse(r.Body)
	found := e.read(root)
	refused := r.Status == http.StatusAccepted || r.Status == http.StatusForbidden || r.Status == http.StatusTooManyRequests
	if len(found) == 0 && (refused || challenged(root)) {
		return Answer{}, &fetch.Error{
			Kind: fetch.Blocked, Service: "the web search", URL: r.URL, Status: r.Status,
			Message: "it asks for a proof that no program is searching",
		}
	}
	return Answer{Hits: found, Response: r}, nil
}

// challenged reports whether a page asks its reader to prove to be human.
func challenged(root *html.Node) bool {
	return dom.Find(root, func(n *html.Node) bool {
		return strings.Contains(dom.Attr(n, "class"), "anomaly-modal") || strings.Contains(dom.Attr(n, "action"), "anomaly.js")
	}) != nil
}

// read finds the hits of a page: links that are marked as results, else all
// links that lead away from the engine.
func (e duckduckgo) read(root *html.Node) []Hit {
	links := dom.All(root, func(n *html.Node) bool {
		return n.DataAtom == atom.A && strings.Contains(dom.Attr(n, "class"), "result__a")
	})
	marked := len(links) > 0
	if !marked {
		links = dom.All(root, func(n *html.Node) bool { return n.DataAtom == atom.A && dom.HasAttr(n, "href") })
	}
	snippets := map[*html.Node]*html.Node{} // by the box they stand in
	for _, n := range dom.All(root, func(n *html.Node) bool { return dom.Class(n, "result__snippet") }) {
		if box := boxOf(n); box != nil && snippets[box] == nil {
			snippets[box] = n
		}
	}
	var found []Hit
	for _, a := range links[:min(len(links), maxLinks)] {
		box := boxOf(a)
		address := target(dom.Attr(a, "href"))
		if address == "" || box != nil && dom.Class(box, "result--ad") || !marked && e.engines(address) {
			continue
		}
		h := Hit{Title: dom.Text(a), URL: address}
		if s := snippets[box]; s != nil {
			h.Snippet = dom.Text(s)
		}
		found = append(found, h)
	}
	return tidy(found)
}

// boxOf is the element that holds a whole result; nil when there is none.
func boxOf(a *html.Node) *html.Node {
	for n := a.Parent; n != nil; n = n.Parent {
		if dom.Class(n, "result") {
			return n
		}
	}
	return nil
}

// target is where a link of the page leads; "" for advertisements and what is
// no address of the web.
func target(href string) string {
	href = strings.TrimSpace(href)
	switch {
	case strings.HasPrefix(href, "//"):
		href = "https:" + href
	case strings.HasPrefix(href, "/"):
		href = "https://duckduckgo.com" + href
	}
	u, err := url.Parse(href)
	if err != nil {
		return ""
	}
	if own(u.Hostname()) {
		switch strings.TrimSuffix(u.Path, "/") {
		case "/l":
			if u, err = url.Parse(u.Query().Get("uddg")); err != nil || own(u.Hostname()) && u.Path == "/y.js" {
				return ""
			}
		case "/y.js":
			return ""
		}
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return ""
	}
	return u.String()
}

func own(host string) bool {
	host = strings.ToLower(host)
	return host == "duckduckgo.com" || strings.HasSuffix(host, ".duckduckgo.com")
}

// engines reports whether an address is one of the engine's own pages.
func (e duckduckgo) engines(address string) bool {
	u, err := url.Parse(address)
	if err != nil || own(u.Hostname()) {
		return true
	}
	base, err := url.Parse(e.o.Base)
	return err == nil && e.o.Base != "" && strings.EqualFold(u.Hostname(), base.Hostname())
}
