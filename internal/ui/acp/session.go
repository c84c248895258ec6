package acp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol"
	"github.com/ml-intern/ml-intern/internal/ui/acp/tell"
	"github.com/ml-intern/ml-intern/internal/ui/acp/wire"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
)

// session is one that an editor has open.
type session struct {
	server  *Server
	id      string // as the editor knows it
	request Request
	opened  *Opened
	born    time.Time          // of this end of it
	drop    context.CancelFunc // of what the session may live by

	ctx   context.Context // of what is done for the editor
	stop  context.CancelFunc
	work  sync.WaitGroup
	live  chan struct{} // closed when what happens may be told
	ended chan struct{} // closed when no more events come
	once  sync.Once     // begin
	subs  atomic.Int64

	mu       sync.Mutex // guards what follows
	settings event.Settings
	info     attach.Info // of the chapter that is followed
	said     bool        // somebody has said something
	acted    time.Time   // when the editor's person has last done something
	running  string      // submission of the turn that runs, empty for none
	open     bool        // a turn runs, or waits at a gate
	gate     *gate       // nil while none is open
	line     []*prompt   // the first one is being worked on
	waiters  []*waiter
	err      error // why no more events come
}

func newSession(s *Server, r Request, opened *Opened, drop context.CancelFunc) *session {
	info := opened.Session.Info()
	one := &session{
		server: s, id: info.SessionID, request: r, opened: opened, drop: drop, live: make(chan struct{}), ended: make(chan struct{}),
		settings: info.Settings, info: info, born: time.Now(),
	}
	one.ctx, one.stop = context.WithCancel(s.ctx)
	return one
}

// past is what a session tells of the time before it was opened.
type past struct {
	updates []protocol.Update
	err     error
}

// start reads the session up to now and returns what that tells.
func (one *session) start() ([]protocol.Update, error) {
	caught := make(chan past, 1)
	one.server.work.Go(func() {
		defer close(one.ended)
		one.lost(one.follow(caught))
	})
	p := <-caught
	return p.updates, p.err
}

// begin lets the session tell what happens from now on.
func (one *session) begin() {
	one.once.Do(func() {
		commands := []protocol.Command{}
		for _, c := range one.opened.Commands {
			commands = append(commands, c.Command)
		}
		one.send(protocol.Commands{Kind: "available_commands_update", Commands: commands})
		for _, note := range one.opened.Notes {
			one.notice("warning", note)
		}
		close(one.live)
	})
}

// send tells the editor. An editor that is gone is told nothing.
func (one *session) send(updates ...protocol.Update) {
	for _, u := range updates {
		if one.server.conn.Notify(protocol.SessionUpdate, protocol.Notification{SessionID: one.id, Update: u}) != nil {
			return
		}
	}
}

// teller makes the words of one chapter.
func (one *session) teller(info attach.Info) *tell.Teller {
	o := tell.Options{
		Dir: info.Cwd, Remote: info.Settings.ToolRuntime == "sandbox", Mine: one.mine,
		Notices: one.server.can(func(c protocol.ClientCapabilities) bool { return there(c.Session.Notices) }),
		Compactions: one.server.can(func(c protocol.ClientCapabilities) bool {
			return there(c.Session.Compaction)
		}),
	}
	if one.opened.Difference != nil {
		o.Difference = func(before, after string) (string, error) {
			return one.opened.Difference(one.ctx, info.SessionID, before, after)
		}
	}
	t := tell.New(o)
	t.Settings(info.Settings)
	return t
}

// notice tells the person something that no event tells.
func (one *session) notice(severity, text string) {
	one.send(one.teller(one.at()).Notice(severity, text)...)
}

// at is the chapter that is followed.
func (one *session) at() attach.Info {
	one.mu.Lock()
	defer one.mu.Unlock()
	return one.info
}

// can reports whether the editor can do something.
func (s *Server) can(what func(protocol.ClientCapabilities) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return what(s.client)
}

func there(capability []byte) bool { return len(capability) > 0 && string(capability) != "null" }

