package hooks

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hooks"
	"github.com/ml-intern/ml-intern/internal/app/live"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/hook"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
)

const (
	// endWait is how long hooks that only look may go on behind a session's end.
	endWait = 4 * time.Second
	// maxWaiting bounds what waits for slow ones.
	maxWaiting = 256
	// shownText is how much of an answer a notification repeats, in characters.
	shownText = 500
)

// Follower hands on what happens in a session to the hooks that only look:
// Notification and JobFinished. It is nil without such hooks.
func (d *Desk) Follower(settings func() agent.Settings) live.Follower {
	r := d.open()
	if r == nil || !r.Any(hook.Notification, hook.JobFinished) {
		return nil
	}
	return func(ctx context.Context, c *live.Chapter) error { return d.follow(ctx, r, settings, c) }
}

// follow reads a chapter to its end. The hooks run one after the other and delay
// nobody; those that are left behind the end have a few seconds.
func (d *Desk) follow(ctx context.Context, r *hooks.Runner, settings func() agent.Settings, c *live.Chapter) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	waiting := make(chan hook.Input, maxWaiting)
	var running sync.WaitGroup
	running.Go(func() {
		for in := range waiting {
			set := settings()
			in.SessionID, in.Cwd, in.Model = c.ID, set.Workdir, set.Model
			for _, line := range r.Ask(ctx, in).Warnings {
				d.Warn(line)
			}
		}
	})
	full := false
	var failed error
	for ev, err := range c.Journal.Follow(ctx, c.After) {
		if err != nil {
			failed = err
			break
		}
		in, ok := Observed(ev)
		if !ok {
			continue
		}
		select {
		case waiting <- in:
			full = false
		default:
			if !full {
				d.Warn("hooks are slower than what they are told of: some of it is left out")
			}
			full = true
		}
	}
	close(waiting)
	late := time.AfterFunc(endWait, cancel)
	defer late.Stop()
	running.Wait()
	return failed
}

// Observed is what an event is to hooks that only look, if it is anything to them.
func Observed(ev event.Event) (in hook.Input, ok bool) {
	switch ev.Type {
	case event.TypeApprovalRequired:
		return with(ev, approval)
	case event.TypeTurnComplete:
		return with(ev, func(p event.TurnComplete) hook.Input {
			text := "the turn is complete"
			if p.FinalResponse != nil && *p.FinalResponse != "" {
				text = shortened(*p.FinalResponse)
			}
			return notification(text, "turn_complete", "idle_prompt")
		})
	case event.TypeError:
		if ev.TurnID == "" {
			return in, false // of an operation, whose asker is there
		}
		return with(ev, func(p event.Error) hook.Input { return notification(shortened(p.Error), "error") })
	case event.TypeJobComplete:
		return with(ev, func(p event.JobComplete) hook.Input {
			return finished(hook.Job{
				ID: p.JobID, Where: "hub", Status: p.FinalStatus, Flavor: p.Flavor, WallS: p.WallTimeS, USD: p.EstimatedCostUSD,
			})
		})
	case event.TypeCommandEnded:
		return with(ev, func(p event.CommandEnded) hook.Input {
			status := "ERROR"
			if p.ExitCode != nil && *p.ExitCode == 0 {
				status = "COMPLETED"
			}
			return finished(hook.Job{ID: p.ID, Where: "local", Status: status, WallS: p.WallTimeS, Exit: p.ExitCode, Command: p.Command, Log: p.Log})
		})
	}
	return in, false
}

func with[P event.Payload](ev event.Event, make func(P) hook.Input) (hook.Input, bool) {
	p, err := event.Decode[P](ev)
	if err != nil {
		return hook.Input{}, false // an event that is not what its type promises
	}
	return make(p), true
}

func notification(text, kind string, others ...string) hook.Input {
	return hook.Input{Moment: hook.Notification, Kind: kind, Kinds: others, Text: text}
}

func finished(j hook.Job) hook.Input {
	return hook.Input{Moment: hook.JobFinished, Kind: j.Status, Kinds: []string{j.Where}, Job: &j}
}

func approval(p event.ApprovalRequired) hook.Input {
	var names []string
	for _, c := range p.Tools {
		name := c.Tool
		if c.Reason != "" {
			name += " (" + c.Reason + ")"
		}
		names = append(names, name)
	}
	text := "an approval is needed: " + strings.Join(names, ", ")
	switch {
	case p.YoloBudget:
		text = "the spending cap is reached"
	case p.UsageThreshold:
		text = "a spending threshold is reached"
	}
	return notification(shortened(text), "approval_required", "permission_prompt")
}

func shortened(text string) string {
	if cut := excerpt.Head(text, shownText); cut != text {
		return cut + "…"
	}
	return text
}
