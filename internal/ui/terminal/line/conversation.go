package line

import (
	"context"
	"slices"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/record"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript"
)

// conversation is the session for a command.
type conversation struct{ m *mode }

func (t *talk) Conversation() dialog.Conversation { return conversation{t.m} }

// look reads something in the loop.
func look[T any](c conversation, read func(m *mode) T) (v T) {
	c.m.do(func() { v = read(c.m) })
	return v
}

func (c conversation) ID() string {
	return look(c, func(m *mode) string {
		if m.opened == nil {
			return ""
		}
		return m.opened.Info().SessionID
	})
}

func (c conversation) Settings() event.Settings {
	return look(c, func(m *mode) event.Settings { return m.record.Settings })
}

func (c conversation) Status() transcript.Status {
	return look(c, func(m *mode) transcript.Status { return m.transcript.Status() })
}

func (c conversation) Busy() bool {
	return look(c, func(m *mode) bool { return m.transcript.Busy() || m.transcript.Gate() != nil })
}

func (c conversation) Tools() []transcript.Tool {
	return look(c, func(m *mode) []transcript.Tool { return m.transcript.Tools() })
}

func (c conversation) Reply() string {
	return look(c, func(m *mode) string { return m.transcript.Reply() })
}

func (c conversation) Plan() []event.PlanItem {
	return look(c, func(m *mode) []event.PlanItem { return m.transcript.Plan() })
}

func (c conversation) Turns() []dialog.Turn {
	return look(c, func(m *mode) []dialog.Turn { return slices.Clone(m.record.Turns) })
}

func (c conversation) Changes() []dialog.Change {
	return look(c, func(m *mode) []dialog.Change { return slices.Clone(m.record.Changes) })
}

func (c conversation) Submit(ctx context.Context, op event.Operation) error {
	look(c, func(m *mode) bool { m.submit(op); return true })
	return ctx.Err()
}

func (c conversation) Do(ctx context.Context, op event.Operation, ends ...event.Type) (event.Event, error) {
	w := look(c, func(m *mode) *record.Waiter {
		w := m.waiters.Add(ends...)
		m.submit(op)
		return w
	})
	if w == nil {
		return event.Event{}, context.Cause(c.m.ctx)
	}
	ev, err := w.Wait(ctx)
	if ctx.Err() != nil {
		c.m.do(func() { c.m.waiters.Remove(w) })
	}
	return ev, err
}
