package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/joblog"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/report"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/request"
)

// defaultTail is how many lines of a log are shown.
const defaultTail = 200

// listLimit bounds a list.
const listLimit = 200

// list is ps.
func (t *Tool) list(ctx context.Context, _ tool.Env, p request.Params) (tool.Result, error) {
	var rows [][]string
	for j, err := range t.opts.Jobs.List(ctx, p.Namespace, job.Filter{}) {
		if err != nil {
			return tool.Result{}, err
		}
		t.notice(j)
		if p.Shows(j.Status.Stage) {
			rows = append(rows, report.JobRow(j))
		}
		if len(rows) == listLimit {
			break
		}
	}
	if len(rows) > 0 {
		return tool.Success(report.Table(report.JobColumns, rows)), nil
	}
	if p.All || p.Status != "" {
		return tool.Success("No jobs found."), nil
	}
	return tool.Success(`No running jobs. Call {"operation":"ps","all":true} to see all jobs.`), nil
}

// isHidden reports whether a job's hook has written a line.
func (t *Tool) isHidden(_ int, line string) bool {
	return t.opts.Line != nil && t.opts.Line(line) != nil
}

func (t *Tool) logs(ctx context.Context, env tool.Env, p request.Params) (tool.Result, error) {
	var parts []string
	for _, id := range p.JobID {
		if p.Follow {
			if _, err := t.await(ctx, env, p, id); err != nil && !errors.Is(err, errWaited) {
				return tool.Result{}, err
			}
		}
		n := p.Tail
		if n == 0 {
			n = defaultTail
		}
		lines, err := t.opts.Jobs.Log(ctx, p.Namespace, id, n)
		if err != nil {
			return tool.Result{}, err
		}
		log, err := joblog.Open("", id, t.isHidden)
		if err != nil {
			return tool.Result{}, err
		}
		for i, l := range lines {
			if _, err := log.Add(i+1, t.shown(l.Text)); err != nil {
				return tool.Result{}, err
			}
		}
		text := plain.String(log.Text(resultLog / len(p.JobID)))
		if text == "" {
			text = "(no output)"
		}
		parts = append(parts, fmt.Sprintf("**Logs for %s:**\n```\n%s\n```", id, text))
	}
	return tool.Success(strings.Join(parts, "\n\n")), nil
}

func (t *Tool) inspect(ctx context.Context, _ tool.Env, p request.Params) (tool.Result, error) {
	var parts []string
	for _, id := range p.JobID {
		j, err := t.find(ctx, p.Namespace, id)
		if err != nil {
			return tool.Result{}, err
		}
		text, err := report.JSON(report.Details(j))
		if err != nil {
			return tool.Result{}, err
		}
		parts = append(parts, fmt.Sprintf("**Job Details:** %s\n%s", id, text))
	}
	return tool.Success(strings.Join(parts, "\n\n")), nil
}

func (t *Tool) cancel(ctx context.Context, _ tool.Env, p request.Params) (tool.Result, error) {
	var lines []string
	for _, id := range p.JobID {
		j, err := t.opts.Jobs.Cancel(ctx, p.Namespace, id)
		if err != nil {
			return tool.Result{}, err
		}
		t.notice(j)
		lines = append(lines, fmt.Sprintf("✓ Job %s has been cancelled (%s).", id, j.Status.Stage))
	}
	lines = append(lines, fmt.Sprintf("\nTo verify, call {\"operation\":\"inspect\",\"job_id\":%q}.", p.JobID[0]))
	return tool.Success(strings.Join(lines, "\n")), nil
}

// wait waits for the end of jobs without a model call in between.
func (t *Tool) wait(ctx context.Context, env tool.Env, p request.Params) (tool.Result, error) {
	if p.Wait != "" {
		d, err := request.Duration("wait", p.Wait, 0)
		if err != nil {
			return tool.Result{}, err
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, d, errWaited)
		defer cancel()
	}
	ok := true
	var lines []string
	for _, id := range p.JobID {
		j, err := t.await(ctx, env, p, id)
		switch {
		case errors.Is(err, errWaited):
			lines = append(lines, fmt.Sprintf("Job %s still runs after %s: %s", id, p.Wait, j.Status.Stage))
			continue
		case err != nil:
			return tool.Result{}, err
		}
		if j.Status.Stage != job.Completed {
			ok = false
			lines = append(lines, fmt.Sprintf("Job %s failed (%s): %s", id, j.Status.Stage, report.Reason(j)))
			continue
		}
		lines = append(lines, fmt.Sprintf("Job %s completed after %s.", id, time.Duration(j.Durations.RunningSecs*float64(time.Second)).Round(time.Second)))
	}
	return tool.Result{Output: strings.Join(lines, "\n"), OK: ok}, nil
}

// await returns a job when it is over; after the call's wait it returns it as
// it stands, with errWaited.
func (t *Tool) await(ctx context.Context, env tool.Env, p request.Params, id string) (job.Job, error) {
	defer t.look.Hear(id, env.Log)()
	var last job.Job
	for every := 2 * time.Second; ; every = min(every*3/2, 15*time.Second) {
		j, err := t.find(ctx, p.Namespace, id)
		switch {
		case errors.Is(context.Cause(ctx), errWaited):
			return last, errWaited
		case err != nil && (ctx.Err() != nil || !passing(err)):
			return last, err
		case err != nil:
			env.Log(fmt.Sprintf("job %s: %v; it is asked again", id, err))
		default:
			if j.Status.Stage != last.Status.Stage {
				env.Log(fmt.Sprintf("job %s: %s", id, j.Status.Stage))
			}
			if last = j; j.Status.Stage.Over() {
				return j, nil
			}
		}
		pause(ctx, every)
	}
}

func (t *Tool) metrics(ctx context.Context, _ tool.Env, p request.Params) (tool.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var parts []string
	for _, id := range p.JobID {
		for m, err := range t.opts.Jobs.Metrics(ctx, p.Namespace, id) {
			if err != nil {
				return tool.Result{}, fmt.Errorf("%w (metrics are there only while the job runs)", err)
			}
			text, err := report.JSON(m)
			if err != nil {
				return tool.Result{}, err
			}
			parts = append(parts, fmt.Sprintf("**Metrics of %s:**\n%s", id, text))
			break
		}
	}
	if len(parts) == 0 {
		return tool.Failed("The job has told no metrics."), nil
	}
	return tool.Success(strings.Join(parts, "\n\n")), nil
}

func (t *Tool) hardware(ctx context.Context, _ tool.Env, _ request.Params) (tool.Result, error) {
	list := t.opts.Prices.Ask(ctx)
	rows := make([][]string, 0, len(list.Flavors))
	for _, f := range list.Flavors {
		rows = append(rows, []string{f.Name, f.CPU, f.RAM, f.GPU, f.Disk, fmt.Sprintf("%.2f", f.USDPerHour)})
	}
	text := report.Table(report.HardwareColumns, rows)
	text += "\nPaid by the started minute while a job starts or runs; open ports cost 0.01 USD an hour more."
	if list.Source != "live" {
		text += "\nThe live list was not reached: these prices are estimates."
	}
	return tool.Success(text), nil
}
