// Package sandboxes is the command that lists and removes the user's sandboxes on
// the Hub. It knows how they are shown and chosen, not how they are found.
package sandboxes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox/census"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/hands"
)

// flags are those of all its commands.
type flags struct {
	asJSON, force, apply, legacy bool
	days, most                   int
}

// New makes the command.
func New(s *console.Streams) *cobra.Command {
	o := &flags{}
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "List and remove the sandboxes you have on the Hub",
		Long: `List and remove the sandboxes you have on the Hub. A session removes its own
when it ends; one that was killed may leave it behind.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	list := &cobra.Command{
		Use:   "list",
		Short: "List your sandboxes",
		Args:  cobra.NoArgs,
		RunE:  console.Do(func(ctx context.Context, _ []string) error { return o.with(ctx, s, o.list) }),
	}
	list.Flags().BoolVar(&o.asJSON, "json", false, "print a JSON array")
	rm := &cobra.Command{
		Use:     "rm ID...",
		Aliases: []string{"delete"},
		Short:   "Remove sandboxes with all their files",
		Long: `Remove sandboxes with all their files. ID is what list prints: the name of a
Space, with or without its namespace, or the id of a job.`,
		Args: cobra.MinimumNArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			return o.with(ctx, s, func(ctx context.Context, s *console.Streams, y *yard) error { return o.rm(ctx, s, y, args) })
		}),
	}
	rm.Flags().BoolVar(&o.asJSON, "json", false, "print a JSON array of what was removed")
	rm.Flags().BoolVar(&o.force, "force", false, "also those whose session runs on this machine")
	sweep := &cobra.Command{
		Use:   "sweep",
		Short: "Remove the sandboxes that nobody needs any more",
		Long: `Remove the sandboxes that nobody needs any more: those of this program whose
session does not run on this machine and that were not used for an hour, or do
not answer and are older than 24 hours. Without --apply it only says which.`,
		Args: cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error { return o.with(ctx, s, o.sweep) }),
	}
	f := sweep.Flags()
	f.BoolVar(&o.apply, "apply", false, "remove them")
	f.BoolVar(&o.asJSON, "json", false, "print JSON lines")
	f.IntVar(&o.most, "max-deletes", 200, "remove at most `N`")
	f.BoolVar(&o.legacy, "legacy-names", false, "also Spaces without this program's mark that are named like a sandbox")
	f.IntVar(&o.days, "max-age-days", 7, "with --legacy-names: those older than `N` days")
	cmd.AddCommand(list, rm, sweep)
	return cmd
}

// yard is where the sandboxes of a user are.
type yard struct {
	fleet  *hands.Fleet
	census *census.Census
	owner  string
}

// with opens the user's sandboxes.
func (o *flags) with(ctx context.Context, s *console.Streams, f func(context.Context, *console.Streams, *yard) error) error {
	a, err := s.Open(ctx)
	if err != nil {
		return err
	}
	defer a.Close()
	if a.Token() == "" {
		return &app.MissingKeyError{Err: errors.New("no HF token found: set HF_TOKEN or run ml-intern login")}
	}
	y := &yard{}
	if y.fleet, err = a.Fleet(); err != nil {
		return err
	}
	if y.owner, err = y.fleet.Owner(ctx); err != nil {
		return err
	}
	y.census = y.fleet.Census(a.Live)
	return f(ctx, s, y)
}

func (o *flags) list(ctx context.Context, s *console.Streams, y *yard) error {
	all, err := y.census.Take(ctx, y.owner, false)
	if err != nil {
		return err
	}
	if o.asJSON {
		if all == nil {
			all = []census.Entry{}
		}
		return s.PrintJSON(all)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(s.Out, "no sandboxes")
		return err
	}
	w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tON\tHARDWARE\tSTAGE\tAGE\tUNUSED\tSESSION")
	for _, e := range all {
		session := e.Session
		if e.Live {
			session += " (running)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", console.OneLine(e.ID), e.Kind, console.OneLine(e.Hardware), console.OneLine(e.Stage),
			age(time.Since(e.Created)), unused(e), console.OneLine(session))
	}
	return w.Flush()
}

func unused(e census.Entry) string {
	if e.IdleSeconds == nil {
		return "?"
	}
	return age(time.Duration(*e.IdleSeconds) * time.Second)
}

// age is a duration in its largest unit.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(max(d, 0).Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// rm removes those that are named.
func (o *flags) rm(ctx context.Context, s *console.Streams, y *yard, ids []string) error {
	all, err := y.census.Take(ctx, y.owner, true)
	if err != nil {
		return err
	}
	var chosen []census.Entry
	for _, id := range ids {
		i := slices.IndexFunc(all, func(e census.Entry) bool { return e.ID == id || e.ID == y.owner+"/"+id || e.Ref() == id })
		if i < 0 {
			return console.Usage("%s is no sandbox of %s: ml-intern sandbox list shows them", console.OneLine(id), y.owner)
		}
		if all[i].Live && !o.force {
			return console.Usage("the session of %s runs on this machine: add --force to take its sandbox away", all[i].ID)
		}
		chosen = append(chosen, all[i])
	}
	removed := []string{}
	for _, e := range chosen {
		if err := y.fleet.Delete(ctx, e.Place); err != nil {
			return err
		}
		removed = append(removed, e.ID)
		if !o.asJSON {
			fmt.Fprintf(s.Out, "%s removed\n", console.OneLine(e.ID))
		}
	}
	if o.asJSON {
		return s.PrintJSON(removed)
	}
	return nil
}

// deletePause is between two removals: the Hub has limits.
const deletePause = 200 * time.Millisecond

// sweep removes what nobody needs.
func (o *flags) sweep(ctx context.Context, s *console.Streams, y *yard) error {
	all, err := y.census.Take(ctx, y.owner, o.legacy)
	if err != nil {
		return err
	}
	report := &sweepReport{streams: s, json: o.asJSON}
	report.say("sweep_start", fmt.Sprintf("%d sandboxes of %s", len(all), y.owner), map[string]any{"owner": y.owner, "found": len(all), "apply": o.apply})
	candidates, deleted, failed := 0, 0, 0
	for _, e := range all {
		needless, why := o.needless(e)
		if !needless {
			continue
		}
		candidates++
		report.say("candidate", e.ID+": "+why, map[string]any{"id": e.ID, "reason": why})
		if !o.apply || deleted+failed >= o.most {
			continue
		}
		if err := y.fleet.Delete(ctx, e.Place); err != nil {
			failed++
			report.say("delete_failed", e.ID+" could not be removed: "+err.Error(), map[string]any{"id": e.ID, "error": err.Error()})
		} else {
			deleted++
			report.say("deleted", e.ID+" removed", map[string]any{"id": e.ID})
		}
		time.Sleep(deletePause)
	}
	text := fmt.Sprintf("%d can go, %d removed", candidates, deleted)
	if candidates > 0 && !o.apply {
		text += ": add --apply to remove them"
	}
	report.say("sweep_end", text, map[string]any{"candidates": candidates, "deleted": deleted, "failed": failed})
	if failed > 0 {
		return fmt.Errorf("%d sandboxes could not be removed", failed)
	}
	return nil
}

// needless reports whether a sandbox may go, and why.
func (o *flags) needless(e census.Entry) (bool, string) {
	if e.Marked || !o.legacy {
		return e.Needless(time.Now())
	}
	old := time.Since(e.Created)
	return old > time.Duration(o.days)*24*time.Hour, "named like a sandbox, " + age(old) + " old"
}

// sweepReport tells what a sweep does.
type sweepReport struct {
	streams *console.Streams
	json    bool
}

func (r *sweepReport) say(message, text string, facts map[string]any) {
	if !r.json {
		fmt.Fprintln(r.streams.Out, console.OneLine(text))
		return
	}
	facts["ts"], facts["message"] = time.Now().UTC().Format(time.RFC3339), message
	enc := json.NewEncoder(r.streams.Out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(facts) // standard output is gone
}
