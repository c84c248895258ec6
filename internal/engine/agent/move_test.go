package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
)

// library opens sessions like a program does: one journal at a time is open
// for writing, and each session has checkpoints of its own.
type library struct {
	t     *testing.T
	store journal.Store

	mu      sync.Mutex
	open    *journal.Journal // what the agent writes to
	made    int
	spaces  map[string]*workspace
	opening func() // runs while a session is opened
}

func (l *library) take(ctx context.Context, id string, complete *event.ResumeComplete) (agent.Opened, error) {
	if l.opening != nil {
		l.opening()
	}
	j, err := journal.Open(ctx, journal.Options{Store: l.store, SessionID: id})
	if err != nil {
		return agent.Opened{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.spaces[id] == nil {
		l.spaces[id] = newWorkspace()
	}
	old := l.open
	return agent.Opened{
		SessionID: id, Journal: j, State: l.state(id), Complete: complete, Checkpoints: l.spaces[id],
		Close: func() error {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.open = j
			old.Close()
			return nil
		},
	}, nil
}

func (l *library) New(ctx context.Context) (agent.Opened, error) {
	l.made++
	return l.take(ctx, fmt.Sprintf("new-%d", l.made), nil)
}

func (l *library) Resume(ctx context.Context, path string) (agent.Opened, error) {
	return l.take(ctx, path, &event.ResumeComplete{Path: path, ModelName: "other/model"})
}

func (l *library) events(id string) []event.Event {
	l.t.Helper()
	events, err := l.store.Read(context.Background(), id, 0, 0)
	if err != nil {
		l.t.Fatal(err)
	}
	return events
}

func (l *library) state(id string) *history.State {
	l.t.Helper()
	s, err := history.Load(l.events(id))
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

// inLibrary starts a session that can move to others.
func inLibrary(t *testing.T, m *script, store journal.Store, change func(*setup)) (*rig, *library) {
	t.Helper()
	l := &library{t: t, store: store, spaces: map[string]*workspace{testSession: newWorkspace()}}
	r := start(t, m, func(s *setup) {
		s.store, s.sessions, s.checkpoints = l.store, l, l.spaces[testSession]
		if change != nil {
			change(s)
		}
	})
	l.open = r.journal
	return r, l
}

// goOn follows the session that the conversation has moved to.
func (r *rig) goOn(l *library, after int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.journal, r.seen = l.open, after
}

// rest reads on until the journal has ended.
func (r *rig) rest() []event.Event {
	r.t.Helper()
	var got []event.Event
	for ev, err := range r.journal.Follow(context.Background(), r.seen) {
		if err != nil {
			r.t.Fatal(err)
		}
		r.seen = ev.Seq
		got = append(got, ev)
	}
	return got
}

// Whoever follows the journal that is left reads the operation's end as its
// last event, and then that it has ended.
func TestTheOldJournalEndsBehindTheOperation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r, l := inLibrary(t, &script{loop: true, steps: []step{say("ok")}}, journal.NewMemory(), nil)
		r.turn("one")
		r.submit(event.NewChat{ClearScreen: true})
		got := r.rest()
		if e := one[event.NewComplete](t, got[len(got)-1:]); e.SessionID != "new-1" || e.PreviousTurnCount != 1 || e.PreviousMessageCount != 3 {
			t.Errorf("%+v", e)
		}
		r.goOn(l, 0)
		r.turn("two")
		r.submit(event.Resume{Path: testSession})
		got = r.rest()
		if e := one[event.ResumeComplete](t, got[len(got)-1:]); e.SessionID != testSession || e.Path != testSession {
			t.Errorf("%+v", e)
		}
		// The session that was left knows nothing of the other one's model.
		if s := l.state("new-1"); s.Model != testModel || s.Next != "" {
			t.Errorf("model %s, next %q", s.Model, s.Next)
		}
		r.goOn(l, 0)
		got = r.until(event.TypeResumeComplete)
		if e := one[event.ResumeComplete](t, got); e.SessionID != "" || got[len(got)-1].SessionID != testSession {
			t.Errorf("%+v", e)
		}
		if set := one[event.Settings](t, r.until(event.TypeSettings)); set.Model != "other/model" {
			t.Errorf("%+v", set)
		}
		got = r.turn("three")
		if s := one[event.TurnStarted](t, got); s.TurnID != "turn_2" || s.Model != "other/model" {
			t.Errorf("%+v", s)
		}
		if e := r.refused(event.Resume{Path: " "}); !strings.Contains(e.Error, "path is required") {
			t.Errorf("%+v", e)
		}
		r.turn("four")
	})
}

