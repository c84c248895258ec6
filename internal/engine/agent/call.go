package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/guard"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
)

// interruptedMark follows the text of an answer that the user cut short.
const interruptedMark = "[SYSTEM: The user interrupted the answer above before it was complete.]"

// reply is a model's answer, ready to be stored: calls with arguments that are
// no JSON object are marked, their stored arguments replaced by {}.
type reply struct {
	inference.Reply
	malformed map[string]error // why, by call id
}

// longWait is how long a tool keeps the model waiting before the long prompt
// cache lifetime pays.
const longWait = 5 * time.Minute

// callModel makes one main call and tells its events.
func (a *Agent) callModel(ctx context.Context, choice llm.ToolChoice) (reply, error) {
	a.repair(ctx)
	set := a.Settings()
	req := llm.Request{
		Model: set.Model, Kind: llm.KindMain, SessionID: a.id, Messages: a.messages, Tools: a.specs,
		Choice: choice, Effort: set.Effort, LongWaits: a.longWait,
	}
	obs := a.observe(ctx, set.Stream)
	r, err := a.opts.Caller.Do(ctx, req, obs)
	obs.flush()
	out := reply{Reply: r}
	if err != nil {
		a.afterFailedCall(ctx, obs, r)
		return out, err
	}
	if !set.Stream {
		a.announceText(ctx, r.Message.Text)
	}
	a.account(ctx, r)
	if set.Stream {
		a.emit(ctx, event.StreamEnd{})
	}
	if r.ThinkingVoid {
		a.voidThinking()
	}
	if r.Overflow {
		return out, &llm.Fault{
			Class: llm.ClassOverflow, Provider: r.Info.Provider, Model: set.Model,
			Text: "the model's context window is full", Used: r.Usage.Prompt,
		}
	}
	out.sanitise()
	return out, nil
}

// afterFailedCall closes the stream of a call that did not finish. The text of
// an interrupted answer stays in the history, marked so that the model knows.
func (a *Agent) afterFailedCall(ctx context.Context, obs *observer, r inference.Reply) {
	if ctx.Err() == nil {
		if obs.shown {
			a.emit(ctx, event.StreamEnd{Discarded: true, Reason: "error"})
		}
		return
	}
	if r.Message.Text == "" && !obs.shown {
		return
	}
	r.Finish = "interrupted"
	a.account(ctx, r)
	if a.Settings().Stream {
		a.emit(ctx, event.StreamEnd{})
	}
	if errors.Is(context.Cause(ctx), errInterrupt) && r.Message.Text != "" {
		a.remember(ctx, llm.Message{Role: llm.Assistant, Text: r.Message.Text})
		a.rememberSynthetic(ctx, interruptedMark)
	}
}

// sanitise gives every call a usable id and JSON object arguments.
func (r *reply) sanitise() {
	r.malformed = map[string]error{}
	for i := range r.Message.ToolCalls {
		c := &r.Message.ToolCalls[i]
		args, err := guard.Arguments(c.Arguments)
		if err != nil {
			r.malformed[c.ID] = err
			args = []byte("{}")
		}
		c.Arguments = string(args)
	}
}

// account tells what a call used and cost.
func (a *Agent) account(ctx context.Context, r inference.Reply) {
	a.calls++
	set := a.Settings()
	model := r.Info.ID
	if model == "" {
		model = set.Model
	}
	call := event.LLMCall{
		Model: model, LatencyMS: r.Latency.Milliseconds(), FinishReason: string(r.Finish), Kind: r.Kind,
		Prompt: r.Usage.Prompt, Completion: r.Usage.Completion, Total: r.Usage.Total,
		CacheRead: r.Usage.CacheRead, CacheWrite: r.Usage.CacheWrite, Reasoning: r.Usage.Reasoning,
		Provider: r.Info.Provider, TTFTMS: r.FirstToken.Milliseconds(), Attempts: r.Attempts,
		CostSource: r.PriceSource, UsageEstimated: r.Estimated, RequestID: r.RequestID,
	}
	spend := event.Spend{
		ID: fmt.Sprintf("llm_%d", a.calls), Kind: event.SpendLLM, State: event.SpendSettled,
		PriceSource: string(r.PriceSource),
	}
	if r.MicroUSD != nil {
		usd := *r.MicroUSD / 1e6
		micro := int64(*r.MicroUSD + 0.5)
		call.CostUSD, spend.MicroUSD = &usd, &micro
	}
	a.mu.Lock()
	a.ledger.Apply(spend)
	a.mu.Unlock()
	a.emit(ctx, call, spend)
	a.softWarning(ctx)
}

// store puts a finished answer into the history; the results of malformed
// calls go with it.
func (a *Agent) store(ctx context.Context, r reply) {
	if r.Message.Empty() {
		return
	}
	m := r.Message
	m.Role = llm.Assistant
	m.ToolCalls = uniqueIDs(m.ToolCalls, r.malformed, a.usedIDs())
	var usage *llm.Usage
	if !r.Estimated {
		usage = &r.Usage
	}
	a.meter.Answered(usage, m)
	ps := []event.Payload{a.enter(m)}
	for _, c := range m.ToolCalls {
		why := r.malformed[c.ID]
		if why == nil {
			continue
		}
		text := guard.MalformedResult(c.Name, why)
		a.add(llm.Message{Role: llm.ToolRole, ToolCallID: c.ID, Name: c.Name, Text: text})
		ps = append(ps,
			event.ToolCall{Tool: c.Name, Arguments: []byte("{}"), ToolCallID: c.ID},
			event.ToolOutput{Tool: c.Name, ToolCallID: c.ID, Output: text})
	}
	a.emit(ctx, ps...)
}

