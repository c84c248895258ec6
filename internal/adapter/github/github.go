// Package github asks GitHub's REST API what look-ups need: files, trees,
// records of repositories, issues and searches. Requests go through a look-up
// client, which keeps answers, asks again by their tags and carries the
// credential. It changes nothing on GitHub and knows neither tools nor models.
package github

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// API is the public address of the service, and Site that of its pages.
const (
	API  = "https://api.github.com"
	Site = "https://github.com"
)

// Media types of answers.
const (
	mediaJSON  = "application/vnd.github+json"
	mediaRaw   = "application/vnd.github.raw"
	mediaMatch = "application/vnd.github.text-match+json"
	version    = "2022-11-28"
)

const (
	// kept is how long an answer serves again before it is asked about by its
	// tag, which costs no quota.
	kept = 10 * time.Minute
	// treeLimit bounds a tree's answer in bytes: GitHub ends it at 100,000
	// entries or 7 MB of names, to which the JSON around them adds.
	treeLimit = 32 << 20
	// PageSize is the most items of a page.
	PageSize = 100
	// MaxQuery is the most characters of a search.
	MaxQuery = 256
)

// Options make a Client.
type Options struct {
	// Fetch makes the requests.
	Fetch fetch.Getter
	// Authorised reports whether Fetch sends a token to GitHub, for the words
	// of refusals and because code is not searched without one; nil is no.
	Authorised func() bool
}

// Client asks GitHub. It is safe for concurrent use.
type Client struct{ o Options }

// New returns a Client.
func New(o Options) (*Client, error) {
	if o.Fetch == nil {
		return nil, errors.New("make the GitHub client: Fetch is required")
	}
	if o.Authorised == nil {
		o.Authorised = func() bool { return false }
	}
	return &Client{o: o}, nil
}

// Authorised reports whether requests carry a token.
func (c *Client) Authorised() bool { return c.o.Authorised() }

// call is one request.
type call struct {
	path  string // escaped, below API
	query url.Values
	media string
	limit int64
}

func (c *Client) do(ctx context.Context, q call) (*fetch.Response, error) {
	address := API + q.path
	if len(q.query) > 0 {
		address += "?" + q.query.Encode()
	}
	if q.media == "" {
		q.media = mediaJSON
	}
	resp, err := c.o.Fetch.Do(ctx, fetch.Request{
		URL: address, Fresh: kept, Limit: q.limit,
		Header: http.Header{"Accept": {q.media}, "X-Github-Api-Version": {version}},
	})
	if err != nil {
		return nil, c.explain(err)
	}
	return resp, nil
}

// read asks and decodes the answer.
func (c *Client) read(ctx context.Context, q call, into any) (*fetch.Response, error) {
	resp, err := c.do(ctx, q)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(resp.Body, into); err != nil {
		return nil, unreadable(resp, err)
	}
	return resp, nil
}

func unreadable(resp *fetch.Response, err error) error {
	return &fetch.Error{Kind: fetch.Parse, Service: "GitHub", URL: resp.URL, Message: "the answer cannot be read: " + short(err.Error()), Err: err}
}

// Repo is the record of a repository.
type Repo struct {
	Name        string    `json:"name"`
	FullName    string    `json:"full_name"`
	Page        string    `json:"html_url"`
	Description string    `json:"description"`
	Fork        bool      `json:"fork"`
	Archived    bool      `json:"archived"`
	Stars       int       `json:"stargazers_count"`
	Forks       int       `json:"forks_count"`
	Language    string    `json:"language"`
	Topics      []string  `json:"topics"`
	Branch      string    `json:"default_branch"`
	Created     time.Time `json:"created_at"`
	Pushed      time.Time `json:"pushed_at"`
	License     struct {
		ID   string `json:"spdx_id"`
		Name string `json:"name"`
	} `json:"license"`
}

// Repo returns the record of owner/name.
func (c *Client) Repo(ctx context.Context, repo string) (*Repo, *fetch.Response, error) {
	var r Repo
	resp, err := c.read(ctx, call{path: "/repos/" + escape(repo)}, &r)
	return &r, resp, err
}

