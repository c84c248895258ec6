package transcript_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript"
)

var start = time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC)

// film is a session that is written down event by event.
type film struct {
	t      testing.TB
	now    time.Time
	turn   string
	events []event.Event
}

func newFilm(t testing.TB) *film { return &film{t: t, now: start} }

// wait lets time pass.
func (f *film) wait(d time.Duration) *film {
	f.now = f.now.Add(d)
	return f
}

func (f *film) tell(payloads ...event.Payload) *film {
	f.t.Helper()
	for _, p := range payloads {
		if in, ok := p.(event.TurnStarted); ok {
			f.turn = in.TurnID
		}
		ev, err := event.New("s", f.turn, f.now, p)
		if err != nil {
			f.t.Fatal(err)
		}
		ev.Seq = int64(len(f.events) + 1)
		f.events = append(f.events, ev)
		if ev.Type.Ends() && ev.Type != event.TypeApprovalRequired {
			f.turn = ""
		}
	}
	return f
}

// says begins a turn with a text.
func (f *film) says(n int, text string) *film {
	id := fmt.Sprintf("sub_%d", n)
	return f.tell(
		event.InputAccepted{SubmissionID: id, Text: text},
		event.TurnStarted{TurnID: fmt.Sprintf("turn_%d", n), Attempt: 1, SubmissionID: id, Model: "acme/large"},
		event.HistoryMessage{Message: llm.Message{Role: llm.User, Text: text}},
		event.Processing{},
	)
}

// streams tells an answer in pieces.
func (f *film) streams(pieces ...string) *film {
	for _, p := range pieces {
		f.tell(event.AssistantChunk{Content: p})
	}
	return f.tell(
		mainCall(12_000, 300, 0.021), event.StreamEnd{},
		event.HistoryMessage{Message: llm.Message{Role: llm.Assistant, Text: strings.Join(pieces, "")}},
	)
}

// runs tells a call with its result.
func (f *film) runs(id, tool, args string, d time.Duration, ok bool, output string) *film {
	f.tell(event.ToolCall{Tool: tool, Arguments: json.RawMessage(args), ToolCallID: id}, event.ToolStarted{Tool: tool, ToolCallID: id})
	return f.wait(d).tell(event.ToolOutput{Tool: tool, ToolCallID: id, Output: output, Success: ok})
}

func (f *film) completes(text string) *film {
	return f.tell(event.TurnComplete{FinalResponse: &text, StopReason: "answer"})
}

func mainCall(prompt, completion int, usd float64) event.LLMCall {
	return event.LLMCall{Model: "acme/large", Kind: llm.KindMain, Prompt: prompt, Completion: completion, Total: prompt + completion, CostUSD: &usd}
}

// screen is a transcript with a clock of its own.
type screen struct {
	*transcript.Transcript
	now time.Time
}

func newScreen(o transcript.Options) *screen {
	s := &screen{now: start}
	if o.Width == 0 {
		o.Width = 80
	}
	if o.Theme == nil {
		o.Theme = theme.New(theme.Options{})
	}
	o.Now = func() time.Time { return s.now }
	s.Transcript = transcript.New(o)
	return s
}

// play folds all of a film and returns what is finished.
func (s *screen) play(f *film) string {
	for _, ev := range f.events {
		s.now = ev.Time
		s.Apply(ev)
	}
	s.now = f.now
	return strings.Join(s.Take(), "\n")
}

func (s *screen) live() string { return strings.Join(s.Live(40), "\n") }

func usd(v float64) *float64 { return &v }
