package jobs

import (
	"context"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/request"
)

// submitWait is how long an interrupted call waits for the answer to its
// submission.
const submitWait = 400 * time.Millisecond

// submitted is the answer to a submission.
type submitted struct {
	job job.Job
	err error
}

// submit sends a job. An interrupt does not end the sending, for nobody would
// know then whether there is a job: it is waited for, and what arrived too late
// is cancelled. When the program leaves, the next run looks for the job.
func (t *Tool) submit(ctx context.Context, ns string, spec job.Spec) (job.Job, error) {
	sending, stop := context.WithCancel(context.WithoutCancel(ctx))
	answer := make(chan submitted, 1)
	t.done.Go(func() {
		j, err := t.opts.Jobs.Run(sending, ns, spec, request.LabelCall)
		answer <- submitted{j, err}
	})
	select {
	case got := <-answer:
		stop()
		return got.job, got.err
	case <-ctx.Done():
	}
	if !tool.Interrupted(ctx) {
		stop()
		return job.Job{}, ctx.Err()
	}
	timer := time.NewTimer(submitWait)
	defer timer.Stop()
	select {
	case got := <-answer:
		stop()
		return got.job, got.err
	case <-timer.C:
	}
	if t.opts.Leave {
		stop()
		return job.Job{}, ctx.Err()
	}
	t.cancelLater(ns, "", func(ctx context.Context) (string, bool) {
		defer stop()
		select {
		case got := <-answer:
			return got.job.ID, got.err == nil
		case <-ctx.Done():
			return "", false
		}
	})
	return job.Job{}, ctx.Err()
}
