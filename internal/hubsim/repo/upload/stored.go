package upload

import (
	"net/http"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// storedPage is the length of pages of large files.
const storedPage = 1000

// listFiles lists the large files of all commits.
func (s *Routes) listFiles(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	if err := at.MayWrite(account.From(r.Context())); err != nil {
		return err
	}
	limit, err := answer.Limit(r.URL.Query(), storedPage, storedPage)
	if err != nil {
		return err
	}
	page, err := answer.Page(w, r, at.LFSFiles(), limit, func(f repo.LFSFile) string { return f.SHA256 })
	if err != nil {
		return err
	}
	type file struct {
		FileOID  string `json:"fileOid"`
		Filename string `json:"filename"`
		OID      string `json:"oid"`
		PushedAt string `json:"pushedAt"`
		Ref      string `json:"ref"`
		Size     int64  `json:"size"`
	}
	files := make([]file, len(page))
	for i, f := range page {
		files[i] = file{f.SHA256, f.Filename, f.SHA256, clock.Format(f.PushedAt), f.Ref, f.Size}
	}
	answer.JSON(w, http.StatusOK, files)
	return nil
}

// deleteFiles removes large files for good.
func (s *Routes) deleteFiles(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	var body struct {
		Deletions struct {
			SHA            []string `json:"sha"`
			RewriteHistory bool     `json:"rewriteHistory"`
		} `json:"deletions"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	return s.remove(w, r, at, body.Deletions.SHA, body.Deletions.RewriteHistory)
}

func (s *Routes) deleteFile(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	rewrite, _ := answer.Flag(r.URL.Query(), "rewriteHistory")
	return s.remove(w, r, at, []string{r.PathValue("sha")}, rewrite)
}

func (s *Routes) remove(w http.ResponseWriter, r *http.Request, at *repo.Repo, sums []string, rewrite bool) error {
	caller := account.From(r.Context())
	if err := at.MayWrite(caller); err != nil {
		return err
	}
	if err := at.DeleteLFS(sums, rewrite, caller.Name()); err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, map[string]bool{"success": true})
	return nil
}
