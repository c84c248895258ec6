package neighbour_test

import (
	"encoding/xml"
	"net/http"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim/simtest"
)

const (
	tidepool   = "2509.99001"
	duplicates = "2511.99003"
	lowWater   = "2512.99005"
)

func TestDailyPapersHaveTheHubsForm(t *testing.T) {
	w := acme(t, nil)
	all := w.get("", "/api/daily_papers")
	covers(t, "item", all.At(0), recorded(t, "hub", "daily-papers.json", 0), "mediaUrls")
	simtest.SameKeys(t, all.At(0), recorded(t, "hub", "daily-papers.json", 0))
	w.Equal(simtest.Each(all.Body, "paper", "id"), []any{lowWater, "2511.99004", duplicates, "2510.99002", tidepool})
	w.Equal(simtest.Each(w.get("", "/api/daily_papers?sort=trending&limit=2").Body, "paper", "id"), []any{lowWater, duplicates})
	w.Equal(simtest.Each(w.get("", "/api/daily_papers?date=2025-11-07").Body, "paper", "id"), []any{duplicates})
	w.Equal(simtest.Each(w.get("", "/api/daily_papers?week=2025-W45").Body, "paper", "id"), []any{duplicates})
	w.Equal(simtest.Each(w.get("", "/api/daily_papers?month=2025-11&submitter=alice").Body, "paper", "id"), []any{duplicates})
	w.Equal(w.get("", "/api/daily_papers?date=2031-01-01").Body, []any{})
	for _, bad := range []string{"date=today", "week=45", "month=1", "sort=best", "limit=x", "p=-1"} {
		w.Must(http.StatusBadRequest, "", "GET", "/api/daily_papers?"+bad, nil)
	}
	page := w.get("", "/api/daily_papers?limit=2")
	link, _, _ := strings.Cut(strings.TrimPrefix(page.Header.Get("Link"), "<http://hub.test"), ">")
	w.Equal(simtest.Each(w.get("", link).Body, "paper", "id"), []any{duplicates, "2510.99002"})
}

func TestAPaperShowsWhatNamesIt(t *testing.T) {
	w := acme(t, nil)
	p := w.get("", "/api/papers/2510.99002")
	want := recorded(t, "hub", "paper-details.json")
	covers(t, "paper", p.Body, want, "projectPage", "authorData", "numParameters", "emoji", "datasetsServerInfo", "gated")
	w.Equal(simtest.Each(p.At("linkedDatasets"), "id"), []any{"acme/chat-sft", "acme/toy-chat"})
	w.Equal(p.At("numTotalDatasets"), 2.0)
	w.Equal(p.At("linkedModels"), []any{})
	repos := w.get("", "/api/arxiv/2511.99004/repos")
	w.Equal(simtest.Each(repos.At("models"), "id"), []any{"acme/tiny-gpt"})
	w.Equal(simtest.Each(repos.At("spaces"), "id"), []any{"acme/demo"})
	covers(t, "repos", repos.Body, recorded(t, "research", "hub-arxiv-repos.json"), "trendingScore")
	w.Must(http.StatusNotFound, "", "GET", "/api/papers/2401.00001", nil)

	text := w.get("", "/papers/2510.99002.md")
	if !strings.HasPrefix(text.Header.Get("Content-Type"), "text/markdown") || !strings.HasPrefix(string(text.Raw), "# Harbor Chats") {
		t.Errorf("%v %.60s", text.Header, text.Raw)
	}
	w.Must(http.StatusUnauthorized, "", "POST", "/api/papers/index", map[string]any{"arxivId": tidepool})
	w.Must(http.StatusOK, simtest.BobWrite, "POST", "/api/papers/index", map[string]any{"arxivId": tidepool})
	w.Must(http.StatusNotFound, simtest.BobWrite, "POST", "/api/papers/index", map[string]any{"arxivId": "2401.00001"})
}

func TestPapersAreFound(t *testing.T) {
	w := acme(t, nil)
	found := w.get("", "/api/papers/search?q=contamination+of+benchmarks&limit=2")
	covers(t, "search", found.Body, recorded(t, "research", "hub-papers-search.json"), "mediaUrls", "githubStars", "projectPage")
	w.Equal(found.At(0, "paper", "id"), duplicates)
	w.Equal(w.get("", "/api/papers/search?q="+tidepool).At(0, "title"), "Tidepool: Training Small Language Models on Small Corpora")
	w.Equal(w.get("", "/api/papers/search?q=zebra").Body, []any{})
	w.Must(http.StatusBadRequest, "", "GET", "/api/papers/search?q=", nil)
}

