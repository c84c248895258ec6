package claude_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/claude"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/transcript"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
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

// What a journal knows beside the messages stands in the rows.
func TestRowsOfAJournal(t *testing.T) {
	var events []event.Event
	tell := func(p event.Payload) {
		t.Helper()
		ev, err := event.New("sess-1", "turn_1", time.Date(2026, 1, 1, 0, 0, len(events), 0, time.UTC), p)
		if err != nil {
			t.Fatal(err)
		}
		ev.Seq = int64(len(events) + 1)
		events = append(events, ev)
	}
	say := func(agent string, m llm.Message) { t.Helper(); tell(event.HistoryMessage{Message: m, AgentID: agent}) }
	tell(event.TurnStarted{TurnID: "turn_1", Model: "m/x", Cwd: "/home/ann/proj", Version: "1.0"})
	say("", llm.Message{Role: llm.System, Text: "sys"})
	say("", llm.Message{Role: llm.User, Text: "hi"})
	tell(event.LLMCall{Model: "m/y", Kind: llm.KindMain, FinishReason: "tool_calls", Prompt: 100, Completion: 7, CacheRead: 60, CacheWrite: 30})
	say("", llm.Message{
		Role: llm.Assistant, ThinkingBlocks: []json.RawMessage{json.RawMessage(`{"type":"thinking","thinking":"hm","signature":"s=="}`)},
		ToolCalls: []llm.ToolCall{{ID: "r1", Name: "research", Arguments: `{"task":"x"}`}},
	})
	say("r1", llm.Message{Role: llm.User, Text: "x"})
	say("r1", llm.Message{Role: llm.Assistant, Text: "found", ReasoningContent: "where?"})
	tell(event.ToolOutput{Tool: "research", ToolCallID: "r1", Output: "report", Success: true})
	say("", llm.Message{Role: llm.User, Text: "[SYSTEM: go on]", Synthetic: true})
	say("", llm.Message{Role: llm.Assistant, Text: "done"})
	s, err := history.Load(events)
	if err != nil {
		t.Fatal(err)
	}
	const about, side = `,"cwd":"proj","version":"ml-intern/1.0"}`, `,"isSidechain":true,"agentId":"r1"`
	want := []string{
		`{"type":"user","message":{"role":"user","content":"hi"},"uuid":"9d35648f-ab7a-f904-f181-8b319cdaa8c1","parentUuid":null,"sessionId":"sess-1","timestamp":"2026-01-01T00:00:02.000Z"` + about,
		`{"type":"assistant","message":{"role":"assistant","model":"m/y","content":[{"type":"thinking","thinking":"hm","signature":"s=="},{"type":"tool_use","id":"r1","name":"research","input":{"task":"x"}}],"stop_reason":"tool_use","usage":{"input_tokens":10,"output_tokens":7,"cache_creation_input_tokens":30,"cache_read_input_tokens":60}},"uuid":"dcbb14e6-a951-a89c-8821-da6fcc316742","parentUuid":"9d35648f-ab7a-f904-f181-8b319cdaa8c1","sessionId":"sess-1","timestamp":"2026-01-01T00:00:04.000Z"` + about,
		`{"type":"user","message":{"role":"user","content":[{"type":"tool_result","tool_use_id":"r1","content":"report"}]},"uuid":"b1f95309-63ca-43b1-7633-a9cc9a90f58b","parentUuid":"dcbb14e6-a951-a89c-8821-da6fcc316742","sessionId":"sess-1","timestamp":"2026-01-01T00:00:07.000Z"` + about,
		`{"type":"user","message":{"role":"user","content":"[SYSTEM: go on]"},"uuid":"7d4e5a22-1d90-7e17-f9f4-6c4a0f7a1a1c","parentUuid":"b1f95309-63ca-43b1-7633-a9cc9a90f58b","sessionId":"sess-1","timestamp":"2026-01-01T00:00:08.000Z","isMeta":true` + about,
		`{"type":"assistant","message":{"role":"assistant","model":"m/x","content":[{"type":"text","text":"done"}]}`,
		`{"type":"user","message":{"role":"user","content":"x"}`,
		`{"type":"assistant","message":{"role":"assistant","model":"m/x","content":[{"type":"thinking","thinking":"where?"},{"type":"text","text":"found"}]}`,
	}
	got := written(t, document.Build(s, events, document.About{AppVersion: "2.0"}))
	if len(got) != len(want) {
		t.Fatalf("%d rows:\n%s", len(got), strings.Join(got, "\n"))
	}
	ids := map[string]bool{}
	for i, line := range got {
		var row struct{ UUID, ParentUUID string }
		if err := json.Unmarshal([]byte(line), &row); err != nil || ids[row.UUID] {
			t.Errorf("row %d: %v, or the id of another: %s", i, err, line)
		}
		ids[row.UUID] = true
		if i == 3 { // its id is not among those known
			want[i] = strings.Replace(want[i], "7d4e5a22-1d90-7e17-f9f4-6c4a0f7a1a1c", row.UUID, 1)
		}
		if !strings.HasPrefix(line, want[i]) {
			t.Errorf("row %d:\n%s\nwant\n%s", i, line, want[i])
		}
		if inside := i >= 5; strings.Contains(line, side) != inside || !strings.HasSuffix(line, about) {
			t.Errorf("row %d: %s", i, line)
		}
	}
	if !strings.Contains(got[5], `"parentUuid":null`) {
		t.Errorf("the sub-agent's first row has a parent: %s", got[5])
	}
}

