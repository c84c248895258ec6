package job_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/platform/fixturetest"
)

func spec() job.Spec {
	return job.Spec{
		DockerImage: "python:3.12", Command: []string{"true"}, Flavor: "cpu-basic",
		Labels: map[string]string{"ml-intern-call": "c1"},
	}
}

// A submission whose arrival cannot be told makes one job, found by its label.
func TestRunAfterAnAmbiguousFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hub{submit: func(_ int, make func()) (*http.Response, error) {
			make()
			return nil, syscall.ECONNRESET
		}}
		j, err := open(t, h).Run(t.Context(), "acme", spec(), "ml-intern-call")
		if err != nil || j.ID != id || h.created != 1 {
			t.Errorf("%q, %v, %d jobs", j.ID, err, h.created)
		}
		if h.asked("GET /api/jobs/acme?label=ml-intern-call%3Dc1") != 1 {
			t.Errorf("asked %v", h.requests)
		}
	})
}

// One that did not arrive is sent again, after a look.
func TestRunThatDidNotArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		h := &hub{}
		h.submit = func(_ int, make func()) (*http.Response, error) {
			if tries++; tries == 1 {
				return nil, syscall.ECONNRESET
			}
			make()
			return answer(200, h.job), nil
		}
		j, err := open(t, h).Run(t.Context(), "acme", spec(), "ml-intern-call")
		if err != nil || j.ID != id || tries != 2 {
			t.Errorf("%q, %v, %d tries", j.ID, err, tries)
		}
	})
}

// Of the last try, too, it is asked whether it has arrived.
func TestRunLooksAfterTheLastTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		h := &hub{}
		h.submit = func(_ int, make func()) (*http.Response, error) {
			if tries++; tries == 3 {
				make()
			}
			return nil, syscall.ECONNRESET
		}
		if j, err := open(t, h).Run(t.Context(), "acme", spec(), "ml-intern-call"); err != nil || j.ID != id || tries != 3 {
			t.Errorf("%q, %v, %d tries", j.ID, err, tries)
		}
	})
}

// What must be paid for is told by the status, not by digits in a text.
func TestRunWithoutCredits(t *testing.T) {
	for _, c := range []struct {
		status int
		text   string
		want   wire.Kind
	}{
		{402, "Pre-paid credit balance is insufficient - add more credits to your account to use Jobs.", wire.Payment},
		{500, "request 402abc402 failed", wire.Server},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := &hub{submit: func(int, func()) (*http.Response, error) {
				return answer(c.status, map[string]any{"error": c.text}), nil
			}}
			_, err := open(t, h).Run(t.Context(), "acme", spec(), "ml-intern-call")
			if !errors.Is(err, c.want) {
				t.Errorf("%d: %v", c.status, err)
			}
		})
	}
}

// What the Hub would refuse is refused before any request, naming the field.
func TestRunRefusals(t *testing.T) {
	for _, c := range []struct {
		field  string
		change func(*job.Spec)
	}{
		{"flavor", func(s *job.Spec) { s.Flavor = "" }},
		{"flavor", func(s *job.Spec) { s.Flavor = "a b" }},
		{"image", func(s *job.Spec) { s.DockerImage = "" }},
		{"image", func(s *job.Spec) { s.SpaceID = "a/b" }},
		{"image", func(s *job.Spec) { s.DockerImage = "py thon" }},
		{"spaceId", func(s *job.Spec) { s.DockerImage, s.SpaceID = "", "a/../b" }},
		{"command", func(s *job.Spec) { s.Command = nil }},
		{"env.BIG", func(s *job.Spec) { s.Environment = map[string]string{"BIG": strings.Repeat("a", 128<<10)} }},
		{"command", func(s *job.Spec) { s.Command = []string{"sh", ""} }},
		{"command", func(s *job.Spec) { s.Command = []string{strings.Repeat("x", 200<<10)} }},
		{"timeout", func(s *job.Spec) { s.TimeoutSeconds = -1 }},
		{"labels", func(s *job.Spec) { s.Labels["a b"] = "c" }},
		{"labels", func(s *job.Spec) { delete(s.Labels, "ml-intern-call") }},
		{"expose", func(s *job.Spec) { s.Expose = &job.Expose{Ports: []int{70000}} }},
		{"volumes", func(s *job.Spec) {
			s.Volumes = []job.Volume{{Type: "folder", Source: "a/b", MountPath: "/x"}}
		}},
		{"volumes", func(s *job.Spec) {
			s.Volumes = []job.Volume{{Type: "model", Source: "a/b", MountPath: "x"}}
		}},
	} {
		h := &hub{}
		s := spec()
		c.change(&s)
		_, err := open(t, h).Run(t.Context(), "acme", s, "ml-intern-call")
		if !errors.Is(err, wire.Invalid) || !strings.Contains(err.Error(), c.field) || len(h.requests) != 0 {
			t.Errorf("%s: %v, requests %v", c.field, err, h.requests)
		}
	}
	h := &hub{}
	api := open(t, h)
	for _, bad := range []string{"", "../x", "a/b", "x?y", strings.Repeat("a", 65)} {
		if _, err := api.Find(t.Context(), "acme", bad); !errors.Is(err, wire.Invalid) {
			t.Errorf("job id %q: %v", bad, err)
		}
	}
	if _, err := api.Find(t.Context(), "a/../b", id); !errors.Is(err, wire.Invalid) {
		t.Errorf("namespace: %v", err)
	}
	if len(h.requests) != 0 {
		t.Errorf("requests %v", h.requests)
	}
}

