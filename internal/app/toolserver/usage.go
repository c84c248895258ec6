package toolserver

import (
	"context"
	"sync"
	"time"
)

// usage knows when the server was used last.
type usage struct {
	mu   sync.Mutex
	open int
	last time.Time
}

func newUsage() *usage { return &usage{last: time.Now()} }

// begin counts a request until what it returns is called.
func (u *usage) begin() func() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.open++
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.open--
		u.last = time.Now()
	}
}

// idle is how long there has been no request.
func (u *usage) idle() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.open > 0 {
		return 0
	}
	return time.Since(u.last)
}

// touch counts as use.
func (u *usage) touch() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last = time.Now()
}

// watch returns when ctx is done, or when there has been neither a request nor
// anything busy for limit; a negative one never comes.
func (u *usage) watch(ctx context.Context, limit time.Duration, busy func() bool) {
	if limit < 0 {
		<-ctx.Done()
		return
	}
	// Often enough that a short limit is met, seldom enough to cost nothing.
	ticker := time.NewTicker(min(limit/10+time.Millisecond, 15*time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if busy() {
			u.touch()
		} else if u.idle() >= limit {
			return
		}
	}
}
