package catalog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/catalog"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const list = `{"object":"list","data":[
 {"id":"deepseek-ai/DeepSeek-V4-Pro","architecture":{"input_modalities":["text"]},"providers":[
  {"provider":"novita","status":"live","context_length":1048576,"pricing":{"input":1.69,"output":3.38},"supports_tools":true,"throughput":24.7},
  {"provider":"together","status":"live","context_length":512000,"pricing":{"input":2.1,"output":4.4},"supports_tools":true},
  {"provider":"fireworks-ai","status":"live","context_length":1048576,"supports_tools":true},
  {"provider":"featherless-ai","status":"live"},
  {"provider":"gone","status":"error","context_length":1000,"pricing":{"input":99,"output":99},"supports_tools":true},
  {"provider":"small","status":"live","context_length":65536,"pricing":{"input":0.5,"output":1},"supports_tools":null}]},
 {"id":"moonshotai/Kimi-K2.6","providers":[
  {"provider":"novita","status":"live","context_length":null,"pricing":null,"supports_tools":false},
  {"status":"live"},7,null,{"provider":"free","status":"live","is_free":true,"pricing":{"input":"x"}}]},
 {"id":"zai-org/GLM-5.1","providers":null,"architecture":[]},
 {"object":"model"}, 3, null]}`

// transport answers from a function, so that a test can run on the clock of a
// bubble without sockets.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, header http.Header, body string) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}
}

func open(t *testing.T, path string, f transport) *catalog.Catalog {
	t.Helper()
	c, err := catalog.New(catalog.Options{
		HTTP: &http.Client{Transport: f}, BaseURL: func() string { return "http://router.test/v1/" }, Path: path, UserAgent: "ml-intern/test",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func must(t *testing.T, c *catalog.Catalog, id string) catalog.Model {
	t.Helper()
	m, ok, err := c.Lookup(context.Background(), id)
	if err != nil || !ok {
		t.Fatalf("Lookup(%q) = %v, %v", id, ok, err)
	}
	return m
}

func TestNewChecksOptions(t *testing.T) {
	if _, err := catalog.New(catalog.Options{}); err == nil {
		t.Error("New without a client passed")
	}
	if _, err := catalog.New(catalog.Options{HTTP: http.DefaultClient}); err == nil {
		t.Error("New without a base URL passed")
	}
}

func TestTerms(t *testing.T) {
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		_, _ = io.WriteString(w, list)
	}))
	defer server.Close()
	c, err := catalog.New(catalog.Options{HTTP: server.Client(), BaseURL: func() string { return server.URL + "/v1/" }, UserAgent: "ml-intern/1"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m := must(t, c, "deepseek-ai/DeepSeek-V4-Pro:novita")
	if got.URL.Path != "/v1/models" || got.Header.Get("Authorization") != "" || got.Header.Get("User-Agent") != "ml-intern/1" {
		t.Errorf("request %s with %v", got.URL, got.Header)
	}
	if n := len(m.Live()); n != 5 {
		t.Errorf("%d live offers, want 5", n)
	}
	for tag, want := range map[string]string{
		"novita":         "1048576 true 1.69/3.38 novita",
		"fireworks-ai":   "1048576 true n/a/n/a fireworks-ai",
		"featherless-ai": "512000 false n/a/n/a featherless-ai",
		"gone":           "1000 true 99/99 gone",
		"nobody":         "512000 false n/a/n/a nobody",
		"cheapest":       "65536 true 0.5/1 small",
		"":               "512000 true 2.1/4.4 ",
		"fastest":        "512000 true 2.1/4.4 ",
		"preferred":      "512000 true 2.1/4.4 ",
	} {
		if diff := cmp.Diff(want, show(m.Terms(tag))); diff != "" {
			t.Errorf("Terms(%q): %s", tag, diff)
		}
	}
	kimi := must(t, c, "MOONSHOTAI/kimi-k2.6")
	if kimi.ID != "moonshotai/Kimi-K2.6" || kimi.Tools() || len(kimi.Offers) != 2 {
		t.Errorf("second chance: %+v", kimi)
	}
	if got := show(kimi.Terms("free")); got != "0 false 0/0 free" {
		t.Errorf("free offer: %s", got)
	}
	if got := show(must(t, c, "zai-org/GLM-5.1").Terms("cheapest")); got != "0 false n/a/n/a " {
		t.Errorf("no offers: %s", got)
	}
	if got := m.Offers[0].String(); got != "novita: $1.69 in / $3.38 out per million tokens, context 1048576, tools" {
		t.Error(got)
	}
	if got := m.Offers[3].String(); got != "featherless-ai: n/a in / n/a out per million tokens, context n/a, no tools" {
		t.Error(got)
	}
}

func show(t catalog.Terms) string {
	num := func(p *float64) string {
		if p == nil {
			return "n/a"
		}
		return fmt.Sprint(*p)
	}
	return fmt.Sprintf("%d %v %s/%s %s", t.Window, t.Certain, num(t.Input), num(t.Output), t.Serving)
}

func TestSimilar(t *testing.T) {
	c := open(t, "", func(*http.Request) (*http.Response, error) { return answer(200, nil, list), nil })
	must(t, c, "zai-org/GLM-5.1")
	if diff := cmp.Diff([]string{"deepseek-ai/DeepSeek-V4-Pro"}, c.Similar("deepseek-ai/DeepSeek-V4:novita", 1)); diff != "" {
		t.Error(diff)
	}
	if got := c.Similar("moonshotai/Kimi-K2.7", 3); len(got) == 0 || got[0] != "moonshotai/Kimi-K2.6" {
		t.Errorf("Similar = %v", got)
	}
	if got := c.Similar("qqqq", 3); got != nil {
		t.Errorf("Similar = %v", got)
	}
	if len(c.Names()) != 3 {
		t.Errorf("Names = %v", c.Names())
	}
}

// Acceptance check 39: ten lookups at once are one request.
func TestSingleFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		c := open(t, "", func(*http.Request) (*http.Response, error) {
			calls.Add(1)
			time.Sleep(time.Second)
			return answer(200, nil, list), nil
		})
		defer c.Close()
		if _, ok := c.Peek("zai-org/GLM-5.1"); ok {
			t.Error("Peek knows what was never fetched")
		}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { must(t, c, "zai-org/GLM-5.1") })
		}
		wg.Wait()
		if calls.Load() != 1 {
			t.Errorf("%d requests, want 1", calls.Load())
		}
		time.Sleep(299 * time.Second)
		synctest.Wait()
		must(t, c, "zai-org/GLM-5.1")
		if calls.Load() != 1 {
			t.Errorf("%d requests within 300 s, want 1", calls.Load())
		}
		time.Sleep(2 * time.Second)
		must(t, c, "zai-org/GLM-5.1")
		if calls.Load() != 2 {
			t.Errorf("%d requests after 300 s, want 2", calls.Load())
		}
	})
}

// Acceptance check 39: the server goes down; the stale copy serves, and the
// next try comes after 15 s.
func TestStaleOnFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls int
		down := false
		c := open(t, "", func(*http.Request) (*http.Response, error) {
			calls++
			if down {
				return nil, errors.New("connection refused")
			}
			return answer(200, nil, list), nil
		})
		defer c.Close()
		must(t, c, "zai-org/GLM-5.1")
		down = true
		time.Sleep(301 * time.Second)
		must(t, c, "zai-org/GLM-5.1")
		must(t, c, "zai-org/GLM-5.1")
		time.Sleep(14 * time.Second)
		must(t, c, "zai-org/GLM-5.1")
		if calls != 2 {
			t.Errorf("%d requests before 15 s, want 2", calls)
		}
		time.Sleep(2 * time.Second)
		must(t, c, "zai-org/GLM-5.1")
		if calls != 3 {
			t.Errorf("%d requests after 15 s, want 3", calls)
		}
	})
}

func TestNoListAtAll(t *testing.T) {
	for name, body := range map[string]string{"not json": "<html>", "no data": `{"object":"list"}`, "error": ""} {
		c := open(t, "", func(*http.Request) (*http.Response, error) {
			if body == "" {
				return answer(503, nil, "down"), nil
			}
			return answer(200, nil, body), nil
		})
		_, ok, err := c.Lookup(context.Background(), "a/b")
		if ok || err == nil || !strings.Contains(err.Error(), "http://router.test/v1/models") {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
}

func TestTimeoutAndCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, "", func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		defer c.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		start := time.Now()
		if _, _, err := c.Lookup(ctx, "a/b"); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("a cancelled asker waited %v: %v", time.Since(start), err)
		}
		if _, _, err := c.Lookup(context.Background(), "a/b"); err == nil || time.Since(start) != 5*time.Second {
			t.Errorf("the fetch took %v: %v", time.Since(start), err)
		}
	})
}

func TestTooLarge(t *testing.T) {
	c := open(t, "", func(*http.Request) (*http.Response, error) {
		resp := answer(200, nil, "")
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"data":[`), bytes.NewReader(bytes.Repeat([]byte(" "), 21<<20)), strings.NewReader("]}")))
		return resp, nil
	})
	if _, _, err := c.Lookup(context.Background(), "a/b"); err == nil || !strings.Contains(err.Error(), "20 MB") {
		t.Errorf("err = %v", err)
	}
}

