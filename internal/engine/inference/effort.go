package inference

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// probeTimeout bounds one attempt of a probe.
const probeTimeout = 15 * time.Second

// Cascade lists the levels to try for a preference, the preference first.
func Cascade(preference llm.Effort) []llm.Effort {
	if preference == llm.EffortMinimal {
		return []llm.Effort{llm.EffortMinimal, llm.EffortLow}
	}
	levels := llm.Efforts()[1:] // low … max
	at := slices.Index(levels, preference)
	if at < 0 {
		return []llm.Effort{preference}
	}
	down := slices.Clone(levels[:at+1])
	slices.Reverse(down)
	return down
}

// highestListed returns the highest level of supported that does not exceed
// the preference.
func highestListed(preference llm.Effort, supported []llm.Effort) (llm.Effort, bool) {
	for _, level := range Cascade(preference) {
		if slices.Contains(supported, level) {
			return level, true
		}
	}
	return llm.EffortOff, false
}

// Probe is what a model answered to a reasoning effort.
type Probe struct {
	// Effort is the level the model takes, EffortOff for none.
	Effort llm.Effort
	// Inconclusive means that the provider could not be asked just now.
	Inconclusive bool
	// Note is a line for people, when the level is not the preference.
	Note    string
	Elapsed time.Duration
}

// Probe finds the highest level, down from preference, that the model accepts,
// with one tiny request a level, and remembers it. Failures that no lower
// level can mend come back as *llm.Fault.
func (c *Caller) Probe(ctx context.Context, model, session string, preference llm.Effort, obs Observer) (Probe, error) {
	if preference == llm.EffortOff {
		return Probe{}, nil
	}
	begun := time.Now()
	levels := Cascade(preference)
	for i := 0; i < len(levels); i++ {
		fault, err := c.probeOnce(ctx, model, session, levels[i], obs)
		switch {
		case err != nil:
			return Probe{}, err
		case fault == nil:
			c.SetEffort(model, levels[i])
			p := Probe{Effort: levels[i], Elapsed: time.Since(begun)}
			if levels[i] != preference {
				p.Note = string(preference) + " is not accepted; using " + string(levels[i])
			}
			return p, nil
		case fault.Class == llm.ClassNoThinking:
			c.SetEffort(model, llm.EffortOff)
			return Probe{Note: "the model does not think; effort is off", Elapsed: time.Since(begun)}, nil
		case fault.Class == llm.ClassInvalidEffort:
			listed, ok := highestListed(preference, fault.Supported)
			if ok && !slices.Contains(levels[:i+1], listed) {
				levels = append(levels[:i+1], listed)
			}
		case fault.Class.Transient():
			c.ForgetEffort(model)
			return Probe{Effort: preference, Inconclusive: true, Elapsed: time.Since(begun)}, nil
		default:
			return Probe{}, fault
		}
	}
	c.SetEffort(model, llm.EffortOff)
	return Probe{Note: "no effort level is accepted; effort is off", Elapsed: time.Since(begun)}, nil
}

// probeOnce asks once; a fault is the provider's answer, an error the
// context's.
func (c *Caller) probeOnce(ctx context.Context, model, session string, level llm.Effort, obs Observer) (*llm.Fault, error) {
	callCtx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	info, err := c.opts.Describe(callCtx, model)
	if err != nil {
		return asFault(err), nil
	}
	a := &attempt{
		caller: c, info: info, obs: silent{}, started: time.Now(), healed: map[llm.Class]bool{},
		req: llm.Request{
			Model: model, Kind: llm.KindEffortProbe, SessionID: session, Effort: level, Strict: true, MaxTokens: 64,
			Messages: []llm.Message{{Role: llm.User, Text: "ping"}},
		},
	}
	c.prepare(&a.req)
	reply, err := a.once(callCtx)
	reply.Attempts, reply.Latency = 1, time.Since(a.started)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err == nil {
		obs.Billed(reply)
		return nil, nil
	}
	if callCtx.Err() != nil {
		return &llm.Fault{Class: llm.ClassTimeout, Provider: info.Provider, Model: model, Message: "no answer within 15 s"}, nil
	}
	return asFault(err), nil
}

func asFault(err error) *llm.Fault {
	var f *llm.Fault
	if errors.As(err, &f) {
		return f
	}
	return &llm.Fault{Class: llm.ClassInternal, Message: err.Error(), Err: err}
}

// SetEffort records what a model takes.
func (c *Caller) SetEffort(model string, level llm.Effort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.efforts[model] = level
}

// ForgetEffort removes what is known about one model.
func (c *Caller) ForgetEffort(model string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.efforts, model)
}

// ForgetEfforts removes what is known about all models: the preference changed.
func (c *Caller) ForgetEfforts() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.efforts)
}

// Effort returns the level a model is known to take.
func (c *Caller) Effort(model string) (llm.Effort, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	level, known := c.efforts[model]
	return level, known
}

// silent observes nothing.
type silent struct{}

func (silent) Text(string)     {}
func (silent) Thinking(string) {}
func (silent) Discard(string)  {}
func (silent) Log(string)      {}
func (silent) Prompt() int     { return 0 }
func (silent) Billed(Reply)    {}
