package terminal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/editing"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/panel"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// command is a slash command, or another errand of the person's, that runs.
type command struct {
	name   string
	cancel context.CancelFunc
}

// runCommand starts a slash command.
func (m *model) runCommand(name, args string) tea.Cmd {
	c := dialog.Find(m.o.Commands, name)
	if c == nil {
		m.warn(fmt.Sprintf("there is no command /%s here; /help lists them", name))
		return nil
	}
	m.begin(c.Name, func(ctx context.Context) error { return c.Run(ctx, m.talk(ctx), args) })
	return nil
}

// begin runs an errand; one at a time.
func (m *model) begin(name string, run func(ctx context.Context) error) {
	if m.command != nil {
		m.warn(fmt.Sprintf("/%s is still running; Esc ends it", m.command.name))
		return
	}
	ctx, cancel := context.WithCancel(m.ctx)
	c := &command{name: name, cancel: cancel}
	m.command = c
	m.work.Go(func() {
		defer cancel()
		m.send(commandMsg{c, dialog.Guarded(ctx, run)})
	})
}

func (m *model) commandEnded(msg commandMsg) {
	if m.command != msg.command {
		return
	}
	m.command = nil
	switch {
	case msg.err == nil, dialog.Told(msg.err):
	case errors.Is(msg.err, dialog.ErrCancelled), errors.Is(msg.err, context.Canceled):
		m.say(theme.Dim, "nothing was changed")
	default:
		m.warn(strings.Join(strings.Fields(msg.err.Error()), " "))
	}
}

// request is what a command wants of the person.
type request struct {
	panel  panel.Panel
	reply  chan bool       // true: answered
	ctx    context.Context // the person turned away when it is done
	moving bool
}

// lives reports whether the request's panel changes by itself.
func (r *request) lives() bool { return r != nil && r.moving }

func (m *model) ask(r *request) {
	if m.asked != nil || m.leaving || r.ctx.Err() != nil {
		r.reply <- false
		return
	}
	m.asked = r
}

func (m *model) withdraw(r *request) {
	if m.asked == r {
		m.asked = nil
	}
}

// answered hands an answer to who asked.
func (m *model) answered() {
	if done, cancelled := m.asked.panel.Done(); done {
		m.asked.reply <- !cancelled
		m.asked = nil
	}
}

// talk is the terminal for a command; it serves the command's goroutine.
type talk struct {
	m   *model
	ctx context.Context
}

func (m *model) talk(ctx context.Context) dialog.Talk { return &talk{m: m, ctx: ctx} }

// do has the event loop do something.
func (t *talk) do(f func(m *model)) { t.m.send(sayMsg{f}) }

func (t *talk) Print(text string)    { t.do(func(m *model) { m.say(theme.Text, text) }) }
func (t *talk) Warn(text string)     { t.do(func(m *model) { m.say(theme.Warning, text) }) }
func (t *talk) Markdown(text string) { t.do(func(m *model) { m.transcript.Markdown(text) }) }

func (t *talk) Diff(text string) {
	t.do(func(m *model) { m.transcript.Diff(text) })
}

func (t *talk) Fill(text string)   { t.do(func(m *model) { m.input.SetText(text) }) }
func (t *talk) Clear()             { t.m.send(clearMsg{}) }
func (t *talk) Insert(text string) { t.do(func(m *model) { m.input.Insert(text) }) }
func (t *talk) Bring(text string)  { t.do(func(m *model) { m.brings = append(m.brings, text) }) }

func (t *talk) Verbose(on bool) bool {
	return ask(t.m, func(m *model) bool {
		before := m.transcript.Verbose()
		m.transcript.SetVerbose(on)
		return before
	})
}

// Leave ends the application, as a key would.
func (t *talk) Leave(detach bool) {
	reason := Quit
	if detach {
		reason = Detached
	}
	t.m.send(leaveMsg{reason})
}

// Size is that of the terminal.
func (t *talk) Size() (columns, rows int) {
	size := ask(t.m, func(m *model) [2]int { return [2]int{m.width, m.height} })
	return max(20, size[0]), max(6, size[1])
}

// theme is the one for what is shown now.
func (t *talk) theme() *theme.Theme { return ask(t.m, func(m *model) *theme.Theme { return m.theme }) }

// show puts a panel in the place of the input until it is answered.
func (t *talk) show(ctx context.Context, p panel.Panel, moving bool) error {
	r := &request{panel: p, reply: make(chan bool, 1), ctx: ctx, moving: moving}
	t.m.send(requestMsg{r})
	select {
	case ok := <-r.reply:
		if !ok {
			return dialog.ErrCancelled
		}
		return nil
	case <-ctx.Done():
	case <-t.m.ctx.Done():
	}
	t.m.send(withdrawMsg{r})
	return dialog.ErrCancelled
}

func (t *talk) Choose(ctx context.Context, menu dialog.Menu) (int, error) {
	if len(menu.Items) == 0 {
		return -1, errors.New("there is nothing to choose from")
	}
	p := panel.NewMenu(menu, t.theme())
	if err := t.show(ctx, p, false); err != nil {
		return -1, err
	}
	return p.Choice(), nil
}

func (t *talk) Ask(ctx context.Context, q dialog.Question) (string, error) {
	p := panel.NewQuestion(q, t.theme())
	err := t.show(ctx, p, false)
	return p.Text(), err
}

func (t *talk) Page(ctx context.Context, title, text string) error {
	err := t.show(ctx, panel.NewPager(title, text, t.theme()), false)
	if errors.Is(err, dialog.ErrCancelled) && ctx.Err() == nil {
		return nil
	}
	return err
}

func (t *talk) Live(ctx context.Context, _ time.Duration, draw func(width, height int) []string) error {
	err := t.show(ctx, panel.NewLive(draw, t.theme()), true)
	if errors.Is(err, dialog.ErrCancelled) && ctx.Err() == nil {
		return nil
	}
	return err
}

func (t *talk) Copy(text string) error {
	const most = 100_000 // terminals ignore longer ones
	if len(text) > most {
		return fmt.Errorf("the text has %d bytes, a terminal takes %d", len(text), most)
	}
	t.m.send(tea.SetClipboard(text)())
	return nil
}

func (t *talk) Edit(ctx context.Context, name, text string) (string, error) {
	type result struct {
		text string
		err  error
	}
	got := make(chan result, 1)
	t.m.send(editMsg{name, text, func(text string, err error) { got <- result{text, err} }})
	select {
	case r := <-got:
		return r.text, r.err
	case <-ctx.Done():
		return text, dialog.ErrCancelled
	}
}

// editMsg asks for the editor.
type editMsg struct {
	name, text string
	take       func(text string, err error)
}

// edit lets the person change a text in an editor; the terminal is the editor's
// meanwhile.
func (m *model) edit(name, text string, take func(text string, err error)) tea.Cmd {
	draft, err := editing.Begin(name, text, m.o.Editor)
	if err != nil {
		take(text, err)
		return nil
	}
	m.editing = true
	return tea.ExecProcess(draft.Command, func(err error) tea.Msg {
		text, err := draft.End(err)
		return editedMsg{text, err, take}
	})
}
