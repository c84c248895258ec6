package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/observer"
	"github.com/ml-intern/ml-intern/internal/engine/agent/progress"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
)

// interruptedMark follows the text of an answer that the user cut short.
const interruptedMark = "[SYSTEM: The user interrupted the answer above before it was complete.]"

// finishInterrupted is how a call finished that the user cut short.
const finishInterrupted = "interrupted"

// callModel makes one main call and tells its events.
func (a *Agent) callModel(ctx context.Context, choice llm.ToolChoice) (inference.Reply, error) {
	if a.conversation.Mend() {
		a.tellHistory(ctx, "repair")
	}
	set := a.Settings()
	req := llm.Request{
		Model: set.Model, Kind: llm.KindMain, SessionID: a.sessionID(), Messages: a.conversation.Messages(), Tools: a.toolbox.Specs(),
		Choice: choice, Effort: set.Effort, LongWaits: a.longWait,
	}
	v := a.observe(ctx, set.Stream)
	r, err := a.opts.Caller.Do(ctx, req, v)
	v.Flush()
	if err != nil {
		a.afterFailedCall(ctx, set, v, r)
		return r, err
	}
	if !set.Stream {
		a.announceText(ctx, r.Message.Text)
	}
	a.account(ctx, r)
	if set.Stream {
		a.emit(ctx, event.StreamEnd{})
	}
	if r.ThinkingVoid {
		a.conversation.VoidThinking()
	}
	if r.Overflow {
		return r, &llm.Fault{
			Class: llm.ClassOverflow, Provider: r.Info.Provider, Model: set.Model,
			Text: "the model's context window is full", Used: r.Usage.Prompt,
		}
	}
	return progress.WithoutCutCalls(r), nil
}

func (a *Agent) observe(ctx context.Context, stream bool) *observer.Observer {
	return observer.New(stream, a.opts.ScrubStream, func(ps ...event.Payload) { a.emit(ctx, ps...) }, a.booker(ctx), a.conversation.Meter().Tokens)
}

func (a *Agent) booker(ctx context.Context) func(inference.Reply) {
	return func(r inference.Reply) { a.account(ctx, r) }
}

// afterFailedCall closes the stream of a call that did not finish. The text of
// an interrupted answer stays in the history, marked so that the model knows.
// When the program itself ends nothing is told: the next run discards the rest.
func (a *Agent) afterFailedCall(ctx context.Context, set Settings, v *observer.Observer, r inference.Reply) {
	switch {
	case ctx.Err() == nil:
		if v.Shown() {
			a.emit(ctx, event.StreamEnd{Discarded: true, Reason: "error"})
		}
		return
	case !tool.Interrupted(ctx):
		return
	}
	if r.Usage.Total > 0 {
		r.Finish = finishInterrupted
		a.account(ctx, r)
	}
	if v.Shown() {
		a.emit(ctx, event.StreamEnd{})
	}
	if r.Message.Text == "" {
		return
	}
	if !set.Stream {
		a.announceText(ctx, r.Message.Text)
	}
	a.remember(ctx, llm.Message{Role: llm.Assistant, Text: r.Message.Text})
	a.rememberSynthetic(ctx, interruptedMark)
}

// account tells what a call used and cost.
func (a *Agent) account(ctx context.Context, r inference.Reply) {
	a.lastCall = r.Kind
	a.emit(ctx, observer.Account(r, a.Settings().Model), a.budget.ModelCall(r.MicroUSD, r.PriceSource))
	a.softWarning(ctx)
}

// store puts a finished answer into the history and returns it as it stands
// there; the results of calls that cannot be read go with it.
func (a *Agent) store(ctx context.Context, r inference.Reply) llm.Message {
	if r.Message.Empty() {
		return r.Message
	}
	var usage *llm.Usage
	if !r.Estimated {
		usage = &r.Usage
	}
	m, ps := a.conversation.Answer(r.Message, usage)
	a.emit(ctx, ps...)
	return m
}

// remember appends m to the history and tells it.
func (a *Agent) remember(ctx context.Context, m llm.Message) {
	if m.Role == llm.User && !m.Synthetic {
		a.sources.Asked()
	}
	a.emit(ctx, a.conversation.Add(m))
}

// rememberSynthetic appends a message of the engine's own, in the user's role.
func (a *Agent) rememberSynthetic(ctx context.Context, text string) {
	a.remember(ctx, llm.Message{Role: llm.User, Text: text, Synthetic: true})
}

// announceText tells a whole text where streaming is off, or where the engine
// itself wrote it.
func (a *Agent) announceText(ctx context.Context, text string) {
	if text != "" {
		a.emit(ctx, event.AssistantMessage{Content: text})
	}
}

// failed handles a model call that did not succeed.
func (a *Agent) failed(ctx context.Context, err error) outcome {
	if ctx.Err() != nil {
		return goOn
	}
	var f *llm.Fault
	if !errors.As(err, &f) {
		f = &llm.Fault{Class: llm.ClassInternal, Text: err.Error(), Err: err}
	}
	switch {
	case progress.Overflow(f):
		if a.overflowed(ctx, f) {
			a.turn.Iterations--
			return goOn
		}
		if ctx.Err() != nil {
			return goOn
		}
	case f.Class == llm.ClassToolGeneration && !a.turn.ToolRetry:
		a.turn.ToolRetry = true
		a.rememberSynthetic(ctx, fmt.Sprintf("[SYSTEM: Your last tool call could not be read by the provider: %s. Write it again as valid JSON.]", f.Message))
		return goOn
	}
	a.emit(ctx, observer.Error(f))
	if f.Err != nil {
		a.opts.Debug(fmt.Sprintf("model call: %v: %v", f, f.Err))
	}
	return ended
}
