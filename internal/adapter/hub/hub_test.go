package hub_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

const token = "hf_testtesttesttesttesttesttesttest"

func client(t *testing.T, endpoint string) *hub.Client {
	t.Helper()
	web, err := httpx.New(httpx.Options{Version: "1.0"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := hub.New(hub.Options{HTTP: web, Endpoint: endpoint, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestNewChecksOptions(t *testing.T) {
	for _, o := range []hub.Options{
		{Endpoint: "https://huggingface.co"},
		{HTTP: http.DefaultClient, Endpoint: "huggingface.co"},
		{HTTP: http.DefaultClient, Endpoint: "ftp://x"},
	} {
		if _, err := hub.New(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

func TestWhoami(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want hub.Identity
	}{
		"a user with a write token": {
			`{"type":"user","name":"ada","email":"a@b.c","isPro":true,"orgs":[{"name":"lab"}],"auth":{"type":"access_token","accessToken":{"displayName":"cli","role":"write"}}}`,
			hub.Identity{Name: "ada", Email: "a@b.c", Pro: true, Orgs: []string{"lab"}, TokenName: "cli", Role: "write", Known: true, Inference: true, Write: true},
		},
		"isPro is a text: not pro": {
			`{"name":"ada","isPro":"true"}`, hub.Identity{Name: "ada"},
		},
		"other names of the name": {
			`{"preferred_username":"eve"}`, hub.Identity{Name: "eve"},
		},
		"a fine-grained token that may only infer": {
			`{"name":"ada","auth":{"accessToken":{"displayName":"f","role":"fineGrained","fineGrained":{"global":[],"scoped":[{"permissions":["inference.serverless.write","repo.content.read"]}]}}}}`,
			hub.Identity{Name: "ada", TokenName: "f", Role: "fineGrained", Known: true, Inference: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/api/whoami-v2" || r.Header.Get("Authorization") != "Bearer "+token {
					http.Error(w, "wrong request", http.StatusBadRequest)
					return
				}
				w.Write([]byte(c.body))
			})
			got, err := client(t, s.URL+"/").Whoami(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFailuresAreToldApart(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		kind   hub.Kind
		text   string
	}{
		"an invalid token": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(401)
			w.Write([]byte(`{"error":"Invalid user token."}`))
		}, hub.Unauthorized, "HTTP 401: Invalid user token."},
		"no right":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, hub.Forbidden, "HTTP 403"},
		"too many":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }, hub.RateLimited, "HTTP 429"},
		"a fault":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, hub.Server, "HTTP 503"},
		"a login page": {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) }, hub.Unexpected, "not the JSON of a Hub"},
		"no name":      {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("{}")) }, hub.Unexpected, "names no user"},
		"an endless answer": {func(w http.ResponseWriter, _ *http.Request) {
			line := []byte(strings.Repeat(" ", 1<<20))
			for range 17 {
				w.Write(line)
			}
		}, hub.Unexpected, "over the limit"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, c.answer)
			_, err := client(t, s.URL).Whoami(t.Context())
			if !hub.IsKind(err, c.kind) || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), token) {
				t.Errorf("error %v, want kind %s with %q", err, c.kind, c.text)
			}
		})
	}
}

func TestNoAnswerIsUnreachable(t *testing.T) {
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := client(t, s.URL).Whoami(ctx); !hub.IsKind(err, hub.Unreachable) {
		t.Errorf("error %v", err)
	}
	address := s.URL
	s.Close()
	if _, err := client(t, address).Whoami(t.Context()); !hub.IsKind(err, hub.Unreachable) {
		t.Errorf("error %v", err)
	}
}

// The token stays with the Hub it belongs to.
func TestTokenStaysAtItsOrigin(t *testing.T) {
	leaked := ""
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		leaked = r.Header.Get("Authorization")
		w.Write([]byte(`{"name":"x"}`))
	})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/api/whoami-v2", http.StatusFound)
	})
	_, err := client(t, s.URL).Whoami(t.Context())
	if leaked != "" {
		t.Errorf("the token went to another origin (%v)", err)
	}
	_, err = client(t, "http://hub.example.com").Whoami(t.Context())
	var e *hub.Error
	if !errors.As(err, &e) || e.Kind != hub.Unauthorized || !strings.Contains(err.Error(), "plain http") {
		t.Errorf("error %v", err)
	}
}
