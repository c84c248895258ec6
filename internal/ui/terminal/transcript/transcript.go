// Package transcript makes of a session's events what a terminal shows: lines
// that are finished, which are printed once and never change again, a live
// region for what still changes, and the values of the status line. It is a
// pure fold: it starts no goroutine, writes nothing and asks no clock but the
// one it is given, and that one only for what is live. It knows neither keys
// nor where the events come from.
package transcript

import (
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/agents"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/markdown"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/page"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/past"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/shelf"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/status"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/waiting"
)

// Status are the values of the moment, Tool is a finished call.
type (
	Status = status.Status
	Tool   = shelf.Tool
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
	// Typed reports whether the text of a submission stands on the screen
	// already, where the person has typed it; nil says no.
	Typed func(submissionID string) bool
}

// Transcript folds the events of one session after another. Its methods belong
// to one goroutine.
type Transcript struct {
	opts  Options
	theme *theme.Theme
	page  *page.Page

	turn     turn
	answer   answer
	thought  thought
	calls    []*call
	crew     agents.Crew
	waiting  waiting.Texts
	gate     *event.ApprovalRequired
	answered map[string]bool // which calls of the gate
	plan     []event.PlanItem
	planned  bool // the plan has changed in this turn
	showPlan bool
	shelf    shelf.Shelf
	board    status.Board
}

// New returns a transcript of nothing.
func New(o Options) *Transcript {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Theme == nil {
		o.Theme = theme.New(theme.Options{})
	}
	return &Transcript{opts: o, theme: o.Theme, page: page.New(o.Theme, o.Width)}
}

// Resize sets the width of what is shown from now on.
func (t *Transcript) Resize(width int) {
	t.page.Resize(width)
	if t.answer.stream != nil {
		t.answer.stream.Resize(t.page.Width())
	}
}

// Width is that of the lines in columns.
func (t *Transcript) Width() int { return t.page.Width() }

// SetTheme changes how later lines look.
func (t *Transcript) SetTheme(th *theme.Theme) {
	t.theme = th
	t.page.SetTheme(th)
}

// SetVerbose switches the full outputs of later results on or off.
func (t *Transcript) SetVerbose(on bool) { t.opts.Verbose = on }

// Verbose reports whether outputs are shown in full.
func (t *Transcript) Verbose() bool { return t.opts.Verbose }

// ShowPlan shows the plan in the live region, or hides it.
func (t *Transcript) ShowPlan(on bool) { t.showPlan = on }

// TogglePlan does the one or the other.
func (t *Transcript) TogglePlan() { t.showPlan = !t.showPlan }

// Settings takes over the values that a session runs with when it is opened;
// later ones come as events.
func (t *Transcript) Settings(in event.Settings) { t.board.Settings(in) }

// Take returns the lines that are finished since the last Take: styled, without
// a newline, none wider than the terminal.
func (t *Transcript) Take() []string { return t.page.Take() }

// Say adds words that no event tells.
func (t *Transcript) Say(role theme.Role, text string) { t.page.Note(role, 0, text) }

// Markdown adds formatted text that no event tells.
func (t *Transcript) Markdown(text string) { t.Add(markdown.Render(text, t.markdown())) }

// Diff adds a unified diff.
func (t *Transcript) Diff(text string) {
	for line := range strings.SplitSeq(strings.TrimRight(page.Clean(text), "\n"), "\n") {
		role := theme.OfDiff(line)
		t.page.Block(page.Note)
		for _, part := range page.Cut(line, t.page.Width()-2) {
			t.page.Line(t.page.Behind("  ", role, part))
		}
	}
}

// Under says that something stands above the transcript already.
func (t *Transcript) Under() { t.page.Under() }

// Typed shows what a person has typed to the program itself, a command.
func (t *Transcript) Typed(line string) {
	t.page.Fresh(page.User)
	t.page.Line(t.page.Row([]page.Piece{{Role: theme.Dim, Text: t.theme.Glyph(theme.Prompt) + " "}}, page.Piece{Role: theme.Dim, Text: oneLine(line)}))
}

// Add adds lines that somebody else has made for this width.
func (t *Transcript) Add(lines []string) {
	t.page.Block(page.Note)
	for _, line := range lines {
		t.page.Line(line)
	}
}

