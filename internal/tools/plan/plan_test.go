package plan_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/tools/plan"
)

func TestConformance(t *testing.T) {
	tooltest.Run(t, tooltest.Case{
		New:    func(t *testing.T) (tool.Tool, *tooltest.Env) { return open(t), &tooltest.Env{} },
		Params: plan.Params{},
		Good:   `{"todos":[{"id":"1","content":"a","status":"completed"},{"id":"2","content":"b","status":"pending"}]}`,
		Bad: map[string]string{
			`{"todos":["a"]}`:                                       "todos[0]",
			`{"todos":[null]}`:                                      "todos[0]",
			`{"todos":[{"id":"1","content":"a"}]}`:                  "status is required",
			`{"todos":[{"content":"a","status":"pending"}]}`:        "id is required",
			`{"todos":[{"id":"1","status":"pending"}]}`:             "content is required",
			`{"todos":[{"id":1,"content":"a","status":"pending"}]}`: "id must be of type string",
			`{"todos":[{"id":"1","content":"a","status":"pending"},{"id":"1","content":"b","status":"pending"}]}`: `id "1" is there twice`,
		},
	})
}

func open(t *testing.T) *plan.Tool {
	t.Helper()
	p, err := plan.New()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func run(t *testing.T, env tool.Env, args string) tool.Result {
	t.Helper()
	r, err := open(t).Run(t.Context(), env, json.RawMessage(args))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Acceptance check 38 of the agent.
func TestCheck38StatusDoneLeavesThePlanAlone(t *testing.T) {
	env := &tooltest.Env{}
	if r := run(t, env, `{"todos":[{"id":"1","content":"a","status":"completed"},{"id":"2","content":"b","status":"pending"}]}`); !r.OK || !strings.HasSuffix(r.Output, "1/2 done") {
		t.Fatalf("%+v", r)
	}
	before := env.Plan()
	r := run(t, env, `{"todos":[{"id":"1","content":"a","status":"done"}]}`)
	if r.OK {
		t.Errorf("status done was accepted: %s", r.Output)
	}
	for _, want := range []string{"pending", "in_progress", "completed", "again"} {
		if !strings.Contains(r.Output, want) {
			t.Errorf("%q is missing in: %s", want, r.Output)
		}
	}
	if diff := cmp.Diff(before, env.Plan()); diff != "" || env.PlanUpdates() != 1 {
		t.Errorf("the plan changed (%d updates): %s", env.PlanUpdates(), diff)
	}
}

func TestTextAndPlan(t *testing.T) {
	env := &tooltest.Env{}
	r := run(t, env, `{"todos":[{"id":"3","content":"c","status":"pending"},{"id":"2","content":"b","status":"in_progress"},{"id":"1","content":"a","status":"completed"}]}`)
	want := "Plan updated:\n\n  [x] 1. a\n  [~] 2. b\n  [ ] 3. c\n\n1/3 done"
	if diff := cmp.Diff(want, r.Output); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	items := []event.PlanItem{{ID: "3", Content: "c", Status: "pending"}, {ID: "2", Content: "b", Status: "in_progress"}, {ID: "1", Content: "a", Status: "completed"}}
	if diff := cmp.Diff(items, env.Plan()); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func TestEmptyPlan(t *testing.T) {
	env := &tooltest.Env{}
	if r := run(t, env, `{"todos":[]}`); !r.OK || r.Output != "Plan is empty." || env.PlanUpdates() != 1 {
		t.Errorf("%+v, %d updates", r, env.PlanUpdates())
	}
}

func TestTwoInProgressIsAcceptedWithAWarning(t *testing.T) {
	env := &tooltest.Env{}
	r := run(t, env, `{"todos":[{"id":"1","content":"a","status":"in_progress"},{"id":"2","content":"b","status":"in_progress"}]}`)
	if !r.OK || !strings.Contains(r.Output, "Warning: 2 steps") || !strings.HasSuffix(r.Output, "0/2 done") {
		t.Errorf("%+v", r)
	}
}
