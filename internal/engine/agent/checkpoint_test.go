package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// withWorkspace is a setup with checkpoints and the tools.
func withWorkspace(w *workspace, tools ...tool.Tool) func(*setup) {
	return func(s *setup) { s.tools, s.checkpoints = tools, w }
}

// position is the place of the first event of a type about a call, or -1.
func position(events []event.Event, kind event.Type, callID string) int {
	return slices.IndexFunc(events, func(ev event.Event) bool {
		return ev.Type == kind && strings.Contains(string(ev.Data), fmt.Sprintf(`"tool_call_id":%q`, callID))
	})
}

// A call that may change something has its checkpoint told before its result,
// in its turn, also when it has failed; calls that only look have none.
func TestCheckpointOfEachCall(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorkspace()
		m := &script{steps: []step{
			use(call("w1", "write", `{"path":"a","text":"1"}`), call("r1", "read", `{}`),
				call("w2", "write", `{"path":"b","text":"1","fail":true}`), call("w3", "write", `{`), call("w4", "write", `{"path":"a","text":"1"}`)),
			say("done"),
		}}
		var at []string
		r := start(t, m, withWorkspace(w, w.writer(), newFake("read", nil)))
		got := r.turn("go")
		for _, cp := range find[event.Checkpoint](t, got) {
			at = append(at, cp.ToolCallID)
			started, told, out := position(got, event.TypeToolStarted, cp.ToolCallID), position(got, event.TypeCheckpoint, cp.ToolCallID), position(got, event.TypeToolOutput, cp.ToolCallID)
			if started >= told || told >= out || got[told].TurnID != "turn_1" || cp.Tool != "write" || len(cp.Files) == 0 {
				t.Errorf("%s: started at %d, checkpoint at %d, result at %d: %+v", cp.ToolCallID, started, told, out, cp)
			}
		}
		if !slices.Contains(at, "w2") || !slices.Contains(at, "w1") && !slices.Contains(at, "w4") {
			t.Errorf("checkpoints of %v alone", at)
		}
		if w.begun != 3 || w.ended != 3 {
			t.Errorf("%d checkpoints begun, %d ended; want one for each call that ran and may change something", w.begun, w.ended)
		}
		valid(t, m.request(t, 1))
	})
}

// Calls that run side by side each have their own.
func TestCheckpointsSideBySide(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorkspace()
		wait := make(chan struct{})
		write := w.writer()
		run := write.run
		write.run = func(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
			<-wait
			return run(ctx, env, args)
		}
		m := &script{steps: []step{
			use(call("a", "write", `{"path":"a","text":"1"}`), call("b", "write", `{"path":"b","text":"1"}`), call("c", "write", `{"path":"c","text":"1"}`)),
			say("done"),
		}}
		r := start(t, m, withWorkspace(w, write))
		r.input("go")
		after(time.Second, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.begun != 3 || w.ended != 0 {
				t.Errorf("%d begun, %d ended", w.begun, w.ended)
			}
		})
		close(wait)
		r.ending()
		if w.ended != 3 {
			t.Errorf("%d ended", w.ended)
		}
		r.undo(1)
		if w.text("a")+w.text("b")+w.text("c") != "" {
			t.Errorf("files are %v", w.files)
		}
	})
}

// An interrupt does not wait for a checkpoint, and a call that was cut short has
// one all the same, with time of its own; so has one that stops late, behind its
// turn.
func TestCheckpointOfInterruptedCalls(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorkspace()
		w.onEnd = func(ctx context.Context) {
			if ctx.Err() != nil {
				t.Error("the checkpoint has no time left")
			}
			time.Sleep(10 * time.Second)
		}
		release := make(chan struct{})
		slow := w.writer()
		slow.spec.Name = "slow"
		slow.run = func(ctx context.Context, _ tool.Env, _ json.RawMessage) (tool.Result, error) {
			w.set("a", "half")
			<-ctx.Done()
			return tool.Failed("stopped"), nil
		}
		late := w.writer()
		late.spec.Name = "late"
		late.run = func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
			<-release
			w.set("b", "late")
			return tool.Success("too late"), nil
		}
		m := &script{steps: []step{use(call("s", "slow", `{}`), call("l", "late", `{}`)), say("next")}}
		r := start(t, m, withWorkspace(w, slow, late))
		r.input("go")
		r.until(event.TypeToolStarted)
		after(time.Second, func() {})
		begun := time.Now()
		r.agent.Interrupt()
		got := r.ending()
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("the interrupt took %s", took)
		}
		for _, out := range find[event.ToolOutput](t, got) {
			if out.ToolCallID == "s" && !strings.Contains(out.Output, "stopped") {
				t.Errorf("the call's own words are lost: %+v", out)
			}
		}
		close(release)
		after(time.Minute, func() {})
		told := map[string]bool{}
		for _, cp := range find[event.Checkpoint](t, r.all()) {
			told[cp.ToolCallID] = true
		}
		if !told["s"] || !told["l"] {
			t.Errorf("checkpoints of %v", told)
		}
		r.turn("go on")
		valid(t, m.request(t, 1))
	})
}

// A call that has ended keeps its result when the interrupt comes while its
// checkpoint is made, and when the program ends then.
func TestInterruptWhileACheckpointEnds(t *testing.T) {
	for _, leave := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			w := newWorkspace()
			w.onEnd = func(context.Context) { time.Sleep(10 * time.Second) }
			m := &script{steps: []step{writing("c", "a", "1"), say("next")}}
			change := withWorkspace(w, w.writer())
			r := start(t, m, change)
			r.input("go")
			after(time.Second, func() {})
			if leave {
				r = again(t, r, m, change)
				one[event.TurnComplete](t, r.ending())
			} else {
				r.agent.Interrupt()
				r.ending()
			}
			out := find[event.ToolOutput](t, r.all())
			if len(out) != 1 || !out[0].Success || out[0].Output != "written" {
				t.Errorf("leave=%v: %+v", leave, out)
			}
		})
	}
}

// Checkpoints that break take no call with them.
func TestCheckpointsThatBreak(t *testing.T) {
	for name, spoil := range map[string]func(*workspace){
		"begin": func(w *workspace) { w.onBegin = func() { panic("no disk") } },
		"end":   func(w *workspace) { w.onEnd = func(context.Context) { panic("no disk") } },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorkspace()
				spoil(w)
				r := start(t, &script{steps: []step{writing("c", "a", "1"), say("done")}}, withWorkspace(w, w.writer()))
				got := r.turn("go")
				if out := one[event.ToolOutput](t, got); !out.Success {
					t.Errorf("%+v", out)
				}
			})
		})
	}
}

// A call that is gated has its checkpoint when it runs, in the turn that it
// belongs to.
func TestCheckpointBehindAGate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorkspace()
		write := w.writer()
		write.risk = func(json.RawMessage) tool.Risk { return tool.Risk{Effect: event.Once, Gate: tool.Ask} }
		r := start(t, &script{steps: []step{writing("c", "a", "1"), say("done")}}, withWorkspace(w, write))
		r.turn("go")
		if w.begun != 0 {
			t.Error("a checkpoint before the answer")
		}
		r.approve("c")
		one[event.Checkpoint](t, r.ending())
		if w.saved[0].turn != "turn_1" {
			t.Errorf("%+v", w.saved)
		}
	})
}
