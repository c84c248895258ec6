// Package record writes a session's events into its journal, and remembers the
// first failure: from then on nothing is written and the session is over. Of what events
// mean it knows the repositories they speak of.
package record

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Journal is where a session's events go. Append returns once they are stored
// as durably as their types ask.
type Journal interface {
	Append(ctx context.Context, turnID string, ps ...event.Payload) ([]event.Event, error)
}

// Record is one session's way into its journal. It is safe for concurrent use.
type Record struct {
	journal Journal
	failed  func(error)

	mu    sync.Mutex
	err   error
	repos []string
}

// New returns a Record; failed is told the first failure. repos are the
// repositories that the session has changed before.
func New(j Journal, failed func(error), repos []string) *Record {
	return &Record{journal: j, failed: failed, repos: slices.Clone(repos)}
}

// Repos are the repositories that calls have made or changed.
func (r *Record) Repos() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.repos)
}

// note keeps what the session must not forget when its history is shortened.
func (r *Record) note(ps []event.Payload) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range ps {
		if e, ok := p.(event.ToolEffect); ok {
			if id, ok := e.Repo(); ok && !slices.Contains(r.repos, id) {
				r.repos = append(r.repos, id)
			}
		}
	}
}

// Append stores events. They are written even when ctx is done: an interrupted
// turn still tells its end.
func (r *Record) Append(ctx context.Context, turnID string, ps ...event.Payload) error {
	if err := r.Err(); err != nil || len(ps) == 0 {
		return err
	}
	_, err := r.journal.Append(context.WithoutCancel(ctx), turnID, ps...)
	if err == nil {
		r.note(ps)
		return nil
	}
	err = fmt.Errorf("write the session's journal: %w", err)
	r.mu.Lock()
	if r.err == nil {
		r.err = err
	}
	r.mu.Unlock()
	r.failed(err)
	return err
}

// Err is why the session is over, or nil.
func (r *Record) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}