func TestSchedules(t *testing.T) {
	for _, good := range []string{"@hourly", "@annually", "0 9 * * 1", "*/5 * * * *", "0 0 1-5,7 * * 2026", "0,30 * * * *"} {
		if err := job.CheckSchedule(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "hourly", "@never", "* * * *", "0 9 * * MON", "61; rm *  * * *", "* * * * * * * *"} {
		if err := job.CheckSchedule(bad); !errors.Is(err, wire.Invalid) || !strings.Contains(err.Error(), "schedule") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestFlavorPrices(t *testing.T) {
	f := job.Flavor{UnitCostUSD: 0.00667, UnitLabel: "minute"}
	if usd, ok := f.USDPerHour(); !ok || usd < 0.4001 || usd > 0.4003 {
		t.Errorf("%v %v", usd, ok)
	}
	if _, ok := (job.Flavor{UnitCostUSD: 1, UnitLabel: "moon"}).USDPerHour(); ok {
		t.Error("an unknown unit has a price")
	}
}

func TestMinutes(t *testing.T) {
	var j job.Job
	now := time.Date(2026, 1, 1, 1, 0, 0, 0, time.UTC)
	for secs, want := range map[float64]int64{0: 0, 1: 1, 60: 1, 60.5: 2, 61: 2, 3600: 60} {
		j.Status.Stage, j.Durations.RunningSecs = job.Completed, secs
		if got := j.Minutes(now); got != want {
			t.Errorf("%v s: %d", secs, got)
		}
	}
	j.Durations.RunningSecs, j.StartedAt, j.FinishedAt = 0, now, now.Add(300*time.Millisecond)
	if got := j.Minutes(now); got != 1 {
		t.Errorf("less than a second: %d", got)
	}
	j.Status.Stage, j.Durations.RunningSecs, j.StartedAt = job.Running, 0, now.Add(-90*time.Second)
	if got := j.Minutes(now); got != 2 {
		t.Errorf("running: %d", got)
	}
}

// The recorded shapes decode.
func TestShapes(t *testing.T) {
	dir := fixturetest.Dir(t, "hub")
	var jobs []job.Job
	read(t, dir, "jobs.json", &jobs)
	if jobs[2].Status.Stage != job.Completed || jobs[2].Durations.RunningSecs != 60 || jobs[2].Secrets[0] != "HF_TOKEN" {
		t.Errorf("%+v", jobs[2])
	}
	var scheduled []job.Scheduled
	read(t, dir, "scheduled-jobs.json", &scheduled)
	if s := scheduled[0]; s.Status.LastJob == nil || s.Status.LastJob.At.IsZero() || s.Status.NextJobRunAt.IsZero() || s.JobSpec.Flavor != "cpu-basic" {
		t.Errorf("%+v", s)
	}
	if s := scheduled[1]; s.Status.LastJob != nil || !s.Suspend {
		t.Errorf("%+v", s)
	}
	var hardware []job.Flavor
	read(t, dir, "jobs-hardware.json", &hardware)
	for _, f := range hardware {
		if usd, ok := f.USDPerHour(); !ok || usd <= 0 {
			t.Errorf("%s: %v", f.Name, usd)
		}
	}
}

func read(t *testing.T, dir, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
