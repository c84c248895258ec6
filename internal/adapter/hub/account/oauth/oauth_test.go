package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/account/oauth"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/hubtest"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
)

func provider(t *testing.T, h http.HandlerFunc) (*oauth.Provider, *hubtest.Net) {
	t.Helper()
	n := hubtest.New(t)
	n.ServeHub(h)
	c, err := wire.New(wire.Options{HTTP: n.Client(), Endpoint: hubtest.Hub})
	if err != nil {
		t.Fatal(err)
	}
	p, err := oauth.New(oauth.Options{Conn: c, ClientID: "client-1"})
	if err != nil {
		t.Fatal(err)
	}
	return p, n
}

const aToken = `{"access_token":"hf_oauth_x","token_type":"bearer","expires_in":28800,"scope":"openid profile","refresh_token":"r1"}`

// device answers a device login: with a code, then with answers in turn.
func device(t *testing.T, answers ...string) http.HandlerFunc {
	n := 0
	return func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Form.Get("client_id") != "client-1" {
			t.Errorf("form %v: %v", r.Form, err)
		}
		if r.URL.Path == "/oauth/device" {
			fmt.Fprint(w, `{"device_code":"dc","user_code":"ABCD-EFGH","verification_uri":"https://huggingface.co/oauth/device","expires_in":900}`)
			return
		}
		if r.Form.Get("device_code") != "dc" || r.Form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:device_code" {
			t.Errorf("form %v", r.Form)
		}
		answer := answers[min(n, len(answers)-1)]
		n++
		switch {
		case strings.HasPrefix(answer, "{"):
			fmt.Fprint(w, answer)
		case answer == "502":
			w.WriteHeader(502)
		default:
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"error":%q,"error_description":"words"}`, answer)
		}
	}
}

// Acceptance check 34: the pace of the questions, and what ends them.
func TestCheck34_DeviceLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits []time.Duration
		last := time.Now()
		answer := device(t, "authorization_pending", "authorization_pending", "slow_down", aToken)
		p, _ := provider(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/oauth/token" {
				waits = append(waits, time.Since(last))
				last = time.Now()
			}
			answer(w, r)
		})
		d, err := p.Start(t.Context())
		if err != nil || d.UserCode != "ABCD-EFGH" || d.Page != "https://huggingface.co/oauth/device" {
			t.Fatalf("%+v, %v", d, err)
		}
		token, err := p.Finish(t.Context(), d, nil)
		if err != nil || token.Access != "hf_oauth_x" || token.Refresh != "r1" || time.Until(token.ExpiresAt) != 8*time.Hour {
			t.Errorf("%+v, %v", token, err)
		}
		if diff := cmp.Diff([]time.Duration{0, 5 * time.Second, 5 * time.Second, 10 * time.Second}, waits); diff != "" {
			t.Errorf("waits: %s", diff)
		}
	})
	for name, c := range map[string]struct {
		answers []string
		want    error
		polls   int
		text    string
	}{
		"refused":        {[]string{"authorization_pending", "access_denied"}, oauth.ErrDenied, 2, "refused in the browser"},
		"expired":        {[]string{"expired_token"}, oauth.ErrExpired, 1, "not confirmed in time"},
		"never":          {[]string{"authorization_pending"}, oauth.ErrExpired, 181, "not confirmed in time"},
		"a wrong client": {[]string{"invalid_client"}, nil, 1, "words (invalid_client)"},
		"in trouble":     {[]string{"502", "502", "502", aToken}, nil, 4, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, n := provider(t, device(t, c.answers...))
				d, err := p.Start(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				_, err = p.Finish(t.Context(), d, nil)
				if (err == nil) != (c.text == "") || c.want != nil && !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.text) {
					t.Errorf("error %v", err)
				}
				if polls := len(n.Seen()) - 1; polls != c.polls {
					t.Errorf("%d polls, want %d", polls, c.polls)
				}
			})
		})
	}
}

func TestRecordedShapes(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(fixturetest.Dir(t, "hub"), "oauth.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	p, _ := provider(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth/device" {
			w.Write(all["device"])
			return
		}
		w.Write(all["token"])
	})
	d, err := p.Start(t.Context())
	if err != nil || !strings.HasSuffix(d.Link, "user_code=ABCD-EFGH") {
		t.Fatalf("%+v, %v", d, err)
	}
	token, err := p.Finish(t.Context(), d, nil)
	if err != nil || token.Access != "hf_oauth_example" || token.ID != "eyJ.example.jwt" || token.Scope != "openid profile read-repos" {
		t.Errorf("%+v, %v", token, err)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", token, token, token, token); strings.Contains(text, "example") {
		t.Errorf("the token shows itself: %s", text)
	}
}

func TestBrowser(t *testing.T) {
	var challenge string
	p, _ := provider(t, func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		sum := sha256.Sum256([]byte(r.Form.Get("code_verifier")))
		if base64.RawURLEncoding.EncodeToString(sum[:]) != challenge || r.Form.Get("code") != "c1" || r.Form.Get("redirect_uri") != "http://127.0.0.1:9/back" {
			w.WriteHeader(400)
			fmt.Fprint(w, `{"error":"invalid_grant"}`)
			return
		}
		fmt.Fprint(w, aToken)
	})
	a, err := p.Begin("http://127.0.0.1:9/back")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(a.URL)
	if err != nil || !strings.HasPrefix(a.URL, hubtest.Hub+"/oauth/authorize?") || u.Query().Get("code_challenge_method") != "S256" || u.Query().Get("scope") != "openid profile read-repos inference-api" {
		t.Fatalf("%s, %v", a.URL, err)
	}
	challenge = u.Query().Get("code_challenge")
	if token, err := p.Complete(t.Context(), a, url.Values{"state": {a.State}, "code": {"c1"}}); err != nil || token.Access != "hf_oauth_x" {
		t.Errorf("%v", err)
	}
	for want, back := range map[string]url.Values{
		"another login":          {"state": {"x"}, "code": {"c1"}},
		"refused in the browser": {"state": {a.State}, "error": {"access_denied"}},
		"server_error":           {"state": {a.State}, "error": {"server_error"}},
		"no code":                {"state": {a.State}},
		"invalid_grant":          {"state": {a.State}, "code": {"c2"}},
	} {
		if _, err := p.Complete(t.Context(), a, back); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", want, err)
		}
	}
	if _, err := p.Begin("nowhere"); err == nil {
		t.Error("a redirect to nowhere was accepted")
	}
}

func TestNewChecksOptions(t *testing.T) {
	n := hubtest.New(t)
	nobody, _ := wire.New(wire.Options{HTTP: n.Client(), Endpoint: hubtest.Hub})
	somebody, _ := wire.New(wire.Options{HTTP: n.Client(), Endpoint: hubtest.Hub, Token: "hf_x"})
	open, _ := wire.New(wire.Options{HTTP: n.Client(), Endpoint: "http://hub.example.org"})
	for want, o := range map[string]oauth.Options{
		"not an https address":      {Conn: open, ClientID: "x"},
		"ML_INTERN_OAUTH_CLIENT_ID": {Conn: nobody}, "carries a token": {Conn: somebody, ClientID: "x"}, "Conn is missing": {ClientID: "x"},
	} {
		if _, err := oauth.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
