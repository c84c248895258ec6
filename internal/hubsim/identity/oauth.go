package identity

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
)

// Lifetimes on the simulated clock.
const (
	tokenLife  = 8 * time.Hour
	codeLife   = 10 * time.Minute
	deviceLife = 15 * time.Minute
	interval   = 5 // seconds between two polls of the device flow
)

var scopes = [...]string{
	"openid", "profile", "email", "read-billing", "read-memberships", "read-repos", "gated-repos", "contribute-repos",
	"write-repos", "manage-repos", "read-collections", "write-collections", "inference-api", "jobs", "webhooks",
	"read-endpoints", "write-endpoints", "write-discussions",
}

const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
	grantDevice  = "urn:ietf:params:oauth:grant-type:device_code"
)

// Consent is how the person at the browser answers.
type Consent struct {
	User string // who logs in; empty is Options.User
	Deny bool
	// Polls are the errors a device flow answers first, such as
	// authorization_pending or slow_down, one a poll.
	Polls []string
	// Wait leaves a device pending until its page is opened with its code.
	Wait bool
	// NoRefresh gives no refresh token.
	NoRefresh bool
}

// SetConsent changes how people answer from now on.
func (a *Area) SetConsent(c Consent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c.Polls = slices.Clone(c.Polls)
	a.consent = c
}

// client is a registered program.
type client struct {
	ID        string   `json:"id"`
	Secret    string   `json:"secret,omitempty"`
	Name      string   `json:"name,omitempty"`
	Redirects []string `json:"redirects"`
}

// grant is what a code or a refresh token stands for.
type grant struct {
	User      string    `json:"user"`
	Client    string    `json:"client"`
	Scope     string    `json:"scope"`
	Redirect  string    `json:"redirect,omitempty"`
	Challenge string    `json:"challenge,omitempty"`
	Nonce     string    `json:"nonce,omitempty"`
	Until     time.Time `json:"until,omitzero"`
}

func (a *Area) oauthRoutes(mux *http.ServeMux) {
	mux.Handle("GET /.well-known/openid-configuration", answer.Handler(discovery))
	mux.Handle("GET /.well-known/oauth-authorization-server", answer.Handler(discovery))
	mux.Handle("GET /.well-known/oauth-protected-resource/mcp", answer.Handler(resource))
	mux.Handle("GET /oauth/authorize", answer.Handler(a.authorize))
	mux.Handle("POST /oauth/token", answer.Handler(a.token))
	mux.Handle("POST /oauth/device", answer.Handler(a.startDevice))
	mux.Handle("GET /oauth/device", answer.Handler(a.devicePage))
	mux.Handle("POST /oauth/register", answer.Handler(a.register))
	mux.Handle("GET /oauth/userinfo", answer.Handler(a.userinfo))
	mux.Handle("POST /oauth/userinfo", answer.Handler(a.userinfo))
	mux.Handle("GET /oauth/jwks", answer.Handler(a.jwks))
}

