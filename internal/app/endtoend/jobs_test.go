//go:build linux

package endtoend_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/bench/modelserver"
	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// yard is a simulated Hub, a scripted model and a site whose program uses both.
type yard struct {
	*site
	sim    *hubsim.Hub
	models *desk
	client *hub.Client
}

// bobWrite is the seed's token.
const bobWrite = "hf_bob_write"

func newYard(t *testing.T, scripts ...exec.Script) *yard {
	t.Helper()
	y := &yard{sim: hubsimtest.Start(t, hubsim.Options{Clock: clock.Options{Scale: 1}, Scripts: scripts}), models: newDesk()}
	t.Cleanup(y.models.server.Close)
	y.client = y.connect(t)
	y.site = mustSite(t, y.env()...)
	return y
}

func (y *yard) env() []string { return []string{"HF_TOKEN=" + bobWrite, "HF_ENDPOINT=" + y.sim.URL()} }

func (y *yard) connect(t *testing.T) *hub.Client {
	t.Helper()
	web, err := httpx.New(httpx.Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := hub.New(hub.Options{HTTP: web, Endpoint: y.sim.URL(), Token: bobWrite})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); web.CloseIdleConnections() })
	return c
}

// script is a model that makes the calls of each answer one after another, and
// then says goodbye; later prompts only get a goodbye. Calls are named by their
// answer.
func script(answers ...modelserver.Call) func(modelserver.Request) modelserver.Answer {
	return func(r modelserver.Request) modelserver.Answer {
		done := 0
		for _, m := range r.Messages {
			done += len(m.ToolCalls)
		}
		if done >= len(answers) {
			return modelserver.Answer{Text: []string{"Goodbye."}}
		}
		return modelserver.Answer{Calls: []modelserver.IDCall{{ID: fmt.Sprintf("call_%d", done), Call: answers[done]}}}
	}
}

// follow adds a script for the model and returns the arguments that choose it.
func (y *yard) follow(name string, answers ...modelserver.Call) {
	y.site.env = append(slices.Clone(y.site.env), "VLLM_BASE_URL="+y.models.add(name, script(answers...)))
}

// all are the jobs of a namespace.
func (y *yard) all(ns string) ([]job.Job, error) {
	var all []job.Job
	for j, err := range y.client.Jobs.List(context.Background(), ns, job.Filter{}) {
		if err != nil {
			return nil, err
		}
		all = append(all, j)
	}
	return all, nil
}

