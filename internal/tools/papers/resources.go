package papers

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/papers/hub"
	"github.com/ml-intern/ml-intern/internal/tools/papers/show"
)

// datasets lists the data sets that name the paper.
func (c *call) datasets(ctx context.Context) (rendered, error) { return c.list(ctx, hub.Datasets) }

// models lists the models that name the paper.
func (c *call) models(ctx context.Context) (rendered, error) { return c.list(ctx, hub.Models) }

func (c *call) list(ctx context.Context, kind hub.Kind) (rendered, error) {
	sort, shownSort := "downloads", "downloads"
	if c.Sort != "" {
		sort, shownSort = c.Sort, c.Sort
	}
	if sort == "trending" {
		sort = "trendingScore"
	}
	id := c.Arxiv.Name
	repos, resp, err := c.hub.List(ctx, kind, id, sort, c.Offset+c.Limit)
	if err != nil {
		return nil, err
	}
	c.used(resp, "")
	what, other := "dataset", "find_models"
	title := "Datasets"
	if kind == hub.Models {
		what, other, title = "model", "find_datasets", "Models"
	}
	start := min(c.Offset, len(repos))
	shown := repos[start:min(start+c.Limit, len(repos))]
	head := fmt.Sprintf("# %s linked to paper %s\nhttps://huggingface.co/papers/%s\n", title, id, id)
	if len(shown) == 0 {
		return fixed(head + fmt.Sprintf("No %ss found that are tagged arxiv:%s (https://huggingface.co/%s?other=arxiv:%s). Try %s or find_all_resources, or search for the paper's name.\n",
			what, id, kind, id, other)), nil
	}
	l := show.List{
		Head:   head + fmt.Sprintf("Showing %d %s(s), sorted by %s\n\n", len(shown), what, shownSort),
		Offset: start, More: len(repos) == c.Offset+c.Limit, Next: c.From,
	}
	for i := range shown {
		l.Entries = append(l.Entries, repoEntry(start+i+1, &shown[i], kind))
	}
	if kind == hub.Datasets {
		l.Tail = fmt.Sprintf("Look into one: hf_inspect_dataset {\"dataset\":%q}\n", show.Line(shown[0].ID, 120))
	}
	return l.Render, nil
}

func repoEntry(i int, r *hub.Repo, kind hub.Kind) string {
	id := show.OrText(show.Line(r.ID, 120))
	address := "https://huggingface.co/" + id
	if kind == hub.Datasets {
		address = "https://huggingface.co/datasets/" + id
	}
	var b strings.Builder
	fmt.Fprintf(&b, "**%d. [%s](%s)**\n", i, id, address)
	fmt.Fprintf(&b, "   Downloads: %s | Likes: %s", show.Grouped(r.Downloads), show.Grouped(r.Likes))
	if kind == hub.Models {
		if r.Task != "" {
			fmt.Fprintf(&b, " | Task: %s", show.Line(r.Task, 60))
		}
		if r.Library != "" {
			fmt.Fprintf(&b, " | Library: %s", show.Line(r.Library, 60))
		}
		return b.String() + "\n\n"
	}
	b.WriteString("\n")
	var tags []string
	for _, t := range r.Tags {
		if t != "" && !strings.HasPrefix(t, "arxiv:") && !strings.HasPrefix(t, "region:") && len(tags) < 5 {
			tags = append(tags, t)
		}
	}
	if len(tags) > 0 {
		fmt.Fprintf(&b, "   Tags: %s\n", show.Line(strings.Join(tags, ", "), 300))
	}
	if d := show.Line(r.Description, 300); d != "" {
		fmt.Fprintf(&b, "   %s\n", d)
	}
	return b.String() + "\n"
}

// collections lists the collections that hold the paper.
func (c *call) collections(ctx context.Context) (rendered, error) {
	id := c.Arxiv.Name
	list, resp, err := c.hub.Collections(ctx, id, c.Offset+c.Limit)
	if err != nil {
		return nil, err
	}
	c.used(resp, "")
	start := min(c.Offset, len(list))
	shown := list[start:min(start+c.Limit, len(list))]
	head := fmt.Sprintf("# Collections containing paper %s\nhttps://huggingface.co/papers/%s\n", id, id)
	if len(shown) == 0 {
		return fixed(head + "No collections found that hold this paper. Try find_all_resources.\n"), nil
	}
	l := show.List{
		Head: head + fmt.Sprintf("Showing %d collection(s)\n\n", len(shown)), Offset: start, More: len(list) == c.Offset+c.Limit, Next: c.From,
	}
	for i := range shown {
		x := &shown[i]
		var b strings.Builder
		fmt.Fprintf(&b, "**%d. %s**\n", start+i+1, show.OrText(show.Line(x.Title, 200)))
		fmt.Fprintf(&b, "   By: %s | Upvotes: %s | Items: %s\n", show.OrText(show.Line(x.Owner.Name, 100)), show.Or(x.Upvotes), itemCount(len(x.Items)))
		if x.Slug != "" {
			fmt.Fprintf(&b, "   https://huggingface.co/collections/%s\n", show.Line(x.Slug, 200))
		}
		if d := show.Line(x.Description, 300); d != "" {
			fmt.Fprintf(&b, "   %s\n", d)
		}
		l.Entries = append(l.Entries, b.String()+"\n")
	}
	return l.Render, nil
}

