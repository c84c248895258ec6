package agent

import (
	"context"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/agent/approval"
	"github.com/ml-intern/ml-intern/internal/engine/agent/progress"
)

// takeUp goes on with a turn that a crash cut short, or opens its gate again.
func (a *Agent) takeUp(ctx context.Context) {
	if !a.reenter(ctx, "the program ended while the turn was running") {
		return
	}
	if g := a.restored.Gate; g != nil && g.Synthetic() {
		a.reopenMoney(ctx, approval.Restore(g))
		return
	}
	if last := a.conversation.Last(); last.Role == llm.Assistant && len(last.ToolCalls) == 0 && a.restored.LastCall != nil {
		a.takeUpAnswer(ctx, last.PlainText(), a.restored.LastCall.FinishReason)
		return
	}
	a.segment(ctx) // open calls come first; a gate is judged by the mode in force
}

// takeUpAnswer goes on behind an answer that was stored when the program
// ended: only its consequences are missing.
func (a *Agent) takeUpAnswer(ctx context.Context, text, finish string) {
	switch limit := a.Settings().MaxIterations; {
	case finish == finishInterrupted:
		a.rememberSynthetic(ctx, interruptedMark)
		a.interrupted(ctx)
	case finish == string(llm.FinishLength):
		a.rememberSynthetic(ctx, a.turn.Continued(text))
		a.segment(ctx)
	case limit >= 0 && a.turn.Iterations > limit: // it was the closing summary
		a.complete(ctx, &text, progress.StopMaxIterations)
		a.turn = nil
	default:
		if a.answered(ctx, text) == goOn {
			a.segment(ctx)
			return
		}
		if a.gate == nil {
			a.turn = nil
		}
	}
}

// reopenMoney opens a gate about money again, or goes on when the limit now
// allows it.
func (a *Agent) reopenMoney(ctx context.Context, g *approval.Gate) {
	set := a.Settings()
	switch {
	case g.Kind == approval.Threshold && set.UsageGates:
		a.budget.Rewind(g.Threshold)
		a.openGate(ctx, g, a.thresholdEvent(g))
	case g.Kind == approval.Budget && !g.Affordable(set.CapMicroUSD, a.budget.Spent()):
		a.openGate(ctx, g, a.budgetEvent(g))
	default:
		a.passMoney(ctx, g, "The limit was raised: going on.")
	}
}

// leaveUnfinished closes what an earlier run left open because new input comes
// first: open calls get their results, an open gate is abandoned.
func (a *Agent) leaveUnfinished(ctx context.Context) {
	if !a.reenter(ctx, "new input came first") {
		return
	}
	session := a.session(ctx)
	session.Abandoned = true
	for _, c := range a.conversation.Open() {
		f := a.fact(c.ID)
		if f == nil || f.Started == nil {
			continue
		}
		if p, _, done := approval.TakeUp(ctx, a.toolbox, session, c, f); done != nil {
			a.addResult(p, *done)
		}
	}
	ps := a.stubs(func(c llm.ToolCall) string {
		if f := a.restored.Call(c.ID); f != nil && f.Started != nil {
			return "The result of this call was lost: the program ended while it was running, and the user moved on."
		}
		return "Tool was not executed: the program ended before it had run, and the user moved on."
	})
	if g := a.restored.Gate; g != nil {
		for _, t := range g.Tools {
			ps = append(ps, event.ToolStateChange{ToolCallID: t.ToolCallID, Tool: t.Tool, State: "abandoned"})
		}
		if g.Continuation == approval.CompleteTurn {
			a.emit(ctx, ps...)
			a.complete(ctx, g.FinalResponse, progress.StopAnswer)
			a.turn = nil
			return
		}
	}
	a.emit(ctx, append(ps, event.Interrupted{})...)
	a.turn = nil
}

// reenter makes the turn that a crash cut short the running one, once. It
// reports false when there is none.
func (a *Agent) reenter(ctx context.Context, reason string) bool {
	if a.restored == nil || a.restored.Turn == nil || a.facts != nil {
		return false
	}
	a.attach(ctx)
	a.facts = map[string]bool{}
	t := a.restored.Turn
	a.turn = progress.New(t.ID, t.Attempt+1)
	a.turn.Iterations = t.MainCalls
	for _, c := range a.restored.Calls {
		a.turn.PlanCalled = a.turn.PlanCalled || c.Tool == planTool && c.OK
	}
	a.emit(ctx, event.TurnResumed{TurnID: t.ID, Attempt: a.turn.Attempt, Reason: reason})
	if t.Streaming {
		a.emit(ctx, event.StreamEnd{Discarded: true, Reason: "restart"})
	}
	a.ensureSystem(ctx)
	if !t.Entered && t.Input != nil {
		a.remember(ctx, llm.Message{Role: llm.User, Text: t.Input.Text})
	}
	return true
}

// fact returns what an earlier run of the program left in the journal about a
// call, once: afterwards the call is like any other.
func (a *Agent) fact(id string) *history.Call {
	if a.facts == nil || a.facts[id] {
		return nil
	}
	a.facts[id] = true
	if f := a.restored.Call(id); f != nil && !f.Done {
		return f
	}
	return nil
}
