package login_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/ml-intern/ml-intern/internal/adapter/mcp/login"
)

// provider is a server that wants a login, and who gives it.
type provider struct {
	*testing.T
	web *httptest.Server

	mu        sync.Mutex
	serial    int
	access    string // that is good
	refresh   string
	secret    string
	scopes    string
	asked     []url.Values // of the authorization page
	exchanged []url.Values
	basic     []string
	ended     bool // refresh tokens are good no more
	slow      time.Duration
}

func newProvider(t *testing.T) *provider {
	p := &provider{T: t, scopes: "read"}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}
	mux.HandleFunc("/mcp", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.access == "" || r.Header.Get("Authorization") != "Bearer "+p.access {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer resource_metadata="%s/meta", scope=%q`, p.web.URL, p.scopes))
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, "in")
	})
	mux.HandleFunc("/meta", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"resource": p.web.URL + "/mcp", "authorization_servers": []string{p.web.URL}})
	})
	mux.HandleFunc("/.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": p.web.URL, "authorization_endpoint": p.web.URL + "/authorize", "token_endpoint": p.web.URL + "/token", "registration_endpoint": p.web.URL + "/register",
			"response_types_supported": []string{"code"}, "code_challenge_methods_supported": []string{"S256"}, "scopes_supported": []string{"read", "write", "offline_access"},
		})
	})
	mux.HandleFunc("/register", func(w http.ResponseWriter, r *http.Request) {
		var in map[string]any
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in["client_name"] != "ml-intern" || !slices.Contains(in["grant_types"].([]any), any("refresh_token")) {
			t.Errorf("registered as %v: %v", in, err)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		out := map[string]any{"client_id": "made-up", "redirect_uris": in["redirect_uris"]}
		if p.secret != "" {
			out["client_secret"], out["token_endpoint_auth_method"] = p.secret, "client_secret_basic"
		} else {
			out["token_endpoint_auth_method"] = "none"
		}
		if err := json.NewEncoder(w).Encode(out); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked = append(p.asked, r.URL.Query())
		p.mu.Unlock()
		back, err := url.Parse(r.URL.Query().Get("redirect_uri"))
		if err != nil {
			t.Error(err)
		}
		back.RawQuery = url.Values{"code": {"the-code"}, "state": {r.URL.Query().Get("state")}}.Encode()
		http.Redirect(w, r, back.String(), http.StatusFound)
	})
	mux.HandleFunc("/token", p.token)
	p.web = httptest.NewServer(mux)
	t.Cleanup(p.web.Close)
	return p
}

// token gives tokens.
func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		p.Error(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	time.Sleep(p.slow)
	p.exchanged = append(p.exchanged, r.PostForm)
	if raw, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Basic "); ok {
		text, _ := base64.StdEncoding.DecodeString(raw)
		p.basic = append(p.basic, string(text))
	}
	w.Header().Set("Content-Type", "application/json")
	if r.PostForm.Get("grant_type") == "refresh_token" && (p.ended || r.PostForm.Get("refresh_token") != p.refresh) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_grant"}`)
		return
	}
	p.serial++
	p.access, p.refresh = fmt.Sprintf("access-%d", p.serial), fmt.Sprintf("refresh-%d", p.serial)
	fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","refresh_token":%q,"expires_in":3600}`, p.access, p.refresh)
}

// person logs in without a word.
func person(ctx context.Context, address string) (*auth.AuthorizationResult, error) {
	visit := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := visit.Do(req)
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	back, err := url.Parse(resp.Header.Get("Location"))
	if err != nil {
		return nil, err
	}
	return &auth.AuthorizationResult{Code: back.Query().Get("code"), State: back.Query().Get("state")}, nil
}

// desk is where logins lie, and who is told of secrets.
type desk struct {
	store login.Store
	mu    sync.Mutex
	held  []string
}

func newDesk(t *testing.T) *desk {
	return &desk{store: login.Store{Path: filepath.Join(t.TempDir(), "state", "logins.json")}}
}

func (d *desk) hold(secrets ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = append(d.held, secrets...)
}

