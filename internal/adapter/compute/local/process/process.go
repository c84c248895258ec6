// Package process runs the commands of a workspace on this machine, in its
// shell, and remembers what they leave running in the background. It does not
// know who allows a command, nor who reads its output.
package process

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

// Options are what the commands of a workspace run with.
type Options struct {
	// Dir is the working directory, absolute.
	Dir string
	// SpillDir returns the folder for a session's outputs, absolute. It is made
	// when it is needed and removed by whoever removes the session.
	SpillDir func(session string) string
	// Environ is the environment that commands get, but for its secrets.
	Environ []string
	// ForwardHFToken lets commands have the Hub token.
	ForwardHFToken bool
	// AllowEnv names variables that pass although their names look like
	// secrets; DropEnv names further ones that do not pass.
	AllowEnv []string
	DropEnv  []string
	// Sandbox is the fence around every command; nil is none.
	Sandbox *proc.Sandbox
}

// Shell starts commands and remembers those that still run. It is safe for
// concurrent use.
type Shell struct {
	opts Options
	// interpreter is the shell's command line up to the command.
	interpreter []string
	env         []string

	mu     sync.Mutex
	closed bool
	count  int
	live   []*job
}

var _ workspace.Processes = (*Shell)(nil)

// finishedJobs is how many finished background jobs stay listed.
const finishedJobs = 32

// New returns a shell; Close ends what it started.
func New(o Options) (*Shell, error) {
	if !filepath.IsAbs(o.Dir) {
		return nil, fmt.Errorf("shell option Dir %q: it must be absolute", o.Dir)
	}
	if o.SpillDir == nil {
		return nil, errors.New("shell option SpillDir: it is needed")
	}
	s := &Shell{opts: o}
	var err error
	if s.interpreter, err = interpreter(); err != nil {
		return nil, err
	}
	s.env = proc.Environ(o.Environ, proc.EnvRule{
		ForwardHFToken: o.ForwardHFToken, Allow: o.AllowEnv, Drop: o.DropEnv,
	})
	return s, nil
}

// interpreter is bash without the user's start-up files where there is one.
func interpreter() ([]string, error) {
	bash := "/bin/bash"
	if runtime.GOOS == "windows" {
		found, err := exec.LookPath("bash")
		if err != nil {
			return nil, fmt.Errorf("find bash, which commands run in (Git for Windows has one): %w", err)
		}
		bash = found
	}
	if _, err := os.Stat(bash); err == nil {
		return []string{bash, "--noprofile", "--norc", "-c"}, nil
	}
	return []string{"/bin/sh", "-c"}, nil
}

// Start runs a command and counts it among the live ones.
func (s *Shell) Start(ctx context.Context, c workspace.Command) (workspace.Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	dir, err := s.dir(c.Dir)
	if err != nil {
		return nil, err
	}
	spill := s.opts.SpillDir(c.Session)
	p := proc.Command{
		Path: s.interpreter[0], Args: append(slices.Clone(s.interpreter[1:]), c.Line),
		Dir: dir, Env: s.env,
	}
	if err := s.fence(&p, spill); err != nil {
		return nil, err
	}
	j := &job{shell: s, command: c, began: time.Now(), done: make(chan struct{})}
	if j.command.ID == "" {
		j.command.ID = rand.Text()
	}
	if err := j.connect(&p, spill); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.admit(j); err != nil {
		j.close()
		return nil, err
	}
	if j.proc, err = proc.Start(p); err != nil {
		j.close()
		return nil, err
	}
	if c.Background {
		s.name(j)
		s.watch(j, c.Limit)
	}
	s.live = append(s.live, j)
	return j, nil
}

// admit refuses commands after the end, and a second one of the same id. The
// caller holds the lock.
func (s *Shell) admit(j *job) error {
	if s.closed {
		return &workspace.Fault{Kind: workspace.Closed, Reason: "run a command: the session has ended"}
	}
	if slices.ContainsFunc(s.live, func(other *job) bool { return other.command.ID == j.command.ID }) {
		return &workspace.Fault{Kind: workspace.Invalid, Reason: fmt.Sprintf("run a command: there is one with id %q already", j.command.ID)}
	}
	return nil
}

