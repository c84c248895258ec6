// Package oauth gets tokens from the Hub with the user's consent: by a code
// shown on this device, or through the browser, always with PKCE. It keeps a
// token fresh, but knows neither where it is stored nor what it is used for.
package oauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

var (
	// ErrDenied is the user's refusal.
	ErrDenied = errors.New("the login was refused in the browser; start it again to try once more")
	// ErrExpired is a login nobody finished in time.
	ErrExpired = errors.New("the login was not confirmed in time; start it again to get a new code")
	// ErrLoginAgain is a token that cannot be made fresh any more.
	ErrLoginAgain = errors.New("the login has ended; log in again with: ml-intern login")
)

// Scopes are the least a session needs: who the user is, reading his
// repositories, and inference.
func Scopes() []string { return []string{"openid", "profile", "read-repos", "inference-api"} }

// AllScopes are what every feature together needs.
func AllScopes() []string {
	return []string{
		"openid", "profile", "read-billing", "read-repos", "write-repos", "contribute-repos", "manage-repos",
		"write-collections", "inference-api", "jobs", "write-discussions",
	}
}

// Options of a provider.
type Options struct {
	// Conn leads to the provider, as nobody: the user has no token yet.
	Conn *wire.Conn
	// ClientID is the id under which the program is registered there.
	ClientID string
	// Scopes are asked for; nil means [Scopes].
	Scopes []string
}

// Provider gives tokens out. It is safe for concurrent use.
type Provider struct{ o Options }

// New checks the options; nothing is sent.
func New(o Options) (*Provider, error) {
	switch {
	case o.Conn == nil:
		return nil, errors.New("log in: Options.Conn is missing")
	case !o.Conn.Anonymous():
		return nil, errors.New("log in: Options.Conn carries a token")
	case !private(o.Conn.Endpoint()):
		return nil, fmt.Errorf("log in: %s is not an https address: what makes a token is not sent over plain http", o.Conn.Endpoint())
	case strings.TrimSpace(o.ClientID) == "":
		return nil, errors.New("log in: there is no OAuth client id: set ML_INTERN_OAUTH_CLIENT_ID, or paste a token instead")
	}
	if o.Scopes == nil {
		o.Scopes = Scopes()
	}
	return &Provider{o}, nil
}

// private reports whether what is sent there cannot be read on the way.
func private(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// Token is what a login gives. It is a secret.
type Token struct {
	Access, Refresh string // Refresh is empty where the provider gives none
	ID              string // the OpenID token, a JWT
	Scope           string
	At              time.Time // when it was given
	ExpiresAt       time.Time // zero when the provider does not say
}

// String hides the secret.
func (t Token) String() string { return "an OAuth token for " + t.Scope }

// GoString hides the secret.
func (t Token) GoString() string { return t.String() }

// refusal is the provider's word that it gives no token.
type refusal struct{ Code, Description string }

// Error is the provider's reason.
func (r *refusal) Error() string {
	if r.Description != "" {
		return r.Description + " (" + r.Code + ")"
	}
	return r.Code
}

// form posts a form and decodes the answer, or the refusal in it.
func (p *Provider) form(ctx context.Context, op, path string, f url.Values, into any) error {
	f.Set("client_id", p.o.ClientID)
	body := []byte(f.Encode())
	resp, err := p.o.Conn.Do(ctx, wire.Request{
		Op: op, Method: http.MethodPost, Path: path, Type: "application/x-www-form-urlencoded", Retry: wire.CertainlyNotApplied,
		Body:   func() (io.Reader, int64, error) { return bytes.NewReader(body), int64(len(body)), nil },
		Status: []int{http.StatusOK, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden},
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return &wire.Error{Kind: wire.Unreachable, Op: op, Status: resp.StatusCode, Err: err}
	}
	if resp.StatusCode != http.StatusOK {
		var no struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}
		if json.Unmarshal(data, &no) == nil && no.Error != "" {
			return &refusal{no.Error, no.Description}
		}
	}
	if resp.StatusCode != http.StatusOK || json.Unmarshal(data, into) != nil {
		return &wire.Error{Kind: wire.Unexpected, Op: op, Status: resp.StatusCode, Message: "the answer is not one of an OAuth provider"}
	}
	return nil
}

// token asks for a token.
func (p *Provider) token(ctx context.Context, op string, f url.Values) (Token, error) {
	var out struct {
		Access  string `json:"access_token"`
		Type    string `json:"token_type"`
		Expires int64  `json:"expires_in"`
		Scope   string `json:"scope"`
		ID      string `json:"id_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := p.form(ctx, op, "/oauth/token", f, &out); err != nil {
		return Token{}, err
	}
	if out.Access == "" || out.Type != "" && !strings.EqualFold(out.Type, "bearer") {
		return Token{}, &wire.Error{Kind: wire.Unexpected, Op: op, Message: "the answer holds no bearer token"}
	}
	t := Token{Access: out.Access, Refresh: out.Refresh, ID: out.ID, Scope: out.Scope, At: time.Now()}
	if t.Scope == "" {
		t.Scope = strings.Join(p.o.Scopes, " ")
	}
	if out.Expires > 0 {
		t.ExpiresAt = t.At.Add(time.Duration(out.Expires) * time.Second)
	}
	return t, nil
}

// Refresh makes a token fresh. The old one's refresh part is used up.
func (p *Provider) Refresh(ctx context.Context, old Token) (Token, error) {
	const op = "refresh the login"
	if old.Refresh == "" {
		return Token{}, fmt.Errorf("%s: %w", op, ErrLoginAgain)
	}
	t, err := p.token(ctx, op, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {old.Refresh}})
	var no *refusal
	if errors.As(err, &no) {
		return Token{}, fmt.Errorf("%s: %s: %w", op, no, ErrLoginAgain)
	}
	if err != nil {
		return Token{}, fmt.Errorf("%s: %w", op, err)
	}
	if t.Refresh == "" {
		t.Refresh = old.Refresh // some providers keep it
	}
	return t, nil
}
