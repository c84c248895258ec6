package window_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/window"
)

func guardLine(text string) llm.Message {
	return llm.Message{Role: llm.User, Text: text, Synthetic: true}
}

func twoTurns() []llm.Message {
	return []llm.Message{
		{Role: llm.System, Text: "rules"},
		user("first"),
		answer("", call("p1", "plan_tool", `{"todos":[{"id":"1","content":"look","status":"in_progress"}]}`)),
		result("p1", "plan_tool", "Plan updated:\n\n  [~] 1. look\n\n0/1 done"),
		answer("done"),
		user("[SYSTEM: typed by a person"),
		guardLine("[SYSTEM: CONTINUATION GUARD] go on"),
		answer("", call("p2", "plan_tool", `{"todos":[{"id":"1","content":"look","status":"completed"}]}`),
			call("p3", "plan_tool", `{"todos":[{"id":"1","content":"bad","status":"done"}]}`)),
		result("p2", "plan_tool", "Plan updated:\n\n  [x] 1. look\n\n1/1 done"),
		result("p3", "plan_tool", "status must be one of …"),
		guardLine("[SYSTEM: REPETITION GUARD] stop"),
		answer("done again"),
	}
}

// Acceptance check 32: synthetic messages neither stop an undo nor count for a
// truncate, and a person may type their prefix.
func TestCheck32_OnlyMessagesOfAPersonCount(t *testing.T) {
	msgs := twoTurns()
	if got := undo(msgs, nil, nil, 1); got != 5 {
		t.Fatalf("undo keeps %d messages, want 5", got)
	}
	if got := undo(msgs[:5], nil, nil, 1); got != 1 {
		t.Fatalf("second undo keeps %d messages, want 1", got)
	}
	if got := undo(msgs[:1], nil, nil, 1); got != 1 {
		t.Fatalf("undo of nothing keeps %d messages, want 1", got)
	}
	kept, removed, found := window.Truncate(msgs, 1)
	if !found || len(kept) != 5 || removed != 7 {
		t.Fatalf("truncate 1: found %v, kept %d, removed %d", found, len(kept), removed)
	}
	if _, _, found = window.Truncate(msgs, 2); found {
		t.Fatal("truncate 2 found a third message of the person")
	}
	if _, removed, found = window.Truncate(msgs, -1); found || removed != 0 {
		t.Fatal("truncate -1 removed something")
	}
}

// undo is where msgs end when the last n turns are taken back.
func undo(msgs []llm.Message, said []event.Said, inForce []history.Begun, n int) int {
	return window.Start(msgs, window.Last(window.Turns(msgs, said, inForce), n))
}

func TestUndoWithoutAPersonRemovesAllButTheSystemMessage(t *testing.T) {
	msgs := []llm.Message{{Role: llm.System}, guardLine("[SYSTEM: x]"), answer("y")}
	if got := undo(msgs, nil, nil, 1); got != 1 {
		t.Fatalf("%d messages are kept", got)
	}
}

// A turn is taken back with the texts that have steered it, several at once, and
// never a part of those that were condensed together.
func TestWholeTurnsAreTakenBack(t *testing.T) {
	sys := llm.Message{Role: llm.System}
	msgs := []llm.Message{
		sys, user("one"), answer("a summary of two and three"), // 1
		user("four"), answer("a"), // 3
		user("five"), answer("b"), user("no, so"), guardLine("[SYSTEM: x]"), answer("c"), // 5
		user("six"), answer("d"), // 10
	}
	in := func(ids ...string) (said []event.Said) {
		for _, id := range ids {
			said = append(said, event.Said{TurnID: id})
		}
		return said
	}
	var inForce []history.Begun
	for n := 1; n <= 6; n++ {
		inForce = append(inForce, history.Begun{TurnID: history.TurnID(n)})
	}
	said := in("turn_1", "turn_4", "turn_5", "turn_5", "turn_6")
	for n, want := range []int{12, 10, 5, 3, 3, 3, 1, 1} {
		if got := undo(msgs, said, inForce, n); n > 0 && got != want {
			t.Errorf("%d turns back: %d messages are kept, want %d", n, got, want)
		}
	}
	turns := window.Turns(msgs, said, inForce)
	if len(turns) != 4 || turns[0].Count() != 3 || turns[1].Count() != 1 || turns[2].At != 5 {
		t.Errorf("turns are %+v", turns)
	}
	// Without knowledge every message of a person is a turn.
	if got := undo(msgs, nil, nil, 2); got != 7 {
		t.Errorf("%d messages are kept, want 7", got)
	}
	if got := undo(msgs, in("", "", "", "", "turn_6"), inForce[5:], 5); got != 1 {
		t.Errorf("%d messages are kept, want 1", got)
	}
}

func TestPlanAt(t *testing.T) {
	msgs := twoTurns()
	want := []event.PlanItem{{ID: "1", Content: "look", Status: "completed"}}
	if diff := cmp.Diff(want, window.PlanAt(msgs)); diff != "" {
		t.Fatalf("the failed call must not count (-want +got):\n%s", diff)
	}
	want[0].Status = "in_progress"
	if diff := cmp.Diff(want, window.PlanAt(msgs[:5])); diff != "" {
		t.Fatalf("before the second turn (-want +got):\n%s", diff)
	}
	if window.PlanAt(msgs[:3]) != nil {
		t.Fatal("a call without a result made a plan")
	}
}
