package chat_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/chat"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/wire/wiretest"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

const router = "https://router.huggingface.co/v1"

func body(t *testing.T, provider string, d chat.Dialect, req llm.Request) map[string]any {
	t.Helper()
	c := chat.New(chat.Options{Provider: provider, Dialect: d, BaseURL: func() string { return router }})
	raw, err := c.Body(req)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("body is no JSON: %v\n%s", err, raw)
	}
	return out
}

func message(t *testing.T, b map[string]any, i int) map[string]any {
	t.Helper()
	return b["messages"].([]any)[i].(map[string]any)
}

var hi = []llm.Message{{Role: llm.System, Text: "sys"}, {Role: llm.User, Text: "hi"}}

func TestBody(t *testing.T) {
	req := llm.Request{
		Model: "acme/thinker:fast", SessionID: "S", Effort: llm.EffortHigh,
		Tools: []llm.ToolSpec{
			{Name: "bash", Description: "Runs <it>.", Parameters: json.RawMessage(`{"type":"object", "properties":{}}`)},
			{Name: "nop"},
		},
		Messages: []llm.Message{
			{Role: llm.System, Text: "Be \"brief\".\n\x00"},
			{Role: llm.User, Parts: []json.RawMessage{
				json.RawMessage(`{"type":"text","text":"see"}`),
				json.RawMessage(`{"type":"thinking","thinking":"of an older log"}`),
				json.RawMessage(`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}`),
			}},
			{Role: llm.Assistant},
			{Role: llm.Assistant, ToolCalls: []llm.ToolCall{{ID: "functions.bash:0", Name: "bash", Arguments: `{"command":"ls"}`}, {Name: "nop"}}},
			{Role: llm.ToolRole, ToolCallID: "functions.bash:0", Name: "bash", Parts: []json.RawMessage{
				json.RawMessage(`{"type":"text","text":"out"}`),
				json.RawMessage(`{"type":"image_url","image_url":{"url":"https://x/y.png"}}`),
			}},
			{Role: llm.ToolRole, Name: "nop"},
			{Role: llm.Assistant, Text: "done\xed\xa0\x80"},
		},
	}
	c := chat.New(chat.Options{Provider: "hf-router", Dialect: chat.Router(), BaseURL: func() string { return router }})
	got, err := c.Body(req)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"model":"acme/thinker:fast","stream":true,"stream_options":{"include_usage":true},"reasoning_effort":"high",` +
		`"tools":[{"type":"function","function":{"name":"bash","description":"Runs <it>.","parameters":{"type":"object", "properties":{}}}},` +
		`{"type":"function","function":{"name":"nop","description":"","parameters":{"type":"object","properties":{}}}}],"tool_choice":"auto",` +
		`"messages":[{"role":"system","content":"Be \"brief\".\n"},` +
		`{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},` +
		`{"role":"assistant","content":null,"tool_calls":[{"id":"functions.bash:0","type":"function","function":{"name":"bash","arguments":"{\"command\":\"ls\"}"}},` +
		`{"id":"call_1","type":"function","function":{"name":"nop","arguments":"{}"}}]},` +
		`{"role":"tool","tool_call_id":"functions.bash:0","content":"out"},{"role":"tool","tool_call_id":"call_1","content":"(no output)"},` +
		`{"role":"user","content":[{"type":"text","text":"Images returned by the tools above:"},{"type":"image_url","image_url":{"url":"https://x/y.png"}}]},` +
		`{"role":"assistant","content":"done"},{"role":"user","content":"Continue."}]}`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Error(d)
	}
}

// Acceptance checks 3 and 4, as far as this package goes: address, name, key
// and body of a call to a local server.
func TestCheck03_04_Local(t *testing.T) {
	s := &wiretest.Server{Replies: []wiretest.Reply{{Body: events(finish("stop"))}}}
	c := chat.New(chat.Options{
		HTTP: s.Client(), Provider: "ollama", Dialect: chat.Local(false),
		BaseURL:   func() string { return "http://h:1/v1" },
		WireModel: func(id string) string { return strings.TrimPrefix(id, "ollama/") },
		Header: func(llm.Request) http.Header {
			return http.Header{"Authorization": {"Bearer sk-local-no-key-required"}}
		},
	})
	wiretest.Collect(t, c.Stream(t.Context(), llm.Request{Model: "ollama/llama3.1:8b", Effort: llm.EffortHigh, SessionID: "S", Messages: hi}))
	r := s.Requests()[0]
	if r.Method != "POST" || r.URL != "http://h:1/v1/chat/completions" || r.Header.Get("Authorization") != "Bearer sk-local-no-key-required" ||
		r.Header.Get("Accept") != "text/event-stream" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%+v", r)
	}
	want := `{"model":"llama3.1:8b","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"system","content":"sys"},{"role":"user","content":"hi"}]}`
	if d := cmp.Diff(want, string(r.Body)); d != "" {
		t.Error(d)
	}
	for name := range r.Header {
		if strings.HasPrefix(strings.ToLower(name), "x-hf-") { // check 10
			t.Errorf("header %s was sent", name)
		}
	}
}

