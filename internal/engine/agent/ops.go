package agent

import (
	"context"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/hook"
	"github.com/ml-intern/ml-intern/internal/engine/agent/worker"
)

// handle performs one operation to its end.
func (a *Agent) handle(ctx context.Context, sub event.Submission) {
	w := a.current()
	switch op := sub.Operation.(type) {
	case event.UserInput:
		w.Input(ctx, sub.ID, op)
	case event.Steer:
		w.Input(ctx, sub.ID, event.UserInput(op))
	case event.ExecApproval:
		w.Resolve(ctx, op)
	case event.Undo:
		w.Undo(ctx, op)
	case event.Rewind:
		w.Rewind(ctx, op)
	case event.Redo:
		w.Redo(ctx)
	case event.Truncate:
		w.Truncate(ctx, op)
	case event.Compact:
		w.Compact(ctx, op)
	case event.NewChat:
		a.newChat(ctx, w, op)
	case event.Resume:
		a.resume(ctx, w, op)
	case event.Interrupt:
		if w.Gated() {
			w.Interrupted(ctx)
		}
	}
}

// newChat goes on in a fresh session of the same runtime.
func (a *Agent) newChat(ctx context.Context, w *worker.Worker, op event.NewChat) {
	if a.opts.Sessions == nil {
		w.Refuse(ctx, "new chat failed: this front end keeps a single session", "")
		return
	}
	opened, err := a.opts.Sessions.New(ctx)
	if err != nil {
		w.Refuse(ctx, "new chat failed: "+err.Error(), unchanged)
		return
	}
	err = a.swap(ctx, w, a.employ(opened, false), opened, func() event.Payload {
		return event.NewComplete{
			SessionID: opened.SessionID, PreviousSessionID: w.ID(), PreviousTurnCount: w.Turns(),
			PreviousMessageCount: w.Messages(), SavedPath: opened.SavedPath, ClearScreen: op.ClearScreen,
		}
	})
	if err != nil {
		w.Refuse(ctx, "new chat failed: "+err.Error(), unchanged)
		return
	}
	a.turnOver(ctx, w, hook.New)
}

// turnOver runs what stands beside the end of the session that was left, and the
// beginning of the one that goes on.
func (a *Agent) turnOver(ctx context.Context, left *worker.Worker, kind string) {
	a.running.Go(func() { left.Hooks().End(ctx, kind) })
	a.opened(ctx, a.current(), kind)
}

// unchanged says what an operation that has failed leaves.
const unchanged = "The conversation is unchanged."

// resume goes on in a saved session. What was unfinished in it is closed.
func (a *Agent) resume(ctx context.Context, w *worker.Worker, op event.Resume) {
	if strings.TrimSpace(op.Path) == "" {
		w.Refuse(ctx, "resume failed: a path is required", "")
		return
	}
	if a.opts.Sessions == nil {
		w.Refuse(ctx, "resume failed: this front end keeps a single session", "")
		return
	}
	opened, err := a.opts.Sessions.Resume(ctx, op.Path)
	if err != nil {
		w.Refuse(ctx, "resume failed: "+err.Error(), unchanged)
		return
	}
	done := event.ResumeComplete{Path: op.Path}
	if opened.Complete != nil {
		done = *opened.Complete
	}
	next := a.employ(opened, false)
	next.LeaveUnfinished(ctx)
	next.Tell(ctx, done)
	done.SessionID = opened.SessionID
	if err := a.swap(ctx, w, next, opened, func() event.Payload { return done }); err != nil {
		w.Refuse(ctx, "resume failed: "+err.Error(), unchanged)
		return
	}
	a.turnOver(ctx, w, hook.Resume)
	if done.InvalidSavedModel == nil && done.ModelName != "" {
		a.Change(func(s *Settings) { s.Model = done.ModelName })
	}
}

// swap leaves a session for another one; last is what its journal ends with.
func (a *Agent) swap(ctx context.Context, from, to *worker.Worker, opened Opened, last func() event.Payload) error {
	if err := a.move(ctx, from, to, opened, last); err != nil {
		return err
	}
	if from.Attached() {
		to.Attach(ctx)
	}
	if opened.Close == nil {
		return nil
	}
	if err := opened.Close(); err != nil {
		to.Tell(ctx, event.ToolLog{Tool: "system", Log: "close the previous session: " + err.Error()})
	}
	return nil
}

// move makes to the session that the conversation is in. Texts that wait go
// along: the new journal has them before the old one says that they are gone.
func (a *Agent) move(ctx context.Context, from, to *worker.Worker, opened Opened, last func() event.Payload) error {
	a.inbox.Order.Lock()
	defer a.inbox.Order.Unlock()
	for _, sub := range a.inbox.Texts() {
		switch op := sub.Operation.(type) {
		case event.UserInput:
			to.Append(ctx, a.accepted(sub.ID, op, false))
		case event.Steer:
			to.Append(ctx, a.accepted(sub.ID, event.UserInput(op), true))
		}
	}
	if err := to.Err(); err != nil {
		return err
	}
	from.Abandon(ctx)
	from.Append(ctx, last())
	a.mu.Lock()
	a.worker = to
	a.mu.Unlock()
	if opened.State != nil {
		a.inbox.Restore(opened.State.Queue)
	}
	return nil
}
