package oauth

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// early is how long before its end a token is made fresh. Of a short-lived
	// one it is the last quarter.
	early = 5 * time.Minute
	// attempt bounds one renewal, the wait for the lock included; pause is how
	// long nothing is asked after one that failed.
	attempt = 30 * time.Second
	pause   = 10 * time.Second
	// again is how long a token that replaced a refused one is believed: where
	// that is refused too, its age is not the reason.
	again = 5 * time.Minute
)

// ErrNoLogin is a login that is not there, or not any more.
var ErrNoLogin = errors.New("nobody is logged in")

// Shelf is where a login lies, for all who share it.
type Shelf interface {
	// Load reads the login; without one the error is [ErrNoLogin].
	Load() (Token, error)
	// Lock waits until nobody else changes the login.
	Lock(ctx context.Context) (release func() error, err error)
	// Save puts a fresh token in the place of the one that Load gave. It is
	// called under the lock.
	Save(Token) error
}

// SourceOptions of a source.
type SourceOptions struct {
	Shelf Shelf
	// Refresh makes a token fresh, such as [Provider.Refresh].
	Refresh func(ctx context.Context, old Token) (Token, error)
	// Fresh is told of each new token before it is used or saved.
	Fresh func(Token)
	// Trouble is told of every renewal that failed, and of tokens that could not
	// be saved.
	Trouble func(error)
}

// Source gives a token that is good, and makes it fresh before it ends. Of all
// the sources that share a shelf one refreshes at a time, and the others take
// what it got. It is safe for concurrent use.
type Source struct {
	o SourceOptions

	wg     sync.WaitGroup // the renewal under way
	mu     sync.Mutex
	flight *flight
	rest   time.Time // no renewal before then,
	failed error     // for this reason
	ended  string    // the refresh token that is good for nothing
	doubt  time.Time // no renewal of a refused token before then
	kept   *kept
}

// flight is a renewal that several wait for.
type flight struct {
	done  chan struct{}
	token Token
	err   error
}

// kept is a token that could not be saved, in the place of the one whose
// refresh part it used up.
type kept struct {
	used  string
	token Token
}

// NewSource makes a source; nothing is read yet.
func NewSource(o SourceOptions) *Source {
	if o.Fresh == nil {
		o.Fresh = func(Token) {}
	}
	if o.Trouble == nil {
		o.Trouble = func(error) {}
	}
	return &Source{o: o}
}

// Close waits for the renewal under way: to break it off would lose the login.
func (s *Source) Close() { s.wg.Wait() }

// Token gives the token, made fresh first where it is near its end, or where
// less than left of it remains. One that cannot be made fresh is given as long
// as it lasts.
func (s *Source) Token(ctx context.Context, left time.Duration) (Token, error) {
	t, err := s.load()
	if err != nil || !due(t, left) {
		return t, err
	}
	next, err := s.renew(ctx, func(t Token) bool { return due(t, left) })
	if err != nil && !over(t) && ctx.Err() == nil && !errors.Is(err, ErrNoLogin) {
		return t, nil
	}
	return next, err
}

// Instead gives another token in the place of one that was refused although it
// should be good; where a new one would be refused too, the same.
func (s *Source) Instead(ctx context.Context, refused string) (Token, error) {
	t, err := s.load()
	if err != nil {
		return t, err
	}
	if t.Access != refused {
		return s.Token(ctx, 0) // somebody has been quicker
	}
	s.mu.Lock()
	doubted := time.Now().Before(s.doubt)
	s.mu.Unlock()
	if doubted {
		return t, nil
	}
	next, err := s.renew(ctx, func(t Token) bool { return t.Access == refused })
	if err == nil {
		s.mu.Lock()
		s.doubt = time.Now().Add(again)
		s.mu.Unlock()
	}
	return next, err
}

// due reports whether a token is to be made fresh. How much of it is to be left
// is bounded by what a new one would have.
func due(t Token, left time.Duration) bool {
	if t.ExpiresAt.IsZero() {
		return false
	}
	life := t.ExpiresAt.Sub(t.At)
	return time.Until(t.ExpiresAt) <= max(min(early, life/4), min(left, life*3/4))
}

func over(t Token) bool { return !t.ExpiresAt.IsZero() && time.Until(t.ExpiresAt) <= 0 }

func (s *Source) load() (Token, error) {
	t, err := s.o.Shelf.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && s.kept != nil && s.kept.used == t.Refresh {
		return s.kept.token, nil
	}
	return t, err
}

// renew makes the token fresh if it is stale, together with all who want that.
func (s *Source) renew(ctx context.Context, stale func(Token) bool) (Token, error) {
	for {
		s.mu.Lock()
		f := s.flight
		mine := f == nil
		if mine {
			if time.Now().Before(s.rest) {
				defer s.mu.Unlock()
				return Token{}, s.failed
			}
			f = &flight{done: make(chan struct{})}
			s.flight = f
			s.wg.Go(func() { s.fly(f, stale) })
		}
		s.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return Token{}, context.Cause(ctx)
		}
		if mine || f.err != nil || !stale(f.token) {
			return f.token, f.err
		}
	}
}

// fly is one renewal. It has a time of its own: once the old token's refresh
// part is on its way, the answer must not be missed.
func (s *Source) fly(f *flight, stale func(Token) bool) {
	ctx, cancel := context.WithTimeout(context.Background(), attempt)
	defer cancel()
	f.token, f.err = s.locked(ctx, stale)
	s.mu.Lock()
	if f.err != nil {
		s.rest, s.failed = time.Now().Add(pause), f.err
	}
	s.flight = nil
	s.mu.Unlock()
	if f.err != nil {
		s.o.Trouble(f.err)
	}
	close(f.done)
}

// locked renews while nobody else does.
func (s *Source) locked(ctx context.Context, stale func(Token) bool) (Token, error) {
	release, err := s.o.Shelf.Lock(ctx)
	if err != nil {
		return Token{}, err
	}
	defer func() {
		if err := release(); err != nil {
			s.o.Trouble(err)
		}
	}()
	old, err := s.load()
	if err != nil || !stale(old) {
		return old, err
	}
	s.mu.Lock()
	ended := old.Refresh != "" && s.ended == old.Refresh
	s.mu.Unlock()
	if ended {
		return Token{}, ErrLoginAgain
	}
	next, err := s.o.Refresh(ctx, old)
	if err != nil {
		if errors.Is(err, ErrLoginAgain) {
			s.mu.Lock()
			s.ended = old.Refresh
			s.mu.Unlock()
		}
		return Token{}, err
	}
	s.o.Fresh(next)
	s.keep(next)
	return next, nil
}

// keep saves a fresh token. One that cannot be saved is remembered: the login
// holds as long as this process does.
func (s *Source) keep(next Token) {
	saved, err := s.o.Shelf.Load()
	if err == nil {
		err = s.o.Shelf.Save(next)
	}
	s.mu.Lock()
	s.kept = nil
	if err != nil {
		s.kept = &kept{saved.Refresh, next}
	}
	s.mu.Unlock()
	if err != nil {
		s.o.Trouble(err)
	}
}
