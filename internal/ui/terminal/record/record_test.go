package record_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/attention"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/record"
)

var at = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func ev(t *testing.T, turn string, p event.Payload) event.Event {
	t.Helper()
	e, err := event.New("s", turn, at, p)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestWhatIsKept(t *testing.T) {
	var r record.Record
	changed := event.Checkpoint{ToolCallID: "c", Files: []event.FileChanged{{Path: "a"}}}
	for _, e := range []event.Event{
		ev(t, "", event.Settings{Model: "a/b"}),
		ev(t, "", event.InputAccepted{SubmissionID: "1", Text: "long", Shown: "short"}), ev(t, "turn_1", event.TurnStarted{TurnID: "turn_1", SubmissionID: "1"}),
		ev(t, "turn_1", changed),
		ev(t, "", event.InputAccepted{SubmissionID: "2", Text: "two"}), ev(t, "turn_2", event.TurnStarted{TurnID: "turn_2", SubmissionID: "2"}),
		ev(t, "", event.InputAccepted{SubmissionID: "3", Text: "three"}), ev(t, "turn_3", event.TurnStarted{TurnID: "turn_3", SubmissionID: "3"}),
		ev(t, "", event.UndoComplete{}), ev(t, "", event.UndoComplete{Removed: 2}), ev(t, "", event.UndoComplete{Removed: 3, Turns: 1}),
	} {
		r.Keep(e)
	}
	want := []dialog.Turn{{ID: "turn_1", Text: "short", Time: at}}
	if diff := cmp.Diff(want, r.Turns); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]dialog.Change{{TurnID: "turn_1", Checkpoint: changed}}, r.Changes); diff != "" || r.Settings.Model != "a/b" {
		t.Error(diff, r.Settings)
	}
	r.Keep(ev(t, "", event.UndoComplete{Removed: 9, Turns: 9}))
	if len(r.Turns) != 0 {
		t.Errorf("turns %v", r.Turns)
	}
}

// A redo brings back what the newest undo took, until something is said.
func TestRedo(t *testing.T) {
	var r record.Record
	turn := func(id string) { r.Keep(ev(t, id, event.TurnStarted{TurnID: id})) }
	ids := func() (all string) {
		for _, one := range r.Turns {
			all += one.ID + " "
		}
		return all
	}
	undo, redo := event.UndoComplete{Removed: 2, Turns: 1}, event.RedoComplete{Added: 2, Turns: 1}
	turn("1")
	turn("2")
	turn("3")
	for _, step := range []struct {
		p    event.Payload
		want string
	}{
		{undo, "1 2 "},
		{undo, "1 "},
		{redo, "1 2 "},
		{redo, "1 2 3 "},
		{redo, "1 2 3 "},
		{event.UndoComplete{}, "1 2 3 "},
		{undo, "1 2 "},
		{event.RedoComplete{}, "1 2 "},
	} {
		r.Keep(ev(t, "", step.p))
		if ids() != step.want {
			t.Fatalf("after %+v: %s, want %s", step.p, ids(), step.want)
		}
	}
	turn("4")
	r.Keep(ev(t, "", redo))
	if ids() != "1 2 4 " {
		t.Errorf("a redo behind a new turn gives %s", ids())
	}
}

func TestWaiting(t *testing.T) {
	var w record.Waiters
	done, failed, ended, gone := w.Add(event.TypeCompacted), w.Add(event.TypeSettings), w.Add(event.TypeSettings), w.Add(event.TypeCompacted)
	w.Remove(gone)
	w.Tell(ev(t, "turn_1", event.Error{Error: "of a turn"}))
	w.Tell(ev(t, "", event.Compacted{OldTokens: 1}))
	if got, err := done.Wait(t.Context()); err != nil || got.Type != event.TypeCompacted {
		t.Errorf("got %v, %v", got.Type, err)
	}
	w.Remove(ended)
	w.Tell(ev(t, "", event.Error{Error: "no", Hint: "try"}))
	if _, err := failed.Wait(t.Context()); !dialog.Told(err) || err.Error() != "no try" {
		t.Errorf("got %v", err)
	}
	late := w.Add(event.TypeSettings)
	w.End(errors.New("over"))
	if _, err := late.Wait(t.Context()); !dialog.Told(err) || err.Error() != "over" {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := gone.Wait(ctx); !errors.Is(err, dialog.ErrLeft) {
		t.Errorf("got %v", err)
	}
}

func TestNotice(t *testing.T) {
	var r record.Record
	for _, c := range []struct {
		in         event.Payload
		kind, text string
	}{
		{event.InputAccepted{SubmissionID: "s1", Text: "train it"}, "", ""},
		{event.TurnStarted{TurnID: "turn_1", SubmissionID: "s1"}, "", ""},
		{event.ApprovalRequired{}, attention.Approval, "an approval is needed"},
		{event.Error{Error: "no credits"}, attention.Error, "no credits"},
		{event.JobComplete{JobID: "j1", FinalStatus: "COMPLETED"}, attention.Job, "job j1: COMPLETED"},
		{event.TurnComplete{}, attention.Finished, "finished: train it"},
	} {
		e := ev(t, "turn_1", c.in)
		r.Keep(e)
		if kind, text := r.Notice(e); kind != c.kind || text != c.text {
			t.Errorf("%s: %q %q", e.Type, kind, text)
		}
	}
}
