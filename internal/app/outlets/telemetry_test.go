package outlets_test

import (
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/ml-intern/ml-intern/internal/adapter/store"
	"github.com/ml-intern/ml-intern/internal/app/live"
	"github.com/ml-intern/ml-intern/internal/app/outlets"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/journal"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

const session = "11111111-2222-4333-8444-555555555555"

// collector is an OpenTelemetry collector.
type collector struct {
	mu       sync.Mutex
	spans    []string
	metrics  []string
	resource map[string]string
	headers  http.Header
	fail     func(try int) int // a status, 0 for none
	tries    int
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tries++
	if c.fail != nil {
		if status := c.fail(c.tries); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unzipped
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.headers = r.Header
	switch r.URL.Path {
	case "/v1/traces":
		var in collectortrace.ExportTraceServiceRequest
		if err := proto.Unmarshal(raw, &in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, rs := range in.ResourceSpans {
			c.resource = map[string]string{}
			for _, a := range rs.Resource.Attributes {
				c.resource[a.Key] = a.Value.GetStringValue()
			}
			for _, ss := range rs.ScopeSpans {
				for _, s := range ss.Spans {
					c.spans = append(c.spans, s.Name)
				}
			}
		}
	case "/v1/metrics":
		var in collectormetrics.ExportMetricsServiceRequest
		if err := proto.Unmarshal(raw, &in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, rm := range in.ResourceMetrics {
			for _, sm := range rm.ScopeMetrics {
				for _, m := range sm.Metrics {
					c.metrics = append(c.metrics, m.Name)
				}
			}
		}
	default:
		http.NotFound(w, r)
	}
}

// options are those of outlets in an environment of their own.
func options(t testing.TB, environ ...string) (outlets.Options, *[]string) {
	t.Helper()
	home := t.TempDir()
	loaded, err := config.Load(t.Context(), config.Options{
		Dir: home, Environ: append([]string{"HOME=" + home, "ML_INTERN_HOME=" + filepath.Join(home, "mi")}, environ...),
	})
	if err != nil {
		t.Fatal(err)
	}
	kept, err := store.New(store.Options{Root: filepath.Join(home, "sessions")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kept.Close() })
	client, err := httpx.New(httpx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	var warned []string
	return outlets.Options{
		Loaded: loaded, Version: "1.2.3", Store: kept, Kept: true, Warn: func(line string) { warned = append(warned, line) },
		Log: slog.New(slog.DiscardHandler), HTTP: client,
	}, &warned
}

// follow writes a turn into a journal and lets every outlet follow it to its end.
func follow(t *testing.T, o outlets.Options, entries ...event.Payload) {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Options{Store: o.Store, SessionID: session})
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	c := &live.Chapter{ID: session, Journal: j, After: j.LastSeq()}
	for _, f := range outlets.Followers(o) {
		wait.Go(func() {
			if err := f(context.WithoutCancel(t.Context()), c); err != nil {
				t.Error(err)
			}
		})
	}
	for _, p := range entries {
		if _, err := j.Append(t.Context(), "turn_1", p); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	wait.Wait()
}

func turn() []event.Payload {
	cost := 0.5
	return []event.Payload{
		event.InputAccepted{SubmissionID: "s", Text: "hello"},
		event.TurnStarted{TurnID: "turn_1", Model: "test/model"},
		event.LLMCall{Model: "test/model", Provider: "hf-router", Kind: llm.KindMain, LatencyMS: 10, Prompt: 5, Completion: 7, CostUSD: &cost},
		event.ToolStarted{Tool: "bash", ToolCallID: "a"},
		event.ToolOutput{Tool: "bash", ToolCallID: "a", Output: "ok", Success: true},
		event.TurnComplete{StopReason: "answer"},
	}
}

// A collector gets what a session has done, behind the headers it wants; one that
// fails now and then gets it all the same.
func TestCollector(t *testing.T) {
	c := &collector{fail: func(try int) int {
		if try == 1 {
			return http.StatusServiceUnavailable
		}
		return 0
	}}
	server := httptest.NewServer(c)
	defer server.Close()
	o, warned := options(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+server.URL, "OTEL_EXPORTER_OTLP_HEADERS=x-key=a%20b",
		"OTEL_RESOURCE_ATTRIBUTES=team=nlp,service.name=other", "OTEL_SERVICE_NAME=mine")
	follow(t, o, turn()...)
	if want := []string{"chat test/model", "execute_tool bash", "invoke_agent ml-intern"}; !slices.Equal(c.spans, want) {
		t.Errorf("spans %q", c.spans)
	}
	for _, name := range []string{"gen_ai.client.token.usage", "gen_ai.client.operation.duration", "gen_ai.execute_tool.duration", "gen_ai.invoke_agent.duration", "ml_intern.cost"} {
		if !slices.Contains(c.metrics, name) {
			t.Errorf("the metric %s is missing in %q", name, c.metrics)
		}
	}
	if c.headers.Get("x-key") != "a b" || c.resource["team"] != "nlp" || c.resource["service.name"] != "mine" || c.resource["service.version"] != "1.2.3" {
		t.Errorf("headers %v, resource %v", c.headers, c.resource)
	}
	if len(*warned) > 0 {
		t.Errorf("warned: %q", *warned)
	}
	follow(t, o) // goes on later: nothing new
	if len(c.spans) != 3 {
		t.Errorf("told again: %q", c.spans)
	}
}

// Nothing is sent unless a collector is set, and nothing in a simulation.
func TestTelemetryIsOff(t *testing.T) {
	c := &collector{}
	server := httptest.NewServer(c)
	defer server.Close()
	for name, environ := range map[string][]string{
		"not set":         {"OTEL_SERVICE_NAME=x"},
		"disabled":        {"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL, "OTEL_SDK_DISABLED=true"},
		"none":            {"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL, "OTEL_TRACES_EXPORTER=none", "OTEL_METRICS_EXPORTER=none"},
		"grpc":            {"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"},
		"console":         {"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL, "OTEL_TRACES_EXPORTER=console"},
		"no address":      {"OTEL_EXPORTER_OTLP_ENDPOINT=localhost"},
		"bad headers":     {"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL, "OTEL_EXPORTER_OTLP_HEADERS=secret-value"},
		"bad resource":    {"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL, "OTEL_RESOURCE_ATTRIBUTES=secret-value"},
		"in a simulation": {"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL},
	} {
		t.Run(name, func(t *testing.T) {
			o, warned := options(t, environ...)
			o.Simulated = name == "in a simulation"
			follow(t, o, turn()...)
			if c.tries != 0 {
				t.Errorf("%d requests", c.tries)
			}
			wrong := slices.Contains([]string{"grpc", "console", "no address", "bad headers", "bad resource"}, name)
			if all := strings.Join(*warned, "\n"); wrong != strings.Contains(all, "no telemetry is sent") || strings.Contains(all, "secret-value") {
				t.Errorf("warned: %q", all)
			}
		})
	}
}

// A collector that is not there delays the end by its patience.
func TestNoCollector(t *testing.T) {
	if testing.Short() {
		t.Skip("takes five seconds")
	}
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	o, warned := options(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+server.URL)
	begun := time.Now()
	follow(t, o, turn()...)
	if took := time.Since(begun); took > 12*time.Second {
		t.Errorf("the end took %s", took)
	}
	if len(*warned) != 1 || !strings.Contains((*warned)[0], "is sent when the session goes on: ") {
		t.Errorf("warned: %q", *warned)
	}
}

// A collector that takes connections and says nothing has the patience once, for
// spans and metrics together.
func TestMuteCollector(t *testing.T) {
	if testing.Short() {
		t.Skip("takes five seconds")
	}
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-done }))
	defer server.Close()
	defer close(done)
	o, _ := options(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+server.URL)
	begun := time.Now()
	follow(t, o, turn()...)
	if took := time.Since(begun); took > 8*time.Second {
		t.Errorf("the end took %s", took)
	}
}

// A person is told once of a collector that refuses, of a wrong key for instance.
func TestRefusingCollector(t *testing.T) {
	server := httptest.NewServer(&collector{fail: func(int) int { return http.StatusUnauthorized }})
	defer server.Close()
	o, warned := options(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+server.URL, "OTEL_EXPORTER_OTLP_HEADERS=x-key=secret-value")
	follow(t, o, append(turn(), turn()...)...)
	if len(*warned) != 1 || !strings.Contains((*warned)[0], "answers 401 Unauthorized") || strings.Contains((*warned)[0], "secret-value") {
		t.Errorf("warned: %q", *warned)
	}
}
