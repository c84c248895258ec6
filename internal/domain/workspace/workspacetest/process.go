package workspacetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

func endings(t *testing.T, w *world) {
	for line, want := range map[string]workspace.Outcome{
		"true":           {},
		"exit 3":         {Exit: workspace.Exit{Code: 3}},
		"kill -9 $$":     {Exit: workspace.Exit{Code: -1, Signal: "SIGKILL"}},
		"echo a; exit 0": {Output: workspace.Output{First: "a\n", Bytes: 2, Chars: 2}},
	} {
		got := w.run(line)
		if got.Ending != workspace.Ended || got.Exit != want.Exit || got.Output != want.Output || got.Left != nil {
			t.Errorf("%s: %+v", line, got)
		}
	}
}

func output(t *testing.T, w *world) {
	if got := w.run(`echo out; echo err >&2; printf '\033[1mbold\033[0m é\r\n'; cat`).Output.First; got != "out\nerr\nbold é\n" {
		t.Errorf("output %q", got)
	}
	// It comes while the command runs.
	var mu sync.Mutex
	var seen strings.Builder
	p := w.start(workspace.Command{Line: "echo first; until [ -e go ]; do sleep 0.01; done; echo last", Limit: time.Minute, Output: func(text []byte) {
		mu.Lock()
		defer mu.Unlock()
		seen.Write(text)
	}})
	type result struct {
		out workspace.Outcome
		err error
	}
	done := make(chan result, 1)
	go func() {
		out, err := p.Wait(t.Context())
		done <- result{out, err}
	}()
	w.until("the first line", func() bool { mu.Lock(); defer mu.Unlock(); return seen.String() == "first\n" })
	if n, _ := p.Progress(); n != 6 {
		t.Errorf("progress %d, want 6", n)
	}
	w.put("go", "")
	r := <-done
	if r.err != nil || r.out.Output.First != "first\nlast\n" || seen.String() != "first\nlast\n" {
		t.Errorf("%+v, %v; shown %q", r.out, r.err, seen.String())
	}
	// Of a long one the two ends are shown, and a file has all of it.
	long := w.run("printf début; yes 日本語 | head -n 50000; printf fin").Output
	if long.Chars != 5+200_000+3 || long.Bytes != 6+500_000+3 || long.Saved != long.Bytes || long.Problem != "" {
		t.Errorf("%+v", workspace.Output{Bytes: long.Bytes, Chars: long.Chars, Saved: long.Saved, Problem: long.Problem})
	}
	if n := utf8.RuneCountInString(long.First); n != workspace.FirstChars+1 || !strings.HasPrefix(long.First, "début日") {
		t.Errorf("first has %d characters: %.20q", n, long.First)
	}
	if n := utf8.RuneCountInString(long.Last); n != workspace.LastChars+1 || !strings.HasSuffix(long.Last, "語\nfin") {
		t.Errorf("last has %d characters", n)
	}
	all, info := w.read(long.File, workspace.ReadOptions{})
	if int64(len(all)) != long.Bytes || info.Mode.Perm() != 0o600 {
		t.Errorf("file of %d bytes, mode %v", len(all), info.Mode)
	}
}

func ends(t *testing.T, w *world) {
	// Its limit.
	out, err := w.start(workspace.Command{Line: "echo $$; sleep 60 & sleep 60", Limit: 300 * time.Millisecond}).Wait(t.Context())
	if err != nil || out.Ending != workspace.TimedOut || out.Duration < 250*time.Millisecond {
		t.Errorf("limit: %+v, %v", out, err)
	}
	w.gone(strings.TrimSpace(out.Output.First))
	// A done context, even for a command that does not listen.
	ctx, cancel := context.WithCancel(t.Context())
	p := w.start(workspace.Command{Line: "echo $$; trap '' TERM; while :; do sleep 0.1; done", Limit: time.Minute})
	w.until("the first line", func() bool { n, _ := p.Progress(); return n > 0 })
	cancel()
	began := time.Now()
	out, err = p.Wait(ctx)
	if took := time.Since(began); err != nil || out.Ending != workspace.Cancelled || took > 950*time.Millisecond {
		t.Errorf("cancel: %+v, %v after %v", out, err, took)
	}
	w.gone(strings.TrimSpace(out.Output.First))
	// By name.
	p = w.start(workspace.Command{ID: "my-command", Line: "echo $$; sleep 60", Limit: time.Minute})
	w.until("the first line", func() bool { n, _ := p.Progress(); return n > 0 })
	if s, err := w.Workspace.Kill(t.Context(), session, "my-command"); err != nil || s.Alive {
		t.Errorf("kill: %+v, %v", s, err)
	}
	if out, err = p.Wait(t.Context()); err != nil || out.Exit.Signal != "SIGTERM" {
		t.Errorf("killed: %+v, %v", out, err)
	}
	// By who started it.
	p = w.start(workspace.Command{Line: "sleep 60", Limit: time.Minute})
	pid := p.Status().PID
	p.Stop()
	w.gone(fmt.Sprint(pid))
}

