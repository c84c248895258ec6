package anthropic_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/anthropic"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

func newHTTP() *http.Client { return &http.Client{} }

// hear decodes a stream given as data lines.
func hear(t *testing.T, req llm.Request, events ...string) heard {
	t.Helper()
	var b strings.Builder
	for _, ev := range events {
		b.WriteString("data: " + ev + "\n\n")
	}
	return listen(t, &http.Client{Transport: pieces{b.String(), 11, nil}}, "http://x", req)
}

const (
	start = `{"type":"message_start","message":{"model":"claude-x","usage":{"input_tokens":5,"cache_read_input_tokens":2,"cache_creation_input_tokens":3,"output_tokens":1}}}`
	stop  = `{"type":"message_stop"}`
)

func block(index, content string) string {
	return `{"type":"content_block_start","index":` + index + `,"content_block":` + content + `}`
}

func add(index, delta string) string {
	return `{"type":"content_block_delta","index":` + index + `,"delta":` + delta + `}`
}

func end(index string) string { return `{"type":"content_block_stop","index":` + index + `}` }

func because(reason string) string {
	return `{"type":"message_delta","delta":{"stop_reason":"` + reason + `"},"usage":{"output_tokens":7,"input_tokens":null,"output_tokens_details":{"thinking_tokens":4}}}`
}

// The recorded streams are not part of the project; this one has their shapes.
func TestOwnStream(t *testing.T) {
	stream, err := os.ReadFile("testdata/stream.sse")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 7, 1 << 20} {
		h := listen(t, &http.Client{Transport: pieces{string(stream), n, nil}}, "http://x", hello(opus))
		if h.err != nil {
			t.Fatal(h.err)
		}
		want := llm.Message{
			Role: llm.Assistant, Text: "Let me look: ☃.",
			ThinkingBlocks: raws(`{"type":"thinking","thinking":"The user \u2603 asks.","signature":"U2ln+/=="}`, `{"type":"redacted_thinking","data":"b3BhcXVl","extra":1}`),
			ToolCalls:      []llm.ToolCall{call("toolu_01", "bash", `{"command": "ls"}`), call("toolu_02", "list", "{}")},
		}
		want.SetOrigin(llm.Origin{Provider: "anthropic", Model: opus})
		if d := cmp.Diff(want, h.done.Message); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(&llm.Usage{Prompt: 10, Completion: 30, Total: 40, CacheRead: 2, CacheWrite: 3, Reasoning: 9}, h.done.Usage); d != "" {
			t.Error(d)
		}
		if h.thinking != "The user ☃ asks." || h.text != want.Text || h.done.Finish != llm.FinishTools || len(h.done.Cut) != 0 {
			t.Errorf("%+v", h)
		}
	}
}

func TestFinishWords(t *testing.T) {
	for raw, want := range map[string]llm.Finish{
		"end_turn": llm.FinishStop, "stop_sequence": llm.FinishStop, "tool_use": llm.FinishStop, "new_reason": llm.FinishStop,
		"max_tokens": llm.FinishLength, "model_context_window_exceeded": llm.FinishLength,
		"refusal": llm.FinishFiltered, "pause_turn": llm.FinishPause,
	} {
		h := hear(t, hello(opus), start, because(raw), stop)
		if h.err != nil || h.done.Finish != want || h.done.RawFinish != raw {
			t.Errorf("%s: %+v, %v", raw, h.done, h.err)
		}
		if h.done.Overflow != (raw == "model_context_window_exceeded") {
			t.Errorf("%s: overflow %v", raw, h.done.Overflow)
		}
	}
}

func TestRefusalIsExplained(t *testing.T) {
	h := hear(t, hello(opus), start,
		`{"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":{"category":"cyber","explanation":"Not this."}}}`, stop)
	if h.done == nil || h.done.Explanation != "Not this." {
		t.Errorf("%+v", h.done)
	}
}

