package terminal

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/ml-intern/ml-intern/internal/ui/attach"
)

// leaveWait is how long the session may take to end.
const leaveWait = 10 * time.Second

// leave ends the application. Leaving the session running is the part of
// detaching and of a terminal that has gone away.
func (m *model) leave(reason Reason) tea.Cmd {
	if m.leaving { // asked twice: without waiting
		return tea.Quit
	}
	m.leaving, m.reason = true, reason
	if m.command != nil {
		m.command.cancel()
	}
	if m.asked != nil {
		m.asked.reply <- false
		m.asked = nil
	}
	opened := m.opened
	if opened == nil {
		return tea.Quit
	}
	before := m.submitted
	m.work.Go(func() {
		ctx, cancel := context.WithTimeout(m.ctx, leaveWait)
		defer cancel()
		if before != nil { // what was sent reaches the session first
			select {
			case <-before:
			case <-ctx.Done():
			}
		}
		m.send(leftMsg{left(ctx, opened, reason)})
	})
	return nil
}

// left takes leave of a session as the reason demands.
func left(ctx context.Context, session attach.Session, reason Reason) error {
	switch reason {
	case Detached:
		return session.Detach()
	case HungUp:
		return session.Close() // whether it goes on is for its host to say
	}
	return session.Quit(ctx)
}

// detach leaves the session running.
func (m *model) detach() tea.Cmd {
	switch {
	case m.opened == nil:
		m.warn("there is no session to leave running")
	case !m.opened.Detachable:
		m.warn("this session is not kept on disk and cannot go on without this terminal")
	default:
		return m.leave(Detached)
	}
	return nil
}
