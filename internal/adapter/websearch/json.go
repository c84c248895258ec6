package websearch

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/markup/dom"
)

// result is one entry of an answer; each engine has its own names for the text.
type result struct {
	Title       string `json:"title"`
	URL         string `json:"url"`
	Content     string `json:"content"`
	Description string `json:"description"`
}

// ask makes a request whose answer is JSON and reads it into doc.
func ask(ctx context.Context, o Options, name string, req fetch.Request, doc any) (*fetch.Response, error) {
	req.Timeout, req.Fresh, req.Limit = timeout, fresh, limit
	req.Header.Set("Accept", "application/json")
	r, err := o.Fetch.Do(ctx, req)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(r.Body, doc); err != nil {
		return nil, &fetch.Error{Kind: fetch.Parse, Service: name, URL: r.URL, Status: r.Status, Message: "its answer is no JSON of search results", Err: err}
	}
	return r, nil
}

func hits(results []result) []Hit {
	var out []Hit
	for _, r := range results {
		text := r.Content
		if text == "" {
			text = r.Description
		}
		out = append(out, Hit{plain(r.Title), r.URL, plain(text)})
	}
	return out
}

// plain removes the marks that engines put around the words that were found.
func plain(s string) string {
	if !strings.ContainsAny(s, "<&") {
		return s
	}
	return dom.Text(dom.Parse([]byte(s)))
}

type searxng struct{ o Options }

func (e searxng) ready() string {
	if e.o.SearXNG == "" {
		return "ML_INTERN_SEARXNG_URL is not set"
	}
	return ""
}

func (e searxng) search(ctx context.Context, query string) (Answer, error) {
	var doc struct {
		Results []result `json:"results"`
	}
	address := strings.TrimRight(e.o.SearXNG, "/") + "/search?" + url.Values{"q": {query}, "format": {"json"}}.Encode()
	r, err := ask(ctx, e.o, "SearXNG", fetch.Request{URL: address, Header: http.Header{}}, &doc)
	return Answer{Hits: hits(doc.Results), Response: r}, err
}

type brave struct{ o Options }

func (e brave) ready() string { return keyed(e.o.BraveKey, "BRAVE_API_KEY") }

func keyed(key func() string, variable string) string {
	if key == nil || strings.TrimSpace(key()) == "" {
		return variable + " is not set"
	}
	return ""
}

func (e brave) search(ctx context.Context, query string) (Answer, error) {
	var doc struct {
		Web struct {
			Results []result `json:"results"`
		} `json:"web"`
	}
	address := "https://api.search.brave.com/res/v1/web/search?" + url.Values{"q": {query}, "count": {strconv.Itoa(asked)}}.Encode()
	r, err := ask(ctx, e.o, "Brave", fetch.Request{URL: address, Header: http.Header{}}, &doc)
	return Answer{Hits: hits(doc.Web.Results), Response: r}, err
}

type tavily struct{ o Options }

func (e tavily) ready() string { return keyed(e.o.TavilyKey, "TAVILY_API_KEY") }

func (e tavily) search(ctx context.Context, query string) (Answer, error) {
	body, err := json.Marshal(map[string]any{"query": query, "max_results": asked})
	if err != nil {
		return Answer{}, err
	}
	var doc struct {
		Results []result `json:"results"`
	}
	req := fetch.Request{URL: "https://api.tavily.com/search", Body: body, Header: http.Header{"Content-Type": {"application/json"}}}
	r, err := ask(ctx, e.o, "Tavily", req, &doc)
	return Answer{Hits: hits(doc.Results), Response: r}, err
}
