package papers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/tools/papers"
	"github.com/ml-intern/ml-intern/internal/tools/papers/request"
)

func TestTool(t *testing.T) {
	tooltest.Run(t, tooltest.Case{
		New: func(t *testing.T) (tool.Tool, *tooltest.Env) {
			s := newStage(t)
			s.own("/hub/api/daily_papers", "daily.json")
			s.Answer("/hub/api/collections", 200, collections(50))
			s.Answer("/s2/graph/v1/paper/search", 200, found(50, 900))
			s.Handle("/arxiv-api/api/query", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
			s.Handle("/hub/api/papers/2305.18290", func(w http.ResponseWriter, _ *http.Request) {
				_, _ = fmt.Fprintf(w, `{"title":"Long","summary":%q}`, strings.Repeat("A line of an abstract.\n", 10_000))
			})
			return s.tool, s.env
		},
		Params: request.Params{},
		Good:   `{"operation":"trending"}`,
		Bad: map[string]string{
			`{"operation":"dance"}`:                         "operation",
			`{"operation":"search"}`:                        "query is required for search",
			`{"operation":"citation_graph","arxiv_id":" "}`: "arxiv_id is required",
			`{"operation":"citation_graph","arxiv_id":"2305.18290","direction":"up"}`:               "direction",
			`{"operation":"citation_walk","arxiv_id":"2305.18290","depth":3}`:                       "depth",
			`{"operation":"search","query":"q","date_from":"2023"}`:                                 "date_from",
			`{"operation":"search","query":"q","date_to":"2023-02-30"}`:                             "date_to",
			`{"operation":"search","query":"q","date_from":"2024-01-02","date_to":"2024-01-01"}`:    "date_from 2024-01-02 is after",
			`{"operation":"trending","month":"2024-13"}`:                                            "month",
			`{"operation":"trending","week":"2024-W54"}`:                                            "week",
			`{"operation":"trending","week":"2024-W05","date":"2024-02-01"}`:                        "exclude each other",
			`{"operation":"trending","max_chars":5}`:                                                "max_chars",
			`{"operation":"search","query":"q","sort_by":"date"}`:                                   "sort_by",
			`{"operation":"find_models","arxiv_id":"2305.18290","sort":"size"}`:                     "sort",
			`{"operation":"search","query":"q","offset":120}`:                                       "offset",
			`{"operation":"search","query":"q","sort_by":"relevance","offset":1000}`:                "offset",
			`{"operation":"snippet_search","query":"q","categories":"cs.CL"}`:                       "field of study",
			`{"operation":"arxiv_search","query":"q","categories":"Law"}`:                           "categories",
			`{"operation":"recommend","positive_ids":"` + strings.Repeat("2305.18290,", 101) + `"}`: "positive_ids",
		},
		Slow:  `{"operation":"arxiv_search","query":"q"}`,
		Large: `{"operation":"paper_details","arxiv_id":"2305.18290"}`,
	})
}

// found is a search with many results whose summaries are long.
func found(n, size int) string {
	var b strings.Builder
	b.WriteString(`{"total":5000,"data":[`)
	for i := range n {
		if i > 0 {
			b.WriteString(",")
		}
		text := strings.Repeat("long ", size/5)
		fmt.Fprintf(&b, `{"paperId":"%040x","title":"Paper %d %s","venue":%q,"year":2024,"tldr":{"text":%q},"externalIds":{"ArXiv":"2401.%05d"}}`, i, i, text, text, text, i)
	}
	return b.String() + "]}"
}

func collections(n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(`{"slug":"a/b","title":"T","description":"`+strings.Repeat("word ", 300)+`"},`, n), ",") + "]"
}

func TestSpecIsSmall(t *testing.T) {
	s := newStage(t)
	spec := s.tool.Spec()
	if n := len(spec.Description) + len(spec.Parameters); n > 2100 {
		t.Errorf("%d bytes", n)
	}
	if r := s.tool.Risk([]byte(`{"operation":"citation_walk"}`)); !r.ReadOnly() || r.Operation != "citation_walk" || r.Effect != event.Read {
		t.Errorf("%+v", r)
	}
	if _, err := papers.New(papers.Options{}); err == nil {
		t.Error("a tool without Fetch was made")
	}
}

