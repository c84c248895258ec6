package papers_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

// paperID is a made-up id of Semantic Scholar.
func paperID(n int) string { return fmt.Sprintf("%040x", n) }

// web plants a small web of citations: 2305.18290 is cited by twelve papers,
// each of which is cited by one more.
func web(s *stage) {
	edge := func(n, citations int, title, context string) string {
		return fmt.Sprintf(`{"contexts":[%q],"intents":["background"],"isInfluential":%v,"citingPaper":{"paperId":%q,"externalIds":{"ArXiv":"2401.%05d"},"title":%q,"year":2024,"citationCount":%d}}`,
			context, n == 3, paperID(n), n, title, citations)
	}
	var first []string
	for n := 1; n <= 12; n++ {
		first = append(first, edge(n, 10*n, fmt.Sprintf("Level One %d", n), fmt.Sprintf("Tides | in context %d", n)))
		s.Answer("/s2/graph/v1/paper/"+paperID(n)+"/citations", 200, `{"data":[`+edge(100+n, 500+n, fmt.Sprintf("Level Two %d", n), "Nothing of it")+`,`+edge(100+n, 5, "Twice", "")+`]}`)
	}
	s.Answer(dpo+"/citations", 200, `{"data":[`+strings.Join(first, ",")+`]}`)
	s.Answer(dpo+"/references", 200, `{"data":[{"isInfluential":false,"citedPaper":{"paperId":"`+paperID(50)+`","title":"An Old Root","year":2001,"citationCount":26}}]}`)
	s.Handle(batch, func(w http.ResponseWriter, r *http.Request) {
		var body struct{ IDs []string }
		_ = json.NewDecoder(r.Body).Decode(&body)
		list := []any{}
		for _, id := range body.IDs {
			record := map[string]any{"paperId": id, "tldr": map[string]any{"text": "About preferences."}}
			if strings.Contains(r.URL.RawQuery, "references") {
				record["references"] = []any{
					map[string]any{"paperId": paperID(77), "title": "A Hub", "year": 2019, "citationCount": 9},
					map[string]any{"paperId": paperID(77), "title": "A Hub"},
					map[string]any{"paperId": id + "x", "title": "Own " + id},
				}
			}
			list = append(list, record)
		}
		_ = json.NewEncoder(w).Encode(list)
	})
}

func TestWalk(t *testing.T) {
	s := newStage(t)
	web(s)
	text := s.good(`{"operation":"citation_walk","arxiv_id":"2305.18290"}`,
		"# Citation Walk from 2305.18290\nhttps://arxiv.org/abs/2305.18290\n13 papers of depth 1 fit, 13 were seen. Rank = 2 × influential links + citations a year + 3 × keyword hits.",
		"| # | Title | Year | Cites | arXiv | How | Context |\n| --- | --- | --- | --- | --- | --- | --- |\n| 1 | Level One 12 | 2024 | 120 | 2401.00012 | cites 2305.18290 | Tides \\| in context 12 |\n",
		"cites 2305.18290 (influential)", "## Hubs (cited by at least 3 of those shown)\n- **A Hub** (2019, 9 cites), cited by 10\n", `"offset":10`)
	s.lacks(text, "Level Two", "Own ")
	if n := len(s.Requests("/s2")); n != 4 {
		t.Errorf("%d calls", n)
	}

	s = newStage(t)
	web(s)
	text = s.good(`{"operation":"citation_walk","arxiv_id":"2305.18290","depth":2,"direction":"citations","query":"tides preferences","min_citations":20,"limit":50}`,
		"Keywords: 'tides preferences'", "11 papers of depth 2 fit, 22 were seen", "| 1 | Level One 12 |")
	s.lacks(text, "Level Two", "Level One 1 |") // no tides in the former, too few citations of the latter
	s.good(`{"operation":"citation_walk","arxiv_id":"2305.18290","depth":2,"direction":"citations","limit":50}`, "| 1 | Level Two 12 | 2024 | 512 | 2401.00112 | cites 2401.00012 |")
	if n := s.asked("/s2", "/citations"); n > 11 {
		t.Errorf("%d levels were opened", n)
	}
	s.good(`{"operation":"citation_walk","arxiv_id":"2305.18290","query":"nowhere"}`, "No paper fits.")
}

func TestWalkStopsWithWhatItHas(t *testing.T) {
	s := newStage(t)
	web(s)
	for n := 1; n <= 12; n++ {
		s.refuse("/s2/graph/v1/paper/"+paperID(n)+"/citations", 60)
	}
	s.good(`{"operation":"citation_walk","arxiv_id":"2305.18290","depth":2}`, "Note: ", "rate limited", "S2_API_KEY", "| 1 | Level One 12 |")
	opened := 0
	for n := 1; n <= 12; n++ {
		opened += s.asked("/s2/graph/v1/paper/"+paperID(n)+"/citations", "")
	}
	if opened != 1 {
		t.Errorf("%d further calls after the limit", opened)
	}
	// A small room cuts between rows.
	s.env.Chars = 2500
	text := s.good(`{"operation":"citation_walk","arxiv_id":"2305.18290"}`, "go on with hf_papers")
	if n := utf8.RuneCountInString(text); n > 2500 {
		t.Errorf("%d characters", n)
	}
	// Elsewhere nothing is known of influence.
	s = newStage(t)
	s.refuse(dpo+"/citations", 60)
	s.own(openWork, "work.json")
	s.own("/openalex/works", "works.json")
	s.good(`{"operation":"citation_walk","arxiv_id":"2305.18290","direction":"citations"}`, "from OpenAlex, which knows no influence or contexts", "| 1 | Much Cited | 2024 | 700 | 2403.00001 | cites 2305.18290 | ? |")
}

