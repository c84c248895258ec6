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
	"github.com/ml-intern/ml-intern/internal/tools/jobs/money"
)

const (
	// watchEvery is how often a job that nobody follows is looked at.
	watchEvery = 30 * time.Second
	// cancelEvery is how often cancelling a job is tried again, and endWait how
	// long the end of a session waits for it.
	cancelEvery = time.Second
	endWait     = 5 * time.Second
)

// watched is a job that goes on without a call: when it is over, its end is told
// and its reservation settled.
type watched struct {
	session tool.Session
	id      string // of the reservation
	ns, job string
	rate    *float64 // USD an hour; nil is unknown
	ended   context.CancelFunc
}

// Attach watches over what earlier calls have left running in a session.
func (t *Tool) Attach(s tool.Session) {
	t.mu.Lock()
	t.session = s
	t.mu.Unlock()
	t.look.Attach(s)
	for _, open := range s.Reserved(event.SpendJob) {
		if ns, id, ok := parseRef(open.Ref); ok {
			t.watch(watched{id: open.ID, ns: ns, job: id, rate: open.USDPerHour})
		}
	}
}

// Close ends the watching; jobs go on, but for those that are to be cancelled.
func (t *Tool) Close(ctx context.Context) error {
	t.mu.Lock()
	session := t.session
	t.closed = true
	t.mu.Unlock()
	defer t.stop()
	ending, cancel := context.WithTimeout(ctx, endWait)
	defer cancel()
	_ = waitFor(ending, t.ending.Wait) // what could not be cancelled is left
	if session != nil {
		for _, open := range session.Reserved(event.SpendJob) {
			if ns, id, ok := parseRef(open.Ref); ok {
				session.Emit(event.ToolLog{Tool: "hf_jobs", Log: fmt.Sprintf(
					"job %s/%s goes on and is paid for; ml-intern jobs watch %s --namespace %s follows it, jobs cancel stops it", ns, id, id, ns)})
			}
		}
	}
	t.stop()
	return waitFor(ctx, t.done.Wait)
}

// waitFor waits until f has returned or ctx is done.
func waitFor(ctx context.Context, f func()) error {
	ended := make(chan struct{})
	go func() { f(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// watch looks at a job until it is over.
func (t *Tool) watch(w watched) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.session == nil || t.watched[w.job] != nil {
		return
	}
	ctx, cancel := context.WithCancel(t.watching)
	w.ended, w.session = cancel, t.session
	t.own[w.job], t.watched[w.job] = true, &w
	t.done.Go(func() { t.listen(t.watching, w.ns, w.job) })
	t.done.Go(func() {
		defer cancel()
		for ctx.Err() == nil {
			j, err := t.opts.Jobs.Find(ctx, w.ns, w.job)
			switch {
			case errors.Is(err, wire.JobNotFound):
				t.settle(w.job, nil)
			case err == nil:
				t.notice(j)
			}
			pause(ctx, watchEvery)
		}
	})
}

// listen looks at the log of a job that no call follows, to its end.
func (t *Tool) listen(ctx context.Context, ns, id string) {
	w := t.look.Watch(ns, id)
	var stop func()
	for u, err := range t.opts.Jobs.Follow(ctx, ns, id, w.Taken()) {
		switch {
		case err != nil: // whoever asks for the job is told why
		case u.Line != nil:
			if text := t.shown(u.Line.Text); !t.isHidden(0, text) {
				w.Line(u.Line.N, time.Now(), text)
				t.look.Tell(w)
			}
		case u.Job.Status.Stage == job.Running && stop == nil: // a queue is silent
			stop = t.look.Tick(ctx, w)
		}
	}
	if stop != nil {
		stop()
	}
}

// find reads a job; one that is over is not watched any longer.
func (t *Tool) find(ctx context.Context, ns, id string) (job.Job, error) {
	j, err := t.opts.Jobs.Find(ctx, ns, id)
	if err == nil {
		t.notice(j)
	}
	return j, err
}

// notice settles the reservation of a job that was left running and is over.
func (t *Tool) notice(j job.Job) {
	if j.Status.Stage.Over() {
		t.settle(j.ID, &j)
	}
}

// settle ends the watching over a job, once. j is how it has ended; nil when
// nobody knows: then the reservation is taken to be spent.
func (t *Tool) settle(id string, j *job.Job) {
	t.mu.Lock()
	w := t.watched[id]
	delete(t.watched, id)
	t.mu.Unlock()
	if w == nil {
		return
	}
	defer w.ended()
	if j == nil {
		w.session.Settle(w.id, nil)
		return
	}
	micro, done := money.Spent(t.opts.Prices.Known(), *j, w.rate)
	w.session.Emit(done, event.ToolLog{Tool: "hf_jobs", Log: fmt.Sprintf("job %s is over: %s", id, j.Status.Stage)})
	w.session.Settle(w.id, micro)
}

// cancelLater cancels a job until it has worked. find, if not nil, is asked for
// the job's id first; it is called in any case.
func (t *Tool) cancelLater(ns, id string, find func(ctx context.Context) (string, bool)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ending.Add(1)
	t.done.Go(func() {
		defer t.ending.Done()
		ctx := t.watching
		if find != nil {
			var ok bool
			if id, ok = find(ctx); !ok {
				return
			}
		}
		for ctx.Err() == nil {
			j, err := t.opts.Jobs.Cancel(ctx, ns, id)
			switch {
			case err == nil:
				t.notice(j)
				return
			case !passing(err):
				return
			}
			pause(ctx, cancelEvery)
		}
	})
}

// passing reports whether a failure may be over later.
func passing(err error) bool {
	var e *wire.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Kind {
	case wire.Unreachable, wire.Server, wire.RateLimited, wire.Unexpected:
		return true
	}
	return false
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
