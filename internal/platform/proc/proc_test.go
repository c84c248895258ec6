//go:build unix

package proc_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

func TestMain(m *testing.M) {
	if handled, code := proc.SandboxMain(os.Args); handled {
		os.Exit(code)
	}
	if beConcealed() {
		return
	}
	goleak.VerifyTestMain(m)
}

// output is a buffer for two goroutines.
type output struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) Close() error { return nil }

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func start(t *testing.T, script string, box *proc.Sandbox) (*proc.Process, *output) {
	t.Helper()
	out := new(output)
	p, err := proc.Start(proc.Command{
		Path: "/bin/sh", Args: []string{"-c", script}, Dir: t.TempDir(), Env: os.Environ(), Output: out, Sandbox: box,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		<-p.Stop()
		p.Wait()
	})
	return p, out
}

// within waits for ch, at most for d.
func within(t *testing.T, what string, ch <-chan struct{}, d time.Duration) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(d):
		t.Fatalf("%s takes longer than %v", what, d)
	}
}

// run runs a script to its end.
func run(t *testing.T, script string, box *proc.Sandbox) (string, proc.Exit) {
	t.Helper()
	p, out := start(t, script, box)
	within(t, script, p.Settled(), 20*time.Second)
	return out.String(), p.Exit()
}

func TestOutputAndExit(t *testing.T) {
	for script, want := range map[string]struct {
		out  string
		exit proc.Exit
	}{
		"echo a; echo b >&2; echo c; exit 3": {"a\nb\nc\n", proc.Exit{Code: 3}},
		"true":                               {"", proc.Exit{}},
		"kill -9 $$":                         {"", proc.Exit{Code: -1, Signal: "SIGKILL"}},
		"cat; echo end of input":             {"end of input\n", proc.Exit{}},
		"(: </dev/tty) 2>/dev/null || echo no tty": {"no tty\n", proc.Exit{}},
	} {
		if out, exit := run(t, script, nil); out != want.out || exit != want.exit {
			t.Errorf("%s: %q %+v, want %q %+v", script, out, exit, want.out, want.exit)
		}
	}
}

// A command that crashes leaves no image of its memory, also where this program
// would.
func TestNoCores(t *testing.T) {
	var own syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &own); err != nil {
		t.Fatal(err)
	}
	wide := own
	if wide.Cur = wide.Max; wide.Cur == 0 {
		t.Skip("this process may not allow cores either")
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &wide); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &own); err != nil {
			t.Error(err)
		}
	}()
	if out, exit := run(t, "ulimit -c", nil); out != "0\n" || exit != (proc.Exit{}) {
		t.Errorf("%q %+v", out, exit)
	}
}

func TestOpenFilesAreLimited(t *testing.T) {
	out, _ := run(t, "ulimit -n", nil)
	if n, err := strconv.Atoi(strings.TrimSpace(out)); err != nil || n < 64 || n > 65536 {
		t.Errorf("a command may open %s files", out)
	}
}

func TestStartErrors(t *testing.T) {
	for name, c := range map[string]proc.Command{
		"no output":     {Path: "/bin/sh", Dir: "/"},
		"relative path": {Path: "sh", Dir: "/", Output: new(output)},
		"no directory":  {Path: "/bin/sh", Dir: "/nowhere/at/all", Output: new(output)},
	} {
		if _, err := proc.Start(c); err == nil {
			t.Errorf("%s: started", name)
		}
	}
}

func TestOwnSessionAndDirectory(t *testing.T) {
	p, out := start(t, "ps -o pid=,pgid=,sess= -p $$; echo $$; pwd; echo $PWD", nil)
	within(t, "ps", p.Settled(), 10*time.Second)
	f := strings.Fields(out.String())
	pid := strconv.Itoa(p.Group().ID)
	if len(f) != 6 || f[0] != pid || f[1] != pid || f[3] != pid || runtime.GOOS == "linux" && f[2] != pid {
		t.Errorf("pid, group, session, $$: %q, want all %s", f, pid)
	}
	if len(f) == 6 && f[4] != f[5] {
		t.Errorf("directory %s, PWD %s", f[4], f[5])
	}
}

