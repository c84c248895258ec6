package agent

import (
	"context"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/agent/consent"
	"github.com/ml-intern/ml-intern/internal/engine/agent/inbox"
	"github.com/ml-intern/ml-intern/internal/engine/guard"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
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
	hint       string   // what the model is told once the open calls are done
	empties    int
	forced     int // compactions forced by the provider
	repetition guard.Repetition
	refused    string          // pattern of a repetition whose next round is refused
	polls      map[string]bool // calls that only wait, by id
	toolRetry  bool
}

func newTurn(id string, attempt int) *turn {
	t := &turn{id: id, attempt: attempt, polls: map[string]bool{}}
	t.repetition.Poll = func(c llm.ToolCall) bool { return t.polls[c.ID] || guard.PureWait(c) }
	return t
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
	a.turn = newTurn(fmt.Sprintf("turn_%d", a.turns), 1)
	set := a.Settings()
	a.emit(ctx, event.TurnStarted{
		TurnID: a.turn.id, Attempt: 1, SubmissionID: sub.ID, Model: set.Model,
		Cwd: set.Workdir, Version: set.Version, Runtime: set.Runtime,
	})
	a.ensureSystem(ctx)
	a.remember(ctx, llm.Message{Role: llm.User, Text: text})
	a.segment(ctx)
}

// ensureSystem puts the system prompt in front of the history, and tells one
// that was rendered anew.
func (a *Agent) ensureSystem(ctx context.Context) {
	switch messages := a.talk.Messages(); {
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
	if inbox.Interrupted(ctx) && a.failure() == nil {
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
		if calls := a.talk.Open(); len(calls) > 0 {
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
	if hint := a.turn.hint; hint != "" {
		a.turn.hint = ""
		a.rememberSynthetic(ctx, hint)
	}
	a.joinSteers(ctx)
	limit := a.Settings().MaxIterations
	if limit == 0 {
		return a.complete(ctx, nil, stopMaxIterations)
	}
	a.followModel(ctx)
	if !a.compactIfNeeded(ctx) {
		return a.terminated(ctx)
	}
	if r := a.checkMoney(ctx); r != goOn || ctx.Err() != nil {
		return r
	}
	if limit > 0 && a.turn.iterations >= limit {
		return a.closing(ctx)
	}
	if r := a.guards(ctx); r != goOn {
		return r
	}
	a.turn.iterations++
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
	messages := a.talk.Messages()
	if hit, ok := a.turn.repetition.Check(messages); ok {
		if hit.Action == guard.End {
			return a.doomLoop(ctx, hit)
		}
		a.rememberSynthetic(ctx, hit.Text)
	}
	if name, text, ok := guard.Malformed(messages); ok {
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

// answer takes a finished reply into the history. Its calls are run by the
// loop.
func (a *Agent) answer(ctx context.Context, r inference.Reply) outcome {
	a.turn.refused = ""
	switch {
	case r.Finish == llm.FinishFiltered:
		return a.filtered(ctx, r)
	case len(r.Cut) > 0, r.Finish == llm.FinishLength && len(r.Message.ToolCalls) > 0:
		return a.cutCalls(ctx, r)
	case len(r.Message.ToolCalls) > 0:
		a.turn.truncation.Whole()
		a.turn.planNudges, a.turn.empties, a.turn.pieces = 0, 0, nil
		m := a.store(ctx, r)
		return a.judgeRound(ctx, m.ToolCalls)
	case r.Message.Empty():
		return a.emptyReply(ctx)
	case r.Finish == llm.FinishLength:
		return a.cutText(ctx, r)
	}
	return a.textAnswer(ctx, r)
}

// textAnswer takes an answer without calls into the history.
func (a *Agent) textAnswer(ctx context.Context, r inference.Reply) outcome {
	a.store(ctx, r)
	text := strings.Join(append(a.turn.pieces, r.Message.Text), "")
	a.turn.truncation.Whole()
	a.turn.empties, a.turn.pieces = 0, nil
	return a.answered(ctx, text)
}

// answered ends the turn with a text that is in the history, unless something
// is left to do.
func (a *Agent) answered(ctx context.Context, text string) outcome {
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
	if a.inbox.HasSteer() {
		return goOn
	}
	if a.Settings().UsageGates {
		if r := a.checkThreshold(ctx, consent.CompleteTurn, &text); r != goOn {
			return r
		}
	}
	return a.complete(ctx, &text, stopAnswer)
}

// judgeRound lets the repetition guard look at new calls before they run.
func (a *Agent) judgeRound(ctx context.Context, calls []llm.ToolCall) outcome {
	switch hit := a.turn.repetition.Judge(calls); hit.Action {
	case guard.Refuse:
		a.turn.refused = hit.Pattern
	case guard.End:
		return a.doomLoop(ctx, hit)
	}
	return goOn
}

func (a *Agent) complete(ctx context.Context, final *string, reason string) outcome {
	a.emit(ctx, event.TurnComplete{HistorySize: a.talk.Len(), FinalResponse: final, StopReason: reason})
	return ended
}

// filtered ends a turn whose answer the provider withheld.
func (a *Agent) filtered(ctx context.Context, r inference.Reply) outcome {
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

// cutCalls keeps the complete calls of an answer that hit its length limit;
// they run, and then the model is told which ones were lost.
func (a *Agent) cutCalls(ctx context.Context, r inference.Reply) outcome {
	a.turn.empties, a.turn.pieces = 0, nil
	m := a.store(ctx, r)
	var kept []string
	for _, c := range m.ToolCalls {
		kept = append(kept, c.Name)
	}
	text, more := a.turn.truncation.Calls(kept, r.Cut)
	a.note(ctx, guard.TruncationLog(r.Cut))
	if !more {
		return a.closeWith(ctx, text, stopTruncated)
	}
	a.turn.hint = text
	return goOn
}

// cutText asks the model to go on with an answer that hit its length limit.
func (a *Agent) cutText(ctx context.Context, r inference.Reply) outcome {
	a.turn.empties = 0
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