// follow reads the session, one chapter after another, until it ends.
func (one *session) follow(caught chan<- past) error {
	for first := true; ; first = false {
		info := one.opened.Session.Info()
		one.mu.Lock()
		one.info, one.settings, one.gate, one.running, one.open = info, info.Settings, nil, "", false
		one.mu.Unlock()
		err := one.chapter(info, func(p past) {
			if first {
				caught <- p
				caught = nil
			}
		})
		if err == nil && one.ctx.Err() == nil && one.opened.Session.Info().Chapter > info.Chapter {
			continue
		}
		if caught != nil { // nobody was told yet
			caught <- past{err: errors.Join(errUnread, err)}
		}
		return err
	}
}

var errUnread = errors.New("the session cannot be read")

// chapter reads one chapter. What it tells of the time before it was opened is
// handed over once.
func (one *session) chapter(info attach.Info, tellPast func(past)) error {
	teller := one.teller(info)
	var before []event.Event
	caughtUp := func() error {
		updates, err := teller.Past(before)
		before = nil
		if err != nil {
			return err
		}
		tellPast(past{updates: updates})
		select {
		case <-one.live:
		case <-one.ctx.Done():
			return one.ctx.Err()
		}
		one.askOpen()
		return nil
	}
	if info.LastSeq == 0 {
		if err := caughtUp(); err != nil {
			return err
		}
	}
	for ev, err := range one.opened.Session.Follow(one.ctx, 0) {
		if err != nil {
			return err
		}
		if one.opened.Watch != nil {
			one.opened.Watch(ev)
		}
		if ev.Seq > info.LastSeq {
			one.take(teller, ev)
			if ev.Type.Ends() {
				one.opened.Session.Seen(info.Chapter, ev.Seq, one.watched())
			}
			continue
		}
		before = append(before, ev)
		one.keep(ev)
		if ev.Seq == info.LastSeq {
			if err := caughtUp(); err != nil {
				return err
			}
		}
	}
	return one.opened.Session.Err()
}

// take tells an event and does what it asks for.
func (one *session) take(teller *tell.Teller, ev event.Event) {
	one.send(teller.Next(ev)...)
	one.keep(ev)
	switch ev.Type {
	case event.TypeSettings:
		one.send(protocol.OptionChange{Kind: "config_option_update", Config: one.options()})
	case event.TypeTurnStarted:
		one.began()
	case event.TypeApprovalRequired:
		one.askOpen()
	case event.TypeTurnComplete, event.TypeInterrupted, event.TypeError:
		one.turnOver(ev)
	}
	one.tell(ev)
}

// keep folds what an event says about the state of the session.
func (one *session) keep(ev event.Event) {
	one.mu.Lock()
	defer one.mu.Unlock()
	switch ev.Type {
	case event.TypeSettings:
		if set, err := event.Decode[event.Settings](ev); err == nil {
			one.settings = set
		}
	case event.TypeInputAccepted:
		one.said = true
	case event.TypeTurnStarted:
		if p := one.owner(); p != nil { // somebody has spoken at its gate
			p.tell(outcome{stop: protocol.Cancelled})
		}
		one.closeGate()
		one.open = true
		if t, err := event.Decode[event.TurnStarted](ev); err == nil {
			one.running = t.SubmissionID
		}
	case event.TypeTurnResumed:
		one.open = true
	case event.TypeApprovalRequired:
		one.open = true
		if g, err := event.Decode[event.ApprovalRequired](ev); err == nil {
			one.gate = newGate(g)
		}
	case event.TypeToolStateChange:
		if c, err := event.Decode[event.ToolStateChange](ev); err == nil {
			one.settle(c)
		}
	case event.TypeTurnComplete, event.TypeInterrupted:
		one.open = false
		one.closeGate()
	case event.TypeError:
		if ev.TurnID != "" && one.gate == nil {
			one.open = false
		}
	}
}

// mine reports whether the editor shows a text by itself.
func (one *session) mine(submissionID string) bool {
	one.mu.Lock()
	defer one.mu.Unlock()
	return slices.ContainsFunc(one.line, func(p *prompt) bool { return p.id == submissionID })
}

// newID names a submission.
func (one *session) newID() string {
	return fmt.Sprintf("acp_%d_%d", one.born.UnixNano(), one.subs.Add(1))
}

// awayAfter is when a person who has done nothing is taken for gone: no editor
// says whether somebody looks.
const awayAfter = 2 * time.Minute

