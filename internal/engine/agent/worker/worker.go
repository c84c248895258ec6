// Package worker does the work of one session: it runs turns of model calls and
// tools, asks people where it must, closes what an earlier run of the program
// has left open, and takes turns back. One goroutine drives it. What is asked
// of a session, in which order, and when the conversation moves to another
// session is its owner's.
package worker

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/approval"
	"github.com/ml-intern/ml-intern/internal/engine/agent/budget"
	"github.com/ml-intern/ml-intern/internal/engine/agent/capacity"
	"github.com/ml-intern/ml-intern/internal/engine/agent/companion"
	"github.com/ml-intern/ml-intern/internal/engine/agent/conversation"
	"github.com/ml-intern/ml-intern/internal/engine/agent/delegate"
	"github.com/ml-intern/ml-intern/internal/engine/agent/execution"
	"github.com/ml-intern/ml-intern/internal/engine/agent/hooking"
	"github.com/ml-intern/ml-intern/internal/engine/agent/inbox"
	"github.com/ml-intern/ml-intern/internal/engine/agent/progress"
	"github.com/ml-intern/ml-intern/internal/engine/agent/record"
	"github.com/ml-intern/ml-intern/internal/engine/agent/setup"
	"github.com/ml-intern/ml-intern/internal/engine/agent/sources"
	"github.com/ml-intern/ml-intern/internal/engine/window/compact"
)

// Options are what the sessions of one runtime share.
type Options struct {
	Setup    *setup.Options
	Toolbox  *execution.Toolbox
	Inbox    *inbox.Inbox
	Settings func() setup.Settings
	// Windows are the context windows that refusals have taught, by model.
	Windows map[string]int
	// Running is told every goroutine of a tool.
	Running *sync.WaitGroup
}

// Worker is one session at work. Append, Err, ID and what a tool sees of the
// session may be used from any goroutine; everything else belongs to one.
type Worker struct {
	opts    *setup.Options
	toolbox *execution.Toolbox
	inbox   *inbox.Inbox
	set     func() setup.Settings // those of the running turn
	terms   atomic.Pointer[event.Terms]
	running *sync.WaitGroup

	id          string
	record      *record.Record
	checkpoints setup.Checkpoints
	notices     companion.Notices
	plan        conversation.Plan

	conversation *conversation.Conversation
	budget       *budget.Budget
	sources      *sources.Sources
	capacity     *capacity.Capacity
	hooks        *hooking.Hooks
	turns        int
	gates        int
	warned       map[string]bool
	longWait     bool
	attached     bool // the tools have been given this session
	dead         bool // session_terminated: only new and shutdown work
	freshSystem  bool // the stored system prompt was replaced and not told yet
	turn         *progress.Progress
	gate         *approval.Gate
	restored     *history.State  // facts about calls a crash cut short
	facts        map[string]bool // calls whose restored state has been used
	lastCall     llm.Kind        // what the newest model call was for
	inForce      []history.Begun // turns that were not taken back
	undone       []history.Undone
}

// New takes over a session: its journal and, when it goes on, what its journal
// says. keepSystem keeps the stored system prompt. failed is told when the
// journal cannot be written.
func New(o Options, s setup.Opened, keepSystem bool, failed func(error)) *Worker {
	state := s.State
	if state == nil {
		state = &history.State{}
	}
	w := &Worker{
		opts: o.Setup, toolbox: o.Toolbox, inbox: o.Inbox, running: o.Running,
		id: s.SessionID, record: record.New(s.Journal, failed, state.Repos), checkpoints: s.Checkpoints,
		budget: budget.New(state.Spend), sources: sources.New(state),
		turns: state.Turns, gates: state.Gates, warned: map[string]bool{}, dead: state.Terminated, restored: state,
		inForce: slices.Clone(state.InForce), undone: slices.Clone(state.Undone),
	}
	w.set = func() setup.Settings { return w.impose(o.Settings()) }
	messages := slices.Clone(state.Messages)
	w.freshSystem = !keepSystem && len(messages) > 0 && messages[0].Role == llm.System
	if w.freshSystem {
		messages[0] = llm.Message{Role: llm.System, Text: w.opts.System()}
	}
	w.hooks = hooking.New(w.opts, w.id, w.set)
	w.plan.Set(state.Plan)
	w.conversation = conversation.New(w.toolbox.Specs(), messages, state.Said, state.MessageIDs)
	w.capacity = capacity.New(capacity.Options{
		Describe: w.opts.Describe, Summarise: w.summarise, Count: w.count, Learned: o.Windows,
		Facts: func() compact.Facts { return capacity.Facts(&w.plan, w.record, w.budget) },
	})
	return w
}

