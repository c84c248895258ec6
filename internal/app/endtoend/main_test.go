//go:build linux

package endtoend_test

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
)

// binary is the program under test, built once for all tests.
var binary string

var (
	seedFlag = flag.Uint64("seed", 0, "seed of the random choices; 0 takes one from the clock")
	keepFlag = flag.String("keep", "", "folder for the files of runs, which then stay")
)

func TestMain(m *testing.M) {
	if path := os.Getenv(peakFile); path != "" {
		os.Exit(measure(path))
	}
	flag.Parse()
	// They wait for programs more than they reckon.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("8")
	}
	os.Exit(build(m))
}

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "endtoend-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "ml-intern")
	cmd := exec.Command("go", "build", "-o", binary, "github.com/ml-intern/ml-intern/cmd/ml-intern")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// chance returns the test's source of random choices and tells its seed.
func chance(t *testing.T) (uint64, *rand.Rand) {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d (repeat with -seed %d)", seed, seed)
	return seed, rand.New(rand.NewPCG(seed, 1))
}

// site is a folder with a project and a home of the program beside it.
type site struct {
	dir  string // the working directory
	home string // ML_INTERN_HOME
	env  []string
	// program runs instead of the program, if not empty.
	program string
}

// newSite makes an empty site below root. The environment holds nothing of the
// one that the test runs in but the path.
func newSite(root string, env ...string) (*site, error) {
	s := &site{dir: filepath.Join(root, "work"), home: filepath.Join(root, "home")}
	for _, dir := range []string{s.dir, s.home} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	s.env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.home, "ML_INTERN_HOME=" + s.home, "DO_NOT_TRACK=1", "TMPDIR=" + root,
	}, env...)
	return s, nil
}

// root is where the files of a test lie.
func root(t *testing.T) string {
	t.Helper()
	if *keepFlag == "" {
		return t.TempDir()
	}
	dir := filepath.Join(*keepFlag, strings.ReplaceAll(t.Name(), "/", "_"))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func mustSite(t *testing.T, env ...string) *site {
	t.Helper()
	s, err := newSite(root(t), env...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// configure writes the user's settings.
func (s *site) configure(t *testing.T, json string) {
	t.Helper()
	dir := filepath.Join(s.home, "config")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cli_agent_config.json"), []byte(json), 0o600); err != nil {
		t.Fatal(err)
	}
}

// command is the program in the site; its streams are the caller's.
func (s *site) command(args ...string) *exec.Cmd {
	cmd := exec.Command(cmp.Or(s.program, binary), args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	return cmd
}

// ended is how a run of the program ended.
type ended struct {
	code           int // -1 when a signal ended it
	stdout, stderr string
	took           time.Duration
	peak           int64 // largest resident size, bytes; only of mustMeasure
}

func (e ended) String() string {
	return fmt.Sprintf("exit %d\nstdout: %s\nstderr: %s", e.code, tail(e.stdout, 4000), tail(e.stderr, 4000))
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}

// runLimit is how long a run may take before the test gives it up.
const runLimit = 60 * time.Second

// run runs the program to its end, or kills it after the given time.
func (s *site) run(killAfter time.Duration, args ...string) (ended, error) {
	cmd := s.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	// A child that outlives a killed parent must not hold us up.
	cmd.WaitDelay = 5 * time.Second
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return ended{}, err
	}
	limit := runLimit
	if killAfter > 0 {
		limit = killAfter
	}
	timer := time.AfterFunc(limit, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	late := !timer.Stop() && killAfter == 0
	e := ended{code: cmd.ProcessState.ExitCode(), stdout: out.String(), stderr: errs.String(), took: time.Since(begun)}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		return e, err
	}
	if late {
		return e, fmt.Errorf("the program did not end within %s: %v", runLimit, e)
	}
	return e, nil
}

func (s *site) mustRun(t *testing.T, args ...string) ended {
	t.Helper()
	e, err := s.run(0, args...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// peakFile names the variable that makes the test binary the measuring process.
const peakFile = "ENDTOEND_PEAK_FILE"

// measure runs the program and writes its largest resident size to path. A
// process counts its parent's size at birth as its own, so the parent has to
// be a small one: not the test, which may have grown.
func measure(path string) int {
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, peakFile+"=") })
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err := cmd.Run()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		if err := os.WriteFile(path, fmt.Append(nil, usage.Maxrss*1024), 0o600); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	if cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return cmd.ProcessState.ExitCode()
}

// mustMeasure is mustRun with the memory the program took.
func (s *site) mustMeasure(t *testing.T, args ...string) ended {
	t.Helper()
	path := filepath.Join(t.TempDir(), "peak")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	measured := *s
	measured.program, measured.env = self, append(slices.Clone(s.env), peakFile+"="+path)
	e := measured.mustRun(t, append([]string{binary}, args...)...)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v\n%v", err, e)
	}
	if _, err := fmt.Sscan(string(raw), &e.peak); err != nil {
		t.Fatal(err)
	}
	return e
}

