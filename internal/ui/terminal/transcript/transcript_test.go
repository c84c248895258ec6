package transcript_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript"
)

// shows compares what a film leaves finished with what is wanted.
func shows(t *testing.T, f *film, o transcript.Options, want string) *screen {
	t.Helper()
	s := newScreen(o)
	got := s.play(f)
	if diff := cmp.Diff(strings.Trim(want, "\n"), strings.TrimRight(got, "\n")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	return s
}

func TestATurn(t *testing.T) {
	f := newFilm(t).says(1, "list the files").wait(2*time.Second).streams("I look.\n").
		runs("c1", "bash", `{"command":"ls -l"}`, 1500*time.Millisecond, true, "a\nb\n").
		streams("Two ", "files.").wait(time.Second).completes("Two files.")
	s := shows(t, f, transcript.Options{}, `
❯ list the files

  I look.

  ✓ bash  ls -l  1.5 s · 4 B

  Two files.

  4.5 s · 1 call · 24.6k tokens · $0.04
`)
	if s.Busy() || s.Moving() || s.Reply() != "Two files." || s.live() != "" {
		t.Errorf("busy %v, reply %q, live %q", s.Busy(), s.Reply(), s.live())
	}
}

func TestTheLiveRegionWhileATurnRuns(t *testing.T) {
	f := newFilm(t).says(1, "go")
	s := newScreen(transcript.Options{})
	s.play(f)
	s.now = s.now.Add(3 * time.Second)
	if got := s.live(); !strings.HasSuffix(got, " working  3 s") || !s.Moving() {
		t.Errorf("waiting: %q", got)
	}
	f.events = nil
	f.tell(event.ReasoningChunk{Content: "First I think about\nsomething and then "}, event.ReasoningChunk{Content: "about the end"})
	s.play(f)
	s.now = s.now.Add(12 * time.Second)
	if got := s.live(); !strings.Contains(got, " thinking  First I think about something and then about the end  12 s") {
		t.Errorf("thinking: %q", got)
	}
	f.events = nil
	f.wait(12 * time.Second).tell(event.AssistantChunk{Content: "Half a li"})
	if got := s.play(f); got != "\n  thought for 12 s" {
		t.Errorf("after the thinking: %q", got)
	}
	if got := s.live(); !strings.Contains(got, "  Half a li") {
		t.Errorf("an open line: %q", got)
	}
	f.events = nil
	f.tell(event.StreamEnd{})
	f.tell(event.ToolCall{Tool: "bash", ToolCallID: "a", Arguments: []byte(`{"command":"make","description":"build it"}`)})
	f.tell(event.ToolLog{Tool: "bash", ToolCallID: "a", Log: "step 1\nstep 2\n"})
	s.play(f)
	s.now = s.now.Add(5 * time.Second)
	if got := s.live(); !strings.HasSuffix(got, " bash  build it  5 s  step 2") || s.Status().Tool != "bash" {
		t.Errorf("running: %q", got)
	}
	f.events = nil
	for i := range 12 {
		f.tell(event.ToolCall{Tool: "read", ToolCallID: fmt.Sprint(i), Arguments: []byte(`{"path":"x"}`)})
	}
	s.play(f)
	if got := s.Live(40); len(got) != 10 || got[0] != "" || !strings.Contains(got[9], "and 5 more") {
		t.Errorf("many: %q", got)
	}
	for height := range 12 {
		if got := s.Live(height); len(got) > height {
			t.Errorf("%d lines for %d", len(got), height)
		}
	}
}

func TestQueuedTextsWaitInTheLiveRegion(t *testing.T) {
	f := newFilm(t).says(1, "go").tell(
		event.InputAccepted{SubmissionID: "sub_2", Text: "then that <inlined>", Shown: "then @that", Queued: true},
		event.InputAccepted{SubmissionID: "sub_3", Text: "rather this", Queued: true, Steer: true},
	)
	s := newScreen(transcript.Options{})
	if got := s.play(f); got != "❯ go" {
		t.Errorf("finished: %q", got)
	}
	if got := s.live(); !strings.Contains(got, "❯ rather this  joins\n❯ then @that  queued") || s.Status().Queue != 2 {
		t.Errorf("live: %q", got)
	}
	f.events = nil
	f.tell(event.InputAccepted{SubmissionID: "sub_4", Text: "my password", Steer: true},
		event.Hook{Hook: "PreToolUse", Decision: "deny"}, event.Hook{Hook: "UserPromptSubmit", Decision: "deny", Reason: "a secret", SubmissionID: "sub_4"})
	if got := s.play(f); !strings.Contains(got, "a hook keeps the message back: a secret") || s.Status().Queue != 2 || strings.Contains(s.live(), "password") {
		t.Errorf("kept back: %q, live %q", got, s.live())
	}
	f.events = nil
	f.tell(event.HistoryMessage{Message: llm.Message{Role: llm.User, Text: "rather this"}}).completes("")
	f.tell(event.TurnStarted{TurnID: "turn_2", SubmissionID: "sub_2"})
	got := s.play(f)
	if !strings.Contains(got, "❯ rather this") || !strings.Contains(got, "❯ then @that") || strings.Contains(got, "inlined") {
		t.Errorf("finished: %q", got)
	}
	if strings.Contains(s.live(), "queued") {
		t.Errorf("live: %q", s.live())
	}
}

func TestAnAnswerThatIsAskedAgain(t *testing.T) {
	f := newFilm(t).says(1, "go").tell(event.AssistantChunk{Content: "never seen"}, event.StreamEnd{Discarded: true, Reason: "retry"})
	shows(t, f, transcript.Options{}, "❯ go")
	f = newFilm(t).says(1, "go").tell(event.AssistantChunk{Content: "seen\n\nnever"}, event.StreamEnd{Discarded: true, Reason: "retry"})
	f.streams("whole")
	s := shows(t, f, transcript.Options{}, `
❯ go

  seen

  that answer was cut off and is asked again

  whole`)
	if s.Reply() != "whole" {
		t.Errorf("reply %q", s.Reply())
	}
	f = newFilm(t).says(1, "go").tell(event.AssistantChunk{Content: "all that came"}, event.StreamEnd{Discarded: true, Reason: "error"})
	f.tell(event.Error{Error: "connection lost", Hint: "send the message again"})
	shows(t, f, transcript.Options{}, `
❯ go

  all that came

  the answer breaks off here
  Error: connection lost
    send the message again
  0 s`)
}

func TestTextsThatWereNotStreamed(t *testing.T) {
	final := "done"
	f := newFilm(t).says(1, "go").tell(
		event.AssistantMessage{Content: "told"}, event.HistoryMessage{Message: llm.Message{Role: llm.Assistant, Text: "told"}},
		event.HistoryMessage{Message: llm.Message{Role: llm.Assistant, Text: "from the history"}},
		event.HistoryMessage{Message: llm.Message{Role: llm.Assistant, Text: "closing"}}, event.AssistantMessage{Content: "closing"},
		event.HistoryMessage{Message: llm.Message{Role: llm.User, Text: "[SYSTEM: go on]", Synthetic: true}},
		event.HistoryMessage{Message: llm.Message{Role: llm.Assistant, Text: "a sub-agent's"}, AgentID: "r"},
		event.TurnComplete{FinalResponse: &final, StopReason: "max_iterations"},
	)
	s := shows(t, f, transcript.Options{}, `
❯ go

  told

  from the history

  closing

  stopped: the limit of model calls for one turn is reached; a message goes on
  0 s`)
	if s.Reply() != "done" {
		t.Errorf("reply %q", s.Reply())
	}
}

func TestFailuresShowTheirLastLines(t *testing.T) {
	var output strings.Builder
	for i := range 30 {
		fmt.Fprintf(&output, "line %d\n", i)
	}
	f := newFilm(t).says(1, "go").runs("c1", "bash", `{"command":"make"}`, time.Second, false, output.String())
	s := newScreen(transcript.Options{})
	got := s.play(f)
	if strings.Contains(got, "line 19") || !strings.Contains(got, "✗ bash  make  1 s · 230 B\n    line 20\n") || !strings.HasSuffix(got, "    line 29") {
		t.Errorf("got %s", got)
	}
	s = newScreen(transcript.Options{Verbose: true})
	if got := s.play(f); !strings.Contains(got, "    line 0\n") {
		t.Errorf("verbose: %s", got)
	}
	f = newFilm(t).says(1, "go").runs("c1", "bash", `{"command":"make"}`, time.Second, true, strings.Repeat("x\n", 1000))
	if got := s.play(f); strings.Count(got, "    x\n") != 400 || !strings.HasSuffix(got, "    … 600 more lines: /tools 2") {
		t.Errorf("verbose: %s", got)
	}
	s.SetVerbose(false)
	if got := s.play(f); strings.Contains(got, "    x\n") || len(s.Tools()) != 3 {
		t.Errorf("calm: %s", got)
	}
}

func TestEditsCountTheirLines(t *testing.T) {
	diff := "Edited a.py (1 replacement)\n--- a.py\n+++ a.py\n@@ -1 +1,2 @@\n-old\n+new\n+more\n"
	f := newFilm(t).says(1, "go").runs("c1", "edit", `{"path":"a.py","old_str":"x","new_str":"y"}`, time.Second, true, diff)
	f.tell(event.ToolCall{Tool: "bash", ToolCallID: "c2", Arguments: []byte(`{"command":"black ."}`)})
	f.tell(event.Checkpoint{ToolCallID: "c2", Files: []event.FileChanged{{Path: "a", Added: 1000, Removed: 2}, {Path: "b", Removed: 1}}})
	f.tell(event.ToolOutput{Tool: "bash", ToolCallID: "c2", Success: true})
	f.tell(event.Checkpoint{ToolCallID: "c1", Files: []event.FileChanged{{Path: "a.py", Added: 2, Removed: 1}}})
	f.runs("c3", "bash", `{}`, 0, true, "")
	f.tell(event.Checkpoint{ToolCallID: "c3", Files: []event.FileChanged{{Path: "late", Added: 1}, {Path: "b"}, {Path: "c"}, {Path: "d"}}})
	shows(t, f, transcript.Options{}, `
❯ go

  ✓ edit  a.py  +2 −1  1 s · 76 B
  ✓ bash  black .  +1,000 −3 in 2 files  0 s
  ✓ bash    0 s
  changed late +1 −0, b +0 −0, c +0 −0, 1 more file`)
}

func TestThePlan(t *testing.T) {
	plan := []event.PlanItem{
		{ID: "1", Content: "third", Status: "pending"},
		{ID: "2", Content: "second [x]", Status: "in_progress"},
		{ID: "3", Content: "first", Status: "completed"},
	}
	f := newFilm(t).says(1, "go").tell(
		event.ToolCall{Tool: "plan_tool", ToolCallID: "p", Arguments: []byte(`{"todos":[{},{},{}]}`)},
		event.PlanUpdate{Plan: plan},
		event.ToolOutput{Tool: "plan_tool", ToolCallID: "p", Output: "Plan updated:\n\n  [x] 3. first\n  [~] 2. second\n\n1/3 done", Success: true},
	)
	s := newScreen(transcript.Options{})
	s.play(f)
	s.ShowPlan(true)
	if got := s.live(); !strings.Contains(got, "  ✓ first\n  ▸ second [x]\n  ○ third\n  1/3 done") {
		t.Errorf("live: %q", got)
	}
	f.completes("")
	shows(t, f, transcript.Options{}, `
❯ go

  ✓ plan_tool  3 steps  0 s · 55 B
    Plan updated:

      [x] 3. first
      [~] 2. second

    1/3 done

  ✓ first
  ▸ second [x]
  ○ third
  1/3 done

  0 s · 1 call`)
	f.says(2, "more").completes("")
	if got := newScreen(transcript.Options{}).play(f); strings.Count(got, "▸ second") != 1 {
		t.Errorf("a turn that did not touch the plan shows it: %s", got)
	}
}

func agentLine(id, text string) event.ToolLog {
	return event.ToolLog{Tool: "research", Log: text, AgentID: id, Label: "research: task " + id}
}

func TestResearch(t *testing.T) {
	f := newFilm(t).says(1, "go")
	research := func(id string) {
		f.tell(event.ToolCall{Tool: "research", ToolCallID: id, Arguments: []byte(`{"task":"task ` + id + `"}`)},
			agentLine(id, "Starting research sub-agent..."))
	}
	s := newScreen(transcript.Options{})
	research("a")
	for i := range 6 {
		f.wait(time.Second).tell(
			event.ToolCall{Tool: "web_search", AgentID: "a", ToolCallID: "x", Arguments: []byte(`{}`)},
			agentLine("a", fmt.Sprintf(`▸ web_search  {"q":%d}`, i)), event.ToolOutput{Tool: "web_search", ToolCallID: "x", AgentID: "a", Output: "inner"},
			agentLine("a", fmt.Sprintf("tools:%d", i+1)), agentLine("a", fmt.Sprintf("tokens:%d", 2050*(i+1))),
		)
	}
	f.wait(119 * time.Second)
	if got := s.play(f); strings.Contains(got, "inner") || strings.Contains(got, "web_search") {
		t.Errorf("finished: %s", got)
	}
	want := " research: task a  (6 tool uses · 12.3k tokens · 2m 5s)\n    ▸ web_search  {\"q\":2}\n    ▸ web_search  {\"q\":3}\n    ▸ web_search  {\"q\":4}\n    ▸ web_search  {\"q\":5}"
	if got := s.live(); !strings.HasSuffix(got, want) {
		t.Errorf("one: %q", got)
	}
	f.events = nil
	research("b")
	f.tell(agentLine("b", "the limit of 60 rounds was reached"))
	if got := s.play(f); !strings.Contains(got, "  research: task b: the limit of 60 rounds was reached") {
		t.Errorf("words: %q", got)
	}
	if got := s.Live(40); len(got) != 2 || !strings.Contains(got[0], "(6 tool uses · 12.3k tokens · 2m 5s)  ▸ web_") {
		t.Errorf("several: %q", got)
	}
	f.events = nil
	f.tell(agentLine("a", "Research complete."), event.ToolOutput{Tool: "research", ToolCallID: "a", Output: "report", Success: true})
	f.tell(event.ToolOutput{Tool: "research", ToolCallID: "b", Output: "no model", Success: false})
	want = "  ✓ research: task a  (6 tool uses · 12.3k tokens · 2m 5s)\n  ✗ research: task b  (0 tool uses · 0 tokens · 0s)\n    no model"
	if got := s.play(f); got != want {
		t.Errorf("ends: %q", got)
	}
	f.events = nil
	research("c")
	f.tell(event.Interrupted{})
	if got := s.play(f); !strings.Contains(got, "■ research  task c") || s.live() != "" {
		t.Errorf("interrupted: %q, live %q", got, s.live())
	}
}

func TestGates(t *testing.T) {
	ask := func(f *film) {
		f.tell(event.ApprovalRequired{Count: 3, ApprovalID: "gate_1", Tools: []event.GatedCall{
			{Tool: "bash", ToolCallID: "a", Arguments: []byte(`{"command":"git push"}`), Reason: "sends data out", Origin: []event.Origin{{Source: "S1", URL: "https://a.example"}}},
			{Tool: "hf_jobs", ToolCallID: "b", Arguments: []byte(`{"operation":"run","hardware_flavor":"a10g-small"}`), Block: &event.Block{BlockReason: "over the cap"}},
			{Tool: "write", ToolCallID: "c", Arguments: []byte(`{"path":"/etc/x","content":"a\nb"}`)},
		}})
	}
	f := newFilm(t).says(1, "go")
	ask(f)
	s := newScreen(transcript.Options{})
	s.play(f)
	if s.Gate() == nil || s.Gate().ApprovalID != "gate_1" || s.Busy() || s.Moving() {
		t.Errorf("gate %v, busy %v", s.Gate(), s.Busy())
	}
	f.wait(time.Hour).tell(
		event.ToolStateChange{ToolCallID: "a", Tool: "bash", State: "approved", EditedArguments: []byte(`{"command":"git push origin"}`)},
		event.ToolStateChange{ToolCallID: "b", Tool: "hf_jobs", State: "approved", Namespace: "acme"},
		event.ToolStateChange{ToolCallID: "c", Tool: "write", State: "rejected", Feedback: "use /tmp, Please"},
		event.ToolStateChange{ToolCallID: "a", Tool: "bash", State: "running"},
		event.ToolOutput{ToolCallID: "c", Tool: "write", Output: "write execution cancelled by user"},
	).wait(time.Second).tell(event.ToolOutput{ToolCallID: "a", Tool: "bash", Output: "ok", Success: true}, event.Processing{}).completes("")
	s = shows(t, f, transcript.Options{}, `
❯ go

  ✓ approved with changes: bash  git push origin
  ✓ approved, billed to acme: hf_jobs  run a10g-small
  ✗ rejected: write  /etc/x (2 lines)
    use /tmp, Please
  ✓ bash  git push origin  1 s · 2 B
  1 s · 2 calls`)
	if s.Gate() != nil {
		t.Error("the gate is still open")
	}

	f = newFilm(t).says(1, "go")
	ask(f)
	f.tell(
		event.ToolStateChange{ToolCallID: "a", State: "abandoned", Tool: "bash"}, event.ToolStateChange{ToolCallID: "b", State: "abandoned", Tool: "hf_jobs"},
		event.ToolStateChange{ToolCallID: "c", State: "abandoned", Tool: "write"}, event.ToolOutput{ToolCallID: "a", Tool: "bash", Output: "abandoned"},
	)
	s = newScreen(transcript.Options{})
	if got := s.play(f); !strings.HasSuffix(got, "■ not answered: write  /etc/x (2 lines)") || s.Busy() || s.Gate() != nil {
		t.Errorf("abandoned: %s", got)
	}
}

func TestQuestionsAboutMoney(t *testing.T) {
	f := newFilm(t).says(1, "go").tell(
		event.ApprovalRequired{UsageThreshold: true, Tools: []event.GatedCall{{Tool: "usage_threshold", ToolCallID: "u", Arguments: []byte(`{"current_spend_usd":5.02,"next_threshold_usd":10}`)}}},
		event.ToolStateChange{ToolCallID: "u", Tool: "usage_threshold", State: "approved"},
		event.ToolOutput{ToolCallID: "u", Tool: "usage_threshold", Output: "Approved: going on.", Success: true},
		event.ApprovalRequired{YoloBudget: true, Block: &event.Block{BlockReason: "the cap"}, Tools: []event.GatedCall{{Tool: "yolo_budget", ToolCallID: "y", Arguments: []byte(`{"current_spend_usd":20,"cap_usd":20}`)}}},
		event.ToolStateChange{ToolCallID: "y", Tool: "yolo_budget", State: "rejected"}, event.Interrupted{},
	)
	shows(t, f, transcript.Options{}, `
❯ go

  ✓ approved: this session has spent $5.02: go on? (asked again at $10.00)
  ✗ rejected: the cap ($20.00 of $20.00 spent): go on?
  interrupted
  0 s`)
}

func TestWhatIsTold(t *testing.T) {
	ptr := func(s string) *string { return &s }
	for name, c := range map[string]struct {
		tell event.Payload
		want string
	}{
		"compacted":       {event.Compacted{OldTokens: 180_123, NewTokens: 20_456}, "  context compacted: 180,123 → 20,456 tokens"},
		"nothing to undo": {event.UndoComplete{}, "  nothing to undo"},
		"undo": {
			event.UndoComplete{Turns: 1, Removed: 4, Restored: event.Restored{Files: []string{"a.py"}, Conflicts: []string{"b.py"}, Problem: "no git"}},
			"  undone: 1 turn (4 messages)\n  files put back:\n    a.py\n  left alone, somebody else has changed them meanwhile:\n    b.py\n  files were not put back: no git",
		},
		"redo": {event.RedoComplete{Turns: 2, Added: 4}, "  redone: 2 turns (4 messages)"},
		"new":  {event.NewComplete{PreviousMessageCount: 3, SavedPath: ptr("/x/y.json")}, "  a fresh conversation; the one before is saved: /x/y.json"},
		"resume": {
			event.ResumeComplete{Path: "p.json", RestoredCount: 3, ModelName: "a/b", Forked: true, DroppedCount: 2, InvalidSavedModel: ptr("not one"), HadRedactedContent: true},
			"  Forked from p.json (3 messages, model a/b)\n  this is a copy with an id of its own; the saved session stays as it is\n" +
				"  warning: 2 messages of the saved session were not valid and are left out\n  warning: the saved model \"not one\" is not a model id; going on with a/b\n" +
				"  warning: secrets were removed from the saved session; their marks stay in the\n  conversation",
		},
		"left":          {event.ResumeComplete{Path: "p.json", SessionID: "other"}, ""},
		"terminated":    {event.SessionTerminated{UserMessage: "Too long."}, "  Too long.\n    /new begins a fresh one in the same place"},
		"hostile error": {event.Error{Error: "[/tmp/x] \x1b[2J[red]bad[/red]\x1b]0;t\x07", Hint: "look"}, "  Error: [/tmp/x] [red]bad[/red]\n    look"},
		"job":           {event.JobSubmit{JobID: "j1", Flavor: "a10g-small", JobURL: "https://hub/jobs/j1"}, "  job submitted: j1 · a10g-small\n    https://hub/jobs/j1"},
		"job over":      {event.JobComplete{JobID: "j1", FinalStatus: "ERROR", WallTimeS: 125, EstimatedCostUSD: usd(3.1)}, "  job j1 is over: ERROR · 2m 5s · $3.10"},
		"job unpriced":  {event.JobComplete{JobID: "j1", FinalStatus: "COMPLETED"}, "  job j1 is over: COMPLETED · cost unknown"},
		"sandbox":       {event.SandboxCreate{SandboxID: "b/x", Hardware: "cpu-basic"}, "  sandbox ready: b/x · cpu-basic"},
		"sandbox gone":  {event.SandboxDestroy{SandboxID: "b/x", EstimatedCostUSD: usd(0)}, "  sandbox removed: b/x · $0.00"},
		"finding":       {event.Finding{Source: "job:a/j1", Severity: "error", Text: "the loss is NaN"}, "  error: the loss is NaN (job:a/j1)"},
		"renamed":       {event.Renamed{Title: "a title", By: "user"}, "  the session is called: a title"},
		"titled":        {event.Renamed{Title: "a title", By: "auto"}, ""},
		"system":        {event.ToolLog{Tool: "system", Log: "LLM connection error, retrying in 2s..."}, "  LLM connection error, retrying in 2s..."},
		"beside a call": {event.ToolLog{Tool: "hf_jobs", Log: "job j is over: ERROR"}, "  hf_jobs: job j is over: ERROR"},
		"credits":       {event.ToolStateChange{Tool: "hf_jobs", State: "billing_required", Namespace: "acme"}, "  hf_jobs: there are no credits left in acme"},
		"shutdown":      {event.Shutdown{}, "  the session is closed"},
		"interrupted":   {event.Interrupted{}, "  interrupted"},
		"feedback":      {event.Feedback{Rating: "up"}, ""},
		"ready":         {event.Ready{ToolCount: 30}, ""},
	} {
		t.Run(name, func(t *testing.T) { shows(t, newFilm(t).tell(c.tell), transcript.Options{}, c.want) })
	}
}

func TestUnknownTypesShowNothing(t *testing.T) {
	s := newScreen(transcript.Options{})
	s.Apply(event.Event{Type: "from_the_future", Data: json.RawMessage(`{"a":1}`)})
	s.Apply(event.Event{Type: event.TypeToolOutput, Data: json.RawMessage(`"no object"`)})
	if got := s.Take(); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

func TestSettingsThatChangeAreTold(t *testing.T) {
	s := newScreen(transcript.Options{})
	s.Settings(event.Settings{Model: "a/b", Effort: "high", ApprovalMode: "ask", Window: 100_000})
	f := newFilm(t).tell(event.Settings{Model: "a/c", Effort: "high", ApprovalMode: "yolo", MaxCostUSD: usd(20), Window: 200_000})
	if got := s.play(f); got != "  now: model a/c, approval mode yolo, spending cap $20.00" {
		t.Errorf("got %q", got)
	}
}

func TestUnverifiedReferencesStandBeneathTheAnswer(t *testing.T) {
	f := newFilm(t).says(1, "go").streams("see https://b.example").tell(event.TurnComplete{StopReason: "answer", Unverified: []string{"https://b.example"}})
	if got := newScreen(transcript.Options{}).play(f); !strings.Contains(got, "  Not verified (nothing was looked up that stands behind these):\n    https://b.example\n\n  0 s") {
		t.Errorf("got %s", got)
	}
}

func TestThinkingIsPrintedWhereItIsWanted(t *testing.T) {
	f := newFilm(t).says(1, "go").tell(event.ReasoningChunk{Content: "one\ntw"}, event.ReasoningChunk{Content: "o"}).wait(75*time.Second).tell(mainCall(1, 1, 0), event.StreamEnd{})
	shows(t, f, transcript.Options{ShowThinking: true}, "❯ go\n\n  one\n  two\n  thought for 1m 15s")
}

func TestPlainTellsWhatElseWouldBeDrawn(t *testing.T) {
	f := newFilm(t).says(1, "go").tell(event.ReasoningChunk{Content: "hm"}, event.InputAccepted{SubmissionID: "q", Text: "later", Queued: true})
	f.runs("a", "bash", `{"command":"ls"}`, time.Second, true, "x")
	s := shows(t, f, transcript.Options{Plain: true}, `
❯ go

  working
  thinking
  queued: later
  thought for 0 s
  tool bash started: ls
  ✓ bash  ls  1 s · 1 B`)
	if s.Moving() {
		t.Error("something moves")
	}
}

func TestASessionThatComesFromElsewhere(t *testing.T) {
	var messages []llm.Message
	for i := range 5 {
		messages = append(messages, llm.Message{Role: llm.User, Text: fmt.Sprintf("question %d", i)},
			llm.Message{Role: llm.Assistant, Text: fmt.Sprintf("answer %d", i), ToolCalls: []llm.ToolCall{{ID: "x", Name: "bash", Arguments: `{"command":"ls"}`}}},
			llm.Message{Role: llm.ToolRole, Text: "out", ToolCallID: "x"})
	}
	f := newFilm(t).tell(event.HistoryRewritten{Reason: "resume", Messages: messages, Plan: []event.PlanItem{{Content: "p"}}}, event.ResumeComplete{Path: "p", RestoredCount: 15, ModelName: "a/b"})
	s := shows(t, f, transcript.Options{}, `
  … 3 earlier turns (/export writes all to a file)

❯ question 3

  answer 3

  ▸ bash  ls

❯ question 4

  answer 4

  ▸ bash  ls
  Resumed from p (15 messages, model a/b)`)
	if len(s.Plan()) != 1 || s.Status().Model != "a/b" {
		t.Errorf("plan %v, model %s", s.Plan(), s.Status().Model)
	}
}

func TestTheStatusLine(t *testing.T) {
	s := newScreen(transcript.Options{})
	s.Settings(event.Settings{Model: "acme/large", Effort: "high", ApprovalMode: "ask", Window: 100_000})
	f := newFilm(t).says(1, "go").tell(
		mainCall(33_000, 1000, 0.42), event.Renamed{Title: "a title"},
		event.JobComplete{JobID: "j0", FinalStatus: "COMPLETED", EstimatedCostUSD: usd(3.1)},
		event.JobSubmit{JobID: "j1"}, event.JobSubmit{JobID: "j2"},
	)
	s.play(f)
	s.now = s.now.Add(12 * time.Second)
	for width, want := range map[int]string{
		200: "acme/large · high · ask · ctx 34% · $0.42 · jobs $3.10 (2 running) · 12 s · 34k tokens",
		60:  "acme/large · high · ask · ctx 34% · $0.42",
		45:  "acme/large · high · ask · ctx 34% · $0.42",
		40:  "acme/large · high · ask · ctx 34%",
		12:  "acme/large",
		5:   "",
	} {
		if got := s.StatusLine(width); got != want {
			t.Errorf("%d columns: %q, want %q", width, got, want)
		}
	}
	f.events = nil
	rate, most := 2.0, int64(5_000_000)
	f.tell(event.LLMCall{Model: "acme/large", Kind: llm.KindResearch}, event.Spend{ID: "s", Kind: event.SpendJob, State: event.SpendReserved, USDPerHour: &rate, MicroUSD: &most})
	s.play(f)
	s.now = f.now.Add(30 * time.Minute)
	got := s.Status()
	if !got.CostIncomplete || got.Cost() != "$0.42+?" || got.Jobs() != "~$4.10" || got.Title != "a title" {
		t.Errorf("got %+v", got)
	}
	s.now = f.now.Add(30 * time.Hour)
	if got := s.Status().Jobs(); got != "~$8.10" {
		t.Errorf("more than what is set aside: %s", got)
	}
}

func TestANewSessionBeginsAfresh(t *testing.T) {
	f := newFilm(t).says(1, "go").runs("a", "bash", `{}`, 0, true, "x").streams("reply").completes("reply")
	f.tell(event.NewComplete{PreviousSessionID: "p", PreviousMessageCount: 2})
	s := newScreen(transcript.Options{})
	s.Settings(event.Settings{Model: "a/b", Window: 9, ApprovalMode: "ask"})
	s.play(f)
	got := s.Status()
	if len(s.Tools()) != 0 || s.Reply() != "" || got.CostMicroUSD != 0 || got.ContextTokens != 0 || got.Mode != "ask" || got.Window != 9 {
		t.Errorf("got %+v", got)
	}
}

func TestNothingAboveASCIIOfOurs(t *testing.T) {
	s := newScreen(transcript.Options{Theme: theme.New(theme.Options{ASCII: true}), Width: 40})
	for _, ev := range longFilm(t).events {
		s.now = ev.Time
		s.Apply(ev)
		for _, line := range append(s.Take(), s.Live(20)...) {
			for _, r := range line {
				if r > 0x7e && !strings.ContainsRune("日本語のデータ🤗\ufffd", r) {
					t.Fatalf("%U in %q, which is none of the film's own", r, line)
				}
			}
		}
		if line := s.StatusLine(200); strings.ContainsRune(line, '·') {
			t.Fatalf("status line %q", line)
		}
	}
}

func TestTextsOfCommands(t *testing.T) {
	s := newScreen(transcript.Options{Width: 40})
	s.Say(theme.Warning, "a warning that is longer than the screen is wide \x1b[2J")
	s.Markdown("# Title\n\n- a\x1b[31m")
	s.Diff("--- a\n+++ b\n@@ -1 +1 @@\n-old\x1b[2J\n+new\n same " + strings.Repeat("x", 40))
	want := `  a warning that is longer than the
  screen is wide
  # Title

  • a
  --- a
  +++ b
  @@ -1 +1 @@
  -old
  +new
   same xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
  xxxxxxxx`
	if diff := cmp.Diff(want, strings.Join(s.Take(), "\n")); diff != "" {
		t.Error(diff)
	}
}

func TestATurnThatBeginsInAnother(t *testing.T) {
	f := newFilm(t).says(1, "one").tell(event.ReasoningChunk{Content: "hm"}, event.AssistantChunk{Content: "cut short"}, event.ToolCall{Tool: "bash", ToolCallID: "a", Arguments: []byte(`{"command":"ls"}`)})
	f.wait(3*time.Second).says(2, "two").completes("")
	shows(t, f, transcript.Options{}, `
❯ one

  thought for 0 s

  cut short

  ■ bash  ls  not finished · 3 s

❯ two

  0 s`)
}

func TestErrorsOfOperationsLeaveTheTurn(t *testing.T) {
	f := newFilm(t).says(1, "one").tell(event.AssistantChunk{Content: "on and "})
	f.turn = ""
	f.tell(event.Error{Error: "no such model"})
	s := newScreen(transcript.Options{})
	if got := s.play(f); !s.Busy() || !strings.Contains(got, "Error: no such model") || strings.Contains(got, "0 s") {
		t.Errorf("busy %v: %s", s.Busy(), got)
	}
	f = newFilm(t).says(1, "one").tell(event.ApprovalRequired{Tools: []event.GatedCall{{Tool: "bash", ToolCallID: "a"}}}, event.Error{Error: "no such call"})
	s = newScreen(transcript.Options{})
	if s.play(f); s.Gate() == nil {
		t.Error("an error closes the gate")
	}
}

func TestTheSameTextTwice(t *testing.T) {
	f := newFilm(t).says(1, "go").tell(
		event.HistoryMessage{Message: llm.Message{Role: llm.Assistant, Text: "again"}}, event.AssistantMessage{Content: "again"},
		event.AssistantMessage{Content: "again"}, event.AssistantMessage{Content: "other"}, event.HistoryMessage{Message: llm.Message{Role: llm.Assistant, Text: "other"}},
		event.AssistantChunk{Content: "lost"}, event.StreamEnd{Discarded: true, Reason: "retry"}, event.HistoryMessage{Message: llm.Message{Role: llm.Assistant, Text: "told"}},
	)
	shows(t, f, transcript.Options{}, "❯ go\n\n  again\n\n  again\n\n  other\n\n  told")
}

func TestUnknownPrices(t *testing.T) {
	f := newFilm(t).tell(event.JobComplete{JobID: "j", FinalStatus: "COMPLETED"}).says(1, "go").tell(event.LLMCall{Kind: llm.KindMain, Total: 10}).completes("")
	s := newScreen(transcript.Options{})
	got := s.play(f)
	if st := s.Status(); st.Jobs() != "unknown" || st.Cost() != "unknown" || !strings.HasSuffix(got, "  0 s · 10 tokens · cost unknown") {
		t.Errorf("jobs %s, cost %s: %s", st.Jobs(), st.Cost(), got)
	}
	f = newFilm(t).says(1, "go").tell(event.LLMCall{Kind: llm.KindMain, Total: 10}, mainCall(1, 1, 0.5), event.JobComplete{JobID: "j"}, event.JobComplete{JobID: "k", EstimatedCostUSD: usd(2)}).completes("")
	s = newScreen(transcript.Options{})
	got = s.play(f)
	if st := s.Status(); st.Jobs() != "$2.00+?" || st.Cost() != "$0.50+?" || !strings.HasSuffix(got, "· $0.50+?") {
		t.Errorf("jobs %s, cost %s: %s", st.Jobs(), st.Cost(), got)
	}
}
