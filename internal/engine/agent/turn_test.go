package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// Acceptance check 1 of the engine: a streamed text answer.
func TestCheck1_StreamedAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := start(t, &script{steps: []step{say("Hel", "lo ", "you")}}, nil)
		got := r.turn("hi")
		if n := len(find[event.AssistantChunk](t, got)); n != 3 {
			t.Errorf("%d chunks, want 3", n)
		}
		wantNames(t, got, "processing", "turn_complete")
		done := one[event.TurnComplete](t, got)
		if done.FinalResponse == nil || *done.FinalResponse != "Hello you" || done.StopReason != "answer" || done.HistorySize != 3 {
			t.Errorf("turn_complete is %+v", done)
		}
		var order []string
		for i, ev := range got {
			if ev.Seq != int64(i+1) {
				t.Errorf("event %d has number %d", i, ev.Seq)
			}
			switch ev.Type {
			case event.TypeAssistantChunk, event.TypeLLMCall, event.TypeStreamEnd, event.TypeTurnComplete:
				order = append(order, string(ev.Type))
			}
		}
		want := "assistant_chunk assistant_chunk assistant_chunk llm_call assistant_stream_end turn_complete"
		if s := strings.Join(order, " "); s != want {
			t.Errorf("order is %s, want %s", s, want)
		}
		assistants := 0
		for _, m := range r.state().Messages {
			if m.Role == llm.Assistant {
				assistants++
			}
		}
		if assistants != 1 {
			t.Errorf("%d assistant messages in the history, want 1", assistants)
		}
	})
}

// Acceptance check 1 of the engine: not streamed.
func TestCheck1_WholeAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := start(t, &script{steps: []step{say("Hello")}}, func(s *setup) { s.settings.Stream = false })
		got := r.turn("hi")
		wantNames(t, got, "processing", "assistant_message", "turn_complete")
		if done := one[event.TurnComplete](t, got); *done.FinalResponse != "Hello" {
			t.Errorf("final response %q", *done.FinalResponse)
		}
		if got := r.state().Turns; got != 1 {
			t.Errorf("%d turns, want 1", got)
		}
		for _, ev := range got {
			if ev.Type == event.TypeStreamEnd || ev.Type == event.TypeAssistantChunk {
				t.Errorf("%s without streaming", ev.Type)
			}
		}
	})
}

// Acceptance check 2 of the engine and decision 28: the limit belongs to the
// turn, the closing call keeps the tools and forbids their use.
func TestCheck2_MaxIterations(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{
			use(call("a", "act", `{"ask":true}`)), use(call("b", "act", `{"n":2}`)), say("so far so good"),
		}}
		r := start(t, m, func(s *setup) {
			s.tools = []tool.Tool{gated("act", nil)}
			s.settings.MaxIterations = 2
		})
		r.turn("go")
		r.approve("a")
		got := r.ending()
		done := one[event.TurnComplete](t, got)
		if done.StopReason != "max_iterations" || done.FinalResponse == nil || *done.FinalResponse != "so far so good" {
			t.Errorf("turn_complete is %+v", done)
		}
		if m.calls() != 3 {
			t.Fatalf("%d model calls, want 3", m.calls())
		}
		closing := m.request(t, 2)
		if closing.Choice != llm.ToolNone || len(closing.Tools) != 1 {
			t.Errorf("the closing call has choice %q and %d tools, want none and 1", closing.Choice, len(closing.Tools))
		}
		valid(t, closing)
		outputs := 0
		for _, ev := range r.all() {
			if ev.Type == event.TypeToolOutput {
				outputs++
			}
		}
		if outputs != 2 {
			t.Errorf("%d tool outputs, want 2", outputs)
		}
	})
}

