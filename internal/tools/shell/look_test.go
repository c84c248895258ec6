package shell_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/tools/shell"
)

// stage is a workspace whose commands play a script.
type stage struct {
	workspace.Workspace
	script []printed

	mu    sync.Mutex
	log   strings.Builder
	alive bool
	looks int
}

// printed is said after a time.
type printed struct {
	after time.Duration
	text  string
}

func (s *stage) open(context.Context) (workspace.Workspace, error) { return s, nil }

func (s *stage) Start(_ context.Context, c workspace.Command) (workspace.Process, error) {
	s.alive = true
	play := func(out func([]byte)) {
		for _, l := range s.script {
			time.Sleep(l.after)
			out([]byte(l.text + "\n"))
		}
	}
	if c.Background {
		go func() {
			play(func(p []byte) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.log.Write(p)
			})
			s.mu.Lock()
			defer s.mu.Unlock()
			s.alive = false
		}()
		return process{stage: s}, nil
	}
	return process{s, func() { play(c.Output) }}, nil
}

func (s *stage) Jobs(context.Context, string) ([]workspace.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks++
	return []workspace.Status{{ID: "bg1", PID: 7, Log: "/spill/bg1.log", Alive: s.alive, Running: s.alive, Exit: workspace.Exit{Code: 3}}}, nil
}

func (s *stage) Read(_ context.Context, path string, o workspace.ReadOptions) (io.ReadCloser, workspace.Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if path != "/spill/bg1.log" {
		return nil, workspace.Info{}, fs.ErrNotExist
	}
	text := s.log.String()
	return io.NopCloser(strings.NewReader(text[o.Offset:])), workspace.Info{Size: int64(len(text))}, nil
}

type process struct {
	stage *stage
	play  func()
}

func (p process) Status() workspace.Status {
	return workspace.Status{ID: "bg1", PID: 7, Log: "/spill/bg1.log", Running: true, Alive: true}
}
func (process) Ref() string               { return "pgid:7@1" }
func (process) Progress() (int64, string) { return 0, "" }
func (process) Stop()                     {}
func (p process) Wait(context.Context) (workspace.Outcome, error) {
	p.play()
	return workspace.Outcome{Ending: workspace.Ended, Output: workspace.Output{First: "out", Chars: 3}}, nil
}

// watched plays a script as a command and returns what was told.
func watched(t *testing.T, background bool, dir string, script ...printed) (notices, logs []string, looks int) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{script: script}
		var ended []event.CommandEnded
		sh, err := shell.New(shell.Options{Workspace: s.open, Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		bash, jobs := sh.Tools()
		session := &tooltest.Session{}
		jobs.(tool.Companion).Attach(session)
		env := &tooltest.Env{}
		r := call(t, bash, env, fmt.Sprintf(`{"command":"python train.py","background":%v}`, background))
		if !r.OK {
			t.Fatal(r.Output)
		}
		if background {
			time.Sleep(2 * time.Hour)
		}
		if err := sh.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, p := range session.Emitted() {
			switch p := p.(type) {
			case event.Finding:
				if found++; !slices.Contains(session.Notices(), p.String()) {
					t.Errorf("%+v was not told to the model", p)
				}
			case event.CommandEnded:
				ended = append(ended, p)
			default:
				t.Errorf("%+v was told", p)
			}
		}
		if found != len(session.Notices()) {
			t.Errorf("%d findings, %d notices", found, len(session.Notices()))
		}
		if (len(ended) == 1) != background {
			t.Errorf("the end was told as %+v", ended)
		}
		for _, e := range ended {
			if e.ID != "bg1" || e.Log != "/spill/bg1.log" || e.ExitCode == nil || *e.ExitCode != 3 || e.WallTimeS <= 0 {
				t.Errorf("the end was told as %+v", e)
			}
		}
		notices, looks = session.Notices(), s.looks
		for _, l := range env.Logs() {
			if strings.HasPrefix(l, "[") {
				logs = append(logs, l)
			}
		}
	})
	return notices, logs, looks
}

// training is a script with a loss that is no number in the end.
func training(every time.Duration) (out []printed) {
	for i := range 10 {
		out = append(out, printed{every, fmt.Sprintf("step %d loss %d", i, 20-i)})
	}
	return append(out, printed{every, "step 10 loss nan"}, printed{every, "step 11 loss nan"}, printed{every, "bye"})
}

// What goes wrong in the numbers of a background command is told once.
func TestBackgroundCommandsAreLookedAt(t *testing.T) {
	const want = "[error] process:bg1: loss is NaN at step 10; the last number before was 11"
	for _, dir := range []string{"/work", ""} {
		notices, _, looks := watched(t, true, dir, training(time.Minute)...)
		if !slices.Equal(notices, []string{want}) {
			t.Errorf("%q", notices)
		}
		if most := map[string]int{"/work": 400, "": 28}[dir]; looks > most {
			t.Errorf("%d looks from %q", looks, dir)
		}
	}
	if notices, _, _ := watched(t, true, "/work", printed{time.Minute, "step 1 loss 2"}, printed{time.Hour, "step 2 loss 1"}); len(notices) != 1 || !strings.Contains(notices[0], "no output for") {
		t.Errorf("silence: %q", notices)
	}
	if notices, _, _ := watched(t, true, "/work", printed{time.Minute, "listening"}, printed{time.Hour, "GET /"}); len(notices) != 0 {
		t.Errorf("a server: %q", notices)
	}
}

// A command that a call waits for tells it as progress too, unless it only
// shows a log.
func TestForegroundCommandsAreLookedAt(t *testing.T) {
	const want = "[error] process:7: loss is NaN at step 10; the last number before was 11"
	for name, c := range map[string]struct {
		every time.Duration
		want  []string
	}{"training": {time.Second, []string{want}}, "a quick one that goes on": {400 * time.Millisecond, []string{want}}, "cat": {0, nil}} {
		notices, logs, _ := watched(t, false, "/work", training(c.every)...)
		if !slices.Equal(notices, c.want) || !slices.Equal(logs, c.want) {
			t.Errorf("%s: %q, progress %q", name, notices, logs)
		}
	}
}

// A flood is not held up, and the line it is cut in is left out.
func TestAFloodIsNotLookedAt(t *testing.T) {
	flood := strings.Repeat("step 1 loss 1\n", 3000) + "step 2 loss nan\nstep 3 lo"
	notices, _, _ := watched(t, false, "/work", printed{0, flood}, printed{6 * time.Second, "ss nan\nstep 4 loss 1"}, printed{time.Second, "step 5 loss inf"})
	if len(notices) != 1 || !strings.Contains(notices[0], "loss is Inf at step 5") {
		t.Errorf("%q", notices)
	}
}
