// Package webhook tells programs what happens to repositories and discussions
// of the simulated Hub: it keeps the users' webhooks and delivers each event by
// POST to targets on this machine, or starts a job for it. It does not know how
// discussions and jobs work: those are told to it and called by it.
package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// Jobs starts the jobs of webhooks that have one.
type Jobs interface {
	// Spec returns what a new job like the one with id is made of, for the
	// caller in ctx.
	Spec(ctx context.Context, id string) (json.RawMessage, error)
	// Run starts a job of a user with further environment variables.
	Run(user string, spec json.RawMessage, env map[string]string) error
}

// Options of the webhooks.
type Options struct {
	Clock    *clock.Clock
	Accounts *account.Book
	Repos    *repo.Store
	// Endpoint is the address of the Hub in payloads.
	Endpoint func() string
	// Jobs may be nil: then webhooks have URLs only.
	Jobs Jobs
}

// Watched is what a webhook listens to.
type Watched struct {
	Type string `json:"type"` // user, org, model, dataset, space
	Name string `json:"name"`
}

// Hook is a webhook.
type Hook struct {
	ID       string          `json:"id"`
	Owner    string          `json:"owner"`
	URL      string          `json:"url,omitempty"`
	Job      json.RawMessage `json:"job,omitempty"`
	Watched  []Watched       `json:"watched"`
	Domains  []string        `json:"domains"`
	Secret   string          `json:"secret,omitempty"`
	Disabled bool            `json:"disabled,omitempty"`
	// Log is what was delivered last, oldest first.
	Log []Delivery `json:"log,omitempty"`
	// Day and Count say how often it was triggered on a day.
	Day   string `json:"day,omitempty"`
	Count int    `json:"count,omitempty"`
}

// Delivery is an attempt to tell a webhook's target.
type Delivery struct {
	ID      string          `json:"id"`
	At      time.Time       `json:"createdAt"`
	Payload json.RawMessage `json:"payload"`
	Status  int             `json:"status,omitempty"` // of the target's answer
	Error   string          `json:"error,omitempty"`
}

// Limits of webhooks.
const (
	maxTriggers = 1000 // of one webhook a day
	maxLog      = 100  // deliveries of one webhook that are remembered
	maxQueue    = 1000 // deliveries that wait
	maxHooks    = 100  // of one user
)

// Area holds all webhooks and delivers. It is safe for concurrent use.
type Area struct {
	o Options

	mu    sync.Mutex
	hooks []*Hook // oldest first

	queue   chan task
	waiting sync.WaitGroup // tasks queued and not done
	stop    context.CancelFunc
	done    chan struct{}
}

type task struct {
	hook     string // id
	delivery Delivery
}

// New returns an area that listens to the store. Close ends it.
func New(o Options) (*Area, error) {
	if o.Clock == nil || o.Accounts == nil || o.Repos == nil || o.Endpoint == nil {
		return nil, errors.New("webhook: the options Clock, Accounts, Repos and Endpoint are required")
	}
	ctx, stop := context.WithCancel(context.Background())
	a := &Area{o: o, queue: make(chan task, maxQueue), stop: stop, done: make(chan struct{})}
	go a.deliver(ctx)
	o.Repos.OnCommit(a.committed)
	o.Repos.OnCreate(func(r *repo.Repo, _ repo.CreateSpec) error { a.repo(r, "create", "repo", nil); return nil })
	o.Repos.OnDelete(func(r *repo.Repo) { a.repo(r, "delete", "repo", nil) })
	o.Repos.OnMove(a.moved)
	return a, nil
}

// Close gives up what waits and ends the deliveries.
func (a *Area) Close() error {
	a.stop()
	<-a.done
	return nil
}

// Wait returns when everything told so far was delivered.
func (a *Area) Wait() { a.waiting.Wait() }

// edit changes the webhook with id under the lock; ok is false when it is gone.
func (a *Area) edit(id string, change func(h *Hook)) (Hook, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.IndexFunc(a.hooks, func(h *Hook) bool { return h.ID == id })
	if i < 0 {
		return Hook{}, false
	}
	next := *a.hooks[i]
	change(&next)
	a.hooks[i] = &next
	return next, true
}

// of lists the webhooks of a user, oldest first.
func (a *Area) of(user string) []Hook {
	a.mu.Lock()
	defer a.mu.Unlock()
	var own []Hook
	for _, h := range a.hooks {
		if h.Owner == user {
			own = append(own, *h)
		}
	}
	return own
}

// watches reports whether an event of a domain in repository r, under any of
// its names, concerns the webhook's owner.
func (a *Area) watches(h *Hook, r *repo.Repo, names []string, domain string) bool {
	if h.Disabled || !slices.Contains(h.Domains, domain) || r.Private() && !a.member(h.Owner, r.Namespace()) {
		return false
	}
	return slices.ContainsFunc(h.Watched, func(w Watched) bool {
		return slices.ContainsFunc(names, func(id string) bool {
			if w.Type == "user" || w.Type == "org" {
				id, _, _ = strings.Cut(id, "/")
				return strings.EqualFold(w.Name, id)
			}
			return w.Type == string(r.Type()) && strings.EqualFold(w.Name, id)
		})
	})
}

// member reports whether a user sees the private things of a namespace.
func (a *Area) member(user, ns string) bool {
	if strings.EqualFold(user, ns) {
		return true
	}
	org, ok := a.o.Accounts.Find(ns)
	return ok && org.Members[user] != "" && org.Members[user] != "no_access"
}

// Save returns everything that Load needs.
func (a *Area) Save() (json.RawMessage, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return json.Marshal(a.hooks)
}

// Load replaces everything by what Save returned.
func (a *Area) Load(raw json.RawMessage) error {
	var hooks []*Hook
	if err := json.Unmarshal(raw, &hooks); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hooks = hooks
	return nil
}
