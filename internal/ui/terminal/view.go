package terminal

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/attention"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/panel"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// View draws what is still open: the live part of the conversation, then what
// gets the keys, then the status line.
func (m *model) View() tea.View {
	if m.leaving {
		return tea.NewView("")
	}
	bottom, cursor := m.bottom()
	// A row stays free for what is printed above.
	lines := append(m.live(m.height-len(bottom)-2), bottom...)
	if over := len(lines) - m.height + 1; over > 0 {
		lines = lines[over:]
		bottom = bottom[min(over, len(bottom)):]
	}
	m.printed.Draws(lines, time.Now())
	// Behind printed lines the view changes, so that Bubble Tea puts the cursor
	// back; nobody sees how.
	v := tea.NewView(strings.Join(lines, "\n") + strings.Repeat(ansi.ResetStyle, m.printed.Count()%100))
	if cursor != nil {
		at := tea.NewCursor(cursor.X, len(lines)-len(bottom)+cursor.Y)
		at.Blink, at.Shape = false, tea.CursorBar
		v.Cursor = at
	}
	v.ReportFocus = true
	v.WindowTitle = m.o.Attention.Title(m.state())
	return v
}

// state is what the session is doing, in a word.
func (m *model) state() string {
	switch {
	case m.review != nil:
		return attention.Waiting
	case m.transcript.Busy():
		return attention.Working
	}
	return attention.Idle
}

// bottom is what gets the keys, and the lines below it.
func (m *model) bottom() ([]string, *panel.Cursor) {
	m.input.Busy(m.transcript.Busy())
	status := m.transcript.StatusLine(m.width - 1)
	room := max(3, m.height-3)
	switch {
	case m.asked != nil:
		lines, cursor := m.asked.panel.View(m.width, room)
		return append([]string{""}, append(lines, status)...), cursor
	case m.review != nil:
		lines := m.review.View(m.width, max(4, room-4))
		input, cursor := m.inputView()
		if cursor != nil {
			cursor.Y += len(lines) + 1
		}
		return append([]string{""}, append(append(lines, input...), m.hintLine(), status)...), cursor
	}
	input, cursor := m.inputView()
	if cursor != nil {
		cursor.Y++
	}
	return append([]string{""}, append(input, m.hintLine(), status)...), cursor
}

// live is what may still change above the input: at most so many lines.
func (m *model) live(height int) []string {
	lines := append(m.head.View(m.theme, m.width-1, m.o.Now()), m.transcript.Live(max(0, height))...)
	return lines[max(0, len(lines)-max(0, height)):]
}

func (m *model) inputView() ([]string, *panel.Cursor) {
	lines, x, y := m.input.View()
	return lines, &panel.Cursor{X: x, Y: y}
}

// hintLine says what keys do now.
func (m *model) hintLine() string {
	text := ""
	switch {
	case m.o.Now().Before(m.hintUntil):
		text = m.hint
	case m.opening:
		text = "starting; what you type is kept"
	case m.command != nil:
		text = "/" + m.command.name + " is running; Esc ends it"
	case m.review != nil:
		text = m.review.Hint(m.input.Text())
	case m.input.Hint() != "":
		text = m.input.Hint()
	default:
		text = "? for help, / for commands, @ for files"
	}
	return m.theme.Paint(theme.Dim, panel.Hint(text, m.width, m.theme.Glyph(theme.Ellipsis)))
}
