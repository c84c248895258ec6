// Package trace sends sessions to the Hub: the conversation to the user's own
// data set and, where that is wanted, its counters to a shared one. It follows a
// session, notes in a queue on disk what is to be sent, and sends it from the
// journal, scrubbed once more. What could not be sent stays in the queue, for
// this process, for another one or for the next start. It knows neither settings
// nor who is logged in: where things go, and what they look like there, is given
// to it.
package trace

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Rhythm says when a session is sent that goes on.
type Rhythm struct {
	// Turns is after how many turns; 0 or less is not before the end.
	Turns int
	// Heartbeat is how long a change waits within a turn, and at least Between
	// lies between two such uploads; 0 or less is not within a turn.
	Heartbeat time.Duration
}

const (
	// Between is the least time between two uploads within a turn.
	Between = 5 * time.Minute
	// endWait is how long the end of a session may wait for its upload.
	endWait = 5 * time.Second
)

// Follow gives a session's events after a number, as a journal does.
type Follow func(ctx context.Context, after int64) iter.Seq2[event.Event, error]

// Follow sends a session while it goes on and at its end: until its events end,
// and for at most 5 s more. A session in which nothing happens behind the event
// after is left alone.
func (u *Uploader) Follow(ctx context.Context, session string, after int64, r Rhythm, follow Follow) error {
	f := &following{u: u, session: session, rhythm: r, seen: make(chan struct{}, 1)}
	if record, ok, err := u.o.Queue.Load(session); err == nil && ok {
		for _, item := range record.Items {
			if item.At.After(f.sent) {
				f.sent = item.At
			}
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- f.collect(ctx, after, follow) }()
	return f.run(context.WithoutCancel(ctx), ended)
}

// following is one session that is followed.
type following struct {
	u       *Uploader
	session string
	rhythm  Rhythm
	seen    chan struct{} // holds a token when there is news

	mu    sync.Mutex // guards what the collector tells
	state news

	// What follows belongs to run.
	marked int64     // up to where the queue knows of it
	sent   time.Time // when something was sent last
	retry  time.Time // when it may be tried again, zero for no particular time
}

// news is what has happened since the newest upload began.
type news struct {
	seq   int64     // of the newest change that is to be seen; 0 for none
	since time.Time // of the first of them
	turns int       // that have ended
	gate  bool      // one has opened
	acted bool      // a person has done something, in this run
}

// collect takes in events until there are no more.
func (f *following) collect(ctx context.Context, after int64, follow Follow) error {
	for ev, err := range follow(ctx, after) {
		if err != nil {
			return fmt.Errorf("upload of session %s: %w", f.session, err)
		}
		if f.take(ev) {
			select {
			case f.seen <- struct{}{}:
			default: // it looks at everything at once
			}
		}
		if ev.Type == event.TypeNewComplete {
			return nil
		}
	}
	return nil
}

// take reports whether an event matters.
func (f *following) take(ev event.Event) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &f.state
	switch ev.Type {
	case event.TypeTurnStarted, event.TypeTurnResumed, event.TypeUndoComplete, event.TypeTruncateComplete, event.TypeRedoComplete:
		s.acted = true
	}
	switch ev.Type {
	case event.TypeHistoryMessage, event.TypeHistoryRewritten, event.TypeToolOutput, event.TypeLLMCall,
		event.TypeJobSubmit, event.TypeJobComplete, event.TypeSandboxCreate, event.TypeSandboxDestroy:
		if s.seq == 0 {
			s.since = time.Now()
		}
		s.seq = ev.Seq
	case event.TypeTurnComplete, event.TypeInterrupted, event.TypeError:
		s.turns++
	case event.TypeApprovalRequired:
		s.gate = true
	case event.TypeUndoComplete, event.TypeTruncateComplete, event.TypeRedoComplete:
		s.turns = max(s.turns, f.rhythm.Turns) // what was taken back goes at once
	default:
		return false
	}
	return s.acted
}

// look is what has happened; with take it counts as seen to.
func (f *following) look(take bool) news {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.state
	if take {
		f.state = news{acted: s.acted}
	}
	return s
}

