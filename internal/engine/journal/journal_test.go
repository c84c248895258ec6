package journal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
	"github.com/ml-intern/ml-intern/internal/engine/journal/journaltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	journaltest.Run(t, journaltest.Options{
		Open: func(string) (journal.Store, func() error, error) {
			return journal.NewMemory(), func() error { return nil }, nil
		},
	})
}

func open(t testing.TB, store journal.Store, scrub func([]byte) ([]byte, error)) *journal.Journal {
	t.Helper()
	j, err := journal.Open(context.Background(), journal.Options{Store: store, SessionID: uuid.NewString(), Scrub: scrub})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestOptionsAreChecked(t *testing.T) {
	for _, opts := range []journal.Options{{SessionID: "x"}, {Store: journal.NewMemory()}} {
		if _, err := journal.Open(t.Context(), opts); err == nil {
			t.Errorf("%+v was accepted", opts)
		}
	}
}

func TestScrubbedBeforeAnyoneSeesIt(t *testing.T) {
	store := journal.NewMemory()
	j := open(t, store, func(raw []byte) ([]byte, error) {
		return bytes.ReplaceAll(raw, []byte("s3cret"), []byte("[REDACTED]")), nil
	})
	got, err := j.Append(t.Context(), "turn_1", event.AssistantChunk{Content: "it is s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := store.Read(t.Context(), j.SessionID(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for where, ev := range map[string]event.Event{"returned": got[0], "stored": stored[0]} {
		if string(ev.Data) != `{"content":"it is [REDACTED]"}` {
			t.Errorf("%s data is %s", where, ev.Data)
		}
	}
}

func TestScrubFailureRefusesTheAppend(t *testing.T) {
	broken := errors.New("broken")
	for name, scrub := range map[string]func([]byte) ([]byte, error){
		"an error":      func([]byte) ([]byte, error) { return nil, broken },
		"no JSON":       func([]byte) ([]byte, error) { return []byte(`{"a":`), nil },
		"not an object": func([]byte) ([]byte, error) { return []byte(`[1]`), nil },
		"nothing":       func([]byte) ([]byte, error) { return nil, nil },
		"only the second": func(raw []byte) ([]byte, error) {
			return raw, map[bool]error{true: broken}[bytes.Contains(raw, []byte("two"))]
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := journal.NewMemory()
			j := open(t, store, scrub)
			if _, err := j.Append(t.Context(), "", event.AssistantChunk{Content: "one"}, event.AssistantChunk{Content: "two"}); err == nil {
				t.Fatal("the append went through")
			}
			if got, _ := store.Read(t.Context(), j.SessionID(), 0, 0); len(got) != 0 || j.LastSeq() != 0 {
				t.Errorf("%d events were stored, last %d", len(got), j.LastSeq())
			}
		})
	}
}

func TestScrubbedDataStaysOneLine(t *testing.T) {
	j := open(t, journal.NewMemory(), func([]byte) ([]byte, error) { return []byte("{\n \"content\": \"x\"\n}"), nil })
	got, err := j.Append(t.Context(), "", event.AssistantChunk{Content: "y"})
	if err != nil || string(got[0].Data) != `{"content":"x"}` {
		t.Errorf("%v, %v", got, err)
	}
}

// failing is a store whose appends fail while it says so.
type failing struct {
	journal.Store
	err error
}

func (f *failing) Append(ctx context.Context, id string, fence int64, events []event.Event) error {
	if f.err != nil {
		return f.err
	}
	return f.Store.Append(ctx, id, fence, events)
}

func TestFailedAppendUsesNoNumber(t *testing.T) {
	full := errors.New("disk full")
	store := &failing{journal.NewMemory(), full}
	j := open(t, store, nil)
	if _, err := j.Append(t.Context(), "", event.Shutdown{}); !errors.Is(err, full) {
		t.Fatalf("error is %v", err)
	}
	store.err = nil
	got, err := j.Append(t.Context(), "", event.Shutdown{})
	if err != nil || got[0].Seq != 1 {
		t.Errorf("%v, %v; want event 1", got, err)
	}
}

func TestFollowLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		j := open(t, journal.NewMemory(), nil)
		var seen []int64
		done := make(chan struct{})
		go func() {
			defer close(done)
			for ev := range j.Follow(ctx, 1) {
				seen = append(seen, ev.Seq)
			}
		}()
		for range 3 {
			if _, err := j.Append(ctx, "", event.Processing{}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if fmt.Sprint(seen) != "[2 3]" {
			t.Errorf("a follower after 1 saw %v", seen)
		}
		cancel()
		<-done
	})
}

func TestFollowEndsAtClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := open(t, journal.NewMemory(), nil)
		n := make(chan int)
		go func() {
			seen := 0
			for range j.Follow(t.Context(), 0) {
				seen++
				time.Sleep(time.Minute) // slow: the journal is closed long before
			}
			n <- seen
		}()
		for range 5 {
			if _, err := j.Append(t.Context(), "", event.Processing{}); err != nil {
				t.Fatal(err)
			}
		}
		j.Close()
		j.Close()
		if got := <-n; got != 5 {
			t.Errorf("%d events were delivered, want 5", got)
		}
		if _, err := j.Append(t.Context(), "", event.Processing{}); !errors.Is(err, journal.ErrClosed) {
			t.Errorf("append after close: %v", err)
		}
	})
}

func TestSlowFollowerDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		j := open(t, journal.NewMemory(), nil)
		stuck := make(chan struct{})
		go func() {
			for range j.Follow(ctx, 0) {
				<-stuck
			}
		}()
		start := time.Now()
		for range 2000 {
			if _, err := j.Append(ctx, "", event.AssistantChunk{Content: strings.Repeat("x", 100)}); err != nil {
				t.Fatal(err)
			}
		}
		n := 0
		for range j.Follow(ctx, 0) {
			if n++; n == 2000 {
				break
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("a stuck follower cost %v", took)
		}
		cancel()
		close(stuck)
	})
}

func TestIdleFollowCostsNoGoroutine(t *testing.T) {
	j := open(t, journal.NewMemory(), nil)
	if _, err := j.Append(t.Context(), "", event.Processing{}); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	for range j.Follow(t.Context(), 0) {
		if now := runtime.NumGoroutine(); now != before {
			t.Errorf("following costs %d goroutines", now-before)
		}
		break
	}
}

