package library

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/search"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/saved"
)

// listing is what may be shown of a list.
type listing struct {
	all, json bool
	limit     int
}

func (l *listing) flags(cmd *cobra.Command, limit int, what string) {
	cmd.Flags().BoolVarP(&l.all, "all", "a", false, what+" of all folders")
	cmd.Flags().BoolVar(&l.json, "json", false, "print a JSON array")
	cmd.Flags().IntVarP(&l.limit, "limit", "n", limit, "at most `N` sessions; 0 is no limit")
}

func (l *listing) check() error {
	if l.limit < 0 {
		return console.Usage("--limit is %d: it must be 0 or more", l.limit)
	}
	return nil
}

func newList(s *console.Streams) *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the sessions of this folder, newest first",
		Args:  cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			if err := l.check(); err != nil {
				return err
			}
			return shelf(ctx, s, func(a *app.App, lib *saved.Sessions) error {
				entries, err := lib.List(ctx)
				if err != nil {
					return err
				}
				return l.print(s, entries, a.Loaded.Dir)
			})
		}),
	}
	l.flags(cmd, 0, "list the sessions")
	return cmd
}

// print prints entries; numbers are places in the whole list, so that they mean
// the same everywhere.
func (l listing) print(s *console.Streams, entries []sessions.Entry, dir string) error {
	shown := []sessions.Entry{}
	var numbers []int
	elsewhere, left := 0, 0
	for i, e := range entries {
		switch {
		case !l.all && !sessions.InDir(e, dir):
			elsewhere++
		case l.limit > 0 && len(shown) == l.limit:
			left++
		default:
			shown, numbers = append(shown, e), append(numbers, i+1)
		}
	}
	if l.json {
		return s.PrintJSON(shown)
	}
	now := time.Now()
	for i, e := range shown {
		printEntry(s, numbers[i], e, now)
		if l.all && e.Cwd != "" {
			fmt.Fprintf(s.Out, "    %s\n", console.OneLine(e.Cwd))
		}
	}
	if left > 0 {
		fmt.Fprintf(s.Err, "%d older ones: --limit 0 lists them\n", left)
	}
	if elsewhere > 0 {
		fmt.Fprintf(s.Err, "%d more in other folders: --all lists them\n", elsewhere)
	}
	if len(entries) == 0 {
		fmt.Fprintln(s.Err, "there are no saved sessions")
	}
	return nil
}

// printEntry prints the two lines of a session.
func printEntry(s *console.Streams, number int, e sessions.Entry, now time.Time) {
	at := "unknown time    "
	if !e.UpdatedAt.IsZero() {
		at = e.UpdatedAt.Local().Format("2006-01-02 15:04")
	}
	model := console.OneLine(cmp.Or(e.Model, "unknown model"))
	fmt.Fprintf(s.Out, "%2d. %s  %s  %d msgs  %s\n", number, at, saved.ShortID(e), e.Messages, model)
	fmt.Fprintf(s.Out, "    %s\n", saved.Headline(e))
	fmt.Fprintf(s.Out, "    %s\n", strings.Join(saved.Facts(e, now), " · "))
}

func newSearch(s *console.Streams) *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:   "search TEXT...",
		Short: "Find the sessions in which all these words occur",
		Long: `Find the sessions of this folder in whose messages, tool calls or title all
these words occur, in any case, the newest first. Words that were taken back are
not found.`,
		Example: `  ml-intern sessions search learning rate
  ml-intern sessions search --all "CUDA out of memory" a100`,
		Args: cobra.MinimumNArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			if err := l.check(); err != nil {
				return err
			}
			words, err := search.New(strings.Join(args, " "))
			if err != nil {
				return console.Usage("%w", err)
			}
			return shelf(ctx, s, func(a *app.App, lib *saved.Sessions) error {
				return l.search(ctx, s, lib, words, a.Loaded.Dir)
			})
		}),
	}
	l.flags(cmd, 20, "look into the sessions")
	return cmd
}

func (l listing) search(ctx context.Context, s *console.Streams, lib *saved.Sessions, words *search.Query, dir string) error {
	if l.all {
		dir = ""
	}
	hits, more, err := lib.Search(ctx, sessions.Search{Words: words, Dir: dir, Limit: l.limit})
	if err != nil {
		return err
	}
	if l.json {
		return s.PrintJSON(append([]sessions.Hit{}, hits...))
	}
	now := time.Now()
	for _, h := range hits {
		fmt.Fprintf(s.Out, "%s  %s  %s\n", saved.ShortID(h.Entry), saved.Age(h.UpdatedAt, now), saved.Headline(h.Entry))
		fmt.Fprintf(s.Out, "    %s\n", console.OneLine(h.Snippet))
	}
	switch {
	case more:
		fmt.Fprintf(s.Err, "there are more: --limit 0 shows all\n")
	case len(hits) == 0 && !l.all:
		fmt.Fprintln(s.Err, "nothing was found in the sessions of this folder: --all looks into all")
	case len(hits) == 0:
		fmt.Fprintln(s.Err, "nothing was found")
	}
	return nil
}
