package export

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/exports"
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
			return e.run(ctx, s, "HF_SESSION_UPLOAD_TOKEN", false, r.Sessions)
		}),
	}
	d.flags(cmd, 0)
	cmd.Flags().BoolVar(&counters, "counters", false, "leave out what was said and done, and the user's name")
	e.flags(cmd, true)
	return cmd
}
