package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/guard"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// planTool is the tool whose success means that the turn works by a plan.
const planTool = "plan_tool"

// stopGrace is how long an interrupt waits for tools before it goes on
// without them.
const stopGrace = 1500 * time.Millisecond

// openCalls are the calls of the last assistant message that have no result.
func (a *Agent) openCalls() []llm.ToolCall {
	last := a.lastCalls()
	if last < 0 {
		return nil
	}
	done := map[string]bool{}
	for _, m := range a.messages[last+1:] {
		if m.Role == llm.ToolRole {
			done[m.ToolCallID] = true
		}
	}
	var open []llm.ToolCall
	for _, c := range a.messages[last].ToolCalls {
		if !done[c.ID] {
			open = append(open, c)
		}
	}
	return open
}

// lastCalls is the index of an assistant message with calls that only tool
// results follow, or -1.
func (a *Agent) lastCalls() int {
	for i := len(a.messages) - 1; i >= 0; i-- {
		switch m := a.messages[i]; {
		case m.Role == llm.ToolRole:
		case m.Role == llm.Assistant && len(m.ToolCalls) > 0:
			return i
		default:
			return -1
		}
	}
	return -1
}

// batch judges the given calls, runs those that need no answer, and opens a
// gate for the rest.
func (a *Agent) batch(ctx context.Context, calls []llm.ToolCall) outcome {
	var run, ask []*call
	money := a.ledger.Batch(a.Settings().CapMicroUSD)
	blocks := map[string]*event.Block{}
	for _, c := range calls {
		p := a.prepare(c)
		if f := a.fact(c.ID); f != nil {
			p = a.fromFact(c, f)
			if f.Started != nil && a.recoverCall(ctx, p, f) {
				continue
			}
			if decided(f) || f.Started != nil {
				run = append(run, p)
				continue
			}
		}
		verdict := a.judge(p, money, blocks)
		switch {
		case p.failure != "" || verdict.Action == policy.Run:
			run = append(run, p)
		case verdict.Action == policy.Refuse, a.Settings().Headless:
			p.failure = refusal(p, verdict)
			if verdict.Gated || verdict.Action == policy.Ask {
				a.notApproved(ctx, p)
			}
			run = append(run, p)
		default:
			ask = append(ask, p)
		}
	}
	a.runAll(ctx, run, true)
	if ctx.Err() != nil {
		return goOn
	}
	if len(ask) > 0 {
		a.openToolGate(ctx, ask, blocks)
		return suspended
	}
	return goOn
}

// judge applies the permission mode, the rules and the cap to one call.
func (a *Agent) judge(p *call, batch *policy.Batch, blocks map[string]*event.Block) policy.Verdict {
	if p.failure != "" {
		return policy.Verdict{Action: policy.Run}
	}
	v := a.opts.Policy.Judge(policy.Call{ID: p.ID, Name: p.Name, Args: p.args, Risk: p.risk})
	if v.Action == policy.Run && a.turn.refused != "" {
		p.failure = guard.Refusal(a.turn.refused)
		return v
	}
	switch {
	case v.Action == policy.Run && p.risk.Cost != nil:
		if b := batch.Check(*p.risk.Cost); b != nil {
			blocks[p.ID] = b
			v.Action, v.Reason = policy.Ask, b.BlockReason
		}
	case v.Always:
		blocks[p.ID] = policy.Manual(v.Reason)
	}
	return v
}

