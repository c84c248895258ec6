// Package pace tells the lines of a job in a few events a second. It does not
// know who listens.
package pace

import (
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	// interval is the shortest time between two events.
	interval = 200 * time.Millisecond
	// limit bounds one event, in bytes.
	limit = 4 << 10
)

// Teller collects lines. It is safe for concurrent use.
type Teller struct {
	tell func(string)

	mu     sync.Mutex
	lines  []string
	size   int // bytes of lines
	left   int // lines that did not fit
	last   time.Time
	timer  *time.Timer
	closed bool
}

// New returns a teller. It is to be closed.
func New(tell func(string)) *Teller { return &Teller{tell: tell} }

// Line tells a line, at once or a moment later together with others. Of a flood
// the newest lines are told.
func (t *Teller) Line(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	if len(line) > limit {
		line = strings.ToValidUTF8(line[:limit], "") + "…"
	}
	t.lines = append(t.lines, line)
	t.size += len(line) + 1
	for t.size > limit && len(t.lines) > 1 {
		t.size -= len(t.lines[0]) + 1
		t.lines = t.lines[1:]
		t.left++
	}
	if rest := interval - time.Since(t.last); rest <= 0 {
		t.flush()
	} else if t.timer == nil {
		t.timer = time.AfterFunc(rest, t.due)
	}
}

func (t *Teller) due() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer = nil
	if !t.closed {
		t.flush()
	}
}

// Close tells what is left. Nothing is told after it has returned.
func (t *Teller) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil {
		t.timer.Stop()
	}
	if !t.closed {
		t.flush()
	}
	t.closed = true
}

func (t *Teller) flush() {
	if len(t.lines) == 0 {
		return
	}
	text := strings.Join(t.lines, "\n")
	if t.left > 0 {
		text = "…\n" + text
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	t.lines, t.size, t.left, t.last = nil, 0, 0, time.Now()
	t.tell(text)
}
