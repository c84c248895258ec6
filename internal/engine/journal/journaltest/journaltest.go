// Package journaltest holds what every store of journals must do. It knows
// none of them.
package journaltest

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
)

// Open returns the store that lives in dir; the same dir again gives a store
// with the same events where Options.Persistent says so. Close is called
// before it is opened again.
type Open func(dir string) (store journal.Store, closeStore func() error, err error)

// Options describe the store under test.
type Options struct {
	Open Open
	// Persistent stores keep their events over a restart.
	Persistent bool
}

// Run tests one store.
func Run(t *testing.T, opts Options) {
	t.Run("append and read", func(t *testing.T) { appendAndRead(t, opts) })
	t.Run("numbers must follow", func(t *testing.T) { numbersFollow(t, opts) })
	t.Run("sessions are apart", func(t *testing.T) { sessionsApart(t, opts) })
	t.Run("all or none", func(t *testing.T) { allOrNone(t, opts) })
	t.Run("any sequence of reads and appends", func(t *testing.T) { anySequence(t, opts) })
	t.Run("concurrent followers", func(t *testing.T) { concurrentFollowers(t, opts) })
	t.Run("a restart goes on counting", func(t *testing.T) { restart(t, opts) })
}

func open(t *testing.T, opts Options, dir string) journal.Store {
	t.Helper()
	store, closeStore, err := opts.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := closeStore(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// Events returns n events of a session, numbered from first; the first of all
// is a person's message, so that no store has a reason to hold back.
func Events(session string, first int64, n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		seq := first + int64(i)
		var p event.Payload = event.AssistantChunk{Content: fmt.Sprintf("chunk %d \"quoted\" <&>  äöü\n", seq)}
		switch {
		case seq == 1:
			p = event.InputAccepted{SubmissionID: "sub_1", Text: "hello"}
		case seq%7 == 0:
			p = event.ToolCall{Tool: "bash", Arguments: json.RawMessage(`{"command":"ls","data":{"x":[1,2]}}`), ToolCallID: "c1"}
		}
		turn := ""
		if seq > 1 {
			turn = "turn_1"
		}
		at := time.Date(2026, 1, 2, 3, 4, 5, int(seq%1000)*int(time.Millisecond), time.UTC)
		ev, err := event.New(session, turn, at, p)
		if err != nil {
			panic(err) // our own payloads always encode
		}
		ev.Seq = seq
		events[i] = ev
	}
	return events
}

func appendAndRead(t *testing.T, opts Options) {
	ctx, id := t.Context(), uuid.NewString()
	store := open(t, opts, t.TempDir())
	if got, err := store.Read(ctx, id, 0, 0); err != nil || len(got) != 0 {
		t.Fatalf("an unknown session reads as %v, %v; want nothing", got, err)
	}
	want := Events(id, 1, 600)
	for _, n := range [][2]int{{0, 1}, {1, 20}, {20, 600}} {
		if err := store.Append(ctx, id, 0, want[n[0]:n[1]]); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		after int64
		limit int
		from  int
		to    int
	}{{0, 0, 0, 600}, {0, 5, 0, 5}, {-3, 5, 0, 5}, {10, 0, 10, 600}, {255, 3, 255, 258}, {256, 1, 256, 257}, {590, 100, 590, 600}, {600, 5, 0, 0}, {700, 0, 0, 0}} {
		got, err := store.Read(ctx, id, tt.after, tt.limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 && tt.from == tt.to {
			continue
		}
		if diff := cmp.Diff(want[tt.from:tt.to], got); diff != "" {
			t.Errorf("read after %d, limit %d (-want +got):\n%s", tt.after, tt.limit, diff)
		}
	}
}

func numbersFollow(t *testing.T, opts Options) {
	ctx, id := t.Context(), uuid.NewString()
	store := open(t, opts, t.TempDir())
	if err := store.Append(ctx, id, 0, Events(id, 2, 1)); err == nil {
		t.Error("a first event with number 2 was stored")
	}
	if err := store.Append(ctx, id, 0, Events(id, 1, 3)); err != nil {
		t.Fatal(err)
	}
	for _, seq := range []int64{3, 5} {
		if err := store.Append(ctx, id, 0, Events(id, seq, 1)); err == nil {
			t.Errorf("event %d was stored after 3", seq)
		}
	}
	if got, err := store.Read(ctx, id, 0, 0); err != nil || len(got) != 3 {
		t.Errorf("%d events, %v; want 3", len(got), err)
	}
}

func sessionsApart(t *testing.T, opts Options) {
	ctx, a, b := t.Context(), uuid.NewString(), uuid.NewString()
	store := open(t, opts, t.TempDir())
	for id, n := range map[string]int{a: 3, b: 5} {
		if err := store.Append(ctx, id, 0, Events(id, 1, n)); err != nil {
			t.Fatal(err)
		}
	}
	for id, n := range map[string]int{a: 3, b: 5} {
		got, err := store.Read(ctx, id, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Events(id, 1, n), got); diff != "" {
			t.Errorf("session (-want +got):\n%s", diff)
		}
	}
}

func allOrNone(t *testing.T, opts Options) {
	ctx, id := t.Context(), uuid.NewString()
	store := open(t, opts, t.TempDir())
	batch := Events(id, 1, 3)
	batch[2].Seq = 9
	if err := store.Append(ctx, id, 0, batch); err == nil {
		t.Fatal("a batch with a gap was stored")
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if err := store.Append(done, id, 0, Events(id, 1, 1)); err == nil {
		t.Error("a cancelled append succeeded")
	}
	if got, err := store.Read(ctx, id, 0, 0); err != nil || len(got) != 0 {
		t.Errorf("%d events were stored (%v), want none", len(got), err)
	}
}

// anySequence compares a store with a plain slice.
func anySequence(t *testing.T, opts Options) {
	root, n := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		ctx, id := context.Background(), uuid.NewString()
		n++
		dir := filepath.Join(root, fmt.Sprint(n))
		store, closeStore, err := opts.Open(dir)
		if err != nil {
			rt.Fatal(err)
		}
		defer func() {
			if err := closeStore(); err != nil {
				rt.Fatal(err)
			}
		}()
		var model []event.Event
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			switch rapid.IntRange(0, 3).Draw(rt, "step") {
			case 0, 1:
				next := Events(id, int64(len(model))+1, rapid.IntRange(1, 100).Draw(rt, "count"))
				if err := store.Append(ctx, id, 0, next); err != nil {
					rt.Fatal(err)
				}
				model = append(model, next...)
			case 2:
				after := rapid.IntRange(0, len(model)+1).Draw(rt, "after")
				limit := rapid.IntRange(0, 50).Draw(rt, "limit")
				want := model[min(after, len(model)):]
				if limit > 0 && len(want) > limit {
					want = want[:limit]
				}
				got, err := store.Read(ctx, id, int64(after), limit)
				if err != nil {
					rt.Fatal(err)
				}
				if len(want)+len(got) > 0 && !cmp.Equal(want, got) {
					rt.Fatalf("read after %d, limit %d: %s", after, limit, cmp.Diff(want, got))
				}
			case 3:
				if !opts.Persistent {
					continue
				}
				if err := closeStore(); err != nil {
					rt.Fatal(err)
				}
				if store, closeStore, err = opts.Open(dir); err != nil {
					rt.Fatal(err)
				}
			}
		}
	})
}

