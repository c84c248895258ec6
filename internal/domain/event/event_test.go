package event_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func ptr[T any](v T) *T { return &v }

// samples holds one payload of every type that the engine emits.
func samples() []event.Payload {
	block := &event.Block{AutoApprovalBlocked: true, BlockReason: "exceeds", EstimatedCostUSD: ptr(2.0), RemainingCapUSD: ptr(1.0)}
	return []event.Payload{
		event.Ready{Message: "Agent initialized", ToolCount: 6},
		event.Processing{Message: "Processing user input"},
		event.AssistantChunk{Content: "a < b"},
		event.ReasoningChunk{Content: "hm"},
		event.StreamEnd{},
		event.StreamEnd{Discarded: true, Reason: "retry"},
		event.AssistantMessage{Content: "hi"},
		event.LLMCall{Model: "m", Kind: llm.KindMain, FinishReason: "stop", CostSource: llm.PriceUnknown, Attempts: 1},
		event.ToolCall{Tool: "bash", Arguments: json.RawMessage(`{"command":"ls"}`), ToolCallID: "c1"},
		event.ToolOutput{Tool: "bash", ToolCallID: "c1", Output: "ok", Success: true},
		event.ToolLog{Tool: "system", Log: "waiting"},
		event.ToolStateChange{ToolCallID: "c1", Tool: "bash", State: "running"},
		event.ApprovalRequired{Count: 1, ApprovalID: "gate_1", Tools: []event.GatedCall{{Tool: "bash", ToolCallID: "c1", Arguments: json.RawMessage(`{}`)}}},
		event.ApprovalRequired{Count: 1, ApprovalID: "gate_2", YoloBudget: true, Block: block, Tools: []event.GatedCall{{Tool: "yolo_budget", ToolCallID: "g", Arguments: json.RawMessage(`{}`), Block: block}}},
		event.PlanUpdate{Plan: []event.PlanItem{{ID: "1", Content: "look", Status: "pending"}}},
		event.TurnComplete{HistorySize: 3, FinalResponse: ptr("done"), StopReason: "answer"},
		event.TurnComplete{HistorySize: 3, StopReason: "max_iterations"},
		event.Error{Error: "no key", Code: "auth", Class: "missing_key"},
		event.Interrupted{},
		event.Compacted{OldTokens: 2, NewTokens: 1},
		event.SessionTerminated{Reason: "compaction_failed"},
		event.UndoComplete{Removed: 2},
		event.TruncateComplete{Removed: 2},
		event.NewComplete{SessionID: "b", PreviousSessionID: "a"},
		event.ResumeComplete{Path: "p", ModelName: "m"},
		event.ResumedFrom{Path: "p"},
		event.SessionUpdate{SessionID: "a"},
		event.Shutdown{},
		event.InputAccepted{SubmissionID: "sub_1", Text: "hi"},
		event.TurnStarted{TurnID: "turn_1", Attempt: 1},
		event.TurnResumed{TurnID: "turn_1", Attempt: 2, Reason: "crash"},
		event.HistoryMessage{MessageID: "msg_1", Message: llm.Message{Role: llm.User, Text: "hi"}},
		event.HistoryRewritten{Reason: "undo", Messages: []llm.Message{{Role: llm.System, Text: "s"}}},
		event.ToolStarted{ToolCallID: "c1", Tool: "bash", Effect: event.Once},
		event.ToolEffect{ToolCallID: "c1", ExternalRef: "pgid:1"},
		event.Evidence{ID: "S1", Tool: "hf_papers", Operation: "read_paper", Object: "2402.03300", URL: "https://arxiv.org/abs/2402.03300", Title: "T", FetchedAt: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), SHA256: "ab", ToolCallID: "c2", AgentID: "c1"},
		event.Spend{ID: "llm_1", Kind: event.SpendLLM, State: event.SpendSettled, MicroUSD: ptr(int64(5)), PriceSource: "table"},
		event.UndoComplete{Removed: 4, Turns: 2, Restored: event.Restored{Files: []string{"a.py"}, Conflicts: []string{"b.py"}}},
		event.RedoComplete{Added: 4, Turns: 2, Restored: event.Restored{Problem: "no room"}},
		event.HistoryRewritten{Reason: "redo", Messages: []llm.Message{{Role: llm.User, Text: "hi, and the file"}}, Said: []event.Said{{TurnID: "turn_1", Shown: "hi @file"}}},
		event.InputAccepted{SubmissionID: "sub_2", Text: "look", Shown: "look @a.png", Images: []event.Image{{MediaType: "image/png", Data: "AA=="}}},
		event.Checkpoint{ToolCallID: "c1", Tool: "write", Before: "b", After: "a", Files: []event.FileChanged{{Path: "a.py", Change: "added", Added: 3}}},
		event.Settings{Model: "m", Effort: "off", ApprovalMode: "ask", ToolRuntime: "local", Cwd: "/w", Window: 200_000},
		event.Renamed{Title: "A title", By: "user"},
		event.ResumeComplete{Path: "p", SessionID: "b", ModelName: "m"},
		event.ServerStates{Servers: []event.ServerState{
			{Name: "docs", Where: "https://docs.example/mcp", State: "ready", Title: "Docs", Version: "1", Protocol: "2025-11-25", Tools: []event.ServerTool{{Name: "search", Alias: "mcp__docs__search"}}, Resources: 2, Prompts: []event.ServerOffer{{Name: "ask", Arguments: []string{"about"}, Required: []string{"about"}}}},
			{Name: "hub", State: "needs a login", Problem: "ml-intern login"},
		}},
		event.ServerPrompt{Server: "docs", Name: "ask", Text: "What about it?"},
	}
}

