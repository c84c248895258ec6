package consent

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/hands"
)

// Notes in front of the result of a call that a person has changed.
const (
	scriptNote    = "[The user edited the script before it ran; this output is from the edited version.]"
	argumentsNote = "[The user edited the arguments before the call ran; this output is from the edited version.]"
)

// Edit returns the call as a person's approval changes it; an edit that does
// not fit the tool's schema becomes the call's failed result.
func Edit(h *hands.Hands, c *hands.Call, ap event.Approval) *hands.Call {
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
	return edited
}

// change returns the new arguments, nil for the old ones, the note for the
// model, and what is wrong with the edit.
func change(c *hands.Call, ap event.Approval) (changed map[string]any, note, failure string) {
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
func State(c *hands.Call, ap event.Approval) event.ToolStateChange {
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

// Decided reports whether a person has answered about a call before a restart.
func Decided(f *history.Call) bool {
	if f.Answer == nil || f.Answer.Feedback == tool.NeedsApproval {
		return false
	}
	return f.Answer.State == "approved" || f.Answer.State == "rejected"
}

// Resume returns the call as it was decided before a restart: with what was
// shown or edited, or as a refusal.
func Resume(h *hands.Hands, c llm.ToolCall, f *history.Call) *hands.Call {
	args := json.RawMessage(c.Arguments)
	if f.Gated != nil && len(f.Gated.Arguments) > 0 {
		args = f.Gated.Arguments
	}
	if len(f.Answer.EditedArguments) > 0 {
		args = f.Answer.EditedArguments
	}
	out := h.Shown(c, args)
	out.Announce = false
	if f.Answer.State == "rejected" {
		out.Failure = Rejection(c.Name, f.Answer.Feedback)
		return out
	}
	out.Approved = true
	if len(f.Answer.EditedArguments) > 0 && f.Answer.Namespace == "" {
		out.Edited, out.Note = true, argumentsNote
	}
	return out
}