// watched reports whether somebody is likely to look at the editor.
func (one *session) watched() bool {
	one.mu.Lock()
	defer one.mu.Unlock()
	return time.Since(one.acted) < awayAfter
}

// act notes that the person has done something.
func (one *session) act() {
	one.mu.Lock()
	defer one.mu.Unlock()
	one.acted = time.Now()
}

// busy reports whether a turn runs, or waits at a gate.
func (one *session) busy() bool {
	one.mu.Lock()
	defer one.mu.Unlock()
	return one.open
}

// lost tells all who wait that no more events come.
func (one *session) lost(err error) {
	if err == nil {
		err = errors.New("the session has ended")
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	one.err = err
	one.open = false
	one.closeGate()
	for _, p := range one.line {
		p.tell(outcome{err: fmt.Errorf("%w; what it has told is saved, and the next message goes on with it", err)})
	}
	for _, w := range one.waiters {
		w.got <- told{err: err}
	}
	one.waiters = nil
}

// leave leaves the session like a terminal that was closed. One in which nobody
// has said anything ends: nothing is lost by it.
func (one *session) leave() {
	one.mu.Lock()
	said := one.said
	one.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(one.ctx), quitWait)
	defer cancel()
	var err error
	if said {
		err = one.opened.Session.Close()
	} else {
		err = one.opened.Session.Quit(ctx)
	}
	one.gone(err)
}

// part leaves the session running and forgets it.
func (one *session) part(ctx context.Context) error {
	if err := one.opened.Session.Detach(); err != nil {
		return one.quit(ctx) // it cannot go on without us
	}
	one.cancel()
	one.gone(nil)
	return nil
}

// quit ends the session.
func (one *session) quit(ctx context.Context) error {
	one.cancel()
	ctx, cancel := context.WithTimeout(ctx, quitWait)
	defer cancel()
	err := one.opened.Session.Quit(ctx)
	one.gone(nil)
	return err
}

// gone gives back what the session held.
func (one *session) gone(err error) {
	if err != nil {
		one.server.o.Debug("leave session " + one.id + ": " + err.Error())
	}
	one.stop()
	one.drop()
	<-one.ended
	one.work.Wait()
	one.server.forget(one)
	if one.opened.Done != nil {
		one.opened.Done()
	}
}

// waiter waits for the end of an operation.
type waiter struct {
	ends []event.Type
	got  chan told // has room for one
}

type told struct {
	ev  event.Event
	err error
}

// tell hands an event to those who wait for it.
func (one *session) tell(ev event.Event) {
	one.mu.Lock()
	defer one.mu.Unlock()
	one.waiters = slices.DeleteFunc(one.waiters, func(w *waiter) bool {
		failed := ev.Type == event.TypeError && ev.TurnID == ""
		if !failed && !slices.Contains(w.ends, ev.Type) {
			return false
		}
		t := told{ev: ev}
		if failed {
			t.err = problem(ev)
		}
		w.got <- t
		return true
	})
}

// do hands over an operation and waits for its end.
func (one *session) do(ctx context.Context, op event.Operation, ends ...event.Type) (event.Event, error) {
	w := &waiter{ends: ends, got: make(chan told, 1)}
	one.mu.Lock()
	if one.err != nil {
		defer one.mu.Unlock()
		return event.Event{}, one.err
	}
	one.waiters = append(one.waiters, w)
	one.mu.Unlock()
	defer func() {
		one.mu.Lock()
		defer one.mu.Unlock()
		one.waiters = slices.DeleteFunc(one.waiters, func(other *waiter) bool { return other == w })
	}()
	if err := one.opened.Session.Submit(ctx, event.Submission{ID: one.newID(), Operation: op}); err != nil {
		return event.Event{}, err
	}
	select {
	case t := <-w.got:
		return t.ev, t.err
	case <-ctx.Done():
		return event.Event{}, ctx.Err()
	}
}

// problem is what an error event says.
func problem(ev event.Event) error {
	in, err := event.Decode[event.Error](ev)
	if err != nil {
		return err
	}
	text := in.Error
	if in.Hint != "" {
		text += " " + in.Hint
	}
	code := wire.Internal
	if in.Code == "auth" {
		code = protocol.AuthRequired
	}
	return &wire.Error{Code: code, Message: text, Data: map[string]any{"code": in.Code, "class": in.Class, "retryable": in.Retryable}}
}