// TestSmallRooms: a sub-agent's smaller room is kept, entries stay whole, and
// what is left can be asked for.
func TestSmallRooms(t *testing.T) {
	s := newStage(t)
	s.env.Chars = 6000
	s.Answer("/s2/graph/v1/paper/search", 200, found(50, 900))
	text := s.good(`{"operation":"search","query":"q","sort_by":"relevance","limit":50}`, "… more: go on with hf_papers {\"operation\":\"search\",\"query\":\"q\",\"sort_by\":\"relevance\",\"limit\":50,\"offset\":")
	if n := utf8.RuneCountInString(text); n > 6000 || n < 3000 {
		t.Errorf("%d characters", n)
	}
	if n := strings.Count(text, "### "); n != strings.Count(text, "**TL;DR:**") {
		t.Errorf("torn entries in\n%s", text)
	}
	s.env.Chars = 0
	text = s.good(`{"operation":"search","query":"q","sort_by":"relevance","limit":50,"max_chars":2000}`, "### 1. ", `"max_chars":2000`)
	if n := utf8.RuneCountInString(text); n > 2600 {
		t.Errorf("%d characters", n)
	}
}

func TestPeriods(t *testing.T) {
	s := newStage(t)
	s.own("/hub/api/daily_papers", "daily.json")
	for _, p := range []string{"date", "week", "month"} {
		value := map[string]string{"date": "2026-07-14", "week": "2026-W29", "month": "2026-07"}[p]
		// The best of a period are those with most votes.
		s.good(`{"operation":"trending","`+p+`":"`+value+`","limit":2}`, "# Trending Papers ("+value+")\nShowing 2 paper(s)\n\n## 1. Harbours\n", "## 2. Tides of Data", `"offset":2`)
		all := s.Requests("/hub")
		if q := all[len(all)-1].Query; q.Get(p) != value || q.Has("sort") || q.Get("limit") != "100" {
			t.Errorf("asked %v", q)
		}
	}
	s.good(`{"operation":"trending","offset":1,"limit":1}`, "## 2. Harbours")
}

func TestDaysWithoutPapers(t *testing.T) {
	s := newStage(t)
	s.Handle("/hub/api/daily_papers", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("date") {
			_, _ = w.Write([]byte(`[]`))
			return
		}
		_, _ = w.Write([]byte(own(t, "daily.json")))
	})
	s.good(`{"operation":"trending","date":"2023-05-03"}`, "No trending papers found for 2023-05-03.", "2023-05-04")
	if n := len(s.Requests("/")); n > 0 {
		t.Errorf("%d requests for a day before the archive", n)
	}
	s.good(`{"operation":"trending","date":"2026-07-16"}`, "in the future", "2026-07-15 in New York", "The nearest day that has papers is 2026-07-14.")
	s.good(`{"operation":"trending","date":"2026-07-12"}`, "No trending papers found for 2026-07-12.", "The nearest day that has papers is 2026-07-14", `hf_papers {"operation":"trending","date":"2026-07-14"}`)
	if s.asked("/hub", "week=2026-W28") != 1 {
		t.Errorf("asked %v", s.Requests("/hub"))
	}
	// It is still the 14th in New York shortly after midnight of the 15th in UTC.
	s = newStage(t, func(o *papers.Options) {
		o.Now = func() time.Time { return time.Date(2026, 7, 15, 3, 0, 0, 0, time.UTC) }
	})
	s.Answer("/hub/api/daily_papers", 200, `[]`)
	s.good(`{"operation":"trending","date":"2026-07-15"}`, "in the future: it is 2026-07-14 in New York")
}

func TestTrendingLooksThroughPages(t *testing.T) {
	s := newStage(t)
	s.Handle("/hub/api/daily_papers", func(w http.ResponseWriter, r *http.Request) {
		page := r.URL.Query().Get("p")
		if page == "2" {
			http.Error(w, `{"error":"busy"}`, http.StatusInternalServerError)
			return
		}
		var b strings.Builder
		for i := range 100 {
			title := "Other"
			if i == 50 {
				title = "Tides " + page
			}
			fmt.Fprintf(&b, `{"paper":{"id":"2607.%05d","title":%q}},`, i, title)
		}
		_, _ = w.Write([]byte("[" + strings.TrimSuffix(b.String(), ",") + "]"))
	})
	s.good(`{"operation":"trending","query":"tides"}`, "Showing 2 paper(s)", "## 1. Tides\n", "## 2. Tides 1", "Looked through the first 200 papers of the list.")
	if n := s.asked("/hub", "daily_papers"); n != 3 {
		t.Errorf("%d requests", n)
	}
}

