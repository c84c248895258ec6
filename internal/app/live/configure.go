package live

import (
	"context"
	"errors"

	"github.com/ml-intern/ml-intern/internal/app/live/tune"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// Tune is what a change of settings needs.
type Tune struct {
	Tuner  *tune.Tuner
	Policy *policy.Policy
}

// errEnded is said to whoever asks too late.
var errEnded = errors.New("the session has ended")

// change hands a change of settings to the goroutine that makes them: looking a
// model up may take its time.
func (s *Session) change(op event.Configure) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errEnded
	}
	s.changes = append(s.changes, op)
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return nil
}

// configure makes changes of settings, one after another, until the session
// ends.
func (s *Session) configure(ctx context.Context) {
	for {
		select {
		case <-s.running:
			return
		case <-ctx.Done():
			return
		case <-s.changed:
		}
		for {
			op, ok := s.takeChange()
			if !ok {
				break
			}
			s.apply(ctx, op)
		}
	}
}

func (s *Session) takeChange() (op event.Configure, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.changes) == 0 {
		return op, false
	}
	op = s.changes[0]
	s.changes = s.changes[1:]
	return op, true
}

// apply makes one change and tells its end: the settings in force, or why
// nothing was changed.
func (s *Session) apply(ctx context.Context, op event.Configure) {
	c, set, rules := s.current(), s.agent.Settings(), s.opts.Tune.Policy
	plan, err := s.opts.Tune.Tuner.Plan(ctx, tune.Session{ID: c.ID, Set: set, Mode: rules.Mode(), Tokens: c.size()}, op,
		func(r inference.Reply) { s.noted(s.agent.Book(ctx, r)) })
	if ctx.Err() != nil { // the session is leaving
		return
	}
	if err != nil {
		s.noted(s.agent.Tell(ctx, tune.Refusal(op, set.Model, err)))
		return
	}
	var notes []event.Payload
	for _, line := range plan.Notes {
		notes = append(notes, event.ToolLog{Tool: "system", Log: line})
	}
	s.noted(s.agent.Tell(ctx, notes...))
	s.noted(s.enact(ctx, plan))
}

// enact puts a change in force and tells the settings.
func (s *Session) enact(ctx context.Context, c tune.Change) error {
	if err := s.opts.Tune.Policy.SetMode(c.Mode); err != nil {
		return err
	}
	for _, rule := range c.Allow {
		if err := s.opts.Tune.Policy.Allow(rule); err != nil {
			return err
		}
	}
	before := s.agent.Settings().Told()
	s.agent.Change(func(set *agent.Settings) {
		if c.Model != nil {
			set.Model = *c.Model
		}
		if c.Effort != nil {
			set.Effort = *c.Effort
		}
		if c.CapMicroUSD != nil {
			set.CapMicroUSD, set.CapByUser = *c.CapMicroUSD, c.CapByUser
		}
	})
	c.Settle()
	if s.agent.Settings().Told() == before { // a change tells itself
		s.agent.Announce(ctx)
	}
	return nil
}

// noted keeps what only an operator should see.
func (s *Session) noted(err error) {
	if err != nil {
		s.opts.Debug("change the settings: " + err.Error())
	}
}
