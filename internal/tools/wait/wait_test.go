package wait_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/tools/stagetest"
	"github.com/ml-intern/ml-intern/internal/tools/wait"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is wait_for with a folder of files, and a Hub where a test wants one.
type desk struct {
	*testing.T
	dir, state string
	stage      *stagetest.Stage
	jobs       *job.API
	place      workspace.Workspace
	confine    local.Confine
}

// bubble runs a test in its own time; with scripts there is a Hub.
func bubble(t *testing.T, test func(d *desk), scripts ...exec.Script) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, local.Off)
		if len(scripts) > 0 {
			d.stage = stagetest.Memory(t, scripts...)
			d.jobs = d.stage.Client(stagetest.Bob).Jobs
		}
		test(d)
	})
}

func newDesk(t *testing.T, confine local.Confine) *desk {
	t.Helper()
	d := &desk{T: t, dir: t.TempDir(), state: filepath.Join(t.TempDir(), "session"), confine: confine}
	here, err := local.New(local.Options{
		Dir: d.dir, Root: d.dir, Confine: confine, Environ: []string{"PATH=" + os.Getenv("PATH")},
		SpillDir: func(string) string { return filepath.Join(d.state, "spill") }, Extra: []string{filepath.Join(d.state, "spill")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := here.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	d.place = here
	return d
}

func (d *desk) tool() *wait.Tool {
	d.Helper()
	t, err := wait.New(wait.Options{
		Workspace: func(context.Context) (workspace.Workspace, error) { return d.place, nil }, Here: true,
		Resolve: func(p string) string {
			if p == "" {
				return ""
			}
			return filepath.Join(d.dir, p)
		},
		Jobs: d.jobs, Namespace: func(_ context.Context, ns string) (string, error) {
			if ns == "" {
				ns = "bob"
			}
			return ns, nil
		},
		Scrub: func(text string) string { return strings.ReplaceAll(text, "held-secret", "[REDACTED]") },
		Dir:   func(string) string { return d.state },
	})
	if err != nil {
		d.Fatal(err)
	}
	return t
}

// submit starts a job.
func (d *desk) submit() string {
	d.Helper()
	j, err := d.jobs.Run(d.Context(), "bob", job.Spec{DockerImage: "python:3.12", Command: []string{"x"}, Flavor: "cpu-basic", TimeoutSeconds: 86400, Labels: map[string]string{"ml-intern-call": "c"}}, "ml-intern-call")
	if err != nil {
		d.Fatal(err)
	}
	return j.ID
}

// wait makes a call and returns its result and how long it took.
func (d *desk) wait(env *tooltest.Env, args string) (tool.Result, time.Duration) {
	d.Helper()
	begun := time.Now()
	r, err := d.tool().Run(d.Context(), env, json.RawMessage(args))
	if err != nil {
		d.Fatalf("%s: %v", args, err)
	}
	if left, _ := filepath.Glob(filepath.Join(d.state, "waits", "*")); len(left) > 0 {
		d.Errorf("left behind: %v", left)
	}
	return r, time.Since(begun)
}

// write appends to a file of the workspace.
func (d *desk) write(name, text string) {
	file, err := os.OpenFile(filepath.Join(d.dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		d.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		d.Fatal(err)
	}
}

// later does something after a time; the test waits for it.
func (d *desk) later(after time.Duration, do func()) {
	var done sync.WaitGroup
	done.Go(func() {
		time.Sleep(after)
		do()
	})
	d.Cleanup(done.Wait)
}

func (d *desk) want(r tool.Result, ok bool, texts ...string) {
	d.Helper()
	if r.OK != ok {
		d.Errorf("ok is %v: %s", r.OK, r.Output)
	}
	for _, text := range texts {
		if !strings.Contains(r.Output, text) {
			d.Errorf("no %q in\n%s", text, r.Output)
		}
	}
}

func within(d *desk, got, low, high time.Duration) {
	d.Helper()
	if got < low || got > high {
		d.Errorf("it took %s, want %s to %s", got, low, high)
	}
}

func TestConformance(t *testing.T) {
	tooltest.Run(t, tooltest.Case{
		New: func(t *testing.T) (tool.Tool, *tooltest.Env) {
			d := newDesk(t, local.Off)
			d.write("done", "x\n")
			var long strings.Builder
			for i := range 5000 {
				fmt.Fprintf(&long, "line %d of a log that has much to say: %s\n", i, strings.Repeat("words ", 20))
			}
			d.write("long.log", long.String())
			return d.tool(), &tooltest.Env{}
		},
		Params: wait.Params{},
		Good:   `{"conditions":[{"path":"done"}],"timeout":"1m","note":"why"}`,
		Bad: map[string]string{
			`{"conditions":[]}`:                                                      "1 to 16",
			`{"conditions":[{}]}`:                                                    "exactly one",
			`{"conditions":[{"job":"a","path":"b"}]}`:                                "exactly one",
			`{"conditions":[{"path":"a"},{"is":"gone"}]}`:                            "conditions[1]",
			`{"conditions":[{"path":"a","is":"blue"}]}`:                              "exists, is gone or changed",
			`{"conditions":[{"path":"a","is":">=many"}]}`:                            "exists, is gone or changed",
			`{"conditions":[{"process":"bg1","is":"running"}]}`:                      "can only be over",
			`{"conditions":[{"process":"bg1"}]}`:                                     "no such background command",
			`{"conditions":[{"job":"66"}]}`:                                          "no jobs here",
			`{"conditions":[{"path":"a","log":"("}]}`:                                "missing closing",
			`{"conditions":[{"path":"a","log":"` + strings.Repeat("x", 600) + `"}]}`: "500",
			`{"conditions":[{"path":"a","log":"x","metric":"loss<1"}]}`:              "one of is, metric and log",
			`{"conditions":[{"path":"a","metric":"loss"}]}`:                          "eval_loss<0.5",
			`{"conditions":[{"path":"a","metric":"loss<soon"}]}`:                     "eval_loss<0.5",
			`{"conditions":[{"time":"tomorrow"}]}`:                                   "not understood",
			`{"conditions":[{"time":"400d"}]}`:                                       "30 days",
			`{"conditions":[{"time":"1h","log":"x"}]}`:                               "stands alone",
			`{"conditions":[{"path":"a"}],"timeout":"-1h"}`:                          "30 days",
			`{"conditions":[{"path":"` + strings.Repeat("x", 5000) + `"}]}`:          "too long",
		},
		Slow:  `{"conditions":[{"path":"never"}]}`,
		Large: `{"conditions":[{"path":"long.log","log":"line 4999"}]}`,
	})
}

// What holds already returns at once, with nothing asked of anybody again.
func TestAlreadyTrue(t *testing.T) {
	bubble(t, func(d *desk) {
		d.write("train.log", "step 1 loss 3\nstep 2 loss 0.4\nstep 3 loss 0.9\nTraining complete\n")
		past := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
		for args, want := range map[string]string{
			`{"path":"train.log"}`:                           "file train.log is there, 64 B",
			`{"path":"gone.log","is":"gone"}`:                "file gone.log is not there",
			`{"path":"train.log","is":">=50"}`:               "is there, 64 B",
			`{"path":"train.log","is":"size >= 0.05 kB"}`:    "is there, 64 B",
			`{"path":"train.log","log":"complete$"}`:         `printed "Training complete"`,
			`{"path":"train.log","metric":"loss < 1"}`:       "loss of file train.log is 0.9",
			`{"path":"train.log","metric":"train_loss<=.9"}`: "train_loss of file train.log is 0.9",
			`{"time":"` + past + `"}`:                        "it is ",
			`{"time":"0s"}`:                                  "it is ",
		} {
			r, took := d.wait(&tooltest.Env{}, `{"conditions":[{"path":"never"},`+args+`]}`)
			d.want(r, true, "Condition 2 holds since ", want, "Not yet (1): file never exists")
			within(d, took, 0, time.Second)
		}
		// A number that was there but is not any more does not count.
		r, took := d.wait(&tooltest.Env{}, `{"conditions":[{"path":"train.log","metric":"loss<0.5"}],"timeout":"10m","note":"tell me"}`)
		d.want(r, true, "The time of 10m 0s ran out: no condition holds.", "Waited 10m 0s", "Note: tell me", "Not yet (1): loss < 0.5 in the log of file train.log", "newest: step 3, loss 0.9", "Last lines of file train.log:\n```\n", "Training complete\n```")
		within(d, took, 10*time.Minute, 10*time.Minute+2*time.Second)
	})
}

// Each condition ends the waiting when it comes to hold.
func TestComesToHold(t *testing.T) {
	for name, c := range map[string]struct {
		args string
		do   func(d *desk)
		want string
	}{
		"appears": {`{"path":"out/model.bin"}`, func(d *desk) {
			_ = os.Mkdir(filepath.Join(d.dir, "out"), 0o700)
			d.write("out/model.bin", "x")
		}, "file out/model.bin is there"},
		"goes":     {`{"path":"there","is":"gone"}`, func(d *desk) { _ = os.Remove(filepath.Join(d.dir, "there")) }, "is not there"},
		"changes":  {`{"path":"there","is":"changed"}`, func(d *desk) { d.write("there", "more") }, "has changed"},
		"replaced": {`{"path":"there","is":"changed"}`, func(d *desk) { _ = os.Remove(filepath.Join(d.dir, "there")) }, "has changed; it is not there"},
		"grows":    {`{"path":"there","is":">=1kB"}`, func(d *desk) { d.write("there", strings.Repeat("x", 1000)) }, "is there, 1.0 kB"},
		"prints":   {`{"path":"there","log":"^epoch \\d+ done"}`, func(d *desk) { d.write("there", "epoch 3 done\n") }, `printed "epoch 3 done"`},
		"a number": {`{"path":"there","metric":"eval_loss<1"}`, func(d *desk) { d.write("there", "{'eval_loss': 0.5, 'epoch': 1}\n{'eval_loss': 2, 'epoch': 2}\n") }, "eval_loss of file there is 0.5"},
		"time":     {`{"time":"10m"}`, func(*desk) {}, "it is "},
		"emptied":  {`{"path":"there","log":"new"}`, func(d *desk) { _ = os.Truncate(filepath.Join(d.dir, "there"), 0); d.write("there", "new\n") }, `printed "new"`},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(d *desk) {
				d.write("there", "before\n")
				d.later(10*time.Minute, func() { c.do(d) })
				env := &tooltest.Env{}
				r, took := d.wait(env, `{"conditions":[`+c.args+`,{"time":"20m"}]}`)
				d.want(r, true, "Condition 1 holds since ", c.want, "Not yet (2): the time 20m")
				within(d, took, 10*time.Minute, 10*time.Minute+3*time.Second)
				if n := len(env.Logs()); n > 10 {
					d.Errorf("%d progress lines in ten minutes: %q", n, env.Logs())
				}
			})
		})
	}
}

// A job is waited for to its end, with what it printed and what went wrong.
func TestJob(t *testing.T) {
	script := exec.Script{Steps: []exec.Step{
		{Lines: []string{"{'loss': 2.0, 'epoch': 0.1}"}},
		{AfterMs: 1800_000, Lines: []string{"{'loss': nan, 'epoch': 0.2}", "held-secret \x1b[2J"}},
		{AfterMs: 1800_000, Lines: []string{"saved"}},
	}}
	bubble(t, func(d *desk) {
		id := d.submit()
		env := &tooltest.Env{}
		r, took := d.wait(env, `{"conditions":[{"job":"`+id+`"},{"job":"bob/`+id+`","log":"never printed"}]}`)
		d.want(r, true, "Condition 1 holds since ", "job bob/"+id+" is COMPLETED", "newest: epoch 0.2, loss NaN", "[error] job:bob/"+id+": loss is NaN at epoch 0.2; the last number before was 2",
			"[warning] job:bob/"+id+": there has been no output for 10m", "[REDACTED] ", "saved\n```", "Not yet (2): \"never printed\" in the log of job bob/"+id)
		within(d, took, time.Hour, time.Hour+2*time.Minute)
		all := strings.Join(env.Logs(), "\n")
		if strings.Count(all, "loss is NaN") != 1 || !strings.Contains(all, "RUNNING, epoch 0.1, loss 2") || len(env.Logs()) > 70 {
			d.Errorf("progress: %q", env.Logs())
		}
		if strings.Contains(r.Output, "\x1b") || strings.Contains(all+r.Output, "held-secret") {
			d.Error("what must not be shown is shown")
		}
		if n := len(env.Emitted()); n != 0 {
			d.Errorf("%d events: the jobs tool tells them", n)
		}
		// Afterwards it is over at once.
		r, took = d.wait(&tooltest.Env{}, `{"conditions":[{"job":"`+id+`"}]}`)
		d.want(r, true, "is COMPLETED", "saved")
		within(d, took, 0, 30*time.Second)
	}, script)
	bubble(t, func(d *desk) {
		id := d.submit()
		r, took := d.wait(&tooltest.Env{}, `{"conditions":[{"job":"`+id+`","is":"running"}]}`)
		d.want(r, true, "is RUNNING")
		within(d, took, 0, time.Minute)
		r, took = d.wait(&tooltest.Env{}, `{"conditions":[{"job":"`+id+`","metric":"loss>=2"}]}`)
		d.want(r, true, "loss of job bob/"+id+" is 2")
		within(d, took, 0, 10*time.Second)
		r, took = d.wait(&tooltest.Env{}, `{"conditions":[{"job":"`+id+`","metric":"loss<0.1"}]}`)
		d.want(r, true, "Stopped waiting: job bob/"+id+" is COMPLETED, and no condition held before.")
		within(d, took, 50*time.Minute, 65*time.Minute)
	}, script)
	bubble(t, func(d *desk) {
		r, took := d.wait(&tooltest.Env{}, `{"conditions":[{"job":"66aa00000000000000000099"}]}`)
		d.want(r, false, "wait_for: ", "66aa00000000000000000099")
		within(d, took, 0, time.Second)
		r, _ = d.wait(&tooltest.Env{}, `{"conditions":[{"job":"../x"}]}`)
		d.want(r, false)
	}, script)
}

// A person who speaks, and one who cancels, end the waiting.
func TestSteeredAndCancelled(t *testing.T) {
	bubble(t, func(d *desk) {
		env := &tooltest.Env{Steer: make(chan struct{})}
		d.later(10*time.Minute, func() { close(env.Steer) })
		r, took := d.wait(env, `{"conditions":[{"path":"never"}]}`)
		d.want(r, true, "Stopped waiting: the user has said something.", "Not yet (1): file never exists")
		within(d, took, 10*time.Minute, 10*time.Minute+time.Second)
	})
	for interrupted, cause := range map[bool]error{true: tool.ErrInterrupt, false: context.Canceled} {
		bubble(t, func(d *desk) {
			ctx, cancel := context.WithCancelCause(d.Context())
			d.later(10*time.Minute, func() { cancel(cause) })
			begun := time.Now()
			_, err := d.tool().Run(ctx, &tooltest.Env{}, json.RawMessage(`{"conditions":[{"path":"never"}]}`))
			if err == nil {
				d.Error("a cancelled call has a result")
			}
			within(d, time.Since(begun), 10*time.Minute, 10*time.Minute+time.Second)
			left, _ := filepath.Glob(filepath.Join(d.state, "waits", "*"))
			if (len(left) == 0) != interrupted {
				d.Errorf("interrupted %v: kept %v", interrupted, left)
			}
		})
	}
}

// run begins a call that the program leaves after a time.
func (d *desk) leave(args string, after time.Duration) {
	d.Helper()
	ctx, cancel := context.WithTimeout(d.Context(), after)
	defer cancel()
	if r, err := d.tool().Run(ctx, &tooltest.Env{}, json.RawMessage(args)); err == nil {
		d.Fatalf("it did not wait: %+v", r)
	}
	files, _ := filepath.Glob(filepath.Join(d.state, "waits", "*"))
	if len(files) != 1 {
		d.Fatalf("kept %v", files)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		d.Errorf("%v, %v", info.Mode(), err)
	}
}

// A call that is run again goes on: the same deadline, the same file to compare
// with, and what was printed in between.
func TestRestart(t *testing.T) {
	bubble(t, func(d *desk) { // the deadline is that of the first run
		const args = `{"conditions":[{"path":"never"}],"timeout":"20m"}`
		d.leave(args, 10*time.Minute)
		time.Sleep(5 * time.Minute)
		r, took := d.wait(&tooltest.Env{}, args)
		d.want(r, true, "The time of 20m 0s ran out", "Waited 20m 0s. The program was restarted meanwhile.")
		within(d, took, 5*time.Minute, 5*time.Minute+2*time.Second)
	})
	bubble(t, func(d *desk) { // it was long over; another call begins anew
		const args = `{"conditions":[{"time":"20m"},{"path":"never"}]}`
		d.leave(args, 10*time.Minute)
		time.Sleep(30 * time.Hour)
		r, took := d.wait(&tooltest.Env{}, args)
		d.want(r, true, "Condition 1 holds since ")
		within(d, took, 0, time.Second)
		_, took = d.wait(&tooltest.Env{Call: "other"}, args)
		within(d, took, 20*time.Minute, 20*time.Minute+2*time.Second)
	})
	for name, c := range map[string]struct{ args, between, want string }{
		"a pattern": {`{"path":"train.log","log":"^step 5 "}`, "step 5 loss 2\nstep 6 loss 2\n", `printed "step 5 loss 2"`},
		"a number":  {`{"path":"train.log","metric":"loss<0.5"}`, "step 5 loss 0.25\nstep 6 loss 2\n", "loss of file train.log is 0.25"},
		"a change":  {`{"path":"train.log","is":"changed"}`, "x", "has changed"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(d *desk) {
				d.write("train.log", "step 1 loss 0.25\nstep 2 loss 3\n")
				args := `{"conditions":[` + c.args + `]}`
				d.leave(args, 10*time.Minute)
				d.write("train.log", c.between)
				r, took := d.wait(&tooltest.Env{}, args)
				d.want(r, true, "Condition 1 holds since ", c.want)
				within(d, took, 0, time.Second)
			})
		})
	}
	bubble(t, func(d *desk) { // what was told before is not told again
		d.write("train.log", "step 1 loss nan\n")
		const args = `{"conditions":[{"path":"train.log","log":"end"}],"timeout":"20m"}`
		d.leave(args, 10*time.Minute)
		env := &tooltest.Env{}
		r, _ := d.wait(env, args)
		d.want(r, true, "[error] file:train.log: loss is NaN at step 1")
		if all := strings.Join(env.Logs(), "\n"); strings.Contains(all, "NaN at") {
			d.Errorf("told again: %q", all)
		}
		for _, p := range env.Emitted() {
			if f := p.(event.Finding); f.Rule == "nan" {
				d.Errorf("told again: %+v", f)
			}
		}
	})
	bubble(t, func(d *desk) { // a job whose log goes on meanwhile
		id := d.submit()
		args := `{"conditions":[{"job":"` + id + `","metric":"loss<0.5"}]}`
		time.Sleep(time.Minute)
		d.leave(args, 10*time.Minute)
		time.Sleep(time.Hour)
		r, took := d.wait(&tooltest.Env{}, args)
		d.want(r, true, "loss of job bob/"+id+" is 0.25")
		within(d, took, 0, time.Minute)
	}, exec.Script{Steps: []exec.Step{
		{Lines: []string{"step 1 loss 2"}}, {AfterMs: 1800_000, Lines: []string{"step 2 loss 0.25", "step 3 loss 2"}}, {AfterMs: 7200_000},
	}})
}

