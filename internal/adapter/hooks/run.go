package hooks

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/hook"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

const (
	// maxOutput and maxErrors are how much of what a command prints is read, in
	// bytes.
	maxOutput = 1 << 20
	maxErrors = 64 << 10
)

// run runs one command and returns when it has ended, when its time is over, or at
// once when ctx is done. Ending it for good goes on behind.
func (r *Runner) run(ctx context.Context, slots chan struct{}, c *command, moment hook.Moment, input []byte) Ran {
	ran := Ran{Hook: c.Hook, Exit: -1, from: c}
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		return ran
	}
	if ctx.Err() != nil {
		return ran
	}
	began := time.Now()
	var out, errs bounded
	out.limit, errs.limit = maxOutput, maxErrors
	problem := ""
	if p, err := r.start(c.Command, input, &out, &errs); err != nil {
		problem = "could not be started: " + err.Error()
	} else {
		problem = r.await(ctx, p, c.Timeout, moment, &ran, &out, &errs)
	}
	ran.Took = time.Since(began)
	ran.Output, ran.Errors = out.text(), errs.text()
	if problem != "" {
		ran.Problem = fmt.Sprintf("the %s hook %q %s", moment, label(c.Command), problem)
	}
	for i, said := range ran.Answer.Warnings {
		ran.Answer.Warnings[i] = fmt.Sprintf("the %s hook %q says: %s", moment, label(c.Command), said)
	}
	return ran
}

// start starts a command in the system's shell.
func (r *Runner) start(command string, input []byte, out, errs *bounded) (*proc.Process, error) {
	c := proc.Command{Dir: r.opts.Dir, Env: r.opts.Environ, Input: input, Output: out, Errors: errs}
	shell := "sh"
	if c.Args = []string{"-c", command}; runtime.GOOS == "windows" {
		shell = "cmd.exe"
		c.Args, c.Line = nil, `cmd.exe /D /S /C "`+command+`"`
	}
	var err error
	if c.Path, err = exec.LookPath(shell); err != nil {
		return nil, err
	}
	return proc.Start(c)
}

// await waits for a command and reads its answer. What it leaves running with its
// output open is ended with it.
func (r *Runner) await(ctx context.Context, p *proc.Process, limit time.Duration, moment hook.Moment, ran *Ran, out, errs *bounded) (problem string) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.Settled():
		e := ending{exit: p.Exit().Code, signal: p.Exit().Signal, output: out.bytes(), errors: errs.bytes(), cut: out.cut()}
		ran.Exit = e.exit
		ran.Answer, problem = read(moment, e)
	case <-timer.C:
		problem = "did not end within " + amount.Took(limit) + " and was ended"
	case <-ctx.Done():
	}
	select {
	case <-p.Drained():
		p.Wait()
	default:
		p.Stop()
		r.leave(p)
	}
	return problem
}

// leave waits, behind everything else, until nothing of a command is left.
func (r *Runner) leave(p *proc.Process) {
	r.mu.Lock()
	closed := r.closed
	if !closed {
		r.running.Go(p.Wait)
	}
	r.mu.Unlock()
	if closed {
		p.Wait()
	}
}

// bounded keeps the beginning of an output. It is safe for concurrent use.
type bounded struct {
	limit int

	mu    sync.Mutex
	buf   []byte
	total int
}

func (b *bounded) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total += len(p)
	b.buf = append(b.buf, p[:min(len(p), b.limit-len(b.buf))]...)
	return len(p), nil
}

func (b *bounded) Close() error { return nil }

func (b *bounded) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.buf)
}

func (b *bounded) text() string { return string(b.bytes()) }

func (b *bounded) cut() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total > b.limit
}
