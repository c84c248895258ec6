package execution

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Checkpointed ends a checkpoint and returns what has changed, nil for nothing.
type Checkpointed = func(ctx context.Context, toolName string) *event.Checkpoint

// checkpointLimit bounds the end of a checkpoint: nothing else ends it, for a
// call that was interrupted has changed something too.
const checkpointLimit = 30 * time.Second

// checkpoint notes the workspace before a call that is not read-only. The
// function it returns, nil without checkpoints, is called when the call has
// ended; it tells what has changed, also of a call that was given up.
func (b *batch) checkpoint(ctx context.Context, c *Call) (ended func()) {
	if b.session.Checkpoint == nil || c.Risk.ReadOnly() {
		return nil
	}
	defer b.surprised(c)
	end := b.session.Checkpoint(ctx, c.Risk, c.ID)
	if end == nil {
		return nil
	}
	return func() {
		defer b.surprised(c)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkpointLimit)
		defer cancel()
		if made := end(ctx, c.Name); made != nil {
			_ = b.session.Append(*made) // the session knows and ends
		}
	}
}

// surprised keeps a panic of the checkpoints away from the call.
func (b *batch) surprised(c *Call) {
	if p := recover(); p != nil {
		b.session.Debug(fmt.Sprintf("the checkpoint of %s: %v\n%s", c.Name, p, debug.Stack()))
	}
}
