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
	"github.com/ml-intern/ml-intern/internal/domain/hook"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// beside is what stands beside the moments of a session: it keeps what it was
// asked and answers as a test wants.
type beside struct {
	answer func(ctx context.Context, in hook.Input) hook.Answer

	mu    sync.Mutex
	asked []hook.Input
}

func (b *beside) Ask(ctx context.Context, in hook.Input) hook.Answer {
	b.mu.Lock()
	b.asked = append(b.asked, in)
	b.mu.Unlock()
	if b.answer == nil {
		return hook.Answer{}
	}
	return b.answer(ctx, in)
}

// of are the questions about a moment.
func (b *beside) of(moment hook.Moment) []hook.Input {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []hook.Input
	for _, in := range b.asked {
		if in.Moment == moment {
			out = append(out, in)
		}
	}
	return out
}

// at answers at one moment.
func at(moment hook.Moment, a hook.Answer) *beside {
	return &beside{answer: func(_ context.Context, in hook.Input) hook.Answer {
		if in.Moment == moment {
			return a
		}
		return hook.Answer{}
	}}
}

// hanging hangs at one moment until nobody waits any more.
func hanging(moment hook.Moment) *beside {
	return &beside{answer: func(ctx context.Context, in hook.Input) hook.Answer {
		if in.Moment == moment {
			<-ctx.Done()
			if tool.Interrupted(ctx) { // what comes too late counts for nothing
				return hook.Answer{Decision: hook.Allow}
			}
		}
		return hook.Answer{}
	}}
}

func withHooks(b *beside, tools ...tool.Tool) func(*setup) {
	return func(s *setup) { s.hooks, s.tools = b, tools }
}

