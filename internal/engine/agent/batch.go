package agent

import (
	"context"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/approval"
	"github.com/ml-intern/ml-intern/internal/engine/agent/companion"
	"github.com/ml-intern/ml-intern/internal/engine/agent/delegate"
	"github.com/ml-intern/ml-intern/internal/engine/agent/execution"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// planTool is the tool whose success means that the turn works by a plan.
const planTool = "plan_tool"

// batch judges the given calls, runs those that need no answer, and opens a
// gate for the rest.
func (a *Agent) batch(ctx context.Context, calls []llm.ToolCall) outcome {
	var run, ask []*execution.Call
	session := a.session(ctx)
	money := a.budget.Batch(a.Settings().CapMicroUSD)
	blocks := map[string]*event.Block{}
	for _, c := range calls {
		p, settled, done := approval.TakeUp(ctx, a.toolbox, session, c, a.fact(c.ID))
		switch {
		case done != nil:
			a.addResult(p, *done)
			continue
		case settled:
			run = append(run, p)
			continue
		}
		if p.Risk.Poll {
			a.turn.Polls(c.ID)
		}
		verdict := approval.Judge(a.opts.Policy, p, a.sources, a.turn.Refused, money, blocks)
		switch {
		case p.Failure != "" || verdict.Action == policy.Run:
		case verdict.Action == policy.Refuse, a.Settings().Headless:
			p.Failure = approval.Refusal(p, verdict)
			if verdict.Gated || verdict.Action == policy.Ask {
				a.notApproved(ctx, p)
			}
		default:
			ask = append(ask, p)
			continue
		}
		run = append(run, p)
	}
	a.runAll(ctx, session, run)
	if ctx.Err() != nil {
		return goOn
	}
	if len(ask) > 0 {
		return a.openToolGate(ctx, ask, blocks)
	}
	return goOn
}

// notApproved records that a call was refused because nobody could approve it;
// a run that ends so says it in its exit code.
func (a *Agent) notApproved(ctx context.Context, p *execution.Call) {
	a.emit(ctx, event.ToolStateChange{ToolCallID: p.ID, Tool: p.Name, State: "rejected", Feedback: tool.NeedsApproval})
}

// longWait is how long a tool keeps the model waiting before the long prompt
// cache lifetime pays.
const longWait = 5 * time.Minute

// runAll runs the calls and puts their results into the conversation. What the
// program's own end has cut short is left without a result: the next run looks
// after it.
func (a *Agent) runAll(ctx context.Context, session *execution.Session, calls []*execution.Call) {
	if len(calls) == 0 {
		return
	}
	begun := time.Now()
	results := execution.Run(ctx, session, calls, a.Settings().MaxParallel, &a.running)
	a.longWait = a.longWait || time.Since(begun) > longWait
	if a.leaving(ctx) {
		return
	}
	for i, c := range calls {
		a.addResult(c, results[i])
	}
	a.conversation.Order()
}

// addResult takes a result into the conversation; its tool_output is its record
// in the journal.
func (a *Agent) addResult(c *execution.Call, r tool.Result) {
	a.conversation.Result(c.ToolCall, r.Output)
	if c.Name == planTool && r.OK && a.turn != nil {
		a.turn.PlanCalled = true
	}
}

// stubOpenCalls gives every call without a result the given text.
func (a *Agent) stubOpenCalls(ctx context.Context, text string) {
	a.emit(ctx, a.stubs(func(llm.ToolCall) string { return text })...)
}

// stubs closes every open call: its result, and the end of a reservation that
// an earlier run of the program has left.
func (a *Agent) stubs(text func(llm.ToolCall) string) []event.Payload {
	var spends []event.Payload
	for _, c := range a.conversation.Open() {
		spends = append(spends, a.budget.Settle(c.ID, tool.Result{}, false)...)
	}
	return append(spends, a.conversation.Stub(text)...)
}

// session is what running calls see of it. A call that outlives its turn
// stays with the journal and the budget it began with.
func (a *Agent) session(ctx context.Context) *execution.Session {
	record, money, found, turnID := a.record, a.budget, a.sources, a.turnID()
	s := &execution.Session{
		SessionID: a.sessionID(),
		Append:    func(ps ...event.Payload) error { return record.Append(ctx, turnID, ps...) },
		Plan:      a.plan.Items,
		SetPlan:   a.plan.Set,
		Reserve: func(callID string, cost tool.Cost) ([]event.Payload, *event.Block) {
			return money.Reserve(callID, cost, a.Settings().CapMicroUSD)
		},
		Settle: money.Settle, Keep: found.Keep,
		Leaving: func() bool { return a.leaving(ctx) },
		Debug:   a.opts.Debug,
	}
	s.Evidence = func(e event.Evidence) string { return found.Note(e, s.Append).ID }
	s.Heard = func(e event.Evidence) { found.Heard(e, s.Append) }
	s.Delegate = delegate.Host{
		Options: &a.opts, Settings: a.Settings, Session: s, Money: money, Sources: found, Running: &a.running,
	}.Run
	return s
}

// attach gives the tools that go on between calls this session, once.
func (a *Agent) attach(ctx context.Context) {
	if !a.attached {
		a.attached = true
		a.emit(ctx, a.budget.ReleaseModels()...)
		a.toolbox.Attach(&companion.Session{
			SessionID: a.sessionID(), Record: a.record, Money: a.budget,
			Cap: func() int64 { return a.Settings().CapMicroUSD },
		})
	}
}
