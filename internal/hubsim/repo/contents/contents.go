// Package contents serves what a repository holds: folders, files and their
// download, history, refs and differences. It changes nothing but a branch's
// history on demand, and knows no uploads.
package contents

import (
	"errors"
	"net/http"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/content"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// Options of the routes.
type Options struct {
	Repos   *repo.Store
	Content *content.Store
}

// Routes serves contents.
type Routes struct{ o Options }

// New returns the routes.
func New(o Options) (*Routes, error) {
	if o.Repos == nil || o.Content == nil {
		return nil, errors.New("contents: Repos and Content are needed")
	}
	return &Routes{o: o}, nil
}

// Routes registers the API; files are served by Resolve and Raw.
func (s *Routes) Routes(mux *http.ServeMux) {
	for _, t := range repo.Types() {
		base := "/api/" + t.Plural() + "/{ns}/{name}/"
		on := func(method, path string, h repo.Handler) { mux.Handle(method+" "+base+path, s.o.Repos.Route(t, h)) }
		on("GET", "tree/{rest...}", s.tree)
		on("POST", "paths-info/{rest...}", s.pathsInfo)
		on("GET", "treesize/{rest...}", s.treeSize)
		on("GET", "refs", s.refs)
		on("GET", "commits/{rest...}", s.commits)
		on("GET", "compare/{rest...}", s.compare)
		on("POST", "super-squash/{rest...}", s.squash)
		mux.Handle("GET /api/resolve-cache/"+t.Plural()+"/{ns}/{name}/{rest...}", s.o.Repos.Route(t, s.cached))
	}
}

// mayRead says why the files are not for the caller.
func mayRead(r *http.Request, at *repo.Repo) error {
	return at.MayRead(account.From(r.Context()), answer.Base(r))
}