func discovery(w http.ResponseWriter, r *http.Request) error {
	base := answer.Base(r)
	answer.JSON(w, http.StatusOK, map[string]any{
		"issuer": base, "authorization_endpoint": base + "/oauth/authorize", "token_endpoint": base + "/oauth/token",
		"userinfo_endpoint": base + "/oauth/userinfo", "device_authorization_endpoint": base + "/oauth/device",
		"registration_endpoint": base + "/oauth/register", "jwks_uri": base + "/oauth/jwks", "scopes_supported": scopes[:],
		"response_types_supported": []string{"code"}, "grant_types_supported": []string{grantCode, grantRefresh, grantDevice},
		"code_challenge_methods_supported": []string{"S256"}, "id_token_signing_alg_values_supported": []string{"EdDSA"},
		"subject_types_supported":               []string{"public"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post", "none"},
		"client_id_metadata_document_supported": true,
	})
	return nil
}

// resource tells clients of the MCP server who logs people in.
func resource(w http.ResponseWriter, r *http.Request) error {
	base := answer.Base(r)
	answer.JSON(w, http.StatusOK, map[string]any{"resource": base + "/mcp", "authorization_servers": []string{base}, "scopes_supported": []string{"openid", "profile", "read-repos"}})
	return nil
}

// oauthError is a refusal in the words of OAuth.
func oauthError(status int, code, description string) error {
	return &answer.Error{Status: status, Message: code, Extra: map[string]any{"error_description": description}}
}

func invalidRequest(description string) error {
	return oauthError(http.StatusBadRequest, "invalid_request", description)
}

// secret returns a new value nobody can guess, on this clock's generator.
func (a *Area) secret(prefix string) string {
	var raw [16]byte
	a.o.Clock.Random(raw[:])
	return prefix + hex.EncodeToString(raw[:])
}

// user is who answers at the browser.
func (a *Area) user(c Consent) string {
	for _, name := range []string{c.User, a.o.User} {
		if e, ok := a.o.Accounts.Find(name); ok && e.Type == "user" {
			return e.Name
		}
	}
	for _, e := range a.o.Accounts.Entities() {
		if e.Type == "user" {
			return e.Name
		}
	}
	return ""
}

// granted keeps the scopes that exist, profile where none is asked for.
func granted(asked string) string {
	var some []string
	for _, s := range strings.Fields(asked) {
		if slices.Contains(scopes[:], s) && !slices.Contains(some, s) {
			some = append(some, s)
		}
	}
	if some == nil {
		some = []string{"openid", "profile"}
	}
	return strings.Join(some, " ")
}

func (a *Area) authorize(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	target, err := url.Parse(q.Get("redirect_uri"))
	switch {
	case q.Get("client_id") == "":
		return invalidRequest("client_id is missing")
	case err != nil || !target.IsAbs():
		return invalidRequest("redirect_uri must be an absolute address")
	case !a.mayRedirect(q.Get("client_id"), target):
		return invalidRequest("redirect_uri is not one of the client's")
	}
	back := target.Query()
	if state := q.Get("state"); state != "" {
		back.Set("state", state)
	}
	a.mu.Lock()
	consent := a.consent
	a.mu.Unlock()
	switch {
	case q.Get("response_type") != "code":
		back.Set("error", "unsupported_response_type")
	case q.Get("code_challenge") != "" && q.Get("code_challenge_method") != "S256":
		back.Set("error", "invalid_request")
		back.Set("error_description", "code_challenge_method must be S256")
	case consent.Deny:
		back.Set("error", "access_denied")
		back.Set("error_description", "The user refused")
	default:
		code := a.secret("")
		a.mu.Lock()
		maps.DeleteFunc(a.codes, func(_ string, g grant) bool { return a.past(g.Until) }) // nobody came for these
		a.codes[code] = grant{
			User: a.user(consent), Client: q.Get("client_id"), Scope: granted(q.Get("scope")), Redirect: q.Get("redirect_uri"),
			Challenge: q.Get("code_challenge"), Nonce: q.Get("nonce"), Until: a.o.Clock.Now().Add(codeLife),
		}
		a.mu.Unlock()
		back.Set("code", code)
	}
	target.RawQuery = back.Encode()
	http.Redirect(w, r, target.String(), http.StatusSeeOther)
	return nil
}

// past reports whether a moment is over for so long that nobody asks for what
// ended then: until that the answer says it is too late.
func (a *Area) past(end time.Time) bool { return a.o.Clock.Now().Sub(end) > deviceLife }

// mayRedirect checks an address against those a client registered; clients that
// did not register may use any. Loopback addresses match on every port.
func (a *Area) mayRedirect(id string, target *url.URL) bool {
	a.mu.Lock()
	c, ok := a.clients[id]
	a.mu.Unlock()
	if !ok {
		return true
	}
	return slices.ContainsFunc(c.Redirects, func(known string) bool {
		u, err := url.Parse(known)
		if err != nil {
			return false
		}
		ip := net.ParseIP(u.Hostname())
		if u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
			return u.Hostname() == target.Hostname() && u.Path == target.Path && u.Scheme == target.Scheme
		}
		return known == target.String()
	})
}

func (a *Area) token(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return invalidRequest("the body is not a form")
	}
	if err := a.authenticate(r); err != nil {
		return err
	}
	switch r.PostForm.Get("grant_type") {
	case grantCode:
		return a.redeemCode(w, r)
	case grantRefresh:
		return a.renew(w, r)
	case grantDevice:
		return a.poll(w, r)
	}
	return oauthError(http.StatusBadRequest, "unsupported_grant_type", "grant_type is not one of the supported")
}

