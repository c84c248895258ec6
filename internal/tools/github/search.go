package github

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/amount"

	api "github.com/ml-intern/ml-intern/internal/adapter/github"
	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/github/show"
)

//go:embed github_search.json
var searchSpec []byte

const (
	defaultFound = 10
	maxFound     = 30
)

// NewSearch returns github_search.
func NewSearch(o Options) (tool.Tool, error) { return newLook(o, searchSpec, search) }

// Search are the arguments of github_search.
type Search struct {
	Kind     string `json:"kind,omitempty"`
	Query    string `json:"query,omitempty"`
	Repo     string `json:"repo,omitempty"`
	Org      string `json:"org,omitempty"`
	Language string `json:"language,omitempty"`
	Path     string `json:"path,omitempty"`
	State    string `json:"state,omitempty"`
	Issue    string `json:"issue,omitempty"`
	Limit    int    `json:"limit,omitempty"`
}

func (p *Search) check() error {
	if p.Limit == 0 {
		p.Limit = defaultFound
	}
	if p.Limit < 1 || p.Limit > maxFound {
		return fmt.Errorf("limit must be from 1 to %d, not %d", maxFound, p.Limit)
	}
	if p.State != "" && p.State != "open" && p.State != "closed" {
		return fmt.Errorf("state must be open or closed, not %q", p.State)
	}
	if p.Kind == "" && p.Issue == "" {
		return errors.New("kind is required (code, issues, repositories or commits), or issue")
	}
	var err error
	if p.Repo != "" {
		if p.Repo, err = api.ParseRepo(p.Repo, p.Org); err != nil {
			return err
		}
	}
	if p.Org != "" {
		if p.Org, err = api.ParseOwner(p.Org); err != nil {
			return fmt.Errorf("org: %w", err)
		}
	}
	if strings.TrimSpace(p.Query) == "" && p.Issue == "" {
		return errors.New("query is required, with kind")
	}
	return nil
}

// terms is the query in GitHub's words, with the arguments that a search of
// this kind takes.
func (p Search) terms() (string, error) {
	q := strings.TrimSpace(p.Query)
	switch {
	case p.Repo != "":
		q += " repo:" + p.Repo
	case p.Org != "":
		q += " user:" + p.Org // takes organisations and users
	}
	if p.Language != "" && (p.Kind == "code" || p.Kind == "repositories") {
		q += " language:" + quoted(p.Language)
	}
	if p.Path != "" && p.Kind == "code" {
		q += " path:" + quoted(p.Path)
	}
	if p.State != "" && p.Kind == "issues" {
		q += " state:" + p.State
	}
	if n := len([]rune(q)); n > api.MaxQuery {
		return "", fmt.Errorf("query is too long: with the filters it has %d characters, GitHub takes %d", n, api.MaxQuery)
	}
	return q, nil
}

// unused names the arguments that a search of this kind does not take.
func (p Search) unused() string {
	var names []string
	if p.Language != "" && p.Kind != "code" && p.Kind != "repositories" {
		names = append(names, "language")
	}
	if p.Path != "" && p.Kind != "code" {
		names = append(names, "path")
	}
	if p.State != "" && p.Kind != "issues" {
		names = append(names, "state")
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("Not applied to %s: %s.\n\n", p.Kind, strings.Join(names, ", "))
}

func search(ctx context.Context, l *look, env tool.Env, args json.RawMessage) tool.Result {
	var p Search
	if err := tool.Decode(args, &p); err != nil {
		return l.bad(err)
	}
	if err := p.check(); err != nil {
		return l.bad(err)
	}
	if p.Issue != "" {
		return l.thread(ctx, env, p)
	}
	terms, err := p.terms()
	if err != nil {
		return l.bad(err)
	}
	q := api.Query{Text: terms, Limit: p.Limit}
	switch p.Kind {
	case "code":
		if !l.gh.Authorised() {
			return tool.Failed(l.spec.Name + ": unauthorized: GitHub searches code only with a token, and GITHUB_TOKEN is not set. The user can set it; meanwhile github_find_examples finds files by their paths and kind=issues works without one.")
		}
		found, resp, err := l.gh.SearchCode(ctx, q)
		return render(l, env, p, "pieces of code", found, resp, err, show.Code)
	case "issues":
		found, resp, err := l.gh.SearchIssues(ctx, q)
		return render(l, env, p, "issues", found, resp, err, show.Issue)
	case "repositories":
		found, resp, err := l.gh.SearchRepos(ctx, q)
		return render(l, env, p, "repositories", found, resp, err, show.Repo)
	case "commits":
		found, resp, err := l.gh.SearchCommits(ctx, q)
		return render(l, env, p, "commits", found, resp, err, show.Commit)
	}
	return l.bad(fmt.Errorf("kind must be one of code, issues, repositories, commits, not %q", p.Kind))
}

// render shows a page of results.
func render[T any](l *look, env tool.Env, p Search, what string, found api.Found[T], resp *fetch.Response, err error, row func(int, T) string) tool.Result {
	if err != nil {
		return l.failed("search "+what+" for "+show.Line(p.Query, 100), err)
	}
	items := found.Items[:min(len(found.Items), p.Limit)]
	out := show.NewPage(env, resp.URL)
	head := fmt.Sprintf("**Found %s %s for '%s':**", amount.Grouped(found.Total), what, show.Line(p.Query, 256))
	if found.Total > len(items) {
		head += fmt.Sprintf(" (showing %d)", len(items))
	}
	out.Add(head + "\n\n" + p.unused())
	for i, item := range items {
		out.Add(row(i+1, item))
	}
	text := out.Text()
	if len(items) == 0 {
		text += "Nothing matches. Use fewer or other words, or drop a filter.\n"
	}
	if found.Incomplete {
		text += "GitHub ran out of time: some are missing.\n"
	}
	return lookup.Cite(env, text, l.from(resp, p.Query, ""))
}
