package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/request"
)

// watchEvery is how often a job that nobody follows is looked at.
const watchEvery = 30 * time.Second

// watchFor settles the reservation of a job when it is over.
func (t *Tool) watchFor(env tool.Env, p request.Params, j job.Job) { t.watchOver(env, p, j, false) }

func (t *Tool) watchOver(env tool.Env, p request.Params, j job.Job, cancel bool) {
	t.mu.Lock()
	session := t.session
	t.mu.Unlock()
	if session == nil {
		return
	}
	var rate *float64
	if f, ok := t.opts.Prices.Known().Find(p.FlavorName()); ok {
		r := p.PerHour(f.USDPerHour)
		rate = &r
	}
	t.watch(session, env.CallID(), p.Namespace, j.ID, rate, cancel)
}

// watch looks at a job until it is over, tells of its end and settles the
// reservation id. cancel says that it is to be cancelled first.
func (t *Tool) watch(s tool.Session, id, ns, jobID string, rate *float64, cancel bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.own[jobID] = true
	t.done.Go(func() {
		for ; ; wait(t.watching, watchEvery) {
			if t.watching.Err() != nil {
				return
			}
			var j job.Job
			var err error
			if cancel {
				if j, err = t.opts.Jobs.Cancel(t.watching, ns, jobID); err == nil {
					cancel = false
				}
			} else {
				j, err = t.opts.Jobs.Find(t.watching, ns, jobID)
			}
			switch {
			case errors.Is(err, wire.JobNotFound):
				s.Settle(id, nil)
				return
			case err != nil || !j.Status.Stage.Over():
				continue
			}
			micro, done := t.bill("", func(listed float64) float64 {
				if rate != nil {
					return *rate
				}
				return listed
			}, j)
			s.Emit(done, event.ToolLog{Tool: "hf_jobs", Log: fmt.Sprintf("job %s is over: %s", jobID, j.Status.Stage)})
			s.Settle(id, micro)
			return
		}
	})
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
