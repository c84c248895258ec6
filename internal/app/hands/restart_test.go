package hands_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox"
	"github.com/ml-intern/ml-intern/internal/app/hands"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
)

// killed leaves a run of the program as kill -9 does: what it remembers is as
// it is at this moment, and nothing is removed. It returns the tools of the
// next run.
func (w *world) killed() *hands.Hands {
	w.Helper()
	vars, err := w.hub.Env(w.setup.user)
	if err != nil {
		w.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(w.dir(), sandbox.FileName))
	if err != nil {
		w.Fatal(err)
	}
	w.next = "next"
	if err := os.MkdirAll(w.dir(), 0o700); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.dir(), sandbox.FileName), data, 0o600); err != nil {
		w.Fatal(err)
	}
	w.open(vars)
	h, err := w.fleet.Hands(session, w.dir())
	if err != nil {
		w.Fatal(err)
	}
	return h
}

func (w *world) attach(h *hands.Hands) {
	w.Helper()
	h.Create.(tool.Companion).Attach(&w.seen)
	w.Cleanup(func() { w.close(h) })
}

// A run that was killed is followed by one that works in the same sandbox.
func TestReattach(t *testing.T) {
	for _, kind := range []string{"space", "jobs"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, backend(kind))
			h := w.hands()
			w.good(h.Create, `{"hardware":"t4-small"}`)
			w.good(h.Write, `{"path":"a.txt","content":"here\n"}`)
			before := w.records()[0]
			open := w.seen.Reserved(event.SpendSandbox)
			again := w.killed()
			w.attach(again)
			if text := w.good(again.Bash, `{"command":"cat a.txt"}`); text != "here\n" {
				t.Errorf("%q", text)
			}
			if text := w.good(again.Create, `{}`); !strings.Contains(text, "already active: "+before.ID) {
				t.Errorf("%q", text)
			}
			if len(open) != 1 || open[0].ID != before.Spend {
				t.Errorf("reserved %+v for %+v", open, before)
			}
			w.good(again.Delete, `{}`)
			if s, _ := w.seen.Spend(open[0].ID); s.State != event.SpendSettled || *s.MicroUSD > 20_000 {
				t.Errorf("a minute of it: %+v", s)
			}
			if left := w.left("bob"); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// A creation that was cut short is found by its key at every step, and no
// second sandbox is made.
func TestRecoverAtEveryStep(t *testing.T) {
	for _, c := range []struct{ kind, method, path string }{
		{"space", "POST", "/api/repos/create"},
		{"space", "POST", "/preupload/"},
		{"space", "GET", "/runtime"},
		{"jobs", "POST", "/api/jobs/bob"},
		{"jobs", "GET", "/api/v2/health"},
	} {
		t.Run(c.kind+strings.ReplaceAll(c.path, "/", "-"), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, backend(c.kind))
			h := w.hands()
			args := json.RawMessage(`{}`)
			env := &tooltest.Env{Session: session}
			intent, err := h.Create.(tool.KeyedTool).Intent(t.Context(), env, args)
			if err != nil {
				t.Fatal(err)
			}
			w.fault(`{"match":{"method":"` + c.method + `","path":"` + c.path + `"},"do":{"latencyMs":1000}}`)
			ended := make(chan struct{})
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				defer close(ended)
				_, _ = h.Create.Run(ctx, env, args)
			}()
			eventually(t, c.path, func() bool { return w.count(c.method, c.path) > 0 })
			again := w.killed() // the first run goes on, as one whose requests are still on their way
			w.hub.Faults.Clear()
			if c.path == "/api/repos/create" || c.path == "/api/jobs/bob" {
				time.Sleep(1500 * time.Millisecond) // the request arrives
			}
			w.attach(again)
			outcome, r, err := again.Create.(tool.KeyedTool).Recover(t.Context(), &tooltest.Env{Session: session}, args, intent)
			if outcome != tool.Happened || err != nil || !r.OK || !strings.Contains(r.Output, "Sandbox created: ") {
				t.Fatalf("%v %+v %v", outcome, r, err)
			}
			w.good(again.Bash, `{"command":"true"}`)
			<-ended
			if left := w.left("bob"); len(left) != 1 {
				t.Errorf("there are %v", left)
			}
			cancel()
		})
	}
}

// What was never made is said not to have happened.
func TestRecoverNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.hands()
	env := &tooltest.Env{Session: session}
	args := json.RawMessage(`{}`)
	keyed := h.Create.(tool.KeyedTool)
	intent, err := keyed.Intent(t.Context(), env, args)
	if err != nil {
		t.Fatal(err)
	}
	if outcome, _, err := keyed.Recover(t.Context(), env, args, intent); outcome != tool.NotHappened || err != nil {
		t.Errorf("%v %v", outcome, err)
	}
}

