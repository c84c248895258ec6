package fetch_test

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// script answers requests without a network.
type script func(*http.Request) (*http.Response, error)

func (s script) RoundTrip(r *http.Request) (*http.Response, error) { return s(r) }

func reply(status int, body string, header ...string) *http.Response {
	r := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func scripted(t *testing.T, s script, change ...func(*fetch.Options)) *fetch.Client {
	t.Helper()
	return client(t, append([]func(*fetch.Options){func(o *fetch.Options) {
		o.HTTP, o.Services = &http.Client{Transport: s}, services("")
	}}, change...)...)
}

const page = "https://huggingface.co/page"

func TestTriesAgain(t *testing.T) {
	reset := func(d time.Duration) string { return fmt.Sprint(time.Now().Add(d).Unix()) }
	type outcome struct {
		kind     fetch.Kind // "" is an answer
		requests int
		from, to time.Duration // of the time it takes
		wait     time.Duration
	}
	const most = 1500*time.Millisecond + 750*time.Millisecond
	for name, tt := range map[string]struct {
		first func(n int) (*http.Response, error) // answers request n, from 1 on; nil is good
		want  outcome
	}{
		"good at once":     {func(int) (*http.Response, error) { return nil, nil }, outcome{"", 1, 0, 0, 0}},
		"503 once":         {once(503), outcome{"", 2, 500 * time.Millisecond, 750 * time.Millisecond, 0}},
		"502 for ever":     {always(502), outcome{fetch.Upstream, 3, 1500 * time.Millisecond, most, 0}},
		"504 for ever":     {always(504), outcome{fetch.Upstream, 3, 1500 * time.Millisecond, most, 0}},
		"500 is no hope":   {always(500), outcome{fetch.Upstream, 1, 0, 0, 0}},
		"404 is no hope":   {always(404), outcome{fetch.NotFound, 1, 0, 0, 0}},
		"410":              {always(410), outcome{fetch.NotFound, 1, 0, 0, 0}},
		"401":              {always(401), outcome{fetch.Unauthorized, 1, 0, 0, 0}},
		"403":              {always(403), outcome{fetch.Unauthorized, 1, 0, 0, 0}},
		"gated":            {always(403, "X-Error-Code", "GatedRepo"), outcome{fetch.Gated, 1, 0, 0, 0}},
		"429 without time": {always(429), outcome{fetch.RateLimited, 3, 1500 * time.Millisecond, most, 0}},
		"429 for 2 s once": {once(429, "Retry-After", "2"), outcome{"", 2, 2 * time.Second, 2 * time.Second, 0}},
		"429 at a date": {func(n int) (*http.Response, error) {
			return once(429, "Retry-After", time.Now().Add(4*time.Second).UTC().Format(http.TimeFormat))(n)
		}, outcome{"", 2, 3 * time.Second, 4 * time.Second, 0}},
		"429 for 9 s, always": {always(429, "Retry-After", "9"), outcome{fetch.RateLimited, 3, 18 * time.Second, 18 * time.Second, 9 * time.Second}},
		"429 for 10 s once":   {once(429, "Retry-After", "10"), outcome{"", 2, 10 * time.Second, 10 * time.Second, 0}},
		"429 for 11 s":        {always(429, "Retry-After", "11"), outcome{fetch.RateLimited, 1, 0, 0, 11 * time.Second}},
		"429 for 60 s":        {always(429, "Retry-After", "60"), outcome{fetch.RateLimited, 1, 0, 0, time.Minute}},
		"503 for 60 s":        {always(503, "Retry-After", "60"), outcome{fetch.Upstream, 1, 0, 0, time.Minute}},
		"429 for years":       {always(429, "Retry-After", "99999999999"), outcome{fetch.RateLimited, 1, 0, 0, 24 * time.Hour}},
		"the Hub":             {always(429, "RateLimit", `"api";r=0;t=55`), outcome{fetch.RateLimited, 1, 0, 0, 55 * time.Second}},
		"the Hub, of two":     {once(429, "RateLimit", `"pages";r=7;t=99, "api"; r=0; t=3`), outcome{"", 2, 3 * time.Second, 3 * time.Second, 0}},
		"GitHub": {func(n int) (*http.Response, error) {
			return always(403, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", reset(30*time.Minute))(n)
		}, outcome{fetch.RateLimited, 1, 0, 0, 30 * time.Minute}},
		"GitHub, long past": {always(403, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1"), outcome{fetch.RateLimited, 1, 0, 0, 0}},
		"GitHub, secondary": {always(403, "Retry-After", "60"), outcome{fetch.RateLimited, 1, 0, 0, time.Minute}},
		"refused once":      {broken(1, syscall.ECONNREFUSED), outcome{"", 2, 500 * time.Millisecond, 750 * time.Millisecond, 0}},
		"reset for ever":    {broken(9, syscall.ECONNRESET), outcome{fetch.Network, 3, 1500 * time.Millisecond, most, 0}},
		"no such name":      {broken(9, &net.DNSError{IsNotFound: true}), outcome{fetch.Network, 1, 0, 0, 0}},
		"not in time":       {broken(9, context.DeadlineExceeded), outcome{fetch.Timeout, 1, 0, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				c := scripted(t, func(*http.Request) (*http.Response, error) {
					n++
					if r, err := tt.first(n); r != nil || err != nil {
						return r, err
					}
					return reply(200, "good"), nil
				})
				start := time.Now()
				r, err := c.Do(t.Context(), fetch.Request{URL: page})
				took := time.Since(start)
				if n != tt.want.requests || took < tt.want.from || took > tt.want.to {
					t.Errorf("%d requests in %s, want %d in %s to %s", n, took, tt.want.requests, tt.want.from, tt.want.to)
				}
				if tt.want.kind == "" {
					if err != nil || string(r.Body) != "good" {
						t.Error(r, err)
					}
					return
				}
				if e := wantKind(t, err, tt.want.kind); e.Wait.Round(time.Second) != tt.want.wait || e.Service != "the Hub" || e.URL != page {
					t.Errorf("%+v", e)
				}
			})
		})
	}
}

func always(status int, header ...string) func(int) (*http.Response, error) {
	return func(int) (*http.Response, error) { return reply(status, "", header...), nil }
}

func once(status int, header ...string) func(int) (*http.Response, error) {
	return func(n int) (*http.Response, error) {
		if n > 1 {
			return nil, nil
		}
		return reply(status, "", header...), nil
	}
}

func broken(times int, err error) func(int) (*http.Response, error) {
	return func(n int) (*http.Response, error) {
		if n > times {
			return nil, nil
		}
		return nil, &net.OpError{Op: "dial", Err: err}
	}
}

func TestFailuresInWords(t *testing.T) {
	for want, answer := range map[string]script{
		"upstream_error: the Hub answered 500: it is broken": func(*http.Request) (*http.Response, error) {
			return reply(500, `{"error":"it is\n broken"}`), nil
		},
		"not_found: the Hub answered 404: nested": func(*http.Request) (*http.Response, error) {
			return reply(404, `{"status":404,"errors":[{"message":"nested"}]}`), nil
		},
		"not_found: the Hub answered 404: header": func(*http.Request) (*http.Response, error) {
			return reply(404, `{}`, "X-Error-Message", "header"), nil
		},
		"not_found: the Hub answered 404": func(*http.Request) (*http.Response, error) {
			return reply(404, "<html><body>Not found</body></html>", "Content-Type", "text/html"), nil
		},
		"upstream_error: the Hub answered 400: plain \u2028words": func(*http.Request) (*http.Response, error) {
			return reply(400, "plain\x1b \u2028words", "Content-Type", "text/plain"), nil
		},
		"upstream_error: the Hub answered 418": func(*http.Request) (*http.Response, error) { return reply(418, `{"error":"hf_secret"}`), nil },
		"unauthorized: the Hub answered 401": func(*http.Request) (*http.Response, error) {
			return reply(401, `{"error":"the token `+hubToken+` is not valid"}`), nil
		},
		"network: the Hub: its certificate is not valid": func(*http.Request) (*http.Response, error) {
			return nil, &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
		},
		"parse: the Hub: the answer is compressed in a way nobody asked for": func(*http.Request) (*http.Response, error) {
			return reply(200, "x", "Content-Encoding", "br"), nil
		},
	} {
		c := scripted(t, answer, func(o *fetch.Options) { o.Secret = func(s string) bool { return strings.Contains(s, "hf_secret") } })
		_, err := c.Do(t.Context(), fetch.Request{URL: page})
		if got := fmt.Sprint(err); got != strings.ReplaceAll(want, "\u2028", "") {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	c := scripted(t, func(*http.Request) (*http.Response, error) { return reply(500, strings.Repeat("ö", 100_000)), nil })
	_, err := c.Do(t.Context(), fetch.Request{URL: page})
	if e := wantKind(t, err, fetch.Upstream); len([]rune(e.Message)) > 200 || len(e.Body) != 64<<10 {
		t.Errorf("%d characters of %d bytes", len([]rune(e.Message)), len(e.Body))
	}
	c = scripted(t, func(*http.Request) (*http.Response, error) { return reply(503, `{"a":1}`), nil })
	if r, err := c.Do(t.Context(), fetch.Request{URL: page, Answers: []int{503}, Fresh: time.Hour}); err != nil || r.Status != 503 || string(r.Body) != `{"a":1}` {
		t.Error(r, err)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			for range 64 {
				_, _ = z.Write(make([]byte, 1<<20))
			}
			_ = z.Close()
		case "/long":
			w.Header().Set("Content-Length", fmt.Sprint(1<<40))
			_, _ = w.Write(make([]byte, 1<<16))
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		case "/slow":
			for {
				_, _ = io.WriteString(w, "x")
				w.(http.Flusher).Flush()
				select {
				case <-time.After(10 * time.Millisecond):
				case <-r.Context().Done():
					return
				}
			}
		case "/hang":
			select {
			case <-release:
			case <-r.Context().Done():
			}
		case "/half":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
		}
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(release) })
	c := client(t, func(o *fetch.Options) {
		o.Services = []fetch.Service{{Name: "it", Public: "https://it.test", Base: srv.URL}}
	})
	for path, want := range map[string]fetch.Kind{
		"bomb": fetch.TooLarge, "long": fetch.TooLarge, "endless": fetch.TooLarge, "slow": fetch.Timeout, "hang": fetch.Timeout, "half": fetch.Network,
	} {
		start := time.Now()
		timeout := 700 * time.Millisecond
		if want != fetch.Timeout {
			timeout = 0
		}
		_, err := c.Do(t.Context(), fetch.Request{URL: "https://it.test/" + path, Timeout: timeout, Limit: 1 << 20})
		e := wantKind(t, err, want)
		if want == fetch.TooLarge && !strings.Contains(e.Error(), "1 MiB") {
			t.Error(e)
		}
		if took := time.Since(start); took > 15*time.Second {
			t.Errorf("%s took %s", path, took)
		}
	}
}

func TestPaces(t *testing.T) {
	key := ""
	for name, tt := range map[string]struct {
		key  string
		want []int // seconds at which the requests begin
	}{
		"without a key": {"", []int{0, 1, 2, 5, 8, 69}},
		"with a key":    {"key-of-the-test", []int{0, 1, 2, 3, 4, 69}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				key = tt.key
				var begun []int
				start := time.Now()
				c := client(t, func(o *fetch.Options) {
					o.HTTP = &http.Client{Transport: script(func(*http.Request) (*http.Response, error) {
						begun = append(begun, int(time.Since(start).Seconds()))
						if len(begun) == 3 {
							return reply(429, "", "Retry-After", "100"), nil
						}
						return reply(200, ""), nil
					})}
					o.Services = []fetch.Service{{
						Name: "S2", Public: "https://s2.test", Credential: func() string { return key },
						Every: time.Second, Keyed: time.Second, Penalty: 3 * time.Second,
					}}
				})
				for i := range 5 {
					_, _ = c.Do(t.Context(), fetch.Request{URL: fmt.Sprint("https://s2.test/", i)})
				}
				time.Sleep(time.Until(start.Add(69 * time.Second)))
				_, _ = c.Do(t.Context(), fetch.Request{URL: "https://s2.test/last"})
				if fmt.Sprint(begun) != fmt.Sprint(tt.want) {
					t.Errorf("begun at %v, want %v", begun, tt.want)
				}
			})
		})
	}
}

