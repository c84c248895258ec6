package job

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/ml-intern/ml-intern/internal/hubsim/exec/stream"
	"github.com/ml-intern/ml-intern/internal/hubsim/job/cron"
)

// state is what is kept over a restart; it holds the secrets of jobs.
type state struct {
	Serial    int64
	Jobs      []savedJob
	Scheduled []plan
}

type savedJob struct {
	Record record
	Log    []stream.Entry
	Events []stream.Entry
}

// Save returns everything that Load needs, the values of secrets included.
func (js *Jobs) Save() (json.RawMessage, error) {
	js.mu.Lock()
	s := state{Serial: js.serial}
	for _, j := range js.jobs {
		s.Jobs = append(s.Jobs, savedJob{j.record, j.log.Entries(), j.events.Entries()})
	}
	for _, p := range js.scheduled {
		s.Scheduled = append(s.Scheduled, p.plan)
	}
	js.mu.Unlock() // logs are long; the maps of a record are replaced, never changed
	slices.SortFunc(s.Jobs, func(a, b savedJob) int { return cmp.Compare(a.Record.Serial, b.Record.Serial) })
	slices.SortFunc(s.Scheduled, func(a, b plan) int { return cmp.Compare(a.Serial, b.Serial) })
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("save the jobs: %w", err)
	}
	return raw, nil
}

// Load adds what Save returned. Jobs that were not over have failed: their
// commands are gone.
func (js *Jobs) Load(raw json.RawMessage) error {
	var s state
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("load the jobs: %w", err)
	}
	for _, saved := range s.Jobs {
		j := &job{record: saved.Record, log: &stream.Log{}, events: &stream.Log{}}
		j.log.Load(saved.Log)
		j.events.Load(saved.Events)
		js.mu.Lock()
		js.jobs[j.ID] = j
		js.mu.Unlock()
		if j.final() {
			j.log.End()
			j.events.End()
			continue
		}
		js.finish(j, Failed, "simulator restarted", "")
	}
	js.mu.Lock()
	defer js.mu.Unlock()
	js.serial = max(js.serial, s.Serial)
	for _, p := range s.Scheduled {
		due, err := cron.Parse(p.Schedule)
		if err != nil {
			return fmt.Errorf("load the scheduled job %s: %w", p.ID, err)
		}
		one := &scheduled{plan: p, due: due}
		js.scheduled[p.ID] = one
		js.arm(one)
	}
	return nil
}
