// Package job serves the simulated Hub's jobs: what clients ask for, the stages
// of each, its log, metrics, cost and exposed ports, and the jobs that are
// started on a schedule. It knows neither how commands are run nor what a
// repository holds: package exec runs them, and volumes come from outside.
package job

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/flavor"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/meter"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/stream"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/volume"
	"github.com/ml-intern/ml-intern/internal/hubsim/job/spec"
)

// Stages.
const (
	Scheduling = "SCHEDULING"
	Running    = "RUNNING"
	Completed  = "COMPLETED"
	Canceled   = "CANCELED"
	Failed     = "ERROR"
	Deleted    = "DELETED"
)

// product is what charges are booked under.
const product = "jobs"

// portNanoUSD is the price of exposing ports: a cent an hour, by the minute.
const portNanoUSD = 10_000_000 / 60

// Options of the jobs.
type Options struct {
	Clock    *clock.Clock
	Accounts *account.Book
	Runner   *exec.Runner
	// Volumes finds what jobs mount.
	Volumes volume.Source
	// Delay is how long a flavor's jobs wait in SCHEDULING; nil is not at all.
	Delay func(flavor string) time.Duration
}

// Jobs are all jobs. They are safe for concurrent use.
type Jobs struct {
	o       Options
	streams stream.Server
	over    chan struct{}

	mu        sync.Mutex
	closed    bool
	serial    int64
	jobs      map[string]*job
	scheduled map[string]*scheduled
}

// New returns no jobs.
func New(o Options) (*Jobs, error) {
	if o.Clock == nil || o.Accounts == nil || o.Runner == nil || o.Volumes == nil {
		return nil, errors.New("jobs: a clock, accounts, a runner and volumes are needed")
	}
	if o.Delay == nil {
		o.Delay = func(string) time.Duration { return 0 }
	}
	over := make(chan struct{})
	return &Jobs{
		o: o, over: over, streams: stream.Server{Clock: o.Clock, Over: over},
		jobs: map[string]*job{}, scheduled: map[string]*scheduled{},
	}, nil
}

// party is who made or owns something.
type party struct {
	Type      string `json:"type,omitempty"`
	ID        string `json:"id"`
	Name      string `json:"name,omitempty"`
	AvatarURL string `json:"avatarUrl,omitempty"`
}

func partyOf(e *account.Entity) party {
	return party{Type: e.Type, ID: e.ID, Name: e.Name, AvatarURL: e.Avatar()}
}

// record is what is kept of a job.
type record struct {
	ID        string
	Serial    int64 // the order of creation
	Spec      spec.Spec
	Created   time.Time
	Started   time.Time
	Finished  time.Time
	Stage     string
	Message   string
	Reason    string
	Failures  int
	CreatedBy party
	Owner     party
	Initiator party
}

// job is a record and what is alive of it. Its members are guarded by Jobs.mu.
type job struct {
	record
	log     *stream.Log
	events  *stream.Log
	process *exec.Process
	meter   *meter.Meter
	timers  []*clock.Timer
	stuck   string // the stage a fault keeps it in
}

func (j *job) final() bool { return isFinal(j.Stage) }

func isFinal(stage string) bool {
	return slices.Contains([]string{Completed, Canceled, Failed, Deleted}, stage)
}

// request is a job that is wanted.
type request struct {
	spec      spec.Spec
	createdBy party
	owner     *account.Entity
	initiator party
	// stick is the stage a fault keeps it in.
	stick string
}

// add makes a job, in SCHEDULING.
func (js *Jobs) add(q request) *job {
	id, now := js.o.Clock.ID(), js.o.Clock.Stamp()
	js.mu.Lock()
	defer js.mu.Unlock()
	js.serial++
	j := &job{
		record: record{
			ID: id, Serial: js.serial, Spec: q.spec, Created: now, Stage: Scheduling,
			CreatedBy: q.createdBy, Owner: partyOf(q.owner), Initiator: q.initiator,
		},
		log: &stream.Log{}, events: &stream.Log{}, stuck: q.stick,
	}
	j.CreatedBy.Type, j.CreatedBy.AvatarURL = "", ""
	js.jobs[id] = j
	js.tell(j)
	return j
}

