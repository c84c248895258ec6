package tell_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol"
	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol/protocoltest"
	"github.com/ml-intern/ml-intern/internal/ui/acp/tell"
)

// said is one event of a script.
type said struct {
	turn string
	p    event.Payload
}

func in(turn string, ps ...event.Payload) []said {
	var all []said
	for _, p := range ps {
		all = append(all, said{turn, p})
	}
	return all
}

func events(t testing.TB, script ...[]said) []event.Event {
	t.Helper()
	var all []event.Event
	for _, part := range script {
		for _, s := range part {
			ev, err := event.New("s", s.turn, time.Unix(int64(1000+len(all)), 0), s.p)
			if err != nil {
				t.Fatal(err)
			}
			ev.Seq = int64(len(all) + 1)
			all = append(all, ev)
		}
	}
	return all
}

// lines are updates, one a line, each held against the official schema.
func lines(t testing.TB, updates []protocol.Update) []string {
	t.Helper()
	var all []string
	for _, u := range updates {
		raw, err := event.Encode(u)
		if err != nil {
			t.Fatal(err)
		}
		frame, _ := event.Encode(map[string]any{"jsonrpc": "2.0", "method": "session/update", "params": protocol.Notification{SessionID: "s", Update: u}})
		if err := (&protocoltest.Watch{}).FromAgent(frame); err != nil {
			t.Errorf("%s\n%v", raw, err)
		}
		all = append(all, string(raw))
	}
	return all
}

func live(t testing.TB, o tell.Options, evs []event.Event) []string {
	t.Helper()
	teller := tell.New(o)
	var all []protocol.Update
	for _, ev := range evs {
		all = append(all, teller.Next(ev)...)
	}
	return lines(t, all)
}

func args(v any) json.RawMessage {
	raw, err := event.Encode(v)
	if err != nil {
		panic(err)
	}
	return raw
}