// Gate is the approval that waits for an answer, or nil.
func (t *Transcript) Gate() *event.ApprovalRequired { return t.gate }

// Busy reports whether a turn is running; one that waits in a gate is not.
func (t *Transcript) Busy() bool { return t.turn.open && t.gate == nil }

// Moving reports whether the live region changes without events: something
// runs whose time is shown.
func (t *Transcript) Moving() bool { return t.Busy() && !t.opts.Plain }

// Doing is what the running turn is at, one line each: for where the live
// region is not drawn.
func (t *Transcript) Doing() []string { return t.activity(t.opts.Now()) }

// Tools are the last results of tools, the oldest first.
func (t *Transcript) Tools() []Tool { return t.shelf.Tools() }

// Reply is the last answer as it was written, in Markdown.
func (t *Transcript) Reply() string { return t.answer.reply }

// Plan is the agent's plan.
func (t *Transcript) Plan() []event.PlanItem { return slices.Clone(t.plan) }

// Status returns the values of the moment.
func (t *Transcript) Status() Status {
	now := t.opts.Now()
	s := t.board.Values(now)
	s.Queue, s.Busy = t.waiting.Len(), t.Busy()
	if t.turn.open {
		s.Elapsed = t.turn.took(now)
	}
	for _, c := range t.calls {
		if c.running {
			s.Tool = c.tool
			break
		}
	}
	return s
}

// StatusLine shows the values of the moment in one line; what does not fit is
// dropped from the right.
func (t *Transcript) StatusLine(width int) string {
	return t.page.Paint(theme.Dim, t.Status().Line(t.dot(), width))
}

// dot stands between the parts of a summary.
func (t *Transcript) dot() string { return t.page.Ours(" · ") }

// Stop ends what is live: no event will tell its end any more.
func (t *Transcript) Stop() {
	t.closeText()
	t.forget()
	t.turn, t.thought = turn{}, thought{}
}

// forget drops what waits and what runs.
func (t *Transcript) forget() {
	t.calls, t.crew, t.waiting = nil, agents.Crew{}, waiting.Texts{}
	t.gate, t.answered = nil, nil
}

// leave begins with another session: what is shown stays.
func (t *Transcript) leave() {
	t.Stop()
	t.plan, t.planned = nil, false
	t.shelf = shelf.Shelf{}
	t.board.Restart()
	t.answer = answer{}
}

const (
	// shownTurns is how much of a resumed session is shown, replayedLines the
	// most lines of it.
	shownTurns    = 2
	replayedLines = 400
)

// Replay folds the events of a session that is resumed and shows the last of
// its turns.
func (t *Transcript) Replay(events []event.Event) {
	from, earlier := past.Turns(events, shownTurns)
	kept := past.Results(events[:from], shelf.Size)
	t.page.Quiet = true
	for i, ev := range events[:from] {
		if i >= kept || !t.skips(ev) {
			t.Apply(ev)
		}
	}
	t.page.Quiet = false
	before := t.page.Len()
	for _, ev := range events[from:] {
		t.Apply(ev)
	}
	t.page.Keep(before, replayedLines, func(cut int) { t.earlier(earlier, cut) })
}

// earlier tells that there is more than what is shown.
func (t *Transcript) earlier(turns, lines int) {
	switch {
	case turns > 0:
		t.Say(theme.Dim, t.theme.Glyph(theme.Ellipsis)+" "+count(turns, "earlier turn")+" (/export writes all to a file)")
	case lines > 0:
		t.Say(theme.Dim, t.theme.Glyph(theme.Ellipsis)+" "+count(lines, "earlier line")+" (/export writes all to a file)")
	}
}

// skips reports whether nothing of an event is left that lies so far back, and
// counts the results.
func (t *Transcript) skips(ev event.Event) bool {
	switch ev.Type {
	case event.TypeToolOutput:
		if ev.AgentID() == "" {
			t.shelf.Skip()
		}
	case event.TypeToolCall, event.TypeToolStarted, event.TypeToolLog, event.TypeToolStateChange, event.TypeCheckpoint:
	default:
		return false
	}
	return true
}

// oneLine is at most so much foreign text on one line as makes sense there.
func oneLine(s string) string { return page.Short(s, 300) }

// join puts what there is behind each other.
func join(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}
