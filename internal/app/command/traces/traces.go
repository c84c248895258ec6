// Package traces is the commands about the sessions of this user on the Hub: what
// is uploaded and how it stands, who sees it, what is in it. The uploads
// themselves, and the data set, are others'.
package traces

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/traceset"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/traces"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
)

// New makes the command.
func New(s *console.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "traces",
		Short: "Show and change what is uploaded of your sessions",
		Long: `While somebody is logged in, sessions are uploaded to a private dataset of that
user, {hf_user}/ml-intern-sessions (personal_trace_repo_template), without the
secrets that are found in them. ID is a session's id or the beginning of it, its
number in ml-intern sessions list, or a path.`,
		Example: `  ml-intern traces status
  ml-intern traces show 3f2b8c1e
  ml-intern traces off`,
	}
	status := newStatus(s)
	cmd.AddCommand(status, newPush(s), newShow(s), newVisibility(s), newDelete(s), newSwitch(s, true), newSwitch(s, false))
	return console.WithDefault(cmd, status)
}

// with runs do with the program and its uploads open.
func with(ctx context.Context, s *console.Streams, do func(a *app.App, d *traces.Desk) error) error {
	a, err := s.Open(ctx)
	if err != nil {
		return err
	}
	d, err := a.Traces()
	if err == nil {
		err = do(a, d)
	}
	return errors.Join(err, a.Close())
}

// withSet is with, and the user's data set.
func withSet(ctx context.Context, s *console.Streams, do func(a *app.App, d *traces.Desk, set *traceset.Set) error) error {
	return with(ctx, s, func(a *app.App, d *traces.Desk) error {
		client, err := a.OpenHub()
		if err != nil {
			return err
		}
		defer client.Close()
		set, err := own(ctx, d, client)
		if err != nil {
			return err
		}
		return do(a, d, set)
	})
}

func own(ctx context.Context, d *traces.Desk, client *hub.Client) (*traceset.Set, error) {
	set, err := d.Own(ctx, client)
	if err != nil {
		return nil, console.Usage("%w", err)
	}
	return set, nil
}

// newSwitch turns uploads on or off.
func newSwitch(s *console.Streams, on bool) *cobra.Command {
	word, short, done := "off", "Upload nothing any more", "share_traces is off now, in %s. What is on the Hub stays as it is.\n"
	if on {
		word, short, done = "on", "Upload sessions to your own private dataset", "share_traces is on now, in %s: from the next session on.\n"
	}
	return &cobra.Command{
		Use:   word,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			loaded, err := s.Config(ctx) // its faults are no reason to go on uploading
			if loaded == nil {
				return err
			}
			if err := loaded.Set(ctx, "share_traces", fmt.Sprint(on)); err != nil {
				return console.UsageOf(err)
			}
			fmt.Fprintf(s.Out, done, loaded.UserFile)
			return nil
		}),
	}
}

// place is a data set as --json tells it.
type place struct {
	Repo       string `json:"repo"`
	URL        string `json:"url"`
	Exists     bool   `json:"exists"`
	Visibility string `json:"visibility,omitempty"`
}

func placeOf(set *traceset.Set, state traceset.State) place {
	p := place{Repo: set.Repo, URL: set.URL(), Exists: state.Exists}
	if state.Exists {
		p.Visibility = state.Visibility()
	}
	return p
}

