// Package stream keeps what is told over time, such as log lines, and tells it
// as server-sent events to any number of readers: each gets everything from the
// first entry on, then what comes. It knows neither jobs nor Spaces.
package stream

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
)

const (
	// KeepAlive is how long a stream is silent at most, in simulated or in real
	// time, whichever is over first.
	KeepAlive = 30 * time.Second
	// most is how many bytes of entries a log keeps; later ones are dropped.
	most = 64 << 20
)

// Entry is one event.
type Entry struct {
	Event string          `json:"event,omitempty"`
	Data  json.RawMessage `json:"data"`
}

// Line is the entry of a log line.
func Line(text string, at time.Time) Entry {
	return JSON("", struct {
		Data      string `json:"data"`
		Timestamp string `json:"timestamp"`
	}{text, clock.Format(at)})
}

// JSON is an entry with v, which must be encodable, as its data.
func JSON(event string, v any) Entry {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return Entry{Event: event, Data: bytes.TrimSpace(buf.Bytes())}
}

// Log keeps entries. The zero value is an open one; it is safe for concurrent
// use.
type Log struct {
	mu      sync.Mutex
	entries []Entry
	size    int
	ended   bool
	wake    chan struct{} // closed at the next change; made by who waits
}

// Add appends an entry, unless the log has ended or is full.
func (l *Log) Add(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || l.size > most {
		return
	}
	l.size += len(e.Data)
	l.entries = append(l.entries, e)
	l.stir()
}

// End says that nothing follows: its readers' streams end.
func (l *Log) End() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.stir()
}

// Restart empties the log and opens it again; its readers' streams end.
func (l *Log) Restart() *Log {
	l.End()
	return &Log{}
}

func (l *Log) stir() {
	if l.wake != nil {
		close(l.wake)
		l.wake = nil
	}
}

// Entries returns all of them.
func (l *Log) Entries() []Entry {
	entries, _, _ := l.after(0)
	return entries
}

// Load puts entries into an empty log.
func (l *Log) Load(entries []Entry) {
	for _, e := range entries {
		l.Add(e)
	}
}

// after returns the entries after the first n, whether they are the last, and
// what is closed when that changes.
func (l *Log) after(n int) (entries []Entry, ended bool, wake <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wake == nil {
		l.wake = make(chan struct{})
	}
	return l.entries[min(n, len(l.entries)):len(l.entries):len(l.entries)], l.ended, l.wake
}

// Server writes streams until over is closed.
type Server struct {
	Clock *clock.Clock
	Over  <-chan struct{}
}

// Log answers r with the entries of l, the last tail ones only when tail is
// positive, until the log ends or the reader goes.
func (s Server) Log(w http.ResponseWriter, r *http.Request, l *Log, tail int) {
	out := begin(w)
	sent := 0
	if entries, _, _ := l.after(0); tail > 0 {
		sent = max(0, len(entries)-tail)
	}
	quiet := s.beat(KeepAlive)
	defer quiet.stop()
	for {
		entries, ended, wake := l.after(sent)
		for _, e := range entries {
			if !out.entry(e) {
				return
			}
		}
		sent += len(entries)
		if !out.flush() || ended {
			return
		}
		if len(entries) > 0 {
			quiet.restart()
		}
		select {
		case <-wake:
		case <-quiet.c:
			quiet.restart()
			if !out.comment() {
				return
			}
		case <-r.Context().Done():
			return
		case <-s.Over:
			return
		}
	}
}

// Samples answers r with what next returns, at once and then every second of
// simulated or real time; while next has nothing, only comments are sent.
func (s Server) Samples(w http.ResponseWriter, r *http.Request, next func() (Entry, bool)) {
	out := begin(w)
	second, quiet := s.beat(time.Second), s.beat(KeepAlive)
	defer second.stop()
	defer quiet.stop()
	for {
		if e, ok := next(); ok {
			if !out.entry(e) || !out.flush() {
				return
			}
			quiet.restart()
		}
		select {
		case <-second.c:
			second.restart()
		case <-quiet.c:
			quiet.restart()
			if !out.comment() {
				return
			}
		case <-r.Context().Done():
			return
		case <-s.Over:
			return
		}
	}
}

// writer writes an event stream.
type writer struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

func begin(w http.ResponseWriter) writer {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	out := writer{w, http.NewResponseController(w)}
	out.flush()
	return out
}

// entry reports whether the reader is still there, as do the others.
func (o writer) entry(e Entry) bool {
	var b bytes.Buffer
	if e.Event != "" {
		b.WriteString("event: " + e.Event + "\n")
	}
	b.WriteString("data: ")
	b.Write(e.Data)
	b.WriteString("\n\n")
	_, err := o.w.Write(b.Bytes())
	return err == nil
}

func (o writer) comment() bool {
	_, err := o.w.Write([]byte(": keep-alive\n\n"))
	return err == nil && o.flush()
}

func (o writer) flush() bool { return o.rc.Flush() == nil }

// beat ticks after a time, simulated or real.
type beat struct {
	clock     *clock.Clock
	d         time.Duration
	c         chan struct{}
	simulated *clock.Timer
	real      *time.Timer
}

func (s Server) beat(d time.Duration) *beat {
	b := &beat{clock: s.Clock, d: d, c: make(chan struct{}, 1)}
	b.start()
	return b
}

func (b *beat) start() {
	tick := func() {
		select {
		case b.c <- struct{}{}:
		default:
		}
	}
	b.simulated = b.clock.AfterFunc(b.d, tick)
	b.real = time.AfterFunc(b.d, tick)
}

func (b *beat) stop() {
	b.simulated.Stop()
	b.real.Stop()
}

func (b *beat) restart() {
	b.stop()
	select {
	case <-b.c:
	default:
	}
	b.start()
}