// ID is the session's id.
func (w *Worker) ID() string { return w.id }

// Turns is how many turns the session has had, Messages how many messages the
// conversation has.
func (w *Worker) Turns() int    { return w.turns }
func (w *Worker) Messages() int { return w.conversation.Len() }

// Gated reports whether an approval is open.
func (w *Worker) Gated() bool { return w.gate != nil }

// Append stores events outside any turn; the first failure ends the session.
func (w *Worker) Append(ctx context.Context, ps ...event.Payload) {
	_ = w.record.Append(ctx, "", ps...) // the record remembers
}

// Err is why the session cannot go on, or nil.
func (w *Worker) Err() error { return w.record.Err() }

// Tell appends events of the running turn.
func (w *Worker) Tell(ctx context.Context, ps ...event.Payload) {
	_ = w.record.Append(ctx, w.turnID(), ps...) // the record remembers
}

func (w *Worker) turnID() string {
	if w.turn == nil {
		return ""
	}
	return w.turn.ID
}

// leaving reports that the program, not the person, ends what runs in ctx.
func (w *Worker) leaving(ctx context.Context) bool {
	return w.Err() != nil || ctx.Err() != nil && !tool.Interrupted(ctx)
}

// Refuse ends an operation that cannot be done. It is no turn's end, also where
// one waits at a gate.
func (w *Worker) Refuse(ctx context.Context, text, hint string) {
	w.Append(ctx, event.Error{Error: text, Code: "internal", Class: string(llm.ClassInvalidRequest), Hint: hint})
}

// note tells a line of the engine's own.
func (w *Worker) note(ctx context.Context, line string) {
	w.Tell(ctx, event.ToolLog{Tool: "system", Log: line})
}

// noteOnce tells a line once a session.
func (w *Worker) noteOnce(ctx context.Context, line string) {
	if !w.warned[line] {
		w.warned[line] = true
		w.note(ctx, line)
	}
}

// session is what running calls see of it. A call that outlives its turn
// stays with the journal and the budget it began with.
func (w *Worker) session(ctx context.Context) *execution.Session {
	money, found, turnID := w.budget, w.sources, w.turnID()
	s := &execution.Session{
		SessionID: w.id, TurnID: turnID, Model: w.set().Model,
		Append:  w.teller(),
		Plan:    w.plan.Items,
		SetPlan: w.plan.Set,
		Reserve: func(callID string, cost tool.Cost) ([]event.Payload, *event.Block) {
			return money.Reserve(callID, cost, w.set().CapMicroUSD)
		},
		Settle: money.Settle, Keep: found.Keep,
		Steered: w.inbox.Steered(),
		Leaving: func() bool { return w.leaving(ctx) },
		Debug:   w.opts.Debug,
	}
	if w.checkpoints != nil {
		s.Checkpoint = func(ctx context.Context, risk tool.Risk, callID string) execution.Checkpointed {
			return w.checkpoints.Begin(ctx, turnID, risk, callID)
		}
	}
	s.Evidence = func(e event.Evidence) string { return found.Note(e, s.Append).ID }
	s.Heard = func(e event.Evidence) { found.Heard(e, s.Append) }
	s.Finished = w.hooks.After(s.Append, "")
	s.Delegate = delegate.Host{
		Options: w.opts, Settings: w.set, Session: s, Money: money, Sources: found, Hooks: w.hooks, Running: w.running,
	}.Run
	return s
}

// teller appends events of the running turn, from any goroutine.
func (w *Worker) teller() hooking.Teller {
	record, turnID := w.record, w.turnID()
	return func(ps ...event.Payload) error { return record.Append(context.Background(), turnID, ps...) }
}

// Hooks are those of the session.
func (w *Worker) Hooks() *hooking.Hooks { return w.hooks }

// Attach gives the tools that go on between calls this session, once.
func (w *Worker) Attach(ctx context.Context) {
	if w.attached {
		return
	}
	w.attached = true
	w.Tell(ctx, w.budget.ReleaseModels()...)
	w.toolbox.Attach(&companion.Session{
		SessionID: w.id, Record: w.record, Money: w.budget, Tell: w.notices.Add,
		Cap: func() int64 { return w.set().CapMicroUSD },
	})
}

// equip takes in the tools that have joined or gone since the turn before.
func (w *Worker) equip(ctx context.Context) {
	if w.opts.Joining == nil {
		return
	}
	changed, errs := w.toolbox.Join(w.opts.Joining(ctx))
	if changed {
		w.conversation.Meter().SetTools(w.toolbox.Specs())
	}
	for _, err := range errs {
		w.noteOnce(ctx, err.Error())
	}
}

// Attached reports whether the tools have been given this session.
func (w *Worker) Attached() bool { return w.attached }
