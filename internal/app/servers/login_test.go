package servers_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/mcp/server"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
)

// A person logs in at the Hub's own server in the browser; from then on it is used
// with that login, also without a Hub token, until he logs out.
func TestLoginAtTheHub(t *testing.T) {
	hub := hubsimtest.Start(t, hubsim.Options{})
	d := newDesk(t, `{"mcpServers":{"program":{"command":"true"},"own":{"url":"https://own.example/mcp","headers":{"Authorization":"Bearer x"}}}}`, "", "HF_ENDPOINT="+hub.URL())
	const name = "hf-mcp-server"
	if got := d.o.Identity(name); got != "needs a login: ml-intern login" {
		t.Errorf("before: %q", got)
	}
	var shown string
	var held []string
	d.o.Hold = func(secrets ...string) { held = append(held, secrets...) }
	var visit http.Client
	defer visit.CloseIdleConnections()
	err := d.o.Login(t.Context(), name, 0, func(address string, paste func(string) error) {
		shown = address
		if err := paste("http://127.0.0.1/nothing"); err == nil {
			t.Error("any address will do")
		}
		go func() { // the browser; the Hub sends it back at once
			if resp, err := visit.Get(address); err != nil {
				t.Error(err)
			} else {
				resp.Body.Close()
			}
		}()
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(shown, hub.URL()+"/oauth/authorize?") || !strings.Contains(shown, "code_challenge_method=S256") || strings.Contains(shown, "mcp%3Flogin") {
		t.Errorf("the browser goes to %s", shown)
	}
	if len(held) == 0 || !slices.ContainsFunc(d.o.Logins().Secrets(), func(s string) bool { return strings.HasPrefix(s, "hf_oauth_") && slices.Contains(held, s) }) {
		t.Errorf("what was given is not known as secret: %d values", len(held))
	}
	if got := d.o.Identity(name); got != "logged in" {
		t.Errorf("afterwards: %q", got)
	}
	if e := d.o.Visit(t.Context(), name); e.State != server.Ready || len(e.Catalog.Tools) == 0 {
		t.Errorf("%+v", e)
	}
	if had, err := d.o.Logout(t.Context(), name); !had || err != nil {
		t.Errorf("%v, %v", had, err)
	}
	if e := d.o.Visit(t.Context(), name); e.State != server.NeedsLogin {
		t.Errorf("%+v", e)
	}
	for server, want := range map[string]string{"program": "is a program", "own": "the settings say who you are", "nobody": "there is no MCP server"} {
		if err := d.o.Login(t.Context(), server, 0, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", server, err)
		}
	}
}

// Why a server on the web is not there is told in words of this world.
func TestProblems(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/broken":
			http.Error(w, "oops", http.StatusInternalServerError)
		case "/page":
			w.Header().Set("Content-Type", "text/html")
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(web.Close)
	for path, want := range map[string]string{
		"broken": "the server answers 500 Internal Server Error",
		"page":   `the address does not answer as an MCP server does (unsupported content type "text/html"): is it right?`,
		"none":   "the address does not answer as an MCP server does (Not Found): is it right?",
	} {
		d := newDesk(t, fmt.Sprintf(`{"mcpServers":{"x":{"url":"%s/%s"}}}`, web.URL, path), "")
		if e := d.o.Visit(t.Context(), "x"); e.Problem != want {
			t.Errorf("%s: %q", path, e.Problem)
		}
	}
}
