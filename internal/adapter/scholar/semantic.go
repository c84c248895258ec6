package scholar

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/loose"
)

const (
	semantic = "https://api.semanticscholar.org"
	graph    = semantic + "/graph/v1/paper/"
	timeout  = 12 * time.Second
	// PageSize is how many links one question brings at most, and BatchSize how
	// many papers.
	PageSize  = 1000
	BatchSize = 500
	// MaxFound is how far into a search one can look.
	MaxFound = 1000
	// mostLinks is how far into the links of a paper one can look.
	mostLinks = 9999
)

// Fields that are asked for. tldr is known to some endpoints only.
const (
	briefFields  = "title,externalIds,year,citationCount"
	searchFields = briefFields + ",venue,publicationDate"
	linkFields   = briefFields + ",influentialCitationCount,publicationDate,contexts,intents,isInfluential"
	paperFields  = searchFields + ",influentialCitationCount,referenceCount,tldr,openAccessPdf,abstract,authors"
	// DetailFields are for Batch: what a reading list shows.
	DetailFields = searchFields + ",influentialCitationCount,tldr"
	// CitedFields are for Batch: the papers that each one cites.
	CitedFields = "title,references.title,references.externalIds,references.year,references.citationCount"
	// BriefFields are for Batch: year, citations and ids.
	BriefFields = briefFields
	// TLDRFields are for Batch: the summaries in a sentence.
	TLDRFields = "tldr"
)

// Semantic is Semantic Scholar.
type Semantic struct{ fetch fetch.Getter }

// Name is what texts call it.
func (s *Semantic) Name() string { return "Semantic Scholar" }

// ask puts a question and reads the answer into v.
func (s *Semantic) ask(ctx context.Context, address string, body any, v any) (*fetch.Response, error) {
	req := fetch.Request{URL: address, Fresh: fresh, Timeout: timeout}
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		req.Body, req.Header = data, http.Header{"Content-Type": {"application/json"}}
	}
	resp, err := s.fetch.Do(ctx, req)
	if err != nil {
		return nil, said(err)
	}
	if err := loose.Decode(resp.Body, v); err != nil {
		return nil, &fetch.Error{Kind: fetch.Parse, Service: s.Name(), URL: resp.URL, Status: resp.Status, Message: err.Error(), Err: err}
	}
	return cited(resp), nil
}

// said puts into words what a status means at this service.
func said(err error) error {
	var f *fetch.Error
	if !errors.As(err, &f) {
		return err
	}
	own := *f
	switch f.Status {
	case http.StatusNotFound:
		own.Kind, own.Message = fetch.NotFound, strings.TrimSuffix("it does not know the paper: "+f.Message, ": ")
	case http.StatusBadRequest:
		own.Kind = fetch.BadArgument
	}
	return &own
}

// wirePaper is a record on the wire.
type wirePaper struct {
	PaperID     string `json:"paperId"`
	ExternalIDs struct {
		ArXiv, DOI string
		CorpusID   json.RawMessage `json:"CorpusId"`
	} `json:"externalIds"`
	Title           string
	Venue           string
	Abstract        string
	Year            *int
	CitationCount   *int
	Influential     *int `json:"influentialCitationCount"`
	ReferenceCount  *int
	PublicationDate string
	TLDR            struct{ Text string }
	OpenAccessPDF   struct{ URL string } `json:"openAccessPdf"`
	Authors         []struct{ Name string }
	References      []wirePaper
}

func (w *wirePaper) paper() Paper {
	p := Paper{
		ID: line(w.PaperID), ArxivID: line(w.ExternalIDs.ArXiv), DOI: line(w.ExternalIDs.DOI), CorpusID: number(w.ExternalIDs.CorpusID),
		Title: line(w.Title), Venue: line(w.Venue), TLDR: line(w.TLDR.Text), Abstract: strings.TrimSpace(w.Abstract), PDF: line(w.OpenAccessPDF.URL),
		Date: line(w.PublicationDate), Year: count(w.Year), Citations: count(w.CitationCount),
		Influential: count(w.Influential), References: count(w.ReferenceCount),
	}
	for _, a := range w.Authors {
		if a.Name != "" {
			p.Authors = append(p.Authors, line(a.Name))
		}
	}
	for i := range w.References {
		p.Cited = append(p.Cited, w.References[i].paper())
	}
	return p
}

