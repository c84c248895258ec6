package usage

import (
	"slices"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

const unknown = "unknown"

// jobTally collects job events in their order.
type jobTally struct {
	submits, snapshots []event.Fields
}

func (t *jobTally) submit(f event.Fields)   { t.submits = append(t.submits, f) }
func (t *jobTally) complete(f event.Fields) { t.snapshots = append(t.snapshots, f) }

func (t *jobTally) sum() Jobs {
	j := Jobs{
		Submits: len(t.submits), Snapshots: len(t.snapshots), Statuses: map[string]int{}, Flavors: map[string]int{},
		SubmitFlavors: map[string]int{}, SnapshotFlavors: map[string]int{},
	}
	seen := map[string]bool{} // ids of the jobs in Flavors
	for _, f := range t.submits {
		flavor := f.Label("flavor", unknown)
		j.SubmitFlavors[flavor]++
		j.Flavors[flavor]++
		seen[f.Label("job_id", "")] = true
	}
	delete(seen, "")
	for _, f := range t.snapshots {
		j.Statuses[f.Label("final_status", unknown)]++
		flavor := f.Label("flavor", unknown)
		j.SnapshotFlavors[flavor]++
		if id := f.Label("job_id", ""); id == "" || !seen[id] {
			j.Flavors[flavor]++
			seen[id] = id != ""
		}
		cost, ok := f.Number("estimated_cost_usd")
		switch {
		case !ok:
			j.missingCost++
		case cost != 0:
			j.WithCost++
			j.WithCostNotZero++
		default:
			j.WithCost++
		}
	}
	for _, f := range newestPerJob(t.snapshots) {
		j.EstimatedUSD += f.Amount("estimated_cost_usd")
		j.BillableSeconds += f.Amount("billable_seconds_estimate")
		if _, ok := f.Number("estimated_cost_usd"); !ok {
			j.incompleteAmount = true
		}
	}
	j.EstimatedUSD, j.BillableSeconds = round(j.EstimatedUSD), round(j.BillableSeconds)
	return j
}

// newestPerJob drops the snapshots that a later one of the same job replaces.
func newestPerJob(snapshots []event.Fields) []event.Fields {
	last := map[string]int{}
	for i, f := range snapshots {
		last[f.Label("job_id", "")] = i
	}
	var out []event.Fields
	for i, f := range snapshots {
		if id := f.Label("job_id", ""); id == "" || last[id] == i {
			out = append(out, f)
		}
	}
	return out
}

// boxTally collects sandbox events.
type boxTally struct{ events []boxEvent }

type boxEvent struct {
	at      time.Time
	destroy bool
	fields  event.Fields
}

func (t *boxTally) add(ev event.Event) {
	t.events = append(t.events, boxEvent{ev.Time, ev.Type == event.TypeSandboxDestroy, ev.Fields()})
}

// sum pairs each end of a sandbox with the last beginning of the same id that
// has no end yet, in order of time.
func (t *boxTally) sum() Sandboxes {
	s := Sandboxes{Hardware: map[string]int{}}
	events := slices.Clone(t.events)
	slices.SortStableFunc(events, func(a, b boxEvent) int { return a.at.Compare(b.at) })
	waiting := map[string][]boxEvent{}
	for _, ev := range events {
		id := ev.fields.Label("sandbox_id", unknown)
		if !ev.destroy {
			s.Creates++
			s.Hardware[ev.fields.Label("hardware", "cpu-basic")]++
			waiting[id] = append(waiting[id], ev)
			continue
		}
		s.Destroys++
		cost, ok := ev.fields.Number("estimated_cost_usd")
		if ok {
			s.EstimatedUSD += cost
		} else {
			s.incompleteAmount = true
		}
		open := waiting[id]
		if len(open) == 0 {
			s.UnpairedDestroys++
			continue
		}
		s.Pairs++
		waiting[id] = open[:len(open)-1]
		s.BillableSeconds += lifetime(open[len(open)-1], ev)
	}
	s.UnpairedCreates = s.Creates - s.Pairs
	s.EstimatedUSD, s.BillableSeconds = round(s.EstimatedUSD), round(s.BillableSeconds)
	return s
}

// lifetime is what the sandbox itself reports, else the time between the two
// events, to which the wait for its creation belongs.
func lifetime(create, destroy boxEvent) float64 {
	if told := destroy.fields.Amount("lifetime_s"); told > 0 {
		return told
	}
	if create.at.IsZero() || destroy.at.IsZero() {
		return 0
	}
	return max(0, destroy.at.Sub(create.at).Seconds()+create.fields.Amount("create_latency_s"))
}
