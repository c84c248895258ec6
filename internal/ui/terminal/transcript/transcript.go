// Package transcript makes of a session's events what a terminal shows: lines
// that are finished, which are printed once and never change again, a live
// region for what still changes, and the values of the status line. It is a
// pure fold: it starts no goroutine, writes nothing and asks no clock but the
// one it is given, and that one only for what is live. It knows neither keys
// nor where the events come from.
package transcript

import (
	"slices"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/usage"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// Options say how a transcript looks.
type Options struct {
	Theme *theme.Theme
	// Width is that of the terminal in columns.
	Width int
	// Now is the clock of what is running; nil is time.Now.
	Now func() time.Time
	// Verbose prints the outputs of tools and the model's thinking in full;
	// ShowThinking only the latter.
	Verbose, ShowThinking bool
	// Plain is for where nothing can be drawn anew: what only the live region
	// would show (a tool that starts, a text that waits) is told in lines.
	Plain bool
}

// minWidth is the narrowest terminal that lines are made for, in columns.
const minWidth = 20

// Transcript folds one session after another. Its methods belong to one
// goroutine.
type Transcript struct {
	opts  Options
	theme *theme.Theme
	width int
	// quiet: events are folded and nothing is shown of them.
	quiet bool

	done []string
	last kind

	turn     turn
	answer   answer
	thought  thought
	calls    []*call
	agents   agents
	waiting  []event.InputAccepted
	gate     *event.ApprovalRequired
	answered map[string]bool // of the gate's calls
	plan     plan
	shelf    shelf

	meter  usage.Meter
	status Status
	jobs   jobs
}

// New returns a transcript of nothing.
func New(o Options) *Transcript {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Theme == nil {
		o.Theme = theme.New(theme.Options{})
	}
	t := &Transcript{opts: o, theme: o.Theme}
	t.Resize(o.Width)
	return t
}

// Resize sets the width of what is shown from now on.
func (t *Transcript) Resize(width int) {
	t.width = max(width, minWidth)
	if t.answer.stream != nil {
		t.answer.stream.Resize(t.width)
	}
}

// SetVerbose switches the full outputs of later results on or off.
func (t *Transcript) SetVerbose(on bool) { t.opts.Verbose = on }

// Verbose reports whether outputs are shown in full.
func (t *Transcript) Verbose() bool { return t.opts.Verbose }

// ShowPlan shows the plan in the live region, or hides it.
func (t *Transcript) ShowPlan(on bool) { t.plan.shown = on }

// Take returns the lines that are finished since the last Take: styled, without
// a newline, none wider than the terminal.
func (t *Transcript) Take() []string {
	lines := t.done
	t.done = nil
	return lines
}

// Say adds lines that no event tells.
func (t *Transcript) Say(role theme.Role, text string) { t.note(role, text) }

// Add adds lines that somebody else has rendered for this width.
func (t *Transcript) Add(lines []string) {
	t.block(kindNote)
	for _, line := range lines {
		t.line(line)
	}
}

// Gate is the approval that waits for an answer, or nil.
func (t *Transcript) Gate() *event.ApprovalRequired { return t.gate }

// Busy reports whether a turn is running; one that waits in a gate is not.
func (t *Transcript) Busy() bool { return t.turn.open && t.gate == nil }

// Moving reports whether the live region changes without events: something
// runs whose time is shown.
func (t *Transcript) Moving() bool { return t.Busy() && !t.opts.Plain }

// Tools are the last results of tools, the oldest first.
func (t *Transcript) Tools() []Tool { return slices.Clone(t.shelf.tools) }

// Reply is the last answer as it was written, in Markdown.
func (t *Transcript) Reply() string { return t.answer.reply }

// Plan is the agent's plan.
func (t *Transcript) Plan() []event.PlanItem { return slices.Clone(t.plan.items) }

// shownTurns is how much of a resumed session is shown, replayedLines the most
// lines of it.
const (
	shownTurns    = 2
	replayedLines = 400
)

// Replay folds the events of a session that is resumed and shows the last of
// its turns.
func (t *Transcript) Replay(events []event.Event) {
	from, earlier := lastTurns(events, shownTurns)
	tools := lastResults(events[:from], shelfSize)
	t.quiet = true
	for i, ev := range events[:from] {
		if i >= tools || !t.forgotten(ev) {
			t.Apply(ev)
		}
	}
	t.quiet = false
	before := len(t.done)
	for _, ev := range events[from:] {
		t.Apply(ev)
	}
	shown := t.done[before:]
	cut := max(0, len(shown)-replayedLines)
	t.done = slices.Clone(t.done[:before])
	if note := earlierNote(earlier, cut); note != "" {
		t.note(theme.Dim, t.glyph(theme.Ellipsis)+" "+note)
		t.last = kindNone
		t.done = append(t.done, "")
	}
	t.done = append(t.done, shown[cut:]...)
}

// lastTurns is where the last n turns begin, and how many come before them.
func lastTurns(events []event.Event, n int) (from, earlier int) {
	turns := 0
	for i := len(events) - 1; i >= 0; i-- {
		if events[i].Type != event.TypeTurnStarted {
			continue
		}
		if turns++; turns == n {
			from = i
		}
	}
	return from, max(0, turns-n)
}

// lastResults is from where on the last n results of tools stand.
func lastResults(events []event.Event, n int) int {
	for i := len(events) - 1; i >= 0; i-- {
		if events[i].Type == event.TypeToolOutput && events[i].AgentID() == "" {
			if n--; n == 0 {
				// The call and what it said stand before its result.
				for ; i > 0 && events[i].Type != event.TypeTurnStarted; i-- {
				}
				return i
			}
		}
	}
	return 0
}

// forgotten reports whether nothing of an early event is left, and counts the
// results that nobody can look at any more.
func (t *Transcript) forgotten(ev event.Event) bool {
	switch ev.Type {
	case event.TypeToolOutput:
		if ev.AgentID() == "" {
			t.shelf.count++
		}
	case event.TypeToolCall, event.TypeToolStarted, event.TypeToolLog, event.TypeToolStateChange,
		event.TypeCheckpoint, event.TypeApprovalRequired:
	default:
		return false
	}
	return true
}
