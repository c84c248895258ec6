package github

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/amount"

	api "github.com/ml-intern/ml-intern/internal/adapter/github"
	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/github/example"
	"github.com/ml-intern/ml-intern/internal/tools/github/show"
	"github.com/ml-intern/ml-intern/internal/tools/github/source"
)

//go:embed github_find_examples.json
var findExamplesSpec []byte

const (
	defaultOrg     = "huggingface"
	defaultResults = 50
	maxResults     = 200
	defaultScore   = 60
)

// NewFindExamples returns github_find_examples.
func NewFindExamples(o Options) (tool.Tool, error) { return newLook(o, findExamplesSpec, findExamples) }

// FindExamples are the arguments of github_find_examples.
type FindExamples struct {
	Repo       string `json:"repo"`
	Org        string `json:"org,omitempty"`
	Keyword    string `json:"keyword,omitempty"`
	MaxResults int    `json:"max_results,omitempty"`
	MinScore   *int   `json:"min_score,omitempty"`
}

func (p *FindExamples) check() error {
	if p.Org == "" {
		p.Org = defaultOrg
	}
	var err error
	if p.Repo, err = api.ParseRepo(p.Repo, p.Org); err != nil {
		return err
	}
	if p.MaxResults == 0 {
		p.MaxResults = defaultResults
	}
	if p.MaxResults < 1 || p.MaxResults > maxResults {
		return fmt.Errorf("max_results must be from 1 to %d, not %d", maxResults, p.MaxResults)
	}
	if p.MinScore == nil {
		score := defaultScore
		p.MinScore = &score
	}
	if *p.MinScore < 0 || *p.MinScore > 100 {
		return fmt.Errorf("min_score must be from 0 to 100, not %d", *p.MinScore)
	}
	p.Keyword = strings.TrimSpace(p.Keyword)
	if len([]rune(p.Keyword)) > 100 {
		return errors.New("keyword is longer than 100 characters")
	}
	return nil
}

func findExamples(ctx context.Context, l *look, env tool.Env, args json.RawMessage) tool.Result {
	var p FindExamples
	if err := tool.Decode(args, &p); err != nil {
		return l.bad(err)
	}
	if err := p.check(); err != nil {
		return l.bad(err)
	}
	tree, err := l.files(ctx, p.Repo)
	var f *fetch.Error
	switch {
	case errors.As(err, &f) && f.Status == 409:
		return tool.Success(fmt.Sprintf("%s is empty: it has no files.", p.Repo))
	case errors.As(err, &f) && f.Status == 404:
		return l.similar(ctx, p, err)
	case err != nil:
		return l.failed("list the files of "+p.Repo, err)
	}
	site := api.Site + "/" + p.Repo
	cite := l.from(tree.resp, p.Repo, site)
	candidates := example.Candidates(tree.files, p.Keyword)
	hits := example.Rank(candidates, p.Keyword, *p.MinScore)
	counts := fmt.Sprintf("%s has %s files, %s of them examples; none fits %q with a score of %d or more.", p.Repo, amount.Grouped(len(tree.files)), amount.Grouped(len(candidates)), p.Keyword, *p.MinScore)
	switch {
	case len(hits) == 0 && p.Keyword == "":
		return lookup.Cite(env, tree.warn(fmt.Sprintf("%s has %s files; none is in a folder for examples or named like one. See the folders with github_read_file {\"repo\":%q,\"path\":\"\"}.", p.Repo, amount.Grouped(len(tree.files)), p.Repo)), cite)
	case len(hits) == 0:
		text, searched := l.inside(ctx, env, p, tree.warn(counts))
		return lookup.Cite(env, text, cite, searched)
	}
	rows := l.open(ctx, p.Repo, hits, tree.files)
	return lookup.Cite(env, p.show(env, rows, tree, site), cite)
}

