package web_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/adapter/websearch"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/engine/arguments"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/tools/web"
)

// resultsPage is a page of results in the shape of the real one.
const resultsPage = `<!DOCTYPE html><html><head><title>x at DuckDuckGo</title></head><body><div id="links" class="results">
<div class="result web-result"><h2 class="result__title"><a class="result__a" href="//duckduckgo.com/l/?uddg=https%3A%2F%2Fone.example%2Fa%3Fb%3Dc&amp;rut=1">  One   <b>page</b></a></h2>
<a class="result__snippet" href="//duckduckgo.com/l/?uddg=https%3A%2F%2Fone.example%2Fa">About <b>one</b>.` + "\x1b[31m" + `</a></div>
<div class="result web-result"><h2><a class="result__a" href="https://sub.two.example/">Two</a></h2></div>
<div class="result web-result"><h2><a class="result__a" href="https://badtwo.example/">Not two</a></h2></div>
<div class="result web-result"><h2><a class="result__a" href="javascript:alert(1)">Script</a></h2></div>
<div class="result web-result"><h2><a class="result__a" href="https://empty.example/"> </a></h2></div>
<div class="result web-result"><h2><a class="result__a" href="/l/?uddg=ftp%3A%2F%2Fthree.example%2F">FTP</a></h2></div>
<div class="result result--ad"><h2><a class="result__a" href="https://ads.example/">Ad</a></h2></div>
<div class="result web-result"><h2><a class="result__a" href="https://duckduckgo.com/y.js?ad_domain=x">Ad</a></h2></div>
<div class="result web-result"><h2><a class="result__a" href="//duckduckgo.com/l/?uddg=https%3A%2F%2Fduckduckgo.com%2Fy.js%3Fad_domain%3Dx">Ad behind a link</a></h2></div>
</div></body></html>`

