package history_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

const id = "7f0c2a34-1111-4222-8333-444455556666"

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// tape builds events: a string sets the turn id of those that follow.
func tape(t testing.TB, items ...any) []event.Event {
	t.Helper()
	var out []event.Event
	turn := ""
	for _, item := range items {
		if name, ok := item.(string); ok {
			turn = name
			continue
		}
		ev, err := event.New(id, turn, start.Add(time.Duration(len(out))*time.Second), item.(event.Payload))
		if err != nil {
			t.Fatal(err)
		}
		ev.Seq = int64(len(out) + 1)
		out = append(out, ev)
	}
	return out
}

func load(t testing.TB, items ...any) *history.State {
	t.Helper()
	s, err := history.Load(tape(t, items...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func user(n int, text string) event.HistoryMessage {
	return event.HistoryMessage{MessageID: history.MessageID(n), Message: llm.Message{Role: llm.User, Text: text}}
}

func assistant(n int, text string, calls ...string) event.HistoryMessage {
	m := llm.Message{Role: llm.Assistant, Text: text}
	for _, c := range calls {
		m.ToolCalls = append(m.ToolCalls, llm.ToolCall{ID: c, Name: "bash", Arguments: `{"command":"` + c + `"}`})
	}
	return event.HistoryMessage{MessageID: history.MessageID(n), Message: m}
}

func output(call string) event.ToolOutput {
	return event.ToolOutput{Tool: "bash", ToolCallID: call, Output: "out " + call, Success: true}
}

// shape is one line a message.
func shape(s *history.State) string {
	var b strings.Builder
	for i, m := range s.Messages {
		fmt.Fprintf(&b, "%s %s%s %s\n", m.Role, m.PlainText(), m.ToolCallID, s.IDs[i])
	}
	return b.String()
}

func TestMessages(t *testing.T) {
	s := load(t,
		event.HistoryMessage{MessageID: "msg_1", Message: llm.Message{Role: llm.System, Text: "sys"}},
		event.InputAccepted{SubmissionID: "sub_1", Text: "go"},
		"turn_1", event.TurnStarted{TurnID: "turn_1", Attempt: 1, SubmissionID: "sub_1", Model: "m/x", Cwd: "/w"},
		user(2, "go"), assistant(3, "", "a", "b"), output("b"), output("a"),
		assistant(4, "done"), event.TurnComplete{})
	want := "system sys msg_1\nuser go msg_2\nassistant  msg_3\ntool out aa \ntool out bb \nassistant done msg_4\n"
	if got := shape(s); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if s.Turn != nil || len(s.Queue) != 0 || s.Turns != 1 || s.MessageIDs != 4 || s.Model != "m/x" || s.Cwd != "/w" ||
		s.Seq != 9 || s.SessionID != id || s.Started != "2026-01-02T03:04:05.000Z" || !s.Spoken() {
		t.Errorf("state is %+v", s)
	}
	if got := s.Messages[3]; got.Name != "bash" || got.Timestamp != "2026-01-02T03:04:11.000Z" {
		t.Errorf("the result is %+v", got)
	}
}

func TestResultsAreInCallOrderWhateverOrderTheyComeIn(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(rt, "calls")
		var calls []string
		for i := range n {
			calls = append(calls, fmt.Sprint("c", i))
		}
		// The same ids in an earlier round, as some providers do, and a steering
		// message somewhere among the results.
		items := []any{user(1, "x"), assistant(2, "", calls...)}
		for _, c := range calls {
			items = append(items, output(c))
		}
		items = append(items, assistant(3, "", calls...))
		at := rapid.IntRange(0, n).Draw(rt, "steer")
		for i, c := range rapid.Permutation(calls).Draw(rt, "order") {
			if i == at {
				items = append(items, user(4, "steer"))
			}
			items = append(items, output(c))
			if rapid.Bool().Draw(rt, "twice") {
				items = append(items, output(c))
			}
		}
		s := load(t, items...)
		var got []string
		for _, m := range s.Messages[2+n+1 : 2+n+1+n] {
			got = append(got, m.ToolCallID)
		}
		if diff := cmp.Diff(calls, got); diff != "" {
			rt.Fatalf("(-want +got):\n%s", diff)
		}
		if len(s.Messages) != len(s.IDs) {
			rt.Fatalf("%d messages, %d ids", len(s.Messages), len(s.IDs))
		}
		if len(s.Open()) != 0 {
			rt.Fatalf("open calls: %v", s.Open())
		}
	})
}

func TestSubAgentsStayOutside(t *testing.T) {
	sub := assistant(9, "sub", "z")
	sub.AgentID = "r"
	out := output("z")
	out.AgentID = "r"
	s := load(t, user(1, "x"), "turn_1", event.TurnStarted{TurnID: "turn_1"}, assistant(2, "", "r"), sub,
		event.ToolStarted{ToolCallID: "z", AgentID: "r"}, event.ToolEffect{ToolCallID: "z", ExternalRef: "job:a/b"}, out,
		event.Hook{Hook: "PreToolUse", ToolCallID: "z", Decision: "allow", AgentID: "r"}, event.Hook{Hook: "PreToolUse", ToolCallID: "r", Decision: "deny", AgentID: "r"},
		event.LLMCall{Kind: llm.KindMain, AgentID: "r"}, event.LLMCall{Kind: llm.KindResearch})
	if got, want := shape(s), "user x msg_1\nassistant  msg_2\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if s.Turn.MainCalls != 0 || len(s.Calls) != 1 || s.LastCall != nil || s.Calls[0].Hook != nil {
		t.Errorf("calls %v, main calls %d", s.Calls, s.Turn.MainCalls)
	}
}

