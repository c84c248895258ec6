// Package live is a session while it runs: an agent, the journal it writes and
// those who follow it, one chapter after another. It takes operations, changes
// settings beside the agent's work, and says at a glance how things stand. It
// reads no configuration: what a session is made of is handed to it.
package live

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
	"github.com/ml-intern/ml-intern/internal/ui/attach/audience"
)

// endWait is how long a session that was asked to end may take to end its turn.
const endWait = 10 * time.Second

// Follower shows, stores or reports a chapter until its journal ends.
type Follower func(ctx context.Context, c *Chapter) error

// Options make a Session.
type Options struct {
	// Open opens the session that ref names, by number, id, prefix or path, or a
	// new one for an empty ref. Current is the id of the one that runs.
	Open func(ctx context.Context, ref, current string) (*Chapter, error)
	// Followers follow every chapter.
	Followers []Follower
	// Tune changes settings; see Configure.
	Tune Tune
	// Tools are the names of the session's tools, Version that of the program.
	Tools   []string
	Version string
	// Hub is the address at which jobs are seen that go on after an interrupt;
	// empty when an interrupt ends them.
	Hub string
	// Beside is work that goes on beside the agent's; nil is none.
	Beside Beside
	// Saved is the file in which a session is kept, empty for none.
	Saved func(id string) string
	// Debug receives what only an operator should see.
	Debug func(text string)
}

// Session is a running session. Its methods may be called from any goroutine.
type Session struct {
	opts  Options
	agent *agent.Agent
	// audience are the screens that show the session.
	audience *audience.Audience

	cancel  context.CancelFunc
	wait    sync.WaitGroup // the agent, the end of chapters, changes of settings
	running chan struct{}  // closed when the agent has ended
	changed chan struct{}  // holds a token when a change of settings waits
	once    sync.Once      // Close

	mu       sync.Mutex // guards what follows
	chapters []*Chapter
	next     *Chapter // opened, and not gone over to
	retired  sync.WaitGroup
	changes  []event.Configure
	closed   bool // no more changes are taken
	ending   bool // the session was asked to end
	err      error
}

// New returns a session that begins with a chapter. Start makes it run.
func New(o Options, first *Chapter) *Session {
	first.open(0)
	return &Session{
		opts: o, audience: audience.New(), chapters: []*Chapter{first}, running: make(chan struct{}), changed: make(chan struct{}, 1),
	}
}

// Start runs the agent, and the followers of each chapter, until Close. The
// agent must have been made with Sessions. A turn that was cut short earlier is
// taken up with resume.
func (s *Session) Start(ctx context.Context, a *agent.Agent, resume bool) {
	s.agent = a
	ctx, s.cancel = context.WithCancel(ctx)
	first := s.current()
	s.follow(ctx, first)
	s.wait.Go(func() {
		err := a.Run(ctx, resume)
		s.mu.Lock()
		s.err, s.closed = err, true
		s.mu.Unlock()
		s.current().Journal.Close()
		close(s.running)
	})
	s.wait.Go(func() { s.configure(ctx) })
	s.beside().Start()
}

// follow starts what follows a chapter.
func (s *Session) follow(ctx context.Context, c *Chapter) {
	ctx = context.WithoutCancel(ctx)
	c.audience = s.audience
	c.done.Go(func() { s.watch(ctx, c) })
	for _, follower := range s.opts.Followers {
		c.done.Go(func() {
			if err := follower(ctx, c); err != nil {
				s.opts.Debug("follower: " + err.Error())
			}
		})
	}
}

// watch keeps what Info tells, and the program's own part in what happens.
func (s *Session) watch(ctx context.Context, c *Chapter) {
	for ev, err := range c.Journal.Follow(ctx, c.After) {
		if err == nil {
			err = c.take(ev)
		}
		if err != nil {
			s.opts.Debug("watch the session: " + err.Error())
			continue
		}
		switch ev.Type {
		case event.TypeInterrupted:
			s.tellJobs(ctx, c)
		case event.TypeResumeComplete:
			s.tell(ctx, c, c.Later...)
			c.Later = nil
		}
	}
}

// tellJobs lists the jobs that go on after an interrupt.
func (s *Session) tellJobs(ctx context.Context, c *Chapter) {
	if s.opts.Hub == "" || s.isEnding() {
		return
	}
	for _, open := range c.jobs() {
		kind, name, _ := strings.Cut(open.Ref, ":")
		namespace, id, ok := strings.Cut(name, "/")
		if kind != "job" || !ok {
			continue
		}
		s.tell(ctx, c, event.ToolLog{Tool: "system", Log: fmt.Sprintf(
			"job %s goes on and is paid for: %s/jobs/%s (ml-intern jobs cancel %s --namespace %s stops it)", name, s.opts.Hub, name, id, namespace)})
	}
}

