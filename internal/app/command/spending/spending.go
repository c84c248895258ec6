// Package spending is the commands about what runs on the Hub for money and
// what it has cost: jobs and usage. They show numbers of the Hub and of this
// machine, and say where a number is not known.
package spending

import (
	"context"
	"errors"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
	"github.com/ml-intern/ml-intern/internal/app/runs"
	"github.com/ml-intern/ml-intern/internal/app/runs/show"
)

// desk is the Hub as a command needs it.
type desk struct {
	*app.App
	streams *console.Streams
	client  *hub.Client
	prices  *price.Book
	board   *runs.Board
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
	d.board = d.LocalBoard()
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
	if namespace != "" {
		if namespace, err = d.client.Account.Namespace(ctx, namespace); err != nil {
			return console.UsageOf(err)
		}
	}
	return d.board.Connect(ctx, d.client, d.prices, namespace)
}

// find looks for a job in the namespaces.
func (d *desk) find(ctx context.Context, id string) (job.Job, string, error) {
	found, err := d.board.Find(ctx, id)
	if errors.Is(err, wire.Invalid) {
		err = console.UsageOf(err)
	}
	return found.Job, found.Namespace, err
}

// cost is what a job has cost so far, "unknown" where nobody knows.
func (d *desk) cost(list price.List, j job.Job) (micro *int64, text string) {
	micro = runs.Cost(list, j)
	return micro, show.Dollars(micro)
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