// Decision 28: zero makes no call, a negative value is no limit, and calls in
// the closing answer do not run.
func TestDecision28_Limits(t *testing.T) {
	t.Run("zero", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			m := &script{steps: []step{say("no")}}
			r := start(t, m, func(s *setup) { s.settings.MaxIterations = 0 })
			done := one[event.TurnComplete](t, r.turn("hi"))
			if m.calls() != 0 || done.StopReason != "max_iterations" || done.FinalResponse != nil {
				t.Errorf("%d calls, %+v", m.calls(), done)
			}
		})
	})
	t.Run("negative", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			m := &script{}
			for i := range 400 {
				m.steps = append(m.steps, use(call("", "read", fmt.Sprintf(`{"n":%d}`, i))))
			}
			m.steps = append(m.steps, say("done"))
			r := start(t, m, func(s *setup) {
				s.settings.MaxIterations = -1
				s.tools = []tool.Tool{newFake("read", nil)}
			})
			if done := one[event.TurnComplete](t, r.turn("hi")); done.StopReason != "answer" || m.calls() != 401 {
				t.Errorf("%d calls, %+v", m.calls(), done)
			}
		})
	})
	t.Run("calls in the closing answer", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			m := &script{steps: []step{use(call("a", "read", `{}`)), use(call("b", "read", `{}`))}}
			r := start(t, m, func(s *setup) {
				s.settings.MaxIterations = 1
				s.tools = []tool.Tool{newFake("read", nil)}
			})
			got := r.turn("hi")
			if n := len(find[event.ToolOutput](t, got)); n != 1 {
				t.Errorf("%d outputs, want 1", n)
			}
			if done := one[event.TurnComplete](t, got); done.StopReason != "max_iterations" || done.FinalResponse != nil {
				t.Errorf("%+v", done)
			}
		})
	})
}

// Acceptance check 3 of the engine: calls run side by side, are announced
// first, and stand in call order in the history.
func TestCheck3_Parallel(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		read := newFake("read", func(_ context.Context, _ tool.Env, args json.RawMessage) (tool.Result, error) {
			d := time.Second
			if strings.Contains(string(args), "slow") {
				d = 1200 * time.Millisecond
			}
			time.Sleep(d)
			return tool.Success(string(args)), nil
		})
		m := &script{steps: []step{use(call("a", "read", `{"p":"slow"}`), call("b", "read", `{"p":"y"}`)), say("done")}}
		r := start(t, m, withTools(read))
		begun := time.Now()
		got := r.turn("hi")
		if d := time.Since(begun); d >= 1500*time.Millisecond {
			t.Errorf("the batch took %s", d)
		}
		wantNames(t, got, "processing", "tool_call", "tool_call", "tool_output", "tool_output", "turn_complete")
		if outs := find[event.ToolOutput](t, got); outs[0].ToolCallID != "b" {
			t.Error("the quick call did not tell its result first")
		}
		valid(t, m.request(t, 1)) // call order
	})
}

func TestAtMostSixteenAtOnceAndLanesInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var order []string
		lane := newFake("write", func(_ context.Context, env tool.Env, _ json.RawMessage) (tool.Result, error) {
			time.Sleep(time.Second)
			order = append(order, env.CallID()) // the lane is the lock
			return tool.Success("ok"), nil
		})
		lane.risk = func(json.RawMessage) tool.Risk { return tool.Risk{Effect: event.Keyed, Lane: "file"} }
		slow := newFake("slow", func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
			time.Sleep(time.Second)
			return tool.Success("ok"), nil
		})
		var calls []llm.ToolCall
		for i := range 32 {
			calls = append(calls, call(fmt.Sprintf("s%d", i), "slow", fmt.Sprintf(`{"n":%d}`, i)))
		}
		m := &script{steps: []step{
			use(calls...), use(call("w1", "write", `{"n":1}`), call("w2", "write", `{"n":2}`), call("w3", "write", `{"n":3}`)), say("done"),
		}}
		r := start(t, m, withTools(lane, slow))
		begun := time.Now()
		r.turn("hi")
		if d := time.Since(begun); d != 5*time.Second { // 32 calls by 16, then three in a row
			t.Errorf("took %s, want 5 s", d)
		}
		if s := strings.Join(order, " "); s != "w1 w2 w3" {
			t.Errorf("order %s", s)
		}
	})
}

