// Package exec runs what a job or an app of the simulated Hub consists of: a
// command as a local process group in a directory of its own, behind the
// operating system's fence where there is one, or a script of lines and stages
// that is played on the simulator's clock. It knows neither jobs nor Spaces,
// neither accounts nor repositories: who starts a command hands it everything.
package exec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
	"github.com/ml-intern/ml-intern/internal/platform/proc/bridge"
)

// Grace is how much simulated time a command has between TERM and KILL.
const Grace = 5 * time.Second

// DefaultPath is where commands are looked for, behind the directory of stubs.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin"

// Options of a runner.
type Options struct {
	Clock *clock.Clock
	// Dir holds the directories of running commands; empty is a new temporary
	// one, which Close removes.
	Dir string
	// Scripted runs nothing: a command without a script ends at once and well.
	Scripted bool
	// Scripts are played instead of the commands they match, the first match
	// counts, whether Scripted or not.
	Scripts []Script
	// Env returns the variables every command gets, HF_ENDPOINT and the other
	// base addresses, as NAME=VALUE; it is asked at each start.
	Env func() []string
	// Path is PATH behind the stubs; empty is DefaultPath.
	Path string
	// Fence says how commands are fenced in. Empty is bubblewrap where it is
	// installed and nothing elsewhere; proc.Auto may also take Landlock, for
	// which main must call proc.SandboxMain first.
	Fence proc.Mode
	// Reach are the machine's local ports that commands may reach. When it is
	// set and Fence is proc.Auto, a fence that can cuts commands off from every
	// other network; nil leaves the network open.
	Reach func() []int
	// Warn hears, once, what commands are not kept from, and why.
	Warn func(string)
}

// Runner starts commands and owns them until they have ended.
type Runner struct {
	o       Options
	scripts []script
	temp    bool
	fence   *proc.Sandbox
	alone   bool   // commands have a network of their own
	unfence string // why there is no fence

	mu      sync.Mutex
	warned  bool
	closed  bool
	serial  int
	running map[*Process]bool
	wait    sync.WaitGroup
}

// New returns a runner.
func New(o Options) (*Runner, error) {
	if o.Clock == nil {
		return nil, errors.New("run commands: a clock is needed")
	}
	if o.Env == nil {
		o.Env = func() []string { return nil }
	}
	if o.Path == "" {
		o.Path = DefaultPath
	}
	r := &Runner{o: o, running: map[*Process]bool{}}
	for i, s := range o.Scripts {
		re, err := regexp.Compile(s.Command)
		if err != nil {
			return nil, fmt.Errorf("script %d: command %q: %w", i, s.Command, err)
		}
		r.scripts = append(r.scripts, script{s, re})
	}
	if o.Scripted {
		return r, nil
	}
	if err := r.room(); err != nil {
		return nil, err
	}
	r.enclose()
	return r, nil
}

// room makes the directory that holds the commands' own ones.
func (r *Runner) room() (err error) {
	if r.o.Dir == "" {
		r.temp = true
		r.o.Dir, err = os.MkdirTemp("", "hubsim-")
	} else {
		err = os.MkdirAll(r.o.Dir, 0o700)
	}
	if err == nil {
		r.o.Dir, err = filepath.Abs(r.o.Dir)
	}
	if err == nil {
		r.o.Dir, err = filepath.EvalSymlinks(r.o.Dir)
	}
	if err != nil {
		return fmt.Errorf("make a directory for commands: %w", err)
	}
	return nil
}

