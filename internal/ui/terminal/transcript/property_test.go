package transcript_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript"
)

// words are foreign texts: wide, long, torn and hostile ones among them.
var words = rapid.Custom(func(t *rapid.T) string {
	parts := rapid.SliceOfN(rapid.SampledFrom([]string{
		"a", "word", " ", "\n", "\n\n", "\t", "日本語", "👩‍👩‍👧‍👦", "e\u0301", "\x1b[31m", "\x1b[2J", "\x1b]0;t\x07", "\x1b", "\r", "\r\n", "\u202e", "\u200b",
		"\xff", "`", "```\n", "**", "| a | b |\n|---|---|\n", "# ", "- ", "> ", strings.Repeat("x", 90), strings.Repeat("long words ", 20), "[/tmp/x]", "\x00", "\u009b31m", "🤗",
		"--- a\n+++ b\n@@ -1 +1 @@\n", "https://a.example/b",
	}), 0, 8).Draw(t, "parts")
	return strings.Join(parts, "")
})

var ids = rapid.SampledFrom([]string{"", "a", "b", "c"})

var states = rapid.SampledFrom([]string{"approved", "rejected", "abandoned", "running", "cancelled", "billing_required", "completed", ""})

var tools = rapid.SampledFrom([]string{"bash", "read", "write", "edit", "plan_tool", "research", "hf_jobs", "usage_threshold", "mcp__x", "", "\x1b[1m"})