// The memory of another call, or one that is broken, does no harm.
func TestBrokenMemory(t *testing.T) {
	bubble(t, func(d *desk) {
		const args = `{"conditions":[{"path":"never"}],"timeout":"20m"}`
		d.leave(args, time.Minute)
		files, _ := filepath.Glob(filepath.Join(d.state, "waits", "*"))
		if err := os.WriteFile(files[0], []byte(`{"began":"x"`), 0o600); err != nil {
			d.Fatal(err)
		}
		_, took := d.wait(&tooltest.Env{}, args)
		within(d, took, 20*time.Minute, 20*time.Minute+2*time.Second)
	})
}

// Files are those that read may show.
func TestConfined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, local.All)
		r, took := d.wait(&tooltest.Env{}, `{"conditions":[{"path":"/etc/passwd"}]}`)
		d.want(r, false, "/etc/passwd")
		within(d, took, 0, time.Second)
	})
	d := newDesk(t, local.Off)
	risk := d.tool().Risk(json.RawMessage(`{"conditions":[{"path":"a"},{"time":"1h"},{"path":"b","log":"x"}]}`))
	if len(risk.Reads) != 2 || risk.Reads[1] != filepath.Join(d.dir, "b") || risk.Effect != event.Read || !risk.Poll || risk.Gate != tool.Open {
		t.Errorf("%+v", risk)
	}
}