// enclose prepares the fence, or notes why there is none.
func (r *Runner) enclose() {
	mode := r.o.Fence
	if mode == "" {
		mode = proc.Bubblewrap
	}
	home := filepath.Join(r.o.Dir, "nobody")
	if err := os.MkdirAll(home, 0o700); err != nil {
		r.unfence = err.Error()
		return
	}
	if u, err := user.Current(); err == nil && len(filepath.Clean(u.HomeDir)) > 1 && isDir(u.HomeDir) {
		home = u.HomeDir
	}
	fence, err := proc.NewSandbox(context.Background(), proc.SandboxOptions{Mode: mode, Home: home})
	switch {
	case err != nil:
		r.unfence = err.Error()
	case fence == nil:
		r.unfence = "the fence is switched off"
	default:
		r.fence = fence
		if alone, ok := fence.Alone(); ok && mode == proc.Auto && r.o.Reach != nil {
			r.fence, r.alone = alone, true
		}
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// Mount is a directory a command sees under a path of its own.
type Mount struct {
	// Path is the absolute path that the command uses.
	Path string
	// Dir is an existing directory to use in place; empty is a new one.
	Dir string
	// ReadOnly says that the command must not write to Dir.
	ReadOnly bool
	// Fill puts the content into a new dir before the start.
	Fill func(ctx context.Context, dir string) error
}

// Spec is a command to run.
type Spec struct {
	// ID names the command's directory.
	ID      string
	Command []string
	// Labels choose a script.
	Labels map[string]string
	// System, Environment and Secrets are its variables; a later one counts.
	System      map[string]string
	Environment map[string]string
	Secrets     map[string]string
	// GPU is what nvidia-smi prints, a line each; without one it fails.
	GPU    []string
	Mounts []Mount
	// Dir, when set, fills the working directory. Aliases are absolute paths
	// the command uses for it, with the path below it that each stands for.
	Dir     func(ctx context.Context, dir string) error
	Aliases map[string]string
	// Ports are the numbers the command is reached under; each gets a free
	// local port, the first one's in PORT.
	Ports []int
	// Line gets each line of output with its time, from one goroutine at a
	// time. Stage hears of stages in a script. Done is called last, once.
	Line  func(text string, at time.Time)
	Stage func(stage, message string)
	Done  func(Exit)
}

// Exit is how a command ended.
type Exit struct {
	// Code is the exit code; 128 and more after a signal.
	Code int
	// Err is why a command could not be started, or what went wrong beside it.
	Err error
}

// Process is a command that was started.
type Process struct {
	runner *Runner
	spec   Spec
	dir    string
	ports  map[int]int
	child  *proc.Process
	bridge *bridge.Bridge // nil where the network is open
	done   chan struct{}

	mu      sync.Mutex
	timer   *clock.Timer // KILL, or the next step of a script
	stopped bool         // the end was asked for
	killed  bool         // and made
	ended   bool
}

// Done is closed when the command has ended and Spec.Done has returned.
func (p *Process) Done() <-chan struct{} { return p.done }

// Port is the local port behind a declared one.
func (p *Process) Port(declared int) (int, bool) {
	port, ok := p.ports[declared]
	return port, ok
}

// Start begins to run spec and returns at once; what goes wrong is in the Exit.
// The functions of spec may be called before it returns. It returns nil when
// the runner is closed.
func (r *Runner) Start(ctx context.Context, spec Spec) *Process {
	p := &Process{runner: r, spec: spec, done: make(chan struct{})}
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.serial++
	serial := r.serial
	r.running[p] = true
	r.wait.Add(1)
	r.mu.Unlock()
	if s, ok := r.script(spec); ok || r.o.Scripted {
		p.play(s.Steps)
		return p
	}
	p.dir = filepath.Join(r.o.Dir, fmt.Sprintf("%s-%d", spec.ID, serial))
	var err error
	if p.ports, err = reserve(spec.Ports); err != nil {
		go p.finish(Exit{Code: 1, Err: err})
		return p
	}
	go p.run(context.WithoutCancel(ctx))
	return p
}

// run carries the command out from its directory to its end.
func (p *Process) run(ctx context.Context) {
	command, err := p.prepare(ctx)
	if err == nil {
		err = p.start(command)
	}
	if err != nil {
		p.finish(Exit{Code: 1, Err: err})
		return
	}
	<-p.child.Exited()
	p.await()
	// A container ends with its first process.
	p.child.Group().Signal(true)
	<-p.child.Stop()
	p.child.Wait()
	p.finish(Exit{Code: p.code()})
}

// poll is how often a group that was asked to end is looked at, in real time.
const poll = 10 * time.Millisecond

// await waits for a group that was asked to end: its leader may be the fence,
// which has no grace of its own.
func (p *Process) await() {
	for {
		p.mu.Lock()
		wait := p.stopped && !p.killed
		p.mu.Unlock()
		if !wait || !p.child.Group().Alive() {
			return
		}
		time.Sleep(poll)
	}
}

// code is what a shell would report.
func (p *Process) code() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.child.Exit()
	switch {
	case p.killed:
		return 137
	case e.Signal == "SIGTERM":
		return 143
	case e.Signal != "":
		return 137
	}
	return e.Code
}

// start starts the child, unless the end was asked for meanwhile.
func (p *Process) start(c proc.Command) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return errors.New("ended before its start")
	}
	child, err := proc.Start(c)
	if err != nil {
		return err
	}
	p.child = child
	return nil
}

