package chat

import (
	"bytes"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/transcript"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// imagesFollow introduces the images that tools returned: a tool message of
// this API holds text only.
const imagesFollow = "Images returned by the tools above:"

// What the text of a message depends on beside itself.
const (
	formMarked   = 1 << iota // it carries the cache marker
	formThisTurn             // it was written since a person spoke last
)

// Size is about how many bytes m takes.
func (*builder) Size(m llm.Message) int {
	n := len(m.Text) + len(m.ReasoningContent) + len(m.ProviderFields[llm.FieldReasoningDetails]) + 128
	for _, p := range m.Parts {
		n += len(p)
	}
	for _, call := range m.ToolCalls {
		n += len(call.Arguments) + len(call.ID) + len(call.Name) + 96
	}
	return n
}

// Next groups the results of tools, whose images follow the last of them.
func (b *builder) Next(from int) (to int) {
	to = from + 1
	if b.msgs[from].Role == llm.ToolRole {
		for to < len(b.msgs) && b.msgs[to].Role == llm.ToolRole {
			to++
		}
	}
	return to
}

// Shape says which message is marked, and whose reasoning returns.
func (b *builder) Shape(groups []transcript.Group) {
	marked, turn := b.markedMessage(), len(b.msgs)
	if b.dialect.keepsReasoning(b.model) {
		turn = lastUser(b.msgs)
	}
	for i, g := range groups {
		var form uint8
		if g.From == marked {
			form = formMarked
		}
		if g.From > turn && b.msgs[g.From].Role == llm.Assistant {
			form |= formThisTurn
		}
		groups[i].Form = form
	}
}

// Append writes a message, or a run of tool results and then their images.
func (b *builder) Append(dst []byte, g transcript.Group) []byte {
	b.out = dst
	marked := g.Form&formMarked != 0
	var images []transcript.Part
	for _, m := range b.msgs[g.From:g.To] {
		switch m.Role {
		case llm.System:
			b.open(b.dialect.systemRole(b.model))
			b.content(m, false, marked)
		case llm.User:
			b.open("user")
			b.content(m, true, marked)
		case llm.Assistant:
			b.assistant(m, g.Form&formThisTurn != 0)
		case llm.ToolRole:
			images = append(images, b.tool(m)...)
		}
		b.raw("}")
	}
	if len(images) > 0 {
		b.open("user")
		b.raw(`,"content":`)
		b.array(append([]transcript.Part{{Text: imagesFollow}}, images...), -1)
		b.raw("}")
	}
	return b.out
}

// open begins an element of the messages.
func (b *builder) open(role string) { b.raw(`,{"role":"` + role + `"`) }

// lastUser is the index of the newest message that a person wrote, or -1.
func lastUser(msgs []llm.Message) int {
	for i := len(msgs) - 1; i >= 0; i-- {
		if msgs[i].Role == llm.User && !msgs[i].Synthetic {
			return i
		}
	}
	return -1
}

// markedMessage is the index of the system or user message that carries the
// cache marker, or -1: the nearest with text before the newest message.
func (b *builder) markedMessage() int {
	if !b.marks() {
		return -1
	}
	msgs := b.msgs
	for i := len(msgs) - 2; i >= 0; i-- {
		if r := msgs[i].Role; (r == llm.System || r == llm.User) && strings.TrimSpace(msgs[i].PlainText()) != "" {
			return i
		}
	}
	return -1
}

// content writes a string, or an array where there are images or a marker:
// not every server takes arrays.
func (b *builder) content(m llm.Message, images, marked bool) {
	b.raw(`,"content":`)
	text, pictures := transcript.Split(m)
	if !marked && (len(pictures) == 0 || !images) {
		b.quoted(text)
		return
	}
	var parts []transcript.Part
	lastText := -1
	for _, p := range transcript.Parts(m) {
		if p.URL != "" && !images {
			continue
		}
		if p.URL == "" && strings.TrimSpace(p.Text) != "" {
			lastText = len(parts)
		}
		parts = append(parts, p)
	}
	if !marked {
		lastText = -1
	}
	b.array(parts, lastText)
}

// array writes parts, one of them with the cache marker.
func (b *builder) array(parts []transcript.Part, marked int) {
	b.raw("[")
	for i, p := range parts {
		if i > 0 {
			b.raw(",")
		}
		b.part(p, i == marked)
	}
	b.raw("]")
}

func (b *builder) part(p transcript.Part, marked bool) {
	if p.URL == "" {
		b.raw(`{"type":"text","text":`)
		b.quoted(p.Text)
		if marked {
			b.raw("," + marker)
		}
		b.raw("}")
		return
	}
	b.raw(`{"type":"image_url","image_url":{"url":`)
	b.quoted(p.URL)
	if p.Detail != "" {
		b.member("detail", p.Detail)
	}
	b.raw("}}")
}

func (b *builder) assistant(m llm.Message, thisTurn bool) {
	b.open("assistant")
	b.raw(`,"content":`)
	if text := m.PlainText(); text != "" {
		b.quoted(text)
	} else {
		b.raw("null") // some servers want the key, others refuse an empty string
	}
	b.reasoning(m, thisTurn)
	if len(m.ToolCalls) == 0 {
		return
	}
	b.raw(`,"tool_calls":[`)
	for i, call := range m.ToolCalls {
		if i > 0 {
			b.raw(",")
		}
		b.raw(`{"id":`)
		b.quoted(call.ID)
		b.raw(`,"type":"function","function":{"name":`)
		b.quoted(b.names.Wire(call.Name))
		args := call.Arguments
		if strings.TrimSpace(args) == "" {
			args = "{}"
		}
		b.member("arguments", args)
		b.raw("}}")
	}
	b.raw("]")
}

// reasoning gives a model back what it thought. A model that must get
// something and left nothing behind gets a blank: an empty string is refused.
func (b *builder) reasoning(m llm.Message, thisTurn bool) {
	adjust := b.req.Adjust
	own := func() bool { return !adjust.NoThinking && !adjust.Rebuild && b.sameOrigin(m) }
	if raw := m.ProviderFields[llm.FieldReasoningDetails]; b.dialect.Replay == ReplayDetails && len(raw) > 0 && own() {
		b.raw(`,"reasoning_details":`)
		b.out = append(b.out, raw...)
	}
	fill := adjust.FillReasoning
	if len(m.ToolCalls) == 0 || b.dropped("reasoning_content") || !fill && (!thisTurn || !b.dialect.keepsReasoning(b.model)) {
		return
	}
	text := ""
	switch {
	case fill && m.ReasoningContent == "":
	case own():
		text = m.ReasoningContent
	case !fill:
		return
	}
	if text == "" && (fill || wantsReasoning(b.model)) {
		text = " "
	}
	if text != "" {
		b.member("reasoning_content", text)
	}
}

// sameOrigin reports whether a message was written by the model that is asked
// now, whichever provider a tag names.
func (b *builder) sameOrigin(m llm.Message) bool {
	raw := m.ProviderFields[llm.FieldOrigin]
	if len(raw) == 0 {
		return false
	}
	if !bytes.Equal(raw, b.origin) { // most messages have the one before's
		o := m.Origin()
		b.origin, b.own = raw, o.Provider == b.provider && b.untagged(o.Model) == b.untagged(b.req.Model)
	}
	return b.own
}

func (b *builder) untagged(id string) string {
	id = strings.TrimPrefix(id, "huggingface/")
	if b.dialect.Tagged {
		id, _, _ = strings.Cut(id, ":")
	}
	return id
}

// tool writes a tool's result and returns its images.
func (b *builder) tool(m llm.Message) []transcript.Part {
	text, images := transcript.Split(m)
	if text == "" {
		text = transcript.NoOutput
	}
	b.open("tool")
	b.member("tool_call_id", m.ToolCallID)
	b.member("content", text)
	return images
}
