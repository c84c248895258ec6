package papers_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestCheck08_TrendingIsByTrend(t *testing.T) {
	s := newStage(t)
	s.own("/hub/api/daily_papers", "daily.json")
	text := s.good(`{"operation":"trending"}`,
		"# Trending Papers\nShowing 3 paper(s)\n\n## 1. Tides of Data\n**arxiv_id:** 2607.00001 | **upvotes:** 5\nhttps://huggingface.co/papers/2607.00001\n"+
			"**Keywords:** tides, data, ports, ships, sails\n**GitHub:** https://github.com/acme/tides (7 stars)\n**Summary:** Tides move data.\n\n## 2. Harbours\n",
		"## 3. Reward Models at Sea\n**arxiv_id:** 2607.00003 | **upvotes:** ?\n")
	if r := s.Requests("/hub")[0]; r.Query.Get("sort") != "trending" || r.Query.Get("limit") != "10" || r.Header.Get("Authorization") == "" {
		t.Errorf("asked %v %v", r.Query, r.Header)
	}
	if strings.Count(text, "[S") != 1 {
		t.Errorf("marks: %s", text)
	}

	s = newStage(t)
	s.own("/hub/api/daily_papers", "daily.json")
	s.good(`{"operation":"trending","query":"REWARD models","limit":50}`, "Filtered by: 'REWARD models'\nShowing 1 paper(s)", "## 1. Reward Models at Sea")
	s.good(`{"operation":"trending","query":"ports","limit":50}`, "## 1. Tides of Data")
	s.good(`{"operation":"trending","query":"nothing of it"}`, "No trending papers found matching 'nothing of it'")
	for _, r := range s.Requests("/hub") {
		if l := r.Query.Get("limit"); len(l) > 3 || len(l) == 3 && l != "100" {
			t.Errorf("asked for limit=%s", l)
		}
	}
}

func TestCheck09_NoFilterIsDroppedSilently(t *testing.T) {
	args := `{"operation":"search","query":"low-rank dpo","date_from":"2023-01-01"}`
	s := newStage(t)
	s.own("/s2/graph/v1/paper/search", "search.json")
	s.good(args, "# Papers matching 'low-rank dpo' (Semantic Scholar)\nShowing 2 result(s) of 4,200\n\n### 1. Tuning the Tide\nYear: 2024 | Citations: 30 | Venue: Conference on Tides | arxiv_id: 2402.00001\n"+
		"https://arxiv.org/abs/2402.00001\n**TL;DR:** It tunes tides.\n", "### 2. Widely Read\nYear: ? | Citations: ? | DOI: 10.1000/x\n", `"offset":2`)
	r := s.Requests("/s2")[0]
	if r.Query.Get("query") != "low rank dpo" || r.Query.Get("publicationDateOrYear") != "2023-01-01:" || !strings.Contains(r.Query.Get("fields"), "tldr") || r.Query.Get("limit") != "10" {
		t.Errorf("asked %v", r.Query)
	}

	for _, c := range []struct {
		name  string
		plant func(s *stage)
	}{
		{"400", func(s *stage) {
			s.Answer("/s2/graph/v1/paper/search", 400, `{"error":"Unrecognized or unsupported fields: [tldr]"}`)
		}},
		{"429", func(s *stage) { s.refuse("/s2/graph/v1/paper/search", 60) }},
	} {
		s := newStage(t)
		c.plant(s)
		s.Answer("/arxiv-api/api/query", 404, "down")
		s.Answer("/hub/api/papers/search", 200, own(t, "daily.json"))
		text := s.good(args, "## 1. Tides of Data", c.name)
		first, _, _ := strings.Cut(text, "\n")
		if !strings.Contains(first, "date_from") || !strings.Contains(first, "NOT applied") || strings.Contains(first, "date_to") {
			t.Errorf("the first line is %q", first)
		}
		if s.asked("/s2/graph/v1/paper/search/bulk", "tldr") > 0 {
			t.Error("the bulk search was asked for tldr")
		}
		if c.name == "429" && !strings.Contains(first, "S2_API_KEY") {
			t.Errorf("no advice in %q", first)
		}
	}

	// Each filter that is lost has its name.
	s = newStage(t)
	s.refuse("/s2/graph/v1/paper/search/bulk", 60)
	s.Answer("/arxiv-api/api/query", 404, "down")
	s.Answer("/hub/api/papers/search", 200, own(t, "daily.json"))
	s.good(`{"operation":"search","query":"dpo","date_from":"2023-01-01","date_to":"2024-01-01","categories":"Computer Science","min_citations":5,"sort_by":"publicationDate"}`,
		"NOT applied: date_from, date_to, categories, min_citations, sort_by.\n\n# Papers matching")

	s = newStage(t)
	s.refuse("/s2/graph/v1/paper/search", 60)
	s.own("/arxiv-api/api/query", "query.xml")
	s.good(`{"operation":"search","query":"dpo","date_from":"2023-01-01","categories":"cs.LG","min_citations":5}`,
		"NOT applied: min_citations.", "# Papers matching 'dpo' (arXiv)", "### 1. Harbor Chats: Compact Conversations\nDate: 2025-10-14 | Categories: cs.CL, cs.LG | arxiv_id: 2510.99002\n")
	if s.asked("/s2", "") > 0 {
		t.Error("Semantic Scholar was asked with a category it does not know")
	}
	if got := s.Requests("/arxiv-api")[0].Query.Get("search_query"); !strings.Contains(got, "cat:cs.LG") || !strings.Contains(got, "submittedDate:[202301010000") {
		t.Errorf("arXiv was asked %q", got)
	}

	s = newStage(t)
	s.refuse("/s2/graph/v1/paper/search/bulk", 60)
	s.own("/openalex/works", "works.json")
	s.good(`{"operation":"search","query":"dpo","date_to":"2024-12-31","categories":"computer science","sort_by":"citationCount","min_citations":5}`,
		"Note: from OpenAlex", "NOT applied: categories.", "### 1. Much Cited\nYear: 2024 | Citations: 700", "arxiv_id: 2403.00001", "### 2. ?\n")
	q := s.Requests("/openalex")[0].Query
	if q.Get("filter") != "to_publication_date:2024-12-31,cited_by_count:>4" || q.Get("sort") != "cited_by_count:desc" || q.Get("search") != "dpo" {
		t.Errorf("OpenAlex was asked %v", q)
	}
}