// age lets the tokens that are kept come to their end.
func (d *desk) age(t *testing.T) {
	t.Helper()
	raw, err := os.ReadFile(d.store.Path)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for _, record := range all {
		record["expires_at"] = time.Now().Add(-time.Minute).UTC()
	}
	if raw, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.store.Path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// keeper makes a keeper; with a person it can ask.
func (d *desk) keeper(p *provider, ask login.Ask) *login.Keeper {
	p.Helper()
	k, err := login.New(login.Options{
		Server: p.web.URL + "/mcp", Store: d.store, HTTP: p.web.Client(), Ask: ask, Redirect: "http://127.0.0.1:7777/callback",
		Hold: d.hold, Trouble: func(err error) { p.Log(err) },
	})
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(k.Close)
	return k
}

// enters asks the server as the keeper's user would, and says what came.
func enters(p *provider, k *login.Keeper) (int, error) {
	p.Helper()
	req, err := http.NewRequestWithContext(p.Context(), http.MethodPost, p.web.URL+"/mcp", nil)
	if err != nil {
		p.Fatal(err)
	}
	source, err := k.TokenSource(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	token, err := source.Token()
	if err != nil {
		return 0, err
	}
	if token != nil {
		req.Header.Set("Authorization", "Bearer "+token.AccessToken)
	}
	resp, err := p.web.Client().Do(req)
	if err != nil {
		p.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusUnauthorized {
		return resp.StatusCode, k.Authorize(p.Context(), req, resp)
	}
	return resp.StatusCode, nil
}

// A login is asked for with everything that protects it, kept for this user alone,
// and good for other processes.
func TestLogin(t *testing.T) {
	p, d := newProvider(t), newDesk(t)
	if code, err := enters(p, d.keeper(p, nil)); code != http.StatusUnauthorized || !errors.Is(err, login.ErrNeeded) {
		t.Fatalf("before: %d, %v", code, err)
	}
	if err := d.keeper(p, person).Login(t.Context(), p.web.Client()); err != nil {
		t.Fatal(err)
	}
	q := p.asked[0]
	if q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("resource") != p.web.URL+"/mcp" || q.Get("scope") != "read offline_access" || q.Get("client_id") != "made-up" {
		t.Errorf("asked for %v", q)
	}
	if x := p.exchanged[0]; x.Get("code_verifier") == "" || x.Get("resource") != p.web.URL+"/mcp" {
		t.Errorf("exchanged %v", x)
	}
	if code, err := enters(p, d.keeper(p, nil)); code != http.StatusOK || err != nil {
		t.Errorf("afterwards: %d, %v", code, err)
	}
	info, err := os.Stat(d.store.Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if dir, err := os.Stat(filepath.Dir(d.store.Path)); err != nil || dir.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", dir.Mode(), err)
	}
	for _, secret := range []string{"access-1", "refresh-1"} {
		if !slices.Contains(d.held, secret) || !slices.Contains(d.store.Secrets(), secret) {
			t.Errorf("%s is not known as a secret", secret)
		}
	}
	r, ok, err := d.store.Find(p.web.URL + "/mcp")
	if err != nil || !ok || strings.Contains(fmt.Sprintf("%v %+v %#v", r, r, r), "access-1") {
		t.Errorf("%v, %v, %v", r, ok, err)
	}
	if had, err := d.store.Remove(t.Context(), p.web.URL+"/mcp"); !had || err != nil {
		t.Errorf("%v, %v", had, err)
	}
	if had, err := d.store.Remove(t.Context(), p.web.URL+"/mcp"); had || err != nil {
		t.Errorf("again: %v, %v", had, err)
	}
	if _, err := enters(p, d.keeper(p, nil)); !errors.Is(err, login.ErrNeeded) {
		t.Errorf("logged out: %v", err)
	}
}

// What the login lacks is asked for at the next one, with what it has had.
func TestMoreRights(t *testing.T) {
	p, d := newProvider(t), newDesk(t)
	if err := d.keeper(p, person).Login(t.Context(), p.web.Client()); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.web.URL+"/mcp", nil)
	if err != nil {
		t.Fatal(err)
	}
	refused := &http.Response{StatusCode: http.StatusForbidden, Body: http.NoBody, Header: http.Header{
		"Www-Authenticate": {fmt.Sprintf(`Bearer error="insufficient_scope", scope="write", resource_metadata="%s/meta"`, p.web.URL)},
	}}
	if err := d.keeper(p, nil).Authorize(t.Context(), req, refused); !errors.Is(err, login.ErrNeeded) || !strings.Contains(err.Error(), "more rights") {
		t.Errorf("got %v", err)
	}
	if err := d.keeper(p, person).Login(t.Context(), p.web.Client()); err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(p.asked[1].Get("scope")); !slices.Contains(got, "write") || !slices.Contains(got, "read") {
		t.Errorf("asked for %q", got)
	}
	if err := d.keeper(p, nil).Authorize(t.Context(), req, &http.Response{StatusCode: http.StatusForbidden, Body: http.NoBody, Header: http.Header{}}); errors.Is(err, login.ErrNeeded) || err == nil {
		t.Errorf("a refusal that no login mends: %v", err)
	}
}

// Tokens are renewed by themselves, once for all who want them, at whoever gave them.
func TestRenewal(t *testing.T) {
	for _, secret := range []string{"", "s3cret/+"} {
		t.Run("secret "+secret, func(t *testing.T) {
			p, d := newProvider(t), newDesk(t)
			p.secret = secret
			if err := d.keeper(p, person).Login(t.Context(), p.web.Client()); err != nil {
				t.Fatal(err)
			}
			d.age(t)
			p.mu.Lock()
			p.slow = 20 * time.Millisecond
			p.mu.Unlock()
			keepers := []*login.Keeper{d.keeper(p, nil), d.keeper(p, nil)}
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					if code, err := enters(p, keepers[i%2]); code != http.StatusOK || err != nil {
						t.Errorf("%d, %v", code, err)
					}
				})
			}
			wg.Wait()
			if len(p.exchanged) != 2 {
				t.Fatalf("%d exchanges", len(p.exchanged))
			}
			x := p.exchanged[1]
			if x.Get("grant_type") != "refresh_token" || x.Get("refresh_token") != "refresh-1" || x.Get("resource") != p.web.URL+"/mcp" {
				t.Errorf("renewed with %v", x)
			}
			if secret == "" && x.Get("client_id") != "made-up" || secret != "" && p.basic[len(p.basic)-1] != "made-up:s3cret%2F%2B" {
				t.Errorf("it says it is %v, %q", x, p.basic)
			}
			if !slices.Contains(d.held, "access-2") {
				t.Error("the new token is not known as a secret")
			}
		})
	}
}

