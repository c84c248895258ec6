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

//go:embed github_list_repos.json
var listReposSpec []byte

const (
	defaultRepos = 30
	// listPages is how many pages of an owner's repositories are read at most.
	listPages = 10
)

// NewListRepos returns github_list_repos.
func NewListRepos(o Options) (tool.Tool, error) { return newLook(o, listReposSpec, listRepos) }

// ListRepos are the arguments of github_list_repos.
type ListRepos struct {
	Owner     string `json:"owner"`
	OwnerType string `json:"owner_type,omitempty"`
	Sort      string `json:"sort,omitempty"`
	Order     string `json:"order,omitempty"`
	Limit     int    `json:"limit,omitempty"`
	Query     string `json:"query,omitempty"`
	Language  string `json:"language,omitempty"`
}

func (p *ListRepos) check() error {
	var err error
	if p.Owner, err = api.ParseOwner(p.Owner); err != nil {
		return err
	}
	if p.Limit == 0 {
		p.Limit = defaultRepos
	}
	if p.Limit < 1 || p.Limit > api.PageSize {
		return fmt.Errorf("limit must be from 1 to %d, not %d", api.PageSize, p.Limit)
	}
	for _, c := range []struct {
		name, standard string
		value          *string
		allowed        string
	}{
		{"owner_type", "org", &p.OwnerType, " org user "}, {"sort", "stars", &p.Sort, " stars forks updated created "}, {"order", "desc", &p.Order, " desc asc "},
	} {
		if *c.value == "" {
			*c.value = c.standard
		}
		if !strings.Contains(c.allowed, " "+*c.value+" ") {
			return fmt.Errorf("%s must be one of%s, not %q", c.name, strings.TrimRight(c.allowed, " "), *c.value)
		}
	}
	return nil
}

// repoList is what was found.
type repoList struct {
	repos []api.Repo
	total int
	note  string
	resp  *fetch.Response
}

func listRepos(ctx context.Context, l *look, env tool.Env, args json.RawMessage) tool.Result {
	var p ListRepos
	if err := tool.Decode(args, &p); err != nil {
		return l.bad(err)
	}
	if err := p.check(); err != nil {
		return l.bad(err)
	}
	find := l.searchOwner
	if p.Sort == "created" {
		find = l.listOwner
	}
	list, err := find(ctx, p)
	var f *fetch.Error
	if errors.As(err, &f) && (f.Status == 422 || f.Status == 404) {
		return tool.Failed(fmt.Sprintf("%s: not_found: GitHub knows no user or organisation %q that may be seen (%d). Check the spelling, or look for it with github_search kind=repositories.", l.spec.Name, p.Owner, f.Status))
	}
	if err != nil {
		return l.failed("list the repositories of "+p.Owner, err)
	}
	site := api.Site + "/" + p.Owner
	return lookup.Cite(env, p.show(env, list, site), l.from(list.resp, p.Owner, site))
}

// searchOwner ranks by a search, which is right from its first result on: it
// takes users and organisations alike, and forks when asked for them.
func (l *look) searchOwner(ctx context.Context, p ListRepos) (repoList, error) {
	q := "user:" + p.Owner + " fork:true"
	if p.Language != "" {
		q += " language:" + quoted(p.Language)
	}
	if p.Query != "" {
		q = p.Query + " " + q
	}
	if len([]rune(q)) > api.MaxQuery {
		return repoList{}, fmt.Errorf("query is too long: GitHub takes %d characters, the owner and the language among them", api.MaxQuery)
	}
	found, resp, err := l.gh.SearchRepos(ctx, api.Query{Text: q, Sort: p.Sort, Order: p.Order, Limit: p.Limit})
	if err != nil {
		return repoList{}, err
	}
	list := repoList{repos: found.Items[:min(len(found.Items), p.Limit)], total: found.Total, resp: resp}
	if found.Incomplete {
		list.note = "GitHub ran out of time: the list may miss some."
	}
	return list, nil
}

// listOwner goes through the owner's own list, which alone is ordered by age.
func (l *look) listOwner(ctx context.Context, p ListRepos) (repoList, error) {
	kinds := []string{"orgs", "users"}
	if p.OwnerType == "user" {
		kinds = []string{"users", "orgs"}
	}
	var list repoList
	for n := 1; n <= listPages; n++ {
		repos, resp, err := l.gh.OwnerRepos(ctx, kinds[0], p.Owner, "created", p.Order, n)
		var f *fetch.Error
		if n == 1 && errors.As(err, &f) && f.Status == 404 {
			kinds[0] = kinds[1] // the owner is of the other type
			repos, resp, err = l.gh.OwnerRepos(ctx, kinds[0], p.Owner, "created", p.Order, n)
		}
		if err != nil {
			if n == 1 {
				return list, err
			}
			list.note = fmt.Sprintf("Only the first %d repositories were looked at: %v.", (n-1)*api.PageSize, err)
			return list, nil
		}
		if list.resp == nil {
			list.resp = resp
		}
		for _, r := range repos {
			if p.wants(r) {
				list.repos = append(list.repos, r)
			}
		}
		if len(list.repos) >= p.Limit {
			list.repos = list.repos[:p.Limit]
			return list, nil
		}
		if len(repos) < api.PageSize {
			return list, nil
		}
	}
	list.note = fmt.Sprintf("Only the first %d repositories were looked at.", listPages*api.PageSize)
	return list, nil
}

// wants filters what GitHub does not filter in lists.
func (p ListRepos) wants(r api.Repo) bool {
	if p.Language != "" && !strings.EqualFold(p.Language, r.Language) {
		return false
	}
	text := strings.ToLower(r.Name + " " + r.Description + " " + strings.Join(r.Topics, " "))
	for w := range strings.FieldsSeq(strings.ToLower(p.Query)) {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

func (p ListRepos) show(env tool.Env, list repoList, site string) string {
	if len(list.repos) == 0 {
		return strings.TrimSpace(fmt.Sprintf("No repositories found for %s.%s %s", p.Owner, p.narrowed(), list.note))
	}
	out := show.NewPage(env, site)
	out.Add(fmt.Sprintf("**Found %d repositories for %s:**\n\n", len(list.repos), p.Owner))
	for i, r := range list.repos {
		out.Add(show.Repo(i+1, r))
	}
	text := out.Text()
	if list.total > len(list.repos) {
		text += fmt.Sprintf("The first %d of %s by %s; raise limit (at most %d) or narrow with query and language.\n", len(list.repos), amount.Grouped(list.total), p.Sort, api.PageSize)
	}
	return text + list.note
}

func (p ListRepos) narrowed() string {
	if p.Query == "" && p.Language == "" {
		return ""
	}
	return " Leave query and language out to see all."
}

// quoted puts a value with blanks into quotes.
func quoted(s string) string {
	s = strings.ReplaceAll(s, `"`, "")
	if strings.ContainsAny(s, " \t") {
		return `"` + s + `"`
	}
	return s
}