// Acceptance checks 10 and 18: the headers of the router.
func TestCheck10_18_RouterHeader(t *testing.T) {
	h := chat.RouterHeader("tok", "acme", strings.Repeat("ü", 300))
	if h.Get("Authorization") != "Bearer tok" || h.Get("X-HF-Bill-To") != "acme" || h.Get("X-HF-Session-id") != strings.Repeat("ü", 256) {
		t.Errorf("%v", h)
	}
	if d := cmp.Diff(http.Header{"Authorization": {"Bearer tok"}}, chat.RouterHeader("tok", "", "")); d != "" {
		t.Error(d)
	}
}

// Acceptance check 12 and the rest of the table of efforts.
func TestCheck12_Effort(t *testing.T) {
	tests := []struct {
		dialect chat.Dialect
		model   string
		ask     llm.Effort
		want    any // nil: left out, and refused when strict
	}{
		{chat.Router(), "acme/m", llm.EffortHigh, "high"},
		{chat.Router(), "acme/m", llm.EffortMinimal, "low"},
		{chat.Router(), "acme/m", llm.EffortMax, nil},
		{chat.Router(), "acme/m", llm.EffortXHigh, nil},
		{chat.Router(), "anthropic/claude-opus-4.8:fal-ai", llm.EffortMax, "max"},
		{chat.Router(), "openai/gpt-5.5:fal-ai", llm.EffortXHigh, "xhigh"},
		{chat.Router(), "openai/gpt-5.5:fal-ai", llm.EffortMinimal, "low"},
		{chat.OpenAI(), "gpt-5.5", llm.EffortMinimal, "minimal"},
		{chat.OpenAI(), "gpt-5.5", llm.EffortMax, "max"},
		{chat.OpenAI(), "gpt-4.1", llm.EffortHigh, nil},
		{chat.Local(false), "m", llm.EffortHigh, nil},
		{chat.Local(true), "m", llm.EffortMax, "max"},
		{chat.Local(true), "m", llm.EffortMinimal, "low"},
	}
	for _, tt := range tests {
		req := llm.Request{Model: tt.model, Effort: tt.ask, Messages: hi}
		if got := body(t, "p", tt.dialect, req)["reasoning_effort"]; got != tt.want {
			t.Errorf("%s %s: sent %v, want %v", tt.model, tt.ask, got, tt.want)
		}
		req.Strict = true
		s := &wiretest.Server{Replies: []wiretest.Reply{{Body: events(finish("stop"))}}}
		err := wiretest.Collect(t, client(s, "p", tt.dialect).Stream(t.Context(), req)).Err
		var f *llm.Fault
		refused := errors.As(err, &f) && f.Class == llm.ClassInvalidEffort
		if refused != (tt.want == nil) || refused == (len(s.Requests()) > 0) {
			t.Errorf("%s %s strict: %v after %d requests", tt.model, tt.ask, err, len(s.Requests()))
		}
	}
	if got := body(t, "p", chat.OpenRouter(), llm.Request{Model: "a/b", Effort: llm.EffortHigh, Messages: hi}); !cmp.Equal(got["reasoning"], map[string]any{"effort": "high"}) {
		t.Errorf("OpenRouter: %v", got)
	}
	off := body(t, "p", chat.Router(), llm.Request{Model: "acme/m", Strict: true, Messages: hi})
	if _, sent := off["reasoning_effort"]; sent {
		t.Error("off was sent")
	}
}

