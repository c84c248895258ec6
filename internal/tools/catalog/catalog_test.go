package catalog_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/tools/catalog"
)

type maker func(catalog.Options) (tool.Tool, error)

func open(t *testing.T, s *lookuptest.Server, make maker) tool.Tool {
	t.Helper()
	tl, err := make(catalog.Options{Fetch: s.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return tl
}

func run(t *testing.T, s *lookuptest.Server, make maker, args string) tool.Result {
	t.Helper()
	env := &tooltest.Env{}
	r, err := open(t, s, make).Run(t.Context(), env, json.RawMessage(args))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.Output, lookuptest.HubToken) {
		t.Errorf("the token is in the output: %s", r.Output)
	}
	if r.OK && (len(env.Sources()) == 0 || !strings.Contains(r.Output, "[S1] https://huggingface.co/")) {
		t.Errorf("the result is not cited: %s", r.Output)
	}
	return r
}

func has(t *testing.T, text string, wanted ...string) {
	t.Helper()
	for _, w := range wanted {
		if !strings.Contains(text, w) {
			t.Errorf("%q is missing in:\n%s", w, text)
		}
	}
}

func lacks(t *testing.T, text string, unwanted ...string) {
	t.Helper()
	for _, w := range unwanted {
		if strings.Contains(text, w) {
			t.Errorf("%q is in:\n%s", w, text)
		}
	}
}

func TestConformance(t *testing.T) {
	plant := func(t *testing.T) *lookuptest.Server {
		s := lookuptest.New(t)
		s.Answer("/hub/api/models", 200, `[{"id":"o/m"}]`)
		s.Handle("/hub/api/kernels", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		s.Answer("/hub/api/datasets/o/bench/leaderboard", 200, `[{"rank":1,"modelId":"o/m","value":1}]`)
		return s
	}
	for name, c := range map[string]struct {
		make  maker
		bytes int
		test  tooltest.Case
	}{
		"hub_search": {catalog.NewSearch, 800, tooltest.Case{
			Params: catalog.Search{}, Good: `{"type":"models"}`, Slow: `{"type":"kernels"}`,
			Bad: map[string]string{`{"type":"papers"}`: "type", `{"type":"models","limit":51}`: "limit", `{"type":"models","min_params":"big"}`: "min_params", `{"type":"models","max_params":"-1B"}`: "max_params", `{"type":"models","sort":"age"}`: "sort"},
		}},
		"hf_leaderboard": {catalog.NewLeaderboard, 350, tooltest.Case{
			Params: catalog.Leaderboard{}, Good: `{"dataset":"o/bench"}`,
			Bad: map[string]string{`{}`: "dataset", `{"dataset":"../x"}`: "dataset", `{"dataset":"o/b","limit":101}`: "limit", `{"dataset":"o/b","max_params":"x"}`: "max_params"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c.test.New = func(t *testing.T) (tool.Tool, *tooltest.Env) { return open(t, plant(t), c.make), &tooltest.Env{} }
			tooltest.Run(t, c.test)
			tl := open(t, plant(t), c.make)
			spec := tl.Spec()
			if n := len(spec.Description) + len(spec.Parameters); spec.Name != name || n > c.bytes || !tl.Risk(nil).ReadOnly() {
				t.Errorf("%s takes %d bytes of every request, more than %d", spec.Name, n, c.bytes)
			}
		})
	}
}

const model = `{"id":"acme/tiny","downloads":12345,"likes":67,"gated":"manual","lastModified":"2026-05-02T09:00:00.000Z","pipeline_tag":"text-generation",
	"library_name":"transformers","tags":["license:apache-2.0","x"],"safetensors":{"total":494032768}}`

func TestModels(t *testing.T) {
	s := lookuptest.New(t)
	s.Answer("/hub/api/models", 200, `[`+model+`,{"id":"b/odd","downloads":"many","tags":{"a":1},"gated":false,"likes":null},17,{"nothing":1}]`)
	r := run(t, s, catalog.NewSearch, `{"type":"models","query":"tiny chat","author":"acme","filters":["a","b"],"task":"text-generation","library":"peft","license":"mit","language":"en","min_params":"500M","max_params":"7b","gated":true,"sort":"downloads","limit":3}`)
	has(t, r.Output, "**Found 2 models for 'tiny chat':**", "1. acme/tiny | text-generation | transformers | 494M params | downloads 12k | likes 67 | apache-2.0 | gated: manual | changed 2026-05-02\n",
		"2. b/odd | not gated\n", "There are more")
	q := s.Requests("/hub")[0].Query
	for name, want := range map[string][]string{
		"search": {"tiny chat"}, "author": {"acme"}, "filter": {"a", "b", "en", "peft", "license:mit"}, "pipeline_tag": {"text-generation"},
		"num_parameters": {"min:500M,max:7B"}, "gated": {"true"}, "sort": {"downloads"}, "direction": {"-1"}, "limit": {"3"},
	} {
		if !slices.Equal(q[name], want) {
			t.Errorf("%s is %q, want %q", name, q[name], want)
		}
	}
	if !slices.Contains(q["expand"], "safetensors") {
		t.Error(q)
	}
}

// The Link header leads on; where it points to is not followed.
func TestPages(t *testing.T) {
	s := lookuptest.New(t)
	s.Handle("/hub/api/datasets", func(w http.ResponseWriter, r *http.Request) {
		n := len(r.URL.Query().Get("cursor"))
		if n < 4 {
			w.Header().Set("Link", fmt.Sprintf(`<https://evil.test/api/datasets?limit=3&cursor=%s>; rel="next"`, strings.Repeat("x", n+1)))
		}
		_, _ = fmt.Fprintf(w, `[{"id":"a/%d-1","tags":["size_categories:1K<n<10K","task_categories:qa"]},{"id":"a/%d-2"}]`, n, n)
	})
	r := run(t, s, catalog.NewSearch, `{"type":"datasets","limit":3,"task":"qa","language":"en","min_params":"1B"}`)
	has(t, r.Output, "Found 3 datasets", "a/0-1 | qa | 1K<n<10K rows", "3. a/1-1", "Not applied to datasets: min_params/max_params.", "There are more")
	requests := s.Requests("/")
	if len(requests) != 2 || requests[1].Path != "/hub/api/datasets" || requests[1].Query.Get("cursor") != "x" {
		t.Errorf("%+v", requests)
	}
	if f := requests[0].Query["filter"]; !slices.Equal(f, []string{"task_categories:qa", "language:en"}) {
		t.Error(f)
	}
	if r := run(t, s, catalog.NewSearch, `{"type":"datasets","limit":50}`); strings.Count(r.Output, "\n") < 10 || len(s.Requests("/")) > 2+5 {
		t.Errorf("%d requests: %s", len(s.Requests("/")), r.Output)
	}
}

func TestSpacesByMeaning(t *testing.T) {
	s := lookuptest.New(t)
	s.Answer("/hub/api/spaces/semantic-search", 200, `[{"id":"a/b","title":"T","sdk":"gradio","likes":3,"tags":[],"ai_short_description":"Draws","semanticRelevancyScore":0.5,"runtime":{"stage":"RUNNING"}}]`)
	s.Answer("/hub/api/spaces", 200, `[]`)
	r := run(t, s, catalog.NewSearch, `{"type":"spaces","query":"draw","semantic":true,"task":"x","license":"mit"}`)
	has(t, r.Output, "1. a/b | T | gradio | RUNNING | likes 3 | licence not stated | relevance 0.50\n   Draws", "Not applied to spaces: task.")
	if q := s.Requests("/hub")[0].Query; q.Get("q") != "draw" || q.Get("filter") != "license:mit" {
		t.Error(q)
	}
	has(t, run(t, s, catalog.NewSearch, `{"type":"spaces","query":"draw"}`).Output, "Nothing matches")
	has(t, run(t, s, catalog.NewSearch, `{"type":"spaces","semantic":true}`).Output, "semantic (it needs")
}

func TestRecordedLists(t *testing.T) {
	s := lookuptest.New(t)
	s.File("/hub/api/spaces/semantic-search", 200, "hub-spaces-semantic-search.json")
	s.File("/hub/api/kernels", 200, "hub-kernels.json")
	s.File("/hub/api/datasets/princeton/bench/leaderboard", 200, "hub-dataset-leaderboard.json")
	s.File("/hub/api/models/acme/coder-30b", 200, "hub-model-info.json")
	r := run(t, s, catalog.NewSearch, `{"type":"spaces","query":"images","semantic":true}`)
	has(t, r.Output, "1. mrfakename/Z-Image-Turbo | Z Image Turbo | gradio | RUNNING | likes 1.2k", "Generate images from text", "relevance 0.83")
	r = run(t, s, catalog.NewSearch, `{"type":"kernels","query":"flash"}`)
	has(t, r.Output, "1. kernels-community/flash-attn2 | downloads 90k | likes 55 | bsd-3-clause | not gated | changed 2026-06-20")
	if q := s.Requests("/hub/api/kernels")[0].Query; q.Get("search") != "flash" {
		t.Error(q)
	}
	r = run(t, s, catalog.NewLeaderboard, `{"dataset":"princeton/bench"}`)
	has(t, r.Output, "| 1 | Qwen/Qwen3.5-397B-A17B | 76.4 | no | ? | ? | https://huggingface.co/Qwen/Qwen3.5-397B-A17B (with tools) |",
		"| 2 | acme/coder-30b | 61 | yes | 494M | apache-2.0 | .eval_results/swe.yaml |")
	r = run(t, s, catalog.NewLeaderboard, `{"dataset":"princeton/bench","verified_only":true}`)
	lacks(t, r.Output, "Qwen")
}

// The list of kernels is not documented: other forms and absent members are
// normal.
func TestKernels(t *testing.T) {
	s := lookuptest.New(t)
	s.Answer("/hub/api/kernels", 200, `{"kernels":[{"id":"a/x"},{"id":"b/y","tags":["license:mit"],"gated":true},{"name":"?"}],"next":null}`)
	r := run(t, s, catalog.NewSearch, `{"type":"kernels","sort":"likes","task":"x"}`)
	has(t, r.Output, "1. a/x\n2. b/y | mit | gated\n", "Not applied to kernels: sort, task.")
	has(t, run(t, s, catalog.NewSearch, `{"type":"kernels","author":"B","license":"MIT","gated":true}`).Output, "Found 1 kernels:", "1. b/y")
	s.Answer("/hub/api/kernels", 200, `<html>`)
	if r := run(t, s, catalog.NewSearch, `{"type":"kernels","query":"q"}`); r.OK || !strings.Contains(r.Output, "parse") {
		t.Errorf("%+v", r)
	}
}

func TestCollections(t *testing.T) {
	s := lookuptest.New(t)
	s.Answer("/hub/api/collections", 200, `[{"slug":"acme/best-1","title":"Best","description":"The best","upvotes":3,"lastUpdated":"2026-01-02T00:00:00Z","items":[{"type":"model","id":"acme/tiny"}]}]`)
	r := run(t, s, catalog.NewSearch, `{"type":"collections","query":"best","author":"acme","sort":"likes","license":"mit"}`)
	has(t, r.Output, "1. acme/best-1 “Best” | upvotes 3 | changed 2026-01-02\n   The best\n   holds: model acme/tiny", "Not applied to collections: license.")
	if q := s.Requests("/hub")[0].Query; q.Get("q") != "best" || q.Get("owner") != "acme" || q.Get("sort") != "upvotes" {
		t.Error(q)
	}
}

func TestLeaderboard(t *testing.T) {
	s := lookuptest.New(t)
	var rows []string
	for i := range 60 {
		rows = append(rows, fmt.Sprintf(`{"rank":%d,"modelId":"o/m%d","value":%g,"verified":%v,"source":{"url":"https://x.test/%d"}}`, i+1, i, 90-float64(i), i%2 == 0, i))
		params := `{"safetensors":{"total":70000000000},"tags":["license:mit"]}`
		if i%3 == 0 {
			params = `{"safetensors":{"total":7000000000},"tags":[]}`
		}
		s.Answer(fmt.Sprintf("/hub/api/models/o/m%d", i), 200, params)
	}
	s.Answer("/hub/api/datasets/o/bench/leaderboard", 200, `[`+strings.Join(rows, ",")+`]`)
	r := run(t, s, catalog.NewLeaderboard, `{"dataset":"https://huggingface.co/datasets/o/bench","limit":2}`)
	has(t, r.Output, "**Leaderboard of o/bench:** 60 entries", "| 1 | o/m0 | 90 | yes | 7B | not stated | https://x.test/0 |\n| 2 | o/m1 | 89 | no | 70B | mit |", "58 more rows", "https://huggingface.co/datasets/o/bench")
	if n := len(s.Requests("/hub/api/models/")); n != 2 {
		t.Errorf("%d models were looked up", n)
	}
	r = run(t, s, catalog.NewLeaderboard, `{"dataset":"o/bench","limit":3,"max_params":"8B"}`)
	has(t, r.Output, "| 1 | o/m0 ", "| 4 | o/m3 ", "| 7 | o/m6 ", "33 over 8B parameters left out (the first 50 were looked up)")
	lacks(t, r.Output, "o/m1 ")
	r = run(t, s, catalog.NewLeaderboard, `{"dataset":"o/bench","limit":1,"verified_only":true}`)
	has(t, r.Output, "30 entries, verified only")
	r = run(t, s, catalog.NewLeaderboard, `{"dataset":"o/none"}`)
	has(t, r.Output, "not_found", "find benchmarks with query")
}

func TestBenchmarksByQuery(t *testing.T) {
	s := lookuptest.New(t)
	s.Answer("/hub/api/datasets", 200, `[{"id":"o/bench-a"},{"id":"o/bench-b"}]`)
	s.Answer("/hub/api/datasets/o/bench-b/leaderboard", 200, `[]`)
	r := run(t, s, catalog.NewLeaderboard, `{"query":"bench"}`)
	has(t, r.Output, "2 benchmarks match 'bench'", "- o/bench-b")
	if q := s.Requests("/hub")[0].Query; q.Get("filter") != "benchmark:official" || q.Get("search") != "bench" {
		t.Error(q)
	}
	has(t, run(t, s, catalog.NewLeaderboard, `{"query":"Bench-B"}`).Output, "Leaderboard of o/bench-b", "No entry fits")
	s.Answer("/hub/api/datasets", 200, `[]`)
	has(t, run(t, s, catalog.NewLeaderboard, `{"query":"none"}`).Output, "No official benchmark")
}

func TestFailures(t *testing.T) {
	s := lookuptest.New(t)
	s.Answer("/hub/api/models", 400, `{"error":"Invalid expand"}`)
	if r := run(t, s, catalog.NewSearch, `{"type":"models"}`); r.OK || !strings.Contains(r.Output, "hub_search") || !strings.Contains(r.Output, "400") {
		t.Errorf("%+v", r)
	}
}

// Acceptance check 39: a call that is interrupted ends within 100 ms.
func TestCheck39_Interrupt(t *testing.T) {
	s := lookuptest.New(t)
	hung := make(chan struct{}, 8)
	s.Handle("/hub/api/models", func(_ http.ResponseWriter, r *http.Request) { hung <- struct{}{}; <-r.Context().Done() })
	s.Answer("/hub/api/spaces", 200, `[{"id":"a/b"}]`)
	tl := open(t, s, catalog.NewSearch)
	tooltest.Interrupted(t, tl, `{"type":"models"}`, hung, func() {
		if other, err := tl.Run(t.Context(), &tooltest.Env{}, json.RawMessage(`{"type":"spaces"}`)); err != nil || !other.OK {
			t.Errorf("%+v, %v", other, err)
		}
	})
}

// Acceptance check 40: results stay within their room.
func TestCheck40_Room(t *testing.T) {
	s := lookuptest.New(t)
	var items, rows []string
	for i := range 60 {
		items = append(items, fmt.Sprintf(`{"id":"o/%s%d","cardData":{"title":%q},"ai_short_description":%q}`, strings.Repeat("n", 90), i, strings.Repeat("ü", 900), strings.Repeat("ü", 900)))
		rows = append(rows, fmt.Sprintf(`{"rank":1,"modelId":"o/m","value":1e300,"notes":%q}`, strings.Repeat("|", 5000)))
	}
	s.Answer("/hub/api/spaces", 200, `[`+strings.Join(items, ",")+`]`)
	s.Answer("/hub/api/datasets/o/b/leaderboard", 200, `[`+strings.Join(rows, ",")+`]`)
	for _, room := range []int{40_000, 4_000} {
		for make, args := range map[*maker]string{new(maker(catalog.NewSearch)): `{"type":"spaces","limit":50}`, new(maker(catalog.NewLeaderboard)): `{"dataset":"o/b","limit":100}`} {
			r, err := open(t, s, *make).Run(t.Context(), &tooltest.Env{Chars: room}, json.RawMessage(args))
			if n := len([]rune(r.Output)); err != nil || !r.OK || n > room || n < 2_000 {
				t.Errorf("%s with room for %d: %d characters, %v", args, room, n, err)
			}
		}
	}
}
