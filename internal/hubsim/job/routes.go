package job

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/flavor"
	"github.com/ml-intern/ml-intern/internal/hubsim/fault"
	"github.com/ml-intern/ml-intern/internal/hubsim/job/spec"
)

// noCredit is the Hub's refusal for who cannot pay.
const noCredit = "Pre-paid credit balance is insufficient - add more credits to your account to use Jobs."

// Jobs of a page, unless the client says otherwise, and at most.
const (
	pageSize = 100
	pageMost = 1000
)

// Routes registers the routes.
func (js *Jobs) Routes(mux *http.ServeMux) {
	handle := func(pattern string, h answer.Handler) { mux.Handle(pattern, h) }
	handle("GET /api/jobs/hardware", func(w http.ResponseWriter, _ *http.Request) error {
		answer.JSON(w, http.StatusOK, flavor.Jobs())
		return nil
	})
	handle("POST /api/jobs/{ns}", js.create)
	handle("GET /api/jobs/{ns}", js.list)
	handle("GET /api/jobs/{ns}/count", js.count)
	handle("GET /api/jobs/{ns}/{id}", js.show)
	handle("POST /api/jobs/{ns}/{id}/{act}", js.act)
	handle("PUT /api/jobs/{ns}/{id}/labels", js.setLabels)
	handle("PUT /api/jobs/{ns}/{id}/expose", js.setExpose)
	handle("GET /api/jobs/{ns}/{id}/logs", js.logs)
	handle("GET /api/jobs/{ns}/{id}/events", js.eventsOf)
	handle("GET /api/jobs/{ns}/{id}/metrics", js.metrics)
	handle("/__jobs/{id}/{port}/", js.proxy)
	handle("/__jobs/{id}/{port}", js.proxy)
	js.scheduledRoutes(handle)
}

// reads and writes say whether the caller may do so in a namespace, and find it.
func (js *Jobs) reads(r *http.Request) (*account.Entity, error)  { return js.allowed(r, false) }
func (js *Jobs) writes(r *http.Request) (*account.Entity, error) { return js.allowed(r, true) }

func (js *Jobs) allowed(r *http.Request, write bool) (*account.Entity, error) {
	caller, ns := account.From(r.Context()), r.PathValue("ns")
	if caller == nil {
		return nil, answer.Login("")
	}
	e, ok := js.o.Accounts.Find(ns)
	if !ok {
		return nil, answer.Refuse(http.StatusNotFound, "This user or organization does not exist")
	}
	if !may(caller, write, ns) {
		return nil, answer.Refuse(http.StatusForbidden, fmt.Sprintf("You don't have the rights to use Jobs under the namespace %q", ns))
	}
	return e, nil
}

// may reports whether the caller may see jobs of a namespace, or start them.
func may(caller *account.Caller, write bool, ns string) bool {
	return caller.May(account.JobWrite, ns) || !write && caller.May("job.read", ns)
}

// find returns the job of the path, whose namespace must be the owner's.
func (js *Jobs) find(r *http.Request) (*job, error) {
	js.mu.Lock()
	defer js.mu.Unlock()
	j, ok := js.jobs[r.PathValue("id")]
	if !ok || !strings.EqualFold(j.Owner.Name, r.PathValue("ns")) {
		return nil, answer.Refuse(http.StatusNotFound, "Job not found")
	}
	return j, nil
}

// read and write find the job of the path for a caller who may do so.
func (js *Jobs) read(r *http.Request) (*job, error) {
	if _, err := js.reads(r); err != nil {
		return nil, err
	}
	return js.find(r)
}

func (js *Jobs) write(r *http.Request) (*job, error) {
	if _, err := js.writes(r); err != nil {
		return nil, err
	}
	return js.find(r)
}

// answer writes the job as it is now.
func (js *Jobs) answer(w http.ResponseWriter, r *http.Request, j *job) {
	js.mu.Lock()
	v := j.view(answer.Base(r))
	js.mu.Unlock()
	answer.JSON(w, http.StatusOK, v)
}

// invalid is the answer to what breaks a rule.
func invalid(err error) error { return answer.Invalid(err.Error()) }

// decode reads a body; what does not fit is invalid.
func decode(w http.ResponseWriter, r *http.Request, v any) error {
	var raw json.RawMessage
	if err := answer.Body(w, r, &raw); err != nil {
		return err
	}
	if raw == nil {
		return invalid(fmt.Errorf("a JSON body is required"))
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return invalid(err)
	}
	return nil
}

