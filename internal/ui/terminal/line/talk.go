package line

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/ui/terminal"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/editing"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// errand is a command, or another thing that runs beside the loop.
type errand struct {
	name   string
	cancel context.CancelFunc
}

// question is what an errand asks.
type question struct {
	prompt string
	secret bool
	take   func(line string) // called by the loop
	cancel func()
}

// command starts a slash command.
func (m *mode) command(name, args string) {
	c := dialog.Find(m.o.Commands, name)
	if c == nil {
		m.warn(fmt.Sprintf("there is no command %s; /help lists them", shown(name)))
		return
	}
	m.run(c.Name, func(ctx context.Context) error { return c.Run(ctx, &talk{m}, args) })
}

// shown is how a command is typed.
func shown(name string) string {
	if name == dialog.Shell || name == dialog.Remember {
		return name
	}
	return "/" + name
}

// run runs an errand. No line is read meanwhile but where it asks.
func (m *mode) run(name string, do func(ctx context.Context) error) {
	ctx, cancel := context.WithCancel(m.ctx)
	e := &errand{name: name, cancel: cancel}
	m.errand = e
	m.work.Go(func() {
		defer cancel()
		err := dialog.Guarded(ctx, do)
		m.do(func() { m.ran(e, err) })
	})
}

func (m *mode) ran(e *errand, err error) {
	if m.errand == e { // that of a message is over when the text is with the session
		m.errand = nil
	}
	switch {
	case err == nil, dialog.Told(err):
	case errors.Is(err, dialog.ErrCancelled), errors.Is(err, context.Canceled):
		m.say("nothing was changed")
	default:
		m.warn(strings.Join(strings.Fields(err.Error()), " "))
	}
}

// talk is the line mode for a command; it serves the command's goroutine.
type talk struct{ m *mode }

func (t *talk) Print(text string)    { t.m.do(func() { t.m.transcript.Say(theme.Text, text) }) }
func (t *talk) Warn(text string)     { t.m.do(func() { t.m.transcript.Say(theme.Warning, text) }) }
func (t *talk) Markdown(text string) { t.m.do(func() { t.m.transcript.Markdown(text) }) }
func (t *talk) Diff(text string)     { t.m.do(func() { t.m.transcript.Diff(text) }) }

// Clear has nothing to empty.
func (t *talk) Clear() {}

// Fill shows the text: a line that has been printed cannot be changed.
func (t *talk) Fill(text string) {
	t.m.do(func() {
		if t.m.fill = text; text != "" {
			t.m.say("a line with a single dot sends this:")
			t.m.transcript.Say(theme.User, text)
		}
	})
}

// Insert is Fill: there is no cursor.
func (t *talk) Insert(text string) { t.Fill(text) }

func (t *talk) Bring(text string) { t.m.do(func() { t.m.brings = append(t.m.brings, text) }) }

func (t *talk) Copy(string) error {
	return errors.New("the line mode reaches no clipboard; /export writes a file")
}

func (t *talk) Verbose(on bool) (before bool) {
	t.m.do(func() {
		before = t.m.transcript.Verbose()
		t.m.transcript.SetVerbose(on)
	})
	return before
}

func (t *talk) Leave(detach bool) {
	t.m.do(func() {
		switch {
		case !detach:
			t.m.leave(terminal.Quit)
		case t.m.opened == nil:
			t.m.warn("there is no session to leave running")
		case !t.m.opened.Detachable:
			t.m.warn("this session is not kept on disk and cannot go on without this terminal")
		default:
			t.m.leave(terminal.Detached)
		}
	})
}

func (t *talk) Size() (columns, rows int) {
	columns, rows = 80, 24
	t.m.do(func() { columns, rows = t.m.out.size() })
	return columns, rows
}

// asks puts lines and a prompt on the screen and takes lines until one is
// taken as the answer.
func (t *talk) asks(ctx context.Context, lines []string, q question, take func(line string) (again []string, done bool)) error {
	answer := make(chan bool, 1)
	mine := &q
	over := func(ok bool) {
		t.m.asked = nil
		answer <- ok
	}
	mine.cancel = func() { over(false) }
	mine.take = func(line string) {
		again, done := take(line)
		t.m.transcript.Add(again)
		if done {
			over(true)
		}
	}
	if !t.m.do(func() {
		if t.m.asked != nil || t.m.leaving || t.m.eof || q.secret && t.m.reading {
			answer <- false
			return
		}
		t.m.transcript.Add(lines)
		t.m.asked = mine
	}) {
		return dialog.ErrCancelled
	}
	select {
	case ok := <-answer:
		if ok {
			return nil
		}
	case <-ctx.Done():
		t.m.do(func() {
			if t.m.asked == mine {
				t.m.asked = nil
			}
		})
	}
	return dialog.ErrCancelled
}

func (t *talk) Ask(ctx context.Context, q dialog.Question) (string, error) {
	text := q.Default
	prompt := plainText(q.Text)
	if q.Default != "" {
		prompt += " [" + plainText(q.Default) + "]"
	}
	var lines []string
	if !t.m.in.tty {
		lines = []string{"  " + prompt}
	}
	err := t.asks(ctx, lines, question{prompt: prompt + ": ", secret: q.Secret}, func(line string) ([]string, bool) {
		if line != "" {
			text = line
		}
		return nil, true
	})
	if err != nil {
		return "", err
	}
	return text, nil
}

func (t *talk) Page(_ context.Context, title, text string) error {
	t.m.do(func() {
		t.m.transcript.Say(theme.Strong, title)
		if theme.IsDiff(text) {
			t.m.transcript.Diff(text)
			return
		}
		t.m.transcript.Say(theme.Text, text)
	})
	return nil
}

// leastEvery is how often what changes is told at most.
const leastEvery = 5 * time.Second

// Live prints what changes until a line is entered.
func (t *talk) Live(ctx context.Context, every time.Duration, draw func(width, height int) []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var shown []string
	tell := func() {
		var fresh []string
		lines := draw(t.Size())
		for _, line := range lines {
			if !slices.Contains(shown, line) {
				fresh = append(fresh, line)
			}
		}
		shown = lines
		t.m.do(func() { t.m.transcript.Add(fresh) })
	}
	tell()
	told := make(chan struct{})
	go func() {
		defer close(told)
		tick := time.NewTicker(max(every, leastEvery))
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				tell()
			case <-ctx.Done():
				return
			}
		}
	}()
	err := t.asks(ctx, nil, question{prompt: "Enter ends this: "}, func(string) ([]string, bool) { return nil, true })
	cancel()
	<-told
	if errors.Is(err, dialog.ErrCancelled) {
		return nil // it has been seen enough
	}
	return err
}

func (t *talk) Edit(ctx context.Context, name, text string) (string, error) {
	if !t.m.in.tty || !t.m.out.tty {
		return text, errors.New("an editor needs a terminal")
	}
	draft, err := editing.Begin(name, text, t.m.o.Editor)
	if err != nil {
		return text, err
	}
	if !t.m.do(func() { t.m.flush(); t.m.editing = true }) {
		return draft.End(dialog.ErrCancelled)
	}
	defer t.m.do(func() { t.m.editing = false })
	c := draft.Command
	c.Stdin, c.Stdout, c.Stderr = t.m.o.In, t.m.o.Out, t.m.o.Out
	if err := c.Start(); err != nil {
		return draft.End(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Process.Kill() }) // it may have ended
	defer stop()
	return draft.End(c.Wait())
}
