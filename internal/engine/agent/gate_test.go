package agent_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// repoFiles asks for delete and upload, like the Hub's file tool.
func repoFiles(ran *[]string) *fake {
	var mu sync.Mutex
	f := newFake("hf_repo_files", func(_ context.Context, env tool.Env, _ json.RawMessage) (tool.Result, error) {
		mu.Lock()
		defer mu.Unlock()
		*ran = append(*ran, env.CallID())
		return tool.Success("done"), nil
	})
	f.risk = func(args json.RawMessage) tool.Risk {
		if strings.Contains(string(args), `"delete"`) || strings.Contains(string(args), `"upload"`) {
			return tool.Risk{Effect: event.Keyed, Gate: tool.Ask, Reason: "changes a repository"}
		}
		return tool.Risk{Effect: event.Read}
	}
	return f
}

// jobs is a fake of the Hub's job tool: its price and its gate are those of
// the real one, in the parts that matter here.
func jobs(run func(ctx context.Context, env tool.Env, args json.RawMessage) (tool.Result, error)) *fake {
	f := newFake("hf_jobs", run)
	f.risk = func(args json.RawMessage) tool.Risk {
		var in struct {
			Operation string  `json:"operation"`
			Hardware  string  `json:"hardware_flavor"`
			USD       float64 `json:"usd"`
		}
		_ = json.Unmarshal(args, &in)
		op := strings.Join(strings.Fields(in.Operation), " ")
		switch op {
		case "scheduled run":
			return tool.Risk{Effect: event.Once, Gate: tool.Always, Operation: op, Reason: "scheduled jobs need manual approval"}
		case "run":
			cost := &tool.Cost{Kind: event.SpendJob, MicroUSD: policy.Micro(in.USD), Known: in.USD >= 0, Reason: "unknown hardware", Source: "static"}
			return tool.Risk{Effect: event.Keyed, Gate: tool.Ask, Operation: op, Cost: cost}
		}
		return tool.Risk{Effect: event.Read, Operation: op}
	}
	return f
}

// Acceptance check 10 of the engine.
func TestCheck10_GateAfterSiblings(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var ran []string
		m := &script{steps: []step{
			use(call("d", "hf_repo_files", `{"operation":"delete"}`), call("r", "hf_repo_files", `{"operation":"read"}`)), say("done"),
		}}
		r := start(t, m, withTools(repoFiles(&ran)))
		got := r.turn("hi")
		wantNames(t, got, "processing", "tool_call", "tool_output", "approval_required")
		gate := one[event.ApprovalRequired](t, got)
		if gate.Count != 1 || len(gate.Tools) != 1 || gate.Tools[0].ToolCallID != "d" || gate.ApprovalID != "gate_1" || gate.Block != nil {
			t.Errorf("gate is %+v", gate)
		}
		if c := one[event.ToolCall](t, got); c.ToolCallID != "r" {
			t.Errorf("announced %s", c.ToolCallID)
		}
		var raw map[string]any
		_ = json.Unmarshal(got[len(got)-1].Data, &raw)
		for _, key := range []string{"auto_approval_blocked", "block_reason", "estimated_cost_usd", "remaining_cap_usd"} {
			if _, has := raw[key]; has {
				t.Errorf("the gate has the key %s although nothing is blocked", key)
			}
		}
		r.approve("d")
		got = r.ending()
		wantNames(t, got, "tool_state_change", "tool_state_change", "tool_output", "processing", "turn_complete")
		states := find[event.ToolStateChange](t, got)
		if states[0].State != "approved" || states[1].State != "running" {
			t.Errorf("states %+v", states)
		}
		valid(t, m.request(t, 1))
		if strings.Join(ran, " ") != "r d" {
			t.Errorf("ran %v", ran)
		}
	})
}

// Acceptance check 11 of the engine.
func TestCheck11_Reject(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var ran []string
		m := &script{steps: []step{
			use(call("a", "hf_repo_files", `{"operation":"delete"}`)),
			use(call("b", "hf_repo_files", `{"operation":"delete"}`), call("c", "hf_repo_files", `{"operation":"upload"}`)), say("done"),
		}}
		r := start(t, m, withTools(repoFiles(&ran)))
		r.turn("hi")
		r.submit(event.ExecApproval{Approvals: []event.Approval{{ToolCallID: "a", Feedback: "use\u0007 main"}}})
		got := r.ending()
		out := one[event.ToolOutput](t, got)
		if out.Success || !strings.HasSuffix(out.Output, "User feedback: use main") {
			t.Errorf("output %+v", out)
		}
		if !strings.Contains(results(m.request(t, 1))["a"], "User feedback: use main") {
			t.Error("the model is not told")
		}
		r.submit(event.ExecApproval{Approvals: []event.Approval{{ToolCallID: "c", Approved: true}, {ToolCallID: "unknown", Approved: true}}})
		r.ending()
		if strings.Join(ran, " ") != "c" {
			t.Errorf("ran %v, want c alone", ran)
		}
		valid(t, m.request(t, 2))
		if !strings.Contains(results(m.request(t, 2))["b"], "cancelled by user") {
			t.Error("b was not rejected")
		}
	})
}