// gone waits until no process with the id is left.
func (w *world) gone(pid string) {
	w.t.Helper()
	if !regexp.MustCompile(`^\d+$`).MatchString(pid) {
		w.t.Fatalf("no process id: %q", pid)
	}
	if runtime.GOOS != "linux" {
		return
	}
	w.until("the end of process "+pid, func() bool {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
}

func background(t *testing.T, w *world) {
	began := time.Now()
	p := w.start(workspace.Command{Line: "echo one; echo two; sleep 300", Background: true})
	s := p.Status()
	if took := time.Since(began); took > 2*time.Second || s.ID != "bg1" || s.PID == 0 || s.Log == "" || !s.Running || !s.Alive {
		t.Fatalf("%+v after %v", s, took)
	}
	w.until("the output", func() bool { text, _ := w.tail("bg1", 10); return text == "one\ntwo" })
	if text, s := w.tail("bg1", 1); text != "two" || !s.Running {
		t.Errorf("one line: %q, %+v", text, s)
	}
	if text, _ := w.read(s.Log, workspace.ReadOptions{}); text != "one\ntwo\n" {
		t.Errorf("log %q", text)
	}
	jobs, err := w.Workspace.Jobs(t.Context(), session)
	if err != nil || len(jobs) != 1 || jobs[0].ID != "bg1" || jobs[0].Command != "echo one; echo two; sleep 300" || !jobs[0].Running {
		t.Errorf("jobs %+v, %v", jobs, err)
	}
	if s, err := w.Workspace.Kill(t.Context(), session, "bg1"); err != nil || s.Alive || s.Running || s.Exit.Signal != "SIGTERM" {
		t.Errorf("kill: %+v, %v", s, err)
	}
	if text, s := w.tail("bg1", 10); text != "one\ntwo" || s.Running {
		t.Errorf("after the end: %q, %+v", text, s)
	}
	w.start(workspace.Command{Line: "sleep 300", Background: true, Limit: 200 * time.Millisecond})
	w.until("its limit", func() bool { _, s := w.tail("bg2", 1); return !s.Alive })
	w.start(workspace.Command{Line: "printf 'k\\033[0mept\\n'", Background: true, Keep: true})
	w.until("the output of what is kept", func() bool { text, s := w.tail("bg3", 1); return text == "kept" && !s.Alive })
}

func leftBehind(t *testing.T, w *world) {
	began := time.Now()
	out := w.run("echo hi; sleep 300 & exit 0")
	if took := time.Since(began); took > 3*time.Second || out.Output.First != "hi\n" || out.Left == nil || out.Left.ID != "bg1" {
		t.Fatalf("%+v after %v", out, took)
	}
	if _, s := w.tail("bg1", 1); s.Running || !s.Alive {
		t.Errorf("status %+v", s)
	}
	if s, err := w.Workspace.Kill(t.Context(), session, "bg1"); err != nil || s.Alive {
		t.Errorf("kill: %+v, %v", s, err)
	}
}

func apart(t *testing.T, w *world) {
	w.start(workspace.Command{Line: "sleep 300", Background: true})
	if jobs, err := w.Workspace.Jobs(t.Context(), "session-2"); err != nil || len(jobs) != 0 {
		t.Errorf("another session sees %+v, %v", jobs, err)
	}
	_, _, err := w.Workspace.Tail(t.Context(), "session-2", "bg1", 1)
	w.kind(err, workspace.Unknown)
	_, err = w.Workspace.Kill(t.Context(), "session-2", "bg1")
	w.kind(err, workspace.Unknown)
	_, err = w.Workspace.Kill(t.Context(), session, "bg1")
	w.must(err)
}

// clean: a group and a session of its own, no terminal, no descriptors but
// three, no core files.
func clean(t *testing.T, w *world) {
	if runtime.GOOS != "linux" {
		t.Skip("looks at /proc")
	}
	got := w.run(`set -- $(cat /proc/$$/stat); echo "group $(( $5 == $$ )) session $(( $6 == $$ )) terminal $7 core $(ulimit -c)"; ls /proc/$$/fd | tr '\n' ' '; readlink /proc/$$/fd/0`)
	want := "group 1 session 1 terminal 0 core 0\n"
	rest, ok := strings.CutPrefix(got.Output.First, want)
	if !ok || !strings.HasPrefix(rest, "0 1 2 ") || !strings.HasSuffix(rest, "/dev/null\n") {
		t.Errorf("%q, want %q and descriptors 0 1 2", got.Output.First, want)
	}
}

func badCommands(t *testing.T, w *world) {
	for _, c := range []workspace.Command{
		{Line: "true", Dir: "missing"},
		{Line: "true", Dir: w.path("file")},
	} {
		w.put("file", "")
		c.Session = session
		if p, err := w.Workspace.Start(t.Context(), c); err == nil || !strings.Contains(err.Error(), "work_dir") {
			t.Errorf("%+v: %v, %v", c, p, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Workspace.Start(ctx, workspace.Command{Session: session, Line: "touch ran"}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	w.put("sub/x", "")
	if out, err := w.start(workspace.Command{Line: "pwd", Dir: "sub", Limit: time.Minute}).Wait(t.Context()); err != nil || out.Output.First != w.path("sub")+"\n" {
		t.Errorf("dir: %+v, %v", out, err)
	}
	if _, err := os.Stat(w.path("ran")); err == nil {
		t.Error("a cancelled command has run")
	}
}
