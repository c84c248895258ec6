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

// broken streams text and then loses the connection.
func broken(pieces ...string) step {
	return func(_ context.Context, _ llm.Request, yield func(llm.Chunk, error) bool) {
		for _, p := range pieces {
			if !yield(llm.Text{Delta: p}, nil) {
				return
			}
		}
		yield(nil, &llm.Fault{Class: llm.ClassNetwork, Provider: "test", Message: "connection reset"})
	}
}

func near(d, want time.Duration) bool {
	return d >= want*9/10 && d <= want*11/10
}

// Acceptance check 30 of the engine with the waits of decision 31.
func TestCheck30_Waits(t *testing.T) {
	tests := []struct {
		name  string
		class llm.Class
		waits []time.Duration
	}{
		{"503", llm.ClassServer, []time.Duration{2 * time.Second, 5 * time.Second}},
		{"429", llm.ClassRateLimit, []time.Duration{30 * time.Second, 60 * time.Second}},
		{"529, model check 24", llm.ClassOverloaded, []time.Duration{5 * time.Second, 15 * time.Second}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				var at []time.Time
				timed := func(s step) step {
					return func(ctx context.Context, req llm.Request, yield func(llm.Chunk, error) bool) {
						at = append(at, time.Now())
						s(ctx, req, yield)
					}
				}
				bad := timed(fail(llm.Fault{Class: tt.class, Provider: "test"}))
				m := &script{steps: []step{bad, bad, timed(say("done"))}}
				r := start(t, m, nil)
				got := r.turn("hi")
				wantNames(t, got, "processing", "tool_log", "tool_log", "turn_complete")
				for i, want := range tt.waits {
					if d := at[i+1].Sub(at[i]); !near(d, want) {
						t.Errorf("wait %d is %s, want about %s", i+1, d, want)
					}
				}
				for _, l := range find[event.ToolLog](t, got) {
					if l.Tool != "system" || !strings.Contains(l.Log, "retrying in ") {
						t.Errorf("log %+v", l)
					}
				}
				if c := one[event.LLMCall](t, got); c.Attempts != 3 {
					t.Errorf("%d attempts", c.Attempts)
				}
			})
		})
	}
}

// Acceptance check 30 of the engine: no retry without hope.
func TestCheck30_Auth(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := llm.Fault{
			Class: llm.ClassAuth, Provider: "hf-router", Status: 401, Text: "the Hugging Face router refused the token",
			Hint: "Set HF_TOKEN or run hf auth login.", RequestID: "req_1",
		}
		m := &script{steps: []step{fail(f)}}
		r := start(t, m, nil)
		got := r.turn("hi")
		wantNames(t, got, "processing", "error")
		e := one[event.Error](t, got)
		if m.calls() != 1 || !strings.Contains(e.Hint, "HF_TOKEN") || strings.Contains(e.Error, "\n") || e.Code != "auth" ||
			e.Class != "auth" || e.HTTPStatus != 401 || e.RequestID != "req_1" || e.Retryable {
			t.Errorf("%d calls, %+v", m.calls(), e)
		}
	})
}

// Decision 30: the code of each class.
func TestDecision30_Codes(t *testing.T) {
	for class, code := range map[llm.Class]string{
		llm.ClassBilling: "credits", llm.ClassAuth: "auth", llm.ClassPermission: "auth", llm.ClassMissingKey: "auth",
		llm.ClassRateLimit: "rate_limit", llm.ClassOverloaded: "rate_limit", llm.ClassOverflow: "context",
		llm.ClassRequestTooLarge: "context", llm.ClassMaxTokensTooLarge: "context", llm.ClassModelNotFound: "model_unavailable",
		llm.ClassNotServing: "model_unavailable", llm.ClassTimeout: "network", llm.ClassNetwork: "network",
		llm.ClassServer: "network", llm.ClassInvalidRequest: "internal", llm.ClassMaxOutput: "internal", llm.ClassInternal: "internal",
	} {
		inBubble(t, func(t *testing.T) {
			m := &script{steps: []step{fail(llm.Fault{Class: class, Provider: "test", Message: "no"})}, loop: true}
			r := start(t, m, func(s *setup) { s.retries = 0 })
			e := one[event.Error](t, r.turn("hi"))
			if e.Code != code {
				t.Errorf("%s has code %s, want %s", class, e.Code, code)
			}
			if overflow := code == "context"; !overflow && e.Class != string(class) {
				t.Errorf("%s is told as %s", class, e.Class)
			}
			// The user's message stays, the session is usable.
			if msgs := r.state().Messages; msgs[1].Text != "hi" || r.state().Turn != nil {
				t.Errorf("messages %v", msgs)
			}
		})
	}
}

