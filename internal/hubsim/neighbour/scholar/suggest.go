package scholar

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/paper"
)

// recent is how old a paper may be that the service recommends by default.
const recent = 60 * 24 * time.Hour

// s2Snippets finds passages; its fields name parts of the passage only.
func (p *Service) s2Snippets(r *http.Request) (any, error) {
	q := r.URL.Query()
	allowed := []string{"snippet.text", "snippet.snippetKind", "snippet.section", "snippet.snippetOffset", "snippet.annotations"}
	for f := range strings.SplitSeq(q.Get("fields"), ",") {
		if f != "" && !slices.Contains(allowed, f) && !strings.HasPrefix(f, "snippet.annotations.") && !strings.HasPrefix(f, "snippet.snippetOffset.") {
			return nil, bad("Unrecognized or unsupported fields: [%s]", f)
		}
	}
	if q.Get("query") == "" {
		return nil, bad("Missing required parameter: 'query'")
	}
	limit, err := paper.Number(q, "limit", 10)
	if err != nil || limit < 1 || limit > 1000 {
		return nil, bad("limit must be between 1 and 1000")
	}
	kept, err := p.filtered(p.All(), q)
	if err != nil {
		return nil, err
	}
	if ids := q.Get("paperIds"); ids != "" {
		kept = slices.DeleteFunc(kept, func(x *paper.Paper) bool {
			return !slices.ContainsFunc(strings.Split(ids, ","), func(id string) bool {
				y, err := p.s2Find(strings.TrimSpace(id))
				return err == nil && y == x
			})
		})
	}
	data := []map[string]any{}
	for _, passage := range p.Passages(q.Get("query")) {
		if slices.Contains(kept, passage.Paper) && len(data) < limit {
			data = append(data, p.snippet(passage))
		}
	}
	return map[string]any{"data": data, "retrievalVersion": "v1.0.0"}, nil
}

func (p *Service) snippet(s paper.Passage) map[string]any {
	x := s.Paper
	var section any
	if s.Section != "" {
		section = s.Section
	}
	span := map[string]any{"start": 0, "end": len(s.Text)}
	start := max(strings.Index(x.Markdown, s.Text), 0)
	return map[string]any{
		"snippet": map[string]any{
			"text": s.Text, "snippetKind": s.Kind, "section": section,
			"snippetOffset": map[string]any{"start": start, "end": start + len(s.Text)},
			"annotations":   map[string]any{"sentences": []any{span}, "refMentions": []any{}},
		},
		"score": round(s.Score),
		"paper": map[string]any{
			"corpusId": strconv.Itoa(p.corpusID(x)), "title": x.Title, "authors": x.Authors,
			"openAccessInfo": map[string]any{"license": "CCBY", "status": "GREEN", "disclaimer": "Invented for a simulation."},
		},
	}
}

// s2Like recommends papers like one.
func (p *Service) s2Like(r *http.Request) (any, error) {
	x, err := p.s2Find(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	from := r.URL.Query().Get("from")
	if from != "" && from != "recent" && from != "all-cs" {
		return nil, bad("Unknown pool %q", from)
	}
	return p.recommend(r.URL.Query(), []*paper.Paper{x}, nil, from != "all-cs")
}

// s2Recommend recommends papers like some and unlike others.
func (p *Service) s2Recommend(r *http.Request) (any, error) {
	var body struct {
		Positive []string `json:"positivePaperIds"`
		Negative []string `json:"negativePaperIds"`
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil || len(body.Positive) == 0 {
		return nil, bad("positivePaperIds must not be empty")
	}
	var lists [2][]*paper.Paper
	for i, ids := range [][]string{body.Positive, body.Negative} {
		for _, id := range ids {
			x, err := p.s2Find(id)
			if err != nil {
				return nil, err
			}
			lists[i] = append(lists[i], x)
		}
	}
	return p.recommend(r.URL.Query(), lists[0], lists[1], false)
}

func (p *Service) recommend(q url.Values, like, unlike []*paper.Paper, onlyRecent bool) (any, error) {
	fields, err := wanted(q, paperFields, []string{"title"})
	if err != nil {
		return nil, err
	}
	limit, err := paper.Number(q, "limit", 100)
	if err != nil || limit > 500 {
		return nil, bad("limit must be between 1 and 500")
	}
	score := map[*paper.Paper]float64{}
	for i, list := range [][]*paper.Paper{like, unlike} {
		for _, x := range list {
			for _, hit := range p.Similar(x.Title + " " + x.Summary) {
				score[hit.Paper] += hit.Score * float64(1-2*i)
			}
		}
	}
	found := slices.DeleteFunc(p.All(), func(x *paper.Paper) bool {
		given := slices.Contains(like, x) || slices.Contains(unlike, x)
		old := p.clock.Now().Sub(x.PublishedAt) > recent
		return given || score[x] <= 0 || onlyRecent && old
	})
	slices.SortStableFunc(found, func(a, b *paper.Paper) int { return cmp.Compare(score[b], score[a]) })
	list := []map[string]any{}
	for _, x := range found[:min(limit, len(found))] {
		list = append(list, p.shown(x, fields))
	}
	return map[string]any{"recommendedPapers": list}, nil
}
