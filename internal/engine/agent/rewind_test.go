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
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
)

// texts are the messages of the history as one line each, the system message
// left out.
func (r *rig) texts() []string {
	var out []string
	for _, m := range r.state().Messages {
		switch {
		case m.Role == llm.System:
		case len(m.ToolCalls) > 0:
			out = append(out, "call "+m.ToolCalls[0].ID)
		default:
			out = append(out, m.PlainText())
		}
	}
	return out
}

func wantTexts(t *testing.T, r *rig, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, r.texts()); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

// again restarts a session that was stopped.
func again(t *testing.T, old *rig, m *script, change func(*setup)) *rig {
	t.Helper()
	old.stop()
	return start(t, m, func(s *setup) {
		if change != nil {
			change(s)
		}
		s.store, s.resume = old.store, true
	})
}

func (r *rig) undo(n int) event.UndoComplete {
	r.t.Helper()
	r.submit(event.Undo{Turns: n})
	return one[event.UndoComplete](r.t, r.until(event.TypeUndoComplete, event.TypeError))
}

func (r *rig) redo() event.RedoComplete {
	r.t.Helper()
	r.submit(event.Redo{})
	return one[event.RedoComplete](r.t, r.until(event.TypeRedoComplete, event.TypeError))
}

func (r *rig) refused(op event.Operation) event.Error {
	r.t.Helper()
	r.submit(op)
	return one[event.Error](r.t, r.until(event.TypeError, event.TypeUndoComplete, event.TypeRedoComplete, event.TypeCompacted))
}

// Several turns are taken back at once, the texts that steered them with them,
// and brought again, also by the next run of the program; a turn id is never
// used twice.
func TestUndoAndRedoWholeTurns(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprint("restart=", restart), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				steered := make(chan struct{})
				m := &script{steps: []step{
					say("a"), use(call("c", "read", `{}`)), say("b"), say("c"), say("d"), say("e"), say("f"),
				}}
				read := newFake("read", func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
					<-steered
					return tool.Success("read"), nil
				})
				change := withTools(read)
				r := start(t, m, change)
				r.turn("one")
				r.input("two")
				r.until(event.TypeToolStarted)
				r.submit(event.Steer{Text: "two, but so"})
				close(steered)
				r.ending()
				r.turn("three")
				if u := r.undo(2); u.Removed != 7 || u.Turns != 2 {
					t.Errorf("undone: %+v", u)
				}
				wantTexts(t, r, "one", "a")
				if u := r.undo(0); u.Removed != 2 || u.Turns != 1 {
					t.Errorf("undone: %+v", u)
				}
				if u := r.undo(3); u.Removed != 0 || u.Turns != 0 {
					t.Errorf("nothing is left, yet undone: %+v", u)
				}
				if restart {
					r = again(t, r, m, change)
				}
				if d := r.redo(); d.Added != 2 || d.Turns != 1 {
					t.Errorf("redone: %+v", d)
				}
				wantTexts(t, r, "one", "a")
				if d := r.redo(); d.Added != 7 || d.Turns != 2 {
					t.Errorf("redone: %+v", d)
				}
				wantTexts(t, r, "one", "a", "two", "call c", "read", "two, but so", "b", "three", "c")
				if e := r.refused(event.Redo{}); !strings.Contains(e.Error, "nothing to redo") {
					t.Errorf("%+v", e)
				}
				// What was brought again is taken back as before.
				if u := r.undo(1); u.Removed != 2 {
					t.Errorf("undone: %+v", u)
				}
				if restart {
					r = again(t, r, m, change)
				}
				got := r.turn("four")
				if s := one[event.TurnStarted](t, got); s.TurnID != "turn_4" {
					t.Errorf("the next turn is %s", s.TurnID)
				}
				req := m.request(t, m.calls()-1)
				valid(t, req)
				if having(req, "three") != 0 || having(req, "two, but so") != 1 {
					t.Errorf("the model sees %+v", req.Messages)
				}
				if e := r.refused(event.Redo{}); !strings.Contains(e.Hint, "since the last message") {
					t.Errorf("%+v", e)
				}
				if u := r.undo(2); u.Removed != 7 || u.Turns != 2 {
					t.Errorf("undone: %+v", u)
				}
				wantTexts(t, r, "one", "a")
			})
		})
	}
}

