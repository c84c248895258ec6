package lookup

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// Places says where the services are and which credentials they take.
type Places struct {
	// Base gives the base URL that a variable such as "ML_INTERN_S2_URL" has in
	// force; "" is the default.
	Base func(variable string) string
	// HubToken is for the Hub, ViewerToken for the dataset viewer; nil is none.
	HubToken, ViewerToken func() string
	// GitHubToken, ScholarKey and the keys of search engines are asked for at
	// each request.
	GitHubToken, ScholarKey, BraveKey, TavilyKey func() string
	// Unhurried drops the pauses between requests that services ask for: for
	// stand-ins of them.
	Unhurried bool
}

// Services is the table of the places that are looked up.
func Services(p Places) []fetch.Service {
	all := []fetch.Service{
		{Name: "the Hub", Public: "https://huggingface.co", Hosts: []string{"hf.co", "www.huggingface.co"}, Base: p.Base("HF_ENDPOINT"), Credential: p.HubToken},
		{Name: "the dataset viewer", Public: "https://datasets-server.huggingface.co", Base: p.Base("ML_INTERN_DATASETS_SERVER_URL"), Credential: p.ViewerToken},
		{Name: "arXiv", Public: "https://arxiv.org", Hosts: []string{"www.arxiv.org"}, Base: p.Base("ML_INTERN_ARXIV_URL")},
		// One request every three seconds is what arXiv asks of programs.
		{Name: "the arXiv search", Public: "https://export.arxiv.org", Base: p.Base("ML_INTERN_ARXIV_API_URL"), Every: 3 * time.Second},
		{Name: "ar5iv", Public: "https://ar5iv.labs.arxiv.org", Hosts: []string{"ar5iv.org"}, Base: p.Base("ML_INTERN_AR5IV_URL")},
		{
			Name: "Semantic Scholar", Public: "https://api.semanticscholar.org", Base: p.Base("ML_INTERN_S2_URL"),
			Credential: p.ScholarKey, Header: "x-api-key", Every: time.Second, Keyed: time.Second, Penalty: 3 * time.Second,
		},
		{Name: "OpenAlex", Public: "https://api.openalex.org", Base: p.Base("ML_INTERN_OPENALEX_URL")},
		{Name: "GitHub", Public: "https://api.github.com", Base: p.Base("ML_INTERN_GITHUB_API_URL"), Credential: p.GitHubToken},
		{Name: "GitHub's files", Public: "https://raw.githubusercontent.com", Base: files(p.Base("ML_INTERN_GITHUB_API_URL"))},
		{Name: "the Gradio documentation", Public: "https://gradio.app", Hosts: []string{"www.gradio.app"}, Base: p.Base("ML_INTERN_GRADIO_URL")},
		{Name: "the Gradio search", Public: "https://playground-worker.pages.dev", Base: p.Base("ML_INTERN_GRADIO_SEARCH_URL")},
		{Name: "Brave", Public: "https://api.search.brave.com", Base: p.Base("ML_INTERN_BRAVE_URL"), Credential: p.BraveKey, Header: "X-Subscription-Token"},
		{Name: "Tavily", Public: "https://api.tavily.com", Base: p.Base("ML_INTERN_TAVILY_URL"), Credential: p.TavilyKey},
		{Name: "the web search", Public: "https://html.duckduckgo.com/html/", Base: withoutQuestion(webAddress(p.Base("ML_INTERN_WEB_SEARCH_BASE_URL"))), Every: time.Second, Keyed: time.Second},
	}
	// An instance of SearXNG has no public address but its own.
	if own := webAddress(p.Base("ML_INTERN_SEARXNG_URL")); own != "" {
		all = append(all, fetch.Service{Name: "SearXNG", Public: strings.TrimRight(own, "/")})
	}
	if p.Unhurried {
		for i := range all {
			all[i].Every, all[i].Keyed, all[i].Penalty = 0, 0, 0
		}
	}
	return all
}

// webAddress is an address of the web, or nothing: the tool that needs one says
// what is wrong with it.
func webAddress(s string) string {
	if u, err := url.Parse(s); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return ""
	}
	return s
}

// files is where a configured GitHub has the contents of files.
func files(api string) string {
	if api = strings.TrimRight(api, "/"); api == "" || api == "https://api.github.com" {
		return ""
	}
	return api + "/raw"
}

// withoutQuestion drops an empty "q=" that some write at the end of a search
// address: the question is added to it, and a server would read the first.
func withoutQuestion(address string) string {
	before, query, ok := strings.Cut(address, "?")
	if !ok {
		return address
	}
	parts := slices.DeleteFunc(strings.Split(query, "&"), func(part string) bool {
		name, _, _ := strings.Cut(part, "=")
		return name == "q" || name == ""
	})
	if len(parts) == 0 {
		return before
	}
	return before + "?" + strings.Join(parts, "&")
}
