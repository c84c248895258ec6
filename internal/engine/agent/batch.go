package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/consent"
	"github.com/ml-intern/ml-intern/internal/engine/agent/hands"
	"github.com/ml-intern/ml-intern/internal/engine/agent/purse"
	"github.com/ml-intern/ml-intern/internal/engine/guard"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// planTool is the tool whose success means that the turn works by a plan.
const planTool = "plan_tool"

// batch judges the given calls, runs those that need no answer, and opens a
// gate for the rest.
func (a *Agent) batch(ctx context.Context, calls []llm.ToolCall) outcome {
	var run, ask []*hands.Call
	desk := a.desk(ctx)
	money := a.purse.Batch(a.Settings().CapMicroUSD)
	blocks := map[string]*event.Block{}
	for _, c := range calls {
		p, known := a.recovered(ctx, desk, c)
		if known {
			if p != nil {
				run = append(run, p)
			}
			continue
		}
		if p == nil {
			p = a.hands.Prepare(ctx, c)
		}
		if p.Risk.Poll {
			a.turn.Polls(c.ID)
		}
		verdict := a.judge(p, money, blocks)
		switch {
		case p.Failure != "" || verdict.Action == policy.Run:
		case verdict.Action == policy.Refuse, a.Settings().Headless:
			p.Failure = refusal(p, verdict)
			if verdict.Gated || verdict.Action == policy.Ask {
				a.notApproved(ctx, p)
			}
		default:
			ask = append(ask, p)
			continue
		}
		run = append(run, p)
	}
	a.runAll(ctx, desk, run)
	if ctx.Err() != nil {
		return goOn
	}
	if len(ask) > 0 {
		return a.openToolGate(ctx, ask, blocks)
	}
	return goOn
}

// judge applies the permission mode, the rules and the cap to one call.
func (a *Agent) judge(p *hands.Call, batch *policy.Batch, blocks map[string]*event.Block) policy.Verdict {
	if p.Failure != "" {
		return policy.Verdict{Action: policy.Run}
	}
	v := a.verdict(p)
	if v.Action == policy.Run && a.turn.Refused != "" {
		p.Failure = guard.Refusal(a.turn.Refused)
		return v
	}
	switch {
	case v.Action == policy.Run && p.Risk.Cost != nil:
		if b := batch.Check(*p.Risk.Cost); b != nil {
			blocks[p.ID] = b
			v.Action, v.Reason = policy.Ask, b.BlockReason
		}
	case v.Always:
		blocks[p.ID] = policy.Manual(v.Reason)
	}
	return v
}

func (a *Agent) verdict(p *hands.Call) policy.Verdict {
	return a.opts.Policy.Judge(policy.Call{ID: p.ID, Name: p.Name, Args: p.Args, Risk: p.Risk})
}

func refusal(p *hands.Call, v policy.Verdict) string {
	text := fmt.Sprintf("Refused: %s is not permitted here: %s.", p.Name, v.Reason)
	if v.Always {
		text += " Scheduled HF jobs require manual approval."
	}
	if v.Hint != "" {
		text += " " + v.Hint
	}
	return text
}

// notApproved records that a call was refused because nobody could approve it;
// a run that ends so says it in its exit code.
func (a *Agent) notApproved(ctx context.Context, p *hands.Call) {
	a.emit(ctx, event.ToolStateChange{ToolCallID: p.ID, Tool: p.Name, State: "rejected", Feedback: tool.NeedsApproval})
}

// longWait is how long a tool keeps the model waiting before the long prompt
// cache lifetime pays.
const longWait = 5 * time.Minute

// runAll runs the calls and puts their results into the conversation. What the
// program's own end has cut short is left without a result: the next run looks
// after it.
func (a *Agent) runAll(ctx context.Context, desk *desk, calls []*hands.Call) {
	if len(calls) == 0 {
		return
	}
	begun := time.Now()
	results := hands.Run(ctx, desk, calls, a.Settings().MaxParallel, &a.running)
	a.longWait = a.longWait || time.Since(begun) > longWait
	if a.leaving(ctx) {
		return
	}
	for i, c := range calls {
		a.addResult(c, results[i])
	}
	a.talk.Order()
}

// addResult takes a result into the conversation; its tool_output is its record
// in the journal.
func (a *Agent) addResult(c *hands.Call, r tool.Result) {
	a.talk.Result(c.ToolCall, r.Output)
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
	for _, c := range a.talk.Open() {
		if s, ok := a.purse.Settle(c.ID, tool.Result{}, false); ok {
			spends = append(spends, s)
		}
	}
	return append(spends, a.talk.Stub(text)...)
}

// desk is the session as running calls see it. A call that outlives its turn
// stays with the journal and the purse it began with.
type desk struct {
	agent   *Agent
	journal Journal
	purse   *purse.Purse
	id      string
	turnID  string
	leaving func() bool
}

func (a *Agent) desk(ctx context.Context) *desk {
	a.mu.Lock()
	defer a.mu.Unlock()
	return &desk{
		agent: a, journal: a.journal, purse: a.purse, id: a.id, turnID: a.turnID(),
		leaving: func() bool { return a.leaving(ctx) },
	}
}

func (d *desk) SessionID() string              { return d.id }
func (d *desk) Plan() []event.PlanItem         { return d.agent.currentPlan() }
func (d *desk) SetPlan(items []event.PlanItem) { d.agent.setPlan(items) }
func (d *desk) Leaving() bool                  { return d.leaving() }
func (d *desk) Debug(text string)              { d.agent.debug(text) }

func (d *desk) Append(ps ...event.Payload) error {
	if err := d.agent.failure(); err != nil {
		return err
	}
	if _, err := d.journal.Append(context.Background(), d.turnID, ps...); err != nil {
		d.agent.fail(fmt.Errorf("write the session's journal: %w", err))
		return err
	}
	return nil
}

func (d *desk) Reserve(callID string, cost tool.Cost) ([]event.Payload, *event.Block) {
	s, told, block := d.purse.Reserve(callID, cost, d.agent.Settings().CapMicroUSD)
	if block != nil || !told {
		return nil, block
	}
	return []event.Payload{s}, nil
}

func (d *desk) Settle(callID string, r tool.Result, keep bool) []event.Payload {
	if s, ok := d.purse.Settle(callID, r, keep); ok {
		return []event.Payload{s}
	}
	return nil
}

// recovered looks at what an earlier run of the program left about a call.
// known reports that it needs no judgement: a person has decided about it, or
// it had started; then p is nil when its result is there already.
func (a *Agent) recovered(ctx context.Context, desk *desk, c llm.ToolCall) (p *hands.Call, known bool) {
	f := a.fact(c.ID)
	if f == nil {
		return nil, false
	}
	switch {
	case consent.Decided(f):
		p = consent.Resume(a.hands, c, f)
	case f.Started != nil:
		p = a.hands.Prepare(ctx, c)
	case f.Announced:
		p = a.hands.Prepare(ctx, c)
		p.Announce = false
		return p, false
	default:
		return nil, false
	}
	if f.Announced {
		p.Announce = false
	}
	if f.Started == nil {
		return p, true
	}
	r, again := hands.Recover(ctx, desk, p, f)
	if again {
		return p, true
	}
	a.addResult(p, r)
	return nil, true
}
