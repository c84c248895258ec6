package anthropic

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/anthropic/answer"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/transcript"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// opening stands in for what came before an answer that begins a transcript:
// the API wants a user to speak first.
const opening = "(earlier messages are not shown)"

// formMarked is the form of a turn that carries a cache marker.
const formMarked = 1

// spoken reports whether m is part of the talk: the system prompt stands
// elsewhere, and what would leave nothing is left out.
func spoken(m llm.Message) bool {
	return m.Role != llm.System && (m.Role == llm.ToolRole || len(m.ToolCalls) > 0 || !blank(m))
}

// Next groups the messages that the API sees as one turn, with those that are
// left out around them.
func (b *builder) Next(from int) (to int) {
	begun, assistant := false, false
	for i, m := range b.msgs[from:] {
		if !spoken(m) {
			continue
		}
		if begun && assistant != (m.Role == llm.Assistant) {
			return from + i
		}
		begun, assistant = true, m.Role == llm.Assistant
	}
	return len(b.msgs)
}

// answers reports whether a turn is the model's.
func (b *builder) answers(g transcript.Group) bool {
	i := slices.IndexFunc(b.msgs[g.From:g.To], spoken)
	return i >= 0 && b.msgs[g.From+i].Role == llm.Assistant
}

// Shape chooses where to put the cache markers: on the newest turn, and on the
// user's turn before it when so much has come since that the API would not
// find what it cached then.
func (b *builder) Shape(turns []transcript.Group) {
	for i := range turns {
		turns[i].Form = 0
	}
	last := len(turns) - 1
	turns[last].Form = formMarked
	blocks := 0
	for i := last; i >= 0; i-- {
		if i < last && !b.answers(turns[i]) {
			if blocks > lookBack {
				turns[i].Form = formMarked
			}
			return
		}
		for _, m := range b.msgs[turns[i].From:turns[i].To] {
			if spoken(m) {
				blocks += 1 + len(m.Parts) + len(m.ToolCalls) + len(m.ThinkingBlocks)
			}
		}
	}
}

// openTurn reports whether the newest answer made calls that were answered
// since, and begins without thinking that may be replayed.
func (b *builder) openTurn() bool {
	for i := len(b.msgs) - 1; i >= 0; i-- {
		switch m := b.msgs[i]; m.Role {
		case llm.ToolRole:
			continue
		case llm.User:
			if m.Synthetic { // a hint of the engine does not end the turn
				continue
			}
			return false
		case llm.Assistant:
			return len(m.ToolCalls) > 0 && len(b.replayed(m)) == 0
		}
	}
	return false
}

// Append writes a turn.
func (b *builder) Append(dst []byte, g transcript.Group) []byte {
	b.out = dst
	if !b.answers(g) {
		b.raw(`,{"role":"user","content":[`)
	} else {
		if g.From == 0 {
			b.raw(`,{"role":"user","content":[{"type":"text","text":"` + opening + `"}]}`)
		}
		b.raw(`,{"role":"assistant","content":[`)
	}
	if markable := b.turn(b.msgs[g.From:g.To]); markable && g.Form == formMarked {
		b.mark(b.short)
	}
	b.raw("]}")
	return b.out
}

// turn writes the blocks of a turn and reports whether the last of them may
// carry a cache marker.
func (b *builder) turn(msgs []llm.Message) (markable bool) {
	first := true
	next := func() {
		if !first {
			b.raw(",")
		}
		first = false
	}
	for _, m := range msgs {
		if !spoken(m) {
			continue
		}
		switch m.Role {
		case llm.ToolRole:
			next()
			b.toolResult(m)
			markable = true
		case llm.User:
			markable = b.content(m, next) || markable
		case llm.Assistant:
			markable = b.answer(m, next)
		}
	}
	return markable
}

// parts returns what of a message's content is sent: the API refuses text
// that is only white space.
func parts(m llm.Message) []transcript.Part {
	return slices.DeleteFunc(transcript.Parts(m), func(p transcript.Part) bool {
		return p.URL == "" && strings.TrimSpace(p.Text) == ""
	})
}

// blank reports whether nothing of a message's content is sent.
func blank(m llm.Message) bool {
	if m.Parts == nil {
		return strings.TrimSpace(m.Text) == ""
	}
	return len(parts(m)) == 0
}

// content writes the text and images of m and reports whether there are any.
func (b *builder) content(m llm.Message, next func()) bool {
	if blank(m) {
		return false
	}
	if m.Parts == nil {
		next()
		b.textBlock(m.Text)
		return true
	}
	for _, p := range parts(m) {
		next()
		b.part(p)
	}
	return true
}

