package sessions

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// The rows of the claude_code form; the order of keys is part of it.
type (
	claudeRow struct {
		Type      string  `json:"type"`
		Message   any     `json:"message"`
		UUID      string  `json:"uuid"`
		Parent    *string `json:"parentUuid"`
		SessionID string  `json:"sessionId"`
		Timestamp string  `json:"timestamp"`
		Meta      bool    `json:"isMeta,omitempty"` // the engine wrote it
	}
	claudeUser struct {
		Role    string `json:"role"`
		Content any    `json:"content"`
	}
	claudeAssistant struct {
		Role    string `json:"role"`
		Model   string `json:"model"`
		Content []any  `json:"content"`
	}
	claudeText struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	claudeUse struct {
		Type  string          `json:"type"`
		ID    string          `json:"id"`
		Name  string          `json:"name"`
		Input json.RawMessage `json:"input"`
	}
	// claudeResult must not have a "text" key: readers would take it for the
	// words of a person.
	claudeResult struct {
		Type    string `json:"type"`
		ID      string `json:"tool_use_id"`
		Content string `json:"content"`
		IsError bool   `json:"is_error,omitempty"`
	}
)

// WriteClaude writes the conversation as one JSON object a line, in the form
// of Claude Code's session files, which trace viewers read. Ids depend on the
// session, the role and the place alone: writing again gives the same.
func (d Document) WriteClaude(w io.Writer) error {
	out := bufio.NewWriter(w)
	failed := d.failedCalls()
	var parent *string
	for i, m := range d.Messages {
		row, ok := d.claudeRow(m, failed)
		if !ok {
			continue
		}
		index := i
		if d.index != nil {
			index = d.index[i]
		}
		row.UUID, row.Parent, row.SessionID = rowID(d.SessionID, m.Role, index), parent, d.SessionID
		if row.Timestamp = m.Timestamp; row.Timestamp == "" {
			row.Timestamp = d.StartTime
		}
		raw, err := event.Encode(row)
		if err != nil {
			return fmt.Errorf("convert message %d of session %s: %w", index, d.SessionID, err)
		}
		if _, err := out.Write(append(raw, '\n')); err != nil {
			return fmt.Errorf("write session %s: %w", d.SessionID, err)
		}
		parent = &row.UUID
	}
	return out.Flush()
}

// claudeRow converts one message; ok is false for those without a row.
func (d Document) claudeRow(m llm.Message, failed map[string]bool) (row claudeRow, ok bool) {
	switch m.Role {
	case llm.User:
		return claudeRow{Type: "user", Message: claudeUser{"user", flat(m)}, Meta: m.Synthetic}, true
	case llm.ToolRole:
		result := claudeResult{"tool_result", m.ToolCallID, flat(m), failed[m.ToolCallID]}
		return claudeRow{Type: "user", Message: claudeUser{"user", []any{result}}}, true
	case llm.Assistant:
		var content []any
		if text := flat(m); text != "" {
			content = append(content, claudeText{"text", text})
		}
		for _, c := range m.ToolCalls {
			content = append(content, claudeUse{"tool_use", c.ID, c.Name, input(c.Arguments)})
		}
		return claudeRow{Type: "assistant", Message: claudeAssistant{"assistant", d.Model, content}}, len(content) > 0
	}
	return claudeRow{}, false
}

// flat returns content as one text: the text of blocks, and any other block as
// its JSON.
func flat(m llm.Message) string {
	if m.Parts == nil {
		return m.Text
	}
	texts := make([]string, 0, len(m.Parts))
	for _, raw := range m.Parts {
		var block struct {
			Text *string `json:"text"`
		}
		var plain string
		switch {
		case json.Unmarshal(raw, &block) == nil && block.Text != nil:
			texts = append(texts, *block.Text)
		case json.Unmarshal(raw, &plain) == nil:
			texts = append(texts, plain)
		default:
			texts = append(texts, string(raw))
		}
	}
	return strings.Join(texts, "\n")
}

// input returns the arguments of a call as JSON, none as an empty object; what
// cannot be read is kept as a text.
func input(arguments string) json.RawMessage {
	if arguments == "" {
		return json.RawMessage("{}")
	}
	var out bytes.Buffer
	if json.Compact(&out, []byte(arguments)) == nil && out.Len() > 0 {
		return out.Bytes()
	}
	raw, err := event.Encode(map[string]string{"_raw": arguments})
	if err != nil { // a string always encodes
		return json.RawMessage("{}")
	}
	return raw
}

// failedCalls returns the ids of calls whose output was a failure.
func (d Document) failedCalls() map[string]bool {
	failed := map[string]bool{}
	for _, ev := range d.Events {
		if ev.Type != event.TypeToolOutput || ev.AgentID() != "" {
			continue
		}
		if out, err := event.Decode[event.ToolOutput](ev); err == nil {
			failed[out.ToolCallID] = !out.Success
		}
	}
	return failed
}

// rowID is stable: it comes from what the row stands for.
func rowID(session string, role llm.Role, index int) string {
	sum := fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "%s::%s::%d", session, role, index)))
	return sum[:8] + "-" + sum[8:12] + "-" + sum[12:16] + "-" + sum[16:20] + "-" + sum[20:32]
}
