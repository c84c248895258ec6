package account

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

const (
	// fresh is how long an answer is good; after that it is still given, while
	// a new one is asked for.
	fresh = 10 * time.Minute
	// refused is how long the Hub's word counts that a token is none, pause how
	// long it is left alone after a failed refresh.
	refused = time.Minute
	pause   = time.Minute
	// patience bounds one question, tries how often it is asked.
	patience = 5 * time.Second
	tries    = 3
)

// Cache remembers identities by their tokens, which it knows only as hashes.
// It is safe for concurrent use.
type Cache struct {
	mu     sync.Mutex
	known  map[string]*entry
	closed bool

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// entry is what is known of one token.
type entry struct {
	id    *Identity // the last good answer
	until time.Time // good, or left alone, until then
	err   error     // the Hub's word that the token is none
	busy  chan struct{}
}

// NewCache makes an empty cache.
func NewCache() *Cache {
	c := &Cache{known: map[string]*entry{}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Close ends the questions under way and waits for them.
func (c *Cache) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.wg.Wait()
}

// API makes the calls. It is safe for concurrent use.
type API struct {
	conn  *wire.Conn
	cache *Cache
}

// New joins the API to a connection. The cache may be shared by connections.
func New(c *wire.Conn, cache *Cache) *API { return &API{conn: c, cache: cache} }

// Whoami tells who the token belongs to. The answer is shared: leave it as it
// is. Where it is old it is given nevertheless, and asked for anew.
func (a *API) Whoami(ctx context.Context) (*Identity, error) {
	if a.conn.Anonymous() {
		return nil, &wire.Error{
			Kind: wire.Unauthorized, Op: "ask who the token belongs to", Message: "there is no token",
			Remedy: "log in with `ml-intern login` or set HF_TOKEN",
		}
	}
	hash := a.conn.TokenHash()
	for {
		id, busy, err := a.cache.look(hash)
		switch {
		case err != nil:
			return nil, err
		case id != nil:
			a.refresh(hash)
			return id, nil
		case busy == nil:
			return a.first(ctx, hash)
		}
		select {
		case <-busy: // somebody else has asked
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Known is the last good answer, without any request; nil when there is none.
func (a *API) Known() *Identity {
	a.cache.mu.Lock()
	defer a.cache.mu.Unlock()
	if e := a.cache.known[a.conn.TokenHash()]; e != nil {
		return e.id
	}
	return nil
}

// Forget drops what is known of the token, after something has changed.
func (a *API) Forget() {
	a.cache.mu.Lock()
	defer a.cache.mu.Unlock()
	delete(a.cache.known, a.conn.TokenHash())
}

// look finds what is known of a token; a channel is closed once the question
// under way is answered. Without anything, the caller has the question to ask.
func (c *Cache) look(hash string) (*Identity, chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.known[hash]
	switch {
	case e == nil:
		c.known[hash] = &entry{busy: make(chan struct{})}
		return nil, nil, nil
	case e.err != nil && time.Now().Before(e.until):
		return nil, nil, e.err
	case e.id != nil:
		return e.id, nil, nil
	case e.busy != nil:
		return nil, e.busy, nil
	}
	e.err, e.busy = nil, make(chan struct{})
	return nil, nil, nil
}

// first asks for an identity that is not known; others wait for it.
func (a *API) first(ctx context.Context, hash string) (*Identity, error) {
	id, err := a.ask(ctx)
	a.cache.note(hash, id, err)
	return id, err
}

// note keeps the answer and wakes those who wait for it.
func (c *Cache) note(hash string, id *Identity, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.known[hash]
	if e == nil { // forgotten meanwhile
		return
	}
	if e.busy != nil {
		close(e.busy)
		e.busy = nil
	}
	now := time.Now()
	switch {
	case err == nil:
		*e = entry{id: id, until: now.Add(fresh)}
	case errors.Is(err, wire.Unauthorized):
		*e = entry{err: err, until: now.Add(refused)}
	case e.id != nil:
		e.until = now.Add(max(pause, retryAfter(err)))
	default:
		delete(c.known, hash)
	}
}

func retryAfter(err error) time.Duration {
	var e *wire.Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// refresh asks for a new answer in the background, if the one there is old.
func (a *API) refresh(hash string) {
	c := a.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.known[hash]
	if c.closed || e == nil || e.busy != nil || time.Now().Before(e.until) {
		return
	}
	e.busy = make(chan struct{})
	c.wg.Go(func() {
		id, err := a.question(c.ctx)
		c.note(hash, id, err)
	})
}

// ask asks, a few times where the Hub or the network is in trouble. When there
// were too many questions the user is told to wait; nobody waits here.
func (a *API) ask(ctx context.Context) (*Identity, error) {
	for try := 1; ; try++ {
		id, err := a.question(ctx)
		again := errors.Is(err, wire.Server) || errors.Is(err, wire.Unreachable)
		if !again || try == tries || ctx.Err() != nil {
			return id, err
		}
		if err := a.conn.Wait(ctx, time.Second<<(try-1), "the Hub does not say who you are, asking again"); err != nil {
			return nil, err
		}
	}
}

func (a *API) question(ctx context.Context) (*Identity, error) {
	const op = "ask who the token belongs to"
	var raw json.RawMessage
	_, err := a.conn.JSON(ctx, wire.Request{Op: op, Path: "/api/whoami-v2", Retry: wire.Never, FirstByte: patience}, &raw)
	if err != nil {
		return nil, err
	}
	id, err := identity(raw)
	if err == nil && id.Name == "" && len(id.Orgs) == 0 {
		err = errors.New("it names no user")
	}
	if err != nil {
		return nil, &wire.Error{Kind: wire.Unexpected, Op: op, Message: "the answer is not one of a Hub", Err: err}
	}
	return id, nil
}
