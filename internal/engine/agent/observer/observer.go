// Package observer turns what happens in a model call into events: streamed text
// without secrets, the account of a call, a failure in the words front ends
// act on. It knows neither the turn nor the history.
package observer

import (
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
)

// Filter removes secrets from text that arrives in pieces.
type Filter interface {
	Feed(delta string) string
	Flush() string
}

// Observer tells one main call while it runs.
type Observer struct {
	stream bool
	scrub  func() Filter
	emit   func(ps ...event.Payload)
	billed func(inference.Reply)
	prompt func() int

	text  Filter
	think Filter
	shown bool
}

// New returns the observer of a call. scrub may be nil; emit tells events,
// billed books what attempts have cost, and prompt estimates the request.
func New(stream bool, scrub func() Filter, emit func(ps ...event.Payload), billed func(inference.Reply), prompt func() int) *Observer {
	v := &Observer{stream: stream, scrub: scrub, emit: emit, billed: billed, prompt: prompt}
	v.reset()
	return v
}

// Quiet returns the observer of a call whose text nobody sees.
func Quiet(emit func(ps ...event.Payload), billed func(inference.Reply)) *Observer {
	return New(false, nil, func(ps ...event.Payload) {
		for _, p := range ps {
			if _, reasoning := p.(event.ReasoningChunk); !reasoning {
				emit(p)
			}
		}
	}, billed, func() int { return 0 })
}

func (v *Observer) reset() {
	v.text, v.think = passAll{}, passAll{}
	if v.scrub != nil {
		v.text, v.think = v.scrub(), v.scrub()
	}
}

// passAll is the filter of a session without secrets.
type passAll struct{}

func (passAll) Feed(s string) string { return s }
func (passAll) Flush() string        { return "" }

// Shown reports whether text stands that was not discarded.
func (v *Observer) Shown() bool { return v.shown }

// Text tells a piece of the answer.
func (v *Observer) Text(delta string) {
	if v.stream {
		v.chunk(v.text.Feed(delta))
	}
}

// Thinking tells a piece of the reasoning.
func (v *Observer) Thinking(delta string) { v.reasoning(v.think.Feed(delta)) }

func (v *Observer) chunk(s string) {
	if s != "" {
		v.shown = true
		v.emit(event.AssistantChunk{Content: s})
	}
}

func (v *Observer) reasoning(s string) {
	if s != "" {
		v.emit(event.ReasoningChunk{Content: s})
	}
}

// Flush releases what the filters held back.
func (v *Observer) Flush() {
	v.reasoning(v.think.Flush())
	if v.stream {
		v.chunk(v.text.Flush())
	}
}

// Discard voids what was told.
func (v *Observer) Discard(reason string) {
	v.reset()
	if v.shown {
		v.shown = false
		v.emit(event.StreamEnd{Discarded: true, Reason: reason})
	}
}

// Log tells a line of the engine's own.
func (v *Observer) Log(line string) { v.emit(event.ToolLog{Tool: "system", Log: line}) }

// Billed books an attempt beside the answer.
func (v *Observer) Billed(r inference.Reply) { v.billed(r) }

// Prompt is the estimated size of the request.
func (v *Observer) Prompt() int { return v.prompt() }

// Account is the telemetry of a finished call of model.
func Account(r inference.Reply, model string) event.LLMCall {
	if r.Info.ID != "" {
		model = r.Info.ID
	}
	call := event.LLMCall{
		Model: model, LatencyMS: r.Latency.Milliseconds(), FinishReason: string(r.Finish), Kind: r.Kind,
		Prompt: r.Usage.Prompt, Completion: r.Usage.Completion, Total: r.Usage.Total,
		CacheRead: r.Usage.CacheRead, CacheWrite: r.Usage.CacheWrite, Reasoning: r.Usage.Reasoning,
		Provider: r.Info.Provider, TTFTMS: r.FirstToken.Milliseconds(), Attempts: r.Attempts,
		CostSource: r.PriceSource, UsageEstimated: r.Estimated, RequestID: r.RequestID,
	}
	if r.MicroUSD != nil {
		usd := *r.MicroUSD / 1e6
		call.CostUSD = &usd
	}
	return call
}

// Error is a fault as the error event tells it.
func Error(f *llm.Fault) event.Error {
	return event.Error{
		Error: f.Error(), Code: code(f.Class), Class: string(f.Class), Hint: f.Hint, HTTPStatus: f.Status,
		Retryable: f.Retryable(), RetryAfterS: f.Wait.Seconds(), RequestID: f.RequestID,
	}
}

// code maps a class to the coarse code that front ends act on.
func code(c llm.Class) string {
	switch c {
	case llm.ClassBilling:
		return "credits"
	case llm.ClassAuth, llm.ClassPermission, llm.ClassMissingKey:
		return "auth"
	case llm.ClassRateLimit, llm.ClassOverloaded:
		return "rate_limit"
	case llm.ClassOverflow, llm.ClassMaxTokensTooLarge, llm.ClassRequestTooLarge:
		return "context"
	case llm.ClassModelNotFound, llm.ClassNotServing:
		return "model_unavailable"
	case llm.ClassTimeout, llm.ClassNetwork, llm.ClassServer:
		return "network"
	}
	return "internal"
}
