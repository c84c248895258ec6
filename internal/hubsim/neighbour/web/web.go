// Package web serves pages of other hosts and the search engines that find
// them. A page's address is its host and path below /web. It knows nothing of
// the services whose pages its engines list beside its own.
package web

import (
	"errors"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/rank"
)

// Page is a page of some host.
type Page struct {
	// Host and Path make its address; Path starts with a slash.
	Host, Path string
	// File is the name the content came from: its extension tells the type.
	File string
	Body []byte
}

// Entry is what a search engine lists.
type Entry struct{ URL, Title, Text string }

// Read reads the pages below dir of fsys: HOST/PATH. Without the folder there
// are none.
func Read(fsys fs.FS, dir string) ([]Page, error) {
	var pages []Page
	err := fs.WalkDir(fsys, dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		host, file, ok := strings.Cut(strings.TrimPrefix(name, dir+"/"), "/")
		if !ok || !strings.Contains(host, ".") {
			return fmt.Errorf("%s: a page lies in a folder named as its host", name)
		}
		body, err := fs.ReadFile(fsys, name)
		pages = append(pages, Page{Host: host, Path: "/" + file, File: file, Body: body})
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read web pages: %w", err)
	}
	return pages, nil
}

// address is the path as people write it: without index.html, .html or .md.
func (p *Page) address() string {
	clean := strings.TrimSuffix(p.Path, path.Ext(p.Path))
	if path.Ext(p.Path) != ".html" && path.Ext(p.Path) != ".md" {
		return p.Path
	}
	if dir, ok := strings.CutSuffix(clean, "/index"); ok {
		return dir + "/"
	}
	return clean
}

var (
	titleTag = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)
	dropped  = regexp.MustCompile(`(?is)<(script|style|head|nav|footer)[^>]*>.*?</(script|style|head|nav|footer)>`)
	anyTag   = regexp.MustCompile(`(?s)<[^>]*>`)
	spaces   = regexp.MustCompile(`\s+`)
)

// entry is the page as a search engine knows it.
func (p *Page) entry() Entry {
	e := Entry{URL: "https://" + p.Host + p.address(), Title: p.Host + p.Path}
	text := string(p.Body)
	if path.Ext(p.Path) == ".html" {
		if m := titleTag.FindStringSubmatch(text); m != nil {
			e.Title = collapse(html.UnescapeString(m[1]))
		}
		text = html.UnescapeString(anyTag.ReplaceAllString(dropped.ReplaceAllString(text, " "), " "))
	} else if first, rest, ok := strings.Cut(text, "\n"); ok && strings.HasPrefix(first, "# ") {
		e.Title, text = strings.TrimPrefix(first, "# "), rest
	}
	e.Text = collapse(text)
	return e
}

func collapse(s string) string { return strings.TrimSpace(spaces.ReplaceAllString(s, " ")) }

// Web serves pages and searches.
type Web struct {
	pages   []Page
	entries []Entry
	index   *rank.Index
}

// New returns the pages and an index of them and of further entries.
func New(pages []Page, further []Entry) *Web {
	w := &Web{pages: pages}
	for i := range pages {
		w.entries = append(w.entries, pages[i].entry())
	}
	w.entries = append(w.entries, further...)
	texts := make([]string, len(w.entries))
	for i, e := range w.entries {
		texts[i] = strings.Repeat(e.Title+" ", 3) + e.Text
	}
	w.index = rank.New(texts)
	return w
}

// Pages adds /web and the search engines.
func (s *Web) Pages(mux *http.ServeMux) {
	mux.HandleFunc("GET /web/{host}", s.page)
	mux.HandleFunc("GET /web/{host}/{path...}", s.page)
	mux.Handle("GET /web-search", answer.Handler(s.duckduckgo))
	mux.Handle("GET /web-search/{rest...}", answer.Handler(s.duckduckgo))
	mux.Handle("GET /searxng/search", answer.Handler(s.searxng))
	mux.Handle("GET /brave/res/v1/web/search", answer.Handler(s.brave))
	mux.Handle("POST /tavily/search", answer.Handler(s.tavily))
}

func (s *Web) page(w http.ResponseWriter, r *http.Request) {
	want := "/" + r.PathValue("path")
	i := slices.IndexFunc(s.pages, func(p Page) bool {
		a := p.address()
		return strings.EqualFold(p.Host, r.PathValue("host")) &&
			(p.Path == want || a == want || strings.TrimSuffix(a, "/") == strings.TrimSuffix(want, "/"))
	})
	if i < 0 {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprint(w, "<!doctype html><html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>")
		return
	}
	w.Header().Set("Content-Type", kind(s.pages[i].File))
	w.Header().Set("Content-Length", strconv.Itoa(len(s.pages[i].Body)))
	_, _ = w.Write(s.pages[i].Body) // the client has gone
}

