package toolserver

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/remote/wire"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

const (
	// feedSize is how much output a client may be behind before some of it is
	// skipped for it, in bytes.
	feedSize = 64 << 10
	// flush is the pause between two output events.
	flush = 50 * time.Millisecond
	// stuck is how long a client may take no bytes.
	stuck = 30 * time.Second
)

// run is a command that clients follow, and come back to.
type run struct {
	begun  chan struct{} // closed when status, or err, counts
	status workspace.Status
	err    error // it has not started
	file   func() string
	over   chan struct{} // closed when the outcome counts

	mu      sync.Mutex
	total   int64
	feed    []byte        // the end of the output
	changed chan struct{} // closed when there is more
	outcome workspace.Outcome
}

func newRun() *run {
	return &run{begun: make(chan struct{}), over: make(chan struct{}), changed: make(chan struct{})}
}

// write takes output. It is the Output of the command.
func (r *run) write(p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total += int64(len(p))
	if n := len(p) - feedSize; n > 0 {
		p = p[n:]
	}
	r.feed = append(r.feed, p...)
	if n := len(r.feed) - feedSize; n > 0 {
		r.feed = append(r.feed[:0], r.feed[n:]...)
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

// ended reports whether the outcome counts.
func (r *run) ended() bool {
	select {
	case <-r.over:
		return true
	default:
		return false
	}
}

// news is what is new after a number of bytes.
type news struct {
	event   wire.Event // an output event, or one without data
	at      int64      // how far it goes
	changed <-chan struct{}
	ended   bool
}

func (r *run) since(after int64) news {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := news{at: r.total, changed: r.changed, ended: r.ended()}
	start := r.total - int64(len(r.feed))
	text := r.feed
	if after > start {
		text = text[min(after-start, int64(len(text))):]
	}
	skipped := max(0, start-after)
	for skipped > 0 && len(text) > 0 && !utf8.RuneStart(text[0]) {
		text, skipped = text[1:], skipped+1
	}
	if !n.ended { // the rest of a character is still to come
		whole := len(wholeRunes(text))
		n.at -= int64(len(text) - whole)
		text = text[:whole]
	}
	n.event = wire.Event{Event: wire.Output, Data: string(text), Skipped: skipped, Total: n.at}
	return n
}

// wholeRunes is text without the beginning of a character at its end.
func wholeRunes(text []byte) []byte {
	for back := 1; back < utf8.UTFMax && back <= len(text); back++ {
		if last := text[len(text)-back:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				return text[:len(text)-back]
			}
			break
		}
	}
	return text
}

// exec starts a command, or comes back to one, and follows it.
func (s *Server) exec(w http.ResponseWriter, r *http.Request) {
	var p wire.ExecRequest
	if !decode(w, r, &p) {
		return
	}
	id, err := requestID(r)
	if err == nil && id == "" {
		err = &workspace.Fault{Kind: workspace.Invalid, Reason: wire.RequestID + " is needed: a command has the id of its request"}
	}
	if err == nil && p.Session != "" {
		err = wire.CheckID("session", p.Session)
	}
	if err == nil && strings.TrimSpace(p.Command) == "" {
		err = &workspace.Fault{Kind: workspace.Invalid, Reason: "command is empty: give the command line to run"}
	}
	if err != nil {
		fail(w, err)
		return
	}
	e, first, err := s.replays.claim(id, r.Method+" "+r.URL.Path, r.Header.Get(wire.Replay) == "only")
	if err != nil {
		fail(w, err)
		return
	}
	if first {
		s.start(e, p)
	}
	select {
	case <-e.run.begun:
	case <-r.Context().Done():
		return
	}
	if e.run.err != nil {
		fail(w, e.run.err)
		return
	}
	follow(w, r, e.run, p)
}

// start starts the command of e and sees it to its end, whoever follows it.
func (s *Server) start(e *replay, p wire.ExecRequest) {
	r := e.run
	c := workspace.Command{
		ID: e.id, Session: cmp.Or(p.Session, firstSession), Line: p.Command, Dir: p.WorkDir,
		Limit: time.Duration(p.Timeout * float64(time.Second)), Background: p.Background,
	} // nothing is kept when the server ends: the machine ends with it
	if !p.Background {
		c.Output = r.write
	}
	started, err := s.machine.Start(s.life, c)
	if err == nil {
		r.status = started.Status()
		r.file = func() string { _, file := started.Progress(); return file }
	}
	r.err = err
	close(r.begun)
	if err != nil || p.Background {
		s.replays.finish(e)
		return
	}
	s.spawn(func() {
		out, err := started.Wait(s.life)
		if err != nil {
			out.Ending = workspace.Cancelled
		}
		r.mu.Lock()
		r.outcome = out
		r.mu.Unlock()
		close(r.over)
		s.replays.finish(e)
	})
}

// follow tells a client of a command until it has ended or the client is gone.
func follow(w http.ResponseWriter, r *http.Request, run *run, p wire.ExecRequest) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("X-Accel-Buffering", "no") // gateways hold nothing back
	out := &lines{w: w, control: http.NewResponseController(w)}
	out.send(wire.Event{Event: wire.Start, Status: &run.status})
	if p.Background {
		return
	}
	ping := time.NewTicker(wire.Ping)
	defer ping.Stop()
	for after := p.After; out.err == nil; {
		n := run.since(after)
		if n.at > after {
			if n.at > feedSize {
				n.event.File = run.file() // memory alone does not have it
			}
			out.send(n.event)
			after = n.at
		}
		if n.ended {
			out.send(wire.Event{Event: wire.Exit, ExitEvent: wire.ExitOf(run.outcome)})
			return
		}
		select {
		case <-n.changed:
			select { // what comes right after goes with it
			case <-time.After(flush):
			case <-run.over:
			case <-r.Context().Done():
				return
			}
		case <-run.over:
		case <-ping.C:
			out.send(wire.Event{Event: wire.Alive, Total: n.at})
		case <-r.Context().Done():
			return
		}
	}
}

// lines writes events. After an error it writes nothing more.
type lines struct {
	w       http.ResponseWriter
	control *http.ResponseController
	err     error
}

func (l *lines) send(e wire.Event) {
	if l.err != nil {
		return
	}
	_ = l.control.SetWriteDeadline(time.Now().Add(stuck)) // not every connection has one
	enc := json.NewEncoder(l.w)
	enc.SetEscapeHTML(false)
	l.err = errors.Join(enc.Encode(e), l.control.Flush())
}
