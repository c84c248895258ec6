package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// errDied is what a store says after the process has died.
var errDied = errors.New("the process has died")

// mortal is a store that takes a number of events and then no more, as a
// killed process would leave it.
type mortal struct {
	*journal.Memory
	mu   sync.Mutex
	left int
	// torn lets the events of a batch through up to the last that fits, as a
	// write that was cut by a crash leaves whole lines.
	torn bool
}

func (m *mortal) Append(ctx context.Context, session string, fence int64, events []event.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(events) > m.left {
		if m.torn && m.left > 0 {
			if err := m.Memory.Append(ctx, session, fence, events[:m.left]); err != nil {
				return err
			}
		}
		m.left = 0
		return errDied
	}
	m.left -= len(events)
	return m.Memory.Append(ctx, session, fence, events)
}

// world is what lies outside the program: it outlives it. Effects count what
// was done, by the key in the arguments.
type world struct {
	mu      sync.Mutex
	effects map[string]int
	lookups map[string]int
}

func newWorld() *world { return &world{effects: map[string]int{}, lookups: map[string]int{}} }

func key(args json.RawMessage) string {
	var in struct {
		Key string `json:"key"`
	}
	_ = json.Unmarshal(args, &in)
	return in.Key
}

func (w *world) act(args json.RawMessage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.effects[key(args)]++
}

// keyedTool finds its effect again.
type keyedTool struct {
	*fake
	w *world
}

func (k *keyedTool) Intent(_ context.Context, _ tool.Env, args json.RawMessage) (json.RawMessage, error) {
	return json.RawMessage(fmt.Sprintf(`{"key":%q}`, key(args))), nil
}

func (k *keyedTool) Recover(_ context.Context, _ tool.Env, _, intent json.RawMessage) (tool.Outcome, tool.Result, error) {
	k.w.mu.Lock()
	defer k.w.mu.Unlock()
	k.w.lookups[key(intent)]++
	if k.w.effects[key(intent)] > 0 {
		return tool.Happened, tool.Success("found"), nil
	}
	return tool.NotHappened, tool.Result{}, nil
}

// tools are one of each effect class; every call of "once" asks.
func (w *world) tools() []tool.Tool {
	made := func(name string, risk tool.Risk) *fake {
		f := newFake(name, func(_ context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
			w.act(args)
			if risk.Cost != nil {
				if err := env.Effect("job:x/" + key(args)); err != nil {
					return tool.Result{}, err
				}
			}
			return tool.Success("did " + key(args)), nil
		})
		f.risk = func(json.RawMessage) tool.Risk { return risk }
		return f
	}
	cost := &tool.Cost{Kind: event.SpendJob, MicroUSD: 1_000_000, Known: true}
	return []tool.Tool{
		made("pure", tool.Risk{Effect: event.Pure}),
		made("read", tool.Risk{Effect: event.Read}),
		&keyedTool{fake: made("keyed", tool.Risk{Effect: event.Keyed, Cost: cost}), w: w},
		made("once", tool.Risk{Effect: event.Once, Command: "x"}),
		made("ask", tool.Risk{Effect: event.Once, Gate: tool.Ask, Cost: cost}),
	}
}

// round is what a model asks for in one answer: the tools' names.
type round []string

// storyModel answers by the number of answers in the history, so that it plays
// the same story whatever crashed in between.
func storyModel(story []round) *script {
	return &script{loop: true, steps: []step{func(ctx context.Context, req llm.Request, yield func(llm.Chunk, error) bool) {
		said := 0
		for _, m := range req.Messages {
			if m.Role == llm.Assistant && len(m.ToolCalls) > 0 {
				said++
			}
		}
		if said >= len(story) || last(req).Text == "new input" {
			say("do", "ne")(ctx, req, yield)
			return
		}
		var calls []llm.ToolCall
		for i, name := range story[said] {
			id := fmt.Sprintf("c%d_%d", said, i)
			calls = append(calls, call(id, name, fmt.Sprintf(`{"key":%q}`, id)))
		}
		if !yield(llm.Text{Delta: "thinking aloud"}, nil) {
			return
		}
		answering(llm.Message{Text: "", ToolCalls: calls}, llm.FinishTools)(ctx, req, yield)
	}}}
}

// play runs the agent until its turn has ended, answering every gate, or until
// it dies. It returns whether it died.
func (r *rig) play(cancelAfter time.Duration) bool {
	deadline := time.After(cancelAfter)
	for {
		time.Sleep(time.Millisecond)
		select {
		case <-deadline:
			r.t.Fatal("the session hangs")
		case err := <-r.done:
			r.done <- err
			return true
		default:
		}
		s := r.state()
		switch {
		case s.Gate != nil:
			var op event.ExecApproval
			for _, g := range s.Gate.Tools {
				op.Approvals = append(op.Approvals, event.Approval{ToolCallID: g.ToolCallID, Approved: true})
			}
			_ = r.agent.Submit(context.Background(), event.Submission{ID: "approval", Operation: op})
		case s.Turn == nil && len(s.Queue) == 0:
			return false
		}
	}
}

