// Package agent is the engine: it owns one session, takes operations, runs
// turns of model calls and tools, and tells everything it does as events in a
// journal. It meets the world only through ports (Journal, the inference
// caller, tools, Sessions); it knows no provider, no user interface and no
// disk, and it is tested with a scripted model and fake tools.
package agent

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/approval"
	"github.com/ml-intern/ml-intern/internal/engine/agent/budget"
	"github.com/ml-intern/ml-intern/internal/engine/agent/capacity"
	"github.com/ml-intern/ml-intern/internal/engine/agent/conversation"
	"github.com/ml-intern/ml-intern/internal/engine/agent/execution"
	"github.com/ml-intern/ml-intern/internal/engine/agent/inbox"
	"github.com/ml-intern/ml-intern/internal/engine/agent/observer"
	"github.com/ml-intern/ml-intern/internal/engine/agent/progress"
	"github.com/ml-intern/ml-intern/internal/engine/agent/record"
	"github.com/ml-intern/ml-intern/internal/engine/agent/setup"
	"github.com/ml-intern/ml-intern/internal/engine/agent/sources"
	"github.com/ml-intern/ml-intern/internal/engine/window/compact"
)

// What an Agent is made of.
type (
	Journal      = record.Journal
	Sessions     = setup.Sessions
	Opened       = setup.Opened
	Settings     = setup.Settings
	Options      = setup.Options
	StreamFilter = observer.Filter
)

// Agent is one session. Submit, Interrupt and the setters may be called from
// any goroutine; everything else belongs to the goroutine of Run.
type Agent struct {
	opts    Options
	toolbox *execution.Toolbox
	inbox   *inbox.Inbox

	// accepting orders texts and opening gates as the journal has them.
	accepting sync.Mutex

	mu     sync.Mutex // guards what other goroutines set or read
	set    Settings
	record *record.Record
	id     string
	inputs int // texts accepted without an id

	plan conversation.Plan

	// Owned by Run.
	conversation *conversation.Conversation
	budget       *budget.Budget
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
	capacity     *capacity.Capacity
	sources      *sources.Sources
	lastCall     llm.Kind       // what the newest model call was for
	running      sync.WaitGroup // tool goroutines
}

// New returns an Agent; Run makes it work.
func New(o Options) (*Agent, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	h, err := execution.New(o.Tools)
	if err != nil {
		return nil, err
	}
	a := &Agent{opts: o, toolbox: h, set: o.Settings, inbox: inbox.New()}
	a.capacity = capacity.New(capacity.Options{
		Describe: o.Describe, Summarise: a.summarise,
		Facts: func() compact.Facts { return capacity.Facts(&a.plan, a.record, a.budget) }, Count: a.count,
	})
	a.adopt(Opened{SessionID: o.SessionID, Journal: o.Journal, State: o.State}, o.KeepSystem)
	return a, nil
}

// Run works until shutdown or until ctx is done. A turn that was cut short
// earlier is taken up first when resume is true. It returns the error that
// made the session impossible to continue, if any.
func (a *Agent) Run(ctx context.Context, resume bool) error {
	defer a.running.Wait()
	a.emit(ctx, event.Ready{Message: "Agent initialized", ToolCount: len(a.toolbox.Specs())})
	begun := a.inbox.Begin(ctx)
	if resume {
		a.takeUp(begun)
	} else {
		a.leaveUnfinished(begun)
	}
	a.inbox.Done()
	for {
		opCtx, sub, err := a.inbox.Next(ctx)
		if err != nil {
			a.closeTools(ctx)
			return a.failure()
		}
		if _, stop := sub.Operation.(event.ShutdownOp); stop {
			a.closeTools(ctx)
			a.emit(ctx, event.Shutdown{})
			a.inbox.Done()
			return a.failure()
		}
		a.handle(opCtx, sub)
		a.inbox.Done()
	}
}

