package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/hook"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
)

// A message that a hook keeps back never enters the conversation: the turn ends
// with an error that says why, and the next message is heard.
func TestAHookKeepsAMessageBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := &beside{answer: func(_ context.Context, in hook.Input) hook.Answer {
			if in.Moment == hook.UserPromptSubmit && strings.Contains(in.Prompt, "secret") {
				return hook.Answer{Decision: hook.Deny, Reason: "it names a secret", By: "guard.sh"}
			}
			return hook.Answer{}
		}}
		m := &script{steps: []step{say("hello")}}
		r := start(t, m, withHooks(b))
		got := r.turn("the secret is 1234")
		e := one[event.Error](t, got)
		if e.Error != "a hook of yours keeps the message back: it names a secret" || e.Code != "hook" || got[len(got)-1].TurnID != "turn_1" {
			t.Errorf("%+v", e)
		}
		if h := one[event.Hook](t, got); h.SubmissionID != "" || h.Decision != "deny" || h.By != "guard.sh" || h.Hook != "UserPromptSubmit" {
			t.Errorf("%+v", h)
		}
		if m.calls() != 0 || len(r.state().Queue) != 0 || r.state().Turn != nil {
			t.Errorf("%d calls, %+v", m.calls(), r.state())
		}
		r.turn("hello")
		for _, msg := range m.request(t, 0).Messages {
			if strings.Contains(msg.Text, "1234") {
				t.Errorf("the model sees %+v", msg)
			}
		}
		r.submit(event.Undo{Turns: 2}) // the turn without a message is no trouble
		if u := one[event.UndoComplete](t, r.until(event.TypeUndoComplete)); u.Turns != 1 {
			t.Errorf("%+v", u)
		}
	})
}

// One that would join a running turn is kept back without ending it.
func TestAHookKeepsASteeringMessageBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		release := make(chan struct{})
		b := &beside{answer: func(_ context.Context, in hook.Input) hook.Answer {
			if in.Moment == hook.UserPromptSubmit && in.Prompt == "no" {
				return hook.Answer{Decision: hook.Deny, Reason: "never"}
			}
			return hook.Answer{}
		}}
		wait := newFake("wait", func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
			<-release
			return tool.Success("ok"), nil
		})
		m := &script{steps: []step{use(call("1", "wait", `{}`)), say("done")}}
		r := start(t, m, withHooks(b, wait))
		r.input("go")
		r.until(event.TypeToolCall)
		for _, text := range []string{"no", "yes"} {
			if err := r.agent.Submit(t.Context(), event.Submission{ID: "sub_" + text, Operation: event.Steer{Text: text}}); err != nil {
				t.Fatal(err)
			}
		}
		close(release)
		got := r.ending()
		if last := got[len(got)-1]; last.Type != event.TypeTurnComplete {
			t.Fatal(names(got))
		}
		if h := one[event.Hook](t, got); h.SubmissionID != "sub_no" {
			t.Errorf("%+v", h)
		}
		if s := r.state(); len(s.Queue) != 0 || s.Messages[len(s.Messages)-2].Text != "yes" {
			t.Errorf("%+v", s.Messages)
		}
	})
}

// What hooks tell the model stands behind the person's message, that of the
// session's beginning first, and both are in the journal; the first model call
// waits for them.
func TestHooksTellTheModel(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := &beside{answer: func(_ context.Context, in hook.Input) hook.Answer {
			switch in.Moment {
			case hook.SessionStart:
				time.Sleep(time.Second)
				return hook.Answer{Context: "branch main, " + in.Kind}
			case hook.UserPromptSubmit:
				return hook.Answer{Context: "it is late"}
			}
			return hook.Answer{}
		}}
		m := &script{steps: []step{say("one"), say("two"), say("three")}}
		r := start(t, m, withHooks(b))
		got := r.turn("first")
		r.turn("second")
		var said []string
		for _, msg := range m.request(t, 1).Messages[1:] {
			said = append(said, fmt.Sprintf("%s %v %s", msg.Role, msg.Synthetic, msg.Text))
		}
		want := []string{
			"user false first", "user true [SYSTEM: HOOK] UserPromptSubmit: it is late\nSessionStart: branch main, startup", "assistant false one",
			"user false second", "user true [SYSTEM: HOOK] UserPromptSubmit: it is late",
		}
		if diff := cmp.Diff(want, said); diff != "" {
			t.Error(diff)
		}
		if told := find[event.Hook](t, got); len(told) != 2 || told[0].Context != "it is late" || told[1].Hook != "SessionStart" {
			t.Errorf("%+v", told)
		}
		r.stop()
		again := start(t, m, func(s *setup) { withHooks(b)(s); s.store, s.resume = r.store, true })
		again.turn("third")
		if text := last(m.request(t, 2)).Text; text != "[SYSTEM: HOOK] UserPromptSubmit: it is late\nSessionStart: branch main, resume" {
			t.Errorf("the model is told %q", text)
		}
	})
}

