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
	"github.com/ml-intern/ml-intern/internal/engine/agent/setup"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
)

// interruptedMark follows the text of an answer that the user cut short.
const interruptedMark = "[SYSTEM: The user interrupted the answer above before it was complete.]"

// finishInterrupted is how a call finished that the user cut short.
const finishInterrupted = "interrupted"

// callModel makes one main call and tells its events.
func (w *Worker) callModel(ctx context.Context, choice llm.ToolChoice) (inference.Reply, error) {
	if w.conversation.Mend() {
		w.Tell(ctx, w.wholeHistory("repair"))
	}
	set, req := w.set(), w.request()
	req.Choice, req.LongWaits = choice, w.longWait
	v := w.observe(ctx, set.Stream)
	r, err := w.opts.Caller.Do(ctx, req, v)
	v.Flush()
	if err != nil {
		w.afterFailedCall(ctx, set, v, r)
		return r, err
	}
	if !set.Stream {
		w.announceText(ctx, r.Message.Text)
	}
	w.account(ctx, r)
	if set.Stream {
		w.Tell(ctx, event.StreamEnd{})
	}
	if r.ThinkingVoid {
		w.conversation.VoidThinking()
	}
	if r.Overflow {
		return r, &llm.Fault{
			Class: llm.ClassOverflow, Provider: r.Info.Provider, Model: set.Model,
			Text: "the model's context window is full", Used: r.Usage.Prompt,
		}
	}
	return progress.WithoutCutCalls(r), nil
}

// request is the next main call.
func (w *Worker) request() llm.Request {
	set := w.set()
	return llm.Request{
		Model: set.Model, Kind: llm.KindMain, SessionID: w.id, Messages: w.conversation.Messages(), Tools: w.toolbox.Specs(), Effort: set.Effort,
	}
}

func (w *Worker) observe(ctx context.Context, stream bool) *observer.Observer {
	return observer.New(stream, w.opts.ScrubStream, func(ps ...event.Payload) { w.Tell(ctx, ps...) }, w.booker(ctx), w.conversation.Meter().Tokens)
}

func (w *Worker) booker(ctx context.Context) func(inference.Reply) {
	return func(r inference.Reply) { w.account(ctx, r) }
}

// afterFailedCall closes the stream of a call that did not finish. The text of
// an interrupted answer stays in the history, marked so that the model knows.
// When the program itself ends nothing is told: the next run discards the rest.
func (w *Worker) afterFailedCall(ctx context.Context, set setup.Settings, v *observer.Observer, r inference.Reply) {
	switch {
	case ctx.Err() == nil:
		if v.Shown() {
			w.Tell(ctx, event.StreamEnd{Discarded: true, Reason: "error"})
		}
		return
	case !tool.Interrupted(ctx):
		return
	}
	if r.Usage.Total > 0 {
		r.Finish = finishInterrupted
		w.account(ctx, r)
	}
	if v.Shown() {
		w.Tell(ctx, event.StreamEnd{})
	}
	if r.Message.Text == "" {
		return
	}
	if !set.Stream {
		w.announceText(ctx, r.Message.Text)
	}
	w.remember(ctx, llm.Message{Role: llm.Assistant, Text: r.Message.Text})
	w.rememberSynthetic(ctx, interruptedMark)
}

// account tells what a call used and cost.
func (w *Worker) account(ctx context.Context, r inference.Reply) {
	w.lastCall = r.Kind
	w.Tell(ctx, observer.Account(r, w.set().Model), w.budget.ModelCall(r.MicroUSD, r.PriceSource))
	w.softWarning(ctx)
}

// Book tells what a call outside any turn has used. It may be called from any
// goroutine.
func (w *Worker) Book(ctx context.Context, r inference.Reply) {
	w.Append(ctx, observer.Account(r, w.set().Model), w.budget.ModelCall(r.MicroUSD, r.PriceSource))
}

// store puts a finished answer into the history and returns it as it stands
// there; the results of calls that cannot be read go with it.
func (w *Worker) store(ctx context.Context, r inference.Reply) llm.Message {
	if r.Message.Empty() {
		return r.Message
	}
	var usage *llm.Usage
	if !r.Estimated {
		usage = &r.Usage
	}
	m, ps := w.conversation.Answer(r.Message, usage)
	w.Tell(ctx, ps...)
	return m
}

// announceText tells a whole text where streaming is off, or where the engine
// itself wrote it.
func (w *Worker) announceText(ctx context.Context, text string) {
	if text != "" {
		w.Tell(ctx, event.AssistantMessage{Content: text})
	}
}

// failed handles a model call that did not succeed.
func (w *Worker) failed(ctx context.Context, err error) outcome {
	if ctx.Err() != nil {
		return goOn
	}
	var f *llm.Fault
	if !errors.As(err, &f) {
		f = &llm.Fault{Class: llm.ClassInternal, Text: err.Error(), Err: err}
	}
	switch {
	case progress.Overflow(f):
		if w.overflowed(ctx, f) {
			w.turn.Iterations--
			return goOn
		}
		if ctx.Err() != nil {
			return goOn
		}
	case f.Class == llm.ClassToolGeneration && !w.turn.ToolRetry:
		w.turn.ToolRetry = true
		w.rememberSynthetic(ctx, fmt.Sprintf("[SYSTEM: Your last tool call could not be read by the provider: %s. Write it again as valid JSON.]", f.Message))
		return goOn
	}
	w.Tell(ctx, observer.Error(f))
	if f.Err != nil {
		w.opts.Debug(fmt.Sprintf("model call: %v: %v", f, f.Err))
	}
	return ended
}