func TestCheck09_BulkSearchTakesItsSummariesApart(t *testing.T) {
	s := newStage(t)
	s.own("/s2/graph/v1/paper/search/bulk", "bulk.json")
	s.echo()
	s.good(`{"operation":"search","query":"dpo + loss","sort_by":"publicationDate","limit":2}`,
		"Showing 2 result(s) of 3", "### 2. Second", "**TL;DR:** A sentence about it.", `hf_papers {"operation":"search","query":"dpo + loss","sort_by":"publicationDate","limit":2,"offset":2}`)
	r := s.Requests("/s2")[0]
	if strings.Contains(r.Query.Get("fields"), "tldr") || r.Query.Has("limit") || r.Query.Get("sort") != "publicationDate:desc" || r.Query.Get("query") != "dpo + loss" {
		t.Errorf("asked %v", r.Query)
	}
	s.good(`{"operation":"search","query":"dpo + loss","sort_by":"publicationDate","limit":2,"offset":2}`, "Showing 1 result(s) of 3", "### 3. Third")

	s.Answer(batch, 500, `{"error":"oops"}`)
	s.good(`{"operation":"search","query":"dpo + loss","sort_by":"publicationDate","limit":1}`, "### 1. First")
}

func TestCheck10_SnippetsKnowTheirPapers(t *testing.T) {
	s := newStage(t)
	s.own("/s2/graph/v1/snippet/search", "snippets.json")
	s.echo(`{"paperId":"x","title":"T","year":2018,"citationCount":299,"externalIds":{"ArXiv":"1805.02262"}}`, `null`)
	args := `{"operation":"snippet_search","query":"learning rate","date_from":"2017-01-01","min_citations":3,"categories":"Computer Science"}`
	s.good(args, "# Snippet Search: 'learning rate'\nFound 3 matching passage(s)\n\n### 1. Tuning the Tide (2018, 299 cites)\narxiv:1805.02262\nSection: Experiments\n> A learning rate of 1e-6 was best.\nSection: Setup\n> We train for one epoch.\n",
		"### 2. Widely Read (?, ? cites)\nSection: abstract\n> Another paper's words.")
	q := s.Requests("/s2/graph/v1/snippet")[0].Query
	for f := range strings.SplitSeq(q.Get("fields"), ",") {
		if !strings.HasPrefix(f, "snippet.") {
			t.Errorf("the field %q is asked for", f)
		}
	}
	if q.Get("publicationDateOrYear") != "2017-01-01:" || q.Get("minCitationCount") != "3" || q.Get("fieldsOfStudy") != "Computer Science" {
		t.Errorf("asked %v", q)
	}
	b := s.Requests("/s2/graph/v1/paper/batch")[0]
	if !strings.Contains(b.Body, `"CorpusId:19170988"`) || b.Query.Get("fields") != "title,externalIds,year,citationCount" {
		t.Errorf("batch %v %s", b.Query, b.Body)
	}
	if n := len(s.env.Sources()); n != 2 {
		t.Errorf("%d sources", n)
	}

	s = newStage(t)
	s.own("/s2/graph/v1/snippet/search", "snippets.json")
	s.Answer(batch, 500, `{"error":"oops"}`)
	s.good(`{"operation":"snippet_search","query":"learning rate","arxiv_id":"arXiv:2305.18290v2"}`, "### 1. Tuning the Tide (?, ? cites)\nSection: Experiments\n> A learning")
	if got := s.Requests("/s2")[0].Query.Get("paperIds"); got != "ARXIV:2305.18290" {
		t.Errorf("within %q", got)
	}
}

