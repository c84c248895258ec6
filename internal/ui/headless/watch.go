package headless

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/ui/headless/told"
)

// WatchOptions are how a session is watched.
type WatchOptions struct {
	Stdout, Stderr io.Writer
	// TTY says that Stdout is a terminal: text is then printed as it arrives.
	TTY bool
	// JSON prints the events, one a line, instead of text.
	JSON bool
	// From is the number of the first event that is shown.
	From int64
	// Verbose adds tool outputs.
	Verbose bool
}

// Watch shows a session that somebody else runs, without a word to it. Event
// takes the events in order, from the first; Code is how its last turn ended.
type Watch struct {
	opts  WatchOptions
	json  jsonPrinter
	text  textPrinter
	code  int
	open  bool // a turn has begun and not ended
	gated bool
	typed map[string]string // what was typed for texts that hold more
}

// NewWatch returns a Watch.
func NewWatch(o WatchOptions) *Watch {
	b := base{out: o.Stdout, err: o.Stderr}
	return &Watch{
		opts: o, json: jsonPrinter{base: b, stream: true}, typed: map[string]string{},
		text: textPrinter{base: b, opts: Options{TTY: o.TTY, Verbose: o.Verbose}, told: told.Lines{}},
	}
}

// Event takes the next event.
func (w *Watch) Event(ev event.Event) {
	w.ending(ev)
	switch {
	case ev.Seq < w.opts.From:
	case w.opts.JSON:
		w.json.event(ev)
	default:
		w.show(ev)
	}
}

func (w *Watch) show(ev event.Event) {
	if ev.Type == event.TypeHistoryMessage {
		if h, err := event.Decode[event.HistoryMessage](ev); err == nil && h.AgentID == "" && h.Message.Role == llm.User && !h.Message.Synthetic {
			text := h.Message.PlainText()
			w.text.say("> " + strings.ReplaceAll(cmp.Or(w.typed[text], text), "\n", "\n> "))
			return
		}
	}
	w.text.event(ev)
	switch ev.Type {
	case event.TypeInterrupted:
		w.text.line("  interrupted")
	case event.TypeApprovalRequired:
		w.text.line(fmt.Sprintf("  it waits for an answer: ml-intern attach %s", ev.SessionID))
	case event.TypeNewComplete:
		if n, err := event.Decode[event.NewComplete](ev); err == nil {
			w.text.line("  the conversation goes on in session " + n.SessionID)
		}
	}
}

// ending keeps how the last turn ended.
func (w *Watch) ending(ev event.Event) {
	switch ev.Type {
	case event.TypeInputAccepted:
		if in, err := event.Decode[event.InputAccepted](ev); err == nil && in.Shown != "" {
			w.typed[in.Text] = in.Shown
		}
	case event.TypeTurnStarted, event.TypeTurnResumed:
		w.open, w.gated, w.code = true, false, ExitOK
	case event.TypeTurnComplete:
		w.open, w.gated, w.code = false, false, ExitFailure
		if done, err := event.Decode[event.TurnComplete](ev); err == nil {
			w.code = stopCode(done.StopReason)
		}
	case event.TypeInterrupted:
		w.open, w.gated, w.code = false, false, ExitInterrupt
	case event.TypeError:
		e, err := event.Decode[event.Error](ev)
		if err != nil || ev.TurnID == "" || w.gated {
			return // of an operation
		}
		w.open, w.code = false, ExitFailure
		if e.Code == "auth" {
			w.code = ExitAuth
		}
	case event.TypeApprovalRequired:
		w.gated, w.code = true, ExitApproval
		if g, err := event.Decode[event.ApprovalRequired](ev); err == nil && g.YoloBudget {
			w.code = ExitBudget
		}
	case event.TypeProcessing:
		if w.gated {
			w.gated, w.code = false, ExitOK
		}
	}
}

// stopCode is the exit code of a turn that ended by itself.
func stopCode(reason string) int {
	switch reason {
	case "answer":
		return ExitOK
	case "max_iterations":
		return ExitIterations
	}
	return ExitFailure
}

// Code is the exit code of the last turn. One that was cut short has failed;
// an open approval waits for the next run.
func (w *Watch) Code() int {
	if w.open && !w.gated {
		return ExitFailure
	}
	return w.code
}

// Gone says that the session ended, and how, on standard error.
func (w *Watch) Gone(id string) {
	if w.text.open {
		w.text.print("\n")
		w.text.open = false
	}
	switch {
	case w.opts.JSON:
	case w.open && !w.gated:
		w.text.line(fmt.Sprintf("session %s was cut short: ml-intern --resume %s goes on", id, id))
	default:
		w.text.line(fmt.Sprintf("session %s has ended: ml-intern --resume %s goes on", id, id))
	}
}

// Moved says that the events are those of another session from now on.
func (w *Watch) Moved() { w.opts.From = 0 }
