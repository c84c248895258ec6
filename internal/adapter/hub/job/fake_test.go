package job_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// hub answers requests from functions, without a network, so that time may be
// a fake one.
type hub struct {
	t *testing.T

	mu       sync.Mutex
	requests []string // "METHOD path?query"
	bodies   []string
	job      map[string]any
	created  int
	// connections to the log: each plays one script.
	logs []func(ctx context.Context, w *io.PipeWriter)
	// submit answers a submission; nil makes a job.
	submit func(n int, make func()) (*http.Response, error)
}

func (h *hub) RoundTrip(r *http.Request) (*http.Response, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	h.requests = append(h.requests, r.Method+" "+r.URL.RequestURI())
	h.bodies = append(h.bodies, string(body))
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/api/jobs/acme":
		make := func() {
			var spec struct {
				Labels map[string]string `json:"labels"`
			}
			if err := json.Unmarshal(body, &spec); err != nil {
				h.t.Error(err)
			}
			h.created++
			h.job = newJob(fmt.Sprintf("66aa%020d", h.created), "SCHEDULING")
			h.job["labels"] = spec.Labels
		}
		if h.submit != nil {
			return h.submit(h.created, make)
		}
		make()
		return answer(200, h.job), nil
	case r.URL.Path == "/api/jobs/acme":
		list := []any{}
		if h.job != nil {
			list = append(list, h.job)
		}
		return answer(200, list), nil
	case strings.HasSuffix(r.URL.Path, "/logs"):
		if len(h.logs) == 0 {
			return answer(500, map[string]any{"error": "no more connections"}), nil
		}
		script := h.logs[0]
		h.logs = h.logs[1:]
		pr, pw := io.Pipe()
		go script(r.Context(), pw)
		context.AfterFunc(r.Context(), func() { pw.CloseWithError(r.Context().Err()) })
		return &http.Response{
			StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: pr, Request: r,
		}, nil
	case h.job == nil:
		return answer(404, map[string]any{"error": "Job not found"}), nil
	}
	return answer(200, h.job), nil
}

func answer(status int, v any) *http.Response {
	data, _ := json.Marshal(v)
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(string(data))), ContentLength: int64(len(data)),
	}
}

func newJob(id, stage string) map[string]any {
	return map[string]any{
		"id": id, "createdAt": "2026-01-01T00:00:00.000Z", "dockerImage": "python:3.12", "command": []string{"true"},
		"flavor": "cpu-basic", "secrets": []string{"HF_TOKEN"}, "owner": map[string]any{"name": "acme", "type": "org"},
		"status": map[string]any{"stage": stage, "message": nil}, "durations": map[string]any{},
	}
}

func (h *hub) stage(stage string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.job["status"] = map[string]any{"stage": stage}
}

func (h *hub) stageAfter(d time.Duration, stage string) {
	time.AfterFunc(d, func() { h.stage(stage) })
}

func (h *hub) asked(prefix string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, r := range h.requests {
		if strings.HasPrefix(r, prefix) {
			n++
		}
	}
	return n
}

func open(t *testing.T, h *hub) *job.API {
	t.Helper()
	h.t = t
	conn, err := wire.New(wire.Options{HTTP: &http.Client{Transport: h}, Endpoint: "http://127.0.0.1:1", Token: "hf_test"})
	if err != nil {
		t.Fatal(err)
	}
	return job.New(conn)
}

// event writes one line of a log.
func event(w io.Writer, text string) {
	data, _ := json.Marshal(map[string]string{"data": text, "timestamp": "2026-01-01T00:00:00.000Z"})
	fmt.Fprintf(w, "data: %s\n\n", data)
}

// play writes the banner and n numbered lines, then does what end says.
func play(n int, end func(ctx context.Context, w *io.PipeWriter)) func(context.Context, *io.PipeWriter) {
	return func(ctx context.Context, w *io.PipeWriter) {
		event(w, "===== Job started at 2026-01-01 00:00:00 =====")
		for i := range n {
			event(w, fmt.Sprintf("line %d", i+1))
		}
		end(ctx, w)
	}
}

func hangUp(_ context.Context, w *io.PipeWriter) { _ = w.Close() }
func reset(_ context.Context, w *io.PipeWriter)  { _ = w.CloseWithError(io.ErrUnexpectedEOF) }
func silent(ctx context.Context, w *io.PipeWriter) {
	<-ctx.Done()
	_ = w.CloseWithError(ctx.Err())
}
