// Package kpi rolls sessions up into one row of key figures for a span of time: how
// many there were, what they used and cost, how often tools failed. The columns and
// their rounding are those of the Python original. It reads no file and sends nothing.
//
// A row does not depend on the order in which sessions are added, and what is counted
// in the hours of a day adds up to what is counted in the day.
package kpi

import (
	"slices"
	"time"
)

// Window is a span of time: From belongs to it, To does not.
type Window struct{ From, To time.Time }

// Hour is the UTC hour in which at lies.
func Hour(at time.Time) Window {
	from := at.UTC().Truncate(time.Hour)
	return Window{from, from.Add(time.Hour)}
}

// Day is the UTC day in which at lies.
func Day(at time.Time) Window {
	from := at.UTC().Truncate(24 * time.Hour)
	return Window{from, from.Add(24 * time.Hour)}
}

func (w Window) holds(at time.Time) bool {
	return !at.IsZero() && !at.Before(w.From) && at.Before(w.To)
}

// Options say whose rules are followed.
type Options struct {
	// Compat follows the Python original where ours differ: the turns of a session
	// count in every window in which it has an event, GPUs are known for the machines
	// of its table alone, and calls that went through an approval do not count as
	// calls of their tool.
	Compat bool
	// Whole takes a session with all its events, whatever the window: the original's
	// daily files.
	Whole bool
}

// count is one of the things that are simply added up.
type count int

const (
	turns count = iota
	llmCalls
	prompt
	completion
	cacheRead
	cacheCreation
	outputs
	succeeded
	errored
	regenerated
	up
	down
	submitted
	jobsSucceeded
	blocked
	sandboxes
	cpuSandboxes
	gpuSandboxes
	clicks
	conversions
	topUps
	research
	researching
	kinds // how many there are
)

type counts [kinds]int64

func (c *counts) plus(o counts) {
	for i, n := range o {
		c[i] += n
	}
}

// Rollup gathers sessions. Of each it keeps a few numbers only.
type Rollup struct {
	window Window
	opts   Options

	sessions int64
	users    map[string]bool
	models   map[string]int64
	sum      counts
	// A value a session, where it has one.
	costs, firsts, researched, distinct, calls, perTurn []float64
	callsOf, sessionsOf                                 map[string]int64 // by tool
	gpuHours                                            map[string][]float64
}

// New returns an empty rollup of a window.
func New(w Window, o Options) *Rollup {
	return &Rollup{
		window: w, opts: o, users: map[string]bool{}, models: map[string]int64{}, callsOf: map[string]int64{},
		sessionsOf: map[string]int64{}, gpuHours: map[string][]float64{},
	}
}

// Add adds a session. It reports whether the session counts: one in which nothing has
// happened in the window does not.
func (r *Rollup) Add(d *Digest) bool {
	if !r.opts.Whole && !slices.ContainsFunc(d.active, r.window.holds) && (r.opts.Compat || !slices.ContainsFunc(d.asked, r.window.holds)) {
		return false
	}
	r.sessions++
	r.users[d.user] = true
	r.models[d.model]++

	var one session
	for _, m := range d.marks {
		if r.opts.Whole || r.window.holds(m.at) {
			one.take(m, d.began)
			if m.flavor != "" {
				r.gpuHours[m.flavor] = append(r.gpuHours[m.flavor], m.hours)
			}
		}
	}
	one.sum[turns] = r.turns(d)
	r.put(&one)
	return true
}

// turns counts the messages of people.
func (r *Rollup) turns(d *Digest) int64 {
	switch {
	case r.opts.Compat:
		return d.messages
	case r.opts.Whole:
		return int64(len(d.asked))
	}
	n := int64(0)
	for _, at := range d.asked {
		if r.window.holds(at) {
			n++
		}
	}
	return n
}

// session is what counts of one session in the window.
type session struct {
	sum   counts
	cost  float64
	tools map[string]int64
	calls int64
	acted bool
	first float64 // seconds from the beginning to the first action, below 0 for none
}

func (s *session) take(m mark, began time.Time) {
	s.sum.plus(m.add)
	s.cost += m.cost
	if m.failed {
		s.sum[errored] = 1
	}
	if m.undone {
		s.sum[regenerated] = 1
	}
	if m.tool != "" {
		if s.tools == nil {
			s.tools = map[string]int64{}
		}
		s.tools[m.tool]++
		s.calls++
	}
	if m.action && !s.acted && !m.at.IsZero() && !began.IsZero() {
		s.acted, s.first = true, m.at.Sub(began).Seconds()
	}
}

// researchTool is the tool whose use has columns of its own.
const researchTool = "research"

func (r *Rollup) put(s *session) {
	if n := s.tools[researchTool]; n > 0 {
		s.sum[research], s.sum[researching] = n, 1
		r.researched = append(r.researched, float64(n))
	}
	r.sum.plus(s.sum)
	r.costs = append(r.costs, s.cost)
	if s.acted && s.first >= 0 {
		r.firsts = append(r.firsts, s.first)
	}
	if s.calls > 0 {
		r.distinct = append(r.distinct, float64(len(s.tools)))
		r.calls = append(r.calls, float64(s.calls))
	}
	if n := s.sum[turns]; n > 0 {
		r.perTurn = append(r.perTurn, float64(s.calls)/float64(n))
	}
	for tool, n := range s.tools {
		r.callsOf[tool] += n
		r.sessionsOf[tool]++
	}
}