// Texts that were sent before the conversation had moved go along: the new
// journal has them, the old one does not run them again.
func TestWaitingTextsMoveAlong(t *testing.T) {
	for name, op := range map[string]event.Operation{"new": event.NewChat{}, "resume": event.Resume{Path: "saved"}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				store := journal.NewMemory()
				j, err := journal.Open(t.Context(), journal.Options{Store: store, SessionID: "saved"})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := j.Append(t.Context(), "", event.InputAccepted{SubmissionID: "old", Text: "from before", Shown: "before"}); err != nil {
					t.Fatal(err)
				}
				m := &script{loop: true, steps: []step{say("ok")}}
				r, l := inLibrary(t, m, store, nil)
				r.turn("one")
				l.opening = func() { // while the operation runs
					l.opening = nil
					r.submit(event.UserInput{Text: "first", Shown: "typed", Images: pictures})
					r.submit(event.Steer{Text: "second"})
					if err := r.agent.Submit(context.Background(), event.Submission{ID: "t", Operation: event.Rename{Title: "the old one"}}); err != nil {
						t.Error(err)
					}
				}
				r.submit(op)
				r.rest()
				r.goOn(l, 0)
				want := []string{"first", "second"}
				if name == "resume" { // the steering text joins the first turn there is
					want = []string{"from before", "second", "first"}
				}
				after(time.Minute, func() {})
				id := r.journal.SessionID()
				s := l.state(id)
				var got []string
				for _, msg := range s.Messages {
					if history.FromPerson(msg) {
						got = append(got, msg.PlainText())
					}
				}
				if diff := cmp.Diff(want, got); diff != "" || len(s.Queue) != 0 {
					t.Errorf("%d wait, said (-want +got):\n%s", len(s.Queue), diff)
				}
				if at := slices.Index(want, "first"); s.Said[at].Shown != "typed" {
					t.Errorf("said %+v", s.Said)
				}
				old := l.state(testSession)
				if len(old.Queue) != 0 || old.Turn != nil || old.Title != "the old one" || s.Title != "" {
					t.Errorf("the old session: %d wait, turn %v, titles %q and %q", len(old.Queue), old.Turn, old.Title, s.Title)
				}
			})
		})
	}
}

// A crash while the conversation moves loses no accepted text.
func TestCrashWhileMoving(t *testing.T) {
	for k := 1; k < 25; k++ {
		inBubble(t, func(t *testing.T) {
			store := &mortal{Memory: journal.NewMemory(), left: 1 << 30}
			m := &script{loop: true, steps: []step{say("ok")}}
			r, l := inLibrary(t, m, store, nil)
			r.turn("one")
			accepted := false
			l.opening = func() {
				accepted = r.agent.Submit(context.Background(), event.Submission{ID: "s", Operation: event.UserInput{Text: "dear"}}) == nil
				store.mu.Lock()
				store.left = k - 1
				store.mu.Unlock()
			}
			r.submit(event.NewChat{})
			after(time.Second, func() {})
			r.stop()
			old, fresh := l.state(testSession), l.state("new-1")
			found := len(old.Queue)
			if fresh.Spoken() {
				found++
			}
			if !accepted || found == 0 || old.Next != "" && len(old.Queue) != 0 {
				t.Errorf("k=%d: accepted %v, found %d times, next %q", k, accepted, found, old.Next)
			}
		})
	}
}

// An open gate is abandoned in the session that is left; one that a saved
// session had open is closed there before anybody reads it.
func TestGatesDoNotMove(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ran := false
		del := gated("delete", func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
			ran = true
			return tool.Success("gone"), nil
		})
		m := &script{steps: []step{use(call("a", "delete", `{"ask":true}`)), use(call("b", "delete", `{"ask":true}`)), say("fine")}}
		r, l := inLibrary(t, m, journal.NewMemory(), withTools(del))
		r.turn("delete it")
		r.submit(event.NewChat{})
		r.rest()
		if s := l.state(testSession); s.Gate != nil || s.Turn != nil || len(s.Open()) != 0 {
			t.Errorf("left with gate %v, turn %v", s.Gate, s.Turn)
		}
		r.goOn(l, 0)
		r.submit(event.ExecApproval{Approvals: []event.Approval{{ToolCallID: "a", Approved: true}}})
		if e := one[event.Error](t, r.until(event.TypeError)); !strings.Contains(e.Error, "no pending approval") {
			t.Errorf("%+v", e)
		}
		r.turn("delete the other")
		r.stop()

		// The program ends at that gate; another session resumes it.
		r, l = inLibrary(t, m, l.store, func(s *setup) { withTools(del)(s); s.resume = true })
		r.submit(event.Resume{Path: "new-1"})
		r.rest()
		s := l.state("new-1")
		if s.Gate != nil || s.Turn != nil || len(s.Open()) != 0 {
			t.Errorf("resumed with gate %v, turn %v", s.Gate, s.Turn)
		}
		r.goOn(l, l.open.LastSeq())
		got := r.turn("go on")
		valid(t, m.request(t, 2))
		if ran || one[event.TurnStarted](t, got).TurnID != "turn_2" {
			t.Errorf("ran %v", ran)
		}
	})
}

