package link_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/mcp/link"
)

// trip answers requests as it is told, without a network.
type trip func(req *http.Request) (*http.Response, error)

func (f trip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func answer(kind string, body io.Reader) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(body)}
}

func parse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// endless is a stream that does not stop.
type endless struct{ piece string }

func (e endless) Read(p []byte) (int, error) { return copy(p, e.piece), nil }

// Who sends without end is read more and more slowly, and then no further.
func TestFlood(t *testing.T) {
	for name, piece := range map[string]string{"lines": ": x\n\n", "bytes": strings.Repeat("x", 32<<10)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var broken error
				site := link.Site{
					URL: parse(t, "https://docs.example/mcp"), Broken: func(err error) { broken = err },
					Base: trip(func(*http.Request) (*http.Response, error) { return answer("text/event-stream", endless{piece}), nil }),
				}
				resp, err := site.Client(t.Context()).Get("https://docs.example/mcp")
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				began := time.Now()
				n, err := io.Copy(io.Discard, resp.Body)
				took := time.Since(began)
				if !errors.Is(err, link.ErrFlood) || !errors.Is(broken, link.ErrFlood) || took < 30*time.Second || took > 60*time.Second || n > 200<<20 {
					t.Errorf("%d bytes in %s: %v, %v", n, took, err, broken)
				}
			})
		})
	}
}

// A slow stream goes on as long as it likes.
func TestSlowStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		site := link.Site{URL: parse(t, "https://docs.example/mcp"), Base: trip(func(*http.Request) (*http.Response, error) { return answer("text/event-stream", r), nil })}
		resp, err := site.Client(t.Context()).Get("https://docs.example/mcp")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		go func() {
			for range 10_000 {
				time.Sleep(time.Minute)
				fmt.Fprint(w, "data: {}\n\n")
			}
			w.Close()
		}()
		if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != 100_000 {
			t.Errorf("%d bytes: %v", n, err)
		}
	})
}

