// Package interactive is `ml-intern` without a prompt: it puts the conversation
// in a terminal together with a session. It reads the settings of the terminal,
// asks for what a first launch lacks, opens the session in a host of its own,
// and tells at the end how to come back.
package interactive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/detach"
	"github.com/ml-intern/ml-intern/internal/app/message"
	"github.com/ml-intern/ml-intern/internal/app/skillset"
	"github.com/ml-intern/ml-intern/internal/app/slash/foreign"
	"github.com/ml-intern/ml-intern/internal/app/welcome"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
	"github.com/ml-intern/ml-intern/internal/ui/terminal"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/approve/sheet"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/attention"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/banner"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/history"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// Options of an interactive run.
type Options struct {
	// App makes the program; Session says which session to open.
	App     app.Options
	Session app.SessionRequest
	// Attach is the id of a running session to look at; empty opens one.
	Attach string
	// Plain is the line mode, ScreenReader the line mode for one.
	Plain, ScreenReader bool
	// ASCII and NoColor say how things are drawn.
	ASCII, NoColor bool
	// End is called at the end, behind the session's; nil for nothing.
	End func()
}

// modes are the approval modes that Shift-Tab goes through.
func modes() []string { return []string{"ask", "auto-edit", "plan"} }

// Run shows the conversation until the person leaves it, and returns the exit
// code.
func Run(ctx context.Context, s *console.Streams, o Options) (int, error) {
	w := &warner{print: o.App.Warn, lines: make(chan string, mostWarnings)}
	o.App.Warn = w.warn
	if err := o.trust(ctx, s); err != nil {
		return 0, err
	}
	a, err := app.New(ctx, o.App)
	if err != nil {
		return 0, err
	}
	defer a.Close()
	r := &run{streams: s, app: a, options: o, warner: w}
	r.desk = welcome.Desk{App: a, Unsaved: r.detachable()}
	if r.lines() {
		return r.plain(ctx)
	}
	return r.screen(ctx)
}

// run is one interactive run.
type run struct {
	streams *console.Streams
	app     *app.App
	options Options
	// desk asks for what a first launch lacks.
	desk   welcome.Desk
	warner *warner
	// prompts are what the session's MCP servers offer behind a slash.
	prompts foreign.Prompts

	mu    sync.Mutex
	shown attach.Session // the session that is shown, nil before there is one
}

// lines reports whether nothing can be drawn anew.
func (r *run) lines() bool {
	return r.options.Plain || r.spoken() ||
		!r.streams.OutTTY || !r.streams.InTTY || r.app.Loaded.Env("TERM") == "dumb"
}

// spoken reports whether a screen reader reads what is printed.
func (r *run) spoken() bool { return r.options.ScreenReader || r.app.Config().UI.ScreenReader }

// look is how things are drawn, on a dark background or a light one.
func (r *run) look(dark bool) *theme.Theme {
	o := theme.Options{Color: theme.Detect(r.environ()), Dark: dark, ASCII: r.options.ASCII}
	if r.options.NoColor || !r.streams.OutTTY || r.spoken() {
		o.Color = theme.None
	}
	return theme.New(o)
}

func (r *run) environ() []string {
	if r.streams.Environ != nil {
		return r.streams.Environ
	}
	return os.Environ()
}

// screen is the application that draws.
func (r *run) screen(ctx context.Context) (int, error) {
	o, release := r.conversation(ctx)
	defer release()
	if r.app.Config().UI.Theme == "auto" {
		o.AskDark = r.look
	}
	return r.ended(terminal.Run(ctx, o))
}

// conversation is what the application and the line mode have in common.
func (r *run) conversation(ctx context.Context) (o terminal.Options, release func()) {
	a, c := r.app, r.app.Config()
	hangup, terminate, release := signals(ctx)
	dark := c.UI.Theme != "light"
	set := skillset.Load(a.Loaded)
	commands := r.commands(set)
	first := r.banner
	if c.UI.Banner == "off" {
		first = nil
	}
	return terminal.Options{
		In: r.streams.In, Out: r.streams.Out, Environ: r.environ(), Theme: r.look(dark),
		Banner: first, Animate: c.UI.Banner == "animated" && a.Loaded.Env("CI") == "", Open: r.follow, Commands: commands,
		Editor: editor(a.Loaded.Env),
		Input: composer.Options{
			History: r.history(), Dir: a.Loaded.Dir, Sources: r.sources(commands),
		},
		Expand: message.New(message.Options{App: a, Skills: set, Seen: r.seen(), Pictures: r.pictures}).Typed,
		Approve: approve.Options{Options: sheet.Options{
			Shown: a.Scrub, Secret: a.Secrets().Shown, Hub: a.Loaded.URL("HF_ENDPOINT").Value, File: r.file, Dir: a.Loaded.Dir,
		}, NoProject: r.noProject()},
		Attention: attention.New(attention.Options{
			Mode: c.UI.Notify, Environ: r.environ(), GOOS: runtime.GOOS, MinSeconds: c.NotifyMinSeconds, Name: filepath.Base(a.Loaded.Dir),
			ASCII: r.options.ASCII, Scrub: a.Scrub, Run: start,
		}),
		Rule:     func(rule string) error { return a.Loaded.AllowInProject(ctx, rule) },
		Warnings: r.warner.show(),
		Modes:    modes(), ShowThinking: c.ShowThinking, Hangup: hangup, Terminate: terminate,
	}, release
}

