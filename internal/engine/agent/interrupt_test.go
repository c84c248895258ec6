package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
)

// stall streams text and then nothing until its context is done.
func stall(text string) step {
	return func(ctx context.Context, _ llm.Request, yield func(llm.Chunk, error) bool) {
		if text != "" && !yield(llm.Text{Delta: text}, nil) {
			return
		}
		<-ctx.Done()
		yield(nil, ctx.Err())
	}
}

// stuck is a tool that ignores its context until release is closed.
func stuck(release chan struct{}) *fake {
	return newFake("stuck", func(_ context.Context, env tool.Env, _ json.RawMessage) (tool.Result, error) {
		<-release
		env.Log("too late")
		return tool.Success("too late"), nil
	})
}

// Acceptance check 23 of the engine and model check 30: streaming.
func TestCheck23_Streaming(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{stall("half an ans"), say("done")}}
		r := start(t, m, withTools(newFake("read", nil)))
		r.input("hi")
		var begun time.Time
		after(10*time.Second, func() { begun = time.Now(); r.agent.Interrupt() })
		got := r.ending()
		if d := time.Since(begun); d > time.Second {
			t.Errorf("took %s", d)
		}
		wantNames(t, got, "processing", "interrupted")
		call := one[event.LLMCall](t, got)
		if call.FinishReason != "interrupted" || !call.UsageEstimated || call.Completion == 0 {
			t.Errorf("llm_call %+v", call)
		}
		if end := one[event.StreamEnd](t, got); end.Discarded {
			t.Error("the kept text was discarded")
		}
		r.turn("go on")
		req := m.request(t, 1)
		valid(t, req)
		if having(req, "half an ans") != 1 || having(req, "[SYSTEM: The user interrupted") != 1 {
			t.Errorf("request %+v", req.Messages)
		}
	})
}

// Acceptance check 23 of the engine and model check 30: a retry wait.
func TestCheck23_RetryWait(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{fail(llm.Fault{Class: llm.ClassRateLimit, Status: 429})}, loop: true}
		r := start(t, m, nil)
		r.input("hi")
		var begun time.Time
		after(10*time.Second, func() { begun = time.Now(); r.agent.Interrupt() })
		wantNames(t, r.ending(), "processing", "tool_log", "interrupted")
		if d := time.Since(begun); d > time.Second || m.calls() != 1 {
			t.Errorf("took %s, %d calls", d, m.calls())
		}
	})
}

// An interrupt in the wait after a broken stream does not bring its discarded
// text back.
func TestInterruptAfterDiscard(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{broken("lost words"), say("done")}}
		r := start(t, m, nil)
		r.input("hi")
		after(time.Second, r.agent.Interrupt)
		got := r.ending()
		if end := one[event.StreamEnd](t, got); !end.Discarded {
			t.Error("not discarded")
		}
		r.turn("again")
		if having(m.request(t, 1), "lost words") != 0 {
			t.Error("discarded text is in the history")
		}
	})
}

// Acceptance check 23 of the engine: an open gate.
func TestCheck23_Gate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var ran []string
		m := &script{steps: []step{use(call("d", "hf_repo_files", `{"operation":"delete"}`)), say("done")}}
		r := start(t, m, withTools(repoFiles(&ran)))
		r.turn("hi")
		r.agent.Interrupt()
		wantNames(t, r.ending(), "tool_state_change", "interrupted")
		r.approve("d")
		got := r.ending()
		one[event.Error](t, got)
		if len(ran) != 0 {
			t.Errorf("ran %v", ran)
		}
		r.turn("more")
		valid(t, m.request(t, 1))
	})
}

// Acceptance check 24 of the engine: finished outputs are kept.
func TestCheck24_FinishedAndRunning(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cancelled := false
		slow := newFake("slow", func(ctx context.Context, _ tool.Env, _ json.RawMessage) (tool.Result, error) {
			<-ctx.Done()
			cancelled = true
			return tool.Failed("partial output"), nil
		})
		m := &script{steps: []step{use(call("s", "slow", `{}`), call("r", "read", `{}`)), say("done")}}
		r := start(t, m, withTools(slow, newFake("read", nil)))
		r.input("hi")
		after(time.Second, r.agent.Interrupt)
		got := r.ending()
		wantNames(t, got, "processing", "tool_call", "tool_call", "tool_output", "tool_state_change", "tool_output", "interrupted")
		st := one[event.ToolStateChange](t, got)
		outs := find[event.ToolOutput](t, got)
		if !cancelled || st.State != "cancelled" || st.ToolCallID != "s" || outs[0].Output != "read ok" || outs[1].Success {
			t.Errorf("cancelled %v, state %+v, outputs %+v", cancelled, st, outs)
		}
		r.turn("more")
		req := m.request(t, 1)
		valid(t, req)
		if out := results(req); out["r"] != "read ok" || !strings.Contains(out["s"], "interrupted by the user") || !strings.Contains(out["s"], "partial output") {
			t.Errorf("results %q", out)
		}
	})
}

