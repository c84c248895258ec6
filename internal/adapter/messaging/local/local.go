// Package local carries messages without a network: to the desktop of this
// machine, or to a command of the user's own.
package local

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/adapter/messaging/text"
	"github.com/ml-intern/ml-intern/internal/platform/desktop"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

// Host is where programs run.
type Host struct {
	GOOS string
	// Dir is the directory they run in, absolute; Env is their environment.
	Dir string
	Env []string
	// Look finds a program by its name; nil is exec.LookPath.
	Look func(name string) (path string, err error)
}

// find is the path of a program.
func (h Host) find(name string) (string, error) {
	look := h.Look
	if look == nil {
		look = exec.LookPath
	}
	path, err := look(name)
	if err == nil && !filepath.IsAbs(path) {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return "", messaging.Permanent("%s was not found", name)
	}
	return path, nil
}

// run runs a program to its end, at most for limit.
func (h Host) run(ctx context.Context, argv []string, input []byte, limit time.Duration) (proc.Exit, error) {
	path, err := h.find(argv[0])
	if err != nil {
		return proc.Exit{}, err
	}
	p, err := proc.Start(proc.Command{Path: path, Args: argv[1:], Dir: h.Dir, Env: h.Env, Input: input, Output: nowhere{}})
	if err != nil {
		return proc.Exit{}, messaging.Permanent("%s cannot be started", argv[0])
	}
	late := time.NewTimer(limit)
	defer late.Stop()
	var fault *messaging.Fault
	select {
	case <-p.Exited():
	case <-late.C:
		fault = messaging.Passing("%s took longer than %s", argv[0], limit)
	case <-ctx.Done():
		fault = messaging.Passing("%s was stopped", argv[0])
	}
	<-p.Stop()
	p.Wait()
	if fault != nil {
		return proc.Exit{}, fault
	}
	return p.Exit(), nil
}

// nowhere takes what a program prints.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) Close() error                { return nil }

// Desktop shows messages on the desktop of this machine.
type Desktop struct{ host Host }

var _ messaging.Gateway = (*Desktop)(nil)

const (
	// desktopLimit is how much a notification shows, in characters.
	desktopLimit = 300
	desktopWait  = 10 * time.Second
)

// NewDesktop checks that there is a program that shows notifications.
func NewDesktop(h Host) (*Desktop, error) {
	if desktop.Notification(h.GOOS, "", "") == nil {
		return nil, fmt.Errorf("no program is known that shows notifications on %s: use another provider", h.GOOS)
	}
	return &Desktop{h}, nil
}

// Probe looks for the program that shows notifications.
func (d *Desktop) Probe(context.Context) (string, error) {
	return d.host.find(desktop.Notification(d.host.GOOS, "", "")[0])
}

// Send shows a message. A desktop that is not there now is not waited for: what
// it could show later would be old.
func (d *Desktop) Send(ctx context.Context, m messaging.Message) (string, error) {
	m.Fields = nil // the first lines are all that is seen
	content := text.Lay(m, text.Style{Limit: desktopLimit, Size: text.Characters, Untitled: true})[0]
	title := "ml-intern"
	if own := text.Title(m); own != "" {
		title += ": " + own
	}
	argv := desktop.Notification(d.host.GOOS, title, plain.ForTerminal(content))
	exit, err := d.host.run(ctx, argv, nil, desktopWait)
	switch {
	case err != nil:
		f := messaging.FaultOf(err)
		f.Retryable = false
		return "", f
	case !exit.OK():
		return "", messaging.Permanent("%s failed with exit code %d: is there a desktop?", argv[0], exit.Code)
	}
	return "", nil
}

// Command hands messages to a program as JSON on its standard input.
type Command struct {
	host Host
	argv []string
}

var _ messaging.Gateway = (*Command)(nil)

// Probe looks for the program.
func (c *Command) Probe(context.Context) (string, error) { return c.host.find(c.argv[0]) }

// commandWait is how long a command may take.
const commandWait = 30 * time.Second

// The exit codes of a command that say that no further try is wanted: the
// message is refused, or the command cannot be run.
const (
	refused     = 65
	notRunnable = 126
	notFound    = 127
)

// NewCommand checks the program's name.
func NewCommand(h Host, argv []string) (*Command, error) {
	if len(argv) == 0 || argv[0] == "" {
		return nil, errors.New("a command destination needs the program and its arguments in argv")
	}
	return &Command{h, argv}, nil
}

// Send runs the command: 0 says that the message is delivered.
func (c *Command) Send(ctx context.Context, m messaging.Message) (string, error) {
	body, err := m.Document()
	if err != nil {
		return "", messaging.Permanent("the message cannot be written: %v", err)
	}
	exit, err := c.host.run(ctx, c.argv, append(body, '\n'), commandWait)
	if err != nil {
		return "", messaging.FaultOf(err)
	}
	switch exit.Code {
	case 0:
		return "", nil
	case refused, notRunnable, notFound:
		return "", messaging.Permanent("%s ended with exit code %d", c.argv[0], exit.Code)
	}
	return "", messaging.Passing("%s ended with exit code %d", c.argv[0], exit.Code)
}
