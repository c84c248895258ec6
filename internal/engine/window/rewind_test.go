package window_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
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
	kept, removed := window.Undo(msgs)
	if len(kept) != 5 || removed != 7 {
		t.Fatalf("undo kept %d and removed %d, want 5 and 7", len(kept), removed)
	}
	kept, removed = window.Undo(kept)
	if len(kept) != 1 || removed != 4 {
		t.Fatalf("second undo kept %d and removed %d, want 1 and 4", len(kept), removed)
	}
	if kept, removed = window.Undo(kept); len(kept) != 1 || removed != 0 {
		t.Fatalf("undo of nothing kept %d and removed %d, want 1 and 0", len(kept), removed)
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

func TestUndoWithoutAPersonRemovesAllButTheSystemMessage(t *testing.T) {
	msgs := []llm.Message{{Role: llm.System}, guardLine("[SYSTEM: x]"), answer("y")}
	if kept, removed := window.Undo(msgs); len(kept) != 1 || removed != 2 {
		t.Fatalf("kept %d, removed %d", len(kept), removed)
	}
}

func TestUndoneHistoryDoesNotShareItsEnd(t *testing.T) {
	msgs := twoTurns()
	want := msgs[5].Text
	kept, _ := window.Undo(msgs)
	_ = append(kept, user("new"))
	if msgs[5].Text != want {
		t.Fatal("appending to the kept part changed the old history")
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
