// Package web is what an agent does on the open web: web_search asks search
// engines and web_fetch reads pages. Neither ever sends a credential to a page,
// and what they bring back is text from outside. The package knows no page.
package web

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/adapter/websearch"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

//go:embed web_search.json
var searchDescription []byte

const (
	// defaultResults and mostResults are how many entries a search gives.
	defaultResults = 8
	mostResults    = 20
	// queryChars bounds a query, and domainCount a list of domains.
	queryChars  = 500
	domainCount = 100
)

// Searcher finds pages.
type Searcher interface {
	Search(ctx context.Context, query string) (websearch.Answer, error)
}

// Search is web_search.
type Search struct {
	spec     tool.Spec
	searcher Searcher
}

var _ tool.Tool = (*Search)(nil)

// NewSearch returns web_search.
func NewSearch(s Searcher) (*Search, error) {
	if s == nil {
		return nil, errors.New("make web_search: a searcher is required")
	}
	spec, err := tool.ParseSpec(searchDescription, lookup.MaxOutput)
	if err != nil {
		return nil, err
	}
	return &Search{spec, s}, nil
}

// SearchParams are the arguments of web_search.
type SearchParams struct {
	Query          string   `json:"query"`
	AllowedDomains []string `json:"allowed_domains,omitempty"`
	BlockedDomains []string `json:"blocked_domains,omitempty"`
	MaxResults     int      `json:"max_results,omitempty"`
}

// Spec describes the tool.
func (t *Search) Spec() tool.Spec { return t.spec }

// Risk is reading.
func (t *Search) Risk(json.RawMessage) tool.Risk {
	return tool.Risk{Effect: event.Read, Operation: "search"}
}

// Run searches.
func (t *Search) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	began := time.Now()
	p, err := searchParams(args)
	if err != nil {
		return lookup.Refused(t.spec, err), nil
	}
	a, err := t.searcher.Search(ctx, p.Query)
	if ctx.Err() != nil {
		return tool.Result{}, ctx.Err()
	}
	if err != nil {
		return searchFailed(p.Query, err), nil
	}
	found := filtered(a.Hits, p.AllowedDomains, p.BlockedDomains)
	found = found[:min(len(found), p.MaxResults)]
	mark := lookup.Note(env, lookup.Source{
		Response: a.Response, Tool: t.spec.Name, Operation: "search", Object: p.Query,
		Title: "Results of " + a.Engine, URL: a.URL,
	})
	for {
		text, err := render(env, p.Query, found, mark, time.Since(began))
		if err != nil {
			return tool.Result{}, err
		}
		if utf8.RuneCountInString(text) <= env.Room() || len(found) == 0 {
			return tool.Success(text), nil
		}
		found = found[:len(found)-1]
	}
}

func searchParams(args json.RawMessage) (SearchParams, error) {
	var loose struct {
		Allowed any `json:"allowed_domains"`
		Blocked any `json:"blocked_domains"`
	}
	var p SearchParams
	if json.Unmarshal(args, &loose) == nil {
		switch {
		case !texts(loose.Allowed):
			return p, errors.New("allowed_domains must be an array of strings")
		case !texts(loose.Blocked):
			return p, errors.New("blocked_domains must be an array of strings")
		}
	}
	if err := tool.Decode(args, &p); err != nil {
		return p, err
	}
	p.Query = strings.Join(strings.Fields(p.Query), " ")
	switch n := utf8.RuneCountInString(p.Query); {
	case n < 2:
		return p, errors.New("query must have at least 2 characters")
	case n > queryChars:
		return p, fmt.Errorf("query must have at most %d characters, not %d", queryChars, n)
	case p.MaxResults < 0 || p.MaxResults > mostResults:
		return p, fmt.Errorf("max_results must be from 1 to %d", mostResults)
	case len(p.AllowedDomains) > domainCount || len(p.BlockedDomains) > domainCount:
		return p, fmt.Errorf("allowed_domains and blocked_domains take at most %d entries each", domainCount)
	}
	if p.MaxResults == 0 {
		p.MaxResults = defaultResults
	}
	return p, nil
}

// texts reports whether v is nothing or a list of texts.
func texts(v any) bool {
	list, ok := v.([]any)
	for _, one := range list {
		if _, is := one.(string); !is {
			return false
		}
	}
	return ok || v == nil
}

// searchFailed tells what each engine said.
func searchFailed(query string, err error) tool.Result {
	what := fmt.Sprintf("web_search %q", lookup.Line(query, 100))
	if errors.Is(err, websearch.ErrBase) {
		return tool.Failed(what + " failed (bad_argument): invalid search base URL. ML_INTERN_WEB_SEARCH_BASE_URL (or CLAWD_WEB_SEARCH_BASE_URL) " +
			"and ML_INTERN_SEARXNG_URL must be http or https addresses with a host; ask the user to correct them.")
	}
	const advice = "Do not try the same search again now. The user can set another engine: web_search.provider with ML_INTERN_SEARXNG_URL, " +
		"BRAVE_API_KEY or TAVILY_API_KEY. Until then use the other look-up tools, or web_fetch an address you know."
	var failures websearch.Failures
	if !errors.As(err, &failures) {
		return lookup.Failed(what, err, advice)
	}
	also := ""
	for _, f := range failures[1:] {
		also += fmt.Sprintf("Also %s did not answer: %s. ", f.Engine, strings.TrimSuffix(lookup.Line(brief(f.Err), 200), "."))
	}
	return lookup.Failed(what+" with "+failures[0].Engine, failures[0].Err, also+advice)
}

// brief is a failure in the words of its kind.
func brief(err error) string {
	var f *fetch.Error
	if errors.As(err, &f) {
		return f.Error()
	}
	return "it could not be asked"
}

type entry struct {
	Title   string `json:"title"`
	URL     string `json:"url"`
	Snippet string `json:"snippet,omitempty"`
	Source  string `json:"source,omitempty"`
}

// render makes the result: a sentence with the links, and the entries.
func render(env tool.Env, query string, found []websearch.Hit, mark string, took time.Duration) (string, error) {
	type results struct {
		ToolUseID string  `json:"tool_use_id"`
		Content   []entry `json:"content"`
	}
	list := results{env.CallID(), []entry{}}
	if list.ToolUseID == "" {
		list.ToolUseID = "web_search_1"
	}
	summary := fmt.Sprintf("Nothing on the web matched %q.", query)
	if len(found) > 0 {
		summary = fmt.Sprintf("Found on the web for %q. End your answer with a Sources section that links what you used:", query)
	}
	for _, h := range found {
		h.Title, h.Snippet = lookup.Plain(h.Title), lookup.Plain(h.Snippet)
		summary += fmt.Sprintf("\n- [%s](%s)", h.Title, h.URL)
		list.Content = append(list.Content, entry{h.Title, h.URL, h.Snippet, mark})
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(struct {
		Query    string  `json:"query"`
		Results  []any   `json:"results"`
		Duration float64 `json:"durationSeconds"`
	}{query, []any{summary, list}, float64(took.Milliseconds()) / 1000})
	return lookup.Plain(strings.TrimSpace(b.String())), err
}
