package execution

import (
	"context"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/hook"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
)

// hookedNote stands in front of the result of a call whose arguments a hook has
// replaced.
const hookedNote = "[A hook changed the arguments before the call ran; this output is from the changed version.]"

// Hooked returns a call as hooks have decided about it: refused, let run, made to
// ask, or with other arguments. Those pass the tool's schema like the model's own.
func (h *Toolbox) Hooked(ctx context.Context, c *Call, d event.Hook) *Call {
	if d.Decision == string(hook.Deny) {
		c.Failure = "Refused: " + c.Name + " was not run, a hook of the user's forbids it: " + d.Reason
		c.hear(hook.PreToolUse, d.Context)
		return c
	}
	out := c
	if len(d.UpdatedInput) > 0 {
		out = h.Prepare(ctx, llm.ToolCall{ID: c.ID, Name: c.Name, Arguments: string(d.UpdatedInput)})
		out.Arguments, out.Announce = c.Arguments, c.Announce // the history keeps what the model wrote
		if out.Failure != "" {
			out.Failure = c.Name + " was not run: the arguments that a hook of the user's has put in the place of yours are wrong. " + out.Failure
			return out
		}
		out.Note = hookedNote
	}
	out.hear(hook.PreToolUse, d.Context)
	switch d.Decision {
	case string(hook.Allow):
		out.Permitted = true
	case string(hook.Ask):
		out.Asks = visible("a hook asks: " + d.Reason)
	}
	return out
}

// hear keeps what the model is told behind the result.
func (c *Call) hear(moment hook.Moment, text string) {
	if text = strings.TrimSpace(text); text != "" {
		c.heard = append(c.heard, "["+string(moment)+" hook] "+text)
	}
}

// Recall takes over what hooks have decided about a call that a person has
// answered since: its arguments are those that were shown.
func (c *Call) Recall(d event.Hook) {
	if c.Note == "" && len(d.UpdatedInput) > 0 {
		c.Note = hookedNote
	}
	c.hear(hook.PreToolUse, d.Context)
}

// Follow takes over from a call what holds for it with other arguments too.
func (c *Call) Follow(before *Call) { c.Why, c.heard = before.Why, before.heard }

// await keeps the result of a call that ran, while something behind it goes on.
func (b *batch) await(i int, r *tool.Result) (ran bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.started[i] {
		b.ready[i] = r
	}
	return b.started[i]
}

// finish asks what stands behind calls that ran, before the result is told: the
// checkpoint is still open, so that what it changes belongs to the call, and so
// does the lane. What it has to say goes with the result. An interrupt does not
// wait for it.
func (b *batch) finish(ctx context.Context, i int, r tool.Result) {
	c := b.calls[i]
	if b.session.Finished == nil || ctx.Err() != nil || !b.await(i, &r) {
		return
	}
	text := b.session.Finished(ctx, c, r)
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		c.hear(hook.PostToolUse, text)
	}
}
