package store_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/ml-intern/ml-intern/internal/adapter/store"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
)

// BenchmarkOpenLong takes a session of 10,000 events for writing, reads and
// folds it, as going on with it does: 2,000 calls with outputs of 2 kB, 7 MB
// in all. The goal is 100 ms.
func BenchmarkOpenLong(b *testing.B) {
	root, id := b.TempDir(), uuid.NewString()
	begin := func() (*store.Store, *journal.Journal) {
		s, err := store.New(store.Options{Root: root})
		if err != nil {
			b.Fatal(err)
		}
		j, err := journal.Open(b.Context(), journal.Options{Store: s, SessionID: id})
		if err != nil {
			b.Fatal(err)
		}
		return s, j
	}
	s, j := begin()
	output := strings.Repeat("a line of forty characters, as in logs.\n", 51)
	for n := range 2000 {
		call := "call_" + strconv.Itoa(n)
		if _, err := j.Append(b.Context(), "turn_1",
			event.InputAccepted{Text: "go on"},
			event.LLMCall{Model: "m", Kind: llm.KindMain},
			event.HistoryMessage{MessageID: history.MessageID(n + 1), Message: llm.Message{
				Role: llm.Assistant, ToolCalls: []llm.ToolCall{{ID: call, Name: "read", Arguments: "{}"}},
			}},
			event.ToolCall{Tool: "read", ToolCallID: call, Arguments: []byte("{}")},
			event.ToolOutput{Tool: "read", ToolCallID: call, Output: output, Success: true},
		); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		s, _ = begin()
		events, err := s.Read(b.Context(), id, 0, 0)
		if err != nil || len(events) != 10_000 {
			b.Fatal(len(events), err)
		}
		if _, err := history.Load(events); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