// A gateway that starts over voids what it said.
func TestSecondStart(t *testing.T) {
	h := hear(t, hello(opus), start, block("0", `{"type":"text","text":""}`), add("0", `{"type":"text_delta","text":"old"}`),
		block("1", `{"type":"tool_use","id":"a","name":"bash","input":{}}`), end("1"),
		start, block("0", `{"type":"text","text":""}`), add("0", `{"type":"text_delta","text":"new"}`), because("end_turn"), stop)
	if h.err != nil || h.restarts != 1 || h.text != "new" || h.done.Message.Text != "new" || len(h.done.Message.ToolCalls) != 0 || h.done.Finish != llm.FinishStop {
		t.Errorf("%+v", h)
	}
	h = hear(t, hello(opus), start, add("0", `{"type":"text_delta","text":"old"}`), start)
	var f *llm.Fault
	if !errors.As(h.err, &f) || f.AfterOutput {
		t.Errorf("after a restart nothing was said, but the fault is %+v", f)
	}
}

// Acceptance check 34 of the model layer: calls that the limit cut are named.
func TestCheck34_CutCalls(t *testing.T) {
	h := hear(t, hello(opus), start,
		block("0", `{"type":"text","text":"hi"}`), end("0"),
		block("1", `{"type":"tool_use","id":"a","name":"whole","input":{}}`), add("1", `{"type":"input_json_delta","partial_json":"{\"x\":1}"}`), end("1"),
		block("2", `{"type":"tool_use","id":"b","name":"closed_early","input":{}}`), add("2", `{"type":"input_json_delta","partial_json":"{\"x"}`), end("2"),
		block("3", `{"type":"tool_use","id":"c","name":"open","input":{}}`), because("max_tokens"), stop)
	if h.err != nil || h.done.Finish != llm.FinishLength {
		t.Fatalf("%+v", h)
	}
	if d := cmp.Diff([]string{"closed_early", "open"}, h.done.Cut); d != "" {
		t.Error(d)
	}
	if calls := h.done.Message.ToolCalls; len(calls) != 1 || calls[0].Name != "whole" {
		t.Errorf("%+v", calls)
	}
}

// Thinking between texts goes back where it stood, also after a save.
func TestOrderIsKept(t *testing.T) {
	sign := func(i, s string) string { return add(i, `{"type":"signature_delta","signature":"`+s+`"}`) }
	h := hear(t, llm.Request{Model: opus, Tools: toolset(), Messages: []llm.Message{user("q")}}, start,
		block("0", `{"type":"text","text":""}`), add("0", `{"type":"text_delta","text":"One."}`), end("0"),
		block("1", `{"type":"thinking","thinking":"","signature":""}`), add("1", `{"type":"thinking_delta","thinking":"hm"}`), sign("1", "s1"), end("1"),
		block("2", `{"type":"text","text":""}`), add("2", `{"type":"text_delta","text":"Two."}`), end("2"),
		block("3", `{"type":"tool_use","id":"a","name":"bash","input":{}}`), end("3"),
		block("4", `{"type":"thinking","thinking":"","signature":""}`), sign("4", "s2"), end("4"),
		block("5", `{"type":"tool_use","id":"b","name":"mcp_server_find","input":{"k":1}}`), end("5"),
		block("6", `{"type":"server_tool_use","id":"z","name":"web_search","input":{}}`), end("6"),
		because("tool_use"), stop)
	if h.err != nil || h.done.Message.Text != "One.\n\nTwo." || h.text != h.done.Message.Text {
		t.Fatalf("%+v", h)
	}
	saved, err := json.Marshal(h.done.Message)
	if err != nil {
		t.Fatal(err)
	}
	var m llm.Message
	if err := json.Unmarshal(saved, &m); err != nil {
		t.Fatal(err)
	}
	msgs := []llm.Message{user("q"), m, result("a", "1"), result("b", "2")}
	got := string(body(t, anthropic.Options{}, llm.Request{Model: opus, Tools: toolset(), Messages: msgs}))
	want := `"content":[{"type":"text","text":"One."},{"type":"thinking","thinking":"hm","signature":"s1"},{"type":"text","text":"Two."},` +
		`{"type":"tool_use","id":"a","name":"bash","input":{}},{"type":"thinking","thinking":"","signature":"s2"},` +
		`{"type":"tool_use","id":"b","name":"`
	if !strings.Contains(got, want) {
		t.Errorf("%s\nlacks\n%s", got, want)
	}
	msgs[1].Text = "edited" // the order no longer fits
	got = string(body(t, anthropic.Options{}, llm.Request{Model: opus, Messages: msgs}))
	if !strings.Contains(got, `"signature":"s2"},{"type":"text","text":"edited"},{"type":"tool_use"`) {
		t.Errorf("edited text: %s", got)
	}
}

