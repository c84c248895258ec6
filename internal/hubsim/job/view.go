package job

import (
	"fmt"
	"slices"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/hubsim/job/spec"
)

// view is a job as answers show it.
type view struct {
	Type    string `json:"type"`
	ID      string `json:"id"`
	Created string `json:"createdAt"`
	spec.View
	CreatedBy party     `json:"createdBy"`
	Owner     party     `json:"owner"`
	Initiator party     `json:"initiator"`
	Status    status    `json:"status"`
	Durations durations `json:"durations"`
	Started   string    `json:"startedAt,omitempty"`
	Finished  string    `json:"finishedAt,omitempty"`
}

type status struct {
	Stage        string   `json:"stage"`
	Message      *string  `json:"message"`
	FailureCount int      `json:"failureCount"`
	CancelReason string   `json:"cancelReason,omitempty"`
	ExposeURLs   []string `json:"exposeUrls,omitempty"`
	SSHURL       string   `json:"sshUrl,omitempty"`
}

// durations are in whole seconds, of a finished job.
type durations struct {
	Scheduling *int64 `json:"schedulingSecs,omitempty"`
	Running    *int64 `json:"runningSecs,omitempty"`
	Total      *int64 `json:"totalSecs,omitempty"`
}

// view shows a job; base is the address the client called. The lock is held.
func (j *job) view(base string) view {
	v := view{
		Type: "job", ID: j.ID, Created: clock.Format(j.Created), View: j.Spec.View(), CreatedBy: j.CreatedBy,
		Owner: j.Owner, Initiator: j.Initiator, Status: j.status(base),
	}
	if !j.Started.IsZero() {
		v.Started = clock.Format(j.Started)
	}
	if j.Finished.IsZero() {
		return v
	}
	v.Finished = clock.Format(j.Finished)
	started := j.Started
	if started.IsZero() {
		started = j.Finished
	}
	v.Durations = durations{seconds(started.Sub(j.Created)), seconds(j.Finished.Sub(started)), seconds(j.Finished.Sub(j.Created))}
	return v
}

func seconds(d time.Duration) *int64 {
	n := int64(d / time.Second)
	return &n
}

// status shows the job's stage; without base the addresses are left out.
func (j *job) status(base string) status {
	s := status{Stage: j.Stage, FailureCount: j.Failures, CancelReason: j.Reason}
	if j.Message != "" {
		s.Message = &j.Message
	}
	if j.Stage != Running || base == "" {
		return s
	}
	for _, port := range j.Spec.Ports() {
		s.ExposeURLs = append(s.ExposeURLs, fmt.Sprintf("%s/__jobs/%s/%d", base, j.ID, port))
	}
	if j.Spec.SSH != nil && j.Spec.SSH.Enabled {
		s.SSHURL = "ssh://" + j.ID + "@ssh.hf.jobs"
	}
	return s
}

// matches reports whether a job has one of the stages and one of the labels,
// each of them "key=value" or "key".
func matches(stage string, labels map[string]string, stages, wanted []string) bool {
	if len(stages) > 0 && !slices.Contains(stages, stage) {
		return false
	}
	return len(wanted) == 0 || slices.ContainsFunc(wanted, func(w string) bool { return exec.Labelled(labels, w) })
}
