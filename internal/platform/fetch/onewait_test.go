package fetch_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// A service that keeps asking for nine seconds has the requests of one call wait
// twice, and no more than twenty seconds in all.
func TestRequestsOfOneCallShareTheirWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		c := scripted(t, func(*http.Request) (*http.Response, error) {
			requests++
			return reply(http.StatusTooManyRequests, "", "Retry-After", "9"), nil
		})
		ctx := fetch.OneWait(t.Context())
		start := time.Now()
		for _, path := range []string{"a", "b", "c"} {
			_, err := c.Do(ctx, fetch.Request{URL: page + path})
			wantKind(t, err, fetch.RateLimited)
		}
		if took := time.Since(start).Round(time.Second); requests != 5 || took != 18*time.Second {
			t.Errorf("%d requests in %s, want 5 in 18s", requests, took)
		}
	})
}
