// Package proc runs child processes: each in a session and process group of
// its own, without terminal or inherited descriptors, with limits, its output
// through one pipe, optionally inside a fence of the operating system, and
// ended as a whole group. It knows nothing of agents, nor of what the programs
// it runs are for.
package proc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// Grace is how long a group has between TERM and KILL.
	Grace = 2 * time.Second
	// quiet is how long a pipe that a background child keeps open must be
	// silent before its command counts as finished; linger bounds the wait for
	// a child that never falls silent.
	quiet  = 500 * time.Millisecond
	linger = 5 * time.Second
	// drain is how long the pipe of a killed group may take to empty.
	drain = 100 * time.Millisecond
	// reap is how long a killed leader may take to go; one that hangs in a
	// driver takes longer.
	reap = time.Second
	// chunk is the size of one read of the pipe.
	chunk = 32 << 10
)

// Command is a program to run.
type Command struct {
	// Path is the program, absolute. Args are its arguments without its name.
	Path string
	Args []string
	// Line is, on Windows, the whole command line as the program gets it, in the
	// place of Args: cmd.exe does not read what is quoted for other programs.
	Line string
	// Dir is the directory it runs in, absolute.
	Dir string
	// Env is its whole environment; PWD is set to Dir.
	Env []string
	// Input is what the program reads; empty is the null device. What it leaves
	// unread is no fault.
	Input []byte
	// Output gets standard output and standard error in the order of arrival,
	// from one goroutine, and is closed after the last of them. Its errors are
	// ignored: the program goes on.
	Output io.WriteCloser
	// Errors gets standard error in the place of Output, from a goroutine of its
	// own; nil leaves it there.
	Errors io.WriteCloser
	// File takes the output instead of Output, without a pipe, so that the
	// program can outlive us.
	File *os.File
	// Sandbox is the fence to run in; nil is none.
	Sandbox *Sandbox
}

// Exit is how a program ended.
type Exit struct {
	// Code is the exit code; -1 when a signal ended it.
	Code int
	// Signal is the name of that signal, such as "SIGKILL".
	Signal string
}

// OK reports whether the program ended well.
func (e Exit) OK() bool { return e.Code == 0 }

// Process is a running command. Who starts it calls Wait, after it has ended
// or after Stop.
type Process struct {
	cmd   *exec.Cmd
	group Group
	pipes []*os.File // of Output and of Errors, as far as there are
	// input is what the program reads from, fed is closed when it has all; nil
	// where it reads nothing.
	input *os.File
	fed   chan struct{}
	began time.Time
	// heard is when output came last, in nanoseconds after began.
	heard atomic.Int64

	exited  chan struct{} // the program itself has ended; exit is set
	drained chan struct{} // nobody has the pipe open any more
	settled chan struct{}
	stopped chan struct{}
	exit    Exit
	stop    sync.Once
	// stopping: stopped will be closed.
	stopping atomic.Bool
}

// Start starts c. The error names the program or the directory.
func Start(c Command) (*Process, error) {
	if (c.Output == nil) == (c.File == nil) || c.Output == nil && c.Errors != nil {
		return nil, errors.New("start a program: exactly one of Output and File is needed, and Errors only beside Output")
	}
	if !filepath.IsAbs(c.Path) || !filepath.IsAbs(c.Dir) {
		return nil, fmt.Errorf("start a program: path %q and directory %q must be absolute", c.Path, c.Dir)
	}
	p := &Process{
		exited: make(chan struct{}), drained: make(chan struct{}),
		settled: make(chan struct{}), stopped: make(chan struct{}),
	}
	theirs := []*os.File{c.File, c.File}
	if c.File == nil {
		ends, err := p.open(c)
		defer shut(ends)
		if err != nil {
			shut(p.pipes)
			return nil, fmt.Errorf("start %s: make a pipe: %w", c.Path, err)
		}
		theirs = []*os.File{ends[0], ends[len(ends)-1]}
	}
	p.cmd = c.build(theirs[0], theirs[1])
	closeOnExec()
	p.began = time.Now()
	if err := p.feed(c.Input); err != nil {
		shut(p.pipes)
		return nil, fmt.Errorf("start %s in %s: %w", c.Path, c.Dir, err)
	}
	p.group = GroupOf(p.cmd.Process.Pid)
	p.follow(c.Output, c.Errors)
	return p, nil
}

// open makes the pipes for what a program writes and returns its ends of them.
func (p *Process) open(c Command) (theirs []*os.File, err error) {
	for _, out := range []io.WriteCloser{c.Output, c.Errors} {
		if out == nil {
			continue
		}
		r, w, err := os.Pipe()
		if err != nil {
			return theirs, err
		}
		p.pipes, theirs = append(p.pipes, r), append(theirs, w)
	}
	return theirs, nil
}