func TestRewrittenHistory(t *testing.T) {
	plan := []event.PlanItem{{ID: "1", Content: "a", Status: "pending"}}
	for _, tt := range []struct {
		name string
		in   []event.PlanItem
		want int
	}{{"keeps the plan", nil, 2}, {"brings a plan", plan, 1}} {
		t.Run(tt.name, func(t *testing.T) {
			s := load(t, event.PlanUpdate{Plan: append(plan, plan...)}, user(1, "x"), "turn_1", event.TurnStarted{TurnID: "turn_1"},
				assistant(2, "", "a"), assistant(3, "", "b"),
				event.HistoryRewritten{Reason: "compaction", Plan: tt.in, Messages: []llm.Message{
					{Role: llm.User, Text: "x"}, assistant(3, "", "b").Message,
				}},
				output("b"), user(4, "y"))
			want := "user x \nassistant  \ntool out bb \nuser y msg_4\n"
			if got := shape(s); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
			if len(s.Plan) != tt.want || len(s.Calls) != 1 || s.MessageIDs != 4 {
				t.Errorf("plan %v, calls %v", s.Plan, s.Calls)
			}
		})
	}
}

func TestOpenTurn(t *testing.T) {
	begun := []any{event.InputAccepted{SubmissionID: "s", Text: "go"}, "turn_3", event.TurnStarted{TurnID: "turn_3", Attempt: 1, SubmissionID: "s"}}
	gate := event.ApprovalRequired{ApprovalID: "gate_1", Tools: []event.GatedCall{{ToolCallID: "a"}}}
	for _, tt := range []struct {
		name string
		then []any
		open bool
	}{
		{"just begun", nil, true},
		{"complete", []any{event.TurnComplete{}}, false},
		{"interrupted", []any{event.Interrupted{}}, false},
		{"failed", []any{event.Error{}}, false},
		{"shut down", []any{event.Shutdown{}}, false},
		{"another operation failed", []any{"", event.Error{}}, true},
		{"suspended by a gate", []any{gate}, true},
		{"an operation failed at the gate", []any{gate, event.Error{}}, true},
		{"shut down at the gate", []any{gate, event.Shutdown{}}, true},
		{"interrupted at the gate", []any{gate, event.Interrupted{}}, false},
		{"resumed", []any{event.TurnResumed{TurnID: "turn_3", Attempt: 2}}, true},
		{"moved to a new session", []any{event.NewComplete{SessionID: "n"}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := load(t, append(begun[:len(begun):len(begun)], tt.then...)...)
			if (s.Turn != nil) != tt.open {
				t.Fatalf("turn is %+v", s.Turn)
			}
			if s.Turns != 3 {
				t.Errorf("newest turn is %d", s.Turns)
			}
			if s.Turn != nil && (s.Turn.Input == nil || s.Turn.Input.Text != "go" || s.Turn.Entered) {
				t.Errorf("turn is %+v", s.Turn)
			}
		})
	}
}

