package journal

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Memory is a Store that lives and dies with the process: for sessions that
// leave nothing behind.
type Memory struct {
	mu       sync.Mutex
	sessions map[string][]event.Event
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{sessions: map[string][]event.Event{}} }

// Append stores events; a number that does not follow the last is refused.
func (m *Memory) Append(ctx context.Context, session string, _ int64, events []event.Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	have := int64(len(m.sessions[session]))
	for i, ev := range events {
		if want := have + int64(i) + 1; ev.Seq != want {
			return fmt.Errorf("store event %d of session %s: the next number is %d", ev.Seq, session, want)
		}
	}
	m.sessions[session] = append(m.sessions[session], events...)
	return nil
}

// Read returns at most limit events above after, all for a limit of 0.
func (m *Memory) Read(ctx context.Context, session string, after int64, limit int) ([]event.Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.sessions[session]
	from := min(max(after, 0), int64(len(all)))
	rest := all[from:]
	if limit > 0 && len(rest) > limit {
		rest = rest[:limit]
	}
	return slices.Clone(rest), nil
}
