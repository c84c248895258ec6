// Package chat reads conversations out of the cells of a data set and tells what
// they look like: roles and their order, turns, tool calls. It knows no trainer
// and no service.
package chat

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Message is one message.
type Message struct {
	Role string
	// Content is its text, that of its parts joined. Parts says that it is no
	// string, None that there is none.
	Content     string
	Parts, None bool
	// Keys are the members that are not null.
	Keys []string
	// ToolCalls counts the calls; Objects and Strings tell how their arguments
	// are written.
	ToolCalls, Objects, Strings int
	Raw                         json.RawMessage
}

// Conversation is a list of messages.
type Conversation struct {
	Messages []Message
	// FromValue says that messages have "from" and "value" in place of "role"
	// and "content"; InText that the list is written as JSON in a text.
	FromValue, InText bool
}

// Roles are the roles in order.
func (c Conversation) Roles() []string {
	roles := make([]string, len(c.Messages))
	for i, m := range c.Messages {
		roles[i] = m.Role
	}
	return roles
}

// Read reads a cell. It reports false for what is no list of messages; an empty
// list is one.
func Read(cell json.RawMessage) (Conversation, bool) {
	var c Conversation
	cell = bytes.TrimSpace(cell)
	if len(cell) > 0 && cell[0] == '"' {
		var text string
		if json.Unmarshal(cell, &text) != nil {
			return c, false
		}
		if cell = bytes.TrimSpace([]byte(text)); len(cell) < 2 || cell[0] != '[' || cell[1] == ']' {
			return c, false // an empty list in a text is text
		}
		c.InText = true
	}
	var list []json.RawMessage
	if len(cell) == 0 || cell[0] != '[' || json.Unmarshal(cell, &list) != nil {
		return c, false
	}
	for _, raw := range list {
		m, fromValue, ok := readMessage(raw)
		if !ok {
			return Conversation{}, false
		}
		c.FromValue = c.FromValue || fromValue
		c.Messages = append(c.Messages, m)
	}
	return c, true
}

func readMessage(raw json.RawMessage) (m Message, fromValue, ok bool) {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil || object == nil {
		return m, false, false
	}
	role, content := object["role"], object["content"]
	if _, has := object["role"]; !has {
		if _, fromValue = object["from"]; !fromValue {
			return m, false, false
		}
		role, content = object["from"], object["value"]
	}
	_ = json.Unmarshal(role, &m.Role)
	for key, value := range object {
		if !null(value) {
			m.Keys = append(m.Keys, key)
		}
	}
	slices.Sort(m.Keys)
	m.Raw = raw
	m.readContent(content)
	m.readCalls(object["tool_calls"])
	return m, fromValue, true
}

func null(v json.RawMessage) bool { return len(v) == 0 || string(v) == "null" }

// readContent reads a string or a list of parts.
func (m *Message) readContent(content json.RawMessage) {
	if m.None = null(content); m.None || json.Unmarshal(content, &m.Content) == nil {
		return
	}
	m.Parts = true
	var parts []struct {
		Text string `json:"text"`
	}
	_ = json.Unmarshal(content, &parts)
	var texts []string
	for _, p := range parts {
		if p.Text != "" {
			texts = append(texts, p.Text)
		}
	}
	m.Content = strings.Join(texts, "\n")
}

// readCalls counts calls; an empty list is none.
func (m *Message) readCalls(calls json.RawMessage) {
	var list []json.RawMessage
	if null(calls) || json.Unmarshal(calls, &list) != nil {
		return
	}
	for _, raw := range list {
		if raw[0] == '"' { // a call may be JSON in a text
			var text string
			_ = json.Unmarshal(raw, &text)
			raw = json.RawMessage(text)
		}
		if null(raw) {
			continue
		}
		m.ToolCalls++
		var call struct {
			Function  struct{ Arguments json.RawMessage }
			Arguments json.RawMessage
		}
		_ = json.Unmarshal(raw, &call)
		args := call.Function.Arguments
		if null(args) {
			args = call.Arguments
		}
		if !null(args) && args[0] == '"' {
			m.Strings++
		} else if !null(args) {
			m.Objects++
		}
	}
}

// Disorder says what is wrong with the order of roles, "" when nothing is: a
// system prompt that is not first, an answer without a question, the same role
// twice, a tool's result without a call.
func Disorder(roles []string) string {
	last := ""
	for i, r := range roles {
		r = Plain(r)
		switch {
		case r == "system" && i > 0:
			return "a system prompt that is not first"
		case r == "assistant" && (last == "" || last == "system"):
			return "an answer before the first question"
		case r == "user" && last == "user", r == "assistant" && last == "assistant":
			return "the " + r + " twice in a row"
		case r == "tool" && last != "assistant" && last != "tool":
			return "a tool's result without a call"
		}
		last = r
	}
	return ""
}

// Plain is a role's usual name: "human" is a "user".
func Plain(role string) string {
	switch strings.ToLower(role) {
	case "human", "user", "prompter":
		return "user"
	case "gpt", "assistant", "model", "bot", "chatgpt":
		return "assistant"
	case "system", "developer":
		return "system"
	case "tool", "function", "ipython", "observation", "function_response":
		return "tool"
	}
	return role
}
