package tooltest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// Env is a tool.Env that remembers what a call did to it.
// The zero value works.
type Env struct {
	Session string
	Turn    string
	Call    string
	// Left makes Recover look without waiting.
	Left bool
	// Chars is what Room returns; 0 is 40,000.
	Chars int
	// Steer is what Steered returns; nil is never closed.
	Steer chan struct{}
	// Delegated answers Delegate; nil reports that nobody could do it.
	Delegated func(ctx context.Context, d tool.Delegation) tool.Report

	mu      sync.Mutex
	logs    []string
	states  []event.ToolStateChange
	refs    []string
	emitted []event.Payload
	plan    []event.PlanItem
	plans   int
	sources []event.Evidence
}

var _ tool.Env = (*Env)(nil)

// SessionID is Session, or a fixed one.
func (e *Env) SessionID() string {
	if e.Session == "" {
		return "session"
	}
	return e.Session
}

// TurnID is Turn, or a fixed one.
func (e *Env) TurnID() string { return cmp.Or(e.Turn, "turn_1") }

// Model is a fixed one.
func (e *Env) Model() string { return "acme/model" }

// CallID is Call, or a fixed one.
func (e *Env) CallID() string {
	if e.Call == "" {
		return "call_1"
	}
	return e.Call
}

// Evidence keeps and numbers the entry.
func (e *Env) Evidence(entry event.Evidence) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	entry.ID = fmt.Sprintf("S%d", len(e.sources)+1)
	e.sources = append(e.sources, entry)
	return entry.ID
}

// Sources returns the evidence so far.
func (e *Env) Sources() []event.Evidence {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.sources)
}

// Room is Chars, or 40,000.
func (e *Env) Room() int { return cmp.Or(e.Chars, 40_000) }

// Delegate asks Delegated.
func (e *Env) Delegate(ctx context.Context, d tool.Delegation) tool.Report {
	if e.Delegated == nil {
		return tool.Report{Reason: "nobody is there to do it"}
	}
	return e.Delegated(ctx, d)
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

// Steered is Steer.
func (e *Env) Steered() <-chan struct{} { return e.Steer }

// Abandoned is Left.
func (e *Env) Abandoned() bool { return e.Left }

// Session is a ledger and a list of events for tools that go on between calls.
// A cap of 0 lets everything pass. It is safe for concurrent use.
type Session struct {
	SessionID string
	CapMicro  int64

	mu      sync.Mutex
	events  []event.Payload
	notices []string
	spends  map[string]event.Spend
}

var _ tool.Session = (*Session)(nil)

// ID is SessionID, or a fixed one.
func (s *Session) ID() string { return cmp.Or(s.SessionID, "session") }

// Emit keeps the events.
func (s *Session) Emit(ps ...event.Payload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, ps...)
}

// Emitted are the events so far.
func (s *Session) Emitted() []event.Payload {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// Notice keeps the line.
func (s *Session) Notice(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notices = append(s.notices, line)
}

// Notices are the lines for the model so far.
func (s *Session) Notices() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.notices)
}

// Reserve keeps cost under id when it fits under the cap.
func (s *Session) Reserve(id, ref string, cost tool.Cost) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := cost.MicroUSD
	for _, open := range s.spends {
		if open.State != event.SpendReleased && open.MicroUSD != nil {
			sum += *open.MicroUSD
		}
	}
	if s.CapMicro > 0 && sum > s.CapMicro {
		return fmt.Errorf("estimated cost %d exceeds the remaining budget", cost.MicroUSD)
	}
	micro := cost.MicroUSD
	s.put(event.Spend{ID: id, Ref: ref, Kind: cost.Kind, State: event.SpendReserved, MicroUSD: &micro, PriceSource: cost.Source})
	return nil
}

// Put adds an entry to the ledger, such as one an earlier run has left.
func (s *Session) Put(entry event.Spend) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(entry)
}

func (s *Session) put(entry event.Spend) {
	if s.spends == nil {
		s.spends = map[string]event.Spend{}
	}
	s.spends[entry.ID] = entry
}

// Settle closes a reservation.
func (s *Session) Settle(id string, micro *int64) { s.end(id, event.SpendSettled, micro) }

// Release gives a reservation back.
func (s *Session) Release(id string) { s.end(id, event.SpendReleased, new(int64)) }

func (s *Session) end(id string, state event.SpendState, micro *int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry, ok := s.spends[id]
	if !ok || entry.State != event.SpendReserved {
		return
	}
	if entry.State = state; micro != nil {
		entry.MicroUSD = micro
	}
	s.spends[id] = entry
}

// Spend is the newest entry of id.
func (s *Session) Spend(id string) (event.Spend, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry, ok := s.spends[id]
	return entry, ok
}

// Reserved lists the open reservations of a kind, by id.
func (s *Session) Reserved(kind event.SpendKind) []event.Spend {
	s.mu.Lock()
	defer s.mu.Unlock()
	var open []event.Spend
	for _, entry := range s.spends {
		if entry.State == event.SpendReserved && entry.Kind == kind {
			open = append(open, entry)
		}
	}
	slices.SortFunc(open, func(x, y event.Spend) int { return strings.Compare(x.ID, y.ID) })
	return open
}
