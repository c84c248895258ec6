package turn

import (
	"context"
	"sync"
	"time"
)

// Patience counts how long somebody has waited between tries, of one request or
// of several that belong together: waits side by side count once. The zero
// value has not waited yet.
type Patience struct {
	mu      sync.Mutex
	waiting int
	since   time.Time // when the first of those waiting began
	spent   time.Duration
}

type patienceKey struct{}

// WithPatience makes the requests of ctx share one Patience.
func WithPatience(ctx context.Context) context.Context {
	return context.WithValue(ctx, patienceKey{}, &Patience{})
}

// PatienceOf is the Patience that the requests of ctx share, else a new one.
func PatienceOf(ctx context.Context) *Patience {
	if p, ok := ctx.Value(patienceKey{}).(*Patience); ok {
		return p
	}
	return &Patience{}
}

// Spent is how long was waited so far.
func (p *Patience) Spent() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting > 0 {
		return p.spent + time.Since(p.since)
	}
	return p.spent
}

// Sleep waits and counts it, or returns false as soon as ctx is done.
func (p *Patience) Sleep(ctx context.Context, d time.Duration) bool {
	p.mu.Lock()
	if p.waiting++; p.waiting == 1 {
		p.since = time.Now()
	}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.waiting--; p.waiting == 0 {
			p.spent += time.Since(p.since)
		}
	}()
	return Sleep(ctx, d)
}