// A list without an end is looked through for three pages.
func TestTrendingLooksThroughThreePages(t *testing.T) {
	s := newStage(t)
	s.Answer("/hub/api/daily_papers", 200, "["+strings.TrimSuffix(strings.Repeat(`{"paper":{"id":"2607.00001","title":"Other"}},`, 100), ",")+"]")
	s.good(`{"operation":"trending","query":"tides"}`, "No trending papers found matching 'tides'")
	if n := s.asked("/hub", "daily_papers"); n != 3 {
		t.Errorf("%d requests", n)
	}
}

func TestPlainSearch(t *testing.T) {
	s := newStage(t)
	s.own("/hub/api/papers/search", "daily.json")
	s.good(`{"operation":"search","query":"tides and `+strings.Repeat("x", 300)+`","limit":2}`, "# Papers matching 'tides and xxx", "Showing 2 paper(s)", "## 2. Harbours")
	if q := s.Requests("/hub")[0].Query; len(q.Get("q")) != 250 || q.Get("limit") != "2" {
		t.Errorf("asked %v", q)
	}
	s.Answer("/hub/api/papers/search", 200, `[]`)
	s.good(`{"operation":"search","query":"zzz"}`, "No papers found matching 'zzz'", `hf_papers {"operation":"arxiv_search","query":"zzz"}`)
	s.Answer("/hub/api/papers/search", 200, `<html>`)
	s.bad(`{"operation":"search","query":"xyz"}`, "parse")
	s.Answer("/hub/api/papers/search", 429, `{"error":"slow down"}`, "RateLimit", `"api";r=0;t=55`)
	s.bad(`{"operation":"search","query":"yyy"}`, "rate_limited", "55 s", "the Hub")
	// Where another search answers, the answer does not fail with the Hub's.
	s.own("/arxiv-api/api/query", "query.xml")
	s.good(`{"operation":"search","query":"tides"}`, "Note: from arXiv's search, because the Hub's failed: rate_limited: the Hub answered 429", "# Papers matching 'tides' (arXiv)", "### 1. Harbor Chats")
}

func TestArxivSearch(t *testing.T) {
	s := newStage(t)
	s.own("/arxiv-api/api/query", "query.xml")
	s.good(`{"operation":"arxiv_search","query":"tides","categories":"cs.CL,Computer Science","sort_by":"publicationDate","offset":4}`, "# Papers matching 'tides' (arXiv)\nShowing 2 result(s) of 17\n\n### 5. Harbor Chats",
		"**Abstract:** Small sets of conversations.", "### 6. An old one\nDate: ? | Categories: ? | arxiv_id: math.GT/0309136\nhttps://arxiv.org/abs/math.GT/0309136\n", `"offset":6`)
	q := s.Requests("/arxiv-api")[0].Query
	if q.Get("search_query") != "all:tides AND (cat:cs.CL OR cat:cs.*)" || q.Get("sortBy") != "submittedDate" || q.Get("start") != "4" {
		t.Errorf("asked %v", q)
	}
	s.good(`{"operation":"arxiv_search","query":"tides","min_citations":2}`, "NOT applied: min_citations.")
	s.Answer("/arxiv-api/api/query", 400, `<feed><entry><id>http://arxiv.org/api/errors#x</id><title>Error</title><summary>malformed</summary></entry></feed>`)
	s.bad(`{"operation":"arxiv_search","query":"boats"}`, "bad_argument", "malformed")
}

