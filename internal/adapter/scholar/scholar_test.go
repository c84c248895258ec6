package scholar_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/adapter/scholar"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

const key = scholar.Key("ARXIV:2305.18290")

const about = "/s2/graph/v1/paper/ARXIV:2305.18290"

func client(t *testing.T, s *lookuptest.Server, alone bool) *scholar.Client {
	t.Helper()
	c, err := scholar.New(scholar.Options{Fetch: s.Client(), Alone: alone})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestParseKey(t *testing.T) {
	sha := strings.Repeat("0a", 20)
	for text, want := range map[string]scholar.Key{
		"10.1093/MIND/LIX.236.433": "DOI:10.1093/MIND/LIX.236.433", "doi:10.1000/x": "DOI:10.1000/x", "https://doi.org/10.1000/x": "DOI:10.1000/x",
		"http://dx.doi.org/10.1000/x(y)": "DOI:10.1000/x(y)", "CorpusId:123": "CorpusId:123", "corpusid: 123 ": "CorpusId:123", sha: scholar.Key(sha),
		strings.ToUpper(sha): scholar.Key(sha),
		"":                   "", "../../x": "", "10.1000/../x": "", "10.1000/": "", "10.1/x": "", "CorpusId:": "", "CorpusId:12x": "", "CorpusId:1234567890123456": "", sha[1:]: "",
		"10.1000/a b": "", "10.1000/a\\b": "", "10.1000//x": "", "11.1000/x": "", "2305.18290": "", "10.1000/" + strings.Repeat("x", 400): "",
	} {
		got, err := scholar.ParseKey(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v, want %q", text, got, err, want)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	for _, s := range []string{"10.1093/MIND/LIX.236.433", "CorpusId:5", "doi:10.1000/x/../y", strings.Repeat("a", 40)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := scholar.ParseKey(s)
		if err == nil && (strings.Contains(string(k), "/../") || strings.HasSuffix(string(k), "/..") || strings.ContainsAny(string(k), " \n\x00")) {
			t.Errorf("%q → %q", s, k)
		}
	})
}

func TestSlashesStayAndTheRestIsEscaped(t *testing.T) {
	s := lookuptest.New(t)
	for k, path := range map[scholar.Key]string{
		"ARXIV:hep-th/9901001": "/s2/graph/v1/paper/ARXIV:hep-th/9901001", "DOI:10.1000/a?b#c%d": "/s2/graph/v1/paper/DOI:10.1000/a%3Fb%23c%25d",
	} {
		s.Answer(path, 200, `{"title":"T"}`)
		r, err := client(t, s, true).Paper(t.Context(), k)
		if err != nil || r.Title != "T" {
			t.Errorf("%s: %+v %v", k, r, err)
		}
	}
}

func TestPaper(t *testing.T) {
	s := lookuptest.New(t)
	s.Answer(about, 200, `{"paperId":"x","externalIds":{"ArXiv":"2305.18290","CorpusId":258959321,"DOI":null},"title":"A\n title","year":2023,"citationCount":-1,"referenceCount":"many","tldr":"not an object","venue":["x"],"publicationDate":"2023-05-29","authors":[{"name":"A. One"},null,5,{"name":null}],"openAccessPdf":null}`)
	r, err := client(t, s, false).Paper(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	year := 2023
	want := scholar.Paper{ID: "x", ArxivID: "2305.18290", CorpusID: "258959321", Title: "A title", Year: &year, Date: "2023-05-29", Authors: []string{"A. One"}}
	got := r.Paper
	if got.References != nil && *got.References == 0 {
		got.References = nil // a number that was none
	}
	if d := cmp.Diff(want, got); d != "" || r.Source != "Semantic Scholar" || r.Instead != nil || r.URL != "https://api.semanticscholar.org/graph/v1/paper/ARXIV:2305.18290" {
		t.Errorf("%s %v %s -want +got\n%s", r.Source, r.Instead, r.URL, d)
	}
	req := s.Requests("/s2")[0]
	if req.Header.Get("X-Api-Key") != lookuptest.ScholarKey || !strings.Contains(req.Query.Get("fields"), "tldr") {
		t.Errorf("%v %v", req.Header, req.Query)
	}
}

func TestErrorsSayWhatTheServiceSays(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		kind   fetch.Kind
		says   string
	}{
		{400, `{"error":"Unrecognized or unsupported fields: [x]"}`, fetch.BadArgument, "Unrecognized or unsupported fields: [x]"},
		{404, `{"error":"Paper with id ARXIV:0 not found"}`, fetch.NotFound, "it does not know the paper: Paper with id ARXIV:0 not found"},
		{404, ``, fetch.NotFound, "it does not know the paper"},
		{429, `{"message":"Too Many Requests.","code":"429"}`, fetch.RateLimited, "Too Many Requests. (try again in 60 s)"},
		{200, `[]`, fetch.Parse, "no JSON object"},
		{200, `{"title":`, fetch.Parse, "no JSON"},
	} {
		s := lookuptest.New(t)
		s.Answer(about, c.status, c.body, "Retry-After", "60")
		_, err := client(t, s, true).Paper(t.Context(), key)
		var f *fetch.Error
		if !errors.As(err, &f) || f.Kind != c.kind || !strings.Contains(f.Error(), c.says) || f.Service != "Semantic Scholar" {
			t.Errorf("%d %s: %v, want %s and %q", c.status, c.body, err, c.kind, c.says)
		}
		if scholar.Limited(err) != (c.status == 429) {
			t.Errorf("limited: %v", err)
		}
	}
}

// TestSecondService: OpenAlex is asked where Semantic Scholar is busy or lacks
// the paper, not where the question was bad.
func TestSecondService(t *testing.T) {
	work := `{"id":"https://openalex.org/W5","doi":"https://doi.org/10.48550/arXiv.2305.18290","display_name":"T","publication_year":2023,"cited_by_count":3,"primary_location":null}`
	for status, asked := range map[int]int{400: 0, 404: 1, 429: 1} {
		s := lookuptest.New(t)
		s.Answer(about, status, `{"error":"x"}`, "Retry-After", "60")
		s.Answer("/openalex/works/doi:10.48550/arXiv.2305.18290", 200, work)
		r, err := client(t, s, false).Paper(t.Context(), key)
		if n := len(s.Requests("/openalex")); n != asked {
			t.Errorf("%d: OpenAlex was asked %d times", status, n)
		}
		if asked == 0 {
			continue
		}
		if err != nil || r.Source != "OpenAlex" || r.Instead == nil || r.ArxivID != "2305.18290" || r.Influential != nil || *r.Citations != 3 || r.ID != "W5" {
			t.Errorf("%d: %+v %v", status, r, err)
		}
	}
	// What it lacks too is told as the first service told it.
	s := lookuptest.New(t)
	_, err := client(t, s, false).Links(t.Context(), key, scholar.Citations, scholar.Span{Limit: 5})
	var f *fetch.Error
	if !errors.As(err, &f) || f.Service != "Semantic Scholar" {
		t.Errorf("%v", err)
	}
	if client(t, s, true).Second() != nil {
		t.Error("a client that asks alone has a second service")
	}
	if _, err := scholar.New(scholar.Options{}); err == nil {
		t.Error("a client without Fetch was made")
	}
	if _, err := client(t, s, false).Second().Paper(t.Context(), "CorpusId:5"); err == nil {
		t.Error("OpenAlex found a paper by an id of Semantic Scholar")
	}
}

func TestPagesOfTheSecondService(t *testing.T) {
	s := lookuptest.New(t)
	s.Handle("/openalex/works", func(w http.ResponseWriter, r *http.Request) {
		var results []any
		for i := range 100 {
			results = append(results, map[string]any{"id": fmt.Sprintf("https://openalex.org/W%s%02d", r.URL.Query().Get("page"), i), "display_name": "x"})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"meta": map[string]any{"count": 250}, "results": results})
	})
	found, err := client(t, s, false).Second().Search(t.Context(), scholar.Query{Text: "q", Sort: scholar.PublicationDate, Offset: 195, Limit: 20})
	if err != nil || len(found.Papers) != 5 || found.Papers[0].ID != "W295" || found.Total != 250 {
		t.Errorf("%+v %v", found, err)
	}
	q := s.Requests("/openalex")[0].Query
	if q.Get("page") != "2" || q.Get("per-page") != "100" || q.Get("sort") != "publication_date:desc" || q.Has("filter") {
		t.Errorf("asked %v", q)
	}
}

