package execution

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// stopGrace is how long an interrupt waits for tools before it goes on
// without them.
const stopGrace = 1500 * time.Millisecond

// Results of calls that an interrupt has cut short.
const (
	cutShort   = "The call was interrupted by the user while it was running; its effect may be incomplete."
	notStarted = "The call was not started: the user interrupted the turn."
)

// batch is the state of calls that run together.
type batch struct {
	session *Session
	calls   []*Call
	slots   chan struct{}
	lanes   map[string]chan struct{}
	twins   [][2]int // calls that share the result of an earlier one
	envs    []*environment

	mu       sync.Mutex
	results  []tool.Result
	finished []bool
	cut      []*tool.Result // what calls returned after the interrupt
	ready    []*tool.Result // of calls that have ended, and their checkpoint not
	started  []bool
	closed   bool // the batch has been collected: late results are dropped
}

// Run announces the calls, runs them side by side, at most parallel at once,
// and tells each result as soon as it is there. It returns the results in call
// order when all have finished, or shortly after ctx is done. wait is told
// every goroutine: a tool that does not stop in time is still waited for at
// the end of the session.
func Run(ctx context.Context, session *Session, calls []*Call, parallel int, wait *sync.WaitGroup) []tool.Result {
	n := len(calls)
	b := &batch{
		session: session, calls: calls, slots: make(chan struct{}, parallel), lanes: map[string]chan struct{}{},
		envs: make([]*environment, n), results: make([]tool.Result, n), finished: make([]bool, n),
		cut: make([]*tool.Result, n), ready: make([]*tool.Result, n), started: make([]bool, n),
	}
	b.announce()
	all := b.start(ctx, wait)
	select {
	case <-all:
	case <-ctx.Done():
		grace := time.NewTimer(cmp.Or(session.Grace, stopGrace))
		defer grace.Stop()
		select {
		case <-all:
		case <-grace.C:
		}
	}
	return b.collect()
}

func (b *batch) announce() {
	var ps []event.Payload
	for _, c := range b.calls {
		if c.Announce {
			ps = append(ps, event.ToolCall{Tool: c.Name, Arguments: c.ShownArguments(), ToolCallID: c.ID})
		}
	}
	if len(ps) > 0 {
		_ = b.session.Append(ps...) // the session knows and ends
	}
}

// start begins every call; the channel is closed when all have ended.
func (b *batch) start(ctx context.Context, wait *sync.WaitGroup) <-chan struct{} {
	all := make(chan struct{})
	var wg sync.WaitGroup
	same := map[string]int{}
	for i, c := range b.calls {
		b.envs[i] = &environment{session: b.session, call: c}
		key := c.Name + "\x00" + string(c.Args)
		if first, twin := same[key]; twin && c.Failure == "" && c.Risk.ReadOnly() {
			b.twins = append(b.twins, [2]int{i, first})
			continue
		}
		same[key] = i
		prev, next := b.lane(c)
		wg.Add(1)
		wait.Go(func() {
			defer wg.Done()
			defer close(next)
			b.one(ctx, i, prev)
		})
	}
	wait.Go(func() { wg.Wait(); close(all) })
	return all
}

// lane returns what a call must wait for and what it closes when done.
func (b *batch) lane(c *Call) (prev, next chan struct{}) {
	next = make(chan struct{})
	if c.Risk.Lane == "" {
		return nil, next
	}
	prev = b.lanes[c.Risk.Lane]
	b.lanes[c.Risk.Lane] = next
	return prev, next
}

func (b *batch) one(ctx context.Context, i int, prev chan struct{}) {
	if prev != nil {
		select {
		case <-prev:
		case <-ctx.Done():
			return
		}
	}
	select {
	case b.slots <- struct{}{}:
		defer func() { <-b.slots }()
	case <-ctx.Done():
		return
	}
	if ctx.Err() != nil {
		return
	}
	r, ended := b.run(ctx, i)
	b.finish(ctx, i, r)
	// What has changed is told before the result, so that neither a crash nor a
	// reader finds a finished call without it. It waits only after an interrupt,
	// which nothing may delay.
	if ended != nil && ctx.Err() == nil {
		b.mu.Lock()
		b.ready[i] = &r
		b.mu.Unlock()
		ended()
		ended = nil
	}
	b.report(ctx, i, r)
	if ended != nil {
		ended()
	}
}

