package wiretest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// BenchmarkTurns measures what one turn of a conversation costs from the call
// of Stream to the moment when the body would be sent: an answer and the 2 kB
// of a tool are new, the rest was sent before. It should hardly depend on how
// long the conversation is.
func BenchmarkTurns(b *testing.B, provider, model string, open func(*http.Client) Client) {
	for _, n := range []int{20, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := open(&http.Client{Transport: unsent{}})
			req := llm.Request{Model: model, SessionID: "s", Messages: []llm.Message{{Role: llm.User, Text: "go"}}}
			for len(req.Messages) < n {
				req.Messages = append(req.Messages, turn(provider, model, len(req.Messages))...)
			}
			start := len(req.Messages)
			ask := func() {
				for range c.Stream(b.Context(), req) {
					continue // the only element is an error
				}
			}
			ask()
			b.ReportAllocs()
			for b.Loop() {
				if len(req.Messages) > start+200 {
					b.StopTimer()
					req.Messages = req.Messages[:start]
					ask()
					b.StartTimer()
				}
				req.Messages = append(req.Messages, turn(provider, model, len(req.Messages))...)
				ask()
			}
		})
	}
}

// unsent refuses every request.
type unsent struct{}

func (unsent) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("not sent") }

// turn is an answer with a call, and 2 kB of output.
func turn(provider, model string, n int) []llm.Message {
	id := fmt.Sprintf("call_%d", n)
	m := llm.Message{Role: llm.Assistant, ToolCalls: []llm.ToolCall{{ID: id, Name: "read", Arguments: `{"path":"note.txt"}`}}}
	m.SetOrigin(llm.Origin{Provider: provider, Model: model})
	return []llm.Message{m, {Role: llm.ToolRole, ToolCallID: id, Text: strings.Repeat("a line of forty characters, as in logs.\n", 51)}}
}