// What a hook decides about a call, in every mode: it never gets past a deny rule,
// plan mode, a gate that needs a person, an ask rule, the cap, or the question that
// text from outside makes an act ask.
func TestHooksDecideAboutCalls(t *testing.T) {
	const (
		run    = "run"
		gate   = "gate"
		refuse = "refuse"
	)
	kinds := map[string]struct {
		args string
		risk tool.Risk
		// by mode: plan, ask, auto-edit, upstream, yolo, and headless in mode ask.
		none, allow, asks [6]string
	}{
		"looks": {
			`{}`,
			tool.Risk{Effect: event.Read},
			[6]string{run, run, run, run, run, run},
			[6]string{run, run, run, run, run, run},
			[6]string{gate, gate, gate, gate, gate, refuse},
		},
		"changes": {
			`{}`,
			tool.Risk{Effect: event.Once},
			[6]string{refuse, run, run, run, run, run},
			[6]string{refuse, run, run, run, run, run},
			[6]string{refuse, gate, gate, gate, gate, refuse},
		},
		"asks": {
			`{}`,
			tool.Risk{Effect: event.Once, Gate: tool.Ask},
			[6]string{refuse, gate, gate, gate, run, refuse},
			[6]string{refuse, run, run, run, run, run},
			[6]string{refuse, gate, gate, gate, gate, refuse},
		},
		"always": {
			`{}`,
			tool.Risk{Effect: event.Once, Gate: tool.Always},
			[6]string{refuse, gate, gate, gate, gate, refuse},
			[6]string{refuse, gate, gate, gate, gate, refuse},
			[6]string{refuse, gate, gate, gate, gate, refuse},
		},
		"denied": {
			`{}`,
			tool.Risk{Effect: event.Read},
			[6]string{refuse, refuse, refuse, refuse, refuse, refuse},
			[6]string{refuse, refuse, refuse, refuse, refuse, refuse},
			[6]string{refuse, refuse, refuse, refuse, refuse, refuse},
		},
		"asked": { // by a rule
			`{}`,
			tool.Risk{Effect: event.Once},
			[6]string{refuse, gate, gate, gate, run, refuse},
			[6]string{refuse, gate, gate, gate, run, refuse},
			[6]string{refuse, gate, gate, gate, gate, refuse},
		},
		"costs": {
			`{}`,
			tool.Risk{Effect: event.Keyed, Gate: tool.Ask, Cost: &tool.Cost{Kind: event.SpendJob, MicroUSD: 9_000_000, Known: true}},
			[6]string{refuse, gate, gate, gate, gate, refuse},
			[6]string{refuse, gate, gate, gate, gate, refuse},
			[6]string{refuse, gate, gate, gate, gate, refuse},
		},
		"tells": { // others, after text from outside was read
			`{}`,
			tool.Risk{Effect: event.Once, Outward: true},
			[6]string{refuse, gate, gate, gate, run, refuse},
			[6]string{refuse, gate, gate, gate, run, refuse},
			[6]string{refuse, gate, gate, gate, gate, refuse},
		},
	}
	modes := []policy.Mode{policy.ModePlan, policy.ModeAsk, policy.ModeAutoEdit, policy.ModeUpstream, policy.ModeYolo, policy.ModeAsk}
	for name, kind := range kinds {
		for i, mode := range modes {
			headless := i == 5
			for decision, want := range map[hook.Decision]string{"": kind.none[i], hook.Allow: kind.allow[i], hook.Ask: kind.asks[i], hook.Deny: refuse} {
				t.Run(fmt.Sprintf("%s/%s/headless=%v/%s", name, mode, headless, decision), func(t *testing.T) {
					inBubble(t, func(t *testing.T) {
						ran := 0
						f := newFake(name, func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
							ran++
							return tool.Success("ok"), nil
						})
						f.risk = func(json.RawMessage) tool.Risk { return kind.risk }
						page := newFake("page", func(_ context.Context, env tool.Env, _ json.RawMessage) (tool.Result, error) {
							env.Evidence(event.Evidence{Tool: "page", URL: "https://example.test/"})
							return tool.Success("a page"), nil
						})
						b := &beside{answer: func(_ context.Context, in hook.Input) hook.Answer {
							if in.Moment == hook.PreToolUse && in.Tool == name {
								return hook.Answer{Decision: decision, Reason: "the hook says so", By: "check.sh"}
							}
							return hook.Answer{}
						}}
						m := &script{steps: []step{use(call("p", "page", `{}`)), use(call("c", name, kind.args)), say("done")}}
						r := start(t, m, func(s *setup) {
							withHooks(b, f, page)(s)
							s.policy.Mode, s.policy.Headless, s.settings.Headless = mode, headless, headless
							s.policy.Deny, s.policy.Ask, s.settings.CapMicroUSD = []string{"denied"}, []string{"asked"}, 5_000_000
						})
						got := r.turn("go")
						end := got[len(got)-1].Type
						switch want {
						case run:
							if ran != 1 || end != event.TypeTurnComplete {
								t.Errorf("ran %d times, the turn ended with %s", ran, end)
							}
						case gate:
							if ran != 0 || end != event.TypeApprovalRequired {
								t.Fatalf("ran %d times, the turn ended with %s", ran, end)
							}
							if g := one[event.ApprovalRequired](t, got); decision == hook.Ask && kind.risk.Gate != tool.Always && g.Tools[0].Reason != "a hook asks: the hook says so" {
								t.Errorf("it asks because %q", g.Tools[0].Reason)
							}
						case refuse:
							out := find[event.ToolOutput](t, got)
							if ran != 0 || end != event.TypeTurnComplete || len(out) != 2 || out[1].Success {
								t.Errorf("ran %d times, %+v, the turn ended with %s", ran, out, end)
							}
							if decision == hook.Deny && !strings.HasSuffix(out[1].Output, "a hook of the user's forbids it: the hook says so") {
								t.Errorf("the model is told %q", out[1].Output)
							}
						}
						decided := find[event.Hook](t, got)
						if decision == "" {
							if len(decided) > 0 {
								t.Errorf("told %+v", decided)
							}
							return
						}
						told := event.Hook{Hook: "PreToolUse", Decision: string(decision), Reason: "the hook says so", By: "check.sh", Tool: name, ToolCallID: "c"}
						if diff := cmp.Diff([]event.Hook{told}, decided); diff != "" {
							t.Error(diff)
						}
					})
				})
			}
		}
	}
}

// shaped is a tool whose calls need a command.
func shaped(ran *[]string) *fake {
	f := newFake("bash", func(_ context.Context, _ tool.Env, args json.RawMessage) (tool.Result, error) {
		*ran = append(*ran, string(args))
		return tool.Success("out"), nil
	})
	f.spec.Parameters = json.RawMessage(`{"type":"object","properties":{"command":{"type":"string"},"timeout":{"type":"integer"}},"required":["command"],"additionalProperties":false}`)
	f.risk = func(args json.RawMessage) tool.Risk {
		var in struct{ Command string }
		_ = json.Unmarshal(args, &in)
		return tool.Risk{Effect: event.Once, Command: in.Command, Dir: "/w"}
	}
	return f
}

