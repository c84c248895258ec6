package account

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/account/oauth"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/hubtest"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// office is a provider that answers the polls of one login in turn.
type office struct {
	answers []string
	last    time.Time
	waits   []time.Duration
}

func (o *office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/oauth/device" {
		o.last = time.Now()
		fmt.Fprint(w, `{"device_code":"secret-code","user_code":"ABCD-EFGH","verification_uri":"https://hub/oauth/device","verification_uri_complete":"https://hub/oauth/device?user_code=ABCD-EFGH","expires_in":900,"interval":5}`)
		return
	}
	o.waits, o.last = append(o.waits, time.Since(o.last)), time.Now()
	answer := o.answers[min(len(o.waits)-1, len(o.answers)-1)]
	switch answer {
	case "ok":
		fmt.Fprint(w, `{"access_token":"hf_oauth_x","token_type":"bearer","expires_in":28800,"scope":"openid","refresh_token":"r1"}`)
	case "502":
		w.WriteHeader(502)
	default:
		w.WriteHeader(400)
		fmt.Fprintf(w, `{"error":%q}`, answer)
	}
}

// paper is what was written, by several.
type paper struct {
	mu   sync.Mutex
	text strings.Builder
}

func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *paper) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func ask(ctx context.Context, t *testing.T, o *office, tty bool) (string, error) {
	t.Helper()
	n := hubtest.New(t)
	n.ServeHub(o.ServeHTTP)
	conn, err := wire.New(wire.Options{HTTP: n.Client(), Endpoint: hubtest.Hub})
	if err != nil {
		t.Fatal(err)
	}
	p, err := oauth.New(oauth.Options{Conn: conn, ClientID: "client-1"})
	if err != nil {
		t.Fatal(err)
	}
	out := &paper{}
	token, err := consent(ctx, p, out, tty)
	if (err == nil) != (token.Access == "hf_oauth_x") {
		t.Errorf("%v with %v", token, err)
	}
	text := out.String()
	if strings.Contains(text, "secret-code") || strings.Contains(text, "hf_oauth_x") || strings.ContainsAny(text, "\x1b\a") {
		t.Errorf("it shows %q", text)
	}
	return text, err
}

// Acceptance check 34, as the user sees it.
func TestCheck34_Consent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{answers: []string{"authorization_pending", "authorization_pending", "slow_down", "ok"}}
		text, err := ask(t.Context(), t, o, false)
		want := `Open https://hub/oauth/device in any browser and enter the code ABCD-EFGH
or open https://hub/oauth/device?user_code=ABCD-EFGH
Waiting for your consent, for at most 15m0s (Ctrl-C gives up)
The Hub wants to be asked less often: every 10s from now on
`
		if diff := cmp.Diff(want, text); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
		if diff := cmp.Diff([]time.Duration{0, 5 * time.Second, 5 * time.Second, 10 * time.Second}, o.waits); diff != "" {
			t.Error(diff)
		}
	})
	for name, c := range map[string]struct {
		answers []string
		want    error
		polls   int
	}{
		"refused": {[]string{"authorization_pending", "access_denied"}, oauth.ErrDenied, 2},
		"expired": {[]string{"expired_token"}, oauth.ErrExpired, 1},
		"trouble": {[]string{"502", "502", "authorization_pending", "502", "ok"}, nil, 5},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &office{answers: c.answers}
				text, err := ask(t.Context(), t, o, false)
				if !errors.Is(err, c.want) || len(o.waits) != c.polls {
					t.Errorf("%v after %d polls", err, len(o.waits))
				}
				if n := strings.Count(text, "cannot be asked for now"); (name == "trouble") != (n == 2) {
					t.Errorf("trouble is told %d times: %s", n, text)
				}
			})
		})
	}
}

// On a terminal one line counts down, and is gone at the end.
func TestConsentOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text, err := ask(t.Context(), t, &office{answers: []string{"authorization_pending", "slow_down", "ok"}}, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"\rWaiting for your consent, 15m0s left", "\rWaiting for your consent, 14m57s left", "every 10s from now on\n"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in %q", want, text)
			}
		}
		lines := strings.Split(text, "\r")
		if last := lines[len(lines)-1]; last != "" || strings.TrimSpace(lines[len(lines)-2]) != "" {
			t.Errorf("the line is still there: %q", lines[len(lines)-2:])
		}
		if n := strings.Count(text, "Waiting"); n < 15 || n > 18 {
			t.Errorf("the line was written %d times", n)
		}
	})
}

func TestConsentIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		given := errors.New("Ctrl-C")
		time.AfterFunc(7*time.Second, func() { cancel(given) })
		begun := time.Now()
		o := &office{answers: []string{"authorization_pending"}}
		if _, err := ask(ctx, t, o, true); !errors.Is(err, given) || time.Since(begun) != 7*time.Second || len(o.waits) != 2 {
			t.Errorf("%v after %v and %d polls", err, time.Since(begun), len(o.waits))
		}
	})
}
