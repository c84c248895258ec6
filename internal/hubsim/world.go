package hubsim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/bucket"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/collection"
	"github.com/ml-intern/ml-intern/internal/hubsim/content"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/hubsim/identity"
	"github.com/ml-intern/ml-intern/internal/hubsim/job"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo/routes"
	"github.com/ml-intern/ml-intern/internal/hubsim/webhook"
)

// world is everything that exists on the simulated Hub. A reset puts a new one
// in its place.
type world struct {
	dir  string // files: git objects, contents, buckets, running jobs
	temp bool   // close removes dir

	clock       *clock.Clock
	accounts    *account.Book
	identity    *identity.Area
	content     *content.Store
	repos       *repo.Store
	collections *collection.Area
	buckets     *bucket.Area
	runner      *exec.Runner
	jobs        *job.Jobs
	webhooks    *webhook.Area

	hub, cdn http.Handler
	areas    []area
}

// area is a part of the world with the name its state is stored under.
type area struct {
	name string
	part any
}

// What a part of the world may be able to do.
type (
	routed interface{ Routes(mux *http.ServeMux) }
	saved  interface {
		Save() (json.RawMessage, error)
		Load(json.RawMessage) error
	}
)

// build makes a world without anything in it.
func (h *Hub) build() (_ *world, err error) {
	w := &world{dir: h.o.StateDir}
	if w.dir == "" {
		if w.dir, err = os.MkdirTemp("", "hubsim-"); err != nil {
			return nil, err
		}
		w.temp = true
	}
	defer func() {
		if err != nil {
			_ = w.close()
		}
	}()
	w.clock = clock.New(h.o.Clock)
	w.accounts = account.New(w.clock)
	w.add("clock", w.clock)
	w.add("accounts", w.accounts)
	w.identity = identity.New(identity.Options{Clock: w.clock, Accounts: w.accounts, User: "bob", Counts: w.counts})
	w.add("identity", w.identity)
	if err := h.buildRepos(w); err != nil {
		return nil, err
	}
	if err := h.buildSocial(w); err != nil {
		return nil, err
	}
	if err := h.buildCompute(w); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for _, a := range w.areas {
		if r, ok := a.part.(routed); ok {
			r.Routes(mux)
		}
	}
	mux.HandleFunc("/", h.unserved)
	w.hub, w.cdn = mux, w.content.Handler()
	return w, nil
}

// add makes part a part of the world, known by name in the stored state.
func (w *world) add(name string, part any) { w.areas = append(w.areas, area{name, part}) }

// buildRepos makes what repositories are stored in.
func (h *Hub) buildRepos(w *world) (err error) {
	o := content.Options{Clock: w.clock, Base: h.CDNURL, Threshold: h.o.MultipartAbove, PartSize: h.o.PartSize}
	r := repo.Options{Clock: w.clock, Accounts: w.accounts, HideNew: h.o.VisibilityDelay}
	if !w.temp {
		o.Dir, r.Dir = filepath.Join(w.dir, "content"), filepath.Join(w.dir, "git")
	}
	if w.content, err = content.New(o); err != nil {
		return err
	}
	w.add("content", w.content)
	r.Content = w.content
	if w.repos, err = repo.New(r); err != nil {
		return err
	}
	w.add("repos", w.repos)
	paths, err := routes.New(routes.Options{
		Repos: w.repos, Content: w.content, Accounts: w.accounts, NotFound: http.HandlerFunc(h.unserved),
		Move: map[string]func(ctx context.Context, from, to string) error{
			"bucket": func(ctx context.Context, from, to string) error { return w.buckets.Move(ctx, from, to) },
		},
	})
	w.add("repo routes", paths)
	return err
}

// buildSocial makes what people share beside repositories.
func (h *Hub) buildSocial(w *world) (err error) {
	if w.buckets, err = bucket.New(bucket.Options{
		Clock: w.clock, Accounts: w.accounts, Dir: filepath.Join(w.dir, "buckets"), Source: w.stored,
	}); err != nil {
		return err
	}
	w.add("buckets", w.buckets)
	w.collections = collection.New(collection.Options{Clock: w.clock, Accounts: w.accounts, Kinds: w.kinds()})
	w.add("collections", w.collections)
	if w.webhooks, err = webhook.New(webhook.Options{
		Clock: w.clock, Accounts: w.accounts, Repos: w.repos, Endpoint: h.URL,
	}); err != nil {
		return err
	}
	w.add("webhooks", w.webhooks)
	return nil
}

// buildCompute makes what runs programs.
func (h *Hub) buildCompute(w *world) (err error) {
	if w.runner, err = exec.New(exec.Options{
		Clock: w.clock, Dir: filepath.Join(w.dir, "run"), Scripted: h.o.Exec == Scripted, Scripts: h.o.Scripts,
		Env: func() []string { return BaseEnv(h.URL()) }, Fence: h.o.Fence, Warn: h.o.Say,
	}); err != nil {
		return err
	}
	w.add("runner", w.runner)
	if w.jobs, err = job.New(job.Options{
		Clock: w.clock, Accounts: w.accounts, Runner: w.runner, Volumes: volumes{w}, Delay: h.o.JobDelay,
	}); err != nil {
		return err
	}
	w.add("jobs", w.jobs)
	return nil
}

// counts tells how many repositories of each type a namespace has.
func (w *world) counts(namespace string) (models, datasets, spaces int) {
	n := map[repo.Type]int{}
	for _, t := range []repo.Type{repo.Model, repo.Dataset, repo.Space} {
		for _, r := range w.repos.All(t) {
			if r.Namespace() == namespace && !r.Private() {
				n[t]++
			}
		}
	}
	return n[repo.Model], n[repo.Dataset], n[repo.Space]
}

// kinds is what collections may hold.
func (w *world) kinds() map[string]collection.Lookup { return map[string]collection.Lookup{} }

// save writes the state of all parts down.
func (w *world) save() (map[string]json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	for _, a := range w.areas {
		s, ok := a.part.(saved)
		if !ok {
			continue
		}
		raw, err := s.Save()
		if err != nil {
			return nil, fmt.Errorf("save %s: %w", a.name, err)
		}
		all[a.name] = raw
	}
	return all, nil
}

// load fills the parts with a stored state.
func (w *world) load(all map[string]json.RawMessage) error {
	for _, a := range w.areas {
		s, ok := a.part.(saved)
		if raw := all[a.name]; ok && raw != nil {
			if err := s.Load(raw); err != nil {
				return fmt.Errorf("load %s: %w", a.name, err)
			}
		}
	}
	return nil
}

// close ends what runs, the youngest part first, and removes temporary files.
func (w *world) close() error {
	var errs []error
	for i := len(w.areas) - 1; i >= 0; i-- {
		switch p := w.areas[i].part.(type) {
		case io.Closer:
			errs = append(errs, p.Close())
		case interface{ Close() }:
			p.Close()
		}
	}
	if w.clock != nil {
		w.clock.Stop()
	}
	if w.temp {
		errs = append(errs, os.RemoveAll(w.dir))
	}
	return errors.Join(errs...)
}
