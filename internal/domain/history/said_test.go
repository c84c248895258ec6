package history_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// turnOf is a finished turn with a text and an answer.
func turnOf(n int, text, shown string) []any {
	id, sub := history.TurnID(n), "sub "+text
	return []any{
		"",
		event.InputAccepted{SubmissionID: sub, Text: text, Shown: shown},
		id,
		event.TurnStarted{TurnID: id, SubmissionID: sub},
		event.HistoryMessage{Message: llm.Message{Role: llm.User, Text: text}},
		event.HistoryMessage{Message: llm.Message{Role: llm.User, Text: "[SYSTEM: x]", Synthetic: true}},
		assistant(n, "ok"),
		event.TurnComplete{},
		"",
	}
}

// cutTo is a rewritten history with the first n messages of s.
func cutTo(s *history.State, reason string, n, people int) event.HistoryRewritten {
	return event.HistoryRewritten{Reason: reason, Messages: slices.Clone(s.Messages[:n]), Said: slices.Clone(s.Said[:people])}
}

func ids(begun []history.Begun) string {
	var out []string
	for _, b := range begun {
		out = append(out, b.TurnID)
	}
	return strings.Join(out, " ")
}

// The fold knows the turn of every message a person wrote and what was typed,
// and what an undo has taken away until the next turn begins.
func TestSaidAndUndone(t *testing.T) {
	plan := event.PlanUpdate{Plan: []event.PlanItem{{ID: "1", Content: "a", Status: "completed"}}}
	items := slices.Concat(turnOf(1, "one", ""), []any{plan}, turnOf(2, "two in full", "two"))
	s := load(t, items...)
	if diff := cmp.Diff([]event.Said{{TurnID: "turn_1"}, {TurnID: "turn_2", Shown: "two"}}, s.Said); diff != "" || ids(s.InForce) != "turn_1 turn_2" {
		t.Fatalf("in force %s, said (-want +got):\n%s", ids(s.InForce), diff)
	}
	whole := s.Messages
	items = append(items, cutTo(s, history.ReasonUndo, 3, 1), event.PlanUpdate{})
	if got := load(t, items...); len(got.Undone) != 0 {
		t.Error("an undo whose end was not told can be taken back")
	}
	torn := append(slices.Clone(items), event.UndoComplete{Turns: 1, Restored: event.Restored{Files: []string{"a.py"}}})
	if got := load(t, torn...); len(got.Undone) != 1 || len(got.Undone[0].Messages) != 0 {
		t.Errorf("it is taken for the end of another one: %+v", got.Undone)
	}
	items = append(items, event.UndoComplete{Removed: 3, Turns: 1, Restored: event.Restored{Files: []string{"a.py"}}})
	s = load(t, items...)
	if len(s.Undone) != 1 || ids(s.InForce) != "turn_1" || len(s.Said) != 1 {
		t.Fatalf("%d can be redone, in force %s, said %v", len(s.Undone), ids(s.InForce), s.Said)
	}
	want := history.Undone{
		Messages: whole[3:], Said: []event.Said{{TurnID: "turn_2", Shown: "two"}}, Turns: 1, Plan: plan.Plan, Files: true,
		Begun: []history.Begun{{TurnID: "turn_2", Plan: plan.Plan}},
	}
	if diff := cmp.Diff(want, s.Undone[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	filesAlone := append(slices.Clone(items), event.UndoComplete{Turns: 1, Restored: event.Restored{Files: []string{"b.py"}}})
	if s = load(t, filesAlone...); len(s.Undone) != 2 || !s.Undone[1].Files || len(s.Undone[1].Messages) != 0 {
		t.Errorf("of files alone: %+v", s.Undone)
	}
	if s = load(t, append(filesAlone, event.RedoComplete{})...); len(s.Undone) != 1 || len(s.Undone[0].Messages) != 3 {
		t.Errorf("after a redo of files alone: %+v", s.Undone)
	}
	nothing := append(slices.Clone(items), event.UndoComplete{})
	if s = load(t, nothing...); len(s.Undone) != 1 {
		t.Errorf("an undo of nothing can be taken back: %+v", s.Undone)
	}
	redone := append(slices.Clone(items), event.HistoryRewritten{Reason: history.ReasonRedo, Messages: whole, Said: []event.Said{{TurnID: "turn_1"}, {TurnID: "turn_2", Shown: "two"}}},
		event.RedoComplete{Added: 3})
	if s = load(t, redone...); len(s.Undone) != 0 || ids(s.InForce) != "turn_1 turn_2" || s.Said[1].Shown != "two" {
		t.Errorf("redone: in force %s, said %v", ids(s.InForce), s.Said)
	}
	if s = load(t, append(items, turnOf(3, "three", "")...)...); len(s.Undone) != 0 || ids(s.InForce) != "turn_1 turn_3" || s.Said[1].TurnID != "turn_3" {
		t.Errorf("a turn later: in force %s, said %v, %d can be redone", ids(s.InForce), s.Said, len(s.Undone))
	}
}

// What an older program or an import has rewritten says nothing of the messages:
// each stands for itself.
func TestRewrittenHistoryWithoutKnowledge(t *testing.T) {
	s := load(t, append(turnOf(1, "one", "typed"), event.HistoryRewritten{Reason: "compaction", Messages: []llm.Message{
		{Role: llm.System}, {Role: llm.User, Text: "one"}, {Role: llm.Assistant, Text: "summary"}, {Role: llm.User, Text: "two"},
	}})...)
	if diff := cmp.Diff(make([]event.Said, 2), s.Said); diff != "" || s.Name() != "one" || ids(s.InForce) != "turn_1" {
		t.Errorf("name %q, in force %s, said (-want +got):\n%s", s.Name(), ids(s.InForce), diff)
	}
	longer := event.HistoryRewritten{Reason: history.ReasonUndo, Messages: slices.Repeat([]llm.Message{{Role: llm.Assistant}}, 9)}
	if s = load(t, append(turnOf(1, "one", ""), longer, event.UndoComplete{Removed: 2})...); len(s.Undone) != 0 {
		t.Errorf("an undo that makes longer: %+v", s.Undone)
	}
}

// A truncate in the middle of a turn leaves the turn in force.
func TestCutTurns(t *testing.T) {
	inForce := []history.Begun{{TurnID: "turn_1"}, {TurnID: "turn_2"}, {TurnID: "turn_4"}}
	said := []event.Said{{TurnID: "turn_1"}, {TurnID: "turn_2"}, {TurnID: "turn_2", Shown: "x"}, {TurnID: "turn_2"}, {TurnID: "turn_4"}}
	for left, want := range []string{"", "turn_1", "turn_1 turn_2", "turn_1 turn_2", "turn_1 turn_2", "turn_1 turn_2 turn_4"} {
		kept, cut := history.CutTurns(inForce, said, left)
		if ids(kept) != want || len(kept)+len(cut) != 3 {
			t.Errorf("%d left: %q in force, %q cut; want %q", left, ids(kept), ids(cut), want)
		}
	}
	if kept, _ := history.CutTurns(inForce, make([]event.Said, 3), 1); len(kept) != 3 {
		t.Errorf("of unknown messages: %v", kept)
	}
	if kept, _ := history.CutTurns(inForce, make([]event.Said, 3), 0); len(kept) != 0 {
		t.Errorf("nothing is left, yet in force is %v", kept)
	}
}

func TestName(t *testing.T) {
	in := event.InputAccepted{SubmissionID: "s", Text: "the whole text", Shown: "typed"}
	begun := []any{in, "turn_1", event.TurnStarted{TurnID: "turn_1", SubmissionID: "s"}}
	entered := append(begun[:3:3], user(1, in.Text))
	for _, c := range []struct {
		name  string
		items []any
		want  string
	}{
		{"nothing", nil, ""},
		{"a text waits", []any{in}, "typed"},
		{"its turn has begun", begun, "typed"},
		{"it is in the history", entered, "typed"},
		{"only the engine spoke", []any{event.HistoryMessage{Message: llm.Message{Role: llm.User, Text: "x", Synthetic: true}}}, ""},
		{"a title", append(entered[:4:4], event.Renamed{Title: "A title", By: "user"}), "A title"},
		{"the newest title", append(entered[:4:4], event.Renamed{Title: "A title"}, event.Renamed{Title: "Another"}), "Another"},
		{"lines and controls", []any{event.InputAccepted{Text: " a\n\n b\x1b[31m\tc\u0085d "}}, "a b[31m c d"},
		{"a long one", []any{event.InputAccepted{Text: strings.Repeat("word ", 40)}}, strings.TrimSpace(strings.Repeat("word ", 12)) + "…"},
		{"one long word", []any{event.InputAccepted{Text: strings.Repeat("é", 90)}}, strings.Repeat("é", 59) + "…"},
		{"another session is resumed", append(entered[:4:4], event.ResumeComplete{SessionID: "other", ModelName: "m"}), "typed"},
	} {
		s := load(t, c.items...)
		if got := s.Name(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if s.Model != "" {
			t.Errorf("%s: the model is %s", c.name, s.Model)
		}
	}
}

func TestCutAndLine(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text, n := rapid.String().Draw(rt, "text"), rapid.IntRange(1, 100).Draw(rt, "n")
		line := history.Line(text)
		got := history.Cut(line, n)
		if strings.ContainsAny(line, "\n\r\t\x1b") || utf8.RuneCountInString(got) > n || line != "" && got == "" || !utf8.ValidString(got) {
			rt.Fatalf("%q became %q and %q", text, line, got)
		}
		if head, cut := strings.CutSuffix(got, "…"); got != line && (!cut || !strings.HasPrefix(line, head)) {
			rt.Fatalf("%q was cut to %q", line, got)
		}
	})
}

// Settings are kept, and with them the model of a session that goes on.
func TestSettings(t *testing.T) {
	s := load(t, event.TurnStarted{TurnID: "turn_1", Model: "a", Cwd: "/a"}, event.Settings{Model: "b", Cwd: "/b", ApprovalMode: "yolo"})
	if s.Model != "b" || s.Cwd != "/b" || s.Settings.ApprovalMode != "yolo" {
		t.Errorf("%s in %s, %+v", s.Model, s.Cwd, s.Settings)
	}
}

// A session that was left has nothing waiting: it went along.
func TestLeftSession(t *testing.T) {
	for name, end := range map[string]event.Payload{
		"new": event.NewComplete{SessionID: "other"}, "resume": event.ResumeComplete{SessionID: "other", ModelName: "m"},
	} {
		s := load(t, event.InputAccepted{SubmissionID: "1", Text: "x"}, "turn_1", event.TurnStarted{TurnID: "turn_1"}, end)
		if len(s.Queue) != 0 || s.Turn != nil || (s.Next != "") != (name == "new") {
			t.Errorf("%s: %+v", name, s)
		}
	}
	own := load(t, event.InputAccepted{SubmissionID: "1", Text: "x"}, event.ResumeComplete{SessionID: id, ModelName: "m"})
	if len(own.Queue) != 1 || own.Model != "m" {
		t.Errorf("its own resume: %+v", own)
	}
}
