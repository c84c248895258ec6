package capacity_test

import (
	"context"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/agent/capacity"
	"github.com/ml-intern/ml-intern/internal/engine/window"
)

// Near the threshold the provider's own count decides, where it has one.
func TestTheProvidersCountDecidesNearTheThreshold(t *testing.T) {
	const size = 1000
	for name, c := range map[string]struct {
		words   int // of the conversation: about one token each
		counted int
		ok      bool
		asked   int
		crowded bool
	}{
		"far from it":           {words: 500, counted: 5000, ok: true},
		"less than estimated":   {words: 950, counted: 700, ok: true, asked: 1},
		"more than estimated":   {words: 850, counted: 950, ok: true, asked: 1, crowded: true},
		"no answer, estimate":   {words: 950, asked: 1, crowded: true},
		"no answer, fits still": {words: 850, asked: 1},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			room := capacity.New(capacity.Options{
				Describe: func(context.Context, string) (llm.Info, error) { return llm.Info{Window: size}, nil },
				Count:    func(context.Context) (int, bool) { asked++; return c.counted, c.ok },
			})
			meter := window.NewMeter("m", 1)
			meter.Add(llm.Message{Role: llm.User, Text: strings.Repeat("word ", c.words)})
			if got := room.Crowded(t.Context(), "m", meter); got != c.crowded {
				t.Errorf("crowded %v, want %v (estimate now %d)", got, c.crowded, meter.Tokens())
			}
			if asked != c.asked {
				t.Errorf("asked %d times, want %d", asked, c.asked)
			}
		})
	}
}
