// Package inference makes one model call succeed if it can: it opens the
// stream, waits and retries when waiting helps, heals what a provider
// complains about, counts tokens and money, and finds out which reasoning
// effort a model takes. It knows neither tools nor sessions nor any provider's
// wire format; failures arrive sorted as llm.Fault.
package inference

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Model streams one answer. A stream ends with llm.Done, an *llm.Fault, or the
// context's error.
type Model interface {
	Stream(ctx context.Context, req llm.Request) iter.Seq2[llm.Chunk, error]
}

// Observer sees a call while it runs. Its methods are called from the
// goroutine that called Do.
type Observer interface {
	// Text and Thinking receive what the model streams.
	Text(delta string)
	Thinking(delta string)
	// Discard voids everything streamed so far; reason is "retry" or "restart".
	Discard(reason string)
	// Log is one line for people: a wait, a heal.
	Log(line string)
	// Prompt estimates the tokens of the request, 0 to have them counted: the
	// owner of a long conversation knows without reading all of it again.
	Prompt() int
	// Billed reports a call beside the answer that cost something: a failed or
	// repeated attempt (Finish tells), or a probe (Kind tells).
	Billed(r Reply)
}

// CallTimeout bounds one attempt of a model call, streaming included;
// ResearchTimeout one of a sub-agent's, for which another agent waits.
const (
	CallTimeout     = 60 * time.Minute
	ResearchTimeout = 2 * time.Minute
)

// Options configure a Caller.
type Options struct {
	Model Model
	// Describe tells what is known about a model, without waiting for the
	// network when it can.
	Describe func(ctx context.Context, id string) (llm.Info, error)
	// Estimate counts the tokens of a text.
	Estimate func(text string) int
	// MaxRetries bounds the attempts after the first; negative takes the
	// length of each class's schedule.
	MaxRetries int
}

// Caller makes model calls for one session and remembers what it learned about
// each model. It is safe for concurrent use.
type Caller struct {
	opts Options

	mu      sync.Mutex
	adjust  map[string]llm.Adjust // by model id
	efforts map[string]llm.Effort // by model id: what the model takes, EffortOff for none
}

// New returns a Caller.
func New(o Options) *Caller {
	return &Caller{
		opts: o, adjust: map[string]llm.Adjust{}, efforts: map[string]llm.Effort{},
	}
}

// Reply is a finished (or, with an error, a partial) answer and its accounts.
type Reply struct {
	Kind        llm.Kind
	Message     llm.Message
	Finish      llm.Finish
	Cut         []string // tools whose calls were cut off
	Explanation string
	// Overflow says that the context is full although no error told so.
	Overflow bool
	// ThinkingVoid says that the provider refused stored reasoning: it must
	// not be sent again.
	ThinkingVoid bool

	Usage     llm.Usage
	Estimated bool // Usage is our estimate
	// MicroUSD is the cost in millionths of a dollar, nil when unknown.
	MicroUSD    *float64
	PriceSource llm.PriceSource
	Info        llm.Info
	Latency     time.Duration
	FirstToken  time.Duration
	Attempts    int
	RequestID   string
}

// attempt is the state of one Do.
type attempt struct {
	caller   *Caller
	req      llm.Request
	info     llm.Info
	obs      Observer
	healed   map[llm.Class]bool
	dropped  []string
	waits    int
	waited   time.Duration
	restarts int // retries after visible text
	pauses   int
	started  time.Time
	prefix   string // text of paused parts
	streamed bool   // the attempt that failed had begun to speak
	void     bool   // stored thinking was refused
	widened  bool   // the output limit was doubled
}

