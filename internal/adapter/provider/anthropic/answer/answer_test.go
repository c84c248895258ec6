package answer_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/anthropic/answer"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/platform/sse"
)

// FuzzStream checks that no stream breaks the decoder, and that what it ends
// with can be stored and told apart from an error.
func FuzzStream(f *testing.F) {
	stream, err := os.ReadFile("../testdata/stream.sse")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stream)
	f.Add([]byte("data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"x\"}}\n\ndata: {\"type\":\"message_stop\"}"))
	f.Add([]byte("data: {\"type\":\"content_block_start\",\"content_block\":null}\n\ndata: {\"type\":\"message_start\"}\n\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		d := answer.NewDecoder(llm.Request{Model: "anthropic/m"}, "")
		var text string
		for ev, err := range sse.Read(strings.NewReader(string(in)), 1<<20) {
			if err != nil {
				return
			}
			chunks, err := d.Event(ev)
			for _, c := range chunks {
				switch c := c.(type) {
				case llm.Text:
					text += c.Delta
				case llm.Restart:
					text = ""
				case llm.Done:
					check(t, c, text)
				}
			}
			if err != nil || d.Finished() {
				return
			}
		}
	})
}

func check(t *testing.T, done llm.Done, text string) {
	if done.Message.Text != text {
		t.Fatalf("streamed %q, stored %q", text, done.Message.Text)
	}
	raw, err := json.Marshal(done.Message)
	if err != nil {
		t.Fatal(err)
	}
	var back llm.Message
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	for _, b := range back.ThinkingBlocks {
		if !json.Valid(b) {
			t.Fatalf("invalid block %s", b)
		}
	}
}

func TestOrderThatDoesNotFit(t *testing.T) {
	m := llm.Message{Role: llm.Assistant, Text: "abc", ToolCalls: make([]llm.ToolCall, 1)}
	for raw, want := range map[string]bool{
		`[[0,3],"thinking","tool_use"]`:         true,
		`[[0,1],"thinking",[1,3],"tool_use"]`:   true,
		`[[0,3],"thinking"]`:                    false,
		`[[0,2],"thinking","tool_use"]`:         false,
		`[[0,9],"thinking","tool_use"]`:         false,
		`[[2,3],[0,2],"thinking","tool_use"]`:   false,
		`[[0,3],"tool_use"]`:                    false,
		`[[0,3],"thinking","tool_use","other"]`: false,
		`[[-1,3],"thinking","tool_use"]`:        false,
		`{}`:                                    false,
	} {
		m.ProviderFields = map[string]json.RawMessage{answer.FieldOrder: json.RawMessage(raw)}
		if _, ok := answer.Order(m, 1); ok != want {
			t.Errorf("%s: fits: %v", raw, ok)
		}
	}
}