// launch begins what is to happen with a new job. It must be called without the
// lock.
func (js *Jobs) launch(j *job, fail string) {
	js.mu.Lock()
	if js.closed || j.final() || j.stuck == Scheduling {
		js.mu.Unlock()
		return
	}
	if d := js.o.Delay(j.Spec.Flavor); d > 0 && fail == "" {
		j.timers = append(j.timers, js.o.Clock.AfterFunc(d, func() { js.begin(j) }))
		js.mu.Unlock()
		return
	}
	js.mu.Unlock()
	if fail != "" {
		message := ""
		if fail == Failed {
			message = "Job failed with exit code: 1"
		}
		js.finish(j, fail, message, "")
		return
	}
	js.begin(j)
}

// begin takes a job from SCHEDULING to RUNNING.
func (js *Jobs) begin(j *job) {
	now := js.o.Clock.Stamp()
	js.mu.Lock()
	if js.closed || j.Stage != Scheduling {
		js.mu.Unlock()
		return
	}
	j.Stage, j.Started = Running, now
	js.tell(j)
	j.log.Add(stream.Line("===== Job started at "+now.UTC().Format(time.DateTime)+" =====", now))
	j.timers = append(j.timers, js.o.Clock.AfterFunc(j.Spec.Timeout(), func() { js.finish(j, Failed, "Job timeout", "") }))
	js.mu.Unlock()
	m := meter.Start(meter.Options{
		Clock: js.o.Clock,
		Book:  func(minutes int64) bool { return js.book(j, minutes) },
		Empty: func() { js.finish(j, Canceled, "Insufficient credits", "NO_CREDITS") },
	})
	js.mu.Lock()
	j.meter = m
	over := j.final()
	js.mu.Unlock()
	if over {
		m.Stop()
		return
	}
	js.try(j)
}

// book charges the owner for the started minutes; false when the credit does
// not reach for one more.
func (js *Jobs) book(j *job, minutes int64) bool {
	js.mu.Lock()
	owner, final := j.Owner.Name, j.final()
	js.mu.Unlock()
	if final {
		return true // booked at the end
	}
	if e, ok := js.o.Accounts.Find(owner); !ok || e.CreditMicroUSD <= 0 {
		return false
	}
	js.charge(j, minutes)
	return true
}

func (js *Jobs) charge(j *job, minutes int64) {
	js.mu.Lock()
	f, _ := flavor.Find(j.Spec.Flavor)
	perMinute := f.MicroUSD * 1000
	if len(j.Spec.Ports()) > 0 {
		perMinute += portNanoUSD
	}
	c := account.Charge{
		Entity: j.Owner.Name, Product: product, Ref: j.ID, Flavor: j.Spec.Flavor, NanoUSD: minutes * perMinute, Minutes: minutes,
		StartedAt: j.Started, EndedAt: j.Finished,
	}
	js.mu.Unlock()
	js.o.Accounts.Charge(c)
}

