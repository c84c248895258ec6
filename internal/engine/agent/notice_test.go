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
	"github.com/ml-intern/ml-intern/internal/engine/journal"
)

// A call that only waits is told when a person wants to be heard, at once or as
// soon as it begins; a text for the next turn disturbs nobody, and a text that
// was heard does not disturb the calls after it.
func TestSteeredWakesWaitingCalls(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		woken := map[string]bool{}
		wait := newFake("wait_for", func(ctx context.Context, env tool.Env, _ json.RawMessage) (tool.Result, error) {
			select {
			case <-env.Steered():
				woken[env.CallID()] = true
				return tool.Success("a person spoke"), nil
			case <-time.After(time.Hour):
				return tool.Success("an hour has passed"), nil
			case <-ctx.Done():
				return tool.Result{}, ctx.Err()
			}
		})
		m := &script{steps: []step{
			use(call("a", "wait_for", `{}`)), use(call("b", "wait_for", `{}`)), say("one"),
			use(call("c", "wait_for", `{}`)), say("two"), say("three"),
		}}
		r := start(t, m, withTools(wait))
		r.input("go")
		after(time.Minute, func() { r.input("later") })
		after(time.Minute, func() { r.submit(event.Steer{Text: "now"}) })
		begun := time.Now()
		r.ending()
		if took := time.Since(begun); took < time.Hour || took > time.Hour+time.Minute || !woken["a"] || woken["b"] {
			t.Errorf("after %s woken: %v", took, woken)
		}
		if having(m.request(t, 1), "now") != 1 || last(m.request(t, 1)).Text != "now" {
			t.Error("the text has not joined behind the result")
		}
		r.ending()
		if woken["c"] {
			t.Error("the next turn was woken by the text of the one before")
		}
		r.turn("bye")
	})
}

// A steering text that came while a call was judged or another ran wakes the
// calls that begin after it.
func TestSteeredBeforeTheCall(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		woken := false
		wait := gated("wait_for", func(_ context.Context, env tool.Env, _ json.RawMessage) (tool.Result, error) {
			select {
			case <-env.Steered():
				woken = true
			default:
			}
			return tool.Success("ok"), nil
		})
		answer := make(chan struct{})
		m := &script{steps: []step{
			func(ctx context.Context, req llm.Request, yield func(llm.Chunk, error) bool) {
				<-answer
				use(call("a", "wait_for", `{}`))(ctx, req, yield)
			},
			say("done"),
		}}
		r := start(t, m, withTools(wait))
		r.input("go")
		after(time.Second, func() { r.submit(event.Steer{Text: "quick"}) })
		close(answer)
		r.ending()
		if !woken || having(m.request(t, 1), "quick") != 1 {
			t.Errorf("woken %v", woken)
		}
	})
}

// speaker is a tool that keeps its session.
func speaker(run func(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error)) *companion {
	return &companion{fake: newFake("watch", run)}
}

// notices are the messages of a request that tools have caused.
func notices(req llm.Request) []string {
	var out []string
	for _, m := range req.Messages {
		if text, ok := strings.CutPrefix(m.Text, "[SYSTEM: NOTICE] "); ok && m.Synthetic && m.Role == llm.User {
			out = append(out, text)
		}
	}
	return out
}

// What a tool has to say joins the running turn in one message behind the
// results, each line once; it begins no turn and holds none up.
func TestNoticeJoinsTheTurn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var watch *companion
		watch = speaker(func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
			for range 3 {
				watch.sessions[0].Notice("the loss is\n  NaN\x1b[2J")
			}
			watch.sessions[0].Notice("  ")
			watch.sessions[0].Notice("step 12")
			return tool.Success("ok"), nil
		})
		m := &script{steps: []step{use(call("a", "watch", `{}`), call("b", "watch", `{"x":1}`)), say("one"), say("two"), say("three")}}
		r := start(t, m, withTools(watch))
		r.turn("go")
		want := "the loss is NaN[2J\nstep 12"
		if got := notices(m.request(t, 1)); len(got) != 1 || got[0] != want {
			t.Errorf("the model is told %q", got)
		}
		valid(t, m.request(t, 1))
		// Between turns nothing begins; the next turn hears of it, the newest lines.
		for i := range 25 {
			watch.sessions[0].Notice(fmt.Sprint("line ", i))
		}
		after(time.Hour, func() {
			if m.calls() != 2 {
				t.Errorf("%d model calls: a line has begun a turn", m.calls())
			}
		})
		r.turn("and?")
		req := m.request(t, 2)
		got := notices(req)
		if len(got) != 2 || strings.Count(got[1], "\n") != 19 || !strings.HasPrefix(got[1], "line 5\n") || !strings.HasSuffix(got[1], "line 24") {
			t.Errorf("the model is told %q", got)
		}
		if n := len(req.Messages); req.Messages[n-2].Text != "and?" {
			t.Errorf("the person's text is not before it: %+v", req.Messages)
		}
		r.turn("more")
		if got := notices(m.request(t, 3)); len(got) != 2 {
			t.Errorf("told again: %q", got)
		}
	})
}

// Every moment at which the program can die: a line is told once or, where it
// had not joined the history, not at all.
func TestNoticeIsNeverToldTwice(t *testing.T) {
	for k := 0; k < 20; k++ {
		inBubble(t, func(t *testing.T) {
			store := &mortal{left: 1 << 30, Memory: journal.NewMemory()}
			watch := speaker(nil)
			change := func(s *setup) { s.store, s.tools = store, []tool.Tool{watch} }
			m := &script{loop: true, steps: []step{say("ok")}}
			r := start(t, m, change)
			r.turn("one")
			watch.sessions[0].Notice("a finding")
			store.mu.Lock()
			store.left = k
			store.mu.Unlock()
			_ = r.agent.Submit(context.Background(), event.Submission{ID: "two", Operation: event.UserInput{Text: "two"}})
			after(time.Second, func() {})
			r.stop()
			store.mu.Lock()
			store.left = 1 << 30
			store.mu.Unlock()
			r = again(t, r, m, change)
			after(time.Second, func() {})
			r.turn("three")
			req := m.request(t, m.calls()-1)
			valid(t, req)
			if got := notices(req); len(got) > 1 || k > 15 && len(got) != 1 {
				t.Errorf("k=%d: told %d times", k, len(got))
			}
		})
	}
}

// A sub-agent's call that waits hears of it too.
func TestSteeredWakesASubAgent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		wait := newFake("wait_for", func(_ context.Context, env tool.Env, _ json.RawMessage) (tool.Result, error) {
			select {
			case <-env.Steered():
			case <-time.After(time.Hour):
				t.Error("nobody has told it")
			}
			return tool.Success("ok"), nil
		})
		var report tool.Report
		m := &script{steps: []step{use(call("r", "research", `{}`)), use(call("w", "wait_for", `{}`)), say("found"), say("done")}}
		r := start(t, m, withTools(delegating(&report, func(d *tool.Delegation) { d.Time = 2 * time.Hour }, wait)))
		r.input("go")
		after(time.Minute, func() { r.submit(event.Steer{Text: "quick"}) })
		one[event.TurnComplete](t, r.ending())
	})
}
