package scholar

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/paper"
)

const openalex = "https://openalex.org/"

// workID is the paper's number at OpenAlex.
func (p *Service) workID(x *paper.Paper) string {
	return "W" + strconv.FormatInt(9_000_000_000+int64(p.corpusID(x)), 10)
}

// workOf finds a paper by W…, an address or a DOI.
func (p *Service) workOf(id string) (*paper.Paper, bool) {
	id = strings.TrimPrefix(id, openalex)
	id = strings.TrimPrefix(strings.TrimPrefix(id, "doi:"), "https://doi.org/")
	for _, x := range p.All() {
		if strings.EqualFold(p.workID(x), id) || strings.EqualFold(doi(x.ID), id) {
			return x, true
		}
	}
	return nil, false
}

func (p *Service) work(r *http.Request) (any, error) {
	x, ok := p.workOf(r.PathValue("id"))
	if !ok {
		return nil, answer.Refuse(http.StatusNotFound, "The requested URL was not found on the server.")
	}
	return p.openalexRecord(x), nil
}

func (p *Service) works(r *http.Request) (any, error) {
	q := r.URL.Query()
	found := p.Matching(q.Get("search"))
	if q.Get("search") == "" {
		found = p.All()
	}
	for f := range strings.SplitSeq(q.Get("filter"), ",") {
		if f == "" {
			continue
		}
		keep, err := p.workFilter(f)
		if err != nil {
			return nil, err
		}
		found = slices.DeleteFunc(found, func(x *paper.Paper) bool { return !keep(x) })
	}
	switch q.Get("sort") {
	case "cited_by_count:desc":
		slices.SortStableFunc(found, func(a, b *paper.Paper) int { return len(p.Citing(b.ID)) - len(p.Citing(a.ID)) })
	case "publication_date:desc":
		slices.SortStableFunc(found, func(a, b *paper.Paper) int { return b.PublishedAt.Compare(a.PublishedAt) })
	}
	nth, err := paper.Number(q, "page", 1)
	if err != nil || nth < 1 {
		return nil, bad("page must be at least 1")
	}
	per, err := paper.Number(q, "per-page", 25)
	if v := q.Get("per_page"); v != "" {
		per, err = paper.Number(q, "per_page", 25)
	}
	if err != nil || per < 1 || per > 200 {
		return nil, bad("per-page must be between 1 and 200")
	}
	start := min((nth-1)*per, len(found))
	results := []map[string]any{}
	for _, x := range found[start:min(start+per, len(found))] {
		results = append(results, p.openalexRecord(x))
	}
	meta := map[string]any{"count": len(found), "db_response_time_ms": 1, "page": nth, "per_page": per, "groups_count": nil}
	return map[string]any{"meta": meta, "results": results, "group_by": []any{}}, nil
}

func (p *Service) workFilter(f string) (func(*paper.Paper) bool, error) {
	key, value, _ := strings.Cut(f, ":")
	switch key {
	case "cites":
		cited, ok := p.workOf(value)
		return func(x *paper.Paper) bool { return ok && x.Cites(cited.ID) != nil }, nil
	case "cited_by":
		citing, ok := p.workOf(value)
		return func(x *paper.Paper) bool { return ok && citing.Cites(x.ID) != nil }, nil
	case "doi", "openalex", "ids.openalex":
		var wanted []*paper.Paper
		for id := range strings.SplitSeq(value, "|") {
			if x, ok := p.workOf(id); ok {
				wanted = append(wanted, x)
			}
		}
		return func(x *paper.Paper) bool { return slices.Contains(wanted, x) }, nil
	case "from_publication_date":
		return func(x *paper.Paper) bool { return x.PublishedAt.UTC().Format("2006-01-02") >= value }, nil
	case "to_publication_date":
		return func(x *paper.Paper) bool { return x.PublishedAt.UTC().Format("2006-01-02") <= value }, nil
	case "publication_year":
		return func(x *paper.Paper) bool { return fmt.Sprint(x.PublishedAt.Year()) == value }, nil
	case "cited_by_count":
		least, err := strconv.Atoi(strings.TrimPrefix(value, ">"))
		if err != nil || !strings.HasPrefix(value, ">") {
			return nil, bad("%s is not a valid value of cited_by_count", value)
		}
		return func(x *paper.Paper) bool { return len(p.Citing(x.ID)) > least }, nil
	case "title.search", "title_and_abstract.search", "default.search":
		matching := p.Matching(value)
		return func(x *paper.Paper) bool { return slices.Contains(matching, x) }, nil
	}
	return nil, bad("%s is not a valid field", key)
}

func (p *Service) openalexRecord(x *paper.Paper) map[string]any {
	authorships := make([]map[string]any, len(x.Authors))
	for i, a := range x.Authors {
		authorships[i] = map[string]any{
			"author_position": "middle", "raw_author_name": a, "institutions": []any{},
			"author": map[string]any{"id": openalex + "A9" + strings.Map(digits, paper.Digest(9, "author", a)), "display_name": a, "orcid": nil},
		}
	}
	authorships[len(authorships)-1]["author_position"] = "last"
	authorships[0]["author_position"] = "first"
	cited := []string{}
	for _, ref := range x.References {
		if y, ok := p.Find(ref.ArxivID); ok {
			cited = append(cited, openalex+p.workID(y))
		}
	}
	location := map[string]any{
		"is_oa": true, "landing_page_url": "https://arxiv.org/abs/" + x.ID, "pdf_url": "https://arxiv.org/pdf/" + x.ID,
		"source": map[string]any{"display_name": "arXiv (Cornell University)", "type": "repository"}, "version": "submittedVersion",
	}
	return map[string]any{
		"id": openalex + p.workID(x), "doi": "https://doi.org/" + doi(x.ID), "title": x.Title, "display_name": x.Title,
		"publication_year": x.PublishedAt.Year(), "publication_date": x.PublishedAt.UTC().Format("2006-01-02"),
		"ids":  map[string]any{"openalex": openalex + p.workID(x), "doi": "https://doi.org/" + doi(x.ID)},
		"type": "preprint", "language": "en", "primary_location": location, "locations": []any{location},
		"open_access": map[string]any{"is_oa": true, "oa_status": "green", "oa_url": "https://arxiv.org/pdf/" + x.ID},
		"authorships": authorships, "cited_by_count": len(p.Citing(x.ID)), "referenced_works": cited,
		"referenced_works_count": len(cited), "related_works": []string{}, "abstract_inverted_index": inverted(x.Summary),
	}
}

// digits turns a hexadecimal digit into a decimal one.
func digits(r rune) rune {
	if r >= 'a' {
		return r - 'a' + '1'
	}
	return r
}

// inverted is the abstract as OpenAlex gives it: each word with its places.
func inverted(text string) map[string][]int {
	out := map[string][]int{}
	for i, w := range strings.Fields(text) {
		out[w] = append(out[w], i)
	}
	return out
}
