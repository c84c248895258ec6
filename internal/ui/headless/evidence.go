package headless

import (
	"fmt"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/evidence"
	"github.com/ml-intern/ml-intern/internal/ui/agents"
	"github.com/ml-intern/ml-intern/internal/ui/sentence"
)

// shownSources is the most sources that are listed beneath an answer.
const shownSources = 20

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
		p.said("", sentence.Unverified(r.Unverified, evidence.Remark))
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// subagent takes in a progress line of a sub-agent; it reports whether it is
// one. Steps are told together at the end, the last ones, so that several
// sub-agents side by side stay readable; with Verbose each as it comes.
func (p *textPrinter) subagent(l event.ToolLog) bool {
	if l.AgentID == "" {
		return false
	}
	switch a, kind := p.crew.Log(l, time.Time{}); kind {
	case agents.Counted:
	case agents.Step:
		if p.opts.Verbose {
			p.line("  " + a.Label + ": " + l.Log)
		}
	case agents.Ended:
		p.ended(p.crew.End(a.ID))
	default:
		p.line("  " + a.Label + ": " + strings.ReplaceAll(strings.TrimRight(l.Log, "\n"), "\n", "\n    "))
	}
	return true
}

// ended tells what a sub-agent has done.
func (p *textPrinter) ended(a *agents.Agent) {
	p.line(fmt.Sprintf("  %s: complete (%d tool calls, %d tokens)", a.Label, a.Calls, a.Tokens))
	if p.opts.Verbose {
		return // each step was told
	}
	for _, step := range a.Steps {
		p.line("    " + step)
	}
}