func TestLive(t *testing.T) {
	usd := 0.5
	text := func(kind, id, s string) string {
		return fmt.Sprintf(`{"sessionUpdate":%q,"content":{"type":"text","text":%s},"messageId":%q}`, kind, args(s), id)
	}
	for _, c := range []struct {
		name   string
		o      tell.Options
		script [][]said
		want   []string
	}{
		{
			name: "an answer in pieces, after thoughts",
			script: [][]said{in("turn_1", event.ReasoningChunk{Content: "hm"}, event.ReasoningChunk{Content: "m"}, event.AssistantChunk{Content: "a\x1b[1m"},
				event.AssistantChunk{Content: "b"}, event.StreamEnd{}, event.HistoryMessage{Message: llm.Message{Role: llm.Assistant, Text: "ab"}},
				event.AssistantChunk{Content: "c"})},
			want: []string{
				text("agent_thought_chunk", "thought_1", "hm"), text("agent_thought_chunk", "thought_1", "m"), text("agent_message_chunk", "answer_3", "a"),
				text("agent_message_chunk", "answer_3", "b"), text("agent_message_chunk", "answer_7", "c"),
			},
		},
		{
			name: "a text that is void",
			script: [][]said{in("turn_1", event.AssistantChunk{Content: "a"}, event.StreamEnd{Discarded: true, Reason: "retry"}, event.StreamEnd{Discarded: true, Reason: "retry"},
				event.AssistantChunk{Content: "b"}, event.StreamEnd{Discarded: true, Reason: "error"})},
			want: []string{
				text("agent_message_chunk", "answer_1", "a"), text("agent_message_chunk", "answer_1", "\n\n*(that answer was cut off and is asked again)*\n\n"),
				text("agent_message_chunk", "answer_4", "b"), text("agent_message_chunk", "answer_4", "\n\n*(the answer breaks off here)*\n\n"),
			},
		},
		{
			name: "whole texts, told twice and once",
			script: [][]said{in("turn_1", event.AssistantMessage{Content: "one"}, event.HistoryMessage{Message: llm.Message{Role: llm.Assistant, Text: "one"}},
				event.HistoryMessage{Message: llm.Message{Role: llm.Assistant, Text: "two"}}, event.AssistantMessage{Content: "two"},
				event.HistoryMessage{Message: llm.Message{Role: llm.Assistant, Text: "three", Synthetic: true}},
				event.HistoryMessage{AgentID: "x", Message: llm.Message{Role: llm.Assistant, Text: "of a sub-agent"}})},
			want: []string{text("agent_message_chunk", "message_1", "one"), text("agent_message_chunk", "message_3", "two")},
		},
		{
			name: "people",
			o:    tell.Options{Mine: func(id string) bool { return id == "mine" }},
			script: [][]said{
				in("", event.InputAccepted{SubmissionID: "mine", Text: "m"}, event.InputAccepted{SubmissionID: "theirs", Text: "long", Shown: "t", Images: []event.Image{{MediaType: "image/png", Data: "AA"}}}),
				in("turn_1", event.TurnStarted{TurnID: "turn_1", SubmissionID: "mine"}, event.HistoryMessage{Message: llm.Message{Role: llm.User, Text: "m"}}),
				in("", event.InputAccepted{SubmissionID: "steer", Text: "and this", Steer: true}),
				in("turn_1", event.HistoryMessage{Message: llm.Message{Role: llm.User, Text: "and this"}}),
				in("turn_2", event.TurnStarted{TurnID: "turn_2", SubmissionID: "theirs"}, event.HistoryMessage{Message: llm.Message{Role: llm.User, Text: "long"}}),
				in("turn_3", event.TurnStarted{TurnID: "turn_3", SubmissionID: "unknown"}),
			},
			want: []string{
				`{"sessionUpdate":"session_info_update","title":"m"}`,
				text("user_message_chunk", "person_steer", "and this"), text("user_message_chunk", "person_theirs", "t\n[image/png]"),
			},
		},
		{
			name: "a call with its log, and one of a sub-agent",
			o:    tell.Options{Dir: "/work"},
			script: [][]said{in("turn_1",
				event.ToolCall{Tool: "read", ToolCallID: "r", Arguments: args(map[string]any{"path": "a.py", "offset": 12})}, event.ToolStarted{Tool: "read", ToolCallID: "r"},
				event.ToolOutput{Tool: "read", ToolCallID: "r", Output: "x = `1`\n```", Success: true},
				event.ToolCall{Tool: "research", ToolCallID: "q", Arguments: args(map[string]any{"task": "find out"})},
				event.ToolLog{Tool: "research", AgentID: "q", Log: "▸ web_search {}\x07"}, event.ToolCall{Tool: "web_search", ToolCallID: "w", AgentID: "q"},
				event.ToolStarted{Tool: "web_search", ToolCallID: "w", AgentID: "q"}, event.ToolOutput{Tool: "web_search", ToolCallID: "w", AgentID: "q"},
				event.ToolOutput{Tool: "research", ToolCallID: "q", Output: "no", Success: false},
			)},
			want: []string{
				`{"sessionUpdate":"tool_call","toolCallId":"r","title":"Read ` + "`a.py`" + `","name":"read","kind":"read","status":"pending","locations":[{"path":"/work/a.py","line":12}],"rawInput":{"offset":12,"path":"a.py"}}`,
				`{"sessionUpdate":"tool_call_update","toolCallId":"r","status":"in_progress"}`,
				`{"sessionUpdate":"tool_call_update","toolCallId":"r","status":"completed","content":[{"type":"content","content":{"type":"text","text":` + string(args("````\nx = `1`\n```\n````")) + `}}]}`,
				`{"sessionUpdate":"tool_call","toolCallId":"q","title":"research find out","name":"research","kind":"think","status":"pending","rawInput":{"task":"find out"}}`,
				`{"sessionUpdate":"tool_call_update","toolCallId":"q","status":"in_progress","content":[{"type":"content","content":{"type":"text","text":` + string(args("```\n▸ web_search {}\n```")) + `}}]}`,
				`{"sessionUpdate":"tool_call_update","toolCallId":"q","status":"failed","content":[{"type":"content","content":{"type":"text","text":` + string(args("```\nno\n```")) + `}}]}`,
			},
		},
		{
			name: "a gate: changed, refused, forgotten",
			script: [][]said{in("turn_1",
				event.ApprovalRequired{Tools: []event.GatedCall{{Tool: "bash", ToolCallID: "a", Arguments: args(map[string]string{"command": "rm x"})}, {Tool: "bash", ToolCallID: "b", Arguments: args(map[string]string{"command": "rm y"})}}},
				event.ToolStateChange{Tool: "bash", ToolCallID: "a", State: "approved", EditedArguments: args(map[string]string{"command": "ls"})},
				event.ToolStateChange{Tool: "bash", ToolCallID: "b", State: "rejected", Feedback: "keep it"},
				event.ToolCall{Tool: "bash", ToolCallID: "a", Arguments: args(map[string]string{"command": "ls"})},
				event.ToolStateChange{Tool: "bash", ToolCallID: "a", State: "running"},
				event.ToolOutput{Tool: "bash", ToolCallID: "a", Success: true},
				event.ApprovalRequired{YoloBudget: true, Tools: []event.GatedCall{{Tool: "yolo_budget", ToolCallID: "y"}}},
				event.ToolStateChange{Tool: "yolo_budget", ToolCallID: "y", State: "approved"}, event.ToolOutput{Tool: "yolo_budget", ToolCallID: "y"},
			)},
			want: []string{
				`{"sessionUpdate":"tool_call","toolCallId":"a","title":"` + "`rm x`" + `","name":"bash","kind":"execute","status":"pending","rawInput":{"command":"rm x"}}`,
				`{"sessionUpdate":"tool_call","toolCallId":"b","title":"` + "`rm y`" + `","name":"bash","kind":"execute","status":"pending","rawInput":{"command":"rm y"}}`,
				`{"sessionUpdate":"tool_call_update","toolCallId":"a","title":"` + "`ls`" + `","rawInput":{"command":"ls"}}`,
				`{"sessionUpdate":"tool_call_update","toolCallId":"b","status":"failed","content":[{"type":"content","content":{"type":"text","text":"not allowed: keep it"}}]}`,
				`{"sessionUpdate":"tool_call_update","toolCallId":"a","status":"in_progress"}`,
				`{"sessionUpdate":"tool_call_update","toolCallId":"a","status":"completed"}`,
			},
		},
		{
			name: "the plan stands for its tool",
			script: [][]said{in("turn_1",
				event.ToolCall{Tool: "plan_tool", ToolCallID: "p", Arguments: args(map[string]any{"todos": []any{}})}, event.ToolStarted{Tool: "plan_tool", ToolCallID: "p"},
				event.PlanUpdate{Plan: []event.PlanItem{{ID: "1", Content: "look", Status: "in_progress"}, {ID: "2", Content: "do", Status: "odd"}}},
				event.ToolOutput{Tool: "plan_tool", ToolCallID: "p", Success: true}, event.PlanUpdate{},
				event.ToolCall{Tool: "plan_tool", ToolCallID: "q"}, event.ToolOutput{Tool: "plan_tool", ToolCallID: "q", Output: "bad", Success: false},
			)},
			want: []string{
				`{"sessionUpdate":"plan","entries":[{"content":"look","priority":"medium","status":"in_progress"},{"content":"do","priority":"medium","status":"pending"}]}`,
				`{"sessionUpdate":"plan","entries":[]}`,
				`{"sessionUpdate":"tool_call","toolCallId":"q","title":"plan_tool","name":"plan_tool","kind":"think","status":"failed","content":[{"type":"content","content":{"type":"text","text":` + string(args("```\nbad\n```")) + `}}]}`,
			},
		},
		{
			name: "what is told in passing, to an editor that shows notices",
			o:    tell.Options{Notices: true, Compactions: true},
			script: [][]said{
				in("", event.ToolLog{Tool: "system", Log: "job x goes on\nand is paid for"}, event.JobComplete{JobID: "j", FinalStatus: "ERROR"}, event.Error{Error: "no", Hint: "Do it."}),
				in("turn_1", event.Compacted{OldTokens: 10, NewTokens: 5}, event.Error{Error: "of the turn"}, event.Interrupted{}, event.Shutdown{}, event.TurnComplete{StopReason: "doom_loop", Unverified: []string{"S9"}}),
				in("", event.Renamed{Title: "A title", By: "user"}),
			},
			want: []string{
				`{"sessionUpdate":"notice","severity":"info","title":"job x goes on","description":"and is paid for"}`,
				`{"sessionUpdate":"notice","severity":"warning","title":"job j is over: ERROR · cost unknown"}`,
				`{"sessionUpdate":"notice","severity":"error","title":"Error: no","description":"Do it."}`,
				`{"sessionUpdate":"compaction_update","compactionId":"compaction_4","status":"completed"}`,
				`{"sessionUpdate":"notice","severity":"warning","title":"Not verified (nothing was looked up that stands behind these):","description":"S9\nstopped: the model went in circles"}`,
				`{"sessionUpdate":"session_info_update","title":"A title"}`,
			},
		},
		{
			name:   "and to one that does not",
			script: [][]said{in("", event.ToolLog{Tool: "system", Log: "a *b* ![x](http://e)\n\nc"}, event.Compacted{OldTokens: 10, NewTokens: 5})},
			want: []string{
				text("agent_message_chunk", "notice_1", "*a ·b· !\\[x](http://e)*  \n*c*\n\n"),
				text("agent_message_chunk", "notice_2", "*context compacted: 10 → 5 tokens*\n\n"),
			},
		},
		{
			name: "settings, context and cost",
			script: [][]said{
				in("", event.Settings{Model: "m", ApprovalMode: "yolo", Window: 1000}),
				in("turn_1", event.LLMCall{Model: "m", Kind: llm.KindMain, Prompt: 100, Completion: 20, Total: 120, CostUSD: &usd, CostSource: "list"}),
				in("turn_1", event.ToolLog{Tool: "x", ToolCallID: "none", Log: ""}),
				in("turn_1", event.LLMCall{Model: "m", Kind: llm.KindMain, Prompt: 100, Completion: 30, Total: 130}),
			},
			want: []string{
				`{"sessionUpdate":"current_mode_update","currentModeId":"yolo"}`,
				`{"sessionUpdate":"usage_update","used":120,"size":1000,"cost":{"amount":0.5,"currency":"USD"}}`,
				`{"sessionUpdate":"usage_update","used":130,"size":1000}`, // the price of something is unknown
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, live(t, c.o, events(t, c.script...))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What a call changes is shown as a difference: as its arguments tell at first,
// as the checkpoints tell in the end.
func TestDifferences(t *testing.T) {
	diff := `diff --git a/a.py b/a.py
index 1..2 100644
--- a/a.py
+++ b/a.py
@@ -1,3 +1,3 @@
 # top
-x = 1
+x = 2
 # --- a/b
@@ -20,2 +20,1 @@
-gone
 end
\ No newline at end of file
diff --git a/new.txt b/new.txt
new file mode 100644
--- /dev/null
+++ b/new.txt
@@ -0,0 +1,2 @@
+one
++++ b/two
diff --git a/old.txt b/old.txt
deleted file mode 100644
--- a/old.txt
+++ /dev/null
@@ -1 +0,0 @@
-bye
diff --git "a/\303\251.txt" "b/\303\251.txt"
--- "a/\303\251.txt"
+++ "b/\303\251.txt"
@@ -1 +1 @@
-a
+b
diff --git a/other.txt b/other.txt
--- a/other.txt
+++ b/other.txt
@@ -1 +1 @@
-not
+ours

… the rest is left out
`
	o := tell.Options{Dir: "/work", Difference: func(before, after string) (string, error) {
		if before != "t1" || after != "t2" {
			return "", fmt.Errorf("%s %s", before, after)
		}
		return diff, nil
	}}
	changed := event.Checkpoint{ToolCallID: "b", Tool: "bash", Before: "t1", After: "t2", Files: []event.FileChanged{
		{Path: "a.py", Change: "modified"}, {Path: "new.txt", Change: "added"}, {Path: "old.txt", Change: "deleted"}, {Path: "é.txt", Change: "modified"},
	}}
	got := live(t, o, events(t, in("turn_1",
		event.ToolCall{Tool: "bash", ToolCallID: "b", Arguments: args(map[string]string{"command": "make"})}, changed, event.ToolOutput{Tool: "bash", ToolCallID: "b", Output: "made", Success: true})))
	var last struct {
		Content []struct {
			Type    string
			Path    string
			OldText *string
			NewText string
		}
		Locations []protocol.Location
	}
	if err := json.Unmarshal([]byte(got[1]), &last); err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, c := range last.Content {
		old := "nothing"
		if c.OldText != nil {
			old = fmt.Sprintf("%q", *c.OldText)
		}
		told = append(told, fmt.Sprintf("%s: %s -> %q", c.Path, old, c.NewText))
	}
	if diff := cmp.Diff([]string{
		`/work/a.py: "# top\nx = 1\n# --- a/b\n" -> "# top\nx = 2\n# --- a/b\n"`,
		`/work/a.py: "gone\nend" -> "end"`,
		`/work/new.txt: nothing -> "one\n+++ b/two\n"`,
		`/work/old.txt: "bye\n" -> ""`,
		`/work/é.txt: "a\n" -> "b\n"`,
	}, told); diff != "" {
		t.Error(diff)
	}
	if len(last.Locations) != 4 || last.Locations[0].Path != "/work/a.py" {
		t.Errorf("%+v", last.Locations)
	}
	if !strings.Contains(got[2], `"made`) && !strings.Contains(got[2], `\nmade\n`) || strings.Count(got[2], `"type":"diff"`) != 5 {
		t.Errorf("the output and the differences are shown at the end: %s", got[2])
	}
	for tool, c := range map[string]struct{ args, want string }{
		"edit":  {`{"path":"/x/a.py","old_str":"a","new_str":"b"}`, `{"type":"diff","path":"/x/a.py","oldText":"a","newText":"b"}`},
		"write": {`{"path":"n.txt","content":"c"}`, `{"type":"diff","path":"/work/n.txt","oldText":null,"newText":"c"}`},
	} {
		got := live(t, tell.Options{Dir: "/work"}, events(t, in("turn_1", event.ToolCall{Tool: tool, ToolCallID: "c", Arguments: json.RawMessage(c.args)},
			event.ToolOutput{Tool: tool, ToolCallID: "c", Output: "--- a\n+++ b\n", Success: true})))
		if len(got) != 2 || !strings.Contains(got[0], c.want) || !strings.Contains(got[1], c.want) {
			t.Errorf("%s: %v", tool, got)
		}
		got = live(t, tell.Options{Remote: true, Dir: "/work"}, events(t, in("turn_1", event.ToolCall{Tool: tool, ToolCallID: "c", Arguments: json.RawMessage(c.args)},
			event.ToolOutput{Tool: tool, ToolCallID: "c", Output: "no", Success: false})))
		if strings.Contains(got[0], "locations") || strings.Contains(got[1], "diff") {
			t.Errorf("%s: a file of another machine cannot be opened, and what failed has changed nothing: %v", tool, got)
		}
	}
}

func TestIntended(t *testing.T) {
	file := func(string) (string, bool) { return "a\nb\na\n", true }
	for _, c := range []struct{ tool, args, old, next string }{
		{"edit", `{"path":"f","old_str":"b","new_str":"c"}`, "a\nb\na\n", "a\nc\na\n"},
		{"edit", `{"path":"f","old_str":"a","new_str":"c","replace_all":true}`, "a\nb\na\n", "c\nb\nc\n"},
		{"edit", `{"path":"f","old_str":"a","new_str":"c","mode":"replace_all"}`, "a\nb\na\n", "c\nb\nc\n"},
		{"edit", `{"path":"f","old_str":"b\n","new_str":"c\n","mode":"append_after"}`, "a\nb\na\n", "a\nb\nc\na\n"},
		{"edit", `{"path":"f","old_str":"b\n","new_str":"c\n","mode":"prepend_before"}`, "a\nb\na\n", "a\nc\nb\na\n"},
		{"edit", `{"path":"f","old_str":"not there","new_str":"c"}`, "not there", "c"},
		{"write", `{"path":"f","content":"n"}`, "a\nb\na\n", "n"},
	} {
		got := tell.Intended("/w", file, c.tool, json.RawMessage(c.args))
		if len(got) != 1 || *got[0].OldText != c.old || got[0].NewText != c.next || got[0].Path != "/w/f" {
			t.Errorf("%s %s: %s", c.tool, c.args, args(got))
		}
	}
	for _, none := range []string{`{}`, `[]`, `{"path":7}`, `{"path":"f","content":` + string(args(strings.Repeat("x", 300_000))) + `}`} {
		if got := tell.Intended("/w", nil, "write", json.RawMessage(none)); got != nil {
			t.Errorf("%.40s: %v", none, got)
		}
	}
	if got := tell.Intended("/w", file, "bash", json.RawMessage(`{"path":"f"}`)); got != nil {
		t.Error(got)
	}
}

// The past is told once, without what was taken back, and goes on into the
// present.
func TestPast(t *testing.T) {
	turn := func(id, asked, answered string) []said {
		return append(in("", event.InputAccepted{SubmissionID: id, Text: asked}), in(id, event.TurnStarted{TurnID: id, SubmissionID: id},
			event.HistoryMessage{MessageID: "u" + id, Message: llm.Message{Role: llm.User, Text: asked}}, event.AssistantChunk{Content: answered}, event.StreamEnd{},
			event.HistoryMessage{MessageID: "a" + id, Message: llm.Message{Role: llm.Assistant, Text: answered}}, event.TurnComplete{StopReason: "answer"})...)
	}
	evs := events(t, turn("turn_1", "one", "1"), turn("turn_2", "two", "2"),
		in("", event.HistoryRewritten{Reason: "undo", Messages: []llm.Message{{Role: llm.User, Text: "one"}, {Role: llm.Assistant, Text: "1"}}, Said: []event.Said{{TurnID: "turn_1"}}},
			event.UndoComplete{Removed: 2, Turns: 1}),
		turn("turn_3", "three", "3"), in("turn_3", event.PlanUpdate{Plan: []event.PlanItem{{ID: "1", Content: "old", Status: "completed"}}}))
	teller := tell.New(tell.Options{Mine: func(string) bool { return true }})
	past, err := teller.Past(evs)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range lines(t, past) {
		var u struct {
			SessionUpdate string
			Content       struct{ Text string }
		}
		_ = json.Unmarshal([]byte(line), &u)
		got = append(got, strings.TrimSpace(u.SessionUpdate+" "+u.Content.Text))
	}
	if diff := cmp.Diff([]string{
		"user_message_chunk one", "agent_message_chunk 1", "user_message_chunk three", "agent_message_chunk 3", "plan", "session_info_update",
	}, got); diff != "" {
		t.Error(diff)
	}
	next := evs[len(evs)-1]
	next.Seq++
	next.TurnID, next.Type, next.Data = "turn_4", event.TypeAssistantChunk, json.RawMessage(`{"content":"now"}`)
	if got := lines(t, teller.Next(next)); len(got) != 1 || !strings.Contains(got[0], "now") {
		t.Error(got)
	}
}

// A session that was brought in from another program tells its messages.
func TestImported(t *testing.T) {
	evs := events(t, in("", event.ResumedFrom{Path: "x.jsonl"}, event.HistoryRewritten{Reason: "resume", Messages: []llm.Message{
		{Role: llm.System, Text: "secret instructions"},
		{Role: llm.User, Text: "do it"},
		{Role: llm.User, Text: "hidden", Synthetic: true},
		{Role: llm.Assistant, Text: "I do", ToolCalls: []llm.ToolCall{{ID: "c", Name: "bash", Arguments: `{"command":"ls"}`}}},
		{Role: llm.ToolRole, ToolCallID: "c", Text: "a.py"},
	}}))
	past, err := tell.New(tell.Options{}).Past(evs)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(lines(t, past), "\n")
	for _, want := range []string{`"text":"do it"`, `"text":"I do"`, `"title":"` + "`ls`" + `"`, `a.py`, `"status":"completed"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in\n%s", want, got)
		}
	}
	for _, hidden := range []string{"secret", "hidden"} {
		if strings.Contains(got, hidden) {
			t.Error(got)
		}
	}
}

func TestTitles(t *testing.T) {
	for _, c := range []struct{ tool, args, want string }{
		{"bash", `{"command":"echo ` + "`x`" + `\nrm y","description":"look"}`, "`echo 'x' rm y`"},
		{"bash", `{}`, "bash"},
		{"write", `{"path":"a` + "\\u001b[2J" + `"}`, "Write `a`"},
		{"hf_jobs", `{"operation":"run","hardware_flavor":"cpu-basic"}`, "hf_jobs run cpu-basic"},
		{"made_up", `{"x":1}`, `made_up {"x":1}`},
		{"made_up", `not json`, "made_up not json"},
		{"bash", `{"command":"` + strings.Repeat("x", 500) + `"}`, "`" + strings.Repeat("x", 199) + "…`"},
	} {
		if got := tell.Title(c.tool, json.RawMessage(c.args)); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.tool, c.args, got, c.want)
		}
	}
}

// Whatever an event holds, what is told of it fits the schema.
func FuzzEvents(f *testing.F) {
	for _, seed := range []string{
		`{"content":"x"}`, `{"tool":"bash","tool_call_id":"c","arguments":{"command":7}}`, `{"tools":[{"tool":"edit","tool_call_id":"c","arguments":"x"}]}`,
		`{"plan":[{"content":"\u0000"}]}`, `{"files":[{"path":"../x"}],"tool_call_id":"c"}`, `{"reason":"resume","messages":[{"role":"assistant","content":"x"}]}`,
	} {
		for _, kind := range []string{"assistant_chunk", "tool_call", "approval_required", "plan_update", "checkpoint", "history_rewritten", "tool_output", "llm_call", "settings"} {
			f.Add(kind, []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		ev := event.Event{Seq: 2, TurnID: "turn_1", Type: event.Type(kind), Data: data, Time: time.Unix(1, 0)}
		call := events(t, in("turn_1", event.ToolCall{Tool: "edit", ToolCallID: "c", Arguments: json.RawMessage(`{"path":"a","old_str":"b","new_str":"c"}`)}))[0]
		if !json.Valid(data) {
			return // no journal holds it
		}
		teller := tell.New(tell.Options{Dir: "/w", Difference: func(string, string) (string, error) { return string(data), nil }})
		lines(t, append(teller.Next(call), teller.Next(ev)...))
		if past, err := tell.New(tell.Options{}).Past([]event.Event{call, ev}); err == nil {
			lines(t, past)
		}
	})
}
