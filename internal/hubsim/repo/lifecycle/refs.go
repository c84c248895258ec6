package lifecycle

import (
	"net/http"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/git"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// named reads the name in the path and refuses who may not write.
func named(r *http.Request, at *repo.Repo) (name, by string, err error) {
	caller := account.From(r.Context())
	if err := at.MayWrite(caller); err != nil {
		return "", "", err
	}
	name, err = repo.WholeRevision(repo.Tail(r, 5))
	return name, caller.Name(), err
}

func (s *Routes) createBranch(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	name, by, err := named(r, at)
	if err != nil {
		return err
	}
	var body struct {
		StartingPoint string `json:"startingPoint"`
		EmptyBranch   bool   `json:"emptyBranch"`
		Overwrite     bool   `json:"overwrite"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	if err := at.CreateBranch(repo.BranchSpec{
		Name: name, Start: body.StartingPoint, Empty: body.EmptyBranch, Overwrite: body.Overwrite, By: by,
	}); err != nil {
		return err
	}
	return done(w)
}

func (s *Routes) deleteBranch(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	return drop(w, r, at, git.Heads)
}

func drop(w http.ResponseWriter, r *http.Request, at *repo.Repo, prefix string) error {
	name, by, err := named(r, at)
	if err != nil {
		return err
	}
	if err := at.DeleteRef(prefix+name, by); err != nil {
		return err
	}
	return done(w)
}

func (s *Routes) createTag(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	rev, by, err := named(r, at)
	if err != nil {
		return err
	}
	var body struct {
		Tag string `json:"tag"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	if err := at.CreateTag(body.Tag, rev, by); err != nil {
		return err
	}
	return done(w)
}

func (s *Routes) deleteTag(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	return drop(w, r, at, git.Tags)
}
