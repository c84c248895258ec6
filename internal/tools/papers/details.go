package papers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/adapter/scholar"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/papers/graph"
	"github.com/ml-intern/ml-intern/internal/tools/papers/hub"
	"github.com/ml-intern/ml-intern/internal/tools/papers/show"
)

// details tells what is known about one paper: from the Hub, else from arXiv,
// and what Semantic Scholar counts.
func (c *call) details(ctx context.Context) (rendered, error) {
	if c.Arxiv.Name == "" {
		return c.foreignDetails(ctx)
	}
	var onHub *hub.Paper
	var resp *fetch.Response
	var hubErr, countErr error
	var counts *scholar.Record
	var wg sync.WaitGroup
	wg.Go(func() { onHub, resp, hubErr = c.hub.Paper(ctx, c.Arxiv.Name) })
	wg.Go(func() { counts, countErr = c.scholar.Paper(ctx, c.Key) })
	wg.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var head, rest string
	if hubErr == nil {
		c.used(resp, "https://huggingface.co/papers/"+c.Arxiv.Name)
		head, rest = c.hubDetails(onHub)
	} else {
		found, err := c.arxiv.Paper(ctx, c.Arxiv)
		switch {
		case err == nil:
			c.used(found.Response, "")
			head, rest = arxivDetails(&found.Papers[0], hubErr)
		case counts != nil && counts.Title != "" && ctx.Err() == nil:
			head, rest = scholarDetails(counts, fmt.Sprintf("From %s: neither the Hub (%s) nor arXiv (%s) tells of it now.\n",
				counts.Source, show.Line(hubErr.Error(), 150), show.Line(err.Error(), 150)))
		default:
			return nil, fmt.Errorf("%w; the Hub: %s", err, show.Line(hubErr.Error(), 200))
		}
	}
	if counts == nil {
		counts = c.byTitle(ctx, head, countErr)
	}
	if counts != nil {
		c.used(counts.Response, "")
	}
	whole := head + counted(counts, countErr) + rest + c.nextLine()
	return func(room int) string {
		return lookup.Part{Offset: c.Offset, Max: room, More: c.From}.Cut(whole)
	}, nil
}

// byTitle asks for a paper that Semantic Scholar does not know by its id: it may
// know it as it was printed in a journal. nil says that it does not.
func (c *call) byTitle(ctx context.Context, head string, failed error) *scholar.Record {
	var f *fetch.Error
	title, _, _ := strings.Cut(strings.TrimPrefix(head, "# "), "\n")
	if !errors.As(failed, &f) || f.Kind != fetch.NotFound || title == "" {
		return nil
	}
	found, err := c.scholar.Match(ctx, title)
	if err != nil {
		return nil
	}
	return found
}

func (c *call) nextLine() string {
	return fmt.Sprintf("\n**Next:** read_paper, find_all_resources or citation_graph with arxiv_id %q\n", c.Arxiv.Name)
}

// hubDetails is a record of the Hub; the counts of citations go between its
// halves.
func (c *call) hubDetails(p *hub.Paper) (head, rest string) {
	var b strings.Builder
	id := c.Arxiv.Name
	fmt.Fprintf(&b, "# %s\n", show.OrText(show.Line(p.Title, 300)))
	fmt.Fprintf(&b, "**arxiv_id:** %s | **upvotes:** %s\n", id, show.Or(p.Upvotes))
	fmt.Fprintf(&b, "https://huggingface.co/papers/%s\nhttps://arxiv.org/abs/%s\n", id, c.Arxiv)
	if len(p.PublishedAt) >= 10 {
		fmt.Fprintf(&b, "**Published:** %s\n", show.Line(p.PublishedAt[:10], 10))
	}
	var names []string
	for _, a := range p.Authors {
		if !a.Hidden && a.Name != "" {
			names = append(names, a.Name)
		}
	}
	b.WriteString(authors(names))
	if o := p.Organization; o.Name != "" {
		fmt.Fprintf(&b, "**Organization:** %s (https://huggingface.co/%s)\n", show.OrText(show.Line(o.Fullname, 100)), show.Line(o.Name, 100))
	}
	head = b.String()
	b.Reset()
	if len(p.AIKeywords) > 0 {
		fmt.Fprintf(&b, "**Keywords:** %s\n", show.Line(strings.Join(p.AIKeywords, ", "), 1000))
	}
	if p.GithubRepo != "" {
		b.WriteString(github(p))
	}
	if p.ProjectPage != "" {
		fmt.Fprintf(&b, "**Project page:** %s\n", show.Line(p.ProjectPage, 300))
	}
	b.WriteString(linked("Models", p.Models, p.TotalModels) + linked("Datasets", p.Datasets, p.TotalDatasets) + linked("Spaces", p.Spaces, p.TotalSpaces))
	if p.AISummary != "" {
		fmt.Fprintf(&b, "\n## AI Summary\n%s\n", show.Text(p.AISummary))
	}
	fmt.Fprintf(&b, "\n## Abstract\n%s\n", show.OrText(show.Text(p.Summary)))
	return head, b.String()
}

