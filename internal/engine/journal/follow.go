package journal

import (
	"context"
	"fmt"
	"iter"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Follow yields every event numbered above after, exactly once and in order:
// those of the past from the store, newer ones from memory, then each as it is
// appended. It ends when ctx is done, after the last event of a closed
// journal, or with an error of the store. A follower holds a number and
// nothing else: a slow one delays nobody, and a waiting one costs no goroutine
// but its caller's.
func (j *Journal) Follow(ctx context.Context, after int64) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for ctx.Err() == nil {
			page, wake, err := j.page(ctx, after)
			if err != nil {
				yield(event.Event{}, err)
				return
			}
			for _, ev := range page {
				if ctx.Err() != nil || !yield(ev, nil) {
					return
				}
				after = ev.Seq
			}
			if len(page) > 0 {
				continue
			}
			if wake == nil {
				return // closed, and everything was delivered
			}
			select {
			case <-ctx.Done():
			case <-wake:
			}
		}
	}
}

// page returns the next events above after. When there are none yet it returns
// a channel that is closed with the next change, or nil if none will come.
func (j *Journal) page(ctx context.Context, after int64) ([]event.Event, <-chan struct{}, error) {
	j.mu.Lock()
	last, wake, closed := j.last, j.wake, j.closed
	page, ok := j.recent.after(after)
	j.mu.Unlock()
	switch {
	case after >= last && closed:
		return nil, nil, nil
	case after >= last:
		return nil, wake, nil
	case ok:
		return page, wake, nil
	}
	page, err := j.opts.Store.Read(ctx, j.opts.SessionID, after, pageSize)
	if err != nil {
		if ctx.Err() != nil {
			return nil, wake, nil // the caller sees that ctx is done
		}
		return nil, nil, fmt.Errorf("follow session %s after %d: %w", j.opts.SessionID, after, err)
	}
	if len(page) == 0 || page[0].Seq != after+1 {
		return nil, nil, fmt.Errorf("follow session %s: event %d is not in the store", j.opts.SessionID, after+1)
	}
	for i, ev := range page {
		if ev.Seq > last { // stored but perhaps not yet safe: not announced
			return page[:i], wake, nil
		}
	}
	return page, wake, nil
}

// Limits of the window: its memory is what an idle session costs.
const (
	windowEvents = 512
	windowBytes  = 64 << 10 // of data
	windowPage   = 64       // events handed out at a time
)

// window holds the newest events, without gaps, up to the newest of all. What
// it has handed out is never written again, so all followers share it.
type window struct {
	events []event.Event
	bytes  int
}

func (w *window) add(events []event.Event) {
	for _, ev := range events {
		w.events = append(w.events, ev)
		w.bytes += len(ev.Data)
	}
	if len(w.events) <= windowEvents && w.bytes <= windowBytes {
		return
	}
	// A quarter goes beyond what must, so that moving the rest stays rare.
	drop := 0
	for drop < len(w.events) && (len(w.events)-drop > windowEvents*3/4 || w.bytes > windowBytes*3/4) {
		w.bytes -= len(w.events[drop].Data)
		drop++
	}
	kept := w.events[drop:]
	w.events = append(make([]event.Event, 0, len(kept)+len(kept)/2), kept...) // followers may hold the old ones
}

// after returns the next events, which the caller only reads; ok is false when
// the window no longer holds the first of them.
func (w *window) after(seq int64) (page []event.Event, ok bool) {
	if len(w.events) == 0 || seq+1 < w.events[0].Seq {
		return nil, false
	}
	from := int(seq + 1 - w.events[0].Seq)
	if from >= len(w.events) {
		return nil, false
	}
	to := min(len(w.events), from+windowPage)
	return w.events[from:to:to], true
}
