package headless

import (
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/evidence"
)

// Lists beneath an answer, and of what was read before a question, show this
// many lines at most.
const (
	shownSources = 20
	shownOrigins = 5
)

// evidence tells, beneath the answer, where it is from and what nothing stands
// behind.
func (p *textPrinter) evidence(r *result) {
	cited := r.cited()
	if len(cited) > 0 {
		p.line("")
		p.line("Sources:")
		for i, e := range cited {
			if i == shownSources {
				p.line(fmt.Sprintf("  … %d more: ml-intern sessions show %s --evidence", len(cited)-i, r.SessionID))
				break
			}
			p.line("  " + oneLine(evidence.Line(e)))
		}
	}
	if len(r.Unverified) > 0 {
		p.line("")
		p.line("Not verified (nothing was looked up that stands behind these):")
		for i, ref := range r.Unverified {
			if i == shownSources {
				p.line(fmt.Sprintf("  … %d more", len(r.Unverified)-i))
				break
			}
			p.line("  " + oneLine(ref) + " " + evidence.Remark)
		}
	}
}

// origin tells what text from outside was read before a call that asks.
func (p *textPrinter) origin(read []event.Origin) {
	if len(read) == 0 {
		return
	}
	p.line("    read from outside before it:")
	for i := range min(len(read), shownOrigins) {
		o := read[len(read)-1-i]
		p.line("      " + oneLine(strings.TrimSpace(o.Source+" "+o.URL)))
	}
	if n := len(read) - shownOrigins; n > 0 {
		p.line(fmt.Sprintf("      … %d more", n))
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// keptSteps is how many of a sub-agent's steps are told when it ends.
const keptSteps = 4

// agent is a sub-agent at work.
type agent struct {
	steps         []string
	tokens, calls string
}

// subagent takes in a progress line of a sub-agent; it reports whether it is
// one. Steps are told together at the end, the last ones, so that several
// sub-agents side by side stay readable; with Verbose each as it comes.
func (p *textPrinter) subagent(l event.ToolLog) bool {
	if l.AgentID == "" {
		return false
	}
	a := p.agents[l.AgentID]
	if a == nil {
		if p.agents == nil {
			p.agents = map[string]*agent{}
		}
		a = &agent{}
		p.agents[l.AgentID] = a
	}
	name := l.Label
	if name == "" {
		name = l.Tool
	}
	n, isTokens := strings.CutPrefix(l.Log, "tokens:")
	calls, isCalls := strings.CutPrefix(l.Log, "tools:")
	switch {
	case isTokens:
		a.tokens = n
	case isCalls:
		a.calls = calls
	case strings.HasPrefix(l.Log, "▸ "):
		if a.steps = append(a.steps, l.Log); len(a.steps) > keptSteps {
			a.steps = a.steps[1:]
		}
		if p.opts.Verbose {
			p.line("  " + name + ": " + l.Log)
		}
	case l.Log == "Research complete.":
		p.ended(name, a)
		delete(p.agents, l.AgentID)
	default:
		p.line("  " + name + ": " + strings.ReplaceAll(strings.TrimRight(l.Log, "\n"), "\n", "\n    "))
	}
	return true
}

// ended tells what a sub-agent has done.
func (p *textPrinter) ended(name string, a *agent) {
	calls, tokens := a.calls, a.tokens
	if calls == "" {
		calls = "0"
	}
	if tokens == "" {
		tokens = "0"
	}
	p.line(fmt.Sprintf("  %s: complete (%s tool calls, %s tokens)", name, calls, tokens))
	if p.opts.Verbose {
		return // each step was told
	}
	for _, step := range a.steps {
		p.line("    " + step)
	}
}
