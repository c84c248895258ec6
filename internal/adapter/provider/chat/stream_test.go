package chat_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/chat"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/wire"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/wire/wiretest"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

func serve(t *testing.T, body string, piece int, d chat.Dialect, req llm.Request) wiretest.Answer {
	t.Helper()
	s := &wiretest.Server{Piece: piece, Replies: []wiretest.Reply{{Body: body}}}
	if req.Model == "" {
		req.Model = "acme/thinker"
	}
	return wiretest.Collect(t, client(s, "hf-router", d).Stream(t.Context(), req))
}

// events writes data lines and the end marker.
func events(data ...string) string {
	return "data: " + strings.Join(data, "\n\ndata: ") + "\n\ndata: [DONE]\n\n"
}

// delta is a chunk whose delta has the given members.
func delta(members string) string { return `{"choices":[{"index":0,"delta":{` + members + `}}]}` }

func finish(reason string) string {
	return `{"choices":[{"index":0,"delta":{},"finish_reason":"` + reason + `"}]}`
}

// finished streams deltas and then a finish reason.
func finished(t *testing.T, reason string, deltas ...string) llm.Done {
	t.Helper()
	a := serve(t, events(append(deltas, finish(reason))...), 0, chat.Router(), llm.Request{})
	if a.Done == nil {
		t.Fatal(a.Err)
	}
	return *a.Done
}

