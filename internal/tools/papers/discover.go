package papers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/tools/papers/hub"
	"github.com/ml-intern/ml-intern/internal/tools/papers/request"
	"github.com/ml-intern/ml-intern/internal/tools/papers/show"
)

// firstDay is the first day of the daily list.
const firstDay = "2023-05-04"

// listPages is how many pages of the daily list are looked through.
const listPages = 3

// trending shows the daily list: by trend, or the best of a period.
func (c *call) trending(ctx context.Context) (rendered, error) {
	today := c.today()
	if c.Date != "" && (c.Date < firstDay || c.Date > today) {
		return c.noSuchDay(ctx, today)
	}
	papers, seen, more, err := c.daily(ctx)
	if err != nil {
		return nil, err
	}
	if len(papers) == 0 {
		hint := "\nAsk without query for all of them, or search the whole archive with search.\n"
		if c.Date != "" && c.Query == "" {
			hint = c.nearest(ctx)
		}
		return fixed(c.noneTrending() + hint), nil
	}
	start := min(c.Offset, len(papers))
	shown := papers[start:min(start+c.Limit, len(papers))]
	head := "# Trending Papers"
	if p := c.periodName(); p != "" {
		head += " (" + p + ")"
	}
	tail := ""
	if c.Query != "" {
		head += "\nFiltered by: '" + show.Line(c.Query, 200) + "'"
		if more {
			tail = fmt.Sprintf("Looked through the first %d papers of the list.\n", seen)
		}
		more = false
	}
	return c.paperList(head+"\n", tail, shown, start, more || start+len(shown) < len(papers)), nil
}

// daily reads as much of the daily list as the call needs: those that fit of the
// seen ones. more says that there are others behind these.
func (c *call) daily(ctx context.Context) (papers []hub.Paper, seen int, more bool, err error) {
	whole := c.Query != "" || c.periodName() != "" // all has to be seen to filter or rank it
	limit := min(c.Offset+c.Limit, hub.MaxDaily)
	if whole {
		limit = hub.MaxDaily
	}
	for page := range listPages {
		list, resp, err := c.hub.Daily(ctx, c.Period, false, page, limit)
		if err != nil {
			if page > 0 && ctx.Err() == nil {
				more = true // what there is serves
				break
			}
			return nil, 0, false, err
		}
		c.used(resp, "")
		seen += len(list)
		for _, p := range list {
			if c.Query == "" || mentions(&p, c.Query) {
				papers = append(papers, p)
			}
		}
		if more = len(list) == limit; !more {
			break
		}
		if c.periodName() == "" && len(papers) >= c.Offset+c.Limit {
			break // the order is already the one wanted
		}
	}
	if c.periodName() != "" {
		slices.SortStableFunc(papers, func(a, b hub.Paper) int { return cmp.Compare(votes(&b), votes(&a)) })
	}
	return papers, seen, more, nil
}

func votes(p *hub.Paper) int {
	if p.Upvotes == nil {
		return -1
	}
	return *p.Upvotes
}

// mentions reports whether a paper has the query in its title, abstract or
// keywords.
func mentions(p *hub.Paper, query string) bool {
	query = strings.ToLower(query)
	for _, s := range append([]string{p.Title, p.Summary}, p.AIKeywords...) {
		if strings.Contains(strings.ToLower(s), query) {
			return true
		}
	}
	return false
}

// periodName is the period asked for, "" for none.
func (c *call) periodName() string { return cmp.Or(c.Date, c.Week, c.Month) }

func (c *call) noneTrending() string {
	s := "No trending papers found"
	if c.Query != "" {
		s += " matching '" + show.Line(c.Query, 200) + "'"
	}
	if p := c.periodName(); p != "" {
		s += " for " + p
	}
	return s + "."
}

// place is where a day of the list ends: New York.
func place() *time.Location {
	if l, err := time.LoadLocation("America/New_York"); err == nil {
		return l
	}
	return time.FixedZone("EST", -5*3600)
}

func (c *call) today() string { return c.o.Now().In(place()).Format(time.DateOnly) }

// noSuchDay answers for days on which there cannot be a list.
func (c *call) noSuchDay(ctx context.Context, today string) (rendered, error) {
	if c.Date < firstDay {
		return fixed(c.noneTrending() + " The archive begins on " + firstDay + ".\n"), nil
	}
	hint := fmt.Sprintf(" That day is in the future: it is %s in New York, where a day of the list turns at midnight.", today)
	newest, resp, err := c.hub.Daily(ctx, hub.Period{}, true, 0, 1)
	if err == nil && len(newest) > 0 {
		c.used(resp, "")
		if day := dayOf(&newest[0]); day != "" {
			hint += " The nearest day that has papers is " + day + "."
		}
	}
	return fixed(c.noneTrending() + hint + "\n"), nil
}