// A free sandbox is made with the first message; bash waits for it.
func TestPrefetch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.settings["sandbox_prefetch"] = []string{"on_message"} })
	h := w.hands()
	if text := w.good(h.Bash, `{"command":"echo ready"}`); text != "ready\n" {
		t.Errorf("%q", text)
	}
	if text := w.good(h.Create, `{"hardware":"cpu-basic"}`); !strings.HasPrefix(text, "Sandbox already active: bob/sandbox-") {
		t.Errorf("%q", text)
	}
	lines, created := "", false
	for _, p := range w.seen.Emitted() {
		switch p := p.(type) {
		case event.ToolLog:
			lines += p.Tool + ": " + p.Log + "\n"
		case event.SandboxCreate:
			created = true
		}
	}
	if !created || !strings.Contains(lines, "sandbox: Creating a sandbox for bob (cpu-basic)") || !strings.Contains(lines, "sandbox: Sandbox ready: bob/") {
		t.Errorf("told: %v\n%s", created, lines)
	}
}

// Nothing that costs is made ahead.
func TestPrefetchOnlyWhatIsFree(t *testing.T) {
	t.Parallel()
	w := newWorld(t, backend("jobs"), func(s *setup) { s.settings["sandbox_prefetch"] = []string{"on_create"} })
	h, err := w.fleet.Hands(session, w.dir())
	if err != nil {
		t.Fatal(err)
	}
	hands.Prefetch([]tool.Tool{h.Create})
	w.attach(h)
	if r, _ := w.run(h.Bash, `{"command":"true"}`); r.OK || !strings.Contains(r.Output, "there is no sandbox") {
		t.Errorf("%+v", r)
	}
	if n := w.count("POST", "/api/jobs/bob"); n != 0 {
		t.Errorf("%d jobs", n)
	}
}

// Other hardware cancels the one that is being made ahead, which leaves
// nothing.
func TestPrefetchIsCancelledForOtherHardware(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.settings["sandbox_prefetch"] = []string{"on_message"} })
	w.fault(`{"match":{"method":"GET","path":"/runtime$","count":1},"do":{"latencyMs":1500}}`)
	h := w.hands()
	eventually(t, "the first sandbox", func() bool { return w.count("GET", "/runtime") > 0 })
	if text := w.good(h.Create, `{"hardware":"t4-small"}`); !strings.Contains(text, "Hardware: t4-small") {
		t.Errorf("%q", text)
	}
	if left := w.left("bob"); len(left) != 1 {
		t.Errorf("there are %v", left)
	}
}

// A sandbox that was restarted has lost its files: the model is told, what it
// has read counts no more, and what it has written is sent again when that is
// wanted.
func TestRestartIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, backend("space"), func(s *setup) { s.settings["sandbox_resync"] = []string{"true"} })
	h := w.hands()
	w.good(h.Create, `{}`)
	w.good(h.Write, `{"path":"kept.txt","content":"written\n"}`)
	w.good(h.Bash, `{"command":"echo lost > lost.txt"}`)
	id := w.records()[0].ID
	if _, err := w.client.Spaces.Restart(t.Context(), id, true); err != nil {
		t.Fatal(err)
	}
	text := w.good(h.Bash, `{"command":"sleep 1; ls"}`)
	if !strings.HasPrefix(text, "[The sandbox "+id+" was restarted") || strings.Contains(text, "lost.txt") {
		t.Errorf("%q", text)
	}
	if text := w.good(h.Read, `{"path":"kept.txt"}`); !strings.Contains(text, "written") {
		t.Errorf("%q", text)
	}
}

// A sandbox that has ended is given up, and its money settled.
func TestEndedSandbox(t *testing.T) {
	t.Parallel()
	w := newWorld(t, backend("jobs"))
	h := w.hands()
	w.good(h.Create, `{}`)
	rec := w.records()[0]
	if _, err := w.client.Jobs.Cancel(t.Context(), "bob", rec.ID); err != nil {
		t.Fatal(err)
	}
	r, _ := w.run(h.Bash, `{"command":"true"}`)
	if r.OK || !strings.Contains(r.Output, "has ended") {
		t.Errorf("%+v", r)
	}
	eventually(t, "the settlement", func() bool { return len(w.seen.Reserved(event.SpendSandbox)) == 0 })
	if r, _ := w.run(h.Bash, `{"command":"true"}`); !strings.Contains(r.Output, "there is no sandbox") {
		t.Errorf("%+v", r)
	}
}

// The end of a session removes its sandbox; what cannot be removed is told as
// left behind, and the next run removes it.
func TestCloseRemoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, backend("space"))
	h := w.hands()
	w.good(h.Create, `{}`)
	id := w.records()[0].ID
	w.fault(`{"match":{"method":"DELETE","path":"` + deletion + `"},"do":{"status":403}}`)
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	if err := h.Create.(tool.Closer).Close(ctx); err == nil {
		t.Error("no error")
	}
	if n := w.count("DELETE", deletion); n != 3 {
		t.Errorf("%d tries", n)
	}
	told := false
	for _, p := range w.seen.Emitted() {
		if l, ok := p.(event.ToolLog); ok && strings.Contains(l.Log, "ml-intern sandbox rm "+id) {
			told = true
		}
	}
	if recs := w.records(); !told || len(recs) != 1 || recs[0].Status != sandbox.Orphan {
		t.Errorf("told %v, remembered %+v", told, recs)
	}
	w.hub.Faults.Clear()
	again := w.killed()
	w.attach(again)
	eventually(t, "the removal", func() bool { return len(w.left("bob")) == 0 })
}
