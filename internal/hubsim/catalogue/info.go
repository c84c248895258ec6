package catalogue

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/git"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo/card"
)

// tailAt is how many elements stand before the revision in an info's path.
const tailAt = 5

// shown are the members of an info when none are asked for by name.
func shown(t repo.Type) []string {
	common := "author sha lastModified createdAt private gated disabled likes tags cardData siblings usedStorage "
	switch t {
	case repo.Dataset:
		return strings.Fields(common + "description downloads citation")
	case repo.Space:
		return strings.Fields(common + "host subdomain sdk models datasets runtime")
	}
	return strings.Fields(common + `modelId pipeline_tag library_name downloads model-index config spaces safetensors gguf
		transformersInfo widgetData mask_token inference`)
}

// info describes one repository, at main or at a revision.
func (c *Catalogue) info(w http.ResponseWriter, r *http.Request, t repo.Type) error {
	at, err := c.find(r, t)
	if err != nil {
		return err
	}
	rev := git.Main
	if r.PathValue("rev") != "" {
		if rev, err = repo.WholeRevision(repo.Tail(r, tailAt)); err != nil {
			return err
		}
	}
	oid, err := at.Resolve(rev)
	if err != nil {
		return err
	}
	keys, err := expanded(r, t)
	if err != nil {
		return err
	}
	s := c.subject(r, at, c.at(at, oid))
	s.blobs, _ = answer.Flag(r.URL.Query(), "blobs")
	w.Header().Set("X-Repo-Commit", oid)
	if len(keys) > 0 {
		answer.JSON(w, http.StatusOK, s.members(keys...))
		return nil
	}
	v := s.members(shown(t)...)
	if v["citation"] == nil {
		delete(v, "citation")
	}
	for k, raw := range s.set.Info { // what a seed knows and we do not
		if _, there := v[k]; !there && !slices.Contains(expandable(t), k) {
			v[k] = raw
		}
	}
	if status, _ := answer.Flag(r.URL.Query(), "securityStatus"); status {
		v["securityRepoStatus"] = map[string]any{"scansDone": true, "filesWithIssues": []any{}}
	}
	answer.JSON(w, http.StatusOK, v)
	return nil
}

func (c *Catalogue) authCheck(w http.ResponseWriter, r *http.Request, t repo.Type) error {
	at, err := c.find(r, t)
	if err == nil {
		err = at.MayRead(account.From(r.Context()), answer.Base(r))
	}
	if err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, map[string]any{})
	return nil
}

func (c *Catalogue) writeCheck(w http.ResponseWriter, r *http.Request, t repo.Type) error {
	at, err := c.find(r, t)
	if err == nil {
		err = at.MayWrite(account.From(r.Context()))
	}
	if err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, map[string]any{})
	return nil
}

// validate checks the card of a README before it is committed.
func validate(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Content  string `json:"content"`
		RepoType string `json:"repoType"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	t, ok := repo.ParseType(body.RepoType)
	if !ok {
		return answer.Refuse(http.StatusBadRequest, `"repoType" must be one of model, dataset, space`)
	}
	errs, warnings := card.Validate(body.Content, string(t))
	answer.Findings(w, errs, warnings)
	return nil
}

// Lookup describes repositories of a type the way collections show their
// members.
func (c *Catalogue) Lookup(t repo.Type) func(ctx context.Context, id string) (map[string]any, error) {
	return func(ctx context.Context, id string) (map[string]any, error) {
		at, err := c.o.Repos.Follow(ctx, t, id)
		if err != nil {
			return nil, err
		}
		return c.brief(ctx, at), nil
	}
}

// brief is a repository as a member of a collection or of a ranking.
func (c *Catalogue) brief(ctx context.Context, at *repo.Repo) map[string]any {
	r := (&http.Request{}).WithContext(ctx)
	s := c.subject(r, at, c.head(at))
	s.inList = true
	v := s.members("author", "lastModified", "likes", "private", "gated", "downloads")
	delete(v, "_id")
	v["repoType"], v["isLikedByUser"] = at.Type(), false
	if e, ok := c.o.Accounts.Find(at.Namespace()); ok {
		v["authorData"] = e.Profile()
	}
	switch at.Type() {
	case repo.Model:
		v["availableInferenceProviders"], v["widgetOutputUrls"] = s.mapping(), []any{}
		if s.f.Pipeline != "" {
			v["pipeline_tag"] = s.f.Pipeline
		}
		if s.f.Params > 0 {
			v["numParameters"] = s.f.Params
		}
	case repo.Space:
		s.briefSpace(v)
	}
	return v
}

func (s *subject) briefSpace(v map[string]any) {
	delete(v, "gated")
	delete(v, "downloads")
	for _, k := range []string{"createdAt", "disabled", "tags", "sdk", "runtime"} {
		if x, ok := s.member(k); ok {
			v[k] = x
		}
	}
	v["title"], v["shortDescription"] = s.title(), s.short()
	v["ai_short_description"], v["ai_category"] = s.short(), s.category()
	for _, k := range []string{"emoji", "colorFrom", "colorTo"} {
		v[k] = card.Text(s.f.Card, k)
	}
	v["pinned"], v["featured"], v["visibility"] = s.f.Card["pinned"] == true, false, s.set.Visibility
}
