package headless_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/headless"
)

// The result tells jobs, repositories and what they have cost: the newest entry
// of the ledger counts, what is only reserved does not.
func TestJobsAndArtifacts(t *testing.T) {
	micro := func(n int64) *int64 { return &n }
	s := newStage()
	mine(s)
	s.tell("turn_1",
		event.Spend{ID: "a", Kind: event.SpendJob, State: event.SpendReserved, MicroUSD: micro(900_000)},
		event.JobSubmit{JobID: "j1", JobURL: "http://hub/jobs/acme/j1", Flavor: "t4-small"},
		event.ToolEffect{ToolCallID: "a", ExternalRef: "job:acme/j1"},
		event.ToolStateChange{ToolCallID: "a", Tool: "hf_jobs", State: "running", JobURL: "http://hub/jobs/acme/j1"},
		event.JobSubmit{JobID: "j2", JobURL: "http://hub/jobs/acme/j2", Flavor: "cpu-basic"},
		event.JobComplete{JobID: "j1", FinalStatus: "COMPLETED"},
		event.Spend{ID: "a", Kind: event.SpendJob, State: event.SpendSettled, MicroUSD: micro(250_000)},
		event.Spend{ID: "b", Kind: event.SpendSandbox, State: event.SpendSettled, MicroUSD: micro(500_000)},
		event.Spend{ID: "b", Kind: event.SpendSandbox, State: event.SpendReleased, MicroUSD: micro(0)},
		event.ToolEffect{ToolCallID: "c", ExternalRef: "repo:model/bob/m"},
		event.ToolEffect{ToolCallID: "d", ExternalRef: "commit:model/bob/m@abc"},
		event.ToolEffect{ToolCallID: "e", ExternalRef: "commit:dataset/bob/d@abc"},
		event.ToolStateChange{ToolCallID: "f", Tool: "hf_jobs", State: "running", JobURL: "http://hub/jobs/acme/j2"},
		answer("x"),
	)
	got := play(t, s, headless.Options{Prompt: "hi"})
	var result struct {
		Cost      float64 `json:"total_cost_usd"`
		Jobs      []map[string]string
		Artifacts []map[string]string
	}
	if err := json.Unmarshal([]byte(got.out), &result); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]map[string]string{
		{"id": "j1", "flavor": "t4-small", "status": "COMPLETED", "url": "http://hub/jobs/acme/j1"},
		{"id": "j2", "flavor": "cpu-basic", "status": "RUNNING", "url": "http://hub/jobs/acme/j2"},
	}, result.Jobs); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]map[string]string{{"type": "model", "id": "bob/m"}, {"type": "dataset", "id": "bob/d"}}, result.Artifacts); diff != "" {
		t.Error(diff)
	}
	if result.Cost < 0.2499 || result.Cost > 0.2501 {
		t.Errorf("cost %v", result.Cost)
	}
}