// Acceptance check 20 of the command line: nothing to undo is no error.
func TestUndoOfAnEmptyConversation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := start(t, &script{}, nil)
		if u := r.undo(3); u.Removed != 0 || u.Turns != 0 || u.Problem != "" {
			t.Errorf("%+v", u)
		}
		r.submit(event.Rewind{Turns: 1, Files: true})
		if u := one[event.UndoComplete](t, r.until(event.TypeUndoComplete)); u.Removed != 0 {
			t.Errorf("%+v", u)
		}
		if e := r.refused(event.Rewind{Turns: 1}); !strings.Contains(e.Error, "conversation, the files or both") {
			t.Errorf("%+v", e)
		}
		if len(r.state().Undone) != 0 {
			t.Error("nothing was undone, yet it can be taken back")
		}
	})
}

// What calls have changed is put back with their turns, newest first, and
// brought again; a file that somebody else has changed stays.
func TestFilesFollowTheConversation(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprint("restart=", restart), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorkspace()
				m := &script{steps: []step{
					writing("c1", "a.py", "1"), say("x"), writing("c2", "a.py", "2"), say("y"),
					writing("c3", "a.py", "3"), writing("c4", "b.py", "3"), say("z"),
				}}
				change := func(s *setup) { s.tools, s.checkpoints = []tool.Tool{w.writer()}, w }
				r := start(t, m, change)
				for _, text := range []string{"one", "two", "three"} {
					r.turn(text)
				}
				w.set("b.py", "by hand")
				u := r.undo(2)
				if diff := cmp.Diff(event.Restored{Files: []string{"a.py", "a.py"}, Conflicts: []string{"b.py"}}, u.Restored); diff != "" || w.text("a.py") != "1" || w.text("b.py") != "by hand" {
					t.Errorf("files %v, told (-want +got):\n%s", w.files, diff)
				}
				if diff := cmp.Diff([]string{"turn_2", "turn_3"}, w.asked); diff != "" {
					t.Errorf("asked for (-want +got):\n%s", diff)
				}
				if restart {
					r = again(t, r, m, change)
				}
				if d := r.redo(); len(d.Files) != 2 || w.text("a.py") != "3" {
					t.Errorf("redone %+v, files %v", d, w.files)
				}
				wantTexts(t, r, "one", "call c1", "written", "x", "two", "call c2", "written", "y", "three", "call c3", "written", "call c4", "written", "z")
			})
		})
	}
}

// A rewind of the conversation alone leaves the files, one of the files alone
// leaves the conversation; both are taken back for themselves.
func TestRewindOfOneOfTheTwo(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprint("restart=", restart), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorkspace()
				m := &script{steps: []step{writing("c1", "a.py", "1"), say("x"), writing("c2", "a.py", "2"), say("y")}}
				change := func(s *setup) { s.tools, s.checkpoints = []tool.Tool{w.writer()}, w }
				r := start(t, m, change)
				r.turn("one")
				r.turn("two")
				r.submit(event.Rewind{Turns: 1, Files: true})
				if u := one[event.UndoComplete](t, r.until(event.TypeUndoComplete)); u.Removed != 0 || u.Turns != 1 || len(u.Files) != 1 || w.text("a.py") != "1" {
					t.Errorf("%+v, files %v", u, w.files)
				}
				r.submit(event.Rewind{Turns: 1, Conversation: true})
				if u := one[event.UndoComplete](t, r.until(event.TypeUndoComplete)); u.Removed != 4 || len(u.Files) != 0 {
					t.Errorf("%+v", u)
				}
				if restart {
					r = again(t, r, m, change)
				}
				if d := r.redo(); d.Added != 4 || len(d.Files) != 0 || w.text("a.py") != "1" {
					t.Errorf("%+v, files %v", d, w.files)
				}
				if d := r.redo(); d.Added != 0 || d.Turns != 1 || len(d.Files) != 1 || w.text("a.py") != "2" {
					t.Errorf("%+v, files %v", d, w.files)
				}
				r.refused(event.Redo{})
			})
		})
	}
}

