package sandbox

import (
	"context"
	"sync"
)

// Slots let one sandbox at a time be created for an owner. The zero value is
// ready.
type Slots struct {
	mu   sync.Mutex
	busy map[string]chan struct{}
}

// Take waits for the owner's turn and returns what ends it; wait is called once
// when it is not at once.
func (s *Slots) Take(ctx context.Context, owner string, wait func()) (done func(), err error) {
	s.mu.Lock()
	if s.busy == nil {
		s.busy = map[string]chan struct{}{}
	}
	slot := s.busy[owner]
	if slot == nil {
		slot = make(chan struct{}, 1)
		s.busy[owner] = slot
	}
	s.mu.Unlock()
	free := func() { <-slot }
	select {
	case slot <- struct{}{}:
		return free, nil
	default:
		wait()
	}
	select {
	case slot <- struct{}{}:
		return free, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
