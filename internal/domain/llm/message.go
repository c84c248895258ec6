package llm

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Role says who a message is from.
type Role string

// The four roles of a stored message.
const (
	System    Role = "system"
	User      Role = "user"
	Assistant Role = "assistant"
	ToolRole  Role = "tool"
)

// SyntheticPrefix opens the text of every message the engine writes in the
// user's role, so that older front ends can hide it. Ours trust
// [Message.Synthetic] instead: a person may type the prefix too.
const SyntheticPrefix = "[SYSTEM:"

// Message is one entry of a conversation in the OpenAI chat shape, the form in
// which sessions are saved and resumed. Fields the program does not know
// survive a load and a save in Extra.
type Message struct {
	Role Role
	// Text is the content when it is a string. Parts is the content when it is
	// an array (images, blocks of older logs); then Text is empty.
	Text  string
	Parts []json.RawMessage

	ToolCalls  []ToolCall // assistant only
	ToolCallID string     // tool only: the call this answers
	Name       string     // tool only: the tool that answered

	// ThinkingBlocks are Anthropic thinking and redacted_thinking blocks, byte
	// for byte as received. ReasoningContent is the reasoning text of chat
	// backends.
	ThinkingBlocks   []json.RawMessage
	ReasoningContent string
	// ProviderFields carries what a provider wants back verbatim, keyed by
	// FieldOrigin and FieldItems and whatever older logs hold.
	ProviderFields map[string]json.RawMessage

	// Synthetic marks a message the engine wrote in the user's role.
	Synthetic bool
	// Timestamp is RFC 3339 or empty.
	Timestamp string
	// Extra holds unknown fields.
	Extra map[string]json.RawMessage
}

// Keys of [Message.ProviderFields] that the program itself writes.
const (
	// FieldOrigin holds an [Origin]: which model wrote this message.
	FieldOrigin = "origin"
	// FieldItems holds the verbatim output items of the Responses API.
	FieldItems = "response_items"
	// FieldReasoningDetails holds OpenRouter's reasoning_details array.
	FieldReasoningDetails = "reasoning_details"
)

// Origin names the provider and model that produced a message. Opaque
// reasoning is only replayed to the same origin.
type Origin struct {
	Provider string `json:"provider"`
	Model    string `json:"model"`
}

// ToolCall is a model's request to run a tool. Arguments is the JSON text as
// the model wrote it.
type ToolCall struct {
	ID        string
	Name      string
	Arguments string
	Extra     map[string]json.RawMessage // unknown fields of the call
}

// SetOrigin records which model wrote m.
func (m *Message) SetOrigin(o Origin) {
	raw, err := json.Marshal(o)
	if err != nil { // two strings always marshal
		return
	}
	m.setField(FieldOrigin, raw)
}

// SetItems records the verbatim output items of a Responses turn.
func (m *Message) SetItems(items []json.RawMessage) {
	raw, err := marshal(items)
	if err != nil { // only invalid raw JSON fails; then there is nothing to replay
		return
	}
	m.setField(FieldItems, raw)
}

func (m *Message) setField(key string, raw json.RawMessage) {
	if m.ProviderFields == nil {
		m.ProviderFields = map[string]json.RawMessage{}
	}
	m.ProviderFields[key] = raw
}

// Origin returns the recorded origin, or the zero Origin.
func (m Message) Origin() Origin {
	var o Origin
	if raw, ok := m.ProviderFields[FieldOrigin]; ok {
		_ = json.Unmarshal(raw, &o) // a foreign shape means no known origin
	}
	return o
}

// Items returns the verbatim Responses items, or nil.
func (m Message) Items() []json.RawMessage {
	var items []json.RawMessage
	if raw, ok := m.ProviderFields[FieldItems]; ok {
		_ = json.Unmarshal(raw, &items) // a foreign shape means nothing to replay
	}
	return items
}

// PlainText returns the text of the message; the text parts of array content
// are joined by newlines, other parts are skipped.
func (m Message) PlainText() string {
	if m.Parts == nil {
		return m.Text
	}
	var texts []string
	for _, raw := range m.Parts {
		var part struct {
			Type string `json:"type"`
			Text string `json:"text"`
		}
		if json.Unmarshal(raw, &part) == nil && part.Text != "" && (part.Type == "text" || part.Type == "") {
			texts = append(texts, part.Text)
		}
	}
	return strings.Join(texts, "\n")
}

// Empty reports whether an assistant message carries neither text nor calls.
func (m Message) Empty() bool {
	return m.Text == "" && len(m.Parts) == 0 && len(m.ToolCalls) == 0
}

// Clone returns a copy that shares no slice or map header with m. The raw
// JSON inside is shared: it is never modified in place.
func (m Message) Clone() Message {
	m.Parts = slices.Clone(m.Parts)
	m.ToolCalls = slices.Clone(m.ToolCalls)
	m.ThinkingBlocks = slices.Clone(m.ThinkingBlocks)
	m.ProviderFields = cloneFields(m.ProviderFields)
	m.Extra = cloneFields(m.Extra)
	return m
}

