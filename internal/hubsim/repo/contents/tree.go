package contents

import (
	"encoding/json"
	"mime"
	"net/http"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/git"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// Lengths of pages, and how many paths one question may name.
const (
	treePage     = 1000
	expandedPage = 50
	maxPaths     = 2000
	maxFormPaths = 1000
)

// item is a file or folder in an answer.
type item struct {
	Type       string      `json:"type"`
	OID        string      `json:"oid"`
	Size       int64       `json:"size"`
	LFS        *repo.LFS   `json:"lfs,omitempty"`
	Path       string      `json:"path"`
	LastCommit *lastCommit `json:"lastCommit,omitempty"`
	Security   *security   `json:"securityFileStatus,omitempty"`
}

type lastCommit struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Date  string `json:"date"`
}

// security is what the Hub's scanners say; here they find nothing.
type security struct {
	Status           string `json:"status"`
	JFrogScan        scan   `json:"jFrogScan"`
	ProtectAIScan    scan   `json:"protectAiScan"`
	AVScan           scan   `json:"avScan"`
	PickleImportScan any    `json:"pickleImportScan"`
}

type scan struct {
	Status  string `json:"status"`
	Message any    `json:"message"`
}

func clean() *security {
	unscanned := scan{Status: "unscanned"}
	return &security{
		Status: "safe", JFrogScan: unscanned, ProtectAIScan: unscanned,
		AVScan: scan{Status: "safe", Message: "No security issues detected"},
	}
}

func show(e repo.Entry) item {
	it := item{Type: "file", OID: e.OID, Size: e.Size, LFS: e.LFS, Path: e.Path}
	if e.Dir {
		it.Type = "directory"
	}
	return it
}

// expand adds to items what only the history tells.
func expand(at *repo.Repo, oid string, items []item) error {
	for i := range items {
		c, err := lastChange(at.Objects(), oid, items[i].Path)
		if err != nil {
			return err
		}
		items[i].LastCommit = &lastCommit{ID: c.OID, Title: c.Title(), Date: clock.Format(c.When)}
		if items[i].Type == "file" {
			items[i].Security = clean()
		}
	}
	return nil
}

// lastChange finds the commit that made path what it is at oid: the last one on
// the way back that no parent agrees with.
func lastChange(objects *git.Objects, oid, path string) (*git.Commit, error) {
	c, err := objects.Commit(oid)
	if err != nil {
		return nil, err
	}
	now, err := objects.Lookup(c.Tree, path)
	if err != nil {
		return nil, err
	}
	for {
		same := (*git.Commit)(nil)
		for _, p := range c.Parents {
			parent, err := objects.Commit(p)
			if err != nil {
				return nil, err
			}
			if old, err := objects.Lookup(parent.Tree, path); err == nil && old.OID == now.OID {
				same = parent
				break
			}
		}
		if same == nil {
			return c, nil
		}
		c = same
	}
}

func (s *Routes) tree(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	_, oid, path, err := at.SplitRevision(repo.Tail(r, 5))
	if err != nil {
		return err
	}
	q := r.URL.Query()
	recursive, _ := answer.Flag(q, "recursive")
	expanded, _ := answer.Flag(q, "expand")
	most := treePage
	if expanded {
		most = expandedPage
	}
	limit, err := answer.Limit(q, most, most)
	if err != nil {
		return err
	}
	top, err := at.Stat(oid, path)
	if err != nil {
		return err
	}
	var entries []repo.Entry // a file holds none
	if top.Dir {
		if entries, err = at.List(oid, path, recursive); err != nil {
			return err
		}
	}
	page, err := answer.Page(w, r, entries, limit, func(e repo.Entry) string { return git.Key(e.Path, e.Dir) })
	if err != nil {
		return err
	}
	items := make([]item, len(page))
	for i, e := range page {
		items[i] = show(e)
	}
	if expanded {
		if err := expand(at, oid, items); err != nil {
			return err
		}
	}
	answer.JSON(w, http.StatusOK, items)
	return nil
}

// asked reads the paths of a question, as form or JSON.
func asked(w http.ResponseWriter, r *http.Request) (paths []string, expanded bool, err error) {
	most := maxPaths
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/x-www-form-urlencoded" {
		most = maxFormPaths
		if err := r.ParseForm(); err != nil {
			return nil, false, answer.Refuse(http.StatusBadRequest, "Invalid form")
		}
		paths = answer.Values(r.PostForm, "paths")
		expanded, _ = answer.Flag(r.PostForm, "expand")
	} else {
		var body struct {
			Paths  json.RawMessage `json:"paths"`
			Expand bool            `json:"expand"`
		}
		if err := answer.Body(w, r, &body); err != nil {
			return nil, false, err
		}
		var one string
		if json.Unmarshal(body.Paths, &one) == nil && one != "" {
			paths = []string{one}
		} else if err := json.Unmarshal(body.Paths, &paths); err != nil {
			return nil, false, answer.Refuse(http.StatusBadRequest, `"paths" must be a list of strings`)
		}
		expanded = body.Expand
	}
	if len(paths) > most {
		return nil, false, answer.Refuse(http.StatusRequestEntityTooLarge, "too many paths")
	}
	return paths, expanded, nil
}

func (s *Routes) pathsInfo(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	rev, err := repo.WholeRevision(repo.Tail(r, 5))
	if err != nil {
		return err
	}
	oid, err := at.Resolve(rev)
	if err != nil {
		return err
	}
	paths, expanded, err := asked(w, r)
	if err != nil {
		return err
	}
	items := []item{}
	for _, path := range paths {
		path = strings.Trim(path, "/")
		if e, err := at.Stat(oid, path); err == nil && path != "" {
			items = append(items, show(e))
		}
	}
	if expanded {
		if err := expand(at, oid, items); err != nil {
			return err
		}
	}
	answer.JSON(w, http.StatusOK, items)
	return nil
}

func (s *Routes) treeSize(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	_, oid, path, err := at.SplitRevision(repo.Tail(r, 5))
	if err != nil {
		return err
	}
	top, err := at.Stat(oid, path)
	if err != nil {
		return err
	}
	size := top.Size
	if top.Dir {
		entries, err := at.List(oid, path, true)
		if err != nil {
			return err
		}
		for _, e := range entries {
			size += e.Size
		}
	}
	answer.JSON(w, http.StatusOK, map[string]any{"path": "/" + path, "size": size})
	return nil
}
