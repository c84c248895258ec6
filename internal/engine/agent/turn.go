package agent

import (
	"context"
	"fmt"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/approval"
	"github.com/ml-intern/ml-intern/internal/engine/agent/progress"
	"github.com/ml-intern/ml-intern/internal/engine/guard"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
)

// outcome says how a stretch of a turn ended.
type outcome int

const (
	goOn outcome = iota
	suspended
	ended
)

// beginTurn opens a turn with a person's text.
func (a *Agent) beginTurn(ctx context.Context, sub event.Submission, text string) {
	a.attach(ctx)
	a.turns++
	a.turn = progress.New(fmt.Sprintf("turn_%d", a.turns), 1)
	set := a.Settings()
	a.emit(ctx, event.TurnStarted{
		TurnID: a.turn.ID, Attempt: 1, SubmissionID: sub.ID, Model: set.Model,
		Cwd: set.Workdir, Version: set.Version, Runtime: set.Runtime,
	})
	a.ensureSystem(ctx)
	a.remember(ctx, llm.Message{Role: llm.User, Text: text})
	a.segment(ctx)
}

// ensureSystem puts the system prompt in front of the history, and tells one
// that was rendered anew.
func (a *Agent) ensureSystem(ctx context.Context) {
	switch messages := a.conversation.Messages(); {
	case len(messages) == 0:
		a.remember(ctx, llm.Message{Role: llm.System, Text: a.opts.System()})
	case messages[0].Role != llm.System:
		a.rewrite(ctx, "system_prompt", append([]llm.Message{{Role: llm.System, Text: a.opts.System()}}, messages...))
	case a.freshSystem:
		a.tellHistory(ctx, "system_prompt")
	}
	a.freshSystem = false
}

// segment runs a stretch of the turn, up to its end or the next gate.
func (a *Agent) segment(ctx context.Context) {
	a.emit(ctx, event.Processing{Message: "Processing user input"})
	switch result := a.loop(ctx); {
	case result == ended:
		a.turn = nil
	case ctx.Err() != nil:
		a.cutOff(ctx)
	}
}

// cutOff ends a turn whose context is done. When the program itself ends the
// turn stays open, for the next run to take up.
func (a *Agent) cutOff(ctx context.Context) {
	if tool.Interrupted(ctx) && a.failure() == nil {
		a.interrupted(ctx)
	}
}

// interrupted ends a cancelled turn.
func (a *Agent) interrupted(ctx context.Context) {
	if a.gate != nil {
		a.emit(ctx, a.gate.Abandoned()...)
		a.closeGate()
	}
	a.stubOpenCalls(ctx, "Tool was not executed: the user interrupted the turn before it started.")
	a.emit(ctx, event.Interrupted{})
	a.turn = nil
}

// loop is the turn machine. It returns goOn only when ctx or the journal ends
// it.
func (a *Agent) loop(ctx context.Context) outcome {
	for ctx.Err() == nil && a.failure() == nil {
		r := goOn
		if calls := a.conversation.Open(); len(calls) > 0 {
			r = a.openCalls(ctx, calls)
		} else {
			r = a.iterate(ctx)
		}
		if r != goOn {
			return r
		}
	}
	return goOn
}

// openCalls runs the calls of the last answer.
func (a *Agent) openCalls(ctx context.Context, calls []llm.ToolCall) outcome {
	if a.overCap() { // the answer is paid for: its calls wait in the gate
		return a.openBudget(ctx, "the spending cap is used up", nil)
	}
	return a.batch(ctx, calls)
}

// iterate makes one model call, with everything that comes before it.
func (a *Agent) iterate(ctx context.Context) outcome {
	if hint := a.turn.Hint; hint != "" {
		a.turn.Hint = ""
		a.rememberSynthetic(ctx, hint)
	}
	a.joinSteers(ctx)
	limit := a.Settings().MaxIterations
	if limit == 0 {
		return a.complete(ctx, nil, progress.StopMaxIterations)
	}
	a.followModel(ctx)
	if !a.compactIfNeeded(ctx) {
		return a.terminated(ctx)
	}
	if r := a.checkMoney(ctx); r != goOn || ctx.Err() != nil {
		return r
	}
	if limit > 0 && a.turn.Iterations >= limit {
		return a.closing(ctx)
	}
	if r := a.guards(ctx); r != goOn {
		return r
	}
	a.turn.Iterations++
	reply, err := a.callModel(ctx, llm.ToolAuto)
	if err != nil {
		return a.failed(ctx, err)
	}
	return a.answer(ctx, reply)
}

