// Package history folds a session's events into its state: the messages, the
// plan, what a turn is in the middle of and what waits. It is how a session
// goes on after a restart and how its messages are saved. It does no I/O and
// decides nothing: what to do with an unfinished turn is the engine's.
package history

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// State is what the events so far say. The zero State is that of a session
// without events.
type State struct {
	SessionID string
	// Seq and Time are those of the newest event.
	Seq  int64
	Time time.Time
	// Started is when the session began, RFC 3339: its first event, or what an
	// imported session says.
	Started string

	// Messages is the history, the system message first. Results stand behind
	// their assistant message in the order of its calls, whatever order they
	// came in. Messages without a time carry that of their event.
	Messages []llm.Message
	// IDs are the message ids, one a message; empty for results and for what
	// came with a rewritten history.
	IDs []string
	// Said has an entry for each message of a person in Messages, in order: its
	// turn, and what was typed.
	Said []event.Said
	// Opening is the beginning of the first of them as it was typed, on one line.
	Opening string
	// InForce are the turns that have begun and were not taken back, in order.
	InForce []Begun
	// Undone is what can be taken back, the newest last: nothing has been said
	// since.
	Undone []Undone
	// Edit is what the newest event did to Messages.
	Edit Edit
	// Plan is the agent's plan. A rewritten history that brings none leaves it.
	Plan []event.PlanItem
	// Model is the one the newest turn runs with, Cwd its working directory.
	// Version and Runtime are those its system prompt was rendered for.
	Model   string
	Cwd     string
	Version string
	Runtime string
	// Settings are those told last, or nil. Title is what a person has called the
	// session, empty for none.
	Settings *event.Settings
	Title    string

	// Turn is the turn that has begun and not ended, or nil. An open gate only
	// suspends it.
	Turn *Turn
	// Gate is the approval that waits for an answer, or nil.
	Gate *Gate
	// Calls are the tool calls of the newest turn, in the order they became known.
	Calls []*Call
	// Queue holds the accepted inputs that no turn has begun with and that have
	// not joined one.
	Queue []event.InputAccepted
	// Repos are the repositories that calls have made or changed, each once.
	Repos []string
	// Groups are the process groups that calls have started, the newest last, at
	// most [keptGroups] of them.
	Groups []string
	// Evidence is what was looked up and has a mark, sub-agents included. Outside
	// names the text from outside that was read since a person's last message,
	// the newest [KeptOutside] of it.
	Evidence []event.Evidence
	Outside  []event.Origin
	// Spend is the ledger: the newest entry per id.
	Spend map[string]event.Spend
	// LastCall is the newest model call of the main loop, or nil.
	LastCall *event.LLMCall

	// Turns, MessageIDs and Gates are the highest numbers in use of turn_<n>,
	// msg_<n> and gate_<n>.
	Turns, MessageIDs, Gates int
	// Terminated says that the context could not be made to fit.
	Terminated bool
	// Next is the session in which the conversation goes on; then this journal
	// is finished.
	Next string

	undoing *Undone // of an undo whose end has not been told
}

// Edit is a change of the messages. The zero Edit is none.
type Edit struct {
	// Added says that a message was put at At, those behind it moved.
	Added bool
	At    int
	// Replaced says that all messages are new.
	Replaced bool
}

// Turn is a turn that has begun.
type Turn struct {
	ID      string
	Attempt int
	// Terms hold for it alone; nil for none.
	Terms *event.Terms
	// Input is the accepted text it began with; nil when none is known.
	Input *event.InputAccepted
	// Entered says that a person's message has entered the history in it.
	Entered bool
	// MainCalls counts the answered model calls of the main loop.
	MainCalls int
	// Streaming says that text was shown whose stream has not been closed.
	Streaming bool
	// Answered is the gate answered last, until the next segment begins.
	Answered *Gate
}

// Gate is an approval request.
type Gate struct {
	event.ApprovalRequired
	Seq    int64
	TurnID string
	// Answers holds, by tool call id, how calls were answered so far.
	Answers map[string]event.ToolStateChange
}

// Synthetic reports whether the engine opened the gate itself, not for a tool.
func (g *Gate) Synthetic() bool { return g.UsageThreshold || g.YoloBudget }

func (g *Gate) has(callID string) bool {
	return slices.ContainsFunc(g.Tools, func(c event.GatedCall) bool { return c.ToolCallID == callID })
}

func (g *Gate) settled() bool {
	for _, c := range g.Tools {
		if _, ok := g.Answers[c.ToolCallID]; !ok {
			return false
		}
	}
	return true
}

