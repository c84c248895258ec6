package offer

import (
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/ui/sentence"
)

// shownLength bounds a call's arguments and the end of its failure in a line, in
// characters.
const shownLength = 200

// told puts what a run does into lines: its turns, calls and costs.
type told struct {
	report func(string)
	calls  int // model calls
	spent  float64
}

func newTold(report func(string)) *told { return &told{report: report} }

func (t *told) event(ev event.Event) {
	if ev.AgentID() != "" && ev.Type != event.TypeLLMCall {
		return
	}
	switch ev.Type {
	case event.TypeTurnStarted:
		if s, err := event.Decode[event.TurnStarted](ev); err == nil {
			t.report(fmt.Sprintf("%s begins with %s", s.TurnID, s.Model))
		}
	case event.TypeLLMCall:
		t.model(ev)
	case event.TypeToolCall:
		if c, err := event.Decode[event.ToolCall](ev); err == nil {
			t.report(c.Tool + " " + short(string(c.Arguments)))
		}
	case event.TypeToolLog:
		if l, err := event.Decode[event.ToolLog](ev); err == nil {
			t.report(l.Tool + ": " + strings.TrimRight(l.Log, "\n"))
		}
	case event.TypeToolOutput:
		if o, err := event.Decode[event.ToolOutput](ev); err == nil {
			t.output(o)
		}
	case event.TypeShutdown: // the result says it
	default:
		for _, line := range sentence.Of(ev) {
			t.report(line.Text)
		}
	}
}

// model tells of a model call, with what all of them have cost.
func (t *told) model(ev event.Event) {
	c, err := event.Decode[event.LLMCall](ev)
	if err != nil {
		return
	}
	if c.CostUSD != nil {
		t.spent += *c.CostUSD
	}
	if c.Kind != llm.KindMain {
		return
	}
	t.calls++
	t.report(fmt.Sprintf("model call %d, %.4f USD so far", t.calls, t.spent))
}

func (t *told) output(o event.ToolOutput) {
	if o.Success {
		t.report(o.Tool + " is done")
		return
	}
	lines := strings.Split(strings.TrimSpace(o.Output), "\n")
	t.report(o.Tool + " failed: " + short(lines[len(lines)-1]))
}

func short(text string) string { return history.Cut(history.Line(text), shownLength) }
