package agent_test

import (
	"context"
	"encoding/json"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// Acceptance check 13 of the engine across a restart: the journal holds the
// script that was shown, and that is what runs, whatever the file says by then.
func TestCheck13_ShownIsRunAfterARestart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var ran string
		run := func(_ context.Context, _ tool.Env, args json.RawMessage) (tool.Result, error) {
			ran = string(args)
			return tool.Success("ok"), nil
		}
		m := &script{steps: []step{use(call("j", "hf_jobs", `{"operation":"run","script":"/app/train.py"}`)), say("done")}}
		r := start(t, m, withTools(&pathTool{file: "v1", fake: jobs(run)}))
		shown := string(one[event.ApprovalRequired](t, r.turn("hi")).Tools[0].Arguments)
		r.stop()
		again := start(t, m, func(s *setup) {
			s.store, s.resume, s.tools = r.store, true, []tool.Tool{&pathTool{file: "v2", fake: jobs(run)}}
		})
		reshown := string(one[event.ApprovalRequired](t, again.ending()).Tools[0].Arguments)
		again.approve("j")
		one[event.TurnComplete](t, again.ending())
		if ran != reshown {
			t.Errorf("shown first %s, after the restart %s, ran %s", shown, reshown, ran)
		}
	})
}

// Acceptance check 15 of the command line, the engine's part: headless and in
// yolo mode a scheduled run is refused with words that say what to do, a job on
// a free CPU runs, and the run ends as usual.
func TestCheck15_HeadlessYolo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ran := 0
		job := jobs(func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
			ran++
			return tool.Success("job ran"), nil
		})
		m := &script{steps: []step{
			use(call("s", "hf_jobs", `{"operation":"scheduled run"}`), call("j", "hf_jobs", `{"operation":"run","hardware_flavor":"cpu-basic"}`)),
			say("One of them ran."),
		}}
		r := start(t, m, func(s *setup) {
			s.tools = []tool.Tool{job}
			s.policy.Mode, s.policy.Headless, s.settings.Headless = policy.ModeYolo, true, true
			s.settings.CapMicroUSD = 25e6
		})
		got := r.turn("hi")
		if one[event.TurnComplete](t, got).StopReason != "answer" || ran != 1 || len(find[event.ApprovalRequired](t, got)) != 0 {
			t.Errorf("%d jobs ran: %v", ran, names(got))
		}
		out := results(m.request(t, 1))
		if !strings.Contains(out["s"], "scheduled jobs") || !strings.Contains(out["s"], "manual approval") || out["j"] != "job ran" {
			t.Errorf("results %q", out)
		}
		valid(t, m.request(t, 1))
	})
}

// Acceptance check 23 of the engine: an interrupt while calls are still being
// streamed runs none of them.
func TestCheck23_NothingRunsAfterAnInterrupt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ran := 0
		read := newFake("read", func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
			ran++
			return tool.Success("ok"), nil
		})
		// The model ignores the interrupt and answers with a call all the same.
		late := func(ctx context.Context, req llm.Request, yield func(llm.Chunk, error) bool) {
			if !yield(llm.Text{Delta: "I read "}, nil) {
				return
			}
			<-ctx.Done()
			use(call("a", "read", `{}`))(ctx, req, yield)
		}
		m := &script{steps: []step{late, say("done")}}
		r := start(t, m, withTools(read))
		r.input("hi")
		after(time.Second, r.agent.Interrupt)
		got := r.ending()
		one[event.Interrupted](t, got)
		if ran != 0 || len(find[event.ToolOutput](t, got)) != 0 {
			t.Errorf("%d tools ran", ran)
		}
		r.turn("go on")
		valid(t, m.request(t, 1))
	})
}

// Acceptance check 40 of the engine: a finished turn leaves no goroutine, nor
// does an interrupted one or one that failed.
func TestCheck40_NoGoroutineAfterATurn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		slow := newFake("slow", func(ctx context.Context, _ tool.Env, _ json.RawMessage) (tool.Result, error) {
			<-ctx.Done()
			return tool.Failed("stopped"), nil
		})
		m := &script{steps: []step{
			say("first"),
			use(call("a", "read", `{"n":1}`), call("b", "read", `{"n":2}`), call("c", "read", `{"n":3}`)), say("second"),
			use(call("d", "slow", `{}`)),
			fail(llm.Fault{Class: llm.ClassAuth, Status: 401, Text: "no"}),
		}}
		r := start(t, m, withTools(newFake("read", nil), slow))
		one[event.TurnComplete](t, r.turn("one"))
		synctest.Wait()
		idle := runtime.NumGoroutine()
		check := func(what string) {
			t.Helper()
			synctest.Wait()
			if n := runtime.NumGoroutine(); n > idle { // fewer: one of the runtime has ended
				t.Errorf("%d goroutines after %s, %d before", n, what, idle)
			}
		}
		one[event.TurnComplete](t, r.turn("two"))
		check("a turn with three tools")
		r.input("three")
		after(time.Second, r.agent.Interrupt)
		one[event.Interrupted](t, r.ending())
		check("an interrupt")
		one[event.Error](t, r.turn("four"))
		check("an error")
	})
}
