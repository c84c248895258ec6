package scholar

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/loose"
)

const (
	works = "https://api.openalex.org/works"
	// mostWorks is the largest page.
	mostWorks  = 100
	workFields = "id,doi,display_name,publication_year,publication_date,cited_by_count,referenced_works_count,primary_location,locations,authorships"
)

// OpenAlex knows counts and links, but neither influence nor contexts.
type OpenAlex struct{ fetch fetch.Getter }

// Name is what texts call it.
func (o *OpenAlex) Name() string { return "OpenAlex" }

type wireWork struct {
	ID              string
	DOI             string
	DisplayName     string   `json:"display_name"`
	Year            *int     `json:"publication_year"`
	Date            string   `json:"publication_date"`
	Citations       *int     `json:"cited_by_count"`
	References      *int     `json:"referenced_works_count"`
	PrimaryLocation location `json:"primary_location"`
	Locations       []location
	Authorships     []struct {
		Author struct {
			Name string `json:"display_name"`
		}
	}
}

type location struct {
	Landing string `json:"landing_page_url"`
	PDF     string `json:"pdf_url"`
	Source  struct {
		Name string `json:"display_name"`
	}
}

func (w *wireWork) paper() Paper {
	p := Paper{
		ID: strings.TrimPrefix(line(w.ID), "https://openalex.org/"), Title: line(w.DisplayName), Venue: line(w.PrimaryLocation.Source.Name),
		Date: line(w.Date), Year: count(w.Year), Citations: count(w.Citations), References: count(w.References), PDF: line(w.PrimaryLocation.PDF),
	}
	p.DOI, _ = cutFold(line(w.DOI), "https://doi.org/")
	if id, ok := cutFold(p.DOI, arxivDOI); ok {
		p.ArxivID = id
	}
	for _, l := range append([]location{w.PrimaryLocation}, w.Locations...) {
		if _, id, ok := strings.Cut(l.Landing, "arxiv.org/abs/"); ok && p.ArxivID == "" {
			p.ArxivID = line(id)
		}
	}
	for _, a := range w.Authorships {
		if a.Author.Name != "" {
			p.Authors = append(p.Authors, line(a.Author.Name))
		}
	}
	return p
}

// arxivDOI is what the DOI of an arXiv paper begins with.
const arxivDOI = "10.48550/arXiv."

func (o *OpenAlex) ask(ctx context.Context, address string, v any) (*fetch.Response, error) {
	resp, err := o.fetch.Do(ctx, fetch.Request{URL: address, Fresh: fresh, Timeout: timeout})
	if err != nil {
		return nil, said(err)
	}
	if err := loose.Decode(resp.Body, v); err != nil {
		return nil, &fetch.Error{Kind: fetch.Parse, Service: o.Name(), URL: resp.URL, Status: resp.Status, Message: err.Error(), Err: err}
	}
	return cited(resp), nil
}

// Paper returns what is known of a paper of arXiv or with a DOI.
func (o *OpenAlex) Paper(ctx context.Context, key Key) (*Record, error) {
	doi, ok := strings.CutPrefix(string(key), "DOI:")
	if id, arxiv := strings.CutPrefix(string(key), "ARXIV:"); arxiv {
		doi, ok = arxivDOI+id, true
	}
	if !ok {
		return nil, &fetch.Error{Kind: fetch.NotFound, Service: o.Name(), URL: works, Message: "it knows arXiv ids and DOIs only"}
	}
	var w wireWork
	resp, err := o.ask(ctx, works+"/doi:"+Key(doi).path()+"?select="+workFields, &w)
	if err != nil {
		return nil, err
	}
	return &Record{Response: resp, Paper: w.paper(), Source: o.Name()}, nil
}

// Links returns who cites a paper, or whom it cites: the most cited first.
func (o *OpenAlex) Links(ctx context.Context, key Key, d Direction, s Span) (*Links, error) {
	about, err := o.Paper(ctx, key)
	if err != nil {
		return nil, err
	}
	filter := "cites:" + about.ID
	if d == References {
		filter = "cited_by:" + about.ID
	}
	limit := min(max(s.Limit, 1), mostWorks)
	found, more, err := o.list(ctx, url.Values{"sort": {"cited_by_count:desc"}}, filter+dated(s.From, s.To), s.Offset, limit)
	if err != nil {
		return nil, err
	}
	links := &Links{Response: found.Responses[0], Total: found.Total, More: more, Source: o.Name()}
	for _, p := range found.Papers {
		links.Links = append(links.Links, Link{Paper: p})
	}
	return links, nil
}

// Search finds papers. Fields of study are not narrowed to.
func (o *OpenAlex) Search(ctx context.Context, q Query) (*Found, error) {
	v := url.Values{"search": {q.Text}}
	switch q.Sort {
	case CitationCount:
		v.Set("sort", "cited_by_count:desc")
	case PublicationDate:
		v.Set("sort", "publication_date:desc")
	}
	filter := dated(q.From, q.To)
	if q.MinCitations > 1 {
		filter += ",cited_by_count:>" + strconv.Itoa(q.MinCitations-1)
	}
	found, _, err := o.list(ctx, v, strings.TrimPrefix(filter, ","), q.Offset, min(max(q.Limit, 1), mostWorks))
	return found, err
}

func dated(from, to string) string {
	var s string
	if from != "" {
		s += ",from_publication_date:" + from
	}
	if to != "" {
		s += ",to_publication_date:" + to
	}
	return s
}

// list asks for the page in which offset lies: pages are all this service has.
func (o *OpenAlex) list(ctx context.Context, v url.Values, filter string, offset, limit int) (*Found, bool, error) {
	page := max(offset, 0)/mostWorks + 1
	v.Set("select", workFields)
	v.Set("per-page", strconv.Itoa(mostWorks))
	v.Set("page", strconv.Itoa(page))
	if filter != "" {
		v.Set("filter", filter)
	}
	var answer struct {
		Meta    struct{ Count *int }
		Results []wireWork
	}
	resp, err := o.ask(ctx, works+"?"+v.Encode(), &answer)
	if err != nil {
		return nil, false, err
	}
	found := &Found{Responses: []*fetch.Response{resp}, Total: -1, Source: o.Name()}
	if answer.Meta.Count != nil {
		found.Total = *answer.Meta.Count
	}
	start := min(max(offset, 0)%mostWorks, len(answer.Results))
	end := min(start+limit, len(answer.Results))
	for i := range answer.Results[start:end] {
		found.Papers = append(found.Papers, answer.Results[start+i].paper())
	}
	return found, (page-1)*mostWorks+end < found.Total, nil
}