// finish reports the end and gives everything back.
func (p *Process) finish(exit Exit) {
	defer p.runner.wait.Done()
	p.mu.Lock()
	p.ended = true
	timer := p.timer
	p.mu.Unlock()
	if timer != nil {
		timer.Stop()
	}
	if p.bridge != nil {
		p.bridge.Close()
	}
	if p.dir != "" {
		_ = removeAll(p.dir) // what cannot be removed stays until Close
	}
	p.runner.mu.Lock()
	delete(p.runner.running, p)
	p.runner.mu.Unlock()
	if p.spec.Done != nil {
		p.spec.Done(exit)
	}
	close(p.done)
}

// Cancel ends the command: TERM, Grace of simulated time, KILL. It returns at
// once and may be called again.
func (p *Process) Cancel() { p.end(false) }

// Kill ends the command at once.
func (p *Process) Kill() { p.end(true) }

func (p *Process) end(kill bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || p.stopped && !kill {
		return
	}
	p.stopped, p.killed = true, kill
	switch {
	case p.child != nil && kill:
		p.child.Group().Signal(true)
	case p.child != nil:
		p.child.Group().Signal(false)
		p.timer = p.runner.o.Clock.AfterFunc(Grace, p.Kill)
	case p.timer != nil && p.timer.Stop(): // a script between two steps
		p.ended = true
		p.runner.wait.Go(func() { p.finish(Exit{Code: 143}) })
	}
}

// Close kills what runs, waits for it, and removes a temporary directory. The
// clock may have been stopped before.
func (r *Runner) Close() error {
	r.mu.Lock()
	r.closed = true
	var all []*Process
	for p := range r.running {
		all = append(all, p)
	}
	r.mu.Unlock()
	for _, p := range all {
		p.Kill()
	}
	r.wait.Wait()
	if !r.temp {
		return nil
	}
	if err := removeAll(r.o.Dir); err != nil {
		return fmt.Errorf("remove the commands' directory: %w", err)
	}
	return nil
}

// removeAll also removes directories that a command has closed to itself.
func removeAll(dir string) error {
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}

// Unfenced says why commands run without a fence; empty when they have one.
func (r *Runner) Unfenced() string { return r.unfence }

// Alone reports whether commands have a network of their own.
func (r *Runner) Alone() bool { return r.alone }

// warn tells, once, what commands are not kept from.
func (r *Runner) warn() {
	var text string
	switch {
	case r.fence == nil:
		text = "commands of jobs and apps run without a sandbox: " + strings.TrimSpace(r.unfence)
	case r.o.Reach != nil && !r.alone:
		text = "commands of jobs and apps are not kept from the network: only bubblewrap can do that"
	default:
		return
	}
	r.mu.Lock()
	first := !r.warned
	r.warned = true
	r.mu.Unlock()
	if first && r.o.Warn != nil {
		r.o.Warn(text)
	}
}
