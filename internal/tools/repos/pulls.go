package repos

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/discussion"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/repos/cite"
)

// How much of pull requests is shown.
const (
	defaultPRs     = 20
	diffLimit      = 20_000 // characters
	commentLimit   = 2_000  // characters of one comment
	defaultCommits = 50
)

func (g *Git) thread(r repo.Ref, num int) string {
	return g.page(r, "", "", fmt.Sprintf("discussions/%d", num))
}

func (g *Git) createPR(ctx context.Context, env tool.Env, r repo.Ref, p GitParams) (string, error) {
	made, err := g.opts.Discussions.Create(ctx, threads(r), discussion.Draw{Title: p.Title, Description: p.Description, PullRequest: true})
	if err != nil {
		return "", err
	}
	if err := env.Effect(fmt.Sprintf("pr:%s/%s#%d", r.Type, r.ID, made.Num)); err != nil {
		return "", err
	}
	return fmt.Sprintf("**Draft PR #%d created:** %s\n%s\nTo add changes, upload with revision=refs/pr/%d; publish it with change_pr_status and new_status=open.",
		made.Num, p.Title, g.thread(r, made.Num), made.Num), nil
}

func (g *Git) listPRs(ctx context.Context, _ tool.Env, r repo.Ref, p GitParams) (string, error) {
	limit := p.Limit
	if limit == 0 {
		limit = defaultPRs
	}
	filter := discussion.Filter{Author: p.Author}
	if p.Status != "all" {
		filter.Status = p.Status
	}
	if p.Type != "all" {
		filter.Type = p.Type
	}
	var lines []string
	more := false
	for d, err := range g.opts.Discussions.List(ctx, threads(r), filter) {
		if err != nil {
			return "", err
		}
		if more = len(lines) == limit; more {
			break
		}
		kind := "[D]"
		if d.IsPullRequest {
			kind = "[PR]"
		}
		lines = append(lines, fmt.Sprintf("[%s] #%d %s %s", strings.ToUpper(string(d.Status)), d.Num, kind, d.Title))
	}
	head := fmt.Sprintf("**%s**\n%s\n\n", r.ID, g.page(r, "", "", "discussions"))
	if len(lines) == 0 {
		return head + "No discussions or pull requests found.", nil
	}
	if more {
		lines = append(lines, fmt.Sprintf("… and more; pass a limit above %d", limit))
	}
	return head + strings.Join(lines, "\n"), nil
}

func (g *Git) showPR(ctx context.Context, env tool.Env, r repo.Ref, p GitParams) (string, error) {
	d, err := g.opts.Discussions.Details(ctx, threads(r), p.PRNum, true)
	if err != nil {
		return "", err
	}
	author := "(deleted user)"
	if d.Author != nil {
		author = d.Author.Name
	}
	lines := []string{
		fmt.Sprintf("**#%d: %s**", d.Num, d.Title), "Status: " + string(d.Status), "Author: " + author, g.thread(r, d.Num),
	}
	if d.IsPullRequest {
		if d.Status == discussion.Draft || d.Status == discussion.Open {
			lines = append(lines, fmt.Sprintf("To add commits, upload with revision=refs/pr/%d.", d.Num))
		}
		switch {
		case len(d.Conflicts.Files) > 0:
			lines = append(lines, "Conflicts: "+strings.Join(d.Conflicts.Files, ", "))
		case d.Conflicts.Some:
			lines = append(lines, "Conflicts: yes")
		}
	}
	lines = append(lines, conversation(d.Events)...)
	if d.Diff != "" {
		if files := changed(d.Diff); len(files) > 0 {
			lines = append(lines, "", "Changed files: "+strings.Join(files, ", "))
		}
		diff := d.Diff
		if short := excerpt.Head(diff, diffLimit); len(short) < len(diff) {
			diff = short + fmt.Sprintf("\n… (diff cut: %d of %d bytes)", len(short), len(d.Diff))
		}
		lines = append(lines, "```diff\n"+diff+"\n```")
	}
	text := strings.Join(lines, "\n")
	source := cite.Source{Tool: "hf_repo_git", Operation: "get_pr", Object: fmt.Sprintf("%s#%d", r.ID, d.Num), Title: d.Title, URL: g.thread(r, d.Num)}
	return source.On(env, text, text), nil
}

