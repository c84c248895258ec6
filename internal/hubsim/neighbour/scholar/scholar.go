// Package scholar serves papers as the literature services Semantic Scholar and
// OpenAlex do. It knows only what the papers' records say: a work that none of
// them is has a title and nothing else.
package scholar

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/paper"
)

// Fields that Semantic Scholar lets a caller ask for.
var (
	paperFields = []string{
		"paperId", "corpusId", "externalIds", "url", "title", "abstract", "venue", "publicationVenue", "year",
		"referenceCount", "citationCount", "influentialCitationCount", "isOpenAccess", "openAccessPdf", "fieldsOfStudy",
		"s2FieldsOfStudy", "publicationTypes", "publicationDate", "journal", "citationStyles", "authors",
	}
	searchFields = append([]string{"tldr", "embedding", "citations", "references"}, paperFields...)
	edgeFields   = append([]string{"contexts", "intents", "contextsWithIntent", "isInfluential"}, paperFields...)
)

// Service serves the papers of a library.
type Service struct {
	*paper.Library
	clock *clock.Clock
}

// Serve returns the services over a library.
func Serve(c *clock.Clock, l *paper.Library) *Service { return &Service{Library: l, clock: c} }

// Pages adds both services below their prefixes.
func (p *Service) Pages(mux *http.ServeMux) {
	mux.Handle("GET /openalex/works", scholar(p.works))
	mux.Handle("GET /openalex/works/{id...}", scholar(p.work))
	mux.Handle("GET /s2/graph/v1/paper/search", scholar(p.s2Search))
	mux.Handle("GET /s2/graph/v1/paper/search/bulk", scholar(p.s2Bulk))
	mux.Handle("GET /s2/graph/v1/paper/search/match", scholar(p.s2Match))
	mux.Handle("POST /s2/graph/v1/paper/batch", scholar(p.s2Batch))
	mux.Handle("GET /s2/graph/v1/snippet/search", scholar(p.s2Snippets))
	mux.Handle("GET /s2/graph/v1/paper/{id...}", scholar(p.s2About))
	mux.Handle("GET /s2/recommendations/v1/papers/forpaper/{id...}", scholar(p.s2Like))
	mux.Handle("POST /s2/recommendations/v1/papers/", scholar(p.s2Recommend))
	mux.Handle("POST /s2/recommendations/v1/papers", scholar(p.s2Recommend))
}

// scholar is a route in Semantic Scholar's manner: an object or a refusal.
type scholar func(r *http.Request) (any, error)

func (h scholar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v, err := h(r)
	if err != nil {
		answer.Fail(w, err)
		return
	}
	answer.JSON(w, http.StatusOK, v)
}

func bad(format string, args ...any) error {
	return answer.Refuse(http.StatusBadRequest, fmt.Sprintf(format, args...))
}

// wanted reads the fields asked for; unknown ones are refused by name, as the
// service does.
func wanted(q url.Values, allowed, standard []string) ([]string, error) {
	if q.Get("fields") == "" {
		return standard, nil
	}
	var fields, unknown []string
	for f := range strings.SplitSeq(q.Get("fields"), ",") {
		f = strings.TrimSpace(f)
		if base, _, _ := strings.Cut(f, "."); !slices.Contains(allowed, base) {
			unknown = append(unknown, f)
		}
		fields = append(fields, f)
	}
	if unknown != nil {
		return nil, bad("Unrecognized or unsupported fields: [%s]", strings.Join(unknown, ", "))
	}
	return fields, nil
}

// corpusID is the number Semantic Scholar would give the paper.
func (p *Service) corpusID(x *paper.Paper) int {
	return 990000001 + slices.Index(p.All(), x)
}