// authenticate checks the secret of a client that has one.
func (a *Area) authenticate(r *http.Request) error {
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	a.mu.Lock()
	c, ok := a.clients[id]
	a.mu.Unlock()
	if ok && c.Secret != "" && subtle.ConstantTimeCompare([]byte(secret), []byte(c.Secret)) != 1 {
		return oauthError(http.StatusUnauthorized, "invalid_client", "The client's secret is wrong")
	}
	r.PostForm.Set("client_id", id)
	r.PostForm.Set("client_secret", secret)
	return nil
}

func invalidGrant(description string) error {
	return oauthError(http.StatusBadRequest, "invalid_grant", description)
}

func (a *Area) redeemCode(w http.ResponseWriter, r *http.Request) error {
	f := r.PostForm
	a.mu.Lock()
	g, ok := a.codes[f.Get("code")]
	delete(a.codes, f.Get("code")) // good for one try
	a.mu.Unlock()
	switch {
	case !ok || !a.o.Clock.Now().Before(g.Until):
		return invalidGrant("The code is unknown, used or expired")
	case g.Client != f.Get("client_id"):
		return invalidGrant("The code was given to another client")
	case g.Redirect != f.Get("redirect_uri"):
		return invalidGrant("redirect_uri differs from the one the code was given for")
	case g.Challenge != "" && challenge(f.Get("code_verifier")) != g.Challenge:
		return invalidGrant("code_verifier does not fit the challenge")
	case g.Challenge == "" && f.Get("client_secret") == "":
		return oauthError(http.StatusUnauthorized, "invalid_client", "A code without a challenge needs the client's secret")
	}
	a.give(w, r, g)
	return nil
}

// challenge is what a verifier was announced with.
func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// renew gives a new pair of tokens for a refresh token, which is used up.
func (a *Area) renew(w http.ResponseWriter, r *http.Request) error {
	f := r.PostForm
	a.mu.Lock()
	g, ok := a.refresh[f.Get("refresh_token")]
	if ok && g.Client == f.Get("client_id") {
		delete(a.refresh, f.Get("refresh_token"))
	}
	a.mu.Unlock()
	switch {
	case !ok:
		return invalidGrant("The refresh token is unknown or was used")
	case g.Client != f.Get("client_id"):
		return invalidGrant("The refresh token was given to another client")
	}
	a.give(w, r, g)
	return nil
}

// give answers with new tokens.
func (a *Area) give(w http.ResponseWriter, r *http.Request, g grant) {
	now := a.o.Clock.Stamp()
	value := a.secret("hf_oauth_")
	a.o.Accounts.PutToken(account.Token{
		Value: value, Owner: g.User, DisplayName: g.Client, Role: "fineGrained", Global: permissions(g.Scope),
		OAuthScopes: strings.Fields(g.Scope), CreatedAt: now, ExpiresAt: now.Add(tokenLife),
	})
	body := map[string]any{
		"access_token": value, "token_type": "bearer", "expires_in": int(tokenLife / time.Second), "scope": g.Scope,
	}
	a.mu.Lock()
	if !a.consent.NoRefresh {
		next := a.secret("hf_oauth_refresh_")
		g.Until = time.Time{}
		a.refresh[next] = g
		body["refresh_token"] = next
	}
	a.mu.Unlock()
	if slices.Contains(strings.Fields(g.Scope), "openid") {
		body["id_token"] = a.idToken(answer.Base(r), g, now)
	}
	w.Header().Set("Cache-Control", "no-store")
	answer.JSON(w, http.StatusOK, body)
}

// permissions says what scopes allow, in the words of fine-grained tokens.
func permissions(scope string) []string {
	allow := map[string][]string{
		"read-repos": {account.RepoRead}, "write-repos": {account.RepoRead, account.RepoWrite},
		"manage-repos": {account.RepoRead, account.RepoWrite}, "contribute-repos": {account.RepoRead, account.RepoWrite},
		"read-billing": {account.BillingRead}, "jobs": {account.JobWrite}, "inference-api": {account.Inference},
		"write-collections": {account.CollectionWrite}, "write-discussions": {account.DiscussionWrite},
	}
	var some []string
	for _, s := range strings.Fields(scope) {
		some = append(some, allow[s]...)
	}
	slices.Sort(some)
	return slices.Compact(some)
}
