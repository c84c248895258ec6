// Package conversation keeps a session's conversation in the form a model takes: the
// messages, the calls that wait for results, ids that do not repeat, and its
// size in tokens. It makes the events that tell a change and leaves telling
// them to its owner. Nothing in it costs the whole history but a rewrite.
package conversation

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/guard"
	"github.com/ml-intern/ml-intern/internal/engine/window"
)

// Conversation is one conversation; it belongs to one goroutine.
type Conversation struct {
	messages []llm.Message
	said     []event.Said        // one for each message of a person
	ids      map[string]struct{} // every call id in use
	next     int                 // number of the newest message
	clean    int                 // messages that need no repair
	model    string
	meter    *window.Meter
}

// New returns a conversation that goes on from messages, of which last carry
// an id. said is what is known of the people's messages among them.
func New(specs []llm.ToolSpec, messages []llm.Message, said []event.Said, last int) *Conversation {
	t := &Conversation{said: said, ids: map[string]struct{}{}, next: last, meter: window.NewMeter("", 0)}
	t.meter.SetTools(specs)
	t.Replace(messages)
	return t
}

// Messages are the conversation; the caller does not change them.
func (t *Conversation) Messages() []llm.Message { return t.messages }

// Last is the newest message, or an empty one.
func (t *Conversation) Last() llm.Message {
	if len(t.messages) == 0 {
		return llm.Message{}
	}
	return t.messages[len(t.messages)-1]
}

// Len is the number of messages.
func (t *Conversation) Len() int { return len(t.messages) }

// Meter is the conversation's size.
func (t *Conversation) Meter() *window.Meter { return t.meter }

// Follow goes over to a model; factor is the first guess of actual over
// estimated tokens.
func (t *Conversation) Follow(model string, factor float64) {
	if t.model != model {
		t.model = model
		t.meter.Switch(model, factor)
	}
}

// Model is the one followed last.
func (t *Conversation) Model() string { return t.model }

// Replace begins anew with a history that was rewritten. Of the people's
// messages it has the first and the newest, or all.
func (t *Conversation) Replace(messages []llm.Message) {
	t.said = keep(t.said, people(messages))
	t.reset(messages)
}

func (t *Conversation) reset(messages []llm.Message) {
	t.messages, t.clean = slices.Clone(messages), 0
	t.meter.Recount(messages)
	for i := range messages {
		for _, c := range messages[i].ToolCalls {
			t.ids[c.ID] = struct{}{}
		}
	}
}

// Add appends a message and returns the event that tells it.
func (t *Conversation) Add(m llm.Message) event.HistoryMessage { return t.Hear(m, event.Said{}) }

// Hear is Add for a message of which something is known, if a person wrote it.
func (t *Conversation) Hear(m llm.Message, said event.Said) event.HistoryMessage {
	if history.FromPerson(m) {
		t.said = append(t.said, said)
	}
	t.meter.Add(m)
	return t.enter(m)
}

// enter is Add for a message that is counted already.
func (t *Conversation) enter(m llm.Message) event.HistoryMessage {
	if m.Timestamp == "" {
		m.Timestamp = time.Now().UTC().Format(time.RFC3339)
	}
	t.messages = append(t.messages, m)
	t.next++
	return event.HistoryMessage{MessageID: fmt.Sprintf("msg_%d", t.next), Message: m}
}