// reporter is a *testing.T or a *rapid.T.
type reporter interface {
	Errorf(format string, args ...any)
}

// crashAt plays the story on a store that dies after k events, and then once
// more on what is left. It reports false when the story ends before k events.
func crashAt(t *testing.T, rep reporter, story []round, k int, leave, torn bool, also ...func(*setup)) bool {
	t.Helper()
	w := newWorld()
	store := &mortal{Memory: journal.NewMemory(), left: k, torn: torn}
	m := storyModel(story)
	set := func(s *setup) {
		s.tools, s.store, s.policy.Mode, s.settings.CapMicroUSD = w.tools(), store, policy.ModeUpstream, 1e9
		for _, change := range also {
			change(s)
		}
	}
	r := start(t, m, set)
	accepted := r.agent.Submit(context.Background(), event.Submission{ID: "sub_a", Operation: event.UserInput{Text: "the task"}}) == nil
	died := r.play(time.Hour)
	r.stop()
	if !died {
		return false
	}

	store.mu.Lock()
	store.left = 1 << 30
	store.mu.Unlock()
	before := len(r.all())
	again := start(t, m, func(s *setup) { set(s); s.resume, s.leave = true, leave })
	if leave {
		again.submit(event.UserInput{Text: "new input"})
	}
	if again.play(time.Hour) {
		rep.Errorf("k=%d: the second run died: %v", k, <-again.done)
	}
	again.judge(rep, k, w, accepted, before, leave)
	again.stop()
	return true
}

// judge looks at what two runs have left behind.
func (r *rig) judge(rep reporter, k int, w *world, accepted bool, before int, leave bool) {
	r.t.Helper()
	events := r.all()
	prefix := func(format string, args ...any) { rep.Errorf("k=%d: %s", k, fmt.Sprintf(format, args...)) }
	once(errorf(prefix), events)
	if len(events) <= before {
		prefix("the second run has told nothing")
	}
	s := r.state()
	heard := 0
	for _, m := range s.Messages {
		if m.Role == llm.User && m.Text == "the task" {
			heard++
		}
	}
	if accepted && heard != 1 {
		prefix("the accepted text is %d times in the history", heard)
	}
	if err := check(append(s.Messages, llm.Message{Role: llm.User})); err != nil {
		prefix("%v", err)
	}
	for id, n := range w.effects {
		switch name := toolOf(events, id); name {
		case "pure", "read":
		default:
			if n > 1 {
				prefix("%s call %s took effect %d times", name, id, n)
			}
		}
	}
	for id, entry := range s.Spend {
		if entry.State == event.SpendReserved {
			prefix("the reservation of %s is still open", id)
		}
	}
	r.model.mu.Lock()
	defer r.model.mu.Unlock()
	for i, req := range r.model.requests {
		if err := check(req.Messages); err != nil {
			prefix("request %d: %v", i, err)
		}
	}
	if leave || !accepted {
		return
	}
	if done := s.Messages[len(s.Messages)-1]; done.Text != "done" {
		prefix("the story ends with %+v", done)
	}
}

type errorf func(format string, args ...any)

func (e errorf) Errorf(format string, args ...any) { e(format, args...) }

// toolOf finds the tool of a call.
func toolOf(events []event.Event, id string) string {
	for _, ev := range events {
		if started, err := event.Decode[event.ToolStarted](ev); err == nil && started.ToolCallID == id {
			return started.Tool
		}
	}
	return ""
}

// Every moment at which the program can die, taken up again and left behind:
// no accepted text is lost, numbers have no gaps, nothing that must not be
// repeated is, every call has one result, every request is valid (decisions
// 19, 20 and 42).
func TestCrashAtEveryEvent(t *testing.T) {
	story := []round{{"read", "pure"}, {"keyed", "once"}, {"ask", "read"}, {"once", "keyed", "ask"}}
	for i := range 4 {
		leave, torn := i%2 == 1, i > 1
		t.Run(fmt.Sprintf("leave=%v,torn=%v", leave, torn), func(t *testing.T) {
			deaths := 0
			for k := 1; ; k++ {
				died := false
				inBubble(t, func(t *testing.T) { died = crashAt(t, t, story, k, leave, torn) })
				if !died {
					break
				}
				deaths++
			}
			if deaths < 60 {
				t.Errorf("only %d moments were tried", deaths)
			}
		})
	}
}

