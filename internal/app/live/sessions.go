package live

import (
	"context"
	"fmt"

	"github.com/ml-intern/ml-intern/internal/engine/agent"
)

// Sessions is how the agent comes by other sessions.
func (s *Session) Sessions() agent.Sessions { return sessions{s} }

type sessions struct{ *Session }

// New opens an empty session.
func (s sessions) New(ctx context.Context) (agent.Opened, error) { return s.open(ctx, "") }

// Resume opens a saved session by number, id, prefix or path.
func (s sessions) Resume(ctx context.Context, ref string) (agent.Opened, error) {
	return s.open(ctx, ref)
}

func (s *Session) open(ctx context.Context, ref string) (agent.Opened, error) {
	s.retired.Wait() // it may be the one that was left a moment ago
	s.forget()
	current := s.current()
	c, err := s.opts.Open(ctx, ref, current.ID)
	if err != nil {
		return agent.Opened{}, err
	}
	if c.ID == current.ID { // Open should have told
		return agent.Opened{}, fmt.Errorf("session %s is the one that is open", c.ID)
	}
	s.mu.Lock()
	s.next = c
	s.mu.Unlock()
	var saved *string
	if path := s.opts.Saved(current.ID); path != "" {
		saved = &path
	}
	return agent.Opened{
		SessionID: c.ID, SavedPath: saved, Journal: c.Journal, State: c.State, Complete: c.Complete, Checkpoints: c.Checkpoints,
		Close: func() error {
			s.turn(context.WithoutCancel(ctx))
			return nil
		},
	}, nil
}

// forget gives up a chapter that was opened and not gone over to.
func (s *Session) forget() {
	s.mu.Lock()
	c := s.next
	s.next = nil
	s.mu.Unlock()
	if c == nil {
		return
	}
	c.Journal.Close()
	if err := c.Release(); err != nil {
		s.opts.Debug("leave session " + c.ID + ": " + err.Error())
	}
}

// turn goes over to the chapter that was opened: it is there before the old one
// ends, so that whoever follows that finds it. The old one's followers take
// their time.
func (s *Session) turn(ctx context.Context) {
	s.mu.Lock()
	old, c := s.chapters[len(s.chapters)-1], s.next
	c.open(len(s.chapters))
	s.chapters, s.next = append(s.chapters, c), nil
	s.mu.Unlock()
	s.follow(ctx, c)
	old.Journal.Close()
	s.retired.Go(func() {
		if err := s.retire(old); err != nil {
			s.opts.Debug("leave session " + old.ID + ": " + err.Error())
		}
	})
}