// A tool that does not stop delays the interrupt by less than 2 s, and what it
// says later is not heard.
func TestInterruptStuckTool(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		release := make(chan struct{})
		m := &script{steps: []step{use(call("s", "stuck", `{}`)), say("done")}}
		r := start(t, m, withTools(stuck(release)))
		r.input("hi")
		var begun time.Time
		after(time.Second, func() { begun = time.Now(); r.agent.Interrupt() })
		r.ending()
		if d := time.Since(begun); d > 2*time.Second {
			t.Errorf("interrupted after %s", d)
		}
		close(release)
		got := r.turn("more")
		wantNames(t, got, "processing", "turn_complete")
		valid(t, m.request(t, 1))
	})
}

// Calls that had not started are told apart from those that were running.
func TestInterruptNotStarted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		slow := newFake("slow", func(ctx context.Context, _ tool.Env, _ json.RawMessage) (tool.Result, error) {
			<-ctx.Done()
			return tool.Result{}, ctx.Err()
		})
		m := &script{steps: []step{use(call("a", "slow", `{"n":1}`), call("b", "slow", `{"n":2}`), call("g", "act", `{"ask":true}`)), say("done")}}
		r := start(t, m, func(s *setup) {
			s.settings.MaxParallel = 1
			s.tools = []tool.Tool{slow, gated("act", nil)}
		})
		r.input("hi")
		after(time.Second, r.agent.Interrupt)
		r.ending()
		r.turn("more")
		out := results(m.request(t, 1))
		running, waiting := 0, 0
		for _, id := range []string{"a", "b"} {
			if strings.Contains(out[id], "while it was running") {
				running++
			}
			if strings.Contains(out[id], "not started") {
				waiting++
			}
		}
		if running != 1 || waiting != 1 || !strings.Contains(out["g"], "not executed") {
			t.Errorf("results %q", out)
		}
		valid(t, m.request(t, 1))
	})
}

// Idle: no effect, no event, and nothing that a later turn would feel.
func TestInterruptIdle(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := start(t, &script{steps: []step{say("one"), say("two")}}, nil)
		r.until(event.TypeReady)
		after(time.Second, r.agent.Interrupt)
		if n := len(r.all()); n != 1 {
			t.Errorf("%d events, want ready alone", n)
		}
		one[event.TurnComplete](t, r.turn("hi"))
		after(time.Second, r.agent.Interrupt)
		one[event.TurnComplete](t, r.turn("hi again"))
	})
}

// An interrupt right behind a text ends the turn that begins with it, not the
// queue.
func TestInterruptRightAfterInput(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{stall("x")}, loop: true}
		r := start(t, m, nil)
		r.until(event.TypeReady)
		r.input("one")
		r.agent.Interrupt()
		wantNames(t, r.until(event.TypeInterrupted), "processing", "interrupted")
	})
}

// Decision 42: an interrupt ends the running turn; queued text runs next.
func TestDecision42_InterruptKeepsTheQueue(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{stall("x"), say("second")}}
		r := start(t, m, nil)
		r.input("one")
		after(time.Second, func() { r.input("two") })
		r.agent.Interrupt()
		one[event.Interrupted](t, r.ending())
		if done := one[event.TurnComplete](t, r.ending()); *done.FinalResponse != "second" {
			t.Errorf("%q", *done.FinalResponse)
		}
	})
}

// Decision 42: a steering text joins at the next boundary; when idle it is an
// ordinary text.
func TestDecision42_Steer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		slow := newFake("slow", func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
			time.Sleep(10 * time.Second)
			return tool.Success("ok"), nil
		})
		m := &script{steps: []step{use(call("s", "slow", `{}`)), say("done"), say("again")}}
		r := start(t, m, withTools(slow))
		r.input("one")
		after(time.Second, func() { r.submit(event.Steer{Text: "rather this way"}) })
		one[event.TurnComplete](t, r.ending())
		req := m.request(t, 1)
		valid(t, req)
		if l := last(req); l.Text != "rather this way" || l.Synthetic || l.Role != llm.User {
			t.Errorf("last message %+v", l)
		}
		r.submit(event.Steer{Text: "idle"})
		one[event.TurnComplete](t, r.ending())
		if last(m.request(t, 2)).Text != "idle" {
			t.Error("the idle text did not begin a turn")
		}
		if s := r.state(); len(s.Queue) != 0 || s.Turns != 2 {
			t.Errorf("queue %v, %d turns", s.Queue, s.Turns)
		}
	})
}