// Do makes one call. The effort in req is the user's wish; what the model is
// known to take replaces it. A cancelled context returns the partial reply and
// the context's error; every other failure is an *llm.Fault.
func (c *Caller) Do(ctx context.Context, req llm.Request, obs Observer) (Reply, error) {
	info, err := c.opts.Describe(ctx, req.Model)
	if err != nil {
		return Reply{Info: info}, err
	}
	a := &attempt{caller: c, req: req, info: info, obs: obs, healed: map[llm.Class]bool{}, started: time.Now()}
	c.prepare(&a.req)
	for n := 1; ; n++ {
		reply, err := a.once(ctx)
		reply.Attempts, reply.Latency, reply.ThinkingVoid = n, time.Since(a.started), a.void
		if err == nil {
			if again := a.again(reply); again {
				continue
			}
			reply.Message.Text = a.prefix + reply.Message.Text
			return reply, nil
		}
		if ctx.Err() != nil {
			return reply, ctx.Err()
		}
		var f *llm.Fault
		if !errors.As(err, &f) {
			f = &llm.Fault{Class: llm.ClassInternal, Provider: info.Provider, Model: req.Model, Message: err.Error(), Err: err}
		}
		if reply.Usage.Total > 0 && !reply.Estimated {
			reply.Finish = llm.FinishError
			a.obs.Billed(reply)
		}
		ok, err := a.recover(ctx, f)
		if err != nil { // nothing of the failed attempt counts any more
			return Reply{Kind: reply.Kind, Info: info, Attempts: n}, err
		}
		if !ok {
			return reply, f
		}
	}
}

// prepare applies what earlier calls learned about the model.
func (c *Caller) prepare(req *llm.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	req.Adjust = c.adjust[req.Model]
	req.Adjust.Drop = slices.Clone(req.Adjust.Drop)
	level, known := c.efforts[req.Model]
	if !known || req.Kind == llm.KindEffortProbe {
		return
	}
	if req.Kind == llm.KindResearch && slices.Index(llm.Efforts(), level) > slices.Index(llm.Efforts(), req.Effort) {
		return // a sub-agent thinks less than its model could
	}
	req.Effort = level
}

// once opens one stream and reads it to its end.
func (a *attempt) once(ctx context.Context) (Reply, error) {
	limit := CallTimeout
	if a.req.Kind == llm.KindResearch {
		limit = ResearchTimeout
	}
	callCtx, cancel := context.WithTimeoutCause(ctx, limit, errCallTimeout)
	defer cancel()
	begun := time.Now()
	reply := Reply{Kind: a.req.Kind, Info: a.info}
	var text, thinking strings.Builder
	visible := false
	for chunk, err := range a.caller.opts.Model.Stream(callCtx, a.req) {
		if err != nil {
			a.partial(&reply, text.String(), thinking.String())
			return reply, a.failure(callCtx, err, visible)
		}
		switch ch := chunk.(type) {
		case llm.Begun:
			reply.RequestID = ch.RequestID
			if ch.Usage != nil {
				reply.Usage = *ch.Usage
			}
		case llm.Text:
			a.firstToken(&reply, begun)
			visible = true
			text.WriteString(ch.Delta)
			a.obs.Text(ch.Delta)
		case llm.Thinking:
			a.firstToken(&reply, begun)
			thinking.WriteString(ch.Delta)
			a.obs.Thinking(ch.Delta)
		case llm.Restart:
			if visible || thinking.Len() > 0 {
				a.obs.Discard("restart")
			}
			text.Reset()
			thinking.Reset()
			visible = false
		case llm.Done:
			a.finish(&reply, ch, text.String()+thinking.String())
			return reply, nil
		}
	}
	err := ctx.Err()
	if err == nil {
		err = &llm.Fault{
			Class: llm.ClassNetwork, Provider: a.info.Provider, Model: a.req.Model,
			Message: "the stream ended without an end marker", AfterOutput: visible,
		}
	}
	a.partial(&reply, text.String(), thinking.String())
	return reply, err
}

// partial fills in what there is of an answer that did not end. What it cost
// is estimated only where the model had begun to speak.
func (a *attempt) partial(reply *Reply, text, thinking string) {
	reply.Message = llm.Message{Role: llm.Assistant, Text: a.prefix + text}
	if reply.Usage != (llm.Usage{}) || text != "" || thinking != "" {
		a.account(reply, nil, text+thinking)
	}
	a.streamed = text != "" || thinking != ""
}

var errCallTimeout = errors.New("the model call took longer than it may")

