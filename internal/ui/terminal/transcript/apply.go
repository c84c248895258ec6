package transcript

import (
	"math"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/ui/agents"
	"github.com/ml-intern/ml-intern/internal/ui/sentence"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/page"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/transcript/plan"
)

// with decodes ev and hands it on. An event that is not what its type promises
// shows nothing.
func with[P event.Payload](ev event.Event, do func(P)) {
	if in, err := event.Decode[P](ev); err == nil {
		do(in)
	}
}

// Apply folds the next event. Types that it does not know show nothing.
func (t *Transcript) Apply(ev event.Event) {
	at := ev.Time
	if at.IsZero() {
		at = t.opts.Now()
	}
	changes := t.board.Apply(ev, at)
	if len(changes) > 0 {
		t.Say(theme.Dim, "now: "+join(", ", changes...))
	}
	if !t.applyText(ev, at) && !t.applyCall(ev, at) {
		t.applyTurn(ev, at)
	}
}

// applyText folds what a person and the model say.
func (t *Transcript) applyText(ev event.Event, at time.Time) bool {
	switch ev.Type {
	case event.TypeAssistantChunk, event.TypeReasoningChunk:
		if !t.page.Quiet {
			t.streamed(ev, at)
		}
	case event.TypeInputAccepted:
		with(ev, t.accepted)
	case event.TypeStreamEnd:
		t.thinkingOver(at)
		with(ev, t.streamEnd)
	case event.TypeAssistantMessage:
		t.thinkingOver(at)
		with(ev, func(in event.AssistantMessage) { t.announced(in.Content) })
	case event.TypeHistoryMessage:
		with(ev, t.remembered)
	case event.TypeLLMCall:
		with(ev, func(in event.LLMCall) { t.modelCall(in, at) })
	default:
		return false
	}
	return true
}

func (t *Transcript) streamed(ev event.Event, at time.Time) {
	if ev.Type == event.TypeReasoningChunk {
		with(ev, func(in event.ReasoningChunk) { t.thinks(in.Content, at) })
		return
	}
	t.thinkingOver(at)
	with(ev, func(in event.AssistantChunk) { t.chunk(in.Content) })
}

// applyCall folds the life of tool calls.
func (t *Transcript) applyCall(ev event.Event, at time.Time) bool {
	switch ev.Type {
	case event.TypeToolCall:
		with(ev, func(in event.ToolCall) { t.called(in, at) })
	case event.TypeToolStarted:
		with(ev, func(in event.ToolStarted) { t.started(in, at) })
	case event.TypeToolOutput:
		with(ev, func(in event.ToolOutput) { t.finished(in, at) })
	case event.TypeToolLog:
		with(ev, func(in event.ToolLog) { t.logged(in, at) })
	case event.TypeToolStateChange:
		with(ev, func(in event.ToolStateChange) { t.changed(in, at) })
	case event.TypeCheckpoint:
		with(ev, t.checkpoint)
	case event.TypeApprovalRequired:
		with(ev, func(in event.ApprovalRequired) { t.asks(in, at) })
	case event.TypePlanUpdate:
		with(ev, func(in event.PlanUpdate) { t.plan, t.planned = in.Plan, true })
	default:
		return false
	}
	return true
}

// applyTurn folds the beginning, middle and end of turns, and of sessions; what
// is only told is told in words.
func (t *Transcript) applyTurn(ev event.Event, at time.Time) {
	switch ev.Type {
	case event.TypeTurnStarted:
		with(ev, func(in event.TurnStarted) { t.begin(in, at) })
		return
	case event.TypeProcessing:
		t.goOn(ev.TurnID, at)
		return
	case event.TypeTurnComplete:
		with(ev, func(in event.TurnComplete) { t.complete(in, at) })
		return
	case event.TypeHistoryRewritten:
		with(ev, t.rewritten)
		return
	case event.TypeTurnResumed:
		with(ev, func(in event.TurnResumed) { t.resumeTurn(in, at) })
	case event.TypeHook: // it may have kept a text back
		with(ev, func(in event.Hook) { t.waiting.Take(in.SubmissionID) })
	}
	ends := t.ends(ev)
	if ends {
		t.endTurn(at)
	}
	said := sentence.Of(ev)
	if len(said) > 0 && !ends {
		t.breakText(ev)
	}
	t.page.Say(said)
	if ends {
		t.turnLine(at)
	}
	switch ev.Type {
	case event.TypeNewComplete:
		t.leave()
	case event.TypeResumeComplete:
		with(ev, func(in event.ResumeComplete) {
			if in.SessionID != "" {
				t.leave() // the journal that the conversation has left
			}
		})
	}
}

// ends reports whether ev is an end of the running turn that is told in words.
func (t *Transcript) ends(ev event.Event) bool {
	switch ev.Type {
	case event.TypeInterrupted:
		return true
	case event.TypeError:
		// While a gate waits nothing runs: the error is that of an operation.
		return t.Busy() && (ev.TurnID == t.turn.id || t.turn.id == "")
	}
	return false
}

// breakText closes a text that goes on no more, before something is said that
// would stand in the middle of it.
func (t *Transcript) breakText(ev event.Event) {
	switch ev.Type {
	case event.TypeShutdown, event.TypeError, event.TypeSessionTerminated, event.TypeNewComplete, event.TypeTurnResumed:
		t.closeText()
	}
}

// turn is the one that runs or waits in a gate.
type turn struct {
	open    bool
	id      string
	entered bool // a person's message is in the history
	began   time.Time
	// paused is since when it waits in a gate, waited how long it has before.
	paused time.Time
	waited time.Duration

	calls  int
	tokens int64
	micro  int64 // millionths of a dollar
	models int   // model calls
	// unpriced: the price of some model call is unknown.
	unpriced bool
}