func TestLimitAndRoleByModel(t *testing.T) {
	tests := []struct {
		dialect            chat.Dialect
		model, field, role string
		drop               []string
	}{
		{chat.OpenAI(), "gpt-5.5", "max_completion_tokens", "developer", nil},
		{chat.OpenAI(), "o3-mini", "max_completion_tokens", "developer", nil},
		{chat.OpenAI(), "gpt-5-chat-latest", "max_tokens", "system", nil},
		{chat.OpenAI(), "gpt-4.1", "max_tokens", "system", nil},
		{chat.OpenAI(), "gpt-4.1", "max_completion_tokens", "system", []string{"max_tokens"}},
		{chat.OpenAI(), "gpt-4.1", "", "system", []string{"max_tokens", "max_completion_tokens"}},
		{chat.Router(), "openai/gpt-5.5:fal-ai", "max_completion_tokens", "system", nil},
		{chat.Router(), "openai/gpt-oss-120b", "max_tokens", "system", nil},
		{chat.Local(false), "o3-clone", "max_tokens", "system", nil},
	}
	for _, tt := range tests {
		b := body(t, "p", tt.dialect, llm.Request{Model: tt.model, MaxTokens: 9, Messages: hi, Adjust: llm.Adjust{Drop: tt.drop}})
		for _, field := range []string{"max_tokens", "max_completion_tokens"} {
			if _, sent := b[field]; sent != (field == tt.field) {
				t.Errorf("%s: %s sent: %v", tt.model, field, sent)
			}
		}
		if role := message(t, b, 0)["role"]; role != tt.role {
			t.Errorf("%s: role %v, want %s", tt.model, role, tt.role)
		}
	}
}

