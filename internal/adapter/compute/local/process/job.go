package process

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

// farewell is how long a cancelled call waits for its processes, so that their
// last words are in the result. They are ended in any case.
const farewell = 500 * time.Millisecond

// job is a started command.
type job struct {
	shell   *Shell
	command workspace.Command
	// id is empty while a call waits for the command. The shell's lock guards
	// it.
	id    string
	began time.Time
	proc  *proc.Process
	// output is nil when the command writes to file by itself.
	output *proc.Capture
	// log is the path of the output file; empty when none was asked for.
	log  string
	file *os.File
	// done is closed when nothing of the job is left.
	done chan struct{}
	over sync.Once // Stop and Wait are both allowed to see to the end
}

// The names of output files.
const (
	outputPattern = "bash_output_*.txt"
	logPattern    = "bash_background_*.log"
)

// connect makes the way for the output of c. A background command that is to
// outlive us writes to its file directly; the others write through us, which
// makes plain text of it and bounds the file.
func (j *job) connect(c *proc.Command, spill string) error {
	background := j.command.Background
	if background && j.command.Keep {
		if err := os.MkdirAll(spill, 0o700); err != nil {
			return fmt.Errorf("make the folder for the output: %w", err)
		}
		file, err := os.CreateTemp(spill, logPattern)
		if err != nil {
			return fmt.Errorf("make the output file: %w", err)
		}
		j.file, j.log, c.File = file, file.Name(), file
		return nil
	}
	pattern := outputPattern
	if background {
		pattern = logPattern
	}
	j.output = proc.NewCapture(spill, pattern)
	c.Output = newSink(j.output, j.command.Output)
	if !background {
		return nil
	}
	var err error
	j.log, err = j.output.Spill()
	return err
}

// close releases what j holds; nothing of it runs any more.
func (j *job) close() {
	if j.output != nil {
		_ = j.output.Close() // all of it was written
	}
	if j.file != nil {
		_ = j.file.Close()
	}
	close(j.done)
}

// finished reports whether the command and all it has started in its group
// have ended.
func (j *job) finished() bool { return !j.proc.Alive() }

// Status tells how j is.
func (j *job) Status() workspace.Status {
	j.shell.mu.Lock()
	defer j.shell.mu.Unlock()
	return j.status()
}

// status is Status for who holds the lock.
func (j *job) status() workspace.Status {
	s := workspace.Status{
		ID: j.id, PID: j.proc.Group().ID, Command: j.command.Line, Age: time.Since(j.began), Log: j.log, Alive: !j.finished(),
	}
	if s.ID == "" {
		s.ID = j.command.ID
	}
	select {
	case <-j.proc.Exited():
		s.Exit = j.exit()
	default:
		s.Running = true
	}
	return s
}

func (j *job) exit() workspace.Exit {
	e := j.proc.Exit()
	return workspace.Exit{Code: e.Code, Signal: e.Signal}
}

// Ref names the process group.
func (j *job) Ref() string { return j.proc.Group().String() }

// Progress is how far the output is.
func (j *job) Progress() (int64, string) {
	if j.output == nil {
		return 0, j.log
	}
	path, err := j.output.Spill()
	if err != nil {
		path = "no file: " + err.Error()
	}
	total, _, _ := j.output.Size()
	return total, path
}

// Stop ends the command.
func (j *job) Stop() {
	j.proc.Stop()
	if !j.command.Background { // those are watched already
		j.over.Do(func() { j.shell.leave(j, true) })
	}
}

// Wait waits for the command, for its time limit or for ctx; in the last two
// cases it ends the command's group.
func (j *job) Wait(ctx context.Context) (workspace.Outcome, error) {
	if j.output == nil {
		return workspace.Outcome{}, fmt.Errorf("wait for job %s: its output goes to a file alone", j.Status().ID)
	}
	out := workspace.Outcome{Ending: j.wait(ctx), Duration: time.Since(j.began)}
	if out.Ending == workspace.Ended {
		out.Exit = j.exit()
	}
	out.Output = j.shown()
	if !j.command.Background {
		j.over.Do(func() { out.Left = j.shell.leave(j, out.Ending != workspace.Ended) })
	}
	return out, nil
}

func (j *job) wait(ctx context.Context) workspace.Ending {
	var limit <-chan time.Time // never, without a limit
	if j.command.Limit > 0 && !j.command.Background {
		timer := time.NewTimer(time.Until(j.began.Add(j.command.Limit)))
		defer timer.Stop()
		limit = timer.C
	}
	select {
	case <-j.proc.Settled():
		return workspace.Ended
	case <-limit:
		select {
		case <-j.proc.Stop():
			return workspace.TimedOut
		case <-ctx.Done():
		}
	case <-ctx.Done():
	}
	select {
	case <-j.proc.Stop():
	case <-time.After(farewell):
	}
	return workspace.Cancelled
}

// shown is the output as its reader gets it.
func (j *job) shown() workspace.Output {
	var o workspace.Output
	o.Bytes, o.Chars, _ = j.output.Size()
	if o.Chars <= workspace.ShownChars {
		o.First = j.output.First(workspace.ShownChars)
		return o
	}
	// Without its file, memory may have less of a text in wide characters.
	o.First, o.Last = j.output.First(workspace.FirstChars+1), j.output.Last(workspace.LastChars+1)
	path, err := j.output.Spill()
	if err != nil {
		o.Problem = err.Error()
		return o
	}
	o.File = path
	_, _, o.Saved = j.output.Size()
	return o
}

// sink is where the output of a command goes, as plain text.
type sink struct {
	filter *plain.Writer
	keep   *proc.Capture
	show   func([]byte) // nil for nobody
}

func newSink(keep *proc.Capture, show func([]byte)) *sink {
	k := &sink{keep: keep, show: show}
	k.filter = plain.NewWriter(tee{k})
	return k
}

// Write takes raw output.
func (k *sink) Write(p []byte) (int, error) { return k.filter.Write(p) }

// Close writes what the filter held back.
func (k *sink) Close() error { return k.filter.Close() }

// tee writes plain text to both ends of a sink.
type tee struct{ sink *sink }

func (t tee) Write(p []byte) (int, error) {
	if t.sink.show != nil {
		t.sink.show(p)
	}
	return t.sink.keep.Write(p)
}
