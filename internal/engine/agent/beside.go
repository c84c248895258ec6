package agent

import (
	"context"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
)

// What a front end does beside the agent's work may be called from any
// goroutine and waits for no operation.

// Tell appends events of the front end's own to the session that the
// conversation is in, outside any turn.
func (a *Agent) Tell(ctx context.Context, ps ...event.Payload) error {
	a.inbox.Order.Lock()
	defer a.inbox.Order.Unlock()
	w := a.current()
	w.Append(ctx, ps...)
	return w.Err()
}

// Book tells what a model call beside the conversation has used, and takes it
// into the ledger.
func (a *Agent) Book(ctx context.Context, r inference.Reply) error {
	a.inbox.Order.Lock()
	defer a.inbox.Order.Unlock()
	w := a.current()
	w.Book(ctx, r)
	return w.Err()
}

// Told are the settings in force as an event tells them.
func (a *Agent) Told(ctx context.Context) event.Settings { return a.opts.Event(ctx, a.Settings()) }

// Leave ends the session before anything that waits: the running turn is
// interrupted; texts that no turn has begun with and an open gate are there for
// the next run.
func (a *Agent) Leave() { a.inbox.Leave(event.Submission{Operation: event.ShutdownOp{}}) }
