package fetch_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// Whatever an address looks like, a credential goes to its own service alone.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{
		"https://huggingface.co/a", "http://127.0.0.1:9/github/x", "https://api.github.com/../hub", "https://huggingface.co//github/a", "https://huggingface.co/%2e%2e/x",
		"https://huggingface.co/\\github", "https://huggingface.co@evil.test/", "https://evil.test/https://huggingface.co/", "http://127.0.0.1:9/web/x.test/../../github/x", "https://HF.co:443?x",
	} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, address, location string) {
		hop := 0
		answer := script(func(r *http.Request) (*http.Response, error) {
			auth := r.Header.Get("Authorization")
			path := r.URL.EscapedPath()
			below := func(prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }
			switch {
			case r.URL.Host != "127.0.0.1:9" && auth != "":
				t.Errorf("%q, %q: a credential for %s", address, location, r.URL)
			case auth == "Bearer "+githubToken && !below("/github"), auth == "Bearer "+hubToken && (below("/github") || below("/web") || below("/arxiv") || below("/s2")):
				t.Errorf("%q, %q: the wrong credential for %s", address, location, r.URL)
			}
			if hop++; hop > 1 {
				return reply(200, ""), nil
			}
			return reply(302, "", "Location", location), nil
		})
		c, err := fetch.New(fetch.Options{HTTP: &http.Client{Transport: answer}, Services: services("http://127.0.0.1:9"), StandIn: "http://127.0.0.1:9/web"})
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Do(context.Background(), fetch.Request{URL: address})
		var e *fetch.Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("%q, %q: %v", address, location, err)
		}
		if err == nil {
			if u, err := url.Parse(r.URL); err != nil || u.Host == "" || u.User != nil {
				t.Errorf("%q, %q: from %q", address, location, r.URL)
			}
		}
	})
}