func TestStopReasons(t *testing.T) {
	for finish, want := range map[llm.Finish]string{
		llm.FinishStop: "end_turn", llm.FinishTools: "tool_use", llm.FinishLength: "max_tokens", llm.FinishFiltered: "refusal",
		llm.FinishPause: "pause_turn", "interrupted": "interrupted",
	} {
		var out strings.Builder
		err := claude.WriteTranscript(&out, transcript.Transcript{Main: []transcript.Entry{{
			Message: llm.Message{Role: llm.Assistant, Text: "x"}, Call: &event.LLMCall{FinishReason: string(finish), Prompt: 1, CacheRead: 5},
		}}})
		if err != nil || !strings.Contains(out.String(), `"stop_reason":"`+want+`","usage":{"input_tokens":0,`) {
			t.Errorf("%s: %s %v", finish, out.String(), err)
		}
	}
}

// FuzzRoundTrip holds that whatever a conversation is made of, its rows are what
// readers rely on, and that our own reader gets the conversation back.
func FuzzRoundTrip(f *testing.F) {
	f.Add("hi", "Listing.", `{"command":"ls"}`, "ok", "[SYSTEM: x]", true)
	f.Add("", "", "{bad", "", " \x00\xff", false)
	f.Add("a\u0085b", "\xff", "{\"a\":\"\u0085\u2028\xff\"}", "\x1c", "\u2029", true)
	f.Add("<command-name>x", "é\U0001F600\u2028", `[1e999]`, `{"text":"a"}`, "Caveat: The messages below were generated by the user while running local commands", true)
	f.Fuzz(func(t *testing.T, first, said, arguments, output, more string, ok bool) {
		if said+arguments == "" {
			return
		}
		ev, err := event.New("s", "", time.Now(), event.ToolOutput{ToolCallID: "c", Output: output, Success: ok})
		if err != nil {
			t.Fatal(err)
		}
		d := document.Document{
			SessionID: "s", Model: "m", StartTime: "2026-01-01T00:00:00Z", Events: []event.Event{ev},
			Messages: []llm.Message{
				{Role: llm.User, Text: first},
				{Role: llm.Assistant, Text: said, ToolCalls: []llm.ToolCall{{ID: "c", Name: "bash", Arguments: arguments}}},
				{Role: llm.ToolRole, ToolCallID: "c", Text: output},
				{Role: llm.User, Text: more, Synthetic: !ok},
				{Role: llm.Assistant, Text: "end"},
			},
		}
		rows := written(t, d)
		if len(rows) != 5 {
			t.Fatalf("%d rows", len(rows))
		}
		for i, line := range rows {
			var row struct {
				Type    string
				Message struct {
					Model   *string
					Content any
				}
				SessionID string
				Timestamp string
			}
			if strings.ContainsAny(line, "\u0085\u2028\u2029\v\f\r") || !utf8.ValidString(line) {
				t.Errorf("some readers see more than one line: %q", line)
			}
			if err := json.Unmarshal([]byte(line), &row); err != nil || row.SessionID != "s" || row.Timestamp == "" {
				t.Fatalf("%v: %s", err, line)
			}
			if assistant := row.Type == "assistant"; assistant != (row.Message.Model != nil) || assistant != (i == 1 || i == 4) {
				t.Errorf("row %d: %s", i, line)
			}
			if _, text := row.Message.Content.(string); text != (i == 0 || i == 3) {
				t.Errorf("row %d: %s", i, line)
			}
			if i == 2 && strings.Contains(line, `"text":`) && !strings.Contains(output, "text") {
				t.Errorf("row %d: %s", i, line)
			}
		}
		back, err := claude.Read(strings.NewReader(strings.Join(rows, "\n")))
		if err != nil {
			t.Fatal(err)
		}
		var results []string
		for _, m := range back.Messages {
			if m.Role == llm.ToolRole {
				results = append(results, m.Text)
			}
		}
		if len(results) != 1 || results[0] != string([]rune(output)) {
			t.Errorf("results %q, want %q", results, output)
		}
		if last := back.Messages[len(back.Messages)-1]; last.Role != llm.Assistant || last.Text != "end" {
			t.Errorf("%+v", last)
		}
	})
}