// Acceptance check 4 of the engine: malformed arguments.
func TestCheck4_Malformed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ran := 0
		read := newFake("read", func(_ context.Context, _ tool.Env, args json.RawMessage) (tool.Result, error) {
			ran++
			return tool.Success("ran with " + string(args)), nil
		})
		m := &script{steps: []step{
			use(call("a", "read", `{bad`), call("b", "read", ``), call("c", "read", `[]`), call("d", "read", `null`)), say("done"),
		}}
		r := start(t, m, withTools(read))
		got := r.turn("hi")
		if one[event.TurnComplete](t, got).StopReason != "answer" || ran != 1 {
			t.Errorf("the valid sibling ran %d times", ran)
		}
		byID := map[string]event.ToolOutput{}
		for _, out := range find[event.ToolOutput](t, got) {
			byID[out.ToolCallID] = out
		}
		if byID["a"].Success || !strings.HasPrefix(byID["a"].Output, "ERROR: Tool call to 'read' had malformed JSON arguments") {
			t.Errorf("a: %+v", byID["a"])
		}
		if !byID["b"].Success || byID["b"].Output != "ran with {}" {
			t.Errorf("b: %+v", byID["b"])
		}
		if byID["c"].Success || byID["d"].Success {
			t.Error("c or d did not fail")
		}
		for _, announced := range find[event.ToolCall](t, got) {
			if string(announced.Arguments) != "{}" {
				t.Errorf("%s announced with %s", announced.ToolCallID, announced.Arguments)
			}
		}
		req := m.request(t, 1)
		valid(t, req)
		for _, c := range req.Messages[2].ToolCalls {
			if c.Arguments != "{}" {
				t.Errorf("stored arguments of %s: %s", c.ID, c.Arguments)
			}
		}
	})
}

func TestCallIDsAreUniqueAndBelongToTheirCalls(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{
			use(call("", "read", `{bad`), call("", "read", `{"n":1}`), call("x", "read", `{"n":2}`), call("x", "read", `{"n":3}`)),
			use(call("x", "read", `{"n":4}`)), say("done"),
		}}
		r := start(t, m, withTools(newFake("read", nil)))
		got := r.turn("hi")
		good := 0
		for _, out := range find[event.ToolOutput](t, got) {
			if out.Success {
				good++
			}
		}
		if good != 4 {
			t.Errorf("%d good results, want 4: only one call was malformed", good)
		}
		req := m.request(t, 2)
		valid(t, req)
		seen := map[string]bool{}
		for _, msg := range req.Messages {
			for _, c := range msg.ToolCalls {
				if c.ID == "" || seen[c.ID] {
					t.Errorf("call id %q is empty or used twice", c.ID)
				}
				seen[c.ID] = true
			}
		}
	})
}

// Acceptance check 5 of the engine: a streak of malformed calls.
func TestCheck5_MalformedStreak(t *testing.T) {
	tests := []struct {
		name  string
		steps []step
		hits  int
	}{
		{"two in a row", []step{use(call("a", "write", `{x`)), use(call("b", "write", `{y`)), say("ok")}, 1},
		{"a good one between", []step{use(call("a", "write", `{x`)), use(call("b", "write", `{}`)), use(call("c", "write", `{x`)), say("ok")}, 0},
		{"two tools", []step{use(call("a", "write", `{x`)), use(call("b", "edit", `{x`)), say("ok")}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := &script{steps: tt.steps}
				r := start(t, m, withTools(newFake("write", nil), newFake("edit", nil)))
				got := r.turn("hi")
				req := m.request(t, len(tt.steps)-1)
				if n := having(req, "MALFORMED"); n != tt.hits {
					t.Errorf("%d guard messages, want %d", n, tt.hits)
				}
				logs := find[event.ToolLog](t, got)
				if len(logs) != tt.hits {
					t.Errorf("%d logs, want %d", len(logs), tt.hits)
				}
				if tt.hits == 0 {
					return
				}
				if m := last(req); !m.Synthetic || m.Role != llm.User || !strings.HasPrefix(m.Text, llm.SyntheticPrefix) || !strings.Contains(m.Text, "'write'") {
					t.Errorf("last message is %+v", m)
				}
				if logs[0].Tool != "system" {
					t.Errorf("log of %s", logs[0].Tool)
				}
			})
		})
	}
}

