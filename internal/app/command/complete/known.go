package complete

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/modelid"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/detach"
	"github.com/ml-intern/ml-intern/internal/app/skillset"
	"github.com/ml-intern/ml-intern/internal/config/schema"
	"github.com/ml-intern/ml-intern/internal/domain/hook"
)

// known is what can be said without asking anybody: the settings, and what lies on
// disk.
type known struct {
	streams *console.Streams

	once sync.Once
	app  *app.App // nil where the settings cannot be read
}

// program is the program with its settings, faults and all; nil where there is
// none. It is never closed: the process ends.
func (k *known) program(ctx context.Context) *app.App {
	k.once.Do(func() {
		k.app, _ = app.New(ctx, app.Options{Dir: k.streams.Dir, Environ: k.streams.Environ, Lenient: true})
	})
	return k.app
}

// with finds values with the program.
func with(find func(ctx context.Context, a *app.App) []string) source {
	return func(ctx context.Context, k *known, _ []string) offer {
		a := k.program(ctx)
		if a == nil {
			return offer{}
		}
		return offer{values: find(ctx, a)}
	}
}

func modes(context.Context, *known, []string) offer     { return offer{values: modeList()} }
func scenarios(context.Context, *known, []string) offer { return offer{values: scenarioList()} }

// models are those that are suggested, and the router's, as far as its list is at
// hand. The login is read and not renewed: that would ask the network.
func models(ctx context.Context, k *known, args []string) offer {
	return with(func(_ context.Context, a *app.App) []string {
		there := func(name string) bool { return a.Loaded.Env(name) != "" }
		var all []string
		for _, s := range modelid.Suggested(modelid.Keys{
			Anthropic: there("ANTHROPIC_API_KEY") || there("ANTHROPIC_AUTH_TOKEN"), OpenAI: there("OPENAI_API_KEY"),
			OpenRouter: there("OPENROUTER_API_KEY"), HF: a.Token() != "",
		}, a.Config().ModelRouting) {
			about := s.Provider
			if s.Needs != "" {
				about += ", needs " + s.Needs
			}
			all = append(all, s.ID+"\t"+about)
		}
		return append(all, a.Models.Catalog().Names()...)
	})(ctx, k, args)
}

// sessionIDs are the saved sessions that are not named yet, those of this folder
// first.
func sessionIDs(ctx context.Context, k *known, args []string) offer {
	return with(func(ctx context.Context, a *app.App) []string {
		lib, err := a.Library()
		if err != nil {
			return nil
		}
		entries, _ := lib.List(ctx) // those that can be read
		slices.SortStableFunc(entries, func(x, y sessions.Entry) int {
			return cmp.Compare(elsewhere(x, a.Loaded.Dir), elsewhere(y, a.Loaded.Dir))
		})
		var all []string
		for _, e := range entries {
			if e.SessionID != "" && !slices.Contains(args, e.SessionID) {
				all = append(all, e.SessionID+"\t"+e.Line())
			}
		}
		return all
	})(ctx, k, args)
}

func elsewhere(e sessions.Entry, dir string) int {
	if sessions.InDir(e, dir) {
		return 0
	}
	return 1
}

// running are the sessions that run in the background.
func running(ctx context.Context, k *known, args []string) offer {
	return with(func(_ context.Context, a *app.App) []string {
		entries, _ := detach.Open(a.Loaded.Places.State, a.Loaded.LookupEnv).List()
		var all []string
		for _, e := range entries {
			all = append(all, e.SessionID+"\t"+cmp.Or(e.Prompt, e.Cwd))
		}
		return all
	})(ctx, k, args)
}

// called are the skills and commands that a prompt may begin with.
func called(ctx context.Context, k *known, args []string) offer {
	if len(args) > 0 {
		return offer{files: true} // a prompt may name them
	}
	return with(func(_ context.Context, a *app.App) []string {
		var all []string
		for _, e := range skillset.Load(a.Loaded).Callable() {
			all = append(all, "/"+e.Name+"\t"+e.Description)
		}
		return all
	})(ctx, k, args)
}

func skillNames(ctx context.Context, k *known, args []string) offer {
	return with(func(_ context.Context, a *app.App) []string {
		var all []string
		for _, e := range skillset.Load(a.Loaded).Entries {
			all = append(all, e.Name+"\t"+e.Description)
		}
		return all
	})(ctx, k, args)
}

// keys are those of the settings.
func keys(context.Context, *known, []string) offer {
	var all []string
	for _, key := range schema.Keys {
		all = append(all, key.Name+"\t"+key.Effect)
	}
	return offer{values: all}
}

// keyValues are what a key may be set to.
func keyValues(ctx context.Context, k *known, args []string) offer {
	key, ok := schema.Find(args[0])
	switch {
	case !ok:
		return offer{}
	case key.Name == "model_name" || key.Name == "research_model":
		return models(ctx, k, args)
	case key.Kind == schema.Bool:
		return offer{values: []string{"true", "false"}}
	case key.Kind == schema.Path || key.Kind == schema.Paths:
		return offer{files: true}
	}
	return offer{values: key.Allowed}
}

func tools(ctx context.Context, k *known, args []string) offer {
	if len(args)%2 == 1 { // the arguments of one
		return offer{}
	}
	return with(func(ctx context.Context, a *app.App) []string {
		all, err := a.Tools(ctx)
		if err != nil {
			return nil
		}
		var names []string
		for _, t := range all {
			names = append(names, t.Spec().Name+"\t"+t.Spec().Description)
		}
		return names
	})(ctx, k, args)
}

func servers(ctx context.Context, k *known, args []string) offer {
	return with(func(_ context.Context, a *app.App) []string {
		var all []string
		for _, name := range slices.Sorted(maps.Keys(a.Config().MCPServers)) {
			s := a.Config().MCPServers[name]
			if !slices.Contains(args, name) {
				all = append(all, name+"\t"+cmp.Or(s.URL, s.Command))
			}
		}
		return all
	})(ctx, k, args)
}

func destinations(ctx context.Context, k *known, args []string) offer {
	return with(func(_ context.Context, a *app.App) []string {
		var all []string
		for _, name := range slices.Sorted(maps.Keys(a.Config().Messaging.Destinations)) {
			if !slices.Contains(args, name) {
				all = append(all, name+"\t"+a.Config().Messaging.Destinations[name].Provider)
			}
		}
		return all
	})(ctx, k, args)
}

// moments are those that hooks stand beside.
func moments(context.Context, *known, []string) offer {
	var all []string
	for _, m := range hook.Moments() {
		all = append(all, string(m))
	}
	return offer{values: all}
}
