package terminal

import (
	"context"
	"errors"
	"slices"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript"
)

// record is what commands may ask about the conversation beside what is shown.
type record struct {
	settings event.Settings
	said     map[string]string // accepted texts by submission
	turns    []dialog.Turn
	changes  []dialog.Change
}

// keep folds an event.
func (r *record) keep(ev event.Event) {
	switch ev.Type {
	case event.TypeSettings:
		if e, err := event.Decode[event.Settings](ev); err == nil {
			r.settings = e
		}
	case event.TypeInputAccepted:
		if e, err := event.Decode[event.InputAccepted](ev); err == nil {
			if r.said == nil {
				r.said = map[string]string{}
			}
			if r.said[e.SubmissionID] = e.Shown; e.Shown == "" {
				r.said[e.SubmissionID] = e.Text
			}
		}
	case event.TypeTurnStarted:
		if e, err := event.Decode[event.TurnStarted](ev); err == nil {
			r.turns = append(r.turns, dialog.Turn{ID: e.TurnID, Text: r.said[e.SubmissionID], Time: ev.Time})
			delete(r.said, e.SubmissionID)
		}
	case event.TypeCheckpoint:
		if e, err := event.Decode[event.Checkpoint](ev); err == nil {
			r.changes = append(r.changes, dialog.Change{TurnID: ev.TurnID, Checkpoint: e})
		}
	case event.TypeUndoComplete:
		if e, err := event.Decode[event.UndoComplete](ev); err == nil && e.Removed > 0 {
			r.turns = r.turns[:max(0, len(r.turns)-max(1, e.Turns))]
		}
	}
}

// waiter is a command that waits for the end of an operation.
type waiter struct {
	ends []event.Type
	got  chan event.Event // has room for one
}

// tell hands an event to those who wait for it.
func (m *model) tell(ev event.Event) {
	m.waiters = slices.DeleteFunc(m.waiters, func(w *waiter) bool {
		if !slices.Contains(w.ends, ev.Type) && (ev.Type != event.TypeError || ev.TurnID != "") {
			return false
		}
		w.got <- ev
		return true
	})
}

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
	return ask(c.m, func(m *model) event.Settings { return m.record.settings })
}

func (c conversation) Status() transcript.Status {
	return ask(c.m, func(m *model) transcript.Status { return m.transcript.Status() })
}

func (c conversation) Busy() bool {
	return ask(c.m, func(m *model) bool { return m.transcript.Busy() })
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
	return ask(c.m, func(m *model) []dialog.Turn { return slices.Clone(m.record.turns) })
}

func (c conversation) Changes() []dialog.Change {
	return ask(c.m, func(m *model) []dialog.Change { return slices.Clone(m.record.changes) })
}

var errNoSession = errors.New("no session is open yet")

func (c conversation) Submit(ctx context.Context, op event.Operation) error {
	ask(c.m, func(m *model) bool { m.submit(op); return true })
	return ctx.Err()
}

func (c conversation) Do(ctx context.Context, op event.Operation, ends ...event.Type) (event.Event, error) {
	w := &waiter{ends: ends, got: make(chan event.Event, 1)}
	if !ask(c.m, func(m *model) bool {
		if m.opened == nil {
			return false
		}
		m.waiters = append(m.waiters, w)
		m.submit(op)
		return true
	}) {
		return event.Event{}, errNoSession
	}
	select {
	case ev := <-w.got:
		if ev.Type != event.TypeError {
			return ev, nil
		}
		e, err := event.Decode[event.Error](ev)
		if err != nil {
			return ev, err
		}
		text := e.Error
		if e.Hint != "" {
			text += " " + e.Hint
		}
		return ev, errors.New(text)
	case <-ctx.Done():
		ask(c.m, func(m *model) bool {
			m.waiters = slices.DeleteFunc(m.waiters, func(other *waiter) bool { return other == w })
			return true
		})
		return event.Event{}, ctx.Err()
	}
}
