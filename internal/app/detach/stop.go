package detach

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/ml-intern/ml-intern/internal/ui/attach"
)

// killWait is how long the end of a killed process is waited for.
const killWait = 5 * time.Second

// pollEvery is how often a process is looked at while its end is waited for.
const pollEvery = 20 * time.Millisecond

// Stop ends a session: what it does is interrupted and everything is saved. It
// returns when the host has ended, or with ctx. A host that cannot be spoken to
// is asked by a signal.
func (r *Registry) Stop(ctx context.Context, e Entry, version string) error {
	err := quit(ctx, e, version)
	if err != nil && e.Alive() {
		if p, found := os.FindProcess(e.PID); found == nil {
			err = p.Signal(syscall.SIGTERM)
		}
	}
	if err != nil && ctx.Err() == nil && e.Alive() {
		return fmt.Errorf("stop session %s: %w (ml-intern stop --now %s kills it)", e.SessionID, err, e.SessionID)
	}
	if !waitFor(ctx, func() bool { return !e.Alive() }) {
		return fmt.Errorf("session %s has not ended yet: process %d is still at work (ml-intern stop --now %s kills it)", e.SessionID, e.PID, e.SessionID)
	}
	_, err = r.List() // what it may have left is swept
	return err
}

func quit(ctx context.Context, e Entry, version string) error {
	c, err := attach.Watch(ctx, e.Socket, version)
	if err != nil {
		return err
	}
	err = c.Quit(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // it was asked: its end is waited for no longer
	}
	return err
}

// Kill ends a host and all processes of its group at once. What it has told is
// saved, as after a power cut.
func (r *Registry) Kill(ctx context.Context, e Entry) error {
	e.process().Signal(true)
	ctx, cancel := context.WithTimeout(ctx, killWait)
	defer cancel()
	if !waitFor(ctx, func() bool { return !e.Alive() }) {
		return fmt.Errorf("process %d of session %s cannot be killed", e.PID, e.SessionID)
	}
	_, err := r.List()
	return err
}

// waitFor waits until done and reports whether it came to that.
func waitFor(ctx context.Context, done func() bool) bool {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return done()
		case <-tick.C:
		}
	}
	return true
}
