package github

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// Query is a search in GitHub's words.
type Query struct {
	Text string // at most [MaxQuery] characters
	// Sort and Order are GitHub's; empty is the best match first.
	Sort, Order string
	Limit       int // at most [PageSize]
}

// Found is a page of results.
type Found[T any] struct {
	Total int `json:"total_count"`
	// Incomplete says that GitHub ran out of time.
	Incomplete bool `json:"incomplete_results"`
	Items      []T  `json:"items"`
}

// Match is a piece of text around what was found.
type Match struct {
	Fragment string `json:"fragment"`
}

// CodeHit is a file that a search has found.
type CodeHit struct {
	Path       string `json:"path"`
	Page       string `json:"html_url"`
	Repository struct {
		FullName string `json:"full_name"`
	} `json:"repository"`
	Matches []Match `json:"text_matches"`
}

// Commit is a commit that a search has found.
type Commit struct {
	SHA    string `json:"sha"`
	Page   string `json:"html_url"`
	Commit struct {
		Message string `json:"message"`
		Author  struct {
			Name string    `json:"name"`
			Date time.Time `json:"date"`
		} `json:"author"`
	} `json:"commit"`
	Repository struct {
		FullName string `json:"full_name"`
	} `json:"repository"`
}

// User is who wrote something; GitHub sends null for accounts that are gone.
type User struct {
	Login string `json:"login"`
}

// Issue is an issue or a pull request.
type Issue struct {
	Number int    `json:"number"`
	Title  string `json:"title"`
	State  string `json:"state"`
	Labels []struct {
		Name string `json:"name"`
	} `json:"labels"`
	User       User      `json:"user"`
	Body       string    `json:"body"`
	Comments   int       `json:"comments"`
	Created    time.Time `json:"created_at"`
	Page       string    `json:"html_url"`
	Repository string    `json:"repository_url"`
	Pull       *struct {
		Merged *time.Time `json:"merged_at"`
	} `json:"pull_request"`
}

// Comment is an answer to an issue. Role is GitHub's author_association, such
// as OWNER, MEMBER or NONE.
type Comment struct {
	User    User      `json:"user"`
	Role    string    `json:"author_association"`
	Body    string    `json:"body"`
	Created time.Time `json:"created_at"`
	Page    string    `json:"html_url"`
}

// SearchRepos finds repositories.
func (c *Client) SearchRepos(ctx context.Context, q Query) (Found[Repo], *fetch.Response, error) {
	return search[Repo](ctx, c, "repositories", q)
}

// SearchCode finds files by what they hold. It needs a token.
func (c *Client) SearchCode(ctx context.Context, q Query) (Found[CodeHit], *fetch.Response, error) {
	return search[CodeHit](ctx, c, "code", q)
}

// SearchIssues finds issues and pull requests.
func (c *Client) SearchIssues(ctx context.Context, q Query) (Found[Issue], *fetch.Response, error) {
	return search[Issue](ctx, c, "issues", q)
}

// SearchCommits finds commits on default branches.
func (c *Client) SearchCommits(ctx context.Context, q Query) (Found[Commit], *fetch.Response, error) {
	return search[Commit](ctx, c, "commits", q)
}

func search[T any](ctx context.Context, c *Client, what string, q Query) (Found[T], *fetch.Response, error) {
	v := url.Values{"q": {q.Text}, "per_page": {strconv.Itoa(min(max(q.Limit, 1), PageSize))}}
	if q.Sort != "" {
		v.Set("sort", q.Sort)
	}
	if q.Order != "" {
		v.Set("order", q.Order)
	}
	var found Found[T]
	resp, err := c.read(ctx, call{path: "/search/" + what, query: v, media: mediaMatch}, &found)
	return found, resp, err
}

// Issue returns an issue or a pull request.
func (c *Client) Issue(ctx context.Context, repo string, number int) (*Issue, *fetch.Response, error) {
	var issue Issue
	resp, err := c.read(ctx, call{path: "/repos/" + escape(repo) + "/issues/" + strconv.Itoa(number)}, &issue)
	return &issue, resp, err
}

// Comments returns a page of an issue's comments, the oldest first. Pages count
// from 1 and have [PageSize] entries.
func (c *Client) Comments(ctx context.Context, repo string, number, page int) ([]Comment, *fetch.Response, error) {
	q := url.Values{"per_page": {strconv.Itoa(PageSize)}, "page": {strconv.Itoa(page)}}
	var list []Comment
	resp, err := c.read(ctx, call{path: "/repos/" + escape(repo) + "/issues/" + strconv.Itoa(number) + "/comments", query: q}, &list)
	return list, resp, err
}
