package jobs

import (
	"context"
	"fmt"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/delivery"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/report"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/request"
)

func (t *Tool) schedule(ctx context.Context, env tool.Env, p request.Params) (tool.Result, error) {
	if err := job.CheckSchedule(p.Schedule); err != nil {
		return tool.Result{}, err
	}
	spec, err := t.prepare(ctx, env, p)
	if err != nil {
		return tool.Result{}, err
	}
	s, err := t.opts.Jobs.Schedule(ctx, p.Namespace, job.Plan{Spec: spec, Schedule: p.Schedule})
	if err != nil {
		return tool.Result{}, err
	}
	if err := env.Effect("scheduled-job:" + p.Namespace + "/" + s.ID); err != nil {
		return tool.Result{}, err
	}
	return tool.Success(fmt.Sprintf(
		"✓ Scheduled %s job created.\n**Scheduled Job ID:** %s\n**Schedule:** %s\n**Suspended:** %s\n**Next Run:** %s\n\n"+
			"To inspect it, call {\"operation\":\"scheduled inspect\",\"scheduled_job_id\":%q}.\nTo start it now, call it with operation scheduled trigger.",
		p.Kind(), s.ID, s.Schedule, report.YesNo(s.Suspend), report.Date(s.Status.NextJobRunAt), s.ID)), nil
}

func (t *Tool) schedules(ctx context.Context, _ tool.Env, p request.Params) (tool.Result, error) {
	var rows [][]string
	for s, err := range t.opts.Jobs.Schedules(ctx, p.Namespace) {
		if err != nil {
			return tool.Result{}, err
		}
		if s.Suspend && !p.All {
			continue
		}
		rows = append(rows, []string{
			s.ID, s.Schedule, s.JobSpec.DockerImage + s.JobSpec.SpaceID, delivery.Shown(s.JobSpec.Command),
			report.LastRun(s), report.Date(s.Status.NextJobRunAt), report.YesNo(s.Suspend),
		})
		if len(rows) == listLimit {
			break
		}
	}
	switch {
	case len(rows) > 0:
		return tool.Success(report.Table(report.ScheduleColumns, rows)), nil
	case p.All:
		return tool.Success("No scheduled jobs found."), nil
	}
	return tool.Success(`No active scheduled jobs. Call {"operation":"scheduled ps","all":true} to see suspended ones too.`), nil
}

func (t *Tool) inspectSchedule(ctx context.Context, _ tool.Env, p request.Params) (tool.Result, error) {
	s, err := t.opts.Jobs.FindSchedule(ctx, p.Namespace, p.ScheduledJobID)
	if err != nil {
		return tool.Result{}, err
	}
	text, err := report.JSON(map[string]any{
		"id": s.ID, "schedule": s.Schedule, "suspend": s.Suspend, "lastRun": report.LastRun(s), "nextRun": report.Date(s.Status.NextJobRunAt),
		"jobSpec": map[string]any{
			"dockerImage": s.JobSpec.DockerImage, "spaceId": s.JobSpec.SpaceID, "command": s.JobSpec.Command,
			"hardware_flavor": s.JobSpec.Flavor,
		},
	})
	if err != nil {
		return tool.Result{}, err
	}
	return tool.Success("**Scheduled Job Details:** " + s.ID + "\n" + text), nil
}

func (t *Tool) unschedule(ctx context.Context, _ tool.Env, p request.Params) (tool.Result, error) {
	return done(p, "deleted", `To see what is left, call {"operation":"scheduled ps"}.`, t.opts.Jobs.Unschedule(ctx, p.Namespace, p.ScheduledJobID))
}

func (t *Tool) suspend(ctx context.Context, _ tool.Env, p request.Params) (tool.Result, error) {
	return done(p, "suspended", "To take it up again, call it with operation scheduled resume.", t.opts.Jobs.Suspend(ctx, p.Namespace, p.ScheduledJobID))
}

func (t *Tool) resume(ctx context.Context, _ tool.Env, p request.Params) (tool.Result, error) {
	return done(p, "resumed", "To see its next run, call it with operation scheduled inspect.", t.opts.Jobs.Resume(ctx, p.Namespace, p.ScheduledJobID))
}

func done(p request.Params, what, then string, err error) (tool.Result, error) {
	if err != nil {
		return tool.Result{}, err
	}
	return tool.Success(fmt.Sprintf("✓ Scheduled job %s has been %s.\n\n%s", p.ScheduledJobID, what, then)), nil
}

func (t *Tool) trigger(ctx context.Context, env tool.Env, p request.Params) (tool.Result, error) {
	j, err := t.opts.Jobs.Trigger(ctx, p.Namespace, p.ScheduledJobID)
	if err != nil {
		return tool.Result{}, err
	}
	t.remember(j.ID)
	if err := env.Effect(ref(p.Namespace, j.ID)); err != nil {
		return tool.Result{}, err
	}
	return tool.Success(fmt.Sprintf("✓ Scheduled job %s was started.\n**Job ID:** %s\n**View at:** %s\n\nTo wait for its end, call {\"operation\":\"wait\",\"job_id\":%q}.",
		p.ScheduledJobID, j.ID, j.URL(t.opts.Jobs.Endpoint()), j.ID)), nil
}