// fileMost is the largest file that is read for a difference, in bytes.
const fileMost = 1 << 20

// file is what stands in a file now: a regular one that is no larger than can be
// looked at.
func (r *run) file(path string) (string, bool) {
	path = app.Absolute(path, r.app.Loaded.Dir)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() > fileMost {
		return "", false
	}
	raw, err := os.ReadFile(path)
	return string(raw), err == nil
}

// noProject says why no rule can be kept for the project.
func (r *run) noProject() string {
	if !r.app.Loaded.Trusted {
		return "this folder is not trusted (ml-intern trust)"
	}
	return ""
}

// start runs a program of the desktop's beside everything else.
func start(argv []string) {
	cmd := exec.Command(argv[0], argv[1:]...)
	if cmd.Start() == nil {
		go func() { _ = cmd.Wait() }() // it ends by itself, or with this process
	}
}

// history is what the person has typed before.
func (r *run) history() composer.History {
	return history.Open(history.Options{
		Path: filepath.Join(r.app.Loaded.Places.State, "input_history.jsonl"), Cwd: r.app.Loaded.Dir, Scrub: r.app.Scrub,
	})
}

// banner are the lines at the start.
func (r *run) banner(th *theme.Theme, width int) []string {
	c, home := r.app.Config(), r.app.Loaded.Env("HOME")
	info := banner.Info{Version: app.Version(), Model: r.app.Model(), Runtime: "local filesystem", Dir: r.app.Loaded.Dir, Home: home}
	if c.ToolRuntime == "sandbox" {
		info.Runtime = "HF sandbox"
	}
	if r.older() { // such a session says in the status line what it runs with
		info.Model, info.Runtime, info.Dir = "", "", ""
	}
	return banner.Lines(info, th, width)
}

// older reports whether the session has been there before this run.
func (r *run) older() bool {
	return r.options.Attach != "" || r.options.Session.Continue || r.options.Session.Resume != ""
}

// ended tells how to come back and returns the exit code.
func (r *run) ended(res terminal.Result) (int, error) {
	r.warner.hide()
	if r.options.End != nil {
		r.options.End()
	}
	if res.Opened != nil {
		r.farewell(res)
	}
	switch res.Reason {
	case terminal.HungUp:
		return 129, nil
	case terminal.Terminated:
		return headless.ExitTerminated, nil
	case terminal.Failed:
		if errors.Is(res.Err, welcome.ErrGivenUp) {
			return headless.ExitInterrupt, nil
		}
		var failed *detach.FailedError
		if errors.As(res.Err, &failed) {
			return 0, &console.ExitError{Code: failed.Code, Err: failed}
		}
		return console.CodeOf(res.Err), res.Err
	}
	if res.Err != nil {
		fmt.Fprintln(r.streams.Err, "warning: "+res.Err.Error())
	}
	return headless.ExitOK, nil
}

// farewell says how to go on with the session.
func (r *run) farewell(res terminal.Result) {
	info := res.Opened.Info()
	id := info.SessionID
	switch {
	case res.Reason == terminal.HungUp:
	case res.Reason == terminal.Detached:
		fmt.Fprintf(r.streams.Out, "The session goes on: ml-intern attach %s shows it, ml-intern stop %s ends it\n", id, id)
	case res.Opened.Detachable && r.app.Kept(context.Background(), id):
		fmt.Fprintf(r.streams.Out, "Go on with it: ml-intern --resume %s\n", id)
	}
}

// signals are closed when the terminal is gone and when the process is to end.
func signals(ctx context.Context) (hangup, terminate <-chan struct{}, release func()) {
	hung, ended, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	got := make(chan os.Signal, 4)
	signal.Notify(got, syscall.SIGHUP, syscall.SIGTERM)
	stopped := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-stopped:
				return
			case sig := <-got:
				if sig == syscall.SIGHUP {
					hung = closed(hung)
				} else {
					ended = closed(ended)
				}
			}
		}
	}()
	hangup, terminate = hung, ended
	return hangup, terminate, func() {
		signal.Stop(got)
		close(stopped)
		<-done
	}
}

// closed closes a channel once.
func closed(c chan struct{}) chan struct{} {
	select {
	case <-c:
	default:
		close(c)
	}
	return c
}
