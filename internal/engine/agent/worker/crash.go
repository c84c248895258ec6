package worker

import (
	"context"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/agent/approval"
	"github.com/ml-intern/ml-intern/internal/engine/agent/progress"
)

// takeUp goes on with a turn that a crash cut short, or opens its gate again.
func (w *Worker) TakeUp(ctx context.Context) {
	if !w.reenter(ctx, "the program ended while the turn was running") {
		return
	}
	if g := w.restored.Gate; g != nil && g.Synthetic() {
		w.reopenMoney(ctx, approval.Restore(g))
		return
	}
	if last := w.conversation.Last(); last.Role == llm.Assistant && len(last.ToolCalls) == 0 && w.restored.LastCall != nil {
		w.takeUpAnswer(ctx, last.PlainText(), w.restored.LastCall.FinishReason)
		return
	}
	w.segment(ctx) // open calls come first; a gate is judged by the mode in force
}

// takeUpAnswer goes on behind an answer that was stored when the program
// ended: only its consequences are missing.
func (w *Worker) takeUpAnswer(ctx context.Context, text, finish string) {
	switch limit := w.set().MaxIterations; {
	case finish == finishInterrupted:
		w.rememberSynthetic(ctx, interruptedMark)
		w.Interrupted(ctx)
	case finish == string(llm.FinishLength):
		w.rememberSynthetic(ctx, w.turn.Continued(text))
		w.segment(ctx)
	case limit >= 0 && w.turn.Iterations > limit: // it was the closing summary
		w.complete(ctx, &text, progress.StopMaxIterations)
		w.end(ctx)
	default:
		if w.answered(ctx, text) == goOn {
			w.segment(ctx)
			return
		}
		if w.gate == nil {
			w.end(ctx)
		}
	}
}

// reopenMoney opens a gate about money again, or goes on when the limit now
// allows it.
func (w *Worker) reopenMoney(ctx context.Context, g *approval.Gate) {
	set := w.set()
	switch {
	case g.Kind == approval.Threshold && set.UsageGates:
		w.budget.Rewind(g.Threshold)
		w.openGate(ctx, g, w.thresholdEvent(g))
	case g.Kind == approval.Budget && !g.Affordable(set.CapMicroUSD, w.budget.Spent()):
		w.openGate(ctx, g, w.budgetEvent(g))
	default:
		w.passMoney(ctx, g, "The limit was raised: going on.")
	}
}

// leaveUnfinished closes what an earlier run left open because new input comes
// first: open calls get their results, an open gate is abandoned.
func (w *Worker) LeaveUnfinished(ctx context.Context) {
	if !w.reenter(ctx, "new input came first") {
		return
	}
	session := w.session(ctx)
	session.Abandoned = true
	for _, c := range w.conversation.Open() {
		f := w.fact(c.ID)
		if f == nil || f.Started == nil {
			continue
		}
		if p, done := approval.TakeUp(ctx, w.toolbox, session, c, f); done != nil {
			w.addResult(p, *done)
		}
	}
	ps := w.stubs(func(c llm.ToolCall) string {
		if f := w.restored.Call(c.ID); f != nil && f.Started != nil {
			return "The result of this call was lost: the program ended while it was running, and the user moved on."
		}
		return "Tool was not executed: the program ended before it had run, and the user moved on."
	})
	if g := w.restored.Gate; g != nil {
		for _, t := range g.Tools {
			ps = append(ps, event.ToolStateChange{ToolCallID: t.ToolCallID, Tool: t.Tool, State: "abandoned"})
		}
		if g.Continuation == approval.CompleteTurn {
			w.Tell(ctx, ps...)
			w.complete(ctx, g.FinalResponse, progress.StopAnswer)
			w.end(ctx)
			return
		}
	}
	w.Tell(ctx, append(ps, event.Interrupted{})...)
	w.end(ctx)
}

// reenter makes the turn that a crash cut short the running one, once. It
// reports false when there is none.
func (w *Worker) reenter(ctx context.Context, reason string) bool {
	if w.restored == nil || w.restored.Turn == nil || w.facts != nil {
		return false
	}
	w.Attach(ctx)
	w.equip(ctx)
	w.facts = map[string]bool{}
	t := w.restored.Turn
	w.turn = progress.New(t.ID, t.Attempt+1)
	w.turn.Iterations = t.MainCalls
	for _, c := range w.restored.Calls {
		w.turn.PlanCalled = w.turn.PlanCalled || c.Tool == planTool && c.OK
	}
	w.terms.Store(t.Terms)
	w.Tell(ctx, event.TurnResumed{TurnID: t.ID, Attempt: w.turn.Attempt, Reason: reason})
	w.permit(ctx)
	if t.Streaming {
		w.Tell(ctx, event.StreamEnd{Discarded: true, Reason: "restart"})
	}
	w.ensureSystem(ctx)
	if in := t.Input; !t.Entered && in != nil &&
		!w.hear(ctx, in.SubmissionID, event.UserInput{Text: in.Text, Shown: in.Shown, Images: in.Images}, true) {
		w.end(ctx)
		return false
	}
	return true
}

// fact returns what an earlier run of the program left in the journal about a
// call, once: afterwards the call is like any other.
func (w *Worker) fact(id string) *history.Call {
	if w.facts == nil || w.facts[id] {
		return nil
	}
	w.facts[id] = true
	if f := w.restored.Call(id); f != nil && !f.Done {
		return f
	}
	return nil
}
