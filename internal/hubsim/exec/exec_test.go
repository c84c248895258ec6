package exec_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

func TestMain(m *testing.M) {
	if handled, code := proc.SandboxMain(os.Args); handled {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// heard is what a command told.
type heard struct {
	mu     sync.Mutex
	lines  []string
	times  []time.Time
	stages []string
	exit   exec.Exit
}

func (h *heard) text() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.lines, "\n")
}

func start(t *testing.T, r *exec.Runner, spec exec.Spec) (*exec.Process, *heard) {
	t.Helper()
	h := &heard{}
	if spec.ID == "" {
		spec.ID = "66aa00000000000000000001"
	}
	spec.Line = func(text string, at time.Time) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.lines, h.times = append(h.lines, text), append(h.times, at)
	}
	spec.Stage = func(stage, _ string) { h.stages = append(h.stages, stage) }
	spec.Done = func(e exec.Exit) { h.exit = e }
	p := r.Start(context.Background(), spec)
	if p == nil {
		t.Fatal("the runner is closed")
	}
	return p, h
}

func run(t *testing.T, r *exec.Runner, spec exec.Spec) *heard {
	t.Helper()
	p, h := start(t, r, spec)
	wait(t, p)
	return h
}

func wait(t *testing.T, p *exec.Process) {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("the command has not ended")
	}
}

func open(t *testing.T, o exec.Options) *exec.Runner {
	t.Helper()
	if o.Clock == nil {
		o.Clock = clock.New(clock.Options{})
	}
	r, err := exec.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestOutputAndExit(t *testing.T) {
	r := open(t, exec.Options{})
	h := run(t, r, exec.Spec{Command: []string{"sh", "-c", `echo a; echo b >&2; printf 'caf\351\nlast'; exit 3`}})
	if want := "a\nb\ncaf\uFFFD\nlast"; h.text() != want || h.exit.Code != 3 {
		t.Errorf("got %q, exit %+v", h.text(), h.exit)
	}
	if !slices.IsSortedFunc(h.times, time.Time.Compare) || !h.times[0].After(clock.Start) {
		t.Errorf("times %v", h.times)
	}
}

func TestMissingProgram(t *testing.T) {
	h := run(t, open(t, exec.Options{}), exec.Spec{Command: []string{"no-such-program", "x"}})
	if h.exit.Code != 127 || !strings.Contains(h.text(), "no-such-program") || !strings.Contains(h.text(), "not found") {
		t.Errorf("exit %+v, text %q", h.exit, h.text())
	}
}

func TestEnvironmentIsWhole(t *testing.T) {
	t.Setenv("PARENTS_OWN", "x")
	r := open(t, exec.Options{Env: func() []string { return []string{"HF_ENDPOINT=http://127.0.0.1:1", "A=base"} }})
	h := run(t, r, exec.Spec{
		Command: []string{"env"}, System: map[string]string{"JOB_ID": "1", "ACCELERATOR": "t4-small", "CPU_CORES": "4", "MEMORY": "15Gi"},
		Environment: map[string]string{"A": "mine", "S": "env"}, Secrets: map[string]string{"S": "secret"},
	})
	var names []string
	for _, l := range strings.Split(h.text(), "\n") {
		name, _, _ := strings.Cut(l, "=")
		names = append(names, name)
	}
	slices.Sort(names)
	names = slices.DeleteFunc(names, func(n string) bool { return n == "_" || n == "SHLVL" || n == "OLDPWD" })
	want := []string{"A", "ACCELERATOR", "CPU_CORES", "HF_ENDPOINT", "HOME", "JOB_ID", "LANG", "MEMORY", "PATH", "PWD", "S", "TMPDIR"}
	if !slices.Equal(names, want) {
		t.Errorf("variables %v, want %v", names, want)
	}
	for _, l := range []string{"A=mine", "S=secret", "ACCELERATOR=t4-small", "MEMORY=15Gi"} {
		if !strings.Contains("\n"+h.text()+"\n", "\n"+l+"\n") {
			t.Errorf("no %s in %q", l, h.text())
		}
	}
}

func TestPathsAreMapped(t *testing.T) {
	live := t.TempDir()
	data := exec.Mount{
		Path: "/data",
		Fill: func(_ context.Context, dir string) error {
			return os.WriteFile(filepath.Join(dir, "in.txt"), []byte("content"), 0o600)
		},
	}
	h := run(t, open(t, exec.Options{}), exec.Spec{
		Mounts: []exec.Mount{data, {Path: "/data/sub", Dir: live}},
		Environment: map[string]string{
			"P": "/x:/tmp/ml-intern-0a1b2c3d:/data/q", "BLOB": "H4sI+/data/x", "U": "http://h/data",
		},
		Command: []string{
			"sh", "-c", `cat "/data/in.txt"; echo; cat --</dev/null; echo new >/data/out.txt; echo "$P $BLOB $U"; touch /data/sub/y
				mkdir -p /tmp/ml-intern-0a1b2c3d; echo "print('ran')" >"$1"; ls /data/sub; echo /database a/data ./data; echo t >/tmp/t; [ "$(cat "$TMPDIR/t")" = t ] && echo own tmp; exec "$2" "$1"`,
			"sh", "/tmp/ml-intern-0a1b2c3d/s.py", "python3",
		},
	})
	text := h.text()
	for _, want := range []string{"content", "H4sI+/data/x http://h/data", "\ny\n", "/database a/data ./data", "own tmp", "ran"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %q (exit %+v)", want, text, h.exit)
		}
	}
	if strings.Contains(text, ":/data/q") || !strings.Contains(text, "/tmp/ml-intern-0a1b2c3d:") || strings.Contains(text, "/x:/tmp/ml") {
		t.Errorf("paths in variables were not mapped: %q", text)
	}
	if _, err := os.Stat(filepath.Join(live, "y")); err != nil {
		t.Errorf("a directory used in place: %v", err)
	}
}

