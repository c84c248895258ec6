package approval

import (
	"fmt"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/execution"
	"github.com/ml-intern/ml-intern/internal/engine/agent/sources"
	"github.com/ml-intern/ml-intern/internal/engine/guard"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// Judge applies the permission mode, the rules and the cap to one call. Blocks
// say why the cap, or a person alone, decides. read is what the session
// has read; nil where that no longer matters.
func Judge(rules *policy.Policy, c *execution.Call, read *sources.Sources, refused string, batch *policy.Batch, blocks map[string]*event.Block) policy.Verdict {
	if c.Failure != "" {
		return policy.Verdict{Action: policy.Run}
	}
	v := verdict(rules, c, read)
	if v.Action == policy.Ask {
		c.Ask(v.Reason)
		c.Rules = rules.Suggest(described(c, read))
	}
	if v.Action == policy.Run && refused != "" {
		c.Failure = guard.Refusal(refused)
		return v
	}
	switch {
	case v.Action == policy.Run && c.Risk.Cost != nil:
		if b := batch.Check(*c.Risk.Cost); b != nil {
			blocks[c.ID] = b
			v.Action, v.Reason = policy.Ask, b.BlockReason
		}
	case v.Always:
		blocks[c.ID] = policy.Manual(v.Reason)
	}
	return v
}

func verdict(rules *policy.Policy, c *execution.Call, read *sources.Sources) policy.Verdict {
	return rules.Judge(described(c, read))
}

// described is what the policy is told of a call.
func described(c *execution.Call, read *sources.Sources) policy.Call {
	call := policy.Call{ID: c.ID, Name: c.Name, Args: c.Args, Risk: c.Risk, Permitted: c.Permitted, Asks: c.Asks}
	if read != nil {
		call.Outside, call.Tells = read.Outside(), read.Carries(c.Name, c.Args)
	}
	return call
}

// Unanswered records that a call was refused because nobody could approve it; a
// run that ends so says it in its exit code.
func Unanswered(c *execution.Call) event.ToolStateChange {
	return event.ToolStateChange{ToolCallID: c.ID, Tool: c.Name, State: "rejected", Feedback: tool.NeedsApproval}
}

// Refusal is what the model is told about a call that may not run.
func Refusal(c *execution.Call, v policy.Verdict) string {
	text := fmt.Sprintf("Refused: %s is not permitted here: %s.", c.Name, v.Reason)
	switch {
	case v.Always && c.Name == "hf_jobs":
		text += " Scheduled HF jobs require manual approval."
	case v.Always:
		text += " This requires manual approval."
	}
	if v.Hint != "" {
		text += " " + v.Hint
	}
	return text
}