// settle waits until no process works in the site any more: the commands of a
// killed program go on for a moment, and what they do counts as done before.
func (s *site) settle() error {
	for begun := time.Now(); time.Since(begun) < 10*time.Second; time.Sleep(2 * time.Millisecond) {
		if busy, err := s.busy(); err != nil || !busy {
			return err
		}
	}
	return errors.New("processes of the killed program still run after 10 s")
}

// busy reports whether a process has its working directory in the site. A
// child has it from its first moment on, for the program itself runs there.
func (s *site) busy() (bool, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return false, err
	}
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err != nil {
			continue
		}
		if cwd, err := os.Readlink("/proc/" + entry.Name() + "/cwd"); err == nil && strings.HasPrefix(cwd, s.dir) {
			return true, nil
		}
	}
	return false, nil
}

// journals are the paths of the site's journals.
func (s *site) journals() []string {
	paths, _ := filepath.Glob(filepath.Join(s.home, "state", "sessions", "*", "journal.jsonl"))
	return paths
}

// journal reads the site's only journal; nil when there is none. One that a
// kill left before anything was accepted does not count.
func (s *site) journal() ([]byte, error) {
	var found []byte
	for _, path := range s.journals() {
		raw, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if !bytes.Contains(whole(raw), []byte(`"event_type":"input_accepted"`)) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("the site has more than one journal: %v", s.journals())
		}
		found = raw
	}
	return found, nil
}

func (s *site) mustJournal(t *testing.T) ([]byte, []event.Event) {
	t.Helper()
	raw, err := s.journal()
	if err != nil {
		t.Fatal(err)
	}
	events, err := parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return raw, events
}

// whole is raw without a torn last line.
func whole(raw []byte) []byte { return raw[:bytes.LastIndexByte(raw, '\n')+1] }

// parse reads the events of a journal and checks that their numbers have no gap.
func parse(raw []byte) ([]event.Event, error) {
	var events []event.Event
	for line := range bytes.Lines(whole(raw)) {
		var ev event.Event
		if err := ev.UnmarshalJSON(bytes.TrimSpace(line)); err != nil {
			return nil, fmt.Errorf("line %d: %w: %.200s", len(events)+1, err, line)
		}
		if ev.Seq != int64(len(events))+1 {
			return nil, fmt.Errorf("line %d has seq %d", len(events)+1, ev.Seq)
		}
		events = append(events, ev)
	}
	return events, nil
}

// state folds the events of a journal.
func state(raw []byte) (*history.State, []event.Event, error) {
	events, err := parse(raw)
	if err != nil {
		return nil, nil, err
	}
	st, err := history.Load(events)
	return st, events, err
}

// decoded are the payloads of one type, in order.
func decoded[P event.Payload](events []event.Event) []P {
	var zero P
	var out []P
	for _, ev := range events {
		if ev.Type != zero.Type() {
			continue
		}
		if p, err := event.Decode[P](ev); err == nil {
			out = append(out, p)
		}
	}
	return out
}
