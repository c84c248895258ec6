// Package terminal is the conversation in a terminal: it draws what a session's
// events tell above a line to type into, and turns what is typed into
// operations. It lives inside the terminal's own scrollback: what is finished is
// printed once, only the open end is drawn anew. It knows a session as
// operations and events, and the commands it offers by their names.
package terminal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/term"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/attention"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/scrollback"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/setup"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/signals"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// What the application is made of.
type (
	Opened     = setup.Opened
	Options    = setup.Options
	Reason     = setup.Reason
	Result     = setup.Result
	FatalError = setup.FatalError
)

// The reasons why it ends.
const (
	Quit       = setup.Quit
	Detached   = setup.Detached
	HungUp     = setup.HungUp
	Terminated = setup.Terminated
	Failed     = setup.Failed
)

// framesPerSecond is how often the screen is drawn at most: a key is seen within
// 9 ms.
const framesPerSecond = 120

// Run shows the application until the person leaves.
func Run(ctx context.Context, o Options) Result {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Attention == nil {
		o.Attention = attention.New(attention.Options{Mode: "off", Environ: o.Environ})
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := newModel(ctx, o)
	out := o.Out
	if f, ok := out.(term.File); ok {
		m.out = scrollback.Watch(f)
		out = m.out
	}
	options := []tea.ProgramOption{
		tea.WithInput(o.In), tea.WithOutput(out), tea.WithEnvironment(o.Environ),
		tea.WithFPS(framesPerSecond), tea.WithoutSignalHandler(), tea.WithColorProfile(colorprofile.TrueColor), // the theme knows which colours there are
	}
	program := tea.NewProgram(m, options...)
	m.send = program.Send
	m.work.Broke = func(text string) { m.send(brokeMsg{text}) }
	var watch sync.WaitGroup
	watch.Go(func() { m.watchSignals(ctx) })
	fmt.Fprint(o.Out, o.Attention.Begin())
	_, err := program.Run()
	fmt.Fprint(o.Out, o.Attention.End())
	cancel()
	m.work.Wait()
	watch.Wait()
	r := Result{Reason: m.reason, Opened: m.opened, Err: m.failure, Draft: m.input.Draft()}
	switch {
	case err == nil, errors.Is(err, tea.ErrInterrupted), r.Err != nil:
	case errors.Is(err, tea.ErrProgramPanic):
		r.Reason, r.Err = Failed, errors.New("the program failed inside, as told above; what was said is kept: --continue goes on with it")
	default:
		r.Reason, r.Err = Failed, fmt.Errorf("the terminal: %w", err)
	}
	return r
}

// watchSignals tells the model that the terminal or the process ends. Ctrl-C is
// a key, but not while an editor has the terminal: then the signal is the
// editor's, and one that comes otherwise counts as the key.
func (m *model) watchSignals(ctx context.Context) {
	interrupted, continued, stop := signals.Watch()
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-interrupted:
			m.send(interruptMsg{})
		case <-continued:
			m.send(continuedMsg{})
		case text := <-m.o.Warnings:
			m.send(sayMsg{func(m *model) { m.say(theme.Warning, text) }})
		case <-m.o.Hangup:
			m.send(leaveMsg{HungUp})
			return
		case <-m.o.Terminate:
			m.send(leaveMsg{Terminated})
			return
		}
	}
}
