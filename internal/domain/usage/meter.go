package usage

import (
	"maps"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Meter sums up a session as it goes: each event is read once, and of all but
// jobs and sandboxes only numbers are kept. The zero Meter has seen nothing.
type Meter struct {
	sums    Summary // what does not depend on later events
	dollars float64
	jobs    jobTally
	boxes   boxTally
}

// Add takes in the next event.
func (m *Meter) Add(ev event.Event) {
	m.sums.Quality.Events++
	if ev.Time.IsZero() {
		m.sums.Quality.WithoutTime++
	}
	switch ev.Type {
	case event.TypeLLMCall:
		if m.sums.LLM.ByKind == nil {
			m.sums.LLM.ByKind, m.sums.LLM.ByModel = map[string]int{}, map[string]int{}
		}
		m.dollars += m.sums.addCall(ev.Fields())
	case event.TypeTurnComplete:
		m.sums.Turns.Complete++
	case event.TypeStreamEnd:
		m.sums.Turns.StreamEnds++
	case event.TypeJobSubmit:
		m.jobs.submit(ev.Fields())
	case event.TypeJobComplete:
		m.jobs.complete(ev.Fields())
	case event.TypeSandboxCreate, event.TypeSandboxDestroy:
		m.boxes.add(ev)
	}
}

// Summary returns the sums so far. More events may follow: they do not change
// what was returned.
func (m *Meter) Summary(sessionID string) Summary {
	s := m.sums
	s.Version, s.SessionID, s.BillingScope, s.TotalUSDSource = Version, sessionID, "account_window_delta", SourceApp
	s.LLM.ByKind, s.LLM.ByModel = copied(s.LLM.ByKind), copied(s.LLM.ByModel)
	s.Jobs, s.Sandboxes = m.jobs.sum(), m.boxes.sum()
	s.total(m.dollars)
	return s
}

// copied returns a copy that is never nil.
func copied(counts map[string]int) map[string]int {
	out := maps.Clone(counts)
	if out == nil {
		out = map[string]int{}
	}
	return out
}
