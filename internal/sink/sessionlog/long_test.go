package sessionlog_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/sink/sessionlog"
)

// opening is the beginning of a session in which a person has spoken.
func opening(tb testing.TB) []event.Event {
	first, err := event.New(id, "turn_1", time.Now(), event.HistoryMessage{
		MessageID: "msg_1", Message: llm.Message{Role: llm.User, Text: "go through the note"},
	})
	if err != nil {
		tb.Fatal(err)
	}
	first.Seq = 1
	return []event.Event{first}
}

// turns returns a session of n calls with outputs of 2 kB.
func turns(tb testing.TB, n int) []event.Event {
	events := opening(tb)
	for i := range n {
		events = append(events, turn(tb, i)...)
	}
	return events
}

// closing ends the turn and the session.
func closing(tb testing.TB) (events []event.Event) {
	for _, p := range []event.Payload{event.TurnComplete{}, event.Shutdown{}} {
		ev, err := event.New(id, "turn_1", time.Now(), p)
		if err != nil {
			tb.Fatal(err)
		}
		events = append(events, ev)
	}
	return events
}

// hand is a session whose events are handed over one batch at a time.
type hand struct {
	dir   string
	feed  chan []event.Event
	taken chan struct{}
	end   chan error
	saves atomic.Int64
	log   *sessionlog.Log
}

func begin(tb testing.TB, dir string, interval time.Duration) *hand {
	h := &hand{dir: dir, feed: make(chan []event.Event), taken: make(chan struct{}), end: make(chan error, 1)}
	var err error
	h.log, err = sessionlog.New(sessionlog.Options{
		Dir: dir, SessionID: id, Interval: interval, Log: slog.New(slog.DiscardHandler),
		About: func() document.About { // asked once a save
			h.saves.Add(1)
			return document.About{}
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	ctx := tb.Context()
	go func() { h.end <- h.log.Run(ctx, h.follow) }()
	return h
}

func (h *hand) follow(context.Context, int64) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for batch := range h.feed {
			for _, ev := range batch {
				if !yield(ev, nil) {
					return
				}
			}
			h.taken <- struct{}{}
		}
	}
}

func (h *hand) give(events []event.Event) {
	h.feed <- events
	<-h.taken
}

func (h *hand) stop() error {
	close(h.feed)
	return <-h.end
}

// The end of a turn and that of the session share one save when it is dear.
func TestOneSaveAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := begin(t, t.TempDir(), time.Minute)
		h.give(turns(t, 100))
		synctest.Wait()
		h.give(closing(t)[:1])
		synctest.Wait()
		time.Sleep(10 * time.Millisecond) // as a program needs to shut down
		h.give(closing(t)[1:])
		synctest.Wait()
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		if got := h.saves.Load(); got != 1 {
			t.Errorf("saved %d times, want once", got)
		}
		checkEvents(t, h, 100)
	})
}

// checkEvents checks that the file has all of a session of n turns.
func checkEvents(t *testing.T, h *hand, n int) {
	t.Helper()
	d, err := document.Read(h.log.Path())
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Messages) != 1+2*n || len(d.Events) != 2+3*n || d.Title != "go through the note" {
		t.Errorf("%d messages and %d events, title %q", len(d.Messages), len(d.Events), d.Title)
	}
}

// A session that stays open is saved a moment after the end of its turn, and
// its end, which brings nothing new, saves nothing.
func TestLongSessionIsSavedAfterItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := begin(t, t.TempDir(), time.Minute)
		h.give(append(turns(t, 100), closing(t)...))
		time.Sleep(time.Second)
		synctest.Wait()
		if got := h.saves.Load(); got != 1 {
			t.Errorf("saved %d times a second after the turn, want once", got)
		}
		checkEvents(t, h, 100)
		if err := h.stop(); err != nil || h.saves.Load() != 1 {
			t.Errorf("%v, saved %d times", err, h.saves.Load())
		}
	})
}