func searcher(t *testing.T, c fetch.Getter, change ...func(*websearch.Options)) *websearch.Searcher {
	t.Helper()
	o := websearch.Options{Fetch: c}
	for _, f := range change {
		f(&o)
	}
	s, err := websearch.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func searchTool(t *testing.T, c fetch.Getter, change ...func(*websearch.Options)) *web.Search {
	t.Helper()
	s, err := web.NewSearch(searcher(t, c, change...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func run(t *testing.T, tl tool.Tool, env tool.Env, args string) tool.Result {
	t.Helper()
	spec := tl.Spec()
	checker, err := arguments.Compile(spec.Parameters, spec.Synonyms)
	if err != nil {
		t.Fatal(err)
	}
	checked, _, err := checker.Check(args)
	if err != nil {
		t.Fatalf("%s: %v", args, err)
	}
	r, err := tl.Run(t.Context(), env, checked)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{lookuptest.HubToken, lookuptest.GitHubToken, lookuptest.ScholarKey, lookuptest.BraveKey, lookuptest.TavilyKey} {
		if strings.Contains(r.Output, secret) {
			t.Errorf("the output holds %s", secret)
		}
	}
	if n := utf8.RuneCountInString(r.Output); n > env.Room() {
		t.Errorf("%d characters, at most %d wanted", n, env.Room())
	}
	return r
}

// found reads a result of web_search.
type found struct {
	Query   string
	Summary string
	Results struct {
		ToolUseID string `json:"tool_use_id"`
		Content   []struct{ Title, URL, Snippet, Source string }
	}
	Duration float64
}

func read(t *testing.T, r tool.Result) found {
	t.Helper()
	var doc struct {
		Query    string            `json:"query"`
		Results  []json.RawMessage `json:"results"`
		Duration *float64          `json:"durationSeconds"`
	}
	var f found
	if err := json.Unmarshal([]byte(r.Output), &doc); err != nil || !r.OK || len(doc.Results) != 2 || doc.Duration == nil {
		t.Fatalf("%v: %+v", err, r)
	}
	f.Query, f.Duration = doc.Query, *doc.Duration
	if err := errors.Join(json.Unmarshal(doc.Results[0], &f.Summary), json.Unmarshal(doc.Results[1], &f.Results)); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f found) urls() []string {
	out := []string{}
	for _, c := range f.Results.Content {
		out = append(out, c.URL)
	}
	return out
}

func TestSearchConforms(t *testing.T) {
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	tooltest.Run(t, tooltest.Case{
		New: func(t *testing.T) (tool.Tool, *tooltest.Env) {
			s := lookuptest.New(t)
			s.Handle("/web-search", func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("q") == "slow one" {
					select {
					case <-release:
					case <-r.Context().Done():
					}
				}
				_, _ = io.WriteString(w, resultsPage)
			})
			return searchTool(t, s.Client()), &tooltest.Env{}
		},
		Params: web.SearchParams{},
		Good:   `{"query":"rust web search"}`,
		Bad: map[string]string{
			`{"query":" a "}`:                              "at least 2 characters",
			`{"query":"ab","allowed_domains":"x.org"}`:     "allowed_domains must be an array of strings",
			`{"query":"ab","allowed_domains":[1]}`:         "allowed_domains must be an array of strings",
			`{"query":"ab","blocked_domains":{"a":"b"}}`:   "blocked_domains must be an array of strings",
			`{"query":"ab","max_results":21}`:              "max_results",
			`{"query":"` + strings.Repeat("a", 501) + `"}`: "at most 500",
		},
		Slow: `{"query":"slow one"}`,
	})
}

func TestSearchReadsAPage(t *testing.T) {
	s := lookuptest.New(t)
	s.Answer("/web-search", 200, resultsPage, "Content-Type", "text/html")
	env := &tooltest.Env{Call: "toolu_7"}
	r := run(t, searchTool(t, s.Client()), env, `{"query":" two   words "}`)
	f := read(t, r)
	if diff := cmp.Diff([]string{"https://one.example/a?b=c", "https://sub.two.example/", "https://badtwo.example/"}, f.urls()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	one := f.Results.Content[0]
	if one.Title != "One page" || one.Snippet != "About one.[31m" || one.Source != "S1" || f.Results.ToolUseID != "toolu_7" || f.Query != "two words" {
		t.Errorf("%+v", f)
	}
	if !strings.Contains(f.Summary, `"two words"`) || !strings.Contains(f.Summary, "Sources") || !strings.Contains(f.Summary, "\n- [One page](https://one.example/a?b=c)\n") {
		t.Error(f.Summary)
	}
	src := env.Sources()
	if len(src) != 1 || src[0].URL != "https://html.duckduckgo.com/html/?q=two+words" || src[0].Tool != "web_search" || src[0].Object != "two words" {
		t.Errorf("%+v", src)
	}
	if lines := strings.Split(r.Output, "\n"); lines[1] != `  "query": "two words",` || !strings.HasPrefix(lines[2], `  "results": [`) {
		t.Errorf("indent or order: %q", lines[:3])
	}
	// The same again is answered from what is kept, with the time of then.
	tl := searchTool(t, s.Client())
	run(t, tl, env, `{"query":"again"}`)
	run(t, tl, env, `{"query":"again"}`)
	if n := len(s.Requests("/web-search")); n != 2 {
		t.Errorf("%d requests", n)
	}
}

func TestDomainsAreFiltered(t *testing.T) {
	s := lookuptest.New(t)
	s.Answer("/web-search", 200, resultsPage, "Content-Type", "text/html")
	tl := searchTool(t, s.Client())
	const one, two, bad = "https://one.example/a?b=c", "https://sub.two.example/", "https://badtwo.example/"
	for args, want := range map[string][]string{
		`"allowed_domains":[]`:                                                    {one, two, bad},
		`"allowed_domains":null`:                                                  {one, two, bad},
		`"allowed_domains":["https://TWO.example/"]`:                              {two},
		`"allowed_domains":["..two.example//"]`:                                   {two},
		`"allowed_domains":["two.example","one.example:443"]`:                     {one, two},
		`"blocked_domains":["two.example"]`:                                       {one, bad},
		`"allowed_domains":["two.example"],"blocked_domains":["sub.two.example"]`: {},
		`"allowed_domains":["example"]`:                                           {one, two, bad},
		`"max_results":"2"`:                                                       {one, two},
	} {
		f := read(t, run(t, tl, &tooltest.Env{}, `{"query":"ab",`+args+`}`))
		if diff := cmp.Diff(want, f.urls()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", args, diff)
		}
		if len(want) == 0 && !strings.Contains(f.Summary, "Nothing") {
			t.Error(f.Summary)
		}
	}
}

// script answers without a network and keeps what it was asked.
type script struct {
	mu   sync.Mutex
	got  []*http.Request
	page string
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, r)
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(s.page)), ContentLength: -1}, nil
}

func TestCheck29SearchGoesToTheConfiguredAddress(t *testing.T) {
	for base, want := range map[string]string{
		"http://search.test/search":          "http://search.test/search?q=rust+web+search",
		"http://search.test/s/?q=":           "http://search.test/s/?q=rust+web+search",
		"http://search.test/s?q=&kl=us":      "http://search.test/s?kl=us&q=rust+web+search",
		"http://search.test/search?kl=us-en": "http://search.test/search?kl=us-en&q=rust+web+search",
		"https://html.duckduckgo.com/html/":  "https://html.duckduckgo.com/html/?q=rust+web+search",
		"":                                   "https://html.duckduckgo.com/html/?q=rust+web+search",
		"https://search.test":                "https://search.test/?q=rust+web+search",
	} {
		s := &script{page: resultsPage}
		c, err := fetch.New(fetch.Options{HTTP: &http.Client{Transport: s}, Services: lookup.Services(lookup.Places{Base: func(v string) string {
			if v == "ML_INTERN_WEB_SEARCH_BASE_URL" {
				return base
			}
			return ""
		}})})
		if err != nil {
			t.Fatal(err)
		}
		env := &tooltest.Env{}
		f := read(t, run(t, searchTool(t, c, func(o *websearch.Options) { o.Base = base }), env, `{"query":"rust web search"}`))
		if len(s.got) != 1 || strings.Replace(s.got[0].URL.String(), "test?", "test/?", 1) != want || s.got[0].Header.Get("User-Agent") != "clawd-rust-tools/0.1" || len(f.urls()) != 3 {
			t.Errorf("%s: asked %v", base, s.got[0].URL)
		}
		if got := env.Sources()[0].URL; strings.Replace(got, "test?", "test/?", 1) != want {
			t.Errorf("%s: evidence of %s", base, got)
		}
	}
	for _, base := range []string{"ftp://x", "search.test", "http://", "http://%zz"} {
		s := lookuptest.New(t)
		r := run(t, searchTool(t, s.Client(), func(o *websearch.Options) { o.Base = base }), &tooltest.Env{}, `{"query":"rust web search"}`)
		if r.OK || !strings.Contains(r.Output, "invalid search base URL") || len(s.Requests("/")) > 0 {
			t.Errorf("%s: %s", base, r.Output)
		}
	}
}

func TestCheck30ResultsOfARecordedPage(t *testing.T) {
	s := lookuptest.New(t)
	s.File("/web-search", 200, "ddg-results.html", "Content-Type", "text/html")
	tl := searchTool(t, s.Client())
	const grpo, math, trl = "https://huggingface.co/docs/trl/grpo_trainer", "https://arxiv.org/abs/2402.03300", "https://github.com/huggingface/trl"
	for args, want := range map[string][]string{
		`{"query":"trl grpo"}`: {grpo, math, trl},
		`{"query":"trl grpo","allowed_domains":["https://HuggingFace.co/"]}`: {grpo},
		`{"query":"trl grpo","allowed_domains":[]}`:                          {grpo, math, trl},
		`{"query":"trl grpo","blocked_domains":["arxiv.org"]}`:               {grpo, trl},
	} {
		r := run(t, tl, &tooltest.Env{Call: "call_30"}, args)
		f := read(t, r)
		if diff := cmp.Diff(want, f.urls()); diff != "" || strings.Contains(r.Output, "y.js") || f.Results.ToolUseID != "call_30" {
			t.Errorf("%s: %s (-want +got):\n%s", args, r.Output, diff)
		}
		for _, u := range want {
			if strings.Count(r.Output, `"`+u+`"`) != 1 {
				t.Errorf("%s is not there once: %s", u, r.Output)
			}
		}
	}
	f := read(t, run(t, tl, &tooltest.Env{}, `{"query":"trl grpo"}`))
	if c := f.Results.Content; c[0].Title != "GRPO Trainer - Hugging Face" || c[0].Snippet != "TRL supports the GRPO trainer for language models." || c[2].Title != "huggingface/trl & friends" {
		t.Errorf("%+v", c)
	}
}

func TestCheck31ChallengesAreNoResults(t *testing.T) {
	for _, status := range []int{200, 202, 403, 429} {
		s := lookuptest.New(t)
		s.File("/web-search", status, "ddg-anomaly.html", "Content-Type", "text/html")
		tl := searchTool(t, s.Client())
		env := &tooltest.Env{}
		for range 2 {
			r := run(t, tl, env, `{"query":"trl grpo"}`)
			if r.OK || !strings.Contains(r.Output, "(blocked)") || !strings.Contains(r.Output, "web_search.provider") || !strings.Contains(r.Output, "ML_INTERN_SEARXNG_URL") {
				t.Errorf("%d: %s", status, r.Output)
			}
		}
		if len(env.Sources()) > 0 || len(s.Requests("/web-search")) != 2 {
			t.Errorf("%d: %d sources, %d requests", status, len(env.Sources()), len(s.Requests("/web-search")))
		}
	}
	// Statuses that refuse do so also with a page that says nothing; hits count
	// whatever the status is.
	for _, status := range []int{202, 403, 429} {
		s := lookuptest.New(t)
		s.Answer("/web-search", status, "<html><body></body></html>", "Content-Type", "text/html")
		tl := searchTool(t, s.Client())
		if r := run(t, tl, &tooltest.Env{}, `{"query":"trl grpo"}`); r.OK || !strings.Contains(r.Output, "(blocked)") {
			t.Errorf("%d: %s", status, r.Output)
		}
		s.Answer("/web-search", status, resultsPage, "Content-Type", "text/html")
		if f := read(t, run(t, tl, &tooltest.Env{}, `{"query":"with hits"}`)); len(f.urls()) != 3 {
			t.Errorf("%d: %v", status, f.urls())
		}
	}
	s := lookuptest.New(t)
	s.File("/web-search", 200, "ddg-no-results.html", "Content-Type", "text/html")
	r := run(t, searchTool(t, s.Client()), &tooltest.Env{}, `{"query":"qqzzxx"}`)
	if f := read(t, r); len(f.Results.Content) != 0 || !strings.Contains(r.Output, `"content": []`) || !strings.Contains(f.Summary, "qqzzxx") {
		t.Error(r.Output)
	}
	// Other failures are told as they are.
	s.Answer("/web-search", 500, "<html>broken</html>", "Content-Type", "text/html")
	if r := run(t, searchTool(t, s.Client()), &tooltest.Env{}, `{"query":"ab"}`); r.OK || !strings.Contains(r.Output, "answered 500") {
		t.Error(r.Output)
	}
}

func TestEnginesInOrder(t *testing.T) {
	all := func(s *lookuptest.Server) func(*websearch.Options) {
		return func(o *websearch.Options) {
			o.SearXNG = s.Base("ML_INTERN_SEARXNG_URL")
			o.BraveKey, o.TavilyKey = func() string { return lookuptest.BraveKey }, func() string { return lookuptest.TavilyKey }
		}
	}
	plant := func(t *testing.T) *lookuptest.Server {
		s := lookuptest.New(t)
		s.Answer("/searxng/search", 200, `{"results":[{"title":"Sear","url":"https://x.example/1","content":"a <b>b</b> &amp; c"},{"title":null,"url":"https://x.example/2"}]}`)
		s.Answer("/brave/res/v1/web/search", 200, `{"web":{"results":[{"title":"<strong>Brave</strong>","url":"https://x.example/1","description":"d"}]}}`)
		s.Answer("POST /tavily/search", 200, `{"results":[{"title":"Tav","url":"https://x.example/1","content":"c"}]}`)
		s.Answer("/web-search", 200, resultsPage)
		return s
	}
	for name, tt := range map[string]struct {
		engines []string
		down    []string
		want    string // title of the first hit
		asked   []string
	}{
		"the first":       {nil, nil, "Sear", []string{"/searxng/search"}},
		"the second":      {nil, []string{"/searxng/search"}, "Brave", []string{"/searxng/search", "/brave/res/v1/web/search"}},
		"the third":       {nil, []string{"/searxng/search", "/brave/res/v1/web/search"}, "Tav", []string{"/searxng/search", "/brave/res/v1/web/search", "/tavily/search"}},
		"the last":        {nil, []string{"/searxng/search", "/brave/res/v1/web/search", "/tavily/search"}, "One page", []string{"/searxng/search", "/brave/res/v1/web/search", "/tavily/search", "/web-search"}},
		"as one likes it": {[]string{"tavily", "brave"}, []string{"/tavily/search"}, "Brave", []string{"/tavily/search", "/brave/res/v1/web/search"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := plant(t)
			for _, route := range tt.down {
				s.Answer(route, 401, `{"error":"no"}`)
				s.Answer("POST "+route, 200, "no JSON")
			}
			tl := searchTool(t, s.Client(), all(s), func(o *websearch.Options) { o.Engines = tt.engines })
			f := read(t, run(t, tl, &tooltest.Env{}, `{"query":"a b"}`))
			if f.Results.Content[0].Title != tt.want {
				t.Errorf("%+v", f.Results)
			}
			var asked []string
			for _, r := range s.Requests("/") {
				asked = append(asked, r.Path)
				wrong := r.Header.Get("User-Agent") == "clawd-rust-tools/0.1"
				switch {
				case strings.HasPrefix(r.Path, "/searxng"):
					wrong = wrong || r.Query.Get("q") != "a b" || r.Query.Get("format") != "json"
				case strings.HasPrefix(r.Path, "/brave"):
					wrong = wrong || r.Query.Get("q") != "a b" || r.Header.Get("X-Subscription-Token") != lookuptest.BraveKey
				case strings.HasPrefix(r.Path, "/tavily"):
					wrong = wrong || !strings.Contains(r.Body, `"query":"a b"`) || r.Header.Get("Authorization") != "Bearer "+lookuptest.TavilyKey
				default:
					wrong = !wrong
				}
				if wrong {
					t.Errorf("%+v", r)
				}
			}
			if diff := cmp.Diff(tt.asked, asked); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	s := plant(t)
	tl := searchTool(t, s.Client(), func(o *websearch.Options) { o.Engines = []string{"brave", "tavily"} })
	r := run(t, tl, &tooltest.Env{}, `{"query":"a b"}`)
	if r.OK || !strings.Contains(r.Output, "BRAVE_API_KEY is not set") || !strings.Contains(r.Output, "TAVILY_API_KEY is not set") {
		t.Error(r.Output)
	}
	if _, err := websearch.New(websearch.Options{Fetch: s.Client(), Engines: []string{"altavista"}}); err == nil || !strings.Contains(err.Error(), "altavista") {
		t.Error(err)
	}
}

func TestSearchStaysWithinTheRoom(t *testing.T) {
	var b strings.Builder
	for i := range 30 {
		fmt.Fprintf(&b, `<div class="result"><a class="result__a" href="https://x.example/%d%s">%s</a><a class="result__snippet">%s</a></div>`, i, strings.Repeat("p", 1_500), strings.Repeat("t ", 400), strings.Repeat("<b>s</b> ", 4_000))
	}
	s := lookuptest.New(t)
	s.Answer("/web-search", 200, b.String(), "Content-Type", "text/html")
	r := run(t, searchTool(t, s.Client()), &tooltest.Env{Chars: 20_000}, `{"query":"ab","max_results":20}`)
	if f := read(t, r); len(f.Results.Content) < 4 || len(f.Results.Content) > 19 {
		t.Errorf("%d entries", len(f.Results.Content))
	}
}

// One engine has its pace, for all sessions together.
func TestOneSearchASecond(t *testing.T) {
	for _, s := range lookup.Services(lookup.Places{Base: func(string) string { return "" }}) {
		if s.Public == "https://html.duckduckgo.com/html/" && s.Every == time.Second && s.Keyed == time.Second {
			return
		}
	}
	t.Error("the search has no pace")
}
