package dialog

import (
	"context"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript"
)

// Conversation is the running session as a command sees it. Its methods may be
// called from any goroutine.
type Conversation interface {
	// ID is the session's id; empty while none is open.
	ID() string
	// Settings are those in force.
	Settings() event.Settings
	// Status is what the status line is made of.
	Status() transcript.Status
	// Busy reports whether a turn is running, or waits for an approval.
	Busy() bool
	// Tools are the last results of tools, the oldest first.
	Tools() []transcript.Tool
	// Reply is the last answer, in Markdown.
	Reply() string
	// Plan is the agent's plan.
	Plan() []event.PlanItem
	// Turns are what the person has said and can go back to, the oldest first.
	Turns() []Turn
	// Changes are the checkpoints of the turns, the oldest first.
	Changes() []Change
	// Submit hands over an operation without waiting.
	Submit(ctx context.Context, op event.Operation) error
	// Do hands over an operation and waits for the first event of one of the
	// types; an error event outside a turn is returned as a *ToldError. Where ctx
	// ends first the error is ErrLeft.
	Do(ctx context.Context, op event.Operation, ends ...event.Type) (event.Event, error)
}

// Turn is one thing the person has said.
type Turn struct {
	ID   string // turn_<n>
	Text string // what was typed
	Time time.Time
}

// Change is what one call has changed in the workspace.
type Change struct {
	TurnID string
	event.Checkpoint
}
