package telemetry

import (
	"context"
	"crypto/sha256"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// keyed is the context of a span that is to be: what it stands for in its session.
type keyed struct{}

func withKey(ctx context.Context, parts ...string) context.Context {
	return context.WithValue(ctx, keyed{}, strings.Join(parts, "\n"))
}

// ids makes the ids of traces and spans from what they stand for: telling of the
// same again gives the same ids.
type ids struct{ session string }

var _ sdktrace.IDGenerator = ids{}

func (g ids) sum(ctx context.Context, kind string) [sha256.Size]byte {
	key, _ := ctx.Value(keyed{}).(string)
	return sha256.Sum256([]byte(kind + "\n" + g.session + "\n" + key))
}

// NewIDs makes the ids of a trace and its first span.
func (g ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	sum := g.sum(ctx, "trace")
	return trace.TraceID(sum[:16]), g.NewSpanID(ctx, trace.TraceID{})
}

// NewSpanID makes the id of a span in a trace.
func (g ids) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	sum := g.sum(ctx, "span")
	return trace.SpanID(sum[:8])
}