func TestWalkIsBounded(t *testing.T) {
	s := newStage(t)
	var edges []string
	for n := range 1000 {
		edges = append(edges, fmt.Sprintf(`{"citingPaper":{"paperId":%q,"title":"C %d","year":2025,"citationCount":%d},"citedPaper":{"paperId":%q,"title":"R %d","year":2020,"citationCount":%d}}`,
			paperID(n+1), n, n, paperID(n+5000), n, n))
	}
	body := `{"next":1000,"data":[` + strings.Join(edges, ",") + `]}`
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.calls++
		s.mu.Unlock()
		if strings.HasSuffix(r.URL.Path, "/batch") {
			_, _ = w.Write([]byte(`[]`))
			return
		}
		_, _ = w.Write([]byte(body))
	})
	s.good(`{"operation":"citation_walk","arxiv_id":"2305.18290","depth":2,"limit":50}`, "of the citations of 2305.18290 the 1000 that are listed first were looked at", "ranked by citations and influence only")
	if s.calls > 30 {
		t.Errorf("%d calls", s.calls)
	}
}

func TestOffsetsBehindAPage(t *testing.T) {
	s := newStage(t)
	s.own(dpo+"/citations", "citations.json")
	s.good(`{"operation":"citation_graph","arxiv_id":"2305.18290","direction":"citations","offset":1001,"limit":2,"date_from":"2019-01-01","date_to":"2026-01-01"}`,
		"Ranked among entries 1001 to 1003", "- **Widely Read**", "- **Old and Known**", `"offset":1003`)
	q := s.Requests("/s2/graph/v1/paper/ARXIV:2305.18290/citations")[0].Query
	if q.Get("offset") != "1000" || q.Get("limit") != "1000" || q.Get("publicationDateOrYear") != "2019-01-01:2026-01-01" {
		t.Errorf("asked %v", q)
	}
	s.own(dpo+"/references", "references.json")
	s.good(`{"operation":"citation_graph","arxiv_id":"2305.18290","direction":"references"}`,
		"## References (3)\n- **Following Instructions** (2022, 9 cites) **[influential]**  arxiv:2203.02155\n- **Learning from Preferences** (2017, 2000 cites)  arxiv:1706.03741\n- **A Bare Title** (?, ? cites)\n")
	s.good(`{"operation":"citation_graph","arxiv_id":"2305.18290","direction":"references","date_from":"2020-01-01"}`, "## References (1)\n- **Following")
}

// cites is a link of a graph as Semantic Scholar tells it.
func cites(n int, title string, influential bool, year, citations int) string {
	return fmt.Sprintf(`{"isInfluential":%v,"citingPaper":{"paperId":%q,"title":%q,"year":%d,"citationCount":%d}}`, influential, paperID(n), title, year, citations)
}

// inOrder checks that titles follow each other in a text.
func inOrder(t *testing.T, text string, titles ...string) {
	t.Helper()
	last := -1
	for _, title := range titles {
		at := strings.Index(text, title)
		if at <= last {
			t.Fatalf("%q is not behind those before it (%q) in:\n%s", title, titles, text)
		}
		last = at
	}
}

// Rank = 2 × influential links + citations a year + 3 × keyword hits.
func TestRankOfAWalk(t *testing.T) {
	s := newStage(t)
	s.Answer(dpo+"/citations", 200, `{"data":[`+strings.Join([]string{
		cites(1, "Steady Boats", false, 2024, 15), cites(2, "Leading Boats", true, 2024, 10), cites(3, "Old Boats", false, 2004, 60),
	}, ",")+`]}`)
	inOrder(t, s.good(`{"operation":"citation_walk","arxiv_id":"2305.18290","direction":"citations"}`), "Leading Boats", "Steady Boats", "Old Boats")
	s = newStage(t)
	twice := strings.Replace(cites(2, "Boats Twice", false, 2024, 3), `{"is`, `{"contexts":["as with boats"],"is`, 1)
	s.Answer(dpo+"/citations", 200, `{"data":[`+cites(1, "Boats Once", false, 2024, 11)+","+twice+`]}`)
	inOrder(t, s.good(`{"operation":"citation_walk","arxiv_id":"2305.18290","direction":"citations","query":"boats"}`), "Boats Twice", "Boats Once")
}

// Who cites is ranked by citations a year, what is cited by citations; the
// influential first.
func TestRanksOfAGraph(t *testing.T) {
	s := newStage(t)
	s.Answer(dpo+"/citations", 200, `{"data":[`+strings.Join([]string{
		cites(1, "Old and Loud", false, 2004, 230), cites(2, "Young and Good", false, 2024, 60), cites(3, "Followed", true, 2025, 1),
	}, ",")+`]}`)
	s.Answer(dpo+"/references", 200, strings.ReplaceAll(`{"data":[`+strings.Join([]string{
		cites(4, "A Little", false, 2025, 9), cites(5, "A Lot", false, 1998, 4000), cites(6, "Some", false, 2025, 100),
	}, ",")+`]}`, "citingPaper", "citedPaper"))
	inOrder(t, s.good(`{"operation":"citation_graph","arxiv_id":"2305.18290"}`),
		"## References", "A Lot", "Some", "A Little", "## Citations", "Followed", "Young and Good", "Old and Loud")
}