func TestArxivServesPagesAndFeeds(t *testing.T) {
	w := acme(t, nil)
	for _, target := range []string{"/arxiv/html/" + tidepool, "/arxiv/html/" + tidepool + "v1", "/ar5iv/html/" + tidepool} {
		page := string(w.get("", target).Raw)
		for _, want := range []string{
			`<h1 class="ltx_title ltx_title_document">Tidepool: Training`, `<div class="ltx_abstract">`, `alttext="d = 16"`,
			`<span class="ltx_tag ltx_tag_section">2 </span>Method</h2>`, `<span class="ltx_tag ltx_tag_subsection">A.1 </span>Seeds</h3>`,
			`<span class="ltx_tag ltx_tag_appendix">Appendix A </span>Details</h2>`, `<th class="ltx_td ltx_th">Recipe</th>`, `ltx_bibitem`, `display="block"`,
			`<span class="ltx_note_content">Averaging`,
		} {
			if !strings.Contains(page, want) {
				t.Errorf("%s has no %s", target, want)
			}
		}
		if open, closed := strings.Count(page, "<section"), strings.Count(page, "</section>"); open != closed || open < 8 {
			t.Errorf("%d sections open, %d close", open, closed)
		}
	}
	w.Must(http.StatusNotFound, "", "GET", "/arxiv/html/2401.00001", nil)
	if to := w.Must(http.StatusTemporaryRedirect, "", "GET", "/ar5iv/html/2401.00001", nil).Header.Get("Location"); to != "/arxiv/abs/2401.00001" {
		t.Errorf("ar5iv sends to %q", to)
	}
	if pdf := w.get("", "/arxiv/pdf/"+tidepool+".pdf").Raw; !strings.HasPrefix(string(pdf), "%PDF-1.4") || !strings.Contains(string(pdf), "(2.3 Optimization) Tj") {
		t.Error("no PDF")
	}

	for query, want := range map[string][]string{
		"search_query=all:duplicates":                                                                              {duplicates},
		"search_query=ti:tidepool+OR+ti:%22low+water%22":                                                           {tidepool, lowWater},
		"search_query=cat:cs.CL+ANDNOT+(ti:low+OR+ti:harbor)&sortBy=submittedDate":                                 {duplicates, tidepool},
		"search_query=cat:cs.*+AND+submittedDate:[202512010000+TO+202512312359]":                                   {lowWater},
		"search_query=au:quill&sortBy=submittedDate&sortOrder=ascending&max_results=1":                             {tidepool},
		"id_list=" + duplicates + "v1," + tidepool:                                                                 {duplicates, tidepool},
		"search_query=all:zebra":                                                                                   nil,
		"search_query=all:model&id_list=" + tidepool:                                                               {tidepool},
		"search_query=abs:language+abs:parameters&start=0&max_results=5&sortBy=submittedDate&sortOrder=descending": {tidepool},
	} {
		var feed struct {
			Total   int `xml:"totalResults"`
			Entries []struct {
				ID       string   `xml:"id"`
				Title    string   `xml:"title"`
				Authors  []string `xml:"author>name"`
				Category struct {
					Term string `xml:"term,attr"`
				} `xml:"primary_category"`
			} `xml:"entry"`
		}
		if err := xml.Unmarshal(w.get("", "/arxiv-api/api/query?"+query).Raw, &feed); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range feed.Entries {
			got = append(got, strings.TrimSuffix(strings.TrimPrefix(e.ID, "http://arxiv.org/abs/"), "v1"))
			if e.Title == "" || len(e.Authors) < 2 || e.Category.Term == "" {
				t.Errorf("%s: %+v", query, e)
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") || feed.Total < len(want) {
			t.Errorf("%s: %v of %d, want %v", query, got, feed.Total, want)
		}
	}
	for _, bad := range []string{"search_query=zz:x", "search_query=(ti:x", "id_list=no", "start=-1", "max_results=40000", "sortBy=x"} {
		if body := w.Must(http.StatusBadRequest, "", "GET", "/arxiv-api/api/query?"+bad, nil).Raw; !strings.Contains(string(body), "<title>Error</title>") {
			t.Errorf("%s: %s", bad, body)
		}
	}
}

func TestTheAtomFeedHasArxivsElements(t *testing.T) {
	w := acme(t, nil)
	names := func(raw []byte) map[string]bool {
		seen := map[string]bool{}
		dec := xml.NewDecoder(strings.NewReader(string(raw)))
		for {
			tok, err := dec.Token()
			if err != nil {
				return seen
			}
			if e, ok := tok.(xml.StartElement); ok {
				seen[e.Name.Space+" "+e.Name.Local] = true
			}
		}
	}
	want, err := readFile(t, "research", "arxiv-atom-query.xml")
	if err != nil {
		t.Fatal(err)
	}
	got := names(w.get("", "/arxiv-api/api/query?search_query=all:model").Raw)
	for name := range names(want) {
		if !got[name] && !strings.HasSuffix(name, "journal_ref") { // none of ours was printed
			t.Errorf("no element %s", name)
		}
	}
}
