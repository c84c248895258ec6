package chat_test

import (
	"fmt"
	"path"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/chat"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/wire/wiretest"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// client makes a client whose requests go to s.
func client(s *wiretest.Server, provider string, d chat.Dialect) *chat.Client {
	return chat.New(chat.Options{
		HTTP: s.Client(), Provider: provider, Dialect: d,
		BaseURL: func() string { return "http://example.test/v1" },
	})
}

func dialectOf(folder string) (string, chat.Dialect) {
	switch folder {
	case "hf-router":
		return folder, chat.Router()
	case "openai-chat":
		return "openai", chat.OpenAI()
	case "local":
		return "llamacpp", chat.Local(false)
	}
	return "openrouter", chat.OpenRouter()
}

// Acceptance checks 1, 2, 32 and 37: every recorded stream, document and error
// comes to the expected values, whole and in 7-byte and 1-byte pieces.
func TestCheck01_02_32_37_RecordedAnswers(t *testing.T) {
	for _, f := range wiretest.Fixtures(t, func(f wiretest.Fixture) bool { return f.API == "openai-chat" }) {
		for _, piece := range []int{0, 7, 1} {
			t.Run(fmt.Sprintf("%s/%d", f.File, piece), func(t *testing.T) {
				provider, dialect := dialectOf(path.Dir(f.File))
				c := client(f.Serve(piece), provider, dialect)
				a := wiretest.Collect(t, c.Stream(t.Context(), llm.Request{Model: "org/model"}))
				f.Check(t, a)
				if a.Done == nil {
					return
				}
				if o := a.Done.Message.Origin(); o.Provider != provider || o.Model != "org/model" {
					t.Errorf("origin %+v", o)
				}
				if a.Done.Message.ReasoningContent != a.Thinking {
					t.Errorf("reasoning %q, streamed %q", a.Done.Message.ReasoningContent, a.Thinking)
				}
			})
		}
	}
}
