package jobs_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/tools/jobs"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/request"
	"github.com/ml-intern/ml-intern/internal/tools/stagetest"
)

// bubble runs a test on a Hub in memory and in its own time.
func bubble(t *testing.T, change func(*jobs.Options), test func(t *testing.T, d *desk), scripts ...exec.Script) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, newDesk(t, stagetest.Memory(t, scripts...), change))
	})
}

const train = `"script":"import sys\nprint('done')\n"`

// The whole life of a job: its labels and environment, what is told of it, its
// result, and its cost.
func TestRunToTheEnd(t *testing.T) {
	bubble(t, nil, func(t *testing.T, d *desk) {
		env := d.env("call_1")
		r := d.call(t.Context(), env, `{"operation":"run",`+train+`,"hardware_flavor":"t4-small","timeout":"2h","namespace":"acme","env":{"A":"b","TQDM_DISABLE":"0"},"name":"my run","labels":{"team":"x"}}`)
		j := d.jobs("acme")[0]
		url := d.Base() + "/jobs/acme/" + j.ID
		if want := "Python job completed!\n**Job ID:** " + j.ID + "\n**Final Status:** COMPLETED\n**View at:** " + url + "\n\n**Logs:**\n```\nstep 1\nstep 2\nstep 3\n```\n"; !strings.HasPrefix(r.Output, want) || !r.OK {
			t.Errorf("%s\nwant %s", r.Output, want)
		}
		spec := d.posted("acme")
		key := spec.Labels[request.LabelCall]
		if len(key) != 32 || spec.Labels["ml-intern"] != "1" || spec.Labels["ml-intern-session"] != d.session.SessionID || spec.Labels["team"] != "x" || spec.Labels["name"] != "my-run-"+key[:8] {
			t.Errorf("labels %v", spec.Labels)
		}
		for k, want := range map[string]string{"HF_HUB_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "0", "TRANSFORMERS_VERBOSITY": "warning", "HF_HUB_ENABLE_HF_TRANSFER": "1", "UV_NO_PROGRESS": "1", "A": "b"} {
			if spec.Environment[k] != want {
				t.Errorf("%s is %q", k, spec.Environment[k])
			}
		}
		if spec.Flavor != "t4-small" || spec.TimeoutSeconds != 7200 || spec.DockerImage != "ghcr.io/astral-sh/uv:python3.12-bookworm" {
			t.Errorf("%+v", spec)
		}
		if spec.Secrets["HF_TOKEN"] != stagetest.Bob || spec.Secrets["HUGGINGFACE_HUB_TOKEN"] != stagetest.Bob {
			t.Errorf("the job has no token: %v", spec.Secrets)
		}
		if got := states(env); !slices.Equal(got, []string{"running", "completed"}) || env.States()[0].JobURL != url {
			t.Errorf("%+v", env.States())
		}
		if got := env.Refs(); !slices.Equal(got, []string{"job:acme/" + j.ID}) {
			t.Errorf("effects %q", got)
		}
		submit, done := told[event.JobSubmit](env.Emitted()), told[event.JobComplete](env.Emitted())
		if len(submit) != 1 || submit[0] != (event.JobSubmit{JobID: j.ID, JobURL: url, Flavor: "t4-small", Timeout: "2h", JobType: "Python", Image: spec.DockerImage, Namespace: "acme"}) {
			t.Errorf("%+v", submit)
		}
		// 90 seconds are two started minutes at 0.40 USD an hour.
		if len(done) != 1 || done[0].FinalStatus != "COMPLETED" || done[0].BillableSeconds != 120 || done[0].CostEstimateSource != event.PriceCatalog || math.Abs(*done[0].EstimatedCostUSD-0.0133) > 0.0002 {
			t.Errorf("%+v", done)
		}
		if spend, _ := d.session.Spend("call_1"); spend.State != event.SpendSettled || *spend.MicroUSD != *r.ActualMicroUSD || *spend.MicroUSD < 13_000 || *spend.MicroUSD > 14_000 {
			t.Errorf("%+v", spend)
		}
		if text, err := os.ReadFile(filepath.Join(d.logs, j.ID+".log")); err != nil || !strings.HasSuffix(string(text), "step 1\nstep 2\nstep 3\n") {
			t.Errorf("the log's file holds %q, %v", text, err)
		}
	}, exec.Script{Steps: []exec.Step{{Lines: counted(1, 2)}, {AfterMs: 90_000, Lines: counted(3, 3)}}})
}

// Acceptance check 21, as it is posted.
func TestCheck21_PostedWords(t *testing.T) {
	bubble(t, nil, func(t *testing.T, d *desk) {
		d.call(t.Context(), d.env("c"), `{"operation":"run",`+train+`,"dependencies":["transformers>=4.40","torch<2.6","trl[peft]"],"script_args":["--p","a b"],"python":"3.11"}`)
		command := d.posted("bob").Command
		for _, word := range []string{"transformers>=4.40", "torch<2.6", "trl[peft]", "hf-transfer", "--p", "a b", "3.11"} {
			if n := len(slices.DeleteFunc(slices.Clone(command), func(w string) bool { return w != word })); n != 1 {
				t.Errorf("%q is %d elements of %q", word, n, command)
			}
		}
	})
}

