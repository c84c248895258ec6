// Package code serves source repositories as GitHub's API does: what a seed's
// github folder holds. Git objects have their real names. It keeps no history:
// each repository is one tree on one branch.
package code

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// Repo is a repository.
type Repo struct {
	Owner string `json:"-"`
	Name  string `json:"-"`

	Description   string    `json:"description"`
	Stars         int       `json:"stars"`
	Forks         int       `json:"forks"`
	Language      string    `json:"language,omitempty"`
	License       string    `json:"license,omitempty"` // SPDX id
	Topics        []string  `json:"topics,omitempty"`
	Archived      bool      `json:"archived,omitempty"`
	Fork          bool      `json:"fork,omitempty"`
	DefaultBranch string    `json:"defaultBranch,omitempty"`
	CreatedAt     time.Time `json:"createdAt"`
	PushedAt      time.Time `json:"pushedAt"`
	Issues        []Issue   `json:"issues,omitempty"`

	files []file // by path
	trees map[string]string
}

// Issue is an issue or a pull request with its comments.
type Issue struct {
	Number    int       `json:"number"`
	Title     string    `json:"title"`
	State     string    `json:"state"` // open or closed
	Labels    []string  `json:"labels,omitempty"`
	User      string    `json:"user"`
	Body      string    `json:"body"`
	Pull      bool      `json:"pull,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
	Comments  []Comment `json:"comments,omitempty"`
}

// Comment is one answer to an issue.
type Comment struct {
	User      string    `json:"user"`
	Role      string    `json:"role,omitempty"` // OWNER, MEMBER, NONE, …
	Body      string    `json:"body"`
	CreatedAt time.Time `json:"createdAt"`
}

type file struct {
	path string
	data []byte
	sha  string
}

// object is the git name of an object.
func object(kind string, data []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00", kind, len(data))
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

// Read reads the repositories below dir of fsys: OWNER/NAME/repo.json with the
// content in files beside it. Without the folder there are none.
func Read(fsys fs.FS, dir string) ([]Repo, error) {
	owners, err := fs.ReadDir(fsys, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read github: %w", err)
	}
	var repos []Repo
	for _, owner := range owners {
		names, err := fs.ReadDir(fsys, path.Join(dir, owner.Name()))
		if err != nil {
			return nil, fmt.Errorf("read github: %w", err)
		}
		for _, name := range names {
			r, err := readRepo(fsys, path.Join(dir, owner.Name(), name.Name()))
			if err != nil {
				return nil, err
			}
			repos = append(repos, r)
		}
	}
	return repos, nil
}

func readRepo(fsys fs.FS, dir string) (Repo, error) {
	r := Repo{Owner: path.Base(path.Dir(dir)), Name: path.Base(dir), DefaultBranch: "main"}
	list := path.Join(dir, "repo.json")
	raw, err := fs.ReadFile(fsys, list)
	if err != nil {
		return r, fmt.Errorf("read github: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return r, fmt.Errorf("%s: %w", list, err)
	}
	if r.CreatedAt.IsZero() || r.PushedAt.IsZero() {
		return r, fmt.Errorf("%s: createdAt, pushedAt: are required", list)
	}
	for i, issue := range r.Issues {
		if issue.Number < 1 || issue.Title == "" || issue.State != "open" && issue.State != "closed" {
			return r, fmt.Errorf("%s: issues[%d]: number, title and state (open or closed) are required", list, i)
		}
	}
	root := path.Join(dir, "files")
	err = fs.WalkDir(fsys, root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		r.files = append(r.files, file{strings.TrimPrefix(name, root+"/"), data, object("blob", data)})
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("read github: %w", err)
	}
	slices.SortFunc(r.files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	r.trees = map[string]string{}
	r.hash("")
	return r, nil
}

// hash names the tree of a folder and those below it.
func (r *Repo) hash(dir string) string {
	type item struct{ sortKey, line string }
	var items []item
	for _, e := range r.list(dir) {
		raw, _ := hex.DecodeString(e.sha) // our own hexadecimal
		mode, key := "100644", path.Base(e.path)
		if e.dir {
			mode, key = "40000", key+"/"
			raw, _ = hex.DecodeString(r.hash(e.path))
		}
		items = append(items, item{key, mode + " " + path.Base(e.path) + "\x00" + string(raw)})
	}
	slices.SortFunc(items, func(a, b item) int { return strings.Compare(a.sortKey, b.sortKey) })
	var body strings.Builder
	for _, it := range items {
		body.WriteString(it.line)
	}
	r.trees[dir] = object("tree", []byte(body.String()))
	return r.trees[dir]
}

// node is an entry of a folder.
type node struct {
	path string
	dir  bool
	sha  string
	data []byte
}

// list is the content of a folder in order of names; "" is the root.
func (r *Repo) list(dir string) []node {
	var out []node
	for _, f := range r.files {
		rest := f.path
		if dir != "" {
			var ok bool
			if rest, ok = strings.CutPrefix(f.path, dir+"/"); !ok {
				continue
			}
		}
		first, _, deeper := strings.Cut(rest, "/")
		name := path.Join(dir, first)
		switch {
		case !deeper:
			out = append(out, node{path: f.path, sha: f.sha, data: f.data})
		case len(out) == 0 || out[len(out)-1].path != name:
			out = append(out, node{path: name, dir: true, sha: r.trees[name]})
		}
	}
	return out
}

// walk lists everything, folders before what is in them.
func (r *Repo) walk(dir string) []node {
	var out []node
	for _, n := range r.list(dir) {
		out = append(out, n)
		if n.dir {
			out = append(out, r.walk(n.path)...)
		}
	}
	return out
}

func (r *Repo) file(name string) (file, bool) {
	i, ok := slices.BinarySearchFunc(r.files, name, func(f file, name string) int { return strings.Compare(f.path, name) })
	if !ok {
		return file{}, false
	}
	return r.files[i], true
}

// head is the name that stands for the newest commit.
func (r *Repo) head() string {
	return object("commit", []byte("tree "+r.trees[""]+"\n"+r.Owner+"/"+r.Name))
}

// Full is owner/name.
func (r *Repo) Full() string { return r.Owner + "/" + r.Name }

// Readme is the text of README.md, empty without one.
func (r *Repo) Readme() string {
	f, _ := r.file("README.md")
	return string(f.data)
}
