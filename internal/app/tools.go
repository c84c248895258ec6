package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/ml-intern/ml-intern/internal/app/hands"
	"github.com/ml-intern/ml-intern/internal/app/hubtools"
	"github.com/ml-intern/ml-intern/internal/app/lookups"
	"github.com/ml-intern/ml-intern/internal/app/messenger"
	"github.com/ml-intern/ml-intern/internal/app/servers"
	"github.com/ml-intern/ml-intern/internal/app/skillset"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/plan"
)

// kit holds the families of tools of one session: what the tools of a family
// share lives exactly as long as the session.
type kit struct {
	hands    *hands.Hands
	research tool.Tool
	look     *lookups.Tools
	plan     *plan.Tool
	notify   tool.Tool
	hub      *hubtools.Tools
	skill    tool.Tool
}

// toolList is the list of tools in the order the model sees them: adding one
// is a line here. The order is explicit because a changed order would void
// every cached prompt; a new tool goes behind the others.
func toolList(k *kit) []tool.Tool {
	all := []tool.Tool{
		k.hands.Create,
		k.hands.Bash,
		k.hands.Read,
		k.hands.Write,
		k.hands.Edit,
		k.research,
		k.look.ExploreDocs,
		k.look.FetchDocs,
		k.look.Papers,
		k.look.WebSearch,
		k.look.Inspect,
		k.plan,
		k.notify,
		k.hub.Jobs,
		k.hub.RepoFiles,
		k.hub.RepoGit,
		k.look.FindExamples,
		k.look.ListRepos,
		k.look.ReadFile,
		k.look.FindAPI,
		k.hands.Jobs,
		k.hands.Delete,
		k.look.WebFetch,
		k.look.HubSearch,
		k.look.InspectModel,
		k.look.Query,
		k.look.Audit,
		k.look.Leaderboard,
		k.look.Search,
		k.hub.Wait,
		k.skill,
	}
	return slices.DeleteFunc(all, func(t tool.Tool) bool { return t == nil })
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
	return a.enabled(all), nil
}

// enabled are the tools that are not disabled.
func (a *App) enabled(all []tool.Tool) []tool.Tool {
	return slices.DeleteFunc(all, func(t tool.Tool) bool { return slices.Contains(a.Config().ToolsDisabled, t.Spec().Name) })
}

func (a *App) kit(ctx context.Context, session string) (*kit, error) {
	k := &kit{}
	var err error
	if k.hands, err = a.hands(ctx, session); err != nil {
		return nil, err
	}
	if k.plan, err = plan.New(); err != nil {
		return nil, fmt.Errorf("make the plan tool: %w", err)
	}
	if k.notify, err = messenger.New(messenger.Options{Loaded: a.Loaded, HTTP: a.http, Kept: a.memory == nil, Simulated: a.simulation != nil, Scrub: a.Scrub}).Tool(); err != nil {
		return nil, fmt.Errorf("make the tool notify: %w", err)
	}
	if k.hub, err = a.hubTools(session, k.hands); err != nil {
		return nil, fmt.Errorf("make the tools of the Hub: %w", err)
	}
	k.hands.Listen(k.hub.Artifacts.Made)
	if k.look, err = a.lookups.Tools(); err != nil {
		return nil, err
	}
	if k.skill, err = skillset.Tool(a.Loaded, a.spillDir(session), a.warn); err != nil {
		return nil, err
	}
	if k.research, err = a.lookups.Research(func() []tool.Tool { return a.enabled(toolList(k)) }, k.hands.Bare, k.hands.Folders(a.workspace(session))...); err != nil {
		return nil, fmt.Errorf("make the tool research: %w", err)
	}
	return k, nil
}

// Servers are what MCP servers are made of, for a session with these tools.
func (a *App) Servers(tell func(line string), tools []string) servers.Options {
	return servers.Options{
		Loaded: a.Loaded, HTTP: a.http, Token: func(ctx context.Context) string { return a.login.Token(ctx, 0) }, Version: Version(),
		Simulated: a.simulation != nil, Tools: tools, Hold: a.secrets.Hold, Tell: tell, Debug: a.Debug,
	}
}

// hands makes the acting tools where the runtime says.
func (a *App) hands(ctx context.Context, session string) (*hands.Hands, error) {
	if a.Config().ToolRuntime != "sandbox" {
		h, err := hands.Local(ctx, a.Loaded, session, a.spillDir)
		if errors.Is(err, hands.ErrFence) {
			err = &UsageError{Err: err}
		}
		return h, err
	}
	fleet, err := a.Fleet()
	if err != nil {
		return nil, err
	}
	return fleet.Hands(session, a.sessionDir(session))
}

// TempDir is the folder of a session's own, which its tools may read and write.
func (a *App) TempDir(session string) string { return a.spillDir(session) }

// spillDir is where a session keeps output too long for its journal.
func (a *App) spillDir(session string) string {
	return filepath.Join(a.Loaded.Places.Sessions(), session, "spill")
}
