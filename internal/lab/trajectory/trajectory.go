// Package trajectory is one session as the sciences of results see it: what was
// said, what happened and which tools there were, of this program or of the Python
// original, whole or with holes. It answers what the parts do not say plainly: which
// calls were made, and when people asked. It trusts nothing it is given and knows
// no file, no store and no service.
package trajectory

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Session is one session.
type Session struct {
	ID string
	// User is whose it is; empty for unknown.
	User  string
	Model string
	// Start and End are times as the session notes them.
	Start, End string
	// Messages are as the session holds them, each a JSON object in the form of
	// chat completions.
	Messages []json.RawMessage
	// Events are in order. Of a journal they are all but the pieces of streamed
	// text; of a file those that files keep. A Time that is zero is unknown.
	Events []event.Event
	// Tools are function specifications.
	Tools []json.RawMessage
	// Usage is the usage_metrics object that came with it, nil for none.
	Usage json.RawMessage
}

// Began is when the session began; zero when that is unknown.
func (s *Session) Began() time.Time { return Time(s.Start) }

// Day is the UTC day on which the session began, as in 2026-01-31; empty when
// that is unknown.
func (s *Session) Day() string {
	at := s.Began()
	if at.IsZero() {
		return ""
	}
	return at.Format(time.DateOnly)
}

// Time reads a time as sessions note it, with or without a zone; one without is
// UTC. It is zero for anything else.
func Time(text string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}

// Message is what is read of a message.
type Message struct {
	Role string
	// Text is its content: a text as it is, the texts of parts one a line.
	Text      string
	Calls     []Call
	CallID    string // of a result
	Name      string // of the tool of a result
	At        time.Time
	Synthetic bool // the program wrote it in a person's place
}

// Call is a call of a tool.
type Call struct {
	ID, Tool string
	// Arguments are JSON, as they were given; nil where nobody has kept them.
	Arguments json.RawMessage
	// At is when it was made; zero when that is unknown.
	At time.Time
}

// Read reads a message. What is missing or of another kind counts as empty.
func Read(raw json.RawMessage) Message {
	var in map[string]json.RawMessage
	_ = json.Unmarshal(raw, &in) // no object: an empty message
	m := Message{
		Role: text(in["role"]), Text: content(in["content"]), CallID: text(in["tool_call_id"]), Name: text(in["name"]),
		At: Time(text(in["timestamp"])), Synthetic: string(in["synthetic"]) == "true",
	}
	var calls []json.RawMessage
	_ = json.Unmarshal(in["tool_calls"], &calls) // no list: no calls
	for _, raw := range calls {
		if c, ok := readCall(raw); ok {
			c.At = m.At
			m.Calls = append(m.Calls, c)
		}
	}
	return m
}

func readCall(raw json.RawMessage) (Call, bool) {
	var in, function map[string]json.RawMessage
	if json.Unmarshal(raw, &in) != nil || json.Unmarshal(in["function"], &function) != nil {
		return Call{}, false
	}
	c := Call{ID: text(in["id"]), Tool: text(function["name"]), Arguments: function["arguments"]}
	if inner := text(c.Arguments); inner != "" && json.Valid([]byte(inner)) {
		c.Arguments = json.RawMessage(inner) // the wire has it as JSON in a text
	}
	return c, c.Tool != ""
}

func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // anything else counts as missing
	return s
}

// content is the text of a message's content: a text, or the texts of its parts.
func content(raw json.RawMessage) string {
	var parts []json.RawMessage
	if json.Unmarshal(raw, &parts) != nil {
		return text(raw)
	}
	var texts []string
	for _, raw := range parts {
		var part map[string]json.RawMessage
		switch plain := text(raw); {
		case plain != "":
			texts = append(texts, plain)
		case json.Unmarshal(raw, &part) == nil && text(part["text"]) != "":
			texts = append(texts, text(part["text"]))
		}
	}
	return strings.Join(texts, "\n")
}

// person reports whether a message is a person's. What the program said in a
// person's place has a mark in our sessions and only its beginning in the
// original's.
func (m Message) person() bool {
	return m.Role == "user" && !m.Synthetic && !strings.HasPrefix(m.Text, "[SYSTEM:")
}

// UserMessages counts the messages in a user's role, whoever wrote them.
func (s *Session) UserMessages() int {
	n := 0
	for _, raw := range s.Messages {
		if Read(raw).Role == "user" {
			n++
		}
	}
	return n
}

// Asked tells when people asked: a time for each of their messages. A journal tells
// it by its events, also of messages that were condensed or taken back later. Of a
// file whose messages have no time, the nth was asked in the turn that ended nth, and
// the times are those of the ends; where fewer turns have ended, it is the time of the
// last event. Without any event the time is that of the session's beginning.
func (s *Session) Asked() []time.Time {
	if told, ok := s.told(); ok {
		return told
	}
	var asked []time.Time
	var ends []time.Time
	for _, raw := range s.Messages {
		if m := Read(raw); m.person() {
			asked = append(asked, m.At)
		}
	}
	last := s.Began()
	for _, ev := range s.Events {
		if ev.Time.IsZero() {
			continue
		}
		last = ev.Time
		switch ev.Type {
		case event.TypeTurnComplete, event.TypeInterrupted, event.TypeError:
			ends = append(ends, ev.Time)
		}
	}
	for i, at := range asked {
		switch {
		case !at.IsZero():
		case i < len(ends):
			asked[i] = ends[i]
		default:
			asked[i] = last
		}
	}
	return asked
}

