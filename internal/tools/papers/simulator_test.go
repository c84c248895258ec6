package papers_test

import (
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/adapter/scholar"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
	"github.com/ml-intern/ml-intern/internal/tools/papers"
)

// TestSimulator runs every operation against the simulated Hub and the services
// around it.
func TestSimulator(t *testing.T) {
	sim := hubsimtest.Start(t, hubsim.Options{})
	bases := map[string]string{}
	for _, v := range hubsim.BaseEnv(sim.URL()) {
		name, value, _ := strings.Cut(v, "=")
		bases[name] = value
	}
	client, err := httpx.New(httpx.Options{Version: "0.0.0-test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	getter, err := fetch.New(fetch.Options{HTTP: client, Services: lookup.Services(lookup.Places{
		Base: func(v string) string { return bases[v] }, Unhurried: true, HubToken: func() string { return "hf_bob_write" },
	})})
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t, func(o *papers.Options) { o.Fetch = getter })
	const chats = `"arxiv_id":"2510.99002"`
	for args, want := range map[string]string{
		`"trending"`:                                                           "## 1. ",
		`"trending","query":"harbor"`:                                          "Harbor Chats",
		`"trending","date":"2025-10-15"`:                                       "# Trending Papers (2025-10-15)",
		`"trending","date":"2025-10-18"`:                                       "The nearest day that has papers is 2025-10-15",
		`"search","query":"harbor chats"`:                                      "Harbor Chats: Compact Conversations",
		`"search","query":"fine-tuning","date_from":"2025-01-01"`:              "(Semantic Scholar)\nShowing ",
		`"search","query":"fine-tuning","sort_by":"citationCount"`:             "**TL;DR:**",
		`"arxiv_search","query":"harbor chats","categories":"cs.CL"`:           "(arXiv)\nShowing 1 result(s)",
		`"paper_details",` + chats:                                             "**Citations:** ",
		`"citation_graph",` + chats:                                            "- **Counting tokens, not rows** (2023, ? cites)",
		`"citation_walk","depth":2,"arxiv_id":"2509.99001"`:                    "| 1 | ",
		`"citation_walk","depth":2,"query":"tidepool","arxiv_id":"2509.99001"`: "Keywords: 'tidepool'",
		`"snippet_search","query":"chat template"`:                             "matching passage(s)",
		`"snippet_search","query":"packing",` + chats:                          "Harbor Chats",
		`"recommend",` + chats:                                                 "Showing ",
		`"recommend","positive_ids":"2509.99001","negative_ids":"2512.99005"`:  "Showing ",
		`"find_datasets",` + chats:                                             "acme/toy-chat",
		`"find_models","arxiv_id":"2509.99001"`:                                "acme/tiny-base",
		`"find_collections","arxiv_id":"2509.99001"`:                           "**1. Tiny models end to end**",
		`"find_all_resources",` + chats:                                        "The authors' repository: https://github.com/acme/recipes (57 stars)",
	} {
		s.good(`{"operation":`+args+`}`, want)
	}
	s.good(`{"operation":"read_paper",`+chats+`}`, "Harbor Chats: Compact Conversations for Supervised Fine-Tuning", "Experiments")
	s.good(`{"operation":"read_paper",`+chats+`,"section":"references"}`, "Counting tokens, not rows")
	s.bad(`{"operation":"citation_graph","arxiv_id":"2401.00001"}`, "not_found", "does not know the paper")

	if text := s.good(`{"operation":"citation_walk","arxiv_id":"2509.99001"}`, "## Hubs", "- **Harbor Chats"); strings.Contains(text, "- **Tidepool") {
		t.Errorf("the paper itself is a hub:\n%s", text)
	}
	// The service that steps in, by itself.
	both, err := scholar.New(scholar.Options{Fetch: getter})
	if err != nil {
		t.Fatal(err)
	}
	second := both.Second()
	for _, d := range []scholar.Direction{scholar.Citations, scholar.References} {
		l, err := second.Links(t.Context(), scholar.ArxivKey("2510.99002"), d, scholar.Span{Limit: 5, From: "2025-01-01"})
		if err != nil || len(l.Links) == 0 || l.Total < 1 || l.Links[0].ArxivID == "" || l.Links[0].Citations == nil {
			t.Errorf("%s: %+v %v", d, l, err)
		}
	}
	for _, order := range []scholar.Sort{scholar.Relevance, scholar.CitationCount, scholar.PublicationDate} {
		found, err := second.Search(t.Context(), scholar.Query{Text: "fine-tuning", Sort: order, MinCitations: 2, Limit: 5})
		if err != nil || len(found.Papers) == 0 || *found.Papers[0].Citations < 2 {
			t.Errorf("%s: %+v %v", order, found, err)
		}
	}
}