// uniqueIDs replaces missing and repeated call ids.
func uniqueIDs(calls []llm.ToolCall, malformed map[string]error, used map[string]bool) []llm.ToolCall {
	for i := range calls {
		id := calls[i].ID
		for n := len(used) + i + 1; calls[i].ID == "" || used[calls[i].ID]; n++ {
			calls[i].ID = fmt.Sprintf("call_%d", n)
		}
		if why := malformed[id]; calls[i].ID != id && why != nil {
			malformed[calls[i].ID] = why
		}
		used[calls[i].ID] = true
	}
	return calls
}

// usedIDs are the call ids of the history's last messages: providers count
// their ids up, so an old one does not come back by accident.
func (a *Agent) usedIDs() map[string]bool {
	used := map[string]bool{}
	for i := len(a.messages) - 1; i >= 0 && i >= len(a.messages)-200; i-- {
		for _, c := range a.messages[i].ToolCalls {
			used[c.ID] = true
		}
	}
	return used
}

// add appends m to the history and returns the event that tells it.
func (a *Agent) add(m llm.Message) event.HistoryMessage {
	a.meter.Add(m)
	return a.enter(m)
}

// enter is add for a message the meter knows already.
func (a *Agent) enter(m llm.Message) event.HistoryMessage {
	if m.Timestamp == "" {
		m.Timestamp = time.Now().UTC().Format(time.RFC3339)
	}
	a.messages = append(a.messages, m)
	a.nextMsg++
	return event.HistoryMessage{MessageID: fmt.Sprintf("msg_%d", a.nextMsg), Message: m}
}

// remember appends m to the history and tells it.
func (a *Agent) remember(ctx context.Context, m llm.Message) { a.emit(ctx, a.add(m)) }

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

// voidThinking removes stored reasoning that a provider refused from what will
// be sent. The journal keeps it.
func (a *Agent) voidThinking() {
	for i := range a.messages {
		a.messages[i].ThinkingBlocks = nil
	}
}

// failed handles a model call that did not succeed.
func (a *Agent) failed(ctx context.Context, err error, _ reply) outcome {
	if ctx.Err() != nil {
		return goOn
	}
	var f *llm.Fault
	if !errors.As(err, &f) {
		f = &llm.Fault{Class: llm.ClassInternal, Text: err.Error(), Err: err}
	}
	switch {
	case overflow(f):
		if a.overflowed(ctx, f) {
			a.turn.iterations--
			return goOn
		}
	case f.Class == llm.ClassToolGeneration && !a.turn.toolRetry:
		a.turn.toolRetry = true
		a.rememberSynthetic(ctx, fmt.Sprintf("[SYSTEM: Your last tool call could not be read by the provider: %s. Write it again as valid JSON.]", f.Message))
		return goOn
	}
	a.emit(ctx, errorEvent(f))
	return ended
}

func overflow(f *llm.Fault) bool {
	return f.Class == llm.ClassOverflow || f.Class == llm.ClassRequestTooLarge || f.Class == llm.ClassMaxTokensTooLarge
}

// errorEvent is a fault as the error event tells it.
func errorEvent(f *llm.Fault) event.Error {
	return event.Error{
		Error: f.Error(), Code: errorCode(f.Class), Class: string(f.Class), Hint: f.Hint, HTTPStatus: f.Status,
		Retryable: f.Retryable(), RetryAfterS: f.Wait.Seconds(), RequestID: f.RequestID,
	}
}

// errorCode maps a class to the coarse code that front ends act on.
func errorCode(c llm.Class) string {
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

// observer turns what a call does into events.
type observer struct {
	agent  *Agent
	ctx    context.Context
	stream bool
	text   StreamFilter
	think  StreamFilter
	shown  bool
}

func (a *Agent) observe(ctx context.Context, stream bool) *observer {
	o := &observer{agent: a, ctx: ctx, stream: stream}
	o.reset()
	return o
}

func (o *observer) reset() {
	o.text, o.think = StreamFilter(passAll{}), StreamFilter(passAll{})
	if scrub := o.agent.opts.ScrubStream; scrub != nil {
		o.text, o.think = scrub(), scrub()
	}
}

// passAll is the filter of an agent without secrets.
type passAll struct{}

func (passAll) Feed(s string) string { return s }
func (passAll) Flush() string        { return "" }

func (o *observer) Text(delta string) {
	if o.stream {
		o.chunk(o.text.Feed(delta))
	}
}

func (o *observer) Thinking(delta string) { o.reasoning(o.think.Feed(delta)) }

func (o *observer) chunk(s string) {
	if s != "" {
		o.shown = true
		o.agent.emit(o.ctx, event.AssistantChunk{Content: s})
	}
}

func (o *observer) reasoning(s string) {
	if s != "" {
		o.agent.emit(o.ctx, event.ReasoningChunk{Content: s})
	}
}

// flush releases what the filters held back.
func (o *observer) flush() {
	o.reasoning(o.think.Flush())
	if o.stream {
		o.chunk(o.text.Flush())
	}
}

func (o *observer) Discard(reason string) {
	o.reset()
	if o.shown {
		o.shown = false
		o.agent.emit(o.ctx, event.StreamEnd{Discarded: true, Reason: reason})
	}
}

func (o *observer) Log(line string) { o.agent.note(o.ctx, line) }

func (o *observer) Billed(r inference.Reply) { o.agent.account(o.ctx, r) }

// trimmed is s without surrounding blanks, at most n characters.
func trimmed(s string, n int) string {
	r := []rune(strings.TrimSpace(s))
	if len(r) > n {
		return string(r[:n]) + "…"
	}
	return string(r)
}
