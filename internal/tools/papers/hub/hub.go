// Package hub reads what the Hub knows about papers: the daily list, records,
// and the repositories and collections that name a paper. It knows how the Hub
// writes them down, not how they are shown.
package hub

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/loose"
)

const (
	origin = "https://huggingface.co"
	// fresh is how long an answer may serve again.
	fresh   = 10 * time.Minute
	timeout = 15 * time.Second
	// MaxDaily is the largest page of the daily list, MaxSearch the most a
	// search brings, and MaxQuery the characters that it takes.
	MaxDaily, MaxSearch, MaxQuery = 100, 120, 250
)

// Options make a Client.
type Options struct{ Fetch fetch.Getter }

// Client asks the Hub. It is safe for concurrent use.
type Client struct{ o Options }

// New returns a Client.
func New(o Options) (*Client, error) {
	if o.Fetch == nil {
		return nil, errors.New("make the Hub's client of papers: Fetch is required")
	}
	return &Client{o}, nil
}

// Paper is the Hub's record. What it does not tell is zero or nil.
type Paper struct {
	ID          string
	Title       string
	Summary     string
	AISummary   string   `json:"ai_summary"`
	AIKeywords  []string `json:"ai_keywords"`
	Upvotes     *int
	PublishedAt string
	DailyAt     string `json:"submittedOnDailyAt"`
	Authors     []struct {
		Name   string
		Hidden bool
	}
	GithubRepo   string
	GithubStars  *int
	ProjectPage  string
	Organization struct{ Name, Fullname string }

	Models        []Repo `json:"linkedModels"`
	Datasets      []Repo `json:"linkedDatasets"`
	Spaces        []Repo `json:"linkedSpaces"`
	TotalModels   *int   `json:"numTotalModels"`
	TotalDatasets *int   `json:"numTotalDatasets"`
	TotalSpaces   *int   `json:"numTotalSpaces"`
}

// Repo is a model, a data set or a Space in the Hub's short form.
type Repo struct {
	ID          string
	Downloads   *int
	Likes       *int
	Task        string `json:"pipeline_tag"`
	Library     string `json:"library_name"`
	Description string
	Tags        []string
}

// Collection is a list that people keep on the Hub. Items are its first few.
type Collection struct {
	Slug, Title, Description string
	Owner                    struct{ Name string }
	Upvotes                  *int
	Items                    []struct{ ID string }
}

// Repos are the repositories that name a paper.
type Repos struct{ Models, Datasets, Spaces []Repo }

func (c *Client) ask(ctx context.Context, path string, q url.Values, v any) (*fetch.Response, error) {
	address := origin + path
	if len(q) > 0 {
		address += "?" + strings.ReplaceAll(q.Encode(), "%2F", "/")
	}
	resp, err := c.o.Fetch.Do(ctx, fetch.Request{URL: address, Fresh: fresh, Timeout: timeout})
	if err != nil {
		return nil, err
	}
	if err := loose.Decode(resp.Body, v); err != nil {
		return nil, &fetch.Error{Kind: fetch.Parse, Service: "the Hub", URL: resp.URL, Status: resp.Status, Message: err.Error(), Err: err}
	}
	return resp, nil
}

// Period narrows the daily list: one of its fields, or none.
type Period struct {
	Date  string // 2024-02-05
	Week  string // 2024-W06
	Month string // 2024-02
}

// Daily returns a page of the daily list, the first of which is 0. Without a
// period it is in the order of the trend; newest asks for the order of time.
func (c *Client) Daily(ctx context.Context, p Period, newest bool, page, limit int) ([]Paper, *fetch.Response, error) {
	q := url.Values{"limit": {strconv.Itoa(min(max(limit, 1), MaxDaily))}}
	switch {
	case p.Date != "":
		q.Set("date", p.Date)
	case p.Week != "":
		q.Set("week", p.Week)
	case p.Month != "":
		q.Set("month", p.Month)
	case !newest:
		q.Set("sort", "trending")
	}
	if page > 0 {
		q.Set("p", strconv.Itoa(page))
	}
	return c.wrapped(ctx, "/api/daily_papers", q)
}

// Search finds papers.
func (c *Client) Search(ctx context.Context, query string, limit int) ([]Paper, *fetch.Response, error) {
	return c.wrapped(ctx, "/api/papers/search", url.Values{"q": {query}, "limit": {strconv.Itoa(min(max(limit, 1), MaxSearch))}})
}

// wrapped reads a list whose entries hold the record and repeat some of it.
func (c *Client) wrapped(ctx context.Context, path string, q url.Values) ([]Paper, *fetch.Response, error) {
	var answer []struct {
		Paper          Paper
		Title, Summary string
	}
	resp, err := c.ask(ctx, path, q, &answer)
	if err != nil {
		return nil, nil, err
	}
	papers := make([]Paper, 0, len(answer))
	for i := range answer {
		p := answer[i].Paper
		if p.Title == "" {
			p.Title = answer[i].Title
		}
		if p.Summary == "" {
			p.Summary = answer[i].Summary
		}
		if p.ID != "" || p.Title != "" {
			papers = append(papers, p)
		}
	}
	return papers, resp, nil
}

// Paper returns the record of a paper; id has no version.
func (c *Client) Paper(ctx context.Context, id string) (*Paper, *fetch.Response, error) {
	var p Paper
	resp, err := c.ask(ctx, "/api/papers/"+id, nil, &p)
	if err != nil {
		return nil, nil, err
	}
	return &p, resp, nil
}

// Repos returns the repositories that name a paper.
func (c *Client) Repos(ctx context.Context, id string) (*Repos, *fetch.Response, error) {
	var r Repos
	resp, err := c.ask(ctx, "/api/arxiv/"+id+"/repos", nil, &r)
	if err != nil {
		return nil, nil, err
	}
	return &r, resp, nil
}

// Kind is a kind of repository, as it is in the Hub's addresses.
type Kind string

// The kinds.
const (
	Models   Kind = "models"
	Datasets Kind = "datasets"
	Spaces   Kind = "spaces"
)

// List returns the repositories of a kind that carry a paper's tag. sort is one
// of the Hub's own words.
func (c *Client) List(ctx context.Context, kind Kind, id, sort string, limit int) ([]Repo, *fetch.Response, error) {
	q := url.Values{"filter": {"arxiv:" + id}, "limit": {strconv.Itoa(limit)}, "sort": {sort}, "direction": {"-1"}}
	var list []Repo
	resp, err := c.ask(ctx, "/api/"+string(kind), q, &list)
	return list, resp, err
}

// Collections returns the collections that hold a paper, the most liked first.
func (c *Client) Collections(ctx context.Context, id string, limit int) ([]Collection, *fetch.Response, error) {
	q := url.Values{"item": {"papers/" + id}, "sort": {"upvotes"}, "limit": {strconv.Itoa(limit)}}
	var list []Collection
	resp, err := c.ask(ctx, "/api/collections", q, &list)
	return list, resp, err
}
