// Package link carries the messages between this program and one server of the
// model context protocol: over the standard streams of a program that it starts,
// or over HTTP to one address and no other. What a server sends is bounded here, in
// size and in number, before anything reads it. The package knows no message.
package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// MaxMessage is the largest message that a server may send, in bytes.
const MaxMessage = 4 << 20

// What a stream may bring at once and from then on: lines are messages, or parts
// of them. Who sends more is read more slowly, and after floodTime no further.
const (
	burstLines = 4000
	burstBytes = 32 << 20
	lineRate   = 200     // a second
	byteRate   = 4 << 20 // a second
	floodTime  = 30 * time.Second
)

var (
	// ErrTooLarge is a message over [MaxMessage].
	ErrTooLarge = fmt.Errorf("the server sent more than %d MB at once", MaxMessage>>20)
	// ErrFlood is a stream that does not stop.
	ErrFlood = errors.New("the server sends without end")
)

// meter is how much a server may still send. It is shared by all streams of one
// connection.
type meter struct {
	mu           sync.Mutex
	lines, bytes float64 // what may come at once; less than nothing is a debt
	at           time.Time
	since        time.Time // when the debt began; zero without one
}

func newMeter() *meter {
	return &meter{lines: burstLines, bytes: burstBytes, at: time.Now()}
}

// take counts what has come, and waits until so much may have come.
func (m *meter) take(ctx context.Context, lines, bytes int) error {
	wait, err := m.count(lines, bytes)
	if err != nil || wait <= 0 {
		return err
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (m *meter) count(lines, bytes int) (time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	passed := now.Sub(m.at).Seconds()
	m.at = now
	m.lines = min(burstLines, m.lines+passed*lineRate) - float64(lines)
	m.bytes = min(burstBytes, m.bytes+passed*byteRate) - float64(bytes)
	debt := max(-m.lines/lineRate, -m.bytes/byteRate, 0)
	switch {
	case debt == 0:
		m.since = time.Time{}
	case m.since.IsZero():
		m.since = now
	case now.Sub(m.since) > floodTime:
		return 0, ErrFlood
	}
	return time.Duration(debt * float64(time.Second)), nil
}

// metered is the body of an answer. One that is a stream may go on for ever, but
// not fast; any other has a size.
type metered struct {
	io.ReadCloser
	ctx    context.Context
	meter  *meter
	stream bool
	left   int // bytes, of what is no stream
	broken func(error)
}

func (b *metered) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	lines := 0
	if b.stream {
		for _, c := range p[:n] {
			if c == '\n' {
				lines++
			}
		}
	} else if b.left -= n; b.left < 0 {
		b.broken(ErrTooLarge)
		return n, ErrTooLarge
	}
	late := b.meter.take(b.ctx, lines, n)
	if errors.Is(late, ErrFlood) {
		b.broken(late)
	}
	if late != nil {
		return n, late
	}
	return n, err
}
