package space_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/space"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
)

// hub answers from a function, without a network.
type hub func(r *http.Request, body string) (status int, answer string)

func (h hub) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	status, text := h(r, string(body))
	kind := "application/json"
	if strings.HasPrefix(text, "data:") {
		kind = "text/event-stream"
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(text)),
		ContentLength: int64(len(text)), Request: r,
	}, nil
}

func open(t *testing.T, h hub) *space.API {
	t.Helper()
	conn, err := wire.New(wire.Options{HTTP: &http.Client{Transport: h}, Endpoint: "http://127.0.0.1:1", Token: "hf_test"})
	if err != nil {
		t.Fatal(err)
	}
	return space.New(conn)
}

func runtime(stage, hardware string) string {
	return fmt.Sprintf(`{"stage":%q,"hardware":{"current":%q,"requested":"t4-small"}}`, stage, hardware)
}

// A new Space may be unknown at first; it runs when it does on the hardware
// that was asked for.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var stages []space.Stage
		api := open(t, func(*http.Request, string) (int, string) {
			switch took := time.Since(begun); {
			case took < 8*time.Second:
				return 404, `{"error":"not found"}`
			case took < 20*time.Second:
				return 200, runtime("BUILDING", "")
			case took < 30*time.Second:
				return 200, runtime("RUNNING", "cpu-basic")
			}
			return 200, runtime("RUNNING", "t4-small")
		})
		r, err := api.Wait(t.Context(), "bob/sp", "t4-small", 10*time.Minute, func(s space.Stage) { stages = append(stages, s) })
		if err != nil || r.Hardware.Current != "t4-small" || fmt.Sprint(stages) != "[BUILDING RUNNING]" {
			t.Errorf("%+v %v %v", r, stages, err)
		}
	})
}

func TestWaitFails(t *testing.T) {
	for _, stage := range []string{"BUILD_ERROR", "CONFIG_ERROR", "NO_APP_FILE", "PAUSED", "STOPPED", "DELETING", "RUNTIME_ERROR"} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			api := open(t, func(r *http.Request, _ string) (int, string) {
				if strings.Contains(r.URL.Path, "/logs/") {
					return 200, strings.Repeat("data: {\"data\":\"old\"}\n\n", 50) + "data: {\"data\":\"no such package\"}\n\n"
				}
				return 200, `{"stage":"` + stage + `","errorMessage":"it broke","hardware":{"current":null,"requested":"cpu-basic"}}`
			})
			_, err := api.Wait(t.Context(), "bob/sp", "", 10*time.Minute, nil)
			var failed *space.StartError
			if !errors.As(err, &failed) || len(failed.Log) != 40 || !strings.Contains(err.Error(), "no such package") || !strings.Contains(err.Error(), stage) {
				t.Errorf("%s: %v", stage, err)
			}
			if time.Since(begun) > time.Second {
				t.Errorf("%s: failed after %s", stage, time.Since(begun))
			}
		})
	}
}

func TestWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		gone := open(t, func(*http.Request, string) (int, string) { return 404, `{"error":"not found"}` })
		if _, err := gone.Wait(t.Context(), "bob/sp", "", 10*time.Minute, nil); err == nil || time.Since(begun) > 70*time.Second {
			t.Errorf("a Space that never appears: %v after %s", err, time.Since(begun))
		}
		begun = time.Now()
		slow := open(t, func(*http.Request, string) (int, string) { return 200, runtime("BUILDING", "") })
		if _, err := slow.Wait(t.Context(), "bob/sp", "", 10*time.Minute, nil); err == nil || !strings.Contains(err.Error(), "10m") || time.Since(begun) != 10*time.Minute {
			t.Errorf("a Space that never starts: %v after %s", err, time.Since(begun))
		}
	})
}