// A turn that is short after a save is saved as soon as any other: the first
// change since then, which alone would wait for a minute, does not delay it.
func TestEveryTurnIsSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := begin(t, t.TempDir(), time.Minute)
		h.give(turns(t, 40))
		for i := range 300 {
			h.give(closing(t)[:1])
			time.Sleep(time.Second)
			synctest.Wait()
			if got := h.saves.Load(); got != int64(i+1) {
				t.Fatalf("%d saves after %d turns", got, i+1)
			}
		}
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// While nothing can be put aside everything stays in memory, and a later save
// has it all.
func TestNothingIsLostWithoutAFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "sessions")
		if err := os.WriteFile(dir, nil, 0o600); err != nil { // a file where the folder should be
			t.Fatal(err)
		}
		h := begin(t, dir, time.Minute)
		all := append(turns(t, 200), closing(t)...)
		h.give(all[:500])
		time.Sleep(2 * time.Minute)
		if h.log.Path() != "" {
			t.Error("saved into a file")
		}
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		h.give(all[500:])
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		checkEvents(t, h, 200)
	})
}

// A session whose person says nothing leaves nothing on disk, however much
// there is to write.
func TestLongSilenceLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "sessions")
		h := begin(t, dir, time.Minute)
		h.give(append(turns(t, 100)[1:], closing(t)...))
		time.Sleep(2 * time.Minute)
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the folder exists: %v", err)
		}
	})
}

// Messages that a rewrite keeps are not encoded again.
func TestRewriteKeepsWhatStays(t *testing.T) {
	dir := t.TempDir()
	draft := sessionlog.NewDraft(dir)
	var state history.State
	take := func(ev event.Event) {
		if err := errors.Join(state.Apply(ev), draft.Take(ev)); err != nil {
			t.Fatal(err)
		}
	}
	for _, ev := range turns(t, 100) {
		take(ev)
	}
	before := draft.Stored()
	rewritten, err := event.New(id, "turn_1", time.Now(), event.HistoryRewritten{
		Messages: append([]llm.Message{{Role: llm.System, Text: "new"}}, state.Messages[50:]...),
	})
	if err != nil {
		t.Fatal(err)
	}
	take(rewritten)
	if got := draft.Stored() - before; got > 500 {
		t.Errorf("a rewrite with one new message encoded %d bytes", got)
	}
	path := filepath.Join(dir, "x.json")
	if err := errors.Join(draft.Save(path), draft.Close()); err != nil {
		t.Fatal(err)
	}
	got, err := document.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(state.Messages, got.Messages); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The memory of a long session: 1,000 turns of 2 kB may cost 10 MB at most;
// they take about one.
func TestMemoryOfALongSession(t *testing.T) {
	h := begin(t, t.TempDir(), 0)
	h.give(opening(t))
	before := heap()
	for i := range 1000 {
		h.give(turn(t, i))
	}
	if got := heap() - before; got > 3<<20 {
		t.Errorf("1,000 turns cost %.1f MB, want at most 3", float64(got)/1e6)
	}
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // what the first made free for pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkTake is what one turn costs, on a goroutine of its own: it must not
// depend on how many came before.
func BenchmarkTake(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("after%d", n), func(b *testing.B) {
			h := begin(b, b.TempDir(), 0)
			h.give(turns(b, n))
			next := turn(b, n)
			b.ReportAllocs()
			for b.Loop() {
				h.give(next)
			}
			if err := h.stop(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkExit is the time from the last events of a session to the end of its
// follower, the file written. The goal is to stay far below 50 ms.
func BenchmarkExit(b *testing.B) {
	for _, n := range []int{10, 200, 1000} {
		b.Run(fmt.Sprintf("after%d", n), func(b *testing.B) {
			events, end := turns(b, n), closing(b)
			dir := b.TempDir()
			for b.Loop() {
				b.StopTimer()
				h := begin(b, dir, 0)
				h.give(events)
				b.StartTimer()
				h.give(end)
				if err := h.stop(); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if err := os.Remove(h.log.Path()); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

// BenchmarkSave is one save alone, of a session that goes on.
func BenchmarkSave(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("after%d", n), func(b *testing.B) {
			dir := b.TempDir()
			draft := sessionlog.NewDraft(dir)
			for _, ev := range turns(b, n) {
				if err := draft.Take(ev); err != nil {
					b.Fatal(err)
				}
			}
			path := filepath.Join(dir, "x.json")
			for b.Loop() {
				if err := draft.Save(path); err != nil {
					b.Fatal(err)
				}
			}
			info, err := os.Stat(path)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(info.Size())
			if err := draft.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