func TestDetails(t *testing.T) {
	s := newStage(t)
	s.own("/hub/api/papers/2305.18290", "paper.json")
	s.Answer(dpo, 200, `{"paperId":"x","title":"Preferring Tides","venue":"NeurIPS","year":2023,"citationCount":5000,"influentialCitationCount":700,"tldr":{"text":"One sentence."},"openAccessPdf":{"url":"https://arxiv.org/pdf/2305.18290"},"externalIds":{"DOI":"10.48550/arXiv.2305.18290"}}`)
	text := s.good(`{"operation":"paper_details","arxiv_id":"2305.18290"}`, "# Preferring Tides\n**arxiv_id:** 2305.18290 | **upvotes:** 80\nhttps://huggingface.co/papers/2305.18290\nhttps://arxiv.org/abs/2305.18290\n**Published:** 2023-05-29\n"+
		"**Authors:** A. One, C. Three, D, E, F, G, H, I, J, K (+1 more)\n**Organization:** Acme (https://huggingface.co/acme)\n**Citations:** 5,000 (700 influential) | **Venue:** NeurIPS | **Year:** 2023 | **DOI:** 10.48550/arXiv.2305.18290\n"+
		"**PDF:** https://arxiv.org/pdf/2305.18290\n**TL;DR:** One sentence.\n**Keywords:** tides, preferences\n**GitHub:** https://github.com/acme/tides (12 stars)\n**Project page:** https://tides.example\n"+
		"**Models on the Hub:** 1,700 (acme/m1, acme/m2, acme/m3)\n**Datasets on the Hub:** 1 (acme/d1)\n\n## AI Summary\nIn short.\n\n## Abstract\nThe whole abstract. It is long enough to be cut elsewhere.\n\n**Next:** read_paper",
		"[S1] https://huggingface.co/papers/2305.18290 (fetched ", "[S2] https://api.semanticscholar.org/graph/v1/paper/ARXIV:2305.18290 (fetched ")
	s.lacks(text, "Spaces on the Hub", "B. Two", "fields=")
	for _, e := range s.env.Sources() {
		if e.Title != "Preferring Tides" || e.Tool != "hf_papers" || e.Operation != "paper_details" || e.Object != "2305.18290" || e.SHA256 == "" || e.FetchedAt.IsZero() {
			t.Errorf("evidence %+v", e)
		}
	}
	// Without counts only their line is lost.
	s = newStage(t)
	s.own("/hub/api/papers/2305.18290", "paper.json")
	s.refuse(dpo, 60)
	s.good(`{"operation":"paper_details","arxiv_id":"2305.18290"}`, "# Preferring Tides", "**Citations:** unknown (rate limited", "S2_API_KEY")
	// A paper may be known by its title only.
	s = newStage(t)
	s.own("/hub/api/papers/2305.18290", "paper.json")
	s.Answer("/s2/graph/v1/paper/search/match", 200, `{"data":[{"paperId":"x","title":"PREFERRING tides!","citationCount":12,"year":2024}]}`)
	s.good(`{"operation":"paper_details","arxiv_id":"2305.18290"}`, "**Citations:** 12 | **Year:** 2024")
	// Semantic Scholar alone can tell of it.
	s = newStage(t)
	s.Answer("/hub/api/papers/2305.18290", 500, `{"error":"down"}`)
	s.Answer("/arxiv-api/api/query", 500, "down")
	s.Answer(dpo, 200, `{"paperId":"x","title":"Preferring Tides","year":2023,"citationCount":5000,"abstract":"All of it.","authors":[{"name":"A. One"}],"externalIds":{"ArXiv":"2305.18290"}}`)
	s.good(`{"operation":"paper_details","arxiv_id":"2305.18290"}`, "# Preferring Tides\nFrom Semantic Scholar: neither the Hub (upstream_error: the Hub answered 500: down) nor arXiv (",
		"**arxiv_id:** 2305.18290\nhttps://arxiv.org/abs/2305.18290\n**Authors:** A. One\n**Citations:** 5,000 | **Year:** 2023\n\n## Abstract\nAll of it.\n\n**Next:** read_paper")
	// Nobody knows it.
	s = newStage(t)
	s.bad(`{"operation":"paper_details","arxiv_id":"2305.18290"}`, "2305.18290", "not_found")
}

