package code

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
)

// Limits of requests an hour, as the headers name them. They are not enforced.
const (
	limitAnonymous = 60
	limitToken     = 5000
)

// Service answers as api.github.com.
type Service struct {
	clock *clock.Clock
	repos []Repo
}

// New returns the service over the given repositories.
func New(c *clock.Clock, repos []Repo) *Service { return &Service{clock: c, repos: repos} }

// Pages adds the service below /github.
func (s *Service) Pages(mux *http.ServeMux) {
	for pattern, h := range map[string]func(http.ResponseWriter, *http.Request) error{
		"/repos/{owner}/{repo}":                          s.repo,
		"/repos/{owner}/{repo}/contents":                 s.contents,
		"/repos/{owner}/{repo}/contents/{path...}":       s.contents,
		"/repos/{owner}/{repo}/git/trees/{ref...}":       s.tree,
		"/repos/{owner}/{repo}/git/blobs/{sha}":          s.blob,
		"/repos/{owner}/{repo}/branches/{branch}":        s.branch,
		"/repos/{owner}/{repo}/readme":                   s.readme,
		"/repos/{owner}/{repo}/issues":                   s.issues,
		"/repos/{owner}/{repo}/issues/{number}":          s.issue,
		"/repos/{owner}/{repo}/issues/{number}/comments": s.comments,
		"/orgs/{owner}/repos":                            s.ownerRepos,
		"/users/{owner}/repos":                           s.ownerRepos,
		"/search/repositories":                           s.searchRepos,
		"/search/code":                                   s.searchCode,
		"/search/issues":                                 s.searchIssues,
		"/search/commits":                                s.searchCommits,
		"/raw/{owner}/{repo}/{ref}/{path...}":            s.raw,
		"/":                                              func(http.ResponseWriter, *http.Request) error { return missing() },
	} {
		mux.Handle("GET /github"+pattern, s.limited(h))
	}
}

// limited adds the headers every answer has and writes refusals in GitHub's
// words.
func (s *Service) limited(h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := limitAnonymous
		if authorised(r) {
			limit = limitToken
		}
		head := w.Header()
		head.Set("X-RateLimit-Limit", strconv.Itoa(limit))
		head.Set("X-RateLimit-Remaining", strconv.Itoa(limit-1))
		head.Set("X-RateLimit-Reset", strconv.FormatInt(s.clock.Now().Add(time.Hour).Unix(), 10))
		head.Set("X-GitHub-Media-Type", "github.v3; format=json")
		err := h(w, r)
		if err == nil {
			return
		}
		status, message := http.StatusInternalServerError, err.Error()
		if e, ok := err.(*answer.Error); ok {
			status = e.Status
		}
		answer.JSON(w, status, map[string]any{
			"message": message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status),
		})
	})
}

func authorised(r *http.Request) bool { return r.Header.Get("Authorization") != "" }

func missing() error { return answer.Refuse(http.StatusNotFound, "Not Found") }

// find looks the repository of a request up; case does not matter.
func (s *Service) find(r *http.Request) (*Repo, error) {
	for i := range s.repos {
		repo := &s.repos[i]
		if strings.EqualFold(repo.Owner, r.PathValue("owner")) && strings.EqualFold(repo.Name, r.PathValue("repo")) {
			return repo, nil
		}
	}
	return nil, missing()
}

// ref accepts the branch, HEAD and the newest commit.
func (r *Repo) ref(name string) error {
	if name == "" || name == "HEAD" || name == r.DefaultBranch || name == "refs/heads/"+r.DefaultBranch || len(name) >= 7 && strings.HasPrefix(r.head(), name) {
		return nil
	}
	return answer.Refuse(http.StatusNotFound, "No commit found for the ref "+name)
}

// fresh answers 304 to a client that has the object already.
func fresh(w http.ResponseWriter, r *http.Request, sha string) bool {
	tag := `W/"` + sha + `"`
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") != tag {
		return false
	}
	w.WriteHeader(http.StatusNotModified)
	return true
}

const (
	api  = "https://api.github.com"
	site = "https://github.com"
)

