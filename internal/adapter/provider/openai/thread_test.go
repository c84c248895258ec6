package openai_test

import (
	"net/http"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/openai"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/wire/wiretest"
)

// What a client keeps of a conversation never shows in what it sends.
func TestSendsItsBody(t *testing.T) {
	open := func(h *http.Client) wiretest.Client { return openai.New(openai.Options{HTTP: h}) }
	wiretest.CheckBodies(t, openai.Provider, []string{"openai/gpt-5.5", "gpt-5-mini", "openai/o4-mini"}, open)
	wiretest.CheckBodiesAtOnce(t, "gpt-5.5", open)
}

func BenchmarkTurns(b *testing.B) {
	wiretest.BenchmarkTurns(b, openai.Provider, "openai/gpt-5.5", func(h *http.Client) wiretest.Client {
		return openai.New(openai.Options{HTTP: h})
	})
}
