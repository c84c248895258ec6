package hubsim_test

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
)

// benchmark asks for path again and again, from several clients at a time.
func benchmark(b *testing.B, path string) {
	h := hubsimtest.Start(b, hubsim.Options{})
	must(b, 200, "POST", h.URL()+"/api/repos/create", bob, `{"name":"m"}`)
	must(b, 200, "POST", h.URL()+"/api/models/bob/m/commit/main", bob, commitBody("README.md", `---\nlicense: mit\n---\n# m\n`), ndjson)
	c := client(b)
	var failed atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, _ := http.NewRequestWithContext(b.Context(), "GET", h.URL()+path, nil)
			r.Header.Set("Authorization", "Bearer "+bob)
			res, err := c.Do(r)
			if err != nil {
				failed.Add(1)
				continue
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if res.StatusCode != 200 {
				failed.Add(1)
			}
		}
	})
	if n := failed.Load(); n > 0 {
		b.Errorf("%d of %d requests failed", n, b.N)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

func BenchmarkWhoami(b *testing.B) { benchmark(b, "/api/whoami-v2") }

func BenchmarkModelInfo(b *testing.B) { benchmark(b, "/api/models/bob/m") }

func BenchmarkTree(b *testing.B) { benchmark(b, "/api/models/bob/m/tree/main") }
