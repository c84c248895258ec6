package spending

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/account"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/runs"
	"github.com/ml-intern/ml-intern/internal/app/runs/show"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/joblog"
)

// Jobs makes the command.
func Jobs(s *console.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "jobs",
		Short: "List, watch, cancel and price jobs on the Hugging Face Hub",
		Long: `Jobs on the Hugging Face Hub in your namespace and those of your organisations,
with what they cost so far: hardware price by started minutes.`,
	}
	var namespace string
	cmd.PersistentFlags().StringVar(&namespace, "namespace", "", "only this `NAME`, a user or organisation")
	cmd.AddCommand(newList(s, &namespace), newLogs(s, &namespace), newWatch(s, &namespace), newCancel(s, &namespace), newCost(s, &namespace))
	return console.WithoutRun(cmd)
}

// row is a job as it is shown.
type row struct {
	ID        string    `json:"id"`
	Namespace string    `json:"namespace"`
	Name      string    `json:"name,omitempty"`
	Flavor    string    `json:"flavor"`
	Stage     job.Stage `json:"stage"`
	Message   string    `json:"message,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	// CostUSD is what it has cost so far; null is unknown.
	CostUSD *float64 `json:"cost_usd"`
	URL     string   `json:"url"`
	micro   *int64
}

func (d *desk) row(list price.List, ns string, j job.Job) row {
	r := row{
		ID: j.ID, Namespace: ns, Name: j.Labels["name"], Flavor: j.Flavor, Stage: j.Status.Stage, Message: j.Status.Message,
		CreatedAt: j.CreatedAt, URL: j.URL(d.client.Endpoint()),
	}
	if r.micro, _ = d.cost(list, j); r.micro != nil {
		usd := float64(*r.micro) / 1e6
		r.CostUSD = &usd
	}
	return r
}

func newList(s *console.Streams, namespace *string) *cobra.Command {
	var all, asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the jobs that run, with their cost so far",
		Args:  cobra.NoArgs,
		RunE: console.Do(func(ctx context.Context, _ []string) error {
			d, err := open(ctx, s, *namespace)
			if err != nil {
				return err
			}
			defer d.Close()
			rows, err := d.list(ctx, all)
			if err != nil {
				return err
			}
			if asJSON {
				return s.PrintJSON(rows)
			}
			return d.showList(rows, all)
		}),
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "also jobs that are over")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

func (d *desk) list(ctx context.Context, all bool) ([]row, error) {
	prices := d.prices.Ask(ctx)
	rows := []row{}
	found, err := d.board.Jobs(ctx, all)
	for _, j := range found {
		rows = append(rows, d.row(prices, j.Namespace, j.Job))
	}
	return rows, err
}

func (d *desk) showList(rows []row, all bool) error {
	switch {
	case len(rows) == 0 && all:
		fmt.Fprintln(d.streams.Err, "there are no jobs")
		return nil
	case len(rows) == 0:
		fmt.Fprintln(d.streams.Err, "no job runs (--all lists those that are over)")
		return nil
	}
	var total int64
	unknown := 0
	fmt.Fprint(d.streams.Out, aligned(func(table io.Writer) {
		fmt.Fprintln(table, "JOB\tNAMESPACE\tFLAVOR\tSTAGE\tAGE\tCOST\tNAME")
		for _, r := range rows {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", console.OneLine(r.ID), console.OneLine(r.Namespace), console.OneLine(r.Flavor),
				console.OneLine(string(r.Stage)), show.Age(r.CreatedAt, time.Now()), show.Dollars(r.micro), console.OneLine(r.Name))
			count(r.micro, &total, &unknown)
		}
	}))
	d.together(total, unknown)
	return nil
}

// count adds an amount to a sum, or to the unknown ones.
func count(micro, total *int64, unknown *int) {
	if micro == nil {
		*unknown++
		return
	}
	*total += *micro
}

func (d *desk) together(total int64, unknown int) {
	text := "together " + show.Dollars(&total)
	if unknown > 0 {
		text += fmt.Sprintf(" and %d of unknown cost", unknown)
	}
	fmt.Fprintln(d.streams.Out, text)
}

func newLogs(s *console.Streams, namespace *string) *cobra.Command {
	var follow bool
	var tail int
	cmd := &cobra.Command{
		Use:   "logs ID",
		Short: "Print what a job has printed",
		Args:  cobra.ExactArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			if tail < 0 {
				return console.Usage("--tail is %d: it must not be negative", tail)
			}
			d, err := open(ctx, s, *namespace)
			if err != nil {
				return err
			}
			defer d.Close()
			_, ns, err := d.find(ctx, args[0])
			if err != nil {
				return err
			}
			if follow {
				return d.follow(ctx, ns, args[0])
			}
			lines, err := d.client.Jobs.Log(ctx, ns, args[0], tail)
			for _, line := range lines {
				d.print(line.Text)
			}
			return err
		}),
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the job is over; exit 1 when it has failed")
	cmd.Flags().IntVar(&tail, "tail", 0, "only the last `N` lines")
	return cmd
}

// print writes a line of a log; what steers a terminal is taken out.
func (d *desk) print(line string) {
	fmt.Fprintln(d.streams.Out, d.Scrub(plain.ForTerminal(joblog.Collapse(strings.TrimRight(line, "\r\n")))))
}

func (d *desk) follow(ctx context.Context, ns, id string) error {
	ctx, release := console.StopSignals(ctx, 0)
	defer release()
	var last job.Job
	for u, err := range d.client.Jobs.Follow(ctx, ns, id, 0) {
		switch {
		case ctx.Err() != nil:
			return console.Silent(console.StopCode(ctx))
		case err != nil:
			return err
		case u.Line != nil:
			d.print(u.Line.Text)
		default:
			last = *u.Job
		}
	}
	return d.ended(ctx, last)
}

// ended tells how a job ended and what it has cost.
func (d *desk) ended(ctx context.Context, j job.Job) error {
	_, cost := d.cost(d.prices.Ask(ctx), j)
	fmt.Fprintf(d.streams.Err, "job %s: %s, %s\n", console.OneLine(j.ID), console.OneLine(string(j.Status.Stage)), cost)
	if j.Status.Stage != job.Completed {
		if j.Status.Message != "" {
			fmt.Fprintln(d.streams.Err, console.OneLine(d.Scrub(j.Status.Message)))
		}
		return console.Silent(1)
	}
	return nil
}

func newCancel(s *console.Streams, namespace *string) *cobra.Command {
	return &cobra.Command{
		Use:   "cancel ID...",
		Short: "Cancel jobs",
		Args:  cobra.MinimumNArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			d, err := open(ctx, s, *namespace)
			if err != nil {
				return err
			}
			defer d.Close()
			var failed []error
			for _, id := range args {
				failed = append(failed, d.cancel(ctx, id))
			}
			return errors.Join(failed...)
		}),
	}
}

func (d *desk) cancel(ctx context.Context, id string) error {
	j, ns, err := d.find(ctx, id)
	if err != nil {
		return err
	}
	if !j.Status.Stage.Over() {
		if j, err = d.client.Jobs.Cancel(ctx, ns, id); err != nil {
			return err
		}
	}
	_, cost := d.cost(d.prices.Ask(ctx), j)
	fmt.Fprintf(d.streams.Out, "%s: %s, %s\n", console.OneLine(id), console.OneLine(string(j.Status.Stage)), cost)
	return nil
}

// billed is a job on the bill.
type billed struct {
	ID        string    `json:"id"`
	Namespace string    `json:"namespace"`
	Flavor    string    `json:"flavor"`
	Stage     job.Stage `json:"stage,omitempty"`
	Minutes   *float64  `json:"minutes"`
	// CostUSD is null where it is unknown; Source says whether the Hub has
	// billed it or it is price by minutes.
	CostUSD *float64 `json:"cost_usd"`
	Source  string   `json:"source"`
	micro   *int64
}

func newCost(s *console.Streams, namespace *string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "cost [ID...]",
		Short: "Show what jobs have cost",
		Long: `What jobs have cost in the current billing period, by the Hub's bill, and for
those that are not on it by the price of their hardware. With IDs, only those
jobs.`,
		RunE: console.Do(func(ctx context.Context, args []string) error {
			d, err := open(ctx, s, *namespace)
			if err != nil {
				return err
			}
			defer d.Close()
			list, err := d.bill(ctx, args)
			if err != nil {
				return err
			}
			if asJSON {
				return s.PrintJSON(list)
			}
			return d.showBill(list)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

// payer is who pays for the jobs of a namespace, as the billing routes say it.
func (d *desk) payer(ns string) account.Payer {
	if ns == d.board.User() {
		return ""
	}
	return account.Payer(ns)
}

// bill joins the Hub's bill with the jobs that are not on it yet.
func (d *desk) bill(ctx context.Context, ids []string) ([]billed, error) {
	prices := d.prices.Ask(ctx)
	all, err := d.board.Jobs(ctx, true)
	if err != nil {
		return nil, err
	}
	out := []billed{}
	for _, ns := range d.board.Namespaces() {
		on := map[string]account.JobCost{}
		usage, err := d.client.Account.JobsUsage(ctx, d.payer(ns))
		if err != nil && !errors.Is(err, wire.Forbidden) && !runs.Hidden(err) {
			fmt.Fprintf(d.streams.Err, "warning: the bill of %s is unknown: %s\n", console.OneLine(ns), console.OneLine(err.Error()))
		}
		if usage != nil {
			for _, c := range usage.Jobs {
				on[c.ID] = c
			}
		}
		for _, j := range all {
			if j.Namespace == ns {
				out = append(out, d.priced(prices, j, on))
			}
		}
	}
	return chosen(out, ids)
}

// priced is a job with its cost.
func (d *desk) priced(prices price.List, j runs.Job, on map[string]account.JobCost) billed {
	b := billed{ID: j.ID, Namespace: j.Namespace, Flavor: j.Flavor, Stage: j.Status.Stage, Source: "estimate"}
	minutes := float64(j.Minutes(time.Now()))
	b.Minutes = &minutes
	b.micro, _ = d.cost(prices, j.Job)
	if c, ok := on[j.ID]; ok && j.Status.Stage.Over() && c.Cost != nil {
		micro := int64(*c.Cost / account.MicroUSD)
		b.micro, b.Source = &micro, "bill"
		if c.Minutes != nil {
			b.Minutes = c.Minutes
		}
	}
	if b.micro == nil {
		b.Source = "unknown"
	} else {
		usd := float64(*b.micro) / 1e6
		b.CostUSD = &usd
	}
	return b
}

// chosen keeps the jobs with the given ids; no ids keep all.
func chosen(list []billed, ids []string) ([]billed, error) {
	if len(ids) == 0 {
		return list, nil
	}
	byID := map[string]billed{}
	for _, b := range list {
		byID[b.ID] = b
	}
	out := []billed{}
	for _, id := range ids {
		b, ok := byID[id]
		if !ok {
			return nil, fmt.Errorf("there is no job %s", console.OneLine(id))
		}
		out = append(out, b)
	}
	return out, nil
}

func (d *desk) showBill(list []billed) error {
	if len(list) == 0 {
		fmt.Fprintln(d.streams.Err, "there are no jobs")
		return nil
	}
	var total int64
	unknown := 0
	fmt.Fprint(d.streams.Out, aligned(func(table io.Writer) {
		fmt.Fprintln(table, "JOB\tNAMESPACE\tFLAVOR\tSTAGE\tMINUTES\tCOST\tFROM")
		for _, b := range list {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%.0f\t%s\t%s\n", console.OneLine(b.ID), console.OneLine(b.Namespace), console.OneLine(b.Flavor),
				console.OneLine(string(b.Stage)), *b.Minutes, show.Dollars(b.micro), b.Source)
			count(b.micro, &total, &unknown)
		}
	}))
	d.together(total, unknown)
	return nil
}
