package sessionlog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/sink/sessionlog"
)

// tape makes a session's events and folds them as it goes.
type tape struct {
	t      *rapid.T
	events []event.Event
	state  history.State
	now    time.Time
}

func (p *tape) raw(kind event.Type, data string) {
	p.now = p.now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(p.t, "ms")) * time.Millisecond)
	ev := event.Event{
		Seq: int64(len(p.events) + 1), SessionID: id, TurnID: "turn_1", Type: kind, Data: json.RawMessage(data), Time: p.now,
	}
	if rapid.IntRange(0, 20).Draw(p.t, "timeless") == 0 {
		ev.Time = time.Time{}
	}
	p.events = append(p.events, ev)
	_ = p.state.Apply(ev) // odd data is part of the game
}

func (p *tape) add(payload event.Payload) {
	raw, err := event.Encode(payload)
	if err != nil {
		p.t.Fatal(err)
	}
	p.raw(payload.Type(), string(raw))
}

func (p *tape) text() string {
	s := strings.ToValidUTF8(rapid.StringN(0, 30, -1).Draw(p.t, "text"), "")
	if rapid.IntRange(0, 7).Draw(p.t, "long") == 0 { // beyond what is kept in memory
		s += strings.Repeat("a line ü 😀 \"quoted\"\n", rapid.IntRange(1, 500).Draw(p.t, "lines"))
	}
	return s
}

func (p *tape) callID() string {
	return rapid.SampledFrom([]string{"a", "b", "c", "d", "e", ""}).Draw(p.t, "id")
}

func (p *tape) message(m llm.Message) {
	p.add(event.HistoryMessage{MessageID: history.MessageID(len(p.events)), Message: m})
}

// rewrite is an undo, a compaction, an edit of one message or a new history.
func (p *tape) rewrite() {
	now := slices.Clone(p.state.Messages)
	switch rapid.IntRange(0, 3).Draw(p.t, "how") {
	case 0:
		now = now[:rapid.IntRange(0, len(now)).Draw(p.t, "kept")]
	case 1:
		from := rapid.IntRange(0, len(now)).Draw(p.t, "from")
		now = append([]llm.Message{{Role: llm.System, Text: "sys"}, {Role: llm.User, Text: p.text(), Synthetic: true}}, now[from:]...)
	case 2:
		if len(now) > 0 {
			now[rapid.IntRange(0, len(now)-1).Draw(p.t, "at")].Text = p.text()
		}
	default:
		now = append(now, now...)
	}
	p.add(event.HistoryRewritten{Messages: now})
}

// step adds one event of any kind.
func (p *tape) step() {
	agent := rapid.SampledFrom([]string{"", "", "", "sub"}).Draw(p.t, "agent")
	cost := float64(rapid.IntRange(0, 1000).Draw(p.t, "cost")) / 1e4
	switch rapid.IntRange(0, 15).Draw(p.t, "kind") {
	case 0:
		p.add(event.InputAccepted{SubmissionID: "s", Text: p.text()})
	case 1:
		p.add(event.TurnStarted{TurnID: "turn_1", SubmissionID: "s", Model: p.text(), Cwd: "/w"})
	case 2, 3:
		p.message(llm.Message{Role: llm.User, Text: p.text(), Synthetic: rapid.Bool().Draw(p.t, "synthetic")})
	case 4, 5, 6:
		m := llm.Message{Role: llm.Assistant, Text: p.text(), ThinkingBlocks: []json.RawMessage{json.RawMessage(`{"a": [ ], "b":"é"}`)}}
		for range rapid.IntRange(0, 4).Draw(p.t, "calls") {
			m.ToolCalls = append(m.ToolCalls, llm.ToolCall{ID: p.callID(), Name: "bash", Arguments: p.text()})
		}
		p.message(m)
	case 7, 8, 9:
		p.add(event.ToolOutput{Tool: "bash", ToolCallID: p.callID(), Output: p.text(), Success: true, AgentID: agent})
	case 10:
		p.add(event.ToolCall{Tool: "bash", ToolCallID: p.callID(), Arguments: json.RawMessage(`{"x":[]}`), AgentID: agent})
	case 11:
		p.add(event.LLMCall{Model: "m", Kind: llm.KindMain, CostUSD: &cost, Prompt: 3, AgentID: agent})
	case 12:
		p.rewrite()
	case 13:
		p.add(event.Compacted{OldTokens: 9, NewTokens: 1})
	case 14:
		p.add(rapid.SampledFrom([]event.Payload{
			event.TurnComplete{},
			event.UndoComplete{Removed: 2},
			event.Shutdown{},
			event.AssistantChunk{Content: "x"},
			event.ApprovalRequired{ApprovalID: "gate_1", Tools: []event.GatedCall{{ToolCallID: "a", Tool: "bash"}}},
		}).Draw(p.t, "other"))
	default:
		p.raw(rapid.SampledFrom([]event.Type{
			"sandbox_create", "sandbox_destroy", "hf_job_submit", "hf_job_complete", "of_tomorrow", "history_message", "tool_output",
		}).Draw(p.t, "type"), rapid.SampledFrom([]string{`{}`, `{"sandbox_id":"x","job_id":"j","estimated_cost_usd":0.5}`, `{"message":7,"output":[]}`, ``}).Draw(p.t, "data"))
	}
}