// try runs the command once.
func (js *Jobs) try(j *job) {
	js.mu.Lock()
	one := j.Spec // its maps are replaced, never changed
	js.mu.Unlock()
	f, _ := flavor.Find(one.Flavor)
	ctx := account.With(context.Background(), js.o.Accounts.As(j.CreatedBy.Name))
	s := exec.Spec{
		ID: j.ID, Command: slices.Concat(one.Command, one.Arguments), Labels: one.Labels,
		Environment: one.Environment, Secrets: one.Secrets,
		System: f.Variables(map[string]string{"JOB_ID": j.ID}), GPU: f.Listing(),
		Mounts: volume.Mounts(ctx, js.o.Volumes, one.Volumes), Ports: one.Ports(),
		Line:  func(text string, at time.Time) { j.log.Add(stream.Line(text, at)) },
		Stage: func(stage, message string) { js.stage(j, stage, message) },
		Done:  func(e exec.Exit) { js.ended(j, e) },
	}
	if len(s.Command) == 0 {
		s.Command = []string{"true"} // an image's own command is not known
	}
	p := js.o.Runner.Start(ctx, s)
	if p == nil {
		return // all is closing
	}
	js.mu.Lock()
	j.process = p
	final := j.final()
	js.mu.Unlock()
	if final {
		p.Cancel()
	}
}

// ended hears that the command has.
func (js *Jobs) ended(j *job, e exec.Exit) {
	js.mu.Lock()
	if j.final() || js.closed || j.stuck == Running {
		js.mu.Unlock()
		j.log.End()
		return
	}
	again := false
	if e.Code != 0 || e.Err != nil {
		j.Failures++
		again = j.Failures < j.Spec.Tries()
	}
	js.mu.Unlock()
	switch {
	case e.Err != nil:
		j.log.Add(stream.Line(e.Err.Error(), js.o.Clock.Stamp()))
		fallthrough
	case e.Code != 0:
		if again {
			js.try(j)
			return
		}
		js.finish(j, Failed, fmt.Sprintf("Job failed with exit code: %d", max(1, e.Code)), "")
	default:
		js.finish(j, Completed, "", "")
	}
	j.log.End()
}

// stage follows a script.
func (js *Jobs) stage(j *job, stage, message string) {
	if isFinal(stage) {
		js.finish(j, stage, message, "")
		return
	}
	js.mu.Lock()
	defer js.mu.Unlock()
	if !j.final() && j.stuck != j.Stage {
		j.Stage, j.Message = stage, message
		js.tell(j)
	}
}

// finish ends a job that has not ended, books its cost and ends its command.
func (js *Jobs) finish(j *job, stage, message, reason string) {
	now := js.o.Clock.Stamp()
	js.mu.Lock()
	if j.final() || j.stuck == j.Stage && stage != Canceled {
		js.mu.Unlock()
		return
	}
	j.Stage, j.Message, j.Reason, j.Finished = stage, message, reason, now
	js.tell(j)
	j.events.End()
	timers, m, p := j.timers, j.meter, j.process
	j.timers = nil
	js.mu.Unlock()
	for _, t := range timers {
		t.Stop()
	}
	if m != nil {
		js.charge(j, m.Stop())
	}
	if p == nil {
		j.log.End()
		return
	}
	p.Cancel()
}

// tell adds the job's status to its events. The lock is held.
func (js *Jobs) tell(j *job) {
	at := j.Finished
	if at.IsZero() {
		at = js.o.Clock.Now()
	}
	j.events.Add(stream.JSON("", struct {
		ID string `json:"id"`
		status
		Timestamp string `json:"timestamp"`
	}{j.ID, j.status(""), clock.Format(at)}))
}

// Close ends all streams and forgets timers; the runner's owner ends the
// commands.
func (js *Jobs) Close() error {
	js.mu.Lock()
	defer js.mu.Unlock()
	if js.closed {
		return nil
	}
	js.closed = true
	close(js.over)
	for _, j := range js.jobs {
		for _, t := range j.timers {
			t.Stop()
		}
		if j.meter != nil {
			j.meter.Stop()
		}
	}
	for _, s := range js.scheduled {
		s.stop()
	}
	return nil
}

// Labels are a job's labels, for tests and for charges by session.
func (js *Jobs) Labels(id string) map[string]string {
	js.mu.Lock()
	defer js.mu.Unlock()
	if j, ok := js.jobs[id]; ok {
		return maps.Clone(j.Spec.Labels)
	}
	return nil
}
