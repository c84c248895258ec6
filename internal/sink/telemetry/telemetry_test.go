package telemetry_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
	"github.com/ml-intern/ml-intern/internal/sink/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const session = "11111111-2222-4333-8444-555555555555"

// collector takes spans; fail says what it answers before it takes them.
type collector struct {
	mu    sync.Mutex
	spans []sdktrace.ReadOnlySpan
	asked int
	fail  func(ctx context.Context, try int) error
}

func (c *collector) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	c.mu.Lock()
	c.asked++
	try := c.asked
	c.mu.Unlock()
	if c.fail != nil {
		if err := c.fail(ctx, try); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spans = append(c.spans, spans...)
	return nil
}

func (c *collector) Shutdown(context.Context) error { return nil }

// names are the names of the spans, in the order they came.
func (c *collector) names() []string {
	var out []string
	for _, s := range c.spans {
		out = append(out, s.Name())
	}
	return out
}

func (c *collector) span(t *testing.T, name string) sdktrace.ReadOnlySpan {
	t.Helper()
	for _, s := range c.spans {
		if s.Name() == name {
			return s
		}
	}
	t.Fatalf("there is no span %q in %q", name, c.names())
	return nil
}

func attributes(s sdktrace.ReadOnlySpan) map[string]string {
	out := map[string]string{}
	for _, a := range s.Attributes() {
		out[string(a.Key)] = a.Value.String()
	}
	return out
}

// entry is an event of a turn, so many milliseconds after the one before.
type entry struct {
	after time.Duration
	turn  string
	p     event.Payload
}

// record writes events with fake time.
func record(t *testing.T, j *journal.Journal, entries ...entry) {
	t.Helper()
	for _, e := range entries {
		time.Sleep(e.after)
		if _, err := j.Append(t.Context(), e.turn, e.p); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T, store journal.Store) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Options{Store: store, SessionID: session})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func usd(v float64) *float64 { return &v }

// aTurn asks a sub-agent, runs a command that fails, and answers.
func aTurn(turn string) []entry {
	call := func(kind llm.Kind, agent string, latency int64) event.LLMCall {
		return event.LLMCall{
			Model: "openai/gpt-5.5", Provider: "openai", Kind: kind, AgentID: agent, LatencyMS: latency, TTFTMS: 100, FinishReason: "tool_calls",
			Prompt: 1000, Completion: 50, CacheRead: 800, CacheWrite: 20, CostUSD: usd(0.25), CostSource: llm.PriceTable, Attempts: 1, RequestID: "req_1",
		}
	}
	return []entry{
		{0, turn, event.TurnStarted{TurnID: turn, Attempt: 1, Model: "openai/gpt-5.5"}},
		{0, turn, event.HistoryMessage{MessageID: "msg_1", Message: llm.Message{Role: llm.User, Text: "the prompt of the person"}}},
		{2 * time.Second, turn, call(llm.KindMain, "", 1500)},
		{0, turn, event.HistoryMessage{MessageID: "msg_2", Message: llm.Message{Role: llm.Assistant, Text: "the words of the model", ToolCalls: []llm.ToolCall{{ID: turn + "a", Name: "research", Arguments: `{"task":"x"}`}}}}},
		{0, turn, event.ToolCall{Tool: "research", ToolCallID: turn + "a", Arguments: json.RawMessage(`{"task":"the task"}`)}},
		{0, turn, event.ToolStarted{Tool: "research", ToolCallID: turn + "a", Effect: event.Read}},
		{time.Second, turn, call(llm.KindResearch, turn+"a", 900)},
		{time.Second, turn, event.ToolOutput{Tool: "research", ToolCallID: turn + "a", Output: "what was found", Success: true}},
		{0, turn, event.ToolStarted{Tool: "bash", ToolCallID: turn + "b", Effect: event.Once}},
		{3 * time.Second, turn, event.ToolOutput{Tool: "bash", ToolCallID: turn + "b", Output: "exit 1", Success: false}},
		{time.Second, turn, event.TurnComplete{FinalResponse: ptr("the final words"), StopReason: "answer"}},
	}
}