// linked names the first repositories of a paper and how many there are.
func linked(what string, repos []hub.Repo, total *int) string {
	if total == nil && len(repos) == 0 || total != nil && *total == 0 {
		return ""
	}
	var names []string
	for _, r := range repos[:min(3, len(repos))] {
		if r.ID != "" {
			names = append(names, show.Line(r.ID, 120))
		}
	}
	s := fmt.Sprintf("**%s on the Hub:** %s", what, show.Grouped(total))
	if len(names) > 0 {
		s += " (" + strings.Join(names, ", ") + ")"
	}
	return s + "\n"
}

func authors(names []string) string {
	if len(names) == 0 {
		return ""
	}
	s := "**Authors:** " + show.Line(strings.Join(names[:min(10, len(names))], ", "), 1500)
	if len(names) > 10 {
		s += fmt.Sprintf(" (+%d more)", len(names)-10)
	}
	return s + "\n"
}

// counted are the lines that a literature service adds.
func counted(r *scholar.Record, err error) string {
	if r == nil {
		if errors.Is(err, context.Canceled) {
			return ""
		}
		return "**Citations:** unknown (" + graph.Reason(err) + ")\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "**Citations:** %s", show.Grouped(r.Citations))
	if r.Influential != nil {
		fmt.Fprintf(&b, " (%s influential)", show.Grouped(r.Influential))
	}
	if r.Venue != "" {
		fmt.Fprintf(&b, " | **Venue:** %s", show.Line(r.Venue, 150))
	}
	fmt.Fprintf(&b, " | **Year:** %s", show.Or(r.Year))
	if r.DOI != "" {
		fmt.Fprintf(&b, " | **DOI:** %s", show.Line(r.DOI, 150))
	}
	b.WriteString("\n")
	if r.Instead != nil {
		fmt.Fprintf(&b, "(counted by %s, which knows no influence, because %s)\n", r.Source, graph.Reason(r.Instead))
	}
	if r.PDF != "" {
		fmt.Fprintf(&b, "**PDF:** %s\n", show.Line(r.PDF, 300))
	}
	if r.TLDR != "" {
		fmt.Fprintf(&b, "**TL;DR:** %s\n", show.Line(r.TLDR, 600))
	}
	return b.String()
}

// foreignDetails is for a paper that is not named by an arXiv id.
func (c *call) foreignDetails(ctx context.Context) (rendered, error) {
	r, err := c.scholar.Paper(ctx, c.Key)
	if err != nil {
		return nil, err
	}
	c.used(r.Response, "")
	head, rest := scholarDetails(r, fmt.Sprintf("**id:** %s\n", show.Line(string(c.Key), 300)))
	whole := head + counted(r, nil) + rest + fmt.Sprintf("\n**Next:** citation_graph with arxiv_id %q\n", string(c.Key))
	return func(room int) string {
		return lookup.Part{Offset: c.Offset, Max: room, More: c.From}.Cut(whole)
	}, nil
}

// scholarDetails is a record of a literature service; the counts of citations go
// between its halves.
func scholarDetails(r *scholar.Record, note string) (head, rest string) {
	head = fmt.Sprintf("# %s\n%s", show.OrText(show.Line(r.Title, 300)), note)
	if r.ArxivID != "" {
		id := show.Line(r.ArxivID, 60)
		head += fmt.Sprintf("**arxiv_id:** %s\nhttps://arxiv.org/abs/%s\n", id, id)
	}
	return head + authors(r.Authors), fmt.Sprintf("\n## Abstract\n%s\n", show.OrText(show.Text(r.Abstract)))
}
