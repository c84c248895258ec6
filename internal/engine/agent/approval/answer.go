package approval

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/engine/agent/execution"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// Notes in front of the result of a call that a person has changed.
const (
	scriptNote    = "[The user edited the script before it ran; this output is from the edited version.]"
	argumentsNote = "[The user edited the arguments before the call ran; this output is from the edited version.]"
)

// Apply puts a person's answers on the gate's calls and checks the cap over
// what was approved. Blocks are returned when the gate must stay open; it then
// shows the calls as they were edited.
func (g *Gate) Apply(h *execution.Toolbox, rules *policy.Policy, answers map[string]event.Approval, batch *policy.Batch) map[string]*event.Block {
	calls := make([]*execution.Call, len(g.Calls))
	blocks := map[string]*event.Block{}
	for i, c := range g.Calls {
		calls[i] = c
		if !answers[c.ID].Approved {
			continue
		}
		calls[i] = edit(h, c, answers[c.ID])
		if b := recheck(rules, c, calls[i], batch); b != nil {
			blocks[c.ID] = b
		}
	}
	if len(blocks) == 0 {
		g.Calls = calls
		return nil
	}
	for i, c := range calls {
		if c.Edited && c.Failure == "" {
			c.Approved = false
			g.Calls[i] = c
		}
	}
	return blocks
}

// recheck judges an approved call as it will run: nothing a person changed gets
// past a deny rule, the cap, or the cost that was shown.
func recheck(rules *policy.Policy, shown, c *execution.Call, batch *policy.Batch) *event.Block {
	if c.Failure != "" {
		return nil
	}
	if c.Edited {
		if v := verdict(rules, c, nil); v.Action == policy.Refuse {
			c.Failure = Refusal(c, v)
			return nil
		}
	}
	if c.Risk.Cost == nil {
		return nil
	}
	if b := batch.Check(*c.Risk.Cost); b != nil {
		return b
	}
	if before := shown.Risk.Cost; c.Edited && (before == nil || c.Risk.Cost.MicroUSD > before.MicroUSD) {
		estimate := policy.USD(c.Risk.Cost.MicroUSD)
		return &event.Block{
			AutoApprovalBlocked: true, BlockReason: "the changed call costs more than the one that was shown",
			EstimatedCostUSD: &estimate,
		}
	}
	return nil
}

// edit returns the call as a person's approval changes it; an edit that does
// not fit the tool's schema becomes the call's failed result.
func edit(h *execution.Toolbox, c *execution.Call, ap event.Approval) *execution.Call {
	out := *c
	out.Approved = true
	changed, note, failure := change(c, ap)
	if failure != "" {
		out.Failure = failure
		return &out
	}
	if changed == nil {
		return &out
	}
	raw, err := event.Encode(changed)
	if err != nil {
		out.Failure = fmt.Sprintf("The edited arguments for %s cannot be written as JSON: %v.", c.Name, err)
		return &out
	}
	edited := h.Shown(c.ToolCall, raw)
	edited.Approved, edited.Edited, edited.Announce, edited.Note = true, true, false, note
	edited.Follow(c)
	return edited
}

// change returns the new arguments, nil for the old ones, the note for the
// model, and what is wrong with the edit.
func change(c *execution.Call, ap event.Approval) (changed map[string]any, note, failure string) {
	edited := false
	if len(ap.EditedArguments) > 0 && string(ap.EditedArguments) != "null" {
		if changed = object(ap.EditedArguments); changed == nil {
			return nil, "", fmt.Sprintf("The edited arguments for %s are not a JSON object.", c.Name)
		}
		edited, note = true, argumentsNote
	} else if changed = object(c.Args); changed == nil {
		return nil, "", "" // a call that cannot run has nothing to edit
	}
	if _, has := changed["script"]; has && ap.EditedScript != "" {
		changed["script"] = ap.EditedScript
		edited, note = true, scriptNote
	}
	if ap.Namespace != "" && c.Name == "hf_jobs" {
		changed["namespace"] = ap.Namespace
		edited = true
	}
	if !edited {
		return nil, "", ""
	}
	return changed, note, ""
}

// object reads arguments; the values are kept as they are written.
func object(args json.RawMessage) map[string]any {
	var raw map[string]json.RawMessage
	if json.Unmarshal(args, &raw) != nil || raw == nil {
		return nil
	}
	out := make(map[string]any, len(raw))
	for k, v := range raw {
		out[k] = v
	}
	return out
}

// State is the record of one answer: all that a restart needs to act on it.
func State(c *execution.Call, ap event.Approval) event.ToolStateChange {
	if !ap.Approved {
		return event.ToolStateChange{ToolCallID: c.ID, Tool: c.Name, State: "rejected", Feedback: Feedback(ap.Feedback)}
	}
	ch := event.ToolStateChange{ToolCallID: c.ID, Tool: c.Name, State: "approved", Namespace: ap.Namespace}
	if c.Edited {
		ch.EditedArguments = c.Args
	}
	return ch
}

// Rejection is what the model is told about a call that a person refused.
func Rejection(name, said string) string {
	text := name + " execution cancelled by user"
	if fb := Feedback(said); fb != "" {
		text += ". User feedback: " + fb
	}
	return text
}

// Feedback is a person's text without control characters.
func Feedback(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < 32 && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s))
}