// failure turns the deadline of a whole call into a fault and marks faults
// that came after visible text.
func (a *attempt) failure(ctx context.Context, err error, visible bool) error {
	if errors.Is(context.Cause(ctx), errCallTimeout) {
		return &llm.Fault{
			Class: llm.ClassTimeout, Provider: a.info.Provider, Model: a.req.Model,
			Message: errCallTimeout.Error(), AfterOutput: visible, Err: err,
		}
	}
	var f *llm.Fault
	if errors.As(err, &f) && visible {
		f.AfterOutput = true
	}
	return err
}

func (a *attempt) firstToken(reply *Reply, begun time.Time) {
	if reply.FirstToken == 0 {
		reply.FirstToken = max(1, time.Since(begun))
	}
}

func (a *attempt) finish(reply *Reply, done llm.Done, streamed string) {
	reply.Message, reply.Finish, reply.Cut = done.Message, done.Finish, done.Cut
	reply.Explanation = done.Explanation
	if done.RequestID != "" {
		reply.RequestID = done.RequestID
	}
	if done.Usage != nil {
		reply.Usage = *done.Usage
	}
	a.account(reply, done.CostUSD, streamed)
	reply.Overflow = done.Overflow || a.silentOverflow(*reply)
}

// silentOverflow recognises a context that overflowed without an error.
func (a *attempt) silentOverflow(r Reply) bool {
	w := a.info.Window
	switch {
	case w <= 0 || !r.Message.Empty():
		return false
	case r.Usage.Prompt > w:
		return true
	case r.Finish == llm.FinishLength && r.Usage.Completion == 0 && r.Usage.Prompt*100 >= w*99:
		return true
	}
	return a.info.Local && r.Usage.Prompt*10 >= w*9
}

// again reports whether a finished answer asks for another call at once: a
// paused turn, or an answer whose whole allowance went into reasoning.
func (a *attempt) again(r Reply) bool {
	if r.Finish == llm.FinishPause && a.pauses < 5 {
		a.pauses++
		a.prefix += r.Message.Text
		a.req.Messages = append(slices.Clip(a.req.Messages), r.Message)
		a.obs.Billed(r)
		return true
	}
	onlyThinking := r.Finish == llm.FinishLength && r.Message.Empty() && len(r.Cut) == 0 && !r.Overflow
	if onlyThinking && !a.widened {
		a.widened = true
		a.req.MaxTokens = 2 * max(a.req.MaxTokens, r.Usage.Completion, 4096)
		if a.info.MaxOutput > 0 {
			a.req.MaxTokens = min(a.req.MaxTokens, a.info.MaxOutput)
		}
		a.obs.Billed(r)
		a.obs.Log("the answer limit was used up by reasoning; asking again with a larger limit")
		return true
	}
	return false
}

// account fills in usage (estimated when the provider gave none) and cost.
func (a *attempt) account(r *Reply, reported *float64, streamed string) {
	if r.Usage == (llm.Usage{}) {
		r.Estimated = true
		if r.Usage.Prompt = a.obs.Prompt(); r.Usage.Prompt <= 0 {
			r.Usage.Prompt = a.estimatePrompt()
		}
		r.Usage.Completion = a.caller.opts.Estimate(streamed)
	}
	if r.Usage.Total == 0 {
		r.Usage.Total = r.Usage.Prompt + r.Usage.Completion
	}
	switch {
	case reported != nil:
		micro := *reported * 1e6
		r.MicroUSD, r.PriceSource = &micro, llm.PriceProvider
	case a.info.Local:
		free := 0.0
		r.MicroUSD, r.PriceSource = &free, llm.PriceLocal
	case a.info.Prices != nil:
		micro := a.info.Prices.Cost(r.Usage)
		r.MicroUSD, r.PriceSource = &micro, a.info.PriceSource
	default:
		r.PriceSource = llm.PriceUnknown
	}
}

func (a *attempt) estimatePrompt() int {
	n := 0
	for _, m := range a.req.Messages {
		n += a.caller.opts.Estimate(m.PlainText()) + 4
		for _, c := range m.ToolCalls {
			n += a.caller.opts.Estimate(c.Arguments) + 12
		}
	}
	for _, t := range a.req.Tools {
		n += a.caller.opts.Estimate(t.Description) + a.caller.opts.Estimate(string(t.Parameters)) + 20
	}
	return n
}
