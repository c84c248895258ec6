package identity_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/identity"
	"github.com/ml-intern/ml-intern/internal/hubsim/simtest"
)

const (
	deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"
	verifier    = "a-verifier-of-the-client"
)

// post sends a form.
func (b *bench) post(path string, form ...string) simtest.Reply {
	b.Helper()
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	r := httptest.NewRequest("POST", path, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Host = "hub.test"
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	reply := simtest.Reply{Status: w.Code, Header: w.Header(), Raw: w.Body.Bytes()}
	if err := json.Unmarshal(reply.Raw, &reply.Body); err != nil {
		b.Fatalf("%v: %s", err, reply.Raw)
	}
	return reply
}

// consent goes through the browser and returns what comes back.
func (b *bench) consent(query url.Values) url.Values {
	b.Helper()
	res := b.Must(303, "", "GET", "/oauth/authorize?"+query.Encode(), nil)
	u, err := url.Parse(res.Header.Get("Location"))
	if err != nil {
		b.Fatal(err)
	}
	return u.Query()
}

func authorization(scope string) url.Values {
	sum := sha256.Sum256([]byte(verifier))
	return url.Values{
		"client_id": {"cli"}, "redirect_uri": {"http://127.0.0.1:4711/callback"}, "scope": {scope}, "response_type": {"code"},
		"state": {"xyz"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}, "nonce": {"n"},
	}
}

func redeem(code string, more ...string) []string {
	return append([]string{
		"grant_type", "authorization_code", "code", code, "redirect_uri", "http://127.0.0.1:4711/callback", "client_id", "cli",
		"code_verifier", verifier,
	}, more...)
}

func TestCodeFlowWithPKCE(t *testing.T) {
	b := newBench(t)
	back := b.consent(authorization("openid profile email read-repos jobs nonsense"))
	b.Equal(back.Get("state"), "xyz")
	got := b.post("/oauth/token", redeem(back.Get("code"))...)
	b.Equal(got.Status, 200)
	simtest.SameKeys(t, got.Body, simtest.Fixture(t, "oauth.json", "token"))
	b.Equal(got.Text("scope"), "openid profile email read-repos jobs")
	b.Equal(got.At("expires_in"), 28800.0)
	token := got.Text("access_token")
	if !strings.HasPrefix(token, "hf_oauth_") {
		t.Errorf("token %s", token)
	}

	who := b.Must(200, token, "GET", "/api/whoami-v2", nil)
	want := simtest.Fixture(t, "whoami.json", "oauth")
	simtest.SameKeys(t, who.Body, want)
	simtest.SameKeys(t, who.At("auth"), simtest.At(want, "auth"))
	caller, _ := b.Book.Authenticate(token)
	if !caller.May("job.write", "bob") || caller.May("repo.write", "bob") {
		t.Error("the scopes are not what was granted")
	}
	b.checkIDToken(got.Text("id_token"))

	// A code is good once, a token for eight hours.
	b.Equal(b.post("/oauth/token", redeem(back.Get("code"))...).Text("error"), "invalid_grant")
	b.clock.Advance(8 * time.Hour)
	b.Must(401, token, "GET", "/api/whoami-v2", nil)
}

// checkIDToken checks the signature with the published key.
func (b *bench) checkIDToken(token string) {
	b.Helper()
	parts := strings.Split(token, ".")
	key, err := base64.RawURLEncoding.DecodeString(b.Must(200, "", "GET", "/oauth/jwks", nil).Text("keys", 0, "x"))
	if err != nil || len(parts) != 3 {
		b.Fatalf("%v, %d parts", err, len(parts))
	}
	signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
	if !ed25519.Verify(key, []byte(parts[0]+"."+parts[1]), signature) {
		b.Error("the identity token's signature is wrong")
	}
	raw, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var claims map[string]any
	if err := json.Unmarshal(raw, &claims); err != nil {
		b.Fatal(err)
	}
	b.Equal([]any{claims["aud"], claims["nonce"], claims["preferred_username"], claims["iss"]}, []any{"cli", "n", "bob", "http://hub.test"})
}

func TestCodeFlowRefuses(t *testing.T) {
	b := newBench(t)
	for name, change := range map[string][]string{
		"other client":   redeem("", "client_id", "other"),
		"other redirect": redeem("", "redirect_uri", "http://127.0.0.1:4712/callback"),
		"wrong verifier": redeem("", "code_verifier", "wrong"),
	} {
		change[3] = b.consent(authorization("openid")).Get("code")
		if got := b.post("/oauth/token", change...); got.Status != 400 || got.Text("error") != "invalid_grant" {
			t.Errorf("%s: %d %s", name, got.Status, got.Raw)
		}
	}
	code := b.consent(authorization("openid")).Get("code")
	b.clock.Advance(11 * time.Minute)
	b.Equal(b.post("/oauth/token", redeem(code)...).Text("error"), "invalid_grant")

	bare := authorization("openid")
	bare.Del("code_challenge")
	code = b.consent(bare).Get("code")
	b.Equal(b.post("/oauth/token", redeem(code)...).Status, 401)

	plain := authorization("openid")
	plain.Set("code_challenge_method", "plain")
	b.Equal(b.consent(plain).Get("error"), "invalid_request")
	b.area.SetConsent(identity.Consent{Deny: true})
	b.Equal(b.consent(authorization("openid")).Get("error"), "access_denied")
	b.Must(400, "", "GET", "/oauth/authorize?client_id=x&redirect_uri=relative", nil)
	b.Equal(b.post("/oauth/token", "grant_type", "password").Text("error"), "unsupported_grant_type")
}

func TestRefreshRotates(t *testing.T) {
	b := newBench(t)
	first := b.post("/oauth/token", redeem(b.consent(authorization("openid jobs")).Get("code"))...)
	renew := func(token, client string) simtest.Reply {
		return b.post("/oauth/token", "grant_type", "refresh_token", "refresh_token", token, "client_id", client)
	}
	b.Equal(renew(first.Text("refresh_token"), "other").Text("error"), "invalid_grant")
	second := renew(first.Text("refresh_token"), "cli")
	b.Equal(second.Status, 200)
	b.Equal(second.Text("scope"), "openid jobs")
	if second.Text("refresh_token") == first.Text("refresh_token") || second.Text("access_token") == first.Text("access_token") {
		t.Error("nothing is new")
	}
	b.Equal(renew(first.Text("refresh_token"), "cli").Text("error"), "invalid_grant")
	b.area.SetConsent(identity.Consent{NoRefresh: true})
	b.Equal(renew(second.Text("refresh_token"), "cli").At("refresh_token"), nil)
}

// Acceptance check 34, the Hub's side.
func TestCheck34_DeviceFlow(t *testing.T) {
	b := newBench(t)
	start := func(c identity.Consent) func() simtest.Reply {
		b.area.SetConsent(c)
		d := b.post("/oauth/device", "client_id", "cli", "scope", "openid profile")
		b.Equal(d.Status, 200)
		simtest.SameKeys(t, d.Body, simtest.Fixture(t, "oauth.json", "device"))
		return func() simtest.Reply {
			return b.post("/oauth/token", "grant_type", deviceGrant, "device_code", d.Text("device_code"), "client_id", "cli")
		}
	}
	poll := start(identity.Consent{User: "alice", Polls: []string{"authorization_pending", "authorization_pending", "slow_down"}})
	for _, want := range []string{"authorization_pending", "authorization_pending", "slow_down"} {
		got := poll()
		b.Equal([]any{got.Status, got.Text("error")}, []any{400, want})
	}
	got := poll()
	b.Equal(got.Status, 200)
	b.Equal(b.Must(200, got.Text("access_token"), "GET", "/oauth/userinfo", nil).At("preferred_username"), "alice")
	b.Equal(poll().Text("error"), "invalid_grant")

	poll = start(identity.Consent{Deny: true, Polls: []string{"authorization_pending"}})
	b.Equal(poll().Text("error"), "authorization_pending")
	b.Equal(poll().Text("error"), "access_denied")
	b.Equal(poll().Text("error"), "invalid_grant")

	poll = start(identity.Consent{Polls: []string{"expired_token"}})
	b.Equal(poll().Text("error"), "expired_token")
	poll = start(identity.Consent{})
	b.clock.Advance(15 * time.Minute)
	b.Equal(poll().Text("error"), "expired_token")
}

func TestDeviceWaitsForItsPage(t *testing.T) {
	b := newBench(t)
	b.area.SetConsent(identity.Consent{Wait: true})
	d := b.post("/oauth/device", "client_id", "cli")
	poll := func() simtest.Reply {
		return b.post("/oauth/token", "grant_type", deviceGrant, "device_code", d.Text("device_code"), "client_id", "cli")
	}
	b.Equal(poll().Text("error"), "authorization_pending")
	b.Must(200, "", "GET", "/oauth/device?user_code=WRONG", nil)
	b.Equal(poll().Text("error"), "authorization_pending")
	page := b.Must(200, "", "GET", strings.TrimPrefix(d.Text("verification_uri_complete"), "http://hub.test"), nil)
	if !strings.Contains(string(page.Raw), "connected as bob") {
		t.Errorf("%s", page.Raw)
	}
	b.Equal(poll().Status, 200)
	b.Equal(b.post("/oauth/device").Text("error"), "invalid_request")
}

func TestRegisteredClients(t *testing.T) {
	b := newBench(t)
	made := b.Must(201, "", "POST", "/oauth/register", map[string]any{
		"redirect_uris": []string{"http://localhost:1/cb", "https://app.test/cb"}, "client_name": "App",
	})
	id, secret := made.Text("client_id"), made.Text("client_secret")
	q := url.Values{"client_id": {id}, "redirect_uri": {"http://localhost:999/cb"}, "response_type": {"code"}}
	code := b.consent(q).Get("code")
	redeem := func(secret string) simtest.Reply {
		return b.post("/oauth/token", "grant_type", "authorization_code", "code", code, "redirect_uri", "http://localhost:999/cb",
			"client_id", id, "client_secret", secret)
	}
	b.Equal(redeem("wrong").Text("error"), "invalid_client")
	b.Equal(redeem(secret).Status, 200)
	for _, uri := range []string{"http://localhost:999/other", "https://app.test/cb2", "http://app.test/cb"} {
		q.Set("redirect_uri", uri)
		b.Must(400, "", "GET", "/oauth/authorize?"+q.Encode(), nil)
	}
	public := b.Must(201, "", "POST", "/oauth/register", map[string]any{
		"redirect_uris": []string{"http://localhost/cb"}, "token_endpoint_auth_method": "none",
	})
	b.Equal(public.At("client_secret"), nil)
	b.Must(400, "", "POST", "/oauth/register", map[string]any{})
}

func TestDiscoveryAndUserinfo(t *testing.T) {
	b := newBench(t)
	got := b.Must(200, "", "GET", "/.well-known/openid-configuration", nil)
	for key := range simtest.Fixture(t, "oauth.json", "openidConfiguration").(map[string]any) {
		if got.At(key) == nil {
			t.Errorf("%s is missing", key)
		}
	}
	b.Equal(got.Text("token_endpoint"), "http://hub.test/oauth/token")
	info := b.Must(200, simtest.BobWrite, "GET", "/oauth/userinfo", nil)
	want := simtest.Fixture(t, "oauth.json", "userinfo")
	simtest.SameKeys(t, info.Body, want)
	simtest.SameKeys(t, info.At("orgs", 0), simtest.At(want, "orgs", 0))
	b.Equal(b.Must(401, "", "GET", "/oauth/userinfo", nil).Text("error"), "invalid_token")
}