// number is an id of digits that comes as a number or as text.
func number(raw json.RawMessage) string {
	s := strings.Trim(string(raw), `"`)
	if strings.Trim(s, "0123456789") != "" || len(s) > 15 {
		return ""
	}
	return s
}

// Paper returns what is known of a paper.
func (s *Semantic) Paper(ctx context.Context, key Key) (*Record, error) {
	var w wirePaper
	resp, err := s.ask(ctx, graph+key.path()+"?fields="+paperFields, nil, &w)
	if err != nil {
		return nil, err
	}
	return &Record{Response: resp, Paper: w.paper(), Source: s.Name()}, nil
}

// Links returns who cites a paper, or whom it cites: newest first, as the
// service lists them.
func (s *Semantic) Links(ctx context.Context, key Key, d Direction, span Span) (*Links, error) {
	l, err := s.links(ctx, key, d, span)
	if tooMuch(err) && span.Limit > smallPage {
		span.Limit = smallPage
		return s.links(ctx, key, d, span)
	}
	return l, err
}

// smallPage is how many links are asked for where a whole page is too much: the
// service sends no more than 10 MB, and many contexts are long.
const smallPage = 200

func tooMuch(err error) bool {
	var f *fetch.Error
	return errors.As(err, &f) && (f.Kind == fetch.TooLarge || f.Status == http.StatusBadRequest && strings.Contains(f.Message, "maximum size"))
}

func (s *Semantic) links(ctx context.Context, key Key, d Direction, span Span) (*Links, error) {
	offset := min(max(span.Offset, 0), mostLinks-1)
	q := url.Values{"fields": {linkFields}, "limit": {strconv.Itoa(min(max(span.Limit, 1), PageSize, mostLinks-offset))}}
	if offset > 0 {
		q.Set("offset", strconv.Itoa(offset))
	}
	if d == Citations && (span.From != "" || span.To != "") {
		q.Set("publicationDateOrYear", span.From+":"+span.To)
	}
	var answer struct {
		Next *int
		Data []struct {
			Contexts, Intents       []string
			IsInfluential           bool
			CitingPaper, CitedPaper wirePaper
		}
	}
	resp, err := s.ask(ctx, graph+key.path()+"/"+string(d)+"?"+query(q), nil, &answer)
	if err != nil {
		return nil, err
	}
	links := &Links{Response: resp, Total: -1, More: answer.Next != nil, Withheld: answer.Data == nil, Source: s.Name()}
	for i := range answer.Data {
		e := &answer.Data[i]
		other := &e.CitingPaper
		if d == References {
			other = &e.CitedPaper
		}
		l := Link{Paper: other.paper(), Influential: e.IsInfluential, Intents: lines(e.Intents), Contexts: lines(e.Contexts)}
		if l.Paper.named() && within(l.Paper, span) {
			links.Links = append(links.Links, l)
		}
	}
	return links, nil
}

// within reports whether a paper is of the span's days; one whose day nobody
// knows is, where no day was asked for.
func within(p Paper, s Span) bool {
	day := p.Date
	if day == "" && p.Year != nil {
		day = strconv.Itoa(*p.Year)
	}
	if s.From == "" && s.To == "" {
		return true
	}
	n := min(len(day), 10)
	return n >= 4 && day[:n] >= s.From[:min(n, len(s.From))] && (s.To == "" || day[:n] <= s.To[:min(n, len(s.To))])
}

