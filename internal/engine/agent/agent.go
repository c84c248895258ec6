// Package agent is the engine: it takes operations for a session and has them
// done one after the other, tells everything as events in a journal, and moves
// to another session when it is asked to. It meets the world only through ports
// (Journal, the inference caller, tools, Sessions, Checkpoints); it knows no
// provider, no user interface and no disk, and it is tested with a scripted
// model and fake tools.
package agent

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/hook"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/agent/conversation"
	"github.com/ml-intern/ml-intern/internal/engine/agent/execution"
	"github.com/ml-intern/ml-intern/internal/engine/agent/inbox"
	"github.com/ml-intern/ml-intern/internal/engine/agent/observer"
	"github.com/ml-intern/ml-intern/internal/engine/agent/record"
	"github.com/ml-intern/ml-intern/internal/engine/agent/setup"
	"github.com/ml-intern/ml-intern/internal/engine/agent/worker"
)

// What an Agent is made of.
type (
	Journal      = record.Journal
	Sessions     = setup.Sessions
	Opened       = setup.Opened
	Checkpoints  = setup.Checkpoints
	Hooks        = setup.Hooks
	Settings     = setup.Settings
	Options      = setup.Options
	StreamFilter = observer.Filter
)

// Agent is one conversation. Submit, Interrupt and the setters may be called
// from any goroutine; everything else belongs to the goroutine of Run.
type Agent struct {
	opts    Options
	toolbox *execution.Toolbox
	inbox   *inbox.Inbox
	windows map[string]int
	running sync.WaitGroup // tool goroutines

	changing sync.Mutex // orders changes of the settings and what is told of them

	mu     sync.Mutex // guards what other goroutines set or read
	set    Settings
	worker *worker.Worker
	inputs int // texts accepted without an id
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
	a := &Agent{opts: o, toolbox: h, set: o.Settings, inbox: inbox.New(), windows: map[string]int{}}
	first := Opened{SessionID: o.SessionID, Journal: o.Journal, State: o.State, Checkpoints: o.Checkpoints}
	a.worker = a.employ(first, o.KeepSystem)
	if o.State != nil {
		a.inbox.Restore(o.State.Queue)
	}
	return a, nil
}

// employ returns the worker of a session. A journal that breaks ends the agent,
// unless the conversation has left it.
func (a *Agent) employ(s Opened, keepSystem bool) *worker.Worker {
	var w *worker.Worker
	w = worker.New(worker.Options{
		Setup: &a.opts, Toolbox: a.toolbox, Inbox: a.inbox, Settings: a.Settings, Windows: a.windows, Running: &a.running,
	}, s, keepSystem, func(err error) {
		if a.current() == w {
			a.inbox.Close(err)
		}
	})
	return w
}

// current is the worker of the session that the conversation is in.
func (a *Agent) current() *worker.Worker {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.worker
}

// Run works until shutdown or until ctx is done. A turn that was cut short
// earlier is taken up first when resume is true. It returns the error that
// made the session impossible to continue, if any.
func (a *Agent) Run(ctx context.Context, resume bool) error {
	defer a.running.Wait()
	w := a.current()
	w.Tell(ctx, event.Ready{Message: "Agent initialized", ToolCount: len(a.toolbox.Specs())})
	a.opened(ctx, w, a.beginning())
	begun := a.inbox.Begin(ctx)
	if resume {
		w.TakeUp(begun)
	} else {
		w.LeaveUnfinished(begun)
	}
	a.inbox.Done()
	for {
		opCtx, sub, err := a.inbox.Next(ctx)
		if err != nil {
			a.closeTools(ctx)
			a.current().Hooks().End(ctx, hook.Exit)
			return a.failure()
		}
		if _, stop := sub.Operation.(event.ShutdownOp); stop {
			a.closeTools(ctx)
			a.current().Tell(ctx, event.Shutdown{})
			a.current().Hooks().End(ctx, hook.Exit)
			a.inbox.Done()
			return a.failure()
		}
		a.handle(opCtx, sub)
		a.inbox.Done()
	}
}

