package replay_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/replay"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

const demo = `{"messages":[
 {"role":"system","content":"s"},
 {"role":"user","content":"go"},
 {"role":"assistant","content":"First, I look  around.\n","reasoning_content":"let me think","tool_calls":[{"id":"call_1","type":"function","function":{"name":"bash","arguments":"{\"command\":\"ls\"}"}}]},
 {"role":"tool","tool_call_id":"call_1","content":"recorded, not used"},
 {"role":"assistant","kind":"research","content":"papers"},
 {"role":"assistant","content":null,"delay_ms":1500,"tool_calls":[{"id":"call_2","type":"function","function":{"name":"write","arguments":{"text":"acc {{tool:call_1:acc=([\\d.]+)}} \"x\" {{tool:call_1:(?m)^note (.*)$}}","n":1}}}]},
 {"role":"assistant","content":"Accuracy {{tool:call_1:acc=([0-9.]{1,5})}}, loss {{tool:call_9:loss=(.*)}}, {{tool:call_1:acc}}."},
 {"role":"assistant","content":""}
]}`

func open(t *testing.T, files map[string]string) *replay.Model {
	t.Helper()
	scripts := fstest.MapFS{}
	for name, content := range files {
		scripts[name+".json"] = &fstest.MapFile{Data: []byte(content)}
	}
	m, err := replay.New(replay.Options{Scripts: scripts, ReadFile: os.ReadFile})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// call collects one answer.
func call(m *replay.Model, req llm.Request) (deltas []string, done llm.Done, err error) {
	for chunk, e := range m.Stream(context.Background(), req) {
		if e != nil {
			return deltas, done, e
		}
		switch c := chunk.(type) {
		case llm.Text:
			deltas = append(deltas, c.Delta)
		case llm.Thinking:
			deltas = append(deltas, "("+c.Delta+")")
		case llm.Done:
			done = c
		}
	}
	return deltas, done, nil
}

func must(t *testing.T, m *replay.Model, req llm.Request) llm.Done {
	t.Helper()
	_, done, err := call(m, req)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func ask(history ...llm.Message) llm.Request {
	return llm.Request{Model: "replay/demo", Kind: llm.KindMain, SessionID: "s1", Messages: history}
}

var result = llm.Message{Role: llm.ToolRole, ToolCallID: "call_1", Text: "acc=0.93\nnote a \"b\" <c>\n"}

func TestNew(t *testing.T) {
	if _, err := replay.New(replay.Options{}); err == nil {
		t.Error("New without any source passed")
	}
}

func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, map[string]string{"demo": demo})
		deltas, done, err := call(m, ask())
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"(let )", "(me )", "(think)", "First, ", "I ", "look  ", "around.\n"}
		if diff := cmp.Diff(want, deltas); diff != "" {
			t.Errorf("deltas: %s", diff)
		}
		if done.Finish != llm.FinishTools || done.Message.Text != "First, I look  around.\n" || done.Message.ReasoningContent != "let me think" ||
			len(done.Message.ToolCalls) != 1 || done.Message.ToolCalls[0].Arguments != `{"command":"ls"}` ||
			done.Message.Origin() != (llm.Origin{Provider: "replay", Model: "replay/demo"}) {
			t.Errorf("done = %+v", done)
		}

		start := time.Now()
		done = must(t, m, ask(result))
		if time.Since(start) != 1500*time.Millisecond {
			t.Errorf("waited %v", time.Since(start))
		}
		var args struct{ Text string }
		if err := json.Unmarshal([]byte(done.Message.ToolCalls[0].Arguments), &args); err != nil || args.Text != `acc 0.93 "x" a "b" <c>` {
			t.Errorf("arguments %s: %q, %v", done.Message.ToolCalls[0].Arguments, args.Text, err)
		}

		done = must(t, m, ask(result))
		if done.Message.Text != "Accuracy 0.93, loss unknown, acc." || done.Finish != llm.FinishStop {
			t.Errorf("last: %+v", done)
		}

		_, _, err = call(m, ask(result))
		var f *llm.Fault
		if !errors.As(err, &f) || f.Retryable() || !strings.Contains(f.Text, "no answer to call 4 of kind main: it holds 3") {
			t.Errorf("beyond the end: %v", err)
		}
	})
}

