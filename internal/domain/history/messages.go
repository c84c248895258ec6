package history

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

func (s *State) message(ev event.Event, in event.HistoryMessage) {
	m := stamped(in.Message, ev)
	s.MessageIDs = max(s.MessageIDs, number(in.MessageID, "msg_"))
	if m.Role == llm.ToolRole {
		s.result(m, in.MessageID, false)
		return
	}
	s.Edit = Edit{Added: true, At: len(s.Messages)}
	s.Messages = append(s.Messages, m)
	s.IDs = append(s.IDs, in.MessageID)
	switch {
	case m.Role == llm.Assistant:
		s.called(m.ToolCalls)
	case FromPerson(m):
		s.told(ev.TurnID, s.entered(m), m)
	}
}

// stamped gives m the time of its event if it has none.
func stamped(m llm.Message, ev event.Event) llm.Message {
	if m.Timestamp == "" && !ev.Time.IsZero() {
		m.Timestamp = ev.Time.UTC().Format(timeLayout)
	}
	return m
}

// called notes the calls of an assistant message. Some providers use an id
// again: a finished call makes room for the new one.
func (s *State) called(calls []llm.ToolCall) {
	for _, call := range calls {
		c := s.Call(call.ID)
		if c == nil || c.Done {
			c = &Call{ID: call.ID}
			s.Calls = append(s.Calls, c)
		}
		c.Tool, c.Arguments = call.Name, call.Arguments
	}
}

// entered notes that a person's message is in the history: a text that was to
// join a running turn waits no longer. It returns what was typed, where that is
// another text.
func (s *State) entered(m llm.Message) (shown string) {
	s.Outside = nil
	if s.Turn != nil && !s.Turn.Entered {
		s.Turn.Entered = true
		if s.Turn.Input != nil && s.Turn.Input.Text == m.PlainText() {
			return s.Turn.Input.Shown
		}
	}
	for i, waiting := range s.Queue {
		if waiting.Steer && waiting.Text == m.PlainText() {
			s.Queue = slices.Delete(slices.Clone(s.Queue), i, i+1)
			return waiting.Shown
		}
	}
	return ""
}

func (s *State) output(ev event.Event, in event.ToolOutput) {
	s.answer(event.ToolStateChange{ToolCallID: in.ToolCallID, Tool: in.Tool})
	m := llm.Message{Role: llm.ToolRole, Text: in.Output, ToolCallID: in.ToolCallID, Name: in.Tool}
	s.result(stamped(m, ev), "", in.Success)
}

// result puts a tool message behind its call. One that the history knows
// already is not repeated, and one without a call has no place: those are the
// answers to gates that no tool asked for.
func (s *State) result(m llm.Message, id string, ok bool) {
	if c := s.Call(m.ToolCallID); c != nil && !c.Done {
		c.Done, c.OK = true, ok
	}
	for i := len(s.Messages) - 1; i >= 0; i-- {
		calls := s.Messages[i].ToolCalls
		order := position(calls, m.ToolCallID)
		if order < 0 {
			continue
		}
		at := i + 1
		for at < len(s.Messages) && s.Messages[at].Role == llm.ToolRole {
			before := position(calls, s.Messages[at].ToolCallID)
			if before == order {
				return
			}
			if before > order {
				break
			}
			at++
		}
		s.Edit = Edit{Added: true, At: at}
		s.Messages = slices.Insert(s.Messages, at, m)
		s.IDs = slices.Insert(s.IDs, at, id)
		return
	}
}

func position(calls []llm.ToolCall, id string) int {
	return slices.IndexFunc(calls, func(c llm.ToolCall) bool { return c.ID == id })
}

func (s *State) rewritten(in event.HistoryRewritten) {
	s.Edit = Edit{Replaced: true}
	s.retold(in)
	s.Messages = in.Messages
	s.IDs = make([]string, len(in.Messages))
	if in.Plan != nil {
		s.Plan = in.Plan
	}
	known := map[string]bool{}
	for _, m := range in.Messages {
		for _, c := range m.ToolCalls {
			known[c.ID] = true
		}
	}
	s.Calls = slices.DeleteFunc(slices.Clone(s.Calls), func(c *Call) bool { return !known[c.ID] })
}

// KeptOutside is how much outside text is named at most: the newest.
const KeptOutside = 20

// OriginOf names an entry of the evidence as outside text that was read.
func OriginOf(e event.Evidence) event.Origin {
	o := event.Origin{Source: e.ID, URL: e.URL}
	if o.URL == "" { // it has no address: what was called says where it is from
		o.URL = strings.Join(strings.Fields(e.Tool+" "+e.Operation+" "+e.Object), " ")
	}
	return o
}

// ReadOutside adds outside text that was read to the list of it.
func ReadOutside(list []event.Origin, e event.Evidence) []event.Origin {
	return append(slices.Clone(list[max(0, len(list)-KeptOutside+1):]), OriginOf(e))
}

func (s *State) lookedUp(in event.Evidence) {
	s.Outside = ReadOutside(s.Outside, in)
	if in.ID != "" {
		s.Evidence = append(s.Evidence, in)
	}
}

// planTool is the tool whose calls set the plan.
const planTool = "plan_tool"

// PlanIn returns the plan that the last valid plan_tool call among messages
// set; ok is false when there is none.
func PlanIn(messages []llm.Message) (plan []event.PlanItem, ok bool) {
	for i := len(messages) - 1; i >= 0; i-- {
		calls := messages[i].ToolCalls
		for k := len(calls) - 1; k >= 0; k-- {
			if calls[k].Name != planTool {
				continue
			}
			if plan, ok := planFrom(calls[k].Arguments); ok {
				return plan, true
			}
		}
	}
	return nil, false
}

func planFrom(arguments string) ([]event.PlanItem, bool) {
	var in struct {
		Todos []event.PlanItem `json:"todos"`
	}
	if json.Unmarshal([]byte(arguments), &in) != nil || in.Todos == nil {
		return nil, false
	}
	for _, item := range in.Todos {
		switch item.Status {
		case "pending", "in_progress", "completed":
		default:
			return nil, false // the tool has refused this call
		}
	}
	return in.Todos, true
}