// Without checkpoints the conversation goes back alone; who asks for files is
// told that there is nothing to put back.
func TestUndoWithoutCheckpoints(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := start(t, &script{steps: []step{say("a"), say("b")}}, nil)
		r.turn("one")
		if u := r.undo(1); u.Removed != 2 || u.Problem != "" {
			t.Errorf("%+v", u)
		}
		r.turn("two")
		r.submit(event.Rewind{Turns: 1, Conversation: true, Files: true})
		if u := one[event.UndoComplete](t, r.until(event.TypeUndoComplete)); u.Removed != 2 || !strings.Contains(u.Problem, "recorded") {
			t.Errorf("%+v", u)
		}
		w := newWorkspace()
		w.broken = "the store is gone"
		r = start(t, &script{steps: []step{writing("c", "a", "1"), say("b")}}, func(s *setup) { s.tools, s.checkpoints = []tool.Tool{w.writer()}, w })
		r.turn("one")
		if u := r.undo(1); u.Removed != 4 || u.Problem != "the store is gone" {
			t.Errorf("%+v", u)
		}
		if d := r.redo(); d.Added != 4 || d.Problem != "" {
			t.Errorf("no file was put back, yet %+v", d)
		}
	})
}

// The plan goes back to what it was when the turn began, and comes again.
func TestPlanFollowsTheConversation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		done := strings.ReplaceAll(planArgs, "in_progress", "completed")
		m := &script{steps: []step{
			use(call("p1", "plan_tool", done)), say("a " + strings.Repeat("word ", 3000)), say("more"), say("the summary"),
			use(call("p2", "plan_tool", `{"todos":[]}`)), say("c"),
		}}
		r := start(t, m, withTools(planner()))
		r.turn("one")
		r.turn("two")
		r.submit(event.Compact{})
		r.until(event.TypeCompacted)
		r.turn("three")
		if p := r.state().Plan; len(p) != 0 {
			t.Fatalf("plan is %v", p)
		}
		r.undo(1) // the call that had set it was condensed away
		if p := r.state().Plan; len(p) != 1 || p[0].Status != "completed" {
			t.Errorf("after the undo the plan is %v", p)
		}
		r = again(t, r, m, withTools(planner()))
		r.redo()
		if p := r.state().Plan; len(p) != 0 {
			t.Errorf("after the redo the plan is %v", p)
		}
	})
}

// Turns that were condensed into one summary go together or not at all: never
// more is taken back than was asked for.
func TestUndoStopsAtASummary(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		long := strings.Repeat("word ", 3000)
		m := &script{steps: []step{say(long), say(long), say(long), say("a summary"), say("d")}}
		w := newWorkspace()
		r := start(t, m, func(s *setup) { s.checkpoints = w })
		for _, text := range []string{"one", "two", "three"} {
			r.turn(text)
		}
		r.submit(event.Compact{})
		r.until(event.TypeCompacted)
		r.turn("four")
		r = again(t, r, m, func(s *setup) { s.checkpoints = w })
		before := r.texts()
		condensed := 3
		if strings.Join(before, "") == "" || slices.Contains(before, "two") {
			t.Fatalf("nothing was condensed: %.200v", before)
		}
		if slices.Contains(before, "three") {
			condensed = 2
		}
		if u := r.undo(4 - condensed + 1); u.Turns != 4-condensed {
			t.Errorf("undone %+v, %d turns are condensed", u, condensed)
		}
		if e := r.refused(event.Undo{Turns: condensed - 1}); !strings.Contains(e.Error, fmt.Sprintf("last %d turns", condensed)) {
			t.Errorf("%+v", e)
		}
		if u := r.undo(condensed); u.Turns != condensed {
			t.Errorf("%+v", u)
		}
		if diff := cmp.Diff([]string{"turn_1", "turn_2", "turn_3", "turn_4"}, slices.Sorted(slices.Values(w.asked))); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
		wantTexts(t, r)
		r.redo()
		r.redo()
		if diff := cmp.Diff(before, r.texts()); diff != "" {
			t.Errorf("redone (-want +got):\n%s", diff)
		}
	})
}

// An undo at an open gate abandons it; a redo is refused there and leaves it.
func TestRewindAtAGate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ran := false
		del := gated("delete", func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
			ran = true
			return tool.Success("gone"), nil
		})
		m := &script{steps: []step{use(call("c", "delete", `{"ask":true}`)), say("done")}}
		r := start(t, m, withTools(del))
		r.turn("delete it")
		r.refused(event.Redo{})
		if all := r.all(); r.state().Gate == nil || all[len(all)-1].TurnID != "" {
			t.Fatal("the gate is gone, or the turn has an error")
		}
		if u := r.undo(1); u.Removed != 3 || r.state().Gate != nil {
			t.Errorf("%+v", u)
		}
		r.submit(event.ExecApproval{Approvals: []event.Approval{{ToolCallID: "c", Approved: true}}})
		r.until(event.TypeError)
		if d := r.redo(); d.Added != 3 || ran {
			t.Errorf("%+v, ran %v", d, ran)
		}
		r.turn("go on")
		valid(t, m.request(t, 1))
	})
}