func ptr[T any](v T) *T { return &v }

// run tells of a journal that has ended.
func run(t *testing.T, o telemetry.Options, store journal.Store) {
	t.Helper()
	j := open(t, store)
	j.Close()
	if err := telemetry.Run(t.Context(), fill(o), j.Follow); err != nil {
		t.Fatal(err)
	}
}

func fill(o telemetry.Options) telemetry.Options {
	o.SessionID, o.Version, o.Log = session, "1.2.3", slog.New(slog.DiscardHandler)
	return o
}

// The spans of a turn: who stands below whom, how long each took, and what it
// tells; without Content no text of the conversation is among it.
func TestSpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := journal.NewMemory()
		j := open(t, store)
		record(t, j, aTurn("turn_1")...)
		j.Close()
		c := &collector{}
		run(t, telemetry.Options{Spans: c}, store)
		want := []string{"chat openai/gpt-5.5", "chat openai/gpt-5.5", "execute_tool research", "execute_tool bash", "invoke_agent ml-intern"}
		if got := c.names(); !slices.Equal(got, want) {
			t.Fatalf("spans %q", got)
		}
		turn, research, bash, first, second := c.spans[4], c.spans[2], c.spans[3], c.spans[0], c.spans[1]
		for _, row := range []struct {
			name   string
			s      sdktrace.ReadOnlySpan
			parent sdktrace.ReadOnlySpan
			took   time.Duration
			kind   trace.SpanKind
			status codes.Code
			tells  map[string]string
		}{
			{"turn", turn, nil, 8 * time.Second, trace.SpanKindInternal, codes.Unset, map[string]string{
				"gen_ai.operation.name": "invoke_agent", "gen_ai.conversation.id": session, "gen_ai.agent.name": "ml-intern",
				"gen_ai.agent.version": "1.2.3", "gen_ai.request.model": "openai/gpt-5.5", "ml_intern.turn.stop_reason": "answer",
			}},
			{"main call", first, turn, 1500 * time.Millisecond, trace.SpanKindClient, codes.Unset, map[string]string{
				"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "openai/gpt-5.5", "ml_intern.call.kind": "main",
				"gen_ai.usage.input_tokens": "1000", "gen_ai.usage.output_tokens": "50", "gen_ai.usage.cache_read.input_tokens": "800",
				"gen_ai.usage.cache_creation.input_tokens": "20", "gen_ai.response.id": "req_1", "ml_intern.cost_usd": "0.25",
				"gen_ai.response.finish_reasons": `["tool_calls"]`, "gen_ai.conversation.id": session,
			}},
			{"call of the sub-agent", second, research, 900 * time.Millisecond, trace.SpanKindClient, codes.Unset, map[string]string{"ml_intern.call.kind": "research"}},
			{"tool", research, turn, 2 * time.Second, trace.SpanKindInternal, codes.Unset, map[string]string{
				"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "research", "gen_ai.tool.type": "function", "gen_ai.tool.call.id": "turn_1a",
			}},
			{"failed tool", bash, turn, 3 * time.Second, trace.SpanKindInternal, codes.Error, map[string]string{"error.type": "tool_error"}},
		} {
			if got := row.s.EndTime().Sub(row.s.StartTime()); got != row.took {
				t.Errorf("%s took %s, want %s", row.name, got, row.took)
			}
			if row.s.SpanKind() != row.kind || row.s.Status().Code != row.status {
				t.Errorf("%s is a span of kind %s with status %s", row.name, row.s.SpanKind(), row.s.Status().Code)
			}
			if row.parent == nil && row.s.Parent().IsValid() || row.parent != nil && row.s.Parent().SpanID() != row.parent.SpanContext().SpanID() {
				t.Errorf("%s stands below the wrong span", row.name)
			}
			if row.s.SpanContext().TraceID() != turn.SpanContext().TraceID() {
				t.Errorf("%s is in another trace", row.name)
			}
			tells := attributes(row.s)
			for key, want := range row.tells {
				if tells[key] != want {
					t.Errorf("%s: %s is %q, want %q", row.name, key, tells[key], want)
				}
			}
		}
		if all := fmt.Sprint(told(c.spans)); strings.Contains(all, "words") || strings.Contains(all, "found") || strings.Contains(all, "the task") || strings.Contains(all, "prompt of") {
			t.Errorf("text of the conversation was sent: %s", all)
		}

		c = &collector{}
		run(t, telemetry.Options{Spans: c, Content: true}, store)
		all := fmt.Sprint(told(c.spans))
		for _, want := range []string{
			`gen_ai.input.messages:[{"role":"user","parts":[{"type":"text","content":"the prompt of the person"}]}]`,
			`"content":"the words of the model"`, `"content":"the final words"`,
			`gen_ai.tool.call.arguments:{"task":"the task"}`, `gen_ai.tool.call.result:what was found`, `gen_ai.tool.call.result:exit 1`,
		} {
			if !strings.Contains(all, want) {
				t.Errorf("%s is missing in %s", want, all)
			}
		}
	})
}

