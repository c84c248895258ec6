package transcript

import (
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
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
	if t.quiet && (ev.Type == event.TypeAssistantChunk || ev.Type == event.TypeReasoningChunk) {
		return
	}
	t.meter.Add(ev)
	at := t.at(ev)
	if t.applyText(ev, at) || t.applyCall(ev, at) || t.applyTurn(ev, at) || t.applySession(ev) {
		return
	}
	t.applyWorld(ev, at)
}

// at is when an event happened.
func (t *Transcript) at(ev event.Event) time.Time {
	if ev.Time.IsZero() {
		return t.opts.Now()
	}
	return ev.Time
}

// applyText folds what a person and the model say.
func (t *Transcript) applyText(ev event.Event, at time.Time) bool {
	switch ev.Type {
	case event.TypeInputAccepted:
		with(ev, t.accepted)
	case event.TypeAssistantChunk:
		with(ev, func(in event.AssistantChunk) { t.thought.end(t, at); t.chunk(in.Content) })
	case event.TypeReasoningChunk:
		with(ev, func(in event.ReasoningChunk) { t.thinks(in.Content, at) })
	case event.TypeStreamEnd:
		t.thought.end(t, at)
		with(ev, t.streamEnd)
	case event.TypeAssistantMessage:
		t.thought.end(t, at)
		with(ev, func(in event.AssistantMessage) { t.announced(in.Content) })
	case event.TypeHistoryMessage:
		with(ev, func(in event.HistoryMessage) { t.remembered(in) })
	case event.TypeLLMCall:
		with(ev, func(in event.LLMCall) { t.modelCall(in, at) })
	default:
		return false
	}
	return true
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
		with(ev, func(in event.PlanUpdate) { t.plan.items, t.plan.moved = in.Plan, true })
	default:
		return false
	}
	return true
}

// applyTurn folds the beginning, middle and end of turns.
func (t *Transcript) applyTurn(ev event.Event, at time.Time) bool {
	switch ev.Type {
	case event.TypeTurnStarted:
		with(ev, func(in event.TurnStarted) { t.begin(in, at) })
	case event.TypeTurnResumed:
		with(ev, func(in event.TurnResumed) { t.resumeTurn(in, at) })
	case event.TypeProcessing:
		t.goOn(ev.TurnID, at)
	case event.TypeTurnComplete:
		with(ev, func(in event.TurnComplete) { t.complete(in, at) })
	case event.TypeInterrupted:
		t.endTurn(at)
		t.note(theme.Warning, "interrupted")
		t.turnLine(at)
	case event.TypeError:
		with(ev, func(in event.Error) { t.failed(in, ev.TurnID, at) })
	case event.TypeShutdown:
		t.closeText()
		t.note(theme.Dim, "the session is closed")
	case event.TypeSessionTerminated:
		with(ev, t.terminated)
	default:
		return false
	}
	return true
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
	cost   cost
}

// begin opens a turn and shows what was asked.
func (t *Transcript) begin(in event.TurnStarted, at time.Time) {
	if t.turn.open {
		t.endTurn(at)
	}
	t.turn = turn{open: true, id: in.TurnID, began: at}
	if in.Model != "" {
		t.status.Model = in.Model
	}
	if in.Cwd != "" {
		t.status.Cwd = in.Cwd
	}
	for i, waiting := range t.waiting {
		if in.SubmissionID != "" && waiting.SubmissionID == in.SubmissionID {
			t.user(waiting)
			t.waiting = append(t.waiting[:i:i], t.waiting[i+1:]...)
			return
		}
	}
}

func (t *Transcript) resumeTurn(in event.TurnResumed, at time.Time) {
	if !t.turn.open {
		t.turn = turn{open: true, id: in.TurnID, entered: true, began: at}
	}
	t.calls, t.agents = nil, agents{}
	t.note(theme.Dim, "going on with the turn that was cut short")
}

