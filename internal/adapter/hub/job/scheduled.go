package job

import (
	"context"
	"iter"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Scheduled is a job that starts by the clock.
type Scheduled struct {
	ID            string    `json:"id"`
	CreatedAt     time.Time `json:"createdAt"`
	Schedule      string    `json:"schedule"`
	Suspend       bool      `json:"suspend"`
	SuspendReason string    `json:"suspendReason,omitempty"`
	Concurrency   bool      `json:"concurrency"`
	Status        struct {
		LastJob *struct {
			ID string    `json:"id"`
			At time.Time `json:"at"`
		} `json:"lastJob"`
		NextJobRunAt time.Time `json:"nextJobRunAt,omitzero"`
	} `json:"status"`
	JobSpec Shape `json:"jobSpec"`
	Owner   Party `json:"owner"`
}

// Plan is a job to be scheduled.
type Plan struct {
	Spec Spec `json:"jobSpec"`
	// Schedule is @hourly, @daily, @weekly, @monthly, @yearly, @annually or a
	// cron expression of five to seven fields, in UTC.
	Schedule    string `json:"schedule"`
	Suspend     bool   `json:"suspend,omitempty"`
	Concurrency bool   `json:"concurrency,omitempty"`
}

var cronField = regexp.MustCompile(`^(\*(/\d+)?|\d+(-\d+)?)(,(\*(/\d+)?|\d+(-\d+)?))*$`)

// CheckSchedule refuses what the Hub would not take as a schedule.
func CheckSchedule(schedule string) error {
	switch schedule {
	case "@annually", "@yearly", "@monthly", "@weekly", "@daily", "@hourly":
		return nil
	case "":
		return wire.BadField("schedule", "it is missing")
	}
	fields := strings.Fields(schedule)
	if len(fields) < 5 || len(fields) > 7 {
		return wire.BadField("schedule", "%q is neither @hourly, @daily, @weekly, @monthly or @yearly nor a cron expression of five fields", schedule)
	}
	for _, f := range fields {
		if !cronField.MatchString(f) {
			return wire.BadField("schedule", "%q in %q is not understood: only numbers, *, */n, a-b and lists", f, schedule)
		}
	}
	return nil
}

func scheduledPath(ns string, rest ...string) string {
	return wire.Path(append([]string{"api", "scheduled-jobs", ns}, rest...)...)
}

// Schedule makes a scheduled job. It is not repeated when its arrival cannot
// be told: look at the list then.
func (a *API) Schedule(ctx context.Context, ns string, p Plan) (Scheduled, error) {
	var s Scheduled
	if err := wire.CheckNamespace("namespace", ns); err != nil {
		return s, err
	}
	if err := p.Spec.check(); err != nil {
		return s, err
	}
	if err := CheckSchedule(p.Schedule); err != nil {
		return s, err
	}
	_, err := a.conn.JSON(ctx, wire.Request{
		Op: "schedule a job in " + ns, Method: http.MethodPost, Path: scheduledPath(ns), JSON: p, Retry: wire.CertainlyNotApplied,
	}, &s)
	return s, err
}

// Schedules yields the scheduled jobs of a namespace.
func (a *API) Schedules(ctx context.Context, ns string) iter.Seq2[Scheduled, error] {
	if err := wire.CheckNamespace("namespace", ns); err != nil {
		return func(yield func(Scheduled, error) bool) { yield(Scheduled{}, err) }
	}
	return wire.Pages[Scheduled](ctx, a.conn, wire.Request{
		Op: "list the scheduled jobs of " + ns, Method: http.MethodGet, Path: scheduledPath(ns),
	})
}

// FindSchedule reads one scheduled job.
func (a *API) FindSchedule(ctx context.Context, ns, id string) (Scheduled, error) {
	var s Scheduled
	if err := checkSchedule(ns, id); err != nil {
		return s, err
	}
	_, err := a.conn.JSON(ctx, wire.Request{
		Op: "read scheduled job " + id, Method: http.MethodGet, Path: scheduledPath(ns, id),
	}, &s)
	return s, err
}

// Suspend stops a schedule for the time being.
func (a *API) Suspend(ctx context.Context, ns, id string) error {
	return a.turn(ctx, ns, id, http.MethodPost, "suspend", "suspend")
}

// Resume takes a suspended schedule up again.
func (a *API) Resume(ctx context.Context, ns, id string) error {
	return a.turn(ctx, ns, id, http.MethodPost, "resume", "resume")
}

// Unschedule deletes a scheduled job; what it has started goes on.
func (a *API) Unschedule(ctx context.Context, ns, id string) error {
	return a.turn(ctx, ns, id, http.MethodDelete, "delete")
}

func (a *API) turn(ctx context.Context, ns, id, method, verb string, rest ...string) error {
	if err := checkSchedule(ns, id); err != nil {
		return err
	}
	resp, err := a.conn.Do(ctx, wire.Request{
		Op: verb + " scheduled job " + id, Method: method, Path: scheduledPath(ns, append([]string{id}, rest...)...),
		Retry: wire.Idempotent,
	})
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Trigger starts a scheduled job now.
func (a *API) Trigger(ctx context.Context, ns, id string) (Job, error) {
	var j Job
	if err := checkSchedule(ns, id); err != nil {
		return j, err
	}
	_, err := a.conn.JSON(ctx, wire.Request{
		Op: "start scheduled job " + id, Method: http.MethodPost, Path: scheduledPath(ns, id, "run"), Retry: wire.CertainlyNotApplied,
	}, &j)
	return j, err
}

func checkSchedule(ns, id string) error {
	if err := wire.CheckNamespace("namespace", ns); err != nil {
		return err
	}
	return wire.CheckJobID("scheduled_job_id", id)
}