func told(spans []sdktrace.ReadOnlySpan) []map[string]string {
	var out []map[string]string
	for _, s := range spans {
		out = append(out, attributes(s))
	}
	return out
}

// A turn can end in many ways; whatever was running ends with it.
func TestEnds(t *testing.T) {
	for name, row := range map[string]struct {
		end  event.Payload
		want string
	}{
		"error":       {event.Error{Error: "secret words", Class: "rate_limit", Code: "x"}, "rate_limit"},
		"interrupted": {event.Interrupted{}, "interrupted"},
		"terminated":  {event.SessionTerminated{}, "context"},
		"next turn":   {event.TurnStarted{TurnID: "turn_2"}, "interrupted"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := journal.NewMemory()
				j := open(t, store)
				record(t, j,
					entry{0, "turn_1", event.TurnStarted{TurnID: "turn_1"}},
					entry{0, "turn_1", event.ToolStarted{Tool: "bash", ToolCallID: "a"}},
					entry{time.Second, "turn_1", row.end})
				j.Close()
				c := &collector{}
				run(t, telemetry.Options{Spans: c}, store)
				turn, call := attributes(c.span(t, "invoke_agent ml-intern")), attributes(c.span(t, "execute_tool bash"))
				if turn["error.type"] != row.want || call["error.type"] != "interrupted" {
					t.Errorf("turn %v, call %v", turn, call)
				}
				if strings.Contains(fmt.Sprint(turn), "secret") || c.spans[1].Status().Description != "" {
					t.Error("the words of the error were sent")
				}
			})
		})
	}
}

// Turns belong to the span that the program runs in.
func TestParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := journal.NewMemory()
		j := open(t, store)
		record(t, j, aTurn("turn_1")...)
		j.Close()
		parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, Remote: true})
		c := &collector{}
		run(t, telemetry.Options{Spans: c, Parent: parent}, store)
		turn := c.span(t, "invoke_agent ml-intern")
		if turn.Parent().SpanID() != parent.SpanID() || turn.SpanContext().TraceID() != parent.TraceID() {
			t.Error("the turn does not stand below the given span")
		}
	})
}

// A second run tells only what the first has not, with the ids it would have had.
func TestTellingGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := journal.NewMemory()
		j := open(t, store)
		record(t, j, append(aTurn("turn_1"), aTurn("turn_2")...)...)
		j.Close()
		whole := &collector{}
		run(t, telemetry.Options{Spans: whole}, store)
		events, err := store.Read(t.Context(), session, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range events {
			c := &collector{}
			saved := int64(0)
			run(t, telemetry.Options{Spans: c, After: ev.Seq, Save: func(seq int64) error { saved = seq; return nil }}, store)
			behind := whole.spans[len(whole.spans)-len(c.spans):]
			for i, s := range c.spans {
				if s.SpanContext().SpanID() != behind[i].SpanContext().SpanID() || s.SpanContext().TraceID() != behind[i].SpanContext().TraceID() {
					t.Fatalf("after %d: span %d (%s) has other ids", ev.Seq, i, s.Name())
				}
			}
			if last := events[len(events)-1].Seq; ev.Seq < last && saved != last {
				t.Errorf("after %d: noted %d, want %d", ev.Seq, saved, last)
			}
		}
		if len(whole.spans) != 10 {
			t.Errorf("%d spans", len(whole.spans))
		}
	})
}