func TestEventsHaveTheirJSONForm(t *testing.T) {
	var got strings.Builder
	at := time.Date(2026, 3, 4, 5, 6, 7, 891_234_567, time.FixedZone("CET", 3600))
	for i, p := range samples() {
		turn := ""
		if i > 0 {
			turn = "turn_1"
		}
		ev, err := event.New("11111111-2222-4333-8444-555555555555", turn, at, p)
		if err != nil {
			t.Fatal(err)
		}
		ev.Seq = int64(i + 1)
		raw := ev.AppendJSON(nil, false)
		fmt.Fprintf(&got, "%s\n", raw)

		var back event.Event
		if err := json.Unmarshal(raw, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ev, back); diff != "" {
			t.Errorf("%s changed on its way (-before +after):\n%s", ev.Type, diff)
		}
	}
	const golden = "testdata/events.jsonl"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("the JSON form changed (-want +got); it is a contract:\n%s", diff)
	}
}

func TestStreamJSONPutsTheTypeInFront(t *testing.T) {
	ev, err := event.New("s", "", time.Now(), event.Shutdown{})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(ev.AppendJSON(nil, true)); !strings.HasPrefix(got, `{"type":"event","seq":0,`) || !strings.HasSuffix(got, `"data":{}}`) {
		t.Errorf("got %s", got)
	}
}

func TestDecodeKnowsTheType(t *testing.T) {
	ev, err := event.New("s", "", time.Now(), event.ToolLog{Tool: "bash", Log: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := event.Decode[event.ToolLog](ev); err != nil || got.Log != "x" {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := event.Decode[event.Ready](ev); err == nil {
		t.Error("a tool_log was decoded as ready")
	}
}

func TestUnknownTypesStayReadable(t *testing.T) {
	var ev event.Event
	if err := json.Unmarshal([]byte(`{"seq":9,"timestamp":"2026-01-01T00:00:00.000Z","session_id":"s","event_type":"from_the_future","data":null}`), &ev); err != nil {
		t.Fatal(err)
	}
	if ev.Type != "from_the_future" || string(ev.Data) != "{}" {
		t.Errorf("got %+v", ev)
	}
	if json.Unmarshal([]byte(`{"seq":9}`), &ev) == nil {
		t.Error("an event without a type was accepted")
	}
}

func TestOperations(t *testing.T) {
	ops := []event.Operation{
		event.UserInput{Text: "hi"},
		event.Steer{Text: "left"},
		event.Undo{},
		event.Truncate{UserMessageIndex: 2},
		event.Compact{},
		event.ExecApproval{Approvals: []event.Approval{{ToolCallID: "c", Approved: true, Feedback: "ok", Namespace: "n"}}},
		event.NewChat{ClearScreen: true},
		event.Resume{Path: "p"},
		event.Interrupt{},
		event.ShutdownOp{},
	}
	for _, op := range ops {
		raw, err := json.Marshal(event.Submission{ID: "sub_1", Operation: op})
		if err != nil {
			t.Fatal(err)
		}
		var back event.Submission
		if err := json.Unmarshal(raw, &back); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if diff := cmp.Diff(op, back.Operation); diff != "" {
			t.Errorf("%s changed:\n%s", raw, diff)
		}
	}
}

func TestBadOperationsAreNamed(t *testing.T) {
	for in, want := range map[string]string{
		`{"id":"a","operation":{"op_type":"fly","data":null}}`:                   `unknown op_type "fly"`,
		`{"id":"a","operation":{"op_type":"user_input","data":{"text":5}}}`:      "user_input",
		`{"id":"a","operation":{"op_type":"exec_approval","data":"everything"}}`: "exec_approval",
		`[`: "",
	} {
		var s event.Submission
		err := json.Unmarshal([]byte(in), &s)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that contains %q", in, err, want)
		}
	}
	var s event.Submission
	if err := json.Unmarshal([]byte(`{"id":"a","operation":{"op_type":"user_input","data":null}}`), &s); err != nil || errors.Is(err, nil) && !reflect.DeepEqual(s.Operation, event.UserInput{}) {
		t.Errorf("missing data: %+v, %v", s, err)
	}
}