// New arguments pass the schema like the model's own (decision 73); in that form
// the call is told, shown, judged and run. The history keeps what the model wrote.
func TestHooksChangeArguments(t *testing.T) {
	for name, c := range map[string]struct {
		updated string
		change  func(*setup)
		runs    string // the arguments that run
		says    string // in what the model is told
		gated   string // the arguments that are shown
	}{
		"changed":    {updated: `{"command":"ls -la","timeout":"7"}`, runs: `{"command":"ls -la","timeout":7}`, says: "[A hook changed the arguments before the call ran; this output is from the changed version.]\nout"},
		"unknown":    {updated: `{"command":"ls", "why":"because"}`, runs: `{"command":"ls"}`, says: "(note:"},
		"bad":        {updated: `{"timeout":7}`, says: "the arguments that a hook of the user's has put in the place of yours are wrong. Invalid arguments for bash"},
		"no object":  {updated: `"ls"`, runs: `{"command":"pip install x"}`, says: "out"},
		"denied":     {updated: `{"command":"rm -rf data"}`, change: func(s *setup) { s.policy.Deny = []string{"bash(rm *)"} }, says: "the rule bash(rm *) denies it"},
		"now asked":  {updated: `{"command":"git push"}`, change: func(s *setup) { s.policy.Ask = []string{"bash(git *)"} }, gated: `{"command":"git push"}`},
		"not denied": {updated: `{"command":"uv add x"}`, change: func(s *setup) { s.policy.Deny = []string{"bash(pip *)"} }, runs: `{"command":"uv add x"}`, says: "out"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				var ran []string
				b := at(hook.PreToolUse, hook.Answer{UpdatedInput: json.RawMessage(c.updated)})
				m := &script{steps: []step{use(call("c", "bash", `{"command":"pip install x"}`)), say("done")}}
				r := start(t, m, func(s *setup) {
					withHooks(b, shaped(&ran))(s)
					if c.change != nil {
						c.change(s)
					}
				})
				got := r.turn("go")
				if in := b.of(hook.PreToolUse); len(in) != 1 || string(in[0].Arguments) != `{"command":"pip install x"}` || in[0].Tool != "bash" || in[0].ToolCallID != "c" || in[0].Cwd != "/w" || in[0].Mode != "upstream" || in[0].SessionID != testSession {
					t.Fatalf("asked %+v", in)
				}
				if c.gated != "" {
					if g := one[event.ApprovalRequired](t, got); string(g.Tools[0].Arguments) != c.gated {
						t.Errorf("shown: %s", g.Tools[0].Arguments)
					}
					r.submit(event.ExecApproval{Approvals: []event.Approval{{ToolCallID: "c", Approved: true}}})
					got = r.ending()
					c.runs, c.says = c.gated, "[A hook changed the arguments"
				} else if told := one[event.ToolCall](t, got); c.runs != "" && string(told.Arguments) != c.runs {
					t.Errorf("announced: %s", told.Arguments)
				}
				if strings.Join(ran, " ") != c.runs {
					t.Errorf("ran %s, want %s", ran, c.runs)
				}
				if out := one[event.ToolOutput](t, got); !strings.Contains(out.Output, c.says) {
					t.Errorf("the model is told %q, want %q", out.Output, c.says)
				}
				if wrote := r.state().Messages[2].ToolCalls[0].Arguments; wrote != `{"command":"pip install x"}` {
					t.Errorf("the history says %s", wrote)
				}
				if name == "no object" {
					if log := one[event.ToolLog](t, got); !strings.Contains(log.Log, "no JSON object") {
						t.Errorf("told %+v", log)
					}
				}
			})
		})
	}
}

