// Package turn makes requests wait for their turn: so many at once to one host
// and in all, and so far apart to a service that asks for it. Everybody who
// waits can leave. It makes no requests.
package turn

import (
	"context"
	"sync"
	"time"
)

// penalty is how long a service is asked less often after it complained.
const penalty = time.Minute

// Sleep waits, or returns false as soon as ctx is done.
func Sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Every says how far apart the beginnings of requests are at least: without a
// credential, with one, and without one for a minute after a complaint, where
// that is longer.
type Every struct{ Plain, Keyed, Penalty time.Duration }

// Pace keeps the beginnings of requests to one service apart.
type Pace struct {
	every Every
	turn  chan struct{} // holds one while somebody waits for the time
	last  time.Time     // of whoever has the turn

	mu    sync.Mutex
	until time.Time // the end of the penalty
}

// NewPace returns a Pace.
func NewPace(every Every) *Pace { return &Pace{every: every, turn: make(chan struct{}, 1)} }

// Wait waits until a request may begin.
func (p *Pace) Wait(ctx context.Context, keyed bool) error {
	if p.every == (Every{}) {
		return ctx.Err()
	}
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-p.turn }()
	if !p.last.IsZero() && !Sleep(ctx, time.Until(p.last.Add(p.apart(keyed)))) {
		return ctx.Err()
	}
	p.last = time.Now()
	return nil
}

func (p *Pace) apart(keyed bool) time.Duration {
	if keyed {
		return p.every.Keyed
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().Before(p.until) {
		return max(p.every.Plain, p.every.Penalty)
	}
	return p.every.Plain
}

// Complained begins the penalty.
func (p *Pace) Complained() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = time.Now().Add(penalty)
}

// Gates bounds how many requests run at once, to one host and in all.
type Gates struct {
	each int
	all  chan struct{}

	mu    sync.Mutex
	hosts map[string]*gate
}

type gate struct {
	slots chan struct{}
	users int // those who wait and those who run
}

// NewGates lets each host have so many requests at once, and all together so many.
func NewGates(each, all int) *Gates {
	return &Gates{each: each, all: make(chan struct{}, all), hosts: map[string]*gate{}}
}

// Enter waits for a place; leave gives it back.
func (g *Gates) Enter(ctx context.Context, host string) (leave func(), err error) {
	g.mu.Lock()
	h := g.hosts[host]
	if h == nil {
		h = &gate{slots: make(chan struct{}, g.each)}
		g.hosts[host] = h
	}
	h.users++
	g.mu.Unlock()
	forget := func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if h.users--; h.users == 0 {
			delete(g.hosts, host)
		}
	}
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		forget()
		return nil, ctx.Err()
	}
	// The host's place comes first, so that a slow host takes no more than its
	// own share of all.
	select {
	case g.all <- struct{}{}:
	case <-ctx.Done():
		<-h.slots
		forget()
		return nil, ctx.Err()
	}
	return func() {
		<-g.all
		<-h.slots
		forget()
	}, nil
}
