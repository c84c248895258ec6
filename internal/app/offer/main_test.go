//go:build unix

package offer_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command"
	"github.com/ml-intern/ml-intern/internal/app/detach"
	"github.com/ml-intern/ml-intern/internal/app/offer"
	"github.com/ml-intern/ml-intern/internal/ui/mcpserver"
)

// asProgram makes the test binary the program.
const asProgram = "OFFER_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if handled, code := command.Child(os.Args); handled {
		os.Exit(code)
	}
	if os.Getenv(asProgram) != "" {
		os.Exit(command.Main(context.Background(), command.System()))
	}
	goleak.VerifyTestMain(m)
}

const secret = "hf_aB3aB3aB3aB3aB3aB3aB3aB3aB3aB3aB3"

// site is a project with a scripted model and a home of the program.
type site struct {
	t               *testing.T
	root, dir, home string
	env             []string
	registry        *detach.Registry
}

// say is an answer of the model, call one that runs a command.
func say(text string) map[string]any { return map[string]any{"role": "assistant", "content": text} }

func call(id, command string) map[string]any {
	args, _ := json.Marshal(map[string]string{"command": command})
	return map[string]any{"role": "assistant", "content": "", "tool_calls": []any{
		map[string]any{"id": id, "type": "function", "function": map[string]string{"name": "bash", "arguments": string(args)}},
	}}
}

func newSite(t *testing.T, script ...map[string]any) *site {
	t.Helper()
	root, err := os.MkdirTemp("", "of") // short: there is a socket in it
	if err != nil {
		t.Fatal(err)
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, root: root, dir: filepath.Join(root, "work"), home: filepath.Join(root, "home")}
	t.Cleanup(func() {
		s.nothingRuns()
		_ = os.RemoveAll(root)
	})
	for _, dir := range []string{s.dir, s.home, filepath.Join(s.dir, "sub"), filepath.Join(root, "elsewhere")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := json.Marshal(map[string]any{"messages": script})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "script.json"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	hub := httptest.NewServer(http.NotFoundHandler()) // there is nothing on this Hub
	t.Cleanup(hub.Close)
	s.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.home, "ML_INTERN_HOME=" + s.home, "DO_NOT_TRACK=1", "HF_ENDPOINT=" + hub.URL,
		"TMPDIR=" + root, asProgram + "=1", "HF_TOKEN=" + secret,
	}
	s.registry = detach.Open(filepath.Join(s.home, "state"), func(string) (string, bool) { return "", false })
	return s
}

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// settings are those of a command line with the scripted model, and more.
func (s *site) settings(more ...string) map[string][]string {
	set := map[string][]string{"model_name": {"replay/" + filepath.Join(s.root, "script.json")}}
	for i := 0; i < len(more); i += 2 {
		set[more[i]] = []string{more[i+1]}
	}
	return set
}

// open makes what is offered. Nothing of it is left when the test has ended.
func (s *site) open(change func(*offer.Options)) *offer.Offer {
	s.t.Helper()
	o, err := s.try(change)
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

func (s *site) try(change func(*offer.Options)) (*offer.Offer, error) {
	s.t.Helper()
	o := offer.Options{Environ: s.env, Root: s.dir, Settings: s.settings()}
	if change != nil {
		change(&o)
	}
	a, err := app.New(s.t.Context(), app.Options{Dir: s.dir, Environ: s.env, Flags: o.Settings})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = a.Close() })
	o.App = a
	all, err := offer.New(s.t.Context(), o)
	if err == nil {
		s.t.Cleanup(func() {
			if err := all.Close(); err != nil {
				s.t.Error(err)
			}
		})
	}
	return all, err
}

// lines collects what a call tells.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "\n")
}

func find(t *testing.T, o *offer.Offer, name string) mcpserver.Tool {
	t.Helper()
	for _, tool := range o.Tools {
		if tool.Name == name {
			return tool
		}
	}
	t.Fatalf("%s is not offered", name)
	return mcpserver.Tool{}
}

// use calls a tool.
func use(t *testing.T, o *offer.Offer, name, args string) mcpserver.Result {
	t.Helper()
	r, err := find(t, o, name).Call(t.Context(), json.RawMessage(args), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// code is the word for programs of a failed call.
func code(t *testing.T, r mcpserver.Result) string {
	t.Helper()
	var p mcpserver.Problem
	if err := json.Unmarshal(r.Structured, &p); err != nil || !r.Failed {
		t.Fatalf("%v: %+v %s", err, r, r.Structured)
	}
	return p.Error.Code
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < 20*time.Second; time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("it did not come to that: %s", what)
}

// running are the sessions that have a process.
func (s *site) running() []detach.Entry {
	s.t.Helper()
	all, err := s.registry.List()
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// ended waits until no session has a process any more.
func (s *site) ended() {
	s.t.Helper()
	eventually(s.t, "the end of all sessions", func() bool {
		var status syscall.WaitStatus
		_, _ = syscall.Wait4(-1, &status, syscall.WNOHANG, nil) // they are children of the test, which nobody else reaps
		return len(s.running()) == 0
	})
}

// nothingRuns ends what is left of the site.
func (s *site) nothingRuns() {
	for _, e := range s.running() {
		if err := s.registry.Kill(context.Background(), e); err != nil {
			s.t.Error(err)
		}
	}
	if s.t.Failed() {
		raw, _ := os.ReadFile(filepath.Join(s.home, "state", "debug.log"))
		s.t.Logf("debug.log:\n%s", raw)
	}
}
