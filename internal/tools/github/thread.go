package github

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	api "github.com/ml-intern/ml-intern/internal/adapter/github"
	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/github/show"
)

const (
	bodyLimit    = 6000 // characters of an issue's text
	commentLimit = 3000 // characters of one comment
)

// issue reads owner/repo#123, #123 beside a repo, or an address.
func (p Search) issue() (repo string, number int, err error) {
	s := strings.TrimSpace(p.Issue)
	place, is, err := api.ParseURL(s)
	if is {
		if err == nil && place.Number == 0 {
			err = errors.New("the address is that of no issue")
		}
		if err != nil {
			return "", 0, fmt.Errorf("issue: %w", err)
		}
		return place.Repo, place.Number, nil
	}
	name, digits, ok := strings.Cut(s, "#")
	if !ok {
		name, digits = "", s
	}
	if name == "" {
		name = p.Repo
	}
	number, err = strconv.Atoi(digits)
	if err != nil || number < 1 {
		return "", 0, errors.New("issue must be in format 'owner/repo#123'")
	}
	if repo, err = api.ParseRepo(name, p.Org); err != nil {
		return "", 0, errors.New("issue must be in format 'owner/repo#123'")
	}
	return repo, number, nil
}

// thread shows an issue with its comments, the newest of maintainers first.
func (l *look) thread(ctx context.Context, env tool.Env, p Search) tool.Result {
	repo, number, err := p.issue()
	if err != nil {
		return l.bad(err)
	}
	name := fmt.Sprintf("%s#%d", repo, number)
	issue, resp, err := l.gh.Issue(ctx, repo, number)
	if err != nil {
		return l.failed("read "+name, err)
	}
	kind := "issues"
	if issue.Pull != nil {
		kind = "pull"
	}
	address := fmt.Sprintf("%s/%s/%s/%d", api.Site, repo, kind, number)
	comments, answer, note := l.comments(ctx, repo, issue)
	cites := []lookup.Source{l.from(resp, name, address), l.from(answer, name+" comments", address+"#comments")}
	out := show.NewPage(env, address, address+"#comments")
	out.Add(fmt.Sprintf("**%s** (%s)\n%s | by %s\nURL: %s\n\n%s\n\n", show.Line(issue.Title, 300), name, show.Status(*issue), show.Login(issue.User), address, show.Block(issue.Body, min(bodyLimit, out.Left()/2))))
	if len(comments) > 0 {
		out.Add(fmt.Sprintf("## Comments (%d of %d; maintainers first, then the others, the newest first)\n\n", len(comments), issue.Comments))
	}
	for _, c := range comments {
		out.Add(fmt.Sprintf("**%s** (%s, %s):\n%s\n\n", show.Login(c.User), strings.ToLower(show.Line(c.Role, 30)), show.Date(c.Created), show.Block(c.Body, min(commentLimit, out.Left()/2))))
	}
	return lookup.Cite(env, out.Text()+note, cites...)
}

// comments reads the newest comments: the last page, and the one before it when
// the last is short.
func (l *look) comments(ctx context.Context, repo string, issue *api.Issue) (list []api.Comment, resp *fetch.Response, note string) {
	last := (issue.Comments + api.PageSize - 1) / api.PageSize
	for n := last; n > 0 && n > last-2 && len(list) < maxFound; n-- {
		page, answer, err := l.gh.Comments(ctx, repo, issue.Number, n)
		if err != nil {
			return list, resp, fmt.Sprintf("Some comments could not be read: %v.\n", err)
		}
		list, resp = append(list, page...), answer
	}
	slices.SortStableFunc(list, func(a, b api.Comment) int {
		if x, y := maintains(a), maintains(b); x != y {
			if x {
				return -1
			}
			return 1
		}
		return b.Created.Compare(a.Created)
	})
	return list, resp, ""
}

func maintains(c api.Comment) bool {
	return c.Role == "OWNER" || c.Role == "MEMBER" || c.Role == "COLLABORATOR"
}
