// Package direct runs tool calls that another program or a person asks for: side
// by side, in a session without a conversation and without a model of its own. Arguments are
// checked, rules and the cap hold, what is looked up is numbered and what was
// read outside is remembered, as in every session. Nobody can be asked: what
// would ask is refused, unless all of it was approved before. The package keeps no journal.
package direct

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/approval"
	"github.com/ml-intern/ml-intern/internal/engine/agent/budget"
	"github.com/ml-intern/ml-intern/internal/engine/agent/companion"
	"github.com/ml-intern/ml-intern/internal/engine/agent/conversation"
	"github.com/ml-intern/ml-intern/internal/engine/agent/delegate"
	"github.com/ml-intern/ml-intern/internal/engine/agent/execution"
	"github.com/ml-intern/ml-intern/internal/engine/agent/hooking"
	"github.com/ml-intern/ml-intern/internal/engine/agent/record"
	"github.com/ml-intern/ml-intern/internal/engine/agent/setup"
	"github.com/ml-intern/ml-intern/internal/engine/agent/sources"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// stopGrace is how long a cancelled call may take to end.
const stopGrace = 700 * time.Millisecond

// Session takes calls until it is closed.
type Session struct {
	opts    setup.Options
	box     *execution.Toolbox
	record  *record.Record
	budget  *budget.Budget
	sources *sources.Sources
	hooks   *hooking.Hooks
	plan    conversation.Plan
	slots   chan struct{}
	running sync.WaitGroup // tool goroutines
	yes     bool           // to all that would ask

	mu    sync.Mutex // guards what follows
	calls int
	lanes map[string]chan struct{} // a place for the one call of each
}

// New returns a Session. Of the options, Journal, State, System and what is
// about conversations are not used; the model of Settings is that of sub-agents.
func New(o setup.Options) (*Session, error) {
	if o.Caller == nil || o.Describe == nil || o.Policy == nil {
		return nil, errors.New("make a session for direct calls: Caller, Describe and Policy are required")
	}
	if o.Debug == nil {
		o.Debug = func(string) {}
	}
	if o.Settings.MaxParallel <= 0 {
		return nil, errors.New("make a session for direct calls: Settings.MaxParallel must be above 0")
	}
	box, err := execution.New(o.Tools)
	if err != nil {
		return nil, err
	}
	s := &Session{
		opts: o, box: box, record: record.New(nowhere{}, func(error) {}, nil), budget: budget.New(nil),
		sources: sources.New(&history.State{}), slots: make(chan struct{}, o.Settings.MaxParallel), lanes: map[string]chan struct{}{},
	}
	s.hooks = hooking.New(&s.opts, o.SessionID, s.settings)
	box.Attach(&companion.Session{SessionID: o.SessionID, Record: s.record, Money: s.budget, Cap: s.cap})
	return s, nil
}

// Approve says yes to all that would ask. Calls that are refused, or are beyond the
// cap, stay so. It is called before the first call.
func (s *Session) Approve() { s.yes = true }

// nowhere is the journal of a session that keeps none.
type nowhere struct{}

func (nowhere) Append(context.Context, string, ...event.Payload) ([]event.Event, error) {
	return nil, nil
}

// Tools are the tools that can be called.
func (s *Session) Tools() []tool.Tool { return s.opts.Tools }

func (s *Session) settings() setup.Settings { return s.opts.Settings }

func (s *Session) cap() int64 { return s.opts.Settings.CapMicroUSD }

// Spent is what calls have cost, reservations included, in millionths of a
// dollar.
func (s *Session) Spent() int64 { return s.budget.Spent() }

// Outcome is what has become of a call.
type Outcome struct {
	// Output is the result, or why there is none.
	Output string
	OK     bool
	// Invalid says that the name or the arguments were wrong.
	Invalid bool
	// Refused says that it may not run here. Verdict is the judgement, empty where
	// a hook has decided; Capped says that it is about what is left under the cap.
	Refused bool
	Verdict policy.Verdict
	Capped  bool
}

