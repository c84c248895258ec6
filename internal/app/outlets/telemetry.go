package outlets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"

	"github.com/ml-intern/ml-intern/internal/adapter/otlp"
	"github.com/ml-intern/ml-intern/internal/app/live"
	"github.com/ml-intern/ml-intern/internal/sink/telemetry"
)

// openTelemetry tells a collector of the session, where one is set. In a
// simulation nothing leaves.
func openTelemetry(o Options) (live.Follower, error) {
	if o.Simulated || o.Loaded.EnvFlag("OTEL_SDK_DISABLED") {
		return nil, nil
	}
	traces, err := signal(o, "TRACES")
	if err != nil {
		return nil, err
	}
	metrics, err := signal(o, "METRICS")
	if err != nil || traces == nil && metrics == nil {
		return nil, err
	}
	if _, err := pairs(o.Loaded.Env("OTEL_RESOURCE_ATTRIBUTES")); err != nil {
		return nil, errors.New("OTEL_RESOURCE_ATTRIBUTES is not name=value,…: no telemetry is sent")
	}
	// The SDK tells of its own failures here and nowhere else; by default they
	// would stand in the middle of what a person reads.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { o.Log.Warn("telemetry", "error", err) }))
	return func(ctx context.Context, c *live.Chapter) error {
		t, err := describe(o, c)
		if err == nil {
			err = send(ctx, &t, traces, metrics)
		}
		if err != nil {
			return err
		}
		return telemetry.Run(ctx, t, c.Journal.Follow)
	}, nil
}

// signal says where one signal goes; nil is nowhere.
func signal(o Options, name string) (*otlp.Collector, error) {
	env := func(suffix string) string {
		return strings.TrimSpace(cmp.Or(o.Loaded.Env("OTEL_EXPORTER_OTLP_"+name+"_"+suffix), o.Loaded.Env("OTEL_EXPORTER_OTLP_"+suffix)))
	}
	kinds := strings.Split(strings.ReplaceAll(cmp.Or(o.Loaded.Env("OTEL_"+name+"_EXPORTER"), "otlp"), " ", ""), ",")
	if slices.Contains(kinds, "none") || env("ENDPOINT") == "" {
		return nil, nil
	}
	if !slices.Contains(kinds, "otlp") {
		return nil, fmt.Errorf("OTEL_%s_EXPORTER is %q: only otlp and none are known, no telemetry is sent", name, strings.Join(kinds, ","))
	}
	c := &otlp.Collector{HTTP: o.HTTP, URL: strings.TrimSpace(o.Loaded.Env("OTEL_EXPORTER_OTLP_" + name + "_ENDPOINT"))}
	if c.URL == "" {
		c.URL = strings.TrimRight(env("ENDPOINT"), "/") + "/v1/" + strings.ToLower(name)
	}
	if u, err := url.Parse(c.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_%s_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT is no address such as http://localhost:4318: no telemetry is sent", name)
	}
	if protocol := env("PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q: only http/protobuf is spoken (port 4318 of a collector), no telemetry is sent", protocol)
	}
	var err error
	if c.Headers, err = pairs(env("HEADERS")); err != nil {
		return nil, fmt.Errorf("the headers for %s in OTEL_EXPORTER_OTLP_HEADERS are not name=value,…: no telemetry is sent", strings.ToLower(name))
	}
	return c, nil
}

// pairs reads name=value,name=value with values in URL encoding.
func pairs(text string) (map[string]string, error) {
	out := map[string]string{}
	for part := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !ok || err != nil || name == "" {
			return nil, errors.New("a part is not name=value")
		}
		out[name] = value
	}
	return out, nil
}

// describe says what is told of one chapter.
func describe(o Options, c *live.Chapter) (telemetry.Options, error) {
	t := telemetry.Options{
		SessionID: c.ID, Version: o.Version, Warn: o.Warn, Log: o.Log, Parent: parent(o.Loaded.Env("TRACEPARENT")),
		Content: o.Loaded.EnvFlag("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"),
	}
	given, err := pairs(o.Loaded.Env("OTEL_RESOURCE_ATTRIBUTES"))
	if err != nil {
		return t, err
	}
	about := map[string]string{"service.name": "ml-intern", "service.version": o.Version, "service.instance.id": uuid.NewString()}
	for name, value := range given {
		about[name] = value
	}
	if name := o.Loaded.Env("OTEL_SERVICE_NAME"); name != "" {
		about["service.name"] = name
	}
	var attributes []attribute.KeyValue
	for name, value := range about {
		attributes = append(attributes, attribute.String(name, value))
	}
	t.Resource = resource.NewSchemaless(attributes...)
	if !o.Kept {
		return t, nil
	}
	cursor, err := o.Store.Cursor("telemetry")
	if err != nil {
		return t, err
	}
	if t.After, err = cursor.Load(c.ID); err != nil {
		o.Log.Warn("how far the collector was told cannot be read", "error", err)
	}
	t.Save = func(seq int64) error { return cursor.Save(c.ID, seq) }
	return t, nil
}

// parent reads a traceparent.
func parent(text string) trace.SpanContext {
	carrier := propagation.MapCarrier{"traceparent": text}
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
}

// send makes the senders of what has a collector.
func send(ctx context.Context, t *telemetry.Options, traces, metrics *otlp.Collector) error {
	if metrics != nil {
		t.Metrics = metric.NewPeriodicReader(otlp.Metrics(*metrics))
	}
	if traces == nil {
		return nil
	}
	var err error
	t.Spans, err = otlp.Traces(ctx, *traces)
	t.Again = func(err error) (time.Duration, bool) {
		var busy *otlp.BusyError
		if errors.As(err, &busy) {
			return busy.Wait, true
		}
		return 0, false
	}
	return err
}
