package console

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ml-intern/ml-intern/internal/ui/headless"
)

// StopSignals returns a context that ends at the time limit or at the first
// signal; its cause says which. A second SIGINT ends the process at once.
func StopSignals(ctx context.Context, limit time.Duration) (context.Context, func()) {
	stop, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	released, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		var limited <-chan time.Time
		if limit > 0 {
			timer := time.NewTimer(limit)
			defer timer.Stop()
			limited = timer.C
		}
		interrupts := 0
		for {
			select {
			case <-released:
				return
			case <-limited:
				cancel(headless.ErrTimeout)
			case sig := <-signals:
				if sig != os.Interrupt {
					cancel(headless.ErrTerminated)
					continue
				}
				if interrupts++; interrupts > 1 {
					os.Exit(headless.ExitInterrupt)
				}
				cancel(headless.ErrInterrupted)
			}
		}
	}()
	return stop, func() {
		signal.Stop(signals)
		close(released)
		<-done
		cancel(nil)
	}
}

// StopCode is the exit code of a run that was stopped.
func StopCode(stop context.Context) int {
	switch cause := context.Cause(stop); {
	case errors.Is(cause, headless.ErrTimeout):
		return headless.ExitTimeout
	case errors.Is(cause, headless.ErrTerminated):
		return headless.ExitTerminated
	}
	return headless.ExitInterrupt
}
