package inference

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Limits of waiting for a provider.
const (
	// maxWait is the longest wait hint that is honoured; a longer one ends the
	// attempts.
	maxWait = 120 * time.Second
	// maxWaitTotal bounds the waiting of one call.
	maxWaitTotal = 5 * time.Minute
	// maxRestarts bounds retries after text has been shown.
	maxRestarts = 2
)

// schedule lists the waits of a class, before jitter of ten percent.
func schedule(c llm.Class) []time.Duration {
	const s = time.Second
	switch c {
	case llm.ClassNetwork, llm.ClassTimeout, llm.ClassServer:
		return []time.Duration{2 * s, 5 * s, 15 * s, 30 * s}
	case llm.ClassOverloaded:
		return []time.Duration{5 * s, 15 * s, 30 * s, 60 * s}
	case llm.ClassToolGeneration:
		return []time.Duration{0}
	case llm.ClassRateLimit:
		return []time.Duration{30 * s, 60 * s, 60 * s}
	}
	return []time.Duration{2 * s, 5 * s, 15 * s, 30 * s} // the provider itself asks to try again
}

// recover heals or waits; it reports whether the call is worth another try.
// The error is the context's, when the wait was cut short.
func (a *attempt) recover(ctx context.Context, f *llm.Fault) (bool, error) {
	if f.AfterOutput {
		if !f.Retryable() || a.restarts >= maxRestarts {
			return false, nil
		}
		a.restarts++
	}
	if a.streamed {
		a.streamed = false
		a.obs.Discard("retry")
	}
	if a.heal(ctx, f) {
		return true, ctx.Err()
	}
	if !f.Retryable() {
		return false, nil
	}
	return a.wait(ctx, f)
}

func (a *attempt) wait(ctx context.Context, f *llm.Fault) (bool, error) {
	steps := schedule(f.Class)
	limit := len(steps)
	if a.caller.opts.MaxRetries >= 0 {
		limit = a.caller.opts.MaxRetries
	}
	if a.waits >= limit {
		a.exhausted(f)
		return false, nil
	}
	step := steps[min(a.waits, len(steps)-1)]
	wait := time.Duration(float64(step) * (0.9 + 0.2*rand.Float64()))
	if f.Wait > 0 {
		if f.Wait > maxWait {
			f.Hint = fmt.Sprintf("The provider asks to wait %s: try again then, or switch models.", plainDuration(f.Wait))
			return false, nil
		}
		wait = f.Wait + time.Duration(rand.Int64N(int64(time.Second)))
	}
	if a.waited+wait > maxWaitTotal {
		a.exhausted(f)
		return false, nil
	}
	a.waits++
	a.waited += wait
	a.obs.Log(fmt.Sprintf("LLM connection error (%s from %s), retrying in %ds... (attempt %d of %d)",
		f.Class, a.info.Label, int((wait+time.Second/2)/time.Second), a.waits+1, limit+1))
	return sleep(ctx, wait)
}

// exhausted tells how long was tried.
func (a *attempt) exhausted(f *llm.Fault) {
	if a.waits > 0 {
		f.Hint = strings.TrimSpace(fmt.Sprintf("Tried %d times over %s. %s", a.waits+1, plainDuration(a.waited), f.Hint))
	}
}

func sleep(ctx context.Context, d time.Duration) (bool, error) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-t.C:
		return true, nil
	}
}

func plainDuration(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%d s", int((d+time.Second/2)/time.Second))
	}
	return fmt.Sprintf("%d s (%d min)", int((d+time.Second/2)/time.Second), int((d+time.Minute/2)/time.Minute))
}

