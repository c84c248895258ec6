package hubsim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
)

// reply is an answer with its body read.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// client sends requests on connections of its own.
func client(t testing.TB) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// send does one request; header lines are "Name: value".
func send(t testing.TB, c *http.Client, method, url, token, body string, header ...string) (reply, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var in io.Reader // nil for no body at all
	if body != "" {
		in = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, url, in)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	res, err := c.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, raw}, err
}

func must(t testing.TB, status int, method, url, token, body string, header ...string) reply {
	t.Helper()
	r, err := send(t, client(t), method, url, token, body, header...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	if r.status != status {
		t.Fatalf("%s %s: %d, want %d: %s", method, url, r.status, status, r.body)
	}
	return r
}

func (r reply) json(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(r.body, &v); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
	return v
}

func TestTwoHostsAndTheHeadersOfEveryAnswer(t *testing.T) {
	h := hubsimtest.Start(t, hubsim.Options{})
	if !strings.HasPrefix(h.URL(), "http://127.0.0.1:") || !strings.HasPrefix(h.CDNURL(), "http://localhost:") {
		t.Fatalf("%s and %s", h.URL(), h.CDNURL())
	}
	r := must(t, 200, "GET", h.URL()+"/api/whoami-v2", "hf_bob_write", "", "X-Amzn-Trace-Id: my-id")
	if r.json(t)["name"] != "bob" {
		t.Errorf("%s", r.body)
	}
	if got := r.header.Get("X-Request-Id"); got != "Root=1-6955b900-000000000000000000000001;my-id" {
		t.Errorf("X-Request-Id %q", got)
	}
	if got := r.header.Get("RateLimit"); got != `"api";r=2999;t=300` {
		t.Errorf("RateLimit %q", got)
	}
	if got := r.header.Get("RateLimit-Policy"); got != `"fixed window";"api";q=3000;w=300` {
		t.Errorf("RateLimit-Policy %q", got)
	}
	if !strings.Contains(r.header.Get("Access-Control-Expose-Headers"), "X-Error-Code") {
		t.Error("X-Error-Code is not exposed")
	}
	r = must(t, 401, "GET", h.URL()+"/api/whoami-v2", "hf_wrong", "")
	if !bytes.Contains(r.body, []byte(`"Invalid user token."`)) {
		t.Errorf("%s", r.body)
	}
	if must(t, 403, "GET", h.CDNURL()+"/lfs-get/x", "", "").header.Get("X-Request-Id") == "" {
		t.Error("the content host sends no request id")
	}
}
