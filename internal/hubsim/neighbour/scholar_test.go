package neighbour_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim/simtest"
)

const graph = "/s2/graph/v1/paper/"

func TestSemanticScholarKnowsTheGraph(t *testing.T) {
	w := acme(t, nil)
	all := "?fields=paperId,externalIds,url,title,abstract,venue,year,referenceCount,citationCount,influentialCitationCount,isOpenAccess,openAccessPdf,fieldsOfStudy,s2FieldsOfStudy,tldr,publicationTypes,publicationDate,authors"
	p := w.get("", graph+"ARXIV:"+tidepool+all)
	covers(t, "paper", p.Body, recorded(t, "research", "s2-paper.json"), "DBLP", "MAG")
	w.Equal(p.At("citationCount"), 4.0)
	w.Equal(p.At("influentialCitationCount"), 2.0)
	w.Equal(p.At("year"), 2025.0)
	id := p.Text("paperId")
	for _, form := range []string{id, "CorpusId:990000001", "DOI:10.48550/arXiv." + tidepool, "arxiv:" + tidepool, "URL:https:%2F%2Farxiv.org%2Fabs%2F" + tidepool} {
		w.Equal(w.get("", graph+form+"?fields=title").At("paperId"), id)
	}
	w.Equal(w.Must(http.StatusNotFound, "", "GET", graph+"ARXIV:0000.00000", nil).Body, recorded(t, "research", "s2-error-404.json"))

	fields := "?fields=title,externalIds,year,citationCount,influentialCitationCount,contexts,intents,isInfluential&limit=2"
	citations := w.get("", graph+"ARXIV:"+tidepool+"/citations"+fields)
	covers(t, "citations", citations.Body, recorded(t, "research", "s2-citations.json"), "DBLP", "DOI")
	w.Equal(citations.At("next"), 2.0)
	w.Equal(simtest.Each(citations.At("data"), "citingPaper", "externalIds", "ArXiv"), []any{lowWater, "2511.99004"})
	references := w.get("", graph+"ARXIV:2510.99002/references"+fields)
	covers(t, "references", references.Body, recorded(t, "research", "s2-references.json"), "DBLP", "MAG")
	w.Equal(references.At("data", 0, "isInfluential"), true)
	w.Equal(references.At("data", 1, "citedPaper"), map[string]any{
		"paperId": nil, "externalIds": nil, "title": "Counting tokens, not rows", "year": 2023.0, "citationCount": nil, "influentialCitationCount": nil,
	})
}

