// Package plan is the tool that keeps the agent's plan. It holds no plan
// itself: the session does. It knows neither who shows the plan nor whether
// anyone follows it.
package plan

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

//go:embed plan_tool.json
var description []byte

// The states of a step.
const (
	pending    = "pending"
	inProgress = "in_progress"
	completed  = "completed"
)

// Tool is plan_tool.
type Tool struct{ spec tool.Spec }

var _ tool.Tool = (*Tool)(nil)

// New returns the tool.
func New() (*Tool, error) {
	spec, err := tool.ParseSpec(description, 0)
	if err != nil {
		return nil, err
	}
	return &Tool{spec: spec}, nil
}

// Params are the arguments of plan_tool.
type Params struct {
	Todos []Todo `json:"todos"`
}

// Todo is one step.
type Todo struct {
	ID      string `json:"id"`
	Content string `json:"content"`
	Status  string `json:"status"`
}

// Spec describes the tool.
func (t *Tool) Spec() tool.Spec { return t.spec }

// Risk is nothing; calls keep their order, so that the last plan wins.
func (t *Tool) Risk(json.RawMessage) tool.Risk {
	return tool.Risk{Effect: event.Pure, Lane: "plan_tool"}
}

// Run replaces the session's plan.
func (t *Tool) Run(_ context.Context, env tool.Env, args json.RawMessage) (tool.Result, error) {
	items, err := read(args)
	if err != nil {
		return tool.Failed(fmt.Sprintf("The plan is unchanged: %v. Call plan_tool again with "+
			`{"todos":[{"id":"1","content":"…","status":"pending"}]}; status is pending, in_progress or completed.`, err)), nil
	}
	env.SetPlan(items)
	return tool.Success(show(items)), nil
}

// read checks the arguments down to each field of each step.
func read(args json.RawMessage) ([]event.PlanItem, error) {
	var call struct {
		Todos []json.RawMessage `json:"todos"`
	}
	if err := tool.Decode(args, &call); err != nil {
		return nil, err
	}
	items := make([]event.PlanItem, 0, len(call.Todos))
	seen := map[string]bool{}
	for i, raw := range call.Todos {
		var step Todo
		if err := tool.Decode(raw, &step); err != nil {
			return nil, fmt.Errorf("todos[%d]: %w", i, err)
		}
		switch {
		case step.Status != pending && step.Status != inProgress && step.Status != completed:
			return nil, fmt.Errorf("todos[%d]: status must be %s, %s or %s, not %q", i, pending, inProgress, completed, step.Status)
		case seen[step.ID]:
			return nil, fmt.Errorf("todos[%d]: id %q is there twice", i, step.ID)
		}
		seen[step.ID] = true
		items = append(items, event.PlanItem{ID: step.ID, Content: step.Content, Status: step.Status})
	}
	return items, nil
}

// show renders the plan, finished steps first.
func show(items []event.PlanItem) string {
	if len(items) == 0 {
		return "Plan is empty."
	}
	var b strings.Builder
	b.WriteString("Plan updated:\n\n")
	count := map[string]int{}
	for _, group := range []struct{ status, box string }{{completed, "x"}, {inProgress, "~"}, {pending, " "}} {
		for _, item := range items {
			if item.Status == group.status {
				count[item.Status]++
				fmt.Fprintf(&b, "  [%s] %s. %s\n", group.box, item.ID, item.Content)
			}
		}
	}
	if n := count[inProgress]; n > 1 {
		fmt.Fprintf(&b, "\nWarning: %d steps are in_progress; keep exactly one.\n", n)
	}
	fmt.Fprintf(&b, "\n%d/%d done", count[completed], len(items))
	return b.String()
}