func TestKindsAndSessionsAreApart(t *testing.T) {
	m := open(t, map[string]string{"demo": demo})
	must(t, m, ask())
	req := ask()
	req.Kind = llm.KindResearch
	if done := must(t, m, req); done.Message.Text != "papers" {
		t.Errorf("research: %q", done.Message.Text)
	}
	if _, _, err := call(m, req); err == nil {
		t.Error("a second research answer")
	}
	req.Kind = llm.KindCompaction
	if _, _, err := call(m, req); err == nil {
		t.Error("a compaction was never recorded")
	}
	req.Kind = llm.KindEffortProbe
	if done := must(t, m, req); done.Message.Text == "" {
		t.Error("a probe gets no answer")
	}
	other := ask()
	other.SessionID = "s2"
	if done := must(t, m, other); !strings.HasPrefix(done.Message.Text, "First") {
		t.Errorf("another session starts with %q", done.Message.Text)
	}
}

// A killed process goes on where the history stops, also when a part of it
// has been compacted away, and messages of other models do not count.
func TestGoesOnAfterARestart(t *testing.T) {
	files := map[string]string{"demo": `{"messages":[{"role":"assistant","content":"0"},{"role":"assistant","content":"1"},{"role":"assistant","content":"2"},{"role":"assistant","content":"3"}]}`}
	first := open(t, files)
	zero := must(t, first, ask()).Message
	one := must(t, first, ask(zero)).Message
	foreign := llm.Message{Role: llm.Assistant, Text: "other model"}

	for name, c := range map[string]struct {
		history []llm.Message
		want    string
	}{
		"nothing":        {nil, "0"},
		"one":            {[]llm.Message{zero}, "1"},
		"all":            {[]llm.Message{zero, one}, "2"},
		"compacted":      {[]llm.Message{{Role: llm.User, Text: "summary"}, one}, "2"},
		"other models":   {[]llm.Message{foreign, foreign, foreign, zero}, "1"},
		"killed between": {[]llm.Message{zero, one, {Role: llm.User, Text: "hi"}}, "2"},
	} {
		t.Run(name, func(t *testing.T) {
			saved := make([]llm.Message, len(c.history))
			for i, msg := range c.history { // as a restart reads them back
				raw, err := json.Marshal(msg)
				if err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal(raw, &saved[i]); err != nil {
					t.Fatal(err)
				}
			}
			if got := must(t, open(t, files), ask(saved...)).Message.Text; got != c.want {
				t.Errorf("goes on with %q, want %q", got, c.want)
			}
		})
	}
	if got := must(t, first, ask()).Message.Text; got != "2" {
		t.Errorf("in the same process: %q, want 2", got)
	}
}

