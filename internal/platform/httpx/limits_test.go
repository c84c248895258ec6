package httpx_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// slow is a body of several pieces.
type slow struct{ pieces int }

func (s *slow) Read(p []byte) (int, error) {
	if s.pieces == 0 {
		return 0, io.EOF
	}
	s.pieces--
	return copy(p, "piece"), nil
}

// Limits of one request count from the moment it is out, and bound how long it
// may stand still on its way.
func TestWithLimits(t *testing.T) {
	for name, k := range map[string]struct {
		takes, thinks time.Duration // of the server, for each piece and at the end
		phase         string
		after         time.Duration
	}{
		"a slow upload":       {takes: 8 * time.Second, thinks: 20 * time.Second},
		"one that stops":      {takes: 11 * time.Second, phase: "idle", after: 10 * time.Second},
		"a server that waits": {takes: time.Second, thinks: time.Minute, phase: "first byte", after: 40 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := client(t, httpx.Options{Transport: fake(func(r *http.Request) (*http.Response, error) {
					buf := make([]byte, 5)
					for {
						if _, err := r.Body.Read(buf); err != nil {
							break
						}
						select {
						case <-time.After(k.takes):
						case <-r.Context().Done():
							return nil, r.Context().Err()
						}
					}
					select {
					case <-time.After(k.thinks):
						return ok(io.NopCloser(strings.NewReader("done"))), nil
					case <-r.Context().Done():
						return nil, r.Context().Err()
					}
				})})
				start := time.Now()
				ctx := httpx.WithLimits(t.Context(), httpx.Limits{FirstByte: 30 * time.Second, Idle: 10 * time.Second})
				req, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://127.0.0.1/x", &slow{pieces: 10})
				if err != nil {
					t.Fatal(err)
				}
				resp, err := c.Do(req)
				if k.phase != "" {
					wantTimeout(t, err, k.phase, time.Since(start), k.after)
					return
				}
				if err != nil {
					t.Fatalf("%v after %s", err, time.Since(start))
				}
				resp.Body.Close()
			})
		})
	}
}