// number is a stable id.
func number(parts ...string) int {
	sum := sha1.Sum([]byte(strings.Join(parts, "/")))
	n, _ := strconv.ParseInt(hex.EncodeToString(sum[:4]), 16, 64) // our own hexadecimal
	return int(n)
}

func (r *Repo) record() map[string]any {
	out := map[string]any{
		"id": number("repo", r.Full()), "node_id": "R_" + object("blob", []byte(r.Full()))[:10], "name": r.Name, "full_name": r.Full(), "private": false,
		"owner":    map[string]any{"login": r.Owner, "id": number("owner", r.Owner), "type": "Organization", "html_url": site + "/" + r.Owner},
		"html_url": site + "/" + r.Full(), "description": r.Description, "fork": r.Fork, "url": api + "/repos/" + r.Full(),
		"created_at": r.CreatedAt.UTC().Format(time.RFC3339), "updated_at": r.PushedAt.UTC().Format(time.RFC3339),
		"pushed_at": r.PushedAt.UTC().Format(time.RFC3339), "size": r.kilobytes(), "stargazers_count": r.Stars, "watchers_count": r.Stars,
		"language": nil, "forks_count": r.Forks, "archived": r.Archived, "disabled": false,
		"open_issues_count": len(slices.DeleteFunc(slices.Clone(r.Issues), func(i Issue) bool { return i.State != "open" })),
		"license":           nil, "topics": append([]string{}, r.Topics...), "visibility": "public", "default_branch": r.DefaultBranch,
	}
	if r.Language != "" {
		out["language"] = r.Language
	}
	if r.License != "" {
		out["license"] = map[string]any{"key": strings.ToLower(r.License), "name": r.License, "spdx_id": r.License}
	}
	return out
}

func (r *Repo) kilobytes() int {
	n := 0
	for _, f := range r.files {
		n += len(f.data)
	}
	return n / 1024
}

func (s *Service) repo(w http.ResponseWriter, r *http.Request) error {
	repo, err := s.find(r)
	if err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, repo.record())
	return nil
}

func (r *Repo) content(n node) map[string]any {
	kind, size := "file", len(n.data)
	var download any = "https://raw.githubusercontent.com/" + r.Full() + "/" + r.DefaultBranch + "/" + n.path
	page := "blob"
	if n.dir {
		kind, size, download, page = "dir", 0, nil, "tree"
	}
	escaped := (&url.URL{Path: n.path}).EscapedPath()
	return map[string]any{
		"name": path.Base(n.path), "path": n.path, "sha": n.sha, "size": size, "type": kind,
		"url":      fmt.Sprintf("%s/repos/%s/contents/%s?ref=%s", api, r.Full(), escaped, r.DefaultBranch),
		"html_url": fmt.Sprintf("%s/%s/%s/%s/%s", site, r.Full(), page, r.DefaultBranch, escaped),
		"git_url":  fmt.Sprintf("%s/repos/%s/git/%ss/%s", api, r.Full(), page, n.sha), "download_url": download,
	}
}

// encoded is Base64 in lines of 60, as GitHub writes it.
func encoded(data []byte) string {
	var b strings.Builder
	text := base64.StdEncoding.EncodeToString(data)
	for len(text) > 60 {
		b.WriteString(text[:60] + "\n")
		text = text[60:]
	}
	if text != "" {
		b.WriteString(text + "\n")
	}
	return b.String()
}

func (s *Service) contents(w http.ResponseWriter, r *http.Request) error {
	repo, err := s.find(r)
	if err != nil {
		return err
	}
	if err := repo.ref(r.URL.Query().Get("ref")); err != nil {
		return err
	}
	name := strings.Trim(r.PathValue("path"), "/")
	if f, ok := repo.file(name); ok {
		return writeFile(w, r, repo, f)
	}
	if name != "" && repo.trees[name] == "" {
		return missing()
	}
	if fresh(w, r, repo.trees[name]) {
		return nil
	}
	list := []map[string]any{}
	for _, n := range repo.list(name) {
		list = append(list, repo.content(n))
	}
	answer.JSON(w, http.StatusOK, list)
	return nil
}

