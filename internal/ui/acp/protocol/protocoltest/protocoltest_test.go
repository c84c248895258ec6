package protocoltest_test

import (
	"testing"

	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol/protocoltest"
)

// The proof would be worth nothing if it let wrong frames pass.
func TestWatch(t *testing.T) {
	for _, c := range []struct {
		name, frame string
		client, ok  bool
	}{
		{name: "initialize", client: true, ok: true, frame: `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}}`},
		{name: "without a version", client: true, frame: `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`},
		{name: "no version of JSON-RPC", client: true, frame: `{"id":1,"method":"initialize","params":{"protocolVersion":1}}`},
		{name: "prompt", client: true, ok: true, frame: `{"jsonrpc":"2.0","id":"x","method":"session/prompt","params":{"sessionId":"s","prompt":[{"type":"text","text":"hi"}]}}`},
		{name: "a block of no type", client: true, frame: `{"jsonrpc":"2.0","id":"x","method":"session/prompt","params":{"sessionId":"s","prompt":[{"text":"hi"}]}}`},
		{name: "chunk", ok: true, frame: `{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"hi"}}}}`},
		{name: "unknown update", frame: `{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s","update":{"sessionUpdate":"shout","content":{"type":"text","text":"hi"}}}}`},
		{name: "status of no kind", frame: `{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s","update":{"sessionUpdate":"tool_call_update","toolCallId":"c","status":7}}}`},
		{name: "an answer to nothing", frame: `{"jsonrpc":"2.0","id":9,"result":{"stopReason":"end_turn"}}`},
		{name: "an error", ok: true, frame: `{"jsonrpc":"2.0","id":9,"error":{"code":-32601,"message":"no"}}`},
		{name: "an error without a code", frame: `{"jsonrpc":"2.0","id":9,"error":{"message":"no"}}`},
	} {
		w := &protocoltest.Watch{}
		look := w.FromAgent
		if c.client {
			look = w.FromClient
		}
		if err := look([]byte(c.frame)); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	w := &protocoltest.Watch{}
	if err := w.FromClient([]byte(`{"jsonrpc":"2.0","id":1,"method":"session/prompt","params":{"sessionId":"s","prompt":[]}}`)); err != nil {
		t.Fatal(err)
	}
	if err := w.FromAgent([]byte(`{"jsonrpc":"2.0","id":1,"result":{"stopReason":"because"}}`)); err == nil {
		t.Error("an unknown reason passes")
	}
	if err := w.FromAgent([]byte(`{"jsonrpc":"2.0","id":1,"result":{"stopReason":"cancelled"}}`)); err != nil {
		t.Error(err)
	}
}
