package sessions_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/search"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

func (p *place) search(words, dir string, limit int) (hits []sessions.Hit, more bool) {
	p.t.Helper()
	q, err := search.New(words)
	if err != nil {
		p.t.Fatal(err)
	}
	hits, more, err = p.lib.Search(p.t.Context(), sessions.Search{Words: q, Dir: dir, Limit: limit})
	if err != nil {
		p.t.Fatal(err)
	}
	return hits, more
}

func entries(hits []sessions.Hit) []sessions.Entry {
	var out []sessions.Entry
	for _, h := range hits {
		out = append(out, h.Entry)
	}
	return out
}

func TestSearch(t *testing.T) {
	p := newPlace(t)
	p.journal(idA, p.work, "Tune the LoRA rank", 1)
	p.file(filepath.Join(p.ours, "session_"+idA+"_20260101_090000.json"), saved(idA, "null", "Tune the LoRA rank, stale"), 0)
	p.file(filepath.Join(p.ours, "session_"+idC+"_20260101_090000.json"), saved(idC, "null", "an older lora über \"rank\""), 3)
	p.file(filepath.Join(p.ours, "session_"+idC+"_20260101_080000.json"), saved(idC, "null", "an older lora, older file"), 4)
	p.file(filepath.Join(p.logs(), "odd.json"), `["lora"]`, 0)
	p.journal(idB, p.ours, "nothing", 2)
	for range 2 { // without and with what the list remembers
		for words, want := range map[string]string{
			"lora":         "a1b2c3d41j c0ffee003f",
			"LORA rank":    "a1b2c3d41j c0ffee003f",
			"rank tune":    "a1b2c3d41j",
			"done":         "a1b2c3d41j a1b2c3d42j",
			"stale":        "", // the journal is the truth
			"über":         "c0ffee003f",
			"bash":         "c0ffee003f", // what was done counts
			"sys":          "",           // the system prompt does not
			"lora missing": "",
		} {
			hits, more := p.search(words, "", 0)
			if got := ids(entries(hits)); got != want || more {
				t.Errorf("%q: %s, want %s", words, got, want)
			}
		}
		p.list()
	}
	hits, more := p.search("lora", "", 1)
	if ids(entries(hits)) != "a1b2c3d41j" || !more || hits[0].Snippet != "Tune the LoRA rank" || hits[0].Title != "Tune the LoRA rank" {
		t.Errorf("%+v, %v", hits, more)
	}
	if hits, _ := p.search("lora", p.work, 0); ids(entries(hits)) != "a1b2c3d41j" {
		t.Errorf("of the folder: %+v", hits)
	}
	if raw, err := json.Marshal(hits[0]); err != nil || !strings.Contains(string(raw), `"snippet":"Tune the LoRA rank"`) || !strings.Contains(string(raw), `"session_id":`) {
		t.Errorf("%s, %v", raw, err)
	}
}

// What a person took back is not found.
func TestSearchKnowsWhatIsInForce(t *testing.T) {
	p := newPlace(t)
	p.journal(idA, p.work, "the secret plan", 1)
	ev, err := event.New(idA, "", time.Now(), event.HistoryRewritten{Reason: "undo", Messages: []llm.Message{{Role: llm.User, Text: "the open plan"}}})
	if err != nil {
		t.Fatal(err)
	}
	ev.Seq = 7
	if err := p.store.Append(t.Context(), idA, 0, []event.Event{ev}); err != nil {
		t.Fatal(err)
	}
	if hits, _ := p.search("secret", "", 0); len(hits) != 0 {
		t.Errorf("%+v", hits)
	}
	if hits, _ := p.search("open", "", 0); len(hits) != 1 {
		t.Errorf("%+v", hits)
	}
}

