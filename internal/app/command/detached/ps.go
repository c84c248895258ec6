package detached

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/detach"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/history"
)

// Limits of ps: how long a host may take to say how it is, how far back --all
// looks, and what fits a line.
const (
	lookWait    = 2 * time.Second
	recent      = 24 * time.Hour
	titleLength = 40
)

// NewPs lists what runs.
func NewPs(s *console.Streams) *cobra.Command {
	var asJSON, all bool
	cmd := &cobra.Command{
		Use:   "ps",
		Short: "List running sessions",
		Long: `Lists the sessions that run in processes of their own, of all folders, the
newest first: whether one works, waits for an approval or has nothing to do,
whether a terminal is attached, and what it has spent. With --all also those
that other programs have open, and those that ended in the last 24 hours.`,
		Args: cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			return ps(ctx, s, asJSON, all)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	cmd.Flags().BoolVarP(&all, "all", "a", false, "add other open sessions and those of the last 24 hours")
	return cmd
}

// row is one session. An amount that is not known is null.
type row struct {
	SessionID      string    `json:"session_id"`
	State          string    `json:"state"`
	Title          string    `json:"title"`
	Cwd            string    `json:"cwd"`
	Started        time.Time `json:"started,omitzero"`
	Updated        time.Time `json:"updated_at,omitzero"`
	CostUSD        *float64  `json:"cost_usd"`
	CostIncomplete bool      `json:"cost_incomplete,omitempty"`
	Terminals      int       `json:"terminals"` // that are attached
	PID            int       `json:"pid,omitempty"`
}

// The states beside those of a session that answers.
const (
	silent    = "does not answer"
	elsewhere = "open elsewhere"
	ended     = "ended"
)

func ps(ctx context.Context, s *console.Streams, asJSON, all bool) error {
	a, err := s.Open(ctx)
	if err != nil {
		return err
	}
	defer a.Close()
	rows, err := detachedRows(ctx, a)
	if err != nil {
		return err
	}
	if all {
		if rows, err = withOthers(ctx, a, rows); err != nil {
			return err
		}
	}
	if asJSON {
		return s.PrintJSON(rows)
	}
	return showRows(s, rows, all, time.Now())
}

// detachedRows asks every host how it is, all at once.
func detachedRows(ctx context.Context, a *app.App) ([]row, error) {
	entries, err := registry(a).List()
	if err != nil {
		return nil, err
	}
	rows := make([]row, len(entries))
	var wait sync.WaitGroup
	for i, e := range entries {
		wait.Go(func() { rows[i] = look(ctx, e) })
	}
	wait.Wait()
	return rows, nil
}

func look(ctx context.Context, e detach.Entry) row {
	r := row{SessionID: e.SessionID, State: silent, Title: e.Prompt, Cwd: e.Cwd, Started: e.Started, PID: e.PID}
	ctx, cancel := context.WithTimeout(ctx, lookWait)
	defer cancel()
	info, err := e.Look(ctx, app.Version())
	if err != nil {
		return r
	}
	r.State, r.Title = string(info.State), cmp.Or(info.Title, e.Prompt)
	r.CostUSD, r.CostIncomplete, r.Terminals = &info.CostUSD, info.CostIncomplete, info.Terminals
	return r
}

// withOthers adds sessions that no host of ours runs.
func withOthers(ctx context.Context, a *app.App, rows []row) ([]row, error) {
	known := map[string]bool{}
	for _, r := range rows {
		known[r.SessionID] = true
	}
	library, err := a.Library()
	if err != nil {
		return nil, err
	}
	entries, err := library.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if known[e.SessionID] || e.Problem != "" || !e.Running && time.Since(e.UpdatedAt) > recent {
			continue
		}
		r := row{
			SessionID: e.SessionID, State: ended, Title: cmp.Or(e.Title, e.Preview), Cwd: e.Cwd, Updated: e.UpdatedAt,
			CostUSD: e.CostUSD, CostIncomplete: e.Incomplete,
		}
		if e.Running {
			r.State, r.PID = elsewhere, e.PID
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func showRows(s *console.Streams, rows []row, all bool, now time.Time) error {
	if len(rows) == 0 {
		text := "No session runs (ml-intern --detach \"what to do\" starts one in the background)."
		if all {
			text = "No session runs, and none has ended in the last 24 hours."
		}
		_, err := fmt.Fprintln(s.Out, text)
		return err
	}
	table := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tSTATE\tAGE\tCOST\tFOLDER\tTITLE")
	for _, r := range rows {
		at := r.Started
		if at.IsZero() {
			at = r.Updated
		}
		state := r.State
		if r.Terminals > 0 {
			state += ", attached"
		}
		fmt.Fprintf(table, "%.8s\t%s\t%s\t%s\t%s\t%s\n", r.SessionID, state, age(now, at), cost(r),
			console.OneLine(folder(s, r.Cwd)), console.OneLine(history.Cut(r.Title, titleLength)))
	}
	return table.Flush()
}

// age is how long ago something was, in its largest unit.
func age(now, at time.Time) string {
	switch d := now.Sub(at); {
	case at.IsZero():
		return "?"
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

// cost is what a session has spent; what is not known is not 0.
func cost(r row) string {
	switch {
	case r.CostUSD == nil:
		return "?"
	case r.CostIncomplete:
		return amount.Dollars(int64(*r.CostUSD*1e6)) + "+?"
	}
	return amount.Dollars(int64(*r.CostUSD * 1e6))
}

// folder shortens the home folder to ~.
func folder(s *console.Streams, dir string) string {
	home, err := os.UserHomeDir()
	if err != nil || home == "" {
		return dir
	}
	if rest, ok := strings.CutPrefix(dir, home+string(os.PathSeparator)); ok {
		return "~" + string(os.PathSeparator) + rest
	}
	return dir
}