func cloneFields(in map[string]json.RawMessage) map[string]json.RawMessage {
	if in == nil {
		return nil
	}
	out := make(map[string]json.RawMessage, len(in))
	for k, v := range in {
		out[k] = v
	}
	return out
}

// messageJSON fixes the order of keys on disk.
type messageJSON struct {
	Role             Role                       `json:"role"`
	Content          json.RawMessage            `json:"content"`
	ToolCalls        []ToolCall                 `json:"tool_calls,omitempty"`
	ToolCallID       string                     `json:"tool_call_id,omitempty"`
	Name             string                     `json:"name,omitempty"`
	ThinkingBlocks   []json.RawMessage          `json:"thinking_blocks,omitempty"`
	ReasoningContent string                     `json:"reasoning_content,omitempty"`
	ProviderFields   map[string]json.RawMessage `json:"provider_specific_fields,omitempty"`
	Synthetic        bool                       `json:"synthetic,omitempty"`
	Timestamp        string                     `json:"timestamp,omitempty"`
}

var messageKeys = []string{
	"role", "content", "tool_calls", "tool_call_id", "name", "thinking_blocks",
	"reasoning_content", "provider_specific_fields", "synthetic", "timestamp",
}

// MarshalJSON writes the stored shape; unknown fields follow the known ones in
// key order.
func (m Message) MarshalJSON() ([]byte, error) {
	content, err := m.contentJSON()
	if err != nil {
		return nil, err
	}
	known, err := marshal(messageJSON{
		Role: m.Role, Content: content, ToolCalls: m.ToolCalls, ToolCallID: m.ToolCallID, Name: m.Name,
		ThinkingBlocks: m.ThinkingBlocks, ReasoningContent: m.ReasoningContent,
		ProviderFields: m.ProviderFields, Synthetic: m.Synthetic, Timestamp: m.Timestamp,
	})
	if err != nil {
		return nil, fmt.Errorf("encode %s message: %w", m.Role, err)
	}
	return appendExtra(known, m.Extra)
}

func (m Message) contentJSON() (json.RawMessage, error) {
	switch {
	case m.Parts != nil:
		return marshal(m.Parts)
	case m.Text == "" && m.Role == Assistant:
		return json.RawMessage("null"), nil
	default:
		return marshal(m.Text)
	}
}

// UnmarshalJSON reads the stored shape. A missing or unknown role, and content
// that is neither string, null nor array, are errors: the caller drops such an
// entry and counts it.
func (m *Message) UnmarshalJSON(data []byte) error {
	var in messageJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("decode message: %w", err)
	}
	switch in.Role {
	case System, User, Assistant, ToolRole:
	default:
		return fmt.Errorf("decode message: role is %q, want system, user, assistant or tool", in.Role)
	}
	*m = Message{
		Role: in.Role, ToolCalls: in.ToolCalls, ToolCallID: in.ToolCallID, Name: in.Name,
		ThinkingBlocks: in.ThinkingBlocks, ReasoningContent: in.ReasoningContent,
		ProviderFields: in.ProviderFields, Synthetic: in.Synthetic, Timestamp: in.Timestamp,
	}
	if err := m.setContent(in.Content); err != nil {
		return err
	}
	var err error
	m.Extra, err = unknownFields(data, messageKeys)
	return err
}

func (m *Message) setContent(raw json.RawMessage) error {
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil
	case raw[0] == '"':
		return json.Unmarshal(raw, &m.Text)
	case raw[0] == '[':
		m.Parts = []json.RawMessage{}
		return json.Unmarshal(raw, &m.Parts)
	}
	return fmt.Errorf("decode %s message: content must be a string, null or an array", m.Role)
}

type callJSON struct {
	ID       string       `json:"id"`
	Type     string       `json:"type"`
	Function functionJSON `json:"function"`
}

type functionJSON struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

// MarshalJSON writes {"id","type":"function","function":{"name","arguments"}}.
func (c ToolCall) MarshalJSON() ([]byte, error) {
	known, err := marshal(callJSON{ID: c.ID, Type: "function", Function: functionJSON{c.Name, c.Arguments}})
	if err != nil {
		return nil, fmt.Errorf("encode tool call %s: %w", c.ID, err)
	}
	return appendExtra(known, c.Extra)
}

// UnmarshalJSON reads the stored shape; arguments given as an object instead
// of a string are kept as their JSON text.
func (c *ToolCall) UnmarshalJSON(data []byte) error {
	var in struct {
		ID       string `json:"id"`
		Function struct {
			Name      string          `json:"name"`
			Arguments json.RawMessage `json:"arguments"`
		} `json:"function"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("decode tool call: %w", err)
	}
	*c = ToolCall{ID: in.ID, Name: in.Function.Name, Arguments: string(in.Function.Arguments)}
	if len(in.Function.Arguments) > 0 && in.Function.Arguments[0] == '"' {
		if err := json.Unmarshal(in.Function.Arguments, &c.Arguments); err != nil {
			return fmt.Errorf("decode arguments of tool call %s: %w", in.ID, err)
		}
	}
	if c.Arguments == "null" {
		c.Arguments = ""
	}
	var err error
	c.Extra, err = unknownFields(data, []string{"id", "type", "function"})
	return err
}
