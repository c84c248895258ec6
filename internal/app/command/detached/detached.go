// Package detached is the commands for sessions in processes of their own:
// starting one in the background, listing them, looking on, ending them, and the hidden one that
// makes a process the host of a session.
package detached

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/detach"
	"github.com/ml-intern/ml-intern/internal/config"
)

// NewHost is the command of a session's own process. It is hidden because the
// program starts it, not a person.
func NewHost(s *console.Streams) *cobra.Command {
	return &cobra.Command{
		Use:    detach.Word,
		Short:  "Run a session that no terminal ends; the request comes on standard input",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			if s.InTTY {
				return console.Usage("%s is started by ml-intern itself: use ml-intern --detach \"what to do\"", detach.Word)
			}
			host := detach.Host{In: s.In, Out: s.Out, Environ: s.Environ, Dir: s.Dir, Code: console.CodeOf}
			return console.Silent(host.Run(ctx))
		}),
	}
}

// Run is what --detach needs to know.
type Run struct {
	Dir     string
	Request detach.Request
	// JSON prints an object, Quiet nothing but the session's id.
	JSON, Quiet bool
}

// Start starts a session in the background and says how it is reached.
func Start(ctx context.Context, s *console.Streams, r Run) error {
	loaded, err := config.Load(ctx, config.Options{Dir: r.Dir, Environ: s.Environ, Flags: r.Request.Settings, Trust: r.Request.Trust})
	if err != nil {
		return console.UsageOf(err)
	}
	started, err := detach.Start(ctx, detach.Command{Environ: s.Environ, Dir: r.Dir, Log: loaded.Places.DebugLog()}, r.Request)
	var failed *detach.FailedError
	if errors.As(err, &failed) {
		return &console.ExitError{Code: failed.Code, Err: failed}
	}
	if err != nil {
		return err
	}
	for _, line := range started.Warnings {
		fmt.Fprintln(s.Err, "warning: "+line)
	}
	if r.JSON {
		return s.PrintJSON(started)
	}
	id := started.SessionID
	fmt.Fprintln(s.Out, id)
	if r.Quiet {
		return nil
	}
	short := id[:8]
	fmt.Fprintf(s.Err, "The session works in the background, as process %d.\n"+
		"  ml-intern attach %s  sit down at it\n"+
		"  ml-intern tail %s    look on\n"+
		"  ml-intern stop %s    end it\n", started.PID, short, short, short)
	return nil
}

// registry is the list of running hosts.
func registry(a *app.App) *detach.Registry {
	return detach.Open(a.Loaded.Places.State, a.Loaded.LookupEnv)
}

// find picks a running host.
func find(r *detach.Registry, id string) (detach.Entry, error) {
	e, err := r.Find(id)
	if err != nil {
		return e, console.UsageOf(err)
	}
	return e, nil
}
