package otlp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/ml-intern/ml-intern/internal/adapter/otlp"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// What a collector's answers mean for what was sent, and that its key goes to no
// other host and into no error.
func TestAnswers(t *testing.T) {
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	for name, row := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		busy   bool
		wait   time.Duration
		fine   bool
	}{
		"taken":    {answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }, fine: true},
		"too many": {answer: func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "7"); w.WriteHeader(429) }, busy: true, wait: 7 * time.Second},
		"away":     {answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, busy: true},
		"refused": {answer: func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "key k3y is wrong", http.StatusUnauthorized)
		}},
		"broken": {answer: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, busy: true},
		"slow": {answer: func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // else nobody sees that the client has gone
			<-r.Context().Done()
		}, busy: true},
		"moved": {answer: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		}, busy: true},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Key") != "k3y" || r.Header.Get("Content-Type") != "application/x-protobuf" {
					t.Errorf("headers %v", r.Header)
				}
				row.answer(w, r)
			}))
			defer server.Close()
			client, err := httpx.New(httpx.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer client.CloseIdleConnections()
			spans, err := otlp.Traces(t.Context(), otlp.Collector{
				URL: server.URL + "/v1/traces", Headers: map[string]string{"X-Key": "k3y"}, HTTP: client, Timeout: 200 * time.Millisecond,
			})
			if err != nil {
				t.Fatal(err)
			}
			err = spans.ExportSpans(context.WithoutCancel(t.Context()), tracetest.SpanStubs{{Name: "x"}}.Snapshots())
			var busy *otlp.BusyError
			if row.fine != (err == nil) || row.busy != errors.As(err, &busy) {
				t.Fatalf("the error is %v", err)
			}
			if row.busy && busy.Wait != row.wait {
				t.Errorf("wait %s, want %s", busy.Wait, row.wait)
			}
			if err != nil && strings.Contains(err.Error(), "k3y") {
				t.Errorf("the error tells the key: %v", err)
			}
			if elsewhere > 0 {
				t.Error("the redirect was followed")
			}
		})
	}
}
