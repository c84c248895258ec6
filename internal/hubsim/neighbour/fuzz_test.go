package neighbour_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/code"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/paper"
	"github.com/ml-intern/ml-intern/internal/hubsim/neighbour/scholar"
)

// FuzzQueries sends anything as a search to the services that have a language
// of their own: they answer or refuse, and never fail.
func FuzzQueries(f *testing.F) {
	c := clock.New(clock.Options{})
	f.Cleanup(c.Stop)
	library := paper.New([]paper.Paper{{ID: "2501.00001", Title: "On Tides", Authors: []string{"A"}, Summary: "Tides.", Categories: []string{"cs.CL"}}})
	mux := http.NewServeMux()
	paper.Serve(paper.Options{Clock: c, Library: library}).Pages(mux)
	scholar.Serve(c, library).Pages(mux)
	code.New(c, []code.Repo{{Owner: "o", Name: "r"}}).Pages(mux)
	for _, s := range []string{"ti:tides AND (cat:cs.* OR au:a)", "all:x ANDNOT submittedDate:[20250101 TO 20251231]", "(((", "repo:o/r is:open x", "2019-03:", `"`, "cites:W1,doi:x|y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q := url.QueryEscape(s)
		for _, target := range []string{
			"/arxiv-api/api/query?search_query=" + q, "/arxiv-api/api/query?id_list=" + q, "/s2/graph/v1/paper/search?query=x&publicationDateOrYear=" + q,
			"/s2/graph/v1/paper/search?query=tides&year=" + q, "/openalex/works?filter=" + q, "/github/search/repositories?q=" + q, "/github/search/code?q=" + q,
		} {
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
			if w.Code >= http.StatusInternalServerError {
				t.Errorf("%s: %d %s", target, w.Code, w.Body)
			}
		}
	})
}
