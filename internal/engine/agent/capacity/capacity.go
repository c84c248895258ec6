// Package capacity keeps a conversation inside its model's context window: it
// knows the size of the window, learns it from refusals, and has the
// conversation condensed. Telling what was done is its owner's.
package capacity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/window"
	"github.com/ml-intern/ml-intern/internal/engine/window/compact"
)

// maxForced bounds the compactions a provider may force in one turn before
// the steps without a model are taken.
const maxForced = 2

// countLimit bounds how long the provider may take to count a request.
const countLimit = 5 * time.Second

// Options say what a Capacity works with.
type Options struct {
	Describe func(ctx context.Context, id string) (llm.Info, error)
	// Summarise asks the model for a summary of at most maxTokens.
	Summarise func(ctx context.Context, messages []llm.Message, maxTokens int) (string, error)
	Facts     func() compact.Facts
	// Count asks the provider how many tokens the next request has, where that
	// is free; ok is false where it cannot tell. It has five seconds. It may be nil.
	Count func(ctx context.Context) (tokens int, ok bool)
	// Learned are the windows that refusals have taught, by model id; nil begins
	// with none.
	Learned map[string]int
}

// Capacity is the window of a session's models; it belongs to one goroutine.
type Capacity struct{ o Options }

// New returns a Capacity.
func New(o Options) *Capacity {
	if o.Learned == nil {
		o.Learned = map[string]int{}
	}
	return &Capacity{o: o}
}

// Size is the model's window in tokens: what a refusal taught, else what is
// known about the model; 0 when nothing is known.
func (r *Capacity) Size(ctx context.Context, model string) int {
	if n := r.o.Learned[model]; n > 0 {
		return n
	}
	info, err := r.o.Describe(ctx, model)
	if err != nil {
		return 0
	}
	return info.Window
}

// Crowded reports whether the context has passed the threshold. Above four
// fifths of the window the estimate is checked with the provider.
func (r *Capacity) Crowded(ctx context.Context, model string, meter *window.Meter) bool {
	size := r.Size(ctx, model)
	if size > 0 && r.o.Count != nil && meter.Tokens()*5 > size*4 {
		ctx, cancel := context.WithTimeout(ctx, countLimit)
		defer cancel()
		if n, ok := r.o.Count(ctx); ok {
			meter.Measured(n)
		}
	}
	return size > 0 && meter.Tokens() > window.Threshold(size)
}

// Condense shortens the messages; with force in any case. Wishes say what a
// person wants the summary to keep.
func (r *Capacity) Condense(ctx context.Context, model string, meter *window.Meter, messages []llm.Message, force bool, wishes string) (compact.Result, error) {
	c, err := r.compactor(r.Size(ctx, model), meter, wishes)
	if err != nil {
		return compact.Result{}, err
	}
	return c.Run(ctx, messages, force)
}

// Refused reacts to a provider that found the context too long for the
// forced-th time in a turn. ok is false when nothing is left to try.
func (r *Capacity) Refused(ctx context.Context, model string, limit, forced int, meter *window.Meter, messages []llm.Message, wishes string) (res compact.Result, ok bool) {
	if limit > 0 {
		r.o.Learned[model] = limit
	}
	size := r.Size(ctx, model)
	if forced <= maxForced {
		meter.Overflowed(size)
		res, err := r.Condense(ctx, model, meter, messages, true, wishes)
		return res, err == nil
	}
	if limit == 0 {
		limit = size / 2
	}
	c, err := r.compactor(limit, meter, "")
	if err != nil || forced > maxForced+1 {
		return res, false
	}
	return c.RunWithoutModel(messages, window.Threshold(limit)), true
}

// Terminated tells that the fixed parts of a conversation alone exceed the window.
func (r *Capacity) Terminated(ctx context.Context, model string, meter *window.Meter) event.SessionTerminated {
	size, tokens := r.Size(ctx, model), meter.Tokens()
	return event.SessionTerminated{
		Reason: "compaction_failed", ContextUsage: tokens, ContextThreshold: window.Threshold(size),
		Error:       fmt.Sprintf("%d tokens do not fit a window of %d", tokens, size),
		UserMessage: "The system prompt and the first message alone do not fit this model's context. Start a new session with a shorter message, or use a model with a larger context.",
	}
}

func (r *Capacity) compactor(size int, meter *window.Meter, wishes string) (*compact.Compactor, error) {
	if size <= 0 {
		return nil, errors.New("the model's context window is unknown")
	}
	return compact.New(compact.Options{
		Window: size, Overhead: meter.Tools(), Estimate: meter.Message, Summarise: r.o.Summarise, Facts: r.o.Facts,
		Wishes: wishes,
	})
}
