package transcript_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// longFilm has every type of event, with words that are wide, long or hostile.
func longFilm(t testing.TB) *film {
	hostile := "\x1b[31mred\x1b]0;title\x07 [bold]kept[/bold]\ttab \u202eturned"
	plan := []event.PlanItem{
		{ID: "1", Content: "look at the data: 日本語のデータ", Status: "completed"},
		{ID: "2", Content: "train", Status: "in_progress"},
		{ID: "3", Content: "write a report that nobody will read because its title is so very long that it fits nowhere", Status: "pending"},
	}
	f := newFilm(t)
	f.tell(event.Ready{ToolCount: 30}, event.SessionUpdate{}, event.Settings{Model: "acme/large", Effort: "high", ApprovalMode: "ask", Window: 200_000})
	f.says(1, "fine-tune 日本語 model on my data, please, and tell me how long it takes\nsecond line "+hostile)
	f.tell(event.ReasoningChunk{Content: "What does the person want? " + hostile}).wait(12 * time.Second)
	f.streams("I will **look** first.\n\n", "```py\nprint('x')\n", "```\n\nThen:\n\n- a\n- b ", hostile, "\n")
	f.tell(event.ToolCall{Tool: "plan_tool", ToolCallID: "p", Arguments: []byte(`{"todos":[{},{},{}]}`)}, event.PlanUpdate{Plan: plan},
		event.ToolOutput{Tool: "plan_tool", ToolCallID: "p", Output: "Plan updated:\n\n  [x] 1. look\n\n1/3 done", Success: true})
	f.runs("b1", "bash", `{"command":"for f in *; do wc -l $f; done; echo `+strings.Repeat("very ", 30)+`long"}`, 2300*time.Millisecond, true, strings.Repeat("12 file\n", 200))
	f.runs("b2", "bash", `{"command":"false","description":"see it fail"}`, 61*time.Second, false, strings.Repeat("noise\n", 20)+hostile+"\nwith a line that is longer than the terminal is wide, so that it must be wrapped somewhere\nexit code 1\n")
	f.tell(event.ToolCall{Tool: "edit", ToolCallID: "e", Arguments: []byte(`{"path":"src/train.py","old_str":"a","new_str":"b"}`)}, event.ToolStarted{ToolCallID: "e", Tool: "edit"},
		event.Checkpoint{ToolCallID: "e", Tool: "edit", Files: []event.FileChanged{{Path: "src/train.py", Change: "modified", Added: 12, Removed: 3}}},
		event.ToolOutput{ToolCallID: "e", Tool: "edit", Output: "Edited", Success: true})
	for i := range 10 {
		f.tell(event.ToolCall{Tool: "read", ToolCallID: fmt.Sprint("r", i), Arguments: []byte(fmt.Sprintf(`{"path":"file%d.py"}`, i))})
	}
	for i := range 10 {
		f.wait(100 * time.Millisecond).tell(event.ToolOutput{Tool: "read", ToolCallID: fmt.Sprint("r", i), Output: "x", Success: true})
	}
	f.tell(event.ToolCall{Tool: "research", ToolCallID: "q", Arguments: []byte(`{"task":"find a recipe"}`)}, agentLine("q", "Starting research sub-agent..."),
		event.LLMCall{Model: "acme/small", Kind: llm.KindResearch, AgentID: "q", Total: 2100, CostUSD: usd(0.001)},
		agentLine("q", `▸ web_search  {"query":"recipe 🤗"}`), agentLine("q", "tools:1"), agentLine("q", "tokens:12345"),
		event.Evidence{ID: "S1", URL: "https://a.example", Tool: "web_search"}).wait(125 * time.Second)
	f.tell(agentLine("q", "the limit of 60 rounds was reached"), agentLine("q", "Research complete."), event.ToolOutput{Tool: "research", ToolCallID: "q", Output: "report", Success: true})
	f.tell(event.InputAccepted{SubmissionID: "sub_2", Text: "and then evaluate it", Queued: true, Images: []event.Image{{MediaType: "image/png", Data: "AAAA"}}})
	f.tell(event.ApprovalRequired{Count: 2, ApprovalID: "gate_1", Tools: []event.GatedCall{
		{
			Tool: "hf_jobs", ToolCallID: "j", Arguments: []byte(`{"operation":"run","hardware_flavor":"a100-large","script":"print(1)","name":"train 日本語"}`),
			Reason: "costs money", Origin: []event.Origin{{Source: "S1", URL: "https://a.example/" + strings.Repeat("long/", 20)}},
		},
		{Tool: "hf_repo_files", ToolCallID: "u", Arguments: []byte(`{"operation":"upload","repo_id":"me/model","path":"README.md"}`), Block: &event.Block{BlockReason: "public repository"}},
	}}).wait(time.Minute)
	f.tell(event.ToolStateChange{ToolCallID: "j", Tool: "hf_jobs", State: "approved", Namespace: "acme", EditedArguments: []byte(`{"operation":"run","hardware_flavor":"a10g-small"}`)},
		event.ToolStateChange{ToolCallID: "u", Tool: "hf_repo_files", State: "rejected", Feedback: "Not public, Please " + hostile}, event.Processing{},
		event.ToolStateChange{ToolCallID: "j", Tool: "hf_jobs", State: "running"}, event.Spend{ID: "s1", Kind: event.SpendJob, State: event.SpendReserved, USDPerHour: usd(1)},
		event.ToolOutput{ToolCallID: "u", Tool: "hf_repo_files", Output: "cancelled by user"},
		event.JobSubmit{JobID: "j1", Flavor: "a10g-small", JobURL: "https://huggingface.co/jobs/acme/j1"}, event.ToolEffect{ToolCallID: "j", ExternalRef: "job:acme/j1"},
		event.ToolStateChange{ToolCallID: "j", Tool: "hf_jobs", State: "running", JobURL: "https://huggingface.co/jobs/acme/j1"},
		event.ToolLog{Tool: "hf_jobs", ToolCallID: "j", Log: "{'loss': 2.31, 'epoch': 0.1}\n"})
	f.wait(time.Hour).tell(event.Finding{Source: "job:acme/j1", Rule: "divergence", Severity: "warning", Text: "the loss rises " + hostile},
		event.JobComplete{JobID: "j1", FinalStatus: "COMPLETED", WallTimeS: 3600, EstimatedCostUSD: usd(1)}, event.Spend{ID: "s1", Kind: event.SpendJob, State: event.SpendSettled},
		event.ToolOutput{ToolCallID: "j", Tool: "hf_jobs", Output: "done", Success: true})
	f.tell(event.ToolLog{Tool: "system", Log: "LLM connection error, retrying in 2s..."}, event.AssistantChunk{Content: "lost\n\nnot seen"}, event.StreamEnd{Discarded: true, Reason: "retry"})
	f.tell(event.Compacted{OldTokens: 180_123, NewTokens: 20_456}).streams("| a | b |\n|---|---|\n| 1 | 2 |\n\nDone, see https://b.example.")
	f.tell(event.TurnComplete{StopReason: "answer", Unverified: []string{"https://b.example"}})
	f.tell(event.TurnStarted{TurnID: "turn_2", SubmissionID: "sub_2"}, event.HistoryMessage{Message: llm.Message{Role: llm.User, Text: "and then evaluate it"}}, event.Processing{})
	f.tell(event.AssistantMessage{Content: "# Report\n\nWhole."}, event.HistoryMessage{Message: llm.Message{Role: llm.Assistant, Text: "# Report\n\nWhole."}},
		event.SandboxCreate{SandboxID: "bob/box", Hardware: "cpu-basic"}, event.ToolCall{Tool: "mcp__x__y", ToolCallID: "m", Arguments: []byte(`{"a":[1,2,3],"b":"` + strings.Repeat("z", 100) + `"}`)},
		event.ToolStateChange{ToolCallID: "m", Tool: "mcp__x__y", State: "cancelled"}, event.Interrupted{}, event.SandboxDestroy{SandboxID: "bob/box"})
	f.says(3, "again").tell(event.AssistantChunk{Content: "Half an"}, event.Error{Error: "[/tmp/x] \x1b[2J gone: " + strings.Repeat("why ", 30), Hint: "check the key"})
	f.says(4, "stop there").tell(event.TurnComplete{StopReason: "doom_loop"})
	f.tell(event.UndoComplete{Turns: 1, Removed: 3, Restored: event.Restored{Files: []string{"src/train.py"}, Conflicts: []string{"日本語.md"}}}, event.RedoComplete{Turns: 1, Added: 3},
		event.TruncateComplete{Removed: 2}, event.Renamed{Title: "the title", By: "user"}, event.Settings{Model: "acme/small", Effort: "off", ApprovalMode: "yolo", MaxCostUSD: usd(20)},
		event.TurnResumed{TurnID: "turn_4"}, event.Interrupted{}, event.SessionTerminated{UserMessage: "It does not fit."})
	f.tell(event.ResumedFrom{Path: "p"}, event.HistoryRewritten{Reason: "resume", Messages: []llm.Message{{Role: llm.User, Text: "old"}, {Role: llm.Assistant, Text: "older"}}},
		event.ResumeComplete{Path: "/x/session.json", RestoredCount: 2, ModelName: "acme/large", HadRedactedContent: true})
	f.tell(event.Feedback{}, event.CTAClick{}, event.Conversion{}, event.CreditsTopUp{}, event.NewComplete{PreviousSessionID: "s", PreviousMessageCount: 2}, event.Shutdown{})
	return f
}

