package papers

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/arxiv"
	"github.com/ml-intern/ml-intern/internal/adapter/scholar"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/papers/graph"
	"github.com/ml-intern/ml-intern/internal/tools/papers/hub"
	"github.com/ml-intern/ml-intern/internal/tools/papers/request"
	"github.com/ml-intern/ml-intern/internal/tools/papers/show"
)

// search finds papers. Plain words are for the Hub; filters and orders are for
// Semantic Scholar, and where that fails for the next service that can honour
// most of them.
func (c *call) search(ctx context.Context) (rendered, error) {
	if !c.Filtered() {
		if c.Offset+c.Limit > hub.MaxSearch {
			return nil, bad("offset and limit together must not be over %d without filters; use arxiv_search", hub.MaxSearch)
		}
		shown, failed := c.searchHub(ctx, "")
		if failed == nil || ctx.Err() != nil {
			return shown, failed
		}
		found, err := c.askArxiv(ctx, nil)
		if err != nil || len(found.Papers) == 0 {
			return nil, failed
		}
		return c.arxivList(found, "Note: from arXiv's search, because the Hub's failed: "+show.Line(failed.Error(), 200)+"\n\n"), nil
	}
	if c.Offset+c.Limit > scholar.MaxFound {
		return nil, bad("offset and limit together must not be over %d; narrow the search", scholar.MaxFound)
	}
	q, foreign := c.scholarQuery()
	var failed error
	if len(foreign) > 0 {
		failed = fmt.Errorf("categories %s is no field of study of Semantic Scholar", strings.Join(foreign, ", "))
	} else {
		found, err := c.scholar.Search(ctx, q)
		if err == nil {
			return c.scholarList(found, ""), nil
		}
		failed = err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return c.searchElsewhere(ctx, q, failed)
}

// searchElsewhere asks the services behind Semantic Scholar.
func (c *call) searchElsewhere(ctx context.Context, q scholar.Query, failed error) (rendered, error) {
	because := "because of Semantic Scholar: " + graph.Reason(failed)
	var f *fetch.Error
	if !errors.As(failed, &f) {
		because = "because " + failed.Error()
	}
	// Only OpenAlex can count citations as well.
	if second := c.scholar.Second(); second != nil && (q.MinCitations > 0 || q.Sort == scholar.CitationCount) {
		if found, err := second.Search(ctx, q); err == nil {
			return c.scholarList(found, "Note: from OpenAlex, "+because+". "+c.dropped("categories")+"\n\n"), nil
		}
	}
	categories, unknown := arxivCategories(c.Categories)
	var dropped []string
	if len(unknown) > 0 {
		dropped = append(dropped, "categories")
	}
	if found, err := c.askArxiv(ctx, categories); err == nil {
		dropped = append(dropped, "min_citations", "sort_by=citationCount")
		return c.arxivList(found, "Note: from arXiv's search, "+because+". "+c.dropped(dropped...)+"\n\n"), nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	note := "Note: from the Hub's search, " + because + "; arXiv's search failed too. "
	shown, err := c.searchHub(ctx, note+c.dropped("date_from", "date_to", "categories", "min_citations", "sort_by")+"\n\n")
	if err != nil {
		return nil, failed // the first failure tells most
	}
	return shown, nil
}

// dropped names those of the given filters that were asked for.
func (c *call) dropped(names ...string) string {
	var lost []string
	for _, n := range names {
		asked := map[string]bool{
			"date_from": c.DateFrom != "", "date_to": c.DateTo != "", "categories": c.Categories != "", "min_citations": c.MinCitations > 0,
			"sort_by": c.SortBy != "" && c.SortBy != "relevance", "sort_by=citationCount": c.SortBy == "citationCount",
		}[n]
		if asked {
			lost = append(lost, n)
		}
	}
	if len(lost) == 0 {
		return "All filters were applied."
	}
	return "NOT applied: " + strings.Join(lost, ", ") + "."
}

// scholarQuery is the search for Semantic Scholar, and the categories that are
// none of its fields of study.
func (c *call) scholarQuery() (q scholar.Query, foreign []string) {
	q = scholar.Query{
		Text: c.Query, From: c.DateFrom, To: c.DateTo, MinCitations: c.MinCitations,
		Sort: scholar.Sort(c.SortBy), Offset: c.Offset, Limit: c.Limit,
	}
	for name := range strings.SplitSeq(c.Categories, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if field := scholar.FieldOfStudy(name); field != "" {
			q.Fields = append(q.Fields, field)
		} else {
			foreign = append(foreign, show.Line(name, 60))
		}
	}
	return q, foreign
}

// arxivCategories turns categories into arXiv's: its own pass, a field of study
// becomes the archives it is in.
func arxivCategories(list string) (known, unknown []string) {
	archives := map[string][]string{
		"Computer Science": {"cs.*"}, "Mathematics": {"math.*"}, "Physics": {"physics.*"}, "Economics": {"econ.*"},
		"Biology": {"q-bio.*"}, "Engineering": {"eess.*"}, "Business": {"q-fin.*"}, "Linguistics": {"cs.CL"},
	}
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if a, ok := archives[scholar.FieldOfStudy(name)]; ok {
			known = append(known, a...)
		} else if scholar.FieldOfStudy(name) == "" && isCategory(name) {
			known = append(known, name)
		} else {
			unknown = append(unknown, name)
		}
	}
	return known, unknown
}

// isCategory accepts what looks like cs.CL, cs.*, math-ph or hep-th.
func isCategory(s string) bool {
	return len(s) <= 20 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-*") == "" && s[0] >= 'a' && s[0] <= 'z'
}

func (c *call) askArxiv(ctx context.Context, categories []string) (*arxiv.Results, error) {
	order := arxiv.Relevance
	if c.SortBy == string(scholar.PublicationDate) {
		order = arxiv.Submitted
	}
	return c.arxiv.Search(ctx, arxiv.Query{
		Text: c.Query, Categories: categories, From: c.DateFrom, To: c.DateTo, Sort: order, Offset: c.Offset, Limit: c.Limit,
	})
}

// arxivSearch searches all of arXiv.
func (c *call) arxivSearch(ctx context.Context) (rendered, error) {
	categories, unknown := arxivCategories(c.Categories)
	if len(unknown) > 0 {
		return nil, bad("categories %q is none of arXiv's; give such as cs.CL,cs.LG", show.Line(strings.Join(unknown, ","), 100))
	}
	found, err := c.askArxiv(ctx, categories)
	if err != nil {
		return nil, err
	}
	note := ""
	if lost := c.dropped("min_citations", "sort_by=citationCount"); strings.HasPrefix(lost, "NOT") {
		note = "Note: arXiv does not count citations. " + lost + "\n\n"
	}
	return c.arxivList(found, note), nil
}

// line is one paper of a search.
type line struct {
	title, venue, year, citations, arxiv, doi, summary, kind string
}

// scholarList shows what a literature service has found.
func (c *call) scholarList(found *scholar.Found, note string) rendered {
	for _, r := range found.Responses {
		c.used(r, "")
	}
	return c.found(note, found.Source, scholarLines(found.Papers), found.Total)
}

func scholarLines(papers []scholar.Paper) []line {
	lines := make([]line, len(papers))
	for i := range papers {
		p := &papers[i]
		lines[i] = line{
			title: p.Title, venue: p.Venue, year: show.Or(p.Year), citations: show.Or(p.Citations),
			arxiv: p.ArxivID, doi: p.DOI, summary: p.TLDR, kind: "TL;DR",
		}
	}
	return lines
}

// arxivList shows what arXiv has found.
func (c *call) arxivList(found *arxiv.Results, note string) rendered {
	c.used(found.Response, "")
	var lines []line
	for _, p := range found.Papers {
		year := "?"
		if len(p.Published) >= 4 {
			year = p.Published
		}
		lines = append(lines, line{
			title: p.Title, venue: strings.Join(p.Categories, ", "), year: year, arxiv: p.ID.Name, summary: p.Summary, kind: "Abstract",
		})
	}
	return c.found(note, "arXiv", lines, found.Total)
}

// found shows papers under the heading of a search. total is -1 when it was not
// told.
func (c *call) found(note, source string, lines []line, total int) rendered {
	head := fmt.Sprintf("%s# Papers matching '%s' (%s)\n", note, show.Line(c.Query, 200), source)
	if len(lines) == 0 {
		where := ""
		if c.Filtered() {
			where = " with these filters"
		}
		return fixed(head + fmt.Sprintf("No papers found%s. A broader call: %s\n", where,
			c.Again(func(p *request.Params) {
				*p = request.Params{Operation: "arxiv_search", Query: show.Line(c.Query, 200)}
			})))
	}
	showing := fmt.Sprintf("Showing %d result(s)", len(lines))
	if total >= 0 {
		showing += " of " + show.Grouped(&total)
	}
	l := show.List{
		Head: head + showing + "\n\n", Offset: c.Offset, Next: c.From,
		More: total > c.Offset+len(lines) || total < 0 && len(lines) == c.Limit,
		Tail: "Read one with read_paper, or follow it with citation_graph.\n",
	}
	for i, x := range lines {
		l.Entries = append(l.Entries, x.entry(c.Offset+i+1))
	}
	return l.Render
}

func (x line) entry(i int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %d. %s\n", i, show.OrText(show.Line(x.title, 300)))
	facts := []string{"Year: " + x.year}
	if x.kind == "Abstract" {
		facts = []string{"Date: " + x.year, "Categories: " + show.OrText(show.Line(x.venue, 100))}
	} else {
		facts = append(facts, "Citations: "+x.citations)
		if x.venue != "" {
			facts = append(facts, "Venue: "+show.Line(x.venue, 150))
		}
	}
	id := show.Line(x.arxiv, 60)
	switch {
	case id != "":
		facts = append(facts, "arxiv_id: "+id)
	case x.doi != "":
		facts = append(facts, "DOI: "+show.Line(x.doi, 150))
	}
	b.WriteString(strings.Join(facts, " | ") + "\n")
	if id != "" {
		fmt.Fprintf(&b, "https://arxiv.org/abs/%s\n", id)
	}
	if x.summary != "" {
		fmt.Fprintf(&b, "**%s:** %s\n", x.kind, show.Line(x.summary, 400))
	}
	return b.String() + "\n"
}
