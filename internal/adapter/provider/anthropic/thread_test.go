package anthropic_test

import (
	"cmp"
	"net/http"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/anthropic"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/wire/wiretest"
)

// What a client keeps of a conversation never shows in what it sends.
func TestSendsItsBody(t *testing.T) {
	open := func(h *http.Client) wiretest.Client {
		c, err := anthropic.New(anthropic.Options{HTTP: cmp.Or(h, newHTTP()), APIKey: func() string { return "k" }, Window: func(string) int { return 20_000 }})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	wiretest.CheckBodies(t, anthropic.Provider, []string{opus, "anthropic/claude-sonnet-4-5", "anthropic/claude-3-5-haiku"}, open)
	wiretest.CheckBodiesAtOnce(t, opus, open)
}

func BenchmarkTurns(b *testing.B) {
	wiretest.BenchmarkTurns(b, anthropic.Provider, opus, func(h *http.Client) wiretest.Client {
		c, err := anthropic.New(anthropic.Options{HTTP: h, APIKey: func() string { return "k" }})
		if err != nil {
			b.Fatal(err)
		}
		return c
	})
}
