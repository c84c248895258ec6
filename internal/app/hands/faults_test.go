package hands_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox"
	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox/inspace"
	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox/program"
	"github.com/ml-intern/ml-intern/internal/app/hubtools"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	tools "github.com/ml-intern/ml-intern/internal/tools/sandbox"
	"github.com/ml-intern/ml-intern/internal/tools/sandbox/bill"
)

const deletion = "/api/repos/delete"

// nothing checks that a sandbox was made in vain and removed once.
func (w *world) nothing(owner string) {
	w.Helper()
	eventually(w.T, "the removal", func() bool { return len(w.left(owner)) == 0 })
	if n := w.count("DELETE", deletion); n != 1 {
		w.Errorf("%d deletions of repositories, want 1", n)
	}
	for _, r := range w.records() {
		if r.Status != sandbox.Destroyed {
			w.Errorf("remembered: %+v", r)
		}
	}
}

// Acceptance check 18: what fails after the creation removes exactly what was
// made, and the session has no sandbox.
func TestCheck18_FailuresLeaveNothing(t *testing.T) {
	for name, c := range map[string]struct{ fault, want string }{
		"build error":  {`{"match":{"method":"POST","path":"/commit/"},"do":{"failStage":"BUILD_ERROR"}}`, "BUILD_ERROR"},
		"config error": {`{"match":{"method":"POST","path":"/commit/"},"do":{"failStage":"CONFIG_ERROR"}}`, "CONFIG_ERROR"},
		"upload 500":   {`{"match":{"method":"POST","path":"/commit/"},"do":{"status":500}}`, "500"},
		"upload 403":   {`{"match":{"method":"POST","path":"/preupload/"},"do":{"status":403}}`, "403"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, backend("space"))
			h := w.hands()
			w.fault(c.fault)
			r, _ := w.run(h.Create, `{}`)
			if r.OK || !strings.Contains(r.Output, "Failed to create sandbox: ") || !strings.Contains(r.Output, c.want) {
				t.Errorf("%+v", r)
			}
			w.nothing("bob")
			if r, _ := w.run(h.Bash, `{"command":"true"}`); r.OK || !strings.Contains(r.Output, "there is no sandbox") {
				t.Errorf("the session has a sandbox: %+v", r)
			}
		})
	}
}

// Acceptance check 18, cancel: at every step that can be seen from outside.
func TestCheck18_CancelBetweenSteps(t *testing.T) {
	for name, step := range map[string]struct{ method, path string }{
		"create": {"POST", "/api/repos/create"}, "upload": {"POST", "/preupload/"}, "wait": {"GET", "/runtime"}, "health": {"GET", "/api/v2/health"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, backend("space"))
			h := w.hands()
			w.fault(`{"match":{"method":"` + step.method + `","path":"` + step.path + `"},"do":{"latencyMs":1500}}`)
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() {
				eventually(t, step.path, func() bool { return w.count(step.method, step.path) > 0 })
				cancel(tool.ErrInterrupt)
			}()
			env := &tooltest.Env{Session: session}
			answers := make(chan tool.Result, 1)
			go func() {
				r, _ := h.Create.Run(ctx, env, json.RawMessage(`{}`))
				answers <- r
			}()
			<-ctx.Done()
			begun := time.Now()
			a := <-answers
			if late := time.Since(begun); late > time.Second || a.OK {
				t.Errorf("it went on for %s: %+v", late, a)
			}
			w.hub.Faults.Clear()
			w.close(h) // waits until all is removed
			if n := w.count("DELETE", deletion); n > 1 {
				t.Errorf("%d deletions", n)
			}
			if left := w.left("bob"); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// Acceptance check 19: from the free CPU to a GPU, with the files, at the price
// of the GPU.
func TestCheck19_OtherHardwareTakesTheFilesAlong(t *testing.T) {
	for _, kind := range []string{"space", "jobs"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, backend(kind))
			h := w.hands()
			w.good(h.Create, `{}`)
			w.good(h.Write, `{"path":"/app/data/x.txt","content":"kept\n"}`)
			w.good(h.Bash, `{"command":"mkdir -p .venv __pycache__ && echo no > .venv/y && ln -s x.txt data/link && echo z > data/z.bin"}`)
			risk := h.Create.Risk(json.RawMessage(`{"hardware":"t4-small"}`))
			want := map[string]float64{"space": 0.40, "jobs": 0.41}[kind]
			if risk.Gate != tool.Ask || risk.Cost == nil || !risk.Cost.Known || risk.Cost.Kind != event.SpendSandbox ||
				abs(risk.Cost.USDPerHour-want) > 0.001 || abs(float64(risk.Cost.MicroUSD)/1e6-want) > 0.001 || risk.Cost.Source != "live" {
				t.Errorf("%+v %+v", risk, risk.Cost)
			}
			old := w.records()[0]
			if text := w.good(h.Create, `{"hardware":"t4-small"}`); !strings.Contains(text, "Moved from "+old.ID) {
				t.Errorf("%q", text)
			}
			if text := w.good(h.Bash, `{"command":"cat data/x.txt data/z.bin; ls -a; nvidia-smi | head -2"}`); !strings.HasPrefix(text, "kept\nz\n") || strings.Contains(text, ".venv") {
				t.Errorf("%q", text)
			}
			if left := w.left("bob"); len(left) != 1 || left[0] == old.ID {
				t.Errorf("left: %v", left)
			}
			if text := w.good(h.Create, `{"hardware":"l4x1"}`); !strings.Contains(text, "already active") || !strings.Contains(text, "replace: true") {
				t.Errorf("%q", text)
			}
			if r := h.Create.Risk(json.RawMessage(`{"hardware":"l4x1"}`)); r.Cost != nil || r.Gate != tool.Open {
				t.Errorf("nothing is made: %+v", r)
			}
			w.good(h.Create, `{"hardware":"l4x1","replace":true}`)
			if text := w.good(h.Bash, `{"command":"cat data/x.txt"}`); text != "kept\n" {
				t.Errorf("%q", text)
			}
		})
	}
}

