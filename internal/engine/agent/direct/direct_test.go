package direct_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/hook"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/direct"
	"github.com/ml-intern/ml-intern/internal/engine/agent/setup"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
	"github.com/ml-intern/ml-intern/internal/engine/window"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a tool whose behaviour a test gives.
type fake struct {
	spec   tool.Spec
	risk   tool.Risk
	run    func(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error)
	closed atomic.Int32
	attach func(s tool.Session)
}

func (f *fake) Spec() tool.Spec                { return f.spec }
func (f *fake) Risk(json.RawMessage) tool.Risk { return f.risk }
func (f *fake) Close(context.Context) error    { f.closed.Add(1); return nil }
func (f *fake) Attach(s tool.Session) {
	if f.attach != nil {
		f.attach(s)
	}
}

func (f *fake) Run(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	if f.run == nil {
		return tool.Success(f.spec.Name + " ok"), nil
	}
	return f.run(ctx, env, args)
}

type runs = func(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error)

func newFake(name string, risk tool.Risk, run runs) *fake {
	return &fake{spec: tool.Spec{
		Name: name, Description: name, MaxOutput: 2000,
		Parameters: json.RawMessage(`{"type":"object","properties":{"n":{"type":"integer"}},"additionalProperties":false}`),
	}, risk: risk, run: run}
}

var (
	looks = tool.Risk{Effect: event.Read}
	acts  = tool.Risk{Effect: event.Once}
)

// model answers every request of a sub-agent with one text.
type model struct{ text string }

func (m model) Describe(context.Context, string) (llm.Info, error) {
	return llm.Info{ID: "test/model", Window: 200_000, WindowKnown: true, Prices: &llm.Prices{}, PriceSource: llm.PriceTable, TokenFactor: 1}, nil
}

func (m model) Stream(context.Context, llm.Request) iter.Seq2[llm.Chunk, error] {
	return func(yield func(llm.Chunk, error) bool) {
		yield(llm.Done{Message: llm.Message{Role: llm.Assistant, Text: m.text}, Finish: llm.FinishStop, Usage: &llm.Usage{Prompt: 10, Completion: 1, Total: 11}}, nil)
	}
}

func open(t *testing.T, change func(*setup.Options, *policy.Options), tools ...tool.Tool) *direct.Session {
	t.Helper()
	m := model{"found it"}
	p := policy.Options{Mode: policy.ModeAsk, Workspace: []string{"/w"}}
	o := setup.Options{
		SessionID: "s", Describe: m.Describe, Tools: tools,
		Caller:   inference.New(inference.Options{Model: m, Describe: m.Describe, Estimate: window.Text}),
		Settings: setup.Settings{Model: "test/model", MaxParallel: 4, Workdir: "/w", Headless: true},
	}
	if change != nil {
		change(&o, &p)
	}
	rules, err := policy.New(p)
	if err != nil {
		t.Fatal(err)
	}
	o.Policy = rules
	s, err := direct.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func quiet(string) {}

func do(t *testing.T, s *direct.Session, name, args string) direct.Outcome {
	t.Helper()
	return s.Call(t.Context(), name, json.RawMessage(args), quiet)
}

func TestNewRefuses(t *testing.T) {
	if _, err := direct.New(setup.Options{}); err == nil {
		t.Error("a session of nothing is made")
	}
}

func TestCalls(t *testing.T) {
	var got string
	takes := newFake("takes", looks, func(_ context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
		got = string(args)
		return tool.Success(env.SessionID() + " " + env.CallID()), nil
	})
	fails := newFake("fails", looks, func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
		return tool.Failed("it did not work"), nil
	})
	breaks := newFake("breaks", looks, func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
		return tool.Result{}, errors.New("no connection")
	})
	panics := newFake("panics", looks, func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) { panic("oh") })
	floods := newFake("floods", looks, func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
		return tool.Success(strings.Repeat("x", 100_000)), nil
	})
	s := open(t, nil, takes, fails, breaks, panics, floods)
	if o := do(t, s, "takes", `{"n":"7"}`); !o.OK || got != `{"n":7}` || !strings.HasPrefix(o.Output, "s call_1") {
		t.Errorf("%+v, %s", o, got)
	}
	for args, want := range map[string]string{
		`{"n":"x"}`: "Invalid arguments for takes", `[]`: "Invalid arguments for takes", `{`: "Invalid arguments for takes",
	} {
		if o := do(t, s, "takes", args); o.OK || !o.Invalid || !strings.HasPrefix(o.Output, want) {
			t.Errorf("%s: %+v", args, o)
		}
	}
	if o := do(t, s, "take", `{}`); !o.Invalid || !strings.Contains(o.Output, `Unknown tool "take"`) {
		t.Errorf("%+v", o)
	}
	for name, want := range map[string]string{"fails": "it did not work", "breaks": "breaks could not run: no connection", "panics": "panics failed inside: oh"} {
		if o := do(t, s, name, `{}`); o.OK || o.Invalid || o.Refused || o.Output != want {
			t.Errorf("%+v", o)
		}
	}
	if o := do(t, s, "floods", `{}`); !o.OK || len(o.Output) > 2200 {
		t.Errorf("%d bytes", len(o.Output))
	}
}