// joinSteers appends what people said meanwhile.
func (a *Agent) joinSteers(ctx context.Context) {
	for _, sub := range a.inbox.Steers() {
		if op, ok := sub.Operation.(event.Steer); ok {
			a.remember(ctx, llm.Message{Role: llm.User, Text: op.Text})
		}
	}
}

// guards look for repetition and malformed calls before the next model call.
func (a *Agent) guards(ctx context.Context) outcome {
	says, log, end := a.turn.Before(a.conversation.Messages())
	if end != "" {
		return a.closeWith(ctx, end, progress.StopLoop)
	}
	for _, text := range says {
		a.rememberSynthetic(ctx, text)
	}
	if log != "" {
		a.note(ctx, log)
	}
	return goOn
}

// closeWith ends the turn with a text of the engine's own.
func (a *Agent) closeWith(ctx context.Context, text, reason string) outcome {
	a.stubOpenCalls(ctx, "Tool was not executed: the turn was ended.")
	a.remember(ctx, llm.Message{Role: llm.Assistant, Text: text})
	a.announceText(ctx, text)
	return a.complete(ctx, &text, reason)
}

// answer takes a finished reply into the history and does what follows from
// it. Calls are run by the loop.
func (a *Agent) answer(ctx context.Context, r inference.Reply) outcome {
	next := a.turn.Read(r)
	m := r.Message
	if next.Store {
		m = a.store(ctx, r)
	}
	if next.Log != "" {
		a.note(ctx, next.Log)
	}
	switch {
	case next.Fault != nil:
		a.emit(ctx, *next.Fault)
		return ended
	case next.Close != "":
		return a.closeWith(ctx, next.Close, next.Stop)
	case next.Stop != "":
		return a.complete(ctx, next.Final, next.Stop)
	case next.Answer != nil:
		return a.answered(ctx, *next.Answer)
	case next.Calls:
		if end := a.turn.Round(m.ToolCalls); end != "" {
			return a.closeWith(ctx, end, progress.StopLoop)
		}
	case next.Say != "":
		a.rememberSynthetic(ctx, next.Say)
	}
	return goOn
}

// answered ends the turn with a text that is in the history, unless something
// is left to do.
func (a *Agent) answered(ctx context.Context, text string) outcome {
	nudge, unfinished := a.turn.Unfinished(a.plan.Items(), text, a.Settings().Headless, ctx.Err() != nil)
	if unfinished {
		a.rememberSynthetic(ctx, nudge)
		a.note(ctx, guard.PlanLog())
		return goOn
	}
	if a.inbox.HasSteer() {
		return goOn
	}
	if a.Settings().UsageGates {
		if r := a.checkThreshold(ctx, approval.CompleteTurn, &text); r != goOn {
			return r
		}
	}
	return a.complete(ctx, &text, progress.StopAnswer)
}

func (a *Agent) complete(ctx context.Context, final *string, reason string) outcome {
	a.emit(ctx, event.TurnComplete{
		HistorySize: a.conversation.Len(), FinalResponse: final, StopReason: reason, Unverified: a.sources.Unverified(final, a.record.Repos()),
	})
	return ended
}

// closing makes the one call after the last allowed iteration: a summary,
// without tools.
func (a *Agent) closing(ctx context.Context) outcome {
	a.rememberSynthetic(ctx, guard.Closing(a.Settings().MaxIterations))
	r, err := a.callModel(ctx, llm.ToolNone)
	if err != nil {
		if ctx.Err() != nil {
			return goOn
		}
		a.note(ctx, "the closing summary failed: "+err.Error())
		return a.complete(ctx, nil, progress.StopMaxIterations)
	}
	r.Message.ToolCalls = nil
	if r.Message.Text == "" {
		return a.complete(ctx, nil, progress.StopMaxIterations)
	}
	a.store(ctx, r)
	return a.complete(ctx, &r.Message.Text, progress.StopMaxIterations)
}
