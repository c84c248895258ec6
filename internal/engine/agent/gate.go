package agent

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
func (a *Agent) openToolGate(ctx context.Context, calls []*execution.Call, blocks map[string]*event.Block) outcome {
	a.gates++
	g := &approval.Gate{Kind: approval.Tools, ID: history.GateID(a.gates), Calls: calls, Origin: a.sources.Outside()}
	return a.openGate(ctx, g, g.ToolEvent(blocks))
}

// openGate suspends the turn. Texts that the journal has before the gate wait
// for it.
func (a *Agent) openGate(ctx context.Context, g *approval.Gate, ev event.ApprovalRequired) outcome {
	a.accepting.Lock()
	defer a.accepting.Unlock()
	a.gate = g
	a.emit(ctx, ev)
	a.inbox.Gate(true)
	return suspended
}

// closeGate lets queued input go on.
func (a *Agent) closeGate() {
	a.gate = nil
	a.inbox.Gate(false)
}

// resolve answers the open gate.
func (a *Agent) resolve(ctx context.Context, op event.ExecApproval) {
	g := a.gate
	if g == nil {
		a.opError(ctx, "there is no pending approval", "")
		return
	}
	answers := map[string]event.Approval{}
	for _, ap := range op.Approvals {
		answers[ap.ToolCallID] = ap
	}
	if g.Kind != approval.Tools {
		a.resolveMoney(ctx, g, answers[g.ID])
		return
	}
	if blocks := g.Apply(a.toolbox, a.opts.Policy, answers, a.budget.Batch(a.Settings().CapMicroUSD)); blocks != nil {
		a.emit(ctx, g.ToolEvent(blocks))
		return
	}
	a.closeGate()
	var ps []event.Payload
	for _, c := range g.Calls {
		ps = append(ps, approval.State(c, answers[c.ID]))
		c.Announce = false
		if !c.Approved {
			c.Failure = approval.Rejection(c.Name, answers[c.ID].Feedback)
		}
	}
	a.emit(ctx, ps...)
	a.runAll(ctx, a.session(ctx), g.Calls)
	if ctx.Err() != nil {
		a.cutOff(ctx)
		return
	}
	a.segment(ctx)
}

// resolveMoney answers a gate about money.
func (a *Agent) resolveMoney(ctx context.Context, g *approval.Gate, ap event.Approval) {
	if !ap.Approved {
		a.closeGate()
		text := approval.Feedback(ap.Feedback)
		if text == "" {
			text = "Stopped by the user."
		}
		a.emit(ctx, g.Decision("rejected", text)...)
		a.stubOpenCalls(ctx, "Tool was not executed: the user stopped at the spending limit.")
		a.emit(ctx, event.Interrupted{})
		a.turn = nil
		return
	}
	if g.Kind == approval.Budget && !g.Affordable(a.Settings().CapMicroUSD, a.budget.Spent()) {
		a.emit(ctx, a.budgetEvent(g))
		return
	}
	a.closeGate()
	a.passMoney(ctx, g, "Approved: going on.")
}

// passMoney goes on behind a gate about money.
func (a *Agent) passMoney(ctx context.Context, g *approval.Gate, text string) {
	if g.Kind == approval.Threshold {
		a.budget.Acknowledge(g.Threshold)
	}
	a.emit(ctx, g.Decision("approved", text)...)
	if g.Continuation == approval.CompleteTurn {
		a.complete(ctx, g.Final, progress.StopAnswer)
		a.turn = nil
		return
	}
	a.segment(ctx)
}

// abandon drops the open gate because the user moved on: each gated call gets
// a result that says so.
func (a *Agent) abandon(ctx context.Context) {
	g := a.gate
	if g == nil {
		return
	}
	a.closeGate()
	ps := g.Abandoned()
	a.emit(ctx, append(ps, a.stubs(func(llm.ToolCall) string {
		return "The task was abandoned: the user moved on without answering the approval request."
	})...)...)
	if g.Continuation == approval.CompleteTurn {
		a.complete(ctx, g.Final, progress.StopAnswer)
	}
	a.turn = nil
}
