// Package shell is the tools bash and bash_jobs: commands in a workspace and
// what they leave running in the background. It does not know where that
// workspace is, nor who allows a command; that is judged before it runs.
package shell

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

//go:embed bash.json
var bashFile []byte

//go:embed bash_jobs.json
var jobsFile []byte

const (
	// DefaultTimeout and MaxTimeout are how long a command may take where
	// [Options] say nothing.
	DefaultTimeout = 120 * time.Second
	MaxTimeout     = 36000 * time.Second
)

// Options are what the commands of a session run with.
type Options struct {
	// Workspace returns the place they run in. It may wait for one that is still
	// being made; its error is what the model reads.
	Workspace func(ctx context.Context) (workspace.Workspace, error)
	// Dir is the absolute folder that commands begin in on the user's machine.
	// It is empty where the workspace is elsewhere: whoever judges a call then
	// hears of no command on this machine.
	Dir string
	// DirName is what the model is told of the folder that commands begin in;
	// empty is "the working directory".
	DirName string
	// DefaultTimeout and MaxTimeout bound commands that are not in the
	// background, in whole seconds; 0 takes the constants of those names.
	DefaultTimeout, MaxTimeout time.Duration
	// Errors words failures as models know them from sandboxes: a last line
	// "ERROR: Exit code 3" after the output.
	Errors bool
	// Close ends what the commands left running when the session ends; nil
	// leaves that to the owner of the workspace.
	Close func(ctx context.Context) error
}

// Shell is bash and bash_jobs with what they share. It is safe for concurrent
// use.
type Shell struct {
	opts       Options
	bash, jobs tool.Spec
	watcher    *watcher
}

// New checks o and returns the tools; Close ends what they started.
func New(o Options) (*Shell, error) {
	if o.Workspace == nil {
		return nil, errors.New("shell option Workspace: it is needed")
	}
	if o.Dir != "" && !filepath.IsAbs(o.Dir) {
		return nil, fmt.Errorf("shell option Dir %q: it must be absolute", o.Dir)
	}
	o.DefaultTimeout = cmp.Or(o.DefaultTimeout, DefaultTimeout)
	o.MaxTimeout = cmp.Or(o.MaxTimeout, MaxTimeout)
	if o.DefaultTimeout < time.Second || o.MaxTimeout < o.DefaultTimeout {
		return nil, fmt.Errorf("shell options DefaultTimeout %v and MaxTimeout %v: they must be a second or more, and the default the smaller one", o.DefaultTimeout, o.MaxTimeout)
	}
	s := &Shell{opts: o, watcher: newWatcher(lookHere)}
	if o.Dir == "" {
		s.watcher.every = lookThere
	}
	var err error
	if s.bash, err = tool.ParseSpec(o.describe(bashFile), maxResult); err != nil {
		return nil, err
	}
	if s.jobs, err = tool.ParseSpec(jobsFile, maxResult); err != nil {
		return nil, err
	}
	return s, nil
}

// describe puts the numbers of o in the place of the usual ones.
func (o Options) describe(file []byte) []byte {
	file = bytes.Replace(file, []byte("Default 120, at most 36000."),
		fmt.Appendf(nil, "Default %d, at most %d.", int(o.DefaultTimeout.Seconds()), int(o.MaxTimeout.Seconds())), 1)
	if o.DirName != "" {
		file = bytes.Replace(file, []byte("Default: the working directory."), fmt.Appendf(nil, "Default: %s.", o.DirName), 1)
	}
	return file
}

// Tools returns bash and bash_jobs.
func (s *Shell) Tools() (bash, jobs tool.Tool) { return &bashTool{s}, &jobsTool{s} }

// Close ends everything that runs, but for commands to be kept.
func (s *Shell) Close(ctx context.Context) error {
	s.watcher.close()
	if s.opts.Close == nil {
		return nil
	}
	return s.opts.Close(ctx)
}

// failed turns what a workspace would not do into a result, but for a session
// that is over and a call that was cancelled.
func failed(ctx context.Context, doing string, err error) (tool.Result, error) {
	if ctx.Err() != nil || workspace.KindOf(err) == workspace.Closed {
		return tool.Result{}, err
	}
	return tool.Failed(doing + " error: " + err.Error()), nil
}
