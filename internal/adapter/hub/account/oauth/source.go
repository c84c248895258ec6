package oauth

import (
	"context"
	"errors"
	"sync"
	"time"
)

// early is how long before its end a token is made fresh.
const early = 5 * time.Minute

// Source gives a token that is good, and makes it fresh before it ends. It is
// safe for concurrent use.
type Source struct {
	provider *Provider
	save     func(Token)

	turn chan struct{} // held by the one who refreshes

	mu    sync.Mutex
	token Token
}

// NewSource keeps a token fresh; save, if not nil, is told of each new one: the
// old one's refresh part is used up then.
func NewSource(p *Provider, t Token, save func(Token)) *Source {
	if save == nil {
		save = func(Token) {}
	}
	return &Source{provider: p, save: save, token: t, turn: make(chan struct{}, 1)}
}

func (s *Source) current() (t Token, due, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := time.Until(s.token.ExpiresAt)
	ends := !s.token.ExpiresAt.IsZero()
	return s.token, ends && left < early, ends && left <= 0
}

// Access gives the token. One that is near its end but cannot be made fresh
// for now is given as long as it lasts.
func (s *Source) Access(ctx context.Context) (string, error) {
	if t, due, _ := s.current(); !due {
		return t.Access, nil
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	t, due, over := s.current() // somebody may have been quicker
	if !due {
		return t.Access, nil
	}
	next, err := s.provider.Refresh(ctx, t)
	switch {
	case err != nil && (over || errors.Is(err, ErrLoginAgain) && t.Refresh != ""):
		return "", err
	case err != nil:
		return t.Access, nil
	}
	s.mu.Lock()
	s.token = next
	s.mu.Unlock()
	s.save(next)
	return next.Access, nil
}