// Real background commands: their end, what they print, and one of an earlier
// run of the program.
func TestProcess(t *testing.T) {
	d := newDesk(t, local.Off)
	start := func(line string, keep bool) workspace.Status {
		p, err := d.place.Start(t.Context(), workspace.Command{Session: "session", Line: line, Background: true, Keep: keep})
		if err != nil {
			t.Fatal(err)
		}
		return p.Status()
	}
	j := start("echo begun; sleep 0.3; echo 'step 1 loss 0.25'; exit 3", false)
	r, _ := d.wait(&tooltest.Env{}, `{"conditions":[{"process":"`+j.ID+`"},{"process":"`+j.ID+`","log":"^begun$"}]}`)
	d.want(r, true, "Condition 2 holds since ", `process bg1 printed "begun"`)
	r, _ = d.wait(&tooltest.Env{}, `{"conditions":[{"process":"`+fmt.Sprint(j.PID)+`"},{"path":"never"}]}`)
	d.want(r, true, "Condition 1 holds since ", "is over with exit code 3", "step 1 loss 0.25")
	r, _ = d.wait(&tooltest.Env{}, `{"conditions":[{"process":"bg1","metric":"loss<0.1"}]}`)
	d.want(r, true, "Stopped waiting: process bg1 is over with exit code 3")

	j = start("echo kept; sleep 300", true)
	args := `{"conditions":[{"process":"` + j.ID + `"}]}`
	d.leave(args, 1500*time.Millisecond)
	old := d.place
	fresh := newDesk(t, local.Off)
	fresh.state = d.state
	done := make(chan tool.Result)
	env := &tooltest.Env{}
	go func() {
		r, _ := fresh.wait(env, args)
		done <- r
	}()
	for !strings.Contains(strings.Join(env.Logs(), "\n"), "running since before the program was restarted") {
		select {
		case r := <-done:
			t.Fatalf("it still runs: %+v", r)
		case <-time.After(20 * time.Millisecond):
		}
	}
	if _, err := old.Kill(t.Context(), "session", j.ID); err != nil {
		t.Fatal(err)
	}
	fresh.want(<-done, true, "Condition 1 holds since ", "how it ended is not known", "kept")
}

// What a model writes is understood or refused, and never breaks anything.
func FuzzConditions(f *testing.F) {
	for _, seed := range []string{
		`{"job":"a/b","is":"running"}`, `{"process":"bg1"}`, `{"path":"x","is":">=1.5GiB"}`, `{"path":"x","metric":"eval loss <= 1e-3"}`, `{"path":"x","log":"(a|b)*$"}`,
		`{"time":"2h30m"}`, `{"time":"2026-01-01T00:00:00Z"}`, `{"time":"1.5d"}`, `{"time":"90"}`,
	} {
		f.Add(seed)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, args string) {
		var c wait.Condition
		if json.Unmarshal([]byte(args), &c) != nil {
			return
		}
		when, err := wait.Understand(c, now)
		if err == nil && c.Time != "" && strings.HasSuffix(c.Time, "h") && (when.Before(now) || when.After(now.Add(31*24*time.Hour))) {
			t.Errorf("%q is %s", c.Time, when)
		}
	})
}
