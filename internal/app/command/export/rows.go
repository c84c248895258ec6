package export

import (
	"context"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/exports"
	"github.com/ml-intern/ml-intern/internal/app/traces"
	"github.com/ml-intern/ml-intern/internal/sink/trace"
)

func newRows(s *console.Streams) *cobra.Command {
	var e ends
	var d days
	var counters bool
	cmd := &cobra.Command{
		Use:   "rows",
		Short: "Make telemetry rows: each session as one line of JSON",
		Long: `Make a row of each session, a line of JSON: sessions/2026-01-31/ID.jsonl with its
messages, events and tools as JSON in texts, and the sums of what it has used. These
are whole sessions. With --counters a row has numbers only: it is what shared
telemetry would send, which is off unless you turn it on.`,
		Example: `  ml-intern export rows --out -
  ml-intern export rows --counters --days 7`,
		Args: cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) (err error) {
			var r exports.Rows
			if r.From, r.To, err = d.span(time.Now()); err != nil {
				return err
			}
			return e.run(ctx, s, "HF_SESSION_UPLOAD_TOKEN", false, func(ctx context.Context, desk *desk) (exports.Summary, error) {
				if counters {
					r.Counters = desk.counters(ctx)
				}
				return r.Sessions(ctx, desk.options)
			})
		}),
	}
	d.flags(cmd, 0)
	cmd.Flags().BoolVar(&counters, "counters", false, "leave out what was said and done, and the user's name")
	e.hint = "--days 0 takes all, --date one day"
	e.flags(cmd)
	e.texts(cmd)
	return cmd
}

// counters is how shared telemetry renders a session: for whoever is logged in, else for
// the user that the session names.
func (d *desk) counters(ctx context.Context) func(user string) trace.Render {
	salt := filepath.Join(traces.Folder(d.Loaded.Places), "salt")
	me := d.User(ctx, false)
	return func(user string) trace.Render {
		if me != nil {
			user = *me
		}
		return trace.Counters(salt, user)
	}
}
