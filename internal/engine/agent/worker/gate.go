package worker

import (
	"context"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/agent/approval"
	"github.com/ml-intern/ml-intern/internal/engine/agent/execution"
	"github.com/ml-intern/ml-intern/internal/engine/agent/progress"
)

// openToolGate asks about the given calls.
func (w *Worker) openToolGate(ctx context.Context, calls []*execution.Call, blocks map[string]*event.Block) outcome {
	w.gates++
	g := &approval.Gate{Kind: approval.Tools, ID: history.GateID(w.gates), Calls: calls, Origin: w.sources.Outside()}
	return w.openGate(ctx, g, g.ToolEvent(blocks))
}

// openGate suspends the turn. Texts that the journal has before the gate wait
// for it.
func (w *Worker) openGate(ctx context.Context, g *approval.Gate, ev event.ApprovalRequired) outcome {
	w.inbox.Order.Lock()
	defer w.inbox.Order.Unlock()
	w.gate = g
	w.Tell(ctx, ev)
	w.inbox.Gate(true)
	return suspended
}

// closeGate lets queued input go on.
func (w *Worker) closeGate() {
	w.gate = nil
	w.inbox.Gate(false)
}

// resolve answers the open gate.
func (w *Worker) Resolve(ctx context.Context, op event.ExecApproval) {
	g := w.gate
	if g == nil {
		w.Refuse(ctx, "there is no pending approval", "")
		return
	}
	answers := map[string]event.Approval{}
	for _, ap := range op.Approvals {
		answers[ap.ToolCallID] = ap
	}
	if g.Kind != approval.Tools {
		w.resolveMoney(ctx, g, answers[g.ID])
		return
	}
	if blocks := g.Apply(w.toolbox, w.opts.Policy, answers, w.budget.Batch(w.set().CapMicroUSD)); blocks != nil {
		w.Tell(ctx, g.ToolEvent(blocks))
		return
	}
	w.closeGate()
	var ps []event.Payload
	for _, c := range g.Calls {
		ps = append(ps, approval.State(c, answers[c.ID]))
		c.Announce = false
		if !c.Approved {
			c.Failure = approval.Rejection(c.Name, answers[c.ID].Feedback)
		}
	}
	w.Tell(ctx, ps...)
	w.runAll(ctx, w.session(ctx), g.Calls)
	if ctx.Err() != nil {
		w.cutOff(ctx)
		return
	}
	w.segment(ctx)
}

// resolveMoney answers a gate about money.
func (w *Worker) resolveMoney(ctx context.Context, g *approval.Gate, ap event.Approval) {
	if !ap.Approved {
		w.closeGate()
		text := approval.Feedback(ap.Feedback)
		if text == "" {
			text = "Stopped by the user."
		}
		w.Tell(ctx, g.Decision("rejected", text)...)
		w.stubOpenCalls(ctx, "Tool was not executed: the user stopped at the spending limit.")
		w.Tell(ctx, event.Interrupted{})
		w.end(ctx)
		return
	}
	if g.Kind == approval.Budget && !g.Affordable(w.set().CapMicroUSD, w.budget.Spent()) {
		w.Tell(ctx, w.budgetEvent(g))
		return
	}
	w.closeGate()
	w.passMoney(ctx, g, "Approved: going on.")
}

// passMoney goes on behind a gate about money.
func (w *Worker) passMoney(ctx context.Context, g *approval.Gate, text string) {
	if g.Kind == approval.Threshold {
		w.budget.Acknowledge(g.Threshold)
	}
	w.Tell(ctx, g.Decision("approved", text)...)
	if g.Continuation == approval.CompleteTurn {
		w.complete(ctx, g.Final, progress.StopAnswer)
		w.end(ctx)
		return
	}
	w.segment(ctx)
}

// abandon drops the open gate because the user moved on: each gated call gets
// a result that says so.
func (w *Worker) Abandon(ctx context.Context) {
	g := w.gate
	if g == nil {
		return
	}
	w.closeGate()
	ps := g.Abandoned()
	w.Tell(ctx, append(ps, w.stubs(func(llm.ToolCall) string {
		return "The task was abandoned: the user moved on without answering the approval request."
	})...)...)
	if g.Continuation == approval.CompleteTurn {
		w.complete(ctx, g.Final, progress.StopAnswer)
	}
	w.end(ctx)
}
