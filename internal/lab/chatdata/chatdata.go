// Package chatdata turns a session into one line of training data: the row of the
// Python original with everything in it (sft), or a plain conversation in one of two
// forms that trainers read (chatml, sharegpt). It leaves out no session and judges
// none; that is for whoever reads the tags.
package chatdata

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/lab/trajectory"
)

// Format is a form of training data.
type Format string

// The formats.
const (
	// SFT has messages and tools as the session has them, calls as objects.
	SFT Format = "sft"
	// ChatML has messages of a role and a text. A call stands in the text of the
	// message that makes it, as models with ChatML templates write it:
	//
	//	<tool_call>
	//	{"name": "bash", "arguments": {"command":"ls"}}
	//	</tool_call>
	ChatML Format = "chatml"
	// ShareGPT has the same texts as conversations of from and value, with human and
	// gpt in the place of user and assistant, and the tools as JSON in a text.
	ShareGPT Format = "sharegpt"
)

// Formats lists them.
func Formats() []Format { return []Format{SFT, ChatML, ShareGPT} }

// head is what the rows of all formats begin with.
type head struct {
	ID    *string  `json:"session_id"`
	Model *string  `json:"model"`
	Start *string  `json:"timestamp"`
	Tags  []string `json:"tags"`
}

type (
	sftRow struct {
		head
		Messages []json.RawMessage `json:"messages"`
		Tools    []json.RawMessage `json:"tools"`
	}
	chatRow struct {
		head
		Messages []chatMessage     `json:"messages"`
		Tools    []json.RawMessage `json:"tools"`
	}
	chatMessage struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	shareRow struct {
		head
		Conversations []shareMessage `json:"conversations"`
		Tools         string         `json:"tools"`
	}
	shareMessage struct {
		From  string `json:"from"`
		Value string `json:"value"`
	}
)

// Line is the session as one line of a format, with its newline.
func Line(s *trajectory.Session, tags []string, format Format) ([]byte, error) {
	h := head{orNull(s.ID), orNull(s.Model), orNull(s.Start), tags}
	tools := listed(s.Tools)
	var row any
	switch format {
	case SFT:
		row = sftRow{h, listed(s.Messages), tools}
	case ChatML:
		row = chatRow{h, chat(s), tools}
	case ShareGPT:
		raw, err := event.Encode(tools)
		if err != nil {
			return nil, fmt.Errorf("encode the tools of session %s: %w", s.ID, err)
		}
		row = shareRow{h, share(chat(s)), string(raw)}
	default:
		return nil, fmt.Errorf("there is no format %q", format)
	}
	raw, err := event.Encode(row)
	if err != nil {
		return nil, fmt.Errorf("encode session %s: %w", s.ID, err)
	}
	return append(raw, '\n'), nil
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// listed is a list that is never null.
func listed(list []json.RawMessage) []json.RawMessage {
	if list == nil {
		return []json.RawMessage{}
	}
	return list
}

// chat is the conversation in plain texts. Messages that say nothing are left out.
func chat(s *trajectory.Session) []chatMessage {
	out := []chatMessage{}
	for _, raw := range s.Messages {
		m := trajectory.Read(raw)
		content := m.Text
		switch m.Role {
		case "system", "user", "tool":
		case "assistant":
			for _, c := range m.Calls {
				if content != "" {
					content += "\n"
				}
				content += call(c)
			}
		default:
			continue
		}
		if content != "" || m.Role == "tool" {
			out = append(out, chatMessage{m.Role, content})
		}
	}
	return out
}

// call is a call as it stands in a text.
func call(c trajectory.Call) string {
	name, err := event.Encode(c.Tool)
	if err != nil { // a string always encodes
		name = []byte(`""`)
	}
	return "<tool_call>\n" + `{"name": ` + string(name) + `, "arguments": ` + arguments(c.Arguments) + "}\n</tool_call>"
}

// arguments are an object; what is none is kept in one.
func arguments(raw json.RawMessage) string {
	var out bytes.Buffer
	if trimmed := bytes.TrimSpace(raw); bytes.HasPrefix(trimmed, []byte("{")) && json.Compact(&out, trimmed) == nil {
		return out.String()
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw)
	}
	if strings.TrimSpace(text) == "" || text == "null" {
		return "{}"
	}
	wrapped, err := event.Encode(map[string]string{"_raw": text})
	if err != nil { // a string always encodes
		return "{}"
	}
	return string(wrapped)
}

func share(messages []chatMessage) []shareMessage {
	out := make([]shareMessage, len(messages))
	for i, m := range messages {
		from := m.Role
		switch m.Role {
		case "user":
			from = "human"
		case "assistant":
			from = "gpt"
		}
		out[i] = shareMessage{from, m.Content}
	}
	return out
}
