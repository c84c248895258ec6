package remote_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/remote"
	"github.com/ml-intern/ml-intern/internal/adapter/compute/remote/wire"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

// count is how often a command that appends to the file has run.
func (s *sandbox) count(t *testing.T, name string) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return bytes.Count(data, []byte("\n"))
}

// run runs a command through a client.
func run(t *testing.T, c *remote.Client, line string) (workspace.Outcome, error) {
	t.Helper()
	p, err := c.Start(t.Context(), workspace.Command{Session: "s", Line: line, Limit: 30 * time.Second})
	if err != nil {
		return workspace.Outcome{}, err
	}
	return p.Wait(t.Context())
}

const page = "<html><body><h1>502 Bad Gateway</h1></body></html>"

// badGateway answers with a page of its own, instead of the answer to the first
// n requests of a method, after they were delivered (or before).
func badGateway(method string, n int32, deliver bool) func(http.Handler) http.Handler {
	var seen atomic.Int32
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != method || seen.Add(1) > n {
				h.ServeHTTP(w, r)
				return
			}
			if deliver {
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, page)
		})
	}
}

// Acceptance check 17 of the acting tools.
func TestCheck17_BadGateway(t *testing.T) {
	for _, c := range []struct {
		name    string
		n       int32
		deliver bool
		recover bool
	}{
		{"delivered", 1, true, true},
		{"delivered, and the question about it lost too", 3, true, true},
		{"not delivered", 2, false, true},
		{"delivered, and never an answer", 1000, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, badGateway(http.MethodPost, c.n, c.deliver))
			out, err := run(t, s.client(t), "echo x >> count; cat count; exit 3")
			if c.recover && (err != nil || out.Output.First != "x\n" || out.Exit.Code != 3) {
				t.Errorf("%+v, %v", out, err)
			}
			if !c.recover && (err == nil || !strings.Contains(err.Error(), "502") || strings.Contains(err.Error(), "<html>")) {
				t.Errorf("%+v, %v", out, err)
			}
			if n := s.count(t, "count"); n != 1 {
				t.Errorf("the command ran %d times", n)
			}
		})
	}
}

func TestWritesAreDoneOnce(t *testing.T) {
	for _, c := range []struct {
		name    string
		deliver bool
	}{{"delivered", true}, {"not delivered", false}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, badGateway(http.MethodPut, 2, c.deliver))
			// A second write would be refused: the file would be there.
			info, err := s.client(t).Write(t.Context(), "a.txt", strings.NewReader("content"), workspace.WriteOptions{})
			if err != nil || info.Size != 7 {
				t.Errorf("%+v, %v", info, err)
			}
		})
	}
	// A content that cannot be read twice is not sent twice.
	s := serve(t, badGateway(http.MethodPut, 1, false))
	once := struct{ io.Reader }{strings.NewReader("content")}
	_, err := s.client(t).Write(t.Context(), "a.txt", once, workspace.WriteOptions{})
	if err == nil || !strings.Contains(err.Error(), "not done") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "a.txt")); err == nil {
		t.Error("half of it was written")
	}
}

// cutter breaks connections off after some bytes of an answer.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	if len(p) > c.left {
		_, _ = c.ResponseWriter.Write(p[:c.left])
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

