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
	if bytes.IndexByte(inner, '\\') < 0 {
		return strings.ToValidUTF8(string(inner), string(utf8.RuneError))
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

// turn has the names of both customs: role and content, from and value.
type turn struct {
	Role    json.RawMessage `json:"role"`
	Content json.RawMessage `json:"content"`
	From    json.RawMessage `json:"from"`
	Value   json.RawMessage `json:"value"`
}

// Conversation is the turns of a raw value; nil when it is no list of objects
// that each have a role. Content that is a list of parts gives the parts' texts.
func Conversation(value json.RawMessage) []Message {
	var turns []turn
	if json.Unmarshal(value, &turns) != nil {
		return nil
	}
	out := make([]Message, 0, len(turns))
	for _, t := range turns {
		role, content := t.Role, t.Content
		if role == nil {
			role, content = t.From, t.Value
		}
		if len(role) == 0 || role[0] != '"' {
			return nil
		}
		out = append(out, Message{Role: Text(role), Content: parts(content)})
	}
	return out
}

// parts is the text of a message's content.
func parts(content json.RawMessage) string {
	if len(content) == 0 || content[0] != '[' {
		return Text(content)
	}
	var list []struct {
		Text json.RawMessage `json:"text"`
	}
	if json.Unmarshal(content, &list) != nil {
		return ""
	}
	var texts []string
	for _, p := range list {
		if t := Text(p.Text); t != "" {
			texts = append(texts, t)
		}
	}
	return strings.Join(texts, "\n")
}

// Texts is every text of a raw value: the string, the strings of a list, or
// the contents of messages. Numbers and booleans are their own text; null and
// other objects have none.
func Texts(value json.RawMessage) []string {
	switch KindOf(value) {
	case String:
		return []string{Text(value)}
	case Number, Bool:
		return []string{string(value)}
	case Strings:
		var list []json.RawMessage
		if json.Unmarshal(value, &list) != nil {
			return nil
		}
		out := make([]string, len(list))
		for i, v := range list {
			out[i] = Text(v)
		}
		return out
	case Messages:
		turns := Conversation(value)
		out := make([]string, len(turns))
		for i, m := range turns {
			out[i] = m.Content
		}
		return out
	}
	return nil
}
