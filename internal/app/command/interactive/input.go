package interactive

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/mention"
	"github.com/ml-intern/ml-intern/internal/app/skillset"
	"github.com/ml-intern/ml-intern/internal/app/slash"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
	"github.com/ml-intern/ml-intern/internal/ui/chart"
	"github.com/ml-intern/ml-intern/internal/ui/terminal"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/composer/complete"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// commands are the slash commands.
func (r *run) commands(set *skillset.Set) []dialog.Command {
	return slash.Commands(&slash.Desk{
		App: r.app, Version: app.Version(), Plain: r.lines(), ASCII: r.options.ASCII, Paint: painter(r.look(r.app.Config().UI.Theme != "light")), Environ: r.environ(),
		Skills: set,
	})
}

// painter gives the pieces of a chart the theme's colours.
func painter(th *theme.Theme) func(chart.Part, string) string {
	curves := []theme.Role{theme.Accent, theme.Success, theme.Warning, theme.Link, theme.Keyword, theme.Number}
	return func(part chart.Part, text string) string {
		switch {
		case part == chart.Axis:
			return th.Paint(theme.Dim, text)
		case part < 0:
			return th.Paint(theme.Danger, text)
		}
		return th.Paint(curves[int(part)%len(curves)], text)
	}
}

// seen remembers repositories that were mentioned.
func (r *run) seen() *mention.Seen {
	return mention.OpenSeen(filepath.Join(r.app.Loaded.Places.Cache, "mentioned.json"))
}

// sources complete what is typed.
func (r *run) sources(commands []dialog.Command) []complete.Source {
	dir := r.app.Loaded.Dir
	return []complete.Source{r.prompts.Complete(complete.Slash(commands), commands), mention.Completed(r.seen(), r.hubCache()), complete.Paths(dir)}
}

// hubCache is where the Hub's clients keep files.
func (r *run) hubCache() string {
	env := r.app.Loaded.Env
	cache := cmp.Or(env("XDG_CACHE_HOME"), filepath.Join(r.app.Loaded.Places.Home, ".cache"))
	return cmp.Or(env("HF_HUB_CACHE"), filepath.Join(cmp.Or(env("HF_HOME"), filepath.Join(cache, "huggingface")), "hub"))
}

// follow opens the session and remembers it.
func (r *run) follow(ctx context.Context, again string, talk dialog.Talk) (*terminal.Opened, error) {
	o, err := r.open(ctx, again, talk)
	if err == nil {
		o.Session = r.prompts.Watch(o.Session)
		r.mu.Lock()
		r.shown = o.Session
		r.mu.Unlock()
	}
	return o, err
}

// session is the one that is shown, nil before there is one.
func (r *run) session() attach.Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shown
}

// pictures reports whether the session's model takes pictures, as far as the
// router's list tells; nothing is asked for it.
func (r *run) pictures(context.Context) (takes, known bool) {
	model := r.app.Model()
	if s := r.session(); s != nil {
		model = s.Info().Settings.Model
	}
	m, ok := r.app.Models.Catalog().Peek(model)
	return slices.Contains(m.Inputs, "image"), ok && len(m.Inputs) > 0
}