// Acceptance check 6 of the engine, decision 32 and model check 34: answers
// that were cut.
func TestCheck6_CutCalls(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var ran []string
		write := newFake("write", func(_ context.Context, env tool.Env, _ json.RawMessage) (tool.Result, error) {
			ran = append(ran, env.CallID())
			return tool.Success("ok"), nil
		})
		cut := answering(llm.Message{Text: "I write.", ToolCalls: []llm.ToolCall{
			call("a", "write", `{"n":1}`), call("b", "make_file", `{"n":2,"content":"abc`),
		}}, llm.FinishLength)
		m := &script{steps: []step{cut, say("done")}}
		r := start(t, m, withTools(write, newFake("make_file", nil)))
		got := r.turn("hi")
		if s := strings.Join(ran, " "); s != "a" {
			t.Errorf("ran %s, want a", s)
		}
		req := m.request(t, 1)
		valid(t, req)
		if hint := last(req); !hint.Synthetic || !strings.Contains(hint.Text, "'make_file'") {
			t.Errorf("hint is %+v", hint)
		}
		if n := len(find[event.ToolOutput](t, got)); n != 1 {
			t.Errorf("%d outputs, want 1", n)
		}
		if having(req, "I write.") != 1 {
			t.Error("the text is lost")
		}
	})
}

func TestModelCheck34_OnlyCallCut(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{answering(llm.Message{Text: "Now."}, llm.FinishLength, "make_file"), say("done")}}
		r := start(t, m, withTools(newFake("make_file", nil)))
		got := r.turn("hi")
		if n := len(find[event.ToolOutput](t, got)); n != 0 {
			t.Errorf("%d tools ran", n)
		}
		req := m.request(t, 1)
		if having(req, "Now.") != 1 || !strings.Contains(last(req).Text, "'make_file'") {
			t.Errorf("request: %+v", req.Messages)
		}
	})
}

func TestCheck6_CutText(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		piece := func(s string) step { return answering(llm.Message{Text: s}, llm.FinishLength) }
		m := &script{steps: []step{piece("one "), piece("two "), say("three"), piece("a"), piece("b"), piece("c"), piece("d")}}
		r := start(t, m, nil)
		if done := one[event.TurnComplete](t, r.turn("hi")); *done.FinalResponse != "one two three" || done.StopReason != "answer" {
			t.Errorf("%q, %s", *done.FinalResponse, done.StopReason)
		}
		if done := one[event.TurnComplete](t, r.turn("again")); *done.FinalResponse != "abcd" || done.StopReason != "truncated" {
			t.Errorf("%q, %s", *done.FinalResponse, done.StopReason)
		}
	})
}

// A gate among the complete calls of a cut answer does not lose the hint.
func TestCutCallsWithAGateKeepTheHint(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cut := answering(llm.Message{ToolCalls: []llm.ToolCall{call("a", "act", `{"ask":true}`)}}, llm.FinishLength, "make_file")
		m := &script{steps: []step{cut, say("done")}}
		r := start(t, m, withTools(gated("act", nil), newFake("make_file", nil)))
		r.turn("hi")
		r.approve("a")
		r.ending()
		if !strings.Contains(last(m.request(t, 1)).Text, "'make_file'") {
			t.Errorf("request: %+v", m.request(t, 1).Messages)
		}
	})
}

// Acceptance check 7 of the engine: the unfinished plan.
func TestCheck7_Plan(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{
			use(call("p", "plan_tool", planArgs)), say("I stop."), say("Still."), use(call("r", "read", `{}`)),
			say("one"), say("two"), say("three"), // ends here
			say("a stale plan"),
		}}
		r := start(t, m, withTools(planner(), newFake("read", nil)))
		got := r.turn("go")
		if n := having(m.request(t, 3), "CONTINUATION GUARD"); n != 2 {
			t.Errorf("%d guard messages before the tool, want 2", n)
		}
		if done := one[event.TurnComplete](t, got); *done.FinalResponse != "three" {
			t.Errorf("final response %q", *done.FinalResponse)
		}
		if n := len(find[event.ToolLog](t, got)); n != 4 {
			t.Errorf("%d logs, want 4", n)
		}
		var names []string
		for _, ev := range got {
			if ev.Type == event.TypePlanUpdate || ev.Type == event.TypeToolOutput {
				names = append(names, string(ev.Type))
			}
		}
		if len(names) < 2 || names[0] != "plan_update" || names[1] != "tool_output" {
			t.Errorf("plan events %v", names)
		}
		calls := m.calls()
		r.turn("next")
		if m.calls() != calls+1 {
			t.Error("the guard judged the plan of an earlier turn")
		}
	})
}

