package terminal

import (
	"context"
	"slices"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/record"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript"
)

// conversation is the session for a command.
type conversation struct{ m *model }

func (t *talk) Conversation() dialog.Conversation { return conversation{t.m} }

// ask reads something in the event loop.
func ask[T any](m *model, read func(m *model) T) T {
	got := make(chan T, 1)
	m.send(sayMsg{func(m *model) { got <- read(m) }})
	var none T
	select {
	case v := <-got:
		return v
	case <-m.ctx.Done():
		return none
	}
}

func (c conversation) ID() string {
	return ask(c.m, func(m *model) string {
		if m.opened == nil {
			return ""
		}
		return m.opened.Info().SessionID
	})
}

func (c conversation) Settings() event.Settings {
	return ask(c.m, func(m *model) event.Settings { return m.record.Settings })
}

func (c conversation) Status() transcript.Status {
	return ask(c.m, func(m *model) transcript.Status { return m.transcript.Status() })
}

func (c conversation) Busy() bool {
	return ask(c.m, func(m *model) bool { return m.transcript.Busy() || m.transcript.Gate() != nil })
}

func (c conversation) Tools() []transcript.Tool {
	return ask(c.m, func(m *model) []transcript.Tool { return m.transcript.Tools() })
}

func (c conversation) Reply() string {
	return ask(c.m, func(m *model) string { return m.transcript.Reply() })
}

func (c conversation) Plan() []event.PlanItem {
	return ask(c.m, func(m *model) []event.PlanItem { return m.transcript.Plan() })
}

func (c conversation) Turns() []dialog.Turn {
	return ask(c.m, func(m *model) []dialog.Turn { return slices.Clone(m.record.Turns) })
}

func (c conversation) Changes() []dialog.Change {
	return ask(c.m, func(m *model) []dialog.Change { return slices.Clone(m.record.Changes) })
}

func (c conversation) Submit(ctx context.Context, op event.Operation) error {
	ask(c.m, func(m *model) bool { m.submit(op); return true })
	return ctx.Err()
}

func (c conversation) Do(ctx context.Context, op event.Operation, ends ...event.Type) (event.Event, error) {
	w := ask(c.m, func(m *model) *record.Waiter {
		w := m.waiters.Add(ends...)
		m.submit(op)
		return w
	})
	if w == nil {
		return event.Event{}, context.Cause(c.m.ctx)
	}
	ev, err := w.Wait(ctx)
	if ctx.Err() != nil {
		ask(c.m, func(m *model) bool { m.waiters.Remove(w); return true })
	}
	return ev, err
}
