package worker

import (
	"context"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/approval"
	"github.com/ml-intern/ml-intern/internal/engine/agent/execution"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// planTool is the tool whose success means that the turn works by a plan.
const planTool = "plan_tool"

// batch judges the given calls, runs those that need no answer, and opens a
// gate for the rest.
func (w *Worker) batch(ctx context.Context, calls []llm.ToolCall) outcome {
	var open, run, ask []*execution.Call
	session := w.session(ctx)
	for _, c := range calls {
		p, done := approval.TakeUp(ctx, w.toolbox, session, c, w.fact(c.ID))
		if done != nil {
			w.addResult(p, *done)
			continue
		}
		open = append(open, p)
	}
	if !w.hooks.Before(ctx, w.toolbox, session.Append, "", open) {
		return goOn
	}
	money := w.budget.Batch(w.set().CapMicroUSD)
	blocks := map[string]*event.Block{}
	for _, p := range open {
		if p.Settled {
			run = append(run, p)
			continue
		}
		if p.Risk.Poll {
			w.turn.Polls(p.ID)
		}
		verdict := approval.Judge(w.opts.Policy, p, w.sources, w.turn.Refused, money, blocks)
		switch {
		case p.Failure != "" || verdict.Action == policy.Run:
		case verdict.Action == policy.Refuse, w.set().Headless:
			p.Failure = approval.Refusal(p, verdict)
			if verdict.Gated || verdict.Action == policy.Ask {
				w.Tell(ctx, approval.Unanswered(p))
			}
		default:
			ask = append(ask, p)
			continue
		}
		run = append(run, p)
	}
	w.runAll(ctx, session, run)
	if ctx.Err() != nil {
		return goOn
	}
	if len(ask) > 0 {
		return w.openToolGate(ctx, ask, blocks)
	}
	return goOn
}

// longWait is how long a tool keeps the model waiting before the long prompt
// cache lifetime pays.
const longWait = 5 * time.Minute

// runAll runs the calls and puts their results into the conversation. What the
// program's own end has cut short is left without a result: the next run looks
// after it.
func (w *Worker) runAll(ctx context.Context, session *execution.Session, calls []*execution.Call) {
	if len(calls) == 0 {
		return
	}
	begun := time.Now()
	results := execution.Run(ctx, session, calls, w.set().MaxParallel, w.running)
	w.longWait = w.longWait || time.Since(begun) > longWait
	if w.leaving(ctx) {
		return
	}
	for i, c := range calls {
		w.addResult(c, results[i])
	}
	w.conversation.Order()
}

// addResult takes a result into the conversation; its tool_output is its record
// in the journal.
func (w *Worker) addResult(c *execution.Call, r tool.Result) {
	w.conversation.Result(c.ToolCall, r.Output)
	if c.Name == planTool && r.OK && w.turn != nil {
		w.turn.PlanCalled = true
	}
}

// stubOpenCalls gives every call without a result the given text.
func (w *Worker) stubOpenCalls(ctx context.Context, text string) {
	w.Tell(ctx, w.stubs(func(llm.ToolCall) string { return text })...)
}

// stubs closes every open call: its result, and the end of a reservation that
// an earlier run of the program has left.
func (w *Worker) stubs(text func(llm.ToolCall) string) []event.Payload {
	var spends []event.Payload
	for _, c := range w.conversation.Open() {
		spends = append(spends, w.budget.Settle(c.ID, tool.Result{}, false)...)
	}
	return append(spends, w.conversation.Stub(text)...)
}
