package repo

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

const (
	// pathsLimit is how many paths one question may name.
	pathsLimit = 2000
	// textLimit bounds a diff or a small file read whole, in bytes.
	textLimit = 16 << 20
)

// Entry is a file or a folder of a tree.
type Entry struct {
	Type string `json:"type"` // "file" or "directory"
	Path string `json:"path"`
	// OID is the git hash of the blob or tree; of a file stored outside git
	// that of its pointer.
	OID     string      `json:"oid"`
	Size    int64       `json:"size"`
	LFS     *EntryLFS   `json:"lfs,omitempty"`
	XetHash string      `json:"xetHash,omitempty"`
	Last    *LastCommit `json:"lastCommit,omitempty"`
	// Security is what scanners say, as the Hub puts it.
	Security json.RawMessage `json:"securityFileStatus,omitempty"`
}

// Dir reports whether the entry is a folder.
func (e Entry) Dir() bool { return e.Type == "directory" }

// EntryLFS describes content that is stored outside git; OID is its SHA-256.
type EntryLFS struct {
	OID         string `json:"oid"`
	Size        int64  `json:"size"`
	PointerSize int64  `json:"pointerSize"`
}

// LastCommit is the last one that touched an entry.
type LastCommit struct {
	ID    string    `json:"id"`
	Title string    `json:"title"`
	Date  time.Time `json:"date"`
}

// TreeOptions say what a tree holds.
type TreeOptions struct {
	Path      string // a folder; "" is the root
	Recursive bool
	Expand    bool // adds the last commits and what scanners say; slow
}

// Tree yields the entries of a folder; an error is the last pair. A path that
// is unknown is [wire.EntryNotFound].
func (a *API) Tree(ctx context.Context, r Ref, revision string, o TreeOptions) iter.Seq2[Entry, error] {
	if err := r.at(revision); err != nil {
		return failed[Entry](err)
	}
	more := []string{"tree", revision}
	if path := strings.Trim(o.Path, "/"); path != "" {
		if err := wire.CheckPath("path", path); err != nil {
			return failed[Entry](err)
		}
		more = append(more, path)
	}
	req := r.request("list the files of", http.MethodGet, more...)
	req.Query = url.Values{"recursive": {strconv.FormatBool(o.Recursive)}, "expand": {strconv.FormatBool(o.Expand)}}
	return wire.Pages[Entry](ctx, a.c, req)
}

// Paths looks up files and folders by their paths; those that do not exist
// are left out.
func (a *API) Paths(ctx context.Context, r Ref, revision string, paths []string, expand bool) ([]Entry, error) {
	if err := r.at(revision); err != nil {
		return nil, err
	}
	for i, path := range paths {
		if err := wire.CheckPath(fmt.Sprintf("paths[%d]", i), path); err != nil {
			return nil, err
		}
	}
	var all []Entry
	for part := range slices.Chunk(paths, pathsLimit) {
		req := r.request("look up files of", http.MethodPost, "paths-info", revision)
		req.JSON, req.Reads = map[string]any{"paths": part, "expand": expand}, true
		var entries []Entry
		if _, err := a.c.JSON(ctx, req, &entries); err != nil {
			return nil, err
		}
		all = append(all, entries...)
	}
	return all, nil
}

// GitRef is a branch, a tag or the like and where it points.
type GitRef struct {
	Name   string `json:"name"`
	Ref    string `json:"ref"`
	Target string `json:"targetCommit"`
}

// Refs are all the names of a repository's states.
type Refs struct {
	Branches []GitRef `json:"branches"`
	Tags     []GitRef `json:"tags"`
	Converts []GitRef `json:"converts"`
	Pulls    []GitRef `json:"pullRequests"`
}

// Refs lists branches and tags, and pull requests if asked for.
func (a *API) Refs(ctx context.Context, r Ref, pulls bool) (Refs, error) {
	var refs Refs
	if err := r.check(); err != nil {
		return refs, err
	}
	req := r.request("list the branches of", http.MethodGet, "refs")
	if pulls {
		req.Query = url.Values{"include_prs": {"1"}}
	}
	_, err := a.c.JSON(ctx, req, &refs)
	return refs, err
}

// Commit is one commit of a history.
type Commit struct {
	ID      string    `json:"id"`
	Title   string    `json:"title"`
	Message string    `json:"message"`
	Date    time.Time `json:"date"`
	Authors []struct {
		User string `json:"user"`
	} `json:"authors"`
}

// Commits yields a history, newest first, at most limit of it; zero means all.
func (a *API) Commits(ctx context.Context, r Ref, revision string, limit int) iter.Seq2[Commit, error] {
	if err := r.at(revision); err != nil {
		return failed[Commit](err)
	}
	req := r.request("list the commits of", http.MethodGet, "commits", revision)
	if limit > 0 {
		req.Query = url.Values{"limit": {strconv.Itoa(min(limit, pageSize))}}
	}
	return first(wire.Pages[Commit](ctx, a.c, req), limit)
}

