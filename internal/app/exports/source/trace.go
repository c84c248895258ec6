package source

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/claude"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/lab/trajectory"
	"github.com/ml-intern/ml-intern/internal/platform/loose"
)

// trace reads a trace in the form of Claude Code's session files, or in the Hub's simple
// one. A trace has messages and no events: those that follow from the messages are made
// of them, calls and their results, model calls where the tokens are told, and the ends
// of turns. What a call has cost, and what jobs and sandboxes did, a trace does not tell.
func trace(raw []byte) (*trajectory.Session, error) {
	t := &tracer{calls: map[string]string{}, counted: map[string]bool{}}
	known := false
	for line := range bytes.Lines(raw) {
		var row traceRow
		if loose.Decode(line, &row) != nil {
			continue
		}
		switch {
		case row.Type == "session":
			known = true
			t.s.ID = row.ID
		case row.Type == "message":
			known = true
			t.simple(row)
		case claude.Is(row.Type):
			known = true
			t.claude(row)
		}
	}
	if !known || len(t.s.Messages) == 0 {
		return nil, errNoSession
	}
	t.flush()
	if t.s.Start == "" {
		for _, ev := range t.s.Events {
			if !ev.Time.IsZero() {
				t.s.Start = ev.Time.Format(time.RFC3339Nano)
				break
			}
		}
	}
	return &t.s, t.err
}

type (
	traceRow struct {
		Type      string          `json:"type"`
		ID        string          `json:"id"`
		SessionID string          `json:"sessionId"`
		Timestamp string          `json:"timestamp"`
		Message   json.RawMessage `json:"message"`
		Sidechain bool            `json:"isSidechain"`
		Meta      bool            `json:"isMeta"`
		Summary   bool            `json:"isCompactSummary"`
		APIError  bool            `json:"isApiErrorMessage"`
	}
	claudeMessage struct {
		ID         string          `json:"id"`
		Model      string          `json:"model"`
		Content    json.RawMessage `json:"content"`
		StopReason string          `json:"stop_reason"`
		Usage      *struct {
			Input      int `json:"input_tokens"`
			Output     int `json:"output_tokens"`
			CacheWrite int `json:"cache_creation_input_tokens"`
			CacheRead  int `json:"cache_read_input_tokens"`
		} `json:"usage"`
	}
	claudeBlock struct {
		Type      string          `json:"type"`
		Text      string          `json:"text"`
		Thinking  string          `json:"thinking"`
		ID        string          `json:"id"`
		Name      string          `json:"name"`
		Input     json.RawMessage `json:"input"`
		ToolUseID string          `json:"tool_use_id"`
		Content   json.RawMessage `json:"content"`
		IsError   bool            `json:"is_error"`
	}
	simpleMessage struct {
		Role       string `json:"role"`
		Content    string `json:"content"`
		Reasoning  string `json:"reasoningContent"`
		ToolCallID string `json:"toolCallId"`
		Timestamp  int64  `json:"timestamp"`
		Model      string `json:"model"`
		ToolCalls  []struct {
			ID       string `json:"id"`
			Function struct {
				Name      string `json:"name"`
				Arguments string `json:"arguments"`
			} `json:"function"`
		} `json:"toolCalls"`
	}
)

// tracer puts a session together.
type tracer struct {
	s       trajectory.Session
	calls   map[string]string // the tool of each call
	counted map[string]bool   // model calls whose tokens were counted
	answer  *llm.Message      // a model's, whose calls are not all known yet
	part    string            // the id of the answer that is being put together
	at      time.Time
	err     error
}

// say adds a message.
func (t *tracer) say(m llm.Message) {
	if !t.at.IsZero() {
		m.Timestamp = t.at.Format(time.RFC3339Nano)
	}
	raw, err := m.MarshalJSON()
	if err != nil {
		t.err = fmt.Errorf("encode a message: %w", err)
		return
	}
	t.s.Messages = append(t.s.Messages, raw)
}

// tell adds an event.
func (t *tracer) tell(p event.Payload) {
	ev, err := event.New(t.s.ID, "", t.at, p)
	if err != nil {
		t.err = err
		return
	}
	if t.at.IsZero() {
		ev.Time = time.Time{}
	}
	t.s.Events = append(t.s.Events, ev)
}

// flush ends the answer that was put together; one that calls nothing ends its turn.
func (t *tracer) flush() {
	if t.answer == nil {
		return
	}
	m := *t.answer
	t.answer, t.part = nil, ""
	t.say(m)
	if len(m.ToolCalls) == 0 {
		t.tell(event.TurnComplete{})
	}
}

// open returns the answer to add to: rows of one model call make one answer.
func (t *tracer) open(id string) *llm.Message {
	if t.answer == nil || id == "" || id != t.part {
		t.flush()
		t.answer, t.part = &llm.Message{Role: llm.Assistant}, id
	}
	return t.answer
}