// heal changes the request so that the complaint no longer applies. Each kind
// of heal is tried once per call and is no attempt.
func (a *attempt) heal(ctx context.Context, f *llm.Fault) bool {
	if f.Class == llm.ClassInvalidRequest {
		return a.dropParameter(f)
	}
	if a.healed[f.Class] {
		return false
	}
	a.healed[f.Class] = true
	switch f.Class {
	case llm.ClassInvalidEffort:
		a.lowerEffort(ctx, f)
	case llm.ClassNoThinking:
		a.withoutThinking(f)
	case llm.ClassThinkingSignature:
		a.req.Adjust.NoThinking, a.void = true, true
		a.obs.Log("stored reasoning was refused by the provider; asking again without it")
	case llm.ClassReasoningMissing:
		a.remember(func(adj *llm.Adjust) { adj.FillReasoning = true })
	case llm.ClassToolHistory:
		a.remember(func(adj *llm.Adjust) { adj.Rebuild = true })
	case llm.ClassMaxTokensTooLarge:
		return a.fitOutput(f)
	case llm.ClassRequestTooLarge:
		a.req.Adjust.Shrink = true
		a.obs.Log("the request is too large in bytes; asking again without old images and with shorter old outputs")
	default:
		return false
	}
	return true
}

// remember changes the adjustments of this call and of later calls of the
// same model.
func (a *attempt) remember(change func(*llm.Adjust)) {
	change(&a.req.Adjust)
	c := a.caller
	c.mu.Lock()
	defer c.mu.Unlock()
	adj := c.adjust[a.req.Model]
	change(&adj)
	c.adjust[a.req.Model] = adj
}

func (a *attempt) withoutThinking(f *llm.Fault) {
	text := strings.ToLower(f.Message)
	if strings.Contains(text, "adaptive") || strings.Contains(text, "thinking.type.enabled") {
		a.remember(func(adj *llm.Adjust) { adj.OtherThinking = true })
		return
	}
	a.caller.SetEffort(a.req.Model, llm.EffortOff)
	a.req.Effort = llm.EffortOff
	a.obs.Log(a.req.Model + " does not support thinking; reasoning effort is off for it")
}

func (a *attempt) lowerEffort(ctx context.Context, f *llm.Fault) {
	if a.req.Kind == llm.KindEffortProbe {
		return
	}
	level, ok := highestListed(a.req.Effort, f.Supported)
	if !ok || level == a.req.Effort {
		probe, err := a.caller.Probe(ctx, a.req.Model, a.req.SessionID, a.req.Effort, a.obs)
		level = probe.Effort
		if err != nil || probe.Inconclusive {
			level = llm.EffortOff
		}
	}
	a.caller.SetEffort(a.req.Model, level)
	a.obs.Log(fmt.Sprintf("%s does not take reasoning effort %q; using %s", a.req.Model, a.req.Effort, effortName(level)))
	a.req.Effort = level
}

func effortName(e llm.Effort) string {
	if e == llm.EffortOff {
		return "none"
	}
	return fmt.Sprintf("%q", e)
}

func (a *attempt) fitOutput(f *llm.Fault) bool {
	room := f.Limit - f.Used - 256
	if f.Limit == 0 || room < 1024 {
		f.Class = llm.ClassOverflow
		return false
	}
	a.req.MaxTokens = room
	return true
}

// dropParameter leaves out, from now on, a parameter the provider does not know.
func (a *attempt) dropParameter(f *llm.Fault) bool {
	name := unsupportedParameter(f)
	if name == "" || slices.Contains(a.dropped, name) {
		return false
	}
	a.dropped = append(a.dropped, name)
	a.remember(func(adj *llm.Adjust) {
		if !slices.Contains(adj.Drop, name) {
			adj.Drop = append(slices.Clone(adj.Drop), name)
		}
	})
	return true
}

// droppable are the parameters a request can do without.
var droppable = []string{
	"max_completion_tokens", "max_tokens", "temperature", "stream_options", "tool_choice", "cache_control",
	"prompt_cache_retention", "prompt_cache_key", "reasoning.summary", "parallel_tool_calls",
}

func unsupportedParameter(f *llm.Fault) string {
	if slices.Contains(droppable, f.Param) {
		return f.Param
	}
	text := strings.ToLower(f.Message)
	refused := false
	for _, word := range []string{"unsupported", "not supported", "unknown", "unrecognized", "unexpected", "not permitted", "extra inputs"} {
		refused = refused || strings.Contains(text, word)
	}
	if !refused {
		return ""
	}
	for _, name := range droppable {
		if strings.Contains(text, name) {
			return name
		}
	}
	return ""
}