func TestDrop(t *testing.T) {
	req := llm.Request{Model: "openai/gpt-5.5:fal-ai", SessionID: "S", Effort: llm.EffortHigh, Messages: hi, Tools: []llm.ToolSpec{{Name: "x"}}}
	names := []string{"stream_options", "tool_choice", "prompt_cache_key", "prompt_cache_retention", "reasoning_effort"}
	full := body(t, "hf-router", chat.Router(), req)
	for _, name := range names {
		if full[name] == nil {
			t.Errorf("%s is not sent", name)
		}
		req.Adjust.Drop = []string{name}
		b := body(t, "hf-router", chat.Router(), req)
		if _, sent := b[name]; sent || len(b) != len(full)-1 {
			t.Errorf("%s is still sent, or more is missing: %v", name, b)
		}
	}
	req.Adjust.Drop, req.Choice = nil, llm.ToolNone
	if got := body(t, "hf-router", chat.Router(), req); got["tool_choice"] != "none" || got["tools"] == nil {
		t.Errorf("the closing call keeps its tools: %v", got)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Acceptance check 17: cache markers, and only where they belong.
func TestCheck17_RouterCacheMarkers(t *testing.T) {
	req := llm.Request{
		Model: "anthropic/claude-opus-4.8:fal-ai", SessionID: "S",
		Tools: []llm.ToolSpec{{Name: "a"}, {Name: "b"}},
		Messages: []llm.Message{
			{Role: llm.System, Text: "sys"},
			{Role: llm.User, Text: "first"},
			{Role: llm.Assistant, Text: "x", ToolCalls: []llm.ToolCall{{ID: "1", Name: "a", Arguments: "{}"}}},
			{Role: llm.ToolRole, ToolCallID: "1", Text: "out"},
		},
	}
	before := mustJSON(t, req)
	b := body(t, "hf-router", chat.Router(), req)
	ephemeral := map[string]any{"type": "ephemeral"}
	tools := b["tools"].([]any)
	if !cmp.Equal(b["cache_control"], ephemeral) || !cmp.Equal(tools[1].(map[string]any)["cache_control"], ephemeral) {
		t.Errorf("top level or last tool unmarked: %v", b)
	}
	want := []any{map[string]any{"type": "text", "text": "first", "cache_control": ephemeral}}
	if d := cmp.Diff(want, message(t, b, 1)["content"]); d != "" {
		t.Error(d)
	}
	if n := strings.Count(mustJSON(t, b), "cache_control"); n != 3 {
		t.Errorf("%d markers, want 3", n)
	}
	if after := mustJSON(t, req); after != before {
		t.Errorf("the request was changed: %s", after)
	}
	if b["prompt_cache_key"] != nil || b["prompt_cache_retention"] != nil {
		t.Error("a key beside markers")
	}

	other := chat.Router()
	other.CacheBase = "https://gateway.example/v1"
	novita := req
	novita.Model = "anthropic/claude-opus-4.8:novita"
	generic := req
	generic.Model = "moonshotai/Kimi-K2.6:fal-ai"
	for name, b := range map[string]map[string]any{
		"another provider":   body(t, "hf-router", chat.Router(), novita),
		"another model":      body(t, "hf-router", chat.Router(), generic),
		"not the router":     body(t, "hf-router", other, req),
		"another dialect":    body(t, "vllm", chat.Local(false), req),
		"dropped by request": body(t, "hf-router", chat.Router(), func() llm.Request { r := req; r.Adjust.Drop = []string{"cache_control"}; return r }()),
	} {
		if strings.Contains(mustJSON(t, b), "cache_control") {
			t.Errorf("%s: marked", name)
		}
	}
	same := chat.Router()
	same.CacheBase = router + "/"
	if b := body(t, "hf-router", same, req); b["cache_control"] == nil {
		t.Error("the router itself: unmarked")
	}
}

func TestMarkerOnLastTextPart(t *testing.T) {
	msgs := []llm.Message{
		{Role: llm.User, Parts: []json.RawMessage{
			json.RawMessage(`{"type":"text","text":"a"}`), json.RawMessage(`{"type":"text","text":"b"}`),
			json.RawMessage(`{"type":"image_url","image_url":"https://x/y"}`),
		}},
		{Role: llm.User, Text: " "},
		{Role: llm.User, Text: "new"},
	}
	b := body(t, "hf-router", chat.Router(), llm.Request{Model: "anthropic/x:fal-ai", Messages: msgs})
	parts := message(t, b, 0)["content"].([]any)
	for i, marked := range []bool{false, true, false} {
		if _, got := parts[i].(map[string]any)["cache_control"]; got != marked {
			t.Errorf("part %d marked: %v", i, got)
		}
	}
}

// Acceptance check 18: cache key and retention.
func TestCheck18_RouterCacheKey(t *testing.T) {
	req := llm.Request{Model: "openai/gpt-5.5:fal-ai", SessionID: "S", Messages: hi}
	b := body(t, "hf-router", chat.Router(), req)
	if b["prompt_cache_key"] != "S" || b["prompt_cache_retention"] != "24h" || b["cache_control"] != nil {
		t.Errorf("%v", b)
	}
	req.SessionID = ""
	if b = body(t, "hf-router", chat.Router(), req); b["prompt_cache_key"] != nil || b["prompt_cache_retention"] != "24h" {
		t.Errorf("without a session: %v", b)
	}
	b = body(t, "openai", chat.OpenAI(), llm.Request{Model: "gpt-4.1", SessionID: "S", Messages: hi})
	if b["prompt_cache_key"] != "S" || b["prompt_cache_retention"] != nil {
		t.Errorf("OpenAI: %v", b)
	}
}

// Acceptance check 22, for the API of this package that limits ids.
func TestCheck22_LongIDs(t *testing.T) {
	long := strings.Repeat("x", 50)
	msgs := []llm.Message{
		{Role: llm.User, Text: "hi"},
		{Role: llm.Assistant, ToolCalls: []llm.ToolCall{{ID: long, Name: "srv:tool"}}},
		{Role: llm.ToolRole, ToolCallID: long},
	}
	b := body(t, "openai", chat.OpenAI(), llm.Request{Model: "gpt-4.1", Messages: msgs})
	call := message(t, b, 1)["tool_calls"].([]any)[0].(map[string]any)
	id := call["id"].(string)
	if len(id) > 40 || id != message(t, b, 2)["tool_call_id"] {
		t.Errorf("call %q, result %q", id, message(t, b, 2)["tool_call_id"])
	}
	name := call["function"].(map[string]any)["name"].(string)
	if !regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`).MatchString(name) {
		t.Errorf("name %q", name)
	}
}

// turn is an assistant message with a call, and its result.
func turn(provider, model, id, reasoning string) []llm.Message {
	m := llm.Message{Role: llm.Assistant, ReasoningContent: reasoning, ToolCalls: []llm.ToolCall{{ID: id, Name: "x", Arguments: "{}"}}}
	if provider != "" {
		m.SetOrigin(llm.Origin{Provider: provider, Model: model})
	}
	return []llm.Message{m, {Role: llm.ToolRole, ToolCallID: id, Text: "out"}}
}

// reasoning lists what assistant messages carry as reasoning_content.
func reasoning(t *testing.T, provider string, d chat.Dialect, req llm.Request) (out []any) {
	t.Helper()
	for _, raw := range body(t, provider, d, req)["messages"].([]any) {
		if m := raw.(map[string]any); m["role"] == "assistant" {
			out = append(out, m["reasoning_content"])
		}
	}
	return out
}

func TestReasoningReplay(t *testing.T) {
	const kimi = "moonshotai/Kimi-K2.6:novita"
	join := func(parts ...[]llm.Message) (out []llm.Message) {
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	user := []llm.Message{{Role: llm.User, Text: "go"}}
	note := []llm.Message{{Role: llm.User, Text: "[SYSTEM: x]", Synthetic: true}}
	history := join(user, turn("hf-router", kimi, "1", "old"), user, turn("hf-router", "moonshotai/Kimi-K2.6", "2", "new"),
		turn("hf-router", kimi, "3", ""), note, turn("openai", kimi, "4", "foreign"), turn("", "", "5", "unknown"))
	tests := []struct {
		name, provider, model string
		dialect               chat.Dialect
		adjust                llm.Adjust
		want                  []any
	}{
		{"this turn, same model", "hf-router", kimi, chat.Router(), llm.Adjust{}, []any{nil, "new", " ", nil, nil}},
		{"all, once asked for", "hf-router", kimi, chat.Router(), llm.Adjust{FillReasoning: true}, []any{"old", "new", " ", " ", " "}},
		{"without thinking", "hf-router", kimi, chat.Router(), llm.Adjust{NoThinking: true}, []any{nil, nil, nil, nil, nil}},
		{"rebuilt", "hf-router", kimi, chat.Router(), llm.Adjust{Rebuild: true}, []any{nil, nil, nil, nil, nil}},
		{"another model", "hf-router", "zai-org/GLM-5.1", chat.Router(), llm.Adjust{}, []any{nil, nil, nil, nil, nil}},
		{"field refused", "hf-router", kimi, chat.Router(), llm.Adjust{Drop: []string{"reasoning_content"}}, []any{nil, nil, nil, nil, nil}},
		{"OpenAI", "openai", kimi, chat.OpenAI(), llm.Adjust{}, []any{nil, nil, nil, nil, nil}},
	}
	for _, tt := range tests {
		got := reasoning(t, tt.provider, tt.dialect, llm.Request{Model: tt.model, Messages: history, Adjust: tt.adjust})
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
	for model, want := range map[string]any{
		"anthropic/claude-opus-4.8:fal-ai": nil, "openai/gpt-oss-120b": nil, "zai-org/GLM-5.1": "thought",
	} {
		got := reasoning(t, "hf-router", chat.Router(), llm.Request{Model: model, Messages: join(user, turn("hf-router", model, "1", "thought"))})
		if got[0] != want {
			t.Errorf("%s: %v", model, got)
		}
	}
	quiet := reasoning(t, "hf-router", chat.Router(), llm.Request{Model: "acme/plain", Messages: join(user, turn("hf-router", "acme/plain", "1", ""))})
	if quiet[0] != nil {
		t.Errorf("a blank for a model that does not ask for it: %v", quiet)
	}
}

// Acceptance check 23: a backend complains once, the healed request carries
// reasoning on every assistant message with calls.
func TestCheck23_FillReasoning(t *testing.T) {
	s := &wiretest.Server{Replies: []wiretest.Reply{
		{Status: http.StatusBadRequest, Body: `{"error":{"message":"reasoning_content is missing in message 1","type":"invalid_request_error"}}`},
		{Body: events(delta(`"content":"fine"`), finish("stop"))},
	}}
	req := llm.Request{Model: "moonshotai/Kimi-K2.6", Messages: append(append([]llm.Message{{Role: llm.User, Text: "go"}}, turn("", "", "1", "")...), turn("hf-router", "a/b", "2", "x")...)}
	c := client(s, "hf-router", chat.Router())
	var f *llm.Fault
	if a := wiretest.Collect(t, c.Stream(t.Context(), req)); !errors.As(a.Err, &f) || f.Class != llm.ClassReasoningMissing {
		t.Fatalf("%v", a.Err)
	}
	req.Adjust.FillReasoning = true
	if a := wiretest.Collect(t, c.Stream(t.Context(), req)); a.Text != "fine" {
		t.Fatalf("%v", a.Err)
	}
	var second struct {
		Messages []struct {
			Role      string `json:"role"`
			Reasoning string `json:"reasoning_content"`
		} `json:"messages"`
	}
	if err := json.Unmarshal(s.Requests()[1].Body, &second); err != nil {
		t.Fatal(err)
	}
	for i, m := range second.Messages {
		if (m.Role == "assistant") != (m.Reasoning != "") {
			t.Errorf("message %d: %+v", i, m)
		}
	}
}

func TestReasoningDetailsReplay(t *testing.T) {
	m := turn("openrouter", "openrouter/a/b", "1", "t")
	m[0].ProviderFields[llm.FieldReasoningDetails] = json.RawMessage(`[{"type":"reasoning.encrypted","data":"QQ=="}]`)
	req := llm.Request{Model: "openrouter/a/b", Messages: append([]llm.Message{{Role: llm.User, Text: "go"}}, m...)}
	got := message(t, body(t, "openrouter", chat.OpenRouter(), req), 1)
	if d := cmp.Diff([]any{map[string]any{"type": "reasoning.encrypted", "data": "QQ=="}}, got["reasoning_details"]); d != "" || got["reasoning_content"] != nil {
		t.Errorf("%v %s", got, d)
	}
	if got := message(t, body(t, "hf-router", chat.Router(), req), 1); got["reasoning_details"] != nil {
		t.Errorf("sent to another service: %v", got)
	}
}

// A longer conversation begins with the bytes of the shorter one.
func TestBodyExtends(t *testing.T) {
	for name, d := range map[string]chat.Dialect{"hf-router": chat.Router(), "openai": chat.OpenAI(), "ollama": chat.Local(false)} {
		c := chat.New(chat.Options{Provider: name, Dialect: d, BaseURL: func() string { return router }})
		msgs := append([]llm.Message(nil), hi...)
		var before []byte
		for i := range 5 {
			b, err := c.Body(llm.Request{Model: "moonshotai/Kimi-K2.6", SessionID: "s", Messages: msgs, Tools: []llm.ToolSpec{{Name: "x"}}})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(b, bytes.TrimSuffix(before, []byte("]}"))) {
				t.Fatalf("%s\ndoes not extend\n%s", b, before)
			}
			before = b
			msgs = append(msgs, turn(name, "moonshotai/Kimi-K2.6", strings.Repeat("i", 40+i), "t")...)
		}
	}
}

// A body is built for every call of a session, however long it has become.
// The target is 2 ms for 2,000 messages of 2 kB.
func BenchmarkBody(b *testing.B) {
	line := "The trainer logs the loss of each step, one line a step, until the epoch ends.\n"
	text := strings.Repeat(line, 2000/len(line)+1)[:2000]
	msgs := []llm.Message{{Role: llm.System, Text: text}, {Role: llm.User, Text: text}}
	for len(msgs) < 2000 {
		m := turn("hf-router", "acme/thinker", "call_abcdefgh", "")
		m[0].Text, m[1].Text = text, text
		msgs = append(msgs, m...)
	}
	c := chat.New(chat.Options{Provider: "hf-router", Dialect: chat.Router(), BaseURL: func() string { return router }})
	req := llm.Request{Model: "acme/thinker", Messages: msgs}
	b.ReportAllocs()
	for b.Loop() {
		raw, err := c.Body(req)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(raw)))
	}
}
