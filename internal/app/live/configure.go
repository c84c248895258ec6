package live

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/ml-intern/ml-intern/internal/app/live/tune"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/engine/agent"
	"github.com/ml-intern/ml-intern/internal/engine/agent/observer"
	"github.com/ml-intern/ml-intern/internal/engine/inference"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// Tune is what a change of settings needs.
type Tune struct {
	Tuner  *tune.Tuner
	Policy *policy.Policy
	// Window is the context of the model at the start, in tokens; 0 when it is
	// not known.
	Window int
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
	c := s.current()
	set, rules := s.agent.Settings(), s.opts.Tune.Policy
	plan, err := s.opts.Tune.Tuner.Plan(ctx, tune.Session{ID: c.ID, Set: set, Mode: rules.Mode(), Tokens: c.size()}, op,
		func(r inference.Reply) { s.bill(ctx, c, r, set.Model) })
	if err == nil {
		err = s.enact(plan)
	}
	switch {
	case ctx.Err() != nil: // the session is leaving
	case err != nil:
		s.tell(ctx, c, tune.Refusal(op, set.Model, err))
	default:
		var told []event.Payload
		for _, line := range plan.Notes {
			told = append(told, event.ToolLog{Tool: "system", Log: line})
		}
		s.tell(ctx, c, append(told, s.settings())...)
	}
}

// enact puts a change in force.
func (s *Session) enact(c tune.Change) error {
	if err := s.opts.Tune.Policy.SetMode(c.Mode); err != nil {
		return err
	}
	for _, rule := range c.Allow {
		if err := s.opts.Tune.Policy.Allow(rule); err != nil {
			return err
		}
	}
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
	if c.Model != nil {
		s.mu.Lock()
		s.windowOf, s.window = *c.Model, c.Window
		s.mu.Unlock()
	}
	return nil
}

// bill books what asking a model has cost.
func (s *Session) bill(ctx context.Context, c *Chapter, r inference.Reply, model string) {
	spent := event.Spend{
		ID: "probe_" + uuid.NewString()[:8], Kind: event.SpendLLM, State: event.SpendSettled, PriceSource: string(r.PriceSource),
	}
	if r.MicroUSD != nil {
		micro := int64(*r.MicroUSD + 0.5)
		spent.MicroUSD = &micro
	}
	s.tell(ctx, c, observer.Account(r, model), spent)
}

// settings are the values in force as events tell them.
func (s *Session) settings() event.Settings {
	set := s.agent.Settings()
	out := event.Settings{
		Model: set.Model, Effort: string(set.Effort), ApprovalMode: string(s.opts.Tune.Policy.Mode()),
		ToolRuntime: set.Runtime, Cwd: set.Workdir,
	}
	if set.Effort == llm.EffortOff {
		out.Effort = "off"
	}
	if set.CapMicroUSD > 0 {
		usd := policy.USD(set.CapMicroUSD)
		out.MaxCostUSD = &usd
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.windowOf == set.Model {
		out.Window = s.window
	}
	return out
}
