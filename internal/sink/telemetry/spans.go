package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// mostContent bounds a text that is sent along, in characters.
const mostContent = 32_000

// Classes of failures that are no model's.
const (
	toolFailed  = "tool_error"
	interrupted = "interrupted"
)

// teller makes spans and counts of a session's events.
type teller struct {
	o        Options
	queue    *queue
	meters   meters
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	turn     *turn
	tools    map[string]*running
	chat     *chat
	// announced are the arguments of calls that have not begun, where they are
	// wanted.
	announced map[string]string
}

// turn is the turn that runs.
type turn struct {
	id           string
	ctx          context.Context
	span         trace.Span
	begun        time.Time
	calls, tools int64
}

// running is a tool call that has not ended.
type running struct {
	ctx   context.Context
	span  trace.Span
	begun time.Time
}

// chat is a model call whose answer enters the history next.
type chat struct {
	span  trace.Span
	agent string
	end   time.Time
}

func newTeller(o Options, q *queue) (*teller, error) {
	t := &teller{o: o, queue: q, tools: map[string]*running{}, announced: map[string]string{}}
	t.provider = sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(q), sdktrace.WithResource(o.Resource), sdktrace.WithIDGenerator(ids{o.SessionID}),
		sdktrace.WithSampler(sdktrace.AlwaysSample()),
	)
	t.tracer = t.provider.Tracer(instrumentingScope, trace.WithInstrumentationVersion(o.Version))
	var err error
	t.meters, err = newMeters(o)
	return t, err
}

// close ends the providers. The last metrics are sent then; what a collector does
// not take is lost, and the spans of what goes on are told by a later run.
//
// The spans have had their part of the patience since the end of the session: what
// is left of it, and a moment at least, is for the metrics.
func (t *teller) close(ctx context.Context, ended time.Time) {
	left := max(t.o.Patience-time.Since(ended), t.o.Patience/10)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), left)
	defer cancel()
	err := errors.Join(t.provider.Shutdown(ctx), t.meters.close(ctx))
	if t.o.Spans != nil {
		err = errors.Join(err, t.o.Spans.Shutdown(ctx))
	}
	if err != nil {
		t.o.Log.Warn("the last of the telemetry was not taken", "error", err)
		t.queue.warn("telemetry was not taken", err)
	}
}

// counts are those of events that were not told of before.
func (t *teller) counts() meters {
	if t.queue.seq <= t.o.After {
		return meters{}
	}
	return t.meters
}

// tell tells of one event.
func (t *teller) tell(ev event.Event) error {
	t.queue.seq = ev.Seq
	var err error
	switch ev.Type {
	case event.TypeTurnStarted:
		err = with(ev, func(p event.TurnStarted) { t.begin(ev, p) })
	case event.TypeLLMCall:
		err = with(ev, func(p event.LLMCall) { t.called(ev, p) })
	case event.TypeHistoryMessage:
		err = with(ev, func(p event.HistoryMessage) { t.message(p) })
	case event.TypeToolStarted:
		err = with(ev, func(p event.ToolStarted) { t.toolBegins(ev, p) })
	case event.TypeToolCall:
		err = with(ev, func(p event.ToolCall) { t.announce(p.ToolCallID, string(p.Arguments)) })
	case event.TypeToolOutput:
		err = with(ev, func(p event.ToolOutput) { t.toolEnds(ev, p) })
	case event.TypeApprovalRequired, event.TypeCompacted:
		if t.turn != nil {
			t.turn.span.AddEvent(string(ev.Type), trace.WithTimestamp(ev.Time))
		}
	case event.TypeTurnComplete:
		err = with(ev, func(p event.TurnComplete) { t.complete(ev, p) })
	case event.TypeError:
		if ev.TurnID != "" {
			err = with(ev, func(p event.Error) { t.end(ev, failure(p)) })
		}
	case event.TypeSessionTerminated:
		t.end(ev, "context")
	case event.TypeInterrupted:
		t.end(ev, interrupted)
	}
	return err
}