// Every moment at which the program can die in an undo or a redo: afterwards
// the history is as before or as after it, and can be told apart by what is
// offered to be taken back.
func TestCrashWhileRewinding(t *testing.T) {
	for _, torn := range []bool{false, true} {
		for k := 0; ; k++ {
			reached := false
			inBubble(t, func(t *testing.T) { reached = crashInRewind(t, k, torn) })
			if !reached {
				if k < 4 {
					t.Errorf("only %d moments were tried", k)
				}
				break
			}
		}
	}
}

func crashInRewind(t *testing.T, k int, torn bool) bool {
	t.Helper()
	w := newWorkspace()
	store := &mortal{Memory: journal.NewMemory(), left: 1 << 30, torn: torn}
	plan := use(call("p", "plan_tool", planArgs), call("c2", "write", `{"path":"a.py","text":"2"}`))
	// A plan that is not finished sends the model back to it twice.
	m := &script{steps: []step{writing("c1", "a.py", "1"), say("x"), plan, say("y"), say("y"), say("y"), say("later")}}
	change := func(s *setup) { s.tools, s.checkpoints, s.store = []tool.Tool{w.writer(), planner()}, w, store }
	r := start(t, m, change)
	r.turn("one")
	r.turn("two")
	long := r.texts()
	store.mu.Lock()
	store.left = k
	store.mu.Unlock()
	_ = r.agent.Submit(context.Background(), event.Submission{Operation: event.Undo{}})
	_ = r.agent.Submit(context.Background(), event.Submission{Operation: event.Redo{}})
	reached := false
	after(time.Second, func() {
		select {
		case err := <-r.done:
			reached = true
			r.done <- err
		default:
		}
	})
	store.mu.Lock()
	store.left = 1 << 30
	store.mu.Unlock()
	r = again(t, r, m, func(s *setup) { change(s); s.leave = true })
	s := r.state()
	switch n := len(r.texts()); {
	case n == len(long):
	case n == 4 && len(s.InForce) == 1 && len(s.Plan) == 0:
	case n == 4: // torn between the history and its plan: the end was not told
		if !torn || len(s.Undone) != 0 {
			t.Errorf("k=%d: plan %v, %d can be redone", k, s.Plan, len(s.Undone))
		}
	default:
		t.Errorf("k=%d: %d messages: %v", k, n, r.texts())
	}
	for range s.Undone {
		r.redo()
		if diff := cmp.Diff(long, r.texts()); diff != "" || w.text("a.py") != "2" {
			t.Errorf("k=%d: redone to files %v (-want +got):\n%s", k, w.files, diff)
		}
	}
	r.turn("three")
	valid(t, m.request(t, m.calls()-1))
	return reached
}

// Whatever is taken back and brought again, in whatever order and with however
// many restarts, is what a plain list of turns would be, and the workspace with
// it.
func TestRewindIsAStackOfTurns(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ops := rapid.SliceOfN(rapid.SampledFrom([]string{"turn", "turn", "undo", "undo", "redo", "files", "talk", "restart"}), 1, 14).Draw(rt, "ops")
		counts := rapid.SliceOfN(rapid.IntRange(1, 3), len(ops), len(ops)).Draw(rt, "counts")
		inBubble(t, func(t *testing.T) { rewindStory(t, rt, ops, counts) })
	})
}

