package job_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/bucket"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/content"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/job"
	"github.com/ml-intern/ml-intern/internal/hubsim/job/shelf"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/simtest"
)

const cent = 10_000 // in millionths of a dollar

// world is jobs with all they stand on.
type world struct {
	*simtest.Server
	clock   *clock.Clock
	jobs    *job.Jobs
	repos   *repo.Store
	buckets *bucket.Area
	faults  *fault.Set
	runner  *exec.Runner
}

func open(t *testing.T, o exec.Options, delay time.Duration) *world {
	t.Helper()
	c := clock.New(clock.Options{})
	w := &world{clock: c, Server: &simtest.Server{TB: t, Book: simtest.Book(c)}}
	w.credit("bob", 500*cent)
	store, err := content.New(content.Options{Clock: c, Base: func() string { return "http://cdn.test" }})
	if err != nil {
		t.Fatal(err)
	}
	if w.repos, err = repo.New(repo.Options{Clock: c, Accounts: w.Book, Content: store}); err != nil {
		t.Fatal(err)
	}
	if w.buckets, err = bucket.New(bucket.Options{Clock: c, Accounts: w.Book, Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	o.Clock = c
	if w.runner, err = exec.New(o); err != nil {
		t.Fatal(err)
	}
	w.faults = fault.New(fault.Options{})
	w.load(nil, delay)
	t.Cleanup(func() {
		_ = w.jobs.Close()
		_ = w.runner.Close()
		_ = w.buckets.Close()
	})
	return w
}

// load makes the jobs anew, from a saved state.
func (w *world) load(state json.RawMessage, delay time.Duration) {
	w.Helper()
	jobs, err := job.New(job.Options{
		Clock: w.clock, Accounts: w.Book, Runner: w.runner, Volumes: shelf.Shelf{Repos: w.repos, Buckets: w.buckets},
		Delay: func(string) time.Duration { return delay },
	})
	if err != nil {
		w.Fatal(err)
	}
	if state != nil {
		if err := jobs.Load(state); err != nil {
			w.Fatal(err)
		}
	}
	mux := http.NewServeMux()
	jobs.Routes(mux)
	w.jobs, w.Handler = jobs, w.faults.Middleware(fault.Hub, mux)
}

func (w *world) credit(name string, microUSD int64) {
	e, ok := w.Book.Find(name)
	if !ok {
		w.Fatalf("no %s", name)
	}
	next := *e
	next.CreditMicroUSD = microUSD
	w.Book.Put(next)
}

func (w *world) left(name string) int64 {
	e, _ := w.Book.Find(name)
	return e.CreditMicroUSD
}

type m = map[string]any

// run starts a job of bob's and returns its id.
func (w *world) run(change m) string {
	w.Helper()
	body := m{"dockerImage": "python:3.12", "flavor": "cpu-basic"}
	for k, v := range change {
		body[k] = v
	}
	return w.Must(200, simtest.BobWrite, "POST", "/api/jobs/bob", body).Text("id")
}

func sh(script string) m { return m{"command": []string{"sh", "-c", script}} }

// lines waits for the end of a job's log and returns it, without the first
// line.
func (w *world) lines(id string) []string {
	w.Helper()
	all := w.events(simtest.BobWrite, "/api/jobs/bob/"+id+"/logs")
	if len(all) > 0 && strings.HasPrefix(all[0], "===== Job started at ") {
		return all[1:]
	}
	return all
}

// events reads a stream to its end: the data of log lines, other data raw.
func (w *world) events(token, target string) []string {
	w.Helper()
	r := w.Must(200, token, "GET", target, nil)
	var all []string
	for frame := range strings.SplitSeq(string(r.Raw), "\n\n") {
		raw, ok := strings.CutPrefix(frame, "data: ")
		if !ok {
			continue
		}
		var line struct{ Data *string }
		if json.Unmarshal([]byte(raw), &line) == nil && line.Data != nil {
			raw = *line.Data
		}
		all = append(all, raw)
	}
	return all
}

func (w *world) get(id string) simtest.Reply {
	w.Helper()
	return w.Must(200, simtest.BobWrite, "GET", "/api/jobs/bob/"+id, nil)
}

// settle waits until a job has a stage, in real time.
func (w *world) settle(id, stage string) simtest.Reply {
	w.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		r := w.get(id)
		if r.Text("status", "stage") == stage {
			return r
		}
		if time.Now().After(end) {
			w.Fatalf("job is %s, not %s", r.Raw, stage)
		}
	}
}

// Acceptance check 26 of the Hub's contract.
func TestCheck26_ExitCodeLinesAndCost(t *testing.T) {
	w := open(t, exec.Options{}, 0)
	id := w.run(sh(`echo a; echo b >&2; exit 3`))
	w.Equal(w.lines(id), []string{"a", "b"})
	r := w.get(id)
	w.Equal(r.At("status"), m{"stage": "ERROR", "message": "Job failed with exit code: 3", "failureCount": 1.0})
	charges := w.Book.Charges("bob")
	if len(charges) != 1 || charges[0].NanoUSD <= 0 || charges[0].Minutes != 1 || charges[0].Ref != id || charges[0].Product != "jobs" ||
		charges[0].Flavor != "cpu-basic" || charges[0].EndedAt.IsZero() {
		t.Errorf("charges %+v", charges)
	}
	if want := int64(500*cent - 167); w.left("bob") != want {
		t.Errorf("credit left %d, want %d", w.left("bob"), want)
	}
}

// Acceptance check 27.
func TestCheck27_CreditRunsOut(t *testing.T) {
	w := open(t, exec.Options{}, 0)
	w.credit("bob", 2*83333) // two minutes of an h200
	id := w.run(m{"command": []string{"sleep", "300"}, "flavor": "h200"})
	w.settle(id, "RUNNING")
	w.clock.Advance(time.Minute)
	w.settle(id, "RUNNING")
	w.clock.Advance(time.Minute)
	w.lines(id)
	w.Equal(w.get(id).At("status"), m{"stage": "CANCELED", "message": "Insufficient credits", "cancelReason": "NO_CREDITS", "failureCount": 0.0})
	if c := w.Book.Charges("bob"); len(c) != 1 || c[0].Minutes != 2 || w.left("bob") != 0 {
		t.Errorf("charges %+v, left %d", c, w.left("bob"))
	}
	r := w.Must(402, simtest.BobWrite, "POST", "/api/jobs/bob", m{"dockerImage": "x", "flavor": "cpu-basic", "command": []string{"true"}})
	w.Equal(r.Text("error"), simtest.At(simtest.Fixture(t, "errors.json"), 16, "body", "error"))
	w.Must(402, simtest.BobWrite, "POST", "/api/jobs/bob/"+id+"/duplicate", nil)
}

// Acceptance check 28, as far as jobs go.
func TestCheck28_SecretsAreNeverShown(t *testing.T) {
	w := open(t, exec.Options{}, 0)
	const secret = "s3cr3t-value"
	spec := m{
		"dockerImage": "python:3.12", "flavor": "cpu-basic", "secrets": m{"SEC": secret, "A": secret},
		"command": []string{"sh", "-c", `echo ${#SEC} known`},
	}
	created := w.Must(200, simtest.BobWrite, "POST", "/api/jobs/bob", spec)
	id := created.Text("id")
	w.Equal(w.lines(id), []string{"12 known"})
	copied := w.Must(200, simtest.BobWrite, "POST", "/api/jobs/bob/"+id+"/duplicate", nil)
	w.Equal(w.lines(copied.Text("id")), []string{"12 known"})
	w.Equal(copied.At("initiator"), m{"type": "duplicated-job", "id": id})
	delete(spec, "command")
	planned := w.Must(200, simtest.BobWrite, "POST", "/api/scheduled-jobs/bob", m{"jobSpec": spec, "schedule": "@daily"})
	for _, r := range []simtest.Reply{
		created, copied, planned, w.get(id),
		w.Do(simtest.BobWrite, "GET", "/api/jobs/bob", nil), w.Do(simtest.BobWrite, "GET", "/api/scheduled-jobs/bob", nil),
		w.Do(simtest.BobWrite, "POST", "/api/jobs/bob/"+id+"/cancel", nil), w.Do(simtest.BobWrite, "GET", "/api/jobs/bob/"+id+"/events", nil),
		w.Do(simtest.BobWrite, "PUT", "/api/jobs/bob/"+id+"/labels", m{"labels": m{"a": "b"}}),
	} {
		if r.Status != 200 || strings.Contains(string(r.Raw), secret) {
			t.Errorf("%d %s", r.Status, r.Raw)
		}
	}
	w.Equal(created.At("secrets"), []any{"A", "SEC"})
	w.Equal(planned.At("jobSpec", "secrets"), []any{"A", "SEC"})
}

func TestShapesAreTheRecordedOnes(t *testing.T) {
	w := open(t, exec.Options{}, 5*time.Second)
	id := w.Must(200, simtest.BobWrite, "POST", "/api/jobs/bob", m{
		"dockerImage": "python:3.12", "command": []string{"sh", "-c", "echo one"}, "arguments": []string{}, "environment": m{"FOO": "foo"},
		"flavor": "cpu-basic", "secrets": m{"HF_TOKEN": "s"}, "labels": m{"name": "python-3-12-a8aac6f4"},
	})
	bobs, _ := w.Book.Find("bob")
	free := func(v any) any {
		o := v.(m)
		delete(o, "id")
		for _, k := range []string{"createdAt", "startedAt", "finishedAt"} {
			if s, ok := o[k].(string); ok {
				if _, err := time.Parse(clock.Layout, s); err != nil {
					t.Error(err)
				}
				o[k] = "time"
			}
		}
		for _, k := range []string{"createdBy", "owner", "initiator"} {
			if p, ok := o[k].(m); ok && p["name"] == "bob" {
				p["id"] = bobs.ID
			}
		}
		return v
	}
	w.Equal(free(id.Body), free(simtest.Fixture(t, "jobs.json", 0)))
	one := id.Text("id")
	if one != "" {
		t.Fatal("the id was to be taken out")
	}
	list := w.Must(200, simtest.BobWrite, "GET", "/api/jobs/bob", nil)
	one = list.Text(0, "id")
	w.clock.Advance(5 * time.Second)
	w.lines(one)
	r := w.get(one)
	if d := r.At("durations", "schedulingSecs"); d != 5.0 {
		t.Errorf("scheduled for %v", d)
	}
	simtest.SameKeys(t, r.Body, simtest.Fixture(t, "jobs.json", 2))
	simtest.SameKeys(t, r.At("durations"), simtest.Fixture(t, "jobs.json", 2, "durations"))
	planned := w.Must(200, simtest.BobWrite, "POST", "/api/scheduled-jobs/bob", m{
		"jobSpec": m{"dockerImage": "python:3.12", "command": []string{"echo", "x"}, "flavor": "cpu-basic"}, "schedule": "@hourly",
	})
	simtest.SameKeys(t, planned.Body, simtest.Fixture(t, "scheduled-jobs.json", 0))
	simtest.SameKeys(t, planned.At("jobSpec"), simtest.Fixture(t, "scheduled-jobs.json", 0, "jobSpec"), "volumes")
	w.Equal(planned.At("status"), m{"lastJob": nil, "nextJobRunAt": "2026-01-01T01:00:00.000Z"})
}

func TestLogFramesAreTheRecordedOnes(t *testing.T) {
	w := open(t, exec.Options{Scripted: true, Scripts: []exec.Script{{Steps: []exec.Step{
		{AfterMs: 999, Lines: []string{"one"}}, {AfterMs: 999, Lines: []string{"café \x1b[32mgreen\x1b[0m"}},
	}}}}, 5*time.Second)
	id := w.run(sh("echo one"))
	w.clock.Advance(10 * time.Second)
	r := w.Must(200, simtest.BobWrite, "GET", "/api/jobs/bob/"+id+"/logs", nil)
	if got := r.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("content type %q", got)
	}
	lines := strings.Split(strings.TrimSpace(string(r.Raw)), "\n\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], `data: {"data":"===== Job started at 2026-01-01 00:00:05 =====","timestamp":"2026-01-01T00:00:05.`) ||
		!strings.HasPrefix(lines[2], `data: {"data":"café \u001b[32mgreen\u001b[0m","timestamp":"2026-01-01T00:00:0`) {
		t.Errorf("frames %q", lines)
	}
	w.Equal(w.events(simtest.BobWrite, "/api/jobs/bob/"+id+"/logs?tail=1"), []string{"café \x1b[32mgreen\x1b[0m"})
	w.Must(422, simtest.BobWrite, "GET", "/api/jobs/bob/"+id+"/logs?tail=x", nil)
}

// The same requests give the same bytes on a clock that stands still.
func TestScriptedRunsAreEqual(t *testing.T) {
	play := func() string {
		w := open(t, exec.Options{Scripted: true, Scripts: []exec.Script{{Steps: []exec.Step{{AfterMs: 1000, Lines: []string{"x"}}}}}}, time.Second)
		w.run(nil)
		id := w.run(m{"flavor": "t4-small", "labels": m{"k": "v"}})
		w.clock.Advance(time.Minute)
		return string(w.Do(simtest.BobWrite, "GET", "/api/jobs/bob", nil).Raw) + string(w.Do(simtest.BobWrite, "GET", "/api/jobs/bob/"+id+"/logs", nil).Raw) +
			string(w.Do(simtest.BobWrite, "GET", "/api/jobs/bob/"+id+"/events", nil).Raw)
	}
	if a, b := play(), play(); a != b || a == "" {
		t.Errorf("%s\n%s", a, b)
	}
}

func TestStagesFollowTheClock(t *testing.T) {
	w := open(t, exec.Options{}, 10*time.Second)
	id := w.run(m{"command": []string{"sleep", "300"}, "timeoutSeconds": 60})
	w.clock.Advance(9 * time.Second)
	w.Equal(w.get(id).Text("status", "stage"), "SCHEDULING")
	w.clock.Advance(time.Second)
	w.Equal(w.get(id).Text("status", "stage"), "RUNNING")
	w.clock.Advance(59 * time.Second)
	w.Equal(w.get(id).Text("status", "stage"), "RUNNING")
	w.clock.Advance(time.Second)
	w.Equal(w.get(id).At("status"), m{"stage": "ERROR", "message": "Job timeout", "failureCount": 0.0})
	w.lines(id)
	var stages []string
	for _, e := range w.events(simtest.BobWrite, "/api/jobs/bob/"+id+"/events") {
		var v struct{ Stage string }
		_ = json.Unmarshal([]byte(e), &v)
		stages = append(stages, v.Stage)
	}
	w.Equal(stages, []string{"SCHEDULING", "RUNNING", "ERROR"})
}

func TestCancel(t *testing.T) {
	w := open(t, exec.Options{}, 0)
	id := w.run(m{"command": []string{"sleep", "300"}})
	w.settle(id, "RUNNING")
	r := w.Must(200, simtest.BobWrite, "POST", "/api/jobs/bob/"+id+"/cancel", nil)
	w.Equal(r.At("status"), m{"stage": "CANCELED", "message": nil, "failureCount": 0.0})
	w.lines(id)
	again := w.Must(200, simtest.BobWrite, "POST", "/api/jobs/bob/"+id+"/cancel", nil)
	w.Equal(again.Body, r.Body)
	done := w.run(sh("true"))
	w.lines(done)
	w.Equal(w.Must(200, simtest.BobWrite, "POST", "/api/jobs/bob/"+done+"/cancel", nil).Text("status", "stage"), "COMPLETED")
}

func TestAttempts(t *testing.T) {
	w := open(t, exec.Options{}, 0)
	id := w.run(m{"attempts": 3, "command": []string{"sh", "-c", "echo try; exit 1"}})
	w.Equal(w.lines(id), []string{"try", "try", "try"})
	r := w.get(id)
	w.Equal(r.At("status", "failureCount"), 3.0)
	w.Equal(r.At("retry"), m{"attempts": 3.0})
}

func TestMissingProgramHasTheShellsText(t *testing.T) {
	w := open(t, exec.Options{}, 0)
	id := w.run(m{"command": []string{"nothing-like-this"}})
	lines := w.lines(id)
	if len(lines) != 1 || !strings.Contains(lines[0], "nothing-like-this: not found") {
		t.Errorf("lines %q", lines)
	}
	w.Equal(w.get(id).Text("status", "message"), "Job failed with exit code: 127")
}

func TestListing(t *testing.T) {
	w := open(t, exec.Options{Scripted: true}, 0)
	a := w.run(m{"labels": m{"k": "v"}})
	b := w.run(m{"labels": m{"k": "w", "x": "y.z"}})
	c := w.run(nil)
	ids := func(query string) []any {
		return simtest.Each(w.Must(200, simtest.BobWrite, "GET", "/api/jobs/bob"+query, nil).Body, "id")
	}
	w.Equal(ids(""), []any{c, b, a})
	w.Equal(ids("?label=k%3Dv"), []any{a})
	w.Equal(ids("?label=k=v&label=x=y.z"), []any{b, a})
	w.Equal(ids("?label=k"), []any{b, a})
	w.Equal(ids("?stage=RUNNING"), []any{})
	w.Equal(ids("?stage=RUNNING&stage=COMPLETED&label=k=w"), []any{b})
	w.Equal(w.Must(200, simtest.BobWrite, "GET", "/api/jobs/bob/count?label=k", nil).Body, m{"count": 2.0})
	var seen []any
	for next := "http://hub.test/api/jobs/bob?limit=2"; next != ""; {
		r := w.Must(200, simtest.BobWrite, "GET", strings.TrimPrefix(next, "http://hub.test"), nil)
		seen = append(seen, simtest.Each(r.Body, "id")...)
		next, _, _ = strings.Cut(strings.TrimPrefix(r.Header.Get("Link"), "<"), ">")
	}
	w.Equal(seen, []any{c, b, a})
	w.Equal(w.Must(200, simtest.BobWrite, "PUT", "/api/jobs/bob/"+a+"/labels", m{"labels": m{"new": "1"}}).At("labels"), m{"new": "1"})
	w.Equal(ids("?label=k%3Dv"), []any{})
	w.Equal(w.Must(200, simtest.BobWrite, "GET", "/api/jobs/hardware", nil).Body, simtest.Fixture(t, "jobs-hardware.json"))
}

func TestWhoMayWhat(t *testing.T) {
	w := open(t, exec.Options{Scripted: true}, 0)
	id := w.run(nil)
	spec := m{"dockerImage": "x", "flavor": "cpu-basic"}
	for _, c := range []struct {
		token, method, target string
		status                int
	}{
		{simtest.Anonymous, "POST", "/api/jobs/bob", 401},
		{simtest.Anonymous, "GET", "/api/jobs/bob/" + id, 401},
		{simtest.AliceWrite, "POST", "/api/jobs/bob", 403},
		{simtest.AliceWrite, "GET", "/api/jobs/bob/" + id, 403},
		{simtest.AliceWrite, "POST", "/api/jobs/acme", 403},
		{simtest.AliceWrite, "GET", "/api/jobs/acme", 200},
		{simtest.BobFine, "GET", "/api/jobs/bob", 200},
		{simtest.BobFine, "POST", "/api/jobs/bob", 200},
		{simtest.BobFine, "POST", "/api/jobs/acme", 403},
		{simtest.BobWrite, "POST", "/api/jobs/acme", 402},
		{simtest.BobWrite, "POST", "/api/jobs/nobody", 404},
		{simtest.BobWrite, "GET", "/api/jobs/bob/" + strings.Repeat("f", 24), 404},
		{simtest.BobWrite, "GET", "/api/jobs/acme/" + id, 404},
		{simtest.BobWrite, "GET", "/api/scheduled-jobs/bob/" + strings.Repeat("f", 24), 404},
		{simtest.BobWrite, "POST", "/api/jobs/bob/auth-check/job.write", 200},
		{simtest.AliceRead, "POST", "/api/jobs/acme/auth-check/job.read", 200},
		{simtest.AliceRead, "POST", "/api/jobs/acme/auth-check/job.read,job.write", 403},
		{simtest.BobWrite, "POST", "/api/jobs/bob/" + id + "/nothing", 404},
	} {
		var body any
		if c.method == "POST" && !strings.Contains(c.target, "auth-check") {
			body = spec
		}
		r := w.Do(c.token, c.method, c.target, body)
		if r.Status != c.status || r.Header.Get("X-Error-Code") != "" {
			t.Errorf("%s %s as %q: %d, want %d: %s", c.method, c.target, c.token, r.Status, c.status, r.Raw)
		}
	}
}

func TestBadSpecs(t *testing.T) {
	w := open(t, exec.Options{Scripted: true}, 0)
	many := make([]int, 21)
	for i := range many {
		many[i] = i + 1
	}
	for _, c := range []struct {
		change m
		want   string
	}{
		{m{"flavor": nil}, `"flavor" is required`},
		{m{"flavor": "h100"}, "h100"},
		{m{"dockerImage": nil}, "dockerImage"},
		{m{"spaceId": "bob/sp"}, "only one"},
		{m{"command": []string{}}, "command"},
		{m{"command": []string{"a", ""}}, "command"},
		{m{"command": "echo"}, "command"},
		{m{"timeoutSeconds": 0}, "timeoutSeconds"},
		{m{"attempts": 0}, "attempts"},
		{m{"arch": "riscv"}, "arch"},
		{m{"labels": m{"a b": "c"}}, "a b"},
		{m{"labels": m{"a": strings.Repeat("x", 101)}}, "labels"},
		{m{"environment": m{"1A": "x"}}, "1A"},
		{m{"secrets": m{"A=B": "x"}}, "A=B"},
		{m{"expose": m{"ports": []int{70000}}}, "70000"},
		{m{"timeoutSeconds": int64(1) << 40}, "timeoutSeconds"},
		{m{"expose": m{"ports": many}}, "21 ports"},
		{m{"expose": m{"ports": []int{80}, "portsPublic": []int{81}}}, "81"},
		{m{"volumes": []m{{"type": "disk", "source": "a/b", "mountPath": "/x"}}}, "disk"},
		{m{"volumes": []m{{"type": "model", "source": "a/b", "mountPath": "x"}}}, "absolute"},
		{m{"volumes": []m{{"type": "bucket", "source": "a/b", "mountPath": "/x", "path": "../y"}}}, "within"},
		{m{"resourceGroupId": "x"}, "resourceGroupId"},
	} {
		body := m{"dockerImage": "python:3.12", "flavor": "cpu-basic"}
		for k, v := range c.change {
			body[k] = v
		}
		r := w.Do(simtest.BobWrite, "POST", "/api/jobs/bob", body)
		if r.Status != 422 || !strings.Contains(r.Text("error"), c.want) {
			t.Errorf("%v: %d %s", c.change, r.Status, r.Raw)
		}
	}
	w.Must(400, simtest.BobWrite, "POST", "/api/jobs/bob", "{")
	w.Must(422, simtest.BobWrite, "POST", "/api/jobs/bob", nil)
	w.Must(404, simtest.BobWrite, "POST", "/api/jobs/bob", m{"flavor": "cpu-basic", "spaceId": "bob/none"})
	w.Must(404, simtest.BobWrite, "POST", "/api/jobs/bob", m{"dockerImage": "x", "flavor": "cpu-basic", "volumes": []m{{"type": "model", "source": "bob/none", "mountPath": "/x"}}})
}

func TestVolumes(t *testing.T) {
	w := open(t, exec.Options{}, 0)
	ctx := account.With(context.Background(), w.Book.As("bob"))
	r, err := w.repos.Create(ctx, repo.CreateSpec{Type: repo.Dataset, ID: "bob/ml-intern-jobs", Visibility: repo.Private, Files: []repo.Change{
		{Path: "n1/train.py", Content: []byte("print('trained')")}, {Path: "other.txt", Content: []byte("x")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	oid, err := r.Head("main")
	if err != nil {
		t.Fatal(err)
	}
	b, err := w.buckets.Create("bob", "bk", true)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.buckets.Seed(b, "sub/in.txt", strings.NewReader("from the bucket")); err != nil {
		t.Fatal(err)
	}
	id := w.run(m{
		"command": []string{"sh", "-c", "uv run /ml-intern/train.py; ls /ml-intern; cat /data/in.txt; echo; echo result >/data/out.txt"},
		"volumes": []m{
			{"type": "dataset", "source": "bob/ml-intern-jobs", "revision": oid, "path": "n1", "mountPath": "/ml-intern", "readOnly": true},
			{"type": "bucket", "source": "bob/bk", "mountPath": "/data", "path": "sub"},
		},
	})
	w.Equal(w.lines(id), []string{"trained", "train.py", "from the bucket"})
	w.Equal(w.get(id).Text("status", "stage"), "COMPLETED")
	f, _, err := w.buckets.Open(ctx, "bob/bk", "sub/out.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if text, _ := io.ReadAll(f); string(text) != "result\n" {
		t.Errorf("the bucket has %q", text)
	}
	w.credit("alice", cent)
	w.Must(404, simtest.AliceWrite, "POST", "/api/jobs/alice", m{"dockerImage": "x", "flavor": "cpu-basic", "volumes": []m{{"type": "dataset", "source": "bob/ml-intern-jobs", "mountPath": "/x"}}})
}

func TestExposedPorts(t *testing.T) {
	w := open(t, exec.Options{}, 0)
	const server = `
import http.server, os
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = ("%s %s" % (self.path, self.headers.get("Authorization"))).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def do_POST(self):
        n = int(self.headers["Content-Length"]); total = 0
        while total < n: total += len(self.rfile.read(min(65536, n - total)))
        body = str(total).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *a): pass
s = http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), H)
print("listening", flush=True)
s.serve_forever()`
	id := w.run(m{"command": []string{"python3", "-c", server}, "expose": m{"ports": []int{49983, 8000}, "portsPublic": []int{8000}}})
	srv := httptest.NewServer(w.Server)
	defer srv.Close()
	ask := func(token, path string, body io.Reader) (int, string) {
		method := "GET"
		if body != nil {
			method = "POST"
		}
		r, _ := http.NewRequest(method, srv.URL+path, body)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Errorf("%s %s: %v", method, path, err)
		}
		return res.StatusCode, string(text)
	}
	base := "/__jobs/" + id + "/49983"
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if code, _ := ask(simtest.BobWrite, base+"/", nil); code == 200 {
			break
		} else if time.Now().After(end) {
			t.Fatal("the job does not listen")
		}
	}
	code, text := ask(simtest.BobWrite, base+"/a%2Fb?c=d", nil)
	if code != 200 || text != "/a%2Fb?c=d None" {
		t.Errorf("%d %q", code, text)
	}
	if code, text := ask(simtest.BobWrite, base+"/up", strings.NewReader(strings.Repeat("x", 20<<20))); code != 200 || text != fmt.Sprint(20<<20) {
		t.Errorf("%d %q", code, text)
	}
	for _, c := range []struct {
		token, path string
		status      int
	}{
		{"", base + "/", 401},
		{simtest.AliceWrite, base + "/", 403},
		{"", "/__jobs/" + id + "/8000/", 502}, // public, but nobody listens there
		{simtest.BobWrite, "/__jobs/" + id + "/9000/", 404},
		{simtest.BobWrite, "/__jobs/" + strings.Repeat("f", 24) + "/8000/", 404},
	} {
		if code, text := ask(c.token, c.path, nil); code != c.status {
			t.Errorf("%s as %q: %d %s", c.path, c.token, code, text)
		}
	}
	r := w.get(id)
	w.Equal(r.At("status", "exposeUrls"), []any{"http://hub.test" + base, "http://hub.test/__jobs/" + id + "/8000"})
	// Nothing stands behind a port that was exposed since, least of all what
	// listens on this machine under its number.
	_, own, _ := strings.Cut(srv.Listener.Addr().String(), ":")
	port, _ := strconv.Atoi(own)
	w.Must(200, simtest.BobWrite, "PUT", "/api/jobs/bob/"+id+"/expose", m{"expose": m{"ports": []int{8000, port}}})
	if code, text := ask(simtest.BobWrite, "/__jobs/"+id+"/"+own+"/", nil); code != 502 || !strings.Contains(text, "does not listen") {
		t.Errorf("a port of this machine: %d %s", code, text)
	}
	if code, _ := ask(simtest.BobWrite, base+"/", nil); code != 404 {
		t.Errorf("a port that is exposed no longer: %d", code)
	}
	w.Must(200, simtest.BobWrite, "POST", "/api/jobs/bob/"+id+"/cancel", nil)
	if code, _ := ask(simtest.BobWrite, "/__jobs/"+id+"/8000/", nil); code != 503 {
		t.Errorf("a job that is over: %d", code)
	}
	if c := w.Book.Charges("bob"); c[0].NanoUSD != 167_000+166_666 {
		t.Errorf("charge with ports %+v", c)
	}
}

func TestScheduled(t *testing.T) {
	w := open(t, exec.Options{Scripted: true, Scripts: []exec.Script{{Command: "^slow", Steps: []exec.Step{{AfterMs: 90 * 60 * 1000}}}}}, 0)
	plan := func(command, schedule string, change m) string {
		body := m{"jobSpec": m{"dockerImage": "x", "flavor": "cpu-basic", "command": []string{command}, "labels": m{"c": command}, "timeoutSeconds": 9000}, "schedule": schedule}
		for k, v := range change {
			body[k] = v
		}
		return w.Must(200, simtest.BobWrite, "POST", "/api/scheduled-jobs/bob", body).Text("id")
	}
	show := func(id string) simtest.Reply {
		return w.Must(200, simtest.BobWrite, "GET", "/api/scheduled-jobs/bob/"+id, nil)
	}
	post := func(status int, id, act string, body any) simtest.Reply {
		return w.Must(status, simtest.BobWrite, "POST", "/api/scheduled-jobs/bob/"+id+"/"+act, body)
	}
	count := func(command string) any {
		return w.Must(200, simtest.BobWrite, "GET", "/api/jobs/bob/count?label=c="+command, nil).At("count")
	}
	quick, slow := plan("quick", "@hourly", nil), plan("slow", "@hourly", nil)
	crowd, paused := plan("slow-crowd", "@hourly", m{"concurrency": true}), plan("paused", "@hourly", m{"suspend": true})
	w.clock.Advance(2*time.Hour + time.Second)
	w.Equal([]any{count("quick"), count("slow"), count("slow-crowd"), count("paused")}, []any{2.0, 1.0, 2.0, 0.0})
	jobs := w.Must(200, simtest.BobWrite, "GET", "/api/jobs/bob?label=c=quick", nil)
	w.Equal(jobs.At(0, "initiator"), m{"type": "scheduled-job", "id": quick})
	w.Equal(show(quick).At("status"), m{
		"lastJob":      m{"id": jobs.Text(0, "id"), "at": jobs.Text(0, "createdAt")},
		"nextJobRunAt": "2026-01-01T03:00:00.000Z",
	})
	w.Equal(show(paused).At("status"), m{"lastJob": nil, "nextJobRunAt": nil})
	post(409, slow, "run", nil)
	w.Equal(post(200, crowd, "run", nil).Text("initiator", "id"), crowd)
	w.Equal(post(200, quick, "run", nil).Text("status", "stage"), "COMPLETED")
	if r := post(200, quick, "suspend", nil); len(r.Raw) != 0 {
		t.Errorf("suspend answers %q", r.Raw)
	}
	post(200, paused, "resume", nil)
	w.clock.Advance(time.Hour)
	w.Equal([]any{count("quick"), count("paused")}, []any{3.0, 1.0})
	w.Equal(post(200, paused, "schedule", m{"schedule": "30 4 * * *"}).Text("status", "nextJobRunAt"), "2026-01-01T04:30:00.000Z")
	post(422, paused, "schedule", m{"schedule": "0 9 * * MON"})
	w.Must(200, simtest.BobWrite, "PUT", "/api/scheduled-jobs/bob/"+paused+"/labels", m{"labels": m{"z": "1"}})
	w.Equal(simtest.Each(w.Must(200, simtest.BobWrite, "GET", "/api/scheduled-jobs/bob?label=z=1", nil).Body, "id"), []any{paused})
	w.Must(200, simtest.BobWrite, "DELETE", "/api/scheduled-jobs/bob/"+paused, nil)
	w.Must(404, simtest.BobWrite, "GET", "/api/scheduled-jobs/bob/"+paused, nil)
	w.Must(404, simtest.BobWrite, "DELETE", "/api/scheduled-jobs/bob/"+paused, nil)
	w.credit("bob", 0)
	post(402, quick, "run", nil)
	post(200, quick, "resume", nil)
	w.clock.Advance(time.Hour)
	w.Equal(w.Must(200, simtest.BobWrite, "GET", "/api/jobs/bob?label=c=quick", nil).At(0, "status", "cancelReason"), "NO_CREDITS")
}

func TestRestart(t *testing.T) {
	w := open(t, exec.Options{}, 0)
	done := w.run(sh("echo kept"))
	w.lines(done)
	running := w.run(m{"command": []string{"sleep", "300"}})
	w.settle(running, "RUNNING")
	plan := w.Must(200, simtest.BobWrite, "POST", "/api/scheduled-jobs/bob", m{
		"jobSpec": m{"dockerImage": "x", "flavor": "cpu-basic", "command": []string{"true"}}, "schedule": "@hourly",
	})
	before := w.get(done)
	state, err := w.jobs.Save()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.jobs.Close(); err != nil {
		t.Fatal(err)
	}
	w.load(state, 0)
	w.Equal(w.get(done).Body, before.Body)
	w.Equal(w.lines(done), []string{"kept"})
	w.Equal(w.get(running).At("status"), m{"stage": "ERROR", "message": "simulator restarted", "failureCount": 0.0})
	w.Equal(w.Must(200, simtest.BobWrite, "GET", "/api/scheduled-jobs/bob", nil).At(0), plan.Body)
	w.clock.Advance(time.Hour)
	w.Equal(w.Must(200, simtest.BobWrite, "GET", "/api/jobs/bob/count", nil).At("count"), 3.0)
}

func TestFaultsKeepOrEndAJob(t *testing.T) {
	w := open(t, exec.Options{Scripted: true}, 0)
	rule := func(do string) {
		w.faults.Clear()
		rules, err := fault.Parse([]byte(`{"match":{"method":"POST","path":"^/api/jobs/bob$"},"do":` + do + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.faults.Add(rules...); err != nil {
			t.Fatal(err)
		}
	}
	for do, want := range map[string]string{
		`{"stickStage":"SCHEDULING"}`: "SCHEDULING", `{"stickStage":"RUNNING"}`: "RUNNING", `{"failStage":"ERROR"}`: "ERROR",
	} {
		rule(do)
		id := w.run(nil)
		w.clock.Advance(2 * time.Hour)
		if got := w.get(id).Text("status", "stage"); got != want {
			t.Errorf("%s: %s", do, got)
		}
		if want == "RUNNING" {
			w.Must(200, simtest.BobWrite, "POST", "/api/jobs/bob/"+id+"/cancel", nil)
		}
	}
}

// stream reads a live stream's frames.
func stream(t *testing.T, w *world, path string) (<-chan string, func()) {
	t.Helper()
	srv := httptest.NewServer(w.Server)
	ctx, cancel := context.WithCancel(context.Background())
	r, _ := http.NewRequestWithContext(ctx, "GET", srv.URL+path, nil)
	r.Header.Set("Authorization", "Bearer "+simtest.BobWrite)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != 200 {
		t.Fatalf("%s: %d", path, res.StatusCode)
	}
	frames := make(chan string, 100)
	go func() {
		defer close(frames)
		buf, rest := make([]byte, 4096), ""
		for {
			n, err := res.Body.Read(buf)
			rest += string(buf[:n])
			for {
				frame, after, ok := strings.Cut(rest, "\n\n")
				if !ok {
					break
				}
				frames <- frame
				rest = after
			}
			if err != nil {
				return
			}
		}
	}()
	return frames, func() {
		cancel()
		_ = res.Body.Close()
		for range frames {
		}
		srv.Close()
	}
}

func next(t *testing.T, frames <-chan string) string {
	t.Helper()
	select {
	case f, ok := <-frames:
		if !ok {
			t.Fatal("the stream has ended")
		}
		return f
	case <-time.After(20 * time.Second):
		t.Fatal("the stream is silent")
	}
	return ""
}

// Acceptance checks 24 and 25, the server's side: each connection tells all from
// the first line on, keeps alive, and can be cut or spoiled.
func TestCheck24And25_Streams(t *testing.T) {
	long := strings.Repeat("y", 2<<20)
	w := open(t, exec.Options{Scripted: true, Scripts: []exec.Script{{Steps: []exec.Step{
		{Lines: []string{"1", "2", "3", "4", "5", "6"}}, {AfterMs: 3600_000, Lines: []string{long}},
	}}}}, 0)
	id := w.run(m{"timeoutSeconds": 7200})
	path := "/api/jobs/bob/" + id + "/logs"
	frames, stop := stream(t, w, path)
	defer stop()
	for i := range 7 {
		if f := next(t, frames); i > 0 && !strings.HasPrefix(f, fmt.Sprintf(`data: {"data":"%d",`, i)) {
			t.Errorf("frame %d: %q", i, f)
		}
	}
	w.until(frames, ": keep-alive")
	rules, _ := fault.Parse([]byte(`[{"match":{"path":"/logs$","count":1},"do":{"sseCloseAfter":5}},{"match":{"path":"/logs$","count":1},"do":{"sseGarbage":1}}]`))
	if err := w.faults.Add(rules...); err != nil {
		t.Fatal(err)
	}
	cut, done := stream(t, w, path)
	n := 0
	for range cut {
		n++
	}
	done()
	if n != 5 {
		t.Errorf("cut after %d events", n)
	}
	spoiled, done := stream(t, w, path)
	next(t, spoiled)
	if f := next(t, spoiled); json.Valid([]byte(strings.TrimPrefix(f, "data: "))) {
		t.Errorf("no garbage: %q", f)
	}
	if f := next(t, spoiled); !strings.Contains(f, `"1"`) {
		t.Errorf("after the garbage: %q", f)
	}
	done()
	w.clock.Advance(time.Hour)
	lines := w.lines(id)
	if len(lines) != 7 || lines[6] != long {
		t.Errorf("%d lines", len(lines))
	}
}

// until advances the clock until a frame comes: the stream sets its timers in a
// goroutine of its own.
func (w *world) until(frames <-chan string, want string) {
	w.Helper()
	for range 2000 {
		select {
		case f, ok := <-frames:
			if !ok {
				w.Fatal("the stream has ended")
			}
			if strings.HasPrefix(f, want) {
				return
			}
		case <-time.After(5 * time.Millisecond):
			w.clock.Advance(time.Second)
		}
	}
	w.Fatalf("no frame %q", want)
}

func TestMetrics(t *testing.T) {
	w := open(t, exec.Options{Scripted: true, Scripts: []exec.Script{{Steps: []exec.Step{{AfterMs: 600_000}}}}}, 0)
	id := w.run(m{"flavor": "a10g-largex2"})
	frames, stop := stream(t, w, "/api/jobs/bob/"+id+"/metrics")
	defer stop()
	raw, ok := strings.CutPrefix(next(t, frames), "event: metric\ndata: ")
	var got any
	if err := json.Unmarshal([]byte(raw), &got); !ok || err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	fixture, err := os.ReadFile(filepath.Join(filepath.Dir(fixture(t)), "job-metrics.sse"))
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := strings.Cut(string(fixture), "data: ")
	want, _, _ = strings.Cut(want, "\n")
	var recorded any
	if err := json.Unmarshal([]byte(want), &recorded); err != nil {
		t.Fatal(err)
	}
	simtest.SameKeys(t, got, recorded)
	simtest.SameKeys(t, simtest.At(got, "gpus", "1"), simtest.At(recorded, "gpus", "0"))
	w.until(frames, "event: metric")
	w.clock.Advance(time.Hour)
	w.until(frames, ": keep-alive")
	w.Must(500, simtest.BobWrite, "GET", "/api/jobs/bob/"+id+"/metrics", nil)
}

func fixture(t *testing.T) string {
	simtest.Fixture(t, "jobs.json") // skips where there are none
	dir := os.Getenv("ML_INTERN_FIXTURES")
	if dir == "" {
		dir = "../../../../shared/fixtures"
	}
	return filepath.Join(dir, "hub", "x")
}

func TestCloseEndsEverything(t *testing.T) {
	w := open(t, exec.Options{}, 0)
	id := w.run(m{"command": []string{"sleep", "300"}})
	w.settle(id, "RUNNING")
	frames, stop := stream(t, w, "/api/jobs/bob/"+id+"/logs")
	defer stop()
	if err := w.jobs.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.runner.Close(); err != nil {
		t.Fatal(err)
	}
	for range frames {
	}
	if !slices.Contains([]string{"RUNNING"}, w.get(id).Text("status", "stage")) {
		t.Error("closing changes stages")
	}
}