func TestLists(t *testing.T) {
	s := newStage(t)
	s.Answer("/hub/api/datasets", 200, `[{"id":"acme/d1","downloads":1234,"likes":2,"description":"\n\t\n\tA card\n\twith blanks.","tags":["arxiv:2305.18290","region:us","language:en","a","b","c","d","e"]},{"id":null,"downloads":null,"likes":"many","tags":null}]`)
	s.good(`{"operation":"find_datasets","arxiv_id":"2305.18290","sort":"trending"}`, "# Datasets linked to paper 2305.18290\nhttps://huggingface.co/papers/2305.18290\nShowing 2 dataset(s), sorted by trending\n\n"+
		"**1. [acme/d1](https://huggingface.co/datasets/acme/d1)**\n   Downloads: 1,234 | Likes: 2\n   Tags: language:en, a, b, c, d\n   A card with blanks.\n\n**2. [?]", `hf_inspect_dataset {"dataset":"acme/d1"}`)
	if q := s.Requests("/hub")[0].Query; q.Get("sort") != "trendingScore" || q.Get("direction") != "-1" || q.Get("filter") != "arxiv:2305.18290" || q.Get("limit") != "10" {
		t.Errorf("asked %v", q)
	}
	s.Answer("/hub/api/models", 200, `[{"id":"acme/m1","downloads":1234567,"likes":3,"pipeline_tag":"text-generation","library_name":"trl"},{"id":"acme/m2"}]`)
	s.good(`{"operation":"find_models","arxiv_id":"2305.18290","limit":1}`, "Showing 1 model(s), sorted by downloads\n\n**1. [acme/m1](https://huggingface.co/acme/m1)**\n   Downloads: 1,234,567 | Likes: 3 | Task: text-generation | Library: trl\n")
	s.Answer("/hub/api/models", 200, `[]`)
	s.good(`{"operation":"find_models","arxiv_id":"2305.18291"}`, "No models found", "https://huggingface.co/models?other=arxiv:2305.18291", "find_datasets")
	s.Answer("/hub/api/collections", 200, `[]`)
	s.good(`{"operation":"find_collections","arxiv_id":"2305.18291"}`, "No collections found")
	s.Answer("/hub/api/models", 401, `{"error":"Invalid credentials"}`)
	s.bad(`{"operation":"find_models","arxiv_id":"2305.18292"}`, "unauthorized", "the Hub")
}

// TestHostileAnswers: whatever services send, the text has no control
// characters, no panic happens and nothing grows without bound.
func TestHostileAnswers(t *testing.T) {
	bodies := []string{
		``, `null`, `[]`, `{}`, `[null,5,"x",[],{}]`, `{"data":[null,5,{"citingPaper":5,"citedPaper":"x","contexts":"y"}],"next":"z"}`,
		`{"data":[{"citingPaper":{"title":"\u001b[31mred\u0007 \u202e","year":"x","externalIds":{"ArXiv":5,"CorpusId":{}}},"contexts":["\u009b31m",5]}]}`,
		`{"error":"x"}`, `[{"paper":{"id":"\u001b]0;x\u0007","title":["a"],"ai_keywords":[5,null],"upvotes":-3,"githubStars":"y"}}]`,
		`{"title":"\u001b[2J","summary":"a\u0000b","authors":[5,{"name":5}],"linkedModels":[{"id":5}],"numTotalModels":"x","paperId":5}`,
		strings.Repeat(`{"data":[`, 5000), `{"data":` + strings.Repeat(`[`, 20000),
		`{"models":5,"datasets":[{"id":"` + strings.Repeat("x", 100_000) + `"}],"spaces":null}`,
		`{"recommendedPapers":[{"title":"` + strings.Repeat(`\u001b`, 1000) + `"},7]}`,
	}
	operations := []string{
		`"trending"`, `"search","query":"q"`, `"search","query":"q","sort_by":"citationCount"`, `"search","query":"q","date_from":"2024-01-01"`,
		`"snippet_search","query":"q"`, `"recommend","arxiv_id":"2305.18290"`, `"recommend","positive_ids":"2305.18290"`, `"paper_details","arxiv_id":"2305.18290"`,
		`"citation_graph","arxiv_id":"2305.18290"`, `"citation_walk","arxiv_id":"2305.18290","depth":2,"query":"q"`, `"find_datasets","arxiv_id":"2305.18290"`,
		`"find_models","arxiv_id":"2305.18290"`, `"find_collections","arxiv_id":"2305.18290"`, `"find_all_resources","arxiv_id":"2305.18290"`, `"arxiv_search","query":"q"`,
	}
	for i, body := range bodies {
		for _, op := range operations {
			s := newStage(t)
			s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
			r, err := s.tool.Run(t.Context(), s.env, []byte(`{"operation":`+op+`}`))
			if err != nil || r.Output == "" {
				t.Errorf("body %d, %s: %+v %v", i, op, r, err)
			}
			if strings.ContainsAny(r.Output, "\x1b\x07\x00\u009b\u202e") || utf8.RuneCountInString(r.Output) > 40_000 || strings.Contains(r.Output, "<nil>") {
				t.Errorf("body %d, %s: %q", i, op, r.Output[:min(500, len(r.Output))])
			}
		}
	}
}
