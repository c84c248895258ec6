// Package simple knows the Session Trace Simple Format, in which the Hub shows
// sessions of any program: a line about the session, and one a message.
package simple

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/transcript"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Harness is what the Hub calls this program.
const Harness = "ml-intern"

type (
	header struct {
		Type    string `json:"type"`
		Harness string `json:"harness"`
		ID      string `json:"id"`
		Name    string `json:"name,omitempty"`
	}
	line struct {
		Type    string  `json:"type"`
		Message message `json:"message"`
	}
	message struct {
		Role       llm.Role `json:"role"`
		Content    string   `json:"content"`
		Reasoning  string   `json:"reasoningContent,omitempty"`
		ToolCalls  []call   `json:"toolCalls,omitempty"`
		ToolCallID string   `json:"toolCallId,omitempty"`
		Timestamp  int64    `json:"timestamp,omitempty"` // in ms since 1970
		Model      string   `json:"model,omitempty"`
	}
	call struct {
		ID       string   `json:"id"`
		Function function `json:"function"`
	}
	function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"` // JSON
	}
)

// Write writes a session.
func Write(w io.Writer, d document.Document) error { return WriteTranscript(w, transcript.Of(d)) }

// WriteTranscript writes the conversation, without the system prompt. What the
// engine said in the user's name has the role system: nobody typed it. The
// format has no place for sub-agents, whose reports are results, nor for whether
// a call failed, which its result says.
func WriteTranscript(w io.Writer, t transcript.Transcript) error {
	out := bufio.NewWriter(w)
	write := func(v any) error {
		raw, err := transcript.Line(v)
		if err == nil {
			_, err = out.Write(raw)
		}
		if err != nil {
			return fmt.Errorf("write session %s: %w", t.SessionID, err)
		}
		return nil
	}
	if err := write(header{"session", Harness, t.SessionID, t.Title}); err != nil {
		return err
	}
	for _, e := range t.Main {
		if e.Role == llm.System || !e.Says() {
			continue
		}
		if err := write(line{"message", convert(e)}); err != nil {
			return err
		}
	}
	return out.Flush()
}

func convert(e transcript.Entry) message {
	m := message{Role: e.Role, Content: e.Content(), Timestamp: millis(e.Timestamp)}
	switch {
	case e.Role == llm.ToolRole:
		m.ToolCallID = e.ToolCallID
	case e.Role == llm.User && e.Synthetic:
		m.Role = llm.System
	case e.Role == llm.Assistant:
		m.Model, m.Reasoning = e.Model, e.Reasoning()
		for _, c := range e.ToolCalls {
			m.ToolCalls = append(m.ToolCalls, call{c.ID, function{c.Name, arguments(c.Arguments)}})
		}
	}
	return m
}

// arguments are never no JSON at all.
func arguments(text string) string {
	if strings.TrimSpace(text) == "" {
		return "{}"
	}
	return text
}

// millis is a time in ms since 1970, 0 for one that cannot be read.
func millis(text string) int64 {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		if at, err = time.ParseInLocation("2006-01-02T15:04:05", text, time.Local); err != nil {
			return 0
		}
	}
	return max(0, at.UnixMilli())
}