// goOn begins a segment: after the start of a turn, or after a gate.
func (t *Transcript) goOn(id string, at time.Time) {
	if !t.turn.open {
		t.turn = turn{open: true, id: id, began: at}
	}
	if !t.turn.paused.IsZero() {
		t.turn.waited += max(0, at.Sub(t.turn.paused))
		t.turn.paused = time.Time{}
	}
}

// took is how long the turn has worked so far, without the time in gates.
func (u *turn) took(at time.Time) time.Duration {
	if !u.paused.IsZero() {
		at = u.paused
	}
	return max(0, at.Sub(u.began)-u.waited)
}

// endTurn closes what a turn leaves open, whatever ended it.
func (t *Transcript) endTurn(at time.Time) {
	t.thought.end(t, at)
	t.closeText()
	for _, c := range t.calls {
		if c.running {
			t.unfinished(c, at)
		}
	}
	t.calls, t.agents = nil, agents{}
	t.gate, t.answered = nil, nil
	t.turn.open = false
}

func (t *Transcript) complete(in event.TurnComplete, at time.Time) {
	t.endTurn(at)
	if in.FinalResponse != nil && *in.FinalResponse != "" {
		t.answer.reply = *in.FinalResponse
	}
	t.unverified(in)
	if why := stopped(in.StopReason); why != "" {
		t.note(theme.Warning, why)
	}
	t.planSummary()
	t.turnLine(at)
}

// stopped says in words why a turn ended without an answer.
func stopped(reason string) string {
	switch reason {
	case "", "answer":
		return ""
	case "max_iterations":
		return "stopped: the limit of model calls for one turn was reached (send a message to go on)"
	case "empty_response":
		return "stopped: the model gave no answer"
	case "truncated":
		return "stopped: the answer was cut off at the model's output limit"
	case "doom_loop":
		return "stopped: the model was going in circles"
	case "terminated":
		return "stopped: the context could not be made to fit"
	}
	return "stopped: " + oneLine(reason)
}

// turnLine sums a turn up.
func (t *Transcript) turnLine(at time.Time) {
	u := t.turn
	if u.began.IsZero() {
		return
	}
	parts := []string{spoken(u.took(at))}
	if u.calls > 0 {
		parts = append(parts, plural(u.calls, "call"))
	}
	if u.tokens > 0 {
		parts = append(parts, short(u.tokens)+" tokens")
	}
	if s := u.cost.String(); s != "" {
		parts = append(parts, s)
	}
	t.note(theme.Dim, t.dotted(parts))
}

// failed shows an error; it ends the turn it belongs to.
func (t *Transcript) failed(in event.Error, id string, at time.Time) {
	ends := t.turn.open && t.gate == nil && (id == t.turn.id || id == "")
	if ends {
		t.endTurn(at)
	}
	t.closeText()
	t.note(theme.Danger, "Error: "+oneLine(limit(in.Error, errorLimit)))
	if in.Hint != "" {
		t.note(theme.Text, "  "+oneLine(limit(in.Hint, errorLimit)))
	}
	if ends {
		t.turnLine(at)
	}
}

// errorLimit is the most characters of an error that are shown.
const errorLimit = 2000

func (t *Transcript) terminated(in event.SessionTerminated) {
	t.closeText()
	text := in.UserMessage
	if text == "" {
		text = "The conversation no longer fits the model's context."
	}
	t.note(theme.Danger, oneLine(limit(text, errorLimit)))
	t.note(theme.Text, "  /new starts a fresh conversation in the same place")
}

// modelCall books a call of the model.
func (t *Transcript) modelCall(in event.LLMCall, at time.Time) {
	if in.Kind == llm.KindMain && in.AgentID == "" {
		t.thought.end(t, at)
		if in.Model != "" {
			t.status.Model = in.Model
		}
		if n := in.Prompt + in.Completion; n > 0 {
			t.status.ContextTokens = n
		}
	}
	t.turn.tokens += max(int64(in.Total), int64(in.Prompt)+int64(in.Completion))
	t.turn.cost.add(in.CostUSD)
	t.status.stale = true
}
