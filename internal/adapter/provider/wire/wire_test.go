package wire_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/wire"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

func post(t *testing.T, ctx context.Context, url string) (*wire.Reply, error) {
	t.Helper()
	return wire.Post(ctx, wire.Call{
		HTTP: &http.Client{}, Provider: "p", Model: "m", URL: url,
		Header: http.Header{"Authorization": {"Bearer secret"}}, Body: wire.Body{[]byte(`{"a"`), nil, []byte(`:1}`)},
	})
}

func TestRedirectIsAnError(t *testing.T) {
	var reached atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	defer other.Close()
	s := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer s.Close()
	_, err := post(t, t.Context(), s.URL)
	var f *llm.Fault
	if !errors.As(err, &f) || f.Retryable() || reached.Load() {
		t.Errorf("%v, followed: %v", err, reached.Load())
	}
}

func TestConnectionIsKept(t *testing.T) {
	var opened atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != `{"a":1}` || r.Header.Get("Accept-Encoding") != "identity" {
			t.Errorf("%q, %v, %v", body, err, r.Header)
		}
		_, _ = io.WriteString(w, "data: 1\n\n") // the client sees a failure
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, "data: [DONE]\n\n")
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	call := wire.Call{HTTP: s.Client(), URL: s.URL, Body: wire.Body{[]byte(`{"a"`), nil, []byte(`:1}`)}}
	for range 3 {
		r, err := wire.Post(t.Context(), call)
		if err != nil {
			t.Fatal(err)
		}
		events := 0
		for _, err := range r.Events(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if events++; events == 2 {
				break
			}
		}
		r.Drain()
		r.Close()
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections for three calls", n)
	}
}

func TestCancelReachesTheServer(t *testing.T) {
	gone := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "data: 1\n\n") // the client sees a failure
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(gone)
	}))
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := post(t, ctx, s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, err := range r.Events(ctx) {
		if err != nil {
			if lost := r.Lost(ctx, err, true); !errors.Is(lost, context.Canceled) {
				t.Errorf("%v", lost)
			}
			break
		}
		cancel()
	}
	cancel()
	select {
	case <-gone:
	case <-time.After(5 * time.Second):
		t.Error("the connection is still open")
	}
}

func TestRefusals(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.Header().Set("X-Request-Id", "req_1")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"error":{"message":"slow down"}}`) // the client sees a failure
	}))
	defer s.Close()
	_, err := post(t, t.Context(), s.URL)
	var f *llm.Fault
	if !errors.As(err, &f) || f.Class != llm.ClassRateLimit || f.Wait != 7*time.Second || f.RequestID != "req_1" || f.Provider != "p" || f.Model != "m" {
		t.Errorf("%+v", err)
	}
	s.Close()
	if _, err = post(t, t.Context(), s.URL); !errors.As(err, &f) || f.Class != llm.ClassNetwork {
		t.Errorf("%+v", err)
	}
	if _, err = post(t, t.Context(), "no address"); !errors.As(err, &f) {
		t.Errorf("%+v", err)
	}
}

func TestModels(t *testing.T) {
	for name, want := range map[string]bool{
		"gpt-5": true, "gpt-5.5-2026-04-23": true, "openai/gpt-6-mini": true, "gpt-12": true, "o1": true, "o4-mini": true, "ft:gpt-5-mini:org": true,
		"gpt-5-chat-latest": false, "gpt-4.1": false, "gpt-4o": false, "gpt-oss-120b": false, "claude": false, "omni": false, "acme/o3": false,
	} {
		if wire.Reasons(name) != want {
			t.Errorf("%s reasons: %v", name, !want)
		}
	}
	for name, want := range map[string]string{"openai/gpt-5.5": "gpt-5", "gpt-5": "gpt-5", "o4-mini": "o4", "acme": "acme"} {
		if got := wire.Family(name); got != want {
			t.Errorf("family of %s: %s", name, got)
		}
	}
}
