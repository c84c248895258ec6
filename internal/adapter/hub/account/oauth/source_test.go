package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/account/oauth"
)

// shelf is a login that several sources share.
type shelf struct {
	turn chan struct{}

	mu    sync.Mutex
	token oauth.Token
	full  bool // nothing can be saved
	saved []string
}

func newShelf(t oauth.Token) *shelf { return &shelf{turn: make(chan struct{}, 1), token: t} }

func (s *shelf) Load() (oauth.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token.Access == "" {
		return oauth.Token{}, oauth.ErrNoLogin
	}
	return s.token, nil
}

func (s *shelf) Lock(ctx context.Context) (func() error, error) {
	select {
	case s.turn <- struct{}{}:
		return func() error { <-s.turn; return nil }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (s *shelf) Save(t oauth.Token) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return errors.New("the disk is full")
	}
	s.token = t
	s.saved = append(s.saved, t.Access)
	return nil
}

func (s *shelf) set(f func(*shelf)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

// office gives tokens a1, a2, … for r1, r2, …, each once, after a second.
type office struct {
	mu    sync.Mutex
	n     int
	asked int
	err   error
}

func (o *office) refresh(ctx context.Context, old oauth.Token) (oauth.Token, error) {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return oauth.Token{}, ctx.Err()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked++
	switch {
	case o.err != nil:
		return oauth.Token{}, o.err
	case old.Refresh != fmt.Sprint("r", o.n):
		return oauth.Token{}, fmt.Errorf("used up: %w", oauth.ErrLoginAgain)
	}
	o.n++
	return hour(o.n), nil
}

func (o *office) set(f func(*office)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f(o)
}

func hour(n int) oauth.Token {
	return oauth.Token{Access: fmt.Sprint("a", n), Refresh: fmt.Sprint("r", n), At: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
}

// bench is two sources, as of two processes, on one shelf.
type bench struct {
	*testing.T
	*shelf
	office  *office
	one     *oauth.Source
	two     *oauth.Source
	trouble []string
}

func newBench(t *testing.T) *bench {
	b := &bench{T: t, shelf: newShelf(hour(1)), office: &office{n: 1}}
	o := oauth.SourceOptions{
		Shelf: b.shelf, Refresh: b.office.refresh,
		Trouble: func(err error) { b.set(func(*shelf) { b.trouble = append(b.trouble, err.Error()) }) },
	}
	b.one, b.two = oauth.NewSource(o), oauth.NewSource(o)
	return b
}

func (b *bench) gives(s *oauth.Source, want string) {
	b.Helper()
	if got, err := s.Token(b.Context(), 0); got.Access != want || err != nil {
		b.Errorf("%q, %v, want %q", got.Access, err, want)
	}
}

func (b *bench) asked(want int) {
	b.Helper()
	b.office.set(func(o *office) {
		if o.asked != want {
			b.Errorf("%d renewals, want %d", o.asked, want)
		}
	})
}

// Of all who share a login one refreshes it, shortly before its end.
func TestSourcesRefreshOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.gives(b.one, "a1")
		time.Sleep(54 * time.Minute)
		b.gives(b.one, "a1")
		b.asked(0)
		time.Sleep(2 * time.Minute)
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { b.gives([]*oauth.Source{b.one, b.two}[i%2], "a2") })
		}
		wg.Wait()
		b.asked(1)
		// A token is wanted that lasts longer than this one; what a new one
		// would not have is not wanted.
		time.Sleep(10 * time.Minute)
		for _, s := range []*oauth.Source{b.one, b.two} {
			if got, err := s.Token(t.Context(), 4*time.Hour); got.Access != "a2" || err != nil {
				t.Errorf("%+v, %v", got, err)
			}
		}
		time.Sleep(10 * time.Minute)
		for _, s := range []*oauth.Source{b.one, b.two, b.one} {
			if got, err := s.Token(t.Context(), 4*time.Hour); got.Access != "a3" || err != nil {
				t.Errorf("%+v, %v", got, err)
			}
		}
		b.asked(2)
		if diff := cmp.Diff([]string{"a2", "a3"}, b.saved); diff != "" || b.trouble != nil {
			t.Error(diff, b.trouble)
		}
	})
}

// A token that cannot be made fresh for now is used to its end; one that never
// can is not asked for again.
func TestSourceInTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		down := errors.New("the provider is down")
		b.office.set(func(o *office) { o.err = down })
		time.Sleep(57 * time.Minute)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { b.gives(b.one, "a1") })
		}
		wg.Wait()
		b.gives(b.one, "a1")
		b.asked(1) // and then a pause
		time.Sleep(5 * time.Minute)
		for range 3 {
			if _, err := b.one.Token(t.Context(), 0); !errors.Is(err, down) {
				t.Errorf("error %v", err)
			}
		}
		b.asked(2)
		b.office.set(func(o *office) { o.err, o.n = nil, 7 })
		time.Sleep(time.Minute)
		for range 5 {
			if _, err := b.one.Token(t.Context(), 0); !errors.Is(err, oauth.ErrLoginAgain) || !strings.Contains(err.Error(), "ml-intern login") {
				t.Errorf("error %v", err)
			}
			time.Sleep(time.Minute)
		}
		b.asked(3)
		// A new login is seen at once, and so is the end of it.
		b.set(func(s *shelf) { s.token = hour(9) })
		b.gives(b.one, "a9")
		b.set(func(s *shelf) { s.token = oauth.Token{} })
		if _, err := b.one.Token(t.Context(), 0); !errors.Is(err, oauth.ErrNoLogin) {
			t.Errorf("error %v", err)
		}
	})
}

// Who gives up waiting does not break a renewal off: its answer is kept.
func TestSourceFinishesWhatItBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		time.Sleep(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := b.one.Token(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		b.one.Close()
		b.gives(b.two, "a2")
		b.asked(1)
	})
}

// A refused token is replaced once; if the new one is refused too, it is not
// its age.
func TestSourceReplacesARefusedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		instead := func(s *oauth.Source, refused, want string) {
			t.Helper()
			got, err := s.Instead(t.Context(), refused)
			if got.Access != want || err != nil {
				t.Errorf("instead of %s: %q, %v", refused, got.Access, err)
			}
		}
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() { instead([]*oauth.Source{b.one, b.two}[i%2], "a1", "a2") })
		}
		wg.Wait()
		b.asked(1)
		instead(b.one, "a1", "a2")
		b.asked(1)
		instead(b.one, "a2", "a2")
		instead(b.one, "a2", "a2")
		time.Sleep(6 * time.Minute)
		instead(b.one, "a2", "a3")
		b.asked(2)
	})
}

// A token that cannot be saved serves this process nevertheless.
func TestSourceWithAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.set(func(s *shelf) { s.full = true })
		for n := 2; n < 5; n++ {
			time.Sleep(time.Hour)
			b.gives(b.one, fmt.Sprint("a", n))
			b.gives(b.one, fmt.Sprint("a", n))
		}
		b.asked(3)
		if len(b.trouble) != 3 {
			t.Error(b.trouble)
		}
		b.set(func(s *shelf) { s.full = false })
		time.Sleep(time.Hour)
		b.gives(b.one, "a5")
		b.gives(b.two, "a5")
	})
}

func TestTokenWithoutAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.set(func(s *shelf) { s.token.ExpiresAt = time.Time{} })
		time.Sleep(1000 * time.Hour)
		b.gives(b.one, "a1")
		b.asked(0)
	})
}
