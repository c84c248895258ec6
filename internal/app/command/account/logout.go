package account

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/login"
)

// Logout makes the command.
func Logout(s *console.Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "logout",
		Short: "Remove the saved Hugging Face token from this machine",
		Long: `Remove the saved token, also for the other Hugging Face programs of this user,
and what renews it after a login with a code. The token itself stays valid, of
a login with a code for some hours: revoke it on the Hub if it should not be.`,
		Args: cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			l, faults := s.Config(ctx)
			if l == nil {
				return console.UsageOf(faults)
			}
			store := login.Store{Saved: l.Login(), Path: l.Places.OAuth()}
			var removed []string
			for _, path := range []string{store.Saved.Path(), store.Path} {
				if _, err := os.Stat(path); err == nil {
					removed = append(removed, path)
				}
			}
			if err := store.Remove(ctx); err != nil {
				return fmt.Errorf("remove the saved token: %w", err)
			}
			for _, path := range removed {
				fmt.Fprintln(s.Out, "removed "+path)
			}
			if removed == nil {
				fmt.Fprintln(s.Out, "no token was saved at "+store.Saved.Path())
			}
			if token, source := store.Saved.Token(); token != "" {
				fmt.Fprintf(s.Err, "warning: %s still holds a token\n", source)
			}
			return nil
		}),
	}
}