func newStatus(s *console.Streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell what is uploaded, what waits, and who sees it",
		Args:  cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			return with(ctx, s, func(a *app.App, d *traces.Desk) error {
				standing, err := d.Standing(ctx)
				if err != nil {
					return err
				}
				var p *place
				var failed error
				if standing.On {
					p, failed = look(ctx, a, d)
				}
				if asJSON {
					out := struct {
						traces.Standing
						Dataset *place `json:"dataset"`
						Error   string `json:"dataset_error,omitempty"`
					}{Standing: standing, Dataset: p}
					if failed != nil {
						out.Error = failed.Error()
					}
					return s.PrintJSON(out)
				}
				fmt.Fprintln(s.Out, lines(standing.Text()))
				switch {
				case !standing.On:
				case failed != nil:
					fmt.Fprintln(s.Out, console.OneLine(failed.Error()))
				case !p.Exists:
					fmt.Fprintf(s.Out, "%s does not exist yet. It will be created private on the next save that is uploaded.\n", p.Repo)
				default:
					fmt.Fprintf(s.Out, "%s\nVisibility: %s\n", p.URL, p.Visibility)
				}
				return nil
			})
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

// look asks the Hub about the data set; what hinders that is a part of the
// answer.
func look(ctx context.Context, a *app.App, d *traces.Desk) (*place, error) {
	client, err := a.OpenHub()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	set, err := d.Own(ctx, client)
	if err != nil {
		return nil, err
	}
	state, err := set.State(ctx)
	if err != nil {
		return nil, err
	}
	p := placeOf(set, state)
	return &p, nil
}

func newVisibility(s *console.Streams) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:       "visibility [public|private]",
		Short:     "Tell or change who sees your sessions",
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: []string{"public", "private"},
		RunE: console.Do(func(ctx context.Context, args []string) error {
			if len(args) == 1 && args[0] != "public" && args[0] != "private" {
				return console.Usage("traces visibility %s: expected public or private", args[0])
			}
			return withSet(ctx, s, func(_ *app.App, _ *traces.Desk, set *traceset.Set) error {
				if len(args) == 0 {
					state, err := set.State(ctx)
					if err != nil {
						return err
					}
					fmt.Fprintln(s.Out, traces.Place(set, state))
					return nil
				}
				return show(ctx, s, set, args[0] == "public", yes)
			})
		}),
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before all is public")
	return cmd
}

// show makes the data set public, with a question, or private.
func show(ctx context.Context, s *console.Streams, set *traceset.Set, public, yes bool) error {
	if public {
		c, err := set.Contents(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintln(s.Err, lines(traces.Seen(c)))
		if !yes {
			if err := s.Confirm("Make " + set.Repo + " public?"); err != nil {
				return err
			}
		}
	}
	if err := set.Show(ctx, public); err != nil {
		return err
	}
	word := "private"
	if public {
		word = "PUBLIC"
	}
	fmt.Fprintf(s.Out, "Dataset is now %s.\n%s\n", word, set.URL())
	return nil
}

func newDelete(s *console.Streams) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "delete ID",
		Short: "Take a session out of your datasets on the Hub",
		Long: `Take a session's file out of your dataset and of the public one beside it. Their
history keeps it. The session on this machine stays, and is not uploaded again
until ml-intern traces push does it.`,
		Args: cobra.ExactArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			if len(args[0]) < traceset.LeastID {
				return console.Usage("traces delete: give at least the first %d characters of the session's id", traceset.LeastID)
			}
			return withSet(ctx, s, func(_ *app.App, d *traces.Desk, set *traceset.Set) error {
				return remove(ctx, s, d, set, args[0], yes)
			})
		}),
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// remove takes files out; all that are found are named first.
func remove(ctx context.Context, s *console.Streams, d *traces.Desk, mine *traceset.Set, id string, yes bool) error {
	type found struct {
		set  *traceset.Set
		file string
	}
	var all []found
	for _, set := range []*traceset.Set{mine, mine.Public()} {
		files, err := set.Find(ctx, id)
		if err != nil {
			return err
		}
		for _, file := range files {
			all = append(all, found{set, file})
		}
	}
	if len(all) == 0 {
		return console.Usage("neither %s nor %s has a session %s", mine.Repo, mine.Public().Repo, id)
	}
	if !yes {
		for _, f := range all {
			fmt.Fprintln(s.Err, console.OneLine(f.set.Repo+"/"+f.file))
		}
		if err := s.Confirm("Take " + amount.Count(len(all), "file") + " out?"); err != nil {
			return err
		}
	}
	for _, f := range all {
		err := f.set.Remove(ctx, f.file)
		if err == nil && f.set == mine {
			err = d.TakenOut(ctx, f.file)
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(s.Out, "removed "+console.OneLine(f.set.Repo+"/"+f.file))
	}
	return nil
}
