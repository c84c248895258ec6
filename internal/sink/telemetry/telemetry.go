// Package telemetry follows a session and tells an OpenTelemetry collector of it:
// a trace for each turn, with a span for each model call and each tool call, and
// metrics. Names are those of the conventions for generative AI. It sends no text
// of a conversation unless it is told to; it knows neither where the collector is
// nor how it is reached.
//
// Times are those of the journal, and the ids of traces and spans follow from the
// session and what is told of, so that telling again after a crash tells the same.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"sync"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Options say what is told and to whom.
type Options struct {
	SessionID string
	Version   string // the program's
	// Spans receives finished spans; nil sends none. An error for which Again is
	// true is tried again, with the same spans, until the session has ended, and
	// not before the wait that it asks for.
	Spans sdktrace.SpanExporter
	Again func(error) (wait time.Duration, again bool)
	// Metrics collects the metrics; nil counts nothing.
	Metrics  metric.Reader
	Resource *resource.Resource
	// Parent is the span that the program runs in, if it was told of one.
	Parent trace.SpanContext
	// Content adds prompts, answers, arguments and results.
	Content bool
	// After is the newest event that was told of before; Save notes how far the
	// collector has been told. It may be nil.
	After int64
	Save  func(seq int64) error
	// Wait is the pause before the first repetition, doubled each time up to 30
	// times its length; 0 is a second. Patience is how long the end waits for the
	// collector; 0 is 5 seconds.
	Wait, Patience time.Duration
	// Warn tells a person, once, that a collector does not take what it is sent;
	// nil tells nobody.
	Warn func(line string)
	Log  *slog.Logger
}

const (
	firstWait = time.Second
	patience  = 5 * time.Second
	// Spans are sent when the turn ends, when some have gathered, and after a
	// while.
	fullBatch = 256
	flushTime = 5 * time.Second
)

func (o *Options) check() error {
	if o.SessionID == "" || o.Log == nil {
		return errors.New("telemetry: SessionID and Log are required")
	}
	if o.Wait <= 0 {
		o.Wait = firstWait
	}
	if o.Patience <= 0 {
		o.Patience = patience
	}
	if o.Again == nil {
		o.Again = func(error) (time.Duration, bool) { return 0, false }
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	if o.Resource == nil {
		o.Resource = resource.Empty()
	}
	return nil
}

// Follow gives a session's events after a number, as a journal does.
type Follow func(ctx context.Context, after int64) iter.Seq2[event.Event, error]

// Run tells of a session until its events end or ctx is done. A collector that
// does not answer is waited for while the session goes on: what it has not been
// told stays in the journal, not in memory.
func Run(ctx context.Context, o Options, follow Follow) error {
	if err := o.check(); err != nil {
		return err
	}
	sending, stop := context.WithCancel(ctx)
	defer stop()
	q := &queue{o: o, ctx: sending}
	t, err := newTeller(o, q)
	if err != nil {
		return err
	}
	events := make(chan event.Event)
	var failed error
	var wait sync.WaitGroup
	reading, cancel := context.WithCancel(ctx)
	wait.Go(func() { failed = read(reading, follow, events) })
	var ended time.Time
	wait.Go(func() { ended = last(reading, follow, o.Patience, stop) })
	t.take(sending, events)
	cancel()
	wait.Wait()
	t.close(sending, ended)
	return failed
}

// read hands the events on.
func read(ctx context.Context, follow Follow, to chan<- event.Event) error {
	defer close(to)
	for ev, err := range follow(ctx, 0) {
		if err != nil {
			return fmt.Errorf("telemetry: %w", err)
		}
		select {
		case to <- ev:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// last waits for the end of the journal, which the reader does not see while the
// collector is waited for, and then a little longer before it stops that. It says
// when the journal ended.
func last(ctx context.Context, follow Follow, patience time.Duration, stop func()) time.Time {
	for range follow(ctx, math.MaxInt64) {
		return time.Now() // the store is broken: the reader tells
	}
	ended := time.Now()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-timer.C:
		stop()
	case <-ctx.Done():
	}
	return ended
}

// take tells of the events until there are no more.
func (t *teller) take(ctx context.Context, events <-chan event.Event) {
	tick := time.NewTicker(flushTime)
	defer tick.Stop()
	for {
		select {
		case ev, ok := <-events:
			if !ok {
				t.queue.flush()
				return
			}
			if err := t.tell(ev); err != nil {
				t.o.Log.Warn("an event could not be told", "seq", ev.Seq, "error", err)
			}
			if ev.Type.Ends() || len(t.queue.spans) >= fullBatch {
				t.queue.flush()
			}
		case <-tick.C:
			t.queue.flush()
		case <-ctx.Done():
			return
		}
	}
}
