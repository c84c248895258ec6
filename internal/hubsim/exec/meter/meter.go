// Package meter counts the started minutes of something that costs money by the
// minute, on the simulator's clock. It knows neither accounts nor prices: who
// starts a meter books the minutes.
package meter

import (
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
)

// Options of a meter.
type Options struct {
	Clock *clock.Clock
	// Book is told of each started minute, with their number so far; false
	// means that it cannot be paid: the meter stops, the minute does not count.
	Book func(minutes int64) bool
	// Empty is called after a refused minute.
	Empty func()
}

// Meter runs from Start to Stop.
type Meter struct {
	o Options

	mu      sync.Mutex
	minutes int64
	timer   *clock.Timer
	stopped bool
}

// Start begins with the first minute at once. Book and Empty may be called
// before it returns, and later in the clock's goroutine.
func Start(o Options) *Meter {
	m := &Meter{o: o}
	m.minute()
	return m
}

func (m *Meter) minute() {
	m.mu.Lock()
	if m.stopped {
		m.mu.Unlock()
		return
	}
	m.minutes++
	n := m.minutes
	m.timer = m.o.Clock.AfterFunc(time.Minute, m.minute)
	m.mu.Unlock()
	if m.o.Book(n) {
		return
	}
	m.mu.Lock()
	m.minutes--
	m.mu.Unlock()
	m.Stop()
	m.o.Empty()
}

// Stop ends the counting and returns the started minutes. It may be called
// again.
func (m *Meter) Stop() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopped = true
	m.timer.Stop()
	return m.minutes
}

// Minutes are the started ones so far.
func (m *Meter) Minutes() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.minutes
}
