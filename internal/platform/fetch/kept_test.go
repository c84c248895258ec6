package fetch_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

func TestAnswersAreKept(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var got []*http.Request
		tag, body := `"v1"`, "first"
		s := script(func(r *http.Request) (*http.Response, error) {
			got = append(got, r)
			if r.Header.Get("If-None-Match") == tag {
				return reply(304, ""), nil
			}
			return reply(200, body, "ETag", tag), nil
		})
		c := scripted(t, s, func(o *fetch.Options) { o.CacheDir = dir })
		ask := func(want string, requests int, cached bool) *fetch.Response {
			t.Helper()
			got = nil
			r, err := c.Do(t.Context(), fetch.Request{URL: page, Fresh: time.Hour})
			if err != nil || string(r.Body) != want || len(got) != requests || r.Cached != cached {
				t.Fatalf("%+v, %v, %d requests", r, err, len(got))
			}
			return r
		}
		first := ask("first", 1, false)
		first.Body[0] = 'X'
		time.Sleep(30 * time.Minute)
		if r := ask("first", 0, true); !r.FetchedAt.Equal(first.FetchedAt) || r.SHA256 != first.SHA256 || r.URL != page {
			t.Errorf("%+v, first %+v", r, first)
		}
		time.Sleep(31 * time.Minute) // too old now, but the same
		if r := ask("first", 1, true); !r.FetchedAt.Equal(first.FetchedAt) || got[0].Header.Get("If-None-Match") != tag {
			t.Errorf("%+v", r)
		}
		time.Sleep(59 * time.Minute)
		ask("first", 0, true) // the question of an hour ago counts
		time.Sleep(2 * time.Minute)
		tag, body = `"v2"`, "second"
		if r := ask("second", 1, false); !r.FetchedAt.Equal(time.Now().UTC()) {
			t.Errorf("%+v", r)
		}
		// Another process reads the same directory.
		c = scripted(t, s, func(o *fetch.Options) { o.CacheDir = dir })
		ask("second", 0, true)
		// Without Fresh nothing is kept, and nothing kept serves.
		got = nil
		if r, err := c.Do(t.Context(), fetch.Request{URL: page}); err != nil || r.Cached || len(got) != 1 {
			t.Error(r, err)
		}
	})
}

func TestWhatIsKeptApart(t *testing.T) {
	asked := 0
	token := "hf_first-token-of-the-test"
	s := script(func(*http.Request) (*http.Response, error) {
		asked++
		return reply(200, fmt.Sprint(asked)), nil
	})
	change := func(base string) func(*fetch.Options) {
		return func(o *fetch.Options) {
			o.Services = []fetch.Service{{Name: "the Hub", Public: "https://huggingface.co", Base: base, Credential: func() string { return token }}}
		}
	}
	dir := t.TempDir()
	kept := func(o *fetch.Options) { o.CacheDir = dir }
	c, sim := scripted(t, s, change(""), kept), scripted(t, s, change("http://127.0.0.1:1/hub"), kept)
	ask := func(c *fetch.Client, change func(*fetch.Request)) string {
		t.Helper()
		req := fetch.Request{URL: page, Fresh: time.Hour}
		if change != nil {
			change(&req)
		}
		r, err := c.Do(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return string(r.Body)
	}
	steps := []func() string{
		func() string { return ask(c, nil) },
		func() string { return ask(c, func(r *fetch.Request) { r.Anonymous = true }) },
		func() string { return ask(c, func(r *fetch.Request) { r.Body = []byte("a") }) },
		func() string { return ask(c, func(r *fetch.Request) { r.Body = []byte("b") }) },
		func() string { return ask(c, func(r *fetch.Request) { r.Header = http.Header{"Accept": {"x/y"}} }) },
		func() string { return ask(c, func(r *fetch.Request) { r.URL += "?a" }) },
		func() string { return ask(sim, nil) },
		func() string { token = "hf_second-token-of-the-test"; return ask(c, nil) },
	}
	for round := range 2 {
		token = "hf_first-token-of-the-test"
		for i, step := range steps {
			if got := step(); got != fmt.Sprint(i+1) {
				t.Errorf("round %d, step %d: answer %s", round, i+1, got)
			}
		}
	}
}

func TestFailuresAreNotKept(t *testing.T) {
	for _, status := range []int{500, 404, 203} {
		n := 0
		c := scripted(t, func(*http.Request) (*http.Response, error) {
			if n++; n == 1 {
				return reply(status, "x"), nil
			}
			return reply(200, "good"), nil
		})
		_, _ = c.Do(t.Context(), fetch.Request{URL: page, Fresh: time.Hour})
		if r, err := c.Do(t.Context(), fetch.Request{URL: page, Fresh: time.Hour}); err != nil || string(r.Body) != "good" {
			t.Errorf("%d: %v, %v", status, r, err)
		}
	}
}

func TestOffline(t *testing.T) {
	dir := t.TempDir()
	online := true
	s := script(func(*http.Request) (*http.Response, error) {
		if !online {
			t.Error("the network is used")
		}
		return reply(200, "kept"), nil
	})
	keep := func(o *fetch.Options) { o.CacheDir = dir }
	first, err := scripted(t, s, keep).Do(t.Context(), fetch.Request{URL: page, Fresh: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	online = false
	c := scripted(t, s, keep, func(o *fetch.Options) { o.Offline = true })
	r, err := c.Do(t.Context(), fetch.Request{URL: page, Fresh: time.Nanosecond})
	if err != nil || string(r.Body) != "kept" || !r.Cached || !r.FetchedAt.Equal(first.FetchedAt) || r.SHA256 != first.SHA256 {
		t.Error(r, err)
	}
	_, err = c.Do(t.Context(), fetch.Request{URL: page + "/other", Fresh: time.Hour})
	if e := wantKind(t, err, fetch.Network); e.URL != page+"/other" || !strings.Contains(e.Error(), page+"/other") {
		t.Error(e)
	}
}

func TestAKeptAnswerMayBeTooLarge(t *testing.T) {
	c := scripted(t, func(*http.Request) (*http.Response, error) { return reply(200, "long answer"), nil })
	if _, err := c.Do(t.Context(), fetch.Request{URL: page, Fresh: time.Hour}); err != nil {
		t.Fatal(err)
	}
	_, err := c.Do(t.Context(), fetch.Request{URL: page, Fresh: time.Hour, Limit: 4})
	wantKind(t, err, fetch.TooLarge)
}

func TestKeepAndFollowDecide(t *testing.T) {
	w := newWorld(t)
	w.sends("/web/a.test/to", "https://b.test/")
	w.says("/", "x")
	c := w.client(t, w.standIn)
	for range 2 {
		r, err := c.Do(t.Context(), fetch.Request{URL: "https://a.test/", Fresh: time.Hour, Keep: func(r *fetch.Response) bool { return string(r.Body) != "x" }})
		if err != nil || r.Cached {
			t.Error(r, err)
		}
	}
	w.requests()
	_, err := c.Do(t.Context(), fetch.Request{URL: "https://a.test/to", Follow: func(host string) bool { return host != "b.test" }})
	if wantKind(t, err, fetch.Blocked); len(w.requests()) != 1 {
		t.Error("the redirect was followed")
	}
}
