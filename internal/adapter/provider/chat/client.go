// Package chat is a lenient client for chat completions in OpenAI's format, as
// dozens of services speak it with small differences: the Hugging Face router
// and the backends behind it, local servers, OpenRouter, OpenAI itself. What
// differs is data in a [Dialect]. The package knows the wire only: it does not
// choose providers, read credentials, repeat calls or decide what a failure
// means for the conversation.
package chat

import (
	"context"
	"iter"
	"net/http"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/transcript"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/wire"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Options configure a [Client].
type Options struct {
	// HTTP sends the requests; nil is a plain client. It must not limit the
	// time of a whole call, nor follow redirects of a POST.
	HTTP *http.Client
	// Provider is the name in faults and origins, e.g. "hf-router" or "ollama".
	Provider string
	Dialect  Dialect
	// BaseURL returns the service's address up to /chat/completions.
	BaseURL func() string
	// Header returns credentials and other headers. It is asked for every
	// call, so that a changed key takes effect at once. Nil means none.
	Header func(req llm.Request) http.Header
	// WireModel turns the user's model id into the name to send; nil sends
	// the id.
	WireModel func(id string) string
	// Threads keeps what was encoded of conversations for later calls, also
	// those of other clients that share it; nil is the client's own.
	Threads *transcript.Threads
}

// Client makes calls. It is safe for concurrent use.
type Client struct{ opts Options }

// New returns a Client. It panics without a base URL, which is a mistake of
// the program and not of its user.
func New(opts Options) *Client {
	if opts.BaseURL == nil {
		panic("chat: Options.BaseURL is missing")
	}
	if opts.Header == nil {
		opts.Header = func(llm.Request) http.Header { return nil }
	}
	if opts.WireModel == nil {
		opts.WireModel = func(id string) string { return id }
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
			URL: wire.JoinURL(c.opts.BaseURL(), "/chat/completions"), Header: c.opts.Header(req), Body: body,
		})
		if err != nil {
			yield(nil, err)
			return
		}
		defer reply.Close()
		d := newDecoder(llm.Origin{Provider: c.opts.Provider, Model: req.Model}, req, transcript.NewNames(req.Tools))
		d.requestID = wire.RequestID(reply.Header)
		if reply.JSON != nil {
			c.readDocument(reply, d, yield)
			return
		}
		c.readStream(ctx, reply, d, yield)
	}
}

// readDocument handles an answer that is one JSON document.
func (c *Client) readDocument(reply *wire.Reply, d *decoder, yield func(llm.Chunk, error) bool) {
	if problem := d.document(reply.JSON); problem != nil && !d.excused(problem) {
		yield(nil, reply.Fault(problem, false))
		return
	}
	d.finish()
	d.flush(yield)
}

func (c *Client) readStream(ctx context.Context, reply *wire.Reply, d *decoder, yield func(llm.Chunk, error) bool) {
	for ev, err := range reply.Events(ctx) {
		if err != nil {
			if ctx.Err() != nil || !d.ended() {
				yield(nil, reply.Lost(ctx, err, d.visible))
				return
			}
			break // everything was there, only the end marker is missing
		}
		if d.done(ev.Data) {
			d.finish()
			d.flush(yield)
			reply.Drain()
			return
		}
		problem := d.event(ev.Name, ev.Data)
		if !d.flush(yield) {
			return
		}
		if problem != nil && !d.excused(problem) {
			yield(nil, reply.Fault(problem, d.visible))
			return
		}
	}
	if !d.ended() && (d.begun || !c.opts.Dialect.EmptyReply) {
		yield(nil, reply.Lost(ctx, nil, d.visible))
		return
	}
	d.finish()
	d.flush(yield)
}