// A login that cannot be renewed any more is asked for again.
func TestEnded(t *testing.T) {
	p, d := newProvider(t), newDesk(t)
	if err := d.keeper(p, person).Login(t.Context(), p.web.Client()); err != nil {
		t.Fatal(err)
	}
	d.age(t)
	p.mu.Lock()
	p.ended, p.access = true, "another"
	p.mu.Unlock()
	if code, err := enters(p, d.keeper(p, nil)); code != http.StatusUnauthorized || !errors.Is(err, login.ErrNeeded) {
		t.Errorf("%d, %v", code, err)
	}
}

// A file that is damaged tells nothing of what is in it.
func TestDamaged(t *testing.T) {
	d := newDesk(t)
	if err := os.MkdirAll(filepath.Dir(d.store.Path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.store.Path, []byte(`{"https://x": {"access_token": "se`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.store.Find("https://x"); err == nil || strings.Contains(err.Error(), `"se`) || !strings.Contains(err.Error(), "log in again") {
		t.Errorf("got %v", err)
	}
	if _, err := d.store.Remove(t.Context(), "https://x"); err == nil {
		t.Error("it was changed")
	}
}

func TestLanding(t *testing.T) {
	l, err := login.Land(0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	visit := func(query string) int {
		resp, err := http.Get(l.URL() + query)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if code := visit("?nothing=1"); code != http.StatusNotFound {
		t.Errorf("%d", code)
	}
	got := make(chan *auth.AuthorizationResult, 1)
	go func() {
		r, err := l.Wait(t.Context(), "https://login.example/authorize?state=mine")
		if err != nil {
			t.Error(err)
		}
		got <- r
	}()
	visit("?code=theirs&state=another") // counts for nothing
	deadline := time.After(10 * time.Second)
	for {
		visit("?code=c%26&state=mine&iss=https%3A%2F%2Flogin.example")
		select {
		case r := <-got:
			if r == nil || r.Code != "c&" || r.State != "mine" || r.Iss != "https://login.example" {
				t.Errorf("%+v", r)
			}
		case <-time.After(20 * time.Millisecond):
			continue
		case <-deadline:
			t.Fatal("nobody came")
		}
		break
	}
	if err := l.Paste("https://elsewhere.example/"); err == nil || !strings.Contains(err.Error(), l.URL()) {
		t.Errorf("got %v", err)
	}
	if err := l.Paste(" " + l.URL() + "?error=access_denied&state=mine\n"); err != nil {
		t.Error(err)
	}
	if _, err := l.Wait(t.Context(), "https://login.example/authorize?state=mine"); err == nil || !strings.Contains(err.Error(), "access_denied") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Wait(ctx, "https://login.example/authorize?state=mine"); err == nil {
		t.Error("it came back")
	}
}