// conversation lists comments and commits.
func conversation(events []discussion.Event) []string {
	var lines []string
	for _, e := range events {
		who := "(deleted user)"
		if e.Author != nil {
			who = e.Author.Name
		}
		c, ok := e.Comment()
		switch {
		case ok && c.Hidden:
			lines = append(lines, "", fmt.Sprintf("%s: (hidden)", who))
		case ok:
			text := c.Text
			if short := excerpt.Head(text, commentLimit); len(short) < len(text) {
				text = short + "…"
			}
			lines = append(lines, "", fmt.Sprintf("%s, %s:", who, e.CreatedAt.UTC().Format("2006-01-02 15:04")), text)
		default:
			lines = append(lines, "", fmt.Sprintf("[%s by %s]", e.Type, who))
		}
	}
	return lines
}

// changed are the files a diff speaks of.
func changed(diff string) []string {
	var files []string
	for line := range strings.Lines(diff) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "diff --git a/"); ok {
			name, _, _ := strings.Cut(rest, " b/")
			files = append(files, name)
		}
	}
	return files
}

func (g *Git) mergePR(ctx context.Context, _ tool.Env, r repo.Ref, p GitParams) (string, error) {
	if err := g.opts.Discussions.Merge(ctx, threads(r), p.PRNum, p.Comment); err != nil {
		return "", err
	}
	return fmt.Sprintf("**PR #%d merged**\n%s", p.PRNum, g.thread(r, p.PRNum)), nil
}

func (g *Git) closePR(ctx context.Context, _ tool.Env, r repo.Ref, p GitParams) (string, error) {
	if _, err := g.opts.Discussions.SetStatus(ctx, threads(r), p.PRNum, discussion.Closed, p.Comment); err != nil {
		return "", err
	}
	return fmt.Sprintf("**Discussion #%d closed**\n%s", p.PRNum, g.thread(r, p.PRNum)), nil
}

func (g *Git) changeStatus(ctx context.Context, _ tool.Env, r repo.Ref, p GitParams) (string, error) {
	if _, err := g.opts.Discussions.SetStatus(ctx, threads(r), p.PRNum, discussion.Status(p.NewStatus), p.Comment); err != nil {
		return "", err
	}
	return fmt.Sprintf("**Status of #%d changed to %s**\n%s", p.PRNum, p.NewStatus, g.thread(r, p.PRNum)), nil
}

func (g *Git) commentPR(ctx context.Context, _ tool.Env, r repo.Ref, p GitParams) (string, error) {
	if _, err := g.opts.Discussions.Comment(ctx, threads(r), p.PRNum, p.Comment); err != nil {
		return "", err
	}
	return fmt.Sprintf("**Comment added to #%d**\n%s", p.PRNum, g.thread(r, p.PRNum)), nil
}

func (g *Git) renamePR(ctx context.Context, _ tool.Env, r repo.Ref, p GitParams) (string, error) {
	if _, err := g.opts.Discussions.Rename(ctx, threads(r), p.PRNum, p.Title); err != nil {
		return "", err
	}
	return fmt.Sprintf("**#%d renamed:** %s\n%s", p.PRNum, p.Title, g.thread(r, p.PRNum)), nil
}

func (g *Git) listCommits(ctx context.Context, _ tool.Env, r repo.Ref, p GitParams) (string, error) {
	limit := p.Limit
	if limit == 0 {
		limit = defaultCommits
	}
	lines := []string{fmt.Sprintf("**%s**, commits of %s", r.ID, orMain(p.Revision)), g.page(r, "commits", orMain(p.Revision), ""), ""}
	for c, err := range g.opts.Repos.Commits(ctx, r, orMain(p.Revision), limit) {
		if err != nil {
			return "", err
		}
		who := ""
		if len(c.Authors) > 0 {
			who = " (" + c.Authors[0].User + ")"
		}
		lines = append(lines, fmt.Sprintf("%.8s %s %s%s", c.ID, c.Date.UTC().Format("2006-01-02 15:04"), c.Title, who))
	}
	return strings.Join(lines, "\n"), nil
}

func (g *Git) squash(ctx context.Context, env tool.Env, r repo.Ref, p GitParams) (string, error) {
	oid, err := g.opts.Repos.Squash(ctx, r, orMain(p.Revision), p.Comment)
	if err != nil {
		return "", err
	}
	if oid == "" {
		return "", errors.New("the Hub did not say what the new commit is")
	}
	return fmt.Sprintf("**History of %s squashed** into commit %s", orMain(p.Revision), oid),
		env.Effect(fmt.Sprintf("commit:%s/%s@%s", r.Type, r.ID, oid))
}