func TestAtMostEightToAHostAndThirtyTwoInAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := map[string]int{}, map[string]int{}
		count := func(host string, d int) {
			mu.Lock()
			defer mu.Unlock()
			for _, k := range []string{host, "all"} {
				now[k] += d
				most[k] = max(most[k], now[k])
			}
		}
		s := script(func(r *http.Request) (*http.Response, error) {
			count(r.URL.Host, 1)
			defer count(r.URL.Host, -1)
			select {
			case <-time.After(time.Second):
				return reply(200, ""), nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})
		c := scripted(t, s, func(o *fetch.Options) { o.Outside = o.HTTP })
		var wg sync.WaitGroup
		var cancelled atomic.Int64
		short, cancel := context.WithTimeoutCause(t.Context(), 500*time.Millisecond, errors.New("stopped"))
		defer cancel()
		for h := range 6 {
			for i := range 20 {
				wg.Go(func() {
					ctx := t.Context()
					if i == 19 {
						ctx = short
					}
					_, err := c.Do(ctx, fetch.Request{URL: fmt.Sprintf("https://h%d.test/%d", h, i), Timeout: time.Hour})
					if err != nil && errors.Is(err, short.Err()) && i == 19 {
						cancelled.Add(1)
					} else if err != nil {
						t.Error(err)
					}
				})
			}
		}
		start := time.Now()
		wg.Wait()
		if most["all"] != 32 || most["h0.test"] != 8 || cancelled.Load() == 0 {
			t.Errorf("%v, %d cancelled", most, cancelled.Load())
		}
		if took := time.Since(start); took > 6*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestTheSameQuestionIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		s := script(func(r *http.Request) (*http.Response, error) {
			n := asked.Add(1)
			select {
			case <-time.After(time.Second):
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
			return reply(200, fmt.Sprint("answer ", n)), nil
		})
		c := scripted(t, s)
		var wg sync.WaitGroup
		first, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			if _, err := c.Do(first, fetch.Request{URL: page}); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		synctest.Wait() // the first one asks now
		for i := range 10 {
			wg.Go(func() {
				ctx := t.Context()
				if i == 0 {
					var stop context.CancelFunc
					ctx, stop = context.WithTimeout(ctx, 10*time.Millisecond)
					defer stop()
				}
				r, err := c.Do(ctx, fetch.Request{URL: page})
				if i == 0 {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
					}
					return
				}
				if err != nil || string(r.Body) != "answer 2" {
					t.Error(r, err)
					return
				}
				r.Body[0] = 'X' // everybody has an own copy
				r.Header.Set("X", "y")
			})
		}
		synctest.Wait()
		time.Sleep(500 * time.Millisecond)
		cancel() // another one asks in its place
		wg.Wait()
		if asked.Load() != 2 {
			t.Errorf("asked %d times", asked.Load())
		}
		// With other headers it is another question.
		for _, accept := range []string{"a", "b"} {
			wg.Go(func() { _, _ = c.Do(t.Context(), fetch.Request{URL: page, Header: http.Header{"Accept": {accept}}}) })
		}
		wg.Wait()
		if asked.Load() != 4 {
			t.Errorf("asked %d times", asked.Load())
		}
	})
}

