package docs_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/engine/arguments"
	"github.com/ml-intern/ml-intern/internal/tools/docs"
)

// A small set of pages in the published form.
const (
	ownList = "# Trl\n\n## Docs\n\n" +
		"- [DPO Trainer](https://huggingface.co/docs/trl/v1.12.0/dpo_trainer.md)\n" +
		"- [TRL [overview]](https://huggingface.co/docs/trl/v1.12.0/index.md)\n" +
		"- [SFT Trainer](https://huggingface.co/docs/trl/v1.12.0/sft_trainer.md)\n" +
		"- [Outside](https://evil.test/x.md)\n"
	ownPage = "# SFT Trainer\n\nTrains on examples of what a model should write.\n\n## Train with Liger Kernel\n\nLiger.\n\n" +
		"## SFTConfig[[trl.SFTConfig]]\n\n#### trl.SFTConfig[[trl.SFTConfig]]\n\n```python\n# no heading\ntrl.SFTConfig(max_length=1024)\n```\n\nmax_length (`int`): longest sequence.\n\n## After\n\nEnd.\n"
	ownWhole = ownList + "\n### DPO Trainer\nhttps://huggingface.co/docs/trl/v1.12.0/dpo_trainer.md\n\n# DPO Trainer\n\nLearns from pairs of a chosen and a rejected answer.\n\n" +
		"### SFT Trainer\nhttps://huggingface.co/docs/trl/v1.12.0/sft_trainer.md\n\n" + ownPage
)

// world is a server with the tools that ask it.
type world struct {
	*lookuptest.Server
	t   *testing.T
	env *tooltest.Env
	*docs.Tools
}

func newWorld(t *testing.T, change ...func(*docs.Options)) *world {
	t.Helper()
	w := &world{Server: lookuptest.New(t), t: t, env: &tooltest.Env{}}
	w.Tools = w.open(change...)
	return w
}

// open makes tools of their own, as another process would have them.
func (w *world) open(change ...func(*docs.Options)) *docs.Tools {
	w.t.Helper()
	o := docs.Options{Fetch: w.Client(), Endpoint: w.Base("HF_ENDPOINT")}
	for _, f := range change {
		f(&o)
	}
	tools, err := docs.New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := tools.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return tools
}

// seeded answers for a small set.
func (w *world) seeded() *world {
	w.Answer("/hub/api/docs", 200, `[{"id":"trl","url":"/docs/trl"},{"id":"vllm","url":"/docs/vllm"},{"id":"tgi","url":"/docs/text-generation-inference"},{"id":"gradio","url":"https://www.gradio.app/docs/"},{"id":"sbert","url":"https://sbert.test/"}]`)
	w.Answer("/hub/docs/trl/llms.txt", 200, ownList)
	w.Answer("/hub/docs/trl/llms-full.txt", 200, ownWhole)
	w.Answer("/hub/docs/trl/v1.12.0/sft_trainer.md", 200, ownPage)
	w.Answer("/hub/docs/trl/sft_trainer.md", 200, ownPage)
	w.Answer("/hub/docs/trl/v1.12.0/dpo_trainer.md", 200, "# DPO Trainer\n\nPairs.")
	w.Answer("/hub/docs/trl/v1.12.0/index.md", 200, "# TRL\n\n"+strings.Repeat("word ", 100))
	return w
}

// run calls a tool as the engine does: the arguments are checked first.
func (w *world) run(tl tool.Tool, args string) tool.Result {
	w.t.Helper()
	checker, err := arguments.Compile(tl.Spec().Parameters, tl.Spec().Synonyms)
	if err != nil {
		w.t.Fatal(err)
	}
	normal, _, err := checker.Check(args)
	if err != nil {
		return tool.Failed(err.Error())
	}
	r, err := tl.Run(w.t.Context(), w.env, normal)
	if err != nil {
		w.t.Fatal(err)
	}
	if n := utf8.RuneCountInString(r.Output); n > w.env.Room() {
		w.t.Errorf("%d characters, more than the room of %d", n, w.env.Room())
	}
	for _, secret := range []string{lookuptest.HubToken, lookuptest.GitHubToken} {
		if strings.Contains(r.Output, secret) {
			w.t.Errorf("a token is in the output of %s", args)
		}
	}
	return r
}

func (w *world) good(tl tool.Tool, args string) string {
	w.t.Helper()
	before := len(w.env.Sources())
	r := w.run(tl, args)
	if !r.OK {
		w.t.Fatalf("%s failed: %s", args, r.Output)
	}
	if len(w.env.Sources()) == before {
		w.t.Errorf("%s left no evidence", args)
	}
	return r.Output
}

