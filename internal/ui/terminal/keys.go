package terminal

import (
	"cmp"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// key gives a key to whoever it belongs to: what is asked, the approval, the
// application, the input.
func (m *model) key(k tea.KeyPressMsg) tea.Cmd {
	if k.Keystroke() != "enter" {
		m.lastKey = m.o.Now()
	}
	if m.leaving {
		return nil
	}
	if k.Keystroke() == "alt+esc" && !m.transcript.Busy() {
		// Two presses of Esc that arrived at once, as over a slow line.
		esc := tea.KeyPressMsg{Code: tea.KeyEscape}
		return tea.Batch(m.key(esc), m.key(esc))
	}
	if k.Keystroke() == "ctrl+j" && m.o.Now().Sub(m.started) < early {
		// Until the program has the terminal, Enter arrives as a line feed.
		k = tea.KeyPressMsg{Code: tea.KeyEnter}
	}
	if m.asked != nil {
		m.asked.panel.Key(k)
		m.answered()
		return nil
	}
	if cmd, taken := m.applicationKey(k); taken {
		return cmd
	}
	if m.review != nil && m.reviewKey(k) {
		return nil
	}
	return m.act(m.input.Update(k))
}

func (m *model) paste(msg tea.PasteMsg) tea.Cmd {
	if m.asked != nil {
		m.asked.panel.Paste(msg.Content)
		return nil
	}
	return m.act(m.input.Update(msg))
}

// applicationKey are the keys that mean the same whatever is typed.
func (m *model) applicationKey(k tea.KeyPressMsg) (tea.Cmd, bool) {
	s := k.Keystroke()
	if m.prefix {
		m.prefix = false
		if s == "d" {
			return m.detach(), true
		}
		return nil, false
	}
	switch s {
	case "ctrl+b":
		// It moves the cursor in a text; in front of an empty one it is the
		// prefix of the keys that are about the session.
		if m.input.Text() != "" {
			return nil, false
		}
		m.prefix = true
		m.note("Ctrl-B: d leaves the session running and detaches", 3*time.Second)
	case "ctrl+o":
		verbose := !m.transcript.Verbose()
		m.transcript.SetVerbose(verbose)
		m.note(map[bool]string{true: "output of tools: shown", false: "output of tools: one line each"}[verbose], 2*time.Second)
	case "ctrl+t":
		m.transcript.TogglePlan()
	case "ctrl+l":
		return m.printed.Clear(), true
	case "shift+tab":
		m.nextMode()
	default:
		return nil, false
	}
	return nil, true
}

// nextMode goes to the next approval mode.
func (m *model) nextMode() {
	if m.opened == nil || len(m.o.Modes) == 0 {
		return
	}
	now := m.transcript.Status().Mode
	next := m.o.Modes[0]
	for i, mode := range m.o.Modes {
		if mode == now {
			next = m.o.Modes[(i+1)%len(m.o.Modes)]
		}
	}
	m.submit(event.Configure{ApprovalMode: &next})
}

// act does what the input says.
func (m *model) act(a composer.Action, cmd tea.Cmd) tea.Cmd {
	return tea.Batch(cmd, m.do(a))
}

func (m *model) do(a composer.Action) tea.Cmd {
	switch a.Kind {
	case composer.Submit:
		m.quitArmed = time.Time{}
		return m.enter(a.Text, false)
	case composer.Steer:
		m.quitArmed = time.Time{}
		return m.enter(a.Text, true)
	case composer.Shell:
		return m.runCommand(dialog.Shell, a.Text)
	case composer.Remember:
		return m.runCommand(dialog.Remember, a.Text)
	case composer.Editor:
		return m.edit("message.md", m.input.Text(), func(text string, err error) {
			if err != nil {
				m.warn(err.Error())
				return
			}
			m.input.SetText(strings.TrimRight(text, "\n"))
		})
	case composer.Image:
		return m.runCommand(dialog.Picture, "")
	case composer.EOF:
		return m.leave(Quit)
	case composer.Escape:
		return m.escape()
	case composer.Interrupt:
		return m.interrupt()
	}
	return nil
}

// escape ends what runs; twice at rest it goes back in the conversation.
func (m *model) escape() tea.Cmd {
	switch {
	case m.command != nil:
		m.command.cancel()
	case m.transcript.Busy() || m.review != nil:
		m.submit(event.Interrupt{})
	case m.o.Now().Sub(m.escArmed) < again:
		m.escArmed = time.Time{}
		return m.runCommand("rewind", "")
	default:
		m.escArmed = m.o.Now()
		m.note("Esc again to go back in the conversation", again)
	}
	return nil
}

// interrupt is Ctrl-C without a text: it ends what runs and, a second time
// within a second, the application.
func (m *model) interrupt() tea.Cmd {
	now := m.o.Now()
	if now.Sub(m.quitArmed) < again {
		return m.leave(Quit)
	}
	m.quitArmed = now
	m.note("ctrl + c again to quit", again)
	switch {
	case m.command != nil:
		m.command.cancel()
	case m.review != nil:
		m.review.Cancel()
		m.reviewed()
	case m.transcript.Busy():
		m.submit(event.Interrupt{})
	}
	return nil
}

// enter takes a line: a word that leaves, a command, an answer, a message.
func (m *model) enter(text string, steer bool) tea.Cmd {
	m.lastKey = time.Time{} // nothing is being typed any more
	line := strings.TrimSpace(text)
	switch strings.ToLower(line) {
	case "exit", "quit", "/exit", "/quit":
		return m.leave(Quit)
	case "?":
		if m.review == nil {
			line = "/help"
		}
	}
	name, args, slash := dialog.Slash(line)
	sends := slash && dialog.Sends(m.o.Commands, name)
	switch {
	case sends && m.review != nil:
		m.warn("/" + name + " begins a turn: answer the approval first")
		return nil
	case slash && !sends:
		m.transcript.Typed(m.shown(line))
		return m.runCommand(name, args)
	}
	if m.review != nil {
		return m.reviewText(line)
	}
	m.message(text, steer)
	return nil
}

// shown is a text without what must not be seen.
func (m *model) shown(text string) string {
	if m.o.Approve.Shown == nil {
		return text
	}
	return m.o.Approve.Shown(text)
}

// message sends a text. What it mentions is read first, beside the event loop;
// texts keep their order.
func (m *model) message(text string, steer bool) {
	own := m.brings
	m.brings = nil
	m.prepared.Go(&m.work, func() {
		in := event.UserInput{Text: text}
		var notes []string
		if m.o.Expand != nil {
			var err error
			if in, notes, err = m.o.Expand(m.ctx, text); err != nil {
				m.send(sayMsg{func(m *model) { m.notSent(text, own, err) }})
				return
			}
		}
		if len(own) > 0 {
			in.Shown = cmp.Or(in.Shown, in.Text)
			in.Text = strings.Join(append(own, in.Text), "\n\n")
		}
		m.send(sayMsg{func(m *model) {
			for _, note := range notes {
				m.say(theme.Dim, note)
			}
			if steer {
				m.submit(event.Steer(in))
			} else {
				m.submit(in)
			}
		}})
	})
}

// notSent gives a text back whose mentions could not be read.
func (m *model) notSent(text string, own []string, err error) {
	m.warn(err.Error())
	m.brings = append(own, m.brings...)
	if m.input.Text() == "" {
		m.input.SetText(text)
	}
}
