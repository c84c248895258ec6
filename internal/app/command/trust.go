package command

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/trust"
	"github.com/ml-intern/ml-intern/internal/config"
)

func newTrust(s *console.Streams) *cobra.Command {
	var revoke bool
	cmd := &cobra.Command{
		Use:   "trust [DIR]",
		Short: "Trust a folder's own configuration and .env",
		Long: `Trust the project in DIR (default the current folder): its own
.ml-intern/config.json may then change every setting, and its .env may set
addresses and paths. Trust is given to the root of the git repository around
DIR, or to DIR itself.`,
		Args: cobra.MaximumNArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			dir := s.Dir
			if len(args) > 0 {
				dir = app.Absolute(args[0], s.Dir)
			}
			return changeTrust(ctx, s, dir, revoke)
		}),
	}
	cmd.Flags().BoolVar(&revoke, "revoke", false, "take the trust back")
	return cmd
}

func changeTrust(ctx context.Context, s *console.Streams, dir string, revoke bool) error {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return console.Usage("%s is not a directory", dir)
	}
	o := config.Options{Dir: dir, Environ: s.Environ}
	l, err := config.Load(ctx, o)
	if l == nil {
		return err
	}
	if revoke {
		if err := l.TrustList().Revoke(l.Root()); err != nil {
			return err
		}
		_, err := fmt.Fprintf(s.Out, "%s is no longer trusted\n", l.Root())
		return err
	}
	return trust.Give(ctx, s.Out, l, o)
}
