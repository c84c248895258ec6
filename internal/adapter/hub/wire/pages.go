package wire

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strings"
)

// Pages yields the items of a list, asking for the next page only when the one
// before is used up. Each page is a JSON array; the next one's address stands
// in the Link header and is followed only at the Hub's own origin. An error is
// the last pair.
func Pages[T any](ctx context.Context, c *Conn, r Request) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		k, err := c.prepare(r)
		if err != nil {
			yield(zero, err)
			return
		}
		seen := map[string]bool{k.url.String(): true}
		for k != nil {
			var page []T
			answer, err := c.json(ctx, k, &page)
			if err != nil {
				yield(zero, err)
				return
			}
			for _, item := range page {
				if !yield(item, nil) {
					return
				}
			}
			if k, err = c.nextPage(k, answer.Header, seen); err != nil {
				yield(zero, err)
				return
			}
		}
	}
}

// nextPage is the request for the page after k; nil when there is none.
func (c *Conn) nextPage(k *call, h http.Header, seen map[string]bool) (*call, error) {
	link := linkTo(h, "next")
	if link == "" {
		return nil, nil
	}
	fail := func(format string, args ...any) error {
		e := invalid(k.op, format, args...)
		e.Kind, e.URL, e.Method = Unexpected, c.shown(k.url), k.method
		return e
	}
	next, err := k.url.Parse(link)
	if err != nil {
		return nil, fail("the address of the next page is none")
	}
	if !c.home(next) {
		return nil, fail("the next page is said to be at %s, which is not %s: not followed", originOf(next), originOf(c.base))
	}
	if seen[next.String()] {
		return nil, fail("the pages go in a circle")
	}
	seen[next.String()] = true
	following := *k
	following.url = &url.URL{Scheme: next.Scheme, Host: next.Host, Path: next.Path, RawPath: next.RawPath, RawQuery: next.RawQuery}
	return &following, nil
}

// linkTo is the address of the first link of that relation in the Link headers.
func linkTo(h http.Header, rel string) string {
	for _, value := range h.Values("Link") {
		for value != "" {
			_, rest, ok := strings.Cut(value, "<")
			if !ok {
				break
			}
			address, rest, ok := strings.Cut(rest, ">")
			if !ok {
				break
			}
			params := rest
			if next := strings.Index(rest, ","); next >= 0 {
				params, value = rest[:next], rest[next:]
			} else {
				value = ""
			}
			for _, param := range strings.Split(params, ";") {
				name, v, _ := strings.Cut(strings.TrimSpace(param), "=")
				if strings.EqualFold(strings.TrimSpace(name), "rel") && strings.Trim(strings.TrimSpace(v), `"`) == rel {
					return address
				}
			}
		}
	}
	return ""
}
