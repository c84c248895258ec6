package markdown_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/markdown"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// noted is an event of a session.
func noted(t *testing.T, p event.Payload) event.Event {
	t.Helper()
	raw, err := event.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	return event.Event{Type: p.Type(), Data: raw}
}

func written(t *testing.T, d document.Document) string {
	t.Helper()
	var b strings.Builder
	if err := markdown.Write(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestMarkdownHasItsEvidenceAsFootnotes(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	d := document.Document{
		SessionID: "sess-1", Model: "openai/gpt-5.5:fal-ai", StartTime: "2026-01-01T00:00:00",
		Messages: []llm.Message{
			{Role: llm.System, Text: "sys"},
			{Role: llm.User, Text: "hi"},
			{Role: llm.Assistant, Text: "Listing.", ToolCalls: []llm.ToolCall{{ID: "call-1", Name: "bash", Arguments: `{"command": "ls"}`}}},
			{Role: llm.ToolRole, Text: "ok", ToolCallID: "call-1", Name: "bash"},
		},
	}
	d.Title, d.Messages = "A recipe\nfor tides", append(d.Messages,
		llm.Message{Role: llm.Assistant, Text: "As [S1] says; see https://b.example/never and my https://huggingface.co/bob/tides, or [S9].\x1b[31m\n"},
		llm.Message{Role: llm.User, Text: "Go on.", Synthetic: true},
		llm.Message{Role: llm.User, Text: "```\nhttps://mine.example [S1]\n```"},
		llm.Message{Role: llm.Assistant, Text: "It was [S1]."},
	)
	d.Events = []event.Event{
		noted(t, event.Evidence{ID: "S1", Tool: "web_fetch", Title: "Tides", URL: "https://a.example/tides", FetchedAt: at}),
		noted(t, event.TurnComplete{Unverified: []string{"https://b.example/never", "S9"}}),
	}
	want := "# A recipe for tides\n\n- Session: sess-1\n- Model: openai/gpt-5.5:fal-ai\n- Started: 2026-01-01T00:00:00\n" +
		"\n## Asked\n\n```text\nhi\n```\n" +
		"\n## Answered\n\nAs [^S1] says; see https://b.example/never [unverified] and my https://huggingface.co/bob/tides, or [^S9] [unverified].\n" +
		"\n## Asked\n\n````text\n```\nhttps://mine.example [S1]\n```\n````\n" +
		"\n## Answered\n\nIt was [^S1].\n\n" +
		"[^S1]: Tides, https://a.example/tides (web_fetch), fetched 2026-03-04T05:06:07Z\n[^S9]: not in the session's evidence\n"
	if diff := cmp.Diff(want, written(t, d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// A session that told nothing of its turns has nobody's word for an address.
	d.Events = d.Events[:1]
	if got := written(t, d); !strings.Contains(got, "https://huggingface.co/bob/tides [unverified]") {
		t.Error(got)
	}
	if got := written(t, document.Document{SessionID: "s"}); got != "# Session s\n\n- Session: s\n" {
		t.Errorf("%q", got)
	}
}
