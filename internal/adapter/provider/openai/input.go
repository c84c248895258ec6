package openai

import (
	"encoding/json"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/transcript"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/wire"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Size is about how many bytes m takes.
func (*builder) Size(m llm.Message) int {
	n := len(m.Text) + len(m.ProviderFields[llm.FieldItems]) + 192
	for _, p := range m.Parts {
		n += len(p)
	}
	for _, call := range m.ToolCalls {
		n += len(call.Arguments) + len(call.ID) + len(call.Name) + 96
	}
	return n
}

// Next takes every message for itself.
func (*builder) Next(from int) (to int) { return from + 1 }

// Shape has nothing to say: an item does not depend on its place.
func (*builder) Shape([]transcript.Group) {}

// Append writes the input items of a message.
func (b *builder) Append(dst []byte, g transcript.Group) []byte {
	b.out = dst
	switch m := b.msgs[g.From]; m.Role {
	case llm.System:
		b.text("developer", m)
	case llm.User:
		b.text("user", m)
	case llm.ToolRole:
		b.result(m)
	case llm.Assistant:
		if b.replays(m) {
			b.replay(m)
		} else {
			b.rebuild(m)
		}
	}
	return b.out
}

// item begins one input item.
func (b *builder) item(open string) { b.raw("," + open) }

func (b *builder) text(role string, m llm.Message) {
	parts := transcript.Parts(m)
	if len(parts) == 0 {
		return // an item without content is refused
	}
	b.item(`{"role":"` + role + `","content":[`)
	b.parts(parts)
	b.raw("]}")
}

func (b *builder) parts(parts []transcript.Part) {
	for i, p := range parts {
		if i > 0 {
			b.raw(",")
		}
		if p.URL == "" {
			b.raw(`{"type":"input_text","text":`)
			b.quoted(p.Text)
			b.raw("}")
			continue
		}
		b.raw(`{"type":"input_image","image_url":`)
		b.quoted(p.URL)
		if p.Detail != "" {
			b.member("detail", p.Detail)
		}
		b.raw("}")
	}
}

func (b *builder) result(m llm.Message) {
	b.item(`{"type":"function_call_output"`)
	b.member("call_id", m.ToolCallID)
	text, images := transcript.Split(m)
	if len(images) > 0 {
		b.raw(`,"output":[`)
		b.parts(transcript.Parts(m))
		b.raw("]}")
		return
	}
	if text == "" {
		text = transcript.NoOutput
	}
	b.member("output", text)
	b.raw("}")
}

// rebuild writes a message of another provider or model family: its text and
// its calls, without ids of items that this API has never seen.
func (b *builder) rebuild(m llm.Message) {
	if text := m.PlainText(); text != "" {
		b.item(`{"type":"message","role":"assistant","content":[{"type":"output_text","text":`)
		b.quoted(text)
		b.raw(`,"annotations":[]}]}`)
	}
	for _, call := range m.ToolCalls {
		b.call(call)
	}
}

func (b *builder) call(call llm.ToolCall) {
	b.item(`{"type":"function_call"`)
	b.member("call_id", call.ID)
	b.member("name", b.names.Wire(call.Name))
	args := call.Arguments
	if strings.TrimSpace(args) == "" {
		args = "{}"
	}
	b.member("arguments", args)
	b.raw("}")
}

// replays reports whether the stored items of m may go back to the model:
// only within one family can their reasoning be read.
func (b *builder) replays(m llm.Message) bool {
	if b.req.Adjust.Rebuild || b.req.Adjust.NoThinking || len(m.ProviderFields[llm.FieldItems]) == 0 {
		return false
	}
	o := m.Origin()
	return o.Provider == b.provider && wire.Family(o.Model) == wire.Family(b.req.Model)
}

// replay writes the output items of a turn as they were received, in order.
// Calls that are no longer in the message are left out, and calls that came in
// another form are written anew. Reasoning goes with the item it led to: it is
// left out where that item is, and where it could not be read by the service,
// which keeps no copy.
func (b *builder) replay(m llm.Message) {
	open := make(map[string]bool, len(m.ToolCalls))
	for _, call := range m.ToolCalls {
		open[call.ID] = true
	}
	var reasoning []json.RawMessage
	for _, raw := range m.Items() {
		var in struct {
			Type      string  `json:"type"`
			CallID    string  `json:"call_id"`
			Encrypted *string `json:"encrypted_content"`
		}
		if json.Unmarshal(raw, &in) != nil {
			continue // not an item
		}
		switch {
		case in.Type == "reasoning":
			if in.Encrypted != nil && *in.Encrypted != "" {
				reasoning = append(reasoning, raw)
			}
			continue
		case in.Type == "function_call" && !open[in.CallID]:
			reasoning = nil
			continue
		case in.Type == "function_call":
			delete(open, in.CallID)
		}
		for _, r := range append(reasoning, raw) {
			b.item("")
			b.out = append(b.out, r...)
		}
		reasoning = nil
	}
	for _, call := range m.ToolCalls {
		if open[call.ID] {
			b.call(call)
		}
	}
}