func TestStubs(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("import sys; print('fetched', sys.argv[1:])"))
	}))
	defer srv.Close()
	r := open(t, exec.Options{Env: func() []string { return []string{"HF_ENDPOINT=" + srv.URL} }})
	for _, c := range []struct {
		name, want string
		code       int
		spec       exec.Spec
	}{
		{"stdin", "hi ['a']", 0, exec.Spec{Command: []string{
			"sh", "-c", `echo "import sys; print('hi', sys.argv[1:])" | uv run --with trl -p 3.12 --python 3.11 --with=x - a`,
		}}},
		{"own script", "fetched ['--x', '1']", 0, exec.Spec{Command: []string{"uv", "run", "--with", "trl", srv.URL + "/bob/s/resolve/main/s.py", "--x", "1"}}},
		{"foreign script", "uv: https://example.com/s.py: scripts are fetched from " + srv.URL + " only", 2, exec.Spec{Command: []string{"uv", "run", "https://example.com/s.py"}}},
		{"other command", "uv: only 'uv run' is simulated", 2, exec.Spec{Command: []string{"uv", "pip", "install", "x"}}},
		{"gpu", "GPU 0: Nvidia T4", 0, exec.Spec{Command: []string{"nvidia-smi"}, GPU: []string{"GPU 0: Nvidia T4"}}},
		{"no gpu", "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", 9, exec.Spec{Command: []string{"nvidia-smi"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if h := run(t, r, c.spec); h.text() != c.want || h.exit.Code != c.code {
				t.Errorf("got %q, exit %+v", h.text(), h.exit)
			}
		})
	}
}

// until waits for a line.
func (h *heard) until(t *testing.T, line string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !strings.Contains(h.text(), line); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no line %q in %q", line, h.text())
		}
	}
}

