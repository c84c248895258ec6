// Package line is the conversation where nothing can be drawn anew: terminals
// that only print, pipes, and screen readers. It shows what the application
// shows, line behind line, takes what is typed a line at a time, and offers the
// same commands and approvals as lists that are answered with a number or a
// word. The cursor never moves back.
//
// From a terminal what is typed while a turn runs is sent at once and waits for
// the next one. From a pipe a line is read when it can be answered, so that the
// lines of a script meet what they are meant for.
package line

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/feed"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/record"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/sight"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript"
)

// Options make the line mode. Of the application's those that are about drawing
// and keys are not used.
type Options struct {
	terminal.Options
	// ScreenReader prints words only: no colours, no signs, no boxes.
	ScreenReader bool
	// Interrupts are presses of Ctrl-C; nil takes the signals of the process.
	Interrupts <-chan os.Signal
}

const (
	// again is how soon a second Ctrl-C must come.
	again = time.Second
	// pulse is how often something that runs for long is told anew.
	pulse = time.Minute
	// leaveWait is how long the session may take to end, configureWait a changed
	// setting before an approval is sent without it.
	leaveWait     = 10 * time.Second
	configureWait = 5 * time.Second
)

// mode is the state of the line mode; it belongs to one loop.
type mode struct {
	o     Options
	ctx   context.Context
	calls chan func() // for the loop to run
	work  sync.WaitGroup
	in    *input
	out   *output

	transcript *transcript.Transcript
	sight      sight.Sight
	record     record.Record
	waiters    record.Waiters

	opened    *terminal.Opened   // nil while none is open
	opening   context.CancelFunc // ends the opening of one; nil while none is opened
	early     []event.Operation  // what waits for it
	feed      *feed.Feed
	past      []event.Event   // what had happened before, until all of it is there
	caughtUp  bool            // all that had happened before is shown
	lost      string          // the session that has ended by itself
	pending   map[string]bool // texts whose turn has not ended
	typed     map[string]bool // texts that stand on the screen
	running   string          // the text that the turn at hand began with
	submitted chan struct{}   // closed when what was sent last is with the session
	subs      int

	errand  *errand   // the command that runs
	asked   *question // what it asks
	review  *approve.Review
	gate    *event.ApprovalRequired // what is reviewed, or was answered last
	editing bool                    // an editor has the terminal

	reading bool // a line is wanted
	eof     bool
	part    string   // a line that goes on in the next
	fill    string   // a text to be sent with a single dot
	brings  []string // what the next message brings along
	armed   time.Time

	leaving, over bool
	result        terminal.Result
}

// Run shows the conversation until the person leaves.
func Run(ctx context.Context, o Options) terminal.Result {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ScreenReader || o.Theme == nil {
		o.Theme = theme.New(theme.Options{ASCII: o.Theme != nil && o.Theme.ASCII()})
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := &mode{
		o: o, ctx: ctx, calls: make(chan func()), in: newInput(o.In), out: newOutput(o.Out, o.ScreenReader),
		pending: map[string]bool{}, typed: map[string]bool{},
	}
	defer m.in.close()
	columns, _ := m.out.size()
	m.transcript = transcript.New(transcript.Options{
		Theme: o.Theme, Width: columns, Now: o.Now, ShowThinking: o.ShowThinking, Plain: true,
		Typed: func(id string) bool { return m.in.tty && m.typed[id] },
	})
	interrupts := o.Interrupts
	if interrupts == nil {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, os.Interrupt)
		defer signal.Stop(signals)
		interrupts = signals
	}
	if o.Banner != nil {
		m.out.print(append(o.Banner(o.Theme, columns), "")...)
	}
	m.open("")
	m.loop(interrupts)
	cancel()
	m.work.Wait()
	m.result.Opened = m.opened
	return m.result
}

// loop is where everything happens, one thing at a time.
func (m *mode) loop(interrupts <-chan os.Signal) {
	beat := time.NewTicker(pulse)
	defer beat.Stop()
	hangup, terminate := m.o.Hangup, m.o.Terminate
	for m.show(); !m.over; m.show() {
		select {
		case f := <-m.calls:
			f()
		case r := <-m.in.lines:
			m.reading = false
			m.take(r)
		case <-interrupts:
			m.interrupt()
		case text := <-m.o.Warnings:
			m.transcript.Say(theme.Warning, text)
		case <-hangup:
			hangup = nil
			m.leave(terminal.HungUp)
		case <-terminate:
			terminate = nil
			m.leave(terminal.Terminated)
		case <-beat.C:
			if m.transcript.Busy() && !m.editing {
				m.out.print(m.transcript.Doing()...)
			}
		case <-m.ctx.Done():
			m.result.Reason, m.result.Err, m.over = terminal.Failed, context.Cause(m.ctx), true
		}
	}
	m.flush()
}

// do has the loop run f and waits until it has. It reports false where the
// loop has ended.
func (m *mode) do(f func()) bool {
	done := make(chan struct{})
	select {
	case m.calls <- func() { f(); close(done) }:
		<-done
		return true
	case <-m.ctx.Done():
		return false
	}
}