// Acceptance check 8 of the engine: repetition.
func TestCheck8_Repetition(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{
			use(call("1", "read", `{"a":1,"b":2}`)), use(call("2", "read", `{"b":2,"a":1}`)), use(call("3", "read", `{ "a": 1, "b": 2 }`)),
		}}
		for i := range 6 {
			m.steps = append(m.steps, use(call("", "read", fmt.Sprintf(`{"n":%d}`, i))))
		}
		m.steps = append(m.steps, say("done"))
		r := start(t, m, withTools(newFake("read", nil)))
		got := r.turn("hi")
		if warned := last(m.request(t, 3)); !warned.Synthetic || !strings.Contains(warned.Text, "REPETITION GUARD") || !strings.Contains(warned.Text, "'read'") {
			t.Errorf("after three rounds: %+v", warned)
		}
		if n := having(m.request(t, 9), "REPETITION GUARD"); n != 1 {
			t.Errorf("%d warnings, want 1", n)
		}
		if n := len(find[event.ToolLog](t, got)); n != 0 {
			t.Errorf("%d logs, want none", n)
		}
	})
}

// Acceptance check 9 of the engine: what is a repetition and what is not.
func TestCheck9_Patterns(t *testing.T) {
	rounds := func(calls ...llm.ToolCall) []step {
		var out []step
		for _, c := range calls {
			out = append(out, use(c))
		}
		return append(out, say("done"))
	}
	tests := []struct {
		name  string
		tools []tool.Tool
		steps []step
		want  string
	}{
		{
			"changing results",
			[]tool.Tool{returns("logs", "27210", "36454", "45770", "55138")},
			rounds(call("", "logs", `{}`), call("", "logs", `{}`), call("", "logs", `{}`), call("", "logs", `{}`)), "",
		},
		{
			"a cycle",
			[]tool.Tool{newFake("a", nil), newFake("b", nil)},
			rounds(call("", "a", `{}`), call("", "b", `{}`), call("", "a", `{}`), call("", "b", `{}`)), "a → b",
		},
		{
			"lists in another order",
			[]tool.Tool{newFake("a", nil)},
			rounds(call("", "a", `{"l":[1,2]}`), call("", "a", `{"l":[2,1]}`), call("", "a", `{"l":[1,2]}`)), "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				m := &script{steps: tt.steps}
				r := start(t, m, withTools(tt.tools...))
				r.turn("hi")
				req := m.request(t, len(tt.steps)-1)
				if n := having(req, "REPETITION GUARD"); (n > 0) != (tt.want != "") || n > 1 {
					t.Errorf("%d warnings", n)
				}
				if tt.want != "" && !strings.Contains(last(req).Text, tt.want) {
					t.Errorf("warning %q does not name %q", last(req).Text, tt.want)
				}
			})
		})
	}
}

// A loop that goes on is refused at the third hit and ends the turn at the
// fifth.
func TestRepetitionEscalates(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ran := 0
		read := newFake("read", func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
			ran++
			return tool.Success("same"), nil
		})
		m := &script{steps: []step{use(call("", "read", `{}`))}, loop: true}
		r := start(t, m, withTools(read))
		got := r.turn("hi")
		done := one[event.TurnComplete](t, got)
		if done.StopReason != "doom_loop" || done.FinalResponse == nil {
			t.Errorf("%+v", done)
		}
		if ran != 4 || m.calls() != 7 {
			t.Errorf("ran %d times in %d calls, want 4 in 7", ran, m.calls())
		}
		if err := check(append(r.state().Messages, llm.Message{Role: llm.User, Text: "next"})); err != nil {
			t.Error(err)
		}
	})
}

