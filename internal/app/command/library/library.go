// Package library is the commands about the saved sessions: they list, show,
// search, name, remove, export and import them.
package library

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/saved"
)

// Sessions makes the command.
func Sessions(s *console.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sessions",
		Short: "List, search, name, remove, export and import sessions",
		Long: `Saved sessions. ID is a session's id or the beginning of it, its number in the
list, or the path of a session file.`,
	}
	cmd.AddCommand(
		newList(s), newShow(s), newSearch(s), newRename(s), newRemove(s), newExport(s), newImport(s),
	)
	return console.WithoutRun(cmd)
}

// shelf runs do with the saved sessions open.
func shelf(ctx context.Context, s *console.Streams, do func(a *app.App, lib *saved.Sessions) error) error {
	a, err := s.Open(ctx)
	if err != nil {
		return err
	}
	lib, err := a.Library()
	if err == nil {
		err = do(a, lib)
	}
	return errors.Join(err, a.Close())
}

// resolve finds one session by what a person typed.
func resolve(ctx context.Context, lib *saved.Sessions, arg string) (sessions.Entry, error) {
	entry, err := lib.Resolve(ctx, arg)
	var missing *sessions.NotFoundError
	if errors.As(err, &missing) {
		return entry, console.Usage("%w (ml-intern sessions list --all shows them)", err)
	}
	return entry, err
}