func TestDiskCopyAndETag(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cache", "router-models.json")
	synctest.Test(t, func(t *testing.T) {
		var tags []string
		serve := func(r *http.Request) (*http.Response, error) {
			tags = append(tags, r.Header.Get("If-None-Match"))
			if r.Header.Get("If-None-Match") == `"v1"` {
				return answer(304, nil, ""), nil
			}
			return answer(200, http.Header{"Etag": {`"v1"`}}, list), nil
		}
		first := open(t, path, serve)
		must(t, first, "zai-org/GLM-5.1")
		first.Close()

		dead := func(*http.Request) (*http.Response, error) { return nil, errors.New("offline") }
		fresh := open(t, path, dead)
		if _, ok := fresh.Peek("zai-org/GLM-5.1"); !ok {
			t.Error("Peek does not see the copy on disk")
		}
		must(t, fresh, "zai-org/GLM-5.1")
		fresh.Close()

		time.Sleep(23 * time.Hour)
		old := open(t, path, dead)
		must(t, old, "zai-org/GLM-5.1") // stale, and the fetch fails
		old.Close()

		again := open(t, path, serve)
		must(t, again, "zai-org/GLM-5.1")
		again.Close()
		if diff := cmp.Diff([]string{"", `"v1"`}, tags); diff != "" {
			t.Errorf("If-None-Match: %s", diff)
		}

		time.Sleep(23 * time.Hour)
		renewed := open(t, path, dead)
		if _, ok := renewed.Peek("zai-org/GLM-5.1"); !ok {
			t.Error("304 did not renew the copy")
		}
		renewed.Close()
		time.Sleep(2 * time.Hour)
		expired := open(t, path, dead)
		if _, ok := expired.Peek("zai-org/GLM-5.1"); ok {
			t.Error("a copy older than 24 h is used")
		}
		expired.Close()
	})
}