func (w *world) bad(tl tool.Tool, args string) string {
	w.t.Helper()
	before := len(w.env.Sources())
	r := w.run(tl, args)
	if r.OK {
		w.t.Fatalf("%s was fine: %s", args, r.Output)
	}
	if len(w.env.Sources()) != before {
		w.t.Errorf("%s failed and left evidence", args)
	}
	return r.Output
}

func (w *world) wants(text string, wanted ...string) {
	w.t.Helper()
	for _, s := range wanted {
		if !strings.Contains(text, s) {
			w.t.Errorf("%q is missing in:\n%s", s, text)
		}
	}
}

func (w *world) lacks(text string, unwanted ...string) {
	w.t.Helper()
	for _, s := range unwanted {
		if strings.Contains(text, s) {
			w.t.Errorf("%q is in:\n%s", s, text)
		}
	}
}

// hang answers nobody.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func TestConformance(t *testing.T) {
	large := "# Long\n\n" + strings.Repeat("A line of a long page, with a few words.\n", 3000)
	tooltest.Run(t, tooltest.Case{
		New: func(t *testing.T) (tool.Tool, *tooltest.Env) {
			w := newWorld(t).seeded()
			w.Handle("/hub/docs/vllm/llms.txt", hang)
			return w.Explore, w.env
		},
		Slow:   `{"endpoint":"vllm"}`,
		Params: docs.ExploreParams{}, Good: `{"endpoint":"trl"}`,
		Bad: map[string]string{`{"endpoint":" "}`: "endpoint", `{"endpoint":"trl","max_results":0}`: "max_results", `{"endpoint":"nothing-like-it"}`: "endpoint"},
	})
	tooltest.Run(t, tooltest.Case{
		New: func(t *testing.T) (tool.Tool, *tooltest.Env) {
			w := newWorld(t).seeded()
			w.Answer("/hub/docs/trl/long.md", 200, large)
			w.Handle("/hub/docs/trl/slow.md", hang)
			return w.Page, w.env
		},
		Slow:   `{"url":"trl/slow"}`,
		Params: docs.PageParams{}, Good: `{"url":"trl/sft_trainer"}`, Large: `{"url":"trl/long","max_chars":100000}`,
		Bad: map[string]string{`{"url":""}`: "address", `{"url":"trl/sft_trainer","offset":-1}`: "offset", `{"url":"https://evil.test/"}`: "url"},
	})
	tooltest.Run(t, tooltest.Case{
		New: func(t *testing.T) (tool.Tool, *tooltest.Env) {
			w := newWorld(t)
			w.Answer("/hub/.well-known/openapi.json", 200, manyOperations(900))
			return w.API, w.env
		},
		Params: docs.APIParams{}, Good: `{"query":"things"}`, Large: `{"tag":"things"}`,
		Bad: map[string]string{`{}`: "query", `{"query":" ","tag":""}`: "tag", `{"tag":"nope"}`: "tag"},
	})
}

func TestDescriptionsAreShort(t *testing.T) {
	tools := newWorld(t).Tools
	for _, c := range []struct {
		tool tool.Tool
		max  int
	}{{tools.Explore, 1500}, {tools.Page, 500}, {tools.API, 800}} {
		s := c.tool.Spec()
		if n := len(s.Description) + len(s.Parameters); n > c.max {
			t.Errorf("%s has %d bytes, more than %d", s.Name, n, c.max)
		}
		var example map[string]any
		if err := json.Unmarshal(s.Example, &example); err != nil {
			t.Errorf("%s: example: %v", s.Name, err)
		}
	}
}

func TestCheck01OnlyDocumentationIsRead(t *testing.T) {
	w := newWorld(t)
	for _, url := range []string{
		"https://evil.test/x", "http://169.254.169.254/latest", "https://huggingface.co.evil.test/docs/x",
		"https://huggingface.co@evil.test/docs/x", "http://169.254.169.254/docs/x?x=.md", "https://huggingface.co/settings/tokens",
	} {
		out := w.bad(w.Page, fmt.Sprintf(`{"url":%q}`, url))
		w.wants(out, "bad_argument", "web_fetch")
	}
	if asked := w.Requests(""); len(asked) > 0 {
		t.Errorf("somebody was asked: %v", asked)
	}
}

func TestCheck03Section(t *testing.T) {
	t.Run("own", func(t *testing.T) { section(t, newWorld(t).seeded()) })
	t.Run("recorded", func(t *testing.T) {
		w := newWorld(t)
		w.File("/hub/docs/trl/sft_trainer.md", 200, "docs-trl-sft_trainer.md")
		section(t, w)
	})
}

