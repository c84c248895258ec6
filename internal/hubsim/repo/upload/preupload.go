package upload

import (
	"context"
	"net/http"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/git"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// maxPreupload is how many files one question may name.
const maxPreupload = 1000

// preupload tells how each file goes up and what is at its path now.
func (s *Routes) preupload(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	rev, _, err := target(r, at)
	if err != nil {
		return err
	}
	head, err := at.Resolve(rev)
	if err != nil {
		return err
	}
	var body struct {
		Files []struct {
			Path   string `json:"path"`
			Size   int64  `json:"size"`
			Sample []byte `json:"sample"`
		} `json:"files"`
		GitAttributes *string `json:"gitAttributes"`
		GitIgnore     *string `json:"gitIgnore"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	if len(body.Files) > maxPreupload {
		return answer.Refuse(http.StatusRequestEntityTooLarge, "too many files")
	}
	attributes := git.ParseAttributes(text(r.Context(), at, head, ".gitattributes", body.GitAttributes))
	ignore := git.ParseIgnore(text(r.Context(), at, head, ".gitignore", body.GitIgnore))
	type file struct {
		Path         string `json:"path"`
		UploadMode   string `json:"uploadMode"`
		ShouldIgnore bool   `json:"shouldIgnore"`
		OID          string `json:"oid,omitempty"`
	}
	files := make([]file, len(body.Files))
	for i, f := range body.Files {
		files[i] = file{Path: f.Path, UploadMode: "regular", ShouldIgnore: ignore.Ignored(f.Path)}
		if repo.IsLFS(attributes, f.Path, f.Size, f.Sample) {
			files[i].UploadMode = "lfs"
		}
		if e, err := at.Stat(head, f.Path); err == nil && !e.Dir {
			files[i].OID = e.ETag()
		}
	}
	answer.JSON(w, http.StatusOK, map[string]any{"files": files, "commitOid": head})
	return nil
}

// text is what the client is about to upload at name, else what is there.
func text(ctx context.Context, at *repo.Repo, head, name string, own *string) []byte {
	if own != nil {
		return []byte(*own)
	}
	body, err := at.Read(ctx, head, name)
	if err != nil {
		return nil // there is none
	}
	return body
}