func rewindStory(t *testing.T, rt *rapid.T, ops []string, counts []int) {
	w := newWorkspace()
	said := 0
	m := &script{loop: true, steps: []step{func(ctx context.Context, req llm.Request, yield func(llm.Chunk, error) bool) {
		if last(req).Role == llm.ToolRole {
			say("ok")(ctx, req, yield)
			return
		}
		writing(fmt.Sprint("c", said), "a.py", last(req).Text)(ctx, req, yield)
	}}}
	change := func(s *setup) { s.tools, s.checkpoints = []tool.Tool{w.writer()}, w }
	r := start(t, m, change)
	type turn struct {
		text, before string
		undone       bool // its file was put back
	}
	type moment struct {
		turns []turn
		file  string
	}
	now := moment{}
	var back []moment
	putBack := func(turns []turn) (told bool) {
		for k := len(turns) - 1; k >= 0; k-- {
			told = told || !turns[k].undone
			if !turns[k].undone && turns[k].text == now.file { // else it is a conflict
				now.file, turns[k].undone = turns[k].before, true
			}
		}
		return told
	}
	for i, op := range ops {
		n := min(counts[i], len(now.turns))
		before := moment{slices.Clone(now.turns), now.file}
		cut := len(now.turns) - n
		switch op {
		case "turn":
			said++
			text := fmt.Sprint("text ", said)
			r.turn(text)
			now, back = moment{append(before.turns, turn{text: text, before: now.file}), text}, nil
		case "undo":
			if u := r.undo(counts[i]); u.Turns != n {
				rt.Errorf("step %d: undone %+v, want %d turns", i, u, n)
				return
			}
			if n > 0 {
				back = append(back, before)
				putBack(now.turns[cut:])
				now.turns = now.turns[:cut:cut]
			}
		case "talk":
			r.submit(event.Rewind{Turns: counts[i], Conversation: true})
			r.until(event.TypeUndoComplete)
			if n > 0 {
				back = append(back, before)
				now.turns = now.turns[:cut:cut]
			}
		case "files":
			r.submit(event.Rewind{Turns: counts[i], Files: true})
			r.until(event.TypeUndoComplete)
			if putBack(now.turns[cut:]) {
				back = append(back, before)
			}
		case "redo":
			if len(back) == 0 {
				r.refused(event.Redo{})
				continue
			}
			r.redo()
			now, back = back[len(back)-1], back[:len(back)-1]
		case "restart":
			r = again(t, r, m, change)
		}
		var got []string
		for _, msg := range r.state().Messages {
			if msg.Role == llm.User {
				got = append(got, msg.Text)
			}
		}
		var want []string
		for _, turn := range now.turns {
			want = append(want, turn.text)
		}
		if !slices.Equal(got, want) {
			rt.Errorf("step %d, %s: turns are %v, want %v", i, op, got, want)
			return
		}
		if w.text("a.py") != now.file {
			rt.Errorf("step %d, %s: the file is %q, want %q", i, op, w.text("a.py"), now.file)
			return
		}
		if s := r.state(); len(s.Undone) != len(back) || len(s.InForce) != len(now.turns) || len(s.Said) != len(got) {
			rt.Errorf("step %d, %s: %d to redo, %d in force, %d said; want %d, %d, %d", i, op,
				len(s.Undone), len(s.InForce), len(s.Said), len(back), len(now.turns), len(got))
			return
		}
	}
	r.stop()
}

// What was undone comes again behind a history that was condensed meanwhile, and
// a truncate is taken back like an undo; one in the middle of a turn leaves its
// beginning.
func TestRedoBehindASummaryAndATruncate(t *testing.T) {
	for _, restart := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			long := strings.Repeat("word ", 3000)
			hold := make(chan struct{})
			m := &script{steps: []step{say(long), say(long), func(ctx context.Context, req llm.Request, yield func(llm.Chunk, error) bool) {
				<-hold
				use(call("c", "read", `{}`))(ctx, req, yield)
			}, say("c"), say("the summary"), say("d")}}
			change := withTools(newFake("read", nil))
			r := start(t, m, change)
			r.turn("one")
			r.turn("two")
			r.input("three")
			after(time.Second, func() { r.submit(event.Steer{Text: "so"}) })
			close(hold)
			r.ending()
			whole := r.texts()
			r.submit(event.Truncate{UserMessageIndex: 3})
			r.until(event.TypeTruncateComplete)
			if s := r.state(); len(s.InForce) != 3 || len(s.Said) != 3 {
				t.Errorf("%d turns in force, %d messages known", len(s.InForce), len(s.Said))
			}
			if restart {
				r = again(t, r, m, change)
			}
			if d := r.redo(); d.Added != 2 {
				t.Errorf("%+v", d)
			}
			if diff := cmp.Diff(whole, r.texts()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			r.undo(1)
			r.submit(event.Compact{})
			r.until(event.TypeCompacted)
			condensed := r.texts()
			if restart {
				r = again(t, r, m, change)
			}
			if d := r.redo(); d.Added != 5 {
				t.Errorf("%+v", d)
			}
			if diff := cmp.Diff(append(condensed, whole[4:]...), r.texts()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			r.turn("four")
			valid(t, m.request(t, m.calls()-1))
			if u := r.undo(2); u.Turns != 2 || u.Removed != 7 {
				t.Errorf("%+v", u)
			}
		})
	}
}
