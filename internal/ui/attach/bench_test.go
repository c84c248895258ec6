package attach_test

import (
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
)

// BenchmarkFollow reads a long session as a terminal does that attaches to it.
func BenchmarkFollow(b *testing.B) {
	s := serve(b)
	const n = 20_000
	for range n / 100 {
		var page []event.Payload
		for range 100 {
			page = append(page, event.AssistantChunk{Content: strings.Repeat("word ", 60)})
		}
		s.say(page...)
	}
	c, err := attach.Dial(b.Context(), s.path, version)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Detach()
	b.ReportAllocs()
	for b.Loop() {
		for ev, err := range c.Follow(b.Context(), 0) {
			if err != nil {
				b.Fatal(err)
			}
			if ev.Seq == n {
				break
			}
		}
	}
}
