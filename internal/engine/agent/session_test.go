package agent_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
)

const otherSession = "22222222-2222-4333-8444-555555555555"

// shelf opens sessions of one store.
type shelf struct {
	store journal.Store
	err   error
	last  *journal.Journal
}

func (s *shelf) open(ctx context.Context, complete *event.ResumeComplete) (agent.Opened, error) {
	if s.err != nil {
		return agent.Opened{}, s.err
	}
	j, err := journal.Open(ctx, journal.Options{Store: s.store, SessionID: otherSession})
	if err != nil {
		return agent.Opened{}, err
	}
	s.last = j
	events, err := s.store.Read(ctx, otherSession, 0, 0)
	if err != nil {
		return agent.Opened{}, err
	}
	state, err := history.Load(events)
	return agent.Opened{SessionID: otherSession, Journal: j, State: state, Complete: complete}, err
}

func (s *shelf) New(ctx context.Context) (agent.Opened, error) { return s.open(ctx, nil) }

func (s *shelf) Resume(ctx context.Context, path string) (agent.Opened, error) {
	return s.open(ctx, &event.ResumeComplete{Path: path, ModelName: "other/model"})
}

// shelfUntil reads the other session's journal to an event of the type.
func shelfUntil(t *testing.T, s *shelf, after int64, want event.Type) []event.Event {
	t.Helper()
	var got []event.Event
	for ev, err := range s.last.Follow(context.Background(), after) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, ev); ev.Type == want {
			break
		}
	}
	return got
}

// A new conversation starts at number 1 in a journal of its own; a failure
// leaves the old one as it was.
func TestNewConversation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := &shelf{store: journal.NewMemory(), err: errors.New("no room")}
		m := &script{steps: []step{use(call("p", "plan_tool", `{"todos":[]}`)), say("one"), say("two"), say("three")}}
		r := start(t, m, func(set *setup) { set.sessions, set.tools = s, []tool.Tool{planner()} })
		r.turn("hi")
		r.submit(event.NewChat{ClearScreen: true})
		if e := one[event.Error](t, r.ending()); !strings.Contains(e.Error, "no room") {
			t.Errorf("%+v", e)
		}
		r.turn("still here")
		if n := len(m.request(t, 2).Messages); n != 6 {
			t.Errorf("%d messages, want the old conversation", n)
		}
		s.err = nil
		r.submit(event.NewChat{ClearScreen: true})
		end := one[event.NewComplete](t, r.until(event.TypeNewComplete))
		if end.SessionID != otherSession || end.PreviousSessionID != testSession || end.PreviousTurnCount != 2 || end.PreviousMessageCount != 7 || !end.ClearScreen {
			t.Errorf("%+v", end)
		}
		r.input("fresh")
		got := shelfUntil(t, s, 0, event.TypeTurnComplete)
		if got[0].Seq != 1 || got[0].SessionID != otherSession {
			t.Errorf("first event %+v", got[0])
		}
		if req := m.request(t, 3); len(req.Messages) != 2 || req.SessionID != otherSession {
			t.Errorf("request %+v", req)
		}
	})
}

// A resumed session goes on where it was; what was unfinished in it is closed
// when the next text comes.
func TestResumeOperation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := &shelf{store: journal.NewMemory()}
		j, err := journal.Open(t.Context(), journal.Options{Store: s.store, SessionID: otherSession})
		if err != nil {
			t.Fatal(err)
		}
		_, err = j.Append(t.Context(), "turn_1",
			event.TurnStarted{TurnID: "turn_1"},
			event.HistoryMessage{MessageID: "msg_1", Message: llm.Message{Role: llm.System, Text: "old prompt"}},
			event.HistoryMessage{MessageID: "msg_2", Message: llm.Message{Role: llm.User, Text: "old words"}},
			event.HistoryMessage{MessageID: "msg_3", Message: llm.Message{Role: llm.Assistant, ToolCalls: []llm.ToolCall{call("x", "read", `{}`)}}})
		if err != nil {
			t.Fatal(err)
		}
		m := &script{steps: []step{say("done")}}
		r := start(t, m, func(set *setup) { set.sessions = s })
		r.submit(event.Resume{Path: "2"})
		r.input("go on")
		for m.calls() == 0 { // the call comes after the journal was opened
			after(time.Millisecond, func() {})
		}
		got := shelfUntil(t, s, 4, event.TypeTurnComplete)
		if done := one[event.ResumeComplete](t, got); done.Path != "2" {
			t.Errorf("%+v", done)
		}
		if got[0].Seq != 5 {
			t.Errorf("numbers go on at %d, want 5", got[0].Seq)
		}
		req := m.request(t, 0)
		valid(t, req)
		if req.Model != "other/model" || having(req, "old words") != 1 || last(req).Text != "go on" || len(results(req)) != 1 {
			t.Errorf("request %+v", req)
		}
	})
}

// holdBack keeps every piece until the stream ends.
type holdBack struct{ held string }

func (h *holdBack) Feed(s string) string { h.held += s; return "" }
func (h *holdBack) Flush() string {
	out := strings.ReplaceAll(h.held, "hf_secret", "[REDACTED]")
	h.held = ""
	return out
}

// Decisions 21 and 22: streamed text passes the filter, the history keeps the
// original.
func TestDecision22_StreamFilter(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &script{steps: []step{say("token hf_", "secret!"), say("next")}}
		r := start(t, m, func(s *setup) { s.filter = func() agent.StreamFilter { return &holdBack{} } })
		got := r.turn("hi")
		if c := one[event.AssistantChunk](t, got); c.Content != "token [REDACTED]!" {
			t.Errorf("chunk %q", c.Content)
		}
		r.turn("more")
		if having(m.request(t, 1), "hf_secret") != 1 {
			t.Error("the running conversation lost the original text")
		}
	})
}

// A journal that cannot be written ends the session at once, also when the
// agent waits.
func TestBrokenJournalEndsTheSession(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := &mortal{Memory: journal.NewMemory(), left: 1}
		r := start(t, &script{}, func(s *setup) { s.store = store })
		r.until(event.TypeReady)
		if err := r.agent.Submit(context.Background(), event.Submission{Operation: event.UserInput{Text: "hi"}}); !errors.Is(err, errDied) {
			t.Errorf("submit: %v", err)
		}
		if err := <-r.done; !errors.Is(err, errDied) {
			t.Errorf("run: %v", err)
		}
		r.done = nil
	})
}