// told is what a journal's own events say; ok is false where there are none.
func (s *Session) told() (asked []time.Time, ok bool) {
	for _, ev := range s.Events {
		if ev.Type != event.TypeHistoryMessage {
			continue
		}
		ok = true
		var in struct {
			AgentID any             `json:"agent_id"`
			Message json.RawMessage `json:"message"`
		}
		_ = json.Unmarshal(ev.Data, &in) // no object: nobody's message
		if (in.AgentID == nil || in.AgentID == "") && Read(in.Message).person() {
			asked = append(asked, ev.Time)
		}
	}
	return asked, ok
}

// Calls are the calls that were made, in order, those of sub-agents not among them:
// what was announced, and what came through an approval, which is not announced and
// seen by its result. Calls that were refused or are still waiting are not made.
func (s *Session) Calls() []Call { return s.follow().made }

// Mentioned are the names of all tools that were called, as Calls tells or as the
// messages do, of which older ones may have no event left. Each stands once.
func (s *Session) Mentioned() []Call {
	f := s.follow()
	all := f.made
	for _, raw := range s.Messages {
		for _, c := range Read(raw).Calls {
			if !f.seen[c.ID] {
				all = append(all, c)
			}
		}
	}
	return slices.Clip(all)
}

// follower goes through the events and finds out which calls were made.
type follower struct {
	made []Call
	// seen are the calls of which the events tell anything.
	seen map[string]bool
	// proposed are the calls that a model has written, by id: some providers use
	// an id again, and the newest counts.
	proposed map[string]Call
	// running counts what was announced and has no result yet.
	running map[string]int
	refused map[string]bool
}

func (s *Session) follow() *follower {
	f := &follower{seen: map[string]bool{}, proposed: map[string]Call{}, running: map[string]int{}, refused: map[string]bool{}}
	for _, raw := range s.Messages {
		f.propose(Read(raw).Calls)
	}
	for _, ev := range s.Events {
		f.take(ev)
	}
	return f
}

func (f *follower) propose(calls []Call) {
	for _, c := range calls {
		if c.ID != "" {
			f.proposed[c.ID] = c
		}
	}
}

func (f *follower) take(ev event.Event) {
	switch ev.Type {
	case event.TypeToolCall, event.TypeToolOutput, event.TypeToolStateChange, event.TypeApprovalRequired, event.TypeHistoryMessage:
	default:
		return
	}
	var in struct {
		AgentID   any             `json:"agent_id"`
		ID        any             `json:"tool_call_id"`
		Tool      any             `json:"tool"`
		Arguments json.RawMessage `json:"arguments"`
		State     any             `json:"state"`
		Edited    json.RawMessage `json:"edited_arguments"`
		Tools     json.RawMessage `json:"tools"`
		Message   json.RawMessage `json:"message"`
	}
	if json.Unmarshal(ev.Data, &in) != nil || in.AgentID != nil && in.AgentID != "" {
		return
	}
	id, _ := in.ID.(string)
	tool, _ := in.Tool.(string)
	switch ev.Type {
	case event.TypeHistoryMessage:
		f.propose(Read(in.Message).Calls)
	case event.TypeApprovalRequired:
		f.gate(in.Tools)
	case event.TypeToolCall:
		f.see(id)
		if tool != "" {
			f.made = append(f.made, Call{ID: id, Tool: tool, Arguments: in.Arguments, At: ev.Time})
			f.running[id]++
		}
	case event.TypeToolStateChange:
		f.answer(id, in.State, in.Edited)
	case event.TypeToolOutput:
		f.ended(id, tool, ev.Time)
	}
}

func (f *follower) see(id string) {
	if id != "" {
		f.seen[id] = true
	}
}

// gate notes calls that wait for an answer.
func (f *follower) gate(tools json.RawMessage) {
	var waiting []json.RawMessage
	_ = json.Unmarshal(tools, &waiting) // no list: nothing waits
	for _, raw := range waiting {
		var in map[string]json.RawMessage
		if json.Unmarshal(raw, &in) != nil {
			continue
		}
		c := Call{ID: text(in["tool_call_id"]), Tool: text(in["tool"]), Arguments: in["arguments"]}
		f.see(c.ID)
		f.propose([]Call{c})
	}
}

// answer notes a person's answer to a gate.
func (f *follower) answer(id string, state any, edited json.RawMessage) {
	switch state {
	case "rejected", "abandoned":
		f.see(id)
		f.refused[id] = true
	case "approved":
		f.see(id)
		delete(f.refused, id)
		if c, ok := f.proposed[id]; ok && len(edited) > 0 && string(edited) != "null" {
			c.Arguments = edited
			f.proposed[id] = c
		}
	}
}

// ended notes a result: that of a call which was not announced shows that it was
// made.
func (f *follower) ended(id, tool string, at time.Time) {
	if id == "" {
		return // an older program's: nothing tells whose it is
	}
	f.see(id)
	switch c := f.proposed[id]; {
	case f.running[id] > 0:
		f.running[id]--
	case f.refused[id]:
		delete(f.refused, id)
	case tool != "" || c.Tool != "":
		if tool != "" {
			c.Tool = tool
		}
		c.ID, c.At = id, at
		f.made = append(f.made, c)
	}
}
