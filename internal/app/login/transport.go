package login

import (
	"context"
	"io"
	"net/http"
	"strings"
)

// Transport makes requests with the newest token. Who sends requests goes on
// with the token he began with: in requests that carry one of the login in
// force, it is replaced by the fresh one, and a request that is refused with
// 401 is sent once more with another. Where a token goes is not decided here:
// requests without one, or with a token of anybody else, pass as they are.
func (l *Login) Transport(next http.RoundTripper) http.RoundTripper {
	return &transport{l, next}
}

type transport struct {
	login *Login
	next  http.RoundTripper
}

const scheme = "Bearer "

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), scheme)
	if !ok || !t.login.belongs(given) {
		return t.next.RoundTrip(r)
	}
	token := t.login.Token(r.Context(), 0)
	if token != given && t.login.belongs(token) {
		r = carrying(r, token)
	} else {
		token = given
	}
	resp, err := t.next.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	again, ok := t.again(r.Context(), r, token)
	if !ok {
		return resp, nil
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
	_ = resp.Body.Close()
	return t.next.RoundTrip(again)
}

// again is a refused request with another token.
func (t *transport) again(ctx context.Context, r *http.Request, refused string) (*http.Request, bool) {
	if r.Body != nil && r.Body != http.NoBody && r.GetBody == nil {
		return nil, false
	}
	other, err := t.login.source.Instead(ctx, refused)
	if err != nil {
		t.login.tell(err)
		return nil, false
	}
	if other.Access == refused || !t.login.belongs(other.Access) {
		return nil, false
	}
	again := carrying(r, other.Access)
	if r.GetBody != nil {
		if again.Body, err = r.GetBody(); err != nil {
			return nil, false
		}
	}
	return again, true
}

// carrying is the request with another token.
func carrying(r *http.Request, token string) *http.Request {
	c := r.Clone(r.Context())
	c.Header.Set("Authorization", scheme+token)
	return c
}

// CloseIdleConnections lets [http.Client.CloseIdleConnections] through.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
