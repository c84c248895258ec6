package anthropic_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/anthropic"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

var update = flag.Bool("update", false, "write the golden files anew")

const opus = "anthropic/claude-opus-4-8"

func body(t testing.TB, o anthropic.Options, req llm.Request) []byte {
	t.Helper()
	o.HTTP = newHTTP()
	c, err := anthropic.New(o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Body(req)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(b) {
		t.Fatalf("invalid body: %s", b)
	}
	return b
}

// wrote is an answer that model gave before.
func wrote(model string, m llm.Message) llm.Message {
	m.Role = llm.Assistant
	m.SetOrigin(llm.Origin{Provider: anthropic.Provider, Model: model})
	return m
}

func call(id, name, args string) llm.ToolCall {
	return llm.ToolCall{ID: id, Name: name, Arguments: args}
}

func result(id, text string) llm.Message {
	return llm.Message{Role: llm.ToolRole, ToolCallID: id, Text: text}
}

func user(text string) llm.Message { return llm.Message{Role: llm.User, Text: text} }

func raws(texts ...string) []json.RawMessage {
	var out []json.RawMessage
	for _, t := range texts {
		out = append(out, json.RawMessage(t))
	}
	return out
}

const (
	thought = `{"type":"thinking","thinking":"a \u00e4 \/ b","signature":"Et=="}`
	secret  = `{"type":"redacted_thinking","data":"opaque"}`
)

func toolset() []llm.ToolSpec {
	return []llm.ToolSpec{
		{Name: "bash", Description: "Run a command.", Parameters: json.RawMessage(`{"type":"object","properties":{"command":{"type":"string"}}}`)},
		{Name: "mcp.server/find", Parameters: nil},
	}
}

// conversation has one of everything.
func conversation() llm.Request {
	return llm.Request{
		Model: opus, Effort: llm.EffortHigh, Tools: toolset(),
		Messages: []llm.Message{
			{Role: llm.System, Text: "You are an intern.\n\nRules.\n[Session context: today, here]"},
			{Role: llm.User, Parts: raws(`{"type":"text","text":"look"}`,
				`{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}}`,
				`{"type":"image_url","image_url":{"url":"https://x.example/y.png"}}`)},
			wrote(opus, llm.Message{Text: "I see <it> & run.", ThinkingBlocks: raws(thought, secret), ToolCalls: []llm.ToolCall{
				call("toolu_1", "bash", `{"command": "ls\n"}`), call("functions.weather:0", "mcp.server/find", ""),
			}}),
			result("toolu_1", "a\nb\x00"),
			result("functions.weather:0", ""),
			{Role: llm.User, Text: "[SYSTEM: a hint]", Synthetic: true},
			wrote("anthropic/claude-sonnet-5", llm.Message{Text: "Another model.", ThinkingBlocks: raws(thought)}),
			user("and now?"),
		},
	}
}

func TestBodyGolden(t *testing.T) {
	base := conversation()
	with := func(change func(*llm.Request)) llm.Request {
		r := base
		change(&r)
		return r
	}
	tests := map[string]struct {
		o   anthropic.Options
		req llm.Request
	}{
		"everything":  {anthropic.Options{}, base},
		"long_waits":  {anthropic.Options{}, with(func(r *llm.Request) { r.LongWaits = true })},
		"hour_cache":  {anthropic.Options{CacheTTL: "1h"}, base},
		"no_thinking": {anthropic.Options{}, with(func(r *llm.Request) { r.Adjust.NoThinking = true })},
		"shrink": {anthropic.Options{}, with(func(r *llm.Request) {
			r.Adjust.Shrink = true
			r.Choice = llm.ToolNone
		})},
		"budget": {anthropic.Options{}, with(func(r *llm.Request) {
			r.Adjust.OtherThinking, r.Effort, r.MaxTokens = true, llm.EffortMedium, 8000
			r.Adjust.Drop = []string{"cache_control"}
		})},
		"plain": {anthropic.Options{}, llm.Request{Model: "anthropic/claude-3-5-haiku-20241022", Effort: llm.EffortHigh, MaxTokens: 1, Messages: []llm.Message{user("ping")}}},
		"no_tools_given": {anthropic.Options{}, llm.Request{Model: opus, Messages: []llm.Message{
			wrote(opus, llm.Message{ToolCalls: []llm.ToolCall{call("a", "bash", "{}")}}), result("a", "x"), user("sum up"),
		}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := append(body(t, tt.o, tt.req), '\n')
			file := filepath.Join("testdata", "body_"+name+".json")
			if *update {
				if err := os.WriteFile(file, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

func members(t *testing.T, b []byte) map[string]json.RawMessage {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// Acceptance check 13 of the model layer, and the rest of the effort table.
func TestCheck13_Effort(t *testing.T) {
	tests := []struct {
		model            string
		effort           llm.Effort
		thinking, output string
	}{
		{opus, "max", `{"type":"adaptive","display":"summarized"}`, `{"effort":"max"}`},
		{opus, "minimal", `{"type":"adaptive","display":"summarized"}`, `{"effort":"low"}`},
		{"anthropic/claude-opus-4-6", "xhigh", `{"type":"adaptive","display":"summarized"}`, `{"effort":"xhigh"}`},
		{"anthropic/claude-fable-5", "low", `{"type":"adaptive","display":"summarized"}`, `{"effort":"low"}`},
		{opus, "", "", ""},
		{"anthropic/claude-sonnet-4-5-20250929", "high", `{"type":"enabled","budget_tokens":24000}`, ""},
		{"anthropic/claude-sonnet-4-20250514", "medium", `{"type":"enabled","budget_tokens":10000}`, ""},
		{"anthropic/claude-haiku-4-5", "minimal", `{"type":"enabled","budget_tokens":4096}`, ""},
		{"anthropic/claude-3-7-sonnet-20250219", "low", `{"type":"enabled","budget_tokens":4096}`, ""},
		{"anthropic/claude-opus-4-5", "max", "", ""},
		{"anthropic/claude-3-5-sonnet-20241022", "low", "", ""},
	}
	for _, tt := range tests {
		req := hello(tt.model)
		req.Effort = tt.effort
		m := members(t, body(t, anthropic.Options{}, req))
		if string(m["thinking"]) != tt.thinking || string(m["output_config"]) != tt.output {
			t.Errorf("%s at %q: thinking %s, output_config %s", tt.model, tt.effort, m["thinking"], m["output_config"])
		}
		for _, key := range []string{"temperature", "top_p", "top_k"} {
			if m[key] != nil {
				t.Errorf("%s: %s is sent", tt.model, key)
			}
		}
	}
}

func TestMaxTokens(t *testing.T) {
	limit := func(n int) func(string) int { return func(string) int { return n } }
	long := strings.Repeat("word ", 80_000) // 100,000 tokens by our guess
	tests := []struct {
		name string
		o    anthropic.Options
		req  llm.Request
		want string
	}{
		{"default", anthropic.Options{}, hello(opus), "64000"},
		{"small model", anthropic.Options{MaxOutput: limit(8192)}, hello(opus), "8192"},
		{"asked for", anthropic.Options{MaxOutput: limit(128_000)}, llm.Request{Model: opus, MaxTokens: 100_000, Messages: hello(opus).Messages}, "100000"},
		{"asked for too much", anthropic.Options{MaxOutput: limit(32_000)}, llm.Request{Model: opus, MaxTokens: 100_000, Messages: hello(opus).Messages}, "32000"},
		{"tiny", anthropic.Options{}, llm.Request{Model: opus, MaxTokens: 64, Messages: hello(opus).Messages}, "64"},
		{"full window", anthropic.Options{Window: limit(100_500)}, llm.Request{Model: opus, Messages: []llm.Message{user(long)}}, "1024"},
	}
	for _, tt := range tests {
		if got := members(t, body(t, tt.o, tt.req))["max_tokens"]; string(got) != tt.want {
			t.Errorf("%s: max_tokens %s, want %s", tt.name, got, tt.want)
		}
	}
	b := members(t, body(t, anthropic.Options{}, llm.Request{Model: "anthropic/claude-sonnet-4-5", Kind: llm.KindEffortProbe, Effort: "high", MaxTokens: 64, Messages: hello(opus).Messages}))
	if string(b["max_tokens"]) != "1088" || string(b["thinking"]) != `{"type":"enabled","budget_tokens":1024}` {
		t.Errorf("probe: max_tokens %s, thinking %s", b["max_tokens"], b["thinking"])
	}
}

// In the budget style the API refuses an answer in the middle of calls that
// does not begin with thinking; adaptive thinking takes it.
func TestBudgetAfterAnotherModelsCalls(t *testing.T) {
	for model, want := range map[string]bool{"anthropic/claude-sonnet-4-5": false, opus: true} {
		req := llm.Request{Model: model, Effort: "high", Tools: toolset(), Messages: []llm.Message{
			user("go"), {Role: llm.Assistant, ToolCalls: []llm.ToolCall{call("a", "bash", "{}")}}, result("a", "x"),
		}}
		if got := members(t, body(t, anthropic.Options{}, req))["thinking"] != nil; got != want {
			t.Errorf("%s: thinking asked for: %v", model, got)
		}
		req.Messages = append(req.Messages, wrote(model, llm.Message{Text: "done"}), user("more"))
		if members(t, body(t, anthropic.Options{}, req))["thinking"] == nil {
			t.Errorf("%s: no thinking in a new turn", model)
		}
	}
}

var reMarker = regexp.MustCompile(`,"cache_control":\{[^}]*\}`)

// Acceptance check 19 of the model layer.
func TestCheck19_CacheMarkers(t *testing.T) {
	req := conversation()
	rounds := 6
	for i := range rounds {
		before := body(t, anthropic.Options{}, req)
		checkMarkers(t, before)
		id := fmt.Sprintf("toolu_%d", i+10)
		req.Messages = append(req.Messages[:len(req.Messages):len(req.Messages)],
			wrote(opus, llm.Message{Text: "step", ThinkingBlocks: raws(thought), ToolCalls: []llm.ToolCall{call(id, "bash", "{}")}}),
			result(id, "out"))
		after := body(t, anthropic.Options{}, req)
		checkExtends(t, before, after)
	}
}

// checkExtends checks that after repeats before up to its newest message, and
// that message but for its marker.
func checkExtends(t *testing.T, before, after []byte) {
	t.Helper()
	newest := bytes.LastIndex(before, []byte(`{"role":"user"`))
	if newest < 0 || !bytes.HasPrefix(after, before[:newest]) {
		t.Fatalf("the next request does not begin with\n%s\nbut is\n%s", before[:newest], after)
	}
	plain := func(b []byte) []byte { return reMarker.ReplaceAll(b, nil) }
	head, _, _ := bytes.Cut(plain(before), []byte(`],"tool_choice"`))
	if !bytes.HasPrefix(plain(after), head) {
		t.Fatal("the newest message was changed")
	}
}

func checkMarkers(t *testing.T, b []byte) {
	t.Helper()
	var in struct {
		Tools    []map[string]any
		System   []map[string]any
		Messages []struct {
			Role    string
			Content []map[string]any
		}
	}
	if err := json.Unmarshal(b, &in); err != nil {
		t.Fatal(err)
	}
	if n := len(reMarker.FindAll(b, -1)); n > 4 {
		t.Errorf("%d markers", n)
	}
	last := in.Messages[len(in.Messages)-1]
	for what, block := range map[string]map[string]any{
		"last tool": in.Tools[len(in.Tools)-1], "system": in.System[0], "newest block": last.Content[len(last.Content)-1],
	} {
		if block["cache_control"] == nil {
			t.Errorf("%s is not marked", what)
		}
	}
	if len(in.System) != 2 || in.System[1]["cache_control"] != nil || !strings.HasPrefix(in.System[1]["text"].(string), "[Session context:") {
		t.Errorf("system %v", in.System)
	}
	for _, m := range in.Messages {
		for _, block := range m.Content {
			if strings.Contains(block["type"].(string), "thinking") && block["cache_control"] != nil {
				t.Error("thinking is marked")
			}
		}
	}
}

// After many new blocks the API would not find what it cached for the request
// before: then that place is marked too.
func TestEarlierMarker(t *testing.T) {
	for n, want := range map[int]int{3: 3, 15: 4} {
		req := llm.Request{Model: opus, Tools: toolset(), Messages: []llm.Message{{Role: llm.System, Text: "s"}, user("go")}}
		var answer llm.Message
		var results []llm.Message
		for i := range n {
			id := fmt.Sprintf("t%d", i)
			answer.ToolCalls = append(answer.ToolCalls, call(id, "bash", "{}"))
			results = append(results, result(id, "x"))
		}
		req.Messages = append(append(req.Messages, wrote(opus, answer)), results...)
		b := body(t, anthropic.Options{}, req)
		if got := len(reMarker.FindAll(b, -1)); got != want {
			t.Errorf("%d calls: %d markers, want %d", n, got, want)
		}
		if marked := bytes.Contains(b, []byte(`"go","cache_control"`)); marked != (want == 4) {
			t.Errorf("%d calls: the user's words marked: %v", n, marked)
		}
	}
}

// Acceptance check 22 of the model layer.
func TestCheck22_ToolIDs(t *testing.T) {
	req := llm.Request{Model: opus, Tools: toolset(), Messages: []llm.Message{
		user("go"),
		{Role: llm.Assistant, ToolCalls: []llm.ToolCall{call("functions.weather:0", "bash", "{}"), call(strings.Repeat("x", 90), "bash", "{}"), call("", "bash", "{}")}},
		result("functions.weather:0", "1"), result(strings.Repeat("x", 90), "2"), result("", "3"),
	}}
	var in struct {
		Messages []struct {
			Content []struct {
				Type, ID, Content string
				ToolUseID         string `json:"tool_use_id"`
			}
		}
	}
	if err := json.Unmarshal(body(t, anthropic.Options{}, req), &in); err != nil {
		t.Fatal(err)
	}
	calls, results := in.Messages[1].Content, in.Messages[2].Content
	for i, c := range calls {
		if !regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`).MatchString(c.ID) || results[i].ToolUseID != c.ID {
			t.Errorf("call %q, result %q", c.ID, results[i].ToolUseID)
		}
	}
}

// What was scrubbed or comes from elsewhere is not sent as the model's own
// reasoning.
func TestThinkingThatStaysHome(t *testing.T) {
	for name, m := range map[string]llm.Message{
		"scrubbed":     wrote(opus, llm.Message{Text: "x", ThinkingBlocks: raws(`{"type":"thinking","thinking":"[x]","signature":"s","redacted":true}`)}),
		"no origin":    {Role: llm.Assistant, Text: "x", ThinkingBlocks: raws(thought)},
		"other shape":  wrote(opus, llm.Message{Text: "x", ThinkingBlocks: raws(`{"type":"text","text":"y"}`)}),
		"old log part": {Role: llm.Assistant, Parts: raws(thought, `{"type":"text","text":"x"}`)},
	} {
		b := body(t, anthropic.Options{}, llm.Request{Model: opus, Messages: []llm.Message{user("a"), m, user("b")}})
		if strings.Contains(string(b), "thinking") || !strings.Contains(string(b), `{"type":"text","text":"x"}`) {
			t.Errorf("%s: %s", name, b)
		}
	}
	b := body(t, anthropic.Options{}, llm.Request{Model: opus, Messages: []llm.Message{user("a"), wrote(opus, llm.Message{Text: "x", ThinkingBlocks: raws(thought)}), user("b")}})
	if !strings.Contains(string(b), thought+`,{"type":"text","text":"x"}`) {
		t.Errorf("own thinking: %s", b)
	}
}

func TestShapes(t *testing.T) {
	tests := []struct {
		name string
		msgs []llm.Message
		want string
	}{
		{"users merge", []llm.Message{user("a"), user(""), user(" \n"), user("b")}, `[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]`},
		{"answer first", []llm.Message{wrote(opus, llm.Message{Text: "x"}), user("b")}, `[{"role":"user","content":[{"type":"text","text":"(earlier messages are not shown)"}]},{"role":"assistant","content":[{"type":"text","text":"x"}]},{"role":"user","content":[{"type":"text","text":"b"}]}]`},
		{"blank text before a call", []llm.Message{user("a"), wrote(opus, llm.Message{Text: "\n\n", ToolCalls: []llm.ToolCall{call("i", "bash", " ")}}), result("i", "r")}, `[{"role":"user","content":[{"type":"text","text":"a"}]},{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"bash","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"i","content":"r"}]}]`},
		{"bad arguments", []llm.Message{user("a"), wrote(opus, llm.Message{ToolCalls: []llm.ToolCall{call("i", "bash", `{"a":`), call("j", "bash", `[1]`), call("k", "bash", `{"a":"\u0000x\ud83d\ud83d\ude00\\u0000"}`)}}), result("i", "r"), result("j", "r"), result("k", "r")}, `{"type":"tool_use","id":"i","name":"bash","input":{}},{"type":"tool_use","id":"j","name":"bash","input":{}},{"type":"tool_use","id":"k","name":"bash","input":{"a":"x\ud83d\ude00\\u0000"}}`},
		{"image result", []llm.Message{user("a"), wrote(opus, llm.Message{ToolCalls: []llm.ToolCall{call("i", "bash", "{}")}}), {Role: llm.ToolRole, ToolCallID: "i", Parts: raws(`{"type":"text","text":"plot"}`, `{"type":"image_url","image_url":{"url":"data:image/png;base64,QQ=="}}`)}}, `"content":[{"type":"text","text":"plot"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"QQ=="}}]}`},
		{"not the last word", []llm.Message{user("a"), wrote(opus, llm.Message{Text: "x"})}, `{"role":"user","content":[{"type":"text","text":"Continue."}]}]`},
	}
	for _, tt := range tests {
		got := string(reMarker.ReplaceAll(body(t, anthropic.Options{}, llm.Request{Model: opus, Messages: tt.msgs}), nil))
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s:\n%s\nlacks\n%s", tt.name, got, tt.want)
		}
	}
}

func TestNothingToSend(t *testing.T) {
	c := newClient(t, anthropic.Options{})
	if _, err := c.Body(llm.Request{Model: opus, Messages: []llm.Message{{Role: llm.System, Text: "s"}}}); err == nil {
		t.Error("no error")
	}
}

// Whatever a conversation holds, its body is valid, the request is not
// changed, and the next one extends it.
func TestBodiesExtend(t *testing.T) {
	text := rapid.StringOfN(rapid.RuneFrom([]rune("ab \n\"\\<é漢🙂\x00")), 0, 12, -1)
	rapid.Check(t, func(rt *rapid.T) {
		req := llm.Request{Model: opus, Effort: "high", Tools: toolset(), Messages: []llm.Message{{Role: llm.System, Text: "s\n[Session context: x]"}, user("go")}}
		var before []byte
		for i := range rapid.IntRange(1, 5).Draw(rt, "rounds") {
			answer := llm.Message{Text: text.Draw(rt, "text")}
			if rapid.Bool().Draw(rt, "thinks") {
				answer.ThinkingBlocks = raws(thought)
			}
			var results []llm.Message
			for k := range rapid.IntRange(1, 3).Draw(rt, "calls") {
				id := fmt.Sprintf("c.%d.%d", i, k)
				answer.ToolCalls = append(answer.ToolCalls, call(id, "bash", `{"a":1}`))
				results = append(results, result(id, text.Draw(rt, "result")))
			}
			req.Messages = append(append(req.Messages, wrote(opus, answer)), results...)
			kept, err := json.Marshal(req.Messages)
			if err != nil {
				rt.Fatal(err)
			}
			after := body(t, anthropic.Options{}, req)
			if now, _ := json.Marshal(req.Messages); !bytes.Equal(kept, now) {
				rt.Fatal("the request was changed")
			}
			if before != nil {
				checkExtends(t, before, after)
			}
			before = after
		}
	})
}

func BenchmarkBody(b *testing.B) {
	req := llm.Request{Model: opus, Effort: "high", Tools: toolset(), Messages: []llm.Message{{Role: llm.System, Text: strings.Repeat("rule ", 2000)}, user("go")}}
	text := strings.Repeat("some output of a tool\n", 2000/22)
	for i := range 1000 {
		id := fmt.Sprintf("toolu_%d", i)
		req.Messages = append(req.Messages,
			wrote(opus, llm.Message{Text: text, ThinkingBlocks: raws(thought), ToolCalls: []llm.ToolCall{call(id, "bash", `{"command":"python train.py --lr 3e-4 --epochs 3"}`)}}),
			result(id, text))
	}
	c, err := anthropic.New(anthropic.Options{HTTP: newHTTP()})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Body(req); err != nil {
			b.Fatal(err)
		}
	}
}
