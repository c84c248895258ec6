//go:build linux

package detach_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ml-intern/ml-intern/internal/adapter/store"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command"
	"github.com/ml-intern/ml-intern/internal/app/detach"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
)

// asProgram makes the test binary the program, asClient a terminal that follows
// a session and writes down the numbers it sees.
const (
	asProgram = "DETACH_TEST_AS_PROGRAM"
	asClient  = "DETACH_TEST_AS_CLIENT"
)

func TestMain(m *testing.M) {
	if handled, code := command.Child(os.Args); handled {
		os.Exit(code)
	}
	switch {
	case os.Getenv(asClient) != "":
		os.Exit(client(os.Getenv(asClient)))
	case os.Getenv(asProgram) != "":
		os.Exit(command.Main(context.Background(), command.System()))
	}
	goleak.VerifyTestMain(m)
}

// client attaches as a terminal does, prints the number of each event, and
// waits to be killed.
func client(socket string) int {
	c, err := attach.Dial(context.Background(), socket, app.Version())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for ev, err := range c.Follow(context.Background(), 0) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println(ev.Seq)
	}
	return 0
}

// site is a project with a scripted model and a home of the program.
type site struct {
	t         *testing.T
	dir, home string
	env       []string
	registry  *detach.Registry
}

// say is an answer of the model, call one that runs a command.
func say(text string) map[string]any { return map[string]any{"role": "assistant", "content": text} }

func call(id, command string) map[string]any {
	args, _ := json.Marshal(map[string]string{"command": command, "description": "test"})
	return map[string]any{"role": "assistant", "content": "", "tool_calls": []any{
		map[string]any{"id": id, "type": "function", "function": map[string]string{"name": "bash", "arguments": string(args)}},
	}}
}

func newSite(t *testing.T, script ...map[string]any) *site {
	t.Helper()
	root, err := os.MkdirTemp("", "dt") // short: there is a socket in it
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, dir: filepath.Join(root, "work"), home: filepath.Join(root, "home")}
	t.Cleanup(func() {
		s.nothingRuns()
		_ = os.RemoveAll(root)
	})
	for _, dir := range []string{s.dir, s.home} {
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
	s.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.home, "ML_INTERN_HOME=" + s.home, "DO_NOT_TRACK=1", "HF_ENDPOINT=http://127.0.0.1:1",
		"TMPDIR=" + root, asProgram + "=1", "ML_INTERN_MODEL=" + "replay/" + filepath.Join(root, "script.json"),
	}
	s.registry = s.list()
	return s
}

func (s *site) list() *detach.Registry {
	return detach.Open(s.state(), func(string) (string, bool) { return "", false })
}

func (s *site) state() string { return filepath.Join(s.home, "state") }

// write puts a file into the project; go files let commands of the script end.
func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// start starts a host; what of it is still there at the end is ended.
func (s *site) start(change func(*detach.Request)) detach.Started {
	s.t.Helper()
	r := detach.Request{
		Settings: map[string][]string{"model_name": {"replay/" + filepath.Join(filepath.Dir(s.dir), "script.json")}},
		Input:    &event.UserInput{Text: "work with hf_" + strings.Repeat("aB3", 12)}, Idle: time.Minute,
	}
	r.Session.Prompt = true
	if change != nil {
		change(&r)
	}
	started, err := s.try(r)
	if err != nil {
		s.t.Fatal(err)
	}
	return started
}

func (s *site) try(r detach.Request) (detach.Started, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	return detach.Start(ctx, detach.Command{Environ: s.env, Dir: s.dir, Log: s.log()}, r)
}

func (s *site) log() string { return filepath.Join(s.state(), "debug.log") }

// nothingRuns ends what is left of the site, and complains about it where a
// test has not failed yet.
func (s *site) nothingRuns() {
	entries, err := s.registry.List()
	if err != nil {
		s.t.Error(err)
	}
	for _, e := range entries {
		if err := s.registry.Kill(context.Background(), e); err != nil {
			s.t.Error(err)
		}
	}
	left, _ := filepath.Glob(filepath.Join(s.state(), "run", "*"))
	if len(left) > 0 {
		s.t.Errorf("left behind: %v", left)
	}
	if s.t.Failed() {
		raw, _ := os.ReadFile(s.log())
		s.t.Logf("debug.log:\n%s", raw)
	}
}

func (s *site) dial(started detach.Started) *attach.Client {
	s.t.Helper()
	c, err := attach.Dial(s.t.Context(), started.Socket, app.Version())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Detach() })
	return c
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

func alive(started detach.Started) bool { return proc.Group{ID: started.PID}.Leads() }

