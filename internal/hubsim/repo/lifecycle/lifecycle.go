// Package lifecycle serves the life of repositories: making, moving, copying
// and deleting them, their settings, branches and tags, and who may read gated
// ones. It knows no files beyond those a repository is made with.
package lifecycle

import (
	"context"
	"errors"
	"net/http"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// Options of the routes.
type Options struct {
	Repos    *repo.Store
	Accounts *account.Book
	// Move moves things that are no repositories, by their type: buckets.
	Move map[string]func(ctx context.Context, from, to string) error
}

// Routes serves the life of repositories.
type Routes struct{ o Options }

// New returns the routes.
func New(o Options) (*Routes, error) {
	if o.Repos == nil || o.Accounts == nil {
		return nil, errors.New("lifecycle: Repos and Accounts are needed")
	}
	return &Routes{o: o}, nil
}

// Routes registers the API; the wish to read a gated repository is served by
// Ask.
func (s *Routes) Routes(mux *http.ServeMux) {
	mux.Handle("POST /api/repos/create", answer.Handler(s.create))
	mux.Handle("DELETE /api/repos/delete", answer.Handler(s.remove))
	mux.Handle("POST /api/repos/move", answer.Handler(s.move))
	for _, t := range repo.Types() {
		base := "/api/" + t.Plural() + "/{ns}/{name}/"
		on := func(method, path string, h repo.Handler) { mux.Handle(method+" "+base+path, s.o.Repos.Route(t, h)) }
		on("PUT", "settings", s.settings)
		on("POST", "duplicate", s.duplicate)
		on("POST", "branch/{rest...}", s.createBranch)
		on("DELETE", "branch/{rest...}", s.deleteBranch)
		on("POST", "tag/{rest...}", s.createTag)
		on("DELETE", "tag/{rest...}", s.deleteTag)
		on("GET", "user-access-request/{status}", s.listRequests)
		on("POST", "user-access-request/handle", s.handleRequest)
		on("POST", "user-access-request/grant", s.grant)
	}
}

// done answers that something was done.
func done(w http.ResponseWriter) error {
	answer.JSON(w, http.StatusOK, map[string]bool{"success": true})
	return nil
}
