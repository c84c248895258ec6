// Package attention tells a person who looks elsewhere that the session needs
// them, is done or has failed: by the notification that the terminal understands,
// by its bell, or by the desktop. It also words the window's title and the
// progress on its tab. It writes nothing itself; it knows no session and no
// screen.
package attention

import (
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/platform/desktop"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// Options say how and when to call.
type Options struct {
	// Mode is auto, osc, bell, native or off; anything else is auto.
	Mode    string
	Environ []string
	// GOOS is the operating system whose desktop is called natively.
	GOOS string
	// MinSeconds is how long work must have taken to be announced to a person
	// who looks at the terminal.
	MinSeconds int
	// Now is the clock; nil is the system's.
	Now func() time.Time
	// Name is what is worked on, such as the folder, for the title.
	Name string
	// ASCII keeps the title's own characters at or below 0x7e.
	ASCII bool
	// Scrub takes secrets out of a text; nil leaves it as it is.
	Scrub func(text string) string
	// Run starts a program with its arguments, through no shell, and returns at
	// once; nil starts none, and the bell rings instead.
	Run func(argv []string)
}

// The states of a session, for the title and the progress.
const (
	Idle    = "idle"
	Working = "working"
	Waiting = "waiting" // for the person
	Failed  = "failed"
)

// The kinds of events.
const (
	Approval = "approval"
	Finished = "finished"
	Error    = "error"
	// Job is the end of a job. Jobs take long enough to be announced always.
	Job = "job"
)

// Attention keeps what is known of the person and the terminal. It is not safe
// for concurrent use.
type Attention struct {
	o        Options
	terminal terminal
	away     bool // the terminal has told that it is not looked at
	state    string
	began    time.Time // of the work going on, or the last
	shown    string    // the progress that is shown
	// progressed says that one was.
	progressed bool
}

// New reads from the environment what the terminal understands.
func New(o Options) *Attention {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Attention{o: o, terminal: read(o.Environ), state: Idle, shown: Idle}
}

// Begin is written before anything else: it keeps the title there is.
func (a *Attention) Begin() string {
	if !a.terminal.titles {
		return ""
	}
	return ansi.WindowOp(22, 0)
}

// End is written after everything else: it takes the progress away and puts the
// title back.
func (a *Attention) End() string {
	out := ""
	if a.Progress(Idle); a.progressed { // what was to reset it may not have been written
		out, a.progressed = ansi.ResetProgressBar, false
	}
	if a.terminal.titles {
		out += ansi.WindowOp(23, 0)
	}
	return out
}

// Focus takes what the terminal reports. Until it has reported anything, it is
// looked at.
func (a *Attention) Focus(focused bool) { a.away = !focused }

// Rename changes what is worked on, in the title.
func (a *Attention) Rename(name string) { a.o.Name = name }

// enter takes the session's state: work is timed from where it begins.
func (a *Attention) enter(state string) {
	if state == Working && a.state != Working {
		a.began = a.o.Now()
	}
	a.state = state
}

// Event returns what to write to the terminal for one event, empty for nothing.
// It calls when nobody looks, or when the work has taken so long that nobody may
// be there any more.
func (a *Attention) Event(kind, text string) string {
	long := kind == Job || !a.began.IsZero() && a.o.Now().Sub(a.began) >= time.Duration(a.o.MinSeconds)*time.Second
	if a.o.Mode == "off" || !a.away && !long {
		return ""
	}
	text = a.words(text, longestText)
	if text == "" {
		text = kind
	}
	switch a.o.Mode {
	case "bell":
		return bell
	case "native":
		if argv := desktop.Notification(a.o.GOOS, program, text); len(argv) > 0 && a.o.Run != nil && !a.terminal.remote {
			a.o.Run(argv)
			return ""
		}
	case "osc":
		return a.terminal.notify(text, true)
	}
	return a.terminal.notify(text, false)
}

const (
	program = "ml-intern"
	bell    = "\a"
	// longestText and longestName bound what is told, in columns.
	longestText = 200
	longestName = 60
)

// words makes a text fit for one line anywhere.
func (a *Attention) words(text string, columns int) string {
	if a.o.Scrub != nil {
		text = a.o.Scrub(text)
	}
	text = strings.Join(strings.Fields(plain.ForTerminal(text)), " ")
	more := "…"
	if a.o.ASCII {
		more = "..."
	}
	return ansi.Truncate(text, columns, more)
}

// Title is what the window is called in a state, without the sequence that says
// so; empty where it cannot be called anything. What needs the person stands in
// front, where a narrow tab shows it.
func (a *Attention) Title(state string) string {
	a.enter(state)
	if !a.terminal.titles {
		return ""
	}
	parts := []string{program}
	if name := a.words(a.o.Name, longestName); name != "" {
		parts = append(parts, name)
	}
	switch state {
	case Working, Failed:
		parts = append([]string{state}, parts...)
	case Waiting:
		parts = append([]string{"needs you"}, parts...)
	}
	between := " · "
	if a.o.ASCII {
		between = " - "
	}
	return strings.Join(parts, between)
}

// Progress returns what to write when the state has changed, for terminals that
// show it on a tab or in the task bar.
func (a *Attention) Progress(state string) string {
	a.enter(state)
	if !a.terminal.progress || state == a.shown {
		return ""
	}
	a.shown = state
	a.progressed = a.progressed || state != Idle
	switch state {
	case Working:
		return ansi.SetIndeterminateProgressBar
	case Waiting:
		return ansi.SetWarningProgressBar(100)
	case Failed:
		return ansi.SetErrorProgressBar(100)
	}
	return ansi.ResetProgressBar
}