// accept checks a spec for the caller of r.
func (js *Jobs) accept(r *http.Request, raw json.RawMessage) (spec.Spec, error) {
	s, err := spec.Parse(raw)
	if err != nil {
		return s, invalid(err)
	}
	if s.SpaceID != "" {
		if err := js.o.Volumes.Space(r.Context(), s.SpaceID); err != nil {
			return s, err
		}
	}
	for _, v := range s.Volumes {
		if _, err := js.o.Volumes.Mount(r.Context(), v); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (js *Jobs) create(w http.ResponseWriter, r *http.Request) error {
	owner, err := js.writes(r)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := decode(w, r, &raw); err != nil {
		return err
	}
	s, err := js.accept(r, raw)
	if err != nil {
		return err
	}
	initiator := partyOf(account.From(r.Context()).User)
	if owner.Type == "org" {
		initiator = partyOf(owner)
	}
	return js.start(w, r, request{spec: s, owner: owner, initiator: initiator})
}

// start makes a job for the caller of r and answers with it, before it runs.
func (js *Jobs) start(w http.ResponseWriter, r *http.Request, q request) error {
	if q.owner.CreditMicroUSD <= 0 {
		return answer.Refuse(http.StatusPaymentRequired, noCredit)
	}
	f := fault.From(r.Context())
	q.stick = f.StickStage
	q.createdBy = partyOf(account.From(r.Context()).User)
	j := js.add(q)
	js.mu.Lock()
	v := j.view(answer.Base(r))
	js.mu.Unlock()
	js.launch(j, f.FailStage)
	answer.JSON(w, http.StatusOK, v)
	return nil
}

func (js *Jobs) list(w http.ResponseWriter, r *http.Request) error {
	all, err := js.selected(r)
	if err != nil {
		return err
	}
	limit, err := answer.Limit(r.URL.Query(), pageSize, pageMost)
	if err != nil {
		return err
	}
	page, err := answer.Page(w, r, all, limit, func(j *job) string { return answer.Descending(j.Serial) })
	if err != nil {
		return err
	}
	views := []view{}
	js.mu.Lock()
	for _, j := range page {
		views = append(views, j.view(answer.Base(r)))
	}
	js.mu.Unlock()
	answer.JSON(w, http.StatusOK, views)
	return nil
}

func (js *Jobs) count(w http.ResponseWriter, r *http.Request) error {
	all, err := js.selected(r)
	if err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, map[string]int{"count": len(all)})
	return nil
}

// selected lists the jobs that the path and the query name, in any order.
func (js *Jobs) selected(r *http.Request) ([]*job, error) {
	owner, err := js.reads(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	stages, labels := answer.Values(q, "stage"), answer.Values(q, "label")
	js.mu.Lock()
	defer js.mu.Unlock()
	var all []*job
	for _, j := range js.jobs {
		if j.Owner.Name == owner.Name && matches(j.Stage, j.Spec.Labels, stages, labels) {
			all = append(all, j)
		}
	}
	return all, nil
}

func (js *Jobs) show(w http.ResponseWriter, r *http.Request) error {
	j, err := js.read(r)
	if err != nil {
		return err
	}
	if f := fault.From(r.Context()); f.FailStage != "" {
		js.finish(j, f.FailStage, "", "")
	}
	js.answer(w, r, j)
	return nil
}

// act serves what is posted below a job, and the question whether the caller
// may do something with jobs.
func (js *Jobs) act(w http.ResponseWriter, r *http.Request) error {
	if r.PathValue("id") == "auth-check" {
		return js.authCheck(w, r)
	}
	j, err := js.write(r)
	if err != nil {
		return err
	}
	switch r.PathValue("act") {
	case "cancel":
		js.finish(j, Canceled, "", "")
		js.answer(w, r, j)
		return nil
	case "duplicate":
		owner, err := js.writes(r)
		if err != nil {
			return err
		}
		js.mu.Lock()
		same := j.Spec
		js.mu.Unlock()
		return js.start(w, r, request{spec: same, owner: owner, initiator: party{Type: "duplicated-job", ID: j.ID}})
	}
	return answer.Refuse(http.StatusNotFound, "Not Found")
}

// authCheck answers whether the caller has all the permissions, with commas
// between them.
func (js *Jobs) authCheck(w http.ResponseWriter, r *http.Request) error {
	for p := range strings.SplitSeq(r.PathValue("act"), ",") {
		name := strings.TrimPrefix(p, "job.")
		if name != "read" && name != "write" {
			return invalid(fmt.Errorf("permission %q is unknown", p))
		}
		if _, err := js.allowed(r, name == "write"); err != nil {
			return err
		}
	}
	answer.JSON(w, http.StatusOK, map[string]any{})
	return nil
}

func (js *Jobs) setLabels(w http.ResponseWriter, r *http.Request) error {
	j, err := js.write(r)
	if err != nil {
		return err
	}
	labels, err := labelsOf(w, r)
	if err != nil {
		return err
	}
	js.mu.Lock()
	j.Spec.Labels = labels
	js.mu.Unlock()
	js.answer(w, r, j)
	return nil
}

func labelsOf(w http.ResponseWriter, r *http.Request) (map[string]string, error) {
	var body struct {
		Labels map[string]string `json:"labels"`
	}
	if err := decode(w, r, &body); err != nil {
		return nil, err
	}
	if err := spec.Labels(body.Labels); err != nil {
		return nil, invalid(err)
	}
	return body.Labels, nil
}

func (js *Jobs) setExpose(w http.ResponseWriter, r *http.Request) error {
	j, err := js.write(r)
	if err != nil {
		return err
	}
	var body struct {
		Expose *spec.Expose `json:"expose"`
	}
	if err := decode(w, r, &body); err != nil {
		return err
	}
	if err := body.Expose.Check(); err != nil {
		return invalid(err)
	}
	js.mu.Lock()
	j.Spec.Expose = body.Expose
	js.mu.Unlock()
	js.answer(w, r, j)
	return nil
}

func (js *Jobs) logs(w http.ResponseWriter, r *http.Request) error {
	j, err := js.read(r)
	if err != nil {
		return err
	}
	n, err := answer.Tail(r.URL.Query())
	if err != nil {
		return err
	}
	js.streams.Log(w, r, j.log, n)
	return nil
}

func (js *Jobs) eventsOf(w http.ResponseWriter, r *http.Request) error {
	j, err := js.read(r)
	if err != nil {
		return err
	}
	js.streams.Log(w, r, j.events, 0)
	return nil
}

// exposed reports how a job's port is reached: not at all, by members, by all.
func (j *job) exposed(port int) (open, public bool) {
	e := j.Spec.Expose
	return e != nil && slices.Contains(e.Ports, port), e != nil && slices.Contains(e.PortsPublic, port)
}
