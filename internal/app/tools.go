package app

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/local"
	"github.com/ml-intern/ml-intern/internal/app/hubtools"
	"github.com/ml-intern/ml-intern/internal/config/environ"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/proc"
	"github.com/ml-intern/ml-intern/internal/tools/files"
	"github.com/ml-intern/ml-intern/internal/tools/plan"
	"github.com/ml-intern/ml-intern/internal/tools/shell"
)

// kit holds the families of tools of one session: what the tools of a family
// share lives exactly as long as the session.
type kit struct {
	bash, jobs tool.Tool // one shell
	files      *files.Files
	plan       *plan.Tool
	hub        *hubtools.Tools
}

// toolList is the list of tools in the order the model sees them: adding one
// is a line here. The order is explicit because a changed order would void
// every cached prompt; a new tool goes behind the others.
func toolList(k *kit) []tool.Tool {
	return []tool.Tool{
		k.bash,
		k.files.Read(),
		k.files.Write(),
		k.files.Edit(),
		k.plan,
		k.hub.Jobs,
		k.hub.RepoFiles,
		k.hub.RepoGit,
		k.jobs,
	}
}

// tools makes the tools of one session, without the disabled ones.
func (a *App) tools(ctx context.Context, session string) ([]tool.Tool, error) {
	k, err := a.kit(ctx, session)
	if err != nil {
		return nil, err
	}
	all := toolList(k)
	for _, name := range a.Config().ToolsDisabled {
		if !slices.ContainsFunc(all, func(t tool.Tool) bool { return t.Spec().Name == name }) {
			a.warn(fmt.Sprintf("tools.disabled names %q, which is no tool", name))
		}
	}
	return slices.DeleteFunc(all, func(t tool.Tool) bool {
		return slices.Contains(a.Config().ToolsDisabled, t.Spec().Name)
	}), nil
}

func (a *App) kit(ctx context.Context, session string) (*kit, error) {
	c := a.Config()
	fence, err := a.sandbox(ctx, session)
	if err != nil {
		return nil, err
	}
	k := &kit{}
	here, err := local.New(local.Options{
		Dir: a.Loaded.Dir, Root: a.Loaded.Workspace, Confine: local.Confine(c.ConfineFiles),
		Extra: []string{a.spillDir(session)}, Home: a.Loaded.Places.Home, Python: a.python(),
		SpillDir: a.spillDir, Environ: a.Loaded.Environ(), ForwardHFToken: c.BashForwardHFToken,
		AllowEnv: c.BashEnvAllow, DropEnv: secretVariables(), Sandbox: fence,
	})
	if err != nil {
		return nil, fmt.Errorf("open the workspace: %w", err)
	}
	commands, err := shell.New(shell.Options{Workspace: here.Open, Dir: a.Loaded.Dir, Close: here.Close})
	if err != nil {
		return nil, fmt.Errorf("make the tool bash: %w", err)
	}
	k.bash, k.jobs = commands.Tools()
	if k.files, err = files.New(files.Options{Workspace: here.Open, Resolve: here.Resolve}); err != nil {
		return nil, fmt.Errorf("make the file tools: %w", err)
	}
	if k.plan, err = plan.New(); err != nil {
		return nil, fmt.Errorf("make the plan tool: %w", err)
	}
	if k.hub, err = a.hubTools(session, here.Open, a.Loaded.Workspace); err != nil {
		return nil, fmt.Errorf("make the tools of the Hub: %w", err)
	}
	return k, nil
}

// secretVariables names the variables whose values are secrets, which not every
// name tells: commands do not have them.
func secretVariables() []string {
	var names []string
	for _, v := range environ.Variables {
		if v.Secret {
			names = append(names, v.Name)
		}
	}
	return names
}

// python finds the interpreter that checks Python files: nil is the usual
// search. In a folder that is not trusted its own .venv is not run.
func (a *App) python() func() string {
	if a.Loaded.Trusted {
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

// sandbox makes the fence around commands that the configuration asks for. One
// that does not work here is a usage error: nothing runs without it.
func (a *App) sandbox(ctx context.Context, session string) (*proc.Sandbox, error) {
	c := a.Config()
	if proc.Mode(c.BashSandbox) == proc.Off || c.BashSandbox == "" {
		return nil, nil
	}
	spill := a.spillDir(session)
	if err := os.MkdirAll(spill, 0o700); err != nil {
		return nil, fmt.Errorf("make the session's temp folder: %w", err)
	}
	fence, err := proc.NewSandbox(ctx, proc.SandboxOptions{
		Mode: proc.Mode(c.BashSandbox), Home: a.Loaded.Places.Home,
		Write: append([]string{a.Loaded.Workspace, spill}, c.BashSandboxWrite...), Read: c.BashSandboxRead,
	})
	if err != nil {
		return nil, &UsageError{fmt.Errorf("bash_sandbox: %w", err)}
	}
	return fence, nil
}

// spillDir is where a session keeps output too long for its journal.
func (a *App) spillDir(session string) string {
	return filepath.Join(a.Loaded.Places.Sessions(), session, "spill")
}