// s2Find looks a paper up by any of the forms of ids.
func (p *Service) s2Find(id string) (*paper.Paper, error) {
	kind, rest, ok := strings.Cut(id, ":")
	if !ok {
		kind, rest = "", id
	}
	for _, x := range p.All() {
		var own string
		switch strings.ToUpper(kind) {
		case "":
			own = paper.Digest(40, "s2", x.ID)
		case "ARXIV":
			own = x.ID
		case "CORPUSID":
			own = fmt.Sprint(p.corpusID(x))
		case "DOI":
			own = doi(x.ID)
		case "URL":
			own = "https://arxiv.org/abs/" + x.ID
		}
		if strings.EqualFold(own, rest) {
			return x, nil
		}
	}
	return nil, &answer.Error{Status: http.StatusNotFound, Message: "Paper with id " + id + " not found"}
}

func doi(id string) string { return "10.48550/arXiv." + id }

// shown is a paper with the fields asked for; its id is always there.
func (p *Service) shown(x *paper.Paper, fields []string) map[string]any {
	out := map[string]any{"paperId": paper.Digest(40, "s2", x.ID)}
	for _, f := range fields {
		base, _, _ := strings.Cut(f, ".")
		if v, ok := p.field(x, base, within(fields, base)); ok {
			out[base] = v
		}
	}
	return out
}

// within are the fields asked for of the papers in a field, such as title of
// references.title; their titles by default.
func within(fields []string, base string) []string {
	var inner []string
	for _, f := range fields {
		if rest, ok := strings.CutPrefix(f, base+"."); ok && !strings.Contains(rest, ".") && rest != "citations" && rest != "references" {
			inner = append(inner, rest)
		}
	}
	if inner == nil {
		return []string{"title"}
	}
	return inner
}

func (p *Service) field(x *paper.Paper, name string, inner []string) (any, bool) {
	switch name {
	case "corpusId":
		return p.corpusID(x), true
	case "externalIds":
		return map[string]any{"ArXiv": x.ID, "DOI": doi(x.ID), "CorpusId": p.corpusID(x)}, true
	case "url":
		return "https://www.semanticscholar.org/paper/" + paper.Digest(40, "s2", x.ID), true
	case "title":
		return x.Title, true
	case "abstract":
		return x.Summary, true
	case "venue":
		return cmp.Or(x.Venue, "arXiv.org"), true
	case "year":
		return x.PublishedAt.Year(), true
	case "publicationDate":
		return x.PublishedAt.UTC().Format("2006-01-02"), true
	case "referenceCount":
		return len(x.References), true
	case "citationCount":
		return len(p.Citing(x.ID)), true
	case "influentialCitationCount":
		n := 0
		for _, c := range p.Citing(x.ID) {
			if c.Cites(x.ID).Influential {
				n++
			}
		}
		return n, true
	case "isOpenAccess":
		return true, true
	case "openAccessPdf":
		return map[string]any{"url": "https://arxiv.org/pdf/" + x.ID, "status": "GREEN"}, true
	case "fieldsOfStudy":
		return []string{"Computer Science"}, true
	case "s2FieldsOfStudy":
		return []map[string]any{{"category": "Computer Science", "source": "s2-fos-model"}}, true
	case "publicationTypes":
		return []string{"JournalArticle"}, true
	case "journal":
		return map[string]any{"name": "ArXiv", "volume": "abs/" + x.ID}, true
	case "authors":
		authors := make([]map[string]any, len(x.Authors))
		for i, a := range x.Authors {
			authors[i] = map[string]any{"authorId": paper.Digest(8, "author", a), "name": a}
		}
		return authors, true
	case "tldr":
		return map[string]any{"model": "tldr@v2.0.0", "text": cmp.Or(x.AISummary, x.Title)}, true
	case "citations":
		list := []map[string]any{}
		for _, c := range p.Citing(x.ID) {
			list = append(list, p.shown(c, inner))
		}
		return list, true
	case "references":
		list := []map[string]any{}
		for i := range x.References {
			list = append(list, p.cited(&x.References[i], inner))
		}
		return list, true
	case "publicationVenue", "citationStyles", "embedding":
		return nil, true
	}
	return nil, false
}

