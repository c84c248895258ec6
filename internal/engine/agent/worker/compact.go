package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/observer"
	"github.com/ml-intern/ml-intern/internal/engine/agent/progress"
	"github.com/ml-intern/ml-intern/internal/engine/window/compact"
)

// followModel goes over to the model in force, if it is another than before.
func (w *Worker) followModel(ctx context.Context) {
	model := w.set().Model
	if model == w.conversation.Model() {
		return
	}
	if info, err := w.opts.Describe(ctx, model); err == nil { // else the call will report what is wrong
		w.conversation.Follow(model, info.TokenFactor)
	}
}

// compactIfNeeded shortens the history when the estimate passes the
// threshold. It reports false when the session cannot go on.
func (w *Worker) compactIfNeeded(ctx context.Context) bool {
	if !w.capacity.Crowded(ctx, w.set().Model, w.conversation.Meter()) {
		return true
	}
	res, err := w.condense(ctx, false, "")
	if err != nil {
		return true // interrupted: the loop sees it
	}
	if res.OldTokens != res.NewTokens {
		w.Tell(ctx, event.Compacted{OldTokens: res.OldTokens, NewTokens: res.NewTokens})
	}
	return res.Fits
}

// count asks the provider for the size of the next request.
func (w *Worker) count(ctx context.Context) (int, bool) {
	if w.opts.Count == nil {
		return 0, false
	}
	return w.opts.Count(ctx, w.request())
}

// condense runs the compactor over the history.
func (w *Worker) condense(ctx context.Context, force bool, wishes string) (compact.Result, error) {
	wishes, err := w.hooks.Compact(ctx, w.teller(), force, wishes)
	if err != nil {
		return compact.Result{}, err
	}
	res, err := w.capacity.Condense(ctx, w.set().Model, w.conversation.Meter(), w.conversation.Messages(), force, wishes)
	if err == nil && res.Changed() {
		w.rewrite(ctx, "compaction", res.Messages)
	}
	return res, err
}

// overflowed reacts to a provider that found the context too long. It reports
// whether the same step is worth another try.
func (w *Worker) overflowed(ctx context.Context, f *llm.Fault) bool {
	w.turn.Forced++
	wishes, _ := w.hooks.Compact(ctx, w.teller(), false, "") // never refused
	res, ok := w.capacity.Refused(ctx, w.set().Model, f.Limit, w.turn.Forced, w.conversation.Meter(), w.conversation.Messages(), wishes)
	if !ok {
		f.Hint = "The conversation was condensed and is still too large for the provider: start a new session, or use a model with a larger context."
		return false
	}
	if res.Changed() {
		w.rewrite(ctx, "compaction", res.Messages)
	}
	w.Tell(ctx, event.Compacted{OldTokens: res.OldTokens, NewTokens: res.NewTokens})
	return true
}

// summarise asks the model for a summary; the engine's tools go along so that
// the cached prefix is the same. Nobody sees its text.
func (w *Worker) summarise(ctx context.Context, messages []llm.Message, maxTokens int) (string, error) {
	quiet := observer.Quiet(func(ps ...event.Payload) { w.Tell(ctx, ps...) }, w.booker(ctx))
	r, err := w.opts.Caller.Do(ctx, llm.Request{
		Model: w.set().Model, Kind: llm.KindCompaction, SessionID: w.id, Messages: messages, Tools: w.toolbox.Specs(),
		Choice: llm.ToolNone, Effort: llm.EffortHigh, MaxTokens: maxTokens,
	}, quiet)
	if err != nil {
		return "", err
	}
	w.account(ctx, r)
	if r.Message.Text == "" {
		return "", errors.New("the summary is empty")
	}
	return r.Message.Text, nil
}

// terminated ends a session whose fixed parts alone exceed the window.
func (w *Worker) terminated(ctx context.Context) outcome {
	over := w.capacity.Terminated(ctx, w.set().Model, w.conversation.Meter())
	w.Tell(ctx, over)
	w.dead = true
	return w.complete(ctx, &over.UserMessage, progress.StopTerminated)
}

// Compact is the compact operation.
func (w *Worker) Compact(ctx context.Context, op event.Compact) {
	w.Abandon(ctx)
	w.followModel(ctx)
	res, err := w.condense(ctx, true, op.Instructions)
	switch {
	case tool.Interrupted(ctx):
		w.Tell(ctx, event.Interrupted{})
	case err != nil:
		w.Refuse(ctx, fmt.Sprintf("compaction failed: %v", err), "The conversation is unchanged.")
	default:
		w.Tell(ctx, event.Compacted{OldTokens: res.OldTokens, NewTokens: res.NewTokens})
	}
}