// OwnerRepos lists the repositories of an owner, newest or oldest first. kind
// is "orgs" or "users"; pages count from 1 and have [PageSize] entries.
func (c *Client) OwnerRepos(ctx context.Context, kind, owner, sort, direction string, page int) ([]Repo, *fetch.Response, error) {
	q := url.Values{"per_page": {strconv.Itoa(PageSize)}, "page": {strconv.Itoa(page)}, "sort": {sort}, "direction": {direction}}
	var list []Repo
	resp, err := c.read(ctx, call{path: "/" + kind + "/" + url.PathEscape(owner) + "/repos", query: q}, &list)
	return list, resp, err
}

// Entry is something in a folder or a tree. Type is "file", "dir", "symlink" or
// "submodule" in a folder, "blob", "tree" or "commit" in a tree.
type Entry struct {
	Name string `json:"name"`
	Path string `json:"path"`
	Type string `json:"type"`
	SHA  string `json:"sha"`
	Size int64  `json:"size"`
	Page string `json:"html_url"`
	// Target is what a symlink points at, Module the address of a submodule.
	Target string `json:"target"`
	Module string `json:"submodule_git_url"`
}

// Content is what stands at a path: a folder's entries, or one file.
type Content struct {
	// Entries is not nil for a folder.
	Entries []Entry
	// File is what stands there when it is no folder.
	File Entry
	// Data is the content of a file.
	Data []byte
	// Response is the answer that Data or Entries came in.
	Response *fetch.Response
}

// Content reads the file or folder at path; an empty ref is the newest commit
// of the default branch. Files above 1 MB take a second request.
func (c *Client) Content(ctx context.Context, repo, path, ref string) (*Content, error) {
	q := call{path: "/repos/" + escape(repo) + "/contents/" + escape(path)}
	q.path = strings.TrimSuffix(q.path, "/")
	if ref != "" {
		q.query = url.Values{"ref": {ref}}
	}
	resp, err := c.do(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &Content{Response: resp}
	if strings.HasPrefix(strings.TrimLeft(string(resp.Body[:min(len(resp.Body), 64)]), " \r\n\t"), "[") {
		out.Entries = []Entry{}
		if err := json.Unmarshal(resp.Body, &out.Entries); err != nil {
			return nil, unreadable(resp, err)
		}
		return out, nil
	}
	var file struct {
		Entry
		Content  string `json:"content"`
		Encoding string `json:"encoding"`
	}
	if err := json.Unmarshal(resp.Body, &file); err != nil {
		return nil, unreadable(resp, err)
	}
	out.File = file.Entry
	switch {
	case file.Type != "file":
		return out, nil
	case file.Content == "" && file.Size > 0:
		q.media = mediaRaw
		if resp, err = c.do(ctx, q); err != nil {
			return nil, err
		}
		out.Data, out.Response = resp.Body, resp
		return out, nil
	case file.Encoding != "base64" && file.Encoding != "":
		return nil, unreadable(resp, fmt.Errorf("the encoding is %q", file.Encoding))
	}
	if out.Data, err = base64.StdEncoding.DecodeString(file.Content); err != nil { // it skips line ends
		return nil, unreadable(resp, err)
	}
	return out, nil
}

// Tree is what a commit or a folder holds.
type Tree struct {
	Entries []Entry `json:"tree"`
	// Truncated says that GitHub left entries out.
	Truncated bool `json:"truncated"`
}

// Tree lists a tree, given a commit, a branch or a tree's hash. An empty
// repository has an empty tree.
func (c *Client) Tree(ctx context.Context, repo, ref string, recursive bool) (*Tree, *fetch.Response, error) {
	q := call{path: "/repos/" + escape(repo) + "/git/trees/" + url.PathEscape(ref), limit: treeLimit}
	if recursive {
		q.query = url.Values{"recursive": {"1"}}
	}
	var tree Tree
	resp, err := c.read(ctx, q, &tree)
	return &tree, resp, err
}

// escape escapes each segment of a path.
func escape(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return strings.Join(segments, "/")
}