// The ends and beginnings of sessions are told with their kind, each once, and
// never hold anything up for long.
func TestHooksAtTheEndsOfSessions(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := &beside{}
		m := &script{steps: []step{say("one"), say("two")}}
		r, l := inLibrary(t, m, journal.NewMemory(), func(s *setup) { s.hooks = b })
		r.turn("hello")
		r.submit(event.NewChat{})
		r.rest()
		r.goOn(l, 0)
		r.turn("hello again")
		r.submit(event.Resume{Path: testSession})
		r.rest()
		r.goOn(l, 0)
		r.until(event.TypeResumeComplete)
		r.submit(event.ShutdownOp{})
		if err := <-r.done; err != nil {
			t.Fatal(err)
		}
		r.done = nil
		var ends, starts []string
		for _, in := range b.of(hook.SessionEnd) {
			ends = append(ends, fmt.Sprint(in.Kind, " ", in.SessionID == testSession))
		}
		for _, in := range b.of(hook.SessionStart) {
			starts = append(starts, fmt.Sprint(in.Kind, " ", in.SessionID == testSession))
		}
		slices.Sort(ends) // the next session does not wait for the one before
		if diff := cmp.Diff([]string{"exit true", "new true", "resume false"}, ends); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"startup true", "new false", "resume true"}, starts); diff != "" {
			t.Error(diff)
		}
	})
	for _, moment := range []hook.Moment{hook.SessionEnd, hook.SessionStart} {
		inBubble(t, func(t *testing.T) { // hooks that hang
			r := start(t, &script{}, withHooks(hanging(moment)))
			began := time.Now()
			r.submit(event.ShutdownOp{})
			<-r.done
			r.done = nil
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%s: the end took %v", moment, took)
			}
		})
	}
}

// Stop sends the agent on with a reason, says that it has, and not for ever.
func TestStopSendsTheAgentOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := &beside{}
		b.answer = func(_ context.Context, in hook.Input) hook.Answer {
			if in.Moment == hook.Stop && in.Text != "tests pass" {
				return hook.Answer{Decision: hook.Deny, Reason: "run the tests"}
			}
			return hook.Answer{}
		}
		m := &script{steps: []step{say("done"), use(call("1", "read", `{}`)), say("tests pass"), say("no")}, loop: true}
		r := start(t, m, withHooks(b, newFake("read", nil)))
		got := r.turn("go")
		if done := one[event.TurnComplete](t, got); *done.FinalResponse != "tests pass" {
			t.Errorf("%+v", done)
		}
		if text := last(m.request(t, 1)).Text; text != "[SYSTEM: HOOK] A hook of the user's wants you to go on: run the tests" {
			t.Errorf("the model is told %q", text)
		}
		if h := one[event.Hook](t, got); h.Decision != "deny" || h.Hook != "Stop" {
			t.Errorf("%+v", h)
		}
		asked := b.of(hook.Stop)
		if len(asked) != 2 || asked[0].Again || !asked[1].Again || asked[0].Text != "done" {
			t.Errorf("%+v", asked)
		}
		got = r.turn("and now")
		if n := len(find[event.Hook](t, got)); n != 5 || len(b.of(hook.Stop)) != 2+6 || b.of(hook.Stop)[2].Again {
			t.Errorf("sent on %d times, asked %d times", n, len(b.of(hook.Stop)))
		}
		if log := one[event.ToolLog](t, got); !strings.Contains(log.Log, "5 times in a row") || got[len(got)-1].Type != event.TypeTurnComplete {
			t.Errorf("%+v", log)
		}
	})
}