func TestTurnCounts(t *testing.T) {
	s := load(t, "turn_1", event.TurnStarted{TurnID: "turn_1", Attempt: 1},
		event.LLMCall{Kind: llm.KindMain, FinishReason: "error"}, event.LLMCall{Kind: llm.KindMain, Total: 5},
		event.LLMCall{Kind: llm.KindCompaction}, event.LLMCall{Kind: llm.KindMain, Total: 9},
		event.AssistantChunk{Content: "a"}, event.StreamEnd{}, event.AssistantChunk{Content: "b"},
		event.TurnResumed{TurnID: "turn_1", Attempt: 2})
	if s.Turn.MainCalls != 2 || s.Turn.Attempt != 2 || !s.Turn.Streaming || s.LastCall.Total != 9 {
		t.Errorf("turn is %+v, last call %+v", s.Turn, s.LastCall)
	}
	if s = load(t, "turn_1", event.TurnStarted{TurnID: "turn_1"}, event.AssistantChunk{}, event.StreamEnd{Discarded: true}); s.Turn.Streaming {
		t.Error("a discarded stream is still open")
	}
}

func TestQueue(t *testing.T) {
	texts := func(s *history.State) string {
		var out []string
		for _, in := range s.Queue {
			out = append(out, in.Text)
		}
		return strings.Join(out, ",")
	}
	items := []any{
		event.InputAccepted{SubmissionID: "1", Text: "one"},
		"turn_1",
		event.TurnStarted{TurnID: "turn_1", SubmissionID: "1"},
		user(1, "one"),
		event.InputAccepted{SubmissionID: "2", Text: "two", Queued: true},
		event.InputAccepted{SubmissionID: "3", Text: "left", Steer: true},
		event.InputAccepted{SubmissionID: "4", Text: "three", Queued: true},
	}
	if got := texts(load(t, items...)); got != "two,left,three" {
		t.Errorf("queue is %s", got)
	}
	items = append(items, event.InputAccepted{SubmissionID: "5", Text: "never", Steer: true}, event.Hook{Hook: "UserPromptSubmit", Decision: "deny", SubmissionID: "5"})
	if got := texts(load(t, items...)); got != "two,left,three" {
		t.Errorf("after one was kept back the queue is %s", got)
	}
	items = append(items, user(2, "left"))
	if got := texts(load(t, items...)); got != "two,three" {
		t.Errorf("after steering the queue is %s", got)
	}
	items = append(items, event.TurnComplete{}, "turn_2", event.TurnStarted{TurnID: "turn_2", SubmissionID: "2"})
	s := load(t, items...)
	if texts(s) != "three" || s.Turn.Input.Text != "two" || s.Turn.Entered {
		t.Errorf("queue is %s, turn %+v", texts(s), s.Turn)
	}
	if s = load(t, append(items, user(3, "two"))...); !s.Turn.Entered {
		t.Error("the message has entered")
	}
}