// run sends when it is due, until the events have ended.
func (f *following) run(ctx context.Context, ended <-chan error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var beside sync.WaitGroup
	defer beside.Wait()
	rest, stopRest := context.WithCancel(ctx)
	defer stopRest()
	beside.Go(func() { f.u.rest(rest) })

	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var sending chan []Outcome // nil while nothing is sent
	for {
		select {
		case err := <-ended:
			timeout := time.AfterFunc(endWait, cancel)
			defer timeout.Stop()
			f.finish(ctx, time.Now().Add(endWait), sending)
			return err // what earlier runs have left stays for the next
		case <-f.seen:
			f.mark(ctx)
		case <-timer.C:
		case out := <-sending:
			sending = nil
			f.took(out)
			f.mark(ctx)
		}
		if sending != nil {
			continue
		}
		if wait := f.due(time.Now()); wait > 0 {
			timer.Reset(wait)
			continue
		}
		sending = make(chan []Outcome, 1)
		out := sending
		f.begin(ctx)
		beside.Go(func() { out <- f.u.Send(ctx, f.session, false) })
	}
}

// never is the wait for what does not come by itself.
const never = 24 * time.Hour

// due is how long the next upload has to wait, 0 for none.
func (f *following) due(now time.Time) time.Duration {
	s := f.look(false)
	if !s.acted {
		return never
	}
	at := now.Add(never)
	if !f.retry.IsZero() {
		at = f.retry
	}
	switch {
	case f.rhythm.Turns > 0 && s.turns >= f.rhythm.Turns:
		at = now
	case s.seq > 0 && f.rhythm.Heartbeat > 0:
		next := s.since.Add(f.rhythm.Heartbeat)
		if s.gate {
			next = now
		}
		if after := f.sent.Add(Between); after.After(next) {
			next = after
		}
		if next.Before(at) {
			at = next
		}
	}
	return max(0, at.Sub(now))
}

// mark notes in the queue, before anything is sent, that there is something: it
// is found there if this process dies.
func (f *following) mark(ctx context.Context) {
	if s := f.look(false); s.acted && s.seq > 0 && f.marked == 0 {
		f.want(ctx, s.seq)
	}
}

// want notes that the session is to be sent up to an event.
func (f *following) want(ctx context.Context, seq int64) {
	if seq <= f.marked {
		return
	}
	all := f.u.o.Wanted(ctx)
	for _, wanted := range all {
		if err := f.u.o.Queue.Mark(ctx, f.session, wanted, seq); err != nil {
			f.u.o.Log.Warn("an upload was not queued", "session_id", f.session, "error", err)
			return
		}
		f.marked = seq
	}
	if len(all) > 0 {
		f.u.o.Changed(f.session)
	}
}

// begin takes what has happened so far as sent.
func (f *following) begin(ctx context.Context) {
	s := f.look(true)
	f.want(ctx, s.seq)
	f.retry = time.Time{}
}

// took looks at what became of an upload. What is left is marked anew when more
// happens.
func (f *following) took(all []Outcome) {
	f.marked = 0
	for _, out := range all {
		if out.Sent || out.Same {
			f.sent = time.Now()
		}
		if !out.Until.IsZero() && (f.retry.IsZero() || out.Until.Before(f.retry)) {
			f.retry = out.Until
		}
	}
}

// finish sends what is left until deadline, when ctx ends.
func (f *following) finish(ctx context.Context, deadline time.Time, sending <-chan []Outcome) {
	if sending != nil {
		f.took(<-sending)
	}
	f.mark(ctx)
	for ctx.Err() == nil {
		s := f.look(false)
		if !s.acted || s.seq == 0 && f.retry.IsZero() || f.away() || f.retry.After(deadline) {
			return
		}
		if wait := time.Until(f.retry); wait > 0 {
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return
			}
		}
		f.begin(ctx)
		f.took(f.u.Send(ctx, f.session, false))
	}
}

// away reports whether a place was out of reach just now.
func (f *following) away() bool {
	places, err := f.u.o.Queue.Places()
	if err != nil {
		return true
	}
	for _, p := range places {
		if p.Away && time.Now().Before(p.NotBefore) {
			return true
		}
	}
	return false
}
