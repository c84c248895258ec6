package worker

import (
	"context"
	"fmt"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/agent/approval"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// checkMoney makes sure, before a model call, that its worst case fits the cap.
func (w *Worker) checkMoney(ctx context.Context) outcome {
	set := w.set()
	if set.UsageGates {
		if r := w.checkThreshold(ctx, approval.ContinueAgent, nil); r != goOn {
			return r
		}
	}
	if set.CapMicroUSD <= 0 {
		return goOn
	}
	if w.overCap() {
		return w.openBudget(ctx, "the spending cap is used up", nil)
	}
	info, err := w.opts.Describe(ctx, set.Model)
	if err != nil || info.Local {
		return goOn // the call itself will report what is wrong
	}
	next, fits := w.budget.Fits(set.CapMicroUSD, w.conversation.Meter().Tokens(), info)
	switch {
	case fits:
		return goOn
	case next != nil:
		reason := fmt.Sprintf("the next model call may cost %.4f USD, which exceeds what is left", policy.USD(*next))
		return w.openBudget(ctx, reason, next)
	case !set.CapByUser:
		w.noteOnce(ctx, fmt.Sprintf("the price of %s is unknown: the default cap cannot count its model calls", set.Model))
		return goOn
	}
	w.Tell(ctx, event.Error{
		Error: fmt.Sprintf("the price of %s is unknown, so the spending cap cannot be kept", set.Model),
		Code:  "internal", Class: string(llm.ClassInvalidRequest),
		Hint: "Set model_prices for it in the configuration, or run with --max-cost 0.",
	})
	return ended
}

// overCap reports whether the cap is used up.
func (w *Worker) overCap() bool { return w.budget.Exhausted(w.set().CapMicroUSD) }

// openBudget suspends the turn at the spending cap; next is what would come
// next at worst, nil when unknown.
func (w *Worker) openBudget(ctx context.Context, reason string, next *int64) outcome {
	kind := string(w.lastCall)
	if w.lastCall == llm.KindMain || kind == "" {
		kind = "llm_call"
	}
	g := approval.NewBudget(reason, kind, next)
	return w.openGate(ctx, g, w.budgetEvent(g))
}

// budgetEvent shows the cap gate with fresh numbers.
func (w *Worker) budgetEvent(g *approval.Gate) event.ApprovalRequired {
	limit := w.set().CapMicroUSD
	return g.BudgetEvent(policy.USD(limit), w.budget.SettledUSD(), w.budget.Remaining(limit))
}

// checkThreshold opens a gate when spending has crossed the next threshold.
func (w *Worker) checkThreshold(ctx context.Context, continuation string, final *string) outcome {
	threshold, _, crossed := w.budget.Crossed()
	if !crossed {
		return goOn
	}
	g := approval.NewThreshold(threshold, continuation, final)
	return w.openGate(ctx, g, w.thresholdEvent(g))
}

func (w *Worker) thresholdEvent(g *approval.Gate) event.ApprovalRequired {
	spent := w.budget.SettledUSD()
	return g.ThresholdEvent(spent, policy.NextThreshold(spent, g.Threshold))
}

// softWarning is a line at 5 USD and at each doubling.
func (w *Worker) softWarning(ctx context.Context) {
	if w.set().UsageGates {
		return
	}
	if threshold, spent, crossed := w.budget.Crossed(); crossed {
		w.note(ctx, fmt.Sprintf("this session has spent %.2f USD", spent))
		w.budget.Acknowledge(threshold)
	}
}