func TestGate(t *testing.T) {
	tools := []event.GatedCall{{Tool: "hf_jobs", ToolCallID: "a"}, {Tool: "hf_jobs", ToolCallID: "b"}}
	items := []any{
		"turn_1",
		event.TurnStarted{TurnID: "turn_1"},
		assistant(1, "", "a", "b"),
		event.ApprovalRequired{Count: 2, Tools: tools, ApprovalID: "gate_4"},
	}
	s := load(t, items...)
	if s.Gate == nil || s.Gate.TurnID != "turn_1" || s.Gate.Seq != 3 || s.Gates != 4 || s.Call("a").Gated == nil || s.Gate.Synthetic() {
		t.Fatalf("gate is %+v", s.Gate)
	}
	items = append(items, event.ToolStateChange{ToolCallID: "a", State: "approved", EditedArguments: json.RawMessage(`{"x":1}`)})
	if s = load(t, items...); s.Gate == nil || len(s.Gate.Answers) != 1 {
		t.Fatalf("a half answered gate is %+v", s.Gate)
	}
	items = append(items, event.ToolStateChange{ToolCallID: "b", State: "rejected", Feedback: "no"})
	s = load(t, items...)
	if s.Gate != nil || s.Turn.Answered == nil || string(s.Call("a").Answer.EditedArguments) != `{"x":1}` || s.Call("b").Answer.Feedback != "no" {
		t.Errorf("answered: gate %+v, turn %+v", s.Gate, s.Turn)
	}
	if len(s.Open()) != 2 {
		t.Errorf("open calls: %v", s.Open())
	}
	if s = load(t, append(items, event.Processing{})...); s.Turn.Answered != nil {
		t.Error("the next segment has begun")
	}

	again := append(items[:5:5], event.ApprovalRequired{Count: 2, Tools: tools, ApprovalID: "gate_5"})
	if s = load(t, again...); s.Gate == nil || len(s.Gate.Answers) != 0 || s.Call("a").Answer != nil {
		t.Errorf("an asked-again gate is %+v", s.Gate)
	}
}

func TestSyntheticGate(t *testing.T) {
	open := []any{
		"turn_1",
		event.TurnStarted{TurnID: "turn_1"},
		assistant(1, "", "a"),
		event.ApprovalRequired{Count: 1, Tools: []event.GatedCall{{Tool: "yolo_budget", ToolCallID: "gate_1"}}, YoloBudget: true, ApprovalID: "gate_1"},
	}
	if s := load(t, open...); s.Gate == nil || !s.Gate.Synthetic() || len(s.Calls) != 1 {
		t.Fatalf("gate is %+v, calls %v", s.Gate, s.Calls)
	}
	for _, answer := range []event.Payload{
		event.ToolOutput{Tool: "yolo_budget", ToolCallID: "gate_1", Success: true},
		event.ToolStateChange{ToolCallID: "gate_1", State: "abandoned"},
	} {
		s := load(t, append(open[:len(open):len(open)], answer)...)
		if s.Gate != nil || len(s.Messages) != 1 || len(s.Open()) != 1 {
			t.Errorf("after %T: gate %+v, messages %v", answer, s.Gate, s.Messages)
		}
		if _, abandoned := answer.(event.ToolStateChange); (s.Turn == nil) != abandoned {
			t.Errorf("after %T: turn %+v; only an abandoned gate ends its turn", answer, s.Turn)
		}
	}
}

func TestCalls(t *testing.T) {
	s := load(t, "turn_1", event.TurnStarted{TurnID: "turn_1"}, assistant(1, "", "a", "b", "c"),
		event.Hook{Hook: "PreToolUse", ToolCallID: "a", UpdatedInput: json.RawMessage(`{"x":1}`)}, event.Hook{Hook: "PostToolUse", ToolCallID: "b", Decision: "deny"},
		event.ToolCall{Tool: "bash", ToolCallID: "a"}, event.ToolCall{Tool: "bash", ToolCallID: "b"},
		event.ToolStarted{ToolCallID: "a", Tool: "bash", Effect: event.Keyed, Intent: json.RawMessage(`{"k":1}`)},
		event.ToolEffect{ToolCallID: "a", ExternalRef: "job:x/1"},
		event.ToolStateChange{ToolCallID: "a", State: "running"},
		event.ToolOutput{ToolCallID: "b", Tool: "bash", Output: "no"},
		event.HistoryMessage{Message: llm.Message{Role: llm.ToolRole, ToolCallID: "c", Text: "never started"}})
	a, b, c := s.Call("a"), s.Call("b"), s.Call("c")
	if !a.Announced || a.Started.Effect != event.Keyed || string(a.Started.Intent) != `{"k":1}` || a.State != "running" || a.Done ||
		cmp.Diff(a.Refs, []string{"job:x/1"}) != "" || a.Arguments != `{"command":"a"}` {
		t.Errorf("a is %+v", a)
	}
	if a.Hook == nil || string(a.Hook.UpdatedInput) != `{"x":1}` || b.Hook != nil {
		t.Errorf("hooks: %+v, %+v", a.Hook, b.Hook)
	}
	if !b.Done || b.OK || b.Started != nil || !c.Done || c.Announced {
		t.Errorf("b is %+v, c is %+v", b, c)
	}
	if open := s.Open(); len(open) != 1 || open[0] != a {
		t.Errorf("open: %v", open)
	}
	if len(s.Messages) != 3 {
		t.Errorf("messages:\n%s", shape(s))
	}
}

