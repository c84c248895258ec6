package claude_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/claude"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

func written(t testing.TB, d document.Document) []string {
	t.Helper()
	var out bytes.Buffer
	if err := claude.Write(&out, d); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

// example is the conversation whose rows are known byte for byte.
func example() document.Document {
	return document.Document{
		SessionID: "sess-1", Model: "openai/gpt-5.5:fal-ai", StartTime: "2026-01-01T00:00:00",
		Messages: []llm.Message{
			{Role: llm.System, Text: "sys"},
			{Role: llm.User, Text: "hi"},
			{Role: llm.Assistant, Text: "Listing.", ToolCalls: []llm.ToolCall{{ID: "call-1", Name: "bash", Arguments: `{"command": "ls"}`}}},
			{Role: llm.ToolRole, Text: "ok", ToolCallID: "call-1", Name: "bash"},
			{Role: llm.Assistant, Text: "done"},
		},
	}
}

// Acceptance check 26 of the command line.
func TestCheck26_Claude(t *testing.T) {
	want := []string{
		`{"type":"user","message":{"role":"user","content":"hi"},"uuid":"9d35648f-ab7a-f904-f181-8b319cdaa8c1","parentUuid":null,"sessionId":"sess-1","timestamp":"2026-01-01T00:00:00"}`,
		`{"type":"assistant","message":{"role":"assistant","model":"openai/gpt-5.5:fal-ai","content":[{"type":"text","text":"Listing."},{"type":"tool_use","id":"call-1","name":"bash","input":{"command":"ls"}}]},"uuid":"dcbb14e6-a951-a89c-8821-da6fcc316742","parentUuid":"9d35648f-ab7a-f904-f181-8b319cdaa8c1","sessionId":"sess-1","timestamp":"2026-01-01T00:00:00"}`,
		`{"type":"user","message":{"role":"user","content":[{"type":"tool_result","tool_use_id":"call-1","content":"ok"}]},"uuid":"b1f95309-63ca-43b1-7633-a9cc9a90f58b","parentUuid":"dcbb14e6-a951-a89c-8821-da6fcc316742","sessionId":"sess-1","timestamp":"2026-01-01T00:00:00"}`,
		`{"type":"assistant","message":{"role":"assistant","model":"openai/gpt-5.5:fal-ai","content":[{"type":"text","text":"done"}]},"uuid":"800fa687-6672-ca8b-9f14-eb858dc2cf69","parentUuid":"b1f95309-63ca-43b1-7633-a9cc9a90f58b","sessionId":"sess-1","timestamp":"2026-01-01T00:00:00"}`,
	}
	for range 2 {
		if diff := cmp.Diff(want, written(t, example())); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestCheck26_ClaudeOddities(t *testing.T) {
	d := document.Document{SessionID: "s", Messages: []llm.Message{
		{Role: llm.System, Text: "x"},
		{Role: llm.Assistant}, // empty: no row
		{Role: llm.Assistant, ToolCalls: []llm.ToolCall{{ID: "a", Arguments: "{bad"}, {ID: "b"}}},
		{Role: llm.ToolRole, ToolCallID: "a", Text: "no"},
		{Role: llm.User, Text: "[SYSTEM: note]", Synthetic: true, Timestamp: "2026-02-02T00:00:00Z"},
		{Role: llm.User, Parts: []json.RawMessage{json.RawMessage(`{"type":"text","text":"one"}`), json.RawMessage(`{"type":"image"}`), json.RawMessage(`{"type":"text","text":"two"}`)}},
	}}
	failed, err := event.New("s", "", time.Now(), event.ToolOutput{ToolCallID: "a", Output: "no"})
	if err != nil {
		t.Fatal(err)
	}
	d.Events = []event.Event{failed}
	got := written(t, d)
	if len(got) != 4 {
		t.Fatalf("%d rows:\n%s", len(got), strings.Join(got, "\n"))
	}
	for i, want := range []string{
		`"content":[{"type":"tool_use","id":"a","name":"","input":{"_raw":"{bad"}},{"type":"tool_use","id":"b","name":"","input":{}}]`,
		`{"type":"tool_result","tool_use_id":"a","content":"no","is_error":true}`,
		`"content":"[SYSTEM: note]"`, `"content":"one\n{\"type\":\"image\"}\ntwo"`,
	} {
		if !strings.Contains(got[i], want) {
			t.Errorf("row %d lacks %s:\n%s", i, want, got[i])
		}
	}
	if !strings.HasSuffix(got[2], `"timestamp":"2026-02-02T00:00:00Z","isMeta":true}`) || strings.Contains(got[3], "isMeta") {
		t.Errorf("rows:\n%s\n%s", got[2], got[3])
	}
}

// A dropped message still counts for the ids of those behind it.
func TestClaudeIdsCountDroppedMessages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json")
	if err := os.WriteFile(path, []byte(`{"session_id":"sess-1","messages":[{"role":"system","content":"s"},7,{"role":"assistant","content":"x"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := document.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := written(t, d); !strings.Contains(got[0], `"uuid":"dcbb14e6-a951-a89c-8821-da6fcc316742"`) {
		t.Errorf("rows: %s", got)
	}
}
