package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Attempt is a login through the browser that has begun. Keep it until the
// browser comes back; it is good once.
type Attempt struct {
	// URL is where the browser is sent.
	URL string
	// State must come back with the code.
	State    string
	Redirect string

	verifier string
}

// Begin makes a login through the browser, which comes back to redirect: an
// address of this program, on any port of this machine.
func (p *Provider) Begin(redirect string) (Attempt, error) {
	u, err := url.Parse(redirect)
	if err != nil || u.Host == "" || u.Fragment != "" {
		return Attempt{}, fmt.Errorf("log in: redirect %q is not a web address", redirect)
	}
	a := Attempt{State: rand.Text(), verifier: rand.Text() + rand.Text(), Redirect: redirect}
	sum := sha256.Sum256([]byte(a.verifier))
	q := url.Values{
		"client_id": {p.o.ClientID}, "redirect_uri": {redirect}, "scope": {strings.Join(p.o.Scopes, " ")},
		"response_type": {"code"}, "state": {a.State}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}
	a.URL = strings.TrimRight(p.o.Conn.Endpoint().String(), "/") + "/oauth/authorize?" + q.Encode()
	return a, nil
}

// Complete turns what the browser came back with into a token.
func (p *Provider) Complete(ctx context.Context, a Attempt, back url.Values) (Token, error) {
	const op = "log in"
	if subtle.ConstantTimeCompare([]byte(back.Get("state")), []byte(a.State)) != 1 {
		return Token{}, fmt.Errorf("%s: the browser's answer belongs to another login", op)
	}
	switch code := back.Get("error"); {
	case code == "access_denied":
		return Token{}, fmt.Errorf("%s: %w", op, ErrDenied)
	case code != "":
		return Token{}, fmt.Errorf("%s: %w", op, &refusal{code, back.Get("error_description")})
	case back.Get("code") == "":
		return Token{}, errors.New(op + ": the browser's answer holds no code")
	}
	t, err := p.token(ctx, op, url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Get("code")}, "redirect_uri": {a.Redirect}, "code_verifier": {a.verifier},
	})
	if err != nil {
		return Token{}, fmt.Errorf("%s: %w", op, err)
	}
	return t, nil
}
