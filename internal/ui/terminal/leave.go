package terminal

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/ml-intern/ml-intern/internal/ui/attach"
)

// leaveWait is how long the session may take to end.
const leaveWait = 10 * time.Second

// answerWait is how long after the start the terminal may take to answer what it
// is asked then. An answer that comes when nobody reads it any more ends up in
// the shell.
const answerWait = 300 * time.Millisecond

// quit ends the event loop; right after the start it waits for the terminal.
func (m *model) quit() tea.Cmd {
	left := answerWait - time.Since(m.begun)
	if left <= 0 || m.told.keys && (m.told.background || m.o.AskDark == nil) {
		return tea.Quit
	}
	return tea.Tick(left, func(time.Time) tea.Msg { return tea.QuitMsg{} })
}

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
		return m.quit()
	}
	sent := m.submitted.Done()
	m.work.Go(func() {
		ctx, cancel := context.WithTimeout(m.ctx, leaveWait)
		defer cancel()
		select { // what was sent reaches the session first
		case <-sent:
		case <-ctx.Done():
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
