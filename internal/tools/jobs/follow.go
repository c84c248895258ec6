package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/joblog"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/money"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/observe"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/pace"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/report"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/request"
)

// How following tells.
const (
	// detachedLog is how much of the log a detached call waits for.
	detachedLog = 20 * time.Second
	// cancelWait bounds cancelling a job within an interrupted call.
	cancelWait = 700 * time.Millisecond
	resultLog  = 28_000 // characters of log in a result
)

// Reasons for leaving a job that goes on.
var (
	errDetached = errors.New("detached")
	errWaited   = errors.New("waited long enough")
)

// follow tells what a job does until it is over, or until the call may leave
// it. With look it only reports how it stands.
func (t *Tool) follow(ctx context.Context, env tool.Env, p request.Params, j job.Job, look bool) (tool.Result, error) {
	t.remember(j.ID)
	if err := env.Effect(ref(p.Namespace, j.ID)); err != nil {
		return tool.Result{}, err
	}
	env.State(event.ToolStateChange{
		State: "running", JobURL: j.URL(t.opts.Jobs.Endpoint()), TrackioSpaceID: p.TrackioSpaceID, TrackioProject: p.TrackioProject,
	})
	f := &following{tool: t, env: env, params: p, job: j, told: pace.New(env.Log), look: t.look.Watch(p.Namespace, j.ID)}
	defer t.look.Hear(j.ID, env.Log)()
	f.open()
	log := f.log
	defer log.Close()
	if look && !j.Status.Stage.Over() {
		return t.left(env, p, j, log, "the program was restarted"), nil
	}
	err := f.run(ctx)
	f.told.Close()
	switch {
	case errors.Is(err, errDetached):
		return t.left(env, p, f.job, log, ""), nil
	case errors.Is(err, errWaited):
		return t.left(env, p, f.job, log, "waited "+p.Wait), nil
	case ctx.Err() != nil && tool.Interrupted(ctx):
		return t.interrupted(ctx, env, p, f.job, log), nil
	case ctx.Err() != nil:
		return tool.Result{}, ctx.Err() // the next run of the program goes on
	case err != nil:
		return t.lost(env, p, f.job, log, err), nil
	}
	for _, then := range f.then {
		then(ctx)
	}
	return t.finished(env, p, f.job, log), nil
}

// following is one job being followed.
type following struct {
	tool   *Tool
	env    tool.Env
	params request.Params
	job    job.Job
	log    *joblog.Log

	look *observe.Watch
	told *pace.Teller
	then []func(context.Context) // what the job's hook has asked for
}

// open opens the job's log. One that cannot be kept is followed all the same.
func (f *following) open() {
	dir, hide := "", f.hide
	if f.tool.opts.LogDir != nil {
		dir = f.tool.opts.LogDir(f.env.SessionID())
	}
	var err error
	if f.log, err = joblog.Open(dir, f.job.ID, hide); err != nil {
		f.env.Log(err.Error())
		f.log, _ = joblog.Open("", f.job.ID, hide) // does not fail
	}
	f.tool.look.Tell(f.look)
}

// hide recognises what the job's hook has written; everything else is looked
// at.
func (f *following) hide(n int, event string) bool {
	if f.tool.opts.Line != nil {
		if then := f.tool.opts.Line(event); then != nil {
			f.then = append(f.then, then)
			return true
		}
	}
	f.look.Line(n, time.Now(), event)
	return false
}

// run reads the log to its end; a job that is left gives errDetached or
// errWaited.
func (f *following) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if f.params.Wait != "" {
		d, _ := request.Duration("wait", f.params.Wait, 0) // was checked
		timer := time.AfterFunc(d, func() { cancel(errWaited) })
		defer timer.Stop()
	}
	var stop func()
	defer func() {
		if stop != nil {
			stop()
		}
	}()
	for u, err := range f.tool.opts.Jobs.Follow(ctx, f.params.Namespace, f.job.ID, f.log.Taken()) {
		switch {
		case err != nil:
			if cause := context.Cause(ctx); errors.Is(cause, errWaited) || errors.Is(cause, errDetached) {
				return cause
			}
			return err
		case u.Line != nil:
			f.line(*u.Line)
		default:
			f.job = *u.Job
			if !f.job.Status.Stage.Over() {
				f.env.Log(f.stage())
			}
			if f.job.Status.Stage == job.Running && stop == nil { // a queue is silent
				stop = f.tool.look.Tick(ctx, f.look)
			}
			if f.params.Detach && f.job.Status.Stage == job.Running {
				timer := time.AfterFunc(detachedLog, func() { cancel(errDetached) })
				defer timer.Stop()
			}
		}
	}
	return nil
}

func (f *following) stage() string {
	text := fmt.Sprintf("job %s: %s", f.job.ID, f.job.Status.Stage)
	if !f.job.StartedAt.IsZero() && f.job.Status.Stage == job.Running {
		text += fmt.Sprintf(" (after %s in the queue)", f.job.StartedAt.Sub(f.job.CreatedAt).Round(time.Second))
	}
	return text
}