func shut(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// build returns the command behind its fence and limits.
func (c Command) build(out, errs *os.File) *exec.Cmd {
	argv := limited(append([]string{c.Path}, c.Args...))
	if c.Sandbox != nil {
		argv = c.Sandbox.wrap(argv)
	}
	env := slices.DeleteFunc(slices.Clone(c.Env), func(v string) bool { return strings.HasPrefix(v, "PWD=") })
	return &exec.Cmd{
		Path: argv[0], Args: argv, Dir: c.Dir, Env: append(env, "PWD="+c.Dir),
		Stdout: out, Stderr: errs, SysProcAttr: spelled(detached(), c.Line), // a nil Stdin is the null device
	}
}

// feed starts the command with input to read. The pipe is closed when all of it
// was taken or the program has ended, whoever else may hold the other end.
func (p *Process) feed(input []byte) error {
	if len(input) == 0 {
		return p.cmd.Start()
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	p.cmd.Stdin = r
	err = p.cmd.Start()
	_ = r.Close()
	if err != nil {
		_ = w.Close()
		return err
	}
	p.input, p.fed = w, make(chan struct{})
	go func() {
		defer close(p.fed)
		_, _ = w.Write(input)
		_ = w.Close()
	}()
	return nil
}

// follow starts the goroutines that read the output and wait for the end.
func (p *Process) follow(outs ...io.WriteCloser) {
	var reading sync.WaitGroup
	for i, pipe := range p.pipes {
		reading.Go(func() { p.read(pipe, outs[i]) })
	}
	go func() {
		reading.Wait()
		close(p.drained)
	}()
	go func() {
		err := p.cmd.Wait()
		if p.input != nil {
			_ = p.input.Close() // it may be closed already
			<-p.fed
		}
		p.exit = exitOf(p.cmd.ProcessState, err)
		close(p.exited)
		p.settle()
		close(p.settled)
	}()
}

func (p *Process) read(pipe *os.File, out io.WriteCloser) {
	buf := make([]byte, chunk)
	for {
		n, err := pipe.Read(buf)
		if n > 0 {
			p.heard.Store(int64(time.Since(p.began)))
			_, _ = out.Write(buf[:n])
		}
		if err != nil {
			_ = pipe.Close()
			_ = out.Close()
			return
		}
	}
}

// settle returns when all output of the ended program has been read, or when a
// child it left behind holds the pipe and is quiet.
func (p *Process) settle() {
	ended := time.Now()
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	for {
		select {
		case <-p.drained:
			return
		case <-timer.C:
		}
		last := p.began.Add(time.Duration(p.heard.Load()))
		if last.Before(ended) {
			last = ended
		}
		wait := time.Until(last.Add(quiet))
		if wait <= 0 || time.Since(ended) > linger {
			return
		}
		timer.Reset(wait)
	}
}

// Group is the process group of the command.
func (p *Process) Group() Group { return p.group }

// Exited is closed when the program itself has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Drained is closed when nobody can write output any more.
func (p *Process) Drained() <-chan struct{} { return p.drained }

// Settled is closed when the program has ended and its output is complete, as
// far as no child that it left behind writes more.
func (p *Process) Settled() <-chan struct{} { return p.settled }

// Exit says how the program ended; it may be called after Exited is closed.
func (p *Process) Exit() Exit { return p.exit }

// Alive reports whether the program or a process it left in its group runs.
func (p *Process) Alive() bool {
	select {
	case <-p.exited:
		return p.group.Alive()
	default:
		return true
	}
}

// Stop ends the whole group: TERM, [Grace], KILL. It returns at once; the
// channel is closed when that is done.
func (p *Process) Stop() <-chan struct{} {
	p.stop.Do(func() {
		p.stopping.Store(true)
		go func() {
			defer close(p.stopped)
			p.group.end()
			p.close()
		}()
	})
	return p.stopped
}

// close takes what a killed group has left in the pipe and closes it: a
// process that has left the group may hold the other end.
func (p *Process) close() {
	select {
	case <-p.exited:
	case <-time.After(reap):
	}
	select {
	case <-p.drained:
	case <-time.After(drain):
		shut(p.pipes)
	}
}

// Wait returns when all goroutines of p have ended: the program has, nobody
// holds its pipe, and what Stop began is done.
func (p *Process) Wait() {
	<-p.settled
	<-p.drained
	if p.stopping.Load() {
		<-p.stopped
	}
}