// Who answers a question with a page is no MCP server; who answers a notification
// with one is let be.
func TestPage(t *testing.T) {
	for sent, want := range map[string]string{
		`{"jsonrpc":"2.0","id":1,"method":"initialize"}`:           `unsupported content type "text/html"`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`:   "",
		`{"jsonrpc":"2.0","id":1,"result":{"content":"anything"}}`: "",
	} {
		said := ""
		site := link.Site{
			URL: parse(t, "https://docs.example/mcp"), Broken: func(err error) { said = err.Error() },
			Base: trip(func(*http.Request) (*http.Response, error) {
				return answer("text/html; charset=utf-8", strings.NewReader("<html>")), nil
			}),
		}
		resp, err := site.Client(t.Context()).Post("https://docs.example/mcp", "application/json", strings.NewReader(sent))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if said != want {
			t.Errorf("%s: %q", sent, said)
		}
	}
}

// Anything but a stream has a size.
func TestSizes(t *testing.T) {
	for size, good := range map[int]bool{link.MaxMessage: true, link.MaxMessage + 1: false} {
		site := link.Site{URL: parse(t, "https://docs.example/mcp"), Base: trip(func(*http.Request) (*http.Response, error) {
			return answer("application/json", bytes.NewReader(make([]byte, size))), nil
		})}
		resp, err := site.Client(t.Context()).Get("https://docs.example/mcp")
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		if (err == nil) != good || !good && !errors.Is(err, link.ErrTooLarge) {
			t.Errorf("%d of %d bytes: %v", n, size, err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Headers and the token go to the site, and to no other place.
func TestWhereSecretsGo(t *testing.T) {
	for name, test := range map[string]struct {
		site, to string
		header   http.Header
		want     string // the Authorization, "refused" for none sent at all
	}{
		"token":         {"https://hub.example/mcp", "https://hub.example/mcp", nil, "Bearer hf_token"},
		"default port":  {"https://hub.example/mcp", "https://HUB.example:443/other", nil, "Bearer hf_token"},
		"own header":    {"https://hub.example/mcp", "https://hub.example/mcp", http.Header{"Authorization": {"Bearer own"}}, "Bearer own"},
		"plain http":    {"http://hub.example/mcp", "http://hub.example/mcp", nil, ""},
		"this machine":  {"http://127.0.0.1:5/mcp", "http://127.0.0.1:5/mcp", nil, "Bearer hf_token"},
		"other host":    {"https://hub.example/mcp", "https://evil.example/mcp", nil, "refused"},
		"other port":    {"https://hub.example/mcp", "https://hub.example:8443/mcp", nil, "refused"},
		"other scheme":  {"https://hub.example/mcp", "http://hub.example/mcp", nil, "refused"},
		"name inside":   {"https://hub.example/mcp", "https://hub.example.evil.example/mcp", nil, "refused"},
		"user in front": {"https://hub.example/mcp", "https://hub.example@evil.example/mcp", nil, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			got := "refused"
			site := link.Site{
				URL: parse(t, test.site), Header: test.header, Bearer: func(context.Context) string { return "hf_token" },
				Base: trip(func(req *http.Request) (*http.Response, error) {
					got = req.Header.Get("Authorization")
					return answer("application/json", strings.NewReader("{}")), nil
				}),
			}
			resp, err := site.Client(t.Context()).Get(test.to)
			if err == nil {
				resp.Body.Close()
			}
			if got != test.want || (err != nil) != (test.want == "refused") || err != nil && !errors.Is(err, link.ErrElsewhere) {
				t.Errorf("sent %q, want %q: %v", got, test.want, err)
			}
		})
	}
}

// Redirects are followed within the site, with the request as it was.
func TestRedirects(t *testing.T) {
	for name, test := range map[string]struct {
		method, to string
		status     int
		want       string // a part of the error, "" for none
	}{
		"within":        {http.MethodPost, "/mcp/", http.StatusTemporaryRedirect, ""},
		"reading":       {http.MethodGet, "/mcp/", http.StatusFound, ""},
		"losing":        {http.MethodPost, "/mcp/", http.StatusFound, "would lose it"},
		"elsewhere":     {http.MethodPost, "https://evil.example/", http.StatusTemporaryRedirect, "sends us to another place, https://evil.example/"},
		"secret inside": {http.MethodGet, "https://ann:pass@evil.example/?key=x", http.StatusFound, "https://evil.example/: refused"},
		"circle":        {http.MethodGet, "/again", http.StatusFound, "in a circle"},
	} {
		t.Run(name, func(t *testing.T) {
			var places []string
			site := link.Site{URL: parse(t, "https://docs.example/mcp"), Base: trip(func(req *http.Request) (*http.Response, error) {
				places = append(places, req.URL.Host)
				if req.URL.Path == "/mcp" || req.URL.Path == "/again" {
					r := answer("text/plain", strings.NewReader(""))
					r.StatusCode, r.Header = test.status, http.Header{"Location": {test.to}}
					return r, nil
				}
				return answer("application/json", strings.NewReader("{}")), nil
			})}
			req, err := http.NewRequestWithContext(t.Context(), test.method, "https://docs.example/mcp", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := site.Client(t.Context()).Do(req)
			if err == nil {
				resp.Body.Close()
			}
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			for _, p := range places {
				if p != "docs.example" {
					t.Errorf("a request went to %s", p)
				}
			}
		})
	}
}

// A stream that a server does not open is none, and holds nobody up.
func TestNoStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := link.Site{URL: parse(t, "https://docs.example/mcp"), Base: trip(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, context.Cause(req.Context())
		})}
		began := time.Now()
		resp, err := site.Client(t.Context()).Get("https://docs.example/mcp")
		if err != nil || resp.StatusCode != http.StatusMethodNotAllowed || time.Since(began) > 5*time.Second {
			t.Errorf("%v, %v after %s", resp, err, time.Since(began))
		}
	})
}

// What a connection does ends with it.
func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		life, end := context.WithCancelCause(t.Context())
		site := link.Site{URL: parse(t, "https://docs.example/mcp"), Reads: true, Base: trip(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, context.Cause(req.Context())
		})}
		why := errors.New("it is over")
		go func() {
			time.Sleep(time.Hour)
			end(why)
		}()
		if _, err := site.Client(life).Get("https://docs.example/mcp"); !errors.Is(err, why) {
			t.Errorf("got %v", err)
		}
	})
}