func refusal(p *call, v policy.Verdict) string {
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
func (a *Agent) notApproved(ctx context.Context, p *call) {
	a.emit(ctx, event.ToolStateChange{ToolCallID: p.ID, Tool: p.Name, State: "rejected", Feedback: tool.NeedsApproval})
}

// runAll announces the calls, runs them side by side and stores their results
// in call order. Results are told as each call finishes.
func (a *Agent) runAll(ctx context.Context, calls []*call, announce bool) {
	if len(calls) == 0 {
		return
	}
	if announce {
		ps := make([]event.Payload, 0, len(calls))
		for _, c := range calls {
			ps = append(ps, event.ToolCall{Tool: c.Name, Arguments: shownArguments(c), ToolCallID: c.ID})
		}
		a.emit(ctx, ps...)
	}
	results := a.execute(ctx, calls)
	for i, c := range calls {
		a.addResult(c, results[i])
	}
	a.orderResults()
}

// orderResults puts the results behind the last assistant message into the
// order of its calls: those that waited for an answer came later.
func (a *Agent) orderResults() {
	last := a.lastCalls()
	if last < 0 {
		return
	}
	place := map[string]int{}
	for i, c := range a.messages[last].ToolCalls {
		place[c.ID] = i
	}
	slices.SortStableFunc(a.messages[last+1:], func(x, y llm.Message) int {
		return place[x.ToolCallID] - place[y.ToolCallID]
	})
}

func shownArguments(c *call) json.RawMessage {
	if c.args != nil {
		return c.args
	}
	if json.Valid([]byte(c.Arguments)) && c.Arguments != "" {
		return json.RawMessage(c.Arguments)
	}
	return json.RawMessage("{}")
}

// addResult appends a result to the history; its tool_output event is its
// record in the journal.
func (a *Agent) addResult(c *call, r tool.Result) {
	a.add(llm.Message{Role: llm.ToolRole, ToolCallID: c.ID, Name: c.Name, Text: r.Output})
	if c.Name == planTool && r.OK && a.turn != nil {
		a.turn.planCalled = true
	}
}

// execute runs the calls with bounded parallelism. It returns when all have
// finished, or shortly after an interrupt.
func (a *Agent) execute(ctx context.Context, calls []*call) []tool.Result {
	x := &execution{
		agent: a, turnID: a.turnID(), slots: make(chan struct{}, a.Settings().MaxParallel),
		results: make([]tool.Result, len(calls)), finished: make([]bool, len(calls)), lanes: map[string]chan struct{}{},
	}
	begun := time.Now()
	var wg sync.WaitGroup
	same := map[string]int{}
	for i, c := range calls {
		key := c.Name + "\x00" + string(c.args)
		if first, twin := same[key]; twin && c.failure == "" && c.risk.ReadOnly() {
			x.twins = append(x.twins, [2]int{i, first})
			continue
		}
		same[key] = i
		prev, next := x.lane(c)
		wg.Add(1)
		a.running.Add(1)
		go func() {
			defer a.running.Done()
			defer wg.Done()
			defer close(next)
			x.one(ctx, i, c, prev)
		}()
	}
	all := make(chan struct{})
	a.running.Add(1)
	go func() { defer a.running.Done(); wg.Wait(); close(all) }()
	select {
	case <-all:
	case <-ctx.Done():
		grace := time.NewTimer(stopGrace)
		defer grace.Stop()
		select {
		case <-all:
		case <-grace.C:
		}
	}
	if time.Since(begun) > longWait {
		a.longWait = true
	}
	return x.collect(ctx, calls)
}

// execution is the state of one batch while it runs.
type execution struct {
	agent  *Agent
	turnID string
	slots  chan struct{}
	lanes  map[string]chan struct{}
	twins  [][2]int // calls that share the result of an earlier one

	mu       sync.Mutex
	results  []tool.Result
	finished []bool
	closed   bool // the batch has been collected: late results are dropped
}

// lane returns what a call must wait for and what it closes when done.
func (x *execution) lane(c *call) (prev, next chan struct{}) {
	next = make(chan struct{})
	if c.risk.Lane == "" {
		return nil, next
	}
	prev = x.lanes[c.risk.Lane]
	x.lanes[c.risk.Lane] = next
	return prev, next
}

func (x *execution) one(ctx context.Context, i int, c *call, prev chan struct{}) {
	if prev != nil {
		select {
		case <-prev:
		case <-ctx.Done():
			return
		}
	}
	select {
	case x.slots <- struct{}{}:
		defer func() { <-x.slots }()
	case <-ctx.Done():
		return
	}
	if ctx.Err() != nil {
		return
	}
	r := x.run(ctx, c)
	if ctx.Err() != nil && !r.OK {
		return // cut short by the interrupt; collect says so
	}
	x.report(ctx, i, c, r)
}

// report keeps a result and tells it at once.
func (x *execution) report(ctx context.Context, i int, c *call, r tool.Result) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return
	}
	r.Output = c.dress(r.Output)
	x.results[i], x.finished[i] = r, true
	x.agent.append(ctx, x.turnID, x.agent.settle(c, r,
		event.ToolOutput{Tool: c.Name, ToolCallID: c.ID, Output: r.Output, Success: r.OK})...)
}

// dress adds what the model should know beside the tool's own words.
func (c *call) dress(output string) string {
	if c.tool != nil {
		output = c.tool.clip(output)
	}
	if c.note != "" {
		output = c.note + "\n" + output
	}
	if len(c.notes) > 0 {
		output += "\n(note: " + strings.Join(c.notes, "; ") + ")"
	}
	return output
}

// run executes one call; whatever goes wrong becomes its failed result.
func (x *execution) run(ctx context.Context, c *call) (r tool.Result) {
	if c.failure != "" {
		return tool.Failed(c.failure)
	}
	defer func() {
		if p := recover(); p != nil {
			r = tool.Failed(fmt.Sprintf("%s failed inside: %v", c.Name, p))
			x.agent.debug(fmt.Sprintf("tool %s: %v\n%s", c.Name, p, debug.Stack()))
		}
	}()
	env := &environment{agent: x.agent, ctx: ctx, turnID: x.turnID, call: c}
	if failed, ok := x.agent.begin(ctx, env, c); !ok {
		return failed
	}
	r, err := c.tool.Run(ctx, env, c.args)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return tool.Failed("cancelled")
		}
		return tool.Failed(fmt.Sprintf("%s could not run: %v", c.Name, err))
	}
	return r
}

// collect closes the batch: unfinished calls are told as cancelled.
func (x *execution) collect(ctx context.Context, calls []*call) []tool.Result {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed = true
	for _, pair := range x.twins {
		i, first := pair[0], pair[1]
		if x.finished[first] {
			x.results[i], x.finished[i] = x.results[first], true
			x.agent.append(ctx, x.turnID, event.ToolOutput{
				Tool: calls[i].Name, ToolCallID: calls[i].ID, Output: x.results[i].Output, Success: x.results[i].OK,
			})
		}
	}
	for i, c := range calls {
		if x.finished[i] {
			continue
		}
		text := "The call was interrupted by the user while it was running; its effect may be incomplete."
		x.results[i] = tool.Failed(text)
		x.agent.append(ctx, x.turnID, x.agent.settle(c, x.results[i],
			event.ToolStateChange{ToolCallID: c.ID, Tool: c.Name, State: "cancelled"},
			event.ToolOutput{Tool: c.Name, ToolCallID: c.ID, Output: text})...)
	}
	return x.results
}
