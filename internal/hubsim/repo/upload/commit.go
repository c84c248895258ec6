package upload

import (
	"fmt"
	"net/http"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo/card"
)

// commit applies all lines of a body, or none.
func (s *Routes) commit(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	rev, newPull, err := target(r, at)
	if err != nil {
		return err
	}
	header, changes, err := ReadCommit(r.Body)
	if err != nil {
		return err
	}
	if complain(w, at.Type(), changes) {
		return nil
	}
	spec := repo.CommitSpec{
		Ref: rev, Title: header.Summary, Description: header.Description, Parent: header.ParentCommit,
		Author: account.From(r.Context()).Name(), Changes: changes,
	}
	var c repo.Commit
	num := 0
	if newPull {
		c, num, err = at.CommitPullRequest(r.Context(), spec)
	} else {
		c, err = at.Commit(r.Context(), spec)
	}
	if err != nil {
		return err
	}
	page := at.URL(answer.Base(r))
	body := map[string]any{"success": true, "commitOid": c.OID, "commitUrl": page + "/commit/" + c.OID, "hookOutput": ""}
	if newPull {
		body["pullRequestUrl"] = fmt.Sprintf("%s/discussions/%d", page, num)
	}
	answer.JSON(w, http.StatusOK, body)
	return nil
}

// complain refuses a README whose metadata is wrong, in the shape of the
// route that only checks it.
func complain(w http.ResponseWriter, t repo.Type, changes []repo.Change) bool {
	for _, c := range changes {
		if c.Op != repo.Put || c.Path != "README.md" || c.LFS != nil {
			continue
		}
		if errs, warnings := card.Validate(string(c.Content), string(t)); len(errs) > 0 {
			answer.Findings(w, errs, warnings)
			return true
		}
	}
	return false
}
