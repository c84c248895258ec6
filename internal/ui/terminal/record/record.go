// Package record keeps what commands may ask about a conversation beside what
// is shown of it: its settings, its turns, what they have changed, and who
// waits for the end of an operation. It folds events; it shows nothing and
// starts nothing. A Record belongs to one goroutine.
package record

import (
	"cmp"
	"context"
	"slices"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/attention"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// Record is what is known. The zero Record has seen nothing.
type Record struct {
	Settings event.Settings
	Turns    []dialog.Turn
	Changes  []dialog.Change

	said map[string]string // accepted texts by submission
	// gone are the turns of the undos that a redo would bring back, the newest
	// undo last.
	gone [][]dialog.Turn
}

// Keep folds the next event.
func (r *Record) Keep(ev event.Event) {
	switch ev.Type {
	case event.TypeSettings:
		with(ev, func(in event.Settings) { r.Settings = in })
	case event.TypeInputAccepted:
		with(ev, func(in event.InputAccepted) {
			if r.said == nil {
				r.said = map[string]string{}
			}
			r.said[in.SubmissionID] = cmp.Or(in.Shown, in.Text)
		})
	case event.TypeTurnStarted:
		with(ev, func(in event.TurnStarted) {
			r.Turns = append(r.Turns, dialog.Turn{ID: in.TurnID, Text: r.said[in.SubmissionID], Time: ev.Time})
			r.gone = nil
			delete(r.said, in.SubmissionID)
		})
	case event.TypeCheckpoint:
		with(ev, func(in event.Checkpoint) {
			r.Changes = append(r.Changes, dialog.Change{TurnID: ev.TurnID, Checkpoint: in})
		})
	case event.TypeUndoComplete:
		with(ev, func(in event.UndoComplete) {
			if in.Removed > 0 {
				left := max(0, len(r.Turns)-max(1, in.Turns))
				r.gone = append(r.gone, slices.Clone(r.Turns[left:]))
				r.Turns = r.Turns[:left]
			}
		})
	case event.TypeRedoComplete:
		with(ev, func(in event.RedoComplete) {
			if last := len(r.gone) - 1; last >= 0 && in.Added > 0 {
				r.Turns = append(r.Turns, r.gone[last]...)
				r.gone = r.gone[:last]
			}
		})
	}
}

func with[P event.Payload](ev event.Event, do func(P)) {
	if in, err := event.Decode[P](ev); err == nil {
		do(in)
	}
}

// Waiters wait for events. The zero Waiters are nobody.
type Waiters struct{ list []*Waiter }

// Waiter waits for the end of one operation.
type Waiter struct {
	ends []event.Type
	got  chan outcome // has room for one
}

type outcome struct {
	ev  event.Event
	err error
}

// Add waits for the first event of one of the types, or for an error outside a
// turn.
func (w *Waiters) Add(ends ...event.Type) *Waiter {
	one := &Waiter{ends: ends, got: make(chan outcome, 1)}
	w.list = append(w.list, one)
	return one
}

// Remove gives a waiter up.
func (w *Waiters) Remove(one *Waiter) {
	w.list = slices.DeleteFunc(w.list, func(other *Waiter) bool { return other == one })
}

// Tell hands an event to those who wait for it.
func (w *Waiters) Tell(ev event.Event) {
	w.list = slices.DeleteFunc(w.list, func(one *Waiter) bool {
		if !slices.Contains(one.ends, ev.Type) && (ev.Type != event.TypeError || ev.TurnID != "") {
			return false
		}
		one.got <- outcome{ev, problem(ev)}
		return true
	})
}

// End tells all that wait that nothing comes any more; the caller has shown why.
func (w *Waiters) End(err error) {
	for _, one := range w.list {
		one.got <- outcome{err: &dialog.ToldError{Text: err.Error()}}
	}
	w.list = nil
}

// problem is what an error event says.
func problem(ev event.Event) error {
	if ev.Type != event.TypeError {
		return nil
	}
	in, err := event.Decode[event.Error](ev)
	if err != nil {
		return err
	}
	text := in.Error
	if in.Hint != "" {
		text += " " + in.Hint
	}
	return &dialog.ToldError{Text: text}
}

// Wait returns the event; one that is an error as an error. It may be called
// from any goroutine. Who gives up removes the waiter.
func (w *Waiter) Wait(ctx context.Context) (event.Event, error) {
	select {
	case o := <-w.got:
		return o.ev, o.err
	case <-ctx.Done():
		return event.Event{}, dialog.ErrLeft
	}
}

// Notice is what a person who looks elsewhere should know of an event; without a
// kind it is nothing.
func (r *Record) Notice(ev event.Event) (kind, text string) {
	switch ev.Type {
	case event.TypeApprovalRequired:
		return attention.Approval, "an approval is needed"
	case event.TypeTurnComplete:
		if n := len(r.Turns); n > 0 {
			return attention.Finished, "finished: " + r.Turns[n-1].Text
		}
		return attention.Finished, "finished"
	case event.TypeError:
		with(ev, func(in event.Error) { kind, text = attention.Error, in.Error })
	case event.TypeJobComplete:
		with(ev, func(in event.JobComplete) { kind, text = attention.Job, "job "+in.JobID+": "+in.FinalStatus })
	}
	return kind, text
}
