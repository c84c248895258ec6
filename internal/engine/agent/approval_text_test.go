package agent_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// deletes is a tool whose calls need a person and whose reason holds words of
// the arguments.
func deletes(name string) *fake {
	f := newFake(name, nil)
	f.risk = func(args json.RawMessage) tool.Risk {
		var in struct {
			Repo string `json:"repo_id"`
		}
		_ = json.Unmarshal(args, &in)
		return tool.Risk{Effect: event.Once, Gate: tool.Always, Operation: "delete_repo", Reason: "deletes " + in.Repo}
	}
	return f
}

// What a person reads before saying yes is what it is: characters that are not
// seen, or turn others around, are written out, in the question and in the
// refusal.
func TestApprovalTextsAreVisible(t *testing.T) {
	const want = `deletes bob/x\u202e\u001b[31m\u000aüy\u200b`
	args := `{"repo_id":"bob/x\u202e\u001b[31m\nüy\u200b"}`
	for _, headless := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			m := &script{steps: []step{use(call("d", "hf_repo_git", args)), say("done")}}
			r := start(t, m, func(s *setup) {
				s.tools = []tool.Tool{deletes("hf_repo_git")}
				s.policy.Mode, s.policy.Headless, s.settings.Headless = policy.ModeYolo, headless, headless
			})
			got := r.turn("hi")
			if !headless {
				gate := one[event.ApprovalRequired](t, got)
				if gate.Tools[0].Reason != want || gate.BlockReason != want {
					t.Errorf("asked with %q and %q", gate.Tools[0].Reason, gate.BlockReason)
				}
				return
			}
			out := one[event.ToolOutput](t, got)
			if out.Success || !strings.Contains(out.Output, want) || !strings.Contains(out.Output, "requires manual approval") || strings.Contains(out.Output, "HF jobs") {
				t.Errorf("refused with %q", out.Output)
			}
		})
	}
}
