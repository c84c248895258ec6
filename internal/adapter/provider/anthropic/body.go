package anthropic

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/anthropic/answer"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/transcript"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/wire"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

const (
	// ttlShort and ttlLong are the lifetimes the prompt cache offers.
	ttlShort = "5m"
	ttlLong  = "1h"

	// defaultOutput limits an answer that no one has limited, in tokens.
	defaultOutput = 64_000
	// minOutput is the least that is asked for by default, and what is kept
	// free of the window beyond it, in tokens.
	minOutput = 1024
	// newOutput is the largest answer of a model that is not known.
	newOutput = 128_000
	// bytesPerToken is a rough guess, good enough to keep the answer inside
	// the window: where it is not, the API says so.
	bytesPerToken = 4

	// maxID is the longest tool call id the API takes, in bytes.
	maxID = 64
	// lookBack is after how many new blocks the API may miss what it has
	// cached: it looks back 20 from a marker.
	lookBack = 18
)

// volatile opens the last line of the system prompt, which changes from
// session to session and is therefore kept out of the cached part.
const volatile = "[Session context:"

// Body returns the request body of a streamed call. It is a pure function of
// req and the client's options: the same messages give the same bytes, and a
// longer conversation begins with the bytes of the shorter one, but for the
// place of the cache markers.
func (c *Client) Body(req llm.Request) ([]byte, error) {
	body, err := c.body(req, &transcript.Thread{}, false)
	return body.Bytes(), err
}

// body builds the body of a call, or of a question for its size, with what
// thread holds of the conversation.
func (c *Client) body(req llm.Request, thread *transcript.Thread, counting bool) (wire.Body, error) {
	paused := len(req.Messages) > 0 && req.Messages[len(req.Messages)-1].ProviderFields[answer.FieldPaused] != nil
	b := &builder{
		req:   req,
		names: transcript.NewNames(req.Tools),
		msgs: thread.Update(req.Messages, transcript.Options{
			AllowID: transcript.PlainID, MaxID: maxID, Shrink: req.Adjust.Shrink, KeepLast: paused,
		}),
		short: marker(c.opts.CacheTTL),
		long:  marker(c.opts.CacheTTL),
	}
	b.self()
	if req.LongWaits {
		b.long = marker(ttlLong)
	}
	if dropped(req, "cache_control") {
		b.short, b.long = "", ""
	}
	if !slices.ContainsFunc(b.msgs, spoken) {
		return nil, errors.New("build request: there is no message to send")
	}
	b.out = make([]byte, 0, wire.HeadSize(req.Tools))
	b.raw(`{"model":`)
	b.text(wireName(req.Model))
	if !counting {
		b.raw(`,"stream":true`)
	}
	b.tools()
	b.system()
	b.raw(`,"messages":[`)
	head := b.out
	kept, fresh := thread.Encode(b)
	b.out = append(fresh, ']')
	// What may differ from call to call comes last: it breaks no prefix.
	c.tail(b, b.toolSize()+thread.Size(), counting)
	return wire.Body{head, kept, b.out}, nil
}

// tail writes what comes after the messages; size is about how many bytes the
// prompt has.
func (c *Client) tail(b *builder, size int, counting bool) {
	limit := c.outputLimit(b.req, size/bytesPerToken)
	ask, limit := thinking(b.req, limit, b.openTurn())
	b.toolChoice()
	b.raw(ask)
	if !counting {
		b.raw(`,"max_tokens":`)
		b.out = strconv.AppendInt(b.out, int64(limit), 10)
	}
	b.raw("}")
}

// marker is the member that asks for caching up to the block it stands in.
func marker(ttl string) string {
	if ttl == ttlLong {
		return `,"cache_control":{"type":"ephemeral","ttl":"1h"}`
	}
	return `,"cache_control":{"type":"ephemeral"}`
}

// outputLimit is the max_tokens of a request whose prompt has about prompt
// tokens.
func (c *Client) outputLimit(req llm.Request, prompt int) int {
	largest := newOutput
	if c.opts.MaxOutput != nil {
		if n := c.opts.MaxOutput(req.Model); n > 0 {
			largest = n
		}
	}
	limit := min(largest, defaultOutput)
	if req.MaxTokens > 0 {
		limit = min(largest, req.MaxTokens)
	}
	if c.opts.Window != nil {
		if window := c.opts.Window(req.Model); window > 0 {
			limit = min(limit, max(minOutput, window-prompt-minOutput))
		}
	}
	return limit
}

// builder appends a body to out.
type builder struct {
	req   llm.Request
	names transcript.Names
	msgs  []llm.Message // prepared
	// origin is the stored form of the model that is asked.
	origin []byte
	// long is the marker for tools and system, short the one for messages;
	// empty where the API has refused markers.
	long, short string
	out         []byte
}

