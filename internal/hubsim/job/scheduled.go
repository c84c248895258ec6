package job

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/job/cron"
	"github.com/ml-intern/ml-intern/internal/hubsim/job/spec"
)

// plan is what is kept of a scheduled job.
type plan struct {
	ID          string
	Serial      int64
	Spec        spec.Spec
	Created     time.Time
	Schedule    string
	Suspended   bool
	Concurrency bool
	CreatedBy   party
	Owner       party
	LastJob     string
	LastAt      time.Time
}

// scheduled is a plan and its next run. Its members are guarded by Jobs.mu.
type scheduled struct {
	plan
	due   cron.Schedule
	next  time.Time // zero when suspended
	timer *clock.Timer
}

// stop forgets the next run. The lock is held.
func (s *scheduled) stop() {
	if s.timer != nil {
		s.timer.Stop()
	}
	s.timer, s.next = nil, time.Time{}
}

// arm sets the next run. The lock is held.
func (js *Jobs) arm(s *scheduled) {
	s.stop()
	if s.Suspended || js.closed {
		return
	}
	now := js.o.Clock.Now()
	next, err := s.due.Next(now)
	if err != nil {
		return // never again: a year in the past
	}
	s.next = next
	s.timer = js.o.Clock.AfterFunc(next.Sub(now), func() { js.fire(s) })
}

// fire starts the run that is due.
func (js *Jobs) fire(s *scheduled) {
	js.mu.Lock()
	if js.closed || s.Suspended || js.scheduled[s.ID] != s {
		js.mu.Unlock()
		return
	}
	js.arm(s)
	busy := js.busy(s)
	js.mu.Unlock()
	if busy {
		return // the next run is the next chance
	}
	js.startScheduled(s, s.CreatedBy, fault.Do{})
}

// busy reports whether a run that must not have company is not over.
func (js *Jobs) busy(s *scheduled) bool {
	last, ok := js.jobs[s.LastJob]
	return ok && !last.final() && !s.Concurrency
}

// startScheduled makes a job of s; one that nobody can pay is over at once.
func (js *Jobs) startScheduled(s *scheduled, by party, f fault.Do) *job {
	owner, ok := js.o.Accounts.Find(s.Owner.Name)
	if !ok {
		return nil
	}
	js.mu.Lock()
	one := s.Spec
	js.mu.Unlock()
	j := js.add(request{
		spec: one, owner: owner, createdBy: by, initiator: party{Type: "scheduled-job", ID: s.ID}, stick: f.StickStage,
	})
	js.mu.Lock()
	s.LastJob, s.LastAt = j.ID, j.Created
	js.mu.Unlock()
	if owner.CreditMicroUSD <= 0 {
		js.finish(j, Canceled, "Insufficient credits", "NO_CREDITS")
		return j
	}
	js.launch(j, f.FailStage)
	return j
}

// scheduledView is a scheduled job as answers show it.
type scheduledView struct {
	Type          string  `json:"type"`
	ID            string  `json:"id"`
	Created       string  `json:"createdAt"`
	Schedule      string  `json:"schedule"`
	Suspend       bool    `json:"suspend"`
	SuspendReason *string `json:"suspendReason"`
	Concurrency   bool    `json:"concurrency"`
	Status        struct {
		LastJob *lastJob `json:"lastJob"`
		Next    *string  `json:"nextJobRunAt"`
	} `json:"status"`
	Owner     party `json:"owner"`
	Initiator party `json:"initiator"`
	JobSpec   struct {
		spec.View
		Tags []string `json:"tags"`
	} `json:"jobSpec"`
}

type lastJob struct {
	ID string `json:"id"`
	At string `json:"at"`
}

// view shows s. The lock is held.
func (s *scheduled) view() scheduledView {
	v := scheduledView{
		Type: "scheduled-job", ID: s.ID, Created: clock.Format(s.Created), Schedule: s.Schedule, Suspend: s.Suspended,
		Concurrency: s.Concurrency, Owner: s.Owner, Initiator: s.CreatedBy,
	}
	if s.LastJob != "" {
		v.Status.LastJob = &lastJob{s.LastJob, clock.Format(s.LastAt)}
	}
	if !s.next.IsZero() {
		next := clock.Format(s.next)
		v.Status.Next = &next
	}
	v.JobSpec.View, v.JobSpec.Tags = s.Spec.View(), []string{}
	return v
}

func (js *Jobs) scheduledRoutes(handle func(string, answer.Handler)) {
	handle("POST /api/scheduled-jobs/{ns}", js.createScheduled)
	handle("GET /api/scheduled-jobs/{ns}", js.listScheduled)
	handle("GET /api/scheduled-jobs/{ns}/{id}", js.showScheduled)
	handle("DELETE /api/scheduled-jobs/{ns}/{id}", js.deleteScheduled)
	handle("POST /api/scheduled-jobs/{ns}/{id}/{act}", js.actScheduled)
	handle("PUT /api/scheduled-jobs/{ns}/{id}/labels", js.labelScheduled)
}