// Acceptance check 12 of the engine.
func TestCheck12_EditedScript(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		got := map[string]string{}
		var mu sync.Mutex
		record := func(_ context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
			mu.Lock()
			defer mu.Unlock()
			got[env.CallID()] = string(args)
			return tool.Success("job ran"), nil
		}
		other := gated("other", record)
		m := &script{steps: []step{
			use(call("j", "hf_jobs", `{"operation":"run","script":"print(1)"}`), call("o", "other", `{"ask":true}`)), say("done"),
		}}
		r := start(t, m, withTools(jobs(record), other))
		r.turn("hi")
		r.submit(event.ExecApproval{Approvals: []event.Approval{
			{ToolCallID: "j", Approved: true, EditedScript: "print(2)", Namespace: "acme"},
			{ToolCallID: "o", Approved: true, EditedScript: "print(2)", Namespace: "acme"},
		}})
		r.ending()
		if !strings.Contains(got["j"], `"print(2)"`) || !strings.Contains(got["j"], `"namespace":"acme"`) {
			t.Errorf("the job got %s", got["j"])
		}
		if strings.Contains(got["o"], "acme") || strings.Contains(got["o"], "print") {
			t.Errorf("the other tool got %s", got["o"])
		}
		req := m.request(t, 1)
		if out := results(req)["j"]; !strings.HasPrefix(out, "[The user edited the script") {
			t.Errorf("result %q", out)
		}
		if args := req.Messages[2].ToolCalls[0].Arguments; !strings.Contains(args, "print(1)") || strings.Contains(args, "acme") {
			t.Errorf("stored arguments %s", args)
		}
	})
}

// A request says what each call may spend, and the rules that would let it pass.
func TestGateTellsCostAndRules(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		job := func(id string, usd string) llm.ToolCall {
			return call(id, "hf_jobs", `{"operation":"run","namespace":"me","hardware_flavor":"t4-small","usd":`+usd+`}`)
		}
		m := &script{steps: []step{
			use(job("a", "1.5"), call("s", "hf_jobs", `{"operation":"scheduled run"}`), call("u", "hf_jobs", `{"operation":"run","usd":-1}`)),
		}}
		r := start(t, m, withTools(jobs(nil)))
		asked := one[event.ApprovalRequired](t, r.turn("hi")).Tools
		const rule = "hf_jobs(run, hardware=t4-small, max_cost<=1.5, namespace=me)"
		if c := asked[0].Cost; c == nil || *c.USD != 1.5 || c.PriceSource != "static" || !slices.Equal(asked[0].Rules, []string{rule}) {
			t.Errorf("the job: %+v, rules %q", c, asked[0].Rules)
		}
		if asked[1].Cost != nil || asked[1].Rules != nil {
			t.Errorf("the scheduled one: %+v", asked[1])
		}
		if c := asked[2].Cost; c == nil || c.USD != nil || c.Reason != "unknown hardware" || asked[2].Rules != nil {
			t.Errorf("the one without a price: %+v", asked[2])
		}
	})
}

// pathTool resolves a script path into what the file holds at that moment.
type pathTool struct {
	*fake
	mu   sync.Mutex
	file string
}

func (p *pathTool) Resolve(_ context.Context, args json.RawMessage) (json.RawMessage, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return json.RawMessage(strings.Replace(string(args), "/app/train.py", p.file, 1)), nil
}

// Acceptance check 13 of the engine: what was shown is what runs, also after a
// restart between the approval and the run.
func TestCheck13_ShownIsRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var ran string
		p := &pathTool{file: "v1", fake: jobs(func(_ context.Context, _ tool.Env, args json.RawMessage) (tool.Result, error) {
			ran = string(args)
			return tool.Success("ok"), nil
		})}
		m := &script{steps: []step{use(call("j", "hf_jobs", `{"operation":"run","script":"/app/train.py"}`)), say("done")}}
		r := start(t, m, withTools(p))
		shown := string(one[event.ApprovalRequired](t, r.turn("hi")).Tools[0].Arguments)
		p.mu.Lock()
		p.file = "v2"
		p.mu.Unlock()
		r.approve("j")
		r.ending()
		if !strings.Contains(shown, `"v1"`) || ran != shown {
			t.Errorf("shown %s, ran %s", shown, ran)
		}
	})
}