// Model check 24: an overloaded provider is asked five times.
func TestModelCheck24_AlwaysOverloaded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{fail(llm.Fault{Class: llm.ClassOverloaded, Provider: "anthropic", Status: 529, Message: "Overloaded"})}, loop: true}
		r := start(t, m, nil)
		e := one[event.Error](t, r.turn("hi"))
		if m.calls() != 5 || !strings.Contains(e.Error, "anthropic") || !strings.Contains(e.Hint, "5 times") {
			t.Errorf("%d calls, %+v", m.calls(), e)
		}
	})
}

// Model check 25: a wait hint is kept to; one that is too long ends the tries.
func TestModelCheck25_WaitHint(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{
			fail(llm.Fault{Class: llm.ClassRateLimit, Wait: 16 * time.Second}), say("done"),
			fail(llm.Fault{Class: llm.ClassRateLimit, Wait: 600 * time.Second}),
		}}
		r := start(t, m, nil)
		begun := time.Now()
		r.turn("hi")
		if d := time.Since(begun); d < 16*time.Second || d > 17*time.Second {
			t.Errorf("waited %s", d)
		}
		begun = time.Now()
		e := one[event.Error](t, r.turn("again"))
		if time.Since(begun) != 0 || !strings.Contains(e.Hint, "600 s") || e.RetryAfterS != 600 || !e.Retryable {
			t.Errorf("after %s: %+v", time.Since(begun), e)
		}
	})
}

// Model check 26: an exhausted quota is not waited for.
func TestModelCheck26_Billing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		yes := true
		m := &script{steps: []step{fail(llm.Fault{Class: llm.ClassBilling, Status: 429, Retry: &yes, Wait: time.Second, Text: "the quota is used up"})}, loop: true}
		r := start(t, m, nil)
		begun := time.Now()
		e := one[event.Error](t, r.turn("hi"))
		if m.calls() != 1 || time.Since(begun) != 0 || e.Code != "credits" {
			t.Errorf("%d calls, %+v", m.calls(), e)
		}
	})
}

// Model check 28: a broken stream is discarded and answered anew.
func TestModelCheck28_Discarded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{broken("Hel", "lo"), say("Good", " day")}}
		r := start(t, m, nil)
		got := r.turn("hi")
		ends := find[event.StreamEnd](t, got)
		if len(ends) != 2 || !ends[0].Discarded || ends[0].Reason != "retry" || ends[1].Discarded {
			t.Errorf("stream ends %+v", ends)
		}
		if done := one[event.TurnComplete](t, got); *done.FinalResponse != "Good day" {
			t.Errorf("%q", *done.FinalResponse)
		}
		if n := len(r.state().Messages); n != 3 {
			t.Errorf("%d messages, want 3", n)
		}
	})
}

// Model check 29: always cut after two deltas.
func TestModelCheck29_AlwaysCut(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{broken("a", "b"), broken("a", "b"), broken("a", "b"), say("fine")}}
		r := start(t, m, withTools(newFake("read", nil)))
		got := r.turn("hi")
		e := one[event.Error](t, got)
		if e.Code != "network" || m.calls() != 3 {
			t.Errorf("%d calls, %+v", m.calls(), e)
		}
		for _, end := range find[event.StreamEnd](t, got) {
			if !end.Discarded {
				t.Error("a broken stream was not discarded")
			}
		}
		if one[event.TurnComplete](t, r.turn("again")).StopReason != "answer" {
			t.Error("the session is not usable")
		}
		valid(t, m.request(t, 3))
	})
}

