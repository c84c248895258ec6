package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
	"github.com/ml-intern/ml-intern/internal/engine/window"
	"github.com/ml-intern/ml-intern/internal/engine/window/compact"
)

// maxForced bounds the compactions a provider may force in one turn before
// the steps without a model are taken.
const maxForced = 2

// followModel goes over to the model in force, if it is another than before.
func (a *Agent) followModel(ctx context.Context) {
	model := a.Settings().Model
	if model == a.talk.Model() {
		return
	}
	info, err := a.opts.Describe(ctx, model)
	if err != nil {
		return // the call itself will report what is wrong
	}
	a.talk.Follow(model, info.TokenFactor)
}

// windowSize is the model's window: what a provider's refusal taught, else
// what is known about the model.
func (a *Agent) windowSize(ctx context.Context) int {
	model := a.Settings().Model
	if n := a.window[model]; n > 0 {
		return n
	}
	info, err := a.opts.Describe(ctx, model)
	if err != nil {
		return 0
	}
	return info.Window
}

// compactIfNeeded shortens the history when the estimate passes the
// threshold. It reports false when the session cannot go on.
func (a *Agent) compactIfNeeded(ctx context.Context) bool {
	size := a.windowSize(ctx)
	if size <= 0 || a.talk.Meter().Tokens() <= window.Threshold(size) {
		return true
	}
	res, err := a.condense(ctx, false)
	if err != nil {
		return true // interrupted: the loop sees it
	}
	if res.OldTokens != res.NewTokens {
		a.emit(ctx, event.Compacted{OldTokens: res.OldTokens, NewTokens: res.NewTokens})
	}
	return res.Fits
}

// overflowed reacts to a provider that found the context too long. It reports
// whether the same step is worth another try.
func (a *Agent) overflowed(ctx context.Context, f *llm.Fault) bool {
	model := a.Settings().Model
	if f.Limit > 0 {
		a.window[model] = f.Limit
	}
	a.turn.forced++
	size := a.windowSize(ctx)
	switch {
	case a.turn.forced <= maxForced:
		a.talk.Meter().Overflowed(size)
		res, err := a.condense(ctx, true)
		if err != nil {
			return false
		}
		a.emit(ctx, event.Compacted{OldTokens: res.OldTokens, NewTokens: res.NewTokens})
		return true
	case a.turn.forced == maxForced+1:
		limit := f.Limit
		if limit == 0 {
			limit = size / 2
		}
		c, err := a.compactor(ctx, limit)
		if err != nil {
			return false
		}
		res := c.RunWithoutModel(a.talk.Messages(), window.Threshold(limit))
		a.rewrite(ctx, "compaction", res.Messages)
		a.emit(ctx, event.Compacted{OldTokens: res.OldTokens, NewTokens: res.NewTokens})
		return true
	}
	f.Hint = "The conversation was condensed three times and is still too large for the provider: start a new session, or use a model with a larger context."
	return false
}

// condense runs the compactor over the history.
func (a *Agent) condense(ctx context.Context, force bool) (compact.Result, error) {
	c, err := a.compactor(ctx, a.windowSize(ctx))
	if err != nil {
		return compact.Result{}, err
	}
	res, err := c.Run(ctx, a.talk.Messages(), force)
	if err != nil {
		return res, err
	}
	if res.Changed() {
		a.rewrite(ctx, "compaction", res.Messages)
	}
	return res, nil
}

func (a *Agent) compactor(ctx context.Context, size int) (*compact.Compactor, error) {
	if size <= 0 {
		return nil, errors.New("the model's context window is unknown")
	}
	return compact.New(compact.Options{
		Window: size, Overhead: a.talk.Meter().Tools(), Estimate: a.talk.Meter().Message,
		Summarise: a.summarise,
		Facts:     func() compact.Facts { return compact.Facts{Plan: a.currentPlan()} },
	})
}

// summarise asks the model for a summary; the engine's tools go along so that
// the cached prefix is the same.
func (a *Agent) summarise(ctx context.Context, messages []llm.Message, maxTokens int) (string, error) {
	set := a.Settings()
	r, err := a.opts.Caller.Do(ctx, llm.Request{
		Model: set.Model, Kind: llm.KindCompaction, SessionID: a.sessionID(), Messages: messages, Tools: a.hands.Specs(),
		Choice: llm.ToolNone, Effort: llm.EffortHigh, MaxTokens: maxTokens,
	}, quietly{a, ctx})
	if err != nil {
		return "", err
	}
	a.account(ctx, r)
	if r.Message.Text == "" {
		return "", errors.New("the summary is empty")
	}
	return r.Message.Text, nil
}

// quietly observes a call whose text nobody sees.
type quietly struct {
	agent *Agent
	ctx   context.Context
}

func (quietly) Text(string)       {}
func (quietly) Thinking(string)   {}
func (quietly) Discard(string)    {}
func (q quietly) Log(line string) { q.agent.note(q.ctx, line) }

// terminated ends a session whose fixed parts alone exceed the window.
func (a *Agent) terminated(ctx context.Context) outcome {
	size := a.windowSize(ctx)
	const advice = "The system prompt and the first message alone do not fit this model's context. Start a new session with a shorter message, or use a model with a larger context."
	a.emit(ctx, event.SessionTerminated{
		Reason: "compaction_failed", ContextUsage: a.talk.Meter().Tokens(), ContextThreshold: window.Threshold(size),
		Error:       fmt.Sprintf("%d tokens do not fit a window of %d", a.talk.Meter().Tokens(), size),
		UserMessage: advice,
	})
	a.dead = true
	text := advice
	return a.complete(ctx, &text, stopTerminated)
}

// Billed accounts for attempts beside the summary.
func (q quietly) Billed(r inference.Reply) { q.agent.account(q.ctx, r) }
