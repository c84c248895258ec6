package code

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
)

// search is a query taken apart: plain words and qualifiers such as repo:x/y.
type search struct {
	words      []string
	qualifiers url.Values
}

func parse(r *http.Request) (search, error) {
	q := strings.TrimSpace(r.URL.Query().Get("q"))
	if q == "" || len(q) > 256 {
		return search{}, answer.Refuse(http.StatusUnprocessableEntity, "Validation Failed")
	}
	s := search{qualifiers: url.Values{}}
	for word := range strings.FieldsSeq(q) {
		if key, value, ok := strings.Cut(word, ":"); ok && value != "" && !strings.HasPrefix(value, "/") {
			s.qualifiers.Add(key, strings.Trim(value, `"`))
			continue
		}
		s.words = append(s.words, strings.ToLower(strings.Trim(word, `"+`)))
	}
	return s, nil
}

// covers reports whether the qualifiers let the repository through.
func (s search) covers(r *Repo) bool {
	for _, key := range []string{"user", "org"} {
		if v := s.qualifiers.Get(key); v != "" && !strings.EqualFold(v, r.Owner) {
			return false
		}
	}
	for key, have := range map[string]string{"repo": r.Full(), "language": r.Language, "license": r.License} {
		if v := s.qualifiers.Get(key); v != "" && !strings.EqualFold(v, have) {
			return false
		}
	}
	if v := s.qualifiers.Get("archived"); v != "" && v != strconv.FormatBool(r.Archived) {
		return false
	}
	if v := s.qualifiers.Get("topic"); v != "" && !slices.Contains(r.Topics, v) {
		return false
	}
	return !r.Fork || s.qualifiers.Get("fork") == "true" || s.qualifiers.Get("fork") == "only"
}

// in reports whether all plain words are in text.
func (s search) in(text string) bool {
	text = strings.ToLower(text)
	for _, w := range s.words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// found writes a page of results.
func found(w http.ResponseWriter, r *http.Request, items []map[string]any) error {
	page, per, err := paging(r.URL.Query())
	if err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, map[string]any{
		"total_count": len(items), "incomplete_results": false, "items": cut(w, r, items, page, per),
	})
	return nil
}

func paging(q url.Values) (page, per int, err error) {
	page, per = 1, 30
	for key, into := range map[string]*int{"page": &page, "per_page": &per} {
		if v := q.Get(key); v != "" {
			if *into, err = strconv.Atoi(v); err != nil || *into < 1 {
				return 0, 0, answer.Refuse(http.StatusUnprocessableEntity, "Validation Failed")
			}
		}
	}
	return page, min(per, 100), nil
}

// cut is one page of a list; a Link header names the next.
func cut(w http.ResponseWriter, r *http.Request, items []map[string]any, page, per int) []map[string]any {
	start := min((page-1)*per, len(items))
	end := min(start+per, len(items))
	if end < len(items) {
		answer.NextPage(w, r, url.Values{"page": {strconv.Itoa(page + 1)}})
	}
	return append([]map[string]any{}, items[start:end]...)
}

// sorted orders repositories; descending unless asked otherwise.
func sorted(repos []*Repo, by, order string) {
	key := func(r *Repo) int64 {
		switch by {
		case "stars":
			return int64(r.Stars)
		case "forks":
			return int64(r.Forks)
		case "created":
			return r.CreatedAt.Unix()
		case "updated", "pushed":
			return r.PushedAt.Unix()
		}
		return 0
	}
	slices.SortStableFunc(repos, func(a, b *Repo) int {
		d := key(b) - key(a)
		if order == "asc" {
			d = -d
		}
		switch {
		case d > 0:
			return 1
		case d < 0:
			return -1
		}
		return 0
	})
}

func (s *Service) searchRepos(w http.ResponseWriter, r *http.Request) error {
	query, err := parse(r)
	if err != nil {
		return err
	}
	var repos []*Repo
	for i := range s.repos {
		repo := &s.repos[i]
		if query.covers(repo) && query.in(repo.Full()+" "+repo.Description+" "+strings.Join(repo.Topics, " ")) {
			repos = append(repos, repo)
		}
	}
	sorted(repos, r.URL.Query().Get("sort"), r.URL.Query().Get("order"))
	items := []map[string]any{}
	for _, repo := range repos {
		rec := repo.record()
		rec["score"] = 1.0
		items = append(items, rec)
	}
	return found(w, r, items)
}