// abandoned reports whether a person has moved on without an answer.
func (g *Gate) abandoned() bool {
	for _, a := range g.Answers {
		if a.State == stateAbandoned {
			return true
		}
	}
	return false
}

// Call is the life of one tool call so far.
type Call struct {
	ID   string
	Tool string
	// Arguments is the JSON text in the history.
	Arguments string
	// Announced says that it was shown as running without asking.
	Announced bool
	// Hook is what the commands beside it have decided, or nil.
	Hook *event.Hook
	// Gated is how it was shown in a gate, or nil; Answer is what was answered.
	Gated  *event.GatedCall
	Answer *event.ToolStateChange
	// Started carries the effect class and the intent; nil before the start.
	Started *event.ToolStarted
	// State is the newest state that was announced.
	State string
	// Refs are the outside things it has made.
	Refs []string
	// Done says that it has a result; OK is whether that was a success.
	Done bool
	OK   bool
}

// Load folds events into a new State.
func Load(events []event.Event) (*State, error) {
	s := &State{}
	for _, ev := range events {
		if err := s.Apply(ev); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Open returns the calls of the newest turn that have no result, in order.
func (s *State) Open() []*Call {
	var open []*Call
	for _, c := range s.Calls {
		if !c.Done {
			open = append(open, c)
		}
	}
	return open
}

// Call returns the call of the newest turn with this id, or nil.
func (s *State) Call(id string) *Call {
	for i := len(s.Calls) - 1; i >= 0; i-- {
		if s.Calls[i].ID == id {
			return s.Calls[i]
		}
	}
	return nil
}

// Spent returns the sum of the ledger in millionths of a dollar, reservations
// included; complete is false when an entry's amount is unknown.
func (s *State) Spent() (microUSD int64, complete bool) {
	complete = true
	for _, entry := range s.Spend {
		switch {
		case entry.State == event.SpendReleased:
		case entry.MicroUSD == nil:
			complete = false
		default:
			microUSD += *entry.MicroUSD
		}
	}
	return microUSD, complete
}

// Shed drops what the message at an index says, and how its call was made, and
// keeps what later events may refer to: for those who have put the text
// elsewhere and follow a long session.
func (s *State) Shed(at int) {
	m := &s.Messages[at]
	kept := llm.Message{Role: m.Role, ToolCallID: m.ToolCallID, Synthetic: m.Synthetic}
	for _, c := range m.ToolCalls {
		kept.ToolCalls = append(kept.ToolCalls, llm.ToolCall{ID: c.ID})
	}
	*m = kept
	if m.Role != llm.ToolRole {
		return
	}
	if c := s.Call(m.ToolCallID); c != nil && c.Done {
		*c = Call{ID: c.ID, Tool: c.Tool, State: c.State, Done: true, OK: c.OK}
	}
}

// Spoken reports whether a person has said anything.
func (s *State) Spoken() bool {
	return len(s.Queue) > 0 || s.Turn != nil && s.Turn.Input != nil ||
		slices.ContainsFunc(s.Messages, FromPerson)
}

// FromPerson reports whether m was written by a person.
func FromPerson(m llm.Message) bool { return m.Role == llm.User && !m.Synthetic }

// Redacted reports whether a secret was removed from any of the messages.
func Redacted(messages []llm.Message) bool {
	for _, m := range messages {
		if marked(m.Text) || marked(m.ReasoningContent) {
			return true
		}
		for _, part := range m.Parts {
			if marked(string(part)) {
				return true
			}
		}
		for _, c := range m.ToolCalls {
			if marked(c.Arguments) {
				return true
			}
		}
	}
	return false
}

// marked looks for [REDACTED] and [REDACTED_KIND].
func marked(text string) bool {
	for {
		_, rest, ok := strings.Cut(text, "[REDACTED")
		if !ok {
			return false
		}
		kind, _, closed := strings.Cut(rest, "]")
		if closed && (kind == "" || kind[0] == '_' && strings.Trim(kind, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == "") {
			return true
		}
		text = rest
	}
}

// number returns n of "<prefix><n>", 0 for anything else.
func number(id, prefix string) int {
	digits, ok := strings.CutPrefix(id, prefix)
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// TurnID and the others name things by their number, from 1.
func TurnID(n int) string { return fmt.Sprintf("turn_%d", n) }

// MessageID returns the id of the n-th message.
func MessageID(n int) string { return fmt.Sprintf("msg_%d", n) }

// GateID returns the id of the n-th gate.
func GateID(n int) string { return fmt.Sprintf("gate_%d", n) }
