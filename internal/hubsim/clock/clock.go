// Package clock is the simulator's time and its source of ids: everything that
// would differ between two equal runs comes from here. It knows nothing of what
// is stamped, and nothing of the Hub.
package clock

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Start is the first moment of a simulated time.
var Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Layout is how the Hub writes times: UTC with milliseconds.
const Layout = "2006-01-02T15:04:05.000Z"

// Format writes t as the Hub does.
func Format(t time.Time) string { return t.UTC().Format(Layout) }

// Options of a clock.
type Options struct {
	// Scale is how many simulated seconds pass in a real one; 0 is a clock
	// that moves only by Advance and by Stamp.
	Scale float64
	// Start is the first moment; zero is Start for a manual clock and now for
	// others.
	Start time.Time
	// Seed makes ids and secrets of different instances differ.
	Seed uint64
}

// Clock tells the simulated time. It is safe for concurrent use.
type Clock struct {
	scale  float64
	origin time.Time // real time of start

	mu      sync.Mutex
	start   time.Time
	now     time.Time // manual: the time; others: the newest stamp
	timers  []*Timer  // waiting
	counter uint64
	seed    uint64
	source  *rand.PCG
	rand    *rand.Rand
	stopped bool
	running sync.WaitGroup // functions of timers
}

// New returns a running clock.
func New(o Options) *Clock {
	if o.Start.IsZero() {
		o.Start = Start
		if o.Scale != 0 {
			o.Start = time.Now().UTC()
		}
	}
	source := rand.NewPCG(o.Seed, 0x68756273696d)
	return &Clock{
		scale: o.Scale, origin: time.Now(), start: o.Start, now: o.Start.Truncate(time.Millisecond),
		seed: o.Seed, source: source, rand: rand.New(source),
	}
}

// Now is the simulated time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read()
}

func (c *Clock) read() time.Time {
	if c.scale == 0 {
		return c.now
	}
	return c.start.Add(time.Duration(float64(time.Since(c.origin)) * c.scale))
}

// Stamp is the time of an event that is stored: a millisecond after every
// earlier stamp at least, so that the order of events is the order of times.
func (c *Clock) Stamp() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := c.now.Add(time.Millisecond)
	if t := c.read().Truncate(time.Millisecond); c.scale != 0 && t.After(next) {
		next = t
	}
	c.now = next
	return next
}

// Timer is a function that waits for its time.
type Timer struct {
	clock *Clock
	at    time.Time
	f     func()
	real  *time.Timer
	done  bool
}

// AfterFunc runs f after d of simulated time: within Advance on a manual clock,
// in a goroutine of its own on others.
func (c *Clock) AfterFunc(d time.Duration, f func()) *Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &Timer{clock: c, at: c.read().Add(d), f: f}
	if c.stopped {
		t.done = true
		return t
	}
	c.timers = append(c.timers, t)
	if c.scale == 0 {
		return t
	}
	t.real = time.AfterFunc(time.Duration(float64(d)/c.scale), func() {
		if t.claim() {
			defer c.running.Done()
			f()
		}
	})
	return t
}

// forget takes a timer off the list; the caller holds the lock.
func (c *Clock) forget(t *Timer) {
	if i := slices.Index(c.timers, t); i >= 0 {
		c.timers = slices.Delete(c.timers, i, i+1)
	}
}

// claim takes the right to run the function.
func (t *Timer) claim() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	if t.done || t.clock.stopped {
		return false
	}
	t.done = true
	t.clock.forget(t)
	t.clock.running.Add(1)
	return true
}

// Stop keeps the function from running; it reports whether it was in time.
func (t *Timer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	if t.done {
		return false
	}
	t.done = true
	if t.real != nil {
		t.real.Stop()
	}
	t.clock.forget(t)
	return true
}

// Advance moves a manual clock and runs what falls due, in order of time, each
// at its own moment; it returns when all of it has run. On other clocks it
// moves the simulated time forward, and what falls due runs at once in
// goroutines of its own. A function of a timer must not call it.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	if c.scale != 0 {
		c.start = c.start.Add(d)
		now := c.read()
		for _, t := range c.timers {
			t.real.Reset(max(0, time.Duration(float64(t.at.Sub(now))/c.scale)))
		}
		c.mu.Unlock()
		return
	}
	end := c.now.Add(d)
	for {
		next := c.earliest(end)
		if next == nil {
			break
		}
		if next.at.After(c.now) {
			c.now = next.at
		}
		c.running.Add(1)
		c.mu.Unlock()
		next.f()
		c.running.Done()
		c.mu.Lock()
	}
	if end.After(c.now) {
		c.now = end
	}
	c.mu.Unlock()
}

// earliest takes the first timer due by end off the list.
func (c *Clock) earliest(end time.Time) *Timer {
	best := -1
	for i, t := range c.timers {
		if !t.at.After(end) && (best < 0 || t.at.Before(c.timers[best].at)) {
			best = i
		}
	}
	if best < 0 || c.stopped {
		return nil
	}
	t := c.timers[best]
	c.forget(t)
	t.done = true
	return t
}

// Stop ends all timers and waits for the functions that run.
func (c *Clock) Stop() {
	c.mu.Lock()
	c.stopped = true
	for _, t := range c.timers {
		if t.real != nil {
			t.real.Stop()
		}
	}
	c.timers = nil
	c.mu.Unlock()
	c.running.Wait()
}

// ID returns the next id in the Hub's form: 24 hexadecimal digits, the time in
// seconds first.
func (c *Clock) ID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counter++
	return fmt.Sprintf("%08x%04x%012x", uint32(c.read().Unix()), uint16(c.seed), c.counter)
}

// Random fills p from the seeded generator.
func (c *Clock) Random(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range p {
		p[i] = byte(c.rand.Uint32())
	}
}