// What would ask, what a rule forbids and what changes something where only
// looking is permitted does not run.
func TestRefused(t *testing.T) {
	gated := tool.Risk{Effect: event.Once, Gate: tool.Ask, Reason: "it costs money"}
	always := tool.Risk{Effect: event.Once, Gate: tool.Always, Reason: "it comes again and again"}
	command := tool.Risk{Effect: event.Once, Command: "rm -rf /", Dir: "/w"}
	for name, tt := range map[string]struct {
		mode   policy.Mode
		deny   []string
		risk   tool.Risk
		runs   bool
		reason string
		action policy.Action
		always bool
	}{
		"looks":                    {mode: policy.ModePlan, risk: looks, runs: true},
		"acts where none may":      {mode: policy.ModePlan, risk: acts, reason: "plan mode only looks", action: policy.Refuse},
		"acts":                     {mode: policy.ModeAsk, risk: acts, runs: true},
		"would ask":                {mode: policy.ModeAsk, risk: gated, reason: "it costs money", action: policy.Ask},
		"is not asked about":       {mode: policy.ModeYolo, risk: gated, runs: true},
		"needs a person":           {mode: policy.ModeYolo, risk: always, reason: "it comes again and again", action: policy.Ask, always: true},
		"a dangerous command":      {mode: policy.ModeAsk, risk: command, reason: "rm", action: policy.Ask},
		"forbidden, in every mode": {mode: policy.ModeYolo, deny: []string{"x"}, risk: looks, reason: "the rule x denies it", action: policy.Refuse},
	} {
		t.Run(name, func(t *testing.T) {
			ran := false
			f := newFake("x", tt.risk, func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
				ran = true
				return tool.Success("done"), nil
			})
			s := open(t, func(_ *setup.Options, p *policy.Options) { p.Mode, p.Deny = tt.mode, tt.deny }, f)
			o := do(t, s, "x", `{}`)
			if ran != tt.runs || o.OK != tt.runs || o.Refused == tt.runs {
				t.Errorf("ran %v: %+v", ran, o)
			}
			if !tt.runs && (!strings.Contains(o.Output, tt.reason) || o.Verdict.Action != tt.action || o.Verdict.Always != tt.always || o.Capped) {
				t.Errorf("%+v", o)
			}
			if strings.Contains(o.Output, "finish the plan") {
				t.Errorf("it speaks of a conversation: %s", o.Output)
			}
		})
	}
}

// hooks decide as a test says.
type hooks func(in hook.Input) hook.Answer

func (h hooks) Ask(_ context.Context, in hook.Input) hook.Answer { return h(in) }

func TestHooks(t *testing.T) {
	var seen string
	f := newFake("x", acts, func(_ context.Context, _ tool.Env, args json.RawMessage) (tool.Result, error) {
		seen = string(args)
		return tool.Success("done"), nil
	})
	s := open(t, func(o *setup.Options, _ *policy.Options) {
		o.Hooks = hooks(func(in hook.Input) hook.Answer {
			switch {
			case in.Moment == hook.PostToolUse:
				return hook.Answer{Context: "and look at the log"}
			case string(in.Arguments) == `{"n":1}`:
				return hook.Answer{Decision: hook.Deny, Reason: "not today"}
			}
			return hook.Answer{UpdatedInput: json.RawMessage(`{"n":3}`)}
		})
	}, f)
	if o := do(t, s, "x", `{"n":1}`); !o.Refused || seen != "" || !strings.Contains(o.Output, "not today") || o.Verdict.Reason != "" {
		t.Errorf("%+v, %s", o, seen)
	}
	if o := do(t, s, "x", `{"n":2}`); !o.OK || seen != `{"n":3}` || !strings.Contains(o.Output, "and look at the log") {
		t.Errorf("%+v, %s", o, seen)
	}
}

