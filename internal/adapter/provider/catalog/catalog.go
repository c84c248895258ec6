// Package catalog is a client of the HF router's public list of models: who
// serves a model, at what price, with how much context. It keeps the list in
// memory and on disk, and one fetch serves everyone who asks. It sends no
// credential, and knows nothing of model calls or of other providers.
package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// freshFor is how long a list is used without asking again.
	freshFor = 300 * time.Second
	// retryAfter is how long nothing is asked after a failed fetch.
	retryAfter = 15 * time.Second
	// fetchLimit bounds one fetch, body included.
	fetchLimit = 5 * time.Second
	// maxBody is the largest list that is read, in bytes.
	maxBody = 20 << 20
	// maxDiskAge is how old a copy on disk may be when a program starts.
	maxDiskAge = 24 * time.Hour
)

// Options say where the list comes from and where it is kept.
type Options struct {
	// HTTP sends the request. It may follow redirects: no credential is sent.
	HTTP *http.Client
	// BaseURL returns the router's base, "https://router.huggingface.co/v1"; it
	// is asked before every fetch.
	BaseURL func() string
	// Path is the file of the copy on disk; empty for none.
	Path string
	// UserAgent is the header of that name.
	UserAgent string
}

// Catalog is safe for concurrent use. Close it to end a fetch under way.
type Catalog struct {
	opts   Options
	closed chan struct{} // ends every fetch: one outlives its first asker
	once   sync.Once
	wg     sync.WaitGroup

	mu     sync.Mutex
	copy   *snapshot // the last good list, or nil
	looked string    // the base URL for which the disk was looked at
	failed time.Time // when the last fetch failed; zero after a good one
	err    error     // why it failed
	flight chan struct{}
}

// snapshot is one good list.
type snapshot struct {
	base   string
	etag   string
	at     time.Time // when the router last confirmed it
	raw    []byte
	models []Model
	byID   map[string]int
	byFold map[string]int // by lower-case id
}

// New returns a catalogue that has asked nothing yet.
func New(opts Options) (*Catalog, error) {
	if opts.HTTP == nil {
		return nil, errors.New("catalog: Options.HTTP is missing")
	}
	if opts.BaseURL == nil {
		return nil, errors.New("catalog: Options.BaseURL is missing")
	}
	return &Catalog{opts: opts, closed: make(chan struct{})}, nil
}

// Close ends a fetch under way and waits for it.
func (c *Catalog) Close() {
	c.once.Do(func() { close(c.closed) })
	c.wg.Wait()
}

// Peek looks a model up in the list at hand, in memory or on disk, however
// old it is in memory. It never waits for the network.
func (c *Catalog) Peek(id string) (Model, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current().find(id)
}

// Prewarm starts a fetch in the background when one is due. Failures are
// silent.
func (c *Catalog) Prewarm() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refresh()
}

// Lookup finds the model that id names, up to its tag: by its exact id, or by
// one that differs in case only; compare [Model.ID] to tell. It waits for a
// fetch that is due, and makes do with an old list when that fails. The error
// says that there is no list at all.
func (c *Catalog) Lookup(ctx context.Context, id string) (Model, bool, error) {
	snap, err := c.wait(ctx)
	if err != nil {
		return Model{}, false, err
	}
	m, ok := snap.find(id)
	return m, ok, nil
}

// Models returns the whole list in the router's order, as Lookup does.
func (c *Catalog) Models(ctx context.Context) ([]Model, error) {
	snap, err := c.wait(ctx)
	if err != nil {
		return nil, err
	}
	return append([]Model(nil), snap.models...), nil
}

// Names returns the ids at hand without waiting for the network, for
// completion.
func (c *Catalog) Names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current().ids()
}

// Similar returns at most n ids at hand that resemble id, the best first.
func (c *Catalog) Similar(id string, n int) []string {
	return similar(untagged(id), c.Names(), n)
}

