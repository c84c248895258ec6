package line

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
	"github.com/ml-intern/ml-intern/internal/ui/terminal"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/feed"
)

// open opens a session beside the loop.
func (m *mode) open(id string) {
	ctx, cancel := context.WithCancel(m.ctx)
	m.opening = cancel // a session that is opened may live by this context
	talk := &talk{m}
	m.work.Go(func() {
		opened, err := m.o.Open(ctx, id, talk)
		if !m.do(func() { m.ready(opened, err) }) && opened != nil {
			_ = opened.Close() // nobody is left to use it
		}
	})
}

// ready takes the session over.
func (m *mode) ready(opened *terminal.Opened, err error) {
	if err != nil {
		m.opening()
	}
	m.opening = nil
	var fatal *terminal.FatalError
	switch {
	case err != nil && (errors.As(err, &fatal) || m.feed == nil):
		m.result.Reason, m.result.Err, m.over = terminal.Failed, err, true
		return
	case err != nil:
		clear(m.pending)
		m.early = nil
		m.waiters.End(err)
		m.warn(err.Error())
		return
	case m.leaving:
		_ = opened.Close() // the person has left meanwhile
		return
	}
	m.opened, m.lost = opened, ""
	for _, note := range opened.Notes {
		m.say(note)
	}
	m.start()
	early := m.early
	m.early = nil
	for _, op := range early {
		m.submit(op)
	}
}

// start follows the session from its first event.
func (m *mode) start() {
	if m.feed != nil {
		m.feed.Stop()
	}
	f := feed.Start(m.ctx, m.opened, &m.work,
		func(f *feed.Feed) { m.work.Go(func() { m.do(func() { m.events(f) }) }) },
		func(f *feed.Feed, err error) { m.do(func() { m.cut(f, err) }) })
	m.feed, m.past = f, nil
	m.caughtUp = f.Info.LastSeq == 0
	m.record.Settings = f.Info.Settings
	m.transcript.Settings(f.Info.Settings)
}

// events shows what has happened.
func (m *mode) events(f *feed.Feed) {
	if f != m.feed {
		return
	}
	for _, ev := range f.Take() {
		if m.leaving && ev.Type == event.TypeShutdown {
			continue // the end that was asked for needs no words
		}
		m.record.Keep(ev)
		if ev.Seq <= f.Info.LastSeq {
			if m.past = append(m.past, ev); ev.Seq == f.Info.LastSeq {
				m.transcript.Replay(m.past)
				m.past, m.caughtUp = nil, true
				m.gateChanged()
			}
			continue
		}
		m.transcript.Apply(ev)
		m.settle(ev)
		m.waiters.Tell(ev)
		m.sight.Showed(m.opened, f.Info.Chapter, ev)
		m.gateChanged()
	}
}

// settle notes which texts have had their turn.
func (m *mode) settle(ev event.Event) {
	switch ev.Type {
	case event.TypeTurnStarted:
		if in, err := event.Decode[event.TurnStarted](ev); err == nil {
			m.running = in.SubmissionID
		}
	case event.TypeTurnComplete, event.TypeInterrupted:
		m.settled(m.running)
	case event.TypeError:
		if ev.TurnID != "" {
			m.settled(m.running)
		} else if !m.transcript.Busy() { // what was asked for is refused
			clear(m.pending)
		}
	case event.TypeNewComplete, event.TypeShutdown, event.TypeSessionTerminated:
		clear(m.pending)
	}
}

// settled forgets a text: its turn is over, or it never gets one.
func (m *mode) settled(submissionID string) {
	delete(m.pending, submissionID)
	delete(m.typed, submissionID)
}

// cut goes on with the session's next chapter, or says why no more events come.
func (m *mode) cut(f *feed.Feed, err error) {
	m.events(f)
	if f != m.feed || m.leaving {
		return
	}
	if err == nil && m.opened.Info().Chapter > f.Info.Chapter {
		m.record.Turns, m.record.Changes = nil, nil
		clear(m.pending)
		m.start()
		return
	}
	text := "the session has ended"
	if err != nil {
		text += ": " + err.Error()
	}
	m.transcript.Stop()
	m.warn(text)
	m.waiters.End(errors.New(text))
	clear(m.pending)
	m.review, m.gate, m.lost = nil, nil, m.opened.Info().SessionID
	m.opened = nil
	if m.eof { // nobody is there to begin again
		m.result.Reason, m.result.Err, m.over = terminal.Failed, errors.New(text), true
		return
	}
	m.say("nothing is lost: what you type next goes on with it, /new begins another one")
}

// message sends a text; what it mentions is read first.
func (m *mode) message(text string) {
	m.run("message", func(ctx context.Context) error {
		in := event.UserInput{Text: text}
		var notes []string
		if m.o.Expand != nil {
			var err error
			if in, notes, err = m.o.Expand(ctx, text); err != nil {
				return err
			}
		}
		m.do(func() {
			if len(m.brings) > 0 {
				in.Shown = cmp.Or(in.Shown, in.Text)
				in.Text = strings.Join(append(m.brings, in.Text), "\n\n")
				m.brings = nil
			}
			for _, note := range notes {
				m.say(note)
			}
			m.errand = nil // what is left is the session's
			m.submit(in)
		})
		return nil
	})
}

// submit hands an operation to the session. One that has ended by itself is
// opened again for it.
func (m *mode) submit(op event.Operation) {
	if m.opened == nil {
		if m.early = append(m.early, op); m.opening == nil {
			m.open(m.lost)
		}
		return
	}
	if _, interrupt := op.(event.Interrupt); interrupt {
		m.work.Go(m.opened.Interrupt)
		return
	}
	m.subs++
	sub := event.Submission{ID: fmt.Sprintf("sub_%d_%d", m.o.Now().UnixNano(), m.subs), Operation: op}
	if _, input := op.(event.UserInput); input {
		m.pending[sub.ID], m.typed[sub.ID] = true, true
	}
	session, before, done := m.opened, m.submitted, make(chan struct{})
	m.submitted = done
	m.work.Go(func() {
		defer close(done)
		if before != nil {
			<-before
		}
		if err := session.Submit(m.ctx, sub); err != nil {
			m.do(func() {
				m.settled(sub.ID)
				m.warn(err.Error())
			})
		}
	})
}

// leave ends the conversation. Asked twice it does not wait.
func (m *mode) leave(reason terminal.Reason) {
	if m.leaving {
		m.over = true
		return
	}
	m.leaving, m.result.Reason = true, reason
	if m.asked != nil {
		m.asked.cancel()
	}
	if m.errand != nil {
		m.errand.cancel()
	}
	if m.opening != nil {
		m.opening()
	}
	if m.opened == nil {
		m.over = true
		return
	}
	session, before := m.opened, m.submitted
	m.work.Go(func() {
		ctx, cancel := context.WithTimeout(m.ctx, leaveWait)
		defer cancel()
		if before != nil { // what was sent reaches the session first
			select {
			case <-before:
			case <-ctx.Done():
			}
		}
		err := left(ctx, session, reason)
		m.do(func() {
			m.over = true
			if m.result.Err == nil {
				m.result.Err = err
			}
		})
	})
}

// left takes leave of a session as the reason demands.
func left(ctx context.Context, session attach.Session, reason terminal.Reason) error {
	switch reason {
	case terminal.Detached:
		return session.Detach()
	case terminal.HungUp:
		return session.Close() // whether it goes on is for its host to say
	}
	return session.Quit(ctx)
}