func TestCheck11_RecommendationsOfOldPapers(t *testing.T) {
	const forPaper = "/s2/recommendations/v1/papers/forpaper/ARXIV:2305.18290"
	s := newStage(t)
	s.Handle(forPaper, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("from") == "recent" {
			_, _ = w.Write([]byte(`{"recommendedPapers":[]}`))
			return
		}
		_, _ = w.Write([]byte(`{"recommendedPapers":[{"paperId":"x","title":"Like It","year":2014,"externalIds":{"ArXiv":"1402.0030"}},{"paperId":"y","title":"No Year"}]}`))
	})
	s.good(`{"operation":"recommend","arxiv_id":"2305.18290"}`, "# Recommended papers based on 2305.18290\nShowing 2 result(s)\n\n### 1. Like It\nYear: 2014 | Citations: ? | arxiv_id: 1402.0030", "### 2. No Year\nYear: ? | Citations: ?")
	all := s.Requests("/s2")
	if len(all) != 2 || all[0].Query.Get("from") != "recent" || all[1].Query.Get("from") != "all-cs" || s.asked("/s2", "tldr") > 0 {
		t.Errorf("asked %v", all)
	}

	s = newStage(t)
	s.Answer("POST /s2/recommendations/v1/papers/", 200, `{"recommendedPapers":null}`)
	s.good(`{"operation":"recommend","positive_ids":"2305.18290, 10.1000/x","negative_ids":"hep-th/9901001v2"}`, "# Recommended papers based on 2305.18290, 10.1000/x\nNo recommendations found.")
	if got := s.Requests("/s2")[0].Body; got != `{"negativePaperIds":["ARXIV:hep-th/9901001"],"positivePaperIds":["ARXIV:2305.18290","DOI:10.1000/x"]}` {
		t.Errorf("posted %s", got)
	}
	s.bad(`{"operation":"recommend"}`, "bad_argument", "positive_ids", "Example")
	s.bad(`{"operation":"recommend","positive_ids":"2305.18290,../../x"}`, "bad_argument", "positive_ids")
}

func TestCheck12_OneSideLimited(t *testing.T) {
	s := newStage(t)
	s.refuse(dpo+"/references", 60)
	s.own(dpo+"/citations", "citations.json")
	begun := time.Now()
	text := s.good(`{"operation":"citation_graph","arxiv_id":"2305.18290"}`,
		"# Citation Graph for 2305.18290\nhttps://arxiv.org/abs/2305.18290\n", "## References\nReferences could not be listed: rate limited", "60 s", "S2_API_KEY",
		"## Citations (4+)\n", "Ranked among entries 1 to 4",
		"- **Tuning the Tide** (2024, 30 cites) **[influential]**  arxiv:2402.00001\n  Intent: methodology\n  > We follow the loss of [7] and tune its beta.\n- **Widely Read** (2025, 900 cites)\n  Intent: background\n  > a\n  > b\n- **Old and Known**",
		"- **A Citing Note** (?, ? cites)\n")
	if time.Since(begun) > 25*time.Second {
		t.Errorf("it took %v", time.Since(begun))
	}
	if n := strings.Count(text, "[S"); n != 1 {
		t.Errorf("%d marks in\n%s", n, text)
	}
	if n := len(s.Requests("/s2")); n != 2 {
		t.Errorf("a busy service was asked %d times", n)
	}
	s.lacks(text, "c | d")
}

