package identity

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
)

// device is a program that waits for its user's consent.
type device struct {
	grant
	userCode string
	polls    []string // answers that come first
	wait     bool     // until its page is opened
	deny     bool
}

func (a *Area) startDevice(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return invalidRequest("the body is not a form")
	}
	if r.PostForm.Get("client_id") == "" {
		return invalidRequest("client_id is missing")
	}
	code, userCode := a.secret("dc_"), a.userCode()
	a.mu.Lock()
	c := a.consent
	a.mu.Unlock()
	d := &device{userCode: userCode, polls: slices.Clone(c.Polls), wait: c.Wait, deny: c.Deny, grant: grant{
		User: a.user(c), Client: r.PostForm.Get("client_id"), Scope: granted(r.PostForm.Get("scope")),
		Until: a.o.Clock.Now().Add(deviceLife),
	}}
	a.mu.Lock()
	maps.DeleteFunc(a.devices, func(_ string, d *device) bool { return a.past(d.Until) }) // nobody came for these
	a.devices[code] = d
	a.mu.Unlock()
	page := answer.Base(r) + "/oauth/device"
	answer.JSON(w, http.StatusOK, map[string]any{
		"device_code": code, "user_code": userCode, "verification_uri": page,
		"verification_uri_complete": page + "?user_code=" + userCode, "expires_in": int(deviceLife / time.Second),
		"interval": interval,
	})
	return nil
}

// userCode is eight letters that nobody mixes up, in two groups.
func (a *Area) userCode() string {
	const letters = "BCDFGHJKLMNPQRSTVWXZ"
	var raw [8]byte
	a.o.Clock.Random(raw[:])
	for i, b := range raw {
		raw[i] = letters[int(b)%len(letters)]
	}
	return string(raw[:4]) + "-" + string(raw[4:])
}

// devicePage is what the user opens: it agrees for a device that waits.
func (a *Area) devicePage(w http.ResponseWriter, r *http.Request) error {
	asked, said := r.URL.Query().Get("user_code"), "Enter the code that your device shows: add ?user_code=CODE to this address."
	a.mu.Lock()
	for _, d := range a.devices {
		if asked != "" && strings.EqualFold(d.userCode, asked) {
			d.wait = false
			said = "Device " + d.userCode + " is connected as " + d.User + ". You may close this page."
		}
	}
	a.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, err := fmt.Fprintf(w, "<!doctype html><title>Connect a device</title><p>%s</p>\n", html.EscapeString(said))
	return err
}

// poll answers a device that asks whether its user has agreed.
func (a *Area) poll(w http.ResponseWriter, r *http.Request) error {
	code := r.PostForm.Get("device_code")
	a.mu.Lock()
	d, ok := a.devices[code]
	var refusal string
	switch {
	case !ok || d.Client != r.PostForm.Get("client_id"):
		a.mu.Unlock()
		return invalidGrant("The device code is unknown or was used")
	case !a.o.Clock.Now().Before(d.Until):
		refusal = "expired_token"
	case len(d.polls) > 0:
		refusal, d.polls = d.polls[0], d.polls[1:]
	case d.deny:
		refusal = "access_denied"
	case d.wait:
		refusal = "authorization_pending"
	}
	if refusal != "authorization_pending" && refusal != "slow_down" {
		delete(a.devices, code) // decided
	}
	a.mu.Unlock()
	if refusal != "" {
		return oauthError(http.StatusBadRequest, refusal, pollText[refusal])
	}
	a.give(w, r, d.grant)
	return nil
}

var pollText = map[string]string{
	"authorization_pending": "The authorization request is still pending",
	"slow_down":             "The client polls too often",
	"expired_token":         "The device code has expired",
	"access_denied":         "The user refused",
}

