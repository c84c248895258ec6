// Package spending is the commands about what runs on the Hub for money and
// what it has cost: jobs and usage. They show numbers of the Hub and of this
// machine, and say where a number is not known.
package spending

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/money"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/report"
)

// desk is the Hub as a command needs it.
type desk struct {
	*app.App
	streams *console.Streams
	client  *hub.Client
	prices  *price.Book
	// user is who asks; spaces are the namespaces to look in, his own first.
	user   string
	spaces []string
}

// open logs in; close the App when done. A namespace narrows everything to it.
func open(ctx context.Context, s *console.Streams, namespace string) (*desk, error) {
	a, err := s.Open(ctx)
	if err != nil {
		return nil, err
	}
	d := &desk{App: a, streams: s}
	if err := d.connect(ctx, namespace); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return d, nil
}

func (d *desk) connect(ctx context.Context, namespace string) error {
	if d.FreshToken(ctx).Token == "" {
		return &app.MissingKeyError{Err: errors.New("nobody is logged in: set HF_TOKEN or run ml-intern login")}
	}
	var err error
	if d.client, err = d.Hub(); err != nil {
		return err
	}
	prices, err := d.Prices()
	if err != nil {
		return err
	}
	d.prices = prices.Jobs
	who, err := d.client.Account.Whoami(ctx)
	if err != nil {
		return err
	}
	d.user = who.Name
	if namespace == "" {
		d.spaces = append(d.spaces, who.Name)
		for _, o := range who.Orgs {
			d.spaces = append(d.spaces, o.Name)
		}
		return nil
	}
	namespace, err = d.client.Account.Namespace(ctx, namespace)
	if err != nil {
		return console.UsageOf(err)
	}
	d.spaces = []string{namespace}
	return nil
}

// hidden reports whether a failure only says that the user may not look there.
func hidden(err error) bool {
	return errors.Is(err, wire.Forbidden) || errors.Is(err, wire.JobNotFound) || errors.Is(err, wire.NotFound)
}

// find looks for a job in the namespaces.
func (d *desk) find(ctx context.Context, id string) (job.Job, string, error) {
	for _, ns := range d.spaces {
		j, err := d.client.Jobs.Find(ctx, ns, id)
		switch {
		case err == nil:
			return j, ns, nil
		case errors.Is(err, wire.Invalid):
			return j, "", console.UsageOf(err)
		case !hidden(err):
			return j, "", err
		}
	}
	return job.Job{}, "", fmt.Errorf("there is no job %s in %s", console.OneLine(id), spelled(d.spaces))
}

func spelled(names []string) string {
	text := names[0]
	for _, name := range names[1:] {
		text += ", " + name
	}
	return console.OneLine(text)
}

// cost is what a job has cost so far, "unknown" where nobody knows.
func (d *desk) cost(list price.List, j job.Job) (micro *int64, text string) {
	micro, _ = money.Spent(list, j, nil)
	return micro, dollars(micro)
}

// dollars is an amount of millionths of a dollar; nil is unknown.
func dollars(micro *int64) string {
	if micro == nil {
		return "unknown"
	}
	return "$" + report.Dollars(*micro)
}

// age is how long ago a time was, in its largest units.
func age(since time.Time) string {
	if since.IsZero() {
		return "?"
	}
	switch d := max(0, time.Since(since)); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
	}
}

// aligned is a table whose cells are separated by tabs, without blanks at the
// ends of lines.
func aligned(fill func(table io.Writer)) string {
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fill(table)
	_ = table.Flush() // into memory
	var lines strings.Builder
	for line := range strings.Lines(out.String()) {
		lines.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return lines.String()
}
