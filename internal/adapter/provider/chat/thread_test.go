package chat_test

import (
	"net/http"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/chat"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/wire/wiretest"
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
