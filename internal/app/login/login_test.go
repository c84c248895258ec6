package login_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/account/oauth"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/hubtest"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/app/login"
	"github.com/ml-intern/ml-intern/internal/config/place"
)

// house is a Hub that renews logins, and a home folder.
type house struct {
	*testing.T
	home string
	env  map[string]string
	net  *hubtest.Net

	mu      sync.Mutex
	serial  int             // of the newest tokens
	good    map[string]bool // access tokens
	renewed int
	saw     []string // tokens of requests other than for renewal
	posted  []string // and their bodies
	held    []string
	warned  []string
}

func newHouse(t *testing.T) *house {
	h := &house{T: t, home: t.TempDir(), env: map[string]string{}, net: hubtest.New(t), good: map[string]bool{}}
	h.net.ServeHub(h.serve)
	h.net.Serve("elsewhere.test:80", http.HandlerFunc(h.serve))
	return h
}

func (h *house) serve(w http.ResponseWriter, r *http.Request) {
	time.Sleep(10 * time.Millisecond)
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.URL.Path == "/oauth/token" {
		h.renewed++
		if !strings.Contains(string(body), fmt.Sprintf("refresh_token=refresh-%d", h.serial)) || !strings.Contains(string(body), "client_id=client-1") {
			w.WriteHeader(400)
			fmt.Fprint(w, `{"error":"invalid_grant"}`)
			return
		}
		t := h.next()
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"bearer","expires_in":28800,"scope":"openid","refresh_token":%q}`, t.Access, t.Refresh)
		return
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	h.saw, h.posted = append(h.saw, token), append(h.posted, string(body))
	if !h.good[token] {
		w.WriteHeader(401)
		fmt.Fprintf(w, `{"error":"Invalid credentials: %s"}`, token)
		return
	}
	fmt.Fprint(w, `{}`)
}

func (h *house) next() oauth.Token {
	h.serial++
	t := oauth.Token{
		Access: fmt.Sprintf("hf_oauth_%d", h.serial), Refresh: fmt.Sprintf("refresh-%d", h.serial), Scope: "openid",
		At: time.Now(), ExpiresAt: time.Now().Add(8 * time.Hour),
	}
	h.good[t.Access] = true
	return t
}

func (h *house) saved() place.Login {
	return place.Login{Home: h.home, Lookup: func(name string) (string, bool) { v, ok := h.env[name]; return v, ok }}
}

func (h *house) store() login.Store {
	return login.Store{Saved: h.saved(), Path: filepath.Join(h.home, "state", "oauth.json")}
}

// process is the login as another process sees it.
func (h *house) process() *login.Login {
	return login.New(login.Options{
		Store: h.store(), Hub: hubtest.Hub, Provider: hubtest.Hub, Client: "client-1", HTTP: h.net.Client(),
		Hold:    func(v ...string) { h.locked(func() { h.held = append(h.held, v...) }) },
		Renewed: func(string, string) {}, Debug: func(string) {},
		Warn: func(text string) { h.locked(func() { h.warned = append(h.warned, text) }) },
	})
}

func (h *house) locked(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

// logIn saves a first login as bob's.
func (h *house) logIn(l *login.Login) string {
	h.Helper()
	var t oauth.Token
	h.locked(func() { t = h.next() })
	if err := l.Save(h.Context(), t, "bob"); err != nil {
		h.Fatal(err)
	}
	return t.Access
}

// client is a connection that keeps the token it began with.
func (h *house) client(l *login.Login, token string) *wire.Conn {
	h.Helper()
	web := h.net.Client()
	web.Transport = l.Transport(web.Transport)
	c, err := wire.New(wire.Options{HTTP: web, Endpoint: hubtest.Hub, Token: token})
	if err != nil {
		h.Fatal(err)
	}
	return c
}

func (h *house) ask(c *wire.Conn) error {
	_, err := c.JSON(h.Context(), wire.Request{Op: "ask", Method: "POST", Path: "/api/x", JSON: "some body"}, nil)
	return err
}

// check compares the tokens that the Hub saw, and the number of renewals.
func (h *house) check(renewed int, saw ...string) {
	h.Helper()
	h.locked(func() {
		if diff := cmp.Diff(saw, h.saw); diff != "" || h.renewed != renewed {
			h.Errorf("%d renewals, want %d; tokens of the requests:\n%s", h.renewed, renewed, diff)
		}
		for _, body := range h.posted {
			if body != `"some body"` {
				h.Errorf("body %q", body)
			}
		}
		h.saw, h.posted = nil, nil
	})
}

func TestTokensChangeUnderARunningClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		l := h.process()
		first := h.logIn(l)
		if got := l.Token(t.Context(), 0); got != first {
			t.Fatalf("token %q", got)
		}
		c := h.client(l, first)
		other := h.process()
		ask := func(c *wire.Conn) {
			t.Helper()
			if err := h.ask(c); err != nil {
				t.Error(err)
			}
		}
		ask(c)
		h.check(0, "hf_oauth_1")
		time.Sleep(7*time.Hour + 56*time.Minute)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				if i%2 == 0 {
					ask(c)
				} else if got := other.Token(t.Context(), 0); got != "hf_oauth_2" {
					t.Errorf("the other process has %q", got)
				}
			})
		}
		wg.Wait()
		h.check(1, "hf_oauth_2", "hf_oauth_2", "hf_oauth_2", "hf_oauth_2")
		// The Hub ends it early.
		h.locked(func() { h.good["hf_oauth_2"] = false })
		ask(c)
		h.check(2, "hf_oauth_2", "hf_oauth_3")
		ask(c)
		h.check(2, "hf_oauth_3")
		raw, err := os.ReadFile(h.saved().Path())
		if err != nil || string(raw) != "hf_oauth_3" {
			t.Errorf("the token file holds %q, %v", raw, err)
		}
		// bob logs in anew elsewhere: the running client goes on with that.
		h.logIn(other)
		ask(c)
		h.check(2, "hf_oauth_4")
		// Another token is none of ours, and another user's is not used for bob.
		if err := other.Store().SaveToken(t.Context(), "hf_pasted", "laptop"); err != nil {
			t.Fatal(err)
		}
		ask(c)
		h.check(2, "hf_oauth_1")
		for _, want := range []string{"hf_oauth_1", "refresh-1", "hf_oauth_2", "refresh-2", "refresh-3", "hf_oauth_4"} {
			h.locked(func() {
				if !strings.Contains(strings.Join(h.held, " ")+" ", want+" ") {
					t.Errorf("%s is not held as a secret", want)
				}
			})
		}
		if len(h.warned) > 0 {
			t.Error(h.warned)
		}
	})
}

// Acceptance check 38: a login that has ended is told once, without a storm.
func TestCheck38_LoginHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		l := h.process()
		c := h.client(l, h.logIn(l))
		h.locked(func() { h.serial, h.good = 77, map[string]bool{} })
		err := h.ask(c)
		var e *wire.Error
		if !errors.As(err, &e) || e.Kind != wire.Unauthorized || !strings.Contains(e.Remedy, "ml-intern login") || strings.Contains(err.Error(), "hf_oauth_1") {
			t.Errorf("error %v", err)
		}
		h.check(1, "hf_oauth_1")
		for range 3 {
			time.Sleep(time.Minute)
			if err := h.ask(c); !errors.Is(err, wire.Unauthorized) {
				t.Errorf("error %v", err)
			}
		}
		h.check(1, "hf_oauth_1", "hf_oauth_1", "hf_oauth_1")
		if len(h.warned) != 2 { // the provider's word, then that it is known
			t.Errorf("warned %q", h.warned)
		}
		for _, w := range h.warned {
			if !strings.Contains(w, "ml-intern login") || strings.Contains(w, "refresh-1") {
				t.Errorf("warned %q", w)
			}
		}
	})
}

// What a server repeats of a token that was put in the place of another is not
// shown.
func TestReplacedTokenIsNotShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		l := h.process()
		c := h.client(l, h.logIn(l))
		time.Sleep(8 * time.Hour)
		_ = l.Token(t.Context(), 0)
		h.locked(func() { h.good, h.serial = map[string]bool{}, 77 })
		if err := h.ask(c); err == nil || !strings.Contains(err.Error(), "Invalid credentials: [token]") {
			t.Errorf("error %v", err)
		}
		h.check(2, "hf_oauth_2")
	})
}

// A token from the environment wins and is never renewed, even if it is the
// saved one.
func TestVariableIsNeverRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} {
			h := newHouse(t)
			token := h.logIn(h.process())
			h.env[name] = token
			l := h.process()
			time.Sleep(9 * time.Hour)
			h.locked(func() { h.good = map[string]bool{} })
			if got := l.Token(t.Context(), 4*time.Hour); got != token || l.State().OAuth || l.State().Source != name {
				t.Errorf("token %q, %+v", got, l.State())
			}
			if err := h.ask(h.client(l, token)); !errors.Is(err, wire.Unauthorized) {
				t.Errorf("error %v", err)
			}
			h.check(0, token)
		}
	})
}

// The token goes where its requests go, and nowhere else; what renews it goes
// to its own provider only.
func TestWhereSecretsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		l := h.process()
		token := h.logIn(l)
		time.Sleep(9 * time.Hour)
		web := h.net.Client()
		web.Transport = l.Transport(web.Transport)
		for _, header := range []string{"", "Bearer hf_other", "Basic " + token} {
			r, err := http.NewRequestWithContext(t.Context(), "GET", "http://elsewhere.test/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			if header != "" {
				r.Header.Set("Authorization", header)
			}
			resp, err := web.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if got := h.net.Seen()[len(h.net.Seen())-1].Authorization; got != header {
				t.Errorf("%q was sent as %q", header, got)
			}
		}
		// A login of another Hub, or of another provider, is left alone.
		for _, o := range []login.Options{
			{Hub: "https://hub.example", Provider: hubtest.Hub}, {Hub: hubtest.Hub, Provider: "http://elsewhere.test"},
		} {
			o.Store, o.Client, o.HTTP = h.store(), "client-1", h.net.Client()
			o.Hold, o.Renewed, o.Warn, o.Debug = func(...string) {}, func(string, string) {}, func(string) {}, func(string) {}
			if l := login.New(o); l.Token(t.Context(), 0) != token || l.State().OAuth {
				t.Errorf("%+v", l.State())
			}
		}
		if h.renewed != 0 {
			t.Errorf("%d renewals", h.renewed)
		}
	})
}

func TestStore(t *testing.T) {
	h := newHouse(t)
	l := h.process()
	h.logIn(l)
	s := h.store()
	for path, mode := range map[string]os.FileMode{s.Path: 0o600, filepath.Dir(s.Path): 0o700, s.Saved.Path(): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(s.Saved.Path()), "stored_tokens")); err == nil {
		t.Error("a token that ends is on the list of stored tokens")
	}
	r, ok, err := s.Current()
	if !ok || err != nil || r.User != "bob" || r.Filed != "" {
		t.Errorf("%+v, %v, %v", r, ok, err)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", r, r, r, r); strings.Contains(text, "hf_oauth") || strings.Contains(text, "refresh") {
		t.Errorf("it shows itself: %s", text)
	}
	if got := login.Secrets(s.Saved, s.Path); !cmp.Equal(got, []string{"hf_oauth_1", "hf_oauth_1", "refresh-1"}) {
		t.Errorf("secrets %q", got)
	}

	// Another program has put another token there.
	if err := s.Saved.Save("hf_other", ""); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := s.Current(); ok || l.State().OAuth || l.State().Token != "hf_other" {
		t.Error("another token counts as the login")
	}
	// A pasted one ends the login by OAuth.
	if err := s.SaveToken(t.Context(), "hf_pasted", "laptop"); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := s.Read(); ok || err != nil {
		t.Errorf("the record is still there: %v, %v", ok, err)
	}
	h.logIn(l)
	if err := s.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := s.Read(); ok || l.State().Token != "" {
		t.Error("still logged in")
	}
	// A damaged file is told, and shows nothing of itself.
	h.logIn(l)
	if err := os.WriteFile(s.Path, []byte(`{"access_token":"hf_oauth_x"`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Current(); err == nil || strings.Contains(err.Error(), "hf_oauth") {
		t.Errorf("error %v", err)
	}
}

// A process that ends between the two files, or cannot write the second, leaves
// a login that works.
func TestTokenFileLagsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		l := h.process()
		h.logIn(l)
		short := h.saved().Path()
		// A file that can be read, and whose name is too long for a new one beside it.
		long := filepath.Join(h.home, strings.Repeat("t", 250))
		if err := os.Rename(short, long); err != nil {
			t.Fatal(err)
		}
		h.env["HF_TOKEN_PATH"] = long
		for n := 2; n < 5; n++ {
			time.Sleep(9 * time.Hour)
			want := fmt.Sprint("hf_oauth_", n)
			for range 3 {
				if got := l.Token(t.Context(), 0); got != want {
					t.Errorf("token %q, want %q", got, want)
				}
			}
			if got := h.process().Token(t.Context(), 0); got != want {
				t.Errorf("another process has %q, want %q", got, want)
			}
		}
		if raw, _ := os.ReadFile(long); string(raw) != "hf_oauth_1" {
			t.Fatalf("the token file holds %q", raw)
		}
		if err := os.Rename(long, short); err != nil {
			t.Fatal(err)
		}
		delete(h.env, "HF_TOKEN_PATH")
		time.Sleep(9 * time.Hour)
		if got := l.Token(t.Context(), 0); got != "hf_oauth_5" {
			t.Errorf("token %q", got)
		}
		if raw, _ := os.ReadFile(short); string(raw) != "hf_oauth_5" {
			t.Errorf("the token file holds %q", raw)
		}
		// A login that cannot be saved changes nothing.
		h.env["HF_TOKEN_PATH"] = filepath.Join(h.home, strings.Repeat("u", 250))
		if err := l.Save(t.Context(), oauth.Token{Access: "hf_oauth_x"}, "bob"); err == nil || strings.Contains(err.Error(), "hf_oauth") {
			t.Errorf("error %v", err)
		}
		if _, ok, err := h.store().Read(); ok || err != nil {
			t.Errorf("a record is left: %v, %v", ok, err)
		}
	})
}
