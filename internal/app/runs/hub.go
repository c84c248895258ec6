package runs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/price"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/money"
)

// Job is a job with the namespace it was found in.
type Job struct {
	Namespace string
	job.Job
}

// listLimit bounds the jobs of one namespace.
const listLimit = 200

// Jobs lists those on the Hub, with all also those that are over.
func (b *Board) Jobs(ctx context.Context, all bool) ([]Job, error) {
	var found []Job
	for _, ns := range b.spaces {
		n := 0
		for j, err := range b.client.Jobs.List(ctx, ns, job.Filter{}) {
			if err != nil && Hidden(err) && len(b.spaces) > 1 {
				break
			}
			if err != nil {
				return found, err
			}
			if n++; n > listLimit {
				break
			}
			if all || !j.Status.Stage.Over() {
				found = append(found, Job{ns, j})
			}
		}
	}
	return found, nil
}

// Hidden reports whether a failure only says that the user may not look there.
func Hidden(err error) bool {
	return errors.Is(err, wire.Forbidden) || errors.Is(err, wire.JobNotFound) || errors.Is(err, wire.NotFound)
}

// Find looks for a job in the namespaces, or in the one that stands before the
// id.
func (b *Board) Find(ctx context.Context, id string) (Job, error) {
	spaces := b.spaces
	if ns, rest, ok := strings.Cut(strings.TrimPrefix(id, "job:"), "/"); ok && wire.CheckNamespace("namespace", ns) == nil {
		spaces, id = []string{ns}, rest
	}
	for _, ns := range spaces {
		j, err := b.client.Jobs.Find(ctx, ns, id)
		switch {
		case err == nil:
			return Job{ns, j}, nil
		case !Hidden(err):
			return Job{}, err
		}
	}
	return Job{}, fmt.Errorf("there is no job %s in %s", b.shown(id), b.shown(strings.Join(spaces, ", ")))
}

// Cost is what a job has cost so far, in millionths of a dollar; nil is unknown.
func Cost(list price.List, j job.Job) *int64 {
	micro, _ := money.Spent(list, j, nil)
	return micro
}

// jobRow is a job as it is now.
func (b *Board) jobRow(ns string, j job.Job) Row {
	return Row{
		Source: b.shown("job:" + ns + "/" + j.ID), ID: b.shown(j.ID), Name: b.shown(j.Labels["name"]), Namespace: b.shown(ns), Flavor: b.shown(j.Flavor),
		State: b.shown(string(j.Status.Stage)), Message: b.shown(j.Status.Message), Over: j.Status.Stage.Over(),
		Failed: j.Status.Stage.Over() && j.Status.Stage != job.Completed, Began: j.CreatedAt, URL: j.URL(b.client.Endpoint()),
		ns: ns, job: &j, prices: b.prices,
	}
}