// idle reports whether nothing runs and nothing waits but the person.
func (m *mode) idle() bool {
	return m.opening == nil && m.errand == nil && len(m.pending) == 0 &&
		(m.opened == nil || m.caughtUp && !m.transcript.Busy() && m.gate == nil && m.transcript.Status().Queue == 0)
}

// show prints what is finished and asks for what comes next.
func (m *mode) show() {
	m.flush()
	switch {
	case m.over:
	case m.out.failure != nil: // nobody reads any more
		m.result.Err = m.out.failure
		m.leave(terminal.HungUp)
		m.out.failure = nil
	case m.leaving, m.editing:
	case m.asked != nil:
		m.ask(m.asked.prompt, m.asked.secret)
	case m.errand != nil, m.opening != nil:
	case m.review != nil:
		m.ask("answer: ", false)
	case m.idle() && m.eof:
		m.leave(terminal.Quit)
	case m.idle() && m.part != "":
		m.ask("+ ", false)
	case m.idle():
		m.ask("> ", false)
	case m.in.tty && !m.eof:
		m.ask("", false)
	}
}

func (m *mode) flush() {
	if m.editing {
		return
	}
	if columns, _ := m.out.size(); columns != m.transcript.Width() {
		m.transcript.Resize(columns)
	}
	m.out.print(m.transcript.Take()...)
	if tell := m.sight.Tell(true); tell != nil {
		m.work.Go(func() { tell() })
	}
}

// ask shows a prompt to a terminal and wants a line.
func (m *mode) ask(prompt string, secret bool) {
	if !m.reading {
		m.reading = true
		m.in.want(secret)
		m.out.raw = secret && m.in.tty
	}
	if m.in.tty && prompt != "" {
		m.out.ask(prompt)
	}
}

// take takes what was read.
func (m *mode) take(r read) {
	m.out.raw = false
	m.out.entered(m.in.tty && r.err == nil && (m.asked == nil || !m.asked.secret))
	switch {
	case errors.Is(r.err, errInterrupted):
		m.interrupt()
	case errors.Is(r.err, errTooLong):
		m.warn(r.err.Error())
	case r.err != nil:
		if !errors.Is(r.err, io.EOF) {
			m.warn("read the input: " + r.err.Error())
		}
		m.ended()
	case m.asked != nil:
		m.asked.take(r.text)
	default:
		m.enter(r.text)
	}
}

// ended is the end of the input: nobody answers any more. What runs goes on to
// its end.
func (m *mode) ended() {
	m.eof = true
	if m.asked != nil {
		m.asked.cancel()
	}
	if m.review != nil {
		m.review.Cancel()
		m.reviewed()
	}
	if !m.idle() && m.in.tty {
		m.say("leaving when this is over; Ctrl-C ends it")
	}
}

// interrupt is Ctrl-C: it ends what runs and, a second time within a second,
// the conversation.
func (m *mode) interrupt() {
	if m.editing {
		return // the editor's
	}
	if m.in.tty { // the terminal has shown ^C, or nothing
		m.out.prompt = ""
		m.out.write("\n")
	}
	now := m.o.Now()
	if now.Sub(m.armed) < again {
		m.leave(terminal.Quit)
		return
	}
	m.armed, m.part = now, ""
	m.say("ctrl + c again to quit")
	switch {
	case m.asked != nil:
		m.asked.cancel()
	case m.opening != nil:
		m.opening()
	case m.errand != nil:
		m.errand.cancel()
	case m.review != nil:
		m.review.Cancel()
		m.reviewed()
	case m.opened != nil && !m.idle():
		session := m.opened
		m.work.Go(session.Interrupt)
	}
}

// enter takes a line: a word that leaves, a command, an answer, a message.
func (m *mode) enter(text string) {
	if rest, more := strings.CutSuffix(text, `\`); more && m.review == nil {
		m.part += rest + "\n"
		return
	}
	text = m.part + text
	m.part = ""
	line := strings.TrimSpace(text)
	if line == "." && m.fill != "" {
		line, text = m.fill, m.fill
	}
	switch strings.ToLower(line) {
	case "":
		if m.review != nil {
			m.follows(m.review.Answer(""))
		}
		return
	case "exit", "quit", "/exit", "/quit":
		m.leave(terminal.Quit)
		return
	}
	m.armed = time.Time{}
	name, args, slash := dialog.Slash(line)
	sends := slash && dialog.Sends(m.o.Commands, name)
	switch {
	case sends && m.review != nil:
		m.warn("/" + name + " begins a turn: answer the approval first")
	case slash && !sends:
		m.command(name, args)
	case m.review != nil:
		m.follows(m.review.Answer(line))
	case strings.HasPrefix(line, dialog.Shell), strings.HasPrefix(line, dialog.Remember):
		m.command(line[:1], strings.TrimSpace(line[1:]))
	default:
		m.fill = ""
		m.message(text)
	}
}

func (m *mode) say(text string)  { m.transcript.Say(theme.Dim, text) }
func (m *mode) warn(text string) { m.transcript.Say(theme.Danger, text) }