func (c *Catalog) wait(ctx context.Context) (*snapshot, error) {
	c.mu.Lock()
	flight := c.refresh()
	c.mu.Unlock()
	if flight != nil {
		select {
		case <-flight:
		case <-ctx.Done():
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	snap := c.current()
	switch {
	case snap != nil:
		return snap, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("wait for the router's list of models: %w", ctx.Err())
	}
	if c.err == nil {
		return nil, errors.New("the router's list of models is closed")
	}
	return nil, c.err
}

// base is the router's base URL without a final slash.
func (c *Catalog) base() string { return strings.TrimRight(c.opts.BaseURL(), "/") }

// current returns the list at hand for the base URL in force. c.mu is held.
func (c *Catalog) current() *snapshot {
	base := c.base()
	if c.looked != base {
		c.looked, c.failed, c.err = base, time.Time{}, nil
		c.copy = c.load(base)
	}
	return c.copy
}

// refresh starts a fetch if one is due and returns the channel that closes at
// its end, or nil. c.mu is held.
func (c *Catalog) refresh() <-chan struct{} {
	snap := c.current()
	if c.flight != nil {
		return c.flight
	}
	if snap != nil {
		if age := time.Since(snap.at); age >= 0 && age < freshFor {
			return nil
		}
	}
	if !c.failed.IsZero() && time.Since(c.failed) < retryAfter {
		return nil
	}
	select {
	case <-c.closed:
		return nil
	default:
	}
	done := make(chan struct{})
	c.flight = done
	base := c.looked
	c.wg.Go(func() { c.run(base, snap, done) })
	return done
}

// run fetches once and records the outcome.
func (c *Catalog) run(base string, old *snapshot, done chan struct{}) {
	snap, err := c.fetch(base, old)
	if err == nil {
		c.save(snap) // before anyone is told, so that a short run leaves a copy
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flight = nil
	close(done)
	if c.looked != base {
		return // the base URL has changed meanwhile
	}
	if err != nil {
		c.failed, c.err = time.Now(), err
		return
	}
	c.copy, c.failed, c.err = snap, time.Time{}, nil
}

// fetch asks the router for its list, or whether the old one still holds.
func (c *Catalog) fetch(base string, old *snapshot) (*snapshot, error) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchLimit)
	defer cancel()
	c.wg.Go(func() {
		select {
		case <-c.closed:
			cancel()
		case <-ctx.Done():
		}
	})
	url := base + "/models"
	fail := func(err error) (*snapshot, error) {
		return nil, fmt.Errorf("fetch the list of models from %s: %w", url, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fail(err)
	}
	req.Header.Set("Accept", "application/json")
	if c.opts.UserAgent != "" {
		req.Header.Set("User-Agent", c.opts.UserAgent)
	}
	if old != nil && old.etag != "" {
		req.Header.Set("If-None-Match", old.etag)
	}
	resp, err := c.opts.HTTP.Do(req)
	if err != nil {
		return fail(err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified && old != nil:
		renewed := *old
		renewed.at = time.Now()
		return &renewed, nil
	case resp.StatusCode != http.StatusOK:
		return fail(fmt.Errorf("HTTP %d", resp.StatusCode))
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return fail(err)
	}
	if len(raw) > maxBody {
		return fail(fmt.Errorf("the answer is larger than %d MB", maxBody>>20))
	}
	snap, err := newSnapshot(base, resp.Header.Get("ETag"), time.Now(), raw)
	if err != nil {
		return fail(err)
	}
	return snap, nil
}

func newSnapshot(base, etag string, at time.Time, raw []byte) (*snapshot, error) {
	models, err := parse(raw)
	if err != nil {
		return nil, err
	}
	s := &snapshot{
		base: base, etag: etag, at: at, raw: raw, models: models,
		byID: make(map[string]int, len(models)), byFold: make(map[string]int, len(models)),
	}
	for i, m := range models {
		s.byID[m.ID] = i
		s.byFold[strings.ToLower(m.ID)] = i
	}
	return s, nil
}

// find looks id up to its tag up. A nil snapshot holds nothing.
func (s *snapshot) find(id string) (Model, bool) {
	if s == nil {
		return Model{}, false
	}
	key := untagged(id)
	i, ok := s.byID[key]
	if !ok {
		i, ok = s.byFold[strings.ToLower(key)]
	}
	if !ok {
		return Model{}, false
	}
	return s.models[i], true
}

func (s *snapshot) ids() []string {
	if s == nil {
		return nil
	}
	ids := make([]string, len(s.models))
	for i, m := range s.models {
		ids[i] = m.ID
	}
	return ids
}

// untagged cuts an id at its first colon.
func untagged(id string) string {
	key, _, _ := strings.Cut(id, ":")
	return key
}
