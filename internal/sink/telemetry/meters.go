package telemetry

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	otelmetric "go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// meters counts. The zero value counts nothing.
type meters struct {
	provider                    *metric.MeterProvider
	tokens                      otelmetric.Int64Histogram
	duration, first, turn, tool otelmetric.Float64Histogram
	turnCalls, turnTools        otelmetric.Int64Histogram
	cost                        otelmetric.Float64Counter
}

func newMeters(o Options) (meters, error) {
	if o.Metrics == nil {
		return meters{}, nil
	}
	m := meters{provider: metric.NewMeterProvider(metric.WithReader(o.Metrics), metric.WithResource(o.Resource))}
	meter := m.provider.Meter(instrumentingScope, otelmetric.WithInstrumentationVersion(o.Version))
	var errs []error
	seconds := func(name, what string) otelmetric.Float64Histogram {
		h, err := meter.Float64Histogram(name, otelmetric.WithUnit("s"), otelmetric.WithDescription(what), otelmetric.WithExplicitBucketBoundaries(timeBounds()...))
		errs = append(errs, err)
		return h
	}
	count := func(name, unit, what string, bounds []float64) otelmetric.Int64Histogram {
		h, err := meter.Int64Histogram(name, otelmetric.WithUnit(unit), otelmetric.WithDescription(what), otelmetric.WithExplicitBucketBoundaries(bounds...))
		errs = append(errs, err)
		return h
	}
	m.tokens = count(metricTokens, "{token}", "Tokens of model calls", tokenBounds())
	m.duration = seconds(metricDuration, "Duration of model calls")
	m.first = seconds(metricFirstChunk, "Time to the first chunk of an answer")
	m.turn = seconds(metricTurn, "Duration of turns")
	m.tool = seconds(metricTool, "Duration of tool calls")
	few := []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512}
	m.turnCalls = count(metricTurnCalls, "{call}", "Model calls of a turn", few)
	m.turnTools = count(metricTurnTools, "{call}", "Tool calls of a turn", few)
	var err error
	m.cost, err = meter.Float64Counter(metricCost, otelmetric.WithUnit("{USD}"), otelmetric.WithDescription("What model calls of a known price have cost"))
	if err := errors.Join(append(errs, err)...); err != nil {
		return meters{}, fmt.Errorf("telemetry: make the metrics: %w", err)
	}
	return m, nil
}

func (m meters) call(c event.LLMCall) {
	if m.provider == nil {
		return
	}
	ctx := context.Background()
	about := []attribute.KeyValue{operationName.String(opChat), providerName.String(provider(c.Provider)), requestModel.String(c.Model)}
	set := otelmetric.WithAttributes(about...)
	m.duration.Record(ctx, float64(c.LatencyMS)/1e3, set)
	if c.TTFTMS > 0 {
		m.first.Record(ctx, float64(c.TTFTMS)/1e3, set)
	}
	with := func(kind string) otelmetric.MeasurementOption {
		return otelmetric.WithAttributes(append(about[:len(about):len(about)], tokenType.String(kind))...)
	}
	if !c.UsageEstimated {
		m.tokens.Record(ctx, int64(c.Prompt), with(typeInput))
		m.tokens.Record(ctx, int64(c.Completion), with(typeOutput))
	}
	if c.CostUSD != nil {
		m.cost.Add(ctx, *c.CostUSD, set)
	}
}

func (m meters) toolCall(name string, seconds float64, failed bool) {
	if m.provider == nil {
		return
	}
	about := []attribute.KeyValue{operationName.String(opExecuteTool), toolName.String(name)}
	if failed {
		about = append(about, errorType.String(toolFailed))
	}
	m.tool.Record(context.Background(), seconds, otelmetric.WithAttributes(about...))
}

func (m meters) turnEnd(seconds float64, calls, tools int64, failure string) {
	if m.provider == nil {
		return
	}
	about := []attribute.KeyValue{operationName.String(opInvokeAgent), agentName.String(agent)}
	if failure != "" {
		about = append(about, errorType.String(failure))
	}
	ctx, set := context.Background(), otelmetric.WithAttributes(about...)
	m.turn.Record(ctx, seconds, set)
	m.turnCalls.Record(ctx, calls, set)
	m.turnTools.Record(ctx, tools, set)
}

// close sends the last counts.
func (m meters) close(ctx context.Context) error {
	if m.provider == nil {
		return nil
	}
	return m.provider.Shutdown(ctx)
}