// looks are the widths and themes of the golden files.
func looks() map[string]transcript.Options {
	out := map[string]transcript.Options{}
	for _, width := range []int{40, 80, 160} {
		out[fmt.Sprintf("dark-%d", width)] = transcript.Options{Width: width, Theme: theme.New(theme.Options{Color: theme.True, Dark: true})}
		out[fmt.Sprintf("ascii-%d", width)] = transcript.Options{Width: width, Theme: theme.New(theme.Options{ASCII: true})}
	}
	return out
}

func TestGoldenScreens(t *testing.T) {
	for name, o := range looks() {
		t.Run(name, func(t *testing.T) {
			s := newScreen(o)
			var got strings.Builder
			f := longFilm(t)
			for i, ev := range f.events {
				s.now = ev.Time
				s.Apply(ev)
				for _, line := range s.Take() {
					fmt.Fprintf(&got, "%s\n", line)
				}
				// Every so often what is live, with its frame.
				if i%9 == 0 {
					s.now = ev.Time.Add(1500 * time.Millisecond)
					fmt.Fprintf(&got, "---- %s ----\n", ev.Type)
					for _, line := range append(s.Live(10), s.StatusLine(o.Width)) {
						fmt.Fprintf(&got, "%s\n", line)
					}
					fmt.Fprintln(&got, "----")
				}
			}
			for line := range strings.SplitSeq(got.String(), "\n") {
				if w := ansi.StringWidth(line); w > o.Width {
					t.Errorf("%d columns: %q", w, line)
				}
			}
			file := "testdata/" + name + ".golden"
			text := strings.ReplaceAll(got.String(), "\x1b", "␛")
			if *update {
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), text); diff != "" {
				t.Errorf("the screen changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheFilmHasEveryType(t *testing.T) {
	seen := map[event.Type]bool{}
	for _, ev := range longFilm(t).events {
		seen[ev.Type] = true
	}
	for _, typ := range []event.Type{
		event.TypeReady, event.TypeProcessing, event.TypeAssistantChunk, event.TypeStreamEnd, event.TypeAssistantMessage, event.TypeLLMCall, event.TypeToolCall,
		event.TypeToolOutput, event.TypeToolLog, event.TypeToolStateChange, event.TypeApprovalRequired, event.TypePlanUpdate, event.TypeTurnComplete, event.TypeError,
		event.TypeInterrupted, event.TypeCompacted, event.TypeSessionTerminated, event.TypeUndoComplete, event.TypeNewComplete, event.TypeResumeComplete,
		event.TypeSessionUpdate, event.TypeShutdown, event.TypeResumedFrom, event.TypeJobSubmit, event.TypeJobComplete, event.TypeSandboxCreate, event.TypeSandboxDestroy,
		event.TypeFeedback, event.TypeCTAClick, event.TypeConversion, event.TypeCreditsTopUp, event.TypeReasoningChunk, event.TypeInputAccepted, event.TypeTurnStarted,
		event.TypeTurnResumed, event.TypeHistoryMessage, event.TypeHistoryRewritten, event.TypeToolStarted, event.TypeToolEffect, event.TypeSpend, event.TypeEvidence,
		event.TypeTruncateComplete, event.TypeRedoComplete, event.TypeSettings, event.TypeCheckpoint, event.TypeFinding, event.TypeRenamed,
	} {
		if !seen[typ] {
			t.Errorf("%s is missing", typ)
		}
	}
}
