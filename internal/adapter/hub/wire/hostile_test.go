package wire_test

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

const held = "hf_held/+token=0123456789"

// spy answers everything and remembers what it was asked.
type spy struct {
	asked  []string // URL and Authorization
	answer func(*http.Request) *http.Response
}

func (s *spy) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked = append(s.asked, r.URL.String()+" "+r.Header.Get("Authorization"))
	resp := &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}
	if s.answer != nil {
		resp = s.answer(r)
	}
	resp.Request = r
	return resp, nil
}

func door(t *testing.T, s *spy, endpoint string) (*wire.Conn, error) {
	t.Helper()
	client, err := httpx.New(httpx.Options{Version: "1", Transport: s})
	if err != nil {
		t.Fatal(err)
	}
	return wire.New(wire.Options{HTTP: client, Endpoint: endpoint, Token: held})
}

// The token goes over https, or to this machine itself: what only looks like this
// machine, and names that somebody's name server turns into its address, get
// nothing.
func TestEndpointsThatGetNoToken(t *testing.T) {
	for _, endpoint := range []string{
		"http://huggingface.co", "http://127.0.0.1.evil", "http://localhost.evil", "http://evil.localhost", "http://127.0.0.1.nip.io",
		"http://localtest.me", "http://[::ffff:10.0.0.1]", "http://[::]", "http://0.0.0.0", "http://10.0.0.1", "http://169.254.169.254",
		"http://[fe80::1]", "http://2130706433", "http://0x7f000001", "http://127.1", "http://017700000001", "http://127.0.0.1\u3002evil",
		"http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
	} {
		s := &spy{}
		c, err := door(t, s, endpoint)
		if err == nil {
			_, err = c.JSON(t.Context(), wire.Request{Op: "ask", Path: "/api/x"}, nil)
		}
		if err == nil {
			t.Errorf("%s: asked %q", endpoint, s.asked)
		}
		for _, asked := range s.asked {
			t.Errorf("%s: asked %q", endpoint, asked)
		}
		if err != nil && strings.Contains(err.Error(), held) {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
	for _, endpoint := range []string{
		"https://huggingface.co@evil.example", "https://user:pass@huggingface.co", "http://127.0.0.1@evil.example", "ftp://127.0.0.1", "file:///etc",
		"//127.0.0.1", "127.0.0.1", "http://", "https://huggingface.co?x=1", "https://huggingface.co#x", "javascript:1",
	} {
		if _, err := door(t, &spy{}, endpoint); err == nil {
			t.Errorf("%s is taken as an endpoint", endpoint)
		}
	}
	for _, endpoint := range []string{"http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1", "http://127.8.9.10", "http://[::ffff:127.0.0.1]:1", "https://hub.example"} {
		s := &spy{}
		c, err := door(t, s, endpoint)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.JSON(t.Context(), wire.Request{Op: "ask", Path: "/api/x"}, nil); err != nil || len(s.asked) != 1 || !strings.HasSuffix(s.asked[0], "Bearer "+held) {
			t.Errorf("%s: %q, %v", endpoint, s.asked, err)
		}
	}
}

// An address that an answer names gets the token only at the very origin of the
// Hub, and nothing at all over plain http elsewhere.
func TestAddressesInAnswers(t *testing.T) {
	for address, want := range map[string]string{
		"https://hub.example/a":                 "token",
		"https://HUB.example:443/a":             "token",
		"https://hub.example:8443/a":            "plain",
		"https://hub.example.evil/a":            "plain",
		"https://hub.example@evil.example/a":    "plain",
		"https://x:y@hub.example/a":             "token", // of what stands before it nothing is sent
		"https://evil.example/hub.example":      "plain",
		"https://evil.example\\@hub.example/a":  "none",
		"http://hub.example/a":                  "none",
		"http://evil.example/a":                 "none",
		"http://169.254.169.254/latest":         "none",
		"http://127.0.0.1:1/a":                  "plain",
		"https://huggingface.co/a":              "token", // the Hub in use repeats the public one's answers
		"https://huggingface.co.evil.example/a": "plain",
		"file:///etc/passwd":                    "none",
		"gopher://hub.example/":                 "none",
		"/relative":                             "none",
		"":                                      "none",
	} {
		s := &spy{}
		c, err := door(t, s, "https://hub.example")
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Signed(t.Context(), wire.SignedRequest{
			Op: "send", URL: address, Auth: true, Header: http.Header{"Authorization": {"Bearer from the answer"}},
		})
		got := "none"
		if err == nil {
			resp.Body.Close()
			got = "plain"
		}
		for _, asked := range s.asked {
			if strings.Contains(asked, held) {
				got = "token"
			}
			if strings.Contains(asked, "from the answer") || strings.Contains(asked, "x:y") || strings.Contains(asked, "user") {
				t.Errorf("%s: asked %q", address, asked)
			}
		}
		if err != nil && len(s.asked) > 0 {
			t.Errorf("%s: asked %q and refused: %v", address, s.asked, err)
		}
		if got != want {
			t.Errorf("%q got %s, want %s (%v)", address, got, want, err)
		}
	}
}

// Whatever part of an answer repeats the token, in whatever spelling, the error
// does not, and nothing in it steers a terminal.
func TestNoTokenInErrors(t *testing.T) {
	spellings := strings.Join([]string{
		held, base64.StdEncoding.EncodeToString([]byte(held)), base64.RawURLEncoding.EncodeToString([]byte(held)), url.QueryEscape(held), url.PathEscape(held),
	}, " ")
	for _, status := range []int{302, 400, 401, 402, 403, 404, 409, 412, 422, 429, 500} {
		s := &spy{answer: func(*http.Request) *http.Response {
			return &http.Response{StatusCode: status, Header: http.Header{
				"X-Error-Message": {spellings}, "X-Error-Code": {spellings}, "X-Request-Id": {spellings}, "X-Repo-Commit": {"x"},
				"X-Hf-Warning": {spellings + "; " + spellings + "\u202e\x1b]0;x\a"}, "Location": {"ftp://" + held}, "Retry-After": {"900"},
			}, Body: io.NopCloser(strings.NewReader(`{"error":"` + strings.Repeat("long ", status%97) + spellings + `\u001b[2J\u202e"}`))}
		}}
		client, err := httpx.New(httpx.Options{Version: "1", Transport: s})
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		c, err := wire.New(wire.Options{HTTP: client, Endpoint: "https://hub.example", Token: held, Warn: func(topic, text string) { told = append(told, topic+text) }})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.JSON(t.Context(), wire.Request{Op: "ask", Path: "/api/models/a/b", Retry: wire.Never}, nil)
		var e *wire.Error
		if !errors.As(err, &e) {
			t.Fatalf("%d: %v", status, err)
		}
		for _, text := range append(told, e.Error(), e.Message, e.Code, e.RequestID, e.URL, e.Remedy) {
			for _, spelling := range strings.Fields(spellings) {
				if strings.Contains(text, spelling) || strings.Contains(text, spelling[:12]) {
					t.Errorf("%d: %q holds %s", status, text, spelling)
				}
			}
			if strings.ContainsAny(text, "\x1b\a\u202e") {
				t.Errorf("%d: %q steers terminals", status, text)
			}
		}
	}
}