func TestCancelReturnsAtOnce(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/body":
			_, _ = io.WriteString(w, "x")
			w.(http.Flusher).Flush()
		case "/limited":
			w.Header().Set("Retry-After", "9")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(release) })
	c := client(t, func(o *fetch.Options) {
		o.Services = []fetch.Service{
			{Name: "it", Public: "https://it.test", Base: srv.URL},
			{Name: "paced", Public: "https://paced.test", Base: srv.URL, Every: time.Hour, Keyed: time.Hour},
		}
	})
	for _, address := range []string{"https://it.test/head", "https://it.test/body", "https://it.test/limited", "https://paced.test/a", "https://paced.test/b"} {
		best := time.Hour
		for range 3 { // a machine with much to do may be late once
			ctx, cancel := context.WithCancel(t.Context())
			stopped := make(chan time.Time, 1)
			time.AfterFunc(200*time.Millisecond, func() { stopped <- time.Now(); cancel() })
			_, err := c.Do(ctx, fetch.Request{URL: address})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("%s: %v", address, err)
			}
			if best = min(best, time.Since(<-stopped)); best < 100*time.Millisecond {
				break
			}
		}
		if best > 100*time.Millisecond {
			t.Errorf("%s: %s", address, best)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Do(gone, fetch.Request{URL: page}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A proxy may live anywhere; what it is asked for may not.
func TestProxies(t *testing.T) {
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.Host)
		w.WriteHeader(http.StatusBadGateway)
	}))
	t.Cleanup(proxy.Close)
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	o, err := fetch.Outside("1.2.3", func(*http.Request) (*url.URL, error) { return at, nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.CloseIdleConnections)
	for _, host := range []string{"nobody.invalid", "localhost"} {
		resp, err := o.Get("https://" + host + "/")
		if err == nil {
			resp.Body.Close()
			t.Error(host)
		}
	}
	if fmt.Sprint(asked) != "[CONNECT nobody.invalid:443]" {
		t.Error(asked)
	}
	if conn, err := fetch.GuardedDial(t.Context(), "tcp", at.Host); err == nil {
		conn.Close()
		t.Error("a direct connection is made")
	}
}
