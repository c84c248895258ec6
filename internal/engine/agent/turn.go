package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/guard"
)

// Stop reasons of turn_complete.
const (
	stopAnswer        = "answer"
	stopMaxIterations = "max_iterations"
	stopEmpty         = "empty_response"
	stopTruncated     = "truncated"
	stopLoop          = "doom_loop"
	stopTerminated    = "terminated"
)

// turn is what the engine knows about the running turn. It survives gates.
type turn struct {
	id         string
	attempt    int
	iterations int // model calls that could use tools

	planCalled bool
	planNudges int
	truncation guard.Truncation
	pieces     []string // text of a cut answer so far
	empties    int
	forced     int // compactions forced by the provider
	repetition guard.Repetition
	refused    string // pattern of a repetition whose next round is refused
	toolRetry  bool
}

func (a *Agent) newTurn(id string, attempt int) *turn {
	t := &turn{id: id, attempt: attempt}
	t.repetition.Poll = a.polls
	return t
}

// polls reports whether a call only waits for something to change.
func (a *Agent) polls(c llm.ToolCall) bool {
	p := a.prepare(c)
	return p.risk.Poll || guard.PureWait(c)
}

// outcome says how a stretch of a turn ended.
type outcome int

const (
	goOn outcome = iota
	suspended
	ended
)

// beginTurn opens a turn with a person's text.
func (a *Agent) beginTurn(ctx context.Context, sub event.Submission, text string) {
	a.turns++
	a.turn = a.newTurn(fmt.Sprintf("turn_%d", a.turns), 1)
	set := a.Settings()
	a.emit(ctx, event.TurnStarted{
		TurnID: a.turn.id, Attempt: 1, SubmissionID: sub.ID, Model: set.Model,
		Cwd: set.Workdir, Version: set.Version, Runtime: set.Runtime,
	})
	a.ensureSystem(ctx)
	a.remember(ctx, llm.Message{Role: llm.User, Text: text})
	a.segment(ctx)
}

// ensureSystem puts the system prompt in front of a new history.
func (a *Agent) ensureSystem(ctx context.Context) {
	if len(a.messages) > 0 && a.messages[0].Role == llm.System {
		return
	}
	a.remember(ctx, llm.Message{Role: llm.System, Text: a.opts.System()})
}

// segment runs a stretch of the turn, up to its end or the next gate.
func (a *Agent) segment(ctx context.Context) {
	turnCtx, cancel := context.WithCancelCause(ctx)
	a.mu.Lock()
	a.cancel = cancel
	a.mu.Unlock()
	a.emit(ctx, event.Processing{Message: "Processing user input"})
	result := a.loop(turnCtx)
	interrupted := errors.Is(context.Cause(turnCtx), errInterrupt)
	a.mu.Lock()
	a.cancel = nil
	a.mu.Unlock()
	cancel(nil)
	switch {
	case a.failure() != nil, ctx.Err() != nil && result == goOn:
		return
	case interrupted && result != ended:
		a.interrupted(ctx)
	case result == ended:
		a.turn = nil
	}
}

// interrupted ends a cancelled turn.
func (a *Agent) interrupted(ctx context.Context) {
	a.dropGate(ctx)
	a.stubOpenCalls(ctx, "Tool was not executed: the user interrupted the turn before it started.")
	a.emit(ctx, event.Interrupted{})
	a.turn = nil
}

// loop is the turn machine.
func (a *Agent) loop(ctx context.Context) outcome {
	for {
		if ctx.Err() != nil || a.failure() != nil {
			return goOn
		}
		if calls := a.openCalls(); len(calls) > 0 {
			if a.overCap() { // the answer is paid for: its calls wait in the gate
				return a.openBudget(ctx, "the spending cap is used up")
			}
			if r := a.batch(ctx, calls); r != goOn {
				return r
			}
			continue
		}
		a.joinSteers(ctx)
		set := a.Settings()
		if set.MaxIterations == 0 {
			return a.complete(ctx, nil, stopMaxIterations)
		}
		if set.MaxIterations > 0 && a.turn.iterations >= set.MaxIterations {
			return a.closing(ctx)
		}
		if !a.compactIfNeeded(ctx) {
			return a.terminated(ctx)
		}
		if r := a.checkMoney(ctx); r != goOn {
			return r
		}
		if r := a.guards(ctx); r != goOn {
			return r
		}
		a.turn.iterations++
		reply, err := a.callModel(ctx, llm.ToolAuto)
		if err != nil {
			if r := a.failed(ctx, err, reply); r != goOn {
				return r
			}
			continue
		}
		if r := a.answer(ctx, reply); r != goOn {
			return r
		}
	}
}

// joinSteers appends what people said meanwhile.
func (a *Agent) joinSteers(ctx context.Context) {
	for _, sub := range a.queue.steers() {
		if op, ok := sub.Operation.(event.Steer); ok {
			a.remember(ctx, llm.Message{Role: llm.User, Text: op.Text})
		}
	}
}

// guards look for repetition and malformed calls before the next model call.
func (a *Agent) guards(ctx context.Context) outcome {
	if hit, ok := a.turn.repetition.Check(a.messages); ok {
		if hit.Action == guard.End {
			return a.doomLoop(ctx, hit)
		}
		a.rememberSynthetic(ctx, hit.Text)
	}
	if name, text, ok := guard.Malformed(a.messages); ok {
		a.rememberSynthetic(ctx, text)
		a.note(ctx, guard.MalformedLog(name))
	}
	return goOn
}

