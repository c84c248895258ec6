// Package hands makes the tools that act for one session, bash, bash_jobs,
// read, write and edit, and the place they work in: the user's machine, or a
// sandbox on the Hub with the tools that make and remove it. It decides nothing
// about approvals or money.
package hands

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/app/hubtools/pushes"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/config/environ"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
	"github.com/ml-intern/ml-intern/internal/tools/files"
	"github.com/ml-intern/ml-intern/internal/tools/sandbox"
	"github.com/ml-intern/ml-intern/internal/tools/shell"
)

// Hands are the acting tools of one session.
type Hands struct {
	Bash, Jobs, Read, Write, Edit tool.Tool
	// Bare is a bash without credentials for sub-agents; nil unless the
	// configuration gives it to them.
	Bare tool.Tool
	// Create and Delete are nil on the user's machine.
	Create, Delete tool.Tool
	// Open returns the place they work in. When that is the user's machine, Root
	// is its folder and Resolve the real path of a file that a call means.
	Open    func(ctx context.Context) (workspace.Workspace, error)
	Root    string
	Resolve func(path string) string

	keeper *sandbox.Keeper
	heard  string // where commands write down what they push; "" for nowhere
}

// Prefetch lets the tools of a session that was opened begin with what they make
// ahead of need.
func Prefetch(all []tool.Tool) {
	for _, t := range all {
		if early, ok := t.(interface{ Prefetch() }); ok {
			early.Prefetch()
		}
	}
}

// ErrFence is in the chain of errors about bash_sandbox.
var ErrFence = errors.New("bash_sandbox")

// Local makes the tools for the user's machine. SpillDir is where a session
// keeps output too long for its journal.
func Local(ctx context.Context, l *config.Loaded, session string, spillDir func(session string) string) (*Hands, error) {
	c := l.Config
	fence, err := fence(ctx, l, spillDir(session))
	if err != nil {
		return nil, err
	}
	h := &Hands{Root: l.Workspace}
	vars := l.Environ()
	if c.ArtifactHooks {
		h.heard = spillDir(session)
		vars = pushes.Environ(vars, h.heard)
	}
	place := local.Options{
		Dir: l.Dir, Root: l.Workspace, Confine: local.Confine(c.ConfineFiles),
		Extra: []string{spillDir(session)}, Home: l.Places.Home, Python: python(l),
		SpillDir: spillDir, Environ: vars, ForwardHFToken: c.BashForwardHFToken,
		AllowEnv: c.BashEnvAllow, DropEnv: environ.SecretNames(), Sandbox: fence,
	}
	here, err := local.New(place)
	if err != nil {
		return nil, fmt.Errorf("open the workspace: %w", err)
	}
	if c.ResearchBash {
		if h.Bare, err = bareHere(place); err != nil {
			return nil, err
		}
	}
	h.Open, h.Resolve = here.Open, here.Resolve
	return build(
		shell.Options{Workspace: here.Open, Dir: l.Dir, Close: here.Close},
		files.Options{Workspace: here.Open, Resolve: here.Resolve}, h,
	)
}

// Listen tells made which repositories commands on this machine push to. In a
// sandbox nothing is heard.
func (h *Hands) Listen(made func(ctx context.Context, r repo.Ref)) {
	if h.heard != "" {
		h.Bash = pushes.Listen(h.Bash, h.heard, made)
	}
}

// How long commands in a sandbox may take.
const (
	sandboxTimeout    = 240 * time.Second
	sandboxMaxTimeout = 1200 * time.Second
)

// build makes the tools.
func build(commands shell.Options, access files.Options, h *Hands) (*Hands, error) {
	s, err := shell.New(commands)
	if err != nil {
		return nil, fmt.Errorf("make the tool bash: %w", err)
	}
	f, err := files.New(access)
	if err != nil {
		return nil, fmt.Errorf("make the file tools: %w", err)
	}
	h.Bash, h.Jobs = s.Tools()
	h.Read, h.Write, h.Edit = f.Read(), f.Write(), f.Edit()
	if h.keeper != nil {
		h.keeper.OnRestart(f.Forget)
		for _, t := range []*tool.Tool{&h.Bash, &h.Jobs, &h.Read, &h.Write, &h.Edit} {
			*t = h.keeper.Wrap(*t)
		}
	}
	return h, nil
}

// python finds the interpreter that checks Python files: nil is the usual
// search. In a folder that is not trusted its own .venv is not run.
func python(l *config.Loaded) func() string {
	if l.Trusted {
		return nil
	}
	return func() string {
		path, err := exec.LookPath("python3")
		if err != nil {
			return ""
		}
		return path
	}
}

// fence makes the fence around commands that the configuration asks for.
// Nothing runs without one that does not work here.
func fence(ctx context.Context, l *config.Loaded, spill string) (*proc.Sandbox, error) {
	c := l.Config
	if proc.Mode(c.BashSandbox) == proc.Off || c.BashSandbox == "" {
		return nil, nil
	}
	if err := os.MkdirAll(spill, 0o700); err != nil {
		return nil, fmt.Errorf("make the session's temp folder: %w", err)
	}
	fence, err := proc.NewSandbox(ctx, proc.SandboxOptions{
		Mode: proc.Mode(c.BashSandbox), Home: l.Places.Home,
		Write: append([]string{l.Workspace, spill}, c.BashSandboxWrite...), Read: c.BashSandboxRead,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFence, err)
	}
	return fence, nil
}