func TestNoInheritedDescriptors(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc/self/fd")
	}
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil { // not marked close-on-exec
		t.Fatal(err)
	}
	defer syscall.Close(fds[0])
	defer syscall.Close(fds[1])
	out, _ := run(t, "ls /proc/$$/fd; :", nil)
	if got := strings.Fields(out); !slices.Equal(got, []string{"0", "1", "2"}) {
		t.Errorf("descriptors of the child: %v", got)
	}
}

func TestOutputArrivesWhileRunning(t *testing.T) {
	p, out := start(t, "echo first; read x < fifo 2>/dev/null; sleep 60", nil)
	for began := time.Now(); out.String() == ""; time.Sleep(time.Millisecond) {
		if time.Since(began) > 5*time.Second {
			t.Fatal("nothing arrives")
		}
	}
	select {
	case <-p.Exited():
		t.Fatal("the program has ended")
	default:
	}
}

func TestBackgroundChildKeepsPipe(t *testing.T) {
	t.Parallel()
	p, out := start(t, "echo hi; sleep 300 &", nil)
	began := time.Now()
	within(t, "settling", p.Settled(), 3*time.Second)
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("settled after %v, before the pipe could be called silent", took)
	}
	if out.String() != "hi\n" || !p.Exit().OK() {
		t.Errorf("output %q, exit %+v", out, p.Exit())
	}
	if !p.Alive() || !p.Group().Alive() {
		t.Error("the child is not seen")
	}
	within(t, "stopping", p.Stop(), 2*time.Second)
	if p.Alive() {
		t.Error("the child lives on")
	}
	p.Wait()
}

func TestChattyBackgroundChild(t *testing.T) {
	t.Parallel()
	p, _ := start(t, "while :; do echo x; sleep 0.1; done &", nil)
	within(t, "settling", p.Settled(), 7*time.Second)
}

func TestSilentBackgroundChild(t *testing.T) {
	t.Parallel()
	p, _ := start(t, "sleep 300 >/dev/null 2>&1 &", nil)
	within(t, "settling", p.Settled(), 3*time.Second)
	if !p.Alive() {
		t.Error("the child is not seen")
	}
}

func TestStopEndsTheWholeGroup(t *testing.T) {
	for name, script := range map[string]string{
		"children":         "sleep 300 & sleep 300",
		"pipeline":         "sleep 300 | cat",
		"deaf to TERM":     "trap '' TERM; sleep 300 & while :; do sleep 300; done",
		"own groups":       "set -m; sleep 300 & sleep 300",
		"pipe taken along": "setsid sleep 3 & sleep 300",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "own groups" && runtime.GOOS != "linux" {
				t.Skip("groups of a shell with job control are only found on Linux")
			}
			p, _ := start(t, script+"\n", nil)
			members(t, p.Group(), 2)
			within(t, "stopping", p.Stop(), proc.Grace+time.Second)
			p.Wait()
			if p.Alive() {
				t.Error("the group lives")
			}
			members(t, p.Group(), 0)
		})
	}
}