var args = rapid.Custom(func(t *rapid.T) json.RawMessage {
	if rapid.Bool().Draw(t, "odd") {
		return json.RawMessage(rapid.SampledFrom([]string{"null", "[]", `"x"`, "1", `{"path":5,"command":["a"],"todos":{}}`}).Draw(t, "odd args"))
	}
	raw, err := json.Marshal(map[string]any{
		"command": words.Draw(t, "command"), "path": words.Draw(t, "path"), "operation": "run", "task": words.Draw(t, "task"), "other": words.Draw(t, "other"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
})

var payloads = rapid.Custom(func(t *rapid.T) event.Payload {
	w := func() string { return words.Draw(t, "words") }
	id := func() string { return ids.Draw(t, "id") }
	yes := func() bool { return rapid.Bool().Draw(t, "yes") }
	tool := func() string { return tools.Draw(t, "tool") }
	n := func() int { return rapid.IntRange(-5, 1_000_000).Draw(t, "n") }
	price := func() *float64 {
		if yes() {
			return nil
		}
		return usd(float64(n()) / 1000)
	}
	restored := event.Restored{Files: []string{w()}, Conflicts: []string{w()}, Problem: w()}
	text := w()
	all := []func() event.Payload{
		func() event.Payload { return event.AssistantChunk{Content: w()} },
		func() event.Payload { return event.AssistantChunk{Content: w()} },
		func() event.Payload { return event.ReasoningChunk{Content: w()} },
		func() event.Payload {
			return event.StreamEnd{Discarded: yes(), Reason: rapid.SampledFrom([]string{"retry", "error", "restart"}).Draw(t, "reason")}
		},
		func() event.Payload { return event.AssistantMessage{Content: w()} },
		func() event.Payload {
			return event.LLMCall{Model: w(), Kind: llm.KindMain, Prompt: n(), Completion: n(), Total: n(), CostUSD: price(), AgentID: id()}
		},
		func() event.Payload {
			return event.HistoryMessage{Message: llm.Message{Role: llm.User, Text: w(), Synthetic: yes()}, AgentID: id()}
		},
		func() event.Payload {
			return event.HistoryMessage{Message: llm.Message{Role: llm.Assistant, Text: w()}}
		},
		func() event.Payload {
			return event.InputAccepted{SubmissionID: id(), Text: w(), Shown: w(), Queued: yes(), Steer: yes(), Images: []event.Image{{MediaType: w()}}}
		},
		func() event.Payload { return event.TurnStarted{TurnID: id(), SubmissionID: id(), Model: w()} },
		func() event.Payload { return event.TurnResumed{TurnID: id()} },
		func() event.Payload {
			return event.Hook{
				Hook: rapid.SampledFrom([]string{"PreToolUse", "PostToolUse", "UserPromptSubmit", "Stop"}).Draw(t, "hook"), Decision: rapid.SampledFrom([]string{"deny", ""}).Draw(t, "decision"),
				Reason: w(), Tool: tool(), ToolCallID: id(), SubmissionID: id(), UpdatedInput: args.Draw(t, "updated"),
			}
		},
		func() event.Payload { return event.CommandEnded{ID: w(), Signal: w(), WallTimeS: float64(n())} },
		func() event.Payload { return event.Processing{} },
		func() event.Payload {
			return event.TurnComplete{FinalResponse: &text, StopReason: w(), Unverified: []string{w(), w()}}
		},
		func() event.Payload { return event.Interrupted{} },
		func() event.Payload { return event.Error{Error: w(), Hint: w()} },
		func() event.Payload {
			return event.ToolCall{Tool: tool(), ToolCallID: id(), Arguments: args.Draw(t, "args")}
		},
		func() event.Payload { return event.ToolStarted{Tool: tool(), ToolCallID: id()} },
		func() event.Payload {
			return event.ToolOutput{Tool: tool(), ToolCallID: id(), Output: w(), Success: yes()}
		},
		func() event.Payload { return event.ToolLog{Tool: tool(), ToolCallID: id(), Log: w()} },
		func() event.Payload {
			return event.ToolLog{Tool: "research", AgentID: id(), Label: w(), Log: rapid.SampledFrom([]string{"Starting research sub-agent...", "Research complete.", "tokens:5", "tokens:x", "tools:3", "▸ bash  {}", text}).Draw(t, "log")}
		},
		func() event.Payload {
			return event.ToolStateChange{Tool: tool(), ToolCallID: id(), State: states.Draw(t, "state"), Feedback: w(), Namespace: w(), JobURL: w(), EditedArguments: args.Draw(t, "edited")}
		},
		func() event.Payload {
			return event.ApprovalRequired{Count: 2, UsageThreshold: rapid.IntRange(0, 5).Draw(t, "money") == 0, Tools: []event.GatedCall{
				{Tool: tool(), ToolCallID: id(), Arguments: args.Draw(t, "args"), Reason: w(), Origin: []event.Origin{{Source: w(), URL: w()}}},
				{Tool: tool(), ToolCallID: id(), Block: &event.Block{BlockReason: w()}},
			}}
		},
		func() event.Payload {
			return event.PlanUpdate{Plan: []event.PlanItem{{Content: w(), Status: "completed"}, {Content: w(), Status: "pending"}, {Content: w(), Status: w()}}}
		},
		func() event.Payload {
			return event.Checkpoint{ToolCallID: id(), Files: []event.FileChanged{{Path: w(), Added: n(), Removed: n()}}}
		},
		func() event.Payload {
			return event.HistoryRewritten{Reason: "resume", Messages: []llm.Message{{Role: llm.User, Text: w()}, {Role: llm.Assistant, Text: w(), ToolCalls: []llm.ToolCall{{Name: w(), Arguments: w()}}}}}
		},
		func() event.Payload {
			return event.ResumeComplete{Path: w(), ModelName: w(), SessionID: id(), InvalidSavedModel: &text, DroppedCount: n(), HadRedactedContent: yes(), Forked: yes()}
		},
		func() event.Payload { return event.UndoComplete{Turns: n(), Removed: n(), Restored: restored} },
		func() event.Payload { return event.RedoComplete{Turns: n(), Added: n(), Restored: restored} },
		func() event.Payload { return event.NewComplete{SavedPath: &text, PreviousMessageCount: n()} },
		func() event.Payload {
			return event.Settings{Model: w(), Effort: w(), ApprovalMode: w(), MaxCostUSD: price(), Window: n()}
		},
		func() event.Payload { return event.Finding{Source: w(), Severity: w(), Text: w()} },
		func() event.Payload { return event.Renamed{Title: w(), By: w()} },
		func() event.Payload { return event.JobSubmit{JobID: id(), Flavor: w(), JobURL: w()} },
		func() event.Payload {
			return event.JobComplete{JobID: id(), FinalStatus: w(), WallTimeS: float64(n()), EstimatedCostUSD: price()}
		},
		func() event.Payload {
			return event.Spend{ID: id(), Kind: event.SpendJob, State: event.SpendReserved, USDPerHour: price()}
		},
		func() event.Payload { return event.SandboxCreate{SandboxID: w(), Hardware: w()} },
		func() event.Payload { return event.SandboxDestroy{SandboxID: w(), EstimatedCostUSD: price()} },
		func() event.Payload { return event.SessionTerminated{UserMessage: w()} },
		func() event.Payload { return event.Compacted{OldTokens: n(), NewTokens: n()} },
		func() event.Payload { return event.Shutdown{} },
	}
	return all[rapid.IntRange(0, len(all)-1).Draw(t, "type")]()
})

// story is a random sequence of events.
func story(t *rapid.T, tb testing.TB) []event.Event {
	f := newFilm(tb)
	for _, p := range rapid.SliceOfN(payloads, 0, 60).Draw(t, "events") {
		f.turn = ids.Draw(t, "turn")
		f.wait(time.Duration(rapid.IntRange(-1000, 100_000).Draw(t, "wait")) * time.Millisecond).tell(p)
	}
	return f.events
}

// fits checks lines for the screen.
func fits(t *rapid.T, lines []string, width int, what string) {
	for _, line := range lines {
		if w := ansi.StringWidth(line); w > width {
			t.Fatalf("%s: %d columns of %d: %q", what, w, width, line)
		}
		for _, r := range line {
			if r < ' ' || r >= 0x7f && r <= 0x9f || r >= '\u202a' && r <= '\u202e' {
				t.Fatalf("%s: %U in %q", what, r, line)
			}
		}
	}
}

func TestAnyEventsFitTheScreen(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := transcript.Options{
			Width: rapid.IntRange(40, 160).Draw(rt, "width"), Verbose: rapid.Bool().Draw(rt, "verbose"),
			ShowThinking: rapid.Bool().Draw(rt, "thinking"), Plain: rapid.Bool().Draw(rt, "plain"),
		}
		s := newScreen(o)
		s.ShowPlan(rapid.Bool().Draw(rt, "plan"))
		width := o.Width
		for i, ev := range story(rt, t) {
			s.now = ev.Time
			s.Apply(ev)
			fits(rt, s.Take(), width, "finished")
			height := i % 15
			live := s.Live(height)
			if len(live) > height {
				rt.Fatalf("%d lines for %d", len(live), height)
			}
			fits(rt, live, width, "live")
			fits(rt, []string{s.StatusLine(width)}, width, "status")
			if i%20 == 19 {
				width = rapid.IntRange(40, 160).Draw(rt, "new width")
				s.Resize(width)
			}
		}
		if len(s.Take()) != 0 {
			rt.Fatal("lines are taken twice")
		}
	})
}

func TestLinesDoNotDependOnWhenTheyAreTaken(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		events := story(rt, t)
		whole, pieces := newScreen(transcript.Options{}), newScreen(transcript.Options{})
		for _, ev := range events {
			whole.Apply(ev)
		}
		var got []string
		for i, ev := range events {
			pieces.now = ev.Time.Add(time.Duration(i) * time.Second) // the clock is for what is live
			pieces.Apply(ev)
			if rapid.Bool().Draw(rt, "take") {
				got = append(got, pieces.Take()...)
				pieces.Live(10)
				_ = pieces.Status()
			}
		}
		got = append(got, pieces.Take()...)
		if want := whole.Take(); !slices.Equal(want, got) {
			rt.Fatalf("want %q\ngot  %q", want, got)
		}
	})
}

func TestAReplayLeavesTheSameState(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		events := story(rt, t)
		live, again := newScreen(transcript.Options{}), newScreen(transcript.Options{})
		for _, ev := range events {
			live.Apply(ev)
		}
		again.Replay(events)
		fits(rt, again.Take(), 80, "replayed")
		if diff := cmp.Diff(live.Status(), again.Status()); diff != "" {
			rt.Fatalf("-followed +replayed\n%s", diff)
		}
		if live.Busy() != again.Busy() || (live.Gate() == nil) != (again.Gate() == nil) || len(live.Tools()) != len(again.Tools()) {
			rt.Fatal("a replay leaves another state")
		}
	})
}