func TestJournal(t *testing.T) {
	var lines []string
	add := func(p event.Payload) {
		ev, err := event.New("s", "turn_1", time.Now(), p)
		if err != nil {
			t.Fatal(err)
		}
		ev.Seq = int64(len(lines) + 1)
		raw, err := json.Marshal(ev)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(raw))
	}
	add(event.HistoryMessage{MessageID: "m1", Message: llm.Message{Role: llm.User, Text: "hi"}})
	add(event.ToolLog{Tool: "system", Log: "x"})
	add(event.HistoryMessage{MessageID: "m2", Message: llm.Message{Role: llm.Assistant, Text: "main 1"}})
	add(event.HistoryMessage{MessageID: "m3", Message: llm.Message{Role: llm.Assistant, Text: "sub 1"}, AgentID: "research_1"})
	add(event.HistoryMessage{MessageID: "m4", Message: llm.Message{Role: llm.Assistant, Text: "main 2"}})
	dir := t.TempDir()
	content := strings.Join(lines, "\n") + "\n" + `{"seq":9,"event_ty`
	if err := os.WriteFile(filepath.Join(dir, "journal.jsonl"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	m := open(t, nil)
	for _, model := range []string{"replay/" + dir, "replay/" + filepath.Join(dir, "journal.jsonl")} {
		req := llm.Request{Model: model, Kind: llm.KindMain}
		if a, b := must(t, m, req).Message.Text, must(t, m, req).Message.Text; a != "main 1" || b != "main 2" {
			t.Errorf("%s: %q, %q", model, a, b)
		}
		req.Kind = llm.KindResearch
		if got := must(t, m, req).Message.Text; got != "sub 1" {
			t.Errorf("%s: research %q", model, got)
		}
	}
}

func TestBadRecordings(t *testing.T) {
	m := open(t, map[string]string{
		"empty": `{"messages":[]}`, "junk": `nonsense`, "half": "{\"event_type\":\"ready\"}\n{bad}\n{\"event_type\":\"ready\"}\n",
		"regex": `{"messages":[{"role":"assistant","content":"{{tool:a:(}}"}]}`,
		"kind":  `{"messages":[{"role":"assistant","content":"x","kind":"poem"}]}`,
		"delay": `{"messages":[{"role":"assistant","content":"x","delay_ms":-1}]}`,
	})
	for id, want := range map[string]string{
		"replay/empty": "no assistant message", "replay/junk": "line 1", "replay/half": "line 2",
		"replay/regex": "messages[0]: blank", "replay/kind": `"poem"`, "replay/delay": "delay_ms",
		"replay/nowhere": "no script named nowhere",
	} {
		if err := m.Check(id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check(%s) = %v, want %q", id, err, want)
		}
		_, _, err := call(m, llm.Request{Model: id})
		var f *llm.Fault
		if !errors.As(err, &f) {
			t.Errorf("Stream(%s) = %v, want a fault", id, err)
		}
	}
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, map[string]string{"demo": `{"messages":[{"role":"assistant","content":"x","delay_ms":60000}]}`})
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		start := time.Now()
		for _, err := range m.Stream(ctx, ask()) {
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
				t.Errorf("after %v: %v", time.Since(start), err)
			}
		}
	})
}

func FuzzBlanks(f *testing.F) {
	f.Add("a {{tool:x:b(.)}} c", "bd")
	f.Add("{{tool:x:[0-9]{1,2}}}", "42")
	f.Fuzz(func(t *testing.T, text, output string) {
		raw, err := json.Marshal(map[string]any{"messages": []any{map[string]any{
			"role": "assistant", "content": text,
			"tool_calls": []any{map[string]any{"id": "c", "type": "function", "function": map[string]any{"name": "n", "arguments": map[string]string{"t": text}}}},
		}}})
		if err != nil {
			t.Fatal(err) // maps of strings always marshal
		}
		m := open(t, map[string]string{"demo": string(raw)})
		_, done, err := call(m, ask(llm.Message{Role: llm.ToolRole, ToolCallID: "x", Text: output}))
		if err != nil {
			return
		}
		if args := done.Message.ToolCalls[0].Arguments; !json.Valid([]byte(args)) {
			t.Fatalf("arguments are no JSON: %s", args)
		}
	})
}

func ExampleModel() {
	m, _ := replay.New(replay.Options{Scripts: fstest.MapFS{"hello.json": {Data: []byte(`{"messages":[{"role":"assistant","content":"hello again"}]}`)}}})
	for chunk, err := range m.Stream(context.Background(), llm.Request{Model: "replay/hello"}) {
		if text, ok := chunk.(llm.Text); ok && err == nil {
			fmt.Printf("%q ", text.Delta)
		}
	}
	// Output: "hello " "again"
}
