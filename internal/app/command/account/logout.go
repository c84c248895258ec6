package account

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app/command/console"
)

// Logout makes the command.
func Logout(s *console.Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "logout",
		Short: "Remove the saved Hugging Face token from this machine",
		Long: `Remove the saved token, also for the other Hugging Face programs of this user.
The token stays valid: revoke it on the Hub if it should not be.`,
		Args: cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			l, faults := s.Config(ctx)
			if l == nil {
				return console.UsageOf(faults)
			}
			login := l.Login()
			_, missing := os.Stat(login.Path())
			if err := login.Remove(); err != nil {
				return fmt.Errorf("remove the saved token: %w", err)
			}
			if missing != nil {
				fmt.Fprintln(s.Out, "no token was saved at "+login.Path())
			} else {
				fmt.Fprintln(s.Out, "removed "+login.Path())
			}
			if token, source := login.Token(); token != "" {
				fmt.Fprintf(s.Err, "warning: %s still holds a token\n", source)
			}
			return nil
		}),
	}
}
