package agent

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// item is one submission in the queue.
type item struct {
	sub   event.Submission
	input bool // a person's text
	// early marks text that was queued before the open gate: it waits for it.
	early bool
}

// queue is the unbounded first-in, first-out list of submissions.
type queue struct {
	mu    sync.Mutex
	items []item
	wake  chan struct{} // holds one token when something was pushed
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

func (q *queue) push(it item) {
	q.mu.Lock()
	q.items = append(q.items, it)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// next waits for the next submission. While a gate is open, text that was
// queued before it stays where it is.
func (q *queue) next(ctx context.Context, gateOpen bool) (event.Submission, error) {
	for {
		if it, ok := q.take(func(it item) bool { return !gateOpen || !it.early }); ok {
			return it.sub, nil
		}
		select {
		case <-ctx.Done():
			return event.Submission{}, ctx.Err()
		case <-q.wake:
		}
	}
}

// steers removes and returns the texts that want to join the running turn.
func (q *queue) steers() []event.Submission {
	var subs []event.Submission
	for {
		it, ok := q.take(func(it item) bool { _, steer := it.sub.Operation.(event.Steer); return steer })
		if !ok {
			return subs
		}
		subs = append(subs, it.sub)
	}
}

// hasSteer reports whether a text wants to join the running turn.
func (q *queue) hasSteer() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.ContainsFunc(q.items, func(it item) bool { _, ok := it.sub.Operation.(event.Steer); return ok })
}

// take removes and returns the first item that fits.
func (q *queue) take(fits func(item) bool) (item, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	at := slices.IndexFunc(q.items, fits)
	if at < 0 {
		return item{}, false
	}
	it := q.items[at]
	q.items = slices.Delete(q.items, at, at+1)
	return it, true
}

// gateOpened marks the texts that are waiting as earlier than the gate.
func (q *queue) gateOpened() { q.mark(true) }

// gateClosed lets them go.
func (q *queue) gateClosed() { q.mark(false) }

func (q *queue) mark(early bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.items {
		q.items[i].early = early && q.items[i].input
	}
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }
