package slash_test

import (
	"context"
	"errors"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/slash"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog/dialogtest"
)

// world is a user of the simulated Hub, with a home and a project.
type world struct {
	*testing.T
	home, dir string
	environ   []string
	hub       *hubsim.Hub
	app       *app.App
}

// newWorld makes a project; more are variables, and take the place of others of
// their name. One that ends in "=" is unset.
func newWorld(t *testing.T, more ...string) *world {
	w := &world{T: t, home: t.TempDir(), dir: filepath.Join(t.TempDir(), "project")}
	if err := os.Mkdir(w.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w.hub = hubsimtest.Start(t, hubsim.Options{Home: filepath.Join(w.home, "hf"), Scripts: []exec.Script{{Steps: []exec.Step{
		{AfterMs: 1000, Lines: []string{"{'loss': 2.5, 'epoch': 0.1}", "{'loss': 1.5, 'epoch': 0.2}"}},
		{AfterMs: 3_600_000},
	}}}})
	env, err := w.hub.Env("")
	if err != nil {
		t.Fatal(err)
	}
	w.environ = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.home, "TERM=dumb"}
	for _, name := range []string{"OLLAMA", "VLLM", "LMSTUDIO", "LLAMACPP"} { // nobody listens there
		env = append(env, name+"_BASE_URL=http://127.0.0.1:9")
	}
	for _, entry := range slices.Concat(env, more) {
		name, value, _ := strings.Cut(entry, "=")
		w.environ = slices.DeleteFunc(w.environ, func(old string) bool { return strings.HasPrefix(old, name+"=") })
		if value != "" {
			w.environ = append(w.environ, entry)
		}
	}
	config := filepath.Join(w.home, ".config", "ml-intern", "cli_agent_config.json")
	if err := errors.Join(os.MkdirAll(filepath.Dir(config), 0o700), os.WriteFile(config, []byte(`{"model_name":"sim/scripted"}`), 0o600)); err != nil {
		t.Fatal(err)
	}
	w.app = w.open()
	return w
}

// open is another run of the program.
func (w *world) open() *app.App {
	w.Helper()
	a, err := app.New(w.Context(), app.Options{Dir: w.dir, Environ: w.environ, Warn: func(line string) { w.Log(line) }})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		if err := a.Close(); err != nil {
			w.Error(err)
		}
	})
	return a
}

func (w *world) write(name, text string) {
	w.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.Fatal(err)
	}
}

func (w *world) read(name string) string {
	w.Helper()
	raw, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.Fatal(err)
	}
	return string(raw)
}

// command is one of the list.
func (w *world) command(name string) dialog.Command {
	w.Helper()
	return find(w.T, slash.Commands(&slash.Desk{App: w.app, Version: "1.2.3"}), name)
}

func find(t *testing.T, all []dialog.Command, name string) dialog.Command {
	t.Helper()
	c := dialog.Find(all, name)
	if c == nil {
		t.Fatalf("there is no command /%s", name)
	}
	return *c
}

// run runs a command line; an error is a part of what was said.
func (w *world) run(talk *dialogtest.Talk, line string) string {
	w.Helper()
	name, args, ok := dialog.Slash(line)
	if !ok {
		w.Fatalf("%q is no command", line)
	}
	said, err := talk.Run(w.Context(), w.command(name), args)
	if err != nil {
		said = strings.TrimPrefix(said+"\nerror: "+err.Error(), "\n")
	}
	return said
}

// held is a session that runs; Answers of a conversation hands it operations.
type held struct {
	*app.Session
	local *attach.Local
}

// session opens a session.
func (w *world) session(request app.SessionRequest) *held {
	w.Helper()
	s, err := w.app.OpenSession(w.Context(), request)
	if err != nil {
		w.Fatal(err)
	}
	return &held{s, attach.NewLocal(s.Host())}
}

// say says something and waits for the end of the turn.
func (w *world) say(s *held, text string) {
	w.Helper()
	w.do(s, event.UserInput{Text: text}, event.TypeTurnComplete)
}

// do hands over an operation and waits for its end; one that goes over to
// another session ends when that is there.
func (w *world) do(s *held, op event.Operation, end event.Type) (last event.Event) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	info := s.local.Info()
	if err := s.Submit(ctx, event.Submission{ID: "x", Operation: op}); err != nil {
		w.Fatal(err)
	}
	for ev, err := range s.local.Follow(ctx, info.LastSeq) {
		if err != nil {
			w.Fatal(err)
		}
		if last = ev; ev.Type == event.TypeError || ev.Type == end && end != event.TypeResumeComplete {
			return ev
		}
	}
	if s.local.Info().Chapter == info.Chapter {
		w.Fatalf("%T has no end", op)
	}
	return last
}

// talkTo makes a conversation of a session.
func (w *world) talkTo(s *held, answers ...dialogtest.Answer) *dialogtest.Talk {
	talk := dialogtest.New(w.T, answers...)
	info := s.local.Info()
	talk.Session.SessionID, talk.Session.Set = info.SessionID, info.Settings
	talk.Session.Set.Cwd = w.app.Loaded.Dir
	return talk
}

// git makes the project a repository.
func (w *world) git() {
	w.Helper()
	if out, err := osexec.Command("git", "-C", w.dir, "init", "-q").CombinedOutput(); err != nil {
		w.Fatalf("%v: %s", err, out)
	}
}
