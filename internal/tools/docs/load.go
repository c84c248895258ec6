package docs

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/markup/dom"
	"github.com/ml-intern/ml-intern/internal/platform/markup/page"
	"github.com/ml-intern/ml-intern/internal/tools/docs/address"
	"github.com/ml-intern/ml-intern/internal/tools/docs/index"
)

// pageFresh is how long a page serves again.
const pageFresh = time.Hour

// document is a page that was read.
type document struct {
	title, text string // text is Markdown
	resp        *fetch.Response
}

// load reads a page. Markdown is asked for first; pages outside the
// documentation sets may exist in HTML only.
func (s *source) load(ctx context.Context, a address.Page) (document, error) {
	resp, err := s.Fetch.Do(ctx, fetch.Request{URL: a.Markdown(), Fresh: pageFresh})
	var f *fetch.Error
	if errors.As(err, &f) && f.Kind == fetch.NotFound && a.Site == address.Hub && a.Area != "docs" {
		resp, err = s.Fetch.Do(ctx, fetch.Request{URL: a.URL(), Fresh: pageFresh})
	}
	if err != nil {
		return document{}, err
	}
	return s.read(a, resp)
}

// read makes a document of an answer.
func (s *source) read(a address.Page, resp *fetch.Response) (document, error) {
	fault := func(kind fetch.Kind, message string) error {
		return &fetch.Error{Kind: kind, Service: "the page", URL: resp.URL, Message: message}
	}
	if signIn(resp) {
		return document{}, fault(fetch.Unauthorized, "it is a sign-in page: the documentation behind it needs an account")
	}
	if _, err := address.Parse(resp.URL, s.Endpoint); err != nil {
		return document{}, fault(fetch.Blocked, "it led to a place that is not read here: "+lookup.Line(resp.URL, 100))
	}
	d := document{text: string(resp.Body), resp: resp}
	if isHTML(resp) {
		base, _ := url.Parse(resp.URL) // nil leaves links relative
		doc, err := page.Markdown(resp.Body, base)
		if err != nil {
			return document{}, fault(fetch.Parse, err.Error())
		}
		d.title, d.text = doc.Title, doc.Markdown
	}
	d.text = lookup.Plain(d.text)
	if strings.TrimSpace(d.text) == "" {
		return document{}, fault(fetch.Parse, "the page is empty")
	}
	if title := firstHeading(d.text); title != "" {
		d.title = title
	}
	return d, nil
}

func isHTML(resp *fetch.Response) bool {
	head := bytes.ToLower(bytes.TrimLeft(resp.Body[:min(len(resp.Body), 512)], "\ufeff \t\r\n"))
	return strings.HasPrefix(strings.ToLower(resp.Header.Get("Content-Type")), "text/html") ||
		bytes.HasPrefix(head, []byte("<!doctype html")) || bytes.HasPrefix(head, []byte("<html"))
}

// signIn reports whether an answer asks to sign in instead of saying anything.
func signIn(resp *fetch.Response) bool {
	if u, err := url.Parse(resp.URL); err == nil && (u.Path == "/login" || u.Path == "/join" || strings.HasPrefix(u.Path, "/oauth/")) {
		return true
	}
	if !isHTML(resp) {
		return false
	}
	return dom.Find(dom.Parse(resp.Body), func(n *html.Node) bool {
		return n.DataAtom == atom.Input && strings.EqualFold(dom.Attr(n, "type"), "password")
	}) != nil
}

// firstHeading is the text of a page's first line that is a heading of the
// first level.
func firstHeading(text string) string {
	for line := range strings.Lines(text) {
		if title, ok := strings.CutPrefix(strings.TrimSpace(line), "# "); ok {
			title, _, _ = strings.Cut(title, "[[")
			return strings.TrimSpace(title)
		}
		if strings.TrimSpace(line) != "" {
			return ""
		}
	}
	return ""
}

// entry is a document as the index holds it; ok is false for what belongs to no
// set.
func entry(a address.Page, d document) (p index.Page, ok bool) {
	if a.Site != address.Hub {
		return p, false
	}
	slug := a.Slug
	if slug == "" {
		slug = a.Area // the blog and the papers are a set each
	}
	bare := a
	bare.Query = ""
	return index.Page{
		Slug: slug, Path: a.Key(), Version: a.Version, URL: bare.URL(), Title: d.title, Text: d.text, Origin: origin(d.resp),
	}, true
}

func origin(resp *fetch.Response) index.Origin {
	return index.Origin{URL: resp.URL, SHA256: resp.SHA256, FetchedAt: resp.FetchedAt}
}

// remember puts pages into the local index. That it fails is nobody's concern:
// the index only helps.
func (s *source) remember(ctx context.Context, pages ...index.Page) {
	_ = s.index.Put(ctx, pages...)
}
