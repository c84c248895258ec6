package space

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// How waiting for a Space goes.
const (
	poll = 5 * time.Second
	// appears is how long a new Space may be unknown, or closed to a token of
	// an OAuth login, before that is believed.
	appears = 60 * time.Second
	logWait = 5 * time.Second
	// logLines are the last lines of a log shown with a failure.
	logLines = 40
)

// StartError tells why a Space does not run.
type StartError struct {
	ID    string
	Stage Stage
	// Message is the Hub's reason, Log the last lines of the build.
	Message string
	Log     []string
}

func (e *StartError) Error() string {
	text := fmt.Sprintf("Space %s does not start: %s", e.ID, e.Stage)
	if e.Message != "" {
		text += " (" + e.Message + ")"
	}
	if len(e.Log) > 0 {
		text += "; the end of its log:\n" + strings.Join(e.Log, "\n")
	}
	return text
}

// Wait returns when a Space runs on the hardware asked for; "" is any. It fails
// at once in a stage that does not lead there, and after limit. stage is told
// of every stage seen; nil is allowed.
func (a *API) Wait(ctx context.Context, id, hardware string, limit time.Duration, stage func(Stage)) (Runtime, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the Space %s does not run after %s", id, limit))
	defer cancel()
	started, last := time.Now(), Stage("")
	for {
		r, err := a.Runtime(ctx, id)
		switch {
		case ctx.Err() != nil:
			return r, context.Cause(ctx)
		case err != nil && (!young(err) || time.Since(started) > appears):
			return r, err
		case err == nil && r.Stage != last:
			if last = r.Stage; stage != nil {
				stage(last)
			}
		}
		if err == nil && r.Stage == Running && r.on(hardware) {
			return r, nil
		}
		if err == nil && r.Stage.Dead() {
			return r, a.startError(ctx, id, r)
		}
		t := time.NewTimer(poll)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return r, context.Cause(ctx)
		}
	}
}

// on reports whether the machine is the one that was asked for.
func (r Runtime) on(hardware string) bool {
	if r.Hardware.Current != "" {
		return hardware == "" || r.Hardware.Current == hardware
	}
	return hardware == "" || r.Hardware.Requested == hardware
}

// young reports whether an error may only mean that a Space is new.
func young(err error) bool {
	var e *wire.Error
	return errors.As(err, &e) && (e.Status == 404 || e.Status == 401)
}

func (a *API) startError(ctx context.Context, id string, r Runtime) error {
	kind := "build"
	if r.Stage == "RUNTIME_ERROR" {
		kind = "run"
	}
	lines, err := a.Log(ctx, id, kind, logLines)
	if err != nil { // the stage is what matters
		lines = nil
	}
	return &StartError{ID: id, Stage: r.Stage, Message: r.ErrorMessage, Log: lines}
}