// Acceptance check 14 of the engine.
func TestCheck14_Abandon(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var ran []string
		m := &script{steps: []step{
			use(call("a", "hf_repo_files", `{"operation":"delete"}`), call("b", "hf_repo_files", `{"operation":"upload"}`)), say("ok"),
		}}
		r := start(t, m, withTools(repoFiles(&ran)))
		r.turn("hi")
		got := r.turn("never mind")
		states := find[event.ToolStateChange](t, got)
		if len(states) != 2 || states[0].State != "abandoned" || states[1].State != "abandoned" {
			t.Errorf("states %+v", states)
		}
		if n := len(find[event.ToolOutput](t, got)); n != 0 || len(ran) != 0 {
			t.Errorf("%d outputs, ran %v", n, ran)
		}
		req := m.request(t, 1)
		valid(t, req)
		if out := results(req); len(out) != 2 || last(req).Text != "never mind" {
			t.Errorf("results %v", out)
		}
	})
}

// Acceptance check 15 of the engine, with every operation that changes the
// history.
func TestCheck15_OperationsAbandon(t *testing.T) {
	for name, op := range map[string]event.Operation{"undo": event.Undo{}, "truncate": event.Truncate{}, "compact": event.Compact{}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				var ran []string
				m := &script{steps: []step{use(call("a", "hf_repo_files", `{"operation":"delete"}`)), say("summary"), say("fine")}}
				r := start(t, m, withTools(repoFiles(&ran)))
				r.turn("hi")
				r.submit(op)
				r.until(event.TypeUndoComplete, event.TypeTruncateComplete, event.TypeCompacted)
				r.approve("a")
				got := r.ending()
				if e := one[event.Error](t, got); len(ran) != 0 || !strings.Contains(e.Error, "no pending approval") {
					t.Errorf("ran %v, error %q", ran, e.Error)
				}
				// The abandoned turn is over, also for a program that starts anew.
				if s := r.state(); s.Turn != nil || s.Gate != nil {
					t.Errorf("turn %+v, gate %+v", s.Turn, s.Gate)
				}
				r.turn("go on")
				valid(t, m.request(t, m.calls()-1))
			})
		})
	}
}

// Acceptance check 16 of the engine: scheduled runs are never waived.
func TestCheck16_Scheduled(t *testing.T) {
	for name, op := range map[string]string{"one blank": "scheduled run", "two blanks": "scheduled  run"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				args, _ := json.Marshal(map[string]string{"operation": op})
				m := &script{steps: []step{use(call("p", "hf_jobs", `{"operation":"scheduled ps"}`), call("s", "hf_jobs", string(args))), say("done")}}
				r := start(t, m, func(s *setup) {
					s.tools = []tool.Tool{jobs(nil)}
					s.policy.Mode = policy.ModeYolo
					s.settings.CapMicroUSD = 5e6
				})
				got := r.turn("hi")
				gate := one[event.ApprovalRequired](t, got)
				if gate.Block == nil || !gate.AutoApprovalBlocked || !strings.Contains(gate.BlockReason, "scheduled jobs") {
					t.Errorf("gate %+v", gate)
				}
				if out := one[event.ToolOutput](t, got); out.ToolCallID != "p" || !out.Success {
					t.Errorf("scheduled ps: %+v", out)
				}
			})
		})
	}
}

// Acceptance check 17 of the engine.
func TestCheck17_CPUJobs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sandbox := newFake("sandbox_create", nil)
		sandbox.risk = func(args json.RawMessage) tool.Risk {
			if strings.Contains(string(args), "a10g") {
				return tool.Risk{Effect: event.Keyed, Gate: tool.Ask}
			}
			return tool.Risk{Effect: event.Keyed}
		}
		m := &script{steps: []step{
			use(call("c", "hf_jobs", `{"operation":"run","hardware_flavor":"cpu-basic"}`), call("g", "hf_jobs", `{"operation":"run","hardware_flavor":"t4-small"}`),
				call("s", "sandbox_create", `{}`), call("l", "sandbox_create", `{"hardware":"a10g-large"}`)), say("done"),
		}}
		r := start(t, m, func(s *setup) {
			s.tools = []tool.Tool{jobs(nil), sandbox}
			s.policy.ConfirmCPUJobs = false
		})
		gate := one[event.ApprovalRequired](t, r.turn("hi"))
		var ids []string
		for _, c := range gate.Tools {
			ids = append(ids, c.ToolCallID)
		}
		if strings.Join(ids, " ") != "g l" {
			t.Errorf("gated %v, want g and l", ids)
		}
	})
}

