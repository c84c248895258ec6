// Package local is the workspace on this machine: its shell, its files, its
// Python. The tools work on it directly, and a tool server gives it to others.
// It does not know which of the two it serves.
package local

import (
	"context"
	"io"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local/disk"
	"github.com/ml-intern/ml-intern/internal/adapter/compute/local/process"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

// Confine says which uses of files must stay inside the workspace.
type Confine = disk.Confine

// The confinements.
const (
	Off   = disk.Off
	Write = disk.Write
	All   = disk.All
)

// Options are what a workspace on this machine needs to know of it.
type Options struct {
	// Dir is the absolute folder that relative paths and commands begin in.
	Dir string
	// Root is the absolute workspace; empty means Dir.
	Root string
	// Confine is empty or Off for no confinement of files.
	Confine Confine
	// Extra are absolute folders that may be read in every confinement.
	Extra []string
	// Home stands for a leading ~ in paths; empty leaves ~ as it is.
	Home string

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

	// Python returns the interpreter that checks Python files, empty for none.
	// Nil looks for .venv/bin/python in Root, then for python3 in the path.
	Python func() string
}

// Machine is a workspace on this machine. It is safe for concurrent use.
type Machine struct {
	shell  *process.Shell
	disk   *disk.Disk
	python func() string
}

var _ workspace.Workspace = (*Machine)(nil)

// New checks o and returns the workspace. Close ends what it started.
func New(o Options) (*Machine, error) {
	m := &Machine{python: o.Python}
	var err error
	if m.disk, err = disk.New(disk.Options{Dir: o.Dir, Root: o.Root, Confine: o.Confine, Extra: o.Extra, Home: o.Home}); err != nil {
		return nil, err
	}
	if m.shell, err = process.New(process.Options{
		Dir: o.Dir, SpillDir: o.SpillDir, Environ: o.Environ, ForwardHFToken: o.ForwardHFToken,
		AllowEnv: o.AllowEnv, DropEnv: o.DropEnv, Sandbox: o.Sandbox,
	}); err != nil {
		return nil, err
	}
	if m.python == nil {
		m.python = func() string { return Interpreter(m.disk.Root()) }
	}
	return m, nil
}

// Open is m itself, for tools that ask for their workspace.
func (m *Machine) Open(context.Context) (workspace.Workspace, error) { return m, nil }

// Resolve is the real path of a file that a call means, or the next best to it;
// empty when the path means nothing.
func (m *Machine) Resolve(path string) string { return m.disk.Where(path) }

// Close ends everything that runs, but for jobs to be kept, and waits for it
// until ctx is done. Further commands fail.
func (m *Machine) Close(ctx context.Context) error { return m.shell.Close(ctx) }

// Alive counts the commands of which something still runs.
func (m *Machine) Alive() int { return m.shell.Alive() }

// StopForeground tells the commands that a call waits for to end.
func (m *Machine) StopForeground() { m.shell.StopForeground() }

// Start starts a command.
func (m *Machine) Start(ctx context.Context, c workspace.Command) (workspace.Process, error) {
	return m.shell.Start(ctx, c)
}

// Jobs lists the background jobs of a session.
func (m *Machine) Jobs(ctx context.Context, session string) ([]workspace.Status, error) {
	return m.shell.Jobs(ctx, session)
}

// Tail returns the last lines of a job's output.
func (m *Machine) Tail(ctx context.Context, session, id string, lines int) (string, workspace.Status, error) {
	return m.shell.Tail(ctx, session, id, lines)
}

// Kill ends a job or a running command.
func (m *Machine) Kill(ctx context.Context, session, id string) (workspace.Status, error) {
	return m.shell.Kill(ctx, session, id)
}

// Stat tells of a file.
func (m *Machine) Stat(ctx context.Context, path string, o workspace.StatOptions) (workspace.Info, error) {
	return m.disk.Stat(ctx, path, o)
}

// Read opens a regular file.
func (m *Machine) Read(ctx context.Context, path string, o workspace.ReadOptions) (io.ReadCloser, workspace.Info, error) {
	return m.disk.Read(ctx, path, o)
}

// Write replaces a file.
func (m *Machine) Write(ctx context.Context, path string, content io.Reader, o workspace.WriteOptions) (workspace.Info, error) {
	return m.disk.Write(ctx, path, content, o)
}

// List tells of what is in a folder.
func (m *Machine) List(ctx context.Context, path string) ([]workspace.Info, error) {
	return m.disk.List(ctx, path)
}

// Pack streams the files below a folder.
func (m *Machine) Pack(ctx context.Context, path string, o workspace.PackOptions) (io.ReadCloser, error) {
	return m.disk.Pack(ctx, path, o)
}

// Unpack makes the files of a tar stream below a folder.
func (m *Machine) Unpack(ctx context.Context, path string, tar io.Reader, o workspace.Limits) (workspace.Packed, error) {
	return m.disk.Unpack(ctx, path, tar, o)
}