func (js *Jobs) createScheduled(w http.ResponseWriter, r *http.Request) error {
	owner, err := js.writes(r)
	if err != nil {
		return err
	}
	var body struct {
		JobSpec     json.RawMessage `json:"jobSpec"`
		Schedule    string          `json:"schedule"`
		Suspend     bool            `json:"suspend"`
		Concurrency bool            `json:"concurrency"`
	}
	if err := decode(w, r, &body); err != nil {
		return err
	}
	if body.JobSpec == nil {
		return invalid(fmt.Errorf(`"jobSpec" is required`))
	}
	due, err := js.parseSchedule(body.Schedule)
	if err != nil {
		return err
	}
	one, err := js.accept(r, body.JobSpec)
	if err != nil {
		return err
	}
	s := &scheduled{due: due, plan: plan{
		ID: js.o.Clock.ID(), Spec: one, Created: js.o.Clock.Stamp(), Schedule: body.Schedule, Suspended: body.Suspend,
		Concurrency: body.Concurrency, CreatedBy: partyOf(account.From(r.Context()).User), Owner: partyOf(owner),
	}}
	js.mu.Lock()
	js.serial++
	s.Serial = js.serial
	js.scheduled[s.ID] = s
	js.arm(s)
	js.mu.Unlock()
	js.answerScheduled(w, s)
	return nil
}

// parseSchedule also refuses what is never due.
func (js *Jobs) parseSchedule(text string) (cron.Schedule, error) {
	due, err := cron.Parse(text)
	if err == nil {
		_, err = due.Next(js.o.Clock.Now())
	}
	if err != nil {
		return due, invalid(err)
	}
	return due, nil
}

func (js *Jobs) answerScheduled(w http.ResponseWriter, s *scheduled) {
	js.mu.Lock()
	v := s.view()
	js.mu.Unlock()
	answer.JSON(w, http.StatusOK, v)
}

func (js *Jobs) listScheduled(w http.ResponseWriter, r *http.Request) error {
	owner, err := js.reads(r)
	if err != nil {
		return err
	}
	labels := answer.Values(r.URL.Query(), "label")
	limit, err := answer.Limit(r.URL.Query(), pageSize, pageMost)
	if err != nil {
		return err
	}
	var all []*scheduled
	js.mu.Lock()
	for _, s := range js.scheduled {
		if s.Owner.Name == owner.Name && matches("", s.Spec.Labels, nil, labels) {
			all = append(all, s)
		}
	}
	js.mu.Unlock()
	page, err := answer.Page(w, r, all, limit, func(s *scheduled) string { return answer.Descending(s.Serial) })
	if err != nil {
		return err
	}
	views := []scheduledView{}
	js.mu.Lock()
	for _, s := range page {
		views = append(views, s.view())
	}
	js.mu.Unlock()
	answer.JSON(w, http.StatusOK, views)
	return nil
}

// findScheduled returns the scheduled job of the path for a caller who may see
// or change it.
func (js *Jobs) findScheduled(r *http.Request, write bool) (*scheduled, error) {
	owner, err := js.allowed(r, write)
	if err != nil {
		return nil, err
	}
	js.mu.Lock()
	defer js.mu.Unlock()
	s, ok := js.scheduled[r.PathValue("id")]
	if !ok || s.Owner.Name != owner.Name {
		return nil, answer.Refuse(http.StatusNotFound, "Scheduled job not found")
	}
	return s, nil
}

func (js *Jobs) showScheduled(w http.ResponseWriter, r *http.Request) error {
	s, err := js.findScheduled(r, false)
	if err != nil {
		return err
	}
	js.answerScheduled(w, s)
	return nil
}

func (js *Jobs) deleteScheduled(w http.ResponseWriter, r *http.Request) error {
	s, err := js.findScheduled(r, true)
	if err != nil {
		return err
	}
	js.mu.Lock()
	s.stop()
	delete(js.scheduled, s.ID)
	js.mu.Unlock()
	w.WriteHeader(http.StatusOK)
	return nil
}

func (js *Jobs) actScheduled(w http.ResponseWriter, r *http.Request) error {
	s, err := js.findScheduled(r, true)
	if err != nil {
		return err
	}
	switch act := r.PathValue("act"); act {
	case "suspend", "resume":
		js.mu.Lock()
		s.Suspended = act == "suspend"
		js.arm(s)
		js.mu.Unlock()
		w.WriteHeader(http.StatusOK)
		return nil
	case "run":
		return js.runScheduled(w, r, s)
	case "schedule":
		return js.reschedule(w, r, s)
	}
	return answer.Refuse(http.StatusNotFound, "Not Found")
}

func (js *Jobs) runScheduled(w http.ResponseWriter, r *http.Request, s *scheduled) error {
	js.mu.Lock()
	busy := js.busy(s)
	js.mu.Unlock()
	if busy {
		return answer.Refuse(http.StatusConflict, "A job of this scheduled job is already running")
	}
	if owner, ok := js.o.Accounts.Find(s.Owner.Name); !ok || owner.CreditMicroUSD <= 0 {
		return answer.Refuse(http.StatusPaymentRequired, noCredit)
	}
	j := js.startScheduled(s, partyOf(account.From(r.Context()).User), fault.From(r.Context()))
	js.answer(w, r, j)
	return nil
}

func (js *Jobs) reschedule(w http.ResponseWriter, r *http.Request, s *scheduled) error {
	var body struct {
		Schedule string `json:"schedule"`
	}
	if err := decode(w, r, &body); err != nil {
		return err
	}
	due, err := js.parseSchedule(body.Schedule)
	if err != nil {
		return err
	}
	js.mu.Lock()
	s.due, s.Schedule = due, body.Schedule
	js.arm(s)
	js.mu.Unlock()
	js.answerScheduled(w, s)
	return nil
}

func (js *Jobs) labelScheduled(w http.ResponseWriter, r *http.Request) error {
	s, err := js.findScheduled(r, true)
	if err != nil {
		return err
	}
	labels, err := labelsOf(w, r)
	if err != nil {
		return err
	}
	js.mu.Lock()
	s.Spec.Labels = labels
	js.mu.Unlock()
	js.answerScheduled(w, s)
	return nil
}
