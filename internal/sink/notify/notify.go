// Package notify tells people who look elsewhere what a session comes to. It
// follows the session, has messages worded, keeps them in an outbox until they
// are delivered, and has a worker for every destination, so that one that is dead
// delays nobody. It knows neither configuration nor any gateway's own ways.
package notify

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/sink/notify/compose"
	"github.com/ml-intern/ml-intern/internal/sink/notify/outbox"
)

const (
	// flushWait is how long the end of a session waits for messages.
	flushWait = 4500 * time.Millisecond
	// shownWait is how long a screen may take to show what a message repeats.
	shownWait = 2 * time.Second
)

// Destination is a receiver of messages.
type Destination struct {
	outbox.Destination
	Gateway messaging.Gateway
	// Thread lets the messages of a session follow its first.
	Thread bool
}

// Cursor remembers how far each session has been followed.
type Cursor interface {
	Load(session string) (int64, error)
	Save(session string, seq int64) error
}

// Options make a Post.
type Options struct {
	// Dir is the outbox on disk; empty keeps messages in memory.
	Dir          string
	Destinations []Destination
	// Threads are those of all who send; nil keeps own ones.
	Threads *outbox.Threads
	// Cursor is nil where sessions are kept in memory.
	Cursor Cursor
	// Types are the kinds of messages that are wanted, of compose.
	Types []string
	// Long is how long a turn may bring no answer before that is told; Quiet how
	// long it must have taken to be told to a person who looks at it.
	Long, Quiet time.Duration
	// Project is what is worked on, Hub the address at which Spaces are seen.
	Project, Hub string
	Headless     bool
	// Scrub takes secrets out of a text.
	Scrub func(text string) string
	// Warn tells a person a line.
	Warn func(line string)
	Log  *slog.Logger
}

// Session is what a Post follows.
type Session struct {
	ID string
	// After is the number of the newest event before this run.
	After  int64
	Follow func(ctx context.Context, after int64) iter.Seq2[event.Event, error]
	// Shown returns when a screen shows event seq, or when there is none; nil
	// where nobody can tell.
	Shown func(ctx context.Context, seq int64)
	// Watched reports whether a person looks at the session; nil where nobody
	// can tell.
	Watched func() bool
}

// Post sends the messages of the sessions of one process.
type Post struct {
	o       Options
	box     *outbox.Outbox
	threads *outbox.Threads

	life    sync.Mutex // one enters or leaves at a time; guards what follows
	users   int
	workers sync.WaitGroup
	cancel  context.CancelFunc
	hurry   chan struct{} // closed when the session ends

	mu     sync.Mutex // guards warned
	warned map[string]bool
}

// New returns a Post.
func New(o Options) (*Post, error) {
	if o.Scrub == nil || o.Warn == nil || o.Log == nil || o.Long <= 0 {
		return nil, errors.New("make the notifications: a scrubber, a warner, a log and a time for long turns are needed")
	}
	if o.Threads == nil {
		o.Threads = outbox.NewThreads(o.Dir)
	}
	return &Post{o: o, box: outbox.New(o.Dir, o.Log), threads: o.Threads, warned: map[string]bool{}}, nil
}

// Run follows a session to its end, and then waits a few seconds for what is
// still to be delivered; the rest is for the next run.
func (p *Post) Run(ctx context.Context, s Session) error {
	p.enter()
	defer p.leave()
	from := s.After
	if p.o.Cursor != nil {
		if seq, err := p.o.Cursor.Load(s.ID); err != nil {
			p.o.Log.Warn("where the notifications stopped is not known", "error", err)
		} else if seq > 0 {
			from = seq
		}
	}
	f := &follower{post: p, session: s, writer: compose.New(compose.Options{
		Types: p.o.Types, Session: s.ID, Project: p.o.Project, Hub: p.o.Hub, Headless: p.o.Headless,
	})}
	defer f.stop()
	last := from
	var err error
	for ev, failed := range s.Follow(ctx, 0) { // what came before tells what the new is about
		if failed != nil {
			err = fmt.Errorf("follow session %s for notifications: %w", s.ID, failed)
			break
		}
		if ev.Seq <= from {
			f.past(ev)
			continue
		}
		last = ev.Seq
		if f.take(ctx, ev) {
			p.save(s.ID, last)
		}
	}
	if last > from {
		p.save(s.ID, last)
	}
	return err
}

func (p *Post) save(session string, seq int64) {
	if p.o.Cursor == nil {
		return
	}
	if err := p.o.Cursor.Save(session, seq); err != nil {
		p.o.Log.Warn("how far the notifications have come is not kept", "error", err)
	}
}

// put adds a message to the queues of all destinations.
func (p *Post) put(m messaging.Message) {
	m.Title, m.Text = p.o.Scrub(m.Title), p.o.Scrub(m.Text)
	m.Fields = slices.Clone(m.Fields)
	for i := range m.Fields {
		m.Fields[i].Value = p.o.Scrub(m.Fields[i].Value)
	}
	for _, d := range p.o.Destinations {
		p.box.Put(d.Destination, m)
	}
}

// follower is one session that is followed.
type follower struct {
	post    *Post
	session Session

	mu     sync.Mutex // guards writer
	writer *compose.Writer
	cut    bool // what was going on before this run is over

	timer sync.WaitGroup
	timed chan struct{} // stops the timer of the running turn; nil without one
}

// past reads an event that was told before.
func (f *follower) past(ev event.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writer.Take(ev)
}

// take reads an event, and reports whether it was worth a message.
func (f *follower) take(ctx context.Context, ev event.Event) bool {
	f.mu.Lock()
	if !f.cut {
		f.writer.Rest()
		f.cut = true
	}
	notices := f.writer.Take(ev)
	working := f.writer.Working() && f.writer.Wants(compose.LongTurn)
	f.mu.Unlock()
	switch {
	case !working:
		f.stop()
	case f.timed == nil:
		f.start(ctx)
	}
	for _, n := range notices {
		f.tell(ctx, ev.Seq, n)
	}
	return len(notices) > 0
}

// tell sends a message, unless the person sees it anyway: a screen that shows a
// reply also tells whether somebody looks.
func (f *follower) tell(ctx context.Context, seq int64, n compose.Notice) {
	if n.Reply && f.session.Shown != nil {
		soon, cancel := context.WithTimeout(ctx, shownWait)
		f.session.Shown(soon, seq)
		cancel()
	}
	if n.Turn && n.Worked < f.post.o.Quiet && f.session.Watched != nil && f.session.Watched() {
		return
	}
	f.post.put(n.Message)
}

// start begins to wait for a turn that takes long.
func (f *follower) start(ctx context.Context) {
	stop := make(chan struct{})
	f.timed = stop
	f.timer.Go(func() {
		late := time.NewTimer(f.post.o.Long)
		defer late.Stop()
		select {
		case <-stop:
		case <-ctx.Done():
		case now := <-late.C:
			f.mu.Lock()
			n := f.writer.Long(now)
			f.mu.Unlock()
			f.tell(ctx, 0, n)
		}
	})
}

// stop ends the waiting.
func (f *follower) stop() {
	if f.timed != nil {
		close(f.timed)
		f.timed = nil
		f.timer.Wait()
	}
}
