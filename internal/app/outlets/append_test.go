package outlets_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/ml-intern/ml-intern/internal/app/live"
	"github.com/ml-intern/ml-intern/internal/app/outlets"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
)

// BenchmarkAppend is what a turn pays for its followers: writing an event alone,
// and beside sinks whose collector fails every second time.
func BenchmarkAppend(b *testing.B) {
	c := &collector{fail: func(try int) int {
		if try%2 == 0 {
			return http.StatusServiceUnavailable
		}
		return 0
	}}
	server := httptest.NewServer(c)
	defer server.Close()
	for _, sinks := range []int{0, 1, 4} {
		b.Run(fmt.Sprintf("sinks=%d", sinks), func(b *testing.B) {
			o, _ := options(b, "OTEL_EXPORTER_OTLP_ENDPOINT="+server.URL)
			o.Kept = false
			j, err := journal.Open(b.Context(), journal.Options{Store: journal.NewMemory(), SessionID: session})
			if err != nil {
				b.Fatal(err)
			}
			var wait sync.WaitGroup
			chapter := &live.Chapter{ID: session, Journal: j}
			for range sinks {
				for _, f := range outlets.Followers(o) {
					wait.Go(func() { _ = f(context.WithoutCancel(b.Context()), chapter) })
				}
			}
			events := stormTurn(1)
			for i := 0; b.Loop(); i++ {
				if _, err := j.Append(b.Context(), "turn_1", events[i%len(events)]); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			j.Close()
			wait.Wait()
		})
	}
}