func TestSpend(t *testing.T) {
	five, two := int64(5), int64(2)
	s := load(t,
		event.Spend{ID: "a", State: event.SpendReserved, MicroUSD: &five}, event.Spend{ID: "b", State: event.SpendReserved, MicroUSD: &five},
		event.Spend{ID: "a", State: event.SpendSettled, MicroUSD: &two}, event.Spend{ID: "c", State: event.SpendReserved, MicroUSD: &five},
		event.Spend{ID: "c", State: event.SpendReleased, MicroUSD: &five})
	if got, complete := s.Spent(); got != 7 || !complete || len(s.Spend) != 3 {
		t.Errorf("spent %d, complete %v", got, complete)
	}
	if err := s.Apply(tape(t, event.Spend{ID: "d", State: event.SpendSettled})[0]); err != nil {
		t.Fatal(err)
	}
	if got, complete := s.Spent(); got != 7 || complete {
		t.Errorf("spent %d, complete %v; want incomplete", got, complete)
	}
}

func TestImportedSession(t *testing.T) {
	s := load(t, event.ResumedFrom{SessionStartTime: "2025-12-31T09:00:00+01:00"},
		event.HistoryRewritten{Reason: "resume", Messages: []llm.Message{{Role: llm.System}, {Role: llm.User, Text: "old"}}},
		event.ResumeComplete{ModelName: "m/y"})
	if s.Started != "2025-12-31T09:00:00+01:00" || s.Model != "m/y" || !s.Spoken() {
		t.Errorf("state is %+v", s)
	}
	if s = load(t, event.ResumedFrom{Forked: true}); s.Started != "2026-01-02T03:04:05.000Z" {
		t.Errorf("a fork began at %s", s.Started)
	}
}

func TestBadDataLeavesTheStateAlone(t *testing.T) {
	s := load(t, user(1, "x"))
	before := shape(s)
	bad := event.Event{Seq: 2, Type: event.TypeHistoryMessage, Data: []byte(`{"message":{"role":"nobody"}}`)}
	if err := s.Apply(bad); err == nil || s.Seq != 1 || shape(s) != before {
		t.Errorf("error is %v, state %s", err, shape(s))
	}
	if err := s.Apply(event.Event{Seq: 2, Type: "from_the_future", Data: []byte(`[]`)}); err != nil || s.Seq != 2 {
		t.Errorf("an unknown type: %v", err)
	}
}

func TestPlanIn(t *testing.T) {
	call := func(args string) llm.Message {
		return llm.Message{Role: llm.Assistant, ToolCalls: []llm.ToolCall{{ID: "p", Name: "plan_tool", Arguments: args}}}
	}
	good := call(`{"todos":[{"id":"1","content":"a","status":"completed"}]}`)
	plan, ok := history.PlanIn([]llm.Message{good, call(`{"todos":[{"id":"2","content":"b","status":"done"}]}`), call(`{`), call(`{}`)})
	if !ok || len(plan) != 1 || plan[0].Status != "completed" {
		t.Errorf("plan is %v, %v", plan, ok)
	}
	if plan, ok = history.PlanIn([]llm.Message{good, call(`{"todos":[]}`)}); !ok || len(plan) != 0 {
		t.Errorf("a cleared plan is %v, %v", plan, ok)
	}
	if _, ok = history.PlanIn(nil); ok {
		t.Error("no call, no plan")
	}
}

func TestRedacted(t *testing.T) {
	for text, want := range map[string]bool{
		"x [REDACTED] y": true, "[REDACTED_HF_TOKEN]": true, "[REDACTED": false, "[REDACTED-x]": false,
		"[REDACTED_x] [REDACTED_GITHUB_TOKEN]": true, "[REDACTED_KEY1]": false, "plain": false,
	} {
		for where, m := range map[string]llm.Message{
			"text": {Text: text}, "part": {Parts: []json.RawMessage{json.RawMessage(`{"text":"` + text + `"}`)}},
			"call": {ToolCalls: []llm.ToolCall{{Arguments: text}}},
		} {
			if got := history.Redacted([]llm.Message{{}, m}); got != want {
				t.Errorf("%q in %s: %v", text, where, got)
			}
		}
	}
}