func TestDiskCopyOfAnotherRouter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "router-models.json")
	content := fmt.Sprintf(`{"base_url":"http://other.test/v1","fetched_at":%q,"list":%s}`, time.Now().UTC().Format(time.RFC3339), list)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	c := open(t, path, func(*http.Request) (*http.Response, error) { return nil, errors.New("offline") })
	if _, ok := c.Peek("zai-org/GLM-5.1"); ok {
		t.Error("the list of another router is used")
	}
}

func TestPrewarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, "", func(*http.Request) (*http.Response, error) { return answer(200, nil, list), nil })
		defer c.Close()
		c.Prewarm()
		synctest.Wait()
		if _, ok := c.Peek("zai-org/GLM-5.1"); !ok {
			t.Error("not there after Prewarm")
		}
	})
}

// Acceptance check 39 on the recorded list.
func TestRecordedCatalogue(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(fixturetest.Dir(t, "llm"), "hf-router", "models_catalog.json"))
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, "", func(*http.Request) (*http.Response, error) { return answer(200, nil, string(data)), nil })
	m := must(t, c, "deepseek-ai/DeepSeek-V4-Pro:novita")
	if got := show(m.Terms("novita")); got != "1048576 true 1.69/3.38 novita" {
		t.Error(got)
	}
	if got := show(m.Terms("")); got != "65536 true 2.1/4.4 " {
		t.Error(got)
	}
	if len(m.Live()) != 5 {
		t.Errorf("live: %v", m.Live())
	}
}
