package spending

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/ml-intern/ml-intern/internal/app/runs"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/lab/curve/sample"
)

// change begins an object of jobs watch --json: how a run is, the numbers of a
// line, what was noticed, or why a run can no longer be followed. Source names
// the run in all of them.
type change struct {
	Type string    `json:"type"` // run, metrics, finding or error
	Time time.Time `json:"time"`
}

// state is how a run is.
type state struct {
	ID        string     `json:"id"`
	Name      string     `json:"name,omitempty"`
	State     string     `json:"state"`
	Message   string     `json:"message,omitempty"`
	Over      bool       `json:"over"`
	Failed    bool       `json:"failed"`
	Flavor    string     `json:"flavor,omitempty"`
	Began     *time.Time `json:"began,omitempty"`
	Session   string     `json:"session_id,omitempty"`
	URL       string     `json:"url,omitempty"`
	Namespace string     `json:"namespace,omitempty"`
	// CostUSD is what a job has cost so far, null where it is unknown; what runs
	// here has none.
	CostUSD *json.RawMessage `json:"cost_usd,omitempty"`
}

// metrics are the numbers of a line. What is no number is null.
type metrics struct {
	Step   *float64            `json:"step,omitempty"`
	Epoch  *float64            `json:"epoch,omitempty"`
	Values map[string]*float64 `json:"values"`
	Kinds  map[string]string   `json:"kinds"`
}

// number is v where JSON has it.
func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// metricsOf are the numbers of a sample.
func metricsOf(s sample.Sample) metrics {
	m := metrics{Step: number(s.Step), Epoch: number(s.Epoch), Values: map[string]*float64{}, Kinds: map[string]string{}}
	for _, v := range s.Values {
		m.Values[v.Name], m.Kinds[v.Name] = number(v.Number), string(v.Kind)
	}
	return m
}

// stateOf is a row as an object.
func stateOf(r runs.Row) state {
	s := state{
		ID: r.ID, Name: r.Name, State: r.State, Message: r.Message, Over: r.Over, Failed: r.Failed, Flavor: r.Flavor, Session: r.Session, URL: r.URL,
		Namespace: r.Namespace,
	}
	if !r.Began.IsZero() {
		s.Began = &r.Began
	}
	if micro, paid := r.Costs(); paid {
		cost := json.RawMessage("null")
		if micro != nil {
			cost = fmt.Appendf(nil, "%g", float64(*micro)/1e6)
		}
		s.CostUSD = &cost
	}
	return s
}

// objects prints what an update changes, an object in each line.
func (w *watcher) objects(source string, u runs.Update, failure error) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	print := func(object any) {
		if line, err := json.Marshal(object); err == nil {
			fmt.Fprintf(w.streams.Out, "%s\n", line)
		}
	}
	if u.Row != nil {
		print(struct {
			change
			Source string `json:"source"`
			state
		}{change{"run", now}, source, stateOf(*u.Row)})
	}
	for _, s := range u.Samples {
		if len(s.Values) == 0 {
			continue
		}
		print(struct {
			change
			Source string `json:"source"`
			metrics
		}{change{"metrics", now}, source, metricsOf(s)})
	}
	for _, f := range u.Findings {
		print(struct {
			change
			event.Finding
		}{change{"finding", now}, f})
	}
	if failure != nil {
		print(struct {
			change
			Source string `json:"source"`
			Error  string `json:"error"`
		}{change{"error", now}, source, w.Scrub(failure.Error())})
	}
}
