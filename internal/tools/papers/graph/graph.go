// Package graph follows citations: who cites a paper, whom it cites, and what
// lies two steps away. It ranks what it finds. It knows no other operation on
// papers.
package graph

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/scholar"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/papers/show"
)

// Options make a Service.
type Options struct {
	Scholar *scholar.Client
	// Now is the time; nil is the clock.
	Now func() time.Time
	// Bibliography reads the list of references from the paper's own page, one
	// entry a line, where a publisher withholds it from Semantic Scholar; nil
	// cannot.
	Bibliography func(ctx context.Context, arxivID string) ([]string, *fetch.Response, error)
}

// Service follows citations. It is safe for concurrent use.
type Service struct{ o Options }

// New returns a Service.
func New(o Options) (*Service, error) {
	if o.Scholar == nil {
		return nil, errors.New("make the citation graph: Scholar is required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{o}, nil
}

// Request is what to follow.
type Request struct {
	Key scholar.Key
	// Arxiv is the paper's arXiv id without a version; "" for another paper.
	Arxiv string
	// Citations and References are the sides that are wanted.
	Citations, References bool
	From, To              string
	Offset, Limit         int
	// Query, MinCitations and Depth are for Walk.
	Query        string
	MinCitations int
	Depth        int
}

// Answer is what was found, to be rendered, and where it came from.
type Answer struct {
	// Render returns at most room characters. next gives the call that shows a
	// side from an offset on.
	Render  func(room int, next func(side scholar.Direction, offset int) string) string
	Sources []*fetch.Response
}

// side is one end of the graph.
type side struct {
	d     scholar.Direction
	links *scholar.Links
	err   error
	total int
	// listed are the references read from the paper's page.
	listed []string
}

// Graph lists the papers next to one.
func (s *Service) Graph(ctx context.Context, r Request) (*Answer, error) {
	var sides []*side
	if r.References {
		sides = append(sides, &side{d: scholar.References, total: -1})
	}
	if r.Citations {
		sides = append(sides, &side{d: scholar.Citations, total: -1})
	}
	var wg sync.WaitGroup
	for _, x := range sides {
		wg.Go(func() {
			// One page is ranked at a time; an offset behind it asks for another.
			page := r.Offset / scholar.PageSize * scholar.PageSize
			x.links, x.err = s.o.Scholar.Links(ctx, r.Key, x.d, scholar.Span{Offset: page, Limit: scholar.PageSize, From: r.From, To: r.To})
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := allFailed(sides); err != nil {
		return nil, err
	}
	about := s.about(ctx, r.Key, sides)
	answer := &Answer{}
	for _, x := range sides {
		s.complete(ctx, x, about, r, answer)
	}
	if about != nil {
		answer.Sources = append(answer.Sources, about.Response)
	}
	answer.Render = func(room int, next func(scholar.Direction, int) string) string {
		return render(r, sides, about, room, next)
	}
	return answer, nil
}

// about asks for the totals, which only it tells; nil costs nothing else. It
// comes last: the service takes one question a second, and where it takes none
// the sides have said so.
func (s *Service) about(ctx context.Context, key scholar.Key, sides []*side) *scholar.Record {
	for _, x := range sides {
		if scholar.Limited(x.err) || x.links != nil && scholar.Limited(x.links.Instead) {
			return nil
		}
	}
	about, err := s.o.Scholar.Semantic.Paper(ctx, key)
	if err != nil {
		return nil
	}
	return about
}

// allFailed is the error of sides none of which was found: that which says when
// to try again, where there is one.
func allFailed(sides []*side) error {
	var first error
	for _, x := range sides {
		if x.err == nil {
			return nil
		}
		if first == nil || scholar.Limited(x.err) && !scholar.Limited(first) {
			first = x.err
		}
	}
	return first
}

// complete ranks a side, and finds what was not told.
func (s *Service) complete(ctx context.Context, x *side, about *scholar.Record, r Request, answer *Answer) {
	if x.links == nil {
		return
	}
	answer.Sources = append(answer.Sources, x.links.Response)
	x.total = x.links.Total
	if about != nil && r.From == "" && r.To == "" && x.links.Instead == nil {
		n := about.Citations
		if x.d == scholar.References {
			n = about.References
		}
		if n != nil {
			x.total = *n
		}
	}
	now := s.o.Now()
	slices.SortStableFunc(x.links.Links, func(a, b scholar.Link) int {
		if a.Influential != b.Influential {
			return before(a.Influential)
		}
		if x.d == scholar.Citations {
			return cmp.Or(cmp.Compare(perYear(&b.Paper, now), perYear(&a.Paper, now)), newer(&a.Paper, &b.Paper))
		}
		return cmp.Or(cmp.Compare(value(b.Citations), value(a.Citations)), newer(&a.Paper, &b.Paper))
	})
	if x.links.Withheld && x.d == scholar.References && s.o.Bibliography != nil && r.Arxiv != "" {
		if list, resp, err := s.o.Bibliography(ctx, r.Arxiv); err == nil && len(list) > 0 {
			x.listed = list
			answer.Sources = append(answer.Sources, resp)
		}
	}
}

func before(a bool) int {
	if a {
		return -1
	}
	return 1
}

func newer(a, b *scholar.Paper) int {
	return cmp.Or(cmp.Compare(value(b.Year), value(a.Year)), strings.Compare(b.Date, a.Date))
}

// value is a number that is known, else -1.
func value(n *int) int {
	if n == nil {
		return -1
	}
	return *n
}

// perYear is how often a paper was cited for each year of its life, at least
// one.
func perYear(p *scholar.Paper, now time.Time) float64 {
	if p.Citations == nil {
		return -1
	}
	years := 1.0
	if t, err := time.Parse(time.DateOnly, p.Date); err == nil {
		years = now.Sub(t).Hours() / 24 / 365.25
	} else if p.Year != nil {
		years = float64(now.Year() - *p.Year + 1)
	}
	return float64(*p.Citations) / max(years, 1)
}

func render(r Request, sides []*side, about *scholar.Record, room int, next func(scholar.Direction, int) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Citation Graph for %s\n", r.Key.Bare())
	if r.Arxiv != "" {
		fmt.Fprintf(&b, "https://arxiv.org/abs/%s\n", r.Arxiv)
	}
	if about != nil && about.Title != "" {
		fmt.Fprintf(&b, "**Title:** %s\n", show.Line(about.Title, 300))
	}
	b.WriteString("\n")
	tip := "**Tip:** read the papers marked influential with read_paper; citation_walk ranks two steps at once.\n"
	room -= len([]rune(b.String())) + len([]rune(tip))
	for i, x := range sides {
		text := x.render(r, room/(len(sides)-i), next)
		room -= len([]rune(text))
		b.WriteString(text)
	}
	b.WriteString(tip)
	return b.String()
}

// heading is how a side is called.
func (x *side) heading() string {
	if x.d == scholar.References {
		return "References"
	}
	return "Citations"
}

func (x *side) render(r Request, room int, next func(scholar.Direction, int) string) string {
	if x.err != nil {
		return fmt.Sprintf("## %s\n%s could not be listed: %s\n\n", x.heading(), x.heading(), Reason(x.err))
	}
	if x.links.Withheld && x.d == scholar.References {
		return x.withheld(room)
	}
	page := r.Offset / scholar.PageSize * scholar.PageSize
	start := min(r.Offset-page, len(x.links.Links))
	end := min(start+r.Limit, len(x.links.Links))
	l := show.List{Offset: r.Offset, More: end < len(x.links.Links) || x.links.More, Next: func(n int) string { return next(x.d, n) }}
	l.Head = fmt.Sprintf("## %s (%s)\n", x.heading(), x.size(page)) + x.note(page)
	for _, link := range x.links.Links[start:end] {
		l.Entries = append(l.Entries, entry(&link, x.d == scholar.Citations))
	}
	if start == end {
		l.Head += "None"
		if start > 0 {
			l.Head += " from this offset on"
		}
		l.Head += ".\n"
		l.More = false
	}
	l.Tail = "\n"
	return l.Render(room)
}

// size is how many there are, as far as it is known.
func (x *side) size(page int) string {
	if x.total >= 0 {
		return strconv.Itoa(max(x.total, page+len(x.links.Links)))
	}
	if x.links.More {
		return strconv.Itoa(page+len(x.links.Links)) + "+"
	}
	return strconv.Itoa(page + len(x.links.Links))
}

// note says what has to be known about a list before it is read.
func (x *side) note(page int) string {
	var b strings.Builder
	if x.links.Instead != nil {
		fmt.Fprintf(&b, "From %s, because %s. It knows no influence, intents or contexts: the most cited come first.\n", x.links.Source, Reason(x.links.Instead))
	}
	if x.links.Withheld {
		b.WriteString("The publisher withholds this list from Semantic Scholar.\n")
	}
	if x.links.Instead == nil && (x.links.More || page > 0) {
		fmt.Fprintf(&b, "Ranked among entries %d to %d, as Semantic Scholar lists them (newest first).\n", page+1, page+len(x.links.Links))
	}
	return b.String()
}

func (x *side) withheld(room int) string {
	head := "## References\nThe publisher withholds the list of references from Semantic Scholar.\n"
	if len(x.listed) == 0 {
		return head + "Read it in the paper itself: read_paper with section \"references\".\n\n"
	}
	var b strings.Builder
	b.WriteString(head + fmt.Sprintf("From the paper's own page (%d entries):\n", len(x.listed)))
	left := room - len([]rune(b.String())) - 200
	for i, item := range x.listed {
		line := "- " + show.Line(item, 400) + "\n"
		if left -= len([]rune(line)); left < 0 {
			fmt.Fprintf(&b, "… %d more: read_paper with section \"references\"\n", len(x.listed)-i)
			break
		}
		b.WriteString(line)
	}
	return b.String() + "\n"
}

// entry is a paper with how it is linked.
func entry(l *scholar.Link, quoted bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "- **%s** (%s, %s cites)", show.OrText(show.Line(l.Title, 300)), show.Or(l.Year), show.Or(l.Citations))
	if l.Influential {
		b.WriteString(" **[influential]**")
	}
	if l.ArxivID != "" {
		fmt.Fprintf(&b, "  arxiv:%s", show.Line(l.ArxivID, 40))
	}
	b.WriteString("\n")
	if !quoted {
		return b.String()
	}
	if len(l.Intents) > 0 {
		fmt.Fprintf(&b, "  Intent: %s\n", show.Line(strings.Join(l.Intents, ", "), 120))
	}
	for _, c := range l.Contexts[:min(2, len(l.Contexts))] {
		fmt.Fprintf(&b, "  > %s\n", show.Line(c, 200))
	}
	return b.String()
}

// Reason tells a failure in words, with what helps.
func Reason(err error) string {
	text := err.Error()
	var f *fetch.Error
	if errors.As(err, &f) && f.Kind == fetch.RateLimited {
		text = "rate limited: " + f.Error()
		if !strings.Contains(text, "S2_API_KEY") {
			text += "; " + Advice(err)
		}
	}
	return show.Line(text, 500)
}

// Advice is what to do after a failure of Semantic Scholar.
func Advice(err error) string {
	var f *fetch.Error
	switch {
	case !errors.As(err, &f):
		return "Try again."
	case f.Kind == fetch.RateLimited:
		return "Set S2_API_KEY for a limit that is not shared with everybody, or try again later"
	case f.Kind == fetch.NotFound:
		return "New papers take days to be listed there: try paper_details, or search for the title"
	case f.Kind == fetch.BadArgument:
		return "Correct the arguments and call again"
	}
	return "Try again later, or use search and read_paper, which ask other services"
}