// Answer appends a model's answer: its calls get ids that do not repeat and
// arguments that are JSON objects. Calls whose arguments cannot be read get
// their results at once. usage is nil when the provider told none.
func (t *Conversation) Answer(m llm.Message, usage *llm.Usage) (llm.Message, []event.Payload) {
	m.Role = llm.Assistant
	m.ToolCalls = slices.Clone(m.ToolCalls)
	unread := make([]error, len(m.ToolCalls))
	for i := range m.ToolCalls {
		c := &m.ToolCalls[i]
		t.name(c)
		args, err := guard.Arguments(c.Arguments)
		if err != nil {
			unread[i], args = err, json.RawMessage("{}")
		}
		c.Arguments = string(args)
	}
	t.meter.Answered(usage, m)
	ps := []event.Payload{t.enter(m)}
	for i, c := range m.ToolCalls {
		if unread[i] == nil {
			continue
		}
		text := guard.MalformedResult(c.Name, unread[i])
		t.Result(c, text)
		ps = append(ps,
			event.ToolCall{Tool: c.Name, Arguments: []byte("{}"), ToolCallID: c.ID},
			event.ToolOutput{Tool: c.Name, ToolCallID: c.ID, Output: text})
	}
	t.Order()
	return m, ps
}

// name gives a call an id that no other call has.
func (t *Conversation) name(c *llm.ToolCall) {
	_, taken := t.ids[c.ID]
	for n := len(t.ids) + 1; c.ID == "" || taken; n++ {
		c.ID = fmt.Sprintf("call_%d", n)
		_, taken = t.ids[c.ID]
	}
	t.ids[c.ID] = struct{}{}
}

// Result appends the result of a call; whoever ran it has told it.
func (t *Conversation) Result(c llm.ToolCall, text string) {
	t.Add(llm.Message{Role: llm.ToolRole, ToolCallID: c.ID, Name: c.Name, Text: text})
}

// Stub gives every call that has no result the given text and returns the
// events that tell it: no tool_output speaks of work that never ran.
func (t *Conversation) Stub(text func(c llm.ToolCall) string) []event.Payload {
	var ps []event.Payload
	for _, c := range t.Open() {
		ps = append(ps, t.Add(llm.Message{Role: llm.ToolRole, ToolCallID: c.ID, Name: c.Name, Text: text(c)}))
	}
	t.Order()
	return ps
}

// Open are the calls of the last answer that have no result.
func (t *Conversation) Open() []llm.ToolCall {
	last := t.lastCalls()
	if last < 0 {
		return nil
	}
	done := map[string]bool{}
	for _, m := range t.messages[last+1:] {
		done[m.ToolCallID] = true
	}
	var open []llm.ToolCall
	for _, c := range t.messages[last].ToolCalls {
		if !done[c.ID] {
			open = append(open, c)
		}
	}
	return open
}

// lastCalls is the index of an answer with calls that only results follow, or
// -1.
func (t *Conversation) lastCalls() int {
	for i := len(t.messages) - 1; i >= 0; i-- {
		switch m := &t.messages[i]; {
		case m.Role == llm.ToolRole:
		case m.Role == llm.Assistant && len(m.ToolCalls) > 0:
			return i
		default:
			return -1
		}
	}
	return -1
}

// Order puts the results behind the last answer into the order of its calls:
// those that waited for a person came later.
func (t *Conversation) Order() {
	last := t.lastCalls()
	if last < 0 {
		return
	}
	place := map[string]int{}
	for i, c := range t.messages[last].ToolCalls {
		place[c.ID] = i
	}
	slices.SortStableFunc(t.messages[last+1:], func(x, y llm.Message) int {
		return place[x.ToolCallID] - place[y.ToolCallID]
	})
}

// Mend makes the conversation one that any provider takes. It reports whether
// something had to be changed. What was looked at before is not looked at
// again: only its last answer may have got results since.
func (t *Conversation) Mend() bool {
	from := min(t.clean, len(t.messages))
	for from > 0 {
		if from--; t.messages[from].Role == llm.Assistant {
			break
		}
	}
	_, changed := window.Normalise(t.messages[from:], nil)
	if changed {
		mended, _ := window.Normalise(t.messages, nil)
		t.Replace(mended)
	}
	t.clean = len(t.messages)
	return changed
}

// VoidThinking removes stored reasoning that a provider refused from what will
// be sent. The journal keeps it.
func (t *Conversation) VoidThinking() {
	t.messages = slices.Clone(t.messages)
	for i := range t.messages {
		t.messages[i].ThinkingBlocks = nil
	}
}