// A gateway that begins anew voids what it has streamed.
func TestRestartedStream(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		again := func(_ context.Context, _ llm.Request, yield func(llm.Chunk, error) bool) {
			u := someUsage
			_ = yield(llm.Text{Delta: "old"}, nil) && yield(llm.Restart{}, nil) && yield(llm.Text{Delta: "new"}, nil) &&
				yield(llm.Done{Message: llm.Message{Text: "new"}, Finish: llm.FinishStop, Usage: &u}, nil)
		}
		r := start(t, &script{steps: []step{again}}, nil)
		ends := find[event.StreamEnd](t, r.turn("hi"))
		if len(ends) != 2 || ends[0].Reason != "restart" || !ends[0].Discarded {
			t.Errorf("%+v", ends)
		}
	})
}

// Acceptance check 26 of the engine: the request is mended, the pairs that are
// whole are left alone.
func TestCheck26_Orphans(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{say("done")}}
		r := start(t, m, func(s *setup) {
			add := func(msg llm.Message) {
				s.opening = append(s.opening, event.HistoryMessage{MessageID: fmt.Sprintf("msg_%d", len(s.opening)+1), Message: msg})
			}
			add(llm.Message{Role: llm.System, Text: "you are a test"})
			add(llm.Message{Role: llm.User, Text: "one"})
			add(llm.Message{Role: llm.Assistant, ToolCalls: []llm.ToolCall{call("a", "read", `{}`), call("b", "read", `{}`)}})
			add(llm.Message{Role: llm.User, Text: "two"})
			add(llm.Message{Role: llm.Assistant, ToolCalls: []llm.ToolCall{call("c", "read", `{}`)}})
			add(llm.Message{Role: llm.ToolRole, ToolCallID: "c", Name: "read", Text: "whole"})
			add(llm.Message{Role: llm.Assistant, Text: "ok"})
		})
		r.turn("three")
		req := m.request(t, 0)
		valid(t, req)
		out := results(req)
		if len(out) != 3 || out["c"] != "whole" || !strings.Contains(out["a"], "not executed") || !strings.Contains(out["b"], "not executed") {
			t.Errorf("results %q", out)
		}
		if err := check(append(r.state().Messages, llm.Message{Role: llm.User})); err != nil {
			t.Errorf("the journal: %v", err)
		}
	})
}

// sized makes a model with a window.
func sized(window int, steps ...step) *script {
	return &script{steps: steps, info: llm.Info{ID: testModel, Provider: "test", Window: window, WindowKnown: true, Prices: &llm.Prices{}, PriceSource: llm.PriceTable}}
}

// noUsage answers without usage, so that sizes are the engine's estimates.
func noUsage(m llm.Message) step {
	return func(_ context.Context, req llm.Request, yield func(llm.Chunk, error) bool) {
		m.Role = llm.Assistant
		if req.Kind == llm.KindCompaction {
			yield(llm.Done{Message: llm.Message{Role: llm.Assistant, Text: "the summary"}, Finish: llm.FinishStop}, nil)
			return
		}
		yield(llm.Done{Message: m, Finish: llm.FinishStop}, nil)
	}
}

// Acceptance check 27 of the engine: an autonomous run above the threshold.
func TestCheck27_AutonomousRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := 0
		m := sized(20_000, func(ctx context.Context, req llm.Request, yield func(llm.Chunk, error) bool) {
			if err := check(req.Messages); err != nil && req.Kind == llm.KindMain {
				t.Error(err)
			}
			systems := 0
			for _, msg := range req.Messages {
				if msg.Role == llm.System {
					systems++
				}
			}
			if systems != 1 || req.Messages[1].Text != "the very first words" {
				t.Errorf("%d system messages, first message %q", systems, req.Messages[1].Text)
			}
			if req.Kind == llm.KindMain {
				n++
			}
			if n > 200 {
				noUsage(llm.Message{Text: "done"})(ctx, req, yield)
				return
			}
			noUsage(llm.Message{ToolCalls: []llm.ToolCall{call("", "read", fmt.Sprintf(`{"n":%d}`, n))}})(ctx, req, yield)
		})
		m.loop = true
		k := 0
		read := newFake("read", func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
			k++
			return tool.Success(strings.Repeat(fmt.Sprintf("line %d of a file; ", k), 100)), nil
		})
		r := start(t, m, withTools(read))
		got := r.turn("the very first words")
		if one[event.TurnComplete](t, got).StopReason != "answer" || len(find[event.Compacted](t, got)) == 0 {
			t.Errorf("compacted %d times", len(find[event.Compacted](t, got)))
		}
		for _, c := range find[event.LLMCall](t, got) {
			if c.Kind == llm.KindCompaction {
				return
			}
		}
		t.Error("no llm_call of kind compaction")
	})
}