// Acceptance check 22.
func TestCheck22_WhatAScriptIs(t *testing.T) {
	bubble(t, nil, func(t *testing.T, d *desk) {
		d.write("train.py", "print('from the file')")
		d.write("sub/my train.py", "print(2)\n")
		d.write("big.py", strings.Repeat("#", 11<<20))
		for script, want := range map[string]string{
			"print(1)": "print(1)", "train.py": "print('from the file')\n", "./train.py": "print('from the file')\n", "import os\nprint(2)": "import os\nprint(2)",
		} {
			args, _ := json.Marshal(map[string]any{"operation": "run", "script": script})
			resolved, err := d.tool.Resolve(t.Context(), args)
			if err != nil {
				t.Fatalf("%q: %v", script, err)
			}
			var p request.Params
			if err := json.Unmarshal(resolved, &p); err != nil || p.Script != want || p.Namespace != "bob" {
				t.Errorf("%q is %q of %q", script, p.Script, p.Namespace)
			}
			again, err := d.tool.Resolve(t.Context(), resolved)
			if err != nil || string(again) != string(resolved) {
				t.Errorf("resolved again: %s, %v", again, err)
			}
		}
		outside := filepath.Join(t.TempDir(), "x.py")
		if err := os.WriteFile(outside, []byte("print(3)\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		for script, want := range map[string]string{
			"missing.py": "there is no script missing.py", "sub/nothing.py": "write it first", "no python here": "neither a file nor Python",
			"big.py": "it is no script", outside: "outside the workspace",
		} {
			args, _ := json.Marshal(map[string]any{"operation": "run", "script": script})
			r := d.call(t.Context(), d.env("c"), string(args))
			wantText(t, r, false, want)
		}
		if sent := d.Sent(); len(sent) != 0 {
			t.Errorf("something was posted: %v", sent)
		}
	})
}

// What cannot be right is refused before any request, naming the field.
func TestRefusedBeforeAnyRequest(t *testing.T) {
	bubble(t, nil, func(t *testing.T, d *desk) {
		for args, want := range map[string]string{
			`{"operation":"run"}`: "script or command",
			`{"operation":"run","command":["a"],"script":"print(1)"}`:                             "only one",
			`{"operation":"run","command":["a"],"timeout":"soon"}`:                                "timeout",
			`{"operation":"run","command":["a"],"timeout":"0"}`:                                   "timeout",
			`{"operation":"run","command":["a"],"wait":"later"}`:                                  "wait",
			`{"operation":"run","command":["a",""]}`:                                              "command",
			`{"operation":"run","command":["a"],"image":"py thon"}`:                               "image",
			`{"operation":"run","command":["a"],"labels":{"a b":"c"}}`:                            "labels",
			`{"operation":"run","command":["a"],"expose":[99999]}`:                                "expose",
			`{"operation":"run","command":["a"],"hardware_flavor":"a b"}`:                         "flavor",
			`{"operation":"run","command":["a"],"namespace":"../x"}`:                              "namespace",
			`{"operation":"run","command":["a"],"namespace":"stranger"}`:                          "allowed: bob, acme",
			`{"operation":"run","command":["a"],"secrets":{"X":"$NOT_ALLOWED"}}`:                  "job_secret_allow",
			`{"operation":"run","command":["a"],"secrets":{"X":"$EMPTY"}}`:                        "is not set",
			`{"operation":"run","command":["a"],"secrets":{"X":"[REDACTED]"}}`:                    "pass it again",
			`{"operation":"run","script":"t = 'hf_` + strings.Repeat("a", 30) + `'\nprint(t)\n"}`: "shows a secret",
			`{"operation":"logs"}`:                                         "job_id is required",
			`{"operation":"cancel"}`:                                       "job_id is required",
			`{"operation":"inspect","job_id":["../whoami"]}`:               "job_id",
			`{"operation":"scheduled run","command":["a"]}`:                "schedule is required",
			`{"operation":"scheduled run","command":["a"],"schedule":"x"}`: "schedule",
			`{"operation":"scheduled inspect"}`:                            "scheduled_job_id is required",
			`{"operation":"dance"}`:                                        "scheduled suspend",
		} {
			wantText(t, d.call(t.Context(), d.env("c"), args), false, want)
		}
		for _, r := range d.Sim.Requests() {
			if r.Path != "/api/whoami-v2" && r.Path != "/api/jobs/hardware" {
				t.Errorf("%s %s was sent", r.Method, r.Path)
			}
		}
	})
}

// Acceptance check 24 (and 24 of the Hub's client): a log that is silent for
// 40 s and cut three times with replay: every line comes once, in the events,
// the file and the result, and the result only after the job's end.
func TestCheck24_CutsAndSilence(t *testing.T) {
	bubble(t, nil, func(t *testing.T, d *desk) {
		for _, at := range []string{"3", "1", "9"} {
			d.Fault(`{"match":{"path":"/logs$","count":1},"do":{"sseCloseAfter":` + at + `}}`)
		}
		env := d.env("c")
		begun := time.Now()
		r := d.call(t.Context(), env, `{"operation":"run",`+train+`}`)
		wantText(t, r, true, "**Final Status:** COMPLETED")
		once(t, "the result", r.Output, counted(1, 30))
		once(t, "the events", strings.Join(env.Logs(), "\n"), counted(1, 30))
		file, err := os.ReadFile(filepath.Join(d.logs, d.jobs("bob")[0].ID+".log"))
		if err != nil {
			t.Fatal(err)
		}
		once(t, "the file", string(file), counted(1, 30))
		if took := time.Since(begun); took < 45*time.Second {
			t.Errorf("the result came after %s", took)
		}
		if n := d.Asked("GET", "/api/jobs/bob/"+d.jobs("bob")[0].ID+"/logs"); n < 4 {
			t.Errorf("connected %d times", n)
		}
	}, exec.Script{Steps: []exec.Step{{Lines: counted(1, 10)}, {AfterMs: 40_000, Lines: counted(11, 20)}, {AfterMs: 5000, Lines: counted(21, 30)}}})
}

// Acceptance check 25: failures say so, a deleted job ends the wait, and a job
// that vanishes is still named.
func TestCheck25_Ends(t *testing.T) {
	code := 3
	bubble(t, nil, func(t *testing.T, d *desk) {
		env := d.env("c")
		r := d.call(t.Context(), env, `{"operation":"run","command":["false"]}`)
		id := d.jobs("bob")[0].ID
		wantText(t, r, false, "Docker job failed (ERROR): ", "**Final Status:** ERROR", "**View at:** "+d.Base()+"/jobs/bob/"+id, "Hint: the GPU ran out of memory")
		if got := states(env); got[len(got)-1] != "error" {
			t.Errorf("states %q", got)
		}
	}, exec.Script{Steps: []exec.Step{{Lines: []string{"torch.OutOfMemoryError: CUDA out of memory. Tried to allocate"}}, {Exit: &code}}})
	bubble(t, nil, func(t *testing.T, d *desk) {
		d.Fault(`{"match":{"method":"POST","path":"/api/jobs/bob$"},"do":{"failStage":"DELETED"}}`)
		r := d.call(t.Context(), d.env("c"), `{"operation":"run","command":["true"]}`)
		wantText(t, r, false, "**Final Status:** DELETED")
	})
	bubble(t, nil, func(t *testing.T, d *desk) {
		d.Fault(`{"match":{"method":"GET","path":"/api/jobs/bob/[^/]+","skip":3},"do":{"status":404,"body":{"error":"Job not found"}}}`)
		r := d.call(t.Context(), d.env("c"), `{"operation":"run","command":["sleep","60"]}`)
		d.Sim.Faults.Clear()
		id := d.jobs("bob")[0].ID
		wantText(t, r, false, "can no longer be followed", "**Job ID:** "+id, "Do not submit it again")
		if r.Holding != "job:bob/"+id {
			t.Errorf("holding %q", r.Holding)
		}
	}, exec.Script{Steps: []exec.Step{{Lines: counted(1, 1)}, {AfterMs: 600_000}}})
}

// Acceptance check 26: an interrupt cancels the job in the namespace it runs in.
func TestCheck26_Interrupt(t *testing.T) {
	long := exec.Script{Steps: []exec.Step{{Lines: counted(1, 1)}, {AfterMs: 3_600_000}}}
	bubble(t, nil, func(t *testing.T, d *desk) {
		ctx, interrupt := interruptible(t)
		env := d.env("c")
		wait := d.start(ctx, env, `{"operation":"run","command":["sleep","9"],"namespace":"acme"}`)
		until(t, "the log came", func() bool { return strings.Contains(strings.Join(env.Logs(), "\n"), "step 1") })
		begun := time.Now()
		interrupt()
		r, err := wait()
		if took := time.Since(begun); err != nil || took > time.Second {
			t.Errorf("after %s: %v", took, err)
		}
		id := d.jobs("acme")[0].ID
		if d.Asked("POST", "/api/jobs/acme/"+id+"/cancel") != 1 || d.jobs("acme")[0].Status.Stage != job.Canceled {
			t.Errorf("the job is %s", d.jobs("acme")[0].Status.Stage)
		}
		wantText(t, r, false, "The job was cancelled.", id)
		if spend, _ := d.session.Spend("c"); spend.State != event.SpendSettled {
			t.Errorf("%+v", spend)
		}
	}, long)
	// Whoever leaves jobs running finds it in the result.
	bubble(t, func(o *jobs.Options) { o.Leave = true }, func(t *testing.T, d *desk) {
		ctx, interrupt := interruptible(t)
		env := d.env("c")
		wait := d.start(ctx, env, `{"operation":"run","command":["sleep","9"]}`)
		until(t, "the log came", func() bool { return len(env.Logs()) > 1 })
		interrupt()
		r, err := wait()
		if err != nil || r.OK || r.Holding == "" || d.jobs("bob")[0].Status.Stage != job.Running {
			t.Errorf("%+v %v", r, err)
		}
	}, long)
	// A program that only leaves does not cancel: the next run goes on.
	bubble(t, nil, func(t *testing.T, d *desk) {
		ctx, cancel := context.WithCancel(t.Context())
		env := d.env("c")
		wait := d.start(ctx, env, `{"operation":"run","command":["sleep","9"]}`)
		until(t, "the log came", func() bool { return len(env.Logs()) > 1 })
		cancel()
		if _, err := wait(); err == nil || d.jobs("bob")[0].Status.Stage != job.Running {
			t.Errorf("%v, %s", err, d.jobs("bob")[0].Status.Stage)
		}
	}, long)
}

// An interrupt while the submission is on its way leaves no job behind.
func TestInterruptDuringSubmission(t *testing.T) {
	for _, latency := range []string{"100", "3000"} {
		bubble(t, nil, func(t *testing.T, d *desk) {
			d.Fault(`{"match":{"method":"POST","path":"/api/jobs/bob$"},"do":{"latencyMs":` + latency + `}}`)
			ctx, interrupt := interruptible(t)
			wait := d.start(ctx, d.env("c"), `{"operation":"run","command":["sleep","9"]}`)
			until(t, "it was posted", func() bool { return d.Asked("POST", "/api/jobs/bob") == 1 })
			begun := time.Now()
			interrupt()
			_, _ = wait()
			if took := time.Since(begun); took > time.Second {
				t.Errorf("the call went on for %s", took)
			}
			if err := d.tool.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if all := d.jobs("bob"); len(all) != 1 || all[0].Status.Stage != job.Canceled {
				t.Errorf("latency %s: %d jobs: %+v", latency, len(all), all)
			}
		}, exec.Script{Steps: []exec.Step{{AfterMs: 3_600_000}}})
	}
}

func TestWhetherAJobPushesIsTold(t *testing.T) {
	bubble(t, nil, func(t *testing.T, d *desk) {
		for code, want := range map[string]bool{
			"SFTConfig(push_to_hub=True)":           true,
			"SFTConfig(push_to_hub = true)":         true,
			"model.push_to_hub('me/x')":             true,
			"TrainingArguments(hub_model_id='x')":   true,
			"trl sft --push_to_hub":                 true,
			"SFTConfig(push_to_hub=False)":          false,
			"SFTConfig(push_to_hub = false)":        false,
			"{'push_to_hub': False}":                false,
			"a(push_to_hub=False); b.push_to_hub()": true,
			"print('hello')":                        false,
		} {
			env := d.env(code)
			raw, err := json.Marshal(map[string]any{"operation": "run", "command": []string{"python", "-c", code}, "namespace": "acme"})
			if err != nil {
				t.Fatal(err)
			}
			d.call(t.Context(), env, string(raw))
			if got := told[event.JobSubmit](env.Emitted()); len(got) != 1 || got[0].PushToHub != want {
				t.Errorf("%s: %+v, want %v", code, got, want)
			}
		}
	})
}

// Acceptance check 27: what must be paid for is a state of its own; digits in a
// request id are not.
func TestCheck27_Billing(t *testing.T) {
	bubble(t, nil, func(t *testing.T, d *desk) {
		d.Fault(`{"match":{"method":"POST","path":"/api/jobs/acme$","count":1},"do":{"status":402,"body":{"error":"Pre-paid credit balance is insufficient - add more credits to your account to use Jobs."}}}`)
		env := d.env("c")
		r := d.call(t.Context(), env, `{"operation":"run","command":["true"],"namespace":"acme"}`)
		wantText(t, r, false, d.Base()+"/settings/billing", "acme", "run the same call again")
		if s := env.States(); len(s) != 1 || s[0].State != "billing_required" || s[0].Namespace != "acme" {
			t.Errorf("%+v", s)
		}
		if *r.ActualMicroUSD != 0 || len(told[event.JobSubmit](env.Emitted())) != 0 {
			t.Errorf("%+v %+v", r, env.Emitted())
		}
		if got := told[event.JobsBlocked](env.Emitted()); len(got) != 1 || got[0].Namespace != "acme" {
			t.Errorf("%+v", got)
		}
		for range 2 { // it says once that credits are there again
			wantText(t, d.call(t.Context(), env, `{"operation":"run","command":["true"],"namespace":"acme"}`), true, "completed")
		}
		if got := told[event.CreditsTopUp](env.Emitted()); len(got) != 1 || got[0].Namespace != "acme" {
			t.Errorf("%+v", got)
		}
		d.Fault(`{"match":{"method":"POST","path":"/api/jobs/bob$"},"do":{"status":500,"headers":{"X-Request-Id":"Root=1-402abc-402"},"body":{"error":"Internal Error 402"}}}`)
		env = d.env("d")
		r = d.call(t.Context(), env, `{"operation":"run","command":["true"]}`)
		wantText(t, r, false, "API Error: ", "402abc")
		if len(env.States()) != 0 {
			t.Errorf("%+v", env.States())
		}
	})
}

// Acceptance check 28: schedules are listed with their last run, and starting
// one asks whatever the mode.
func TestCheck28_Schedules(t *testing.T) {
	bubble(t, nil, func(t *testing.T, d *desk) {
		ctx := t.Context()
		risk := d.tool.Risk(json.RawMessage(`{"operation":"scheduled run","command":["true"],"schedule":"@hourly"}`))
		if risk.Gate != tool.Always || !strings.Contains(risk.Reason, "at most") {
			t.Errorf("%+v", risk)
		}
		for op, gate := range map[string]tool.Gate{
			"scheduled trigger": tool.Always, "scheduled delete": tool.Ask, "scheduled suspend": tool.Ask, "scheduled resume": tool.Ask,
			"scheduled ps": tool.Open, "scheduled inspect": tool.Open, "ps": tool.Open, "logs": tool.Open, "wait": tool.Open, "metrics": tool.Open, "hardware": tool.Open, "inspect": tool.Open,
		} {
			if got := d.tool.Risk(json.RawMessage(`{"operation":"` + op + `"}`)); got.Gate != gate {
				t.Errorf("%s has gate %d", op, got.Gate)
			}
		}
		env := d.env("c")
		wantText(t, d.call(ctx, env, `{"operation":"scheduled ps"}`), true, "No active scheduled jobs", `"all":true`)
		r := d.call(ctx, env, `{"operation":"scheduled run","command":["true"],"schedule":"@hourly"}`)
		_, rest, _ := strings.Cut(r.Output, "**Scheduled Job ID:** ")
		id, _, _ := strings.Cut(rest, "\n")
		wantText(t, r, true, "✓ Scheduled Docker job created.", "**Schedule:** @hourly", "**Suspended:** No", "**Next Run:** 20")
		if got := env.Refs(); !slices.Equal(got, []string{"scheduled-job:bob/" + id}) {
			t.Errorf("effects %q", got)
		}
		time.Sleep(61 * time.Minute) // it has run once
		r = d.call(ctx, env, `{"operation":"scheduled ps"}`)
		wantText(t, r, true, "| ID | SCHEDULE | IMAGE/SPACE | COMMAND | LAST RUN | NEXT RUN | SUSPENDED |", "| "+id+" | @hourly | python:3.12 | true | 20")
		if strings.Contains(r.Output, "N/A") {
			t.Errorf("the last run is not there: %s", r.Output)
		}
		wantText(t, d.call(ctx, env, `{"operation":"scheduled inspect","scheduled_job_id":"`+id+`"}`), true, `"hardware_flavor": "cpu-basic"`, `"lastRun": "20`)
		wantText(t, d.call(ctx, env, `{"operation":"scheduled trigger","scheduled_job_id":"`+id+`"}`), true, "was started", "**Job ID:** ")
		wantText(t, d.call(ctx, env, `{"operation":"scheduled suspend","scheduled_job_id":"`+id+`"}`), true, "✓", "suspended")
		wantText(t, d.call(ctx, env, `{"operation":"scheduled ps"}`), true, "No active")
		wantText(t, d.call(ctx, env, `{"operation":"scheduled ps","all":true}`), true, "| Yes |")
		wantText(t, d.call(ctx, env, `{"operation":"scheduled resume","scheduled_job_id":"`+id+`"}`), true, "✓", "resumed")
		wantText(t, d.call(ctx, env, `{"operation":"scheduled delete","scheduled_job_id":"`+id+`"}`), true, "✓", "deleted")
		wantText(t, d.call(ctx, env, `{"operation":"scheduled ps","all":true}`), true, "No scheduled jobs found.")
	})
}

// Acceptance check 29: the live price list counts; a timeout that is not
// understood has no estimate.
func TestCheck29_WorstCase(t *testing.T) {
	bubble(t, nil, func(t *testing.T, d *desk) {
		d.Fault(`{"match":{"path":"/api/jobs/hardware$"},"do":{"status":200,"body":[{"name":"t4-small","prettyName":"T4","cpu":"4 vCPU","ram":"15 GB","accelerator":{"type":"gpu","model":"T4","quantity":"1","vram":"16 GB"},"unitCostUSD":0.00667,"unitLabel":"minute"}]}}`)
		risk := func(args string) tool.Risk {
			resolved, err := d.tool.Resolve(t.Context(), json.RawMessage(args))
			if err != nil {
				t.Fatal(err)
			}
			return d.tool.Risk(resolved)
		}
		r := risk(`{"operation":"run","command":["a"],"hardware_flavor":"t4-small","timeout":"3h"}`)
		if c := r.Cost; !c.Known || math.Abs(float64(c.MicroUSD)/1e6-1.2006) > 0.001 || c.Source != price.Live || r.Gate != tool.Ask || r.Effect != event.Keyed {
			t.Errorf("%+v %+v", r, c)
		}
		if !strings.Contains(r.Reason, "costs at most 1.20 USD") || !strings.Contains(r.Reason, "paid by bob") {
			t.Errorf("%q", r.Reason)
		}
		r = risk(`{"operation":"run","script":"model.from_pretrained('x')\n","image":"evil/image","hardware_flavor":"t4-small","expose":[80],"secrets":{"K":"v"}}`)
		for _, want := range []string{"less than 2 h", "no push_to_hub", "foreign image evil/image", "gets the secrets K"} {
			if !strings.Contains(r.Reason, want) {
				t.Errorf("%q does not say %q", r.Reason, want)
			}
		}
		if strings.Contains(r.Reason, "\"v\"") || math.Abs(r.Cost.USDPerHour-0.4102) > 0.0001 {
			t.Errorf("%q %v", r.Reason, r.Cost.USDPerHour)
		}
		if r = risk(`{"operation":"run","script":"https://x.example/y.py","hardware_flavor":"t4-small"}`); !strings.Contains(r.Reason, "fetched from https://x.example/y.py") {
			t.Errorf("%q", r.Reason)
		}
		for args, want := range map[string]string{
			`{"operation":"run","command":["a"],"hardware_flavor":"t4-small","timeout":"soon"}`: "Could not parse HF job timeout",
			`{"operation":"run","command":["a"],"hardware_flavor":"h900"}`:                      `No price is available for hardware "h900"`,
		} {
			if c := risk(args).Cost; c.Known || !strings.Contains(c.Reason, want) {
				t.Errorf("%s: %+v", args, c)
			}
		}
	})
}

// Acceptance check 40: what a job prints reaches neither the events nor the
// result as a control sequence or a held secret.
func TestCheck40_HostileLog(t *testing.T) {
	bubble(t, nil, func(t *testing.T, d *desk) {
		env := d.env("c")
		r := d.call(t.Context(), env, `{"operation":"run","command":["x"]}`)
		wantText(t, r, true, "before", "after", "[REDACTED]")
		logs := d.call(t.Context(), env, `{"operation":"logs","job_id":["`+d.jobs("bob")[0].ID+`"]}`)
		file, err := os.ReadFile(filepath.Join(d.logs, d.jobs("bob")[0].ID+".log"))
		if err != nil {
			t.Fatal(err)
		}
		for where, text := range map[string]string{"result": r.Output, "events": strings.Join(env.Logs(), "\n"), "logs": logs.Output} {
			if strings.ContainsAny(text, "\x1b\x07\u009b") || strings.Contains(text, "]52;") || strings.Contains(text, "held-secret") {
				t.Errorf("the %s hold %q", where, text)
			}
		}
		if strings.Contains(string(file), "held-secret") {
			t.Error("the file holds the secret")
		}
	}, exec.Script{Steps: []exec.Step{{Lines: []string{"before \x1b]52;c;aGVsbG8=\x07after", "\x1b[?25l\x1b]0;title\x1b\\token held-secret here"}}}})
}

// Secrets go to the job and nowhere else; tokens in the open environment are
// moved there.
func TestSecrets(t *testing.T) {
	token := "hf_" + strings.Repeat("a", 30)
	bubble(t, nil, func(t *testing.T, d *desk) {
		env := d.env("c")
		r := d.call(t.Context(), env, `{"operation":"run","command":["x"],"secrets":{"W":"$WANDB","L":"literal-value","HF_TOKEN":"$HF_TOKEN"},"env":{"MY":"`+token+`","HF_TOKEN":"hf_other","PLAIN":"p"}}`)
		wantText(t, r, true, "completed")
		spec := d.posted("bob")
		if spec.Secrets["W"] != "wandb-value" || spec.Secrets["L"] != "literal-value" || spec.Secrets["MY"] != token || spec.Secrets["HF_TOKEN"] != stagetest.Bob || len(spec.Secrets) != 5 {
			t.Errorf("%v", spec.Secrets)
		}
		if spec.Environment["PLAIN"] != "p" || spec.Environment["MY"] != "" || spec.Environment["HF_TOKEN"] != "" {
			t.Errorf("%v", spec.Environment)
		}
		inspected := d.call(t.Context(), env, `{"operation":"inspect","job_id":["`+d.jobs("bob")[0].ID+`"]}`)
		all := r.Output + inspected.Output + strings.Join(env.Logs(), "\n")
		for _, s := range []string{"wandb-value", "literal-value", token, stagetest.Bob} {
			if strings.Contains(all, s) {
				t.Errorf("%q was told", s)
			}
		}
	})
	bubble(t, func(o *jobs.Options) { o.Token = func() string { return "" } }, func(t *testing.T, d *desk) {
		wantText(t, d.call(t.Context(), d.env("c"), `{"operation":"run","command":["x"]}`), true, "completed")
		if spec := d.posted("bob"); len(spec.Secrets) != 0 {
			t.Errorf("%v", spec.Secrets)
		}
		for _, args := range []string{`"env":{"HF_TOKEN":"hf_other"}`, `"secrets":{"HUGGINGFACE_HUB_TOKEN":"x"}`, `"secrets":{"HF_TOKEN":"$HF_TOKEN"}`, `"secrets":{"OTHER":"` + token + `"}`} {
			wantText(t, d.call(t.Context(), d.env("c"), `{"operation":"run","command":["x"],`+args+`}`), false, "forward_hf_token is off")
		}
	})
}

// A detached job returns soon after it runs; its reservation stays until it is
// over, and is settled when its end is seen.
func TestDetachAndWait(t *testing.T) {
	long := exec.Script{Steps: []exec.Step{{Lines: counted(1, 3)}, {AfterMs: 600_000, Lines: counted(4, 4)}}}
	bubble(t, nil, func(t *testing.T, d *desk) {
		env := d.env("c")
		begun := time.Now()
		r := d.call(t.Context(), env, `{"operation":"run","command":["x"],"detach":true}`)
		id := d.jobs("bob")[0].ID
		wantText(t, r, true, "still running (detached)\n**Job ID:** "+id+"\n**Final Status:** RUNNING\n", "step 3", "operation wait")
		if took := time.Since(begun); took < 15*time.Second || took > 40*time.Second {
			t.Errorf("detached after %s", took)
		}
		if r.Holding != "job:bob/"+id {
			t.Errorf("holding %q", r.Holding)
		}
		other := d.env("d")
		wantText(t, d.call(t.Context(), other, `{"operation":"wait","job_id":["`+id+`"],"wait":"1m"}`), true, "still runs after 1m: RUNNING")
		if spend, _ := d.session.Spend("c"); spend.State != event.SpendReserved {
			t.Errorf("%+v", spend)
		}
		asked := len(d.Sim.Requests())
		wantText(t, d.call(t.Context(), other, `{"operation":"wait","job_id":["`+id+`"]}`), true, "Job "+id+" completed after ")
		if n := len(d.Sim.Requests()) - asked; n > 80 {
			t.Errorf("waiting nine minutes took %d requests", n)
		}
		spend, _ := d.session.Spend("c")
		done := told[event.JobComplete](d.session.Emitted())
		if spend.State != event.SpendSettled || *spend.MicroUSD < 1500 || *spend.MicroUSD > 2000 || len(done) != 1 || done[0].JobID != id {
			t.Errorf("%+v %+v", spend, done) // ten minutes of 0.01 USD an hour
		}
	}, long)
	// Nobody looks: the watcher sees it.
	bubble(t, nil, func(t *testing.T, d *desk) {
		r := d.call(t.Context(), d.env("c"), `{"operation":"run","command":["x"],"wait":"30s"}`)
		wantText(t, r, true, "still running (detached): waited 30s")
		time.Sleep(11 * time.Minute)
		if spend, _ := d.session.Spend("c"); spend.State != event.SpendSettled {
			t.Errorf("%+v", spend)
		}
		if n := len(told[event.JobComplete](d.session.Emitted())); n != 1 {
			t.Errorf("its end was told %d times", n)
		}
	}, long)
}

// After a restart the job of a call is found by its label: followed on where
// the call goes on, told of where the user has moved on. Its log has each line
// once.
func TestRecover(t *testing.T) {
	long := exec.Script{Steps: []exec.Step{{Lines: counted(1, 5)}, {AfterMs: 60_000, Lines: counted(6, 9)}}}
	bubble(t, nil, func(t *testing.T, d *desk) {
		args, err := d.tool.Resolve(t.Context(), json.RawMessage(`{"operation":"run","command":["x"],"namespace":"acme"}`))
		if err != nil {
			t.Fatal(err)
		}
		env := d.env("c")
		intent, err := d.tool.Intent(t.Context(), env, args)
		if err != nil {
			t.Fatal(err)
		}
		if outcome, _, err := d.tool.Recover(t.Context(), env, args, intent); outcome != tool.NotHappened || err != nil {
			t.Errorf("before: %v, %v", outcome, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, _ = d.tool.Run(ctx, env, args)
		id := d.jobs("acme")[0].ID
		left := &tooltest.Env{Session: d.session.SessionID, Call: "c", Left: true}
		outcome, r, err := d.tool.Recover(t.Context(), left, args, intent)
		if outcome != tool.Happened || err != nil || r.Holding != "job:acme/"+id || !strings.Contains(r.Output, "still running (detached): the program was restarted") {
			t.Errorf("%v %+v %v", outcome, r, err)
		}
		again := d.env("c")
		outcome, r, err = d.tool.Recover(t.Context(), again, args, intent)
		if outcome != tool.Happened || err != nil {
			t.Fatalf("%v %v", outcome, err)
		}
		wantText(t, r, true, "**Final Status:** COMPLETED", id)
		once(t, "the result", r.Output, counted(1, 9))
		once(t, "the events of the second run", strings.Join(again.Logs(), "\n"), counted(6, 9))
		if n := len(d.jobs("acme")); n != 1 {
			t.Errorf("%d jobs", n)
		}
	}, long)
}

// A tool that starts with open reservations settles them.
func TestAttachSettlesWhatWasLeft(t *testing.T) {
	bubble(t, nil, func(t *testing.T, d *desk) {
		d.call(t.Context(), d.env("c"), `{"operation":"run","command":["x"],"detach":true}`)
		held, _ := d.session.Spend("c")
		if err := d.tool.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		next := newDesk(t, d.Stage, nil)
		amount := *held.MicroUSD
		held.MicroUSD = &amount
		next.session.Put(held)
		next.session.Put(event.Spend{ID: "gone", Kind: event.SpendJob, State: event.SpendReserved, Ref: "job:bob/66aa00000000000000000099", MicroUSD: &amount})
		next.tool.Attach(next.session)
		time.Sleep(11 * time.Minute)
		for _, id := range []string{"c", "gone"} {
			if spend, _ := next.session.Spend(id); spend.State != event.SpendSettled {
				t.Errorf("%s: %+v", id, spend)
			}
		}
	}, exec.Script{Steps: []exec.Step{{AfterMs: 600_000}}})
}

// Check 10 of the Hub's client, through the tool: a submission whose answer is
// lost makes one job.
func TestHubCheck10_LostAnswer(t *testing.T) {
	bubble(t, nil, func(t *testing.T, d *desk) {
		d.Fault(`{"match":{"method":"POST","path":"/api/jobs/bob$","count":1},"do":{"applyThenFail":true}}`)
		r := d.call(t.Context(), d.env("c"), `{"operation":"run","command":["x"]}`)
		all := d.jobs("bob")
		if len(all) != 1 {
			t.Fatalf("%d jobs", len(all))
		}
		wantText(t, r, true, "**Job ID:** "+all[0].ID)
	})
}

// Check 27 of the Hub's client, through the tool: the balance runs out.
func TestHubCheck27_Credits(t *testing.T) {
	bubble(t, nil, func(t *testing.T, d *desk) {
		alice := newDesk(t, d.Stage, func(o *jobs.Options) {
			c := d.Client(stagetest.Alice)
			o.Jobs, o.Namespace = c.Jobs, c.Account.Namespace
		})
		// 5 USD pay for an hour of a machine at 5 USD an hour.
		r := alice.call(t.Context(), alice.env("c"), `{"operation":"run","command":["x"],"hardware_flavor":"h200","timeout":"4h"}`)
		wantText(t, r, false, "Docker job failed (CANCELED): NO_CREDITS", "Hint: the credits ran out")
		env := alice.env("d")
		wantText(t, alice.call(t.Context(), env, `{"operation":"run","command":["x"]}`), false, "/settings/billing")
		if s := env.States(); len(s) != 1 || s[0].State != "billing_required" || s[0].Namespace != "alice" {
			t.Errorf("%+v", s)
		}
	}, exec.Script{Steps: []exec.Step{{AfterMs: 4 * 3_600_000}}})
}

// Lists and details, metrics and prices.
func TestLooks(t *testing.T) {
	long := exec.Script{Command: "long", Steps: []exec.Step{{Lines: []string{"a", "b", "c"}}, {AfterMs: 3_600_000}}}
	bubble(t, nil, func(t *testing.T, d *desk) {
		ctx, env := t.Context(), d.env("c")
		wantText(t, d.call(ctx, env, `{"operation":"ps"}`), true, "No running jobs", `"all":true`)
		wantText(t, d.call(ctx, env, `{"operation":"ps","all":true}`), true, "No jobs found.")
		d.call(ctx, env, `{"operation":"run","command":["short"],"image":"hf.co/spaces/acme/demo"}`)
		wantText(t, d.call(ctx, env, `{"operation":"ps"}`), true, "No running jobs")
		d.call(ctx, d.env("d"), `{"operation":"run","command":["long","and a very long command line indeed | with a pipe"],"detach":true}`)
		var running, over string
		for _, j := range d.jobs("bob") {
			if j.Status.Stage.Over() {
				over = j.ID
			} else {
				running = j.ID
			}
		}
		r := d.call(ctx, env, `{"operation":"ps"}`)
		wantText(t, r, true, "| JOB ID | IMAGE/SPACE | COMMAND | CREATED | STATUS |\n|---|---|---|---|---|\n| "+running+" | python:3.12 | long and a very long comman... | 20", "| RUNNING |")
		if strings.Contains(r.Output, over) {
			t.Error("ps shows a job that is over")
		}
		wantText(t, d.call(ctx, env, `{"operation":"ps","all":true}`), true, running, over, "acme/demo")
		wantText(t, d.call(ctx, env, `{"operation":"ps","status":"compl"}`), true, over)
		wantText(t, d.call(ctx, env, `{"operation":"inspect","job_id":["`+running+`","`+over+`"]}`), true, `"stage": "RUNNING"`, `"stage": "COMPLETED"`, `"dockerImage": "python:3.12"`, `"spaceId": "acme/demo"`, `"owner": {`)
		wantText(t, d.call(ctx, env, `{"operation":"logs","job_id":["`+running+`"],"tail":2}`), true, "**Logs for "+running+":**\n```\nb\nc\n```")
		wantText(t, d.call(ctx, env, `{"operation":"metrics","job_id":["`+running+`"]}`), true, "cpu_usage_pct")
		wantText(t, d.call(ctx, env, `{"operation":"hardware"}`), true, "| FLAVOR | CPU | RAM | GPU | DISK | USD/H |", "| t4-small |", "0.40 |")
		wantText(t, d.call(ctx, env, `{"operation":"cancel","job_id":["`+running+`"]}`), true, "✓ Job "+running+" has been cancelled (CANCELED).")
		if spend, _ := d.session.Spend("d"); spend.State != event.SpendSettled {
			t.Errorf("%+v", spend)
		}
		wantText(t, d.call(ctx, env, `{"operation":"inspect","job_id":["66aa00000000000000000099"]}`), false, "API Error: ")
	}, long)
}

// Whose job is cancelled decides whether it asks.
func TestCancelOfOthersAsks(t *testing.T) {
	bubble(t, nil, func(t *testing.T, d *desk) {
		d.call(t.Context(), d.env("c"), `{"operation":"run","command":["x"],"detach":true}`)
		own := `{"operation":"cancel","job_id":["` + d.jobs("bob")[0].ID + `"]}`
		judge := func(d *desk, args string) tool.Gate {
			resolved, err := d.tool.Resolve(t.Context(), json.RawMessage(args))
			if err != nil {
				t.Fatal(err)
			}
			return d.tool.Risk(resolved).Gate
		}
		if judge(d, own) != tool.Open {
			t.Error("cancelling one's own job asks")
		}
		same := newDesk(t, d.Stage, nil) // the session, in a new process
		if judge(same, own) != tool.Open {
			t.Error("the job is not known as one's own after a restart")
		}
		other := newDesk(t, d.Stage, nil)
		other.session.SessionID = "99999999-2222-4333-8444-555555555555"
		if judge(other, own) != tool.Ask {
			t.Error("cancelling the job of another session does not ask")
		}
	}, exec.Script{Steps: []exec.Step{{AfterMs: 3_600_000}}})
}

// The tool keeps the promises of every tool.
func TestConformance(t *testing.T) {
	tooltest.Run(t, tooltest.Case{
		New: func(t *testing.T) (tool.Tool, *tooltest.Env) {
			d := newDesk(t, stagetest.Sockets(t, false,
				exec.Script{Command: "slow", Steps: []exec.Step{{AfterMs: 60_000}}},
				exec.Script{Command: "large", Steps: []exec.Step{{Lines: slices.Repeat([]string{strings.Repeat("x", 200)}, 600)}}},
			), nil)
			return d.tool, d.env("c")
		},
		Params: request.Params{},
		Good:   `{"operation":"run","command":["true"],"namespace":"bob"}`,
		Bad:    map[string]string{`{"operation":"run","command":["x"],"timeout":"never"}`: "timeout"},
		Slow:   `{"operation":"run","command":["slow"],"namespace":"bob"}`,
		Large:  `{"operation":"run","command":["large"],"namespace":"bob"}`,
	})
}