// Acceptance check 25 of the engine: a tool that panics.
func TestCheck25_Panic(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{use(call("a", "bad", `{}`), call("b", "good", `{}`)), say("done")}}
		bad := newFake("bad", func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) { panic("oh no") })
		r := start(t, m, withTools(bad, newFake("good", nil)))
		got := r.turn("hi")
		wantNames(t, got, "processing", "tool_call", "tool_call", "tool_output", "tool_output", "turn_complete")
		ok := map[string]bool{}
		for _, out := range find[event.ToolOutput](t, got) {
			ok[out.ToolCallID] = out.Success
			if strings.Contains(out.Output, "goroutine ") {
				t.Error("a stack trace is in the result")
			}
		}
		if ok["a"] || !ok["b"] {
			t.Errorf("results %v", ok)
		}
	})
}

func TestUnknownToolAndWrongArgumentsAreResults(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		read := newFake("read", nil)
		read.spec.Parameters = json.RawMessage(`{"type":"object","properties":{"path":{"type":"string"}},"required":["path"]}`)
		m := &script{steps: []step{use(call("a", "raed", `{}`), call("b", "read", `{}`), call("c", "read", `{"args":"{\"path\":1}"}`)), say("done")}}
		r := start(t, m, withTools(read))
		got := r.turn("hi")
		out := results(m.request(t, 1))
		if !strings.Contains(out["a"], "read") || !strings.Contains(out["b"], `"path"`) || !strings.Contains(out["c"], "args") {
			t.Errorf("results %q", out)
		}
		for _, c := range find[event.ToolCall](t, got) {
			if c.ToolCallID == "c" {
				t.Error("a call whose arguments are wrapped was announced")
			}
		}
	})
}

// Decision 29: an empty reply is retried once unchanged and once with a nudge.
func TestDecision29_EmptyReplies(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{say(""), say(""), say("")}}
		m.steps = []step{answering(llm.Message{}, llm.FinishStop)}
		m.loop = true
		r := start(t, m, nil)
		done := one[event.TurnComplete](t, r.turn("hi"))
		if m.calls() != 3 || done.StopReason != "empty_response" || done.FinalResponse == nil || strings.Contains(*done.FinalResponse, "\n") {
			t.Errorf("%d calls, %+v", m.calls(), done)
		}
		if a, b := len(m.request(t, 0).Messages), len(m.request(t, 1).Messages); a != b {
			t.Errorf("the first retry has %d messages, want %d", b, a)
		}
		if !last(m.request(t, 2)).Synthetic {
			t.Error("the second retry has no nudge")
		}
		for _, msg := range r.state().Messages {
			if msg.Role == llm.Assistant && msg.Empty() {
				t.Error("an empty answer is in the history")
			}
		}
	})
}

func TestSystemPromptRenderedAnewIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{say("one"), say("two")}}
		r := start(t, m, nil)
		r.turn("hi")
		r.stop()
		again := start(t, m, func(s *setup) { s.store, s.resume, s.newSystem = r.store, true, true })
		again.turn("more")
		if got := again.state().Messages[0].Text; got != "you are a new test" {
			t.Errorf("the journal's system prompt is %q", got)
		}
		if got := m.request(t, 1).Messages[0].Text; got != "you are a new test" {
			t.Errorf("the request's system prompt is %q", got)
		}
	})
}

// Decision 45: what belongs to a sub-agent does not enter the main history.
func TestDecision45_SubAgentEvents(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		research := newFake("research", func(_ context.Context, env tool.Env, _ json.RawMessage) (tool.Result, error) {
			id := env.CallID()
			env.Emit(event.HistoryMessage{Message: llm.Message{Role: llm.User, Text: "sub task"}, AgentID: id})
			env.Emit(event.ToolCall{Tool: "read", Arguments: json.RawMessage(`{}`), ToolCallID: "sub_1", AgentID: id})
			env.Emit(event.ToolOutput{Tool: "read", ToolCallID: "sub_1", Output: "sub result", AgentID: id})
			return tool.Success("report"), nil
		})
		m := &script{steps: []step{use(call("a", "research", `{}`)), say("done")}}
		r := start(t, m, withTools(research))
		r.turn("hi")
		for _, msg := range r.state().Messages {
			if strings.HasPrefix(msg.Text, "sub ") {
				t.Errorf("message of the sub-agent in the history: %q", msg.Text)
			}
		}
		if n := len(r.state().Messages); n != 5 {
			t.Errorf("%d messages, want 5", n)
		}
	})
}