func file(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestStream(t *testing.T) {
	for _, piece := range []int{0, 7, 1} {
		a := serve(t, file(t, "answer.sse"), piece, chat.Router(), llm.Request{Model: "acme/thinker:fast"})
		if a.Err != nil {
			t.Fatal(a.Err)
		}
		cost := 0.00125
		want := llm.Done{
			Message: llm.Message{
				Role: llm.Assistant, Text: "I look at 🙂", ReasoningContent: "Zähle nach.",
				ToolCalls: []llm.ToolCall{{ID: "functions.count:0", Name: "count", Arguments: `{"file":"a.csv"}`}},
			},
			Finish: llm.FinishTools, RawFinish: "tool_calls", RequestID: "chatcmpl-1", CostUSD: &cost,
			Usage: &llm.Usage{Prompt: 30, Completion: 12, Total: 42, CacheRead: 20, Reasoning: 4},
		}
		want.Message.SetOrigin(llm.Origin{Provider: "hf-router", Model: "acme/thinker:fast"})
		if d := cmp.Diff(want, *a.Done); d != "" {
			t.Error(d)
		}
		if a.Begun.Model != "acme/thinker" || a.Thinking != "Zähle nach." {
			t.Errorf("%+v, thinking %q", a.Begun, a.Thinking)
		}
	}
}

func TestDocument(t *testing.T) {
	for _, piece := range []int{0, 1} {
		a := serve(t, "\r\n "+file(t, "document.json"), piece, chat.Local(false), llm.Request{})
		if a.Done == nil {
			t.Fatal(a.Err)
		}
		want := []llm.ToolCall{{ID: "a", Name: "one", Arguments: "{}"}, {ID: "b", Name: "two", Arguments: `{"x":1}`}}
		if d := cmp.Diff(want, a.Done.Message.ToolCalls); d != "" || a.Text != "Done." || a.Thinking != "Short." {
			t.Errorf("text %q, thinking %q, calls %s", a.Text, a.Thinking, d)
		}
		if a.Done.Finish != llm.FinishTools || a.Done.RawFinish != "stop" || a.Done.Usage.Total != 7 {
			t.Errorf("%+v", a.Done)
		}
	}
}

// Acceptance check 35 and its kin: how services number the pieces of calls.
func TestCheck35_ToolDeltas(t *testing.T) {
	type calls = []llm.ToolCall
	tests := []struct {
		name   string
		deltas []string
		want   calls
	}{
		{"index 0 for every call", []string{
			`{"index":0,"id":"a","function":{"name":"add","arguments":"{\"x\":1}"}}`,
			`{"index":0,"id":"b","function":{"name":"mul","arguments":"{\"x\":"}}`,
			`{"index":0,"function":{"arguments":"2}"}}`,
		}, calls{{ID: "a", Name: "add", Arguments: `{"x":1}`}, {ID: "b", Name: "mul", Arguments: `{"x":2}`}}},
		{"index 0 for every call, interleaved by id", []string{
			`{"index":0,"id":"a","function":{"name":"add"}}`, `{"index":0,"id":"b","function":{"name":"mul"}}`,
			`{"index":0,"id":"a","function":{"arguments":"{}"}}`, `{"index":0,"id":"b","function":{"arguments":"{ }"}}`,
		}, calls{{ID: "a", Name: "add", Arguments: `{}`}, {ID: "b", Name: "mul", Arguments: `{ }`}}},
		{"no index", []string{
			`{"id":"a","function":{"name":"add","arguments":"{"}}`, `{"function":{"arguments":"}"}}`,
			`{"id":"b","function":{"name":"mul","arguments":"{ "}}`, `{"id":"b","function":{"arguments":"}"}}`,
		}, calls{{ID: "a", Name: "add", Arguments: `{}`}, {ID: "b", Name: "mul", Arguments: `{ }`}}},
		{"null index, no ids", []string{
			`{"index":null,"function":{"name":"add","arguments":"{}"}}`, `{"function":{"name":"add","arguments":"{ }"}}`,
		}, calls{{ID: "call_0", Name: "add", Arguments: `{}`}, {ID: "call_1", Name: "add", Arguments: `{ }`}}},
		{"repeated name", []string{
			`{"index":0,"id":"a","function":{"name":"add","arguments":"{"}}`, `{"index":0,"id":"a","function":{"name":"add","arguments":"}"}}`,
			`{"index":0,"function":{"name":"add","arguments":""}}`,
		}, calls{{ID: "a", Name: "add", Arguments: `{}`}}},
		{"repeated name before arguments", []string{
			`{"index":0,"id":"a","function":{"name":"add"}}`, `{"index":0,"function":{"name":"add","arguments":"{}"}}`,
		}, calls{{ID: "a", Name: "add", Arguments: `{}`}}},
		{"name in pieces", []string{
			`{"index":0,"id":"a","function":{"name":"get_"}}`, `{"index":0,"function":{"name":"rows","arguments":"{}"}}`,
		}, calls{{ID: "a", Name: "get_rows", Arguments: `{}`}}},
		{"arguments as object", []string{
			`{"index":0,"id":"a","function":{"name":"add","arguments":{"x": [1, "<y>"]}}}`,
		}, calls{{ID: "a", Name: "add", Arguments: `{"x":[1,"<y>"]}`}}},
		{"indexes with gaps", []string{
			`{"index":7,"id":"a","function":{"name":"add","arguments":"{"}}`, `{"index":2,"id":"b","function":{"name":"mul","arguments":"{"}}`,
			`{"index":7,"function":{"arguments":"}"}}`, `{"index":2,"function":{"arguments":" }"}}`,
		}, calls{{ID: "a", Name: "add", Arguments: `{}`}, {ID: "b", Name: "mul", Arguments: `{ }`}}},
		{"first id wins, id may come late", []string{
			`{"index":0,"id":"","function":{"name":"add"}}`, `{"index":0,"id":"a","function":{"arguments":"{"}}`,
			`{"index":0,"id":"z","function":{"arguments":"}"}}`,
		}, calls{{ID: "a", Name: "add", Arguments: `{}`}}},
		{"one id twice", []string{
			`{"index":0,"id":"a","function":{"name":"add","arguments":"{}"}}`, `{"index":1,"id":"a","function":{"name":"mul","arguments":"{}"}}`,
		}, calls{{ID: "a", Name: "add", Arguments: `{}`}, {ID: "call_0", Name: "mul", Arguments: `{}`}}},
		{"complete but no JSON", []string{
			`{"index":0,"id":"a","function":{"name":"add","arguments":"{oops}"}}`,
		}, calls{{ID: "a", Name: "add", Arguments: `{oops}`}}},
	}
	for _, tt := range tests {
		var deltas []string
		for _, d := range tt.deltas {
			deltas = append(deltas, delta(`"tool_calls":[`+d+`]`))
		}
		d := finished(t, "stop", deltas...)
		if diff := cmp.Diff(tt.want, d.Message.ToolCalls); diff != "" || d.Finish != llm.FinishTools {
			t.Errorf("%s: %s %s", tt.name, d.Finish, diff)
		}
	}
}

func TestCutCall(t *testing.T) {
	deltas := []string{
		delta(`"content":"Writing.","tool_calls":[{"index":0,"id":"a","function":{"name":"bash","arguments":"{bad"}}]`),
		delta(`"tool_calls":[{"index":1,"id":"b","function":{"name":"write","arguments":"{\"path\":"}}]`),
	}
	d := finished(t, "length", deltas...)
	if d.Finish != llm.FinishLength || !cmp.Equal(d.Cut, []string{"write"}) || d.Message.Text != "Writing." {
		t.Errorf("%+v", d)
	}
	if calls := d.Message.ToolCalls; len(calls) != 1 || calls[0].Arguments != "{bad" {
		t.Errorf("%+v", calls)
	}
	if d = finished(t, "tool_calls", deltas...); len(d.Message.ToolCalls) != 2 || d.Cut != nil {
		t.Errorf("only the limit cuts: %+v", d)
	}
}

// Acceptance check 37: tags split over chunks in every way.
func TestCheck37_ThinkTags(t *testing.T) {
	tests := []struct{ in, text, thinking string }{
		{" \n<think>\nplan \n</think>\n\nanswer <b>", "answer <b>", "plan"},
		{"<think></think>answer", "answer", ""},
		{"<think>never closed </thin", "", "never closed </thin"},
		{"  <thinking> is a word", "  <thinking> is a word", ""},
		{"I <think>so</think>", "I <think>so</think>", ""},
		{"<thi", "<thi", ""},
		{"\n\n", "", ""},
		{"<think>a</think>b</think>c", "b</think>c", "a"},
	}
	for _, tt := range tests {
		for size := 1; size <= len(tt.in); size++ {
			var deltas []string
			for rest := tt.in; rest != ""; {
				n := min(size, len(rest))
				deltas = append(deltas, delta(fmt.Sprintf(`"content":%q`, rest[:n])))
				rest = rest[n:]
			}
			d := finished(t, "stop", deltas...)
			if d.Message.Text != tt.text || d.Message.ReasoningContent != tt.thinking {
				t.Errorf("%q in pieces of %d: text %q, thinking %q", tt.in, size, d.Message.Text, d.Message.ReasoningContent)
			}
		}
	}
}

func TestContentShapes(t *testing.T) {
	tests := []struct{ name, delta, text, thinking string }{
		{"null", `"content":null`, "", ""},
		{"parts", `"content":[{"type":"text","text":"a"},{"type":"thinking","thinking":[{"type":"text","text":"t"}]},{"type":"text","text":"b"}]`, "ab", "t"},
		{"reasoning", `"reasoning":"r"`, "", "r"},
		{"the same twice", `"reasoning":"r","reasoning_content":"r","reasoning_details":[{"type":"reasoning.text","text":"r"}]`, "", "r"},
		{"only details", `"reasoning_details":[{"type":"reasoning.summary","summary":"s"}]`, "", "s"},
		{"refusal", `"content":null,"refusal":"no"`, "no", ""},
		{"foreign types", `"role":7,"content":"a","reasoning":{"x":1}`, "a", ""},
	}
	for _, tt := range tests {
		d := finished(t, "stop", delta(tt.delta))
		if d.Message.Text != tt.text || d.Message.ReasoningContent != tt.thinking {
			t.Errorf("%s: text %q, thinking %q", tt.name, d.Message.Text, d.Message.ReasoningContent)
		}
	}
}

func TestFinishReasons(t *testing.T) {
	for raw, want := range map[string]llm.Finish{
		"stop": llm.FinishStop, "length": llm.FinishLength, "tool_calls": llm.FinishTools, "content_filter": llm.FinishFiltered,
		"function_call": llm.FinishTools, "max_tokens": llm.FinishLength, "model_length": llm.FinishLength,
		"eos_token": llm.FinishStop, "model_context_window_exceeded": llm.FinishLength,
	} {
		d := finished(t, raw, `{"choices":null}`, `{"choices":[{"index":3,"delta":{"content":"other"}}]}`)
		if d.Finish != want || d.RawFinish != raw || d.Overflow != (raw == "model_context_window_exceeded") {
			t.Errorf("%s: %+v", raw, d)
		}
	}
	a := serve(t, events(finish("length"), `{"choices":[{"delta":{"content":"x"},"finish_reason":null}]}`), 0, chat.Router(), llm.Request{})
	if a.Done.Finish != llm.FinishLength {
		t.Errorf("a later null erased the reason: %+v", a.Done)
	}
}

func TestEnds(t *testing.T) {
	text := "data: " + delta(`"content":"x"`) + "\n\n"
	end := "data: " + finish("stop") + "\n\n"
	tests := []struct {
		name, body string
		dialect    chat.Dialect
		want       llm.Class // empty for an answer
		text       string
		after      bool
	}{
		{"no marker after the reason", text + end, chat.Router(), "", "x", false},
		{"broken off after the reason", text + end + `data: {"cho`, chat.Router(), "", "x", false},
		{"marker without a reason", text + "data: [DONE]\n\n", chat.Router(), "", "x", false},
		{"no reason and no marker", text, chat.Router(), llm.ClassNetwork, "x", true},
		{"broken event", text + `data: {"cho`, chat.Router(), llm.ClassNetwork, "x", true},
		{"nothing at all", "", chat.Router(), llm.ClassNetwork, "", false},
		{"nothing at all, locally", "", chat.Local(false), "", "", false},
		{"error in a chunk", text + "data: {\"error\":{\"code\":429,\"message\":\"slow\"},\"choices\":[]}\n\n", chat.Router(), llm.ClassRateLimit, "x", true},
		{"error in a choice", "data: {\"choices\":[{\"error\":{\"code\":\"server_error\",\"message\":\"m\"}}]}\n\n", chat.Router(), llm.ClassServer, "", false},
		{"error event", "event: error\ndata: {\"message\":\"Overloaded\",\"type\":\"overloaded_error\"}\n\n", chat.Router(), llm.ClassOverloaded, "", false},
		{"vLLM error object", "data: {\"object\":\"error\",\"message\":\"maximum context length is 10\",\"code\":400}\n\n", chat.Local(false), llm.ClassOverflow, "", false},
		{"error after the limit", text + "data: " + finish("length") + "\n\ndata: {\"error\":{\"code\":400,\"message\":\"Token limit\"}}\n\n", chat.Router(), "", "x", false},
		{"no JSON", text + "data: <html>\n\n", chat.Router(), llm.ClassServer, "x", true},
		{"error document", `{"error":{"message":"is not supported by any provider","code":"model_not_supported"}}`, chat.Router(), llm.ClassNotServing, "", false},
		{"error document in an array", `[{"error":{"code":429,"message":"RESOURCE_EXHAUSTED"}}]`, chat.Router(), llm.ClassRateLimit, "", false},
	}
	for _, tt := range tests {
		for _, piece := range []int{0, 1} {
			a := serve(t, tt.body, piece, tt.dialect, llm.Request{})
			var f *llm.Fault
			errors.As(a.Err, &f)
			switch {
			case a.Text != tt.text:
				t.Errorf("%s: text %q", tt.name, a.Text)
			case tt.want == "" && a.Err != nil:
				t.Errorf("%s: %v", tt.name, a.Err)
			case tt.want != "" && (f == nil || f.Class != tt.want || f.AfterOutput != tt.after):
				t.Errorf("%s: %+v", tt.name, f)
			}
		}
	}
}

// Acceptance check 36 at this level: a long line, CRLF, comments, no last
// blank line, characters split over reads.
func TestCheck36_Framing(t *testing.T) {
	long := strings.Repeat("añ漢🙂", 5<<20/11)
	in := ": hi\r\n\r\ndata: " + delta(`"content":"`+long+`"`) + "\r\n\r\n: ping\r\ndata: " + finish("stop")
	a := serve(t, in, 4093, chat.Router(), llm.Request{})
	if a.Done == nil || a.Text != long {
		t.Fatalf("%d bytes of %d, %v", len(a.Text), len(long), a.Err)
	}
}

func TestUsage(t *testing.T) {
	tests := []struct {
		name, usage string
		want        *llm.Usage
		cost        float64
	}{
		{"none", `null`, nil, 0},
		{"zeros", `{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}`, nil, 0},
		{
			"xAI", `{"prompt_tokens":10,"completion_tokens":5,"total_tokens":18,"completion_tokens_details":{"reasoning_tokens":3},"cost_in_usd_ticks":20000000000}`,
			&llm.Usage{Prompt: 10, Completion: 8, Total: 18, Reasoning: 3}, 2,
		},
		{
			"top level cache", `{"prompt_tokens":10,"completion_tokens":5,"cache_read_input_tokens":4,"cache_creation_input_tokens":2}`,
			&llm.Usage{Prompt: 10, Completion: 5, Total: 15, CacheRead: 4, CacheWrite: 2}, 0,
		},
		{
			"strange types", `{"prompt_tokens":"x","completion_tokens":5.0,"prompt_tokens_details":null,"total_tokens":-1,"cost":null}`,
			&llm.Usage{Completion: 5, Total: 5}, 0,
		},
	}
	for _, tt := range tests {
		d := finished(t, "stop", `{"choices":[],"usage":`+tt.usage+`}`)
		if diff := cmp.Diff(tt.want, d.Usage); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
		if d.CostUSD == nil && tt.cost != 0 || d.CostUSD != nil && *d.CostUSD != tt.cost {
			t.Errorf("%s: cost %v", tt.name, d.CostUSD)
		}
	}
	d := finished(t, "stop", `{"usage":{"prompt_tokens":5,"completion_tokens":1}}`, `{"usage":{"prompt_tokens":5,"completion_tokens":2}}`, `{"usage":{"prompt_tokens":0}}`)
	if d.Usage.Completion != 2 {
		t.Errorf("the last usage counts: %+v", d.Usage)
	}
}

func TestReasoningDetailsAreJoined(t *testing.T) {
	d := finished(t, "stop",
		delta(`"reasoning_details":[{"type":"reasoning.text","text":"one ","index":0,"signature":null}]`),
		delta(`"reasoning_details":[{"type":"reasoning.text","text":"<two>","index":0,"signature":"sig"}]`),
		delta(`"reasoning_details":[{"type":"reasoning.encrypted","data":"QUJD","index":1}]`))
	want := `[{"index":0,"signature":"sig","text":"one \u003ctwo\u003e","type":"reasoning.text"},{"data":"QUJD","index":1,"type":"reasoning.encrypted"}]`
	if diff := cmp.Diff(want, string(d.Message.ProviderFields[llm.FieldReasoningDetails])); diff != "" {
		t.Error(diff)
	}
	if d.Message.ReasoningContent != "one <two>" {
		t.Errorf("%q", d.Message.ReasoningContent)
	}
}

func TestNamesAreMappedBack(t *testing.T) {
	req := llm.Request{Model: "acme/thinker", Tools: []llm.ToolSpec{{Name: "srv:do.it"}}}
	s := &wiretest.Server{Replies: []wiretest.Reply{{Body: events(finish("stop"))}}}
	wiretest.Collect(t, client(s, "hf-router", chat.Router()).Stream(t.Context(), req))
	sent := string(s.Requests()[0].Body)
	_, rest, _ := strings.Cut(sent, `"function":{"name":"`)
	name, _, _ := strings.Cut(rest, `"`)
	if strings.ContainsAny(name, ":.") {
		t.Fatalf("name sent: %q", name)
	}
	a := serve(t, events(delta(`"tool_calls":[{"index":0,"id":"a","function":{"name":"`+name+`","arguments":"{}"}}]`), finish("stop")), 0, chat.Router(), req)
	if got := a.Done.Message.ToolCalls[0].Name; got != "srv:do.it" {
		t.Errorf("name received: %q", got)
	}
}

// stalled is a body that sends a first piece and then nothing until it is
// closed.
type stalled struct {
	r      *io.PipeReader
	closed chan struct{}
}

func newStalled(first string) stalled {
	r, w := io.Pipe()
	go func() { _, _ = io.WriteString(w, first) }()
	return stalled{r, make(chan struct{})}
}

func (s stalled) Read(p []byte) (int, error) { return s.r.Read(p) }

func (s stalled) Close() error {
	close(s.closed)
	return s.r.Close()
}

func TestCancelClosesTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := newStalled("data: " + delta(`"content":"x"`) + "\n\n")
		s := &wiretest.Server{Replies: []wiretest.Reply{{Reader: body}}}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		begun := time.Now()
		a := wiretest.Collect(t, client(s, "ollama", chat.Local(false)).Stream(ctx, llm.Request{Model: "m"}))
		if !errors.Is(a.Err, context.Canceled) || a.Text != "x" || time.Since(begun) != time.Minute {
			t.Errorf("%v after %v", a.Err, time.Since(begun))
		}
		<-body.closed
	})
}