func (y *yard) jobs(t *testing.T, ns string) []job.Job {
	t.Helper()
	all, err := y.all(ns)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// runs runs the program on the scripted model.
func (y *yard) runs(t *testing.T, args ...string) ended {
	t.Helper()
	return y.mustRun(t, append([]string{"--model", "vllm/m", "--max-cost", "20", "--output-format", "stream-json"}, args...)...)
}

// steps are scripts of a job that prints lines at once and more after a while.
func steps(after time.Duration) exec.Script {
	return exec.Script{Steps: []exec.Step{{Lines: []string{"line 1", "line 2"}}, {AfterMs: after.Milliseconds(), Lines: []string{"line 3"}}}}
}

// A job as the engine tells it: its cost is set aside before it starts, it is
// known before it is followed, the model is not asked while it runs, and what
// it has cost replaces what was set aside.
func TestAJobThroughTheEngine(t *testing.T) {
	y := newYard(t, steps(1500*time.Millisecond))
	y.follow("one", jobs(map[string]any{"operation": "run", "command": []string{"train"}, "flavor": "t4-small", "timeout": "1h", "namespace": "acme"}))
	e := y.runs(t, "train it")
	if e.code != 0 {
		t.Fatal(e)
	}
	j := y.jobs(t, "acme")[0]
	_, events := y.mustJournal(t)
	want := []event.Type{
		event.TypeSpend, event.TypeToolStarted, event.TypeJobSubmit, event.TypeToolEffect, event.TypeToolStateChange, event.TypeJobComplete,
		event.TypeToolStateChange, event.TypeSpend, event.TypeToolOutput,
	}
	var got []event.Type
	for _, ev := range events {
		if s, err := event.Decode[event.Spend](ev); ev.Type == event.TypeSpend && (err != nil || s.Kind != event.SpendJob) {
			continue
		}
		if slices.Contains(want, ev.Type) {
			got = append(got, ev.Type)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("events %v\nwant   %v", got, want)
	}
	started := decoded[event.ToolStarted](events)
	if len(started) != 1 || started[0].Effect != event.Keyed || !strings.Contains(string(started[0].Intent), "acme") {
		t.Errorf("%+v", started)
	}
	if effects := decoded[event.ToolEffect](events); len(effects) != 1 || effects[0].ExternalRef != "job:acme/"+j.ID {
		t.Errorf("%+v", effects)
	}
	if states := decoded[event.ToolStateChange](events); states[0].State != "running" || states[0].JobURL != y.sim.URL()+"/jobs/acme/"+j.ID || states[1].State != "completed" {
		t.Errorf("%+v", states)
	}
	spends := slices.DeleteFunc(decoded[event.Spend](events), func(s event.Spend) bool { return s.Kind != event.SpendJob })
	if len(spends) != 2 || spends[0].State != event.SpendReserved || *spends[0].MicroUSD < 399_000 || *spends[0].MicroUSD > 401_000 || spends[0].PriceSource != "live" ||
		spends[1].State != event.SpendSettled || *spends[1].MicroUSD > 7000 || spends[1].ID != spends[0].ID {
		t.Errorf("%+v", spends)
	}
	if n := len(y.models.requests("one")); n != 2 {
		t.Errorf("the model was asked %d times", n)
	}
	if !strings.Contains(e.stdout, `"event_type":"hf_job_complete"`) {
		t.Error("the run did not show the job's end")
	}
}

// What does not fit under the cap is not started, and what the Hub wants money
// for is a state of its own.
func TestMoneyRefusals(t *testing.T) {
	y := newYard(t)
	y.follow("cap", jobs(map[string]any{"operation": "run", "command": []string{"x"}, "hardware": "h200", "timeout": "5h"}))
	y.runs(t, "spend it")
	_, events := y.mustJournal(t)
	if out := decoded[event.ToolOutput](events); len(out) != 1 || out[0].Success || !strings.Contains(out[0].Output, "exceeds") || len(y.jobs(t, "bob")) != 0 {
		t.Errorf("%+v", out)
	}

	y = newYard(t)
	if err := y.sim.Faults.Add(fault.Rule{Match: fault.Match{Method: "POST", Path: "^/api/jobs/bob$"}, Do: fault.Do{Status: 402, Body: jsonOf(t, map[string]string{"error": "add credits"})}}); err != nil {
		t.Fatal(err)
	}
	y.follow("poor", jobs(map[string]any{"operation": "uv", "command": []string{"x"}}))
	y.runs(t, "run it")
	_, events = y.mustJournal(t)
	states := decoded[event.ToolStateChange](events)
	if len(states) != 1 || states[0].State != "billing_required" || states[0].Namespace != "bob" {
		t.Errorf("%+v", states)
	}
	spends := slices.DeleteFunc(decoded[event.Spend](events), func(s event.Spend) bool { return s.Kind != event.SpendJob })
	if last := spends[len(spends)-1]; last.State == event.SpendReserved || last.MicroUSD == nil || *last.MicroUSD != 0 {
		t.Errorf("%+v", spends)
	}
	if out := decoded[event.ToolOutput](events); out[0].Success || !strings.Contains(out[0].Output, "/settings/billing") {
		t.Errorf("%+v", out)
	}
}

// Approvals show what a job costs at most; a schedule asks in every mode.
func TestApprovalsOfJobs(t *testing.T) {
	y := newYard(t)
	y.write(t, "train.py", "from transformers import AutoModel\nAutoModel.from_pretrained('x')\n")
	y.follow("ask", jobs(map[string]any{"operation": " RUN ", "script": "train.py", "flavor": "a10g-small", "timeout": "90m", "secrets": map[string]any{"KEY": "abcdef-value"}}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	a, err := app.New(ctx, app.Options{Dir: y.dir, Environ: y.site.env, Flags: map[string][]string{"model_name": {"vllm/m"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	session, err := a.OpenSession(ctx, app.SessionRequest{Prompt: true})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if err := session.Submit(ctx, event.Submission{Operation: event.UserInput{Text: "go"}}); err != nil {
		t.Fatal(err)
	}
	for ev, err := range session.Follow(ctx, session.After) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type != event.TypeApprovalRequired {
			continue
		}
		asked, err := event.Decode[event.ApprovalRequired](ev)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"costs at most 1.50 USD (a10g-small at 1 USD/h for 1h30m0s)", "paid by bob", "a GPU for less than 2 h", "no push_to_hub", "gets the secrets KEY",
		} {
			if !strings.Contains(asked.Tools[0].Reason, want) {
				t.Errorf("%q does not say %q", asked.Tools[0].Reason, want)
			}
		}
		shown := string(asked.Tools[0].Arguments)
		if !strings.Contains(shown, `"operation":"run"`) || !strings.Contains(shown, "AutoModel.from_pretrained") || strings.Contains(shown, "abcdef-value") {
			t.Errorf("shown: %s", shown)
		}
		break
	}
	if n := len(y.jobs(t, "bob")); n != 0 {
		t.Errorf("%d jobs were started without an answer", n)
	}

	y = newYard(t)
	y.follow("schedule", jobs(map[string]any{"operation": "scheduled uv", "command": []string{"x"}, "schedule": "@daily"}))
	y.runs(t, "--approval-mode", "yolo", "schedule it")
	_, events := y.mustJournal(t)
	if out := decoded[event.ToolOutput](events); out[0].Success || !strings.Contains(out[0].Output, "manual approval") {
		t.Errorf("%+v", out)
	}
	for s, err := range y.client.Jobs.Schedules(t.Context(), "bob") {
		t.Errorf("a schedule was made: %+v, %v", s, err)
	}
}

// A job that is left running is waited for by another call, without asking the
// model in between, and paid when it is over.
func TestDetachedJob(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("short: it takes half a minute")
	}
	y := newYard(t, steps(25*time.Second))
	y.models.add("detach", func(r modelserver.Request) modelserver.Answer {
		calls, results := last(r.Messages)
		switch {
		case len(calls) == 0:
			return modelserver.Answer{Calls: []modelserver.IDCall{call("call_0", "hf_jobs", map[string]any{"operation": "run", "command": []string{"x"}, "wait": "1s"})}}
		case calls[0].ID == "call_0":
			_, rest, _ := strings.Cut(results["call_0"], "**Job ID:** ")
			id, _, _ := strings.Cut(rest, "\n")
			return modelserver.Answer{Calls: []modelserver.IDCall{call("call_1", "hf_jobs", map[string]any{"operation": "wait", "job_id": id})}}
		}
		return modelserver.Answer{Text: []string{"Goodbye."}}
	})
	y.site.env = append(y.site.env, "VLLM_BASE_URL="+y.models.server.URL+"/detach/v1")
	e := y.runs(t, "run it")
	_, events := y.mustJournal(t)
	out := decoded[event.ToolOutput](events)
	if len(out) != 2 || !strings.HasPrefix(out[0].Output, "still running (detached)") || !strings.Contains(out[1].Output, "completed after") {
		t.Fatalf("%+v\n%v", out, e)
	}
	if n := len(y.models.requests("detach")); n != 3 {
		t.Errorf("the model was asked %d times", n)
	}
	spends := slices.DeleteFunc(decoded[event.Spend](events), func(s event.Spend) bool { return s.Kind != event.SpendJob })
	id := y.jobs(t, "bob")[0].ID
	if len(spends) != 3 || spends[1].State != event.SpendReserved || spends[1].Ref != "job:bob/"+id || spends[2].State != event.SpendSettled || spends[2].ID != "call_0" {
		t.Errorf("%+v", spends)
	}
}

// A job that outlives the program is settled by the next run of its session.
func TestDetachedJobOutlivesTheProgram(t *testing.T) {
	t.Parallel()
	y := newYard(t, steps(4*time.Second))
	y.follow("outlive", jobs(map[string]any{"operation": "run", "command": []string{"x"}, "wait": "1s"}))
	if e := y.runs(t, "run it"); e.code != 0 {
		t.Fatal(e)
	}
	_, events := y.mustJournal(t)
	if n := len(decoded[event.JobComplete](events)); n != 0 {
		t.Fatalf("the job was over at once")
	}
	for y.jobs(t, "bob")[0].Status.Stage != job.Completed {
		time.Sleep(100 * time.Millisecond)
	}
	// The run lasts long enough for the first look.
	y.models.add("later", func(r modelserver.Request) modelserver.Answer {
		return modelserver.Answer{Text: []string{"Good", "bye."}, Pause: 700 * time.Millisecond}
	})
	y.site.env = append(y.site.env, "VLLM_BASE_URL="+y.models.server.URL+"/later/v1")
	if e := y.runs(t, "--continue", "what now?"); e.code != 0 {
		t.Fatal(e)
	}
	_, events = y.mustJournal(t)
	spends := slices.DeleteFunc(decoded[event.Spend](events), func(s event.Spend) bool { return s.Kind != event.SpendJob })
	if last := spends[len(spends)-1]; last.ID != "call_0" || last.State != event.SpendSettled || len(decoded[event.JobComplete](events)) != 1 {
		t.Errorf("%+v", spends)
	}
}

// Ctrl-C cancels the job in the namespace it runs in.
func TestInterruptCancelsTheJob(t *testing.T) {
	y := newYard(t, steps(time.Hour))
	y.follow("stop", jobs(map[string]any{"operation": "run", "command": []string{"x"}, "namespace": "acme"}))
	cmd := y.command("--model", "vllm/m", "--max-cost", "20", "run it")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killer := time.AfterFunc(runLimit, func() { _ = cmd.Process.Kill() })
	defer killer.Stop()
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if all := y.jobs(t, "acme"); len(all) == 1 && all[0].Status.Stage == job.Running && seen(y, all[0].ID) {
			break
		}
		if time.Since(begun) > 30*time.Second {
			_ = cmd.Process.Kill()
			t.Fatalf("the job did not start: %s", out.String())
		}
	}
	begun := time.Now()
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if cmd.ProcessState.ExitCode() != 130 || time.Since(begun) > 10*time.Second {
		t.Errorf("exit %d after %s: %v\n%s", cmd.ProcessState.ExitCode(), time.Since(begun), err, out.String())
	}
	if j := y.jobs(t, "acme")[0]; j.Status.Stage != job.Canceled {
		t.Errorf("the job is %s", j.Status.Stage)
	}
	_, events := y.mustJournal(t)
	for _, s := range decoded[event.Spend](events) {
		if s.Kind == event.SpendJob && s.State == event.SpendReserved && s.ID != "call_0" {
			t.Errorf("%+v", s)
		}
	}
}

// seen reports whether somebody follows a job's log.
func seen(y *yard, id string) bool {
	for _, r := range y.sim.Requests() {
		if strings.HasSuffix(r.Path, id+"/logs") {
			return true
		}
	}
	return false
}

// A run that is killed anywhere between the submission of a job and its result
// is gone on with: there is exactly one job, and it is followed to its end.
func TestKilledBetweenSubmitAndResult(t *testing.T) {
	runs := 100
	if testing.Short() {
		runs = 20
	}
	seed, _ := chance(t)
	dir := root(t)
	y := newYard(t, exec.Script{Steps: []exec.Step{
		{Lines: []string{"line 1"}}, {AfterMs: 150, Lines: []string{"line 2"}}, {AfterMs: 150, Lines: []string{"line 3"}}, {AfterMs: 100, Lines: []string{"line 4"}},
	}})
	// The submission takes its time, so that kills fall into it.
	slow := fault.Rule{Match: fault.Match{Method: "POST", Path: "^/api/jobs/bob$"}, Do: fault.Do{LatencyMs: 60}}
	if err := y.sim.Faults.Add(slow); err != nil {
		t.Fatal(err)
	}
	typical, err := y.killJob(dir, seed, 1_000_000, 0)
	if err != nil {
		t.Fatalf("a run without a kill: %v", err)
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	points := map[string]int{}
	next := make(chan int)
	for range 4 {
		wait.Go(func() {
			for n := range next {
				k := &killed{}
				_, err := y.killJobAt(dir, seed, n, typical, k)
				mu.Lock()
				points[k.at]++
				if err != nil {
					t.Errorf("run %d, killed %s: %v\nrepeat with -seed %d", n, k.at, err, seed)
				}
				mu.Unlock()
			}
		})
	}
	for n := range runs {
		next <- n
	}
	close(next)
	wait.Wait()
	t.Logf("a whole run takes %s; kills by what the program was doing: %v", typical.Round(time.Millisecond), points)
	if middle := points["submitting"] + points["following"]; middle < runs/2 {
		t.Errorf("only %d of %d kills fell between the call and its result: the test shows little", middle, runs)
	}
}

// killed is where a run was killed.
type killed struct{ at string }

func (y *yard) killJob(dir string, seed uint64, n int, after time.Duration) (time.Duration, error) {
	return y.killJobAt(dir, seed, n, after, &killed{})
}

// killJobAt runs the program on a site of its own, kills it at a random moment
// of the time that a run takes (0 does not kill), goes on and checks.
func (y *yard) killJobAt(dir string, seed uint64, n int, typical time.Duration, k *killed) (time.Duration, error) {
	rng := rand.New(rand.NewPCG(seed, uint64(n)))
	name := fmt.Sprintf("kill%d", n)
	label := map[string]any{"run": name}
	base := y.models.add(name, script(jobs(map[string]any{"operation": "run", "command": []string{"x"}, "labels": label})))
	s, err := newSite(filepath.Join(dir, name), append(y.env(), "VLLM_BASE_URL="+base)...)
	if err != nil {
		return 0, err
	}
	flags := []string{"--model", "vllm/m", "--max-cost", "20", "--output-format", "stream-json"}
	var after time.Duration
	if typical > 0 {
		after = typical/10 + time.Duration(rng.Int64N(int64(typical)))
		if n%3 == 0 { // around the submission, which is short
			after = typical/10 + time.Duration(rng.Int64N(int64(typical)/4))
		}
	}
	e, err := s.run(after, append(flags, "run the job")...)
	if err != nil {
		return 0, err
	}
	raw, err := s.journal()
	if err != nil {
		return 0, err
	}
	st, events, err := state(raw)
	if err != nil {
		return 0, err
	}
	k.at = "following"
	switch {
	case len(decoded[event.InputAccepted](events)) == 0:
		k.at = "before the input"
	case st.Turn == nil && len(st.Queue) == 0:
		k.at = "after the end"
	case len(decoded[event.ToolStarted](events)) == 0:
		k.at = "before the call"
	case len(decoded[event.ToolEffect](events)) == 0:
		k.at = "submitting"
	}
	last := e
	switch {
	case k.at == "before the input":
		last, err = s.run(0, append(flags, "run the job")...)
	case k.at != "after the end":
		last, err = s.run(0, append(flags, "--continue")...)
	}
	if err == nil && last.code > 0 {
		err = errors.New(last.String())
	}
	if err == nil {
		err = y.oneJob(s, name)
	}
	if err == nil && *keepFlag == "" {
		_ = os.RemoveAll(filepath.Join(dir, name))
	}
	return e.took, err
}

// oneJob checks that the run has made one job and has its result.
func (y *yard) oneJob(s *site, name string) error {
	found := 0
	var made job.Job
	for j, err := range y.client.Jobs.List(context.Background(), "bob", job.Filter{Labels: map[string]string{"run": name}}) {
		if err != nil {
			return err
		}
		found++
		made = j
	}
	if found != 1 {
		return fmt.Errorf("there are %d jobs", found)
	}
	raw, err := s.journal()
	if err != nil {
		return err
	}
	st, events, err := state(raw)
	if err != nil {
		return err
	}
	results, err := onePerCall(st, events)
	if err != nil {
		return err
	}
	if len(results) != 1 || !strings.Contains(results["call_0"], "**Job ID:** "+made.ID+"\n**Final Status:** COMPLETED") {
		return fmt.Errorf("the results are %q", results)
	}
	for i := range 4 {
		if line := fmt.Sprintf("line %d", i+1); strings.Count(results["call_0"], line) != 1 {
			return fmt.Errorf("%q is not once in %q", line, results["call_0"])
		}
	}
	var last event.Spend
	for _, sp := range decoded[event.Spend](events) {
		if sp.Kind == event.SpendJob {
			last = sp
		}
	}
	if last.State != event.SpendSettled || last.ID != "call_0" {
		return fmt.Errorf("the job's cost is %+v", last)
	}
	return nil
}

// What a command on this machine pushes with Python becomes an artifact of the
// session: it gets a card.
func TestLocalPushesAreHeard(t *testing.T) {
	y := newYard(t)
	ref := repo.Ref{Type: wire.Model, ID: "bob/local"}
	if _, err := y.client.Repos.Create(t.Context(), repo.CreateSpec{Ref: ref, Visibility: "private"}); err != nil {
		t.Fatal(err)
	}
	y.write(t, "huggingface_hub/__init__.py", "from .hf_api import HfApi\n")
	y.write(t, "huggingface_hub/hf_api.py", `class HfApi:
    def create_repo(self, repo_id, *, repo_type=None): return repo_id
    def create_commit(self, repo_id, operations, *, repo_type=None): pass
    def upload_file(self, *, repo_id, repo_type=None): pass
    def upload_folder(self, *, repo_id, repo_type=None): pass
`)
	y.follow("push", modelserver.Call{Name: "bash", Args: map[string]any{
		"command": `python3 -c "import sys; sys.path.insert(0, '.'); from huggingface_hub import HfApi; HfApi().create_commit('bob/local', [])"`,
	}})
	if e := y.runs(t, "push it"); e.code != 0 {
		t.Fatal(e)
	}
	card, err := y.client.Repos.Raw(t.Context(), ref, "main", "README.md")
	if err != nil || strings.Count(card, "ml-intern-provenance") != 1 {
		t.Errorf("%q, %v", card, err)
	}
	_, events := y.mustJournal(t)
	for _, out := range decoded[event.ToolOutput](events) {
		if strings.Contains(out.Output, "artifact") {
			t.Errorf("%q", out.Output)
		}
	}
}