// tell tells lines of the program's own while a chapter runs.
func (s *Session) tell(ctx context.Context, c *Chapter, ps ...event.Payload) {
	if s.current() != c {
		return
	}
	if err := s.agent.Tell(ctx, ps...); err != nil {
		s.opts.Debug(err.Error())
	}
}

func (s *Session) isEnding() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ending
}

// current is the chapter that runs.
func (s *Session) current() *Chapter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chapters[len(s.chapters)-1]
}

func (s *Session) chapter(number int) (*Chapter, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number == attach.Newest {
		number = len(s.chapters) - 1
	}
	if number < 0 || number >= len(s.chapters) {
		return nil, false
	}
	return s.chapters[number], true
}

// Submit hands over an operation. Changes of settings are made beside the
// agent's work and never wait for it.
func (s *Session) Submit(ctx context.Context, sub event.Submission) error {
	if op, ok := sub.Operation.(event.Configure); ok {
		return s.change(op)
	}
	if s.beside().Answers(sub.Operation) {
		return s.answer(sub.Operation)
	}
	return s.agent.Submit(ctx, sub)
}

// Interrupt ends the running turn.
func (s *Session) Interrupt() { s.agent.Interrupt() }

// Settings are the values the session runs with.
func (s *Session) Settings() agent.Settings { return s.agent.Settings() }

// Note tells a line of the program's own.
func (s *Session) Note(line string) {
	s.tell(context.Background(), s.current(), event.ToolLog{Tool: "system", Log: line})
}

// Follow yields every event of the chapter that runs now.
func (s *Session) Follow(ctx context.Context, after int64) iter.Seq2[event.Event, error] {
	return s.current().Journal.Follow(ctx, after)
}

// Err is why the session ended.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Info describes a chapter; attach.Newest is the one that runs.
func (s *Session) Info(number int) (attach.Info, bool) {
	c, ok := s.chapter(number)
	if !ok {
		return attach.Info{}, false
	}
	info := c.glance()
	info.Settings, info.Tools, info.Version, info.PID = s.agent.Told(context.Background()), s.opts.Tools, s.opts.Version, os.Getpid()
	info.Cwd = info.Settings.Cwd
	if info.State == attach.Idle && c == s.current() && s.agent.Busy() {
		info.State = attach.Working
	}
	return info, true
}

// Busy reports whether the session works, waits for an answer, or has left
// commands running.
func (s *Session) Busy() bool {
	c := s.current()
	if c.glance().State == attach.Waiting || s.agent.Busy() {
		return true
	}
	return slices.ContainsFunc(c.groups(), func(ref string) bool {
		g, err := proc.ParseGroup(ref)
		return err == nil && g.Alive()
	})
}

// Ended is closed when the session takes nothing any more.
func (s *Session) Ended() <-chan struct{} { return s.running }

// Shutdown ends the session: what it does is interrupted, an open gate stays
// open for the next run, and so do texts that wait.
func (s *Session) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	first := !s.ending
	s.ending = true
	s.mu.Unlock()
	if first {
		s.agent.Leave()
	}
	late := time.NewTimer(endWait)
	defer late.Stop()
	select {
	case <-s.running:
	case <-late.C:
		s.opts.Debug(fmt.Sprintf("the session did not end its turn within %s", endWait))
	case <-ctx.Done():
	}
	return s.Close()
}

// Close ends the session at once, waits for its followers and releases it.
func (s *Session) Close() error {
	s.once.Do(func() {
		s.cancel()
		<-s.running
		s.beside().Close()
		s.wait.Wait()
		err := s.retire(s.current())
		s.forget()
		s.retired.Wait()
		s.mu.Lock()
		s.err = errors.Join(s.err, err)
		s.mu.Unlock()
	})
	return s.Err()
}

// retire gives a chapter up when its followers have taken its end.
func (s *Session) retire(c *Chapter) error {
	c.Journal.Close()
	c.done.Wait()
	return c.Release()
}

// Audience are the screens that show the session.
func (s *Session) Audience() *audience.Audience { return s.audience }

// Host is the session for those who attach to it.
func (s *Session) Host() attach.Host { return host{s} }

// host has the methods that an attached terminal means.
type host struct{ *Session }

// Follow yields the events of a chapter.
func (h host) Follow(ctx context.Context, number int, after int64) iter.Seq2[event.Event, error] {
	c, ok := h.chapter(number)
	if !ok {
		return func(yield func(event.Event, error) bool) {
			yield(event.Event{}, fmt.Errorf("the session has no chapter %d", number))
		}
	}
	return c.Journal.Follow(ctx, after)
}
