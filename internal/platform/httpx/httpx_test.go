package httpx_test

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

func client(t *testing.T, o httpx.Options) *http.Client {
	t.Helper()
	if o.Version == "" {
		o.Version = "1.2.3"
	}
	c, err := httpx.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func get(t *testing.T, c *http.Client, url string, headers ...string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func TestHeaders(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, "zipped "+r.UserAgent())
			_ = z.Close()
			return
		}
		_, _ = io.WriteString(w, "plain "+r.UserAgent())
	}))
	defer srv.Close()
	c := client(t, httpx.Options{})
	for _, tt := range []struct{ accept, want string }{
		{"application/json", "zipped ml-intern/1.2.3"},
		{"text/event-stream", "plain ml-intern/1.2.3"},
	} {
		if got, err := get(t, c, srv.URL, "Accept", tt.accept); err != nil || got != tt.want {
			t.Errorf("Accept %s: got %q, %v, want %q", tt.accept, got, err, tt.want)
		}
	}
}

func TestTokenStaysAtItsOrigin(t *testing.T) {
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("Authorization"))
	})
	home, other := httptest.NewServer(echo), httptest.NewServer(echo)
	defer home.Close()
	defer other.Close()
	value := "first"
	c := client(t, httpx.Options{Tokens: []httpx.Token{{Origin: home.URL + "/v1?x", Value: func() string { return value }}}})
	check := func(url, want string, headers ...string) {
		t.Helper()
		if got, err := get(t, c, url, headers...); err != nil || got != want {
			t.Errorf("%s: Authorization %q, %v, want %q", url, got, err, want)
		}
	}
	check(home.URL+"/x", "Bearer first")
	value = "second"
	check(home.URL+"/x", "Bearer second")
	check(home.URL, "Basic own", "Authorization", "Basic own")
	check(other.URL, "")
	check(strings.Replace(home.URL, "127.0.0.1", "localhost", 1), "")
	value = ""
	check(home.URL, "")
}

// record answers every request and keeps its Authorization.
type record struct{ seen map[string]string }

func (r record) RoundTrip(req *http.Request) (*http.Response, error) {
	r.seen[req.URL.String()] = req.Header.Get("Authorization")
	return &http.Response{StatusCode: 200, Body: http.NoBody, Request: req}, nil
}

func TestTokenNeverInTheClear(t *testing.T) {
	rec := record{map[string]string{}}
	tok := func() string { return "s" }
	c := client(t, httpx.Options{Transport: rec, Tokens: []httpx.Token{
		{"https://hub.example", tok}, {"http://plain.example", tok}, {"http://[::1]:8000", tok}, {"http://localhost:9", tok},
	}})
	want := map[string]string{
		"https://hub.example/a":      "Bearer s",
		"https://HUB.example:443/a":  "Bearer s",
		"http://hub.example/a":       "",
		"https://hub.example:8443/a": "",
		"https://sub.hub.example/a":  "",
		"https://hub.example.evil/a": "",
		"http://plain.example/a":     "",
		"https://plain.example/a":    "",
		"http://[::1]:8000/a":        "Bearer s",
		"http://localhost:9/a":       "Bearer s",
	}
	for u, auth := range want {
		if _, err := get(t, c, u); err != nil {
			t.Fatal(err)
		}
		if got := rec.seen[u]; got != auth {
			t.Errorf("%s: Authorization %q, want %q", u, got, auth)
		}
	}
}

func TestRedirects(t *testing.T) {
	var mux http.ServeMux
	home := httptest.NewServer(&mux)
	defer home.Close()
	back := httptest.NewServer(http.RedirectHandler(home.URL+"/echo", http.StatusFound))
	defer back.Close()
	echo := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("Authorization")+"|"+r.Header.Get("X-Api-Key")+"|"+r.Header.Get("X-Plain"))
	}
	other := httptest.NewServer(http.HandlerFunc(echo))
	defer other.Close()
	mux.HandleFunc("/echo", echo)
	mux.Handle("/same", http.RedirectHandler("/echo", http.StatusTemporaryRedirect))
	mux.Handle("/away", http.RedirectHandler(other.URL, http.StatusFound))
	mux.Handle("/back", http.RedirectHandler(back.URL, http.StatusFound))
	mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusFound))
	mux.Handle("/file", http.RedirectHandler("file:///etc/passwd", http.StatusFound))
	c := client(t, httpx.Options{})
	headers := []string{"Authorization", "Bearer s", "X-Api-Key", "k", "X-Plain", "p"}
	for path, want := range map[string]string{"/same": "Bearer s|k|p", "/away": "||p", "/back": "||p"} {
		if got, err := get(t, c, home.URL+path, headers...); err != nil || got != want {
			t.Errorf("GET %s: %q, %v, want %q", path, got, err, want)
		}
	}
	for _, path := range []string{"/loop", "/file"} {
		if _, err := get(t, c, home.URL+path); !errors.Is(err, httpx.ErrRedirect) {
			t.Errorf("GET %s: error %v", path, err)
		}
	}
	for _, path := range []string{"/same", "/away"} {
		resp, err := c.Post(home.URL+path, "text/plain", strings.NewReader("body"))
		if !errors.Is(err, httpx.ErrRedirect) {
			t.Errorf("POST %s: error %v", path, err)
		}
		if resp != nil {
			_ = resp.Body.Close()
		}
	}
}