var errBusy = errors.New("busy")

func busy(err error) (time.Duration, bool) { return 0, errors.Is(err, errBusy) }

// A collector that fails now and then gets every span once and in order; one that
// refuses a batch for good does not stop what comes behind.
func TestRepetition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := journal.NewMemory()
		j := open(t, store)
		record(t, j, append(aTurn("turn_1"), aTurn("turn_2")...)...)
		j.Close()
		c := &collector{fail: func(_ context.Context, try int) error {
			if try%3 != 0 {
				return errBusy
			}
			return nil
		}}
		o := telemetry.Options{Spans: c, Again: busy, Patience: time.Minute}
		run(t, o, store)
		if got := len(c.spans); got != 10 || c.asked != 6 {
			t.Errorf("%d spans after %d tries", got, c.asked)
		}
		refusing := &collector{fail: func(_ context.Context, try int) error {
			if try == 1 {
				return errors.New("no such thing")
			}
			return nil
		}}
		run(t, telemetry.Options{Spans: refusing}, store)
		if got := len(refusing.spans); got != 5 || refusing.asked != 2 {
			t.Errorf("%d spans after %d tries", got, refusing.asked)
		}
	})
}

// A dead collector delays the end by the patience and no longer, and the next run
// tells everything.
func TestDeadCollector(t *testing.T) {
	for name, fail := range map[string]func(context.Context, int) error{
		"refuses": func(context.Context, int) error { return errBusy },
		"hangs":   func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := journal.NewMemory()
				j := open(t, store)
				c := &collector{fail: fail}
				saved := int64(0)
				done := make(chan error, 1)
				o := fill(telemetry.Options{
					Spans: c, Again: busy,
					Save: func(seq int64) error { saved = seq; return nil },
				})
				go func() { done <- telemetry.Run(t.Context(), o, j.Follow) }()
				for i := range 50 {
					record(t, j, aTurn(fmt.Sprintf("turn_%d", i+1))...)
				}
				time.Sleep(time.Hour)
				j.Close()
				begun := time.Now()
				if err := <-done; err != nil {
					t.Error(err)
				}
				if took := time.Since(begun); took > 5*time.Second {
					t.Errorf("the end took %s", took)
				}
				if saved != 0 || len(c.spans) != 0 {
					t.Errorf("noted %d, %d spans", saved, len(c.spans))
				}
				c.fail = nil
				run(t, telemetry.Options{Spans: c}, store)
				if len(c.spans) != 250 {
					t.Errorf("%d spans", len(c.spans))
				}
			})
		})
	}
}

// What happens in a long turn is told while it runs.
func TestLongTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := open(t, journal.NewMemory())
		c := &collector{}
		done := make(chan error, 1)
		go func() { done <- telemetry.Run(t.Context(), fill(telemetry.Options{Spans: c}), j.Follow) }()
		record(t, j, aTurn("turn_1")[:8]...)
		time.Sleep(10 * time.Second)
		c.mu.Lock()
		if len(c.spans) != 3 {
			t.Errorf("spans before the end: %q", c.names())
		}
		c.mu.Unlock()
		j.Close()
		<-done
	})
}