func (t *tracer) call(m *llm.Message, id, name, arguments string) {
	m.ToolCalls = append(m.ToolCalls, llm.ToolCall{ID: id, Name: name, Arguments: arguments})
	t.calls[id] = name
	raw := json.RawMessage(arguments)
	if !json.Valid(raw) {
		raw = json.RawMessage("{}")
	}
	t.tell(event.ToolCall{Tool: name, ToolCallID: id, Arguments: raw})
}

func (t *tracer) result(id, output string, ok bool) {
	t.say(llm.Message{Role: llm.ToolRole, Text: output, ToolCallID: id, Name: t.calls[id]})
	t.tell(event.ToolOutput{Tool: t.calls[id], ToolCallID: id, Output: output, Success: ok})
}

// claude takes in a row of Claude Code's form.
func (t *tracer) claude(row traceRow) {
	if row.Type != "user" && row.Type != "assistant" {
		return
	}
	var m claudeMessage
	if loose.Decode(row.Message, &m) != nil {
		return
	}
	if t.s.ID == "" {
		t.s.ID = row.SessionID
	}
	at := trajectory.Time(row.Timestamp)
	if row.Sidechain { // a sub-agent's: of its work the tokens count
		t.at = at
		t.usage(m, llm.KindResearch)
		return
	}
	if t.s.Start == "" {
		t.s.Start = row.Timestamp
	}
	blocks := claudeBlocks(m.Content)
	if row.Type == "user" {
		t.flush()
		t.at = at
		t.person(row, blocks)
		return
	}
	if m.ID == "" || m.ID != t.part {
		t.flush()
	}
	t.at = at
	if row.APIError {
		t.flush()
		t.tell(event.Error{Error: claudeText(blocks)})
		return
	}
	t.usage(m, llm.KindMain)
	if m.Model != "" && m.Model != "<synthetic>" {
		t.s.Model = m.Model
	}
	answer := t.open(m.ID)
	for _, b := range blocks {
		switch b.Type {
		case "text":
			answer.Text = joined(answer.Text, b.Text)
		case "thinking":
			answer.ReasoningContent = joined(answer.ReasoningContent, b.Thinking)
		case "tool_use":
			t.call(answer, b.ID, b.Name, string(b.Input))
		}
	}
}

// person takes in what a person said, or results.
func (t *tracer) person(row traceRow, blocks []claudeBlock) {
	for _, b := range blocks {
		if b.Type == "tool_result" {
			t.result(b.ToolUseID, claudeText(claudeBlocks(b.Content)), !b.IsError)
		}
	}
	if text := claudeText(blocks); text != "" {
		t.say(llm.Message{Role: llm.User, Text: text, Synthetic: row.Meta || row.Summary})
	}
}

// usage counts the tokens of a model call, once: each of its rows tells them.
func (t *tracer) usage(m claudeMessage, kind llm.Kind) {
	if m.Usage == nil || m.ID != "" && t.counted[m.ID] {
		return
	}
	t.counted[m.ID] = true
	u := m.Usage
	prompt := u.Input + u.CacheRead + u.CacheWrite
	t.tell(event.LLMCall{
		Model: m.Model, Kind: kind, FinishReason: m.StopReason, Prompt: prompt, Completion: u.Output, Total: prompt + u.Output,
		CacheRead: u.CacheRead, CacheWrite: u.CacheWrite, CostSource: "unknown",
	})
}

// claudeBlocks are the pieces of a content, which may be one text.
func claudeBlocks(raw json.RawMessage) []claudeBlock {
	if said := text(raw); said != "" {
		return []claudeBlock{{Type: "text", Text: said}}
	}
	var all []json.RawMessage
	_ = json.Unmarshal(raw, &all) // no list: nothing was said
	var out []claudeBlock
	for _, one := range all {
		var b claudeBlock
		if loose.Decode(one, &b) == nil {
			out = append(out, b)
		}
	}
	return out
}

func claudeText(blocks []claudeBlock) string {
	var texts []string
	for _, b := range blocks {
		if b.Type == "text" && b.Text != "" {
			texts = append(texts, b.Text)
		}
	}
	return strings.Join(texts, "\n")
}

func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "\n\n" + b
}

// simple takes in a message of the Hub's form. Whether a call failed it does not tell:
// results count as successes. What the program said has the role system there.
func (t *tracer) simple(row traceRow) {
	var in simpleMessage
	if loose.Decode(row.Message, &in) != nil {
		return
	}
	t.flush()
	t.at = time.Time{}
	if in.Timestamp > 0 {
		t.at = time.UnixMilli(in.Timestamp).UTC()
	}
	switch in.Role {
	case "user":
		t.say(llm.Message{Role: llm.User, Text: in.Content})
	case "system":
		t.say(llm.Message{Role: llm.System, Text: in.Content})
	case "tool":
		t.result(in.ToolCallID, in.Content, true)
	case "assistant":
		if in.Model != "" {
			t.s.Model = in.Model
		}
		answer := t.open("")
		answer.Text, answer.ReasoningContent = in.Content, in.Reasoning
		for _, c := range in.ToolCalls {
			t.call(answer, c.ID, c.Function.Name, c.Function.Arguments)
		}
	}
}
