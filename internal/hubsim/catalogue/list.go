package catalogue

import (
	"net/http"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// maxPage is the longest page, and the one that clients get who name no limit.
const maxPage = 1000

// listed are the members of a list's items.
func listed(r *http.Request, t repo.Type) []string {
	q := r.URL.Query()
	keys := "author private likes tags createdAt trendingScore "
	switch t {
	case repo.Model:
		keys += "modelId downloads pipeline_tag library_name "
	case repo.Dataset:
		keys += "downloads "
	default:
		keys += "sdk "
	}
	if full, _ := answer.Flag(q, "full"); full {
		keys += "sha lastModified gated disabled siblings "
		switch t {
		case repo.Dataset:
			keys += "description citation cardData "
		case repo.Space:
			keys += "cardData subdomain "
		}
	}
	for _, extra := range []string{"cardData", "config"} {
		if yes, _ := answer.Flag(q, extra); yes && (extra == "cardData" || t == repo.Model) {
			keys += extra + " "
		}
	}
	return strings.Fields(keys)
}

func (c *Catalogue) list(w http.ResponseWriter, r *http.Request, t repo.Type) error {
	keys, err := expanded(r, t)
	if err != nil {
		return err
	}
	limit, err := answer.Limit(r.URL.Query(), maxPage, maxPage)
	if err != nil {
		return err
	}
	place, err := order(r, t)
	if err != nil {
		return err
	}
	wanted, err := parseFilters(r, t)
	if err != nil {
		return err
	}
	var found []*subject
	for _, at := range c.visible(r, t) {
		if s := c.subject(r, at, c.head(at)); wanted.match(s) {
			s.inList = true
			found = append(found, s)
		}
	}
	page, err := answer.Page(w, r, found, limit, place)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		keys = listed(r, t)
	}
	items := make([]map[string]any, len(page))
	for i, s := range page {
		items[i] = s.members(keys...)
		if items[i]["citation"] == nil {
			delete(items[i], "citation")
		}
	}
	answer.JSON(w, http.StatusOK, items)
	return nil
}

// kernels lists the kernels: models with that tag.
func (c *Catalogue) kernels(w http.ResponseWriter, r *http.Request) error {
	r = r.Clone(r.Context())
	q := r.URL.Query()
	if !slices.Contains(q["filter"], "kernel") { // the next page's address has it
		q.Add("filter", "kernel")
	}
	q.Set("full", "true")
	r.URL.RawQuery = q.Encode()
	return c.list(w, r, repo.Model)
}

// order is the place of a repository in a list: by what the query says, the
// greatest first unless direction=1, then by id.
func order(r *http.Request, t repo.Type) (func(*subject) string, error) {
	q := r.URL.Query()
	var number func(s *subject) int64
	switch sort := q.Get("sort"); sort {
	case "", "trendingScore", "trending_score":
		number = func(s *subject) int64 { return int64(s.set.TrendingScore * 1000) }
	case "lastModified", "last_modified", "modified":
		number = func(s *subject) int64 { return s.at.LastModified().UnixMilli() }
	case "createdAt", "created_at":
		number = func(s *subject) int64 { return s.at.CreatedAt().UnixMilli() }
	case "downloads":
		number = func(s *subject) int64 { return s.set.Downloads }
	case "likes", "likes30d":
		number = func(s *subject) int64 { return s.set.Likes }
	case "num_parameters":
		number = func(s *subject) int64 { return s.f.Params }
	case "mainSize":
		number = func(s *subject) int64 { return s.f.Size }
	case "id":
		if q.Get("direction") == "-1" {
			return func(s *subject) string { return answer.Backwards(s.at.ID()) }, nil
		}
		return func(s *subject) string { return s.at.ID() }, nil
	default:
		return nil, answer.Refuse(http.StatusBadRequest, `Invalid sort "`+sort+`": it must be one of lastModified, trendingScore, createdAt, downloads, likes, likes30d, num_parameters, mainSize, id`)
	}
	if q.Get("direction") == "1" {
		return func(s *subject) string { return answer.Ascending(number(s)) + s.at.ID() }, nil
	}
	return func(s *subject) string { return answer.Descending(number(s)) + s.at.ID() }, nil
}