func lines(all []string) []string {
	var out []string
	for _, s := range all {
		if s = line(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// query encodes parameters; the commas between fields stay readable.
func query(q url.Values) string { return strings.ReplaceAll(q.Encode(), "%2C", ",") }

// Search finds papers. By relevance all of it is one question; in another order
// the summaries need a second one, which may fail without harm.
func (s *Semantic) Search(ctx context.Context, q Query) (*Found, error) {
	values := q.filters()
	values.Set("query", q.Text)
	path := "search"
	if q.Sort == CitationCount || q.Sort == PublicationDate {
		path = "search/bulk"
		values.Set("fields", searchFields)
		values.Set("sort", string(q.Sort)+":desc")
	} else {
		// This search takes plain words; a hyphen between them finds nothing.
		values.Set("query", strings.Join(strings.Fields(strings.ReplaceAll(q.Text, "-", " ")), " "))
		values.Set("fields", searchFields+",tldr")
		values.Set("limit", strconv.Itoa(min(max(q.Limit, 1), 100)))
		if q.Offset > 0 {
			values.Set("offset", strconv.Itoa(q.Offset))
		}
	}
	var answer struct {
		Total *int
		Data  []wirePaper
	}
	resp, err := s.ask(ctx, graph+path+"?"+query(values), nil, &answer)
	if err != nil {
		return nil, err
	}
	found := &Found{Responses: []*fetch.Response{resp}, Total: -1, Source: s.Name()}
	if answer.Total != nil {
		found.Total = *answer.Total
	}
	for i := range answer.Data {
		if p := answer.Data[i].paper(); p.named() {
			found.Papers = append(found.Papers, p)
		}
	}
	if path == "search/bulk" {
		start := min(max(q.Offset, 0), len(found.Papers))
		found.Papers = found.Papers[start:min(start+max(q.Limit, 1), len(found.Papers))]
		s.summarise(ctx, found)
	}
	return found, nil
}

// summarise adds the summaries to found papers, where the service gives them.
func (s *Semantic) summarise(ctx context.Context, found *Found) {
	keys := make([]Key, 0, len(found.Papers))
	for i := range found.Papers {
		if k := found.Papers[i].Key(); k != "" {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return
	}
	batch, err := s.Batch(ctx, keys, TLDRFields)
	if err != nil {
		return
	}
	found.Responses = append(found.Responses, batch.Response)
	for i := range found.Papers {
		if p := batch.Papers[found.Papers[i].Key()]; p != nil {
			found.Papers[i].TLDR = p.TLDR
		}
	}
}

// filters are the parameters that all searches share.
func (q *Query) filters() url.Values {
	v := url.Values{}
	if q.From != "" || q.To != "" {
		v.Set("publicationDateOrYear", q.From+":"+q.To)
	}
	if len(q.Fields) > 0 {
		v.Set("fieldsOfStudy", strings.Join(q.Fields, ","))
	}
	if q.MinCitations > 0 {
		v.Set("minCitationCount", strconv.Itoa(q.MinCitations))
	}
	return v
}

// Batch is an answer about many papers; those it does not know are not in it.
type Batch struct {
	*fetch.Response
	Papers map[Key]*Paper
}

// Batch asks about up to BatchSize papers at once.
func (s *Semantic) Batch(ctx context.Context, keys []Key, fields string) (*Batch, error) {
	keys = keys[:min(len(keys), BatchSize)]
	var answer []*wirePaper
	resp, err := s.ask(ctx, graph+"batch?fields="+fields, map[string]any{"ids": keys}, &answer)
	if err != nil {
		return nil, err
	}
	b := &Batch{Response: resp, Papers: map[Key]*Paper{}}
	for i, w := range answer {
		if w != nil && i < len(keys) {
			p := w.paper()
			b.Papers[keys[i]] = &p
		}
	}
	return b, nil
}

// FieldsOfStudy are the fields that searches can be narrowed to.
func FieldsOfStudy() []string {
	return []string{
		"Computer Science", "Medicine", "Chemistry", "Biology", "Materials Science", "Physics", "Geology", "Psychology",
		"Art", "History", "Geography", "Sociology", "Business", "Political Science", "Economics", "Philosophy",
		"Mathematics", "Engineering", "Environmental Science", "Agricultural and Food Sciences", "Education", "Law", "Linguistics",
	}
}

// FieldOfStudy is the service's spelling of a field; "" for none of its.
func FieldOfStudy(name string) string {
	all := FieldsOfStudy()
	if i := slices.IndexFunc(all, func(f string) bool { return strings.EqualFold(f, strings.TrimSpace(name)) }); i >= 0 {
		return all[i]
	}
	return ""
}