// What belongs to a session changes with it: checkpoints, plan, turn numbers,
// money; a tool that goes on is given the new one at once, and what it still
// says of the old one harms nobody.
func TestTheSessionsOwnThingsMove(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var l *library
		var here *workspace
		write := newWorkspace().writer()
		write.run = func(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
			return here.writer().run(ctx, env, args)
		}
		job := speaker(nil)
		writes := func(id string) step { return writing(id, "a", id) }
		m := &script{
			info: llm.Info{ID: testModel, Window: 200_000, WindowKnown: true, Prices: &llm.Prices{Input: 1000, Output: 1000}, PriceSource: llm.PriceTable},
			steps: []step{
				writes("c1"), use(call("p", "plan_tool", strings.ReplaceAll(planArgs, "in_progress", "completed"))), say("one"),
				writes("c2"), say("two"), writes("c3"), say("three"), say("four"),
			},
		}
		var r *rig
		r, l = inLibrary(t, m, journal.NewMemory(), func(s *setup) { s.tools = []tool.Tool{write, planner(), job} })
		here = l.spaces[testSession]
		r.turn("one")
		if spent, _ := l.state(testSession).Spent(); spent == 0 {
			t.Fatal("nothing was spent")
		}
		r.submit(event.NewChat{})
		r.rest()
		if len(job.sessions) != 2 || job.sessions[1].ID() != "new-1" {
			t.Fatalf("the tool has %d sessions", len(job.sessions))
		}
		job.sessions[0].Emit(event.ToolLog{Tool: "watch", Log: "too late"})
		job.sessions[0].Notice("of the old session")
		job.sessions[1].Notice("of the new session")
		r.goOn(l, 0)
		here = l.spaces["new-1"]
		got := r.turn("two")
		if s := one[event.TurnStarted](t, got); s.TurnID != "turn_1" {
			t.Errorf("%+v", s)
		}
		if got := notices(m.request(t, 3)); len(got) != 1 || got[0] != "of the new session" {
			t.Errorf("the model is told %q", got)
		}
		s := l.state("new-1")
		if len(s.Plan) != 0 || s.Turns != 1 || len(here.saved) != 1 || len(l.spaces[testSession].saved) != 1 {
			t.Errorf("plan %v, %d turns, %d and %d checkpoints", s.Plan, s.Turns, len(here.saved), len(l.spaces[testSession].saved))
		}
		first, _ := l.state(testSession).Spent()
		if spent, _ := s.Spent(); spent == 0 || spent >= 2*first {
			t.Errorf("spent %d here, %d before", spent, first)
		}
		r.undo(1)
		r.submit(event.Resume{Path: testSession})
		r.rest()
		r.goOn(l, l.open.LastSeq())
		here = l.spaces[testSession]
		got = r.turn("three")
		if s := one[event.TurnStarted](t, got); s.TurnID != "turn_2" {
			t.Errorf("%+v", s)
		}
		if p := l.state(testSession).Plan; len(p) != 1 {
			t.Errorf("plan %v", p)
		}
		if u := r.undo(2); u.Turns != 2 || len(u.Files) != 2 || here.text("a") != "" {
			t.Errorf("%+v, files %v", u, here.files)
		}
		if len(job.sessions) != 3 || job.sessions[2].ID() != testSession {
			t.Errorf("the tool has %d sessions", len(job.sessions))
		}
		r.turn("four")
	})
}

// Where the new journal cannot be written the conversation is as it was, its
// open gate too.
func TestMovingToABrokenJournal(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{use(call("a", "delete", `{"ask":true}`)), say("gone")}}
		sick := &sickFor{Memory: journal.NewMemory(), session: "new-1"}
		r, l := inLibrary(t, m, sick, withTools(gated("delete", nil)))
		r.turn("delete it")
		l.opening = func() {
			l.opening = nil
			r.submit(event.Steer{Text: "wait"})
		}
		r.submit(event.NewChat{})
		if e := one[event.Error](t, r.until(event.TypeError)); !strings.Contains(e.Error, "new chat failed") || e.Hint != "The conversation is unchanged." {
			t.Errorf("%+v", e)
		}
		if l.state(testSession).Next != "" {
			t.Error("the conversation has moved")
		}
		if got := r.until(event.TypeTurnStarted); len(got) == 0 { // the text abandons the gate, here
			t.Error("the text is lost")
		}
	})
}

// sickFor fails every write of one session.
type sickFor struct {
	*journal.Memory
	session string
}

func (s *sickFor) Append(ctx context.Context, session string, fence int64, events []event.Event) error {
	if session == s.session {
		return errDied
	}
	return s.Memory.Append(ctx, session, fence, events)
}
