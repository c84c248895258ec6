package otlp

import (
	"context"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// Traces returns a sender of spans.
func Traces(ctx context.Context, c Collector) (sdktrace.SpanExporter, error) {
	return otlptrace.New(ctx, traces{c})
}

// traces is the wire of the SDK's exporter.
type traces struct{ Collector }

func (traces) Start(context.Context) error { return nil }
func (traces) Stop(context.Context) error  { return nil }

// UploadTraces sends spans. TracesData is the request of the protocol by another
// name: the same field with the same number.
func (c traces) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	return c.send(ctx, &tracepb.TracesData{ResourceSpans: spans})
}