// similar answers for a repository that is not there.
func (l *look) similar(ctx context.Context, p FindExamples, cause error) tool.Result {
	owner, name := path.Split(p.Repo)
	owner = strings.TrimSuffix(owner, "/")
	text := fmt.Sprintf("%s: not_found: there is no repository %s, or it is private.", l.spec.Name, p.Repo)
	for _, q := range []string{"org:" + owner + " " + name, name + " in:name"} {
		found, _, err := l.gh.SearchRepos(ctx, api.Query{Text: q, Sort: "stars", Order: "desc", Limit: 10})
		if err != nil || len(found.Items) == 0 {
			continue
		}
		text += " Similar repositories:\n\n"
		for i, r := range found.Items {
			text += fmt.Sprintf("%d. **%s** (⭐ %s stars)\n   %s\n   URL: %s/%s\n\n", i+1, show.Line(r.FullName, 200), amount.Grouped(r.Stars), show.Line(r.Description, 100), api.Site, show.Line(r.FullName, 200))
		}
		return tool.Failed(strings.TrimSpace(text))
	}
	return tool.Failed(text + " No similar one was found. " + l.gh.Advice(cause))
}

// inside looks for the keyword in the files' text when no path has it.
func (l *look) inside(ctx context.Context, env tool.Env, p FindExamples, counts string) (string, lookup.Source) {
	if !l.gh.Authorised() {
		return counts + " The text of files is searched only with GITHUB_TOKEN, which is not set; try another keyword or a lower min_score.", lookup.Source{}
	}
	found, resp, err := l.gh.SearchCode(ctx, api.Query{Text: p.Keyword + " repo:" + p.Repo, Limit: min(p.MaxResults, 20)})
	if err != nil {
		return fmt.Sprintf("%s The text of files could not be searched: %v.", counts, err), lookup.Source{}
	}
	if len(found.Items) == 0 {
		return counts + " No file's text has it either.", l.from(resp, p.Keyword, "")
	}
	out := show.NewPage(env, api.Site+"/"+p.Repo, resp.URL)
	out.Add(counts + fmt.Sprintf(" Files whose text has it (%d of %s):\n\n", len(found.Items), amount.Grouped(found.Total)))
	for i, hit := range found.Items {
		out.Add(show.Code(i+1, hit))
	}
	return out.Text(), l.from(resp, p.Keyword, "")
}

func (p FindExamples) show(env tool.Env, rows []row, tree files, site string) string {
	shown := min(len(rows), p.MaxResults)
	title := fmt.Sprintf("**Found %d example files in %s", len(rows), p.Repo)
	if p.Keyword != "" {
		title += fmt.Sprintf(" matching '%s'", show.Line(p.Keyword, 100))
	}
	out := show.NewPage(env, site, tree.warn(""))
	title += ":**"
	if shown < len(rows) {
		title += fmt.Sprintf(" (showing %d of %d)", shown, len(rows))
	}
	out.Add(title + "\n\n")
	for i, r := range rows[:shown] {
		out.Add(r.text(i+1, p))
	}
	return tree.warn(out.Text())
}

// text renders a row.
func (r row) text(n int, p FindExamples) string {
	var b strings.Builder
	name := show.Line(r.Path, 400)
	fmt.Fprintf(&b, "%d. **%s**\n   Size: %s | Ref: %s", n, name, source.Size(r.Size), show.Line(r.SHA[:min(len(r.SHA), 7)], 7))
	if p.Keyword != "" {
		fmt.Fprintf(&b, " | Score: %d", r.Score)
	}
	b.WriteString("\n")
	if r.stub != "" {
		fmt.Fprintf(&b, "   %s moved to %s: read the latter\n", show.Line(r.stub, 400), name)
	}
	if r.gone != "" {
		fmt.Fprintf(&b, "   Only a note: it moved to %s\n", show.Line(r.gone, 300))
	}
	if r.about != "" {
		fmt.Fprintf(&b, "   About: %s\n", r.about)
	}
	if len(r.trainers) > 0 {
		fmt.Fprintf(&b, "   Imports: %s\n", show.Line(strings.Join(r.trainers, ", "), 200))
	}
	fmt.Fprintf(&b, "   URL: %s/%s/blob/HEAD/%s\n   To read, use: {'repo': '%s', 'path': '%s'}\n\n", api.Site, p.Repo, (&url.URL{Path: r.Path}).EscapedPath(), p.Repo, name)
	return b.String()
}
