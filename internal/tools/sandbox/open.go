package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

// patience is how long a call waits for a sandbox that is being made.
const patience = 240 * time.Second

// starting is an error in words that models know.
type starting string

func (s starting) Error() string { return string(s) }

var (
	errStarting = starting("Sandbox is still starting. Please retry shortly.")
	errNone     = errors.New("there is no sandbox: make one with sandbox_create first")
	errEnded    = &workspace.Fault{Kind: workspace.Closed, Reason: "the session has ended"}
)

// Open returns the sandbox. It waits for one that is being made.
func (k *Keeper) Open(ctx context.Context) (workspace.Workspace, error) {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		k.mu.Lock()
		b, m, failure, closed := k.now, k.making, k.failure, k.closed
		k.mu.Unlock()
		switch {
		case closed:
			return nil, errEnded
		case b != nil:
			b.used.Store(true)
			return b.place, nil
		case m == nil && failure != nil:
			return nil, fmt.Errorf("the sandbox could not be made ahead: %w; make one with sandbox_create", failure)
		case m == nil:
			return nil, errNone
		}
		select {
		case <-m.done:
			if m.err != nil && !m.ahead {
				return nil, fmt.Errorf("the sandbox could not be made: %w", m.err)
			}
		case <-limit.C:
			return nil, errStarting
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Wrap gives a tool that works in the sandbox what the model must read about it.
func (k *Keeper) Wrap(t tool.Tool) tool.Tool { return k.notes.Wrap(t) }
