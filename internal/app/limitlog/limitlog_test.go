package limitlog_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/app/limitlog"
)

func TestLimitsGoToTheDebugLog(t *testing.T) {
	limits := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if limits {
			w.Header().Set("X-RateLimit-Remaining-Tokens", "149984")
			w.Header().Set("anthropic-ratelimit-requests-limit", "4000")
			w.Header().Set("inference-id", "abc")
			w.Header().Set("Set-Cookie", "secret=1")
		}
	}))
	defer server.Close()
	var lines []string
	client := &http.Client{Transport: &limitlog.Transport{Next: http.DefaultTransport, Note: func(s string) { lines = append(lines, s) }}}
	for range 2 {
		resp, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		limits = false
	}
	want := "anthropic-ratelimit-requests-limit=4000 inference-id=abc x-ratelimit-remaining-tokens=149984"
	if len(lines) != 1 || !strings.HasSuffix(lines[0], ": "+want) {
		t.Errorf("noted %q, want one line that ends with %q", lines, want)
	}
}
