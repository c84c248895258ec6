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
	"github.com/ml-intern/ml-intern/internal/domain/hook"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
)

// marking changes the arguments of every call, forbids some, and watches that no
// call is asked about that has started or that has been decided about.
type marking struct {
	t     errorf
	store func() journal.Store

	mu  sync.Mutex
	ran map[string]string // arguments by call
}

func (b *marking) Ask(ctx context.Context, in hook.Input) hook.Answer {
	switch in.Moment {
	case hook.PreToolUse:
	case hook.UserPromptSubmit:
		return hook.Answer{Context: "said before"}
	case hook.PostToolUse:
		return hook.Answer{Context: "looked at " + in.ToolCallID}
	default:
		return hook.Answer{}
	}
	events, err := b.store().Read(context.Background(), testSession, 0, 0)
	if err != nil {
		b.t("read: %v", err)
	}
	for _, ev := range events {
		if s, err := event.Decode[event.ToolStarted](ev); err == nil && s.ToolCallID == in.ToolCallID {
			b.t("call %s is asked about after its start", in.ToolCallID)
		}
		if h, err := event.Decode[event.Hook](ev); err == nil && h.Hook == "PreToolUse" && h.ToolCallID == in.ToolCallID {
			b.t("call %s is asked about again", in.ToolCallID)
		}
	}
	if strings.HasPrefix(in.Tool, "pure") {
		return hook.Answer{Decision: hook.Deny, Reason: "nothing pure"}
	}
	return hook.Answer{UpdatedInput: json.RawMessage(fmt.Sprintf(`{"key":%q,"by":"hook"}`, in.ToolCallID))}
}

// Every moment at which the program can die, with hooks: what they have decided
// holds, calls run with the arguments they gave, and nobody is asked twice about
// what was decided.
func TestHooksAndCrashesAtEveryEvent(t *testing.T) {
	story := []round{{"read", "pure"}, {"keyed", "once"}, {"ask", "read"}}
	for i := range 4 {
		leave, torn := i%2 == 1, i > 1
		t.Run(fmt.Sprintf("leave=%v,torn=%v", leave, torn), func(t *testing.T) {
			deaths := 0
			for k := 1; ; k++ {
				died := false
				inBubble(t, func(t *testing.T) {
					b := &marking{t: func(format string, args ...any) { t.Errorf("k=%d: %s", k, fmt.Sprintf(format, args...)) }, ran: map[string]string{}}
					died = crashAt(t, t, story, k, leave, torn, func(s *setup) {
						store := s.store
						b.store, s.hooks = func() journal.Store { return store }, b
						for _, tl := range s.tools {
							watch(tl, b)
						}
					})
					for id, args := range b.ran {
						if args != fmt.Sprintf(`{"key":%q,"by":"hook"}`, id) {
							t.Errorf("k=%d: %s ran with %s", k, id, args)
						}
						if id == "c0_1" {
							t.Errorf("k=%d: the forbidden call ran", k)
						}
					}
				})
				if !died {
					break
				}
				deaths++
			}
			if deaths < 50 {
				t.Errorf("only %d moments were tried", deaths)
			}
		})
	}
}

// watch keeps the arguments that a tool's calls run with.
func watch(t tool.Tool, b *marking) {
	f, ok := t.(*fake)
	if k, keyed := t.(*keyedTool); keyed {
		f, ok = k.fake, true
	}
	if !ok {
		return
	}
	run := f.run
	f.run = func(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
		b.mu.Lock()
		b.ran[env.CallID()] = string(args)
		b.mu.Unlock()
		return run(ctx, env, args)
	}
}

