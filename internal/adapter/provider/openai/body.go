package openai

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/transcript"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/wire"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// maxCallID is the longest call_id in bytes.
const maxCallID = 64

// Body returns the request body. It is a pure function of the request and the
// client's options: keys have a fixed order and the input comes last, so that
// the body of a longer conversation begins with the bytes of the shorter one.
//
// Its error is an *llm.Fault of class invalid_effort when req.Strict asks for
// effort of a model that does not reason.
func (c *Client) Body(req llm.Request) ([]byte, error) {
	body, err := c.body(req, &transcript.Thread{})
	return body.Bytes(), err
}

// thread takes what is kept of the conversation, to which the instructions do
// not belong.
func (c *Client) thread(req llm.Request) *transcript.Thread {
	_, req.Messages = instructions(req.Messages)
	return c.opts.Threads.Take(fmt.Sprintf("responses %q %q", c.opts.Provider, c.opts.WireModel(req.Model)), req)
}

// body builds the body with what thread holds of the conversation.
func (c *Client) body(req llm.Request, thread *transcript.Thread) (wire.Body, error) {
	b := builder{req: req, provider: c.opts.Provider, model: c.opts.WireModel(req.Model)}
	b.names = transcript.NewNames(req.Tools)
	b.reasons = wire.Reasons(b.model)
	if req.Strict && req.Effort != llm.EffortOff && !b.reasons {
		return nil, &llm.Fault{
			Class: llm.ClassInvalidEffort, Provider: c.opts.Provider, Model: req.Model,
			Message: fmt.Sprintf("reasoning effort %q cannot be asked for: the model does not reason", req.Effort),
		}
	}
	instructions, rest := instructions(req.Messages)
	b.msgs = thread.Update(rest, transcript.Options{
		MaxID: maxCallID, Shrink: req.Adjust.Shrink, NoImages: b.dropped("input_image") || b.dropped("image_url"),
	})
	b.out = make([]byte, 0, wire.HeadSize(req.Tools)+len(instructions)+len(instructions)/8)
	b.head()
	b.tools()
	if instructions != "" {
		b.member("instructions", instructions)
	}
	b.raw(`,"input":[`)
	head := b.out
	kept, fresh := thread.Encode(&b)
	return wire.Body{head, kept, append(fresh, "]}"...)}, nil
}

// instructions joins the system messages at the start of a conversation.
func instructions(msgs []llm.Message) (text string, rest []llm.Message) {
	n := 0
	for n < len(msgs) && msgs[n].Role == llm.System {
		if n > 0 {
			text += "\n\n"
		}
		text += msgs[n].PlainText()
		n++
	}
	return text, msgs[n:]
}

// builder writes one body.
type builder struct {
	req      llm.Request
	provider string
	model    string // as sent
	reasons  bool
	names    transcript.Names
	msgs     []llm.Message // prepared
	out      []byte
}

func (b *builder) dropped(name string) bool { return slices.Contains(b.req.Adjust.Drop, name) }

func (b *builder) raw(s string)    { b.out = append(b.out, s...) }
func (b *builder) quoted(s string) { b.out = transcript.AppendString(b.out, s) }

// member writes ,"name":"value".
func (b *builder) member(name, value string) {
	b.raw(`,"` + name + `":`)
	b.quoted(value)
}

// head writes everything before the tools.
func (b *builder) head() {
	b.raw(`{"model":`)
	b.quoted(b.model)
	b.raw(`,"stream":true,"store":false`)
	if b.reasons && !b.dropped("include") {
		b.raw(`,"include":["reasoning.encrypted_content"]`)
	}
	b.reasoning()
	if b.req.MaxTokens > 0 && !b.dropped("max_output_tokens") {
		b.out = fmt.Appendf(b.out, `,"max_output_tokens":%d`, b.req.MaxTokens)
	}
	if b.req.SessionID != "" && !b.dropped("prompt_cache_key") {
		b.member("prompt_cache_key", wire.CacheKey(b.req.SessionID))
	}
}

// reasoning asks for effort, and for a summary: without one nothing of the
// reasoning can be shown.
func (b *builder) reasoning() {
	if !b.reasons || b.req.Effort == llm.EffortOff || b.req.Adjust.NoThinking || b.dropped("reasoning") {
		return
	}
	var members []string
	if !b.dropped("reasoning.effort") && !b.dropped("reasoning_effort") {
		members = append(members, `"effort":"`+string(b.req.Effort)+`"`)
	}
	if !b.dropped("reasoning.summary") {
		members = append(members, `"summary":"auto"`)
	}
	if len(members) > 0 {
		b.raw(`,"reasoning":{` + strings.Join(members, ",") + `}`)
	}
}

func (b *builder) tools() {
	if len(b.req.Tools) == 0 {
		return
	}
	if !b.dropped("parallel_tool_calls") {
		b.raw(`,"parallel_tool_calls":true`)
	}
	b.raw(`,"tools":[`)
	for i, t := range b.req.Tools {
		if i > 0 {
			b.raw(",")
		}
		b.raw(`{"type":"function"`)
		b.member("name", b.names.Wire(t.Name))
		b.member("description", t.Description)
		b.raw(`,"parameters":`)
		b.out = wire.AppendSchema(b.out, t.Parameters)
		b.raw(`,"strict":false}`)
	}
	b.raw("]")
	if !b.dropped("tool_choice") {
		choice := b.req.Choice
		if choice == "" {
			choice = llm.ToolAuto
		}
		b.member("tool_choice", string(choice))
	}
}
