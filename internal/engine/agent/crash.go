package agent

import (
	"context"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// takeUp goes on with a turn that a crash cut short, or opens its gate again.
func (a *Agent) takeUp(ctx context.Context) {
	if !a.reenter(ctx, "the program ended while the turn was running") {
		return
	}
	if g := a.restored.Gate; g != nil && g.Synthetic() {
		a.reopenSynthetic(ctx, g)
		return
	}
	a.segment(ctx) // open calls come first; a gate is judged by the mode in force
}

// leaveUnfinished closes what an earlier run left open because new input comes
// first: open calls get their results, an open gate is abandoned.
func (a *Agent) leaveUnfinished(ctx context.Context) {
	if !a.reenter(ctx, "new input came first") {
		return
	}
	if g := a.restored.Gate; g != nil {
		for _, t := range g.Tools {
			a.emit(ctx, event.ToolStateChange{ToolCallID: t.ToolCallID, Tool: t.Tool, State: "abandoned"})
		}
	}
	for _, c := range a.openCalls() {
		f := a.fact(c.ID)
		if f != nil && f.Started != nil && a.recoverCall(ctx, a.fromFact(c, f), f) {
			continue
		}
		a.remember(ctx, llm.Message{
			Role: llm.ToolRole, ToolCallID: c.ID, Name: c.Name,
			Text: "Tool was not executed: the program ended before it had run, and the user moved on.",
		})
	}
	a.orderResults()
	a.emit(ctx, event.Interrupted{})
	a.turn = nil
}

// reenter makes the turn that a crash cut short the running one. It reports
// false when there is none.
func (a *Agent) reenter(ctx context.Context, reason string) bool {
	if a.restored == nil || a.restored.Turn == nil {
		return false
	}
	t := a.restored.Turn
	a.turn = a.newTurn(t.ID, t.Attempt+1)
	a.turn.iterations = t.MainCalls
	for _, c := range a.restored.Calls {
		a.turn.planCalled = a.turn.planCalled || c.Tool == planTool && c.OK
	}
	a.emit(ctx, event.TurnResumed{TurnID: t.ID, Attempt: a.turn.attempt, Reason: reason})
	if t.Streaming {
		a.emit(ctx, event.StreamEnd{Discarded: true, Reason: "restart"})
	}
	if !t.Entered && t.Input != nil {
		a.ensureSystem(ctx)
		a.remember(ctx, llm.Message{Role: llm.User, Text: t.Input.Text})
	}
	return true
}

// fact returns what an earlier run of the program left in the journal about a
// call, once: afterwards the call is like any other.
func (a *Agent) fact(id string) *history.Call {
	if a.restored == nil || a.facts[id] {
		return nil
	}
	if a.facts == nil {
		a.facts = map[string]bool{}
	}
	a.facts[id] = true
	return a.restored.Call(id)
}

// decided reports whether a person answered about the call.
func decided(f *history.Call) bool {
	return f.Answer != nil && (f.Answer.State == "approved" || f.Answer.State == "rejected")
}

// fromFact returns the call as it was last decided: with the arguments a
// person edited, or as a refusal.
func (a *Agent) fromFact(c llm.ToolCall, f *history.Call) *call {
	if !decided(f) {
		return a.prepare(c)
	}
	if f.Answer.State == "rejected" {
		p := a.prepare(c)
		p.failure = rejection(c.Name, f.Answer.Feedback)
		return p
	}
	if len(f.Answer.EditedArguments) == 0 {
		return a.prepare(c)
	}
	p := a.prepare(llm.ToolCall{ID: c.ID, Name: c.Name, Arguments: string(f.Answer.EditedArguments)})
	p.Arguments = c.Arguments
	p.note = "[The user edited the call before it ran; this output is from the edited version.]"
	return p
}

// recoverCall closes a call that had started when the program died, without
// doing anything twice. It reports false when the call may simply run again.
func (a *Agent) recoverCall(ctx context.Context, p *call, f *history.Call) bool {
	if p.failure != "" || f.Started.Effect == event.Pure || f.Started.Effect == event.Read {
		return false
	}
	if f.Started.Effect == event.Keyed {
		outcome, r := a.lookUp(ctx, p, f)
		switch outcome {
		case tool.NotHappened:
			return false
		case tool.Happened:
			r.Output = p.dress(r.Output)
			a.emit(ctx, a.settle(p, r, event.ToolOutput{Tool: p.Name, ToolCallID: p.ID, Output: r.Output, Success: r.OK})...)
			a.addResult(p, r)
			return true
		}
	}
	r := tool.Failed(uncertain(p, f))
	a.emit(ctx, a.settleKept(p,
		event.ToolStateChange{ToolCallID: p.ID, Tool: p.Name, State: "interrupted"},
		event.ToolOutput{Tool: p.Name, ToolCallID: p.ID, Output: r.Output})...)
	a.addResult(p, r)
	return true
}

func (a *Agent) lookUp(ctx context.Context, p *call, f *history.Call) (tool.Outcome, tool.Result) {
	keyed, ok := p.tool.Tool.(tool.KeyedTool)
	if !ok {
		return tool.Unknown, tool.Result{}
	}
	env := &environment{agent: a, ctx: ctx, turnID: a.turnID(), call: p}
	outcome, r, err := keyed.Recover(ctx, env, p.args, f.Started.Intent)
	if err != nil {
		a.note(ctx, fmt.Sprintf("looking up the effect of %s: %v", p.Name, err))
		return tool.Unknown, tool.Result{}
	}
	return outcome, r
}

// uncertain tells the model what is not known and where to look.
func uncertain(p *call, f *history.Call) string {
	text := fmt.Sprintf("The outcome of this %s call is unknown: the program ended while it was running, and it is not repeated. ", p.Name)
	if len(f.Refs) > 0 {
		text += "It had started: " + strings.Join(f.Refs, ", ") + ". "
	}
	switch {
	case p.risk.Command != "":
		return text + "Check what the command has done (files, processes, logs) before deciding whether to run it again."
	case len(p.risk.Writes) > 0:
		return text + "Read " + strings.Join(p.risk.Writes, ", ") + " before deciding whether to write again."
	}
	return text + "Look at what it has made before deciding whether to call it again."
}

// settleKept keeps the reservation of a call whose outcome is unknown.
func (a *Agent) settleKept(p *call, ps ...event.Payload) []event.Payload {
	if p.risk.Cost == nil {
		return ps
	}
	return a.settle(p, tool.Result{OK: true}, ps...)
}

// reopenSynthetic opens a gate about money again, or goes on when the limits
// now allow it.
func (a *Agent) reopenSynthetic(ctx context.Context, ev *history.Gate) {
	g := &gate{kind: gateThreshold, continuation: ev.Continuation, final: ev.FinalResponse, reason: "the spending cap is used up", spendKind: "llm_call"}
	if ev.YoloBudget {
		g.kind = gateBudget
	}
	if len(ev.Tools) > 0 {
		g.id = ev.Tools[0].ToolCallID
	}
	if g.kind == gateBudget && a.overCap() {
		a.openGate(ctx, g, a.budgetEvent(g))
		return
	}
	a.emit(ctx,
		event.ToolStateChange{ToolCallID: g.id, Tool: string(g.kind), State: "approved"},
		event.ToolOutput{Tool: string(g.kind), ToolCallID: g.id, Output: "The limit was raised: going on.", Success: true})
	if g.continuation == completeTurn {
		a.complete(ctx, g.final, stopAnswer)
		a.turn = nil
		return
	}
	a.segment(ctx)
}