// FuzzApply holds that no data, however odd, makes the fold panic.
func FuzzApply(f *testing.F) {
	for _, ev := range tape(f, "turn_1", event.TurnStarted{TurnID: "turn_1"}, assistant(1, "", "a"), output("a"), event.ApprovalRequired{Tools: []event.GatedCall{{}}}, event.LLMCall{}, event.HistoryRewritten{},
		user(1, "x"), event.HistoryRewritten{Reason: "undo", Messages: []llm.Message{{Role: llm.User}}, Said: []event.Said{{TurnID: "turn_1"}}},
		event.HistoryRewritten{Reason: "redo"}, event.UndoComplete{Removed: 1}, event.UndoComplete{Restored: event.Restored{Files: []string{"a"}}},
		event.RedoComplete{}, event.Renamed{Title: "t"}, event.Settings{Model: "m"}, event.ResumeComplete{SessionID: "x"}) {
		f.Add(string(ev.Type), []byte(ev.Data))
	}
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		s := load(t, "turn_1", event.TurnStarted{TurnID: "turn_1"}, assistant(1, "", "a", "b"),
			event.ApprovalRequired{Tools: []event.GatedCall{{ToolCallID: "a"}}}, user(2, "x"),
			event.HistoryRewritten{Reason: "undo", Messages: []llm.Message{{Role: llm.Assistant}}}, event.UndoComplete{Removed: 1})
		for range 2 {
			_ = s.Apply(event.Event{Seq: 9, Type: event.Type(kind), Data: data}) // a bad one is refused
		}
		people := 0
		for _, m := range s.Messages {
			if history.FromPerson(m) {
				people++
			}
		}
		if len(s.Messages) != len(s.IDs) || people != len(s.Said) {
			t.Errorf("%d messages, %d ids; %d of people, %d known", len(s.Messages), len(s.IDs), people, len(s.Said))
		}
		_ = s.Name()
	})
}

func BenchmarkLoad10000(b *testing.B) {
	var items []any
	for i := range 100 {
		items = append(items, user(i, "x"), event.TurnStarted{TurnID: history.TurnID(i)})
		for range 96 {
			items = append(items, event.AssistantChunk{Content: "word "})
		}
		items = append(items, assistant(i, "", "a"), output("a"))
	}
	events := tape(b, items...)
	for b.Loop() {
		if _, err := history.Load(events); err != nil {
			b.Fatal(err)
		}
	}
}

