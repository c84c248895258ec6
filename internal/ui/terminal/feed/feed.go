// Package feed collects the events of a session for an event loop, which is told
// that some are waiting and takes them all at once. A session is read no faster
// than its events are taken.
package feed

import (
	"context"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/order"
)

// Feed is what a session tells from its first event on.
type Feed struct {
	// Info is the session as it was when the feed began.
	Info attach.Info

	cancel context.CancelFunc

	mu      sync.Mutex
	waiting []event.Event
	taken   chan struct{} // closed when the waiting ones are taken
}

// most is how many events may wait.
const most = 4096

// Start reads a session until ctx is done or the feed is stopped. Wake is called
// when events begin to wait, end when no more come. The goroutine belongs to
// wait.
func Start(ctx context.Context, session attach.Session, wait order.Goer, wake func(*Feed), end func(*Feed, error)) *Feed {
	ctx, cancel := context.WithCancel(ctx)
	f := &Feed{Info: session.Info(), cancel: cancel, taken: make(chan struct{})}
	wait.Go(func() {
		for ev, err := range session.Follow(ctx, 0) {
			if err != nil {
				end(f, err)
				return
			}
			first, room := f.put(ev)
			if first {
				wake(f)
			}
			select {
			case <-room:
			case <-ctx.Done():
				return
			}
		}
		if ctx.Err() == nil {
			end(f, session.Err())
		}
	})
	return f
}

// Stop ends the feed.
func (f *Feed) Stop() { f.cancel() }

// put adds an event. First says that the event loop must be told; the channel
// is closed when there is room for more.
func (f *Feed) put(ev event.Event) (first bool, room <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = append(f.waiting, ev)
	if len(f.waiting) < most {
		open := make(chan struct{})
		close(open)
		return len(f.waiting) == 1, open
	}
	return false, f.taken
}

// Take returns the events that wait.
func (f *Feed) Take() []event.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	got := f.waiting
	f.waiting = nil
	close(f.taken)
	f.taken = make(chan struct{})
	return got
}