// Acceptance check 28 of the engine: a huge result, and a model that cannot
// summarise.
func TestCheck28_HugeResult(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := sized(80_000,
			noUsage(llm.Message{ToolCalls: []llm.ToolCall{call("a", "read", `{}`)}}),
			func(ctx context.Context, req llm.Request, yield func(llm.Chunk, error) bool) {
				if req.Kind == llm.KindCompaction {
					fail(llm.Fault{Class: llm.ClassInvalidRequest, Message: "no"})(ctx, req, yield)
					return
				}
				noUsage(llm.Message{Text: "done"})(ctx, req, yield)
			})
		m.loop = true
		// 100,000 Han characters are about 80,000 tokens.
		read := returns("read", strings.Repeat("漢", 100_000))
		read.spec.MaxOutput = 100_000
		r := start(t, m, withTools(read))
		got := r.turn("hi")
		if one[event.TurnComplete](t, got).StopReason != "answer" || len(find[event.SessionTerminated](t, got)) != 0 {
			t.Error("the turn did not end well")
		}
		req := m.request(t, m.calls()-1)
		valid(t, req)
		if out := results(req)["a"]; len(out) > 4000 || !strings.Contains(out, "tokens") {
			t.Errorf("the result is %d bytes: %.200q", len(out), out)
		}
		if req.Messages[0].Text != "you are a test" {
			t.Error("the system message was replaced")
		}
	})
}

// Acceptance checks 29 of the engine and 31 of the models, decision 33: the
// provider says no again and again.
func TestCheck29_AlwaysTooLong(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		main := 0
		m := sized(2_000_000, func(ctx context.Context, req llm.Request, yield func(llm.Chunk, error) bool) {
			if req.Kind == llm.KindCompaction {
				say("summary")(ctx, req, yield)
				return
			}
			main++
			fail(llm.Fault{Class: llm.ClassOverflow, Used: 1_100_000, Limit: 1_000_000, Text: "prompt is too long"})(ctx, req, yield)
		})
		m.loop = true
		r := start(t, m, nil)
		got := r.turn("hi")
		if e := one[event.Error](t, got); e.Code != "context" || e.Hint == "" {
			t.Errorf("%+v", e)
		}
		if n := len(find[event.Compacted](t, got)); n != 3 || main != 4 {
			t.Errorf("%d compactions, %d calls; want 3 and 4", n, main)
		}
		m.mu.Lock()
		m.steps = []step{say("fine")}
		m.mu.Unlock()
		one[event.TurnComplete](t, r.turn("again"))
	})
}

// Model check 31: one compaction, then the same step; the learned window holds.
func TestModelCheck31_LearnedWindow(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := sized(200_000,
			fail(llm.Fault{Class: llm.ClassOverflow, Used: 9_000, Limit: 8_000, Text: "prompt is too long"}),
			say("fine"), // the summary or the step, whichever comes
		)
		m.loop = true
		r := start(t, m, func(s *setup) { s.settings.MaxIterations = 1 })
		got := r.turn("hi")
		if one[event.TurnComplete](t, got).StopReason != "answer" { // the repeated step is not counted
			t.Error("the overflow was counted as an iteration")
		}
		if n := len(find[event.Compacted](t, got)); n != 1 {
			t.Errorf("%d compactions", n)
		}
		// 7,200 tokens are the threshold of the learned window.
		r.turn(strings.Repeat("word ", 20_000))
		if n := len(find[event.Compacted](t, r.all())); n < 2 {
			t.Error("the learned window does not trigger a compaction")
		}
	})
}

