package interactive

import (
	"context"
	"slices"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/detach"
	"github.com/ml-intern/ml-intern/internal/app/trust"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/ui/attach"
	"github.com/ml-intern/ml-intern/internal/ui/terminal"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// trust asks whether the folder is trusted, where it brings something along and
// somebody can be asked.
func (o Options) trust(ctx context.Context, s *console.Streams) error {
	if o.Attach != "" || !s.InTTY || !s.OutTTY {
		return nil
	}
	from := config.Options{Dir: o.App.Dir, Environ: o.App.Environ, Flags: o.App.Flags, Trust: o.App.Trust}
	l, err := config.Load(ctx, from)
	if err != nil {
		return nil // it is told when the program is made
	}
	return trust.Ask(ctx, s.In, s.Out, l, from)
}

// detachable reports whether the session can live without this terminal: it is
// kept on disk, and its Hub is not simulated inside this process.
func (r *run) detachable() bool {
	return r.app.Config().SaveSessions && r.options.App.Simulation == nil
}

// open opens the session: the one that is attached to, or the one that the
// command line asks for. Again is one to go on with after it has ended by
// itself.
func (r *run) open(ctx context.Context, again string, talk dialog.Talk) (*terminal.Opened, error) {
	request := r.options.Session
	if again != "" {
		request = app.SessionRequest{Resume: again}
	}
	if r.options.Attach != "" && again == "" {
		entry, err := detach.Open(r.app.Loaded.Places.State, r.app.Loaded.LookupEnv).Find(r.options.Attach)
		if err != nil {
			return nil, err
		}
		return r.dial(ctx, entry.Socket, nil)
	}
	if err := r.desk.Greet(ctx, talk); err != nil {
		return nil, &terminal.FatalError{Err: err}
	}
	if !r.detachable() {
		return r.inside(ctx, request)
	}
	return r.outside(ctx, request)
}

// inside opens the session in this process.
func (r *run) inside(ctx context.Context, request app.SessionRequest) (*terminal.Opened, error) {
	if r.desk.Model != "" {
		r.app.ChooseModel(r.desk.Model)
	}
	session, err := r.app.OpenSession(ctx, request)
	if err != nil {
		return nil, err
	}
	return &terminal.Opened{Session: attach.NewLocal(session.Host()), Notes: []string{
		"this session is not kept on disk: it ends with this terminal",
	}}, nil
}

// outside opens the session in a host of its own and attaches to it.
func (r *run) outside(ctx context.Context, request app.SessionRequest) (*terminal.Opened, error) {
	environ := r.environ()
	if r.desk.Token != "" {
		environ = append(slices.Clone(environ), "HF_TOKEN="+r.desk.Token)
	}
	started, err := detach.Start(ctx, detach.Command{
		Environ: environ, Dir: r.app.Loaded.Dir, Log: r.app.Loaded.Places.DebugLog(),
	}, detach.Request{Session: request, Settings: r.settings(), Trust: r.options.App.Trust, NoStream: r.options.App.NoStream})
	if err != nil {
		return nil, err
	}
	return r.dial(ctx, started.Socket, r.warner.news(started.Warnings))
}

// settings are those of the command line and what the first launch has chosen.
func (r *run) settings() map[string][]string {
	all := map[string][]string{}
	for key, values := range r.options.App.Flags {
		all[key] = values
	}
	if r.desk.Model != "" {
		all["model_name"] = []string{r.desk.Model}
	}
	return all
}

// dial attaches to a running session.
func (r *run) dial(ctx context.Context, socket string, notes []string) (*terminal.Opened, error) {
	client, err := attach.Dial(ctx, socket, app.Version())
	if err != nil {
		return nil, err
	}
	return &terminal.Opened{Session: client, Detachable: true, Notes: notes}, nil
}