// doomLoop ends a turn that only repeats itself.
func (a *Agent) doomLoop(ctx context.Context, hit guard.Hit) outcome {
	return a.closeWith(ctx, guard.DoomLoop(hit.Pattern, hit.Count), stopLoop)
}

// closeWith ends the turn with a text of the engine's own.
func (a *Agent) closeWith(ctx context.Context, text, reason string) outcome {
	a.stubOpenCalls(ctx, "Tool was not executed: the turn was ended.")
	a.remember(ctx, llm.Message{Role: llm.Assistant, Text: text})
	a.announceText(ctx, text)
	return a.complete(ctx, &text, reason)
}

// answer takes a finished reply into the history.
func (a *Agent) answer(ctx context.Context, r reply) outcome {
	if r.Finish == llm.FinishFiltered {
		return a.filtered(ctx, r)
	}
	if len(r.Cut) > 0 || (r.Finish == llm.FinishLength && len(r.Message.ToolCalls) > 0) {
		return a.cutCalls(ctx, r)
	}
	if len(r.Message.ToolCalls) > 0 {
		a.turn.truncation.Whole()
		a.turn.planNudges, a.turn.empties, a.turn.pieces = 0, 0, nil
		a.store(ctx, r)
		return a.judgeRound(ctx, r.Message.ToolCalls) // the loop runs the open calls
	}
	if r.Message.Empty() {
		return a.emptyReply(ctx)
	}
	a.turn.empties = 0
	if r.Finish == llm.FinishLength {
		return a.cutText(ctx, r)
	}
	a.store(ctx, r)
	text := strings.Join(append(a.turn.pieces, r.Message.Text), "")
	a.turn.truncation.Whole()
	nudge, unfinished := guard.Plan(guard.PlanState{
		Plan: a.currentPlan(), Answer: text, Touched: a.turn.planCalled, Headless: a.Settings().Headless,
		Cancelled: ctx.Err() != nil, Nudges: a.turn.planNudges,
	})
	if unfinished {
		a.turn.planNudges++
		a.rememberSynthetic(ctx, nudge)
		a.note(ctx, guard.PlanLog())
		return goOn
	}
	if a.queue.hasSteer() {
		return goOn
	}
	if a.Settings().UsageGates {
		if r := a.checkThreshold(ctx, completeTurn, &text); r != goOn {
			return r
		}
	}
	return a.complete(ctx, &text, stopAnswer)
}

// judgeRound lets the repetition guard look at new calls before they run.
func (a *Agent) judgeRound(ctx context.Context, calls []llm.ToolCall) outcome {
	a.turn.refused = ""
	switch hit := a.turn.repetition.Judge(calls); hit.Action {
	case guard.Refuse:
		a.turn.refused = hit.Pattern
	case guard.End:
		return a.doomLoop(ctx, hit)
	}
	return goOn
}

func (a *Agent) complete(ctx context.Context, final *string, reason string) outcome {
	a.emit(ctx, event.TurnComplete{HistorySize: len(a.messages), FinalResponse: final, StopReason: reason})
	return ended
}

// filtered ends a turn whose answer the provider withheld.
func (a *Agent) filtered(ctx context.Context, r reply) outcome {
	text := "the model declined to answer"
	if r.Explanation != "" {
		text += ": " + r.Explanation
	}
	a.emit(ctx, event.Error{
		Error: text, Code: "internal", Class: string(llm.FinishFiltered),
		Hint: "Rephrase the request, or switch models with --model.",
	})
	return ended
}

func (a *Agent) emptyReply(ctx context.Context) outcome {
	a.turn.empties++
	switch a.turn.empties {
	case 1:
		return goOn // once more, unchanged
	case 2:
		a.rememberSynthetic(ctx, guard.EmptyReply())
		return goOn
	}
	text := guard.EmptyResponse()
	return a.complete(ctx, &text, stopEmpty)
}

// cutCalls keeps the complete calls of an answer that hit its length limit and
// runs them; the model is told which ones were lost.
func (a *Agent) cutCalls(ctx context.Context, r reply) outcome {
	a.store(ctx, r)
	var kept []string
	for _, c := range r.Message.ToolCalls {
		kept = append(kept, c.Name)
	}
	text, more := a.turn.truncation.Calls(kept, r.Cut)
	a.note(ctx, guard.TruncationLog(r.Cut))
	if !more {
		return a.closeWith(ctx, text, stopTruncated)
	}
	if calls := a.openCalls(); len(calls) > 0 {
		if res := a.batch(ctx, calls); res != goOn {
			return res
		}
	}
	a.rememberSynthetic(ctx, text)
	return goOn
}

// cutText asks the model to go on with an answer that hit its length limit.
func (a *Agent) cutText(ctx context.Context, r reply) outcome {
	a.store(ctx, r)
	a.turn.pieces = append(a.turn.pieces, r.Message.Text)
	text, more := a.turn.truncation.Text()
	a.note(ctx, guard.TruncationLog(nil))
	if !more {
		final := strings.Join(a.turn.pieces, "")
		return a.complete(ctx, &final, stopTruncated)
	}
	a.rememberSynthetic(ctx, text)
	return goOn
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
		return a.complete(ctx, nil, stopMaxIterations)
	}
	r.Message.ToolCalls = nil
	if r.Message.Text == "" {
		return a.complete(ctx, nil, stopMaxIterations)
	}
	a.store(ctx, r)
	return a.complete(ctx, &r.Message.Text, stopMaxIterations)
}
