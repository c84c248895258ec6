// Package websearch asks search engines for pages: SearXNG, Brave, Tavily and
// DuckDuckGo, one after the other until one answers. It knows what their
// answers look like, not what is searched for.
package websearch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// The names of the engines.
const (
	SearXNG    = "searxng"
	Brave      = "brave"
	Tavily     = "tavily"
	DuckDuckGo = "duckduckgo"
)

const (
	// timeout is of one request, and fresh how long its answer serves again.
	timeout = 20 * time.Second
	fresh   = 10 * time.Minute
	// limit bounds a page of results, in bytes.
	limit = 4 << 20
	// asked is how many results an engine is asked for: filters take some away.
	asked = 20
	// Characters of a hit's parts. Longer addresses are left out.
	titleChars   = 300
	addressBytes = 2_000
	snippetChars = 300
)

// ErrBase says that the configured address of the search is none.
var ErrBase = errors.New("invalid search base URL")

// Hit is a page that was found.
type Hit struct{ Title, URL, Snippet string }

// Answer is what one engine has found.
type Answer struct {
	Engine string
	Hits   []Hit
	// Response is the page of results, and URL its address as people should
	// see it.
	Response *fetch.Response
	URL      string
}

// engine is one search engine.
type engine interface {
	// ready says, in words for the user, what is missing; "" when nothing is.
	ready() string
	search(ctx context.Context, query string) (Answer, error)
}

// Options make a Searcher.
type Options struct {
	Fetch fetch.Getter
	// Engines are the names of those that are asked, in order; none are all
	// that are configured, then DuckDuckGo.
	Engines []string
	// Base is the address of the only engine to ask, which answers like
	// DuckDuckGo; empty is none.
	Base string
	// SearXNG is the address of an instance; empty is none.
	SearXNG string
	// BraveKey and TavilyKey tell whether there is a key; the client sends it.
	BraveKey, TavilyKey func() string
}

// Searcher asks the engines. It is safe for concurrent use.
type Searcher struct {
	o       Options
	names   []string
	engines map[string]engine
}

// New returns a Searcher.
func New(o Options) (*Searcher, error) {
	if o.Fetch == nil {
		return nil, errors.New("make the web search: Fetch is required")
	}
	if o.Base == public {
		o.Base = ""
	}
	s := &Searcher{o: o, names: o.Engines, engines: map[string]engine{
		SearXNG: searxng{o}, Brave: brave{o}, Tavily: tavily{o}, DuckDuckGo: duckduckgo{o},
	}}
	for _, name := range o.Engines {
		if s.engines[name] == nil {
			return nil, fmt.Errorf("make the web search: no engine is called %q; there are searxng, brave, tavily and duckduckgo", name)
		}
	}
	return s, nil
}

// Check tells whether the configured address of the search is one.
func (s *Searcher) Check() error {
	for _, base := range []string{s.o.Base, s.o.SearXNG} {
		if u, err := url.Parse(base); base != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
			return ErrBase
		}
	}
	return nil
}

// order is who is asked now.
func (s *Searcher) order() []string {
	switch {
	case s.o.Base != "":
		return []string{DuckDuckGo}
	case len(s.names) > 0:
		return s.names
	}
	all := []string{SearXNG, Brave, Tavily, DuckDuckGo}
	return slices.DeleteFunc(all, func(name string) bool { return s.engines[name].ready() != "" })
}

// Failure is what an engine that did not answer has said.
type Failure struct {
	Engine string
	Err    error
}

// Failures is the error of a search that no engine has answered.
type Failures []Failure

// Error lists them.
func (f Failures) Error() string {
	var parts []string
	for _, one := range f {
		parts = append(parts, one.Engine+": "+one.Err.Error())
	}
	return strings.Join(parts, "; ")
}

// Unwrap gives the first one's error: the engine that is preferred.
func (f Failures) Unwrap() error { return f[0].Err }

// Search asks the engines in order until one answers. Its error is Failures,
// [ErrBase] or that of ctx.
func (s *Searcher) Search(ctx context.Context, query string) (Answer, error) {
	if err := s.Check(); err != nil {
		return Answer{}, err
	}
	var failed Failures
	for _, name := range s.order() {
		e := s.engines[name]
		if missing := e.ready(); missing != "" {
			failed = append(failed, Failure{name, &fetch.Error{Kind: fetch.Unauthorized, Service: name, Message: missing}})
			continue
		}
		a, err := e.search(ctx, query)
		if err == nil {
			a.Engine = name
			a.URL = s.page(a)
			a.Hits = tidy(a.Hits)
			return a, nil
		}
		if ctx.Err() != nil {
			return Answer{}, ctx.Err()
		}
		failed = append(failed, Failure{name, err})
	}
	return Answer{}, failed
}

// page is the address of a page of results. A search that was configured to be
// elsewhere is named as what it is, unless a stand-in on this machine plays it.
func (s *Searcher) page(a Answer) string {
	base, err := url.Parse(s.o.Base)
	if s.o.Base == "" || err != nil || standIn(base.Hostname()) {
		return a.Response.URL
	}
	shown, err := url.Parse(a.Response.URL)
	if err != nil {
		return s.o.Base
	}
	query := base.Query()
	query.Set("q", shown.Query().Get("q"))
	base.RawQuery, base.User = query.Encode(), nil
	return base.String()
}

func standIn(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// tidy makes hits short lines with addresses of the web, each once.
func tidy(hits []Hit) []Hit {
	out := []Hit{}
	seen := map[string]bool{}
	for _, h := range hits {
		u, err := url.Parse(h.URL)
		h.Title = short(h.Title, titleChars)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
			len(h.URL) > addressBytes || h.Title == "" || seen[h.URL] {
			continue
		}
		seen[h.URL] = true
		h.Snippet = short(h.Snippet, snippetChars)
		out = append(out, h)
	}
	return out
}

// short makes one line of at most max characters.
func short(s string, max int) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s[:min(len(s), 16*max)], "")), " ")
	if r := []rune(s); len(r) > max {
		return strings.TrimSpace(string(r[:max-1])) + "…"
	}
	return s
}