// savedAt are the members that say when a file was written.
var savedAt = regexp.MustCompile(`"(session_end_time|last_save_time)": "[^"]*"`)

// The file is byte for byte what the plain writer makes of the same events.
func TestTheFileIsThatOfThePlainWriter(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		p := &tape{t: rt, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
		p.message(llm.Message{Role: llm.System, Text: "sys"})
		for range rapid.IntRange(0, 40).Draw(rt, "steps") {
			p.step()
		}
		p.message(llm.Message{Role: llm.User, Text: "a person speaks"})

		made, err := os.MkdirTemp(dir, "")
		if err != nil {
			rt.Fatal(err)
		}
		about := document.About{Cwd: "/w", AppVersion: "1", Tools: []json.RawMessage{json.RawMessage(`{"type": "function"}`)}}
		log, err := sessionlog.New(sessionlog.Options{
			Dir: made, SessionID: id, Log: slog.New(slog.DiscardHandler), About: func() document.About { return about },
		})
		if err != nil {
			rt.Fatal(err)
		}
		if err := log.Run(t.Context(), replay(p.events)); err != nil {
			rt.Fatal(err)
		}
		plain := document.Build(&p.state, p.events, about)
		plain.SessionID = id
		if err := plain.Save(filepath.Join(made, "plain"), time.Now()); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(timeless(rt, filepath.Join(made, "plain")), timeless(rt, log.Path())); diff != "" {
			rt.Fatalf("(-plain +log):\n%s", diff)
		}
		if left, err := filepath.Glob(filepath.Join(made, ".*")); err != nil || len(left) > 0 {
			rt.Fatalf("left behind: %v, %v", left, err)
		}
	})
}

func timeless(t *rapid.T, path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(raw) {
		t.Fatalf("%s is not JSON", path)
	}
	return savedAt.ReplaceAllString(string(raw), "$1")
}

// replay is a finished session.
func replay(events []event.Event) sessionlog.Follow {
	return func(context.Context, int64) iter.Seq2[event.Event, error] {
		return func(yield func(event.Event, error) bool) {
			for _, ev := range events {
				if !yield(ev, nil) {
					return
				}
			}
		}
	}
}

// turn returns the events of the n-th step of a long turn: one call with an
// output of 2 kB.
func turn(tb testing.TB, n int) []event.Event {
	call := fmt.Sprintf("call_%d", n)
	args := json.RawMessage(fmt.Sprintf(`{"path":"note.txt","limit":%d}`, n))
	var out []event.Event
	for i, p := range []event.Payload{
		event.LLMCall{Model: "m", Kind: llm.KindMain, Prompt: 1000 * n, Completion: 50},
		event.HistoryMessage{MessageID: history.MessageID(n + 2), Message: llm.Message{
			Role: llm.Assistant, Text: "reading", ToolCalls: []llm.ToolCall{{ID: call, Name: "read", Arguments: string(args)}},
		}},
		event.ToolCall{Tool: "read", ToolCallID: call, Arguments: args},
		event.ToolStarted{ToolCallID: call, Tool: "read"},
		event.ToolOutput{Tool: "read", ToolCallID: call, Output: strings.Repeat("a line of forty characters, as in logs.\n", 51), Success: true},
	} {
		ev, err := event.New(id, "turn_1", time.Now(), p)
		if err != nil {
			tb.Fatal(err)
		}
		ev.Seq = int64(2 + 5*n + i)
		out = append(out, ev)
	}
	return out
}

// A save in the middle is whole, and changes nothing for the next.
func TestSavesInBetween(t *testing.T) {
	dir := t.TempDir()
	path, plain := filepath.Join(dir, "draft"), filepath.Join(dir, "plain")
	rapid.Check(t, func(rt *rapid.T) {
		p := &tape{t: rt, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
		draft := sessionlog.NewDraft(dir)
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			p.step()
			_ = draft.Take(p.events[len(p.events)-1]) // odd data is part of the game
			if rapid.IntRange(0, 5).Draw(rt, "save") > 0 {
				continue
			}
			doc := document.Build(&p.state, p.events, document.About{})
			doc.SessionID = "s"
			if err := errors.Join(draft.Save(path), doc.Save(plain, time.Now())); err != nil {
				rt.Fatal(err)
			}
			if diff := cmp.Diff(timeless(rt, plain), timeless(rt, path)); diff != "" {
				rt.Fatalf("after %d events (-plain +draft):\n%s", len(p.events), diff)
			}
		}
		if err := draft.Close(); err != nil {
			rt.Fatal(err)
		}
	})
}