func TestIdleJournalIsSmall(t *testing.T) {
	store := journal.NewMemory()
	id := uuid.NewString()
	for i := range 40 {
		if err := store.Append(t.Context(), id, 0, journaltest.Events(id, int64(i*100+1), 100)); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	j, err := journal.Open(t.Context(), journal.Options{Store: store, SessionID: id})
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if got := int64(after.HeapAlloc) - int64(before.HeapAlloc); got > 200<<10 {
		t.Errorf("an idle journal holds %d bytes, want at most 200 kB", got)
	}
	runtime.KeepAlive(j)
	runtime.KeepAlive(store)
}

func TestEnvelopeRoundTrip(t *testing.T) {
	j := open(t, journal.NewMemory(), nil)
	got, err := j.Append(t.Context(), "turn_1", event.ToolCall{Tool: "bash", Arguments: json.RawMessage("{\n \"a\": \"<\u2028>\"}"), ToolCallID: "c"})
	if err != nil {
		t.Fatal(err)
	}
	raw := got[0].AppendJSON(nil, false)
	if bytes.ContainsAny(raw, "\n\r") {
		t.Errorf("an event must be one line: %q", raw)
	}
	var back event.Event
	if err := json.Unmarshal(raw, &back); err != nil || !back.Time.Equal(got[0].Time) {
		t.Errorf("%v: %v and %v", err, back, got[0])
	}
}

// BenchmarkAppend measures the journal's own cost: the goal is 50 µs at most.
func BenchmarkAppend(b *testing.B) {
	j := open(b, journal.NewMemory(), func(raw []byte) ([]byte, error) { return raw, nil })
	p := event.AssistantChunk{Content: strings.Repeat("delta ", 4)}
	for b.Loop() {
		if _, err := j.Append(b.Context(), "turn_1", p); err != nil {
			b.Fatal(err)
		}
	}
}

// counted is a store that counts how often it is read.
type counted struct {
	*journal.Memory
	reads atomic.Int64
}

func (c *counted) Read(ctx context.Context, session string, after int64, limit int) ([]event.Event, error) {
	c.reads.Add(1)
	return c.Memory.Read(ctx, session, after, limit)
}

// Followers that keep up never ask the store, however long the journal gets.
func TestLiveFollowersLeaveTheStoreAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &counted{Memory: journal.NewMemory()}
		j := open(t, store, nil)
		store.reads.Store(0)
		var seen [2]atomic.Int64
		var wait sync.WaitGroup
		for i := range seen {
			wait.Go(func() {
				for ev, err := range j.Follow(t.Context(), 0) {
					if err != nil || ev.Seq != seen[i].Add(1) {
						t.Errorf("follower %d: event %d, %v", i, ev.Seq, err)
						return
					}
				}
			})
		}
		const rounds = 2000
		for range rounds {
			if _, err := j.Append(t.Context(), "turn_1", event.ToolOutput{Output: strings.Repeat("x", 2000)}, event.TurnComplete{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		j.Close()
		wait.Wait()
		if seen[0].Load() != 2*rounds || seen[1].Load() != 2*rounds || store.reads.Load() != 0 {
			t.Errorf("seen %d and %d of %d, %d reads", seen[0].Load(), seen[1].Load(), 2*rounds, store.reads.Load())
		}
	})
}

// What a follower holds stays as it was while the window moves on under it.
func TestSlowFollowerSeesEveryEvent(t *testing.T) {
	j := open(t, journal.NewMemory(), nil)
	add := func(n int) {
		for i := range n {
			if _, err := j.Append(t.Context(), "turn_1", event.AssistantChunk{Content: strings.Repeat("x", i%500)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(50)
	want, middle := int64(0), int64(0) // middle of a page from memory
	for ev, err := range j.Follow(t.Context(), 0) {
		want++
		if err != nil || ev.Seq != want {
			t.Fatalf("event %d, %v; want %d", ev.Seq, err, want)
		}
		switch {
		case want == middle:
			add(300) // more than the window holds
		case want < j.LastSeq():
		case want > 10_000:
			j.Close()
		default:
			add(60)
			middle = want + 30
		}
	}
	if want < 10_000 || want != j.LastSeq() {
		t.Errorf("%d events of %d", want, j.LastSeq())
	}
}

// BenchmarkFollow measures one event for two followers at the tail: it must
// not depend on how many there were before.
func BenchmarkFollow(b *testing.B) {
	for _, before := range []int{10, 10_000} {
		b.Run(fmt.Sprint(before), func(b *testing.B) {
			j := open(b, journal.NewMemory(), nil)
			payload := event.ToolOutput{Output: strings.Repeat("x", 2000)}
			for range before {
				if _, err := j.Append(b.Context(), "turn_1", payload); err != nil {
					b.Fatal(err)
				}
			}
			took := make(chan struct{})
			var wait sync.WaitGroup
			for range 2 {
				wait.Go(func() {
					for _, err := range j.Follow(b.Context(), int64(before)) {
						if err != nil {
							b.Error(err)
						}
						took <- struct{}{}
					}
				})
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := j.Append(b.Context(), "turn_1", payload); err != nil {
					b.Fatal(err)
				}
				<-took
				<-took
			}
			j.Close()
			wait.Wait()
		})
	}
}
