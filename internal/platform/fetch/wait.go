package fetch

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// firstPause is before the first retry; each later one is twice as long.
	firstPause = 500 * time.Millisecond
	// penalty is how long a service is asked less often after it complained.
	penalty = time.Minute
)

// asked reads how long a service wants to be left alone. closed: it has said
// that it answers nothing until then, whether or not the time can be read.
func asked(h http.Header, now time.Time) (wait time.Duration, closed bool) {
	if v := h.Get("Retry-After"); v != "" {
		if s, err := strconv.Atoi(strings.TrimSpace(v)); err == nil {
			return seconds(s), false
		}
		if at, err := http.ParseTime(v); err == nil {
			return max(at.Sub(now), 0), false
		}
	}
	// The Hub: "api";r=0;t=55, one for each quota.
	for policy := range strings.SplitSeq(strings.Join(h.Values("Ratelimit"), ","), ",") {
		left, reset := -1, 0
		for field := range strings.SplitSeq(policy, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
			if n, err := strconv.Atoi(value); err == nil && name == "r" {
				left = n
			} else if err == nil && name == "t" {
				reset = n
			}
		}
		if left == 0 {
			wait = max(wait, seconds(reset))
		}
	}
	if wait > 0 {
		return wait, false
	}
	if h.Get("X-Ratelimit-Remaining") == "0" {
		if at, err := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64); err == nil {
			wait = max(time.Unix(at, 0).Sub(now), 0)
		}
		return wait, true
	}
	return 0, false
}

// seconds is a number of seconds of at most a day.
func seconds(n int) time.Duration {
	return time.Duration(min(max(n, 0), 86_400)) * time.Second
}

// pause decides whether a failed try is repeated, and after how long.
func pause(e *Error, try int, waited time.Duration) (time.Duration, bool) {
	if !e.again || try >= MaxRetries || e.closed && e.Wait == 0 {
		return 0, false
	}
	wait := e.Wait
	if wait == 0 {
		wait = firstPause << try
		wait += rand.N(wait / 2)
	}
	return wait, wait <= MaxOneWait && waited+wait <= MaxWait
}

// sleep waits, or returns false as soon as ctx is done.
func sleep(ctx context.Context, d time.Duration) bool {
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

// pace keeps the beginnings of requests apart. The zero value needs its turn
// made.
type pace struct {
	turn chan struct{} // holds one while somebody waits for the time
	last time.Time     // of whoever has the turn

	mu    sync.Mutex
	until time.Time // the end of the penalty
}

// wait waits for the turn of a request to s.
func (p *pace) wait(ctx context.Context, s *service, keyed bool) error {
	if s.Every == 0 && s.Keyed == 0 && s.Penalty == 0 {
		return ctx.Err()
	}
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-p.turn }()
	if !p.last.IsZero() && !sleep(ctx, time.Until(p.last.Add(p.every(s, keyed)))) {
		return ctx.Err()
	}
	p.last = time.Now()
	return nil
}

func (p *pace) every(s *service, keyed bool) time.Duration {
	if keyed {
		return s.Keyed
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().Before(p.until) {
		return max(s.Every, s.Penalty)
	}
	return s.Every
}

// complained begins the penalty.
func (p *pace) complained() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = time.Now().Add(penalty)
}

// gates bounds how many requests run at once, to one host and in all.
type gates struct {
	all chan struct{}

	mu    sync.Mutex
	hosts map[string]*gate
}

type gate struct {
	slots chan struct{}
	users int // those who wait and those who run
}

func newGates() *gates {
	return &gates{all: make(chan struct{}, MaxInFlight), hosts: map[string]*gate{}}
}

// enter waits for a place; leave gives it back.
func (g *gates) enter(ctx context.Context, host string) (leave func(), err error) {
	g.mu.Lock()
	h := g.hosts[host]
	if h == nil {
		h = &gate{slots: make(chan struct{}, MaxPerHost)}
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