// dir returns the absolute directory for a call.
func (s *Shell) dir(workDir string) (string, error) {
	dir := s.Resolve(workDir)
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = errors.New("it is no directory")
	}
	if err != nil {
		return "", &workspace.Fault{Kind: workspace.Invalid, Reason: fmt.Sprintf("work_dir %s: %v", workDir, err)}
	}
	return dir, nil
}

// Resolve is the absolute directory that a command's Dir means.
func (s *Shell) Resolve(workDir string) string {
	if filepath.IsAbs(workDir) {
		return filepath.Clean(workDir)
	}
	return filepath.Join(s.opts.Dir, workDir)
}

// fence puts c behind the sandbox, with a temp folder of the session's own; the
// session's outputs may be read there.
func (s *Shell) fence(c *proc.Command, spill string) error {
	if s.opts.Sandbox == nil {
		return nil
	}
	temp := filepath.Join(spill, "tmp")
	if err := os.MkdirAll(temp, 0o700); err != nil {
		return fmt.Errorf("make the temp folder of the sandbox: %w", err)
	}
	box, err := s.opts.Sandbox.Allow([]string{temp}, []string{spill})
	if err != nil {
		return err
	}
	c.Sandbox = box
	c.Env = slices.DeleteFunc(slices.Clone(c.Env), func(v string) bool { return strings.HasPrefix(v, "TMPDIR=") })
	c.Env = append(c.Env, "TMPDIR="+temp)
	return nil
}

// name gives j an id that the model can use, and forgets the oldest finished
// jobs. The caller holds the lock.
func (s *Shell) name(j *job) {
	s.count++
	j.id = "bg" + strconv.Itoa(s.count)
	var done []*job
	for _, other := range s.live {
		if other.id != "" && other.finished() {
			done = append(done, other)
		}
	}
	for len(done) > finishedJobs {
		s.remove(done[0])
		done = done[1:]
	}
}

func (s *Shell) remove(j *job) {
	s.live = slices.DeleteFunc(s.live, func(other *job) bool { return other == j })
}

// leave sees to a command whose call is over; stopping says that it was told to
// end. Processes of the command that still run are tracked as a job from here
// on: leave returns how that is.
func (s *Shell) leave(j *job, stopping bool) *workspace.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stopping {
		s.watch(j, 0)
		return nil
	}
	if j.proc.Alive() {
		s.name(j)
		j.log, _ = j.output.Spill() // without it the job has no file to show
		s.watch(j, 0)
		left := j.status()
		return &left
	}
	select {
	case <-j.proc.Drained():
		s.remove(j)
		j.close()
	default: // a process that left the group has the pipe open
		s.watch(j, 0)
	}
	return nil
}

// watch sees j to its end, and ends it after limit; 0 is none. The goroutine is
// waited for in Close, but for that of a command to be kept.
func (s *Shell) watch(j *job, limit time.Duration) {
	go func() {
		if limit > 0 {
			timer := time.AfterFunc(limit, func() { j.proc.Stop() })
			defer timer.Stop()
		}
		j.proc.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if j.id == "" {
			s.remove(j)
		}
		j.close()
	}()
}

// Alive counts the commands of which something still runs.
func (s *Shell) Alive() int {
	s.mu.Lock()
	live := slices.Clone(s.live)
	s.mu.Unlock()
	n := 0
	for _, j := range live {
		if !j.finished() {
			n++
		}
	}
	return n
}

// StopForeground tells the commands that a call waits for to end.
func (s *Shell) StopForeground() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.live {
		if j.id == "" {
			j.proc.Stop()
		}
	}
}

// Close ends everything that runs, but for commands to be kept, and waits for
// it until ctx is done. Further calls fail.
func (s *Shell) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	live := slices.DeleteFunc(slices.Clone(s.live), func(j *job) bool { return j.command.Keep && j.id != "" })
	s.mu.Unlock()
	var ends []<-chan struct{}
	for _, j := range live {
		// A program can be done while a child of it lives on: both are waited for.
		ends = append(ends, j.proc.Stop(), j.done)
	}
	for _, end := range ends {
		select {
		case <-end:
		case <-ctx.Done():
			return fmt.Errorf("end the running commands: %w", ctx.Err())
		}
	}
	return nil
}
