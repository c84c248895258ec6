package own

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

const (
	// shellWait is how long a command may take.
	shellWait = 2 * time.Minute
	// shownMost is how much of its output is shown and brought along, in
	// characters.
	shownMost = 30_000
)

// command runs commands of the person's own: with the whole environment, and
// without a terminal.
type command struct {
	dir     string
	environ []string
	// keep is the folder for the whole of a long output.
	keep string
	// wait bounds it; 0 is shellWait.
	wait time.Duration
}

// run returns what a command has printed, in plain text, and in a note how it
// ended, where that was not well.
func (c command) run(ctx context.Context, text string) (output, note string, err error) {
	path, args, err := shell(text)
	if err != nil {
		return "", "", err
	}
	out := proc.NewCapture(c.keep, "command-*.log")
	defer out.Close()
	p, err := proc.Start(proc.Command{Path: path, Args: args, Dir: c.dir, Env: c.environ, Output: plain.NewWriter(out)})
	if err != nil {
		return "", "", fmt.Errorf("run the command: %w", err)
	}
	wait := c.wait
	if wait == 0 {
		wait = shellWait
	}
	note = await(ctx, p, wait)
	p.Wait()
	if exit := p.Exit(); note == "" && !exit.OK() {
		note = fmt.Sprintf("[exit code %d]", exit.Code)
		if exit.Signal != "" {
			note = "[ended by " + exit.Signal + "]"
		}
	}
	return whole(out), note, nil
}

// await waits for the end of a command, or makes it.
func await(ctx context.Context, p *proc.Process, wait time.Duration) (note string) {
	limit := time.NewTimer(wait)
	defer limit.Stop()
	select {
	case <-p.Settled():
	case <-ctx.Done():
		<-p.Stop()
		return "[interrupted]"
	case <-limit.C:
		<-p.Stop()
		return fmt.Sprintf("[ended after %s; long work belongs to the agent or to another terminal]", amount.Took(wait))
	}
	select {
	case <-p.Drained():
		return ""
	default: // something in the background holds on to the output
		<-p.Stop()
		return "[what it left running was ended too; it may run on if it prints into a file]"
	}
}

// whole is an output; of a long one its ends, and where all of it is.
func whole(out *proc.Capture) string {
	_, chars, _ := out.Size()
	if chars <= shownMost {
		return out.First(shownMost)
	}
	head, tail := excerpt.TrimEnd(out.First(shownMost/2)), excerpt.TrimStart(out.Last(shownMost/2))
	where := ""
	if path, err := out.Spill(); err == nil {
		where = "; all of it is in " + path
	}
	left := chars - int64(len([]rune(head))+len([]rune(tail)))
	return head + fmt.Sprintf("\n… %s characters left out%s …\n", amount.Grouped(left), where) + tail
}

// shell is how a command line is run here.
func shell(text string) (path string, args []string, err error) {
	if runtime.GOOS == "windows" {
		path, err = exec.LookPath("powershell.exe")
		return path, []string{"-NoProfile", "-Command", text}, err
	}
	for _, name := range []string{"bash", "sh"} {
		if path, err = exec.LookPath(name); err == nil {
			return path, []string{"-c", text}, nil
		}
	}
	return "", nil, errors.New("there is no shell: neither bash nor sh is on the PATH")
}
