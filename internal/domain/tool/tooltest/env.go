package tooltest

import (
	"slices"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// Env is a tool.Env that remembers what a call did to it.
// The zero value works.
type Env struct {
	Session string
	Call    string

	mu      sync.Mutex
	logs    []string
	states  []event.ToolStateChange
	refs    []string
	emitted []event.Payload
	plan    []event.PlanItem
	plans   int
}

var _ tool.Env = (*Env)(nil)

// SessionID is Session, or a fixed one.
func (e *Env) SessionID() string {
	if e.Session == "" {
		return "session"
	}
	return e.Session
}

// CallID is Call, or a fixed one.
func (e *Env) CallID() string {
	if e.Call == "" {
		return "call_1"
	}
	return e.Call
}

// Log keeps the line.
func (e *Env) Log(line string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.logs = append(e.logs, line)
}

// State keeps the change.
func (e *Env) State(change event.ToolStateChange) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.states = append(e.states, change)
}

// Effect keeps the reference.
func (e *Env) Effect(ref string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refs = append(e.refs, ref)
	return nil
}

// Emit keeps the event.
func (e *Env) Emit(p event.Payload) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.emitted = append(e.emitted, p)
}

// Plan returns a copy of the plan.
func (e *Env) Plan() []event.PlanItem {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.plan)
}

// SetPlan replaces the plan and counts.
func (e *Env) SetPlan(items []event.PlanItem) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.plan = slices.Clone(items)
	e.plans++
}

// Logs returns the progress lines so far.
func (e *Env) Logs() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.logs)
}

// States returns the state changes so far.
func (e *Env) States() []event.ToolStateChange {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.states)
}

// Refs returns the recorded effects so far.
func (e *Env) Refs() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.refs)
}

// Emitted returns the telemetry events so far.
func (e *Env) Emitted() []event.Payload {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.emitted)
}

// PlanUpdates counts the calls of SetPlan.
func (e *Env) PlanUpdates() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.plans
}
