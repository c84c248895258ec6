// Package catalogue shows what there is on the simulated Hub: lists of models,
// datasets and Spaces, searches over them, what is known of each, and who likes
// what. Most of it follows from the files of a repository, the rest is what a
// seed says. It changes no repository.
package catalogue

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/catalogue/facts"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/git"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// Options of the catalogue.
type Options struct {
	Clock    *clock.Clock
	Accounts *account.Book
	Repos    *repo.Store
	// Runtime describes how a Space runs, as its info shows it, its stage among
	// the members; nil is nothing.
	Runtime func(r *repo.Repo) map[string]any
	// Host is the address of a Space's app by its subdomain, below the endpoint
	// base; nil is base/__spaces/SUBDOMAIN.
	Host func(base, subdomain string) string
}

// Catalogue shows repositories. It is safe for concurrent use.
type Catalogue struct {
	o Options

	mu    sync.Mutex
	likes map[string][]like       // by the repository's hex id, oldest first
	known map[string]*facts.Facts // by hex id and commit
}

// like is a user's liking of a repository.
type like struct {
	User string    `json:"user"`
	At   time.Time `json:"at"`
}

// New returns a catalogue of the store.
func New(o Options) (*Catalogue, error) {
	if o.Clock == nil || o.Accounts == nil || o.Repos == nil {
		return nil, errors.New("catalogue: the options Clock, Accounts and Repos are required")
	}
	if o.Runtime == nil {
		o.Runtime = func(*repo.Repo) map[string]any { return nil }
	}
	if o.Host == nil {
		o.Host = func(base, subdomain string) string { return base + "/__spaces/" + subdomain }
	}
	c := &Catalogue{o: o, likes: map[string][]like{}, known: map[string]*facts.Facts{}}
	o.Repos.OnDelete(func(r *repo.Repo) {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.likes, r.Hex())
	})
	return c, nil
}

// Routes registers the routes of the catalogue.
func (c *Catalogue) Routes(mux *http.ServeMux) {
	for _, t := range repo.Types() {
		all := "/api/" + t.Plural()
		one := all + "/{ns}/{name}"
		on := func(pattern string, h func(http.ResponseWriter, *http.Request, repo.Type) error) {
			mux.Handle(pattern, repo.Route(func(w http.ResponseWriter, r *http.Request) error { return h(w, r, t) }))
		}
		on("GET "+all, c.list)
		on("GET "+one, c.info)
		on("GET "+one+"/revision/{rev...}", c.info)
		on("GET "+one+"/auth-check", c.authCheck)
		on("GET "+one+"/auth-check/write", c.writeCheck)
		on("GET "+one+"/likers", c.likers)
		on("DELETE "+one+"/like", c.unlike)
	}
	mux.Handle("GET /api/models/{name}", repo.Route(c.legacy))
	mux.Handle("GET /api/spaces/semantic-search", answer.Handler(c.semantic))
	mux.Handle("GET /api/kernels", repo.Route(c.kernels))
	mux.Handle("GET /api/models-tags-by-type", c.tagsByType(repo.Model))
	mux.Handle("GET /api/datasets-tags-by-type", c.tagsByType(repo.Dataset))
	mux.Handle("GET /api/quicksearch", answer.Handler(c.quickSearch))
	mux.Handle("GET /api/trending", answer.Handler(c.trending))
	mux.Handle("GET /api/users/{user}/likes", answer.Handler(c.liked))
	mux.Handle("POST /api/validate-yaml", answer.Handler(validate))
}

// find returns the repository a request names, where the caller may see it.
func (c *Catalogue) find(r *http.Request, t repo.Type) (*repo.Repo, error) {
	return c.o.Repos.Find(r.Context(), t, r.PathValue("ns")+"/"+r.PathValue("name"))
}

// legacy answers for models of old, whose ids have no namespace.
func (c *Catalogue) legacy(_ http.ResponseWriter, r *http.Request) error {
	if _, err := c.o.Repos.Find(r.Context(), repo.Model, r.PathValue("name")); err != nil {
		return err // the redirect
	}
	return repo.Unknown(account.From(r.Context()))
}

// visible lists the repositories of a type that the caller may know of.
func (c *Catalogue) visible(r *http.Request, t repo.Type) []*repo.Repo {
	caller := account.From(r.Context())
	return slices.DeleteFunc(c.o.Repos.All(t), func(at *repo.Repo) bool {
		return !at.Visible(caller) || at.Settings().Disabled
	})
}

// maxKnown is how many commits are remembered.
const maxKnown = 4096

// head is what the main branch of a repository says.
func (c *Catalogue) head(r *repo.Repo) *facts.Facts {
	oid, err := r.Head(git.Main)
	if err != nil {
		return &facts.Facts{}
	}
	return c.at(r, oid)
}

// at is what a commit of a repository says.
func (c *Catalogue) at(r *repo.Repo, oid string) *facts.Facts {
	key := r.Hex() + oid
	c.mu.Lock()
	f := c.known[key]
	c.mu.Unlock()
	if f != nil {
		return f
	}
	f = facts.Read(r, oid)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxKnown {
		clear(c.known)
	}
	c.known[key] = f
	return f
}

// Save returns everything that Load needs.
func (c *Catalogue) Save() (json.RawMessage, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return json.Marshal(c.likes)
}

// Load replaces everything by what Save returned.
func (c *Catalogue) Load(raw json.RawMessage) error {
	likes := map[string][]like{}
	if err := json.Unmarshal(raw, &likes); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.likes = maps.Clone(likes)
	return nil
}
