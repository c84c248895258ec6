// Package agents follows the sub-agents of a session by the lines they log:
// who is at work, on what, and what it has used. It shows nothing.
package agents

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
)

// The lines that steer those who follow; all others are steps or words.
const (
	starts   = "Starting research sub-agent..."
	complete = "Research complete."
	tokens   = "tokens:"
	tools    = "tools:"
	// Mark opens a step: a call of the sub-agent's own.
	Mark = "▸ "
)

// Kind is what a line of a sub-agent was.
type Kind uint8

// The kinds of lines.
const (
	Began Kind = iota
	Counted
	Step
	Word // free text, such as a limit that is reached
	Ended
)

// Kept is how many of its last steps are kept of a sub-agent.
const Kept = 4

// longest is the most characters of a step or a label.
const longest = 300

// Agent is one sub-agent.
type Agent struct {
	// ID is that of the call it works for.
	ID, Label string
	Steps     []string
	Tokens    int64
	Calls     int
	Began     time.Time
	// Ended says that it has said so; how it went its call's result tells.
	Ended bool
}

// Crew are the sub-agents at work, in the order they began. The zero Crew is
// empty.
type Crew struct{ list []*Agent }

// Log folds a line of a sub-agent: one with an agent's id.
func (c *Crew) Log(in event.ToolLog, at time.Time) (*Agent, Kind) {
	a := c.Of(in.AgentID)
	if a == nil {
		a = &Agent{ID: in.AgentID, Label: excerpt.Head(cmp.Or(in.Label, in.Tool), longest), Began: at}
		c.list = append(c.list, a)
	}
	if n, ok := count(in.Log, tokens); ok {
		a.Tokens = n
		return a, Counted
	}
	if n, ok := count(in.Log, tools); ok {
		a.Calls = int(n)
		return a, Counted
	}
	switch {
	case in.Log == starts:
		a.Began = at
		return a, Began
	case in.Log == complete:
		a.Ended = true
		return a, Ended
	case !strings.HasPrefix(in.Log, Mark):
		return a, Word
	}
	if a.Steps = append(a.Steps, excerpt.Head(in.Log, longest)); len(a.Steps) > Kept {
		a.Steps = a.Steps[1:]
	}
	return a, Step
}

// count reads a line such as tokens:123.
func count(log, prefix string) (n int64, ok bool) {
	digits, ok := strings.CutPrefix(log, prefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	return n, err == nil && n >= 0
}

// Of returns the sub-agent that works for a call, or nil.
func (c *Crew) Of(callID string) *Agent {
	for _, a := range c.list {
		if a.ID == callID {
			return a
		}
	}
	return nil
}

// End removes the sub-agent of a call that is over and returns it; nil when
// there was none.
func (c *Crew) End(callID string) *Agent {
	a := c.Of(callID)
	c.list = slices.DeleteFunc(c.list, func(b *Agent) bool { return a == b })
	return a
}

// AtWork are those that have not ended.
func (c *Crew) AtWork() []*Agent {
	var list []*Agent
	for _, a := range c.list {
		if !a.Ended {
			list = append(list, a)
		}
	}
	return list
}

// Stats is what a sub-agent has used: (3 tool uses · 12.3k tokens · 2m 5s).
func (a *Agent) Stats(now time.Time) string {
	return "(" + amount.Count(a.Calls, "tool use") + " · " + amount.Short(float64(a.Tokens), 3) + " tokens · " + amount.Clock(now.Sub(a.Began)) + ")"
}