// One cap holds for all calls together: what one has reserved the next cannot
// spend.
func TestCap(t *testing.T) {
	spent := int64(400_000)
	f := newFake("x", tool.Risk{Effect: event.Once, Cost: &tool.Cost{Kind: event.SpendJob, MicroUSD: 600_000, Known: true, Source: "static"}},
		func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
			return tool.Result{Output: "done", OK: true, ActualMicroUSD: &spent}, nil
		})
	s := open(t, func(o *setup.Options, p *policy.Options) {
		o.Settings.CapMicroUSD, o.Settings.CapByUser = 1_000_000, true
		p.Mode = policy.ModeYolo
	}, f)
	if o := do(t, s, "x", `{}`); !o.OK {
		t.Fatalf("%+v", o)
	}
	if s.Spent() != spent {
		t.Errorf("spent %d", s.Spent())
	}
	if o := do(t, s, "x", `{}`); !o.OK {
		t.Fatalf("%+v", o)
	}
	if o := do(t, s, "x", `{}`); !o.Refused || !o.Capped || s.Spent() != 2*spent {
		t.Errorf("%+v, spent %d", o, s.Spent())
	}
}

// What is looked up is numbered over all calls, and from then on acts that
// others see would ask, whatever a rule allows.
func TestEvidence(t *testing.T) {
	reads := newFake("reads", looks, func(_ context.Context, env tool.Env, _ json.RawMessage) (tool.Result, error) {
		return tool.Success(env.Evidence(event.Evidence{URL: "https://page.example", FetchedAt: time.Now()})), nil
	})
	posts := newFake("posts", tool.Risk{Effect: event.Once, Outward: true}, nil)
	s := open(t, func(_ *setup.Options, p *policy.Options) { p.Allow = []string{"posts"} }, reads, posts)
	if o := do(t, s, "posts", `{}`); !o.OK {
		t.Errorf("%+v", o)
	}
	for _, want := range []string{"S1", "S2"} {
		if o := do(t, s, "reads", `{}`); o.Output != want {
			t.Errorf("%+v, want %s", o, want)
		}
	}
	if o := do(t, s, "posts", `{}`); !o.Refused || !strings.Contains(o.Output, "page.example") {
		t.Errorf("%+v", o)
	}
}

// A tool may have a task done by an agent of its own, with the session's model.
func TestDelegates(t *testing.T) {
	f := newFake("asks", looks, func(ctx context.Context, env tool.Env, _ json.RawMessage) (tool.Result, error) {
		r := env.Delegate(ctx, tool.Delegation{Label: "l", Tool: "asks", System: "s", Task: "find it"})
		return tool.Success(r.Text), nil
	})
	s := open(t, nil, f)
	var mu sync.Mutex
	var lines []string
	o := s.Call(t.Context(), "asks", json.RawMessage(`{}`), func(line string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, line)
	})
	if !o.OK || o.Output != "found it" {
		t.Errorf("%+v", o)
	}
	if diff := cmp.Diff([]string{"Starting asks sub-agent...", "Asks complete."}, []string{lines[0], lines[len(lines)-1]}); diff != "" {
		t.Error(diff)
	}
}

// Progress is told while the call runs, and not behind its end.
func TestProgress(t *testing.T) {
	late := make(chan struct{})
	var wait sync.WaitGroup
	f := newFake("tells", looks, func(_ context.Context, env tool.Env, _ json.RawMessage) (tool.Result, error) {
		env.Log("one")
		env.Log("two")
		wait.Go(func() {
			<-late
			env.Log("three")
		})
		return tool.Success("done"), nil
	})
	s := open(t, nil, f)
	var lines []string
	s.Call(t.Context(), "tells", json.RawMessage(`{}`), func(line string) { lines = append(lines, line) })
	close(late)
	wait.Wait()
	if diff := cmp.Diff([]string{"one", "two"}, lines); diff != "" {
		t.Error(diff)
	}
}