// opened runs what stands beside the beginning of a session.
func (a *Agent) opened(ctx context.Context, w *worker.Worker, kind string) {
	w.Hooks().Start(ctx, func(ps ...event.Payload) error {
		w.Append(ctx, ps...)
		return w.Err()
	}, kind, &a.running)
}

// beginning says how the first session begins.
func (a *Agent) beginning() string {
	if s := a.opts.State; s != nil && (s.Turns > 0 || len(s.Messages) > 0) {
		return hook.Resume
	}
	return hook.Startup
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
		return a.accept(ctx, sub, op, false)
	case event.Steer:
		return a.accept(ctx, sub, event.UserInput(op), true)
	case event.Rename:
		return a.rename(ctx, op)
	case event.Configure:
		return a.refuse(ctx, "the settings of this session cannot be changed from here")
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
func (a *Agent) accept(ctx context.Context, sub event.Submission, in event.UserInput, steer bool) error {
	if strings.TrimSpace(in.Text) == "" && len(in.Images) == 0 {
		return a.refuse(ctx, "the message is empty")
	}
	if err := conversation.Check(in.Images); err != nil {
		return a.refuse(ctx, err.Error())
	}
	a.inbox.Order.Lock()
	defer a.inbox.Order.Unlock()
	if sub.ID == "" {
		a.inputs++
		sub.ID = fmt.Sprintf("sub_%d_%d", time.Now().UnixNano(), a.inputs)
	}
	w := a.current()
	w.Append(ctx, a.accepted(sub.ID, in, steer))
	if err := w.Err(); err != nil {
		return err
	}
	a.inbox.Push(sub, true)
	return nil
}

// accepted tells that a text is on disk.
func (a *Agent) accepted(id string, in event.UserInput, steer bool) event.InputAccepted {
	set := a.Settings()
	return event.InputAccepted{
		SubmissionID: id, Text: in.Text, Shown: in.Shown, Images: in.Images, Terms: in.Terms, Queued: a.Busy() && !steer, Steer: steer,
		AtGate: a.inbox.AtGate(), Cwd: set.Workdir, Model: set.Model,
	}
}

// rename gives the session a title, at once: a running turn does not delay it.
func (a *Agent) rename(ctx context.Context, op event.Rename) error {
	title := history.Cut(history.Line(op.Title), history.MaxTitle)
	if title == "" {
		return a.refuse(ctx, "a title is required")
	}
	return a.Tell(ctx, event.Renamed{Title: title, By: "user"})
}

func (a *Agent) refuse(ctx context.Context, text string) error {
	return a.Tell(ctx, event.Error{Error: text, Code: "internal", Class: string(llm.ClassInvalidRequest)})
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

// Change alters the settings of later model calls and turns, and tells those
// that a settings event holds. f must not call the agent.
func (a *Agent) Change(f func(*Settings)) {
	a.changing.Lock()
	defer a.changing.Unlock()
	before, after := a.change(f)
	if after.Effort != before.Effort {
		a.opts.Caller.ForgetEfforts()
	}
	if after.Told() != before.Told() {
		a.announce(context.Background())
	}
}

func (a *Agent) change(f func(*Settings)) (before, after Settings) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before = a.set
	f(&a.set)
	if a.set.MaxParallel <= 0 {
		a.set.MaxParallel = before.MaxParallel
	}
	return before, a.set
}

// Announce tells the settings in force: for those who have changed the approval
// mode or its rules.
func (a *Agent) Announce(ctx context.Context) {
	a.changing.Lock()
	defer a.changing.Unlock()
	a.announce(ctx)
}

func (a *Agent) announce(ctx context.Context) {
	_ = a.Tell(ctx, a.opts.Event(ctx, a.Settings())) // the session knows and ends
}

// failure is why the session cannot go on, or nil.
func (a *Agent) failure() error { return a.current().Err() }

func (a *Agent) closeTools(ctx context.Context) {
	if err := a.toolbox.Close(ctx); err != nil {
		a.opts.Debug(err.Error())
	}
}