// Decision 33: only fixed parts that do not fit end the session; then text is
// refused.
func TestDecision33_Terminated(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := sized(100, say("no"))
		big := newFake("read", nil)
		big.spec.Description = strings.Repeat("a very long description ", 100)
		r := start(t, m, withTools(big))
		got := r.turn("hi")
		wantNames(t, got, "processing", "session_terminated", "turn_complete")
		end := one[event.SessionTerminated](t, got)
		if end.Reason != "compaction_failed" || end.ContextThreshold != 90 || end.UserMessage == "" || len(end.Error) > 300 || m.calls() != 0 {
			t.Errorf("%+v, %d calls", end, m.calls())
		}
		if one[event.TurnComplete](t, got).StopReason != "terminated" {
			t.Error("stop reason")
		}
		wantNames(t, r.turn("more"), "error")
	})
}

// Acceptance check 31 of the engine.
func TestCheck31_Compact(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{say("one")}, loop: true}
		r := start(t, m, nil)
		r.turn("hi")
		r.submit(event.Compact{})
		after(time.Minute, func() {})
		if n := len(find[event.Compacted](t, r.all())); n != 1 {
			t.Errorf("%d compacted events, want 1", n)
		}
		r.seen = int64(len(r.all()))
		one[event.TurnComplete](t, r.turn("more"))
		valid(t, m.request(t, m.calls()-1))
	})
}

// A compaction is interruptible.
func TestInterruptCompaction(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{say("one"), say("two"), say("three"), say("four"), stall(""), say("more")}}
		r := start(t, m, nil)
		for range 4 {
			r.turn(strings.Repeat("hello there ", 200))
		}
		r.submit(event.Compact{})
		after(time.Second, r.agent.Interrupt)
		wantNames(t, r.ending(), "interrupted")
		one[event.TurnComplete](t, r.turn("go on"))
	})
}

// Acceptance check 32 of the engine: synthetic messages do not count.
func TestCheck32_UndoAndTruncate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{
			say("first"),
			use(call("p", "plan_tool", planArgs)), say("I stop."), say("Still."), say("three"), // two synthetic messages
			say("again"), say("x"),
		}}
		r := start(t, m, withTools(planner()))
		r.turn("one")
		before := len(r.state().Messages)
		r.turn("two")
		r.submit(event.Undo{})
		u := one[event.UndoComplete](t, r.until(event.TypeUndoComplete))
		if s := r.state(); len(s.Messages) != before || u.Removed == 0 || len(s.Plan) != 0 {
			t.Errorf("%d messages, want %d; removed %d; plan %v", len(s.Messages), before, u.Removed, s.Plan)
		}
		r.turn("two again")
		r.submit(event.Truncate{UserMessageIndex: 1})
		r.until(event.TypeTruncateComplete)
		if s := r.state(); len(s.Messages) != before {
			t.Errorf("%d messages, want %d", len(s.Messages), before)
		}
		r.turn("three")
		valid(t, m.request(t, m.calls()-1))
	})
}

// A wish for effort that the model refuses is healed once and remembered.
func TestEffortHealed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{
			fail(llm.Fault{Class: llm.ClassInvalidEffort, Message: "effort: must be one of", Supported: []llm.Effort{llm.EffortLow, llm.EffortHigh}}),
			say("one"), say("two"),
		}}
		r := start(t, m, func(s *setup) { s.settings.Effort = llm.EffortXHigh })
		got := r.turn("hi")
		if l := one[event.ToolLog](t, got); l.Tool != "system" || !strings.Contains(l.Log, `"high"`) {
			t.Errorf("log %+v", l)
		}
		r.turn("more")
		if a, b := m.request(t, 1).Effort, m.request(t, 2).Effort; a != llm.EffortHigh || b != llm.EffortHigh {
			t.Errorf("efforts %q and %q", a, b)
		}
	})
}