// spentSoFar is a store whose session has spent usd.
func spentSoFar(t *testing.T, usd float64) func(*setup) {
	t.Helper()
	return func(s *setup) {
		micro := policy.Micro(usd)
		s.opening = append(s.opening, event.Spend{ID: "old", Kind: event.SpendLLM, State: event.SpendSettled, MicroUSD: &micro})
		s.settings.CapMicroUSD = 5e6
		s.policy.Mode = policy.ModeYolo
	}
}

// Acceptance check 18 of the engine: the cap over jobs.
func TestCheck18_CapOverJobs(t *testing.T) {
	t.Run("fits", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			m := &script{steps: []step{use(call("j", "hf_jobs", `{"operation":"run","usd":2}`)), say("done")}}
			r := start(t, m, func(s *setup) { spentSoFar(t, 1)(s); s.tools = []tool.Tool{jobs(nil)} })
			wantNames(t, r.turn("hi"), "processing", "tool_call", "tool_output", "turn_complete")
			if spent, _ := r.state().Spent(); spent != 3e6 {
				t.Errorf("ledger %d, want 3000000", spent)
			}
		})
	})
	t.Run("does not fit", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			m := &script{steps: []step{use(call("j", "hf_jobs", `{"operation":"run","usd":2}`)), say("done")}}
			r := start(t, m, func(s *setup) { spentSoFar(t, 4)(s); s.tools = []tool.Tool{jobs(nil)} })
			got := r.turn("hi")
			gate := one[event.ApprovalRequired](t, got)
			if gate.Block == nil || *gate.RemainingCapUSD != 1 || *gate.EstimatedCostUSD != 2 || !strings.Contains(gate.BlockReason, "exceeds") {
				t.Errorf("gate %+v", gate)
			}
			// Approving does not get past the cap; raising it does.
			r.approve("j")
			if again := one[event.ApprovalRequired](t, r.ending()); again.ApprovalID != gate.ApprovalID {
				t.Errorf("asked again as %s", again.ApprovalID)
			}
			r.agent.Change(func(s *agent.Settings) { s.CapMicroUSD = 10e6 })
			r.approve("j")
			if out := one[event.ToolOutput](t, r.ending()); !out.Success {
				t.Errorf("output %+v", out)
			}
		})
	})
	t.Run("two together", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			m := &script{steps: []step{use(call("1", "hf_jobs", `{"operation":"run","usd":3}`), call("2", "hf_jobs", `{"operation":"run","usd":3.0}`)), say("done")}}
			r := start(t, m, func(s *setup) { spentSoFar(t, 0)(s); s.tools = []tool.Tool{jobs(nil)} })
			got := r.turn("hi")
			gate := one[event.ApprovalRequired](t, got)
			if gate.Tools[0].ToolCallID != "2" || *gate.RemainingCapUSD != 2 || one[event.ToolOutput](t, got).ToolCallID != "1" {
				t.Errorf("gate %+v", gate)
			}
		})
	})
}

// Acceptance check 19 of the engine, as far as the engine judges it: a price
// above the cap, and an unknown one.
func TestCheck19_UnknownCost(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{use(call("u", "hf_jobs", `{"operation":"run","usd":-1}`), call("x", "hf_jobs", `{"operation":"run","usd":40}`)), say("done")}}
		r := start(t, m, func(s *setup) { spentSoFar(t, 0)(s); s.tools = []tool.Tool{jobs(nil)} })
		got := r.turn("hi")
		gate := one[event.ApprovalRequired](t, got)
		if gate.Count != 2 || gate.Tools[0].EstimatedCostUSD != nil || *gate.Tools[1].EstimatedCostUSD != 40 {
			t.Errorf("gate %+v", gate)
		}
		if !strings.Contains(string(got[len(got)-1].Data), `"estimated_cost_usd":null`) {
			t.Error("the unknown estimate is not null")
		}
	})
}

// Acceptance check 20 of the engine: an interrupted call is settled at what it
// has cost.
func TestCheck20_InterruptSettles(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		actual := int64(500_000)
		job := jobs(func(ctx context.Context, _ tool.Env, _ json.RawMessage) (tool.Result, error) {
			<-ctx.Done()
			return tool.Result{Output: "stopped", ActualMicroUSD: &actual}, nil
		})
		m := &script{steps: []step{use(call("j", "hf_jobs", `{"operation":"run","usd":1.25}`)), say("done")}}
		r := start(t, m, func(s *setup) { spentSoFar(t, 1)(s); s.tools = []tool.Tool{job} })
		r.input("hi")
		after(time.Second, func() {
			if spent, _ := r.state().Spent(); spent != 2_250_000 {
				t.Errorf("reserved: %d", spent)
			}
			r.agent.Interrupt()
		})
		r.ending()
		s := r.state()
		if spent, _ := s.Spent(); spent != 1_500_000 || s.Spend["j"].State != event.SpendSettled {
			t.Errorf("after the interrupt: %d, %+v", spent, s.Spend["j"])
		}
	})
}