// PreCompact adds to what the summary keeps, and may refuse a person's request but
// not what must be done for want of room.
func TestHooksBeforeCompaction(t *testing.T) {
	summary := func(want string) step {
		return func(ctx context.Context, req llm.Request, yield func(llm.Chunk, error) bool) {
			if text := last(req).Text; !strings.Contains(text, want) {
				yield(nil, &llm.Fault{Class: llm.ClassInternal, Text: "the summary is asked for without " + want})
				return
			}
			say("a summary")(ctx, req, yield)
		}
	}
	long := strings.Repeat("word ", 20_000)
	for _, manual := range []bool{true, false} {
		for _, deny := range []bool{false, true} {
			t.Run(fmt.Sprintf("manual=%v,deny=%v", manual, deny), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					a := hook.Answer{Context: "keep the learning rates"}
					if deny {
						a.Decision, a.Reason = hook.Deny, "not now"
					}
					b := at(hook.PreCompact, a)
					m := &script{steps: []step{say("one " + long), summary("keep the learning rates"), say("two")}}
					m.info = llm.Info{ID: testModel, Provider: "test", Label: "test", Window: 200_000, WindowKnown: true, Prices: &llm.Prices{}, PriceSource: llm.PriceTable}
					if !manual {
						m.info.Window, m.steps[0] = 40_000, filling(38_000)
					}
					r := start(t, m, withHooks(b))
					r.turn("go " + long)
					var got []event.Event
					if manual {
						r.submit(event.Compact{Instructions: "keep the seeds"})
						got = r.until(event.TypeCompacted, event.TypeError)
					} else {
						got = r.turn("more")
					}
					in := b.of(hook.PreCompact)
					if len(in) == 0 || in[0].Kind != map[bool]string{true: "manual", false: "auto"}[manual] || (in[0].Instructions == "keep the seeds") != manual {
						t.Fatalf("asked %+v", in)
					}
					if manual && deny {
						if e := one[event.Error](t, got); !strings.Contains(e.Error, "a hook of yours forbids it: not now") {
							t.Errorf("%+v", e)
						}
						return
					}
					one[event.Compacted](t, got)
				})
			})
		}
	}
}

// Calls of sub-agents pass the same hooks, with the sub-agent's name; what is
// permitted there stays reading.
func TestHooksBesideSubAgents(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := &beside{answer: func(_ context.Context, in hook.Input) hook.Answer {
			switch {
			case in.AgentID == "":
			case in.Moment == hook.PreToolUse && in.ToolCallID == "1":
				return hook.Answer{UpdatedInput: json.RawMessage(`{"n":"hooked"}`), Decision: hook.Allow}
			case in.Moment == hook.PreToolUse && in.ToolCallID == "2":
				return hook.Answer{Decision: hook.Deny, Reason: "not this"}
			case in.Moment == hook.PreToolUse && in.ToolCallID == "3":
				return hook.Answer{Decision: hook.Allow}
			case in.Moment == hook.PreToolUse && in.ToolCallID == "4":
				return hook.Answer{Decision: hook.Ask, Reason: "who knows"}
			case in.Moment == hook.PostToolUse:
				return hook.Answer{Context: "seen"}
			}
			return hook.Answer{}
		}}
		var ran []string
		look := newFake("look", func(_ context.Context, _ tool.Env, args json.RawMessage) (tool.Result, error) {
			ran = append(ran, string(args))
			return tool.Success("a view"), nil
		})
		act := newFake("act", func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
			ran = append(ran, "act")
			return tool.Success("acted"), nil
		})
		act.risk = func(json.RawMessage) tool.Risk { return tool.Risk{Effect: event.Once} }
		var report tool.Report
		m := &script{steps: []step{
			use(call("r", "research", `{}`)),
			use(call("1", "look", `{"n":1}`), call("2", "look", `{"n":2}`), call("3", "act", `{}`), call("4", "look", `{"n":4}`)),
			say("an answer"), say("done"),
		}}
		r := start(t, m, withHooks(b, delegating(&report, nil, look, act)))
		got := r.turn("go")
		if strings.Join(ran, " ") != `{"n":"hooked"}` {
			t.Errorf("ran %v", ran)
		}
		out := results(m.request(t, 2))
		for id, want := range map[string]string{"1": "[PostToolUse hook] seen", "2": "forbids it: not this", "3": "a sub-agent may only look", "4": "a hook asks: who knows"} {
			if !strings.Contains(out[id], want) {
				t.Errorf("%s: the sub-agent is told %q, want %q", id, out[id], want)
			}
		}
		n := 0
		for _, h := range find[event.Hook](t, got) {
			if n++; h.AgentID != "r" {
				t.Errorf("%+v is nobody's", h)
			}
		}
		if n != 4 {
			t.Errorf("told of %d decisions", n)
		}
		if in := b.of(hook.PreToolUse); len(in) != 4 || in[0].Tool != "research" { // act is refused before anybody is asked
			t.Errorf("asked %d times: %+v", len(in), in)
		}
	})
}
