package hubsim

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/bucket"
	"github.com/ml-intern/ml-intern/internal/hubsim/catalogue"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/collection"
	"github.com/ml-intern/ml-intern/internal/hubsim/content"
	"github.com/ml-intern/ml-intern/internal/hubsim/discussion"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec"
	"github.com/ml-intern/ml-intern/internal/hubsim/identity"
	"github.com/ml-intern/ml-intern/internal/hubsim/job"
	"github.com/ml-intern/ml-intern/internal/hubsim/job/shelf"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo/routes"
	"github.com/ml-intern/ml-intern/internal/hubsim/space"
	"github.com/ml-intern/ml-intern/internal/hubsim/webhook"
)

// build makes a world without anything in it but the services around the Hub.
func (h *Hub) build(around neighbour.Content) (_ *world, err error) {
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
	if err := h.buildCompute(w); err != nil {
		return nil, err
	}
	if err := h.buildSocial(w); err != nil {
		return nil, err
	}
	w.services = neighbour.New(neighbour.Options{
		Clock: w.clock, Accounts: w.accounts, Store: w.repos, Content: around, Model: h.o.Router,
	})
	w.add("services", w.services)
	mux := http.NewServeMux()
	for _, a := range w.areas {
		if r, ok := a.part.(routed); ok {
			r.Routes(mux)
		}
	}
	mux.HandleFunc("/", h.unserved)
	w.hub, w.cdn = w.services.Overlay(w.spaces.Faults(mux)), w.content.Handler()
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
	if err != nil {
		return err
	}
	w.add("repo routes", paths)
	return nil
}

// buildSocial makes what people share beside repositories.
func (h *Hub) buildSocial(w *world) (err error) {
	w.catalogue, err = catalogue.New(catalogue.Options{
		Clock: w.clock, Accounts: w.accounts, Repos: w.repos, Runtime: w.runtime,
	})
	if err != nil {
		return err
	}
	w.add("catalogue", w.catalogue)
	w.collections = collection.New(collection.Options{Clock: w.clock, Accounts: w.accounts, Kinds: w.kinds()})
	w.add("collections", w.collections)
	if w.webhooks, err = webhook.New(webhook.Options{
		Clock: w.clock, Accounts: w.accounts, Repos: w.repos, Endpoint: h.URL, Jobs: w.jobs,
	}); err != nil {
		return err
	}
	w.add("webhooks", w.webhooks)
	w.discussions, err = discussion.New(discussion.Options{
		Clock: w.clock, Accounts: w.accounts, Repos: w.repos, Notify: w.webhooks.Discussion, Endpoint: h.URL,
	})
	if err != nil {
		return err
	}
	w.add("discussions", w.discussions)
	return nil
}

// buildCompute makes what runs programs, and the buckets they write to.
func (h *Hub) buildCompute(w *world) (err error) {
	if w.buckets, err = bucket.New(bucket.Options{
		Clock: w.clock, Accounts: w.accounts, Dir: filepath.Join(w.dir, "buckets"), Source: w.stored,
	}); err != nil {
		return err
	}
	w.add("buckets", w.buckets)
	if w.runner, err = exec.New(exec.Options{
		Clock: w.clock, Dir: filepath.Join(w.dir, "run"), Scripted: h.o.Exec == Scripted, Scripts: h.o.Scripts,
		Env: func() []string { return BaseEnv(h.URL()) }, Fence: h.o.Fence, Reach: h.ports, Warn: h.o.Say,
	}); err != nil {
		return err
	}
	w.add("runner", w.runner)
	mounts := shelf.Shelf{Repos: w.repos, Buckets: w.buckets}
	if w.jobs, err = job.New(job.Options{
		Clock: w.clock, Accounts: w.accounts, Runner: w.runner, Volumes: mounts, Delay: h.o.JobDelay,
	}); err != nil {
		return err
	}
	w.add("jobs", w.jobs)
	w.spaces, err = space.New(space.Options{
		Clock: w.clock, Accounts: w.accounts, Repos: w.repos, Runner: w.runner, Volumes: mounts,
		Build: h.o.SpaceBuild, Start: h.o.SpaceStart,
	})
	if err != nil {
		return err
	}
	w.add("spaces", w.spaces)
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
func (w *world) kinds() map[string]collection.Lookup {
	return map[string]collection.Lookup{
		"model": w.catalogue.Lookup(repo.Model), "dataset": w.catalogue.Lookup(repo.Dataset),
		"space":  w.catalogue.Lookup(repo.Space),
		"bucket": w.buckets.Describe,
		"paper":  func(ctx context.Context, id string) (map[string]any, error) { return w.services.Paper(ctx, id) },
	}
}

// runtime is how a Space runs, for its info.
func (w *world) runtime(r *repo.Repo) map[string]any {
	raw, err := json.Marshal(w.spaces.Runtime(r))
	if err != nil {
		return nil // cannot be: it is an answer
	}
	var v map[string]any
	_ = json.Unmarshal(raw, &v)
	return v
}