// priced makes every call cost usd.
func priced(usd float64) step {
	return func(_ context.Context, _ llm.Request, yield func(llm.Chunk, error) bool) {
		u := someUsage
		yield(llm.Done{
			Message: llm.Message{Role: llm.Assistant, ToolCalls: []llm.ToolCall{call("a", "read", `{}`)}},
			Finish:  llm.FinishTools, Usage: &u, CostUSD: &usd,
		}, nil)
	}
}

// Acceptance check 21 of the engine and decision 26: the cap gate parks the
// calls of a paid answer.
func TestCheck21_CapParksCalls(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{priced(0.05), say("done")}}
		r := start(t, m, func(s *setup) {
			spentSoFar(t, 0.95)(s)
			s.settings.CapMicroUSD = 1e6
			s.policy.Mode = policy.ModeAsk
			s.tools = []tool.Tool{newFake("read", nil)}
		})
		got := r.turn("hi")
		gate := one[event.ApprovalRequired](t, got)
		if !gate.YoloBudget || gate.Count != 1 || gate.Tools[0].Tool != "yolo_budget" || !strings.HasPrefix(gate.Tools[0].ToolCallID, "yolo-budget-") {
			t.Errorf("gate %+v", gate)
		}
		var args map[string]any
		_ = json.Unmarshal(gate.Tools[0].Arguments, &args)
		if args["cap_usd"] != 1.0 || args["current_spend_usd"] != 1.0 || args["remaining_cap_usd"] != 0.0 || args["spend_kind"] != "llm_call" {
			t.Errorf("arguments %v", args)
		}
		if next, has := args["estimated_next_usd"]; !has || next != nil {
			t.Errorf("estimated_next_usd is %v", next)
		}
		if gate.Block == nil || gate.Tools[0].Block == nil || gate.EstimatedCostUSD != nil {
			t.Errorf("budget keys: %+v", gate)
		}
		id := gate.Tools[0].ToolCallID
		r.approve(id)
		if again := one[event.ApprovalRequired](t, r.ending()); again.Tools[0].ToolCallID != id {
			t.Error("approving unchanged did not ask again")
		}
		r.agent.Change(func(s *agent.Settings) { s.CapMicroUSD = 3e6 })
		r.approve(id)
		got = r.ending()
		wantNames(t, got, "tool_state_change", "tool_output", "processing", "tool_call", "tool_output", "turn_complete")
		if m.calls() != 2 {
			t.Errorf("%d model calls, want 2: one before the gate, one after the tool", m.calls())
		}
		valid(t, m.request(t, 1))
	})
}

// Decision 26: before a call its worst case must fit; the gate says what it is
// and an approval needs that much.
func TestDecision26_WorstCase(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{say("one"), say("two")}, info: llm.Info{
			ID: testModel, Provider: "test", Window: 200_000, Prices: &llm.Prices{Input: 1, Output: 100}, PriceSource: llm.PriceTable,
		}}
		r := start(t, m, func(s *setup) { s.settings.CapMicroUSD = 500_000; s.settings.CapByUser = true })
		gate := one[event.ApprovalRequired](t, r.turn("hi"))
		if m.calls() != 0 || !gate.YoloBudget || gate.EstimatedCostUSD == nil || *gate.EstimatedCostUSD < 0.8192 {
			t.Fatalf("%d calls, gate %+v", m.calls(), gate)
		}
		r.approve(gate.Tools[0].ToolCallID)
		if again := one[event.ApprovalRequired](t, r.ending()); again.ApprovalID != gate.ApprovalID {
			t.Error("the approval went through although the call does not fit")
		}
		// New text meets the cap again, before any call.
		if again := one[event.ApprovalRequired](t, r.turn("and now?")); !again.YoloBudget || m.calls() != 0 {
			t.Errorf("%d calls, %+v", m.calls(), again)
		}
		// After a restart with a higher cap the turn goes on by itself.
		r.stop()
		again := start(t, m, func(s *setup) { s.store, s.resume, s.settings.CapMicroUSD = r.store, true, 2e6 })
		if done := one[event.TurnComplete](t, again.ending()); *done.FinalResponse != "one" || m.calls() != 1 {
			t.Errorf("%d calls, %+v", m.calls(), done)
		}
	})
}

