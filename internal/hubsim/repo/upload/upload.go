// Package upload serves what changes the files of a repository: the question
// how files go up, the LFS batch, the commit, and the removal of large files for
// good. It knows no downloads and no other settings of repositories.
package upload

import (
	"errors"
	"net/http"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/content"
	"github.com/ml-intern/ml-intern/internal/hubsim/git"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// Options of the routes.
type Options struct {
	Repos   *repo.Store
	Content *content.Store
}

// Routes serves uploads.
type Routes struct{ o Options }

// New returns the routes.
func New(o Options) (*Routes, error) {
	if o.Repos == nil || o.Content == nil {
		return nil, errors.New("upload: Repos and Content are needed")
	}
	return &Routes{o: o}, nil
}

// Routes registers the API; the LFS batch is served by Batch and Verify.
func (s *Routes) Routes(mux *http.ServeMux) {
	for _, t := range repo.Types() {
		base := "/api/" + t.Plural() + "/{ns}/{name}/"
		on := func(method, path string, h repo.Handler) { mux.Handle(method+" "+base+path, s.o.Repos.Route(t, h)) }
		on("POST", "preupload/{rest...}", s.preupload)
		on("POST", "commit/{rest...}", s.commit)
		on("GET", "lfs-files", s.listFiles)
		on("POST", "lfs-files/batch", s.deleteFiles)
		on("DELETE", "lfs-files/{sha}", s.deleteFile)
	}
}

// target finds the branch or pull request an upload is for and refuses who may
// not write there: everybody who can read may open pull requests, and the
// author of one may add to it.
func target(r *http.Request, at *repo.Repo) (rev string, newPull bool, err error) {
	if rev, err = repo.WholeRevision(repo.Tail(r, 5)); err != nil {
		return "", false, err
	}
	caller := account.From(r.Context())
	newPull, _ = answer.Flag(r.URL.Query(), "create_pr")
	if caller == nil {
		return "", false, answer.Login("")
	}
	if newPull {
		if at.Settings().DiscussionsDisabled {
			return "", false, answer.Refuse(http.StatusForbidden, "Discussions are disabled for this repo")
		}
		return rev, true, nil
	}
	if ref, ok := at.Ref(rev); ok && git.IsPull(ref) && at.Puller(ref) == caller.Name() {
		return rev, false, nil
	}
	return rev, false, at.MayWrite(caller)
}
