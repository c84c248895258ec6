package status

import (
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// jobs are the Hub jobs that run, and what is set aside for them.
type jobs struct {
	running  map[string]bool
	reserved map[string]reservation
}

// reservation is the ledger's entry of a running job.
type reservation struct {
	micro *int64
	rate  *float64 // dollars an hour
	since time.Time
}

func (j *jobs) submit(id string) {
	if j.running == nil {
		j.running = map[string]bool{}
	}
	j.running[id] = true
}

func (j *jobs) over(id string) { delete(j.running, id) }

func (j *jobs) spend(in event.Spend, at time.Time) {
	if in.Kind != event.SpendJob {
		return
	}
	if in.State != event.SpendReserved {
		delete(j.reserved, in.ID)
		return
	}
	if j.reserved == nil {
		j.reserved = map[string]reservation{}
	}
	if old, ok := j.reserved[in.ID]; ok {
		at = old.since
	}
	j.reserved[in.ID] = reservation{in.MicroUSD, in.USDPerHour, at}
}

// estimate is what the running jobs have cost by their time so far, at most
// what is set aside for them.
func (j *jobs) estimate(now time.Time) (micro int64, incomplete bool) {
	if len(j.running) == 0 {
		return 0, false // the end of a job is told before its entry is settled
	}
	for _, r := range j.reserved {
		if r.rate == nil {
			incomplete = true
			continue
		}
		cost := max(0, now.Sub(r.since).Hours()) * *r.rate * 1e6
		if r.micro != nil {
			cost = min(cost, float64(*r.micro))
		}
		micro += int64(cost)
	}
	return micro, incomplete
}