// Decision 26: parked calls run after a restart with a higher cap, without
// another model call; with the same cap the gate is open again.
func TestDecision26_ParkedAcrossRestart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{priced(0.05), say("done")}}
		set := func(s *setup) {
			s.settings.CapMicroUSD, s.settings.Headless = 50_000, true
			s.policy.Headless = true
			s.tools = []tool.Tool{newFake("read", nil)}
		}
		r := start(t, m, set)
		one[event.ApprovalRequired](t, r.turn("hi"))
		r.stop()
		same := start(t, m, func(s *setup) { set(s); s.store, s.resume = r.store, true })
		if gate := one[event.ApprovalRequired](t, same.ending()); !gate.YoloBudget || m.calls() != 1 {
			t.Errorf("%d calls, gate %+v", m.calls(), gate)
		}
		same.stop()
		more := start(t, m, func(s *setup) { set(s); s.store, s.resume, s.settings.CapMicroUSD = r.store, true, 9e6 })
		got := more.until(event.TypeToolStarted)
		if n := len(find[event.LLMCall](t, got)); n != 0 {
			t.Errorf("%d model calls before the parked call ran", n)
		}
		got = append(got, more.ending()...)
		if one[event.TurnComplete](t, got).StopReason != "answer" {
			t.Error("the turn did not end")
		}
		valid(t, m.request(t, 1))
	})
}

// Decision 27: with a cap that a person set an unknown price refuses the call.
func TestDecision27_UnknownPrice(t *testing.T) {
	for _, byUser := range []bool{true, false} {
		inBubble(t, func(t *testing.T) {
			m := &script{steps: []step{say("one"), say("two")}, info: llm.Info{ID: testModel, Provider: "test", Window: 200_000}}
			r := start(t, m, func(s *setup) { s.settings.CapMicroUSD, s.settings.CapByUser = 5e6, byUser })
			got := r.turn("hi")
			if byUser {
				if e := one[event.Error](t, got); m.calls() != 0 || !strings.Contains(e.Hint, "model_prices") {
					t.Errorf("%d calls, %+v", m.calls(), e)
				}
				return
			}
			got = append(got, r.turn("again")...)
			if n := len(find[event.ToolLog](t, got)); n != 1 {
				t.Errorf("%d warnings, want 1", n)
			}
			for _, c := range find[event.LLMCall](t, got) {
				if c.CostUSD != nil || c.CostSource != llm.PriceUnknown {
					t.Errorf("cost %+v", c)
				}
			}
		})
	}
}

// Acceptance check 22 of the engine: the gates at usage thresholds.
func TestCheck22_UsageGates(t *testing.T) {
	for _, approve := range []bool{true, false} {
		inBubble(t, func(t *testing.T) {
			usd := 12.25
			dear := func(_ context.Context, _ llm.Request, yield func(llm.Chunk, error) bool) {
				u := someUsage
				yield(llm.Done{Message: llm.Message{Text: "answer"}, Finish: llm.FinishStop, Usage: &u, CostUSD: &usd}, nil)
			}
			m := &script{steps: []step{dear, say("next")}}
			r := start(t, m, func(s *setup) { s.settings.UsageGates = true })
			gate := one[event.ApprovalRequired](t, r.turn("hi"))
			var args map[string]any
			_ = json.Unmarshal(gate.Tools[0].Arguments, &args)
			if !gate.UsageThreshold || gate.Count != 1 || gate.Tools[0].Tool != "usage_threshold" ||
				!strings.HasPrefix(gate.Tools[0].ToolCallID, "usage-threshold-") || gate.Continuation != "complete_turn" ||
				args["threshold_usd"] != 5.0 || args["current_spend_usd"] != 12.25 || args["next_threshold_usd"] != 20.0 ||
				args["billing_source"] != "app_telemetry_session" {
				t.Errorf("gate %+v, arguments %v", gate, args)
			}
			if !approve {
				r.submit(event.ExecApproval{Approvals: []event.Approval{{ToolCallID: gate.Tools[0].ToolCallID}}})
				wantNames(t, r.ending(), "tool_state_change", "tool_output", "interrupted")
				return
			}
			// A restart asks again: nobody has answered.
			r.stop()
			r = start(t, m, func(s *setup) { s.store, s.resume, s.settings.UsageGates = r.store, true, true })
			if again := one[event.ApprovalRequired](t, r.ending()); again.Tools[0].ToolCallID != gate.Tools[0].ToolCallID {
				t.Errorf("after the restart: %+v", again)
			}
			r.approve(gate.Tools[0].ToolCallID)
			got := r.ending()
			wantNames(t, got, "tool_state_change", "tool_output", "turn_complete")
			if done := one[event.TurnComplete](t, got); *done.FinalResponse != "answer" || m.calls() != 1 {
				t.Errorf("%d calls, %+v", m.calls(), done)
			}
			wantNames(t, r.turn("more"), "processing", "turn_complete") // 12.25 is below 20
		})
	}
}

// Decision 26: elsewhere the thresholds are lines, never gates.
func TestSoftWarnings(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := start(t, &script{steps: []step{priced(6), say("done")}}, withTools(newFake("read", nil)))
		got := r.turn("hi")
		if l := one[event.ToolLog](t, got); l.Tool != "system" || !strings.Contains(l.Log, "6.00 USD") {
			t.Errorf("log %+v", l)
		}
	})
}

// Decision 25: headless a gated call is refused at once and the run goes on.
func TestDecision25_HeadlessRefuses(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var ran []string
		m := &script{steps: []step{use(call("d", "hf_repo_files", `{"operation":"delete"}`)), say("I could not.")}}
		r := start(t, m, func(s *setup) {
			s.tools = []tool.Tool{repoFiles(&ran)}
			s.settings.Headless, s.policy.Headless = true, true
		})
		got := r.turn("hi")
		if one[event.TurnComplete](t, got).StopReason != "answer" || len(ran) != 0 {
			t.Errorf("ran %v", ran)
		}
		if st := one[event.ToolStateChange](t, got); st.State != "rejected" || st.Feedback != tool.NeedsApproval {
			t.Errorf("state %+v", st)
		}
		if out := results(m.request(t, 1))["d"]; !strings.Contains(out, "yolo would allow it") && !strings.Contains(out, "approval mode") {
			t.Errorf("the feedback names no mode: %q", out)
		}
	})
}

// Edited arguments are checked, judged and, when dearer, shown again.
func TestEditedArguments(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var ran []string
		record := func(_ context.Context, _ tool.Env, args json.RawMessage) (tool.Result, error) {
			ran = append(ran, string(args))
			return tool.Success("ok"), nil
		}
		m := &script{steps: []step{use(call("j", "hf_jobs", `{"operation":"run","usd":1}`)), use(call("k", "hf_jobs", `{"operation":"run","usd":1}`)), say("done")}}
		r := start(t, m, withTools(jobs(record)))
		r.turn("hi")
		edit := func(id, args string) {
			r.submit(event.ExecApproval{Approvals: []event.Approval{{ToolCallID: id, Approved: true, EditedArguments: json.RawMessage(args)}}})
		}
		edit("j", `{"operation":"run","usd":2}`)
		gate := one[event.ApprovalRequired](t, r.ending())
		if !strings.Contains(string(gate.Tools[0].Arguments), `"usd":2`) || !strings.Contains(gate.BlockReason, "costs more") || len(ran) != 0 {
			t.Fatalf("gate %+v, ran %v", gate, ran)
		}
		r.approve("j")
		r.ending() // the next gate
		if len(ran) != 1 || !strings.Contains(ran[0], `"usd":2`) {
			t.Fatalf("ran %v", ran)
		}
		if out := results(m.request(t, 1))["j"]; !strings.HasPrefix(out, "[The user edited") {
			t.Errorf("result %q", out)
		}
		edit("k", `[1]`)
		if out := one[event.ToolOutput](t, r.ending()); out.Success || len(ran) != 1 {
			t.Errorf("output %+v, ran %v", out, ran)
		}
	})
}

// Decision 42: text queued before a gate opened waits for it; text sent while
// it is open abandons it.
func TestDecision42_QueueAndGate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var ran []string
		release := make(chan struct{})
		slow := newFake("slow", func(context.Context, tool.Env, json.RawMessage) (tool.Result, error) {
			<-release
			return tool.Success("ok"), nil
		})
		m := &script{steps: []step{
			use(call("s", "slow", `{}`), call("d", "hf_repo_files", `{"operation":"delete"}`)), say("first"), say("second"),
			use(call("e", "hf_repo_files", `{"operation":"delete"}`)), say("third"),
		}}
		r := start(t, m, withTools(slow, repoFiles(&ran)))
		r.input("one")
		after(time.Second, func() { r.input("two") })
		close(release)
		got := r.ending()
		one[event.ApprovalRequired](t, got)
		queued := find[event.InputAccepted](t, got)
		if len(queued) != 2 || queued[0].Queued || !queued[1].Queued {
			t.Errorf("accepted %+v", queued)
		}
		after(time.Second, func() {
			if s := r.state(); s.Gate == nil || len(s.Queue) != 1 {
				t.Errorf("the queued text did not wait: gate %v, queue %v", s.Gate, s.Queue)
			}
		})
		r.approve("d")
		if done := one[event.TurnComplete](t, r.ending()); *done.FinalResponse != "first" {
			t.Errorf("%q", *done.FinalResponse)
		}
		if done := one[event.TurnComplete](t, r.ending()); *done.FinalResponse != "second" {
			t.Errorf("%q", *done.FinalResponse)
		}
		one[event.ApprovalRequired](t, r.turn("three"))
		got = r.turn("four")
		if in := one[event.InputAccepted](t, got); !in.AtGate {
			t.Errorf("accepted %+v, want it at the gate", in)
		}
		if st := one[event.ToolStateChange](t, got); st.State != "abandoned" {
			t.Errorf("state %+v", st)
		}
		if strings.Join(ran, " ") != "d" {
			t.Errorf("ran %v", ran)
		}
	})
}

