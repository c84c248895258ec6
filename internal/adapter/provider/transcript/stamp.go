package transcript

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// stamp is what the wire form of a message depends on, as it was when the
// message was encoded. Text and raw JSON are shared with the message, which
// never changes them in place; slices and maps are not: a history may set their
// elements anew. Comparing costs little for what did not change, because equal
// text is mostly the very same text.
type stamp struct {
	role                    llm.Role
	synthetic, array        bool // array: the content is one, even if empty
	text, callID, reasoning string
	parts, thinking         []json.RawMessage
	calls                   []llm.ToolCall
	fields                  []field
}

type field struct {
	key string
	raw json.RawMessage
}

func stampOf(m llm.Message) stamp {
	s := stamp{
		role: m.Role, synthetic: m.Synthetic, array: m.Parts != nil,
		text: m.Text, callID: m.ToolCallID, reasoning: m.ReasoningContent,
		parts: slices.Clone(m.Parts), thinking: slices.Clone(m.ThinkingBlocks), calls: slices.Clone(m.ToolCalls),
	}
	if len(m.ProviderFields) > 0 {
		s.fields = make([]field, 0, len(m.ProviderFields))
	}
	for k, raw := range m.ProviderFields {
		s.fields = append(s.fields, field{k, raw})
	}
	return s
}

// fits reports whether m is still the message that s was taken of.
func (s *stamp) fits(m *llm.Message) bool {
	return s.role == m.Role && s.synthetic == m.Synthetic && s.array == (m.Parts != nil) &&
		s.text == m.Text && s.callID == m.ToolCallID && s.reasoning == m.ReasoningContent &&
		sameRaw(s.parts, m.Parts) && sameRaw(s.thinking, m.ThinkingBlocks) &&
		slices.EqualFunc(s.calls, m.ToolCalls, sameCall) && s.sameFields(m)
}

func (s *stamp) sameFields(m *llm.Message) bool {
	if len(s.fields) != len(m.ProviderFields) {
		return false
	}
	for i := range s.fields {
		if raw, ok := m.ProviderFields[s.fields[i].key]; !ok || !bytes.Equal(raw, s.fields[i].raw) {
			return false
		}
	}
	return true
}

func sameRaw(a, b []json.RawMessage) bool {
	return slices.EqualFunc(a, b, func(x, y json.RawMessage) bool { return bytes.Equal(x, y) })
}

// sameCall leaves out Extra, which no provider gets.
func sameCall(a, b llm.ToolCall) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Arguments == b.Arguments
}
