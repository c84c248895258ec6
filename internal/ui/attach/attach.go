// Package attach joins a session and the user interfaces that show it, across
// the boundary of a process: a host serves its session on a Unix socket, clients
// read its events and hand it operations. What goes over the wire is what the
// journal says anyway; the package knows neither what events mean nor where
// they are kept.
package attach

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/attach/audience"
)

// Session is a session as a user interface knows it, in this process or in
// another one.
type Session interface {
	// Submit hands over an operation; input is on disk when it returns nil.
	Submit(ctx context.Context, sub event.Submission) error
	// Interrupt ends the running turn.
	Interrupt()
	// Follow yields each event of the session that Info names numbered above
	// after, once and in order. It ends when ctx is done, when the session has
	// ended, or when the conversation goes on in another session (operations new
	// and resume): Info then names that one, and a new Follow reads it.
	Follow(ctx context.Context, after int64) iter.Seq2[event.Event, error]
	// Seen tells that a person has been shown everything up to event seq of a
	// chapter, and whether somebody looks at the screen.
	Seen(chapter int, seq int64, watched bool)
	// Err is why the session ended, or that it was lost; nil while it runs, and
	// after a shutdown.
	Err() error
	// Info describes the session that Follow reads.
	Info() Info
	// Done is closed when nothing can be asked of the session any more.
	Done() <-chan struct{}
	// Detach leaves the session, which goes on without us.
	Detach() error
	// Quit ends the session, interrupting what it does, and waits for that.
	Quit(ctx context.Context) error
	// Close leaves like a terminal that was closed: whether the session goes on
	// is for its host to say. It does nothing after Detach and Quit.
	Close() error
}

// Info describes a session.
type Info struct {
	SessionID string `json:"session_id"`
	// Chapter counts, from 0, the sessions that a host has had: the operations
	// new and resume begin another one.
	Chapter  int            `json:"chapter"`
	Title    string         `json:"title,omitempty"`
	Cwd      string         `json:"cwd"`
	Settings event.Settings `json:"settings"`
	// After is the number of the newest event before the host took the session
	// up, LastSeq of the newest event of all.
	After   int64     `json:"after"`
	LastSeq int64     `json:"last_seq"`
	Tools   []string  `json:"tools"`
	Version string    `json:"version"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"` // of the host's work on this session
	// Unfinished says that a turn was cut short before this run.
	Unfinished bool `json:"unfinished,omitempty"`
	// State is what the session did when it was asked, CostUSD what it had spent
	// by then, reservations included; CostIncomplete says that some of that is
	// not known.
	State          State   `json:"state"`
	CostUSD        float64 `json:"cost_usd"`
	CostIncomplete bool    `json:"cost_incomplete,omitempty"`
	// Terminals is how many terminals were attached when it was asked.
	Terminals int `json:"terminals,omitempty"`
}

// State is what a session does.
type State string

// The states.
const (
	Working State = "working"
	Waiting State = "waiting for approval"
	Idle    State = "idle"
)

// Host is what a session must offer to be attached to. Its methods may be
// called from any goroutine.
type Host interface {
	Submit(ctx context.Context, sub event.Submission) error
	Interrupt()
	Err() error
	// Info describes a chapter; Newest means the one that runs. ok is false for
	// a chapter that has not begun.
	Info(chapter int) (info Info, ok bool)
	// Follow yields the events of a chapter numbered above after and ends with
	// it; the next chapter is there by then.
	Follow(ctx context.Context, chapter int, after int64) iter.Seq2[event.Event, error]
	// Shutdown ends the session, interrupting what it does, and returns when it
	// has ended; it may be called more than once.
	Shutdown(ctx context.Context) error
	// Ended is closed when the session takes nothing any more.
	Ended() <-chan struct{}
}

// Watched is a host that wants to know who looks.
type Watched interface {
	Host
	Audience() *audience.Audience
}

// join adds a screen to the audience of a host; nil where it has none.
func join(h Host) *audience.View {
	if w, ok := h.(Watched); ok {
		return w.Audience().Join(true)
	}
	return nil
}

// Newest is the chapter that runs.
const Newest = -1

// ErrLeft is what a session says to whoever has left it.
var ErrLeft = errors.New("this terminal has left the session")

// position is the chapter somebody reads, and what its events have said since.
type position struct {
	mu   sync.Mutex
	info Info
}

func (p *position) at() Info {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.info
}

// turn goes on to a later chapter.
func (p *position) turn(next Info) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if next.Chapter > p.info.Chapter {
		p.info = next
	}
}

// saw keeps what an event of the chapter says about the session.
func (p *position) saw(chapter int, ev event.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if chapter != p.info.Chapter || ev.Seq <= p.info.LastSeq {
		return
	}
	p.info.LastSeq = ev.Seq
	switch ev.Type {
	case event.TypeSettings:
		if set, err := event.Decode[event.Settings](ev); err == nil {
			p.info.Settings = set
		}
	case event.TypeRenamed:
		if named, err := event.Decode[event.Renamed](ev); err == nil {
			p.info.Title = named.Title
		}
	}
}
