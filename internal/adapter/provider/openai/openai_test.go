package openai_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/openai"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/wire/wiretest"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

func client(s *wiretest.Server) *openai.Client {
	return openai.New(openai.Options{HTTP: s.Client(), BaseURL: func() string { return "http://example.test/v1/" }})
}

func answer(t *testing.T, body string, req llm.Request) wiretest.Answer {
	t.Helper()
	if req.Model == "" {
		req.Model = "openai/gpt-5.5"
	}
	s := &wiretest.Server{Replies: []wiretest.Reply{{Body: body}}}
	return wiretest.Collect(t, client(s).Stream(t.Context(), req))
}

// Acceptance checks 1 and 2: every recorded stream comes to the expected
// values, whole and in 7-byte and 1-byte pieces.
func TestCheck01_02_RecordedAnswers(t *testing.T) {
	keep := func(f wiretest.Fixture) bool { return f.API == "openai-responses" && f.Mode != "request" }
	for _, f := range wiretest.Fixtures(t, keep) {
		var want struct {
			Items []string `json:"items"`
		}
		if err := json.Unmarshal(f.Expect, &want); err != nil {
			t.Fatal(err)
		}
		for _, piece := range []int{0, 7, 1} {
			t.Run(fmt.Sprintf("%s/%d", f.File, piece), func(t *testing.T) {
				a := wiretest.Collect(t, client(f.Serve(piece)).Stream(t.Context(), llm.Request{Model: "openai/gpt-5"}))
				f.Check(t, a)
				if a.Done == nil {
					return
				}
				var types []string
				for _, raw := range a.Done.Message.Items() {
					types = append(types, member(t, raw, "type"))
				}
				if d := cmp.Diff(want.Items, types); d != "" {
					t.Errorf("items (-want +got): %s", d)
				}
			})
		}
	}
}

func member(t *testing.T, raw json.RawMessage, name string) string {
	t.Helper()
	var in map[string]any
	if err := json.Unmarshal(raw, &in); err != nil {
		t.Fatal(err)
	}
	s, _ := in[name].(string)
	return s
}

func ownAnswer(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("testdata/answer.sse")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestStream(t *testing.T) {
	for _, piece := range []int{0, 7, 1} {
		s := &wiretest.Server{Piece: piece, Replies: []wiretest.Reply{{Body: ownAnswer(t), Header: map[string]string{"x-request-id": "req_9"}}}}
		a := wiretest.Collect(t, client(s).Stream(t.Context(), llm.Request{Model: "openai/gpt-5.5"}))
		if a.Err != nil {
			t.Fatal(a.Err)
		}
		if a.Begun.Model != "gpt-5.5-test" || a.Begun.RequestID != "req_9" || a.Done.RequestID != "req_9" {
			t.Errorf("begun %+v", a.Begun)
		}
		if a.Text != "Ich zähle <rows> 🙂" || a.Thinking != "First look.\n\nThen count." {
			t.Errorf("text %q, thinking %q", a.Text, a.Thinking)
		}
		m := a.Done.Message
		if d := cmp.Diff([]llm.ToolCall{{ID: "call_1", Name: "count", Arguments: `{"file":"a.csv"}`}}, m.ToolCalls); d != "" {
			t.Error(d)
		}
		if a.Done.Finish != llm.FinishTools || a.Done.RawFinish != "completed" || len(m.Items()) != 3 {
			t.Errorf("finish %s %s, %d items", a.Done.Finish, a.Done.RawFinish, len(m.Items()))
		}
		want := &llm.Usage{Prompt: 50, Completion: 20, Total: 70, CacheRead: 40, CacheWrite: 8, Reasoning: 5}
		if d := cmp.Diff(want, a.Done.Usage); d != "" {
			t.Error(d)
		}
		if m.Origin() != (llm.Origin{Provider: "openai", Model: "openai/gpt-5.5"}) {
			t.Errorf("origin %+v", m.Origin())
		}
	}
}

func body(t *testing.T, req llm.Request) map[string]any {
	t.Helper()
	raw, err := openai.New(openai.Options{}).Body(req)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("body is no JSON: %v\n%s", err, raw)
	}
	return out
}

