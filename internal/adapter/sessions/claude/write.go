// Package claude knows the session files of Claude Code: one JSON object a line.
package claude

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"io"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/transcript"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// The rows of the claude_code form; the order of keys is part of it. A dataset
// loader takes a file for a trace because the messages of answers have other
// keys than those of people: model and what follows stands in answers alone.
type (
	row struct {
		Type      string  `json:"type"`
		Message   any     `json:"message"`
		UUID      string  `json:"uuid"`
		Parent    *string `json:"parentUuid"`
		SessionID string  `json:"sessionId"`
		Timestamp string  `json:"timestamp"`
		Meta      bool    `json:"isMeta,omitempty"`           // the engine wrote it
		Summary   bool    `json:"isCompactSummary,omitempty"` // it stands for what was said before
		Sidechain bool    `json:"isSidechain,omitempty"`      // a sub-agent's
		Agent     string  `json:"agentId,omitempty"`          // the call that sent it out
		Folder    string  `json:"cwd,omitempty"`              // the last part of its path
		Version   string  `json:"version,omitempty"`
	}
	userMessage struct {
		Role    string `json:"role"`
		Content any    `json:"content"`
	}
	assistantMessage struct {
		Role       string `json:"role"`
		Model      string `json:"model"`
		Content    []any  `json:"content"`
		StopReason string `json:"stop_reason,omitempty"`
		Usage      *usage `json:"usage,omitempty"`
	}
	// usage counts tokens; those that were read from or written to a cache are
	// not part of the input.
	usage struct {
		Input      int `json:"input_tokens"`
		Output     int `json:"output_tokens"`
		CacheWrite int `json:"cache_creation_input_tokens"`
		CacheRead  int `json:"cache_read_input_tokens"`
	}
	thinkingBlock struct {
		Type     string `json:"type"`
		Thinking string `json:"thinking"`
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

// Write writes a session in the form of Claude Code's session files, which trace
// viewers read.
func Write(w io.Writer, d document.Document) error { return WriteTranscript(w, transcript.Of(d)) }

// WriteTranscript writes one JSON object a line: the conversation, and behind it
// those of sub-agents, so that readers who do not know of them find every result
// behind its call. System messages and empty answers have no row. Ids depend on
// the session, the role and the place alone: writing again gives the same.
func WriteTranscript(w io.Writer, t transcript.Transcript) error {
	out := &lines{w: bufio.NewWriter(w), session: t.SessionID}
	if err := out.conversation(t.Main, ""); err != nil {
		return err
	}
	for _, agent := range t.Agents {
		if err := out.conversation(agent.Entries, agent.ID); err != nil {
			return err
		}
	}
	return out.w.Flush()
}

// lines writes the rows of one session.
type lines struct {
	w       *bufio.Writer
	session string
}

// conversation writes the rows of the main conversation or of an agent's.
func (l *lines) conversation(entries []transcript.Entry, agent string) error {
	var parent *string
	for _, e := range entries {
		message, ok := convert(e)
		if !ok {
			continue
		}
		kind := "user"
		if e.Role == llm.Assistant {
			kind = "assistant"
		}
		out := row{
			Type: kind, Message: message, UUID: l.id(agent, e), Parent: parent, SessionID: l.session, Timestamp: e.Timestamp,
			Meta: e.Synthetic || e.Condensed, Summary: e.Condensed && e.Role == llm.Assistant, Sidechain: agent != "", Agent: agent, Folder: e.Folder,
		}
		if e.Version != "" {
			out.Version = "ml-intern/" + e.Version
		}
		raw, err := transcript.Line(out)
		if err != nil {
			return fmt.Errorf("convert message %d of session %s: %w", e.Place, l.session, err)
		}
		if _, err := l.w.Write(raw); err != nil {
			return fmt.Errorf("write session %s: %w", l.session, err)
		}
		parent = &out.UUID
	}
	return nil
}

// id is stable: it comes from what the row stands for.
func (l *lines) id(agent string, e transcript.Entry) string {
	name := l.session
	if agent != "" {
		name += "::" + agent
	}
	sum := fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "%s::%s::%d", name, e.Role, e.Place)))
	return sum[:8] + "-" + sum[8:12] + "-" + sum[12:16] + "-" + sum[16:20] + "-" + sum[20:32]
}

// convert makes the message of a row; ok is false for those without a row.
func convert(e transcript.Entry) (message any, ok bool) {
	switch e.Role {
	case llm.User:
		return userMessage{"user", e.Content()}, true
	case llm.ToolRole:
		return userMessage{"user", []any{resultBlock{"tool_result", e.ToolCallID, e.Content(), e.Failed}}}, true
	case llm.Assistant:
		return answer(e), e.Says()
	}
	return nil, false
}

func answer(e transcript.Entry) assistantMessage {
	out := assistantMessage{Role: "assistant", Model: e.Model, Content: thinking(e.Message)}
	if text := e.Content(); text != "" {
		out.Content = append(out.Content, textBlock{"text", text})
	}
	for _, c := range e.ToolCalls {
		out.Content = append(out.Content, useBlock{"tool_use", c.ID, c.Name, input(c.Arguments)})
	}
	if c := e.Call; c != nil {
		out.StopReason = stopReason(c.FinishReason)
		out.Usage = &usage{Input: max(0, c.Prompt-c.CacheRead-c.CacheWrite), Output: c.Completion, CacheWrite: c.CacheWrite, CacheRead: c.CacheRead}
	}
	return out
}

// thinking are the blocks of reasoning as they came, or one made of its text.
func thinking(m llm.Message) []any {
	var out []any
	for _, raw := range m.ThinkingBlocks {
		if object := bytes.TrimSpace(raw); len(object) > 0 && object[0] == '{' {
			out = append(out, raw)
		}
	}
	if out == nil && m.ReasoningContent != "" {
		out = append(out, thinkingBlock{"thinking", m.ReasoningContent})
	}
	return out
}

// stopReason is the word of Anthropic's API for why a model stopped; it has none
// for some of ours.
func stopReason(finish string) string {
	switch llm.Finish(finish) {
	case llm.FinishStop:
		return "end_turn"
	case llm.FinishTools:
		return "tool_use"
	case llm.FinishLength:
		return "max_tokens"
	case llm.FinishFiltered:
		return "refusal"
	case llm.FinishPause:
		return "pause_turn"
	}
	return finish
}

// input returns the arguments of a call as JSON, none as an empty object; what
// cannot be read is kept as a text.
func input(arguments string) json.RawMessage {
	if arguments == "" {
		return json.RawMessage("{}")
	}
	var out bytes.Buffer
	var value any // numbers that no reader can hold are no JSON for them
	if json.Unmarshal([]byte(arguments), &value) == nil && json.Compact(&out, []byte(arguments)) == nil {
		return out.Bytes()
	}
	raw, err := event.Encode(map[string]string{"_raw": arguments})
	if err != nil { // a string always encodes
		return json.RawMessage("{}")
	}
	return raw
}
