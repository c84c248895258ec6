package delegate

import (
	"fmt"
	"slices"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/execution"
)

// session is what the calls of a round see: a session in which they can look
// things up, and nothing else. The room for their output shrinks with what is
// left of the model's window.
func (a *subagent) session(calls int) *execution.Session {
	parent := a.host.Session
	return &execution.Session{
		SessionID: parent.SessionID, Append: a.append,
		Plan: func() []event.PlanItem { return nil }, SetPlan: func([]event.PlanItem) {},
		Reserve: func(string, tool.Cost) ([]event.Payload, *event.Block) {
			return nil, &event.Block{BlockReason: "a sub-agent may not spend"}
		},
		Settle:   func(string, tool.Result, bool) []event.Payload { return nil },
		Finished: a.host.Hooks.After(a.append, a.id),
		Room:     a.room(calls), Grace: grace, Steered: parent.Steered, Evidence: a.evidence, Heard: a.heard, Keep: parent.Keep, Leaving: parent.Leaving, Debug: parent.Debug,
	}
}

// room is how many characters each of n results may have. Three characters are
// counted as one token, which is rather too many tokens than too few.
func (a *subagent) room(n int) int {
	limit := a.task.Room
	if a.window > 0 {
		left := (a.window*92/100 - a.talk.Meter().Tokens()) * 3 / max(1, n)
		limit = min(limit, max(left, fewest))
	}
	return limit
}

// evidence notes what a call has looked up, in the ledger of the session.
func (a *subagent) evidence(e event.Evidence) string {
	e.AgentID = a.id
	e = a.host.Sources.Note(e, a.host.Session.Append)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.report.Evidence = append(a.report.Evidence, e)
	return e.ID
}

// heard notes text from outside that a call was answered with.
func (a *subagent) heard(e event.Evidence) {
	e.AgentID = a.id
	a.host.Sources.Heard(e, a.host.Session.Append)
}

// log tells one line of progress.
func (a *subagent) log(text string) { a.tell(a.line(text)) }

func (a *subagent) line(text string) event.ToolLog {
	return event.ToolLog{Tool: a.task.Tool, Log: text, AgentID: a.id, Label: a.task.Label}
}

func (a *subagent) tell(ps ...event.Payload) { _ = a.append(ps...) } // the session knows and ends

// shownArguments is how much of a call's arguments a progress line shows, in
// characters.
const shownArguments = 80

// append tells events as those of this sub-agent, with the lines of progress
// that follow from them. What only the main conversation can go on from is left
// out: a delegated task is done again as a whole.
func (a *subagent) append(ps ...event.Payload) error {
	out := make([]event.Payload, 0, len(ps))
	for _, p := range ps {
		switch p := p.(type) {
		case event.ToolStarted, event.ToolStateChange, event.PlanUpdate:
		case event.HistoryMessage:
			p.AgentID, p.MessageID = a.id, a.id+"."+p.MessageID
			out = append(out, p)
		case event.LLMCall:
			p.AgentID = a.id
			out = append(out, p)
		case event.ToolLog:
			p.AgentID, p.Label = a.id, a.task.Label
			out = append(out, p)
		case event.Hook:
			p.AgentID = a.id
			out = append(out, p)
		case event.ToolCall:
			p.AgentID = a.id
			out = append(out, p, a.line("▸ "+p.Tool+"  "+excerpt.Head(string(p.Arguments), shownArguments)))
		case event.ToolOutput:
			p.AgentID = a.id
			out = append(out, p, a.line(fmt.Sprintf("tools:%d", a.done())))
		default:
			out = append(out, p)
		}
	}
	return a.host.Session.Append(slices.Clip(out)...)
}

// done counts a call that has its result.
func (a *subagent) done() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.report.Calls++
	return a.report.Calls
}