// Calls run side by side, no more than are permitted, and those of a lane one
// after the other.
func TestSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most, inLane, mostInLane atomic.Int32
		raise := func(n, top *atomic.Int32) {
			v := n.Add(1)
			for {
				old := top.Load()
				if v <= old || top.CompareAndSwap(old, v) {
					return
				}
			}
		}
		work := func(lane bool) runs {
			return func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
				raise(&now, &most)
				if lane {
					raise(&inLane, &mostInLane)
					defer inLane.Add(-1)
				}
				defer now.Add(-1)
				time.Sleep(time.Second)
				return tool.Success("done"), nil
			}
		}
		laned := acts
		laned.Lane = "repo"
		s := open(t, nil, newFake("free", looks, work(false)), newFake("laned", laned, work(true)))
		begun := time.Now()
		var all sync.WaitGroup
		for i := range 12 {
			name := "free"
			if i%3 == 0 {
				name = "laned"
			}
			all.Go(func() {
				if o := s.Call(context.Background(), name, json.RawMessage(`{}`), quiet); !o.OK {
					t.Errorf("%+v", o)
				}
			})
		}
		all.Wait()
		if most.Load() != 4 || mostInLane.Load() != 1 {
			t.Errorf("%d at once, %d in the lane", most.Load(), mostInLane.Load())
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// A cancelled call ends within a second, whatever the tool does, and to the tool
// it is a person's interrupt. What waits for a place ends too.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		interrupted := false
		polite := newFake("polite", looks, func(ctx context.Context, _ tool.Env, _ json.RawMessage) (tool.Result, error) {
			<-ctx.Done()
			interrupted = tool.Interrupted(ctx)
			return tool.Result{}, ctx.Err()
		})
		stubborn := newFake("stubborn", tool.Risk{Effect: event.Once, Lane: "l"}, func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
			<-gate
			return tool.Success("too late"), nil
		})
		s := open(t, nil, polite, stubborn)
		for _, name := range []string{"polite", "stubborn", "stubborn"} {
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan direct.Outcome)
			go func() { done <- s.Call(ctx, name, json.RawMessage(`{}`), quiet) }()
			synctest.Wait()
			at := time.Now()
			cancel()
			o := <-done
			if took := time.Since(at); took > time.Second || o.OK || !strings.Contains(o.Output, "interrupted") {
				t.Errorf("%s: %+v after %s", name, o, took)
			}
		}
		if !interrupted {
			t.Error("the tool does not know that it was interrupted")
		}
		close(gate)
	})
}

// A call that waits for its lane, or for a place behind it, can be cancelled, and
// leaves nothing taken.
func TestCancelWaiting(t *testing.T) {
	for name, blocks := range map[string]string{"for its lane": "laned", "for a place": "free"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				wait := func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
					<-gate
					return tool.Success("done"), nil
				}
				laned := acts
				laned.Lane = "l"
				s := open(t, func(o *setup.Options, _ *policy.Options) { o.Settings.MaxParallel = 1 }, newFake("laned", laned, wait), newFake("free", looks, wait))
				first := make(chan direct.Outcome, 1)
				go func() { first <- s.Call(context.Background(), blocks, json.RawMessage(`{}`), quiet) }()
				synctest.Wait()
				for range 10 {
					ctx, cancel := context.WithTimeout(context.Background(), time.Second)
					if o := s.Call(ctx, "laned", json.RawMessage(`{}`), quiet); o.OK || !strings.Contains(o.Output, "was not started") {
						t.Errorf("%+v", o)
					}
					cancel()
				}
				close(gate)
				if o := <-first; !o.OK {
					t.Errorf("%+v", o)
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				if o := s.Call(ctx, "laned", json.RawMessage(`{}`), quiet); !o.OK {
					t.Errorf("%+v", o)
				}
			})
		})
	}
}

// Tools that go on between calls have the session, and are closed once.
func TestCompanions(t *testing.T) {
	var session tool.Session
	f := newFake("x", looks, nil)
	f.attach = func(s tool.Session) { session = s }
	s := open(t, func(o *setup.Options, _ *policy.Options) { o.Settings.CapMicroUSD = 1_000_000 }, f)
	if session == nil || session.ID() != "s" {
		t.Fatalf("%v", session)
	}
	cost := tool.Cost{Kind: event.SpendSandbox, MicroUSD: 700_000, Known: true, Source: "static"}
	if err := session.Reserve("a", "sandbox:x", cost); err != nil {
		t.Error(err)
	}
	if err := session.Reserve("b", "sandbox:y", cost); err == nil || s.Spent() != 700_000 {
		t.Errorf("%v, spent %d", err, s.Spent())
	}
	session.Emit(event.ToolLog{Log: "x"})
	session.Notice("x")
	if err := s.Close(t.Context()); err != nil || f.closed.Load() != 1 {
		t.Errorf("%v, closed %d times", err, f.closed.Load())
	}
	f.closed.Store(0)
}

// What calls leave behind does not grow with their number.
func TestManyCalls(t *testing.T) {
	f := newFake("x", looks, func(_ context.Context, env tool.Env, _ json.RawMessage) (tool.Result, error) {
		env.Log("a line")
		env.Evidence(event.Evidence{URL: "https://page.example"})
		return tool.Success(strings.Repeat("y", 1000)), nil
	})
	s := open(t, nil, f)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	calls := func(n int) {
		for i := range n {
			if o := do(t, s, "x", `{}`); !o.OK {
				t.Fatalf("%d: %+v", i, o)
			}
		}
	}
	calls(6000) // the ledger holds 5,000
	before := heap()
	calls(6000)
	if after := heap(); after > before+1<<20 {
		t.Errorf("from %d to %d bytes", before, after)
	}
}
