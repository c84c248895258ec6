// Package anthropic talks to Anthropic's Messages API: it builds request
// bodies from stored messages, reads the streamed answer, and asks what a
// model can do. It knows nothing of retries, prices or where its key comes
// from; failures are [llm.Fault].
//
// It uses raw JSON and not the official SDK, for four reasons. A request must
// repeat the bytes of the one before it, or the prompt cache is lost. Thinking
// blocks must go back exactly as they came, and typed blocks lose fields they
// do not know. A second message_start means that a gateway has begun anew, and
// an SDK's accumulator would add both answers up. And the last event of a
// stream is accepted without its blank line.
package anthropic

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/anthropic/answer"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/transcript"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/wire"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Provider is the provider's name in faults and origins.
const Provider = answer.Provider

// DefaultBaseURL is where the API is unless Options say otherwise.
const DefaultBaseURL = "https://api.anthropic.com"

// apiVersion is the version of the API that this package speaks.
const apiVersion = "2023-06-01"

// Options say how to reach the API. Functions are called for every request,
// so that a changed key takes effect at once.
type Options struct {
	HTTP    *http.Client
	BaseURL func() string // nil or "" means DefaultBaseURL
	// APIKey is sent as x-api-key; AuthToken, used when there is no key, as
	// bearer token.
	APIKey    func() string
	AuthToken func() string
	// Betas are the features named in the anthropic-beta header.
	Betas []string
	// CacheTTL is how long the prompt cache keeps what it has: "5m", the
	// default, or "1h".
	CacheTTL string
	// MaxOutput and Window return a model's largest answer and context window
	// in tokens by its user's id; 0 is unknown. Either may be nil.
	MaxOutput func(model string) int
	Window    func(model string) int
	// Threads keeps what was encoded of conversations for later calls, also
	// those of other clients that share it; nil is the client's own.
	Threads *transcript.Threads
}

// Client is the API. It is safe for use by many goroutines.
type Client struct {
	opts Options

	mu     sync.Mutex
	models map[string]knownModel
}

type knownModel struct {
	model Model
	at    time.Time
}

// New returns a client.
func New(opts Options) (*Client, error) {
	switch {
	case opts.HTTP == nil:
		return nil, errors.New("make anthropic client: http is missing")
	case opts.CacheTTL != "" && opts.CacheTTL != ttlShort && opts.CacheTTL != ttlLong:
		return nil, fmt.Errorf("make anthropic client: cache ttl is %q, want 5m or 1h", opts.CacheTTL)
	}
	for _, beta := range opts.Betas {
		if strings.ContainsFunc(beta, func(r rune) bool { return r <= ' ' || r > '~' || r == ',' }) || beta == "" {
			return nil, fmt.Errorf("make anthropic client: beta %q is no feature name", beta)
		}
	}
	if opts.Threads == nil {
		opts.Threads = &transcript.Threads{}
	}
	return &Client{opts: opts, models: map[string]knownModel{}}, nil
}

// Stream asks the model and yields its answer. The sequence ends with
// [llm.Done], or with an error: the context's if it has ended, otherwise an
// *llm.Fault.
func (c *Client) Stream(ctx context.Context, req llm.Request) iter.Seq2[llm.Chunk, error] {
	return func(yield func(llm.Chunk, error) bool) {
		if err := c.stream(ctx, req, yield); err != nil {
			yield(nil, err)
		}
	}
}

// stream yields chunks until the answer is done or nobody listens.
func (c *Client) stream(ctx context.Context, req llm.Request, yield func(llm.Chunk, error) bool) error {
	reply, err := c.post(ctx, req)
	if err != nil {
		return err
	}
	defer reply.Close()
	d := answer.NewDecoder(req, reply.Header.Get("Request-Id"))
	if reply.JSON != nil {
		chunks, err := d.Document(reply.JSON)
		deliver(chunks, yield)
		return err
	}
	for ev, err := range reply.Events(ctx) {
		if err != nil {
			return reply.Lost(ctx, err, d.Spoken())
		}
		chunks, err := d.Event(ev)
		more := deliver(chunks, yield)
		if d.Finished() {
			reply.Drain() // so that the connection can be used again
			return nil
		}
		if !more {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return reply.Lost(ctx, nil, d.Spoken())
}

// deliver yields chunks and reports whether more are wanted.
func deliver(chunks []llm.Chunk, yield func(llm.Chunk, error) bool) bool {
	for _, chunk := range chunks {
		if !yield(chunk, nil) {
			return false
		}
	}
	return true
}

// post sends req. What cannot succeed is refused before anything is sent.
func (c *Client) post(ctx context.Context, req llm.Request) (*wire.Reply, error) {
	header, f := c.header(req.Model)
	if f == nil {
		f = refuseEffort(req)
	}
	if f != nil {
		return nil, f
	}
	thread := c.opts.Threads.Take("anthropic "+c.opts.CacheTTL, req)
	body, err := c.body(req, thread, false)
	c.opts.Threads.Put(thread)
	if err != nil {
		return nil, &llm.Fault{Class: llm.ClassInternal, Provider: Provider, Model: req.Model, Message: err.Error(), Err: err}
	}
	return wire.Post(ctx, wire.Call{
		HTTP: c.opts.HTTP, Provider: Provider, Model: req.Model,
		URL: c.url("/v1/messages"), Header: header, Body: body,
	})
}

// header returns what every request carries, or the fault of a missing key.
func (c *Client) header(model string) (http.Header, *llm.Fault) {
	h := http.Header{}
	h.Set("Anthropic-Version", apiVersion)
	if len(c.opts.Betas) > 0 {
		h.Set("Anthropic-Beta", strings.Join(c.opts.Betas, ","))
	}
	if key := value(c.opts.APIKey); key != "" {
		h.Set("X-Api-Key", key)
	} else if token := value(c.opts.AuthToken); token != "" {
		h.Set("Authorization", "Bearer "+token)
	} else {
		return nil, &llm.Fault{
			Class: llm.ClassMissingKey, Provider: Provider, Model: model,
			Message: "neither ANTHROPIC_API_KEY nor ANTHROPIC_AUTH_TOKEN is set",
		}
	}
	return h, nil
}

// value asks f and removes what may surround a key in a file.
func value(f func() string) string {
	if f == nil {
		return ""
	}
	return strings.TrimSpace(f())
}

func (c *Client) url(path string) string {
	base := value(c.opts.BaseURL)
	if base == "" {
		base = DefaultBaseURL
	}
	return wire.JoinURL(base, path)
}

// wireName is the API's name for a user's model id.
func wireName(model string) string {
	if _, name, ok := strings.Cut(model, "/"); ok {
		return name
	}
	return model
}