func (c *cutter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func TestStreamIsCutManyTimes(t *testing.T) {
	var tries atomic.Int32
	s := serve(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == wire.Exec {
				if n := tries.Add(1); n <= 6 {
					w = &cutter{w, int(n) * 150}
				}
			}
			h.ServeHTTP(w, r)
		})
	})
	var mu sync.Mutex
	var shown strings.Builder
	p, err := s.client(t).Start(t.Context(), workspace.Command{
		Session: "s", Limit: 30 * time.Second, Line: "echo x >> count; for i in $(seq 20); do echo line $i; sleep 0.05; done",
		Output: func(text []byte) { mu.Lock(); defer mu.Unlock(); shown.Write(text) },
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Wait(t.Context())
	if err != nil || !out.Exit.OK() || strings.Count(out.Output.First, "\n") != 20 {
		t.Errorf("%+v, %v", out, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if shown.String() != out.Output.First {
		t.Errorf("shown %q", shown.String())
	}
	if tries.Load() < 3 || s.count(t, "count") != 1 {
		t.Errorf("%d tries, %d runs", tries.Load(), s.count(t, "count"))
	}
}

// dialFails is a network that lets the first connections fail.
func dialFails(n int32) http.RoundTripper {
	var tries atomic.Int32
	return &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if tries.Add(1) <= n {
			return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connection refused")}
		}
		var d net.Dialer
		return d.DialContext(ctx, network, addr)
	}}
}

func TestNoConnectionIsTriedAgain(t *testing.T) {
	s := serve(t, nil)
	c := s.client(t, func(o *remote.Options) { o.Transport = dialFails(2) })
	if out, err := run(t, c, "echo x >> count"); err != nil || !out.Exit.OK() || s.count(t, "count") != 1 {
		t.Errorf("%+v, %v, ran %d times", out, err, s.count(t, "count"))
	}
	// Who knows what a sandbox is doing is asked when it stays away.
	var asked atomic.Int32
	c = s.client(t, func(o *remote.Options) {
		o.Transport = dialFails(6)
		o.Unreachable = func(_ context.Context, why error) error {
			asked.Add(1)
			if !strings.Contains(why.Error(), "refused") {
				t.Errorf("why: %v", why)
			}
			return nil
		}
	})
	if info, err := c.Stat(t.Context(), "count", workspace.StatOptions{}); err != nil || !info.Exists || asked.Load() != 1 {
		t.Errorf("%+v, %v, asked %d times", info, err, asked.Load())
	}
	asleep := errors.New("the sandbox is PAUSED")
	c = s.client(t, func(o *remote.Options) {
		o.Transport = dialFails(1000)
		o.Unreachable = func(context.Context, error) error { return asleep }
	})
	if _, err := run(t, c, "echo x >> count"); !errors.Is(err, asleep) {
		t.Errorf("error %v", err)
	}
	if n := s.count(t, "count"); n != 1 {
		t.Errorf("ran %d times", n)
	}
}

// A sandbox that is started anew in the middle of a command.
func TestRestart(t *testing.T) {
	var current atomic.Pointer[http.Handler]
	var s *sandbox
	s = serve(t, func(h http.Handler) http.Handler {
		current.Store(&h)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != wire.Exec || r.Header.Get(wire.Replay) != "" {
				(*current.Load()).ServeHTTP(w, r)
				return
			}
			(*current.Load()).ServeHTTP(httptest.NewRecorder(), r)
			var next http.Handler = newServer(t, s)
			current.Store(&next)
			panic(http.ErrAbortHandler)
		})
	})
	var told []string
	c := s.client(t, func(o *remote.Options) {
		o.Restarted = func(before, now string) { told = append(told, before, now) }
	})
	out, err := run(t, c, "echo x >> count")
	var f *workspace.Fault
	if !errors.As(err, &f) || f.Kind != workspace.Lost || !strings.Contains(err.Error(), "restarted") {
		t.Errorf("%+v, %v", out, err)
	}
	if len(told) != 2 || told[0] == told[1] || told[1] != c.Boot() {
		t.Errorf("told %q, now %s", told, c.Boot())
	}
	if n := s.count(t, "count"); n != 1 {
		t.Errorf("ran %d times", n)
	}
	if h, err := c.Health(t.Context()); err != nil || h.BootID != c.Boot() {
		t.Errorf("%+v, %v", h, err)
	}
}

