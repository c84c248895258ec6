// Package journal keeps a session's numbered events: it encodes and scrubs
// them, gives them their numbers, has them stored and hands them to everyone
// who follows. It knows neither what the events mean nor where the store puts
// them.
package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Store keeps the events of many sessions.
type Store interface {
	// Append stores events, numbered on from what the session holds, all or
	// none of them. It returns once they are as safe as their types demand.
	// Fence is zero for a single process; a store shared by several refuses a
	// fence older than the newest it has seen.
	Append(ctx context.Context, session string, fence int64, events []event.Event) error
	// Read returns, in order, at most limit events numbered above after; a
	// limit of 0 or less means all. An unknown session has no events.
	Read(ctx context.Context, session string, after int64, limit int) ([]event.Event, error)
}

// Laster is a Store that can tell the number of a session's newest event
// without reading them all. It is optional.
type Laster interface {
	LastSeq(ctx context.Context, session string) (int64, error)
}

// ErrClosed is returned by Append after Close.
var ErrClosed = errors.New("the journal is closed")

// Options of a journal; Scrub and Fence may be left out.
type Options struct {
	Store     Store
	SessionID string
	// Scrub returns an event's data, a JSON object, without secrets. When it
	// fails nothing is written.
	Scrub func(raw []byte) ([]byte, error)
	// Fence is handed to the store with every append.
	Fence int64
}

// Journal is the journal of one session. Its methods may be called from any
// goroutine.
type Journal struct {
	opts Options

	// write lets one Append at a time reach the store; followers never take it.
	write sync.Mutex

	mu     sync.Mutex // guards what follows
	last   int64
	recent window
	wake   chan struct{} // closed, and replaced, by every append
	closed bool
}

// pageSize is how many events a follower takes from the store at a time.
const pageSize = 512

// Open returns the session's journal; numbers go on after what is stored.
func Open(ctx context.Context, opts Options) (*Journal, error) {
	if opts.Store == nil {
		return nil, errors.New("open journal: Store is missing")
	}
	if opts.SessionID == "" {
		return nil, errors.New("open journal: SessionID is missing")
	}
	j := &Journal{opts: opts, wake: make(chan struct{})}
	if store, ok := opts.Store.(Laster); ok {
		last, err := store.LastSeq(ctx, opts.SessionID)
		if err != nil {
			return nil, fmt.Errorf("open journal of session %s: %w", opts.SessionID, err)
		}
		j.last = last
		return j, nil
	}
	for {
		page, err := opts.Store.Read(ctx, opts.SessionID, j.last, pageSize)
		if err != nil {
			return nil, fmt.Errorf("open journal of session %s: %w", opts.SessionID, err)
		}
		if len(page) == 0 {
			return j, nil
		}
		j.recent.add(page)
		j.last = page[len(page)-1].Seq
	}
}

// Append writes payloads as the next events, in one write to the store, and
// wakes the followers. On an error none of them is in the journal.
func (j *Journal) Append(ctx context.Context, turnID string, ps ...event.Payload) ([]event.Event, error) {
	if len(ps) == 0 {
		return nil, nil
	}
	events := make([]event.Event, len(ps))
	for i, p := range ps {
		ev, err := event.New(j.opts.SessionID, turnID, time.Time{}, p)
		if err != nil {
			return nil, fmt.Errorf("append to the journal: %w", err)
		}
		if ev.Data, err = j.scrub(ev.Data); err != nil {
			return nil, fmt.Errorf("append %s to the journal: remove secrets: %w", ev.Type, err)
		}
		events[i] = ev
	}

	j.write.Lock()
	defer j.write.Unlock()
	first, err := j.next()
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	for i := range events {
		events[i].Seq, events[i].Time = first+int64(i), now
	}
	if err := j.opts.Store.Append(ctx, j.opts.SessionID, j.opts.Fence, events); err != nil {
		return nil, fmt.Errorf("append to the journal of session %s: %w", j.opts.SessionID, err)
	}
	j.publish(events)
	return events, nil
}

// scrub removes secrets. What comes back changed is made one line again and
// must still be a JSON object: anything else would spoil the journal.
func (j *Journal) scrub(raw []byte) ([]byte, error) {
	if j.opts.Scrub == nil {
		return raw, nil
	}
	clean, err := j.opts.Scrub(raw)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(clean, raw) {
		return clean, nil
	}
	var out bytes.Buffer
	if err := json.Compact(&out, clean); err != nil {
		return nil, fmt.Errorf("the scrubbed data is not JSON: %w", err)
	}
	if out.Len() == 0 || out.Bytes()[0] != '{' {
		return nil, errors.New("the scrubbed data is not a JSON object")
	}
	return out.Bytes(), nil
}

func (j *Journal) next() (int64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return 0, ErrClosed
	}
	return j.last + 1, nil
}

func (j *Journal) publish(events []event.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.recent.add(events)
	j.last = events[len(events)-1].Seq
	close(j.wake)
	j.wake = make(chan struct{})
}

// LastSeq returns the number of the newest event, 0 when there is none.
func (j *Journal) LastSeq() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

// SessionID returns the session whose journal this is.
func (j *Journal) SessionID() string { return j.opts.SessionID }

// Close takes no more events and lets every follower end once it has seen the
// last one. It waits for an Append in progress.
func (j *Journal) Close() {
	j.write.Lock()
	defer j.write.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return
	}
	j.closed = true
	close(j.wake)
}