// Decision 42: text sent at an open gate abandons it, also when the program dies
// before it does.
func TestDecision42_TextAtTheGateAcrossRestart(t *testing.T) {
	for atGate, want := range map[bool]string{true: "abandoned", false: ""} {
		inBubble(t, func(t *testing.T) {
			var ran []string
			m := &script{steps: []step{use(call("d", "hf_repo_files", `{"operation":"delete"}`)), say("moved on")}}
			r := start(t, m, withTools(repoFiles(&ran)))
			one[event.ApprovalRequired](t, r.turn("hi"))
			r.stop()
			if _, err := r.journal.Append(context.Background(), "", event.InputAccepted{SubmissionID: "sub_9", Text: "leave it", AtGate: atGate}); err != nil {
				t.Fatal(err)
			}
			again := start(t, m, func(s *setup) { s.store, s.resume, s.tools = r.store, true, []tool.Tool{repoFiles(&ran)} })
			got := again.ending()
			state := ""
			if atGate { // the gate opens again, then the text abandons it
				got = again.ending()
				state = one[event.ToolStateChange](t, got).State
				if done := one[event.TurnComplete](t, got); *done.FinalResponse != "moved on" {
					t.Errorf("%q", *done.FinalResponse)
				}
			} else {
				one[event.ApprovalRequired](t, got)
				after(time.Second, func() {
					if m.calls() != 1 {
						t.Error("the earlier text did not wait for the gate")
					}
				})
			}
			if state != want || len(ran) != 0 {
				t.Errorf("state %q, want %q; ran %v", state, want, ran)
			}
		})
	}
}

// Decision 19: an open gate is judged by the mode in force after a restart,
// and with new input it is abandoned first.
func TestDecision19_GateAcrossRestart(t *testing.T) {
	open := func(t *testing.T, m *script, ran *[]string) *rig {
		m.steps = []step{use(call("d", "hf_repo_files", `{"operation":"delete"}`)), say("done")}
		r := start(t, m, withTools(repoFiles(ran)))
		one[event.ApprovalRequired](t, r.turn("hi"))
		r.stop()
		return r
	}
	t.Run("same mode", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			var ran []string
			m := &script{}
			old := open(t, m, &ran)
			r := start(t, m, func(s *setup) { s.store, s.resume, s.tools = old.store, true, []tool.Tool{repoFiles(&ran)} })
			gate := one[event.ApprovalRequired](t, r.ending())
			if gate.ApprovalID != "gate_2" || gate.Tools[0].ToolCallID != "d" {
				t.Errorf("gate %+v", gate)
			}
			r.approve("d")
			got := r.ending()
			if one[event.TurnComplete](t, got).StopReason != "answer" || strings.Join(ran, " ") != "d" {
				t.Errorf("ran %v", ran)
			}
			for _, c := range find[event.ToolCall](t, got) {
				t.Errorf("a gated call was announced: %+v", c)
			}
		})
	})
	t.Run("yolo", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			var ran []string
			m := &script{}
			old := open(t, m, &ran)
			r := start(t, m, func(s *setup) {
				s.store, s.resume, s.tools, s.policy.Mode = old.store, true, []tool.Tool{repoFiles(&ran)}, policy.ModeYolo
			})
			got := r.ending()
			one[event.TurnComplete](t, got)
			if res := one[event.TurnResumed](t, got); res.TurnID != "turn_1" || res.Attempt != 2 {
				t.Errorf("%+v", res)
			}
			if strings.Join(ran, " ") != "d" {
				t.Errorf("ran %v", ran)
			}
		})
	})
	t.Run("new input", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			var ran []string
			m := &script{}
			old := open(t, m, &ran)
			r := start(t, m, func(s *setup) {
				s.store, s.resume, s.leave, s.tools = old.store, true, true, []tool.Tool{repoFiles(&ran)}
			})
			r.input("something else")
			got := r.until(event.TypeTurnComplete)
			if st := one[event.ToolStateChange](t, got); st.State != "abandoned" || len(ran) != 0 {
				t.Errorf("state %+v, ran %v", st, ran)
			}
			req := m.request(t, 1)
			valid(t, req)
			if last(req).Text != "something else" || len(results(req)) != 1 {
				t.Errorf("request %+v", req.Messages)
			}
		})
	})
}