// Each event tells what it did to the messages, and a message whose text was
// shed still takes its place in what follows.
func TestEditAndShed(t *testing.T) {
	said := func(n int, calls ...llm.ToolCall) event.HistoryMessage {
		return event.HistoryMessage{MessageID: history.MessageID(n), Message: llm.Message{Role: llm.Assistant, Text: "long", ToolCalls: calls}}
	}
	a, b := llm.ToolCall{ID: "a", Name: "bash", Arguments: `{"x":1}`}, llm.ToolCall{ID: "b", Name: "bash"}
	var s history.State
	for i, step := range []struct {
		ev   event.Payload
		want history.Edit
	}{
		{event.TurnStarted{TurnID: "turn_1"}, history.Edit{}},
		{user(1, "hi"), history.Edit{Added: true}},
		{said(2, a, b), history.Edit{Added: true, At: 1}},
		{event.ToolStarted{ToolCallID: "a", Tool: "bash"}, history.Edit{}},
		{event.ToolOutput{ToolCallID: "b", Output: "second"}, history.Edit{Added: true, At: 2}},
		{event.ToolOutput{ToolCallID: "a", Output: "first"}, history.Edit{Added: true, At: 2}},
		{event.ToolOutput{ToolCallID: "a", Output: "again"}, history.Edit{}},
		{event.ToolOutput{ToolCallID: "a", Output: "a sub-agent's", AgentID: "x"}, history.Edit{}},
		{said(3, a), history.Edit{Added: true, At: 4}},
		{event.ToolOutput{ToolCallID: "a", Output: "its id is used again", Success: true}, history.Edit{Added: true, At: 5}},
		{event.HistoryRewritten{Messages: []llm.Message{{Role: llm.User, Text: "hi"}}}, history.Edit{Replaced: true}},
		{event.TurnComplete{}, history.Edit{}},
	} {
		if err := s.Apply(tape(t, step.ev)[0]); err != nil {
			t.Fatal(err)
		}
		if s.Edit != step.want {
			t.Errorf("step %d: edit is %+v, want %+v", i, s.Edit, step.want)
		}
		if s.Edit.Added {
			s.Shed(s.Edit.At)
		}
		if len(s.Messages) > 1 && !s.Spoken() {
			t.Errorf("step %d: a person's message is forgotten", i)
		}
		for k, m := range s.Messages {
			if m.Text != "" && !s.Edit.Replaced && step.ev.Type() != event.TypeTurnComplete {
				t.Errorf("step %d: message %d still says %q", i, k, m.Text)
			}
		}
		if i == 2 && s.Call("a").Arguments == "" {
			t.Error("the arguments of an open call are gone")
		}
		if i == 5 && (s.Call("a").Arguments != "" || s.Call("a").Started != nil || !s.Call("a").Done || len(s.Open()) != 0) {
			t.Errorf("a finished call is %+v", s.Call("a"))
		}
	}
}

func TestEvidenceAndOutsideText(t *testing.T) {
	look := func(id, agent string) event.Evidence {
		return event.Evidence{ID: id, Tool: "web_fetch", URL: "https://a.example/" + id, AgentID: agent}
	}
	s := load(t,
		user(1, "first"), look("S1", ""), look("S2", "c1"),
		event.HistoryMessage{MessageID: "c1.msg_2", AgentID: "c1", Message: llm.Message{Role: llm.User, Text: "a task"}},
	)
	if len(s.Evidence) != 2 || len(s.Outside) != 2 || s.Outside[1] != (event.Origin{Source: "S2", URL: "https://a.example/S2"}) {
		t.Errorf("evidence %v, outside %v", s.Evidence, s.Outside)
	}
	items := []any{user(1, "first"), look("S1", ""), user(2, "second")}
	for range history.KeptOutside + 5 {
		items = append(items, event.Evidence{Tool: "mcp__x__y", Operation: "get"}) // the ledger is full
	}
	s = load(t, items...)
	if len(s.Evidence) != 1 || len(s.Outside) != history.KeptOutside || s.Outside[0] != (event.Origin{URL: "mcp__x__y get"}) {
		t.Errorf("evidence %v, outside %v", s.Evidence, s.Outside)
	}
	if s = load(t, append(items, user(3, "third"))...); len(s.Outside) != 0 || len(s.Evidence) != 1 {
		t.Errorf("a message of a person left outside %v, evidence %v", s.Outside, s.Evidence)
	}
}

// A turn's own model is not the session's, also where a crash leaves the turn
// open; its terms are there for who takes it up.
func TestTermsOfATurn(t *testing.T) {
	terms := &event.Terms{Model: "m/own", Allow: []string{"bash"}}
	s := load(t,
		event.InputAccepted{SubmissionID: "sub_1", Text: "go", Model: "m/x", Cwd: "/w", Terms: terms},
		"turn_1", event.TurnStarted{TurnID: "turn_1", Attempt: 1, SubmissionID: "sub_1", Model: "m/own", Cwd: "/v", Terms: terms},
	)
	if s.Model != "m/x" || s.Cwd != "/v" {
		t.Errorf("the session runs with %s in %s", s.Model, s.Cwd)
	}
	if diff := cmp.Diff(terms, s.Turn.Terms); diff != "" {
		t.Error(diff)
	}
	s = load(t, "turn_1", event.TurnStarted{TurnID: "turn_1", Attempt: 1, Model: "m/y", Terms: &event.Terms{Allow: []string{"bash"}}})
	if s.Model != "m/y" {
		t.Errorf("terms without a model: %s", s.Model)
	}
}