func section(t *testing.T, w *world) {
	t.Helper()
	for _, args := range []string{
		`{"url":"https://huggingface.co/docs/trl/sft_trainer","section":"trl.SFTConfig"}`,
		`{"url":"https://huggingface.co/docs/trl/sft_trainer#trl.SFTConfig"}`,
		`{"url":"trl/sft_trainer#trl.sftconfig"}`,
		`{"url":"https://hf.co/docs/trl/sft_trainer.md","section":"SFTConfig"}`,
	} {
		out := w.good(w.Page, args)
		w.wants(out, "max_length", "Documentation from: https://huggingface.co/docs/trl/sft_trainer")
		w.lacks(out, "Liger")
	}
	for _, r := range w.Requests("/hub/docs") {
		if !strings.HasSuffix(r.Path, "/sft_trainer.md") {
			t.Errorf("asked for %s", r.Path)
		}
	}
	out := w.bad(w.Page, `{"url":"trl/sft_trainer","section":"nowhere_to_be_found"}`)
	w.wants(out, "not_found", "h2", "[trl.SFTConfig]")
}

func TestCheck04ListWithPreviews(t *testing.T) {
	t.Run("own", func(t *testing.T) {
		w := newWorld(t).seeded()
		listing(t, w, "/hub/docs/trl/v1.12.0/dpo_trainer.md")
	})
	t.Run("recorded", func(t *testing.T) {
		w := newWorld(t)
		w.File("/hub/api/docs", 200, "hub-docs-catalog.json")
		w.File("/hub/docs/trl/llms.txt", 200, "docs-trl-llms.txt")
		page := lookuptest.Fixture(t, "docs-trl-sft_trainer.md")
		for line := range strings.Lines(lookuptest.Fixture(t, "docs-trl-llms.txt")) {
			if _, rest, ok := strings.Cut(line, "https://huggingface.co"); ok {
				w.Answer("/hub"+strings.TrimSuffix(strings.TrimSpace(rest), ")"), 200, page)
			}
		}
		listing(t, w, "/hub/docs/trl/v1.12.0/bco_trainer.md")
	})
}

func listing(t *testing.T, w *world, flaky string) {
	t.Helper()
	var failures atomic.Int32
	w.Handle(flaky, func(out http.ResponseWriter, _ *http.Request) {
		if failures.Add(1) == 1 {
			http.Error(out, "down", http.StatusInternalServerError)
			return
		}
		_, _ = out.Write([]byte("# Title\n\nHere again."))
	})
	out := w.good(w.Explore, `{"endpoint":"trl"}`)
	w.wants(out, "Documentation structure for: https://huggingface.co/docs/trl", "Found ", "**DPO Trainer**", "SFT Trainer", "sft_trainer", "Glimpse: ", "Could not fetch")
	lists, pages := 0, 0
	for _, r := range w.Requests("/hub/docs/") {
		switch {
		case strings.HasSuffix(r.Path, "llms.txt"):
			lists++
		case r.Path != flaky || pages == 0:
			pages++
		}
	}
	if lists != 1 || pages > 20 {
		t.Errorf("%d requests for the list and %d for pages", lists, pages)
	}
	if out := w.good(w.Explore, `{"endpoint":"trl"}`); strings.Contains(out, "Could not fetch") || !strings.Contains(out, "Here again.") {
		t.Errorf("a failure was kept:\n%s", out)
	}
	if strings.Contains(w.requested(), "evil.test") {
		t.Error("another site was asked")
	}
}

func (w *world) requested() string {
	var b strings.Builder
	for _, r := range w.Requests("") {
		b.WriteString(r.Path + "\n")
	}
	return b.String()
}

func TestCheck05MaxResults(t *testing.T) {
	w := newWorld(t).seeded()
	var list strings.Builder
	for i := range 80 {
		fmt.Fprintf(&list, "- [Page %d](https://huggingface.co/docs/trl/folder%d/page%d.md)\n", i, i%3, i)
	}
	w.Answer("/hub/docs/trl/llms.txt", 200, list.String())
	w.wants(w.bad(w.Explore, `{"endpoint":"trl","max_results":0}`), "max_results")
	w.wants(w.bad(w.Explore, `{"endpoint":"trl","max_results":-3}`), "max_results")
	out := w.good(w.Explore, `{"endpoint":"trl","max_results":99}`)
	w.wants(out, "requested 99, showing at most 50", "\n50. **", "30 further page(s)", "total available: 80", "Section: trl/folder0")
	w.lacks(out, "\n51. **")
	if n := len(w.Requests("/hub/docs/trl/folder")); n > 0 {
		t.Errorf("%d pages were fetched for a long list", n)
	}
	out = w.good(w.Explore, `{"endpoint":"trl","max_results":"5"}`)
	w.wants(out, "\n5. **")
	w.lacks(out, "\n6. **")
	w.wants(w.good(w.Explore, `{"endpoint":"/TRL","max_results":null}`), "top 20", "\n20. **")
}