// A text that waits survives the end of the program.
func TestDecision42_QueueSurvives(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{stall(""), say("first"), say("second")}}
		r := start(t, m, nil)
		r.input("one")
		after(time.Second, func() { r.input("two") })
		r.stop()
		again := start(t, m, func(s *setup) { s.store, s.resume = r.store, true })
		if done := one[event.TurnComplete](t, again.ending()); *done.FinalResponse != "first" {
			t.Errorf("%q", *done.FinalResponse)
		}
		if done := one[event.TurnComplete](t, again.ending()); *done.FinalResponse != "second" {
			t.Errorf("%q", *done.FinalResponse)
		}
		if last(m.request(t, 2)).Text != "two" {
			t.Error("the queued text is lost")
		}
	})
}

// The end of the program is no interrupt: the turn stays open, shown text is
// discarded when it is taken up, unfinished calls are judged by their effect.
func TestDecision31_ShownTextAcrossRestart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{stall("half"), say("whole")}}
		r := start(t, m, nil)
		r.input("hi")
		after(time.Second, r.stop)
		again := start(t, m, func(s *setup) { s.store, s.resume = r.store, true })
		got := again.ending()
		end := find[event.StreamEnd](t, got)
		if len(end) != 2 || !end[0].Discarded || end[0].Reason != "restart" {
			t.Errorf("stream ends %+v", end)
		}
		if having(m.request(t, 1), "half") != 0 {
			t.Error("the lost text is in the request")
		}
	})
}

// Each operation has one ending, and a bad one is answered by one error.
func TestRefusedOperations(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := start(t, &script{}, nil)
		for _, op := range []event.Operation{
			event.UserInput{Text: " \n"},
			event.Steer{},
			nil,
			event.ExecApproval{Approvals: []event.Approval{{Approved: true}}},
			event.ExecApproval{},
			event.Truncate{UserMessageIndex: 3},
			event.Resume{},
			event.NewChat{},
		} {
			r.submit(op)
			if e := one[event.Error](t, r.until(event.TypeError)); e.Error == "" || e.Code == "" || e.Class == "" {
				t.Errorf("%T: %+v", op, e)
			}
		}
		r.submit(event.Undo{})
		if u := one[event.UndoComplete](t, r.until(event.TypeUndoComplete)); u.Removed != 0 {
			t.Errorf("removed %d", u.Removed)
		}
		r.submit(event.ShutdownOp{})
		r.until(event.TypeShutdown)
	})
}

// Everything at once, for the race detector: nothing hangs, every accepted
// text becomes a turn, every call has one result.
func TestConcurrency(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := 0
		m := &script{loop: true, steps: []step{func(ctx context.Context, req llm.Request, yield func(llm.Chunk, error) bool) {
			n++
			if n%3 == 0 {
				use(call("", "read", fmt.Sprintf(`{"n":%d}`, n)), call("", "act", fmt.Sprintf(`{"n":%d,"ask":%v}`, n, n%2 == 0)))(ctx, req, yield)
				return
			}
			select {
			case <-time.After(10 * time.Millisecond):
				say("ok")(ctx, req, yield)
			case <-ctx.Done():
				yield(nil, ctx.Err())
			}
		}}}
		r := start(t, m, withTools(newFake("read", nil), gated("act", nil)))
		var wg sync.WaitGroup
		const texts = 8
		for i := range texts {
			wg.Go(func() {
				for k := range 5 {
					time.Sleep(time.Duration(7*i+k) * time.Millisecond)
					if err := r.agent.Submit(context.Background(), event.Submission{Operation: event.UserInput{Text: fmt.Sprintf("text %d.%d", i, k)}}); err != nil {
						t.Error(err)
					}
					switch i {
					case 0:
						r.agent.Interrupt()
					case 1:
						_ = r.agent.Submit(context.Background(), event.Submission{Operation: event.Steer{Text: "steer"}})
					case 2:
						r.agent.Change(func(s *agent.Settings) { s.Effort = llm.EffortLow; s.MaxIterations = 100 + k })
					case 3:
						_ = r.agent.Submit(context.Background(), event.Submission{Operation: event.ExecApproval{Approvals: []event.Approval{}}})
					case 4:
						_ = r.agent.Submit(context.Background(), event.Submission{Operation: event.Undo{}})
					}
					_ = r.agent.Busy()
					_ = r.agent.Settings()
				}
			})
		}
		wg.Wait()
		for range 100 { // answer what is still open
			after(time.Second, func() {})
			s := r.state()
			if s.Gate == nil && len(s.Queue) == 0 && s.Turn == nil {
				break
			}
			r.submit(event.ExecApproval{Approvals: []event.Approval{}})
		}
		s := r.state()
		if len(s.Queue) != 0 || s.Turn != nil {
			t.Errorf("left: queue %v, turn %+v", s.Queue, s.Turn)
		}
		once(t, r.all())
		if err := check(append(s.Messages, llm.Message{Role: llm.User})); err != nil {
			t.Error(err)
		}
	})
}