// cited is the paper behind a reference; one that is only a title has nothing
// else.
func (p *Service) cited(ref *paper.Reference, fields []string) map[string]any {
	if x, ok := p.Find(ref.ArxivID); ok {
		return p.shown(x, fields)
	}
	out := map[string]any{"paperId": nil}
	for _, f := range fields {
		if slices.Contains(searchFields, f) {
			out[f] = nil
		}
	}
	if _, ok := out["title"]; ok {
		out["title"] = ref.Title
	}
	if _, ok := out["year"]; ok && ref.Year != 0 {
		out["year"] = ref.Year
	}
	return out
}

// filtered narrows papers by the filters all searches share.
func (p *Service) filtered(found []*paper.Paper, q url.Values) ([]*paper.Paper, error) {
	within, err := dates(q.Get("publicationDateOrYear"), q.Get("year"))
	if err != nil {
		return nil, err
	}
	least, err := paper.Number(q, "minCitationCount", 0)
	if err != nil {
		return nil, err
	}
	study := q.Get("fieldsOfStudy")
	return slices.DeleteFunc(found, func(x *paper.Paper) bool {
		return !within(x.PublishedAt.UTC().Format("2006-01-02")) || len(p.Citing(x.ID)) < least ||
			study != "" && !slices.Contains(strings.Split(study, ","), "Computer Science")
	}), nil
}

// dates reads 2019-03-05, 2019, 2016-03-05:2020-06-06, 1981-08-25: and :2015-01.
func dates(either, year string) (func(day string) bool, error) {
	text := cmp.Or(either, strings.Replace(year, "-", ":", 1))
	from, to, ranged := strings.Cut(text, ":")
	if !ranged {
		to = from
	}
	for _, d := range []string{from, to} {
		if strings.Trim(d, "0123456789-") != "" || len(d) > 10 {
			return nil, bad("Invalid date: %s", text)
		}
	}
	return func(day string) bool {
		return (from == "" || day[:len(from)] >= from) && (to == "" || day[:len(to)] <= to)
	}, nil
}

func (p *Service) searched(q url.Values) ([]*paper.Paper, error) {
	if q.Get("query") == "" {
		return nil, bad("Missing required parameter: 'query'")
	}
	return p.filtered(p.Matching(q.Get("query")), q)
}

func (p *Service) s2Search(r *http.Request) (any, error) {
	q := r.URL.Query()
	fields, err := wanted(q, searchFields, []string{"title"})
	if err != nil {
		return nil, err
	}
	found, err := p.searched(q)
	if err != nil {
		return nil, err
	}
	return page(q, found, 100, func(x *paper.Paper) map[string]any { return p.shown(x, fields) }, true)
}

// page cuts a list by offset and limit.
func page[T any](q url.Values, all []T, most int, show func(T) map[string]any, total bool) (any, error) {
	offset, err := paper.Number(q, "offset", 0)
	if err != nil {
		return nil, err
	}
	limit, err := paper.Number(q, "limit", 100)
	if err != nil || limit > most {
		return nil, bad("limit must be between 1 and %d", most)
	}
	out := map[string]any{"offset": offset}
	if total {
		out["total"] = len(all)
	}
	data := []map[string]any{}
	for _, x := range all[min(offset, len(all)):min(offset+limit, len(all))] {
		data = append(data, show(x))
	}
	if offset+limit < len(all) {
		out["next"] = offset + limit
	}
	out["data"] = data
	return out, nil
}

// s2Bulk lists all that match in one page: there are never a thousand.
func (p *Service) s2Bulk(r *http.Request) (any, error) {
	q := r.URL.Query()
	fields, err := wanted(q, paperFields, []string{"title"})
	if err != nil {
		return nil, err
	}
	found, err := p.searched(q)
	if err != nil {
		return nil, err
	}
	switch by, order, _ := strings.Cut(q.Get("sort"), ":"); by {
	case "", "paperId":
		slices.SortStableFunc(found, func(a, b *paper.Paper) int {
			return strings.Compare(paper.Digest(40, "s2", a.ID), paper.Digest(40, "s2", b.ID))
		})
	case "citationCount", "publicationDate":
		slices.SortStableFunc(found, func(a, b *paper.Paper) int {
			if by == "citationCount" {
				return len(p.Citing(a.ID)) - len(p.Citing(b.ID))
			}
			return a.PublishedAt.Compare(b.PublishedAt)
		})
		if order == "desc" {
			slices.Reverse(found)
		}
	default:
		return nil, bad("Invalid sort: %s", q.Get("sort"))
	}
	data := []map[string]any{}
	for _, x := range found {
		data = append(data, p.shown(x, fields))
	}
	return map[string]any{"total": len(found), "token": nil, "data": data}, nil
}