// A gate that was open when the program ended shows the same call again, and what
// was approved is what runs; nobody asks the hook again.
func TestHookedGateAcrossARestart(t *testing.T) {
	for _, answered := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			var ran []string
			act := newFake("act", func(_ context.Context, _ tool.Env, args json.RawMessage) (tool.Result, error) {
				ran = append(ran, string(args))
				return tool.Success("ok"), nil
			})
			act.risk = func(json.RawMessage) tool.Risk { return tool.Risk{Effect: event.Once, Gate: tool.Ask} }
			b := at(hook.PreToolUse, hook.Answer{UpdatedInput: json.RawMessage(`{"x":2}`), Context: "be careful"})
			m := &script{steps: []step{use(call("1", "act", `{"x":1}`)), say("done")}}
			store := &mortal{Memory: journal.NewMemory(), left: 1 << 30}
			set := func(s *setup) { withHooks(b, act)(s); s.store = store }
			r := start(t, m, set)
			r.turn("go")
			if answered { // and killed before anything follows
				store.mu.Lock()
				store.left = 1
				store.mu.Unlock()
				r.submit(event.ExecApproval{Approvals: []event.Approval{{ToolCallID: "1", Approved: true}}})
				after(time.Second, r.stop)
				store.left = 1 << 30
			} else {
				r.stop()
			}
			again := start(t, m, func(s *setup) { set(s); s.resume = true })
			got := again.ending()
			if !answered {
				if g := one[event.ApprovalRequired](t, got); string(g.Tools[0].Arguments) != `{"x":2}` {
					t.Errorf("shown: %s", g.Tools[0].Arguments)
				}
				again.submit(event.ExecApproval{Approvals: []event.Approval{{ToolCallID: "1", Approved: true}}})
				again.ending()
			}
			if strings.Join(ran, " ") != `{"x":2}` || len(b.of(hook.PreToolUse)) != 1 {
				t.Errorf("answered=%v: ran %v, asked %d times", answered, ran, len(b.of(hook.PreToolUse)))
			}
			if out := results(m.request(t, 1))["1"]; !strings.HasPrefix(out, "[A hook changed the arguments") || !strings.HasSuffix(out, "[PreToolUse hook] be careful") {
				t.Errorf("the model is told %q", out)
			}
		})
	}
}

// A program that ends while a hook runs leaves the question to the next run: no
// call runs and no message is heard without its answer.
func TestKilledDuringAHook(t *testing.T) {
	for _, moment := range []hook.Moment{hook.UserPromptSubmit, hook.PreToolUse, hook.Stop, hook.SessionStart} {
		t.Run(string(moment), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				ran := 0
				act := newFake("act", func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
					ran++
					return tool.Success("ok"), nil
				})
				m := &script{steps: []step{use(call("1", "act", `{}`)), say("done"), say("done")}}
				r := start(t, m, withHooks(hanging(moment), act))
				r.input("go")
				after(time.Second, r.stop)
				if (ran > 0) != (moment == hook.Stop) {
					t.Errorf("ran %d times", ran)
				}
				if told := find[event.ToolCall](t, r.all()); moment == hook.PreToolUse && len(told) > 0 {
					t.Errorf("announced before it was decided about: %+v", told)
				}
				if moment == hook.UserPromptSubmit && len(r.state().Messages) > 1 {
					t.Errorf("heard: %+v", r.state().Messages)
				}
				b := at(moment, hook.Answer{Decision: hook.Deny, Reason: "no"})
				if moment == hook.Stop {
					b.answer = func(_ context.Context, in hook.Input) hook.Answer {
						if in.Moment == hook.Stop && !in.Again {
							return hook.Answer{Decision: hook.Deny, Reason: "go on"}
						}
						return hook.Answer{}
					}
				}
				again := start(t, m, func(s *setup) { withHooks(b, act)(s); s.store, s.resume = r.store, true })
				got := again.ending()
				if len(b.of(moment)) == 0 {
					t.Fatal("nobody was asked again")
				}
				end := got[len(got)-1].Type
				switch moment {
				case hook.UserPromptSubmit:
					if end != event.TypeError || m.calls() != 0 || again.state().Turn != nil {
						t.Errorf("%v", names(got))
					}
				case hook.PreToolUse:
					if out := one[event.ToolOutput](t, got); ran != 0 || !strings.Contains(out.Output, "forbids it: no") {
						t.Errorf("ran %d times: %+v", ran, out)
					}
				case hook.Stop:
					if len(b.of(hook.Stop)) != 2 || end != event.TypeTurnComplete {
						t.Errorf("asked %d times, %v", len(b.of(hook.Stop)), names(got))
					}
				}
				for i := range m.calls() {
					valid(t, llm.Request{Messages: m.request(t, i).Messages})
				}
			})
		})
	}
}