// A paused turn goes back as it is; otherwise a request ends with the user.
func TestPausedTurn(t *testing.T) {
	h := hear(t, hello(opus), start, block("0", `{"type":"text","text":"wait"}`), because("pause_turn"), stop)
	got := string(body(t, anthropic.Options{}, llm.Request{Model: opus, Messages: []llm.Message{user("q"), h.done.Message}}))
	if !strings.Contains(got, `{"role":"assistant","content":[{"type":"text","text":"wait","cache_control":{"type":"ephemeral"}}]}],"max_tokens"`) {
		t.Error(got)
	}
}

func TestBrokenStreams(t *testing.T) {
	text := add("0", `{"type":"text_delta","text":"x"}`)
	tests := []struct {
		name   string
		events []string
		class  llm.Class
		after  bool
	}{
		{"ends after text", []string{start, block("0", `{"type":"text","text":""}`), text}, llm.ClassNetwork, true},
		{"ends before text", []string{start}, llm.ClassNetwork, false},
		{"ends before stop", []string{start, text, because("end_turn")}, llm.ClassNetwork, true},
		{"empty", nil, llm.ClassNetwork, false},
		{"garbage", []string{start, "<html>"}, llm.ClassServer, false},
		{"error", []string{start, text, `{"type":"error","error":{"type":"api_error","message":"x"}}`}, llm.ClassServer, true},
	}
	for _, tt := range tests {
		h := hear(t, hello(opus), tt.events...)
		var f *llm.Fault
		if !errors.As(h.err, &f) || f.Class != tt.class || f.AfterOutput != tt.after || h.done != nil {
			t.Errorf("%s: %+v", tt.name, h)
		}
	}
}

func TestUnknownThingsAreSkipped(t *testing.T) {
	h := hear(t, hello(opus), `{"type":"ping"}`, start, `{"type":"new_event","x":1}`,
		block("0", `{"type":"new_block"}`), add("0", `{"type":"new_delta"}`), end("0"),
		block("1", `{"type":"text","text":""}`), add("1", `{"type":"citations_delta","citation":{}}`), add("1", `{"type":"text_delta","text":"ok"}`), end("9"),
		because("end_turn"), stop)
	if h.err != nil || h.done.Message.Text != "ok" {
		t.Errorf("%+v", h)
	}
}

// A server that ignores "stream" is understood.
func TestDocument(t *testing.T) {
	doc := `{"type":"message","model":"m","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"text","text":"hi"},{"type":"tool_use","id":"a","name":"bash","input":{"x":1}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":2}}`
	h := listen(t, &http.Client{Transport: pieces{doc, 5, nil}}, "http://x", hello(opus))
	if h.err != nil || h.text != "hi" || h.thinking != "t" || h.done.Message.ToolCalls[0].Arguments != `{"x":1}` || len(h.done.Message.ThinkingBlocks) != 1 {
		t.Errorf("%+v", h)
	}
	h = listen(t, &http.Client{Transport: pieces{`{"type":"error","error":{"type":"overloaded_error","message":"x"}}`, 5, nil}}, "http://x", hello(opus))
	var f *llm.Fault
	if !errors.As(h.err, &f) || f.Class != llm.ClassOverloaded {
		t.Errorf("%+v", h)
	}
}

func TestRequestOnTheWire(t *testing.T) {
	var seen *http.Request
	var sent []byte
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r
		sent, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(w, "data: "+start+"\n\ndata: "+stop)
	}))
	defer srv.Close()
	key, token := "k1", "t1"
	o := anthropic.Options{
		HTTP: srv.Client(), BaseURL: func() string { return srv.URL + "/" }, Betas: []string{"a-1", "b-2"},
		APIKey: func() string { return key }, AuthToken: func() string { return token },
	}
	c := newClient(t, o)
	ask := func() error {
		for _, err := range c.Stream(t.Context(), hello(opus)) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	want, err := c.Body(hello(opus))
	if err != nil || string(want) != string(sent) || seen.Method != "POST" || seen.URL.Path != "/v1/messages" {
		t.Errorf("%s %s: %s", seen.Method, seen.URL.Path, sent)
	}
	for k, v := range map[string]string{
		"X-Api-Key": "k1", "Authorization": "", "Anthropic-Version": "2023-06-01", "Anthropic-Beta": "a-1,b-2",
		"Content-Type": "application/json", "Accept": "text/event-stream",
	} {
		if got := seen.Header.Get(k); got != v {
			t.Errorf("%s: %q, want %q", k, got, v)
		}
	}
	key = "  "
	if err := ask(); err != nil || seen.Header.Get("Authorization") != "Bearer t1" || seen.Header.Get("X-Api-Key") != "" {
		t.Errorf("token: %v, %v", err, seen.Header)
	}
	token, seen = "", nil
	var f *llm.Fault
	if err := ask(); !errors.As(err, &f) || f.Class != llm.ClassMissingKey || seen != nil {
		t.Errorf("no key: %v", err)
	}
}