// took is how long the turn has worked so far, without the time in gates.
func (u *turn) took(at time.Time) time.Duration {
	if !u.paused.IsZero() {
		at = u.paused
	}
	return max(0, at.Sub(u.began)-u.waited)
}

// begin opens a turn and shows what was asked.
func (t *Transcript) begin(in event.TurnStarted, at time.Time) {
	if t.turn.open {
		t.endTurn(at)
	}
	t.turn = turn{open: true, id: in.TurnID, began: at}
	t.calls, t.crew = nil, agents.Crew{}
	if text, ok := t.waiting.Take(in.SubmissionID); ok {
		t.user(text)
	}
	if t.opts.Plain {
		t.Say(theme.Dim, "working")
	}
}

// resumeTurn takes up a turn that was cut short: what ran in it does not any
// more.
func (t *Transcript) resumeTurn(in event.TurnResumed, at time.Time) {
	if !t.turn.open || t.turn.id != in.TurnID {
		t.turn = turn{open: true, id: in.TurnID, entered: true, began: at}
	}
	for _, c := range t.calls {
		c.running = false
	}
	t.crew = agents.Crew{}
}

// goOn begins a segment: after the start of a turn, or after a gate.
func (t *Transcript) goOn(id string, at time.Time) {
	if !t.turn.open {
		t.turn = turn{open: true, id: id, began: at}
	}
	t.turn.wake(at)
}

// wake ends the wait in a gate.
func (u *turn) wake(at time.Time) {
	if !u.paused.IsZero() {
		u.waited += max(0, at.Sub(u.paused))
		u.paused = time.Time{}
	}
}

// endTurn closes what a turn leaves open, whatever ended it.
func (t *Transcript) endTurn(at time.Time) {
	t.thinkingOver(at)
	t.closeText()
	for _, c := range t.calls {
		if c.running {
			t.unfinished(c, at)
		}
	}
	t.calls, t.crew = nil, agents.Crew{}
	t.gate, t.answered = nil, nil
	t.turn.open = false
}

func (t *Transcript) complete(in event.TurnComplete, at time.Time) {
	t.endTurn(at)
	if in.FinalResponse != nil && *in.FinalResponse != "" {
		t.answer.reply = *in.FinalResponse
	}
	spaced := len(in.Unverified) > 0
	t.page.Say(sentence.Unverified(in.Unverified, ""))
	if why := sentence.Stopped(in.StopReason); why != "" {
		t.Say(theme.Warning, why)
	}
	if lines := plan.Lines(t.page, t.plan); t.planned && lines != nil {
		t.page.Fresh(page.Note)
		t.Add(lines)
		spaced = true
	}
	t.planned = false
	if spaced {
		t.page.Fresh(page.Note)
	}
	t.turnLine(at)
}

// turnLine sums a turn up: its time, calls, tokens and money.
func (t *Transcript) turnLine(at time.Time) {
	u := &t.turn
	if u.began.IsZero() {
		return
	}
	var calls, tokens, money string
	if u.calls > 0 {
		calls = count(u.calls, "call")
	}
	if u.tokens > 0 {
		tokens = amount.Short(float64(u.tokens), 3) + " tokens"
	}
	switch {
	case u.models == 0:
	case u.unpriced && u.micro == 0:
		money = "cost unknown"
	case u.unpriced:
		money = amount.Dollars(u.micro) + "+?"
	default:
		money = amount.Dollars(u.micro)
	}
	line := ""
	for _, part := range []string{amount.Took(u.took(at)), calls, tokens, money} {
		next := join(t.dot(), line, part)
		if ansi.StringWidth(next)+2 > t.page.Width() { // it breaks between the parts alone
			t.Say(theme.Dim, line)
			next = part
		}
		line = next
	}
	t.Say(theme.Dim, line)
	*u = turn{}
}

// modelCall books a call of a model for the turn.
func (t *Transcript) modelCall(in event.LLMCall, at time.Time) {
	if in.Kind == llm.KindMain && in.AgentID == "" {
		t.thinkingOver(at)
	}
	u := &t.turn
	u.models++
	u.tokens += int64(max(in.Total, in.Prompt+in.Completion, 0))
	if in.CostUSD == nil || math.IsNaN(*in.CostUSD) {
		u.unpriced = true
		return
	}
	u.micro += sentence.Micro(*in.CostUSD)
}

// rewritten takes over a history that came from elsewhere: of a session that is
// resumed the last turns are shown, as far as the messages tell them.
func (t *Transcript) rewritten(in event.HistoryRewritten) {
	if in.Plan != nil {
		t.plan = in.Plan
	}
	if in.Reason != "resume" || t.page.Quiet {
		return
	}
	turns, from := 0, 0
	for i := len(in.Messages) - 1; i >= 0; i-- {
		if !history.FromPerson(in.Messages[i]) {
			continue
		}
		if turns++; turns <= shownTurns {
			from = i
		}
	}
	before := t.page.Len()
	for _, m := range in.Messages[from:] {
		t.message(m)
	}
	t.page.Keep(before, replayedLines, func(cut int) { t.earlier(turns-shownTurns, cut) })
}

// message shows one of a saved session.
func (t *Transcript) message(m llm.Message) {
	switch {
	case history.FromPerson(m):
		t.user(event.InputAccepted{Text: m.PlainText()})
	case m.Role == llm.Assistant && !m.Synthetic:
		t.whole(m.PlainText())
		for _, c := range m.ToolCalls {
			t.page.Block(page.Note)
			t.page.Line(t.callRow(theme.Current, theme.Dim, t.newCall(c.ID, c.Name, []byte(c.Arguments), time.Time{})))
		}
	}
}

func count(n int, noun string) string { return amount.Count(n, noun) }
