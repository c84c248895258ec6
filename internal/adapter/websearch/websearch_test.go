package websearch_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/adapter/websearch"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// page answers every request with itself.
type page string

func (p page) Do(_ context.Context, req fetch.Request) (*fetch.Response, error) {
	return &fetch.Response{Status: 200, Header: http.Header{}, Body: []byte(p), URL: req.URL}, nil
}

func search(t testing.TB, body string) (websearch.Answer, error) {
	t.Helper()
	s, err := websearch.New(websearch.Options{Fetch: page(body)})
	if err != nil {
		t.Fatal(err)
	}
	return s.Search(t.Context(), "a query")
}

// Pages without the usual marks are read by all their links.
func TestAnyPageOfLinks(t *testing.T) {
	a, err := search(t, `<a href="https://one.example/">One</a><a href="/about">About</a><a href="//duckduckgo.com/x">Own</a>
<a href="https://html.duckduckgo.com/html/">Own</a><a href="https://user@two.example/">No</a><a href="mailto:a@b.c">Mail</a><a name="x">none</a>
<a href="https://duckduckgo.com/l/?uddg=https%3A%2F%2Ftwo.example%2F">Two</a><a href="https://one.example/">Again</a>`)
	if err != nil || len(a.Hits) != 2 || a.Hits[0].URL != "https://one.example/" || a.Hits[1].URL != "https://two.example/" || a.Engine != websearch.DuckDuckGo {
		t.Errorf("%+v, %v", a.Hits, err)
	}
}

// Hits beside a challenge count: the page was read before it was judged.
func TestHitsBesideAChallenge(t *testing.T) {
	const challenge = `<form action="//duckduckgo.com/anomaly.js"></form>`
	if a, err := search(t, challenge+`<a class="result__a" href="https://one.example/">One</a>`); err != nil || len(a.Hits) != 1 {
		t.Errorf("%+v, %v", a.Hits, err)
	}
	_, err := search(t, challenge)
	var e *fetch.Error
	if !errors.As(err, &e) || e.Kind != fetch.Blocked {
		t.Error(err)
	}
}

func TestHugePages(t *testing.T) {
	one := `<div class="result"><a class="result__a" href="https://x.example/">` + strings.Repeat("t ", 2_000) + "</a>"
	for name, body := range map[string]string{
		"nested": strings.Repeat(`<div class="result"><a class="result__a" href="https://x.example/">x</a>`, 20_000), "flat": strings.Repeat(one+"</div>", 300),
		"open": strings.Repeat(`<a href="`, 100_000), "empty": "",
	} {
		start := time.Now()
		if _, err := search(t, body); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s took %s", name, took)
		}
	}
}

func FuzzPage(f *testing.F) {
	f.Add(`<a class="result__a" href="//duckduckgo.com/l/?uddg=https%3A%2F%2Fx.example%2F">x</a><a class="result__snippet">s</a>`)
	f.Add(`<div class="result result--ad"><a class=result__a href=/y.js>x`)
	f.Fuzz(func(t *testing.T, body string) {
		a, err := search(t, body)
		if err != nil {
			return
		}
		for _, h := range a.Hits {
			u, err := url.Parse(h.URL)
			if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || h.Title == "" || strings.ContainsAny(h.Title+h.Snippet, "\n\r\t") ||
				utf8.RuneCountInString(h.Title) > 300 || utf8.RuneCountInString(h.Snippet) > 300 {
				t.Errorf("%+v", h)
			}
		}
	})
}

func TestRecordedPages(t *testing.T) {
	for name, want := range map[string]int{"ddg-results.html": 3, "ddg-no-results.html": 0} {
		if a, err := search(t, lookuptest.Fixture(t, name)); err != nil || len(a.Hits) != want {
			t.Errorf("%s: %d hits, %v", name, len(a.Hits), err)
		}
	}
	if _, err := search(t, lookuptest.Fixture(t, "ddg-anomaly.html")); err == nil {
		t.Error("the challenge is an answer")
	}
}