// CountCommits is the length of a history; -1 if the Hub does not say.
func (a *API) CountCommits(ctx context.Context, r Ref, revision string) (int, error) {
	if err := r.at(revision); err != nil {
		return 0, err
	}
	req := r.request("count the commits of", http.MethodGet, "commits", revision)
	req.Query = url.Values{"limit": {"1"}}
	answer, err := a.c.JSON(ctx, req, nil)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(answer.Header.Get("X-Total-Count"))
	if err != nil {
		return -1, nil
	}
	return n, nil
}

// Compare is the diff between two states; raw leaves out the Hub's own
// shortening.
func (a *API) Compare(ctx context.Context, r Ref, from, to string, raw bool) (string, error) {
	if err := r.at(from); err != nil {
		return "", err
	}
	if err := wire.CheckRevision("to", to); err != nil {
		return "", err
	}
	req := r.request("compare states of", http.MethodGet)
	req.Path += "/compare/" + wire.Escape(from) + ".." + wire.Escape(to)
	if raw {
		req.Query = url.Values{"raw": {"true"}}
	}
	return a.text(ctx, req)
}

// Size is how much a folder holds, in bytes; "" is all.
func (a *API) Size(ctx context.Context, r Ref, revision, path string) (int64, error) {
	if err := r.at(revision); err != nil {
		return 0, err
	}
	more := []string{"treesize", revision}
	if path != "" {
		if err := wire.CheckPath("path", path); err != nil {
			return 0, err
		}
		more = append(more, path)
	}
	req := r.request("measure", http.MethodGet, more...)
	if path == "" {
		req.Path += "/"
	}
	var out struct {
		Size int64 `json:"size"`
	}
	_, err := a.c.JSON(ctx, req, &out)
	return out.Size, err
}

// Raw is a small file as git has it: of content stored outside git that is
// the pointer.
func (a *API) Raw(ctx context.Context, r Ref, revision, path string) (string, error) {
	if err := r.at(revision); err != nil {
		return "", err
	}
	if err := wire.CheckPath("path", path); err != nil {
		return "", err
	}
	return a.text(ctx, wire.Request{Op: "read " + path + " of " + r.String(), Path: filePath(r, "raw", revision, path)})
}

// filePath is the path of a file's content: the revision is one segment, the
// path keeps its slashes.
func filePath(r Ref, verb, revision, path string) string {
	return r.Type.Page(r.ID, append([]string{verb, revision}, strings.Split(path, "/")...)...)
}

// text reads an answer that is text.
func (a *API) text(ctx context.Context, req wire.Request) (string, error) {
	req.Accept = "text/plain, */*"
	var data []byte
	err := a.c.Read(ctx, req, func(resp *http.Response) (err error) {
		data, err = httpx.ReadAll(resp.Body, textLimit)
		return err
	})
	return string(data), err
}

// Validation is what the Hub thinks of a card's front matter.
type Validation struct {
	Errors   []Remark `json:"errors"`
	Warnings []Remark `json:"warnings"`
}

// Remark is one thing to change.
type Remark struct {
	Message string `json:"message"`
}

// ValidateCard asks what the Hub thinks of a README.md. Its errors are an
// answer, not a failure.
func (a *API) ValidateCard(ctx context.Context, t wire.RepoType, content string) (Validation, error) {
	var v Validation
	if err := wire.CheckType("repo_type", t); err != nil {
		return v, err
	}
	_, err := a.c.JSON(ctx, wire.Request{
		Op: "check the README's front matter", Method: http.MethodPost, Path: "/api/validate-yaml", Reads: true,
		JSON: map[string]any{"content": content, "repoType": t}, Status: []int{http.StatusOK, http.StatusBadRequest},
	}, &v)
	return v, err
}

// StoredFile is content that is stored outside git.
type StoredFile struct {
	FileOID  string    `json:"fileOid"`
	OID      string    `json:"oid"`
	Filename string    `json:"filename"`
	Size     int64     `json:"size"`
	PushedAt time.Time `json:"pushedAt"`
}

// StoredFiles yields what a repository stores outside git, also of states
// long gone.
func (a *API) StoredFiles(ctx context.Context, r Ref) iter.Seq2[StoredFile, error] {
	if err := r.check(); err != nil {
		return failed[StoredFile](err)
	}
	return wire.Pages[StoredFile](ctx, a.c, r.request("list the stored files of", http.MethodGet, "lfs-files"))
}

// DeleteStored removes stored content for good, by the ids of [StoredFiles].
func (a *API) DeleteStored(ctx context.Context, r Ref, ids []string, rewriteHistory bool) error {
	if err := r.check(); err != nil {
		return err
	}
	for i, id := range ids {
		if err := wire.Check(fmt.Sprintf("ids[%d]", i), id); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(ids, pageSize) {
		req := r.request("delete stored files of", http.MethodPost, "lfs-files", "batch")
		req.JSON = map[string]any{"deletions": map[string]any{"sha": part, "rewriteHistory": rewriteHistory}}
		if err := a.do(ctx, req); err != nil {
			return err
		}
	}
	return nil
}
