package usage

import (
	"encoding/json"
	"math"
	"slices"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// fields is the data of one event, read without trust.
type fields map[string]any

func read(ev event.Event) fields {
	var f fields
	_ = json.Unmarshal(ev.Data, &f) // data that is no object has no fields
	return f
}

// number returns a finite number; booleans and texts are none.
func (f fields) number(key string) (float64, bool) {
	n, ok := f[key].(float64)
	return n, ok && !math.IsNaN(n) && !math.IsInf(n, 0)
}

func (f fields) amount(key string) float64 {
	n, ok := f.number(key)
	if !ok {
		return 0
	}
	return n
}

// count returns a whole number.
func (f fields) count(key string) int64 {
	n := f.amount(key)
	if math.Abs(n) > 1<<53 {
		return 0 // no count of anything
	}
	return int64(n)
}

func (f fields) label(key, missing string) string {
	if text, ok := f[key].(string); ok && text != "" {
		return text
	}
	return missing
}

const unknown = "unknown"

// jobTally collects job events in their order.
type jobTally struct {
	submits, snapshots []fields
}

func (t *jobTally) submit(f fields)   { t.submits = append(t.submits, f) }
func (t *jobTally) complete(f fields) { t.snapshots = append(t.snapshots, f) }

func (t *jobTally) sum() Jobs {
	j := Jobs{
		Submits: len(t.submits), Snapshots: len(t.snapshots), Statuses: map[string]int{}, Flavors: map[string]int{},
		SubmitFlavors: map[string]int{}, SnapshotFlavors: map[string]int{},
	}
	seen := map[string]bool{} // ids of the jobs in Flavors
	for _, f := range t.submits {
		flavor := f.label("flavor", unknown)
		j.SubmitFlavors[flavor]++
		j.Flavors[flavor]++
		seen[f.label("job_id", "")] = true
	}
	delete(seen, "")
	for _, f := range t.snapshots {
		j.Statuses[f.label("final_status", unknown)]++
		flavor := f.label("flavor", unknown)
		j.SnapshotFlavors[flavor]++
		if id := f.label("job_id", ""); id == "" || !seen[id] {
			j.Flavors[flavor]++
			seen[id] = id != ""
		}
		cost, ok := f.number("estimated_cost_usd")
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
		j.EstimatedUSD += f.amount("estimated_cost_usd")
		j.BillableSeconds += f.amount("billable_seconds_estimate")
		if _, ok := f.number("estimated_cost_usd"); !ok {
			j.incompleteAmount = true
		}
	}
	j.EstimatedUSD, j.BillableSeconds = round(j.EstimatedUSD), round(j.BillableSeconds)
	return j
}

// newestPerJob drops the snapshots that a later one of the same job replaces.
func newestPerJob(snapshots []fields) []fields {
	last := map[string]int{}
	for i, f := range snapshots {
		last[f.label("job_id", "")] = i
	}
	var out []fields
	for i, f := range snapshots {
		if id := f.label("job_id", ""); id == "" || last[id] == i {
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
	fields  fields
}

func (t *boxTally) add(ev event.Event) {
	t.events = append(t.events, boxEvent{ev.Time, ev.Type == event.TypeSandboxDestroy, read(ev)})
}

// sum pairs each end of a sandbox with the last beginning of the same id that
// has no end yet, in order of time.
func (t *boxTally) sum() Sandboxes {
	s := Sandboxes{Hardware: map[string]int{}}
	events := slices.Clone(t.events)
	slices.SortStableFunc(events, func(a, b boxEvent) int { return a.at.Compare(b.at) })
	waiting := map[string][]boxEvent{}
	for _, ev := range events {
		id := ev.fields.label("sandbox_id", unknown)
		if !ev.destroy {
			s.Creates++
			s.Hardware[ev.fields.label("hardware", "cpu-basic")]++
			waiting[id] = append(waiting[id], ev)
			continue
		}
		s.Destroys++
		cost, ok := ev.fields.number("estimated_cost_usd")
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
	if told := destroy.fields.amount("lifetime_s"); told > 0 {
		return told
	}
	if create.at.IsZero() || destroy.at.IsZero() {
		return 0
	}
	return max(0, destroy.at.Sub(create.at).Seconds()+create.fields.amount("create_latency_s"))
}
