package telemetry

import (
	"context"
	"errors"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// queue gathers finished spans and sends them, in order. It belongs to one
// goroutine: while it sends nothing else is read, so it never grows.
type queue struct {
	o     Options
	ctx   context.Context // of the run, for OnEnd has none of it
	seq   int64           // the event that is told of
	spans []sdktrace.ReadOnlySpan
	sent  int64
	told  bool // a person knows that the collector takes nothing
}

// warn tells a person of the first failure that is not tried again.
func (q *queue) warn(what string, err error) {
	if q.told {
		return
	}
	q.told = true
	line := what + ": " + err.Error()
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		line = what + ": the collector has not answered in time"
	}
	q.o.Warn(line)
}

var _ sdktrace.SpanProcessor = (*queue)(nil)

func (q *queue) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (q *queue) Shutdown(context.Context) error                  { return nil }
func (q *queue) ForceFlush(context.Context) error                { return nil }

// OnEnd takes a finished span, unless an earlier run of the program has told it.
func (q *queue) OnEnd(s sdktrace.ReadOnlySpan) {
	if q.seq > q.o.After && q.o.Spans != nil {
		q.spans = append(q.spans, s)
	}
}

// flush sends what has gathered. What the collector refuses for good is dropped
// and logged; for everything else it is asked again until the run ends.
func (q *queue) flush() {
	for wait := q.o.Wait; len(q.spans) > 0; wait = min(2*wait, 30*q.o.Wait) {
		err := q.o.Spans.ExportSpans(q.ctx, q.spans)
		if err == nil {
			break
		}
		q.o.Log.Warn("spans were not taken", "spans", len(q.spans), "error", err)
		asked, again := q.o.Again(err)
		if !again && q.ctx.Err() == nil {
			q.warn("telemetry was not taken", err)
			break
		}
		timer := time.NewTimer(max(wait, asked))
		select {
		case <-timer.C:
		case <-q.ctx.Done():
			timer.Stop()
			if q.o.Save == nil {
				q.warn("telemetry was not taken", err)
			} else { // they stay in the journal
				q.warn("telemetry was not taken and is sent when the session goes on", err)
			}
			return
		}
	}
	q.spans = nil
	if q.o.Save == nil || q.seq <= q.o.After || q.seq == q.sent {
		return
	}
	if err := q.o.Save(q.seq); err != nil {
		q.o.Log.Warn("how far the collector was told could not be noted", "error", err)
	}
	q.sent = q.seq
}