func TestCheck06Gradio(t *testing.T) {
	w := newWorld(t)
	w.Anonymous = true
	w.Answer("/gradio-search/api/prompt", 200, `{"SYS_PROMPT":"## Guides\n\nUse gr.Chatbot.\n"}`)
	out := w.good(w.Explore, `{"endpoint":"gradio","query":"chatbot"}`)
	if !strings.HasPrefix(out, "# Gradio Documentation\n\nQuery: 'chatbot'\n\nSource: https://gradio.app/docs\n\n---\n\n## Guides") {
		t.Errorf("%s", out)
	}
	asked := w.Requests("/gradio-search")
	if len(asked) != 1 || asked[0].Method != "POST" || !strings.Contains(asked[0].Body, `"prompt_to_embed":"chatbot"`) ||
		asked[0].Header.Get("Origin") != "https://gradio-docs-mcp.up.railway.app" || asked[0].Header.Get("Authorization") != "" {
		t.Errorf("%+v", asked)
	}
	if n := len(w.Requests("/hub")); n > 0 {
		t.Errorf("%d requests to the Hub", n)
	}
}

func TestGradioRecorded(t *testing.T) {
	w := newWorld(t)
	w.File("/gradio/llms.txt", 200, "gradio-llms.txt")
	w.File("/gradio-search/api/prompt", 200, "gradio-prompt-search.json")
	w.wants(w.good(w.Explore, `{"endpoint":"Gradio"}`), "# Gradio Documentation\n\nSource: ", "gr.Image")
	w.wants(w.good(w.Explore, `{"endpoint":"gradio","query":"image","max_results":3}`), `gr.Image(type="pil")`)
	w.Answer("/gradio-search/api/prompt", 404, "gone")
	out := w.good(w.Explore, `{"endpoint":"gradio","query":"creating images"}`)
	w.wants(out, "The search service failed", "## gr.Image")
	w.wants(w.good(w.Page, `{"url":"https://gradio.app/llms.txt"}`), "gr.Image")
}

func TestGradioLong(t *testing.T) {
	w := newWorld(t)
	w.Answer("/gradio/llms.txt", 200, strings.Repeat("## gr.Thing\n\nA component.\n\n", 8000))
	out := w.good(w.Explore, `{"endpoint":"gradio"}`)
	w.wants(out, `fetch_hf_docs {"url":"https://www.gradio.app/llms.txt","offset":`)
}

func TestCheck40LongPage(t *testing.T) {
	w := newWorld(t)
	var page strings.Builder
	page.WriteString("# Long\n\n")
	for i := 0; page.Len() < 2<<20; i++ {
		fmt.Fprintf(&page, "## Part %d[[long.Part%d]]\n\nWords about it.\n\n```python\n%s```\n\n", i, i, strings.Repeat("call(here, there)\n", 200))
	}
	w.Answer("/hub/docs/trl/long.md", 200, page.String())
	for _, args := range []string{`{"url":"trl/long"}`, `{"url":"trl/long","max_chars":100000}`, `{"url":"trl/long","offset":21000,"max_chars":1000}`, `{"url":"trl/long#long.part3","max_chars":1500}`} {
		out := w.good(w.Page, args)
		if n := utf8.RuneCountInString(out); n > 40_000 {
			t.Errorf("%s: %d characters", args, n)
		}
		w.wants(out, `"offset":`, "fetch_hf_docs {")
		if strings.Count(out, "```")%2 != 0 {
			t.Errorf("%s: a code fence is open", args)
		}
	}
	// Without max_chars half of that is shown.
	if n := utf8.RuneCountInString(w.good(w.Page, `{"url":"trl/long"}`)); n < 15_000 || n > 21_000 {
		t.Errorf("%d characters by default", n)
	}
	// Following the hints reads all of the page once.
	w.Answer("/hub/docs/trl/mid.md", 200, page.String()[:150_000])
	next, got := `{"url":"trl/mid","max_chars":30000}`, ""
	for range 20 {
		out := w.good(w.Page, next)
		got += out
		_, after, ok := strings.Cut(out, "go on with fetch_hf_docs ")
		if !ok {
			break
		}
		next, _, _ = strings.Cut(after, "\n")
	}
	if n := strings.Count(got, "Words about it."); n != strings.Count(page.String()[:150_000], "Words about it.") {
		t.Errorf("%d parts were read", n)
	}
	w.wants(got, "Outline", "[long.Part3]")
}