func TestTotalsAreNotTheLengthOfAPage(t *testing.T) {
	s := newStage(t)
	s.own(dpo+"/references", "references.json")
	s.own(dpo+"/citations", "citations.json")
	s.Answer(dpo, 200, `{"paperId":"x","title":"Preferring Tides","citationCount":4312,"referenceCount":44}`)
	text := s.good(`{"operation":"citation_graph","arxiv_id":"2305.18290"}`, "**Title:** Preferring Tides\n", "## References (44)\n", "## Citations (4312)\n")
	if n := strings.Count(text, "[S"); n != 3 {
		t.Errorf("%d marks in\n%s", n, text)
	}
}

func TestCheck12_BothSidesLimited(t *testing.T) {
	s := newStage(t)
	for _, route := range []string{dpo, dpo + "/references", dpo + "/citations"} {
		s.refuse(route, 60)
	}
	begun := time.Now()
	s.bad(`{"operation":"citation_graph","arxiv_id":"2305.18290"}`, "rate_limited", "60 s", "S2_API_KEY", "Semantic Scholar answered 429")
	if time.Since(begun) > 5*time.Second {
		t.Errorf("it took %v", time.Since(begun))
	}
	if n := len(s.Requests("/s2")); n != 2 {
		t.Errorf("a busy service was asked %d times", n)
	}
	s.bad(`{"operation":"citation_walk","arxiv_id":"2305.18290"}`, "rate_limited", "S2_API_KEY")
}

func TestCheck12_AnotherServiceStepsIn(t *testing.T) {
	s := newStage(t)
	for _, route := range []string{dpo, dpo + "/references", dpo + "/citations"} {
		s.refuse(route, 60)
	}
	s.own(openWork, "work.json")
	s.own("/openalex/works", "works.json")
	s.good(`{"operation":"citation_graph","arxiv_id":"2305.18290","date_from":"2024-01-01"}`,
		"## References (1500)\nFrom OpenAlex, because rate limited: rate_limited: Semantic Scholar answered 429", "It knows no influence, intents or contexts",
		"- **Much Cited** (2024, 700 cites)  arxiv:2403.00001\n- **?** (?, ? cites)\n", "## Citations (1500)\nFrom OpenAlex", `"direction":"citations"`, `"offset":2`)
	var filters []string
	for _, r := range s.Requests("/openalex/works") {
		if f := r.Query.Get("filter"); f != "" {
			filters = append(filters, f)
		}
	}
	if got := strings.Join(filters, " "); !strings.Contains(got, "cites:W4378,from_publication_date:2024-01-01") || !strings.Contains(got, "cited_by:W4378,from_publication_date:2024-01-01") {
		t.Errorf("asked %s", got)
	}
	// What Semantic Scholar does not know is asked for as well.
	s = newStage(t)
	s.own(openWork, "work.json")
	s.own("/hub/api/papers/2305.18290", "paper.json")
	s.good(`{"operation":"paper_details","arxiv_id":"2305.18290"}`, "**Citations:** 1,500 | **Venue:** arXiv (Cornell University) | **Year:** 2023",
		"(counted by OpenAlex, which knows no influence, because not_found: Semantic Scholar answered 404: it does not know the paper")
}

// Of two failures that is told which says when to try again.
func TestCheck12_TheLimitIsToldBeforeOtherFailures(t *testing.T) {
	s := newStage(t)
	s.Answer(dpo+"/references", 404, `{"error":"Paper not found"}`)
	s.refuse(dpo+"/citations", 60)
	s.bad(`{"operation":"citation_graph","arxiv_id":"2305.18290"}`, "rate_limited", "60 s", "S2_API_KEY")
}

func TestCheck13_WithheldReferences(t *testing.T) {
	elided := `{"data":null,"citingPaperInfo":{"paperId":"x","openAccessPdf":null}}`
	s := newStage(t)
	s.Answer(dpo+"/references", 200, elided)
	s.own(dpo+"/citations", "citations.json")
	s.good(`{"operation":"citation_graph","arxiv_id":"2305.18290"}`, "## References\nThe publisher withholds the list of references", "read_paper", "(?, ? cites)", "## Citations (4+)")

	s = newStage(t)
	s.Answer(dpo+"/references", 200, elided)
	s.own("/ar5iv/html/2305.18290", "page.html")
	s.good(`{"operation":"citation_graph","arxiv_id":"2305.18290","direction":"references"}`, "From the paper's own page (2 entries):\n- [1] A. Quill. Tides. arXiv:1706.03741, 2017.\n- [2] B. Ebb. [Harbours](https://arxiv.org/abs/2101.12345).\n", "https://ar5iv.labs.arxiv.org/html/2305.18290")
	if s.asked("/s2", "/citations") > 0 {
		t.Error("the other direction was asked for")
	}
}