func (b *builder) raw(s string) { b.out = append(b.out, s...) }

func (b *builder) text(s string) { b.out = transcript.AppendString(b.out, s) }

// mark adds a cache marker to the block that was just written.
func (b *builder) mark(member string) {
	if member == "" {
		return
	}
	b.out = append(b.out[:len(b.out)-1], member...)
	b.out = append(b.out, '}')
}

// Size guesses the bytes of a message, without images.
func (*builder) Size(m llm.Message) int {
	n := len(m.Text) + 80
	for _, c := range m.ToolCalls {
		n += len(c.Name) + len(c.Arguments) + 100
	}
	for _, t := range m.ThinkingBlocks {
		n += len(t)
	}
	for _, p := range m.Parts {
		n += min(len(p), 8<<10)
	}
	return n
}

// toolSize guesses the bytes of the tools.
func (b *builder) toolSize() int {
	n := 0
	for _, t := range b.req.Tools {
		n += len(t.Name) + len(t.Description) + len(t.Parameters) + 80
	}
	return n
}

func (b *builder) toolChoice() {
	none := b.req.Choice == llm.ToolNone
	if len(b.req.Tools) == 0 {
		if none = b.calls(); !none {
			return // without tools the API takes no choice
		}
	}
	switch {
	case dropped(b.req, "tool_choice"):
	case none:
		b.raw(`,"tool_choice":{"type":"none"}`)
	default:
		b.raw(`,"tool_choice":{"type":"auto"}`)
	}
}

// calls reports whether the conversation holds tool calls.
func (b *builder) calls() bool {
	for _, m := range b.msgs {
		if len(m.ToolCalls) > 0 {
			return true
		}
	}
	return false
}

// tools writes the tools. A conversation with calls needs some: where the
// caller gave none, the names that occur are declared without parameters.
func (b *builder) tools() {
	tools := b.req.Tools
	if len(tools) == 0 {
		seen := map[string]bool{}
		for _, m := range b.msgs {
			for _, call := range m.ToolCalls {
				if !seen[call.Name] {
					seen[call.Name] = true
					tools = append(tools, llm.ToolSpec{Name: call.Name})
				}
			}
		}
	}
	if len(tools) == 0 {
		return
	}
	b.raw(`,"tools":[`)
	for i, tool := range tools {
		if i > 0 {
			b.raw(",")
		}
		b.raw(`{"name":`)
		b.text(b.names.Wire(tool.Name))
		if tool.Description != "" {
			b.raw(`,"description":`)
			b.text(tool.Description)
		}
		b.raw(`,"input_schema":`)
		b.out = wire.AppendSchema(b.out, tool.Parameters)
		b.raw("}")
	}
	b.mark(b.long)
	b.raw("]")
}

// system writes the system prompt: what is the same in every session first,
// marked, then the line that is not.
func (b *builder) system() {
	var stable, last []string
	for i := range b.msgs { // no copies: it is looked at for every request
		if b.msgs[i].Role != llm.System {
			continue
		}
		head, tail := splitVolatile(b.msgs[i].PlainText())
		if head != "" {
			stable = append(stable, head)
		}
		if tail != "" {
			last = append(last, tail)
		}
	}
	if len(stable)+len(last) == 0 {
		return
	}
	b.raw(`,"system":[`)
	for i, text := range append(stable, last...) {
		if i > 0 {
			b.raw(",")
		}
		b.raw(`{"type":"text","text":`)
		b.text(text)
		b.raw("}")
		if i == len(stable)-1 {
			b.mark(b.long)
		}
	}
	b.raw("]")
}

// splitVolatile cuts off a last line with the facts of this session.
func splitVolatile(prompt string) (stable, last string) {
	prompt = strings.TrimRight(transcript.Clean(prompt), "\n")
	at := strings.LastIndexByte(prompt, '\n') + 1
	if !strings.HasPrefix(prompt[at:], volatile) {
		if strings.TrimSpace(prompt) == "" {
			return "", ""
		}
		return prompt, ""
	}
	return strings.TrimRight(prompt[:at], "\n"), prompt[at:]
}

// appendInput appends the arguments of a call as a JSON object. What is no
// object would make the whole request invalid and becomes an empty one: the
// call was answered by an error when it was made.
func appendInput(dst []byte, arguments string) []byte {
	start := len(dst)
	dst = append(dst, strings.TrimSpace(arguments)...)
	raw := dst[start:]
	if len(raw) == 0 || raw[0] != '{' || !json.Valid(raw) {
		return append(dst[:start], "{}"...)
	}
	if bytes.Contains(raw, []byte(`\u`)) || !utf8.Valid(raw) {
		return append(dst[:start], mendStrings(raw)...)
	}
	return dst
}