// A keyed call that had started is looked up before anything else is done.
func TestDecision20_KeyedIsLookedUp(t *testing.T) {
	for _, happened := range []bool{true, false} {
		inBubble(t, func(t *testing.T) {
			w := newWorld()
			m := storyModel([]round{{"keyed"}})
			store := &mortal{Memory: journal.NewMemory(), left: 1 << 30}
			set := func(s *setup) { s.tools, s.store, s.policy.Mode = w.tools(), store, policy.ModeYolo }
			hang := w.tools()[2].(*keyedTool)
			hang.run = func(ctx context.Context, _ tool.Env, args json.RawMessage) (tool.Result, error) {
				if happened {
					w.act(args)
				}
				<-ctx.Done()
				return tool.Result{}, ctx.Err()
			}
			r := start(t, m, func(s *setup) { set(s); s.tools = []tool.Tool{hang} })
			r.input("go")
			after(time.Second, r.stop)
			if n := w.effects["c0_0"]; (n == 1) != happened {
				t.Fatalf("%d effects", n)
			}
			again := start(t, m, func(s *setup) { set(s); s.resume = true })
			again.until(event.TypeTurnComplete)
			if w.lookups["c0_0"] != 1 || w.effects["c0_0"] != 1 {
				t.Errorf("%d lookups, %d effects; want one each", w.lookups["c0_0"], w.effects["c0_0"])
			}
		})
	}
}

// A once call that had started is not repeated; the model is told what to
// check.
func TestDecision20_OnceIsUnknown(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld()
		m := storyModel([]round{{"once"}})
		hang := newFake("once", func(ctx context.Context, _ tool.Env, args json.RawMessage) (tool.Result, error) {
			w.act(args)
			<-ctx.Done()
			return tool.Result{}, ctx.Err()
		})
		hang.risk = func(json.RawMessage) tool.Risk { return tool.Risk{Effect: event.Once, Command: "make"} }
		r := start(t, m, withTools(hang))
		r.input("go")
		after(time.Second, r.stop)
		again := start(t, m, func(s *setup) { s.tools, s.store, s.resume = []tool.Tool{hang}, r.store, true })
		got := again.until(event.TypeTurnComplete)
		st := one[event.ToolStateChange](t, got)
		out := one[event.ToolOutput](t, got)
		if st.State != "interrupted" || out.Success || !strings.Contains(out.Output, "unknown") || w.effects["c0_0"] != 1 {
			t.Errorf("%+v, %+v, %d effects", st, out, w.effects["c0_0"])
		}
		valid(t, m.request(t, m.calls()-1))
	})
}

// What a person decided before the program died is acted on without asking
// again: an edit runs as edited, a rejection stays one.
func TestDecisionsSurviveACrash(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var ran []string
		record := func(_ context.Context, _ tool.Env, args json.RawMessage) (tool.Result, error) {
			ran = append(ran, string(args))
			return tool.Success("ok"), nil
		}
		m := &script{steps: []step{use(call("j", "hf_jobs", `{"operation":"run","script":"a"}`), call("k", "hf_jobs", `{"operation":"run","script":"b"}`)), say("done")}}
		store := &mortal{Memory: journal.NewMemory(), left: 1 << 30}
		set := func(s *setup) { s.tools, s.store = []tool.Tool{jobs(record)}, store }
		r := start(t, m, set)
		r.turn("hi")
		store.mu.Lock()
		store.left = 2 // the two answers, and nothing of what follows
		store.mu.Unlock()
		_ = r.agent.Submit(context.Background(), event.Submission{Operation: event.ExecApproval{Approvals: []event.Approval{
			{ToolCallID: "j", Approved: true, EditedScript: "edited", Namespace: "acme"}, {ToolCallID: "k", Feedback: "not this"},
		}}})
		after(time.Second, r.stop)
		if len(ran) != 0 {
			t.Fatalf("ran %v before it could be told", ran)
		}
		store.mu.Lock()
		store.left = 1 << 30
		store.mu.Unlock()
		again := start(t, m, func(s *setup) { set(s); s.resume = true })
		got := again.ending()
		one[event.TurnComplete](t, got)
		if len(ran) != 1 || !strings.Contains(ran[0], `"edited"`) || !strings.Contains(ran[0], "acme") {
			t.Errorf("ran %v", ran)
		}
		if out := results(m.request(t, 1))["k"]; !strings.Contains(out, "not this") {
			t.Errorf("the rejection became %q", out)
		}
		for _, c := range find[event.ToolCall](t, got) {
			t.Errorf("a gated call was announced: %+v", c)
		}
	})
}

// Random stories and moments.
func TestCrashAnywhere(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		names := []string{"pure", "read", "keyed", "once", "ask"}
		story := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) round {
			return rapid.SliceOfN(rapid.SampledFrom(names), 1, 4).Draw(rt, "calls")
		}), 1, 4).Draw(rt, "story")
		k := rapid.IntRange(1, 90).Draw(rt, "k")
		leave := rapid.Bool().Draw(rt, "leave")
		torn := rapid.Bool().Draw(rt, "torn")
		inBubble(t, func(t *testing.T) { crashAt(t, rt, story, k, leave, torn) })
	})
}