func TestCheck18_Ids(t *testing.T) {
	for given, want := range map[string]struct{ hub, s2, read string }{
		"arXiv:2402.03300v2":                           {"2402.03300", "ARXIV:2402.03300", "2402.03300v2"},
		"https://arxiv.org/pdf/2402.03300v2.pdf":       {"2402.03300", "ARXIV:2402.03300", "2402.03300v2"},
		"https://huggingface.co/papers/2402.03300":     {"2402.03300", "ARXIV:2402.03300", "2402.03300"},
		" https://huggingface.co/papers/2402.03300.md": {"2402.03300", "ARXIV:2402.03300", "2402.03300"},
		"hep-th/9901001":                               {"hep-th/9901001", "ARXIV:hep-th/9901001", "hep-th/9901001"},
	} {
		s := newStage(t)
		s.own("/hub/api/papers/"+want.hub, "paper.json")
		s.Answer("/s2/graph/v1/paper/"+want.s2, 200, `{"title":"T"}`)
		s.good(`{"operation":"paper_details","arxiv_id":"`+given+`"}`, "# Preferring Tides", "https://arxiv.org/abs/"+want.read)
		s.own("/arxiv/html/"+want.read, "page.html")
		s.good(`{"operation":"read_paper","arxiv_id":"`+given+`","section":"1","max_chars":2000}`, "Introduction", "Tides are preferred.")
		s.Answer("/hub/api/datasets", 200, `[]`)
		s.good(`{"operation":"find_datasets","arxiv_id":"` + given + `"}`)
		if got := s.Requests("/hub/api/datasets")[0].Query.Get("filter"); got != "arxiv:"+want.hub {
			t.Errorf("filter %q", got)
		}
	}
	// arXiv keeps the version where the Hub has no record.
	s := newStage(t)
	s.own("/arxiv-api/api/query", "query.xml")
	s.good(`{"operation":"paper_details","arxiv_id":"2510.99002v3"}`, "# Harbor Chats: Compact Conversations\n**arxiv_id:** 2510.99002\nhttps://arxiv.org/abs/2510.99002v3\nFrom arXiv: the Hub does not list this paper.\n",
		"**Published:** 2025-10-14 (updated 2025-11-02)", "**Authors:** Ines Moreau-Tide, Ada Quill", "**Categories:** cs.CL, cs.LG\n**Comment:** 9 pages\n**Journal reference:** J. Tides 3 (2025) 1-9", "## Abstract\nSmall sets of conversations.", "**Citations:** unknown (not_found")
	if got := s.Requests("/arxiv-api")[0].Query.Get("id_list"); got != "2510.99002v3" {
		t.Errorf("asked for %q", got)
	}
	// Other ids go where Semantic Scholar answers.
	s = newStage(t)
	s.Answer("/s2/graph/v1/paper/DOI:10.1093/MIND/LIX.236.433", 200, `{"paperId":"x","title":"Machinery","year":1950,"citationCount":10059,"influentialCitationCount":530,"abstract":"Can machines think?","authors":[{"name":"A. Turing"}],"tldr":null,"venue":null}`)
	s.good(`{"operation":"paper_details","arxiv_id":"https://doi.org/10.1093/MIND/LIX.236.433"}`, "# Machinery\n**id:** DOI:10.1093/MIND/LIX.236.433\n**Authors:** A. Turing\n**Citations:** 10,059 (530 influential) | **Year:** 1950", "Can machines think?")
	s.bad(`{"operation":"find_models","arxiv_id":"CorpusId:123"}`, "bad_argument", "arXiv id")
	s.bad(`{"operation":"read_paper","arxiv_id":"CorpusId:123"}`, "bad_argument")
}

func TestCheck18_NoRequestForBadIds(t *testing.T) {
	s := newStage(t)
	for _, op := range []string{
		"paper_details", "read_paper", "citation_graph", "citation_walk", "recommend", "find_datasets", "find_models",
		"find_collections", "find_all_resources", "snippet_search", "search", "trending",
	} {
		for _, id := range []string{"../../x", "2402.03300/../../x", "https://evil.test/2402.03300", "10.1000/../x", "x\x00y", "2402.03300?a=b"} {
			encoded := strings.ReplaceAll(id, "\x00", `\u0000`)
			s.bad(`{"operation":"`+op+`","query":"q","arxiv_id":"`+encoded+`"}`, "bad_argument", "arxiv_id", "Example: hf_papers {")
		}
	}
	if n := len(s.Requests("/")); n > 0 {
		t.Errorf("%d requests", n)
	}
}