// ended waits for the end of a host.
func (s *site) ended(started detach.Started) {
	s.t.Helper()
	// We are its parent here, as a terminal is: it is reaped, or stays a zombie.
	eventually(s.t, "the host's end", func() bool { return !alive(started) })
	var status syscall.WaitStatus
	_, _ = syscall.Wait4(started.PID, &status, 0, nil)
}

// follow reads events to the first of a type.
func follow(t *testing.T, c attach.Session, after int64, want event.Type) []event.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var seen []event.Event
	for ev, err := range c.Follow(ctx, after) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, ev)
		if ev.Type == want {
			return seen
		}
	}
	t.Fatalf("no %s among %d events", want, len(seen))
	return nil
}

func (s *site) journal(id string) []event.Event {
	s.t.Helper()
	st, err := store.New(store.Options{Root: filepath.Join(s.state(), "sessions")})
	if err != nil {
		s.t.Fatal(err)
	}
	events, err := st.Read(s.t.Context(), id, 0, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	return events
}

const waitForGo = "while [ ! -e go ]; do sleep 0.01; done; echo gone on"

// A terminal that is killed in the middle of a turn takes nothing with it: the
// work goes on, and the next one sees every event exactly once.
func TestKilledTerminal(t *testing.T) {
	s := newSite(t, call("c1", waitForGo), say("finished"))
	started := s.start(nil)
	if len(started.SessionID) != 36 || started.PID == os.Getpid() || !alive(started) {
		t.Fatalf("%+v", started)
	}
	first := exec.Command(os.Args[0])
	first.Env = append(slices.Clone(s.env), asClient+"="+started.Socket)
	var seen bytes.Buffer
	var mu sync.Mutex
	first.Stdout = writer(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return seen.Write(p)
	})
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	watcher := s.dial(started)
	follow(t, watcher, 0, event.TypeToolStarted)
	eventually(t, "the terminal follows", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Count(seen.String(), "\n") > 5
	})
	_ = first.Process.Kill()
	_ = first.Wait()
	s.write("go", "")

	second := s.dial(started)
	events := follow(t, second, 0, event.TypeTurnComplete)
	for i, ev := range events {
		if ev.Seq != int64(i)+1 {
			t.Fatalf("event %d has the number %d", i+1, ev.Seq)
		}
	}
	for i, line := range strings.Fields(seen.String()) {
		if n, err := strconv.Atoi(line); err != nil || n != i+1 {
			t.Fatalf("the first terminal saw %q as its event %d", line, i+1)
		}
	}
	if err := second.Quit(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.ended(started)
	on := s.journal(started.SessionID)
	if len(on) < len(events) || on[len(on)-1].Type != event.TypeShutdown {
		t.Errorf("%d events on disk, the last %+v", len(on), on[len(on)-1])
	}
	for i := range events {
		if !bytes.Equal(on[i].AppendJSON(nil, false), events[i].AppendJSON(nil, false)) {
			t.Errorf("event %d differs from the journal's", i+1)
		}
	}
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// The host is out of reach of terminals: a session of its own, no terminal, no
// output, deaf to hang-ups; its list entry and socket are this user's alone and
// hold no secret.
func TestHostIsAlone(t *testing.T) {
	s := newSite(t, call("c1", waitForGo), say("finished"))
	started := s.start(nil)
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", started.PID))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if id := strconv.Itoa(started.PID); fields[2] != id || fields[3] != id || fields[4] != "0" {
		t.Errorf("group %s, session %s, terminal %s of process %s", fields[2], fields[3], fields[4], id)
	}
	for fd, want := range map[int]string{0: os.DevNull, 1: os.DevNull, 2: s.log()} {
		eventually(t, fmt.Sprintf("descriptor %d is %s", fd, want), func() bool {
			to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", started.PID, fd))
			return err == nil && to == want
		})
	}
	if cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", started.PID)); bytes.Contains(cmdline, []byte("work with")) {
		t.Errorf("the command line is %q", cmdline)
	}
	path := filepath.Join(s.state(), "run", started.SessionID+".json")
	for p, want := range map[string]os.FileMode{filepath.Dir(path): 0o700, path: 0o600, started.Socket: 0o600} {
		info, err := os.Lstat(p)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", p, info.Mode().Perm(), want)
		}
	}
	e, err := s.registry.Find(started.SessionID[:6])
	if err != nil {
		t.Fatal(err)
	}
	if e.PID != started.PID || e.Socket != started.Socket || e.Cwd != s.dir || e.Prompt != "work with [REDACTED_HF_TOKEN]" || time.Since(e.Started) > time.Minute {
		t.Errorf("%+v", e)
	}
	p, err := os.FindProcess(started.PID)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := p.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	s.write("go", "")
	follow(t, s.dial(started), 0, event.TypeTurnComplete)
	if err := s.registry.Stop(t.Context(), e, app.Version()); err != nil {
		t.Fatal(err)
	}
	s.ended(started)
}

