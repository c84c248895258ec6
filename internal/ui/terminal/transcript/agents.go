package transcript

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// shownSteps is how many of its last calls a lone sub-agent shows.
const shownSteps = 4

// agents are the sub-agents at work, in the order they began.
type agents struct{ list []*agent }

// agent is one sub-agent.
type agent struct {
	id, label string
	steps     []string
	tokens    int64
	calls     int
	began     time.Time
	done      bool // it has said so; how it went its result tells
}

// agentLogged folds a line of a sub-agent: a sign of life, a count, or a step.
func (t *Transcript) agentLogged(in event.ToolLog, at time.Time) {
	a := t.agents.get(in, at)
	if n, ok := count(in.Log, "tokens:"); ok {
		a.tokens = n
		return
	}
	if n, ok := count(in.Log, "tools:"); ok {
		a.calls = int(n)
		return
	}
	switch in.Log {
	case "Starting research sub-agent...":
		a.began = at
		if t.opts.Plain {
			t.note(theme.Dim, a.label+" started")
		}
	case "Research complete.":
		a.done = true
	default:
		text := limit(oneLine(in.Log), meaningSize)
		if !strings.HasPrefix(in.Log, "▸ ") {
			t.note(theme.Dim, a.label+": "+text)
		}
		if a.steps = append(a.steps, text); len(a.steps) > shownSteps {
			a.steps = a.steps[1:]
		}
	}
}

// count reads a line such as tokens:123.
func count(log, prefix string) (n int64, ok bool) {
	digits, ok := strings.CutPrefix(log, prefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil && n >= 0
}

func (g *agents) get(in event.ToolLog, at time.Time) *agent {
	for _, a := range g.list {
		if a.id == in.AgentID {
			return a
		}
	}
	label := in.Label
	if label == "" {
		label = in.Tool
	}
	a := &agent{id: in.AgentID, label: limit(oneLine(label), meaningSize), began: at}
	g.list = append(g.list, a)
	return a
}

// end removes the sub-agent of a call that is over; nil when it has none.
func (g *agents) end(callID string) *agent {
	for i, a := range g.list {
		if a.id == callID {
			g.list = slices.Delete(slices.Clone(g.list), i, i+1)
			return a
		}
	}
	return nil
}

// atWork are those that have not said that they are done.
func (g *agents) atWork() []*agent {
	var list []*agent
	for _, a := range g.list {
		if !a.done {
			list = append(list, a)
		}
	}
	return list
}

func (a *agent) stats(sep string, now time.Time) string {
	return "(" + plural(a.calls, "tool use") + sep + short(a.tokens) + " tokens" + sep + clock(now.Sub(a.began)) + ")"
}

// agentLine is the one line of a sub-agent that is done.
func (t *Transcript) agentLine(a *agent, ok bool, at time.Time) string {
	glyph, role := theme.Done, theme.Success
	if !ok {
		glyph, role = theme.Failed, theme.Danger
	}
	head := []piece{{text: "  "}, {role, t.glyph(glyph)}, {text: " "}}
	return t.row(t.width, head, piece{theme.Text, a.label}, piece{theme.Dim, "  " + a.stats(t.dot(), at)})
}

// agentRegion shows the sub-agents at work: one with its last calls, several
// with a line each.
func (t *Transcript) agentRegion(now time.Time) []string {
	list := t.agents.atWork()
	head := func(a *agent) []piece {
		return []piece{{text: "  "}, {theme.Accent, t.spinner(now)}, {text: " "}}
	}
	if len(list) == 1 {
		a := list[0]
		lines := []string{t.row(t.width, head(a), piece{theme.Text, a.label}, piece{theme.Dim, "  " + a.stats(t.dot(), now)})}
		for _, step := range a.steps {
			lines = append(lines, t.join(t.width, piece{theme.Dim, "    " + t.step(step)}))
		}
		return lines
	}
	var lines []string
	for _, a := range list {
		latest := ""
		if n := len(a.steps); n > 0 {
			latest = "  " + t.step(a.steps[n-1])
		}
		lines = append(lines, t.join(
			t.width, append(head(a), piece{theme.Text, a.label}, piece{theme.Dim, "  " + a.stats(t.dot(), now) + latest})...,
		))
	}
	return lines
}

// step is a line of a sub-agent with our own mark in front.
func (t *Transcript) step(s string) string {
	if rest, ok := strings.CutPrefix(s, "▸ "); ok {
		return t.glyph(theme.Current) + " " + rest
	}
	return s
}

// has reports whether a call has a sub-agent.
func (g *agents) has(callID string) bool {
	return slices.ContainsFunc(g.list, func(a *agent) bool { return a.id == callID })
}
