package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/observer"
	"github.com/ml-intern/ml-intern/internal/engine/agent/progress"
	"github.com/ml-intern/ml-intern/internal/engine/window"
	"github.com/ml-intern/ml-intern/internal/engine/window/compact"
)

// followModel goes over to the model in force, if it is another than before.
func (a *Agent) followModel(ctx context.Context) {
	model := a.Settings().Model
	if model == a.conversation.Model() {
		return
	}
	if info, err := a.opts.Describe(ctx, model); err == nil { // else the call will report what is wrong
		a.conversation.Follow(model, info.TokenFactor)
	}
}

// compactIfNeeded shortens the history when the estimate passes the
// threshold. It reports false when the session cannot go on.
func (a *Agent) compactIfNeeded(ctx context.Context) bool {
	if !a.capacity.Crowded(ctx, a.Settings().Model, a.conversation.Meter()) {
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

// countLimit bounds how long the provider may take to count a request.
const countLimit = 5 * time.Second

// count asks the provider for the size of the next request.
func (a *Agent) count(ctx context.Context) (int, bool) {
	if a.opts.Count == nil {
		return 0, false
	}
	ctx, cancel := context.WithTimeout(ctx, countLimit)
	defer cancel()
	set := a.Settings()
	return a.opts.Count(ctx, llm.Request{
		Model: set.Model, Kind: llm.KindMain, SessionID: a.sessionID(), Messages: a.conversation.Messages(),
		Tools: a.toolbox.Specs(), Effort: set.Effort,
	})
}

// condense runs the compactor over the history.
func (a *Agent) condense(ctx context.Context, force bool) (compact.Result, error) {
	res, err := a.capacity.Condense(ctx, a.Settings().Model, a.conversation.Meter(), a.conversation.Messages(), force)
	if err == nil && res.Changed() {
		a.rewrite(ctx, "compaction", res.Messages)
	}
	return res, err
}

// overflowed reacts to a provider that found the context too long. It reports
// whether the same step is worth another try.
func (a *Agent) overflowed(ctx context.Context, f *llm.Fault) bool {
	a.turn.Forced++
	res, ok := a.capacity.Refused(ctx, a.Settings().Model, f.Limit, a.turn.Forced, a.conversation.Meter(), a.conversation.Messages())
	if !ok {
		f.Hint = "The conversation was condensed and is still too large for the provider: start a new session, or use a model with a larger context."
		return false
	}
	if res.Changed() {
		a.rewrite(ctx, "compaction", res.Messages)
	}
	a.emit(ctx, event.Compacted{OldTokens: res.OldTokens, NewTokens: res.NewTokens})
	return true
}

// summarise asks the model for a summary; the engine's tools go along so that
// the cached prefix is the same. Nobody sees its text.
func (a *Agent) summarise(ctx context.Context, messages []llm.Message, maxTokens int) (string, error) {
	quiet := observer.Quiet(func(ps ...event.Payload) { a.emit(ctx, ps...) }, a.booker(ctx))
	r, err := a.opts.Caller.Do(ctx, llm.Request{
		Model: a.Settings().Model, Kind: llm.KindCompaction, SessionID: a.sessionID(), Messages: messages, Tools: a.toolbox.Specs(),
		Choice: llm.ToolNone, Effort: llm.EffortHigh, MaxTokens: maxTokens,
	}, quiet)
	if err != nil {
		return "", err
	}
	a.account(ctx, r)
	if r.Message.Text == "" {
		return "", errors.New("the summary is empty")
	}
	return r.Message.Text, nil
}

// terminated ends a session whose fixed parts alone exceed the window.
func (a *Agent) terminated(ctx context.Context) outcome {
	size, tokens := a.capacity.Size(ctx, a.Settings().Model), a.conversation.Meter().Tokens()
	advice := "The system prompt and the first message alone do not fit this model's context. Start a new session with a shorter message, or use a model with a larger context."
	a.emit(ctx, event.SessionTerminated{
		Reason: "compaction_failed", ContextUsage: tokens, ContextThreshold: window.Threshold(size),
		Error: fmt.Sprintf("%d tokens do not fit a window of %d", tokens, size), UserMessage: advice,
	})
	a.dead = true
	return a.complete(ctx, &advice, progress.StopTerminated)
}

// compactNow is the compact operation.
func (a *Agent) compactNow(ctx context.Context) {
	a.abandon(ctx)
	a.followModel(ctx)
	res, err := a.condense(ctx, true)
	switch {
	case tool.Interrupted(ctx):
		a.emit(ctx, event.Interrupted{})
	case err != nil:
		a.opError(ctx, fmt.Sprintf("compaction failed: %v", err), "The conversation is unchanged.")
	default:
		a.emit(ctx, event.Compacted{OldTokens: res.OldTokens, NewTokens: res.NewTokens})
	}
}
