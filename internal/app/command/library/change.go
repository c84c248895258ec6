package library

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/adapter/store"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/saved"
)

func newRename(s *console.Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "rename ID TITLE...",
		Short: "Give a session a title",
		Args:  cobra.MinimumNArgs(2),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			return shelf(ctx, s, func(_ *app.App, lib *saved.Sessions) error {
				entry, err := resolve(ctx, lib, args[0])
				if err != nil {
					return err
				}
				title, err := lib.Rename(ctx, entry, strings.Join(args[1:], " "))
				var held *store.HeldError
				var file *saved.FileError
				switch {
				case errors.As(err, &held):
					return console.Usage("%w: give it its title there, with /rename", err)
				case errors.As(err, &file), errors.Is(err, saved.ErrNoTitle):
					return console.Usage("%w", err)
				case err != nil:
					return err
				}
				fmt.Fprintf(s.Out, "%s  %s\n", entry.SessionID, console.OneLine(title))
				return nil
			})
		}),
	}
}

func newRemove(s *console.Streams) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "rm ID...",
		Short: "Remove sessions and their files for good",
		Args:  cobra.MinimumNArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			return shelf(ctx, s, func(_ *app.App, lib *saved.Sessions) error {
				return remove(ctx, s, lib, args, yes)
			})
		}),
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// remove finds all sessions before it removes one: numbers would move.
func remove(ctx context.Context, s *console.Streams, lib *saved.Sessions, args []string, yes bool) error {
	var chosen []sessions.Entry
	for _, arg := range args {
		entry, err := resolve(ctx, lib, arg)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(chosen, func(e sessions.Entry) bool { return e.Path == entry.Path }) {
			chosen = append(chosen, entry)
		}
	}
	if !yes {
		for _, e := range chosen {
			fmt.Fprintf(s.Err, "%s  %s\n", console.OneLine(e.Name()), saved.Headline(e))
		}
		if err := s.Confirm(fmt.Sprintf("Remove %d session(s) for good?", len(chosen))); err != nil {
			return err
		}
	}
	for _, e := range chosen {
		if err := lib.Remove(ctx, e); err != nil {
			return err
		}
		fmt.Fprintln(s.Out, "removed "+console.OneLine(e.Name()))
	}
	return nil
}
