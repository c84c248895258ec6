package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local"
	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/tools/jobs"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/script"
	"github.com/ml-intern/ml-intern/internal/tools/stagetest"
)

// desk is hf_jobs on a simulated Hub.
type desk struct {
	*stagetest.Stage
	client  *hub.Client
	session *tooltest.Session
	tool    *jobs.Tool
	dir     string // the workspace
	logs    string // where logs are kept
}

func newDesk(t *testing.T, s *stagetest.Stage, change func(*jobs.Options)) *desk {
	t.Helper()
	d := &desk{Stage: s, client: s.Client(stagetest.Bob), session: &tooltest.Session{SessionID: "11111111-2222-4333-8444-555555555555"}}
	d.dir, d.logs = t.TempDir(), filepath.Join(t.TempDir(), "jobs")
	here, err := local.New(local.Options{Dir: d.dir, Root: d.dir, Python: func() string { return "/usr/bin/python3" }, SpillDir: func(string) string { return d.logs }})
	if err != nil {
		t.Fatal(err)
	}
	o := jobs.Options{
		Jobs: d.client.Jobs, Namespace: d.client.Account.Namespace,
		Prices: price.New(price.Options{Table: price.Jobs(), Fetch: func(ctx context.Context) ([]price.Flavor, error) {
			list, err := d.client.Jobs.Hardware(ctx)
			return price.FromHub(list), err
		}}),
		Script: script.Options{Open: here.Open, Root: d.dir},
		Token:  func() string { return stagetest.Bob },
		LogDir: func(string) string { return d.logs },
		HasSecret: func(text string) string {
			if strings.Contains(text, "hf_"+strings.Repeat("a", 30)) {
				return "hf token"
			}
			return ""
		},
		Secret: func(name string) (string, bool) {
			return map[string]string{"WANDB": "wandb-value"}[name], name == "WANDB" || name == "EMPTY"
		},
		Scrub: func(line string) string { return strings.ReplaceAll(line, "held-secret", "[REDACTED]") },
		Ship: func(ctx context.Context, ns, folder string, files map[string][]byte) (job.Volume, error) {
			return job.Volume{}, errors.New("nothing is shipped here")
		},
	}
	if change != nil {
		change(&o)
	}
	if d.tool, err = jobs.New(o); err != nil {
		t.Fatal(err)
	}
	d.tool.Attach(d.session)
	t.Cleanup(func() {
		if err := d.tool.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return d
}

// env is the surroundings of a call.
func (d *desk) env(call string) *tooltest.Env {
	return &tooltest.Env{Session: d.session.SessionID, Call: call}
}

// call resolves, judges and runs a call as the engine does: what it may cost is
// reserved, and settled with its result.
func (d *desk) call(ctx context.Context, env *tooltest.Env, args string) tool.Result {
	d.Helper()
	r, err := d.try(ctx, env, args)
	if err != nil && ctx.Err() == nil {
		d.Fatalf("%s: %v", args, err)
	}
	return r
}

func (d *desk) try(ctx context.Context, env *tooltest.Env, args string) (tool.Result, error) {
	resolved, err := d.tool.Resolve(ctx, json.RawMessage(args))
	if err != nil {
		return tool.Failed(err.Error()), nil
	}
	risk := d.tool.Risk(resolved)
	if risk.Cost != nil {
		micro := risk.Cost.MicroUSD
		d.session.Put(event.Spend{ID: env.CallID(), Kind: event.SpendJob, State: event.SpendReserved, MicroUSD: &micro})
	}
	r, err := d.tool.Run(ctx, env, resolved)
	if risk.Cost != nil {
		spend, _ := d.session.Spend(env.CallID())
		switch {
		case r.Holding != "":
			spend.Ref = r.Holding
			d.session.Put(spend)
		default:
			d.session.Settle(env.CallID(), r.ActualMicroUSD)
		}
	}
	return r, err
}

// posted is the spec of the only job of a namespace.
func (d *desk) posted(ns string) job.Spec {
	d.Helper()
	all := d.jobs(ns)
	if len(all) != 1 {
		d.Fatalf("%s has %d jobs, want one", ns, len(all))
	}
	return d.spec(all[0].ID)
}

// spec is what a job was made of, its secrets included.
func (d *desk) spec(id string) job.Spec {
	d.Helper()
	raw, err := d.Sim.Jobs().Spec(account.With(context.Background(), d.Sim.Accounts().As("bob")), id)
	if err != nil {
		d.Fatal(err)
	}
	var spec job.Spec
	if err := json.Unmarshal(raw, &spec); err != nil {
		d.Fatal(err)
	}
	return spec
}

// jobs are those of a namespace.
func (d *desk) jobs(ns string) []job.Job {
	d.Helper()
	var all []job.Job
	for j, err := range d.client.Jobs.List(context.Background(), ns, job.Filter{}) {
		if err != nil {
			d.Fatal(err)
		}
		all = append(all, j)
	}
	return all
}

// write puts a file into the workspace.
func (d *desk) write(name, text string) {
	d.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		d.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		d.Fatal(err)
	}
}

// told are the payloads of one type that a call has emitted.
func told[P event.Payload](ps []event.Payload) []P {
	var out []P
	for _, p := range ps {
		if got, ok := p.(P); ok {
			out = append(out, got)
		}
	}
	return out
}

// states are the steps that a call has told.
func states(env *tooltest.Env) []string {
	var out []string
	for _, s := range env.States() {
		out = append(out, s.State)
	}
	return out
}

// wantText checks that a result holds texts.
func wantText(t *testing.T, r tool.Result, ok bool, texts ...string) {
	t.Helper()
	if r.OK != ok {
		t.Errorf("ok is %v, want %v: %s", r.OK, ok, r.Output)
	}
	for _, text := range texts {
		if !strings.Contains(r.Output, text) {
			t.Errorf("the result does not hold %q:\n%s", text, r.Output)
		}
	}
}

// counted are numbered lines.
func counted(from, to int) []string {
	var out []string
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprintf("step %d", i))
	}
	return out
}

// once checks that the lines are in a text, each once and in order.
func once(t *testing.T, where, text string, lines []string) {
	t.Helper()
	var got []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\n"); strings.HasPrefix(line, "step ") {
			got = append(got, line)
		}
	}
	if !slices.Equal(got, lines) {
		t.Errorf("%s has %d lines, want %d: %.300q", where, len(got), len(lines), got)
	}
}

// interruptible is a context that a person can end.
func interruptible(t *testing.T) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(t.Context())
	t.Cleanup(func() { cancel(nil) })
	return ctx, func() { cancel(tool.ErrInterrupt) }
}

// until waits until a condition holds; in a bubble no time passes outside.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for begun := time.Now(); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > 2*time.Minute {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// start runs a call in the background; the function returned waits for it.
func (d *desk) start(ctx context.Context, env *tooltest.Env, args string) func() (tool.Result, error) {
	var r tool.Result
	var err error
	var done sync.WaitGroup
	done.Go(func() { r, err = d.try(ctx, env, args) })
	return func() (tool.Result, error) { done.Wait(); return r, err }
}
