package oauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

const (
	// interval is the pause between two questions where the provider does not
	// say; slower is added when it wants them slower.
	interval = 5 * time.Second
	slower   = 5 * time.Second
	// lifetime is how long a code is good where the provider does not say.
	lifetime = 15 * time.Minute
)

// Device is a login that waits for the user's consent.
type Device struct {
	// UserCode is what the user types at Page; Link has it in it already and
	// may be empty.
	UserCode, Page, Link string
	ExpiresAt            time.Time

	code  string
	pause time.Duration
}

// Start begins a login by a code that is shown here and confirmed in any
// browser.
func (p *Provider) Start(ctx context.Context) (Device, error) {
	var out struct {
		Code     string `json:"device_code"`
		UserCode string `json:"user_code"`
		Page     string `json:"verification_uri"`
		Link     string `json:"verification_uri_complete"`
		Expires  int64  `json:"expires_in"`
		Interval int64  `json:"interval"`
	}
	const op = "start the login"
	if err := p.form(ctx, op, "/oauth/device", url.Values{"scope": {strings.Join(p.o.Scopes, " ")}}, &out); err != nil {
		return Device{}, fmt.Errorf("%s: %w", op, err)
	}
	if out.Code == "" || out.UserCode == "" || out.Page == "" {
		return Device{}, &wire.Error{Kind: wire.Unexpected, Op: op, Message: "the answer holds no code for the user"}
	}
	seconds := func(n int64, otherwise time.Duration) time.Duration {
		return cmp.Or(time.Duration(max(n, 0))*time.Second, otherwise)
	}
	return Device{
		UserCode: out.UserCode, Page: out.Page, Link: out.Link, code: out.Code,
		ExpiresAt: time.Now().Add(seconds(out.Expires, lifetime)), pause: seconds(out.Interval, interval),
	}, nil
}

// Pause is the wait before the provider is asked again.
type Pause struct {
	For time.Duration
	// Slower says that the provider has asked for a longer pause.
	Slower bool
	// Trouble is why the last question got no answer; nil if it did.
	Trouble error
}

// Finish asks for the token until the user has decided; waiting, if not nil, is
// told of each pause. The failure is [ErrDenied] when he refused, [ErrExpired]
// when he did nothing.
func (p *Provider) Finish(ctx context.Context, d Device, waiting func(Pause)) (Token, error) {
	const op = "log in"
	for {
		before := d.pause
		t, err := p.token(ctx, op, url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {d.code},
		})
		if err == nil {
			return t, nil
		}
		if ctx.Err() != nil {
			return Token{}, context.Cause(ctx)
		}
		trouble, err := d.decided(err)
		if err != nil {
			return Token{}, fmt.Errorf("%s: %w", op, err)
		}
		if time.Now().Add(d.pause).After(d.ExpiresAt) {
			return Token{}, fmt.Errorf("%s: %w", op, ErrExpired)
		}
		if waiting != nil {
			waiting(Pause{For: d.pause, Slower: d.pause > before, Trouble: trouble})
		}
		timer := time.NewTimer(d.pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return Token{}, context.Cause(ctx)
		}
	}
}

// decided tells why there will be no token; without a failure the provider is
// asked again, trouble or not.
func (d *Device) decided(err error) (trouble, failure error) {
	var no *refusal
	if !errors.As(err, &no) {
		if errors.Is(err, wire.Unreachable) || errors.Is(err, wire.Server) {
			return err, nil // the user may still be deciding
		}
		return nil, err
	}
	switch no.Code {
	case "authorization_pending":
		return nil, nil
	case "slow_down":
		d.pause += slower
		return nil, nil
	case "access_denied":
		return nil, ErrDenied
	case "expired_token":
		return nil, ErrExpired
	}
	return nil, err
}