// The metrics, and that an earlier run's events are not counted again.
func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := journal.NewMemory()
		j := open(t, store)
		record(t, j, append(aTurn("turn_1"), aTurn("turn_2")...)...)
		j.Close()
		sums := counted(t, telemetry.Options{}, store)
		for name, want := range map[string]float64{
			"gen_ai.client.token.usage":                   4 * 1050,
			"gen_ai.client.operation.duration":            2 * 2.4,
			"gen_ai.client.operation.time_to_first_chunk": 4 * 0.1,
			"gen_ai.invoke_agent.duration":                16,
			"gen_ai.invoke_agent.inference_calls":         2,
			"gen_ai.invoke_agent.tool_calls":              4,
			"gen_ai.execute_tool.duration":                10,
			"ml_intern.cost":                              1,
		} {
			if got := sums[name]; got < want-1e-9 || got > want+1e-9 {
				t.Errorf("%s sums up to %g, want %g", name, got, want)
			}
		}
		if half := counted(t, telemetry.Options{After: 11}, store); half["ml_intern.cost"] != 0.5 || half["gen_ai.invoke_agent.duration"] != 8 {
			t.Errorf("after the first turn: %v", half)
		}
	})
}

// keeper keeps what a reader gives when the run ends.
type keeper struct{ data []metricdata.ResourceMetrics }

func (k *keeper) Temporality(metric.InstrumentKind) metricdata.Temporality {
	return metricdata.CumulativeTemporality
}

func (k *keeper) Aggregation(kind metric.InstrumentKind) metric.Aggregation {
	return metric.DefaultAggregationSelector(kind)
}

func (k *keeper) Export(_ context.Context, m *metricdata.ResourceMetrics) error {
	raw := *m
	raw.ScopeMetrics = slices.Clone(m.ScopeMetrics)
	k.data = append(k.data, raw)
	return nil
}
func (k *keeper) ForceFlush(context.Context) error { return nil }
func (k *keeper) Shutdown(context.Context) error   { return nil }

func counted(t *testing.T, o telemetry.Options, store journal.Store) map[string]float64 {
	t.Helper()
	k := &keeper{}
	o.Metrics = metric.NewPeriodicReader(k)
	run(t, o, store)
	sums := map[string]float64{}
	for _, scope := range k.data[len(k.data)-1].ScopeMetrics {
		for _, m := range scope.Metrics {
			switch d := m.Data.(type) {
			case metricdata.Histogram[int64]:
				for _, p := range d.DataPoints {
					sums[m.Name] += float64(p.Sum)
				}
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					sums[m.Name] += p.Sum
				}
			case metricdata.Sum[float64]:
				for _, p := range d.DataPoints {
					sums[m.Name] += p.Value
				}
			}
		}
	}
	return sums
}

// Every name that is sent is one of the pinned ones.
func TestNamesArePinned(t *testing.T) {
	pinned := []string{
		"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.finish_reasons", "gen_ai.response.id",
		"gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_creation.input_tokens",
		"gen_ai.conversation.id", "gen_ai.agent.name", "gen_ai.agent.version", "gen_ai.tool.name", "gen_ai.tool.type", "gen_ai.tool.call.id",
		"gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "gen_ai.input.messages", "gen_ai.output.messages", "error.type",
		"ml_intern.call.kind", "ml_intern.call.tries", "ml_intern.cost_usd", "ml_intern.cost_source", "ml_intern.turn.id", "ml_intern.turn.stop_reason",
	}
	synctest.Test(t, func(t *testing.T) {
		store := journal.NewMemory()
		j := open(t, store)
		record(t, j, aTurn("turn_1")...)
		j.Close()
		c := &collector{}
		run(t, telemetry.Options{Spans: c, Content: true}, store)
		seen := map[attribute.Key]bool{}
		for _, s := range c.spans {
			for _, a := range s.Attributes() {
				seen[a.Key] = true
				if !slices.Contains(pinned, string(a.Key)) {
					t.Errorf("%s: the name %q is not pinned", s.Name(), a.Key)
				}
			}
		}
		for _, name := range pinned {
			if !seen[attribute.Key(name)] {
				t.Errorf("%s is pinned and never sent", name)
			}
		}
	})
}
