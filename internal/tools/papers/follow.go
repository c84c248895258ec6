package papers

import (
	"context"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/scholar"
	"github.com/ml-intern/ml-intern/internal/tools/papers/graph"
	"github.com/ml-intern/ml-intern/internal/tools/papers/request"
	"github.com/ml-intern/ml-intern/internal/tools/papers/show"
)

func (c *call) graphRequest() graph.Request {
	return graph.Request{
		Key: c.Key, Arxiv: c.Arxiv.Name,
		Citations: c.Direction != string(scholar.References), References: c.Direction != string(scholar.Citations),
		From: c.DateFrom, To: c.DateTo, Offset: c.Offset, Limit: c.Limit,
		Query: c.Query, MinCitations: c.MinCitations, Depth: c.Depth,
	}
}

// citationGraph lists who cites the paper and whom it cites.
func (c *call) citationGraph(ctx context.Context) (rendered, error) {
	return c.followed(c.graph.Graph(ctx, c.graphRequest()))
}

// citationWalk ranks the papers around one.
func (c *call) citationWalk(ctx context.Context) (rendered, error) {
	return c.followed(c.graph.Walk(ctx, c.graphRequest()))
}

func (c *call) followed(a *graph.Answer, err error) (rendered, error) {
	if err != nil {
		return nil, err
	}
	for _, r := range a.Sources {
		c.used(r, "")
	}
	return func(room int) string {
		return a.Render(room, func(side scholar.Direction, offset int) string {
			return c.Again(func(p *request.Params) {
				p.Offset = offset
				if side != "" {
					p.Direction = string(side)
				}
			})
		})
	}, nil
}

// passages finds pieces of texts that answer the query.
func (c *call) passages(ctx context.Context) (rendered, error) {
	q, foreign := c.scholarQuery()
	if len(foreign) > 0 {
		return nil, bad("categories %s is no field of study; one of %s", strings.Join(foreign, ", "), strings.Join(scholar.FieldsOfStudy(), ", "))
	}
	q.Limit = min(c.Offset+c.Limit, scholar.MaxFound)
	var in []scholar.Key
	if c.Key != "" {
		in = append(in, c.Key)
	}
	found, err := c.scholar.Passages(ctx, q, in...)
	if err != nil {
		return nil, err
	}
	c.used(found.Response, "")
	head := fmt.Sprintf("# Snippet Search: '%s'\n", show.Line(c.Query, 200))
	start := min(c.Offset, len(found.Passages))
	shown := found.Passages[start:min(start+c.Limit, len(found.Passages))]
	if len(shown) == 0 {
		return fixed(head + fmt.Sprintf("No passages found. Only open papers can be searched so. A broader call: %s\n",
			c.Again(func(p *request.Params) { *p = request.Params{Operation: "search", Query: show.Line(c.Query, 200)} }))), nil
	}
	about := c.about(ctx, shown)
	l := show.List{
		Head:   head + fmt.Sprintf("Found %d matching passage(s)\n\n", len(shown)),
		Tail:   "Read around a passage with read_paper and its section.\n",
		Offset: start, More: start+len(shown) < len(found.Passages) || len(found.Passages) == q.Limit, Next: c.From,
	}
	for i, group := range grouped(shown) {
		l.Entries = append(l.Entries, passageEntry(i+1, group, about[scholar.Key("CorpusId:"+group[0].Corpus)]))
	}
	if len(l.Entries) < len(shown) {
		// Several passages of one paper are one entry: counting entries would
		// skip some, so that a cut goes on from where this call began.
		l.Next = func(n int) string {
			if n < start+len(l.Entries) {
				return c.Again(func(p *request.Params) { p.Limit, p.Offset = max(1, (n-start)/2), start })
			}
			return c.From(start + len(shown))
		}
	}
	return l.Render, nil
}

// about asks who the papers of passages are; failing costs only that.
func (c *call) about(ctx context.Context, shown []scholar.Passage) map[scholar.Key]*scholar.Paper {
	var keys []scholar.Key
	seen := map[string]bool{}
	for _, p := range shown {
		if p.Corpus != "" && !seen[p.Corpus] {
			seen[p.Corpus] = true
			keys = append(keys, scholar.Key("CorpusId:"+p.Corpus))
		}
	}
	if len(keys) == 0 {
		return nil
	}
	batch, err := c.scholar.Batch(ctx, keys, scholar.BriefFields)
	if err != nil {
		return nil
	}
	c.used(batch.Response, "")
	return batch.Papers
}

// grouped puts the passages of one paper together, in order of the best.
func grouped(all []scholar.Passage) [][]scholar.Passage {
	var groups [][]scholar.Passage
	at := map[string]int{}
	for _, p := range all {
		id := p.Corpus + "\n" + p.Title
		i, ok := at[id]
		if !ok {
			i = len(groups)
			at[id] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], p)
	}
	return groups
}

func passageEntry(i int, group []scholar.Passage, about *scholar.Paper) string {
	year, cites, id := "?", "?", ""
	if about != nil {
		year, cites, id = show.Or(about.Year), show.Or(about.Citations), show.Line(about.ArxivID, 60)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "### %d. %s (%s, %s cites)\n", i, show.OrText(show.Line(group[0].Title, 300)), year, cites)
	if id != "" {
		fmt.Fprintf(&b, "arxiv:%s\n", id)
	}
	for _, p := range group {
		section := p.Section
		if section == "" {
			section = p.Kind
		}
		if section != "" {
			fmt.Fprintf(&b, "Section: %s\n", show.Line(section, 150))
		}
		fmt.Fprintf(&b, "> %s\n", show.Line(p.Text, 400))
	}
	return b.String() + "\n"
}

// recommend finds papers like one or like some.
func (c *call) recommend(ctx context.Context) (rendered, error) {
	wanted := min(c.Offset+c.Limit, 500)
	var found *scholar.Found
	var err error
	based := c.Title()
	if c.Key != "" {
		found, err = c.scholar.Like(ctx, c.Key, wanted)
	} else {
		found, err = c.scholar.LikeThese(ctx, c.Positive, c.Negative, wanted)
		var ids []string
		for _, k := range c.Positive {
			ids = append(ids, k.Bare())
		}
		based = strings.Join(ids, ", ")
	}
	if err != nil {
		return nil, err
	}
	for _, r := range found.Responses {
		c.used(r, "")
	}
	head := "# Recommended papers based on " + show.Line(based, 300) + "\n"
	start := min(c.Offset, len(found.Papers))
	lines := scholarLines(found.Papers[start:])
	lines = lines[:min(len(lines), c.Limit)]
	if len(lines) == 0 {
		return fixed(head + "No recommendations found. Try citation_graph with the same paper, or search for its topic.\n"), nil
	}
	l := show.List{
		Head: head + fmt.Sprintf("Showing %d result(s)\n\n", len(lines)), Offset: start,
		More: len(found.Papers) == wanted && wanted < 500, Next: c.From,
	}
	for i, x := range lines {
		l.Entries = append(l.Entries, x.entry(start+i+1))
	}
	return l.Render, nil
}
