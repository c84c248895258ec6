// Package catalog holds the tools that look through the Hub's catalogue: what
// there is of a kind, and which models lead a benchmark. They change nothing.
// They know neither who reads the results nor how requests are made.
package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// hub is the public address of the Hub.
const hub = "https://huggingface.co"

const (
	// kept is how long an answer serves again.
	kept = 10 * time.Minute
	// maxPages bounds the pages of one list that are followed.
	maxPages = 5
)

// Options make the tools.
type Options struct {
	// Fetch makes the requests.
	Fetch fetch.Getter
}

// look is what the tools have in common.
type look struct {
	spec  tool.Spec
	fetch fetch.Getter
	run   func(ctx context.Context, l *look, env tool.Env, args json.RawMessage) tool.Result
}

var _ tool.Tool = (*look)(nil)

func newLook(o Options, description []byte, run func(context.Context, *look, tool.Env, json.RawMessage) tool.Result) (tool.Tool, error) {
	if o.Fetch == nil {
		return nil, errors.New("make the catalogue's tools: Fetch is required")
	}
	spec, err := tool.ParseSpec(description, lookup.MaxOutput)
	if err != nil {
		return nil, err
	}
	return &look{spec: spec, fetch: o.Fetch, run: run}, nil
}

// Spec describes the tool.
func (l *look) Spec() tool.Spec { return l.spec }

// Risk is that of reading.
func (l *look) Risk(json.RawMessage) tool.Risk { return tool.Risk{Effect: event.Read} }

// Run looks up.
func (l *look) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	return l.run(ctx, l, env, args), nil
}

func (l *look) bad(err error) tool.Result { return lookup.Refused(l.spec, err) }

// ask gets an address of the Hub.
func (l *look) ask(ctx context.Context, path string, q url.Values) (*fetch.Response, error) {
	address := hub + path
	if len(q) > 0 {
		address += "?" + q.Encode()
	}
	return l.fetch.Do(ctx, fetch.Request{URL: address, Fresh: kept})
}

// list gets up to limit entries of a list, over its pages. Only the query of
// the next page's address is followed, not where it leads.
func (l *look) list(ctx context.Context, path string, q url.Values, limit int) (items []json.RawMessage, first *fetch.Response, more bool, err error) {
	for range maxPages {
		resp, err := l.ask(ctx, path, q)
		if err != nil {
			if first != nil { // what there is stands
				return items, first, true, nil
			}
			return nil, nil, false, err
		}
		if first == nil {
			first = resp
		}
		page, err := entries(resp)
		if err != nil {
			return nil, nil, false, err
		}
		items = append(items, page...)
		next, ok := nextPage(resp.Header.Get("Link"))
		if len(items) >= limit || !ok || len(page) == 0 {
			more = ok || len(items) > limit
			return items[:min(len(items), limit)], first, more, nil
		}
		q = next
	}
	return items, first, true, nil
}

// entries reads a list, which some routes wrap into an object.
func entries(resp *fetch.Response) ([]json.RawMessage, error) {
	var items []json.RawMessage
	err := json.Unmarshal(resp.Body, &items)
	if err == nil {
		return items, nil
	}
	var wrapped map[string]json.RawMessage
	if json.Unmarshal(resp.Body, &wrapped) == nil {
		for _, name := range []string{"items", "kernels", "repos", "results", "data"} {
			if json.Unmarshal(wrapped[name], &items) == nil {
				return items, nil
			}
		}
	}
	return nil, &fetch.Error{Kind: fetch.Parse, Service: "the Hub", URL: resp.URL, Message: "the answer is no list", Err: err}
}

// nextPage reads the query of the next page's address out of a Link header.
func nextPage(link string) (url.Values, bool) {
	for part := range strings.SplitSeq(link, ",") {
		address, rel, ok := strings.Cut(part, ";")
		if !ok || !strings.Contains(rel, `rel="next"`) {
			continue
		}
		u, err := url.Parse(strings.Trim(strings.TrimSpace(address), "<>"))
		if err != nil || u.RawQuery == "" {
			return nil, false
		}
		q, err := url.ParseQuery(u.RawQuery)
		return q, err == nil
	}
	return nil, false
}
