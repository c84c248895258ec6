package slash_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/changes"
	"github.com/ml-intern/ml-intern/internal/app/slash"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog/dialogtest"
)

// ends answers every operation with its end.
func ends(op event.Operation) (event.Payload, error) {
	switch op.(type) {
	case event.Undo, event.Rewind:
		return event.UndoComplete{}, nil
	case event.Redo:
		return event.RedoComplete{}, nil
	case event.NewChat:
		return event.NewComplete{}, nil
	case event.Compact:
		return event.Compacted{OldTokens: 9, NewTokens: 9}, nil
	case event.Resume:
		return event.ResumeComplete{}, nil
	case event.Rename:
		return event.Renamed{}, nil
	}
	return event.Error{}, nil
}

func TestOperations(t *testing.T) {
	all := slash.Commands(&slash.Desk{})
	for _, test := range []struct {
		line string
		want event.Operation
		said string
	}{
		{"/undo", event.Undo{Turns: 1}, ""},
		{"/undo 3", event.Undo{Turns: 3}, ""},
		{"/undo 0", nil, "error: /undo 0: give a number of turns, 1 or more"},
		{"/undo all", nil, "error: /undo all: give a number of turns, 1 or more"},
		{"/redo", event.Redo{}, ""},
		{"/new", event.NewChat{}, ""},
		{"/clear", event.NewChat{ClearScreen: true}, ""},
		{"/compact", event.Compact{}, "There was nothing to shorten."},
		{"/compact keep the numbers", event.Compact{Instructions: "keep the numbers"}, "There was nothing to shorten."},
		{"/rename a better title", event.Rename{Title: "a better title"}, ""},
		{"/rename", nil, "error: /rename: give a title"},
		{"/rewind", nil, "There is nothing to go back to."},
	} {
		talk := dialogtest.New(t)
		talk.Session.Answers = ends
		name, args, _ := dialog.Slash(test.line)
		said, err := talk.Run(t.Context(), find(t, all, name), args)
		if err != nil {
			said += "error: " + err.Error()
		}
		if said != test.said {
			t.Errorf("%s: %s", test.line, said)
		}
		var want []event.Operation
		if test.want != nil {
			want = []event.Operation{test.want}
		}
		if diff := cmp.Diff(want, talk.Session.Asked()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.line, diff)
		}
	}
}

// What would wait for the end of a turn is refused while one runs.
func TestNotWhileATurnRuns(t *testing.T) {
	w := newWorld(t)
	for _, line := range []string{"/undo", "/redo", "/rewind", "/new", "/clear", "/compact", "/resume 1", "/resume"} {
		talk := dialogtest.New(t)
		talk.Session.Running, talk.Session.Said = true, []dialog.Turn{{ID: "turn_1", Text: "x"}}
		if said := w.run(talk, line); said != "error: a turn is running: it must end first, Esc makes it" || len(talk.Session.Asked()) > 0 {
			t.Errorf("%s: %s, asked %v", line, said, talk.Session.Asked())
		}
	}
}

func TestRewind(t *testing.T) {
	all := slash.Commands(&slash.Desk{})
	turns := []dialog.Turn{{ID: "turn_1", Text: "first"}, {ID: "turn_2", Text: "second\nline"}, {ID: "turn_4", Text: "third"}}
	change := func(turn string, paths ...string) dialog.Change {
		c := dialog.Change{TurnID: turn}
		for _, p := range paths {
			c.Files = append(c.Files, event.FileChanged{Path: p})
		}
		return c
	}
	for _, test := range []struct {
		answers []dialogtest.Answer
		want    event.Rewind
		filled  string
	}{
		{[]dialogtest.Answer{dialogtest.Pick("second line"), dialogtest.Pick("the conversation and the files")}, event.Rewind{Turns: 2, Conversation: true, Files: true}, "second\nline"},
		{[]dialogtest.Answer{dialogtest.Pick("third"), dialogtest.Pick("the conversation alone")}, event.Rewind{Turns: 1, Conversation: true}, "third"},
		{[]dialogtest.Answer{dialogtest.Pick("first"), dialogtest.Pick("the files alone")}, event.Rewind{Turns: 3, Files: true}, ""},
	} {
		talk := dialogtest.New(t, test.answers...)
		talk.Session.Said, talk.Session.Answers = turns, ends
		talk.Session.Changed = []dialog.Change{change("turn_1", "a", "b"), change("turn_1", "b"), change("turn_4", "c")}
		if _, err := talk.Run(t.Context(), find(t, all, "rewind"), ""); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]event.Operation{test.want}, talk.Session.Asked()); diff != "" || talk.Filled() != test.filled {
			t.Errorf("filled %q (-want +got):\n%s", talk.Filled(), diff)
		}
		var hints []string
		for _, it := range talk.Menus()[0].Items {
			hints = append(hints, it.Hint)
		}
		if diff := cmp.Diff([]string{"changed 1 file", "", "changed 2 files"}, hints); diff != "" {
			t.Error(diff)
		}
	}
	talk := dialogtest.New(t, dialogtest.Pick("first"), dialogtest.Cancel())
	talk.Session.Said = turns
	if _, err := talk.Run(t.Context(), find(t, all, "rewind"), ""); err == nil || len(talk.Session.Asked()) > 0 {
		t.Errorf("turned away and asked for %v", talk.Session.Asked())
	}
}