// with decodes an event and hands its data on.
func with[P event.Payload](ev event.Event, f func(P)) error {
	p, err := event.Decode[P](ev)
	if err == nil {
		f(p)
	}
	return err
}

// failure is the class of an error, a word.
func failure(p event.Error) string {
	for _, word := range []string{p.Class, p.Code} {
		if word != "" {
			return word
		}
	}
	return "_OTHER"
}

// common is what every span tells.
func (t *teller) common(operation string) []attribute.KeyValue {
	return []attribute.KeyValue{
		operationName.String(operation), conversationID.String(t.o.SessionID), agentName.String(agent), agentVersion.String(t.o.Version),
	}
}

func (t *teller) begin(ev event.Event, p event.TurnStarted) {
	t.end(ev, interrupted) // a turn that nothing has ended
	ctx := withKey(context.Background(), ev.TurnID)
	if t.o.Parent.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, t.o.Parent)
	}
	about := append(t.common(opInvokeAgent), turnNumber.String(ev.TurnID))
	if p.Model != "" {
		about = append(about, requestModel.String(p.Model))
	}
	ctx, span := t.tracer.Start(ctx, opInvokeAgent+" "+agent, trace.WithTimestamp(ev.Time), trace.WithAttributes(about...))
	t.turn = &turn{id: ev.TurnID, ctx: ctx, span: span, begun: ev.Time}
}

// around is the span that something belongs to: the call that an agent of its own
// works for, else the turn.
func (t *teller) around(agentID string) context.Context {
	if call, ok := t.tools[agentID]; ok {
		return call.ctx
	}
	if t.turn != nil {
		return t.turn.ctx
	}
	return context.Background()
}

// called tells of a model call, which ends when it is told of.
func (t *teller) called(ev event.Event, p event.LLMCall) {
	t.answered("")
	if t.turn != nil && p.AgentID == "" {
		t.turn.calls++
	}
	t.counts().call(p)
	about := append(t.common(opChat),
		providerName.String(provider(p.Provider)), requestModel.String(p.Model), callKind.String(string(p.Kind)),
		inputTokens.Int(p.Prompt), outputTokens.Int(p.Completion), cacheRead.Int(p.CacheRead), cacheCreation.Int(p.CacheWrite),
		attempts.Int(p.Attempts), costSource.String(string(p.CostSource)),
	)
	if p.FinishReason != "" {
		about = append(about, finishReasons.StringSlice([]string{p.FinishReason}))
	}
	if p.RequestID != "" {
		about = append(about, responseID.String(p.RequestID))
	}
	if p.CostUSD != nil {
		about = append(about, costUSD.Float64(*p.CostUSD))
	}
	begun := ev.Time.Add(-time.Duration(p.LatencyMS) * time.Millisecond)
	_, span := t.tracer.Start(withKey(t.around(p.AgentID), strconv.FormatInt(ev.Seq, 10)), opChat+" "+p.Model,
		trace.WithTimestamp(begun), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(about...))
	t.chat = &chat{span: span, agent: p.AgentID, end: ev.Time}
	if !t.o.Content {
		t.answered("")
	}
}

// answered ends the span of a model call with its answer.
func (t *teller) answered(text string) {
	if t.chat == nil {
		return
	}
	if text != "" {
		t.chat.span.SetAttributes(outputMessages.String(said(llm.Assistant, text)))
	}
	t.chat.span.End(trace.WithTimestamp(t.chat.end))
	t.chat = nil
}

// message adds what people and models have said, where that is wanted.
func (t *teller) message(p event.HistoryMessage) {
	switch {
	case !t.o.Content:
	case p.Message.Role == llm.Assistant && t.chat != nil && t.chat.agent == p.AgentID:
		for _, call := range p.Message.ToolCalls {
			t.announce(call.ID, call.Arguments)
		}
		t.answered(p.Message.Text)
	case p.Message.Role == llm.User && p.AgentID == "" && !p.Message.Synthetic && t.turn != nil:
		t.turn.span.SetAttributes(inputMessages.String(said(llm.User, p.Message.Text)))
	}
}