func writeFile(w http.ResponseWriter, r *http.Request, repo *Repo, f file) error {
	if fresh(w, r, f.sha) {
		return nil
	}
	if strings.Contains(r.Header.Get("Accept"), "raw") {
		return plain(w, f)
	}
	out := repo.content(node{path: f.path, sha: f.sha, data: f.data})
	out["encoding"], out["content"] = "base64", encoded(f.data)
	answer.JSON(w, http.StatusOK, out)
	return nil
}

func plain(w http.ResponseWriter, f file) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(f.data)))
	_, _ = w.Write(f.data) // the client has gone
	return nil
}

func (s *Service) raw(w http.ResponseWriter, r *http.Request) error {
	repo, err := s.find(r)
	if err != nil {
		return err
	}
	f, ok := repo.file(r.PathValue("path"))
	if err := repo.ref(r.PathValue("ref")); err != nil || !ok {
		return missing()
	}
	return plain(w, f)
}

func (s *Service) readme(w http.ResponseWriter, r *http.Request) error {
	repo, err := s.find(r)
	if err != nil {
		return err
	}
	f, ok := repo.file("README.md")
	if !ok {
		return missing()
	}
	return writeFile(w, r, repo, f)
}

func (s *Service) branch(w http.ResponseWriter, r *http.Request) error {
	repo, err := s.find(r)
	if err != nil {
		return err
	}
	if r.PathValue("branch") != repo.DefaultBranch {
		return answer.Refuse(http.StatusNotFound, "Branch not found")
	}
	answer.JSON(w, http.StatusOK, map[string]any{
		"name": repo.DefaultBranch, "protected": false,
		"commit": map[string]any{"sha": repo.head(), "url": api + "/repos/" + repo.Full() + "/commits/" + repo.head()},
	})
	return nil
}

func (s *Service) tree(w http.ResponseWriter, r *http.Request) error {
	repo, err := s.find(r)
	if err != nil {
		return err
	}
	ref := r.PathValue("ref")
	dir, known := "", repo.ref(ref) == nil
	for _, n := range repo.walk("") {
		if n.dir && n.sha == ref {
			dir, known = n.path, true
		}
	}
	switch {
	case len(repo.files) == 0:
		return answer.Refuse(http.StatusConflict, "Git Repository is empty.")
	case !known && ref != repo.trees[""]:
		return missing()
	case fresh(w, r, repo.trees[dir]):
		return nil
	}
	nodes := repo.list(dir)
	if r.URL.Query().Get("recursive") != "" {
		nodes = repo.walk(dir)
	}
	list := []map[string]any{}
	for _, n := range nodes {
		name := n.path
		if dir != "" {
			name = strings.TrimPrefix(name, dir+"/")
		}
		e := map[string]any{"path": name, "mode": "100644", "type": "blob", "sha": n.sha, "size": len(n.data), "url": api + "/repos/" + repo.Full() + "/git/blobs/" + n.sha}
		if n.dir {
			e = map[string]any{"path": name, "mode": "040000", "type": "tree", "sha": n.sha, "url": api + "/repos/" + repo.Full() + "/git/trees/" + n.sha}
		}
		list = append(list, e)
	}
	answer.JSON(w, http.StatusOK, map[string]any{
		"sha": repo.trees[dir], "url": api + "/repos/" + repo.Full() + "/git/trees/" + repo.trees[dir], "tree": list, "truncated": false,
	})
	return nil
}

func (s *Service) blob(w http.ResponseWriter, r *http.Request) error {
	repo, err := s.find(r)
	if err != nil {
		return err
	}
	for _, f := range repo.files {
		if f.sha == r.PathValue("sha") {
			answer.JSON(w, http.StatusOK, map[string]any{
				"sha": f.sha, "node_id": "B_" + f.sha[:10], "size": len(f.data), "encoding": "base64", "content": encoded(f.data),
				"url": api + "/repos/" + repo.Full() + "/git/blobs/" + f.sha,
			})
			return nil
		}
	}
	return missing()
}