func TestRefusals(t *testing.T) {
	api := open(t, func(r *http.Request, _ string) (int, string) {
		t.Errorf("asked %s", r.URL)
		return 500, ""
	})
	for _, bad := range []string{"", "noname", "a/b/c", "x/../../settings", "a/b.git"} {
		if _, err := api.Runtime(t.Context(), bad); !errors.Is(err, wire.Invalid) || !strings.Contains(err.Error(), "space_id") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := api.SetSecret(t.Context(), "bob/sp", "a-b", "x"); !errors.Is(err, wire.Invalid) {
		t.Error(err)
	}
	if _, err := api.SetHardware(t.Context(), "bob/sp", "t4 small", 0); !errors.Is(err, wire.Invalid) {
		t.Error(err)
	}
}

// What is sent is what the recorded exchanges have.
func TestBodies(t *testing.T) {
	var sent []string
	api := open(t, func(r *http.Request, body string) (int, string) {
		sent = append(sent, r.Method+" "+r.URL.RequestURI()+" "+body)
		return 200, "{}"
	})
	ctx := t.Context()
	for _, f := range []func() error{
		func() error { return api.SetSecret(ctx, "bob/sp", "K", "v") },
		func() error { return api.DeleteSecret(ctx, "bob/sp", "K") },
		func() error { _, err := api.SetVariable(ctx, "bob/sp", "K", "v", "why"); return err },
		func() error { _, err := api.DeleteVariable(ctx, "bob/sp", "K"); return err },
		func() error { _, err := api.SetHardware(ctx, "bob/sp", "t4-small", 300); return err },
		func() error { _, err := api.SetSleepTime(ctx, "bob/sp", -1); return err },
		func() error { _, err := api.Pause(ctx, "bob/sp"); return err },
		func() error { _, err := api.Restart(ctx, "bob/sp", true); return err },
		func() error {
			return api.SetVolumes(ctx, "bob/sp", []job.Volume{{Type: "bucket", Source: "bob/b", MountPath: "/data"}})
		},
	} {
		if err := f(); err != nil {
			t.Error(err)
		}
	}
	want := []string{
		`POST /api/spaces/bob/sp/secrets {"key":"K","value":"v"}`,
		`DELETE /api/spaces/bob/sp/secrets {"key":"K"}`,
		`POST /api/spaces/bob/sp/variables {"description":"why","key":"K","value":"v"}`,
		`DELETE /api/spaces/bob/sp/variables {"key":"K"}`,
		`POST /api/spaces/bob/sp/hardware {"flavor":"t4-small","sleepTimeSeconds":300}`,
		`POST /api/spaces/bob/sp/sleeptime {"seconds":-1}`,
		`POST /api/spaces/bob/sp/pause `,
		`POST /api/spaces/bob/sp/restart?factory=true `,
		`PUT /api/spaces/bob/sp/volumes {"volumes":[{"type":"bucket","source":"bob/b","mountPath":"/data"}]}`,
	}
	for i, w := range want {
		if i >= len(sent) || sent[i] != w {
			t.Errorf("sent %q, want %q", sent[i], w)
		}
	}
}

func TestShapes(t *testing.T) {
	dir := fixturetest.Dir(t, "hub")
	data, err := os.ReadFile(filepath.Join(dir, "space-info.json"))
	if err != nil {
		t.Fatal(err)
	}
	var i space.Info
	if err := json.Unmarshal(data, &i); err != nil || i.Subdomain != "bob-sp" || i.Runtime.Stage != space.Running || i.Runtime.SleepSeconds != 172800 {
		t.Errorf("%+v %v", i, err)
	}
	type exchange struct {
		Path string          `json:"path"`
		Body json.RawMessage `json:"responseBody"`
	}
	var recorded struct {
		PauseRestart []exchange    `json:"pauseRestart"`
		Static       space.Runtime `json:"static"`
	}
	if data, err = os.ReadFile(filepath.Join(dir, "space-runtime.json")); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &recorded); err != nil {
		t.Fatal(err)
	}
	if recorded.Static.Stage != space.Running || recorded.Static.Hardware.Current != "" {
		t.Errorf("static: %+v", recorded.Static)
	}
	for _, e := range recorded.PauseRestart {
		if !strings.HasSuffix(e.Path, "/runtime") {
			continue
		}
		var r space.Runtime
		if err := json.Unmarshal(e.Body, &r); err != nil || r.Stage == "" {
			t.Errorf("%s: %+v %v", e.Path, r, err)
		}
	}
}
