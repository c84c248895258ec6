package command

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/hooks"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/config/place"
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
			return trust(ctx, s, dir, revoke)
		}),
	}
	cmd.Flags().BoolVar(&revoke, "revoke", false, "take the trust back")
	return cmd
}

func trust(ctx context.Context, s *console.Streams, dir string, revoke bool) error {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return console.Usage("%s is not a directory", dir)
	}
	l, err := config.Load(ctx, config.Options{Dir: dir, Environ: s.Environ})
	if l == nil {
		return err
	}
	root := l.RepoRoot
	if root == "" {
		root = l.Dir
	}
	list := place.OpenTrust(l.Places.TrustFile())
	if revoke {
		if err := list.Revoke(root); err != nil {
			return err
		}
		_, err := fmt.Fprintf(s.Out, "%s is no longer trusted\n", root)
		return err
	}
	if err := list.Trust(root); err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "%s is trusted\n", root)
	return hooks.Greet(ctx, s.Out, config.Options{Dir: dir, Environ: s.Environ})
}
