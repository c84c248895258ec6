package agent

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// checkMoney makes sure, before a model call, that its worst case fits the cap.
func (a *Agent) checkMoney(ctx context.Context) outcome {
	set := a.Settings()
	if set.UsageGates {
		if r := a.checkThreshold(ctx, continueAgent, nil); r != goOn {
			return r
		}
	}
	if set.CapMicroUSD <= 0 {
		return goOn
	}
	if a.overCap() {
		return a.openBudget(ctx, "the spending cap is used up")
	}
	info, err := a.opts.Describe(ctx, set.Model)
	if err != nil || info.Local {
		return goOn // the call itself will report what is wrong
	}
	worst, known := policy.WorstCase(a.meter.Tokens(), info.MaxOutput, info.Prices)
	if !known {
		if !set.CapByUser {
			a.noteOnce(ctx, fmt.Sprintf("the price of %s is unknown: the default cap cannot count its model calls", set.Model))
			return goOn
		}
		a.emit(ctx, event.Error{
			Error: fmt.Sprintf("the price of %s is unknown, so the spending cap cannot be kept", set.Model),
			Code:  "internal", Class: string(llm.ClassInvalidRequest),
			Hint: "Set model_prices for it in the configuration, or run with --max-cost 0.",
		})
		return ended
	}
	if a.spent()+worst > set.CapMicroUSD {
		return a.openBudget(ctx, fmt.Sprintf("the next model call may cost %.4f USD, which exceeds what is left", policy.USD(worst)))
	}
	return goOn
}

// spent is what was settled and reserved, in millionths of a dollar.
func (a *Agent) spent() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ledger.Spent()
}

// overCap reports whether the cap is used up.
func (a *Agent) overCap() bool {
	set := a.Settings()
	a.mu.Lock()
	defer a.mu.Unlock()
	return set.CapMicroUSD > 0 && a.ledger.Exhausted(set.CapMicroUSD)
}

func (a *Agent) spentUSD() float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	settled, _, _ := a.ledger.Total()
	return policy.USD(settled)
}

// openBudget suspends the turn at the spending cap.
func (a *Agent) openBudget(ctx context.Context, reason string) outcome {
	g := &gate{
		kind: gateBudget, id: "yolo-budget-" + randomHex(5), continuation: continueAgent,
		reason: reason, spendKind: "llm_call",
	}
	a.openGate(ctx, g, a.budgetEvent(g))
	return suspended
}

// budgetEvent shows the cap gate with fresh numbers.
func (a *Agent) budgetEvent(g *gate) event.ApprovalRequired {
	set := a.Settings()
	limit := policy.USD(set.CapMicroUSD)
	remaining := a.remaining(set.CapMicroUSD)
	block := &event.Block{AutoApprovalBlocked: true, BlockReason: g.reason, RemainingCapUSD: remaining}
	args, _ := event.Encode(map[string]any{
		"cap_usd": limit, "current_spend_usd": round6(a.spentUSD()), "remaining_cap_usd": remaining,
		"estimated_next_usd": nil, "spend_kind": g.spendKind, "reason": g.reason,
	})
	return event.ApprovalRequired{
		ApprovalID: g.id, Count: 1, YoloBudget: true, Continuation: g.continuation, FinalResponse: g.final, Block: block,
		Tools: []event.GatedCall{{Tool: string(gateBudget), ToolCallID: g.id, Arguments: args, Block: block}},
	}
}

// checkThreshold opens a gate when spending has crossed the next threshold.
func (a *Agent) checkThreshold(ctx context.Context, continuation string, final *string) outcome {
	spent := a.spentUSD()
	if spent < a.soft {
		return goOn
	}
	g := &gate{
		kind: gateThreshold, id: "usage-threshold-" + randomHex(5), continuation: continuation, final: final,
		threshold: a.soft,
	}
	args, _ := event.Encode(map[string]any{
		"threshold_usd": a.soft, "current_spend_usd": round6(spent),
		"next_threshold_usd": policy.NextThreshold(spent, a.soft), "billing_source": "app_telemetry_session",
	})
	a.openGate(ctx, g, event.ApprovalRequired{
		ApprovalID: g.id, Count: 1, UsageThreshold: true, Continuation: continuation, FinalResponse: final,
		Tools: []event.GatedCall{{Tool: string(gateThreshold), ToolCallID: g.id, Arguments: args}},
	})
	return suspended
}

// softWarning is a line at 5 USD and at each doubling.
func (a *Agent) softWarning(ctx context.Context) {
	if a.Settings().UsageGates {
		return
	}
	if spent := a.spentUSD(); spent >= a.soft {
		a.note(ctx, fmt.Sprintf("this session has spent %.2f USD", spent))
		a.soft = policy.NextThreshold(spent, a.soft)
	}
}

// reserve takes a call's worst case from the cap before it starts.
func (a *Agent) reserve(c *call) (event.Spend, *event.Block) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if b := a.ledger.Check(a.set.CapMicroUSD, *c.risk.Cost); b != nil {
		return event.Spend{}, b
	}
	s := a.ledger.Reserve(c.ID, c.ID, *c.risk.Cost)
	a.ledger.Apply(s)
	return s, nil
}

// settle closes the reservation of a finished call, if it has one, and returns
// the events to tell, in order.
func (a *Agent) settle(c *call, r tool.Result, ps ...event.Payload) []event.Payload {
	if c.risk.Cost == nil {
		return ps
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Contains(a.ledger.Open(), c.ID) {
		return ps
	}
	spend := a.ledger.Settle(c.ID, r.ActualMicroUSD)
	if r.ActualMicroUSD == nil && !r.OK {
		spend = a.ledger.Release(c.ID)
	}
	a.ledger.Apply(spend)
	return append(ps, spend)
}

func (a *Agent) remaining(capMicro int64) *float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ledger.Remaining(capMicro)
}

func round6(v float64) float64 { return float64(int64(v*1e6+0.5)) / 1e6 }

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