func TestSilenceEndsTheCall(t *testing.T) {
	for first, limit := range map[string]time.Duration{"": wire.FirstByte, "data: " + delta(`"content":"x"`) + "\n\n": wire.Idle} {
		synctest.Test(t, func(t *testing.T) {
			s := &wiretest.Server{Replies: []wiretest.Reply{{Reader: newStalled(first)}}}
			begun := time.Now()
			a := wiretest.Collect(t, client(s, "ollama", chat.Local(false)).Stream(t.Context(), llm.Request{Model: "m"}))
			var f *llm.Fault
			if !errors.As(a.Err, &f) || f.Class != llm.ClassTimeout || f.AfterOutput != (first != "") || time.Since(begun) != limit {
				t.Errorf("%+v after %v", a.Err, time.Since(begun))
			}
		})
	}
}

// A stream never panics, obeys the rules of streams, and does not depend on
// how it is cut.
func FuzzStream(f *testing.F) {
	f.Add(file(f, "answer.sse"))
	f.Add(file(f, "document.json"))
	f.Add(events(delta(`"content":"<think>a"`), delta(`"content":"</thi"`), finish("length")))
	f.Add(events(delta(`"tool_calls":[{"index":1,"function":{"name":"a","arguments":{}}},{"id":"x"}]`)))
	f.Add("event: error\ndata: {\"error\":\"x\"}\n\n")
	f.Fuzz(func(t *testing.T, in string) {
		var want *wiretest.Answer
		for _, piece := range []int{0, 1} {
			s := &wiretest.Server{Piece: piece, Replies: []wiretest.Reply{{Body: in}}}
			got := wiretest.Collect(t, client(s, "openrouter", chat.OpenRouter()).Stream(t.Context(), llm.Request{Model: "a/b"}))
			if want == nil {
				want = &got
				continue
			}
			if d := cmp.Diff(want.Chunks, got.Chunks); d != "" || fmt.Sprint(want.Err) != fmt.Sprint(got.Err) {
				t.Errorf("differs in pieces: %v, %v, %s", want.Err, got.Err, d)
			}
		}
		if want.Done == nil {
			return
		}
		seen := map[string]bool{}
		for _, call := range want.Done.Message.ToolCalls {
			if call.ID == "" || seen[call.ID] {
				t.Errorf("id %q is empty or taken", call.ID)
			}
			seen[call.ID] = true
		}
		c := client(&wiretest.Server{}, "openrouter", chat.OpenRouter())
		raw, err := c.Body(llm.Request{Model: "a/b", Messages: []llm.Message{want.Done.Message}})
		if err != nil || !json.Valid(raw) {
			t.Errorf("the answer cannot be sent back: %v\n%s", err, raw)
		}
	})
}
