package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// answerLimit is how long a machine that runs may take until its tool server
	// answers, and answerPoll the pause between two questions.
	answerLimit = 180 * time.Second
	answerPoll  = time.Second
	// lookEvery is how often the machine is looked at meanwhile.
	lookEvery = 5 * time.Second
)

// Await returns when ask succeeds: the tool server answers. It fails when the
// machine is found to be down, and after three minutes.
func Await(ctx context.Context, m Maker, p Place, ask func(context.Context) error) error {
	limit := fmt.Errorf("the tool server of the sandbox does not answer after %s", answerLimit)
	ctx, stop := context.WithTimeoutCause(ctx, answerLimit, limit)
	defer stop()
	looked := time.Now()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil && time.Since(looked) >= lookEvery {
			looked = time.Now()
			c, lookErr := m.Look(ctx, p)
			if lookErr == nil && (c.State == Down || c.State == Gone) {
				return fmt.Errorf("the sandbox has ended before its tool server answered: it is in stage %s", c.Stage)
			}
		}
		if waitErr := Pause(ctx, answerPoll); waitErr != nil {
			if errors.Is(waitErr, limit) {
				return fmt.Errorf("%w: %w", limit, err)
			}
			return waitErr
		}
	}
}

// Pause waits, unless ctx is done first; then it returns why.
func Pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
