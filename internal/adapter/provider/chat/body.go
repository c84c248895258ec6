package chat

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/transcript"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/wire"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// marker is the prompt cache marker of Anthropic models.
const marker = `"cache_control":{"type":"ephemeral"}`

// Body returns the request body. It is a pure function of the request and the
// client's options: keys have a fixed order and the messages come last, so
// that the body of a longer conversation begins with the bytes of the shorter
// one wherever the rules of the service permit.
//
// Its error is an *llm.Fault of class invalid_effort when req.Strict asks for
// a level the service cannot be asked for.
func (c *Client) Body(req llm.Request) ([]byte, error) {
	body, err := c.body(req, &transcript.Thread{})
	return body.Bytes(), err
}

// thread takes what is kept of the conversation.
func (c *Client) thread(req llm.Request) *transcript.Thread {
	return c.opts.Threads.Take(fmt.Sprintf("chat %q %q %#v", c.opts.Provider, c.opts.WireModel(req.Model), c.opts.Dialect), req)
}

// body builds the body with what thread holds of the conversation.
func (c *Client) body(req llm.Request, thread *transcript.Thread) (wire.Body, error) {
	b := builder{req: req, dialect: c.opts.Dialect, provider: c.opts.Provider}
	b.model = c.opts.WireModel(req.Model)
	b.names = transcript.NewNames(req.Tools)
	b.cache = c.cacheRule(b.model)
	effort, levels := b.dialect.effort(b.model, req.Effort)
	if req.Strict && req.Effort != llm.EffortOff && effort == "" {
		return nil, refusedEffort(c.opts.Provider, req, levels)
	}
	b.msgs = thread.Update(req.Messages, transcript.Options{
		MaxID: b.dialect.MaxID, Shrink: req.Adjust.Shrink, NoImages: b.dropped("image_url"),
	})
	b.out = make([]byte, 0, wire.HeadSize(req.Tools))
	b.head(effort)
	b.tools()
	b.raw(`,"messages":[`)
	head := b.out
	kept, fresh := thread.Encode(&b)
	return wire.Body{head, kept, append(fresh, "]}"...)}, nil
}

func refusedEffort(provider string, req llm.Request, levels []llm.Effort) *llm.Fault {
	return &llm.Fault{
		Class: llm.ClassInvalidEffort, Provider: provider, Model: req.Model, Supported: levels,
		Message: fmt.Sprintf("reasoning effort %q cannot be asked for with this model and service", req.Effort),
	}
}

// cacheRule is the rule that applies to a model at the present base URL.
func (c *Client) cacheRule(model string) CacheRule {
	d := c.opts.Dialect
	base := strings.TrimRight(d.CacheBase, "/")
	if base != "" && strings.TrimRight(c.opts.BaseURL(), "/") != base {
		return CacheNone
	}
	if d.Cache != CacheFal {
		return d.Cache
	}
	_, tag, _ := strings.Cut(model, ":")
	switch {
	case !strings.HasPrefix(tag, "fal"):
		return CacheNone
	case strings.HasPrefix(model, "anthropic/"):
		return cacheMarkers
	case strings.HasPrefix(model, "openai/gpt-5.5"):
		return cacheDay
	}
	return CacheNone
}

// What CacheFal comes to for one model.
const (
	cacheMarkers CacheRule = "markers"
	cacheDay     CacheRule = "24h"
)

// builder writes one body.
type builder struct {
	req      llm.Request
	dialect  Dialect
	provider string
	model    string // as sent
	names    transcript.Names
	cache    CacheRule
	msgs     []llm.Message // prepared
	out      []byte
	origin   []byte // the origin looked at last
	own      bool   // it is the model that is asked now
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
func (b *builder) head(effort llm.Effort) {
	b.raw(`{"model":`)
	b.quoted(b.model)
	b.raw(`,"stream":true`)
	if !b.dropped("stream_options") {
		b.raw(`,"stream_options":{"include_usage":true}`)
	}
	if b.dialect.Extra != "" {
		b.raw("," + b.dialect.Extra)
	}
	if effort != "" && !b.dropped(string(b.dialect.Effort)) {
		b.effort(effort)
	}
	if field := b.dialect.limitField(b.model, b.req.Adjust.Drop); b.req.MaxTokens > 0 && field != "" {
		b.out = fmt.Appendf(b.out, `,"%s":%d`, field, b.req.MaxTokens)
	}
	if b.cache == cacheDay && !b.dropped("prompt_cache_retention") {
		b.raw(`,"prompt_cache_retention":"24h"`)
	}
	if (b.cache == cacheDay || b.cache == CacheKey) && b.req.SessionID != "" && !b.dropped("prompt_cache_key") {
		b.member("prompt_cache_key", wire.CacheKey(b.req.SessionID))
	}
	if b.marks() {
		b.raw("," + marker)
	}
}

func (b *builder) effort(level llm.Effort) {
	if b.dialect.Effort == EffortObject {
		b.raw(`,"reasoning":{"effort":"` + string(level) + `"}`)
		return
	}
	b.member(string(b.dialect.Effort), string(level))
}

// marks reports whether cache markers are put on tools and messages.
func (b *builder) marks() bool { return b.cache == cacheMarkers && !b.dropped("cache_control") }

func (b *builder) tools() {
	if len(b.req.Tools) == 0 {
		return
	}
	b.raw(`,"tools":[`)
	for i, t := range b.req.Tools {
		if i > 0 {
			b.raw(",")
		}
		b.raw(`{"type":"function","function":{"name":`)
		b.quoted(b.names.Wire(t.Name))
		b.member("description", t.Description)
		b.raw(`,"parameters":`)
		b.out = wire.AppendSchema(b.out, t.Parameters)
		b.raw("}")
		if i == len(b.req.Tools)-1 && b.marks() {
			b.raw("," + marker)
		}
		b.raw("}")
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

// RouterHeader returns the headers of a call to the Hugging Face router.
// billTo is an organisation or resource group that pays, or empty. session is
// the id under which the router sums up spending, or empty; it is cut to the
// 256 characters that the router takes.
func RouterHeader(token, billTo, session string) http.Header {
	h := http.Header{}
	h.Set("Authorization", "Bearer "+token)
	if billTo != "" {
		h.Set("X-HF-Bill-To", billTo)
	}
	if session != "" {
		h.Set("X-HF-Session-id", cutRunes(session, 256))
	}
	return h
}

func cutRunes(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n])
}
