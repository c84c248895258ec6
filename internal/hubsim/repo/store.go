package repo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/content"
)

// Options of a store.
type Options struct {
	Clock    *clock.Clock
	Accounts *account.Book
	Content  *content.Store
	// Dir keeps the git objects; empty is memory.
	Dir string
	// HideNew is how long a duplicate is not to be found; nil is no time.
	HideNew func() time.Duration
}

// Store keeps all repositories. It is safe for concurrent use.
type Store struct {
	o Options

	mu      sync.RWMutex
	repos   map[string]*Repo // by key
	aliases map[string]*Repo // former names, by key
	hooks   hooks
}

// hooks are what other areas want to know. They are called without locks.
type hooks struct {
	commit []func(r *Repo, ref, oid string)
	create []func(r *Repo, spec CreateSpec) error
	remove []func(r *Repo)
	move   []func(r *Repo, from string)
	pull   func(ctx context.Context, r *Repo, pr PullRequest) (num int, err error)
}

// New returns an empty store.
func New(o Options) (*Store, error) {
	switch {
	case o.Clock == nil:
		return nil, errors.New("repo: Clock is missing")
	case o.Accounts == nil:
		return nil, errors.New("repo: Accounts is missing")
	case o.Content == nil:
		return nil, errors.New("repo: Content is missing")
	}
	return &Store{o: o, repos: map[string]*Repo{}, aliases: map[string]*Repo{}}, nil
}

// OnCommit calls f after a branch or a pull request got a commit.
func (s *Store) OnCommit(f func(r *Repo, ref, oid string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks.commit = append(s.hooks.commit, f)
}

// OnCreate calls f when a repository was made; an error unmakes it.
func (s *Store) OnCreate(f func(r *Repo, spec CreateSpec) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks.create = append(s.hooks.create, f)
}

// OnDelete calls f after a repository was deleted.
func (s *Store) OnDelete(f func(r *Repo)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks.remove = append(s.hooks.remove, f)
}

// OnMove calls f after a repository got another id; from is the old one.
func (s *Store) OnMove(f func(r *Repo, from string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks.move = append(s.hooks.move, f)
}

// OnPullRequest sets who numbers and records pull requests that come with a
// commit. f is called when the commit exists and refs/pr/NUM does not yet.
func (s *Store) OnPullRequest(f func(ctx context.Context, r *Repo, pr PullRequest) (num int, err error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks.pull = f
}

func (s *Store) called() hooks {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.hooks
}

func key(t Type, id string) string { return string(t) + "/" + strings.ToLower(id) }

// legacyNamespace is where models live that once had no namespace.
const legacyNamespace = "openai-community"

// lookup finds a repository by any of its names, whoever asks.
func (s *Store) lookup(t Type, id string) (*Repo, bool) {
	if !strings.Contains(id, "/") && t == Model {
		id = legacyNamespace + "/" + id
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r, ok := s.repos[key(t, id)]; ok {
		return r, true
	}
	r, ok := s.aliases[key(t, id)]
	return r, ok
}

// Find returns a repository the caller of ctx may see. Its refusals are those
// of the Hub; *Moved says that it has another name, which Route turns into a
// redirect.
func (s *Store) Find(ctx context.Context, t Type, id string) (*Repo, error) {
	caller := account.From(ctx)
	r, ok := s.lookup(t, id)
	if !ok || !r.Visible(caller) {
		return nil, Unknown(caller)
	}
	if r.Settings().Disabled {
		return nil, answer.Refuse(http.StatusForbidden, "Access to this resource is disabled.")
	}
	if now := r.ID(); now != id {
		return nil, &Moved{Type: t, From: id, To: now}
	}
	return r, nil
}

// Follow is Find for who takes a former name as well.
func (s *Store) Follow(ctx context.Context, t Type, id string) (*Repo, error) {
	r, err := s.Find(ctx, t, id)
	var moved *Moved
	if errors.As(err, &moved) {
		return s.Find(ctx, t, moved.To)
	}
	return r, err
}

// Unknown is the answer for a repository that does not exist for the caller.
func Unknown(caller *account.Caller) error {
	if caller == nil {
		return answer.Login(answer.RepoNotFound)
	}
	return answer.NotFound(answer.RepoNotFound, "Repository not found")
}

// Writable returns a repository the caller of ctx may change.
func (s *Store) Writable(ctx context.Context, t Type, id string) (*Repo, error) {
	r, err := s.Find(ctx, t, id)
	if err != nil {
		return nil, err
	}
	return r, r.MayWrite(account.From(ctx))
}

// Admin returns a repository whose settings the caller of ctx may change, and
// which he may move and delete. Whoever may write to all repositories of a
// namespace may do that too.
func (s *Store) Admin(ctx context.Context, t Type, id string) (*Repo, error) {
	return s.Writable(ctx, t, id)
}

// MayCreate says why the caller may not make a repository in a namespace.
func (s *Store) MayCreate(caller *account.Caller, t Type, ns string) error {
	if caller == nil {
		return answer.Login("")
	}
	if _, ok := s.o.Accounts.Find(ns); !ok || !caller.May(account.RepoWrite, ns) {
		return answer.Refuse(http.StatusForbidden, fmt.Sprintf("You don't have the rights to create a %s under the namespace %q", t, ns))
	}
	return nil
}

// All lists the repositories of a type by id, whoever asks.
func (s *Store) All(t Type) []*Repo {
	s.mu.RLock()
	var all []*Repo
	for _, r := range s.repos {
		if r.Type() == t {
			all = append(all, r)
		}
	}
	s.mu.RUnlock()
	slices.SortFunc(all, func(x, y *Repo) int { return cmp.Compare(x.ID(), y.ID()) })
	return all
}

// ByHex finds a repository by the id that moves do not change.
func (s *Store) ByHex(hex string) (*Repo, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, r := range s.repos {
		if r.hex == hex {
			return r, true
		}
	}
	return nil, false
}
