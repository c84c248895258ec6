// Package shell is the tools bash and bash_jobs: commands on the user's machine
// and what they leave running in the background. It does not know who allows
// a command; that is judged before it runs.
package shell

import (
	"context"
	_ "embed"
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

	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

//go:embed bash.json
var bashFile []byte

//go:embed bash_jobs.json
var jobsFile []byte

// Options are what the commands of a session run with.
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
	bash, jobs  tool.Spec

	mu     sync.Mutex
	closed bool
	count  int
	live   []*job
}

// errClosed is what a call gets after the session's end.
var errClosed = errors.New("run a command: the session has ended")

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
	if s.bash, err = tool.ParseSpec(bashFile, maxResult); err != nil {
		return nil, err
	}
	if s.jobs, err = tool.ParseSpec(jobsFile, maxResult); err != nil {
		return nil, err
	}
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

// Tools returns bash and bash_jobs.
func (s *Shell) Tools() (bash, jobs tool.Tool) { return &bashTool{s}, &jobsTool{s} }

// start runs a command for a session and counts it among the live ones.
func (s *Shell) start(session string, p bashParams, log *stream) (*job, error) {
	dir, err := s.dir(p.WorkDir)
	if err != nil {
		return nil, err
	}
	spill := s.opts.SpillDir(session)
	c := proc.Command{
		Path: s.interpreter[0], Args: append(slices.Clone(s.interpreter[1:]), p.Command),
		Dir: dir, Env: s.env,
	}
	if err := s.fence(&c, spill); err != nil {
		return nil, err
	}
	j := &job{session: session, command: p.Command, keep: p.Keep, began: time.Now(), done: make(chan struct{})}
	if err := j.connect(&c, spill, p.Background, log); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		j.close()
		return nil, errClosed
	}
	if j.proc, err = proc.Start(c); err != nil {
		j.close()
		return nil, err
	}
	if p.Background {
		s.name(j)
	}
	s.live = append(s.live, j)
	return j, nil
}

// dir returns the absolute directory for a call.
func (s *Shell) dir(workDir string) (string, error) {
	dir := s.resolve(workDir)
	info, err := os.Stat(dir)
	if err != nil {
		return "", fmt.Errorf("work_dir %s: %w", workDir, err)
	}
	if !info.IsDir() {
		return "", fmt.Errorf("work_dir %s: it is no directory", workDir)
	}
	return dir, nil
}

func (s *Shell) resolve(workDir string) string {
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
// on: leave returns its id.
func (s *Shell) leave(j *job, stopping bool) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stopping {
		s.watch(j, 0)
		return ""
	}
	if j.proc.Alive() {
		s.name(j)
		j.log, _ = j.output.Spill() // without it the job has no file to show
		s.watch(j, 0)
		return j.id
	}
	select {
	case <-j.proc.Drained():
		s.remove(j)
		j.close()
	default: // a process that left the group has the pipe open
		s.watch(j, 0)
	}
	return ""
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

// Close ends everything that runs, but for commands to be kept, and waits for
// it until ctx is done. Further calls fail.
func (s *Shell) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	live := slices.DeleteFunc(slices.Clone(s.live), func(j *job) bool { return j.keep && j.id != "" })
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