// edit is a call that changes files, as the agent tells it.
func (w *world) edit(session, turn string, do func()) dialog.Change {
	w.Helper()
	log := func(text string) { w.Log(text) }
	points := changes.Remembered(w.app.Loaded, session, true, log, log)
	end := points.Begin(w.Context(), turn, tool.Risk{Effect: event.Once, Command: "x"}, "call")
	do()
	c := end(w.Context(), "bash")
	if c == nil {
		w.Fatal("nothing was remembered")
	}
	return dialog.Change{TurnID: turn, Checkpoint: *c}
}

func TestDiff(t *testing.T) {
	w := newWorld(t)
	w.git()
	w.write("a.py", "one\ntwo\nthree\n")
	w.write("mine.txt", "mine\n")
	const id = "3f2b8c1e-5d0a-4c7e-9a61-0d4e8f7b2a95"
	talk := func() *dialogtest.Talk {
		k := dialogtest.New(t)
		k.Session.SessionID, k.Session.Set.Cwd = id, w.app.Loaded.Dir
		return k
	}
	if said := w.run(talk(), "/diff"); said != "No call has changed a file." {
		t.Error(said)
	}
	if said := w.run(talk(), "/diff 1"); said != "error: /diff: there is no turn yet" {
		t.Error(said)
	}
	first := w.edit(id, "turn_1", func() { w.write("a.py", "one\n2\nthree\n") })
	second := w.edit(id, "turn_1", func() { w.write("new file.md", "# new\n") })
	w.write("mine.txt", "changed by somebody else\n")
	third := w.edit(id, "turn_3", func() { w.write("a.py", "one\n2\n3\n") })
	gone := w.edit(id, "turn_4", func() { w.write("gone.txt", "undone\n") })
	all := []dialog.Change{first, second, third, gone}
	turns := []dialog.Turn{{ID: "turn_1"}, {ID: "turn_2"}, {ID: "turn_3"}} // turn_4 was taken back

	for _, test := range []struct {
		line        string
		has, hasNot []string
	}{
		{"/diff", []string{"a.py         modified, +2 -2", "new file.md  added, +1 -0", "diff: diff --git", "-two", "+2", "+3", "+# new"}, []string{"mine", "somebody", "undone"}},
		{"/diff 1", []string{"a.py         modified, +1 -1", "-two", "+# new"}, []string{"+3", "somebody"}},
		{"/diff turn_3", []string{"a.py  modified, +1 -1", "-three", "+3"}, []string{"-two", "+# new"}},
		{"/diff last", []string{"-three"}, []string{"-two"}},
		{"/diff 2", []string{"No call has changed a file in that turn."}, []string{"diff:"}},
		{"/diff 9", []string{"error: /diff 9: there is no such turn; the turns are 1, 2, 3"}, nil},
	} {
		k := talk()
		k.Session.Said, k.Session.Changed = turns, all
		said := w.run(k, test.line)
		for _, part := range test.has {
			if !strings.Contains(said, part) {
				t.Errorf("%s lacks %q:\n%s", test.line, part, said)
			}
		}
		for _, part := range test.hasNot {
			if strings.Contains(said, part) {
				t.Errorf("%s has %q:\n%s", test.line, part, said)
			}
		}
	}

	// What somebody else has changed in between is not shown, be it in a file that
	// the calls have changed too, or while one of them ran.
	w.write("b.py", "1\n2\n3\n4\n5\n")
	one := w.edit(id, "turn_3", func() { w.write("b.py", "one\n2\n3\n4\n5\n") })
	w.write("b.py", "one\n2\nthree, by hand\n4\n5\n")
	five := w.edit(id, "turn_3", func() { w.write("b.py", "one\n2\nthree, by hand\n4\nfive\n") })
	overlapped := one
	overlapped.Before, overlapped.Files = first.Before, slices.Clone(one.Files)
	for name, changed := range map[string][]dialog.Change{"between two": {one, five}, "while one ran": {overlapped}} {
		k := talk()
		k.Session.Said, k.Session.Changed = turns, changed
		said := w.run(k, "/diff")
		if !strings.Contains(said, "+one") || strings.Contains(said, "+three, by hand") || strings.Contains(said, "somebody") {
			t.Errorf("%s:\n%s", name, said)
		}
	}

	long := w.edit(id, "turn_3", func() { w.write("long.txt", strings.Repeat("a line\n", 100)) })
	k := talk()
	k.Session.Said, k.Session.Changed = turns, []dialog.Change{long}
	if said := w.run(k, "/diff"); !strings.Contains(said, "page: Changes of 1 file\n") || strings.Contains(said, "diff: ") {
		t.Errorf("a long difference is paged:\n%s", said)
	}

	w.write(".ml-intern/config.json", `{"checkpoints":"off"}`)
	off, err := app.New(t.Context(), app.Options{Dir: w.dir, Environ: w.environ, Flags: map[string][]string{"checkpoints": {"off"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer off.Close()
	k.Session.Changed = []dialog.Change{first}
	_, err = k.Run(t.Context(), find(t, slash.Commands(&slash.Desk{App: off}), "diff"), "")
	if err == nil || !strings.Contains(err.Error(), "changes are not remembered here") {
		t.Errorf("got %v", err)
	}
}