// run executes one call; whatever goes wrong becomes its failed result. ended is
// what ends its checkpoint, or nil.
func (b *batch) run(ctx context.Context, i int) (r tool.Result, ended func()) {
	c, env := b.calls[i], b.envs[i]
	if c.Failure != "" {
		return tool.Failed(c.Failure), nil
	}
	defer func() {
		if p := recover(); p != nil {
			r = tool.Failed(fmt.Sprintf("%s failed inside: %v", c.Name, p))
			b.session.Debug(fmt.Sprintf("tool %s: %v\n%s", c.Name, p, debug.Stack()))
		}
	}()
	if err := b.begin(ctx, env, c); err != nil {
		return tool.Failed(err.Error()), nil
	}
	b.mu.Lock()
	b.started[i] = true
	b.mu.Unlock()
	ended = b.checkpoint(ctx, c)
	r, err := c.tool.Run(ctx, env, c.Args)
	if err == nil && r.OK && c.Risk.Outside {
		env.outside(r.Output)
	}
	if err == nil && r.Heard != "" {
		env.heard(r.Heard)
	}
	if err == nil {
		env.keep(r.Output)
	}
	switch {
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		r = tool.Failed("") // collect says what happened
	case err != nil:
		r = tool.Failed(fmt.Sprintf("%s could not run: %v", c.Name, err))
	}
	return r, ended
}

// begin tells the intent of a call before its effect starts: the reservation
// of its cost and tool_started. Its error is the call's failed result.
func (b *batch) begin(ctx context.Context, env *environment, c *Call) error {
	var intent json.RawMessage
	if keyed, ok := c.tool.Tool.(tool.KeyedTool); ok && c.Risk.Effect == event.Keyed {
		var err error
		if intent, err = keyed.Intent(ctx, env, c.Args); err != nil {
			return err
		}
	}
	var ps []event.Payload
	if c.Approved {
		ps = append(ps, event.ToolStateChange{ToolCallID: c.ID, Tool: c.Name, State: "running"})
	}
	if c.Risk.Cost != nil {
		spend, block := b.session.Reserve(c.ID, *c.Risk.Cost)
		if block != nil {
			return fmt.Errorf("%s was not started: %s", c.Name, block.BlockReason)
		}
		ps = append(ps, spend...)
	}
	ps = append(ps, event.ToolStarted{ToolCallID: c.ID, Tool: c.Name, Effect: c.Risk.Effect, Intent: intent})
	if b.session.Append(ps...) != nil {
		return errJournal
	}
	return nil
}

// report keeps a result and tells it at once. A failure after an interrupt is
// only what the tool had to say about being stopped.
func (b *batch) report(ctx context.Context, i int, r tool.Result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
	case ctx.Err() != nil && !r.OK && b.calls[i].Failure == "":
		b.cut[i] = &r
	default:
		b.tell(i, r, false)
	}
}

// tell records the result of call i.
func (b *batch) tell(i int, r tool.Result, keep bool, before ...event.Payload) {
	c := b.calls[i]
	b.envs[i].close()
	r.Output = c.dress(r.Output, b.session.Room)
	b.results[i], b.finished[i] = r, true
	conclude(b.session, c, r, keep, before...)
}

// collect closes the batch: unfinished calls are told as cancelled.
func (b *batch) collect() []tool.Result {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, pair := range b.twins {
		if i, first := pair[0], pair[1]; b.finished[first] {
			r := b.results[first]
			b.results[i], b.finished[i] = r, true
			_ = b.session.Append(event.ToolOutput{
				Tool: b.calls[i].Name, ToolCallID: b.calls[i].ID, Output: r.Output, Success: r.OK,
			})
		}
	}
	for i, c := range b.calls {
		if b.finished[i] {
			continue
		}
		if r := b.ready[i]; r != nil {
			b.tell(i, *r, false)
			continue
		}
		if b.session.Leaving() {
			b.envs[i].close()
			continue
		}
		b.tell(i, b.unfinished(i), b.started[i], event.ToolStateChange{ToolCallID: c.ID, Tool: c.Name, State: "cancelled"})
	}
	return b.results
}

// unfinished is the result of a call that an interrupt has cut short, with
// what the tool could still say.
func (b *batch) unfinished(i int) tool.Result {
	if !b.started[i] {
		return tool.Failed(notStarted)
	}
	r := tool.Failed(cutShort)
	if last := b.cut[i]; last != nil {
		r.ActualMicroUSD, r.Holding = last.ActualMicroUSD, last.Holding
		if last.Output != "" {
			r.Output += "\n" + last.Output
		}
	}
	return r
}