// said is a message in the form of the conventions.
func said(role llm.Role, text string) string {
	type part struct {
		Type    string `json:"type"`
		Content string `json:"content"`
	}
	raw, err := json.Marshal([]struct {
		Role  llm.Role `json:"role"`
		Parts []part   `json:"parts"`
	}{{role, []part{{"text", cut(text)}}}})
	if err != nil {
		return ""
	}
	return string(raw)
}

func (t *teller) toolBegins(ev event.Event, p event.ToolStarted) {
	if old := t.tools[p.ToolCallID]; old != nil {
		return // a call that a crash has cut short begins anew
	}
	if t.turn != nil && p.AgentID == "" {
		t.turn.tools++
	}
	about := append(t.common(opExecuteTool), toolName.String(p.Tool), toolType.String(typeFunction), toolCallID.String(p.ToolCallID))
	if arguments, ok := t.announced[p.ToolCallID]; ok {
		about = append(about, toolArguments.String(arguments))
		delete(t.announced, p.ToolCallID)
	}
	ctx, span := t.tracer.Start(withKey(t.around(p.AgentID), p.ToolCallID), opExecuteTool+" "+p.Tool,
		trace.WithTimestamp(ev.Time), trace.WithAttributes(about...))
	t.tools[p.ToolCallID] = &running{ctx: ctx, span: span, begun: ev.Time}
}

func (t *teller) announce(callID, arguments string) {
	if t.o.Content {
		t.announced[callID] = cut(arguments)
	}
}

func (t *teller) toolEnds(ev event.Event, p event.ToolOutput) {
	call := t.tools[p.ToolCallID]
	if call == nil {
		return // it was refused: nothing ran
	}
	delete(t.tools, p.ToolCallID)
	if t.o.Content {
		call.span.SetAttributes(toolResult.String(cut(p.Output)))
	}
	if !p.Success {
		call.span.SetAttributes(errorType.String(toolFailed))
		call.span.SetStatus(codes.Error, "")
	}
	call.span.End(trace.WithTimestamp(ev.Time))
	t.counts().toolCall(p.Tool, ev.Time.Sub(call.begun).Seconds(), !p.Success)
}

func (t *teller) complete(ev event.Event, p event.TurnComplete) {
	if t.turn == nil {
		return
	}
	t.turn.span.SetAttributes(stopReason.String(p.StopReason))
	if t.o.Content && p.FinalResponse != nil {
		t.turn.span.SetAttributes(outputMessages.String(said(llm.Assistant, *p.FinalResponse)))
	}
	t.end(ev, "")
}

// end ends the turn; class is why it failed, empty for a good end.
func (t *teller) end(ev event.Event, class string) {
	t.answered("")
	if t.turn == nil {
		return
	}
	for id, call := range t.tools { // what has no result does not run any more
		call.span.SetAttributes(errorType.String(interrupted))
		call.span.SetStatus(codes.Error, "")
		call.span.End(trace.WithTimestamp(ev.Time))
		delete(t.tools, id)
	}
	if class != "" {
		t.turn.span.SetAttributes(errorType.String(class))
		t.turn.span.SetStatus(codes.Error, "")
	}
	t.turn.span.End(trace.WithTimestamp(ev.Time))
	clear(t.announced)
	t.counts().turnEnd(ev.Time.Sub(t.turn.begun).Seconds(), t.turn.calls, t.turn.tools, class)
	t.turn = nil
}

// provider is the name that the conventions have for a service.
func provider(name string) string {
	switch name {
	case "hf-router":
		return "huggingface"
	case "":
		return "_OTHER"
	}
	return name
}

func cut(text string) string {
	if r := []rune(text); len(r) > mostContent {
		return excerpt.Head(text, mostContent) + " …"
	}
	return text
}