// Call makes one call. Log receives its progress lines, from one goroutine at a
// time and not any more when Call has returned. Call returns within a second
// after ctx is done, which to the tool is a person's interrupt.
func (s *Session) Call(ctx context.Context, name string, args json.RawMessage, log func(line string)) Outcome {
	ctx, cancel := interruptible(ctx)
	defer cancel()
	p := s.box.Prepare(ctx, llm.ToolCall{ID: s.number(), Name: name, Arguments: string(args)})
	if p.Failure != "" {
		return Outcome{Output: p.Failure, Invalid: p.Args == nil} // else what they name was not found
	}
	told := &teller{log: log}
	defer told.end()
	seen, calls := s.session(told), []*execution.Call{p}
	if !s.hooks.Before(ctx, s.box, seen.Append, "", calls) {
		return Outcome{Output: name + " was not started: " + context.Cause(ctx).Error()}
	}
	if p = calls[0]; p.Failure != "" {
		return Outcome{Output: p.Failure, Refused: true}
	}
	if v, capped := s.judge(p); v.Action != policy.Run {
		v.Hint = "" // it speaks of a conversation
		return Outcome{Output: approval.Refusal(p, v), Refused: true, Verdict: v, Capped: capped}
	}
	leave, err := s.enter(ctx, p.Risk.Lane)
	if err != nil {
		return Outcome{Output: name + " was not started: " + err.Error()}
	}
	defer leave()
	r := execution.Run(ctx, seen, calls, 1, &s.running)[0]
	return Outcome{Output: r.Output, OK: r.OK}
}

// interruptible ends ctx as a person would.
func interruptible(outer context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(outer))
	stop := context.AfterFunc(outer, func() { cancel(tool.ErrInterrupt) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

func (s *Session) number() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	return fmt.Sprintf("call_%d", s.calls)
}

func (s *Session) judge(p *execution.Call) (v policy.Verdict, capped bool) {
	blocks := map[string]*event.Block{}
	v = approval.Judge(s.opts.Policy, p, s.sources, "", s.budget.Batch(s.cap()), blocks)
	capped = blocks[p.ID] != nil && !v.Always
	if s.yes && v.Action == policy.Ask && !capped {
		v.Action = policy.Run
	}
	return v, capped
}

// enter waits for a place among the calls that run, and for those of its lane.
func (s *Session) enter(ctx context.Context, lane string) (leave func(), err error) {
	places := []chan struct{}{s.slots}
	if lane != "" {
		places = []chan struct{}{s.lane(lane), s.slots}
	}
	taken := 0
	leave = func() {
		for _, place := range places[:taken] {
			<-place
		}
	}
	for _, place := range places {
		select {
		case place <- struct{}{}:
			taken++
		case <-ctx.Done():
			leave()
			return nil, context.Cause(ctx)
		}
	}
	return leave, nil
}

// lane is the place of the one call that runs in a lane. There are as many as
// there are repositories that were changed, and a few more.
func (s *Session) lane(name string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lanes[name] == nil {
		s.lanes[name] = make(chan struct{}, 1)
	}
	return s.lanes[name]
}

// session is what a running call sees.
func (s *Session) session(told *teller) *execution.Session {
	out := &execution.Session{
		SessionID: s.opts.SessionID, Grace: stopGrace, Plan: s.plan.Items, SetPlan: s.plan.Set,
		Append: func(ps ...event.Payload) error {
			told.tell(ps)
			return s.record.Append(context.Background(), "", ps...)
		},
		Reserve: func(callID string, cost tool.Cost) ([]event.Payload, *event.Block) {
			return s.budget.Reserve(callID, cost, s.cap())
		},
		Settle: s.budget.Settle, Keep: s.sources.Keep,
		Leaving: func() bool { return false },
		Debug:   s.opts.Debug,
	}
	out.Evidence = func(e event.Evidence) string { return s.sources.Note(e, out.Append).ID }
	out.Finished = s.hooks.After(out.Append, "")
	out.Heard = func(e event.Evidence) { s.sources.Heard(e, out.Append) }
	out.Delegate = delegate.Host{
		Options: &s.opts, Settings: s.settings, Session: out, Money: s.budget, Sources: s.sources, Hooks: s.hooks, Running: &s.running,
	}.Run
	return out
}

// teller hands the progress lines of one call on until the call has ended.
type teller struct {
	mu  sync.Mutex
	log func(line string) // nil at the end
}

func (t *teller) tell(ps []event.Payload) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.log == nil {
		return
	}
	for _, p := range ps {
		if l, ok := p.(event.ToolLog); ok {
			t.log(l.Log)
		}
	}
}

func (t *teller) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.log = nil
}

// Close ends what the tools hold. No call may be running.
func (s *Session) Close(ctx context.Context) error {
	s.running.Wait()
	return s.box.Close(ctx)
}
