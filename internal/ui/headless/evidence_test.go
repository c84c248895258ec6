package headless_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
)

func page(id string) event.Evidence {
	return event.Evidence{ID: id, Tool: "web_fetch", URL: "https://a.example/" + id, Title: "Page " + id, SHA256: "00", FetchedAt: time.Unix(0, 0).UTC()}
}

func unverified(text string, refs ...string) event.TurnComplete {
	done := answer(text)
	done.Unverified = refs
	return done
}

func TestSourcesStandBeneathTheAnswer(t *testing.T) {
	earlier := []event.Evidence{page("S1"), page("S2")}
	tell := func() *stage {
		s := newStage()
		mine(s)
		s.tell("turn_1", page("S3"), page("S4"), unverified("as [S1] and [S3] say, https://b.example", "https://b.example"))
		return s
	}
	got := play(t, tell(), headless.Options{Prompt: "hi", Evidence: earlier})
	var result struct {
		Unverified []string
		Sources    []event.Evidence
	}
	if err := json.Unmarshal([]byte(got.out), &result); err != nil {
		t.Fatal(err)
	}
	ids := ""
	for _, e := range result.Sources {
		ids += e.ID + " "
	}
	if ids != "S1 S3 S4 " || len(result.Unverified) != 1 || result.Unverified[0] != "https://b.example" {
		t.Errorf("got %s", got.out)
	}

	got = play(t, tell(), headless.Options{Prompt: "hi", Format: headless.Text, Evidence: earlier})
	want := "\nSources:\n  [S1] Page S1, https://a.example/S1 (web_fetch)\n  [S3] Page S3, https://a.example/S3 (web_fetch)\n\n" +
		"Not verified (nothing was looked up that stands behind these):\n  https://b.example [unverified]\n"
	if !strings.Contains(got.err, want) || strings.Contains(got.out, "Sources") {
		t.Errorf("out %s\nerr %s", got.out, got.err)
	}
}

func TestSubAgentsAreToldInBlocks(t *testing.T) {
	line := func(id, text string) event.ToolLog {
		return event.ToolLog{Tool: "research", Log: text, AgentID: id, Label: "research: task " + id}
	}
	tell := func() *stage {
		s := newStage()
		mine(s)
		s.tell("turn_1", line("a", "Starting research sub-agent..."), line("b", "Starting research sub-agent..."))
		for _, step := range []string{"1", "2", "3", "4", "5"} {
			s.tell("turn_1",
				event.ToolCall{Tool: "web_search", Arguments: []byte(`{"n":` + step + `}`), ToolCallID: "x", AgentID: "a"},
				line("a", "▸ web_search  {\"n\":"+step+"}"),
				event.ToolOutput{Tool: "web_search", ToolCallID: "x", Output: "inner result", AgentID: "a"},
				line("a", "tools:"+step), line("a", "tokens:"+step+"00"))
		}
		s.tell("turn_1", line("b", "the limit of 60 rounds was reached"), line("a", "Research complete."), line("b", "Research complete."), answer("x"))
		return s
	}
	got := play(t, tell(), headless.Options{Prompt: "hi", Format: headless.Text})
	want := "  research: task b: the limit of 60 rounds was reached\n" +
		"  research: task a: complete (5 tool calls, 500 tokens)\n    ▸ web_search  {\"n\":2}\n    ▸ web_search  {\"n\":3}\n    ▸ web_search  {\"n\":4}\n    ▸ web_search  {\"n\":5}\n" +
		"  research: task b: complete (0 tool calls, 0 tokens)\n"
	if !strings.Contains(got.err, want) || strings.Contains(got.err, "inner result") || strings.Contains(got.err, "tokens:") || strings.Count(got.err, `{"n":5}`) != 1 {
		t.Errorf("got %s", got.err)
	}
	got = play(t, tell(), headless.Options{Prompt: "hi", Format: headless.Text, Verbose: true})
	if strings.Count(got.err, `{"n":1}`) != 1 || strings.Contains(got.err, "inner result") {
		t.Errorf("verbose: %s", got.err)
	}
}

func TestOriginIsShownWithTheQuestion(t *testing.T) {
	s := newStage()
	mine(s)
	gated := event.GatedCall{Tool: "notify", ToolCallID: "c", Arguments: []byte(`{}`), Reason: "sends a message"}
	for _, id := range []string{"S1", "S2", "S3", "S4", "S5", "S6", "S7"} {
		gated.Origin = append(gated.Origin, event.Origin{Source: id, URL: "https://a.example/" + id})
	}
	s.tell("turn_1", event.ApprovalRequired{Count: 1, Tools: []event.GatedCall{gated}})
	got := play(t, s, headless.Options{Prompt: "hi", Format: headless.Text})
	if got.code != headless.ExitApproval || !strings.Contains(got.err, "approval required: notify: sends a message\n    read from outside before it:\n      S7 https://a.example/S7\n") ||
		!strings.Contains(got.err, "… 2 more") {
		t.Errorf("exit code %d\n%s", got.code, got.err)
	}
}

// A refusal for want of approval stays one whatever a sub-agent does meanwhile.
func TestSubAgentsDoNotHideARefusal(t *testing.T) {
	s := newStage()
	mine(s)
	s.tell(
		"turn_1",
		event.LLMCall{Kind: llm.KindMain, FinishReason: "tool_calls"},
		event.ToolStateChange{ToolCallID: "c", Tool: "hf_jobs", State: "rejected", Feedback: tool.NeedsApproval},
		event.LLMCall{Kind: llm.KindResearch, FinishReason: "tool_calls", AgentID: "r1"},
		event.LLMCall{Kind: llm.KindMain, FinishReason: "stop"},
		answer("could not"),
	)
	if got := play(t, s, headless.Options{Prompt: "hi"}); got.code != headless.ExitApproval {
		t.Errorf("exit code %d, want %d", got.code, headless.ExitApproval)
	}
}