func (a *Area) register(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Redirects []string `json:"redirect_uris"`
		Name      string   `json:"client_name"`
		Method    string   `json:"token_endpoint_auth_method"`
		Scope     string   `json:"scope"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	if len(body.Redirects) == 0 {
		return oauthError(http.StatusBadRequest, "invalid_redirect_uri", "redirect_uris is missing")
	}
	now := a.o.Clock.Stamp()
	c := client{ID: a.o.Clock.ID(), Name: body.Name, Redirects: body.Redirects}
	made := map[string]any{
		"client_id": c.ID, "client_id_issued_at": now.Unix(), "client_name": c.Name, "redirect_uris": c.Redirects,
		"grant_types": []string{grantCode, grantRefresh}, "response_types": []string{"code"},
		"token_endpoint_auth_method": "none", "scope": granted(body.Scope),
	}
	if body.Method != "none" {
		c.Secret = a.secret("")
		made["client_secret"], made["client_secret_expires_at"] = c.Secret, 0
		made["token_endpoint_auth_method"] = "client_secret_basic"
	}
	a.mu.Lock()
	a.clients[c.ID] = c
	a.mu.Unlock()
	answer.JSON(w, http.StatusCreated, made)
	return nil
}

func (a *Area) userinfo(w http.ResponseWriter, r *http.Request) error {
	c := account.From(r.Context())
	if c == nil {
		return oauthError(http.StatusUnauthorized, "invalid_token", "The access token is missing or not valid")
	}
	u, base := c.User, answer.Base(r)
	orgs := []map[string]any{}
	for _, org := range a.o.Accounts.Orgs(u.Name) {
		o := map[string]any{
			"sub": org.ID, "name": fullname(org), "picture": base + org.Avatar(), "preferred_username": org.Name,
			"isEnterprise": org.Plan == "enterprise" || org.Plan == "plus", "canPay": org.CanPay, "roleInOrg": org.Members[u.Name],
		}
		if org.Plan != "" {
			o["plan"] = org.Plan
		}
		orgs = append(orgs, o)
	}
	info := map[string]any{
		"sub": u.ID, "name": fullname(u), "preferred_username": u.Name, "profile": base + "/" + u.Name,
		"picture": base + u.Avatar(), "isPro": u.Plan == "pro", "orgs": orgs,
	}
	if allowed(c, "email") {
		info["email"], info["email_verified"] = u.Email, u.Email != ""
	}
	if allowed(c, "read-billing") {
		info["canPay"], info["billingMode"], info["periodEnd"] = u.CanPay, billingMode(u), a.periodEnd(u)
	}
	answer.JSON(w, http.StatusOK, info)
	return nil
}

// key signs identity tokens; it is made from the clock's generator at the first
// use. The caller does not hold the lock.
func (a *Area) key() ed25519.PrivateKey {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.signer == nil {
		seed := make([]byte, ed25519.SeedSize)
		a.o.Clock.Random(seed)
		a.signer = ed25519.NewKeyFromSeed(seed)
	}
	return a.signer
}

const keyID = "hubsim"

func (a *Area) jwks(w http.ResponseWriter, _ *http.Request) error {
	public := a.key().Public().(ed25519.PublicKey)
	answer.JSON(w, http.StatusOK, map[string]any{"keys": []any{map[string]any{
		"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": keyID, "x": base64.RawURLEncoding.EncodeToString(public),
	}}})
	return nil
}

// idToken is a signed statement of who logged in.
func (a *Area) idToken(issuer string, g grant, now time.Time) string {
	claims := map[string]any{
		"iss": issuer, "aud": g.Client, "iat": now.Unix(), "exp": now.Add(tokenLife).Unix(), "preferred_username": g.User,
	}
	if e, ok := a.o.Accounts.Find(g.User); ok {
		claims["sub"], claims["name"] = e.ID, fullname(e)
	}
	if g.Nonce != "" {
		claims["nonce"] = g.Nonce
	}
	part := func(v any) string {
		raw, _ := json.Marshal(v) // texts and numbers
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	signed := part(map[string]string{"alg": "EdDSA", "typ": "JWT", "kid": keyID}) + "." + part(claims)
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(a.key(), []byte(signed)))
}