// nearest finds the day next to an empty one that has papers: mostly the
// Friday or the Monday next to a weekend.
func (c *call) nearest(ctx context.Context) string {
	wanted, err := time.Parse(time.DateOnly, c.Date)
	if err != nil {
		return ""
	}
	year, week := wanted.ISOWeek()
	for _, p := range []hub.Period{{Week: fmt.Sprintf("%04d-W%02d", year, week)}, {Month: c.Date[:7]}} {
		list, resp, err := c.hub.Daily(ctx, p, false, 0, hub.MaxDaily)
		if err != nil {
			break
		}
		best, distance := "", time.Duration(1<<62)
		for i := range list {
			day := dayOf(&list[i])
			if t, err := time.Parse(time.DateOnly, day); err == nil && t.Sub(wanted).Abs() < distance {
				best, distance = day, t.Sub(wanted).Abs()
			}
		}
		if best != "" {
			c.used(resp, "")
			return fmt.Sprintf(" The nearest day that has papers is %s: %s\n", best, c.Again(func(p *request.Params) { p.Date = best }))
		}
	}
	return " There are few papers at weekends: try the Friday before.\n"
}

// dayOf is the day on which a paper was on the list.
func dayOf(p *hub.Paper) string {
	t, err := time.Parse(time.RFC3339, p.DailyAt)
	if err != nil {
		return ""
	}
	return t.In(place()).Format(time.DateOnly)
}

// searchHub asks the Hub's own search, which knows no filters.
func (c *call) searchHub(ctx context.Context, note string) (rendered, error) {
	query := c.Query
	if r := []rune(query); len(r) > hub.MaxQuery {
		query = string(r[:hub.MaxQuery])
	}
	papers, resp, err := c.hub.Search(ctx, query, c.Offset+c.Limit)
	if err != nil {
		return nil, err
	}
	c.used(resp, "")
	if len(papers) == 0 {
		return fixed(note + fmt.Sprintf("No papers found matching '%s' on the Hub. Try fewer or broader words, or the whole of arXiv: %s\n",
			show.Line(query, 200), c.Again(func(p *request.Params) { *p = request.Params{Operation: "arxiv_search", Query: query} }))), nil
	}
	start := min(c.Offset, len(papers))
	shown := papers[start:min(start+c.Limit, len(papers))]
	more := start+c.Limit < len(papers) || len(papers) == c.Offset+c.Limit && len(papers) < hub.MaxSearch
	return c.paperList(fmt.Sprintf("%s# Papers matching '%s'\n", note, show.Line(c.Query, 200)), "", shown, start, more), nil
}

// paperList shows papers as the Hub knows them.
func (c *call) paperList(head, tail string, papers []hub.Paper, start int, more bool) rendered {
	l := show.List{Head: head + fmt.Sprintf("Showing %d paper(s)\n\n", len(papers)), Offset: start, More: more && len(papers) > 0, Next: c.From, Tail: tail}
	if len(papers) == 0 {
		l.Head += "There are none from this offset on.\n"
	}
	for i := range papers {
		l.Entries = append(l.Entries, hubEntry(start+i+1, &papers[i]))
	}
	return l.Render
}

func hubEntry(i int, p *hub.Paper) string {
	var b strings.Builder
	id := show.Line(p.ID, 60)
	fmt.Fprintf(&b, "## %d. %s\n", i, show.OrText(show.Line(p.Title, 300)))
	fmt.Fprintf(&b, "**arxiv_id:** %s | **upvotes:** %s\n", show.OrText(id), show.Or(p.Upvotes))
	if id != "" {
		fmt.Fprintf(&b, "https://huggingface.co/papers/%s\n", id)
	}
	if len(p.AIKeywords) > 0 {
		fmt.Fprintf(&b, "**Keywords:** %s\n", show.Line(strings.Join(p.AIKeywords[:min(5, len(p.AIKeywords))], ", "), 300))
	}
	if p.GithubRepo != "" {
		b.WriteString(github(p))
	}
	if s := cmp.Or(p.AISummary, p.Summary); s != "" {
		fmt.Fprintf(&b, "**Summary:** %s\n", show.Line(s, 300))
	}
	return b.String() + "\n"
}

func github(p *hub.Paper) string {
	s := "**GitHub:** " + show.Line(p.GithubRepo, 200)
	if p.GithubStars != nil {
		s += " (" + show.Or(p.GithubStars) + " stars)"
	}
	return s + "\n"
}