func (s *Service) ownerRepos(w http.ResponseWriter, r *http.Request) error {
	var repos []*Repo
	for i := range s.repos {
		if strings.EqualFold(s.repos[i].Owner, r.PathValue("owner")) {
			repos = append(repos, &s.repos[i])
		}
	}
	if len(repos) == 0 {
		return missing()
	}
	q := r.URL.Query()
	order := q.Get("direction")
	if order == "" && q.Get("sort") == "full_name" {
		order = "asc"
	}
	sorted(repos, q.Get("sort"), order)
	page, per, err := paging(q)
	if err != nil {
		return err
	}
	items := []map[string]any{}
	for _, repo := range repos {
		items = append(items, repo.record())
	}
	answer.JSON(w, http.StatusOK, cut(w, r, items, page, per))
	return nil
}

func (s *Service) searchCode(w http.ResponseWriter, r *http.Request) error {
	if !authorised(r) {
		return answer.Refuse(http.StatusUnauthorized, "Requires authentication")
	}
	query, err := parse(r)
	if err != nil {
		return err
	}
	fragments := strings.Contains(r.Header.Get("Accept"), "text-match")
	items := []map[string]any{}
	for i := range s.repos {
		repo := &s.repos[i]
		if !query.covers(repo) {
			continue
		}
		for _, f := range repo.files {
			if !query.fits(f) {
				continue
			}
			item := map[string]any{
				"name": f.path[strings.LastIndex(f.path, "/")+1:], "path": f.path, "sha": f.sha, "git_url": api + "/repos/" + repo.Full() + "/git/blobs/" + f.sha,
				"url":        api + "/repos/" + repo.Full() + "/contents/" + f.path,
				"html_url":   fmt.Sprintf("%s/%s/blob/%s/%s", site, repo.Full(), repo.head(), f.path),
				"repository": map[string]any{"id": number("repo", repo.Full()), "name": repo.Name, "full_name": repo.Full(), "private": false, "html_url": site + "/" + repo.Full()},
				"score":      1.0,
			}
			if fragments {
				item["text_matches"] = query.matches(f)
			}
			items = append(items, item)
		}
	}
	return found(w, r, items)
}

// fits reports whether a file holds all words and has the path asked for.
func (s search) fits(f file) bool {
	q := s.qualifiers
	switch {
	case q.Get("path") != "" && !strings.Contains(f.path, strings.Trim(q.Get("path"), "/*")):
		return false
	case q.Get("extension") != "" && !strings.HasSuffix(f.path, "."+q.Get("extension")):
		return false
	case q.Get("filename") != "" && !strings.HasSuffix("/"+f.path, "/"+q.Get("filename")):
		return false
	}
	return s.in(string(f.data) + " " + f.path)
}

// matches are the lines around the first place of each word.
func (s search) matches(f file) []map[string]any {
	out := []map[string]any{}
	text := string(f.data)
	for _, word := range s.words {
		at := strings.Index(strings.ToLower(text), word)
		if at < 0 || len(text) != len(strings.ToLower(text)) {
			continue
		}
		start := strings.LastIndexByte(text[:at], '\n') + 1
		end := len(text)
		if n := strings.IndexByte(text[at:], '\n'); n >= 0 {
			end = at + n
		}
		out = append(out, map[string]any{
			"object_url": "", "object_type": "FileContent", "property": "content", "fragment": text[start:end],
			"matches": []any{map[string]any{"text": text[at : at+len(word)], "indices": []int{at - start, at - start + len(word)}}},
		})
	}
	return out
}

