package answer

import (
	"encoding/json"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// FieldOrder is the key of [llm.Message.ProviderFields] that holds the order
// of an answer's blocks where it is not thinking, text, calls: an array with
// "thinking" for the next thinking block, "tool_use" for the next call, and
// [from,to] for a piece of the text in bytes.
const FieldOrder = "content_order"

// FieldPaused marks the answer of a turn that the API wants back unchanged.
const FieldPaused = "paused"

// The kinds of block that are replayed, by the API's names.
const (
	KindText     = "text"
	KindThinking = "thinking"
	kindRedacted = "redacted_thinking"
	KindTool     = "tool_use"
)

// Piece is one block of an answer; From and To cut a text block out of the
// message's text, in bytes.
type Piece struct {
	Kind     string
	From, To int
}

// MarshalJSON writes "thinking", "tool_use" or [from,to].
func (p Piece) MarshalJSON() ([]byte, error) {
	if p.Kind == KindText {
		return json.Marshal([2]int{p.From, p.To})
	}
	return json.Marshal(p.Kind)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (p *Piece) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &p.Kind)
	}
	var span [2]int
	if err := json.Unmarshal(data, &span); err != nil {
		return err
	}
	*p = Piece{KindText, span[0], span[1]}
	return nil
}

// usual reports whether pieces are thinking, then one text, then calls: the
// order in which a message without a recorded one is written.
func usual(pieces []Piece) bool {
	rank := map[string]int{KindThinking: 0, KindText: 1, KindTool: 2}
	last, texts := 0, 0
	for _, p := range pieces {
		if rank[p.Kind] < last {
			return false
		}
		last = rank[p.Kind]
		if p.Kind == KindText {
			texts++
		}
	}
	return texts <= 1
}

// Order returns the recorded order of a message that has so many thinking
// blocks; false when there is none, or when it does not fit a message that
// was changed since.
func Order(m llm.Message, thinking int) ([]Piece, bool) {
	raw, ok := m.ProviderFields[FieldOrder]
	if !ok || m.Parts != nil {
		return nil, false
	}
	var pieces []Piece
	if json.Unmarshal(raw, &pieces) != nil {
		return nil, false
	}
	calls, end := len(m.ToolCalls), 0
	for _, p := range pieces {
		switch p.Kind {
		case KindThinking:
			thinking--
		case KindTool:
			calls--
		case KindText:
			if p.From < end || p.To <= p.From || p.To > len(m.Text) || strings.TrimSpace(m.Text[end:p.From]) != "" {
				return nil, false
			}
			end = p.To
		default:
			return nil, false
		}
	}
	return pieces, thinking == 0 && calls == 0 && strings.TrimSpace(m.Text[end:]) == ""
}
