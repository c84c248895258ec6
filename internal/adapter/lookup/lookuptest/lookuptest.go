// Package lookuptest stands in for every service that is looked up: one server
// that answers what a test plants, remembers what it was asked, and a client
// that takes it for the Hub, GitHub and the others. It knows no tool.
package lookuptest

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// Credentials that the client sends to the services that take one.
const (
	HubToken    = "hf_lookuptesthublookuptesthub123456789"
	GitHubToken = "ghp_lookuptestlookuptestlookuptest123456"
	ScholarKey  = "s2-lookuptest-key"
	BraveKey    = "brave-lookuptest-key"
	TavilyKey   = "tvly-lookuptest-key"
)

// prefixes are the services' places on the server.
var prefixes = map[string]string{
	"HF_ENDPOINT": "/hub", "ML_INTERN_DATASETS_SERVER_URL": "/viewer", "ML_INTERN_ARXIV_URL": "/arxiv",
	"ML_INTERN_ARXIV_API_URL": "/arxiv-api", "ML_INTERN_AR5IV_URL": "/ar5iv", "ML_INTERN_S2_URL": "/s2",
	"ML_INTERN_OPENALEX_URL": "/openalex", "ML_INTERN_GITHUB_API_URL": "/github", "ML_INTERN_GRADIO_URL": "/gradio",
	"ML_INTERN_GRADIO_SEARCH_URL": "/gradio-search", "ML_INTERN_WEB_SEARCH_BASE_URL": "/web-search",
	"ML_INTERN_SEARXNG_URL": "/searxng", "ML_INTERN_BRAVE_URL": "/brave", "ML_INTERN_TAVILY_URL": "/tavily",
}

// Request is something the server was asked. Path begins with the service's
// place: /hub, /viewer, /arxiv, /arxiv-api, /ar5iv, /s2, /openalex, /github,
// /gradio, /gradio-search, /web-search, /searxng, /brave, /tavily, and
// /web/HOST for every other host.
type Request struct {
	Method, Path string
	Query        url.Values
	Header       http.Header
	Body         string
}

// Server answers what was planted; everything else is 404.
type Server struct {
	*httptest.Server
	// Anonymous makes clients that send no credentials.
	Anonymous bool

	t        testing.TB
	mu       sync.Mutex
	routes   map[string]http.HandlerFunc // by "METHOD PATH" or "PATH"
	requests []Request
}

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	s := &Server{t: t, routes: map[string]http.HandlerFunc{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.mu.Lock()
	s.requests = append(s.requests, Request{r.Method, r.URL.EscapedPath(), r.URL.Query(), r.Header.Clone(), string(body)})
	h := s.routes[r.Method+" "+r.URL.EscapedPath()]
	if h == nil {
		h = s.routes[r.URL.EscapedPath()]
	}
	s.mu.Unlock()
	if h == nil {
		http.Error(w, `{"error":"not planted: `+r.URL.EscapedPath()+`"}`, http.StatusNotFound)
		return
	}
	h(w, r)
}

// Handle plants a handler for a path, or for "METHOD PATH".
func (s *Server) Handle(route string, h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.routes[route] = h
}

// Answer plants a fixed answer; its content type is guessed.
func (s *Server) Answer(route string, status int, body string, header ...string) {
	s.Handle(route, func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		if w.Header().Get("Content-Type") == "" && strings.HasPrefix(strings.TrimSpace(body), "{") || strings.HasPrefix(strings.TrimSpace(body), "[") {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// File plants a recorded answer of the research fixtures. The test is skipped
// where there are none.
func (s *Server) File(route string, status int, name string, header ...string) {
	s.t.Helper()
	s.Answer(route, status, Fixture(s.t, name), header...)
}

// Fixture reads a recorded answer of the research fixtures.
func Fixture(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixturetest.Dir(t, "research"), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Requests are the requests so far, those whose path begins with prefix.
func (s *Server) Requests(prefix string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.requests), func(r Request) bool { return !strings.HasPrefix(r.Path, prefix) })
}

// Base is where the server stands in for the service of a variable.
func (s *Server) Base(variable string) string { return s.URL + prefixes[variable] }

// Variables are the variables that Base knows.
func Variables() []string { return slices.Sorted(maps.Keys(prefixes)) }

// Client takes the server for every service. change may alter its options.
func (s *Server) Client(change ...func(*fetch.Options)) *fetch.Client {
	s.t.Helper()
	client, err := httpx.New(httpx.Options{Version: "0.0.0-test"})
	if err != nil {
		s.t.Fatal(err)
	}
	fixed := func(v string) func() string {
		return func() string {
			if s.Anonymous {
				return ""
			}
			return v
		}
	}
	o := fetch.Options{HTTP: client, StandIn: s.URL + "/web", Services: lookup.Services(lookup.Places{
		Base: s.Base, HubToken: fixed(HubToken), ViewerToken: fixed(HubToken), GitHubToken: fixed(GitHubToken),
		ScholarKey: fixed(ScholarKey), BraveKey: fixed(BraveKey), TavilyKey: fixed(TavilyKey), Unhurried: true,
	})}
	for _, f := range change {
		f(&o)
	}
	c, err := fetch.New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(client.CloseIdleConnections)
	return c
}