// Submit hands over an operation. Input is on disk when it returns nil. An
// operation that cannot be accepted is answered by one error event.
func (a *Agent) Submit(ctx context.Context, sub event.Submission) error {
	switch op := sub.Operation.(type) {
	case nil:
		return a.refuse(ctx, "unknown operation")
	case event.Interrupt:
		a.Interrupt()
		return nil
	case event.UserInput:
		return a.accept(ctx, sub, op.Text, false)
	case event.Steer:
		return a.accept(ctx, sub, op.Text, true)
	case event.ExecApproval:
		for i, ap := range op.Approvals {
			if ap.ToolCallID == "" {
				return a.refuse(ctx, fmt.Sprintf("approvals[%d].tool_call_id is missing", i))
			}
		}
	}
	a.inbox.Push(sub, false)
	return nil
}

// accept makes input durable, then queues it. What the journal has before an
// opening gate is in the inbox before it too.
func (a *Agent) accept(ctx context.Context, sub event.Submission, text string, steer bool) error {
	if strings.TrimSpace(text) == "" {
		return a.refuse(ctx, "the message is empty")
	}
	a.accepting.Lock()
	defer a.accepting.Unlock()
	if sub.ID == "" {
		a.inputs++
		sub.ID = fmt.Sprintf("sub_%d_%d", time.Now().UnixNano(), a.inputs)
	}
	set := a.Settings()
	a.append(ctx, "", event.InputAccepted{
		SubmissionID: sub.ID, Text: text, Queued: a.Busy() && !steer, Steer: steer,
		AtGate: a.inbox.AtGate(), Cwd: set.Workdir, Model: set.Model,
	})
	if err := a.failure(); err != nil {
		return err
	}
	a.inbox.Push(sub, true)
	return nil
}

func (a *Agent) refuse(ctx context.Context, text string) error {
	a.append(ctx, "", event.Error{Error: text, Code: "internal", Class: string(llm.ClassInvalidRequest)})
	return a.failure()
}

// Interrupt ends the running turn. At an open gate it abandons the gate; when
// idle it does nothing.
func (a *Agent) Interrupt() { a.inbox.Interrupt() }

// Busy reports whether an operation is running or about to run.
func (a *Agent) Busy() bool { return a.inbox.Busy() }

// Settings returns the values in force.
func (a *Agent) Settings() Settings {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.set
}

// Change alters the settings of later model calls and turns.
func (a *Agent) Change(f func(*Settings)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.set
	f(&a.set)
	if a.set.MaxParallel <= 0 {
		a.set.MaxParallel = before.MaxParallel
	}
	if a.set.Effort != before.Effort {
		a.opts.Caller.ForgetEfforts()
	}
}

// emit appends events of the running turn.
func (a *Agent) emit(ctx context.Context, ps ...event.Payload) {
	a.append(ctx, a.turnID(), ps...)
}

func (a *Agent) turnID() string {
	if a.turn == nil {
		return ""
	}
	return a.turn.ID
}

// append stores events; the first failure ends the session.
func (a *Agent) append(ctx context.Context, turnID string, ps ...event.Payload) {
	_ = a.journal().Append(ctx, turnID, ps...) // the record remembers
}

func (a *Agent) journal() *record.Record {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.record
}

// failure is why the session cannot go on, or nil.
func (a *Agent) failure() error { return a.journal().Err() }

// leaving reports that the program, not the person, ends what runs in ctx.
func (a *Agent) leaving(ctx context.Context) bool {
	return a.failure() != nil || ctx.Err() != nil && !tool.Interrupted(ctx)
}

// note emits a line of the engine's own.
func (a *Agent) note(ctx context.Context, line string) {
	a.emit(ctx, event.ToolLog{Tool: "system", Log: line})
}

// noteOnce emits a line once a session.
func (a *Agent) noteOnce(ctx context.Context, line string) {
	if !a.warned[line] {
		a.warned[line] = true
		a.note(ctx, line)
	}
}

func (a *Agent) closeTools(ctx context.Context) {
	if err := a.toolbox.Close(ctx); err != nil {
		a.opts.Debug(err.Error())
	}
}

func (a *Agent) sessionID() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.id
}