func TestTheListRemembersAndForgets(t *testing.T) {
	p := newPlace(t)
	p.journal(idA, p.work, "first", 2)
	p.journal(idB, p.work, "second", 1)
	p.file(filepath.Join(p.logs(), "odd.json"), `[1]`, 0)
	if got := ids(p.list()); got != "a1b2c3d42j a1b2c3d41j" {
		t.Fatal(got)
	}
	// Another library reads what the first has found, not the journals.
	raw, err := os.ReadFile(p.index)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.index, []byte(strings.ReplaceAll(string(raw), "second", "remembered")), 0o600); err != nil {
		t.Fatal(err)
	}
	p.lib = p.library()
	if got := p.list(); got[0].Title != "remembered" || got[1].Title != "first" {
		t.Errorf("%+v", got)
	}
	// A change is seen, and a removed session is forgotten.
	ev, err := event.New(idB, "", time.Now(), event.Renamed{Title: "renamed", By: "user"})
	if err != nil {
		t.Fatal(err)
	}
	ev.Seq = 7
	if err := p.store.Append(t.Context(), idB, 0, []event.Event{ev}); err != nil {
		t.Fatal(err)
	}
	if got := p.list(); got[0].Title != "renamed" || got[0].Line() != "renamed" || !got[0].Running || got[0].PID != os.Getpid() || got[1].Running {
		t.Errorf("%+v", got)
	}
	if err := p.store.Release(idB); err != nil {
		t.Fatal(err)
	}
	if err := p.lib.Remove(t.Context(), p.resolve(idB)); err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(p.index); err != nil || strings.Contains(string(raw), "renamed") || !strings.Contains(string(raw), "first") {
		t.Errorf("%s, %v", raw, err)
	}
}

func TestEntriesTellTurnsAndMoney(t *testing.T) {
	p := newPlace(t)
	p.journal(idA, p.work, "spent", 1)
	five := int64(5_000_000)
	for i, payload := range []event.Payload{
		event.Spend{ID: "llm_1", Kind: event.SpendLLM, State: event.SpendSettled, MicroUSD: &five},
		event.Spend{ID: "llm_2", Kind: event.SpendLLM, State: event.SpendSettled},
	} {
		ev, err := event.New(idA, "", time.Now(), payload)
		if err != nil {
			t.Fatal(err)
		}
		ev.Seq = int64(7 + i)
		if err := p.store.Append(t.Context(), idA, 0, []event.Event{ev}); err != nil {
			t.Fatal(err)
		}
	}
	p.journal(idB, p.work, "free", 2)
	p.file(filepath.Join(p.logs(), "s.json"), saved(idC, "null", "the original's"), 3)
	got := p.list()
	for i, want := range []string{"5 true 1", "unknown false 1", "0.42 false 1"} {
		cost := "unknown"
		if got[i].CostUSD != nil {
			cost = fmt.Sprint(*got[i].CostUSD)
		}
		if is := fmt.Sprint(cost, " ", got[i].Incomplete, " ", got[i].Turns); is != want {
			t.Errorf("%s: %s, want %s", got[i].Title, is, want)
		}
	}
	if got[1].First != "free" || got[1].Last != "done" {
		t.Errorf("%q, %q", got[1].First, got[1].Last)
	}
}

// thousand makes a machine with 1,000 sessions of 200 kB.
func thousand(b *testing.B) *place {
	b.Helper()
	p := newPlace(b)
	filler := strings.Repeat("some words of a tool's output that say little\n", 420)
	for n := range 1000 {
		id := fmt.Sprintf("a1b2c3d4-0000-4000-8000-%012d", n)
		p.journal(id, p.work, fmt.Sprintf("question %d", n), n)
		var events []event.Event
		for i := range 10 {
			call := fmt.Sprintf("call_%d", i)
			for _, payload := range []event.Payload{
				event.HistoryMessage{Message: llm.Message{Role: llm.Assistant, ToolCalls: []llm.ToolCall{{ID: call, Name: "bash", Arguments: `{"command":"ls"}`}}}},
				event.ToolOutput{Tool: "bash", ToolCallID: call, Output: filler, Success: true},
			} {
				ev, err := event.New(id, "turn_1", time.Now(), payload)
				if err != nil {
					b.Fatal(err)
				}
				ev.Seq = int64(7 + len(events))
				events = append(events, ev)
			}
		}
		if err := p.store.Append(b.Context(), id, 0, events); err != nil {
			b.Fatal(err)
		}
		if err := p.store.Release(id); err != nil {
			b.Fatal(err)
		}
	}
	return p
}

func BenchmarkThousandSessions(b *testing.B) {
	p := thousand(b)
	b.Run("list for the first time", func(b *testing.B) {
		for b.Loop() {
			_ = os.Remove(p.index)
			p.lib = p.library()
			if len(p.list()) != 1000 {
				b.Fatal("sessions are missing")
			}
		}
	})
	b.Run("list again", func(b *testing.B) {
		for b.Loop() {
			p.lib = p.library()
			if len(p.list()) != 1000 {
				b.Fatal("sessions are missing")
			}
		}
	})
	for name, words := range map[string]string{"search for a rare word": "question 777", "search for nothing": "nowhere", "search for a word of all": "LITTLE"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				p.lib = p.library()
				p.search(words, "", 0)
			}
		})
	}
}
