package record

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Kind is the form of a value.
type Kind int

// The forms of values.
const (
	Null Kind = iota
	String
	Number
	Bool
	Messages // a list of objects with a role and a content
	Strings  // a list of strings
	Other
)

// KindOf tells the form of a raw value. An empty list is Other.
func KindOf(value json.RawMessage) Kind {
	value = bytes.TrimLeft(value, " \t\r\n")
	if len(value) == 0 {
		return Null
	}
	switch c := value[0]; {
	case c == '"':
		return String
	case c == 'n' || c == 'N':
		return Null // NaN too, which some writers use for it
	case c == 't' || c == 'f':
		return Bool
	case c == '-' || c >= '0' && c <= '9':
		return Number
	case c == '[':
		inner := bytes.TrimLeft(value[1:], " \t\r\n")
		if len(inner) > 0 && inner[0] == '"' {
			return Strings
		}
		if len(inner) > 0 && inner[0] == '{' && len(Conversation(value)) > 0 {
			return Messages
		}
	}
	return Other
}

// Text is the text of a raw string value; of any other value it is empty.
// Strings without escapes cost one copy.
func Text(value json.RawMessage) string {
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return ""
	}
	inner := value[1 : len(value)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		return ""
	}
	return text
}

// Message is one turn of a conversation.
type Message struct {
	Role    string
	Content string
}

// Conversation is the turns of a raw value; nil when it is no list of objects
// that each have a role. Both customs are known: role and content, from and
// value. Content that is a list of parts gives the parts' texts.
func Conversation(value json.RawMessage) []Message {
	s := scanner{data: value}
	s.blank()
	if s.at >= len(value) || value[s.at] != '[' {
		return nil
	}
	out := make([]Message, 0, 4)
	ok := s.many(']', 0, func() bool {
		var role, content json.RawMessage
		done := s.members(1, func(name string, v json.RawMessage) {
			switch name {
			case "role", "from":
				role = v
			case "content", "value":
				content = v
			}
		})
		if !done || KindOf(role) != String {
			return false
		}
		out = append(out, Message{Role: Text(role), Content: parts(content)})
		return true
	})
	if !ok {
		return nil
	}
	return out
}

// parts is the text of a message's content.
func parts(content json.RawMessage) string {
	if len(content) == 0 || content[0] != '[' {
		return Text(content)
	}
	s := scanner{data: content}
	var texts []string
	s.many(']', 0, func() bool {
		return s.members(1, func(name string, v json.RawMessage) {
			if t := Text(v); name == "text" && t != "" {
				texts = append(texts, t)
			}
		})
	})
	return strings.Join(texts, "\n")
}

// Texts is every text of a raw value: the string, the strings of a list, or
// the contents of messages. Numbers and booleans are their own text; null and
// other objects have none.
func Texts(value json.RawMessage) []string {
	value = bytes.Trim(value, " \t\r\n")
	if len(value) > 0 && value[0] == '[' {
		if turns := Conversation(value); len(turns) > 0 {
			out := make([]string, len(turns))
			for i, m := range turns {
				out[i] = m.Content
			}
			return out
		}
	}
	switch KindOf(value) {
	case String:
		return []string{Text(value)}
	case Number, Bool:
		return []string{string(value)}
	case Strings:
		var out []string
		s := scanner{data: value}
		s.many(']', 0, func() bool {
			start := s.at
			if !s.value(1) {
				return false
			}
			out = append(out, Text(value[start:s.at]))
			return true
		})
		return out
	}
	return nil
}