// What hooks have to say goes with the result, the decision stands in the journal
// before it, and what a hook changes behind a call belongs to the call's checkpoint.
func TestHooksBehindCalls(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorkspace()
		var seen []string
		b := &beside{answer: func(_ context.Context, in hook.Input) hook.Answer {
			switch {
			case in.Moment == hook.PreToolUse && in.ToolCallID == "no":
				return hook.Answer{Decision: hook.Deny}
			case in.Moment == hook.PreToolUse:
				return hook.Answer{Context: "before " + in.ToolCallID}
			case in.Moment == hook.PostToolUse:
				w.mu.Lock()
				seen = append(seen, fmt.Sprintf("%s %v %s", in.ToolCallID, in.OK, in.Output))
				w.files["formatted"] = in.ToolCallID
				w.mu.Unlock()
				return hook.Answer{Decision: hook.Deny, Reason: "not good", Context: "after " + in.ToolCallID}
			}
			return hook.Answer{}
		}}
		m := &script{steps: []step{
			use(call("w", "write", `{"path":"a","text":"1"}`), call("no", "write", `{"path":"b","text":"1"}`), call("f", "write", `{"path":"c","text":"1","fail":true}`), call("bad", "write", `{`)),
			say("done"),
		}}
		r := start(t, m, func(s *setup) { withWorkspace(w, w.writer())(s); s.hooks = b })
		got := r.turn("go")
		out := results(m.request(t, 1))
		if !strings.HasSuffix(out["w"], "\n[PreToolUse hook] before w\n[PostToolUse hook] not good\nafter w") || !strings.HasSuffix(out["f"], "after f") {
			t.Errorf("the model is told %q and %q", out["w"], out["f"])
		}
		if !strings.HasSuffix(out["no"], "forbids it: no reason was given") || strings.Contains(out["bad"], "hook") {
			t.Errorf("the model is told %q and %q", out["no"], out["bad"])
		}
		if len(seen) != 2 || !strings.Contains(strings.Join(seen, "\n"), "w true ") || !strings.Contains(strings.Join(seen, "\n"), "f false ") {
			t.Errorf("asked about %q", seen)
		}
		for _, cp := range find[event.Checkpoint](t, got) {
			if cp.ToolCallID == "w" && !strings.Contains(fmt.Sprint(cp.Files), "formatted") {
				t.Errorf("the checkpoint of w has %+v", cp.Files)
			}
		}
		var post []string
		for i, ev := range got {
			if ev.Type != event.TypeHook {
				continue
			}
			if h, _ := event.Decode[event.Hook](ev); h.Hook == "PostToolUse" {
				post = append(post, h.ToolCallID)
				if at := position(got, event.TypeToolOutput, h.ToolCallID); at < i {
					t.Errorf("%+v stands behind the result", h)
				}
			}
		}
		if len(post) != 2 {
			t.Errorf("told of %v", post)
		}
	})
}

// Calls of a lane wait for what stands behind the ones before them; others do not.
func TestHooksBehindCallsKeepTheLane(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		note := func(what string) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, what)
		}
		b := &beside{answer: func(_ context.Context, in hook.Input) hook.Answer {
			if in.Moment == hook.PostToolUse {
				time.Sleep(time.Second)
				note("hook " + in.ToolCallID)
			}
			return hook.Answer{}
		}}
		f := newFake("edit", func(_ context.Context, env tool.Env, _ json.RawMessage) (tool.Result, error) {
			note("run " + env.CallID())
			return tool.Success("ok"), nil
		})
		f.risk = func(json.RawMessage) tool.Risk { return tool.Risk{Effect: event.Once, Lane: "a.py"} }
		m := &script{steps: []step{use(call("1", "edit", `{}`), call("2", "edit", `{"x":1}`)), use(call("3", "read", `{}`), call("4", "read", `{"x":1}`)), say("done")}}
		r := start(t, m, withHooks(b, f, newFake("read", nil)))
		began := time.Now()
		r.turn("go")
		if got := strings.Join(order[:4], ", "); got != "run 1, hook 1, run 2, hook 2" {
			t.Error(got)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("took %v: two of a lane, then two side by side", took)
		}
	})
}

// The questions about the calls of one answer are asked side by side.
func TestHooksBeforeCallsRunSideBySide(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := &beside{answer: func(_ context.Context, in hook.Input) hook.Answer {
			if in.Moment == hook.PreToolUse {
				time.Sleep(time.Second)
			}
			return hook.Answer{}
		}}
		m := &script{steps: []step{use(call("1", "read", `{"n":1}`), call("2", "read", `{"n":2}`), call("3", "read", `{"n":3}`)), say("done")}}
		r := start(t, m, withHooks(b, newFake("read", nil)))
		began := time.Now()
		r.turn("go")
		if took := time.Since(began); took != time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// What goes wrong with a hook is told and changes nothing.
func TestFailuresOfHooksAreTold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := &beside{answer: func(_ context.Context, in hook.Input) hook.Answer {
			return hook.Answer{Warnings: []string{string(in.Moment) + " is broken"}}
		}}
		m := &script{steps: []step{use(call("1", "read", `{}`)), say("done")}}
		r := start(t, m, withHooks(b, newFake("read", nil)))
		got := r.turn("go")
		var told []string
		for _, l := range find[event.ToolLog](t, got) {
			told = append(told, l.Tool+": "+l.Log)
		}
		want := []string{"SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop"}
		for i := range want {
			want[i] = "system: " + want[i] + " is broken"
		}
		slices.Sort(want)
		slices.Sort(told)
		if diff := cmp.Diff(want, told); diff != "" {
			t.Error(diff)
		}
		if len(find[event.Hook](t, got)) > 0 || got[len(got)-1].Type != event.TypeTurnComplete || m.calls() != 2 {
			t.Errorf("%v", names(got))
		}
	})
}

