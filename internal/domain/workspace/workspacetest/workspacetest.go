// Package workspacetest is the suite that every maker of workspaces passes.
package workspacetest

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

// Place is a fresh workspace to be tested. The suite looks at its folder behind
// its back, so it must be on this machine.
type Place struct {
	Workspace workspace.Workspace
	// Dir is its folder: an empty one, a real path.
	Dir string
}

// Run tests a maker of workspaces: open makes one for a test and ends it after.
func Run(t *testing.T, open func(t *testing.T) Place) {
	for name, test := range map[string]func(*testing.T, *world){
		"commands end":            endings,
		"output is shown":         output,
		"commands are ended":      ends,
		"background":              background,
		"left behind":             leftBehind,
		"sessions are apart":      apart,
		"processes are clean":     clean,
		"bad commands":            badCommands,
		"stat and read":           reading,
		"write":                   writing,
		"write keeps what it can": keeping,
		"write a part":            parts,
		"list":                    listing,
		"archive":                 archive,
		"archive leaves out":      leaveOut,
		"hostile archives":        hostile,
		"archive limits":          archiveLimits,
		"python":                  python,
	} {
		t.Run(name, func(t *testing.T) {
			p := open(t)
			test(t, &world{t: t, Place: p})
		})
	}
}

// world is a place with what the tests do to it.
type world struct {
	t *testing.T
	Place
}

const session = "session-1"

func (w *world) path(name string) string { return filepath.Join(w.Dir, filepath.FromSlash(name)) }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// kind checks what kind of fault err is.
func (w *world) kind(err error, want workspace.Kind) {
	w.t.Helper()
	var f *workspace.Fault
	if !errors.As(err, &f) || f.Kind != want {
		w.t.Errorf("error %v (%T), want a fault of kind %s", err, err, want)
	}
}

// put makes a file behind the workspace's back.
func (w *world) put(name, content string) {
	w.t.Helper()
	w.must(os.MkdirAll(filepath.Dir(w.path(name)), 0o755))
	w.must(os.WriteFile(w.path(name), []byte(content), 0o644))
}

func (w *world) has(name, want string) {
	w.t.Helper()
	if got, err := os.ReadFile(w.path(name)); err != nil || string(got) != want {
		w.t.Errorf("%s is %q (%v), want %q", name, got, err, want)
	}
}

// start starts a command line.
func (w *world) start(c workspace.Command) workspace.Process {
	w.t.Helper()
	c.Session = session
	p, err := w.Workspace.Start(w.t.Context(), c)
	if err != nil {
		w.t.Fatalf("%s: %v", c.Line, err)
	}
	return p
}

// run runs a command line to its end.
func (w *world) run(line string) workspace.Outcome {
	w.t.Helper()
	out, err := w.start(workspace.Command{Line: line, Limit: time.Minute}).Wait(w.t.Context())
	if err != nil {
		w.t.Fatalf("%s: %v", line, err)
	}
	return out
}

// read returns a part of a file.
func (w *world) read(path string, o workspace.ReadOptions) (string, workspace.Info) {
	w.t.Helper()
	body, info, err := w.Workspace.Read(w.t.Context(), path, o)
	if err != nil {
		w.t.Fatalf("read %s: %v", path, err)
	}
	data, err := io.ReadAll(body)
	w.must(errors.Join(err, body.Close()))
	return string(data), info
}

func (w *world) stat(path string, o workspace.StatOptions) workspace.Info {
	w.t.Helper()
	info, err := w.Workspace.Stat(w.t.Context(), path, o)
	w.must(err)
	return info
}

func (w *world) write(path, content string, o workspace.WriteOptions) (workspace.Info, error) {
	return w.Workspace.Write(w.t.Context(), path, strings.NewReader(content), o)
}

// until waits for something that comes about soon.
func (w *world) until(what string, done func() bool) {
	w.t.Helper()
	for began := time.Now(); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			w.t.Fatalf("not seen: %s", what)
		}
	}
}

// tail is the end of a job's output.
func (w *world) tail(id string, lines int) (string, workspace.Status) {
	w.t.Helper()
	text, status, err := w.Workspace.Tail(w.t.Context(), session, id, lines)
	w.must(err)
	return text, status
}

func python(t *testing.T, w *world) {
	out, err := w.Workspace.Python(t.Context(), "import sys\nprint(sys.stdin.read().upper(), end='')", []byte("é text"), 20*time.Second)
	w.must(err)
	if len(out) == 0 {
		t.Skip("there is no python3 in the path")
	}
	if string(out) != "É TEXT" {
		t.Errorf("printed %q", out)
	}
	out, err = w.Workspace.Python(t.Context(), "import time\ntime.sleep(60)", nil, 200*time.Millisecond)
	if len(out) != 0 || err != nil {
		t.Errorf("a slow program: %q, %v", out, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Workspace.Python(ctx, "print(1)", nil, time.Second); err == nil {
		t.Error("a cancelled call has no error")
	}
}