func (i *Issue) record(repo *Repo) map[string]any {
	labels := []map[string]any{}
	for _, l := range i.Labels {
		labels = append(labels, map[string]any{"name": l})
	}
	kind := "issues"
	if i.Pull {
		kind = "pull"
	}
	out := map[string]any{
		"id": number("issue", repo.Full(), strconv.Itoa(i.Number)), "number": i.Number, "title": i.Title, "state": i.State, "labels": labels,
		"user": map[string]any{"login": i.User}, "body": i.Body, "comments": len(i.Comments),
		"created_at": i.CreatedAt.UTC().Format(time.RFC3339), "updated_at": i.CreatedAt.UTC().Format(time.RFC3339),
		"html_url":       fmt.Sprintf("%s/%s/%s/%d", site, repo.Full(), kind, i.Number),
		"url":            fmt.Sprintf("%s/repos/%s/issues/%d", api, repo.Full(), i.Number),
		"comments_url":   fmt.Sprintf("%s/repos/%s/issues/%d/comments", api, repo.Full(), i.Number),
		"repository_url": api + "/repos/" + repo.Full(),
	}
	if i.Pull {
		out["pull_request"] = map[string]any{"html_url": out["html_url"]}
	}
	return out
}

func (s *Service) searchIssues(w http.ResponseWriter, r *http.Request) error {
	query, err := parse(r)
	if err != nil {
		return err
	}
	items := []map[string]any{}
	for i := range s.repos {
		repo := &s.repos[i]
		for j := range repo.Issues {
			issue := &repo.Issues[j]
			if query.covers(repo) && query.about(issue) {
				rec := issue.record(repo)
				rec["score"] = 1.0
				items = append(items, rec)
			}
		}
	}
	return found(w, r, items)
}

func (s search) about(i *Issue) bool {
	is := slices.Concat(s.qualifiers["is"], s.qualifiers["type"], s.qualifiers["state"])
	for _, v := range is {
		switch v {
		case "open", "closed":
			if i.State != v {
				return false
			}
		case "issue":
			if i.Pull {
				return false
			}
		case "pr", "pull-request":
			if !i.Pull {
				return false
			}
		}
	}
	if l := s.qualifiers.Get("label"); l != "" && !slices.Contains(i.Labels, l) {
		return false
	}
	text := i.Title + " " + i.Body
	for _, c := range i.Comments {
		text += " " + c.Body
	}
	return s.in(text)
}

// searchCommits finds nothing: these repositories have no history.
func (s *Service) searchCommits(w http.ResponseWriter, r *http.Request) error {
	if _, err := parse(r); err != nil {
		return err
	}
	return found(w, r, nil)
}

func (s *Service) issues(w http.ResponseWriter, r *http.Request) error {
	repo, err := s.find(r)
	if err != nil {
		return err
	}
	state := r.URL.Query().Get("state")
	items := []map[string]any{}
	for i := range repo.Issues {
		if issue := &repo.Issues[i]; state == "all" || issue.State == state || state == "" && issue.State == "open" {
			items = append(items, issue.record(repo))
		}
	}
	page, per, err := paging(r.URL.Query())
	if err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, cut(w, r, items, page, per))
	return nil
}

func (s *Service) oneIssue(r *http.Request) (*Repo, *Issue, error) {
	repo, err := s.find(r)
	if err != nil {
		return nil, nil, err
	}
	for i := range repo.Issues {
		if strconv.Itoa(repo.Issues[i].Number) == r.PathValue("number") {
			return repo, &repo.Issues[i], nil
		}
	}
	return nil, nil, missing()
}

func (s *Service) issue(w http.ResponseWriter, r *http.Request) error {
	repo, issue, err := s.oneIssue(r)
	if err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, issue.record(repo))
	return nil
}

func (s *Service) comments(w http.ResponseWriter, r *http.Request) error {
	repo, issue, err := s.oneIssue(r)
	if err != nil {
		return err
	}
	list := []map[string]any{}
	for i, c := range issue.Comments {
		role := c.Role
		if role == "" {
			role = "NONE"
		}
		list = append(list, map[string]any{
			"id": number("comment", repo.Full(), strconv.Itoa(issue.Number), strconv.Itoa(i)), "user": map[string]any{"login": c.User},
			"author_association": role, "body": c.Body, "created_at": c.CreatedAt.UTC().Format(time.RFC3339),
			"html_url": fmt.Sprintf("%s/%s/issues/%d#issuecomment-%d", site, repo.Full(), issue.Number, i+1),
		})
	}
	answer.JSON(w, http.StatusOK, list)
	return nil
}