// Somebody who interrupts waits for no hook; the calls whose hooks have not decided
// do not run.
func TestInterruptDuringHooks(t *testing.T) {
	for _, moment := range []hook.Moment{hook.SessionStart, hook.UserPromptSubmit, hook.PreToolUse, hook.PostToolUse, hook.Stop} {
		t.Run(string(moment), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				ran := 0
				f := newFake("act", func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
					ran++
					return tool.Success("acted"), nil
				})
				b := hanging(moment)
				m := &script{steps: []step{use(call("1", "act", `{}`)), say("done"), say("again")}}
				r := start(t, m, withHooks(b, f))
				r.input("go")
				began := time.Now()
				after(time.Second, r.agent.Interrupt)
				got := r.ending()
				end := event.TypeInterrupted
				if moment == hook.Stop { // the answer is there
					end = event.TypeTurnComplete
				}
				if last := got[len(got)-1]; last.Type != end || time.Since(began) > 1100*time.Millisecond {
					t.Fatalf("%v after %v", names(got), time.Since(began))
				}
				want := map[hook.Moment]int{hook.PostToolUse: 1, hook.Stop: 1}[moment]
				if ran != want || len(find[event.Hook](t, got)) > 0 {
					t.Errorf("ran %d times, %v", ran, names(got))
				}
				if moment == hook.PostToolUse { // it has acted: its result is told as it is
					if out := one[event.ToolOutput](t, got); out.Output != "acted" || !out.Success {
						t.Errorf("%+v", out)
					}
				}
				if err := check(append(r.state().Messages, llm.Message{Role: llm.User})); err != nil {
					t.Error(err)
				}
				r.stop()
			})
		})
	}
}

// A hook behind a call that does not listen holds up nobody who interrupts: the
// result is there.
func TestInterruptDuringADeafHook(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := &beside{answer: func(_ context.Context, in hook.Input) hook.Answer {
			if in.Moment == hook.PostToolUse {
				time.Sleep(time.Minute)
				return hook.Answer{Context: "too late"}
			}
			return hook.Answer{}
		}}
		m := &script{steps: []step{use(call("1", "act", `{}`)), say("done")}}
		r := start(t, m, withHooks(b, returns("act", "acted")))
		r.input("go")
		began := time.Now()
		after(time.Second, r.agent.Interrupt)
		got := r.ending()
		if out := one[event.ToolOutput](t, got); out.Output != "acted" || !out.Success || time.Since(began) > 3*time.Second {
			t.Errorf("%+v after %v", out, time.Since(began))
		}
	})
}

// What a person edits in an approval keeps what hooks had to say about the call.
func TestAnEditedCallKeepsTheWordsOfHooks(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := at(hook.PreToolUse, hook.Answer{Decision: hook.Ask, Reason: "unsure", Context: "be careful"})
		var ran []string
		m := &script{steps: []step{use(call("1", "bash", `{"command":"a"}`)), say("done")}}
		r := start(t, m, withHooks(b, shaped(&ran)))
		r.turn("go")
		r.submit(event.ExecApproval{Approvals: []event.Approval{{ToolCallID: "1", Approved: true, EditedArguments: json.RawMessage(`{"command":"b"}`)}}})
		r.ending()
		out := results(m.request(t, 1))["1"]
		if strings.Join(ran, " ") != `{"command":"b"}` || !strings.HasPrefix(out, "[The user edited the arguments") || !strings.HasSuffix(out, "[PreToolUse hook] be careful") || len(b.of(hook.PreToolUse)) != 1 {
			t.Errorf("ran %v, the model is told %q", ran, out)
		}
	})
}