func (b *builder) textBlock(text string) {
	b.raw(`{"type":"text","text":`)
	b.text(text)
	b.raw("}")
}

func (b *builder) part(p transcript.Part) {
	if p.URL == "" {
		b.textBlock(p.Text)
		return
	}
	if media, data, ok := p.Data(); ok {
		b.raw(`{"type":"image","source":{"type":"base64","media_type":`)
		b.text(media)
		b.raw(`,"data":`)
		b.text(data)
	} else {
		b.raw(`{"type":"image","source":{"type":"url","url":`)
		b.text(p.URL)
	}
	b.raw("}}")
}

func (b *builder) toolResult(m llm.Message) {
	b.raw(`{"type":"tool_result","tool_use_id":`)
	b.text(m.ToolCallID)
	b.raw(`,"content":`)
	if m.Parts == nil {
		b.text(m.Text)
	} else if parts := parts(m); len(parts) == 0 {
		b.text(transcript.NoOutput)
	} else {
		b.raw("[")
		for i, p := range parts {
			if i > 0 {
				b.raw(",")
			}
			b.part(p)
		}
		b.raw("]")
	}
	b.raw("}")
}

func (b *builder) toolUse(c llm.ToolCall) {
	b.raw(`{"type":"tool_use","id":`)
	b.text(c.ID)
	b.raw(`,"name":`)
	b.text(b.names.Wire(c.Name))
	b.raw(`,"input":`)
	b.out = appendInput(b.out, c.Arguments)
	b.raw("}")
}

// answer writes the blocks of an assistant message in the order in which the
// model produced them, or else thinking, text and calls.
func (b *builder) answer(m llm.Message, next func()) (markable bool) {
	blocks := b.replayed(m)
	if pieces, ok := answer.Order(m, len(blocks)); ok && len(blocks) > 0 {
		return b.ordered(m, blocks, pieces, next)
	}
	for _, raw := range blocks {
		next()
		b.out = append(b.out, raw...)
	}
	markable = b.content(m, next)
	for _, call := range m.ToolCalls {
		next()
		b.toolUse(call)
		markable = true
	}
	return markable
}

func (b *builder) ordered(m llm.Message, blocks []json.RawMessage, pieces []answer.Piece, next func()) (markable bool) {
	calls := m.ToolCalls
	for _, p := range pieces {
		next()
		markable = p.Kind != answer.KindThinking
		switch p.Kind {
		case answer.KindThinking:
			b.out = append(b.out, blocks[0]...)
			blocks = blocks[1:]
		case answer.KindTool:
			b.toolUse(calls[0])
			calls = calls[1:]
		default:
			b.textBlock(m.Text[p.From:p.To])
		}
	}
	return markable
}

// replayed returns the thinking blocks of m that go back to the model: those
// it wrote itself and that are as it wrote them.
func (b *builder) replayed(m llm.Message) []json.RawMessage {
	if len(m.ThinkingBlocks) == 0 || b.req.Adjust.NoThinking || b.req.Adjust.Rebuild {
		return nil
	}
	if !b.own(m) {
		return nil
	}
	for _, raw := range m.ThinkingBlocks {
		if altered(raw) {
			// What is left would not be the reasoning that was signed.
			return nil
		}
	}
	return m.ThinkingBlocks
}

// self notes how messages of the asked model name their origin.
func (b *builder) self() {
	var m llm.Message
	m.SetOrigin(llm.Origin{Provider: Provider, Model: b.req.Model})
	b.origin = m.ProviderFields[llm.FieldOrigin]
}

// own reports whether the asked model wrote m. Nearly every message of a long
// history has the very bytes of self, which saves decoding them.
func (b *builder) own(m llm.Message) bool {
	if bytes.Equal(m.ProviderFields[llm.FieldOrigin], b.origin) {
		return true
	}
	o := m.Origin()
	return o.Provider == Provider && wireName(o.Model) == wireName(b.req.Model)
}

// altered reports whether a stored block had secrets removed from it, or is
// no thinking block at all.
func altered(raw json.RawMessage) bool {
	if !bytes.Contains(raw, []byte(`"redacted"`)) && bytes.HasPrefix(raw, []byte(`{"type":"`)) {
		return false
	}
	var block struct {
		Type     string `json:"type"`
		Redacted bool   `json:"redacted"`
	}
	if json.Unmarshal(raw, &block) != nil {
		return true
	}
	return block.Redacted || block.Type != "thinking" && block.Type != "redacted_thinking"
}
