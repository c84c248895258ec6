package chat_test

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/chat"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/transcript"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/wire/wiretest"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// What a client keeps of a conversation never shows in what it sends.
func TestSendsItsBody(t *testing.T) {
	for provider, dialect := range map[string]chat.Dialect{
		"hf-router": chat.Router(), "openai": chat.OpenAI(), "openrouter": chat.OpenRouter(), "ollama": chat.Local(true),
	} {
		open := func(h *http.Client) wiretest.Client {
			return chat.New(chat.Options{HTTP: h, Provider: provider, Dialect: dialect, BaseURL: func() string { return router }})
		}
		t.Run(provider, func(t *testing.T) {
			wiretest.CheckBodies(t, provider, []string{"acme/thinker", "moonshotai/Kimi-K2.6:fast", "anthropic/claude-opus-4-8:fal-ai", "openai/gpt-5.5"}, open)
			wiretest.CheckBodiesAtOnce(t, "acme/thinker", open)
		})
	}
}

// Clients of several services may share what they keep; it is not mixed up.
func TestSharedThreads(t *testing.T) {
	var threads transcript.Threads
	req := llm.Request{Model: "openai/gpt-5.5", SessionID: "s", Messages: []llm.Message{
		{Role: llm.System, Text: "You are."}, {Role: llm.User, Text: "go"},
	}}
	for n := range 20 {
		req.Messages = append(req.Messages, turn("hf-router", "openai/gpt-5.5", fmt.Sprintf("call_%040d", n), "hm")...)
		for provider, dialect := range map[string]chat.Dialect{"hf-router": chat.Router(), "openai": chat.OpenAI(), "ollama": chat.Local(false)} {
			s := &wiretest.Server{Replies: []wiretest.Reply{{Status: http.StatusBadRequest}}}
			c := chat.New(chat.Options{
				HTTP: s.Client(), Provider: provider, Dialect: dialect, BaseURL: func() string { return router }, Threads: &threads,
			})
			want, err := c.Body(req)
			if err != nil {
				t.Fatal(err)
			}
			for range c.Stream(t.Context(), req) {
				continue // the server refuses
			}
			if got := s.Requests()[0].Body; !bytes.Equal(got, want) {
				t.Fatalf("%s sent\n%s\nwant\n%s", provider, got, want)
			}
		}
	}
}

func BenchmarkTurns(b *testing.B) {
	wiretest.BenchmarkTurns(b, "hf-router", "acme/thinker", func(h *http.Client) wiretest.Client {
		return chat.New(chat.Options{HTTP: h, Provider: "hf-router", Dialect: chat.Router(), BaseURL: func() string { return router }})
	})
}