func TestSemanticScholarSearches(t *testing.T) {
	w := acme(t, nil)
	found := w.get("", graph+"search?query=preference+optimization&fields=title,externalIds,year,venue,citationCount,publicationDate,tldr&limit=1")
	covers(t, "search", found.Body, recorded(t, "research", "s2-search.json"), "DBLP", "MAG")
	w.Equal(found.At("data", 0, "externalIds", "ArXiv"), "2511.99004")
	bulk := w.get("", graph+"search/bulk?query=model&fields=title,externalIds,venue,year,citationCount,publicationDate&sort=citationCount:desc&publicationDateOrYear=:2025-11-10&minCitationCount=1")
	covers(t, "bulk", bulk.Body, recorded(t, "research", "s2-search-bulk.json"), "DBLP", "MAG")
	w.Equal(bulk.At("data", 0, "externalIds", "ArXiv"), tidepool)
	w.Equal(w.get("", graph+"search/bulk?query=zebra").Body, recorded(t, "research", "s2-search-bulk-empty.json"))
	covers(t, "match", w.get("", graph+"search/match?query=tidepool").Body, recorded(t, "research", "s2-search-match.json"))

	batch := w.Must(http.StatusOK, "", "POST", graph+"batch?fields=title,year,citationCount,externalIds", map[string]any{"ids": []string{"CorpusId:990000003", "ARXIV:1.1"}})
	covers(t, "batch", batch.Body, recorded(t, "research", "s2-paper-batch.json"))
	w.Equal(batch.At(1), nil)
	w.Equal(batch.At(0, "externalIds", "ArXiv"), duplicates)

	snippets := w.get("", "/s2/graph/v1/snippet/search?query=chat+template&limit=3&fields=snippet.text,snippet.snippetKind,snippet.section")
	covers(t, "snippets", snippets.Body, recorded(t, "research", "s2-snippet-search.json"))
	inside := w.get("", "/s2/graph/v1/snippet/search?query=learning+rate&paperIds=ARXIV:"+tidepool)
	for _, id := range simtest.Each(inside.At("data"), "paper", "corpusId") {
		w.Equal(id, "990000001")
	}

	recent := w.get("", "/s2/recommendations/v1/papers/forpaper/ARXIV:"+tidepool+"?fields=title,externalIds,year,citationCount,venue&limit=2&from=recent")
	covers(t, "recommendations", recent.Body, recorded(t, "research", "s2-recommendations.json"), "DBLP", "MAG")
	old := w.get("", "/s2/recommendations/v1/papers/forpaper/ARXIV:"+lowWater+"?from=all-cs&fields=externalIds")
	if n := len(old.At("recommendedPapers").([]any)); n != 4 {
		t.Errorf("%d papers are like it", n)
	}
	w.clock.Advance(100 * 24 * 3600 * 1e9)
	w.Equal(w.get("", "/s2/recommendations/v1/papers/forpaper/ARXIV:"+tidepool+"?from=recent").Body, recorded(t, "research", "s2-recommendations-empty.json"))
	both := w.Must(http.StatusOK, "", "POST", "/s2/recommendations/v1/papers/?fields=title,externalIds&limit=1",
		map[string]any{"positivePaperIds": []string{"ARXIV:2511.99004"}, "negativePaperIds": []string{"ARXIV:" + duplicates}})
	w.Equal(len(both.At("recommendedPapers").([]any)), 1)
}

func TestSemanticScholarRefusesFieldsByName(t *testing.T) {
	w := acme(t, nil)
	for target, field := range map[string]string{
		graph + "search/bulk?query=x&fields=title,tldr":                             "tldr",
		"/s2/graph/v1/snippet/search?query=x&fields=title":                          "title",
		"/s2/recommendations/v1/papers/forpaper/ARXIV:" + tidepool + "?fields=tldr": "tldr",
		graph + "ARXIV:" + tidepool + "?fields=colour":                              "colour",
		graph + "ARXIV:" + tidepool + "/citations?fields=title,tldr":                "tldr",
	} {
		w.Equal(w.Must(http.StatusBadRequest, "", "GET", target, nil).At("error"), "Unrecognized or unsupported fields: ["+field+"]")
	}
	w.Must(http.StatusBadRequest, "", "GET", graph+"search?query=x&limit=101", nil)
	w.Must(http.StatusBadRequest, "", "GET", graph+"search?query=", nil)
	w.Must(http.StatusBadRequest, "", "GET", graph+"search?query=x&year=soon", nil)
}

func TestOpenAlexCountsCitations(t *testing.T) {
	w := acme(t, nil)
	work := w.get("", "/openalex/works/doi:10.48550/arXiv."+duplicates)
	id := strings.TrimPrefix(work.Text("id"), "https://openalex.org/")
	w.Equal(work.At("cited_by_count"), 1.0)
	w.Equal(w.get("", "/openalex/works/"+id).At("title"), work.At("title"))
	cites := w.get("", "/openalex/works?filter=cites:"+id)
	w.Equal(cites.At("meta", "count"), 1.0)
	w.Equal(cites.At("results", 0, "doi"), "https://doi.org/10.48550/arXiv."+lowWater)
	found := w.get("", "/openalex/works?search=duplicates&per-page=1")
	w.Equal(found.At("results", 0, "id"), work.At("id"))
	if words, _ := work.At("abstract_inverted_index").(map[string]any); len(words) < 30 {
		t.Errorf("%d words", len(words))
	}
	w.Must(http.StatusBadRequest, "", "GET", "/openalex/works?filter=colour:red", nil)
	w.Must(http.StatusNotFound, "", "GET", "/openalex/works/W1", nil)
}