// inputs describes the items of a body: type or role, and what of.
func inputs(t *testing.T, req llm.Request) []string {
	t.Helper()
	var out []string
	for _, raw := range body(t, req)["input"].([]any) {
		item := raw.(map[string]any)
		kind, _ := item["type"].(string)
		for _, name := range []string{"role", "id", "call_id"} {
			if v, ok := item[name].(string); ok {
				kind += " " + v
			}
		}
		out = append(out, strings.TrimSpace(kind))
	}
	return out
}

func TestBody(t *testing.T) {
	req := llm.Request{
		Model: "openai/gpt-5.5", SessionID: "S", Effort: llm.EffortMax, MaxTokens: 64000,
		Tools: []llm.ToolSpec{
			{Name: "bash", Description: "Runs <it>.", Parameters: json.RawMessage(`{"type":"object", "properties":{}}`)},
			{Name: "mcp:odd.name", Description: "Odd."},
		},
		Messages: []llm.Message{
			{Role: llm.System, Text: "Be brief."},
			{Role: llm.User, Parts: []json.RawMessage{
				json.RawMessage(`{"type":"text","text":"see"}`),
				json.RawMessage(`{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}}`),
			}},
			{Role: llm.Assistant, Text: "ok\x00", ToolCalls: []llm.ToolCall{{ID: "functions.bash:0", Name: "bash"}}},
			{Role: llm.ToolRole, ToolCallID: "functions.bash:0"},
		},
	}
	got, err := openai.New(openai.Options{}).Body(req)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"model":"gpt-5.5","stream":true,"store":false,"include":["reasoning.encrypted_content"],` +
		`"reasoning":{"effort":"max","summary":"auto"},"max_output_tokens":64000,"prompt_cache_key":"S","parallel_tool_calls":true,` +
		`"tools":[{"type":"function","name":"bash","description":"Runs <it>.","parameters":{"type":"object", "properties":{}},"strict":false},` +
		`{"type":"function","name":"mcp_odd_name_8ec035a2","description":"Odd.","parameters":{"type":"object","properties":{}},"strict":false}],` +
		`"tool_choice":"auto","instructions":"Be brief.","input":[` +
		`{"role":"user","content":[{"type":"input_text","text":"see"},{"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"low"}]},` +
		`{"type":"message","role":"assistant","content":[{"type":"output_text","text":"ok","annotations":[]}]},` +
		`{"type":"function_call","call_id":"functions.bash:0","name":"bash","arguments":"{}"},` +
		`{"type":"function_call_output","call_id":"functions.bash:0","output":"(no output)"}]}`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Error(d)
	}
}

func TestBodyAdjustments(t *testing.T) {
	req := llm.Request{Model: "openai/gpt-5.5", Effort: llm.EffortHigh, SessionID: strings.Repeat("s", 65), Messages: []llm.Message{{Role: llm.User, Text: "hi"}}}
	b := body(t, req)
	if key := b["prompt_cache_key"].(string); len(key) != 64 {
		t.Errorf("cache key %q", key)
	}
	for _, absent := range []string{"tools", "tool_choice", "temperature", "instructions", "max_output_tokens"} {
		if b[absent] != nil {
			t.Errorf("%s is in the body", absent)
		}
	}
	req.Adjust.Drop = []string{"reasoning.summary", "prompt_cache_key"}
	b = body(t, req)
	if d := cmp.Diff(map[string]any{"effort": "high"}, b["reasoning"]); d != "" || b["prompt_cache_key"] != nil {
		t.Errorf("%s %v", d, b)
	}
	req.Model = "openai/gpt-4.1"
	if b = body(t, req); b["reasoning"] != nil || b["include"] != nil {
		t.Errorf("reasoning asked of a model without it: %v", b)
	}
	req.Strict = true
	var f *llm.Fault
	if _, err := openai.New(openai.Options{}).Body(req); !errors.As(err, &f) || f.Class != llm.ClassInvalidEffort {
		t.Errorf("strict: %v", err)
	}
}

// Acceptance check 21: the request that continues a recorded turn has the
// recorded items in the recorded order.
func TestCheck21_ReplayAsRecorded(t *testing.T) {
	var turn wiretest.Answer
	var recorded struct {
		Input []map[string]any `json:"input"`
	}
	for _, f := range wiretest.Fixtures(t, func(f wiretest.Fixture) bool { return strings.Contains(f.File, "/reasoning_tool.") }) {
		if f.Mode == "request" && f.API == "openai-responses" {
			if err := json.Unmarshal(f.Body, &recorded); err != nil {
				t.Fatal(err)
			}
			continue
		}
		turn = wiretest.Collect(t, client(f.Serve(0)).Stream(t.Context(), llm.Request{Model: "openai/gpt-5.5"}))
	}
	// What is stored survives a save and a load.
	saved, err := json.Marshal(turn.Done.Message)
	if err != nil {
		t.Fatal(err)
	}
	var loaded llm.Message
	if err := json.Unmarshal(saved, &loaded); err != nil {
		t.Fatal(err)
	}
	got := body(t, llm.Request{Model: "openai/gpt-5.5", Messages: []llm.Message{
		{Role: llm.User, Text: "What is the capital of PotatoLand?"},
		loaded,
		{Role: llm.ToolRole, ToolCallID: loaded.ToolCalls[0].ID, Name: "get_capital", Text: "Potato City"},
	}})["input"].([]any)
	if len(got) != len(recorded.Input) {
		t.Fatalf("%d items, recorded %d", len(got), len(recorded.Input))
	}
	for i, want := range recorded.Input[1:] {
		item := got[i+1].(map[string]any)
		for name, value := range want {
			if name == "content" {
				continue // the recorder changed an apostrophe
			}
			if d := cmp.Diff(value, item[name]); d != "" {
				t.Errorf("item %d, %s: %s", i+1, name, d)
			}
		}
	}
}

func ownTurn(t *testing.T) llm.Message {
	t.Helper()
	return answer(t, ownAnswer(t), llm.Request{}).Done.Message
}

func TestReplayRules(t *testing.T) {
	turn := ownTurn(t)
	result := llm.Message{Role: llm.ToolRole, ToolCallID: "call_1", Text: "3"}
	verbatim := []string{"reasoning rs_1", "message assistant msg_1", "function_call fc_1 call_1", "function_call_output call_1"}
	rebuilt := []string{"message assistant", "function_call call_1", "function_call_output call_1"}
	foreign := turn.Clone()
	foreign.SetOrigin(llm.Origin{Provider: "hf-router", Model: "openai/gpt-5.5"})
	tests := []struct {
		name   string
		model  string
		msg    llm.Message
		adjust llm.Adjust
		want   []string
	}{
		{"same model", "openai/gpt-5.5", turn, llm.Adjust{}, verbatim},
		{"same family", "openai/gpt-5.4-mini", turn, llm.Adjust{}, verbatim},
		{"other family", "openai/o4-mini", turn, llm.Adjust{}, rebuilt},
		{"other provider", "openai/gpt-5.5", foreign, llm.Adjust{}, rebuilt},
		{"rebuilt", "openai/gpt-5.5", turn, llm.Adjust{Rebuild: true}, rebuilt},
		{"without thinking", "openai/gpt-5.5", turn, llm.Adjust{NoThinking: true}, rebuilt},
	}
	for _, tt := range tests {
		got := inputs(t, llm.Request{Model: tt.model, Messages: []llm.Message{tt.msg, result}, Adjust: tt.adjust})
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

func TestReplayDropsOrphanReasoning(t *testing.T) {
	reasoning := json.RawMessage(`{"type":"reasoning","id":"rs_1","encrypted_content":"AA","summary":[]}`)
	hidden := json.RawMessage(`{"type":"reasoning","id":"rs_2","summary":[]}`)
	call := json.RawMessage(`{"type":"function_call","id":"fc_1","call_id":"call_1","name":"x","arguments":"{}"}`)
	said := json.RawMessage(`{"type":"message","id":"msg_1","role":"assistant","content":[]}`)
	tests := []struct {
		name  string
		items []json.RawMessage
		calls []llm.ToolCall
		want  []string
	}{
		{"at the end", []json.RawMessage{said, reasoning}, nil, []string{"message assistant msg_1"}},
		{"before a lost call", []json.RawMessage{said, reasoning, call}, nil, []string{"message assistant msg_1"}},
		{"unreadable", []json.RawMessage{hidden, said}, nil, []string{"message assistant msg_1"}},
		{"call without item", []json.RawMessage{reasoning, said}, []llm.ToolCall{{ID: "call_9", Name: "y"}}, []string{
			"reasoning rs_1", "message assistant msg_1", "function_call call_9",
		}},
	}
	for _, tt := range tests {
		m := llm.Message{Role: llm.Assistant, Text: "said", ToolCalls: tt.calls}
		m.SetOrigin(llm.Origin{Provider: "openai", Model: "openai/gpt-5.5"})
		m.SetItems(tt.items)
		got := inputs(t, llm.Request{Model: "openai/gpt-5.5", Messages: []llm.Message{m, {Role: llm.User, Text: "go"}}})
		if d := cmp.Diff(append(tt.want, "user"), got); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

// A longer conversation begins with the bytes of the shorter one.
func TestBodyExtends(t *testing.T) {
	c := openai.New(openai.Options{})
	turn := ownTurn(t)
	msgs := []llm.Message{{Role: llm.System, Text: "sys"}, {Role: llm.User, Text: "one"}}
	var before []byte
	for range 4 {
		b, err := c.Body(llm.Request{Model: "openai/gpt-5.5", SessionID: "s", Messages: msgs})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(b, bytes.TrimSuffix(before, []byte("]}"))) {
			t.Fatalf("%s\ndoes not extend\n%s", b, before)
		}
		before = b
		msgs = append(msgs, turn, llm.Message{Role: llm.ToolRole, ToolCallID: "call_1", Text: "3"}, llm.Message{Role: llm.User, Text: "more"})
		turn = turn.Clone()
	}
}

func TestUseResponses(t *testing.T) {
	tests := []struct {
		model, base, mode string
		want              bool
	}{
		{"openai/gpt-5.5", openai.DefaultBase, "", true},
		{"gpt-5-mini", openai.DefaultBase, "auto", true},
		{"openai/o3", "https://api.openai.com:443/v1", "auto", true},
		{"openai/gpt-5-chat-latest", openai.DefaultBase, "auto", false},
		{"openai/gpt-4.1", openai.DefaultBase, "auto", false},
		{"openai/gpt-5.5", "https://proxy.example/v1", "auto", false},
		{"openai/gpt-5.5", "https://api.openai.com.evil.example/v1", "auto", false},
		{"openai/gpt-5.5", openai.DefaultBase, "chat", false},
		{"openai/gpt-4.1", "http://localhost:1/v1", "responses", true},
	}
	for _, tt := range tests {
		if got := openai.UseResponses(tt.model, tt.base, tt.mode); got != tt.want {
			t.Errorf("%+v: got %v", tt, got)
		}
	}
}

// events writes data lines without names, as lenient servers do.
func events(data ...string) string { return "data: " + strings.Join(data, "\n\ndata: ") + "\n\n" }

const completed = `{"type":"response.completed","response":{"status":"completed","usage":{"input_tokens":1,"output_tokens":1}}}`

func done(item string) string {
	return `{"type":"response.output_item.done","output_index":0,"item":` + item + `}`
}

func TestPackedCalls(t *testing.T) {
	packed := done(`{"type":"function_call","id":"fc_1","call_id":"call_1","name":"multi_tool_use.parallel",` +
		`"arguments":"{\"tool_uses\":[{\"recipient_name\":\"functions.bash\",\"parameters\":{\"command\":\"ls\"}},{\"recipient_name\":\"functions.read\",\"parameters\":{}}]}"}`)
	a := answer(t, events(packed, completed), llm.Request{Tools: []llm.ToolSpec{{Name: "bash"}}})
	want := []llm.ToolCall{{ID: "call_1_1", Name: "bash", Arguments: `{"command":"ls"}`}, {ID: "call_1_2", Name: "read", Arguments: `{}`}}
	if d := cmp.Diff(want, a.Done.Message.ToolCalls); d != "" || a.Done.Finish != llm.FinishTools {
		t.Error(a.Done.Finish, d)
	}
	got := inputs(t, llm.Request{Model: "openai/gpt-5.5", Messages: []llm.Message{
		a.Done.Message, {Role: llm.ToolRole, ToolCallID: "call_1_1"}, {Role: llm.ToolRole, ToolCallID: "call_1_2"},
	}})
	if d := cmp.Diff([]string{"function_call call_1_1", "function_call call_1_2", "function_call_output call_1_1", "function_call_output call_1_2"}, got); d != "" {
		t.Error(d)
	}
	a = answer(t, events(strings.ReplaceAll(packed, "multi_tool_use.parallel", "parallel"), completed), llm.Request{Tools: []llm.ToolSpec{{Name: "parallel"}}})
	if calls := a.Done.Message.ToolCalls; len(calls) != 1 || calls[0].Name != "parallel" {
		t.Errorf("a registered tool was taken for packed calls: %+v", calls)
	}
}

func TestIncomplete(t *testing.T) {
	cut := `{"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","id":"fc_2","call_id":"call_2","name":"write"}}`
	half := `{"type":"response.function_call_arguments.delta","item_id":"fc_2","output_index":1,"delta":"{\"path\":\"a"}`
	whole := done(`{"type":"function_call","id":"fc_1","call_id":"call_1","name":"bash","arguments":"{\"command\": 1"}`)
	end := `{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}}`
	d := answer(t, events(whole, cut, half, end), llm.Request{}).Done
	if d.Finish != llm.FinishLength || d.RawFinish != "max_output_tokens" || !cmp.Equal(d.Cut, []string{"write"}) {
		t.Errorf("%+v", d)
	}
	if calls := d.Message.ToolCalls; len(calls) != 1 || calls[0].Arguments != `{"command": 1` {
		t.Errorf("the call before the cut is kept as written: %+v", calls)
	}
	d = answer(t, events(strings.Replace(end, "max_output_tokens", "content_filter", 1)), llm.Request{}).Done
	if d.Finish != llm.FinishFiltered || d.Usage != nil {
		t.Errorf("%+v", d)
	}
}

func TestTextOfWholeItems(t *testing.T) {
	d := answer(t, events(done(`{"type":"message","content":[{"type":"output_text","text":"whole"}]}`), completed), llm.Request{}).Done
	if d.Message.Text != "whole" || d.Finish != llm.FinishStop || d.Usage.Total != 2 {
		t.Errorf("%+v", d)
	}
	document := `{"object":"response","id":"r","model":"m","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"doc"}]}]}`
	if d = answer(t, document, llm.Request{}).Done; d == nil || d.Message.Text != "doc" || d.Finish != llm.FinishStop {
		t.Errorf("document: %+v", d)
	}
}

func TestFaults(t *testing.T) {
	text := `{"type":"response.output_text.delta","output_index":0,"delta":"x"}`
	tests := []struct {
		name, body string
		want       llm.Class
		after      bool
	}{
		{"flat error", events(text, `{"type":"error","code":"rate_limit_exceeded","message":"slow down","param":null}`), llm.ClassRateLimit, true},
		{"failed", events(`{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"oops"}}}`), llm.ClassServer, false},
		{"failed without reason", events(`{"type":"response.failed","response":{"status":"failed","error":null}}`), llm.ClassServer, false},
		{"cut stream", events(text), llm.ClassNetwork, true},
		{"no JSON", events(`<html>`), llm.ClassServer, false},
		{"empty", "", llm.ClassNetwork, false},
		{"error document", `{"error":{"message":"no","code":"model_not_found"}}`, llm.ClassModelNotFound, false},
	}
	for _, tt := range tests {
		var f *llm.Fault
		if err := answer(t, tt.body, llm.Request{}).Err; !errors.As(err, &f) || f.Class != tt.want || f.AfterOutput != tt.after {
			t.Errorf("%s: %+v", tt.name, err)
		}
	}
}

func TestRequest(t *testing.T) {
	s := &wiretest.Server{Replies: []wiretest.Reply{{Body: events(completed)}}}
	c := openai.New(openai.Options{
		HTTP: s.Client(), BaseURL: func() string { return "http://h:1/v1/" },
		Header: func(llm.Request) http.Header { return http.Header{"Authorization": {"Bearer k"}} },
	})
	wiretest.Collect(t, c.Stream(t.Context(), llm.Request{Model: "openai/gpt-5.5"}))
	r := s.Requests()[0]
	if r.Method != "POST" || r.URL != "http://h:1/v1/responses" || r.Header.Get("Authorization") != "Bearer k" ||
		r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Accept") != "text/event-stream" {
		t.Errorf("%+v", r)
	}
	for name := range r.Header {
		if strings.HasPrefix(strings.ToLower(name), "x-hf-") {
			t.Errorf("header %s was sent", name)
		}
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := wiretest.Collect(t, client(&wiretest.Server{Replies: []wiretest.Reply{{Body: events(completed)}}}).Stream(ctx, llm.Request{Model: "openai/gpt-5.5"}))
	if !errors.Is(a.Err, context.Canceled) {
		t.Errorf("%v", a.Err)
	}
}

// A stream never panics, obeys the rules of streams, and does not depend on
// how it is cut.
func FuzzStream(f *testing.F) {
	own, err := os.ReadFile("testdata/answer.sse")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(own))
	f.Add(events(done(`{"type":"function_call","name":"parallel","arguments":"{\"tool_uses\":[{}]}"}`), completed))
	f.Add(events(`{"type":"error"}`) + "event: error\ndata: {}\n\n")
	f.Add(`{"status":"completed","output":[null,3]}`)
	f.Fuzz(func(t *testing.T, in string) {
		var want *wiretest.Answer
		for _, piece := range []int{0, 1} {
			s := &wiretest.Server{Piece: piece, Replies: []wiretest.Reply{{Body: in}}}
			got := wiretest.Collect(t, client(s).Stream(t.Context(), llm.Request{Model: "openai/gpt-5.5"}))
			if want == nil {
				want = &got
				continue
			}
			if d := cmp.Diff(want.Chunks, got.Chunks); d != "" || fmt.Sprint(want.Err) != fmt.Sprint(got.Err) {
				t.Errorf("differs in pieces: %v, %v, %s", want.Err, got.Err, d)
			}
		}
		if want.Done != nil {
			next := llm.Request{Model: "openai/gpt-5.5", Messages: []llm.Message{want.Done.Message}}
			if raw, err := openai.New(openai.Options{}).Body(next); err != nil || !json.Valid(raw) {
				t.Errorf("the answer cannot be sent back: %v\n%s", err, raw)
			}
		}
	})
}