// itemCount is how many items a collection has: an answer holds four of them at
// most.
func itemCount(n int) string {
	if n >= 4 {
		return "≥ 4"
	}
	return fmt.Sprint(n)
}

// part is one section of the resources of a paper.
type part struct {
	heading string
	entries []string
	err     error
}

// resources lists all that belongs to the paper. What fails is said in a line;
// the rest stands.
func (c *call) resources(ctx context.Context) (rendered, error) {
	id, limit := c.Arxiv.Name, min(c.Limit, 10)
	var repos *hub.Repos
	var record *hub.Paper
	var collections []hub.Collection
	var responses [3]*fetch.Response
	var repoErr, collectionErr error
	var wg sync.WaitGroup
	wg.Go(func() { repos, responses[0], repoErr = c.hub.Repos(ctx, id) })
	wg.Go(func() { collections, responses[1], collectionErr = c.hub.Collections(ctx, id, limit) })
	wg.Go(func() { record, responses[2], _ = c.hub.Paper(ctx, id) }) // costs the authors' repository only
	wg.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	for _, r := range responses {
		c.used(r, "")
	}
	var parts []part
	if repoErr == nil {
		parts = []part{
			repoPart("Datasets", repos.Datasets, limit, nil), repoPart("Models", repos.Models, limit, nil), repoPart("Spaces", repos.Spaces, limit, nil),
		}
	} else {
		parts = c.threeLists(ctx, limit)
	}
	parts = append(parts, collectionPart(collections, limit, collectionErr))
	failed := 0
	for _, p := range parts {
		if p.err != nil {
			failed++
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if failed == len(parts) {
		return nil, collectionErr
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Resources linked to paper %s\nhttps://huggingface.co/papers/%s\n", id, id)
	if record != nil && record.GithubRepo != "" {
		b.WriteString("The authors' repository: " + strings.TrimPrefix(github(record), "**GitHub:** "))
	}
	for _, p := range parts {
		if p.err != nil {
			fmt.Fprintf(&b, "\n## %s\n%s could not be listed: %s\n", p.heading, p.heading, kindOf(p.err))
			continue
		}
		fmt.Fprintf(&b, "\n## %s (%d)\n%s", p.heading, len(p.entries), strings.Join(p.entries, ""))
	}
	b.WriteString("\nMore of each: find_datasets, find_models, find_collections.\n")
	return fixed(b.String()), nil
}

// threeLists asks for each kind of repository by itself.
func (c *call) threeLists(ctx context.Context, limit int) []part {
	kinds := []struct {
		heading string
		kind    hub.Kind
	}{{"Datasets", hub.Datasets}, {"Models", hub.Models}, {"Spaces", hub.Spaces}}
	parts := make([]part, len(kinds))
	responses := make([]*fetch.Response, len(kinds))
	var wg sync.WaitGroup
	for i, k := range kinds {
		wg.Go(func() {
			sort := "downloads"
			if k.kind == hub.Spaces {
				sort = "likes" // Spaces are not downloaded
			}
			repos, resp, err := c.hub.List(ctx, k.kind, c.Arxiv.Name, sort, limit)
			parts[i], responses[i] = repoPart(k.heading, repos, limit, err), resp
		})
	}
	wg.Wait()
	for _, r := range responses {
		c.used(r, "")
	}
	return parts
}

func repoPart(heading string, repos []hub.Repo, limit int, err error) part {
	p := part{heading: heading, err: err}
	for _, r := range repos[:min(limit, len(repos))] {
		entry := "- **" + show.OrText(show.Line(r.ID, 120)) + "**"
		if r.Downloads != nil || heading != "Spaces" {
			entry += " (" + show.Grouped(r.Downloads) + " downloads)"
		} else {
			entry += " (" + show.Grouped(r.Likes) + " likes)"
		}
		if r.Task != "" {
			entry += " (" + show.Line(r.Task, 60) + ")"
		}
		p.entries = append(p.entries, entry+"\n")
	}
	return p
}

func collectionPart(list []hub.Collection, limit int, err error) part {
	p := part{heading: "Collections", err: err}
	for _, x := range list[:min(limit, len(list))] {
		p.entries = append(p.entries, fmt.Sprintf("- **%s** by %s (%s upvotes)\n", show.OrText(show.Line(x.Title, 200)), show.OrText(show.Line(x.Owner.Name, 100)), show.Or(x.Upvotes)))
	}
	return p
}