func abs(x float64) float64 { return max(x, -x) }

// Acceptance check 20: the address is what the Hub says, not made of the name.
func TestCheck20_Subdomain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, backend("space"))
	w.hub.Accounts().Put(account.Entity{Type: "user", ID: "abc", Name: "A-B_c", Plan: "pro", CanPay: true, CreditMicroUSD: 1e6})
	w.hub.Accounts().PutToken(account.Token{Value: "hf_abc_write", Owner: "A-B_c", Role: "write"})
	w.as("hf_abc_write")
	h := w.hands()
	w.good(h.Create, `{}`)
	w.good(h.Bash, `{"command":"true"}`)
	name := strings.TrimPrefix(w.records()[0].ID, "A-B_c/")
	if w.count("POST", "/__spaces/a-b-c-"+name+"/api/v2/exec") == 0 {
		t.Errorf("the address of %s was not asked", name)
	}
}

// Acceptance check 29 of the Hub: where a Space must be paid for, a job is
// taken, and no repository stays.
func TestCheck29_WithoutAPlanAJobIsTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, backend("space"), func(s *setup) { s.user = "alice" })
	h := w.hands()
	if _, err := w.client.Account.Whoami(t.Context()); err != nil { // it is known that a Space is tried first
		t.Fatal(err)
	}
	r, env := w.run(h.Create, `{}`)
	if !r.OK {
		t.Fatalf("%+v", r)
	}
	w.good(h.Bash, `{"command":"true"}`)
	if n := w.count("POST", "/api/jobs/alice"); n != 1 {
		t.Errorf("%d jobs", n)
	}
	if refs := env.Refs(); len(refs) != 1 || !strings.HasPrefix(refs[0], "job:alice/") {
		t.Errorf("effects: %v", refs)
	}
	// A job costs, and nothing was reserved for the free Space.
	open := w.seen.Reserved(event.SpendSandbox)
	if len(open) != 1 || !strings.HasPrefix(open[0].ID, "sandbox-renew-") || *open[0].MicroUSD/100 != 200 {
		t.Errorf("reserved: %+v", open)
	}
	if n := w.count("DELETE", deletion); n != 0 {
		t.Errorf("%d deletions", n)
	}
	w.good(h.Delete, `{}`)
	if left := w.left("alice"); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if s, _ := w.seen.Spend(open[0].ID); s.State == event.SpendReserved {
		t.Errorf("not settled: %+v", s)
	}
}

// Without a plan and without credits there is no sandbox, and nothing runs on
// the user's machine instead.
func TestNoCreditsAtAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.user = "alice" })
	h := w.hands()
	w.fault(`{"match":{"method":"POST","path":"^/api/jobs/alice$"},"do":{"status":402,"body":{"error":"Pre-paid credit balance is insufficient"}}}`)
	r, env := w.run(h.Create, `{}`)
	if r.OK || !strings.Contains(r.Output, "/settings/billing") {
		t.Errorf("%+v", r)
	}
	if states := env.States(); len(states) != 1 || states[0].State != "billing_required" {
		t.Errorf("%+v", states)
	}
	if r, _ := w.run(h.Bash, `{"command":"true"}`); r.OK {
		t.Errorf("%+v", r)
	}
	if left := w.left("alice"); len(left) != 0 || len(w.records()) != 0 || len(w.seen.Reserved(event.SpendSandbox)) != 0 {
		t.Errorf("left: %v, %+v, %+v", left, w.records(), w.seen.Reserved(event.SpendSandbox))
	}
}

// Acceptance check 18, timeout: a Space that does not start in time is removed.
func TestCheck18_Timeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.sim.SpaceBuild = time.Hour })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := w.client
	maker := inspace.New(inspace.Options{
		Repos: c.Repos, Commits: c.Commits, Spaces: c.Spaces, Endpoint: c.Endpoint(), StartLimit: 300 * time.Millisecond,
		Program: program.New(program.Options{Path: self}),
	})
	records, err := sandbox.OpenRecords(filepath.Join(w.dir(), sandbox.FileName))
	if err != nil {
		t.Fatal(err)
	}
	kinds := []sandbox.Kind{sandbox.Space}
	keeper, err := tools.New(tools.Options{
		Makers: map[sandbox.Kind]sandbox.Maker{sandbox.Space: maker}, Prices: bill.Books{sandbox.Space: hubtools.NewPrices(c, w.home).Spaces},
		Choose:  func(context.Context) (string, []sandbox.Kind, error) { return "bob", kinds, nil },
		Connect: func(tools.Address) (tools.Client, error) { return nil, errors.New("not so far") },
		Records: records, Session: session, Prefetch: tools.PrefetchOff,
	})
	if err != nil {
		t.Fatal(err)
	}
	create, _ := keeper.Tools()
	if r, _ := w.run(create, `{}`); r.OK || !strings.Contains(r.Output, "does not run after 300ms") {
		t.Errorf("%+v", r)
	}
	w.nothing("bob")
}