// concurrentFollowers lets several writers append and several readers follow
// from different places; each must see every event once and in order.
func concurrentFollowers(t *testing.T, opts Options) {
	const writers, perWriter = 4, 200
	ctx, id := t.Context(), uuid.NewString()
	j, err := journal.Open(ctx, journal.Options{Store: open(t, opts, t.TempDir()), SessionID: id})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(ctx, "", event.InputAccepted{Text: "go"}); err != nil {
		t.Fatal(err)
	}
	var readers, all sync.WaitGroup
	for after := range int64(5) {
		readers.Go(func() {
			next := after + 1
			for ev, err := range j.Follow(ctx, after) {
				if err != nil {
					t.Error(err)
					return
				}
				if ev.Seq != next {
					t.Errorf("a reader after %d saw event %d, want %d", after, ev.Seq, next)
					return
				}
				next++
				if after == 0 && next%50 == 0 {
					time.Sleep(time.Millisecond) // a slow one falls out of memory
				}
			}
			if want := int64(1 + writers*perWriter + 1); next != want {
				t.Errorf("a reader after %d ended before event %d, want %d", after, next, want)
			}
		})
	}
	for range writers {
		all.Go(func() {
			for i := range perWriter {
				if _, err := j.Append(ctx, "turn_1", event.AssistantChunk{Content: fmt.Sprint(i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	j.Close()
	readers.Wait()
}

func restart(t *testing.T, opts Options) {
	if !opts.Persistent {
		t.Skip("this store keeps nothing over a restart")
	}
	ctx, id, dir := t.Context(), uuid.NewString(), t.TempDir()
	store, closeStore, err := opts.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(ctx, journal.Options{Store: store, SessionID: id})
	if err != nil {
		t.Fatal(err)
	}
	first, err := j.Append(ctx, "", event.InputAccepted{Text: "hi"}, event.TurnStarted{TurnID: "turn_1"})
	if err != nil {
		t.Fatal(err)
	}
	j.Close()
	if err := closeStore(); err != nil {
		t.Fatal(err)
	}

	j, err = journal.Open(ctx, journal.Options{Store: open(t, opts, dir), SessionID: id})
	if err != nil {
		t.Fatal(err)
	}
	if j.LastSeq() != 2 {
		t.Errorf("the last number after a restart is %d, want 2", j.LastSeq())
	}
	second, err := j.Append(ctx, "turn_1", event.Processing{Message: "on"})
	if err != nil {
		t.Fatal(err)
	}
	j.Close()
	var got []event.Event
	for ev, err := range j.Follow(ctx, 0) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, ev)
	}
	if diff := cmp.Diff(append(first, second...), got); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
}