// fake answers with a body under the test's control.
type fake func(*http.Request) (*http.Response, error)

func (f fake) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func ok(body io.ReadCloser) *http.Response { return &http.Response{StatusCode: 200, Body: body} }

func wantTimeout(t *testing.T, err error, phase string, took, want time.Duration) {
	t.Helper()
	var te *httpx.TimeoutError
	if !errors.As(err, &te) || te.Phase != phase {
		t.Fatalf("error %v, want timeout of phase %q", err, phase)
	}
	var ne net.Error
	if !errors.As(err, &ne) || !ne.Timeout() || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v is not known as a timeout", err)
	}
	if took != want {
		t.Errorf("took %s, want %s", took, want)
	}
}

func TestFirstByteTimeout(t *testing.T) {
	hang := fake(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	late := fake(func(*http.Request) (*http.Response, error) { // headers only
		time.Sleep(100 * time.Second)
		pr, _ := io.Pipe()
		return ok(pr), nil
	})
	for name, rt := range map[string]http.RoundTripper{"no headers": hang, "no body": late} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				_, err := get(t, client(t, httpx.Options{Transport: rt}), "http://x/")
				wantTimeout(t, err, "first byte", time.Since(start), 300*time.Second)
			})
		})
	}
}

func TestIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pr, pw := io.Pipe()
		c := client(t, httpx.Options{Transport: fake(func(*http.Request) (*http.Response, error) { return ok(pr), nil })})
		go func() {
			for range 5 { // each within the limits, together far beyond
				time.Sleep(170 * time.Second)
				_, _ = io.WriteString(pw, ": ping\n\n")
			}
		}()
		start := time.Now()
		got, err := get(t, c, "http://x/")
		if got != strings.Repeat(": ping\n\n", 5) {
			t.Errorf("body %q", got)
		}
		wantTimeout(t, err, "idle", time.Since(start), (5*170+180)*time.Second)
	})
}

// A reader that takes its time is not a silent server.
func TestSlowReaderIsNoTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(t, httpx.Options{Transport: fake(func(*http.Request) (*http.Response, error) {
			return ok(io.NopCloser(strings.NewReader("abc"))), nil
		})})
		resp, err := c.Get("http://x/")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		for range 3 {
			time.Sleep(time.Hour)
			if _, err := io.ReadFull(resp.Body, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestTimeoutsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(t, httpx.Options{FirstByte: -1, Idle: -1, Transport: fake(func(*http.Request) (*http.Response, error) {
			time.Sleep(24 * time.Hour)
			return ok(io.NopCloser(strings.NewReader("late"))), nil
		})})
		if got, err := get(t, c, "http://x/"); err != nil || got != "late" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// A server that accepts and never speaks TLS is given up after the connect
// limit, not after the longer one for the first byte.
func TestConnectTimeoutCoversTLS(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c := client(t, httpx.Options{Connect: 50 * time.Millisecond, FirstByte: time.Minute})
	_, err = get(t, c, "https://"+ln.Addr().String())
	var ne net.Error
	if !errors.As(err, &ne) || !ne.Timeout() {
		t.Fatalf("error %v, want a timeout", err)
	}
}

func TestCancelEndsReading(t *testing.T) {
	gone := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "x")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(gone)
	}))
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, nil)
	resp, err := client(t, httpx.Options{}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	<-gone
}

func TestKeepAliveAfterBody(t *testing.T) {
	conns := map[string]bool{}
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { conns[r.RemoteAddr] = true }))
	defer srv.Close()
	c := client(t, httpx.Options{})
	for range 5 {
		if _, err := get(t, c, srv.URL); err != nil {
			t.Fatal(err)
		}
	}
	if len(conns) != 1 {
		t.Errorf("%d connections for 5 requests", len(conns))
	}
}

func TestHTTP2(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	if got, err := get(t, client(t, httpx.Options{Transport: srv.Client().Transport}), srv.URL); err != nil || got != "HTTP/2.0" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "via proxy: "+r.URL.String())
	}))
	defer proxy.Close()
	at, _ := url.Parse(proxy.URL)
	c := client(t, httpx.Options{Proxy: func(*http.Request) (*url.URL, error) { return at, nil }})
	if got, err := get(t, c, "http://hub.invalid/x"); err != nil || got != "via proxy: http://hub.invalid/x" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestReadAll(t *testing.T) {
	if b, err := httpx.ReadAll(strings.NewReader("12345"), 5); err != nil || string(b) != "12345" {
		t.Errorf("exactly the limit: %q, %v", b, err)
	}
	if b, err := httpx.ReadAll(strings.NewReader("123456"), 5); !errors.Is(err, httpx.ErrTooLarge) || string(b) != "12345" {
		t.Errorf("over the limit: %q, %v", b, err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]httpx.Options{
		"version": {Version: "1\r\nX: y"},
		"origin":  {Tokens: []httpx.Token{{"hub.example", func() string { return "" }}}},
		"value":   {Tokens: []httpx.Token{{"https://hub.example", nil}}},
	} {
		if _, err := httpx.New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
