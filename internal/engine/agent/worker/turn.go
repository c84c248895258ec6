package worker

import (
	"context"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
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

// Input begins a turn with a person's text.
func (w *Worker) Input(ctx context.Context, submission string, in event.UserInput) {
	w.Abandon(ctx)
	w.LeaveUnfinished(ctx)
	if w.dead {
		w.Refuse(ctx, "this session has ended because its context cannot shrink any further", "Start a new one.")
		return
	}
	w.Attach(ctx)
	w.equip(ctx)
	w.turns++
	w.turn = progress.New(history.TurnID(w.turns), 1)
	w.inForce, w.undone = append(w.inForce, history.Begun{TurnID: w.turn.ID, Plan: w.plan.Items()}), nil
	w.terms.Store(in.Terms)
	set := w.set()
	w.Tell(ctx, event.TurnStarted{
		TurnID: w.turn.ID, Attempt: 1, SubmissionID: submission, Model: set.Model,
		Terms: in.Terms, Cwd: set.Workdir, Version: set.Version, Runtime: set.Runtime,
	})
	w.permit(ctx)
	w.ensureSystem(ctx)
	if !w.hear(ctx, submission, in, true) {
		w.end(ctx)
		return
	}
	w.segment(ctx)
}

// segment runs a stretch of the turn, up to its end or the next gate.
func (w *Worker) segment(ctx context.Context) {
	w.Tell(ctx, event.Processing{Message: "Processing user input"})
	switch result := w.loop(ctx); {
	case result == ended:
		w.end(ctx)
	case ctx.Err() != nil:
		w.cutOff(ctx)
	}
}

// cutOff ends a turn whose context is done. When the program itself ends the
// turn stays open, for the next run to take up.
func (w *Worker) cutOff(ctx context.Context) {
	if tool.Interrupted(ctx) && w.Err() == nil {
		w.Interrupted(ctx)
	}
}

// interrupted ends a cancelled turn.
func (w *Worker) Interrupted(ctx context.Context) {
	if w.gate != nil {
		w.Tell(ctx, w.gate.Abandoned()...)
		w.closeGate()
	}
	w.stubOpenCalls(ctx, "Tool was not executed: the user interrupted the turn before it started.")
	w.Tell(ctx, event.Interrupted{})
	w.end(ctx)
}

// loop is the turn machine. It returns goOn only when ctx or the journal ends
// it.
func (w *Worker) loop(ctx context.Context) outcome {
	for ctx.Err() == nil && w.Err() == nil {
		r := goOn
		if calls := w.conversation.Open(); len(calls) > 0 {
			r = w.openCalls(ctx, calls)
		} else {
			r = w.iterate(ctx)
		}
		if r != goOn {
			return r
		}
	}
	return goOn
}

// openCalls runs the calls of the last answer.
func (w *Worker) openCalls(ctx context.Context, calls []llm.ToolCall) outcome {
	if w.overCap() { // the answer is paid for: its calls wait in the gate
		return w.openBudget(ctx, "the spending cap is used up", nil)
	}
	return w.batch(ctx, calls)
}

// iterate makes one model call, with everything that comes before it.
func (w *Worker) iterate(ctx context.Context) outcome {
	if hint := w.turn.Hint; hint != "" {
		w.turn.Hint = ""
		w.rememberSynthetic(ctx, hint)
	}
	w.joinTexts(ctx)
	limit := w.set().MaxIterations
	if limit == 0 {
		return w.complete(ctx, nil, progress.StopMaxIterations)
	}
	w.followModel(ctx)
	if !w.compactIfNeeded(ctx) {
		return w.terminated(ctx)
	}
	if r := w.checkMoney(ctx); r != goOn || ctx.Err() != nil {
		return r
	}
	if limit > 0 && w.turn.Iterations >= limit {
		return w.closing(ctx)
	}
	if r := w.guards(ctx); r != goOn {
		return r
	}
	w.turn.Iterations++
	reply, err := w.callModel(ctx, llm.ToolAuto)
	if err != nil {
		return w.failed(ctx, err)
	}
	return w.answer(ctx, reply)
}

// joinTexts appends what people said meanwhile, and what tools have to say.
func (w *Worker) joinTexts(ctx context.Context) {
	for _, sub := range w.inbox.Steers() {
		if op, ok := sub.Operation.(event.Steer); ok {
			w.hear(ctx, sub.ID, event.UserInput(op), false)
		}
	}
	w.Tell(ctx, w.hooked(ctx)...)
	if text := w.notices.Take(); text != "" {
		w.rememberSynthetic(ctx, text)
	}
}

// guards look for repetition and malformed calls before the next model call.
func (w *Worker) guards(ctx context.Context) outcome {
	says, log, end := w.turn.Before(w.conversation.Messages())
	if end != "" {
		return w.closeWith(ctx, end, progress.StopLoop)
	}
	for _, text := range says {
		w.rememberSynthetic(ctx, text)
	}
	if log != "" {
		w.note(ctx, log)
	}
	return goOn
}

// closeWith ends the turn with a text of the engine's own.
func (w *Worker) closeWith(ctx context.Context, text, reason string) outcome {
	w.stubOpenCalls(ctx, "Tool was not executed: the turn was ended.")
	w.remember(ctx, llm.Message{Role: llm.Assistant, Text: text})
	w.announceText(ctx, text)
	return w.complete(ctx, &text, reason)
}

// answer takes a finished reply into the history and does what follows from
// it. Calls are run by the loop.
func (w *Worker) answer(ctx context.Context, r inference.Reply) outcome {
	next := w.turn.Read(r)
	m := r.Message
	if next.Store {
		m = w.store(ctx, r)
	}
	if next.Log != "" {
		w.note(ctx, next.Log)
	}
	switch {
	case next.Fault != nil:
		w.Tell(ctx, *next.Fault)
		return ended
	case next.Close != "":
		return w.closeWith(ctx, next.Close, next.Stop)
	case next.Stop != "":
		return w.complete(ctx, next.Final, next.Stop)
	case next.Answer != nil:
		return w.answered(ctx, *next.Answer)
	case next.Calls:
		if end := w.turn.Round(m.ToolCalls); end != "" {
			return w.closeWith(ctx, end, progress.StopLoop)
		}
	case next.Say != "":
		w.rememberSynthetic(ctx, next.Say)
	}
	return goOn
}

// answered ends the turn with a text that is in the history, unless something
// is left to do.
func (w *Worker) answered(ctx context.Context, text string) outcome {
	nudge, unfinished := w.turn.Unfinished(w.plan.Items(), text, w.set().Headless, ctx.Err() != nil)
	if unfinished {
		w.rememberSynthetic(ctx, nudge)
		w.note(ctx, guard.PlanLog())
		return goOn
	}
	if w.inbox.HasSteer() {
		return goOn
	}
	if say, over := w.hooks.Stop(ctx, w.teller(), text); !over {
		if say != "" {
			w.rememberSynthetic(ctx, say)
		}
		return goOn
	}
	if w.set().UsageGates {
		if r := w.checkThreshold(ctx, approval.CompleteTurn, &text); r != goOn {
			return r
		}
	}
	return w.complete(ctx, &text, progress.StopAnswer)
}

func (w *Worker) complete(ctx context.Context, final *string, reason string) outcome {
	w.Tell(ctx, event.TurnComplete{
		HistorySize: w.conversation.Len(), FinalResponse: final, StopReason: reason, Unverified: w.sources.Unverified(final, w.record.Repos()),
	})
	return ended
}

// closing makes the one call after the last allowed iteration: a summary,
// without tools.
func (w *Worker) closing(ctx context.Context) outcome {
	w.rememberSynthetic(ctx, guard.Closing(w.set().MaxIterations))
	r, err := w.callModel(ctx, llm.ToolNone)
	if err != nil {
		if ctx.Err() != nil {
			return goOn
		}
		w.note(ctx, "the closing summary failed: "+err.Error())
		return w.complete(ctx, nil, progress.StopMaxIterations)
	}
	r.Message.ToolCalls = nil
	if r.Message.Text == "" {
		return w.complete(ctx, nil, progress.StopMaxIterations)
	}
	w.store(ctx, r)
	return w.complete(ctx, &r.Message.Text, progress.StopMaxIterations)
}