// shown is a line of a log without secrets, and without what steers a terminal:
// a sequence in the midst of a secret must not hide it. The returns of a progress
// bar stay.
func (t *Tool) shown(text string) string {
	parts := strings.Split(text, "\r")
	for i, part := range parts {
		parts[i] = plain.String(part)
	}
	return t.opts.Scrub(strings.Join(parts, "\r"))
}

// line keeps a line, and tells it with those of the same moment.
func (f *following) line(l job.Line) {
	text := f.tool.shown(l.Text)
	shown, err := f.log.Add(l.N, text)
	if err != nil {
		f.env.Log(err.Error())
	}
	if shown {
		f.told.Line(joblog.Collapse(text))
	}
	f.tool.look.Tell(f.look)
}

// finished is the result of a job that is over.
func (t *Tool) finished(env tool.Env, p request.Params, j job.Job, log *joblog.Log) tool.Result {
	micro, done := t.spent(p, j)
	env.Emit(done)
	stage := j.Status.Stage
	env.State(event.ToolStateChange{State: strings.ToLower(string(stage)), JobURL: j.URL(t.opts.Jobs.Endpoint())})
	first := p.Kind() + " job completed!"
	if stage != job.Completed {
		first = fmt.Sprintf("%s job failed (%s): %s", p.Kind(), stage, report.Reason(j))
	}
	text := t.report(first, j, log)
	if hint := report.Hint(j, log.Lines()); hint != "" {
		text += "\n" + hint
	}
	return tool.Result{Output: text, OK: stage == job.Completed, ActualMicroUSD: micro}
}

// report is the text of a result. Its labels are read by programs.
func (t *Tool) report(first string, j job.Job, log *joblog.Log) string {
	text := plain.String(log.Text(resultLog))
	if text == "" {
		text = "(no output)"
	}
	out := fmt.Sprintf("%s\n**Job ID:** %s\n**Final Status:** %s\n**View at:** %s\n\n**Logs:**\n```\n%s\n```",
		first, j.ID, j.Status.Stage, j.URL(t.opts.Jobs.Endpoint()), text)
	if log.Path() != "" {
		out += "\nThe whole log lies in " + log.Path()
	}
	return out
}

// left is the result of a call that leaves its job running.
func (t *Tool) left(env tool.Env, p request.Params, j job.Job, log *joblog.Log, why string) tool.Result {
	t.watchOver(env, p, j)
	first := "still running (detached)"
	if why != "" {
		first += ": " + why
	}
	r := tool.Success(t.report(first, j, log) +
		fmt.Sprintf("\nThe job goes on and is paid for. Call hf_jobs with operation wait and job_id %s for its end, or logs, or cancel.", j.ID))
	r.Holding = ref(p.Namespace, j.ID)
	return r
}

// watchOver watches over the job of a call that leaves it running.
func (t *Tool) watchOver(env tool.Env, p request.Params, j job.Job) {
	t.watch(watched{id: env.CallID(), ns: p.Namespace, job: j.ID, rate: money.Rate(t.opts.Prices.Known(), p)})
}

// lost is the result of a job that cannot be followed: it may go on.
func (t *Tool) lost(env tool.Env, p request.Params, j job.Job, log *joblog.Log, err error) tool.Result {
	t.watchOver(env, p, j)
	r := tool.Failed(t.report("The job was started but can no longer be followed: "+err.Error(), j, log) +
		"\nDo not submit it again before operation inspect has told what became of it.")
	r.Holding = ref(p.Namespace, j.ID)
	return r
}

// interrupted is the result of a call that a person has stopped: the job is
// cancelled in the namespace it runs in, unless jobs are left running.
func (t *Tool) interrupted(ctx context.Context, env tool.Env, p request.Params, j job.Job, log *joblog.Log) tool.Result {
	if t.opts.Leave {
		r := t.left(env, p, j, log, "interrupted by the user, who leaves jobs running")
		r.OK = false
		return r
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelWait)
	defer cancel()
	ended, err := t.opts.Jobs.Cancel(ctx, p.Namespace, j.ID)
	if err == nil && ended.Status.Stage.Over() {
		micro, done := t.spent(p, ended)
		env.Emit(done)
		r := tool.Failed(t.report("The job was cancelled.", ended, log))
		r.ActualMicroUSD = micro
		return r
	}
	t.watchOver(env, p, j)
	text := "The job is being cancelled."
	if err != nil {
		text = "The job could not be cancelled yet; it is tried again: " + message(err)
		t.cancelLater(p.Namespace, j.ID, nil)
	}
	r := tool.Failed(t.report(text, j, log))
	r.Holding = ref(p.Namespace, j.ID)
	return r
}

// spent is what a job has cost, and the telemetry of its end.
func (t *Tool) spent(p request.Params, j job.Job) (*int64, event.JobComplete) {
	list := t.opts.Prices.Known()
	if j.Flavor == "" {
		j.Flavor = p.FlavorName()
	}
	return money.Spent(list, j, money.Rate(list, p))
}

// problem is the text of a failure of the Hub.
func (t *Tool) problem(p request.Params, err error) string {
	var e *wire.Error
	if !errors.As(err, &e) {
		return fmt.Sprintf("Error executing %s: %v", p.Operation, err)
	}
	if e.Kind == wire.Invalid {
		return err.Error()
	}
	return "API Error: " + err.Error()
}
