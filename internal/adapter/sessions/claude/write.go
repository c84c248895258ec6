// Package claude knows the session files of Claude Code: one JSON object a line.
package claude

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// The rows of the claude_code form; the order of keys is part of it.
type (
	row struct {
		Type      string  `json:"type"`
		Message   any     `json:"message"`
		UUID      string  `json:"uuid"`
		Parent    *string `json:"parentUuid"`
		SessionID string  `json:"sessionId"`
		Timestamp string  `json:"timestamp"`
		Meta      bool    `json:"isMeta,omitempty"` // the engine wrote it
	}
	userMessage struct {
		Role    string `json:"role"`
		Content any    `json:"content"`
	}
	assistantMessage struct {
		Role    string `json:"role"`
		Model   string `json:"model"`
		Content []any  `json:"content"`
	}
	textBlock struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	useBlock struct {
		Type  string          `json:"type"`
		ID    string          `json:"id"`
		Name  string          `json:"name"`
		Input json.RawMessage `json:"input"`
	}
	// resultBlock must not have a "text" key: readers would take it for the
	// words of a person.
	resultBlock struct {
		Type    string `json:"type"`
		ID      string `json:"tool_use_id"`
		Content string `json:"content"`
		IsError bool   `json:"is_error,omitempty"`
	}
)

// Write writes the conversation as one JSON object a line, in the form of
// Claude Code's session files, which trace viewers read. Ids depend on the
// session, the role and the place alone: writing again gives the same.
func Write(w io.Writer, d document.Document) error {
	lines := bufio.NewWriter(w)
	failed := failedCalls(d)
	var parent *string
	for i, m := range d.Messages {
		out, ok := convert(d, m, failed)
		if !ok {
			continue
		}
		index := d.Place(i)
		out.UUID, out.Parent, out.SessionID = rowID(d.SessionID, m.Role, index), parent, d.SessionID
		if out.Timestamp = m.Timestamp; out.Timestamp == "" {
			out.Timestamp = d.StartTime
		}
		raw, err := event.Encode(out)
		if err != nil {
			return fmt.Errorf("convert message %d of session %s: %w", index, d.SessionID, err)
		}
		if _, err := lines.Write(append(raw, '\n')); err != nil {
			return fmt.Errorf("write session %s: %w", d.SessionID, err)
		}
		parent = &out.UUID
	}
	return lines.Flush()
}

// convert makes the row of one message; ok is false for those without a row.
func convert(d document.Document, m llm.Message, failed map[string]bool) (out row, ok bool) {
	switch m.Role {
	case llm.User:
		return row{Type: "user", Message: userMessage{"user", flat(m)}, Meta: m.Synthetic}, true
	case llm.ToolRole:
		result := resultBlock{"tool_result", m.ToolCallID, flat(m), failed[m.ToolCallID]}
		return row{Type: "user", Message: userMessage{"user", []any{result}}}, true
	case llm.Assistant:
		var content []any
		if text := flat(m); text != "" {
			content = append(content, textBlock{"text", text})
		}
		for _, c := range m.ToolCalls {
			content = append(content, useBlock{"tool_use", c.ID, c.Name, input(c.Arguments)})
		}
		return row{Type: "assistant", Message: assistantMessage{"assistant", d.Model, content}}, len(content) > 0
	}
	return row{}, false
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
func failedCalls(d document.Document) map[string]bool {
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
