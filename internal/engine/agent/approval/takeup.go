package approval

import (
	"context"
	"encoding/json"

	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/agent/execution"
)

// TakeUp returns a call with what an earlier run of the program left about it
// in the journal, f, which may be nil: what a person has decided about it, what
// its hooks have, that it had started. done is its result, told already, when it
// must not run again.
func TakeUp(ctx context.Context, h *execution.Toolbox, session *execution.Session, c llm.ToolCall, f *history.Call) (p *execution.Call, done *tool.Result) {
	if f == nil {
		return h.Prepare(ctx, c), nil
	}
	p = takenUp(ctx, h, c, f)
	p.Settled = decided(f) || f.Started != nil
	if f.Announced {
		p.Announce = false
	}
	if f.Started == nil {
		return p, nil
	}
	r, again := execution.Recover(ctx, session, p, f)
	if again {
		return p, nil
	}
	return p, &r
}

// takenUp is the call in the form in which it was to go on.
func takenUp(ctx context.Context, h *execution.Toolbox, c llm.ToolCall, f *history.Call) *execution.Call {
	if decided(f) {
		p := resume(h, c, f)
		if f.Hook != nil {
			p.Recall(*f.Hook)
		}
		return p
	}
	p := h.Prepare(ctx, c)
	if f.Hook == nil || p.Failure != "" {
		return p
	}
	p = h.Hooked(ctx, p, *f.Hook)
	p.Asked = true
	return p
}

// decided reports whether a person has answered about a call before a restart.
func decided(f *history.Call) bool {
	if f.Answer == nil || f.Answer.Feedback == tool.NeedsApproval {
		return false
	}
	return f.Answer.State == "approved" || f.Answer.State == "rejected"
}

// resume returns the call as it was decided before a restart: with what was
// shown or edited, or as a refusal.
func resume(h *execution.Toolbox, c llm.ToolCall, f *history.Call) *execution.Call {
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
