package dialogtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript"
)

// Conversation is a session that is what its fields say.
type Conversation struct {
	SessionID string
	Set       event.Settings
	State     transcript.Status
	Results   []transcript.Tool
	Answer    string
	Steps     []event.PlanItem
	Said      []dialog.Turn
	Changed   []dialog.Change
	Running   bool
	// Answers gives the event that an operation is answered with; nil knows no
	// answer.
	Answers func(op event.Operation) (event.Payload, error)

	mu  sync.Mutex
	ops []event.Operation
}

// Asked are the operations that were handed over.
func (c *Conversation) Asked() []event.Operation {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.ops)
}

// ID implements [dialog.Conversation].
func (c *Conversation) ID() string { return c.SessionID }

// Settings implements [dialog.Conversation].
func (c *Conversation) Settings() event.Settings { return c.Set }

// Status implements [dialog.Conversation].
func (c *Conversation) Status() transcript.Status { return c.State }

// Busy implements [dialog.Conversation].
func (c *Conversation) Busy() bool { return c.Running }

// Tools implements [dialog.Conversation].
func (c *Conversation) Tools() []transcript.Tool { return slices.Clone(c.Results) }

// Reply implements [dialog.Conversation].
func (c *Conversation) Reply() string { return c.Answer }

// Plan implements [dialog.Conversation].
func (c *Conversation) Plan() []event.PlanItem { return slices.Clone(c.Steps) }

// Turns implements [dialog.Conversation].
func (c *Conversation) Turns() []dialog.Turn { return slices.Clone(c.Said) }

// Changes implements [dialog.Conversation].
func (c *Conversation) Changes() []dialog.Change { return slices.Clone(c.Changed) }

// Submit implements [dialog.Conversation].
func (c *Conversation) Submit(ctx context.Context, op event.Operation) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ops = append(c.ops, op)
	return ctx.Err()
}

// Do implements [dialog.Conversation].
func (c *Conversation) Do(ctx context.Context, op event.Operation, ends ...event.Type) (event.Event, error) {
	if err := c.Submit(ctx, op); err != nil {
		return event.Event{}, err
	}
	if c.Answers == nil {
		return event.Event{}, errors.New("the session gives no answers")
	}
	p, err := c.Answers(op)
	if err != nil {
		return event.Event{}, err
	}
	for _, end := range ends {
		if p.Type() == end {
			return event.New(c.SessionID, "", time.Time{}, p)
		}
	}
	return event.Event{}, fmt.Errorf("%T is answered with %s, which ends nothing of %v", op, p.Type(), ends)
}