func TestCheck19_Resources(t *testing.T) {
	s := newStage(t)
	s.own("/hub/api/collections", "collections.json")
	s.good(`{"operation":"find_collections","arxiv_id":"2305.18290"}`, "# Collections containing paper 2305.18290\nhttps://huggingface.co/papers/2305.18290\nShowing 2 collection(s)\n\n"+
		"**1. All about tides**\n   By: acme | Upvotes: 9 | Items: ≥ 4\n   https://huggingface.co/collections/acme/tides-0123\n   Read these\n", "   By: bob | Upvotes: 0 | Items: 1\n")
	if q := s.Requests("/hub")[0].Query; q.Get("item") != "papers/2305.18290" || q.Get("sort") != "upvotes" || q.Get("limit") != "10" {
		t.Errorf("asked %v", q)
	}

	s = newStage(t)
	s.own("/hub/api/arxiv/2305.18290/repos", "repos.json")
	s.own("/hub/api/papers/2305.18290", "paper.json")
	s.Answer("/hub/api/collections", 500, `{"error":"Internal error"}`)
	s.good(`{"operation":"find_all_resources","arxiv_id":"2305.18290"}`, "# Resources linked to paper 2305.18290\nhttps://huggingface.co/papers/2305.18290\nThe authors' repository: https://github.com/acme/tides (12 stars)\n\n## Datasets (1)\n- **acme/d1** (1,234 downloads)\n\n"+
		"## Models (2)\n- **acme/m1** (1,234,567 downloads) (text-generation)\n- **acme/m2** (? downloads)\n\n## Spaces (1)\n- **acme/s1** (50 likes)\n\n## Collections\nCollections could not be listed: upstream_error: the Hub answered 500")

	s = newStage(t)
	s.Answer("/hub/api/arxiv/2305.18290/repos", 404, `{"error":"Paper not found"}`)
	s.own("/hub/api/collections", "collections.json")
	s.Answer("/hub/api/datasets", 200, `[{"id":"acme/d1","downloads":1234}]`)
	s.Answer("/hub/api/models", 200, `{"error":"not a list"}`)
	s.good(`{"operation":"find_all_resources","arxiv_id":"2305.18290","limit":20}`, "## Datasets (1)\n- **acme/d1**", "## Models\nModels could not be listed: parse", "## Spaces\nSpaces could not be listed", "## Collections (2)\n- **All about tides** by acme (9 upvotes)")
	for _, kind := range []string{"datasets", "models"} {
		if q := s.Requests("/hub/api/" + kind)[0].Query; q.Get("limit") != "10" || q.Get("filter") != "arxiv:2305.18290" {
			t.Errorf("%s: asked %v", kind, q)
		}
	}

	s = newStage(t) // nothing answers
	s.bad(`{"operation":"find_all_resources","arxiv_id":"2305.18290"}`, "not_found", "2305.18290")
}

func TestCheck20_Limits(t *testing.T) {
	for given, want := range map[string]string{`"5"`: "5", `5.0`: "5", `null`: "10", `99`: "50"} {
		s := newStage(t)
		s.own("/hub/api/daily_papers", "daily.json")
		text := s.good(`{"operation":"trending","limit":` + given + `}`)
		if got := s.Requests("/hub")[0].Query.Get("limit"); got != want {
			t.Errorf("limit %s: asked for %s", given, got)
		}
		if strings.Contains(text, "limit is 50 at most") != (given == `99`) {
			t.Errorf("limit %s: %s", given, text)
		}
	}
	s := newStage(t)
	for _, given := range []string{`-1`, `0`, `"x"`, `1.5`} {
		s.bad(`{"operation":"trending","limit":`+given+`}`, "bad_argument", "limit")
	}
	if r, err := s.tool.Run(t.Context(), s.env, []byte(`{"operation":"trending","limit":-1}`)); err != nil || r.OK || !strings.Contains(r.Output, "bad_argument: limit must not be -1") {
		t.Errorf("%+v %v", r, err)
	}
	if n := len(s.Requests("/")); n > 0 {
		t.Errorf("%d requests", n)
	}
}