func (p *Service) s2Match(r *http.Request) (any, error) {
	q := r.URL.Query()
	fields, err := wanted(q, searchFields, []string{"title"})
	if err != nil {
		return nil, err
	}
	hits := p.Similar(q.Get("query"))
	if len(hits) == 0 {
		return nil, &answer.Error{Status: http.StatusNotFound, Message: "Title match not found"}
	}
	best := p.shown(hits[0].Paper, fields)
	best["matchScore"] = round(hits[0].Score)
	return map[string]any{"data": []map[string]any{best}}, nil
}

func round(f float64) float64 { return float64(int(f*100000+0.5)) / 100000 }

func (p *Service) s2Batch(r *http.Request) (any, error) {
	fields, err := wanted(r.URL.Query(), searchFields, []string{"title"})
	if err != nil {
		return nil, err
	}
	var body struct {
		IDs []string `json:"ids"`
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil || len(body.IDs) == 0 || len(body.IDs) > 500 {
		return nil, bad("body must have 1 to 500 'ids'")
	}
	list := make([]map[string]any, len(body.IDs)) // unknown ones stay null
	for i, id := range body.IDs {
		if x, err := p.s2Find(id); err == nil {
			list[i] = p.shown(x, fields)
		}
	}
	return list, nil
}

// s2About serves a paper, its citations or its references: ids may hold
// slashes.
func (p *Service) s2About(r *http.Request) (any, error) {
	for tail, h := range map[string]scholar{"/citations": p.s2Citations, "/references": p.s2References} {
		if id, ok := strings.CutSuffix(r.PathValue("id"), tail); ok {
			r.SetPathValue("id", id)
			return h(r)
		}
	}
	return p.s2Paper(r)
}

func (p *Service) s2Paper(r *http.Request) (any, error) {
	fields, err := wanted(r.URL.Query(), searchFields, []string{"title"})
	if err != nil {
		return nil, err
	}
	x, err := p.s2Find(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return p.shown(x, fields), nil
}

// edge is a citation seen from one of its ends.
func edge(ref *paper.Reference, key string, other map[string]any, fields []string) map[string]any {
	out := map[string]any{key: other}
	for _, f := range fields {
		switch f {
		case "contexts":
			out[f] = append([]string{}, ref.Contexts...)
		case "intents":
			out[f] = append([]string{}, ref.Intents...)
		case "isInfluential":
			out[f] = ref.Influential
		}
	}
	return out
}

func (p *Service) s2Citations(r *http.Request) (any, error) {
	q := r.URL.Query()
	fields, err := wanted(q, edgeFields, []string{"title"})
	if err != nil {
		return nil, err
	}
	x, err := p.s2Find(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	found, err := p.filtered(p.Citing(x.ID), q)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(found, func(a, b *paper.Paper) int { return b.PublishedAt.Compare(a.PublishedAt) })
	return page(q, found, 1000, func(c *paper.Paper) map[string]any {
		return edge(c.Cites(x.ID), "citingPaper", p.shown(c, fields), fields)
	}, false)
}

func (p *Service) s2References(r *http.Request) (any, error) {
	q := r.URL.Query()
	fields, err := wanted(q, edgeFields, []string{"title"})
	if err != nil {
		return nil, err
	}
	x, err := p.s2Find(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return page(q, x.References, 1000, func(ref paper.Reference) map[string]any {
		return edge(&ref, "citedPaper", p.cited(&ref, fields), fields)
	}, false)
}
