package agents_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/agents"
)

func TestTheLifeOfASubAgent(t *testing.T) {
	var crew agents.Crew
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	log := func(id, text string) (*agents.Agent, agents.Kind) {
		return crew.Log(event.ToolLog{Tool: "research", Log: text, AgentID: id, Label: "research: " + id}, now)
	}
	var a *agents.Agent
	for _, step := range []struct {
		text string
		kind agents.Kind
	}{
		{"Starting research sub-agent...", agents.Began},
		{"▸ a", agents.Step},
		{"▸ b", agents.Step},
		{"▸ c", agents.Step},
		{"▸ d", agents.Step},
		{"▸ e " + strings.Repeat("x ", 500), agents.Step},
		{"tokens:12345", agents.Counted},
		{"tools:3", agents.Counted},
		{"tokens:many", agents.Word},
		{"tools:-1", agents.Word},
		{"tokens:99999999999999", agents.Word},
		{"the limit was reached", agents.Word},
		{"Research complete.", agents.Ended},
	} {
		var kind agents.Kind
		if a, kind = log("x", step.text); kind != step.kind {
			t.Errorf("%q is %d, want %d", step.text, kind, step.kind)
		}
	}
	log("y", "▸ z")
	if len(a.Steps) != agents.Kept || a.Steps[0] != "▸ b" || len(a.Steps[3]) > 400 {
		t.Errorf("steps %q", a.Steps)
	}
	if got := a.Stats(now.Add(125 * time.Second)); got != "(3 tool uses · 12.3k tokens · 2m 5s)" {
		t.Errorf("got %s", got)
	}
	if got := crew.AtWork(); len(got) != 1 || got[0].ID != "y" || got[0].Label != "research: y" {
		t.Errorf("at work: %v", got)
	}
	if crew.Of("x") != a || crew.End("x") != a || crew.Of("x") != nil || crew.End("x") != nil {
		t.Error("x does not end")
	}
	unnamed, _ := crew.Log(event.ToolLog{Tool: "research", AgentID: "z"}, now)
	if diff := cmp.Diff("research", unnamed.Label); diff != "" {
		t.Error(diff)
	}
}