// SIGTERM interrupts, saves and ends with 143.
func TestTerminated(t *testing.T) {
	s := newSite(t, call("c1", "sleep 60"), say("finished"))
	started := s.start(nil)
	follow(t, s.dial(started), 0, event.TypeToolStarted)
	if err := syscall.Kill(started.PID, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(started.PID, &status, 0, nil); err != nil || status.ExitStatus() != 143 {
		t.Errorf("%v, exit %d", err, status.ExitStatus())
	}
	types := map[event.Type]bool{}
	for _, ev := range s.journal(started.SessionID) {
		types[ev.Type] = true
	}
	if !types[event.TypeInterrupted] || !types[event.TypeShutdown] {
		t.Errorf("the journal has %v", types)
	}
}

// Two terminals at one session: both see everything, either may speak, and one
// that detaches ends nothing.
func TestTwoTerminals(t *testing.T) {
	s := newSite(t, say("one"), say("two"), say("three"))
	started := s.start(nil)
	a, b := s.dial(started), s.dial(started)
	one := follow(t, a, 0, event.TypeTurnComplete)
	for i, c := range []*attach.Client{a, b} {
		if err := c.Submit(t.Context(), event.Submission{Operation: event.UserInput{Text: fmt.Sprintf("text %d", i)}}); err != nil {
			t.Fatal(err)
		}
		last := one[len(one)-1].Seq
		one = append(one, follow(t, a, last, event.TypeTurnComplete)...)
	}
	other := []event.Event{}
	for len(other) < len(one) {
		after := int64(len(other))
		other = append(other, follow(t, b, after, event.TypeTurnComplete)...)
	}
	for i := range one {
		if one[i].Seq != int64(i)+1 || one[i].Seq != other[i].Seq || one[i].Type != other[i].Type {
			t.Fatalf("event %d: %+v and %+v", i+1, one[i], other[i])
		}
	}
	if err := a.Detach(); err != nil {
		t.Fatal(err)
	}
	if err := b.Submit(t.Context(), event.Submission{Operation: event.ExecApproval{Approvals: []event.Approval{{ToolCallID: "x", Approved: true}}}}); err != nil {
		t.Fatal(err)
	}
	follow(t, b, one[len(one)-1].Seq, event.TypeError) // nothing waits for an answer
	if err := b.Quit(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.ended(started)
}

// A session with nothing to do and nobody there ends by itself; not while
// somebody is there, a turn runs, an approval waits or a command was left
// running.
func TestIdle(t *testing.T) {
	short := func(r *detach.Request) { r.Idle = 100 * time.Millisecond }
	stays := func(t *testing.T, started detach.Started) {
		t.Helper()
		for begun := time.Now(); time.Since(begun) < 500*time.Millisecond; time.Sleep(10 * time.Millisecond) {
			if !alive(started) {
				t.Fatal("the session has ended")
			}
		}
	}
	t.Run("nobody", func(t *testing.T) {
		s := newSite(t, say("one"))
		s.ended(s.start(short))
	})
	t.Run("a terminal", func(t *testing.T) {
		s := newSite(t, call("c1", waitForGo), say("one"))
		started := s.start(short)
		c := s.dial(started) // while a turn runs: a busy machine may be late
		s.write("go", "")
		follow(t, c, 0, event.TypeTurnComplete)
		stays(t, started)
		if err := c.Detach(); err != nil {
			t.Fatal(err)
		}
		s.ended(started)
	})
	t.Run("a turn", func(t *testing.T) {
		s := newSite(t, call("c1", waitForGo), say("one"))
		started := s.start(short)
		stays(t, started)
		s.write("go", "")
		s.ended(started)
	})
	t.Run("an approval", func(t *testing.T) {
		s := newSite(t, call("c1", "rm -rf /tmp/nothing-of-this-name"), say("one"))
		started := s.start(short)
		stays(t, started)
		c := s.dial(started)
		follow(t, c, 0, event.TypeApprovalRequired)
		if info := c.Info(); info.State != attach.Waiting {
			t.Errorf("%+v", info)
		}
		if err := c.Quit(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.ended(started)
	})
	t.Run("a command in the background", func(t *testing.T) {
		background, _ := json.Marshal(map[string]any{"command": waitForGo, "description": "test", "run_in_background": true})
		s := newSite(t, map[string]any{"role": "assistant", "content": "", "tool_calls": []any{
			map[string]any{"id": "c1", "type": "function", "function": map[string]string{"name": "bash", "arguments": string(background)}},
		}}, say("one"))
		started := s.start(short)
		stays(t, started)
		s.write("go", "")
		s.ended(started)
	})
}

// A terminal that goes without a word ends the session where the user wants
// that, but none that was begun in the background.
func TestHangUp(t *testing.T) {
	for name, tt := range map[string]struct {
		detaches, unattended, goesOn bool
	}{
		"goes on": {true, false, true}, "ends": {false, false, false}, "begun in the background": {false, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, call("c1", waitForGo), say("one"))
			started := s.start(func(r *detach.Request) {
				r.Unattended = tt.unattended
				r.Settings["detach_on_hangup"] = []string{strconv.FormatBool(tt.detaches)}
			})
			watcher, err := attach.Watch(t.Context(), started.Socket, app.Version())
			if err != nil {
				t.Fatal(err)
			}
			defer watcher.Close()
			c := s.dial(started)
			follow(t, c, 0, event.TypeToolStarted)
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if !tt.goesOn {
				follow(t, watcher, 0, event.TypeInterrupted)
				s.ended(started)
				return
			}
			s.write("go", "")
			follow(t, watcher, 0, event.TypeTurnComplete)
			if err := watcher.Quit(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.ended(started)
		})
	}
}

// A time limit ends the session with 124.
func TestTimeout(t *testing.T) {
	s := newSite(t, call("c1", "sleep 60"), say("one"))
	started := s.start(func(r *detach.Request) { r.Timeout = 300 * time.Millisecond })
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(started.PID, &status, 0, nil); err != nil || status.ExitStatus() != 124 {
		t.Errorf("%v, exit %d", err, status.ExitStatus())
	}
}

// What was killed leaves traces, which are removed and stand in nobody's way.
func TestStaleEntries(t *testing.T) {
	s := newSite(t, call("c1", "sleep 60"), say("one"), say("two"))
	started := s.start(nil)
	follow(t, s.dial(started), 0, event.TypeToolStarted)
	e, err := s.registry.Find(started.SessionID)
	if err != nil {
		t.Fatal(err)
	}
	_ = syscall.Kill(started.PID, syscall.SIGKILL)
	s.ended(started)
	dir := filepath.Join(s.state(), "run")
	// One whose process number belongs to somebody else by now, one that is
	// nonsense, and one that names a file which is no socket.
	other, _ := json.Marshal(detach.Entry{PID: os.Getpid(), Start: "1-00000000", SessionID: "other", Socket: filepath.Join(dir, "00000000.sock")})
	victim := filepath.Join(s.dir, "victim.sock")
	s.write("victim.sock", "keep me")
	foreign, _ := json.Marshal(detach.Entry{PID: 1 << 30, SessionID: "foreign", Socket: victim})
	for name, raw := range map[string][]byte{"other": other, "nonsense": []byte("{"), "foreign": foreign} {
		if err := os.WriteFile(filepath.Join(dir, name+".json"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := s.registry.List(); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := os.Stat(victim); err != nil {
		t.Error("a file that is no socket was removed")
	}
	if _, err := s.registry.Find(started.SessionID); err == nil {
		t.Error("a session that was killed is found")
	}
	if _, err := e.Look(t.Context(), app.Version()); err == nil {
		t.Error("a session that was killed answers")
	}
	// The session goes on in another host, in its own journal.
	again := s.start(func(r *detach.Request) {
		r.Session = app.SessionRequest{Resume: started.SessionID}
		r.Input = nil
	})
	if again.SessionID != started.SessionID {
		t.Errorf("%+v", again)
	}
	c := s.dial(again)
	follow(t, c, c.Info().After, event.TypeTurnComplete)
	if err := c.Quit(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.ended(again)
}

// Ending and killing, by what a person typed.
func TestFindStopKill(t *testing.T) {
	s := newSite(t, call("c1", "sleep 60"), say("one"))
	a, b := s.start(nil), s.start(nil)
	for _, started := range []detach.Started{a, b} {
		follow(t, s.dial(started), 0, event.TypeToolStarted)
	}
	all, err := s.registry.List()
	if err != nil || len(all) != 2 || all[0].SessionID != b.SessionID {
		t.Fatalf("%v, %v", all, err)
	}
	var missing *detach.NotFoundError
	for _, id := range []string{"", "zzz", a.SessionID + "0"} {
		if _, err := s.registry.Find(id); !errors.As(err, &missing) {
			t.Errorf("%q: %v", id, err)
		}
	}
	e, err := s.registry.Find(strings.ToUpper(a.SessionID))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := e.Look(t.Context(), app.Version()); err != nil || info.State != attach.Working {
		t.Errorf("%+v, %v", info, err)
	}
	if err := s.registry.Stop(t.Context(), e, app.Version()); err != nil {
		t.Fatal(err)
	}
	s.ended(a)
	e, err = s.registry.Find(b.SessionID)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.registry.Kill(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	s.ended(b)
}

// A conversation that goes on in another session is found under its id.
func TestListFollowsTheConversation(t *testing.T) {
	s := newSite(t, say("one"), say("two"))
	started := s.start(nil)
	c := s.dial(started)
	follow(t, c, 0, event.TypeTurnComplete)
	if err := c.Submit(t.Context(), event.Submission{Operation: event.NewChat{}}); err != nil {
		t.Fatal(err)
	}
	for _, err := range c.Follow(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
	}
	now := c.Info().SessionID
	if now == started.SessionID {
		t.Fatal("it is the same session")
	}
	eventually(t, "the new id is on the list", func() bool {
		e, err := s.registry.Find(now)
		return err == nil && e.Socket == started.Socket
	})
	eventually(t, "the old one is not", func() bool {
		_, err := s.registry.Find(started.SessionID)
		return err != nil
	})
	if err := c.Quit(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.ended(started)
}

// What keeps a host from starting is told with the exit code of the run that it
// would have been, and leaves nothing.
func TestStartFails(t *testing.T) {
	s := newSite(t, say("one"))
	model := "replay/" + filepath.Join(filepath.Dir(s.dir), "script.json")
	for name, tt := range map[string]struct {
		r    detach.Request
		code int
		says string
	}{
		"not saved":   {detach.Request{Settings: map[string][]string{"save_sessions": {"false"}, "model_name": {model}}}, 2, "save_sessions"},
		"no session":  {detach.Request{Session: app.SessionRequest{Resume: "ffff"}, Settings: map[string][]string{"model_name": {model}}}, 2, "ffff"},
		"no key":      {detach.Request{Settings: map[string][]string{"model_name": {"anthropic/claude-opus-4-6"}}}, 3, "ANTHROPIC_API_KEY"},
		"no text":     {detach.Request{Settings: map[string][]string{"model_name": {model}}, Input: &event.UserInput{}}, 0, ""},
		"bad setting": {detach.Request{Settings: map[string][]string{"permissions.mode": {"always"}}}, 2, "permissions"},
	} {
		t.Run(name, func(t *testing.T) {
			started, err := s.try(tt.r)
			if tt.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				_ = s.dial(started).Quit(t.Context())
				s.ended(started)
				return
			}
			var failed *detach.FailedError
			if !errors.As(err, &failed) || failed.Code != tt.code || !strings.Contains(failed.Text, tt.says) {
				t.Errorf("%v (%+v), want %d and %q", err, failed, tt.code, tt.says)
			}
		})
	}
	t.Run("a panic", func(t *testing.T) {
		_, err := detach.Start(t.Context(), detach.Command{Executable: "/bin/true", Dir: s.dir, Log: s.log()}, detach.Request{})
		if err == nil || !strings.Contains(err.Error(), s.log()) {
			t.Errorf("%v", err)
		}
	})
	t.Run("given up", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		fake := filepath.Join(s.dir, "slow")
		if err := os.WriteFile(fake, []byte("#!/bin/sh\nexec sleep 60\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := detach.Start(ctx, detach.Command{Executable: fake, Dir: s.dir, Log: s.log()}, detach.Request{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

// A path that is too long for a socket is avoided.
func TestLongHome(t *testing.T) {
	s := newSite(t, say("one"))
	s.home = filepath.Join(s.home, strings.Repeat("x", 120))
	for i, v := range s.env {
		if strings.HasPrefix(v, "ML_INTERN_HOME=") {
			s.env[i] = "ML_INTERN_HOME=" + s.home
		}
	}
	s.registry = s.list()
	started := s.start(nil)
	if strings.HasPrefix(started.Socket, s.home) || !strings.HasPrefix(started.Socket, filepath.Dir(s.dir)) {
		t.Errorf("the socket is %s", started.Socket)
	}
	c := s.dial(started)
	if err := c.Quit(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.ended(started)
	if _, err := os.Lstat(started.Socket); err == nil {
		t.Error("the socket is still there")
	}
}