// A level that cannot be expressed is refused without a request when strict.
func TestStrictEffort(t *testing.T) {
	asked := false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked = true
		_, _ = io.WriteString(w, "data: "+start+"\n\ndata: "+stop)
	}))
	defer srv.Close()
	for _, strict := range []bool{true, false} {
		asked = false
		req := hello("anthropic/claude-sonnet-4-5")
		req.Effort, req.Strict = llm.EffortMax, strict
		h := listen(t, srv.Client(), srv.URL, req)
		var f *llm.Fault
		refused := errors.As(h.err, &f) && f.Class == llm.ClassInvalidEffort
		if refused != strict || asked == strict {
			t.Errorf("strict %v: asked %v, %v", strict, asked, h.err)
		}
	}
}

func TestCancelIsNoFault(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "data: "+start+"\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := newClient(t, anthropic.Options{HTTP: srv.Client(), BaseURL: func() string { return srv.URL }})
	var last error
	var since time.Time
	for _, err := range c.Stream(ctx, hello(opus)) {
		last = err
		since = time.Now()
		cancel()
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("error %v", last)
	}
	if d := time.Since(since); d > 200*time.Millisecond {
		t.Errorf("took %s", d)
	}
}

func TestModel(t *testing.T) {
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		switch r.URL.Path {
		case "/v1/models/claude-opus-4-8":
			_, _ = io.WriteString(w, `{"type":"model","id":"claude-opus-4-8","max_input_tokens":1000000,"max_tokens":128000,"capabilities":{"effort":{"supported":true,"high":{"supported":true},"low":{"supported":true},"max":{"supported":true},"medium":{"supported":true},"xhigh":{"supported":false}},"thinking":{"supported":true,"types":{"adaptive":{"supported":true},"enabled":{"supported":false}}}}}`)
		case "/v1/models/bare":
			_, _ = io.WriteString(w, `{"max_input_tokens":null,"capabilities":null}`)
		case "/v1/messages/count_tokens":
			b, _ := io.ReadAll(r.Body)
			if strings.Contains(string(b), "max_tokens") || strings.Contains(string(b), `"stream"`) {
				t.Errorf("count_tokens body: %s", b)
			}
			_, _ = io.WriteString(w, `{"input_tokens":42}`)
		default:
			w.WriteHeader(404)
			_, _ = io.WriteString(w, `{"type":"error","error":{"type":"not_found_error","message":"model: x"}}`)
		}
	}))
	defer srv.Close()
	c := newClient(t, anthropic.Options{HTTP: srv.Client(), BaseURL: func() string { return srv.URL }})
	yes, no := true, false
	want := anthropic.Model{Window: 1_000_000, MaxOutput: 128_000, Efforts: []llm.Effort{"low", "medium", "high", "max"}, Adaptive: &yes, Budget: &no}
	for range 2 {
		got, err := c.Model(t.Context(), opus)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Error(err, d)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	if got, err := c.Model(t.Context(), "anthropic/bare"); err != nil || !cmp.Equal(got, anthropic.Model{}) {
		t.Errorf("bare: %+v, %v", got, err)
	}
	var f *llm.Fault
	if _, err := c.Model(t.Context(), "anthropic/nope"); !errors.As(err, &f) || f.Class != llm.ClassModelNotFound {
		t.Errorf("unknown model: %v", err)
	}
	if n, err := c.CountTokens(t.Context(), conversation()); err != nil || n != 42 {
		t.Errorf("count: %d, %v", n, err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]anthropic.Options{
		"http": {}, "ttl": {HTTP: newHTTP(), CacheTTL: "2h"}, "beta": {HTTP: newHTTP(), Betas: []string{"a\nb"}},
	} {
		if _, err := anthropic.New(o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