// once fails when a call has more than one result, or numbers have gaps.
func once(t interface{ Errorf(string, ...any) }, events []event.Event) {
	outputs := map[string]int{}
	for i, ev := range events {
		if ev.Seq != int64(i+1) {
			t.Errorf("event %d has number %d", i+1, ev.Seq)
		}
		switch ev.Type {
		case event.TypeToolOutput:
			if out, err := event.Decode[event.ToolOutput](ev); err == nil && !strings.Contains(out.Tool, "budget") {
				outputs[out.ToolCallID]++
			}
		case event.TypeHistoryMessage:
			if m, err := event.Decode[event.HistoryMessage](ev); err == nil && m.Message.Role == llm.ToolRole {
				outputs[m.Message.ToolCallID]++
			}
		}
	}
	for id, n := range outputs {
		if n != 1 {
			t.Errorf("call %s has %d results", id, n)
		}
	}
}

// blocking opens and puts back nothing until it is told to stop.
type blocking struct{ *workspace }

func (b blocking) New(ctx context.Context) (agent.Opened, error) {
	<-ctx.Done()
	return agent.Opened{}, ctx.Err()
}

func (b blocking) Resume(ctx context.Context, _ string) (agent.Opened, error) { return b.New(ctx) }

func (b blocking) Undo(ctx context.Context, _ []string) event.Restored {
	<-ctx.Done()
	return event.Restored{Problem: "stopped"}
}

// Acceptance check 22 of the command line: whatever goes on ends at once, with
// one ending, and the session goes on. An open gate is abandoned.
func TestInterruptOfEveryOperation(t *testing.T) {
	for _, c := range []struct {
		name string
		op   event.Operation
		end  event.Type
	}{
		{"a turn", event.UserInput{Text: "stall"}, event.TypeInterrupted},
		{"a summary", event.Compact{}, event.TypeInterrupted},
		{"a new conversation", event.NewChat{}, event.TypeError},
		{"another session", event.Resume{Path: "x"}, event.TypeError},
		{"files put back", event.Undo{}, event.TypeUndoComplete},
		{"a gate", event.UserInput{Text: "ask"}, event.TypeInterrupted},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				long := strings.Repeat("word ", 3000)
				m := &script{loop: true, steps: []step{say(long), say(long), func(ctx context.Context, req llm.Request, yield func(llm.Chunk, error) bool) {
					switch text := last(req).Text; {
					case text == "go on":
						say("fine")(ctx, req, yield)
					case text == "ask":
						use(call("a", "delete", `{"ask":true}`))(ctx, req, yield)
					default:
						stall("hm")(ctx, req, yield)
					}
				}}}
				b := blocking{newWorkspace()}
				r := start(t, m, func(s *setup) {
					s.sessions, s.checkpoints, s.tools = b, b, []tool.Tool{gated("delete", nil)}
				})
				r.turn("one")
				r.turn("two")
				r.submit(c.op)
				ends := []event.Type{event.TypeInterrupted, event.TypeError, event.TypeUndoComplete, event.TypeCompacted, event.TypeTurnComplete}
				after(time.Second, func() { r.agent.Interrupt() })
				begun := time.Now()
				got := r.until(ends...)
				if end := got[len(got)-1]; end.Type != c.end || time.Since(begun) > 2*time.Second {
					t.Errorf("it ended after %s with %s %s", time.Since(begun), end.Type, end.Data)
				}
				if s := r.state(); s.Gate != nil || s.Turn != nil {
					t.Errorf("gate %v, turn %v are left", s.Gate, s.Turn)
				}
				after(time.Hour, func() {
					if more := r.all()[r.seen:]; len(more) != 0 {
						t.Errorf("behind the end: %v", names(more))
					}
				})
				got = r.turn("go on")
				one[event.TurnComplete](t, got)
				valid(t, m.request(t, m.calls()-1))
			})
		})
	}
}
