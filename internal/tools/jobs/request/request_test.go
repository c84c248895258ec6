package request_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/request"
)

func TestDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"": time.Minute, "90": 90 * time.Second, "90s": 90 * time.Second, " 2H ": 2 * time.Hour, "1.5h": 90 * time.Minute, "3d": 72 * time.Hour,
		"5 m": 5 * time.Minute, "1": time.Second, "365d": 365 * 24 * time.Hour,
	} {
		if got, err := request.Duration("timeout", in, time.Minute); err != nil || got != want {
			t.Errorf("%q: %s, %v", in, got, err)
		}
	}
	for _, in := range []string{"soon", "0", "0.5", "-1", "1w", "1h30m", "1e3", "366d", "99999999999999999999d", "٣h", "1.h", "h", "1 0"} {
		if got, err := request.Duration("timeout", in, time.Minute); err == nil || !strings.Contains(err.Error(), "timeout") {
			t.Errorf("%q: %s, %v", in, got, err)
		}
	}
}

func FuzzDuration(f *testing.F) {
	for _, in := range []string{"", "2h", "0.0000001d", "9e99", "1.5m", strings.Repeat("9", 400)} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		d, err := request.Duration("f", in, time.Minute)
		if err == nil && (d < time.Second || d > 365*24*time.Hour) {
			t.Errorf("%q is %s", in, d)
		}
	})
}

func TestImage(t *testing.T) {
	for _, c := range []struct{ image, script, docker, space string }{
		{"", "x", "ghcr.io/astral-sh/uv:python3.12-bookworm", ""},
		{"", "", "python:3.12", ""},
		{"pytorch/pytorch:2.4", "x", "pytorch/pytorch:2.4", ""},
		{"hf.co/spaces/a/b", "", "", "a/b"},
		{"https://huggingface.co/spaces/a/b/", "x", "", "a/b"},
		{"huggingface.co/spaces/a", "", "huggingface.co/spaces/a", ""},
		{"http://hf.co/spaces/a/b", "", "http://hf.co/spaces/a/b", ""},
	} {
		if docker, space := request.Image(request.Params{Image: c.image, Script: c.script}); docker != c.docker || space != c.space {
			t.Errorf("%q: %q, %q", c.image, docker, space)
		}
	}
}

// Whatever a model writes as names and labels, our labels win and all fit.
func TestAnyLabelsFit(t *testing.T) {
	fits := regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)
	rapid.Check(t, func(t *rapid.T) {
		p := request.Params{
			Name: rapid.String().Draw(t, "name"), Image: rapid.String().Draw(t, "image"), Script: rapid.SampledFrom([]string{"", "x"}).Draw(t, "script"),
			Labels: map[string]string{"ml-intern": "no", "ml-intern-call": "stolen"},
		}
		labels := request.Labels(p, "11111111-2222-4333-8444-555555555555", strings.Repeat("a", 32))
		for k, v := range labels {
			if !fits.MatchString(k) || !fits.MatchString(v) {
				t.Fatalf("%q: %q", k, v)
			}
		}
		if labels["ml-intern"] != "1" || labels["ml-intern-call"] != strings.Repeat("a", 32) {
			t.Fatalf("%v", labels)
		}
	})
}

func TestShows(t *testing.T) {
	for _, c := range []struct {
		p    request.Params
		s    job.Stage
		want bool
	}{
		{request.Params{}, job.Scheduling, true},
		{request.Params{}, job.Running, true},
		{request.Params{}, "NEW_STAGE", true},
		{request.Params{}, job.Completed, false},
		{request.Params{All: true}, job.Deleted, true},
		{request.Params{Status: "err"}, job.Failed, true},
		{request.Params{Status: "err", All: true}, job.Running, false},
	} {
		if c.p.Shows(c.s) != c.want {
			t.Errorf("%+v %s", c.p, c.s)
		}
	}
}

// Arguments of any shape are judged without a panic.
func FuzzCheck(f *testing.F) {
	f.Add(`{"operation":"run","command":["a"],"timeout":"1h"}`)
	f.Add(`{"operation":"scheduled run","script":"x","schedule":"@daily","expose":[1]}`)
	f.Fuzz(func(t *testing.T, raw string) {
		var p request.Params
		if json.Unmarshal([]byte(raw), &p) != nil {
			return
		}
		_ = p.Check()
		_, _ = request.Image(p)
		_ = request.Labels(p, "s", strings.Repeat("0", 32))
	})
}
