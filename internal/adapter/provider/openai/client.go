// Package openai is a client for OpenAI's Responses API. It knows that wire
// only: it does not choose between APIs for a call ([UseResponses] tells the
// caller), read credentials, repeat calls or decide what a failure means for
// the conversation.
//
// It does not use OpenAI's SDK. Prompt caches want request bodies whose bytes
// do not change from one call to the next; output items, with reasoning in
// them that only OpenAI can read, must go back exactly as they came, members
// of the future included; and the events of other servers that speak this API
// must be read leniently. All three need the JSON itself, and a typed library
// would only stand in between.
package openai

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/transcript"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/wire"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Provider is the name under which the items of this API are replayed.
const Provider = "openai"

// DefaultBase is where OpenAI itself answers.
const DefaultBase = "https://api.openai.com/v1"

// UseResponses decides between the Responses API and chat completions for a
// model (with or without "openai/") at a base URL. mode is "auto", "chat" or
// "responses"; empty means auto, which takes Responses for reasoning models at
// OpenAI itself.
func UseResponses(model, baseURL, mode string) bool {
	switch mode {
	case "chat":
		return false
	case "responses":
		return true
	}
	base, err := url.Parse(baseURL)
	return err == nil && strings.EqualFold(base.Hostname(), "api.openai.com") && wire.Reasons(model)
}

// Options configure a [Client].
type Options struct {
	// HTTP sends the requests; nil is a plain client. It must not limit the
	// time of a whole call, nor follow redirects of a POST.
	HTTP *http.Client
	// Provider is the name in faults and origins; empty means [Provider].
	Provider string
	// BaseURL returns the service's address up to /responses; nil means
	// [DefaultBase].
	BaseURL func() string
	// Header returns credentials and other headers. It is asked for every
	// call, so that a changed key takes effect at once. Nil means none.
	Header func(req llm.Request) http.Header
	// WireModel turns the user's model id into the name to send; nil removes
	// "openai/".
	WireModel func(id string) string
	// Threads keeps what was encoded of conversations for later calls, also
	// those of other clients that share it; nil is the client's own.
	Threads *transcript.Threads
}

// Client makes calls. It is safe for concurrent use.
type Client struct{ opts Options }

// New returns a Client.
func New(opts Options) *Client {
	if opts.Provider == "" {
		opts.Provider = Provider
	}
	if opts.BaseURL == nil {
		opts.BaseURL = func() string { return DefaultBase }
	}
	if opts.Header == nil {
		opts.Header = func(llm.Request) http.Header { return nil }
	}
	if opts.WireModel == nil {
		opts.WireModel = func(id string) string { return strings.TrimPrefix(id, "openai/") }
	}
	if opts.Threads == nil {
		opts.Threads = &transcript.Threads{}
	}
	return &Client{opts: opts}
}

// Stream makes one call. The sequence ends with [llm.Done], an *llm.Fault, or
// the error of ctx.
func (c *Client) Stream(ctx context.Context, req llm.Request) iter.Seq2[llm.Chunk, error] {
	return func(yield func(llm.Chunk, error) bool) {
		thread := c.thread(req)
		body, err := c.body(req, thread)
		c.opts.Threads.Put(thread)
		if err != nil {
			yield(nil, err)
			return
		}
		reply, err := wire.Post(ctx, wire.Call{
			HTTP: c.opts.HTTP, Provider: c.opts.Provider, Model: req.Model,
			URL: wire.JoinURL(c.opts.BaseURL(), "/responses"), Header: c.opts.Header(req), Body: body,
		})
		if err != nil {
			yield(nil, err)
			return
		}
		defer reply.Close()
		d := newDecoder(llm.Origin{Provider: c.opts.Provider, Model: req.Model}, transcript.NewNames(req.Tools), req.Tools)
		d.requestID = wire.RequestID(reply.Header)
		if reply.JSON != nil {
			c.finish(reply, d, d.document(reply.JSON), yield)
			return
		}
		c.readStream(ctx, reply, d, yield)
	}
}

func (c *Client) readStream(ctx context.Context, reply *wire.Reply, d *decoder, yield func(llm.Chunk, error) bool) {
	for ev, err := range reply.Events(ctx) {
		if err != nil {
			yield(nil, reply.Lost(ctx, err, d.visible))
			return
		}
		problem := d.event(ev.Name, ev.Data)
		if problem != nil || d.ended {
			c.finish(reply, d, problem, yield)
			return
		}
		if !d.flush(yield) {
			return
		}
	}
	yield(nil, reply.Lost(ctx, nil, d.visible))
}

// finish ends the sequence with a fault or with the answer.
func (c *Client) finish(reply *wire.Reply, d *decoder, problem []byte, yield func(llm.Chunk, error) bool) {
	visible := d.visible
	if problem == nil {
		d.finish()
	}
	more := d.flush(yield)
	if problem != nil && more {
		yield(nil, reply.Fault(problem, visible))
		return
	}
	reply.Drain()
}
