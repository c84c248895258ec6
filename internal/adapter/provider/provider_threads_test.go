package provider_test

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/provider"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("not sent") }

// Every call makes a client of its own; what was encoded of a conversation
// outlives it. A second body of 4 MB that only adds a message is not made anew.
func TestConversationsAreEncodedOnce(t *testing.T) {
	vars := map[string]string{
		"ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k", "HF_TOKEN": "k", "OPENAI_API_MODE": "responses",
	}
	p, err := provider.New(provider.Options{
		HTTP: &http.Client{Transport: refusing{}}, Env: func(name string) string { return vars[name] },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, model := range []string{"anthropic/claude-opus-4-8", "openai/gpt-5.5", "vllm/m"} {
		req := llm.Request{Model: model, SessionID: "s", Messages: []llm.Message{{Role: llm.System, Text: "s"}, {Role: llm.User, Text: "go"}}}
		for n := range 1000 {
			id := fmt.Sprintf("call_%d", n)
			req.Messages = append(req.Messages,
				llm.Message{Role: llm.Assistant, ToolCalls: []llm.ToolCall{{ID: id, Name: "read", Arguments: "{}"}}},
				llm.Message{Role: llm.ToolRole, ToolCallID: id, Text: strings.Repeat("x", 4000)})
		}
		spend := func() uint64 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range p.Stream(t.Context(), req) {
				continue // the only element is an error
			}
			runtime.ReadMemStats(&after)
			return after.TotalAlloc - before.TotalAlloc
		}
		first := spend()
		req.Messages = append(req.Messages, llm.Message{Role: llm.User, Text: "and now?"})
		// The kept text may move once when it grows.
		spend()
		req.Messages = append(req.Messages, llm.Message{Role: llm.Assistant, Text: "Well."}, llm.Message{Role: llm.User, Text: "and now?"})
		if second := spend(); first < 4e6 || second > first/10 {
			t.Errorf("%s: %d bytes allocated for the first body, %d for the third", model, first, second)
		}
	}
}