func kind(name string) string {
	switch path.Ext(name) {
	case ".html", "":
		return "text/html; charset=utf-8"
	case ".md":
		return "text/markdown; charset=utf-8"
	case ".json":
		return "application/json"
	case ".txt", ".csv":
		return "text/plain; charset=utf-8"
	case ".pdf":
		return "application/pdf"
	}
	return "application/octet-stream"
}

// snippetLength is how much of a page a result shows, in characters.
const snippetLength = 240

// hit is a result.
type hit struct {
	Entry
	snippet string
	score   float64
}

func (s *Web) find(q string, most int) []hit {
	var hits []hit
	for _, h := range s.index.Search(q) {
		if len(hits) == most {
			break
		}
		e := s.entries[h.Text]
		hits = append(hits, hit{e, snippet(e.Text, q), h.Score})
	}
	return hits
}

// snippet is the text from the first word that was asked for on.
func snippet(text, q string) string {
	wanted := rank.Words(q)
	start := 0
	for i, word := range strings.Fields(text) {
		if i > 400 {
			break
		}
		if slices.ContainsFunc(rank.Words(word), func(w string) bool { return slices.Contains(wanted, w) }) {
			start = max(strings.Index(text, word)-60, 0)
			break
		}
	}
	for start > 0 && text[start-1] != ' ' {
		start--
	}
	runes := []rune(text[start:])
	if len(runes) > snippetLength {
		return strings.TrimSpace(string(runes[:snippetLength])) + " …"
	}
	return string(runes)
}

// duckduckgo answers in the engine's HTML: links that pass through it, each
// with a snippet.
func (s *Web) duckduckgo(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query().Get("q")
	if r.URL.Query().Get("format") == "json" {
		return s.searxng(w, r)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "<!DOCTYPE html><html><head><title>%s at DuckDuckGo</title></head><body>\n<div id=\"links\" class=\"results\">\n", html.EscapeString(q))
	hits := s.find(q, 20)
	for _, h := range hits {
		link := html.EscapeString("//duckduckgo.com/l/?uddg=" + url.QueryEscape(h.URL) + "&rut=0")
		fmt.Fprintf(&b, "<div class=\"result results_links results_links_deep web-result\"><div class=\"links_main links_deep result__body\">\n")
		fmt.Fprintf(&b, "<h2 class=\"result__title\"><a rel=\"nofollow\" class=\"result__a\" href=\"%s\">%s</a></h2>\n", link, html.EscapeString(h.Title))
		fmt.Fprintf(&b, "<a class=\"result__snippet\" href=\"%s\">%s</a></div></div>\n", link, html.EscapeString(h.snippet))
	}
	if len(hits) == 0 {
		b.WriteString("<div class=\"no-results\">No results.</div>\n")
	}
	b.WriteString("</div></body></html>\n")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprint(w, b.String())
	return nil
}

func (s *Web) searxng(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query().Get("q")
	results := []map[string]any{}
	for _, h := range s.find(q, 20) {
		results = append(results, map[string]any{"url": h.URL, "title": h.Title, "content": h.snippet, "engine": "simulated", "score": h.score})
	}
	answer.JSON(w, http.StatusOK, map[string]any{"query": q, "number_of_results": len(results), "results": results, "answers": []any{}, "suggestions": []any{}})
	return nil
}

func (s *Web) brave(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	count, err := strconv.Atoi(q.Get("count"))
	if err != nil {
		count = 20
	}
	results := []map[string]any{}
	for _, h := range s.find(q.Get("q"), min(count, 20)) {
		results = append(results, map[string]any{"type": "search_result", "title": h.Title, "url": h.URL, "description": h.snippet})
	}
	answer.JSON(w, http.StatusOK, map[string]any{
		"type": "search", "query": map[string]any{"original": q.Get("q")}, "web": map[string]any{"type": "search", "results": results},
	})
	return nil
}

func (s *Web) tavily(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Query      string `json:"query"`
		MaxResults int    `json:"max_results"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	if body.MaxResults < 1 {
		body.MaxResults = 5
	}
	results := []map[string]any{}
	for _, h := range s.find(body.Query, body.MaxResults) {
		results = append(results, map[string]any{"title": h.Title, "url": h.URL, "content": h.snippet, "score": h.score})
	}
	answer.JSON(w, http.StatusOK, map[string]any{"query": body.Query, "results": results, "response_time": 0.01})
	return nil
}
