package tool

import (
	"context"
	"errors"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// ErrInterrupt is the cause of a call's context when a person has stopped it.
// Any other cause means that the program is leaving: the call is taken up again
// by the next run.
var ErrInterrupt = errors.New("interrupted")

// Interrupted reports whether a person has ended ctx.
func Interrupted(ctx context.Context) bool { return errors.Is(context.Cause(ctx), ErrInterrupt) }

// Session is what goes on after a call: a job that was left running, a sandbox
// that is paid by the hour. Its methods may be called from any goroutine until
// the session's tools have been closed.
type Session interface {
	ID() string
	// Emit appends events, durably where their types ask for it.
	Emit(ps ...event.Payload)
	// Notice hands the model a line of the program's own, such as a finding in
	// a run's numbers: it joins a running turn before its next model call and
	// begins none. Without a running turn it waits for the next one.
	Notice(line string)
	// Reserve sets a cost aside under id before it is caused; ref names the
	// outside thing that causes it. The error says why it does not fit under
	// the session's cap.
	Reserve(id, ref string, cost Cost) error
	// Settle replaces a reservation by what was spent; nil keeps the estimate.
	// An id without a reservation is left alone.
	Settle(id string, microUSD *int64)
	// Release gives a reservation back: nothing was spent.
	Release(id string)
	// Reserved lists the open reservations of a kind, those of an earlier run
	// of the program among them.
	Reserved(kind event.SpendKind) []event.Spend
}

// Companion is a tool that goes on between calls. Attach is called once for
// every session it serves, before the first turn; it returns at once.
type Companion interface {
	Tool
	Attach(s Session)
}