// Security point 2: the tokens go to their origin and nowhere else.
func TestTokensAndRedirects(t *testing.T) {
	var stolen atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen.Add(1) }))
	defer thief.Close()
	var heads sync.Map
	redirect := atomic.Bool{}
	s := serve(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			heads.Store(r.URL.Path, r.Header.Clone())
			if redirect.Load() {
				http.Redirect(w, r, thief.URL+r.URL.Path, http.StatusTemporaryRedirect)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	c := s.client(t, func(o *remote.Options) { o.HubToken = func() string { return "hf_hub" } })
	if _, err := c.Stat(t.Context(), "x", workspace.StatOptions{}); err != nil {
		t.Fatal(err)
	}
	seen, _ := heads.Load(wire.Stat)
	head := seen.(http.Header)
	if head.Get("Authorization") != "Bearer hf_hub" || head.Get(wire.Authorization) != "Bearer "+s.token {
		t.Errorf("headers %v", head)
	}
	redirect.Store(true)
	for name, err := range map[string]error{
		"read":  func() error { _, err := c.Health(t.Context()); return err }(),
		"write": func() error { _, err := run(t, c, "true"); return err }(),
	} {
		if err == nil || !strings.Contains(err.Error(), "redirect") || strings.Contains(err.Error(), s.token) || strings.Contains(err.Error(), "hf_hub") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if stolen.Load() != 0 {
		t.Errorf("%d requests went to another host", stolen.Load())
	}
}

// A server that takes the command and says nothing: the client gives up a while
// after the limit and has the command ended.
func TestDeadline(t *testing.T) {
	var silent atomic.Bool
	silent.Store(true)
	killed := make(chan string, 8)
	s := serve(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodDelete {
				killed <- r.URL.Path
			}
			if r.URL.Path == wire.Exec && silent.Load() {
				_, _ = io.ReadAll(r.Body)
				<-r.Context().Done()
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	c := s.client(t)
	c.Hurry(500 * time.Millisecond)
	began := time.Now()
	_, err := c.Start(t.Context(), workspace.Command{ID: "mine", Session: "s", Line: "sleep 60", Limit: 300 * time.Millisecond})
	if took := time.Since(began); err == nil || took < 700*time.Millisecond || took > 3*time.Second {
		t.Errorf("%v after %v", err, took)
	}
	select {
	case path := <-killed:
		if !strings.HasSuffix(path, "/mine") {
			t.Errorf("killed %s", path)
		}
	case <-time.After(5 * time.Second):
		t.Error("nobody ended the command")
	}
}

func TestWrongTokenIsFinal(t *testing.T) {
	s := serve(t, nil)
	right := s.token
	s.token = strings.Repeat("x", 40)
	began := time.Now()
	_, err := run(t, s.client(t), "true")
	if err == nil || !strings.Contains(err.Error(), "Invalid bearer token") || strings.Contains(err.Error(), right) || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestClosedClient(t *testing.T) {
	s := serve(t, nil)
	c := s.client(t)
	if _, err := c.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	p, err := c.Start(t.Context(), workspace.Command{Session: "s", Line: "sleep 60", Limit: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	c.Close()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("closing took %v", took)
	}
	if out, err := p.Wait(t.Context()); err == nil {
		t.Errorf("%+v: nobody knows how it ended", out)
	}
	if _, err := run(t, c, "true"); workspace.KindOf(err) != workspace.Closed {
		t.Errorf("after the end: %v", err)
	}
}

func TestOptions(t *testing.T) {
	good := strings.Repeat("t", 43)
	for _, o := range []remote.Options{
		{},
		{URL: "x", Token: good},
		{URL: "ftp://h", Token: good},
		{URL: "http://example.com", Token: good},
		{URL: "https://u:p@example.com", Token: good},
		{URL: "https://example.com?x=1", Token: good},
		{URL: "https://example.com"},
		{URL: "https://example.com", Token: "a b"},
		{URL: "https://example.com", Token: "a\nb"},
	} {
		if _, err := remote.New(o); err == nil || o.Token != "" && strings.Contains(err.Error(), o.Token) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, url := range []string{"https://bob-sandbox.hf.space", "http://127.0.0.1:7860", "http://localhost:7860/__spaces/x/"} {
		c, err := remote.New(remote.Options{URL: url, Token: good})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		c.Close()
	}
}
