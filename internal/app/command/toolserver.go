package command

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/toolserver"
	"github.com/ml-intern/ml-intern/internal/app/toolserver/host"
)

// newToolserver serves the tools of a sandbox. It is hidden because a sandbox
// runs it, not a person.
func newToolserver(s *console.Streams) *cobra.Command {
	o := host.Options{Environ: s.Environ, Version: app.Version(), Log: s.Err}
	cmd := &cobra.Command{
		Use:   "toolserver",
		Short: "Serve bash, read, write and edit of this machine over HTTP",
		Long: `Serves bash, read, write and edit of this machine over HTTP, as a sandbox does.
The token that clients show comes from SANDBOX_API_TOKEN, the port from PORT
(default 7860). Commands get neither that token nor, with
ML_INTERN_FORWARD_HF_TOKEN=false, the Hub token.`,
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			if !filepath.IsAbs(o.Dir) {
				o.Dir = filepath.Join(s.Dir, o.Dir)
			}
			if o.Idle < 0 {
				return console.Usage("--idle-timeout is %s: it must be positive", o.Idle)
			}
			ctx, stop := console.StopSignals(ctx, 0)
			defer stop()
			return host.Run(ctx, o)
		}),
	}
	cmd.Flags().StringVar(&o.Dir, "dir", ".", "the workspace's `DIR`, made if it is missing")
	cmd.Flags().DurationVar(&o.Idle, "idle-timeout", toolserver.IdleTimeout, "exit after this `TIME` without request or running command")
	return cmd
}