// members waits until at least n processes are in the session of g; 0 means none.
func members(t *testing.T, g proc.Group, n int) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return
	}
	var found []string
	for range 500 {
		found = nil
		stats, _ := filepath.Glob("/proc/[0-9]*/stat")
		for _, name := range stats {
			data, _ := os.ReadFile(name)
			_, rest, _ := strings.Cut(string(data), ") ")
			if f := strings.Fields(rest); len(f) > 3 && f[3] == strconv.Itoa(g.ID) && f[0] != "Z" {
				found = append(found, string(data))
			}
		}
		if n > 0 && len(found) >= n || n == 0 && len(found) == 0 {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Fatalf("%d processes in %v, want %d: %v", len(found), g, n, found)
}

func TestGroup(t *testing.T) {
	p, _ := start(t, "sleep 300", nil)
	text := p.Group().String()
	g, err := proc.ParseGroup(text)
	if err != nil || g != p.Group() {
		t.Fatalf("%s read back as %v: %v", text, g, err)
	}
	if !g.Alive() {
		t.Errorf("%v is not found", g)
	}
	if runtime.GOOS == "linux" || runtime.GOOS == "darwin" {
		other := proc.Group{ID: g.ID, Start: "1" + g.Start}
		other.Kill()
		if other.Alive() || !g.Alive() {
			t.Errorf("a group with another start is taken for %v", g)
		}
	}
	g.Kill()
	within(t, "killing", p.Settled(), 3*time.Second)
	if g.Alive() {
		t.Errorf("%v lives", g)
	}
	for _, bad := range []string{"", "pgid:", "pgid:x@1", "pgid:0", "pgid:1@5", "pgid:-4", "job:a/b"} {
		if _, err := proc.ParseGroup(bad); err == nil {
			t.Errorf("%q was read as a group", bad)
		}
	}
}

func TestFileInsteadOfPipe(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := proc.Start(proc.Command{Path: "/bin/sh", Args: []string{"-c", "echo out; echo err >&2"}, Dir: "/", Env: os.Environ(), File: file})
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	within(t, "the program", p.Settled(), 5*time.Second)
	p.Wait()
	if got, _ := os.ReadFile(file.Name()); string(got) != "out\nerr\n" {
		t.Errorf("file: %q", got)
	}
}

func BenchmarkEcho(b *testing.B) {
	dir, env := b.TempDir(), []string{"PATH=" + os.Getenv("PATH")}
	for b.Loop() {
		p, err := proc.Start(proc.Command{Path: "/bin/sh", Args: []string{"-c", "echo x"}, Dir: dir, Env: env, Output: new(output)})
		if err != nil {
			b.Fatal(err)
		}
		<-p.Settled()
		if p.Alive() {
			b.Fatal("alive")
		}
	}
}

func ExampleGroup_String() {
	fmt.Println(proc.Group{ID: 1234, Start: "567890-0a1b2c3d"})
	// Output: pgid:1234@567890-0a1b2c3d
}

// fed runs a script that has something to read.
func fed(t *testing.T, script string, input []byte) (string, proc.Exit) {
	t.Helper()
	out := new(output)
	p, err := proc.Start(proc.Command{Path: "/bin/sh", Args: []string{"-c", script}, Dir: t.TempDir(), Env: os.Environ(), Input: input, Output: out})
	if err != nil {
		t.Fatal(err)
	}
	within(t, script, p.Exited(), 10*time.Second)
	<-p.Stop()
	p.Wait()
	return out.String(), p.Exit()
}

func TestInputIsRead(t *testing.T) {
	large := []byte(strings.Repeat("0123456789", 100_000))
	if got, exit := fed(t, "cat | wc -c", large); strings.TrimSpace(got) != "1000000" || !exit.OK() {
		t.Errorf("read %q, exit %+v", got, exit)
	}
	if got, exit := fed(t, "echo no", large); got != "no\n" || !exit.OK() {
		t.Errorf("unread: %q, exit %+v", got, exit)
	}
	// A child left behind may hold the pipe without reading.
	if got, exit := fed(t, "sleep 60 <&0 >/dev/null 2>&1 & echo left; exit 3", large); got != "left\n" || exit.Code != 3 {
		t.Errorf("left: %q, exit %+v", got, exit)
	}
}

// Standard error can be had apart.
func TestErrorsApart(t *testing.T) {
	out, errs := new(output), new(output)
	command := proc.Command{
		Path: "/bin/sh", Args: []string{"-c", "echo good; echo bad >&2; cat"}, Dir: t.TempDir(), Env: os.Environ(), Input: []byte("read\n"), Output: out, Errors: errs,
	}
	p, err := proc.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	within(t, "the end", p.Settled(), 10*time.Second)
	p.Wait()
	if out.String() != "good\nread\n" || errs.String() != "bad\n" {
		t.Errorf("out %q, errors %q", out.String(), errs.String())
	}
	// Whoever holds one of the pipes is ended with the group, whichever it is.
	for _, script := range []string{"sleep 60 2>/dev/null & echo x", "sleep 60 >/dev/null & echo x"} {
		command.Args = []string{"-c", script}
		if p, err = proc.Start(command); err != nil {
			t.Fatal(err)
		}
		within(t, script, p.Settled(), 10*time.Second)
		select {
		case <-p.Drained():
			t.Errorf("%s: nobody holds a pipe", script)
		default:
		}
		<-p.Stop()
		p.Wait()
	}
	command.Path = "/nowhere/at/all"
	command.Dir = "/nowhere"
	if _, err := proc.Start(command); err == nil {
		t.Error("a program in no folder was started")
	}
	if _, err := proc.Start(proc.Command{Path: "/bin/sh", Dir: "/", File: os.Stderr, Errors: errs}); err == nil {
		t.Error("errors apart from a file were taken")
	}
}
