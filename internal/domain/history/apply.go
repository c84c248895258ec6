package history

import (
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/hook"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// timeLayout is RFC 3339 with milliseconds, in UTC.
const timeLayout = "2006-01-02T15:04:05.000Z"

// Apply folds the next event. Events of sub-agents, and types that say nothing
// about the state, only move Seq and Time. An error means that the event's data
// is not what its type promises; the state is then as before.
func (s *State) Apply(ev event.Event) error {
	s.Edit = Edit{}
	if s.skips(ev) {
		s.advance(ev)
		return nil
	}
	if err := s.fold(ev); err != nil {
		return err
	}
	s.advance(ev)
	return nil
}

func (s *State) advance(ev event.Event) {
	s.Seq, s.Time = ev.Seq, ev.Time
	if s.SessionID == "" {
		s.SessionID = ev.SessionID
	}
	if s.Started == "" && !ev.Time.IsZero() {
		s.Started = ev.Time.UTC().Format(timeLayout)
	}
}

// skips tells events that cannot matter, before their data is decoded.
func (s *State) skips(ev event.Event) bool {
	switch ev.Type {
	case event.TypeAssistantChunk, event.TypeReasoningChunk:
		return s.Turn == nil || s.Turn.Streaming
	case event.TypeLLMCall, event.TypeToolCall, event.TypeToolOutput, event.TypeHistoryMessage, event.TypeToolStarted, event.TypeHook:
		return ev.AgentID() != ""
	}
	return false
}

// with decodes ev and hands it on.
func with[P event.Payload](ev event.Event, do func(P)) error {
	in, err := event.Decode[P](ev)
	if err == nil {
		do(in)
	}
	return err
}

func (s *State) fold(ev event.Event) error {
	switch ev.Type {
	case event.TypeHistoryMessage:
		return with(ev, func(in event.HistoryMessage) { s.message(ev, in) })
	case event.TypeHistoryRewritten:
		return with(ev, s.rewritten)
	case event.TypePlanUpdate:
		return with(ev, func(in event.PlanUpdate) { s.Plan = in.Plan })
	case event.TypeInputAccepted:
		return with(ev, func(in event.InputAccepted) {
			s.Queue = append(s.Queue, in)
			s.adopt(in.Model, in.Cwd)
		})
	case event.TypeSpend:
		return with(ev, s.spend)
	case event.TypeEvidence:
		return with(ev, s.lookedUp)
	case event.TypeResumedFrom:
		return with(ev, func(in event.ResumedFrom) {
			s.Started = in.SessionStartTime
			s.adopt("", in.Cwd)
		})
	case event.TypeResumeComplete:
		return with(ev, func(in event.ResumeComplete) {
			if in.SessionID != "" && in.SessionID != s.SessionID { // it tells of another one
				s.leave()
				return
			}
			s.adopt(in.ModelName, "")
		})
	case event.TypeNewComplete:
		return with(ev, func(in event.NewComplete) { s.Next = in.SessionID; s.leave() })
	case event.TypeSettings:
		return with(ev, func(in event.Settings) {
			s.Settings = &in
			s.adopt(in.Model, in.Cwd)
		})
	case event.TypeRenamed:
		return with(ev, func(in event.Renamed) { s.Title = in.Title })
	case event.TypeUndoComplete:
		return with(ev, func(in event.UndoComplete) { s.undid(in.Removed, in.Turns, len(in.Files)+len(in.Conflicts) > 0) })
	case event.TypeTruncateComplete:
		return with(ev, func(in event.TruncateComplete) { s.undid(in.Removed, 0, false) })
	case event.TypeRedoComplete:
		return with(ev, s.redid)
	}
	if done, err := s.foldTurn(ev); done {
		return err
	}
	return s.foldCall(ev)
}

// foldTurn folds the beginning, middle and end of turns.
func (s *State) foldTurn(ev event.Event) (done bool, err error) {
	switch ev.Type {
	case event.TypeTurnStarted:
		return true, with(ev, s.turnStarted)
	case event.TypeTurnResumed:
		return true, with(ev, s.turnResumed)
	case event.TypeProcessing:
		if s.Turn != nil {
			s.Turn.Answered = nil
		}
	case event.TypeAssistantChunk, event.TypeReasoningChunk:
		s.Turn.Streaming = true
	case event.TypeStreamEnd:
		if s.Turn != nil {
			s.Turn.Streaming = false
		}
	case event.TypeLLMCall:
		return true, with(ev, s.modelCall)
	case event.TypeApprovalRequired:
		return true, with(ev, func(in event.ApprovalRequired) { s.gateOpened(ev, in) })
	case event.TypeTurnComplete, event.TypeInterrupted:
		s.endTurn()
	case event.TypeError:
		// While a gate waits nothing runs: the error is that of an operation.
		if s.Turn != nil && s.Gate == nil && ev.TurnID == s.Turn.ID {
			s.endTurn()
		}
	case event.TypeShutdown:
		// A gate outlives the process: it is open again when the session is.
		if s.Gate == nil {
			s.endTurn()
		}
	case event.TypeSessionTerminated:
		s.Terminated = true
	default:
		return false, nil
	}
	return true, nil
}

// keptGroups bounds the process groups that a session remembers.
const keptGroups = 200

// foldCall folds the life of tool calls.
func (s *State) foldCall(ev event.Event) error {
	switch ev.Type {
	case event.TypeToolCall:
		return with(ev, func(in event.ToolCall) { s.call(in.ToolCallID, in.Tool).Announced = true })
	case event.TypeHook:
		return with(ev, s.hooked)
	case event.TypeToolStarted:
		return with(ev, func(in event.ToolStarted) { s.call(in.ToolCallID, in.Tool).Started = &in })
	case event.TypeToolEffect:
		return with(ev, func(in event.ToolEffect) {
			if strings.HasPrefix(in.ExternalRef, "pgid:") {
				s.Groups = append(s.Groups[max(0, len(s.Groups)-keptGroups+1):], in.ExternalRef)
			}
			if id, ok := in.Repo(); ok && !slices.Contains(s.Repos, id) {
				s.Repos = append(s.Repos, id)
			}
			if c := s.Call(in.ToolCallID); c != nil { // else it is a sub-agent's
				c.Refs = append(c.Refs, in.ExternalRef)
			}
		})
	case event.TypeToolStateChange:
		return with(ev, s.stateChanged)
	case event.TypeToolOutput:
		return with(ev, func(in event.ToolOutput) { s.output(ev, in) })
	}
	return nil
}

// hooked notes what was decided about a call before it was judged, and that a
// text which was kept back waits no longer.
func (s *State) hooked(in event.Hook) {
	switch hook.Moment(in.Hook) {
	case hook.PreToolUse:
		s.call(in.ToolCallID, in.Tool).Hook = &in
	case hook.UserPromptSubmit:
		if in.SubmissionID != "" && in.Decision == string(hook.Deny) {
			s.Queue = slices.DeleteFunc(slices.Clone(s.Queue), func(waiting event.InputAccepted) bool {
				return waiting.SubmissionID == in.SubmissionID
			})
		}
	}
}

func (s *State) adopt(model, cwd string) {
	if model != "" {
		s.Model = model
	}
	if cwd != "" {
		s.Cwd = cwd
	}
}

func (s *State) turnStarted(in event.TurnStarted) {
	s.endTurn()
	s.Calls, s.Undone, s.undoing = nil, nil, nil
	if in.TurnID != "" {
		s.InForce = append(s.InForce, Begun{in.TurnID, s.Plan})
	}
	s.Turn = &Turn{ID: in.TurnID, Attempt: in.Attempt, Terms: in.Terms}
	s.Turns = max(s.Turns, number(in.TurnID, "turn_"))
	if in.Terms != nil && in.Terms.Model != "" { // its own, not the session's
		in.Model = ""
	}
	s.adopt(in.Model, in.Cwd)
	s.Version, s.Runtime = in.Version, in.Runtime
	for i, waiting := range s.Queue {
		if in.SubmissionID != "" && waiting.SubmissionID == in.SubmissionID {
			s.Turn.Input = &waiting
			s.Queue = slices.Delete(slices.Clone(s.Queue), i, i+1)
			return
		}
	}
}

// turnResumed also serves a journal whose turn_started is gone from view.
func (s *State) turnResumed(in event.TurnResumed) {
	if s.Turn == nil || s.Turn.ID != in.TurnID {
		s.Turn = &Turn{ID: in.TurnID}
		s.Turns = max(s.Turns, number(in.TurnID, "turn_"))
	}
	s.Turn.Attempt = in.Attempt
}

func (s *State) endTurn() { s.Turn, s.Gate = nil, nil }

// leave notes that the conversation has gone on in another session, and what
// waited with it.
func (s *State) leave() {
	s.endTurn()
	s.Queue = nil
}

func (s *State) modelCall(in event.LLMCall) {
	if in.Kind != llm.KindMain {
		return
	}
	s.LastCall = &in
	if s.Turn != nil && in.FinishReason != string(llm.FinishError) {
		s.Turn.MainCalls++
	}
}

func (s *State) spend(in event.Spend) {
	if s.Spend == nil {
		s.Spend = map[string]event.Spend{}
	}
	s.Spend[in.ID] = in
}

func (s *State) gateOpened(ev event.Event, in event.ApprovalRequired) {
	s.Gate = &Gate{ApprovalRequired: in, Seq: ev.Seq, TurnID: ev.TurnID, Answers: map[string]event.ToolStateChange{}}
	s.Gates = max(s.Gates, number(in.ApprovalID, "gate_"))
	if s.Gate.Synthetic() {
		return
	}
	for _, gated := range in.Tools {
		c := s.call(gated.ToolCallID, gated.Tool)
		c.Gated, c.Answer = &gated, nil
	}
}

// The states that answer a gate.
const (
	stateApproved  = "approved"
	stateRejected  = "rejected"
	stateAbandoned = "abandoned"
)

func (s *State) stateChanged(in event.ToolStateChange) {
	c := s.Call(in.ToolCallID)
	if c != nil {
		c.State = in.State
	}
	switch in.State {
	case stateApproved, stateRejected, stateAbandoned:
	default:
		return
	}
	if c != nil {
		c.Answer = &in
	}
	s.answer(in)
}

// answer notes one answer and closes the gate with the last.
func (s *State) answer(in event.ToolStateChange) {
	if s.Gate == nil || !s.Gate.has(in.ToolCallID) {
		return
	}
	if _, ok := s.Gate.Answers[in.ToolCallID]; !ok {
		s.Gate.Answers[in.ToolCallID] = in
	}
	if !s.Gate.settled() {
		return
	}
	if s.Gate.abandoned() { // its turn does not go on
		s.endTurn()
		return
	}
	if s.Turn != nil {
		s.Turn.Answered = s.Gate
	}
	s.Gate = nil
}

// call returns the record of a call, a new one if there is none.
func (s *State) call(id, tool string) *Call {
	if c := s.Call(id); c != nil {
		return c
	}
	c := &Call{ID: id, Tool: tool}
	s.Calls = append(s.Calls, c)
	return c
}
