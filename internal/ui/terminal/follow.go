package terminal

import (
	"context"
	"errors"
	"fmt"

	tea "charm.land/bubbletea/v2"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/feed"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/record"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// start follows the session from its first event.
func (m *model) start(session attach.Session) {
	if m.feed != nil {
		m.feed.Stop()
	}
	m.past = nil
	m.feed = feed.Start(m.ctx, session, &m.work,
		func(f *feed.Feed) { m.send(eventsMsg{f}) }, func(f *feed.Feed, err error) { m.send(endedMsg{f, err}) })
}

// open opens a session beside the event loop.
func (m *model) open(id string) {
	m.opening = true
	m.work.Go(func() {
		opened, err := m.o.Open(m.ctx, id, m.talk(m.ctx))
		m.send(openedMsg{opened, err})
	})
}

// ready takes the session over and sends what was typed meanwhile.
func (m *model) ready(msg openedMsg) tea.Cmd {
	m.opening = false
	if msg.err != nil {
		return m.notOpened(msg.err)
	}
	m.opened, m.lost = msg.opened, ""
	m.settings(m.opened.Info().Settings)
	for _, note := range m.opened.Notes {
		m.say(theme.Dim, note)
	}
	m.start(m.opened)
	for _, op := range m.early {
		m.submit(op)
	}
	m.early = nil
	return nil
}

// notOpened ends the application where the person turned away; anything else is
// told and may be mended with a command.
func (m *model) notOpened(err error) tea.Cmd {
	var fatal *FatalError
	if errors.As(err, &fatal) || m.feed == nil && !errors.Is(err, context.Canceled) {
		m.failure, m.reason, m.leaving = err, Failed, true
		return m.quit()
	}
	m.warn(err.Error())
	return nil
}

// events shows what has happened.
func (m *model) events(f *feed.Feed) tea.Cmd {
	if f != m.feed {
		return nil
	}
	var cmds []tea.Cmd
	for _, ev := range f.Take() {
		m.record.Keep(ev)
		if ev.Seq <= f.Info.LastSeq {
			if m.past = append(m.past, ev); ev.Seq == f.Info.LastSeq {
				m.transcript.Replay(m.past)
				m.past = nil
				m.gateChanged()
			}
			continue
		}
		m.transcript.Apply(ev)
		m.waiters.Tell(ev)
		m.sight.Showed(m.opened, f.Info.Chapter, ev)
		cmds = append(cmds, m.after(ev))
	}
	return tea.Batch(cmds...)
}

// after does what follows from an event.
func (m *model) after(ev event.Event) tea.Cmd {
	m.gateChanged()
	if e, err := event.Decode[event.NewComplete](ev); err == nil && e.ClearScreen {
		return m.printed.Clear()
	}
	if kind, text := m.record.Notice(ev); kind != "" {
		if seq := m.o.Attention.Event(kind, text); seq != "" {
			return tea.Raw(seq)
		}
	}
	return nil
}

// ended goes on with the session's next chapter, or says why no more events
// come.
func (m *model) ended(msg endedMsg) {
	if msg.from != m.feed || m.leaving {
		return
	}
	if msg.err == nil && m.opened.Info().Chapter > msg.from.Info.Chapter {
		m.record = record.Record{}
		m.settings(m.opened.Info().Settings)
		m.start(m.opened)
		m.waiters.Tell(event.Event{Type: event.TypeResumeComplete}) // it stands in the new session's past
		return
	}
	m.transcript.Stop() // what was said before comes first
	text := "the session has ended"
	if msg.err != nil {
		text += ": " + msg.err.Error()
	}
	m.warn(text)
	m.say(theme.Dim, "nothing is lost: what you type next goes on with it, /new begins another one")
	m.waiters.End(errors.New(text))
	m.review, m.gate, m.lost = nil, nil, m.opened.Info().SessionID
	m.opened = nil
}

// settings tells everyone the values in force when a session is opened.
func (m *model) settings(s event.Settings) {
	m.record.Settings = s
	m.transcript.Settings(s)
}

// submit hands an operation to the session; before it is ready the operation
// waits.
func (m *model) submit(op event.Operation) {
	if m.opened == nil {
		m.early = append(m.early, op)
		if !m.opening {
			m.open(m.lost)
		}
		return
	}
	if _, interrupt := op.(event.Interrupt); interrupt {
		session := m.opened
		m.work.Go(session.Interrupt)
		return
	}
	m.subs++
	sub := event.Submission{ID: fmt.Sprintf("sub_%d_%d", m.o.Now().UnixNano(), m.subs), Operation: op}
	session := m.opened
	m.submitted.Go(&m.work, func() {
		if err := session.Submit(m.ctx, sub); err != nil && m.ctx.Err() == nil {
			m.send(failedMsg{err})
		}
	})
}