func TestBatches(t *testing.T) {
	s := lookuptest.New(t)
	s.Answer("POST /s2/graph/v1/paper/batch", 200, `[{"paperId":"a","title":"A","references":[{"paperId":"r","title":"R"},{"paperId":null,"title":null}]},null,{"title":"C"},{"title":"too many"}]`)
	b, err := client(t, s, false).Batch(t.Context(), []scholar.Key{"CorpusId:1", "CorpusId:2", "CorpusId:3"}, scholar.CitedFields)
	if err != nil || len(b.Papers) != 2 || b.Papers["CorpusId:1"].Cited[0].Title != "R" || b.Papers["CorpusId:3"].Title != "C" {
		t.Errorf("%+v %v", b, err)
	}
	if r := s.Requests("/s2")[0]; r.Body != `{"ids":["CorpusId:1","CorpusId:2","CorpusId:3"]}` || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%+v", r)
	}
	many := make([]scholar.Key, 700)
	for i := range many {
		many[i] = "CorpusId:9"
	}
	if _, err := client(t, s, false).Batch(t.Context(), many, scholar.TLDRFields); err != nil {
		t.Error(err)
	}
	if all := s.Requests("/s2"); strings.Count(all[len(all)-1].Body, "CorpusId:9") != scholar.BatchSize {
		t.Error("a batch is larger than the service takes")
	}
}

// TestLongContexts: where a page is more than the service sends, a smaller one
// is asked for.
func TestLongContexts(t *testing.T) {
	s := lookuptest.New(t)
	s.Handle(about+"/citations", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("limit") != "200" {
			http.Error(w, `{"error":"Response would exceed maximum size of 10 MB. Use a smaller limit."}`, http.StatusBadRequest)
			return
		}
		_, _ = w.Write([]byte(`{"next":200,"data":[{"citingPaper":{"title":"T","year":2024}}]}`))
	})
	l, err := client(t, s, false).Links(t.Context(), key, scholar.Citations, scholar.Span{Limit: scholar.PageSize})
	if err != nil || len(l.Links) != 1 || !l.More || l.Total != -1 || len(s.Requests("/openalex")) > 0 {
		t.Errorf("%+v %v", l, err)
	}
}