func TestCancelKillsAfterGraceOfSimulatedTime(t *testing.T) {
	c := clock.New(clock.Options{})
	r := open(t, exec.Options{Clock: c})
	p, h := start(t, r, exec.Spec{Command: []string{"sh", "-c", `trap 'echo told' TERM; echo ready; while :; do sleep 0.02; done`}})
	h.until(t, "ready")
	p.Cancel()
	h.until(t, "told")
	c.Advance(exec.Grace - time.Second)
	select {
	case <-p.Done():
		t.Fatal("killed too early")
	case <-time.After(50 * time.Millisecond):
	}
	c.Advance(time.Second)
	wait(t, p)
	if h.exit.Code != 137 {
		t.Errorf("exit %+v", h.exit)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	r := open(t, exec.Options{Dir: dir})
	p, h := start(t, r, exec.Spec{Command: []string{"sh", "-c", `trap '' TERM; sleep 300 & echo ready; wait; sleep 300`}})
	h.until(t, "ready")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	wait(t, p)
	if left, _ := filepath.Glob(filepath.Join(dir, "66aa*")); left != nil {
		t.Errorf("left %v", left)
	}
	if r.Start(context.Background(), exec.Spec{Command: []string{"true"}}) != nil {
		t.Error("a closed runner starts commands")
	}
}

func TestBackgroundChildrenEndWithTheirParent(t *testing.T) {
	began := time.Now()
	h := run(t, open(t, exec.Options{}), exec.Spec{Command: []string{"sh", "-c", `sleep 300 & echo ready`}})
	if h.exit.Code != 0 || time.Since(began) > 10*time.Second {
		t.Errorf("exit %+v after %v", h.exit, time.Since(began))
	}
}

func TestFence(t *testing.T) {
	var warned []string
	r := open(t, exec.Options{Fence: proc.Auto, Warn: func(s string) { warned = append(warned, s) }})
	outside := t.TempDir()
	h := run(t, r, exec.Spec{Command: []string{"sh", "-c", `echo x >"$1/f" && echo escaped; echo y >"$TMPDIR/f" && echo inside`, "sh", outside}})
	if r.Unfenced() != "" {
		if len(warned) != 1 {
			t.Errorf("told %q", warned)
		}
		t.Skip("no fence on this machine: " + r.Unfenced())
	}
	if strings.Contains(h.text(), "escaped") || !strings.Contains(h.text(), "inside") {
		t.Errorf("got %q", h.text())
	}
}

func TestPortsAreFreeLocalOnes(t *testing.T) {
	p, h := start(t, open(t, exec.Options{}), exec.Spec{
		Ports: []int{8000, 49983}, Environment: map[string]string{"PORT": "49983"}, Command: []string{"sh", "-c", "echo $PORT"},
	})
	wait(t, p)
	local, ok := p.Port(49983)
	if other, _ := p.Port(8000); !ok || local == other || h.text() != strconv.Itoa(local) {
		t.Errorf("ports %d and %d, PORT %q", local, other, h.text())
	}
	if _, ok := p.Port(1); ok {
		t.Error("an undeclared port")
	}
}

func TestScriptsArePlayedOnTheClock(t *testing.T) {
	c := clock.New(clock.Options{})
	three := 3
	r := open(t, exec.Options{Clock: c, Scripted: true, Scripts: []exec.Script{
		{Label: "k=v", Steps: []exec.Step{{Lines: []string{"one"}}, {AfterMs: 5000, Lines: []string{"two"}, Stage: "UPDATING"}, {AfterMs: 1000, Exit: &three}}},
		{Command: "^python .*train", Steps: []exec.Step{{Lines: []string{"train"}}}},
	}})
	p, h := start(t, r, exec.Spec{Command: []string{"x"}, Labels: map[string]string{"k": "v"}})
	if h.text() != "one" {
		t.Errorf("at first %q", h.text())
	}
	c.Advance(5 * time.Second)
	if h.text() != "one\ntwo" || !slices.Equal(h.stages, []string{"UPDATING"}) {
		t.Errorf("after 5 s %q %q", h.text(), h.stages)
	}
	c.Advance(time.Second)
	wait(t, p)
	if h.exit.Code != 3 {
		t.Errorf("exit %+v", h.exit)
	}
	if h := run(t, r, exec.Spec{Command: []string{"python", "train.py"}}); h.text() != "train" || h.exit.Code != 0 {
		t.Errorf("by command %q %+v", h.text(), h.exit)
	}
	if h := run(t, r, exec.Spec{Command: []string{"sh", "-c", "echo no"}}); h.text() != "" || h.exit.Code != 0 {
		t.Errorf("without a script %q %+v", h.text(), h.exit)
	}
	p, h = start(t, r, exec.Spec{Command: []string{"x"}, Labels: map[string]string{"k": "v"}})
	p.Cancel()
	wait(t, p)
	if h.exit.Code != 143 {
		t.Errorf("cancelled: %+v", h.exit)
	}
}

// A command with a network of its own reaches the simulator and is reached at
// its ports, and sees no other address of the machine.
func TestNetworkIsLoopbackOnly(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("the simulator")) }))
	defer srv.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	port, _ := strconv.Atoi(srv.URL[strings.LastIndexByte(srv.URL, ':')+1:])
	r := open(t, exec.Options{Fence: proc.Auto, Reach: func() []int { return []int{port} }})
	if r.Unfenced() != "" || !r.Alone() {
		t.Skip("no fence with a network of its own here: " + r.Unfenced())
	}
	const program = `
import http.server, os, sys, urllib.request
print(urllib.request.urlopen(sys.argv[1]).read().decode())
try: print("reached", urllib.request.urlopen(sys.argv[2], timeout=5).status)
except Exception as e: print("cut off")
print(len(open("/proc/net/dev").read().splitlines()) - 2, "interface", flush=True)
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"the command")
    def log_message(self, *a): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), H).serve_forever()`
	p, h := start(t, r, exec.Spec{Ports: []int{8000}, Command: []string{"python3", "-c", program, srv.URL, other.URL}})
	h.until(t, "interface")
	if h.text() != "the simulator\ncut off\n1 interface" {
		t.Errorf("got %q", h.text())
	}
	local, _ := p.Port(8000)
	var text []byte
	for end := time.Now().Add(20 * time.Second); text == nil && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if res, err := http.Get("http://127.0.0.1:" + strconv.Itoa(local)); err == nil {
			text, _ = io.ReadAll(res.Body)
			_ = res.Body.Close()
		}
	}
	if string(text) != "the command" {
		t.Errorf("asked the command: %q", text)
	}
	p.Cancel()
	wait(t, p)
	if h := run(t, r, exec.Spec{Command: []string{"sh", "-c", "exit 7"}}); h.exit.Code != 7 {
		t.Errorf("exit %+v", h.exit)
	}
	if h := run(t, r, exec.Spec{Command: []string{"no-such-program"}}); h.exit.Code != 127 {
		t.Errorf("exit %+v, %q", h.exit, h.text())
	}
}
