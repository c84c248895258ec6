package agent

import (
	"context"
	"fmt"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/agent/approval"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// checkMoney makes sure, before a model call, that its worst case fits the cap.
func (a *Agent) checkMoney(ctx context.Context) outcome {
	set := a.Settings()
	if set.UsageGates {
		if r := a.checkThreshold(ctx, approval.ContinueAgent, nil); r != goOn {
			return r
		}
	}
	if set.CapMicroUSD <= 0 {
		return goOn
	}
	if a.overCap() {
		return a.openBudget(ctx, "the spending cap is used up", nil)
	}
	info, err := a.opts.Describe(ctx, set.Model)
	if err != nil || info.Local {
		return goOn // the call itself will report what is wrong
	}
	next, fits := a.budget.Fits(set.CapMicroUSD, a.conversation.Meter().Tokens(), info)
	switch {
	case fits:
		return goOn
	case next != nil:
		reason := fmt.Sprintf("the next model call may cost %.4f USD, which exceeds what is left", policy.USD(*next))
		return a.openBudget(ctx, reason, next)
	case !set.CapByUser:
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

// overCap reports whether the cap is used up.
func (a *Agent) overCap() bool { return a.budget.Exhausted(a.Settings().CapMicroUSD) }

// openBudget suspends the turn at the spending cap; next is what would come
// next at worst, nil when unknown.
func (a *Agent) openBudget(ctx context.Context, reason string, next *int64) outcome {
	kind := string(a.lastCall)
	if a.lastCall == llm.KindMain || kind == "" {
		kind = "llm_call"
	}
	g := approval.NewBudget(reason, kind, next)
	return a.openGate(ctx, g, a.budgetEvent(g))
}

// budgetEvent shows the cap gate with fresh numbers.
func (a *Agent) budgetEvent(g *approval.Gate) event.ApprovalRequired {
	limit := a.Settings().CapMicroUSD
	return g.BudgetEvent(policy.USD(limit), a.budget.SettledUSD(), a.budget.Remaining(limit))
}

// checkThreshold opens a gate when spending has crossed the next threshold.
func (a *Agent) checkThreshold(ctx context.Context, continuation string, final *string) outcome {
	threshold, _, crossed := a.budget.Crossed()
	if !crossed {
		return goOn
	}
	g := approval.NewThreshold(threshold, continuation, final)
	return a.openGate(ctx, g, a.thresholdEvent(g))
}

func (a *Agent) thresholdEvent(g *approval.Gate) event.ApprovalRequired {
	spent := a.budget.SettledUSD()
	return g.ThresholdEvent(spent, policy.NextThreshold(spent, g.Threshold))
}

// softWarning is a line at 5 USD and at each doubling.
func (a *Agent) softWarning(ctx context.Context) {
	if a.Settings().UsageGates {
		return
	}
	if threshold, spent, crossed := a.budget.Crossed(); crossed {
		a.note(ctx, fmt.Sprintf("this session has spent %.2f USD", spent))
		a.budget.Acknowledge(threshold)
	}
}
