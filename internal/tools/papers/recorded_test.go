package papers_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup/lookuptest"
)

// TestRecorded runs the operations over answers recorded from the services.
func TestRecorded(t *testing.T) {
	t.Run("trending", func(t *testing.T) {
		s := newStage(t)
		s.File("/hub/api/daily_papers", 200, "hub-daily-papers.json")
		s.good(`{"operation":"trending"}`, "## 1. Large Multimodal Models as General In-Context Classifiers\n**arxiv_id:** 2602.23229 | **upvotes:** 10\n", "**GitHub:** https://github.com/marco-garosi/CIRCLE (9 stars)")
	})
	t.Run("search", func(t *testing.T) {
		s := newStage(t)
		s.File("/hub/api/papers/search", 200, "hub-papers-search.json")
		s.good(`{"operation":"search","query":"classifiers"}`, "# Papers matching 'classifiers'\nShowing 3 paper(s)\n\n## 1. Large Multimodal")
		s.File("/hub/api/papers/search", 200, "hub-papers-search-empty.json")
		s.good(`{"operation":"search","query":"other"}`, "No papers found")
	})
	t.Run("filtered search", func(t *testing.T) {
		s := newStage(t)
		s.File("/s2/graph/v1/paper/search", 200, "s2-search.json")
		s.good(`{"operation":"search","query":"dpo","date_from":"2010-01-01"}`, "Showing 3 result(s) of 639,637", "### 3. Direct Preference Optimization: Your Language Model is Secretly a Reward Model\nYear: 2023 | Citations: 5000 | Venue: Neural Information Processing Systems | arxiv_id: 2305.18290")
		s.File("/s2/graph/v1/paper/search/bulk", 200, "s2-search-bulk.json")
		s.good(`{"operation":"search","query":"dpo","sort_by":"citationCount"}`, "Showing 3 result(s) of 3,027")
		s.File("/s2/graph/v1/paper/search/bulk", 200, "s2-search-bulk-empty.json")
		s.good(`{"operation":"search","query":"zzz","sort_by":"citationCount"}`, "No papers found with these filters")
	})
	t.Run("refused search", func(t *testing.T) {
		s := newStage(t)
		s.File("/s2/graph/v1/paper/search", 400, "s2-error-400-fields.json")
		s.File("/arxiv-api/api/query", 200, "arxiv-atom-query.xml")
		s.good(`{"operation":"search","query":"electron","date_from":"2001-01-01"}`, "Unrecognized or unsupported fields: [tldr]", "Showing 1 result(s) of 1,000\n\n### 1. Multi-Electron Production", "arxiv_id: hep-ex/0307015")
	})
	t.Run("details", func(t *testing.T) {
		s := newStage(t)
		s.File("/hub/api/papers/2602.23229", 200, "hub-paper-detail.json")
		s.File("/s2/graph/v1/paper/ARXIV:2602.23229", 200, "s2-paper.json")
		s.good(`{"operation":"paper_details","arxiv_id":"2602.23229v1"}`, "**Published:** 2026-02-26", "**Organization:** Multimedia and Human Understanding Group", "**Citations:** 10,059 (530 influential)",
			"**Models on the Hub:** 72 (meta-llama/Llama-Guard-3-8B)", "**Datasets on the Hub:** 15 (openai/gsm8k)", "**Spaces on the Hub:** 324 (nanotron/ultrascale-playbook)", "cache-based adapters, their \"in-context\" equivalent.")
		s = newStage(t)
		s.File("/hub/api/papers/hep-ex/0307015", 404, "hub-error-404.json")
		s.File("/s2/graph/v1/paper/ARXIV:hep-ex/0307015", 404, "s2-error-404.json")
		s.File("/arxiv-api/api/query", 200, "arxiv-atom-query.xml")
		s.good(`{"operation":"paper_details","arxiv_id":"hep-ex/0307015"}`, "**Authors:** H1 Collaboration", "**Comment:** 23 pages, 8 figures and 4 tables", "Paper with id ARXIV:0000.00000 not found")
	})
	t.Run("known by its title", func(t *testing.T) {
		s := newStage(t)
		s.Answer("/hub/api/papers/2305.18290", 200, `{"title":"Mining Association Rules between Sets of Items in Large Databases"}`)
		s.File("/s2/graph/v1/paper/search/match", 200, "s2-search-match.json")
		s.good(`{"operation":"paper_details","arxiv_id":"2305.18290"}`, "**Citations:** ? | **Year:** ?", "search/match?query=Mining")
		s.Answer("/hub/api/papers/2305.18291", 200, `{"title":"Another Title"}`)
		s.good(`{"operation":"paper_details","arxiv_id":"2305.18291"}`, "**Citations:** unknown (not_found")
	})
	t.Run("citations", func(t *testing.T) {
		s := newStage(t)
		s.File(dpo+"/citations", 200, "s2-citations.json")
		s.File(dpo+"/references", 200, "s2-references.json")
		s.good(`{"operation":"citation_graph","arxiv_id":"2305.18290"}`, "## Citations (5+)", "- **Self-RAG: Learning to Retrieve, Generate, and Critique through Self-Reflection** (2023, 312 cites) **[influential]**  arxiv:2310.11511\n  Intent: methodology\n  > As shown in [RAG]...\n- **Learning to Throw With a Handful",
			"## References (2)\n- **Neural Variational Inference and Learning in Belief Networks** (2014, 707 cites)  arxiv:1402.0030\n- **Does Gender Matter for Firm Performance? Evidence from Eastern Europe and Central Asia** (?, ? cites)\n")
		s.good(`{"operation":"citation_walk","arxiv_id":"2305.18290","query":"retrieve"}`, "| 1 | Self-RAG")
		s = newStage(t)
		s.File(dpo+"/references", 200, "s2-references-elided.json")
		s.good(`{"operation":"citation_graph","arxiv_id":"2305.18290","direction":"references"}`, "withholds")
		s = newStage(t)
		for _, route := range []string{dpo, dpo + "/citations", dpo + "/references"} {
			s.File(route, 429, "s2-error-429.json", "Retry-After", "60")
		}
		s.bad(`{"operation":"citation_graph","arxiv_id":"2305.18290"}`, "rate_limited", "60 s", "S2_API_KEY")
	})
	t.Run("snippets", func(t *testing.T) {
		s := newStage(t)
		s.File("/s2/graph/v1/snippet/search", 200, "s2-snippet-search.json")
		s.File(batch, 200, "s2-paper-batch.json")
		s.good(`{"operation":"snippet_search","query":"turing test"}`, "### 1. Computing Machinery and Intelligence (2018, 299 cites)\narxiv:1805.02262\n", "### 2. Evaluating Machine Intelligence (?, ? cites)\nSection: Introduction\n> We describe")
	})
	t.Run("recommend", func(t *testing.T) {
		s := newStage(t)
		all, recent := lookuptest.Fixture(t, "s2-recommendations.json"), lookuptest.Fixture(t, "s2-recommendations-empty.json")
		s.Handle("/s2/recommendations/v1/papers/forpaper/ARXIV:2305.18290", func(w http.ResponseWriter, r *http.Request) {
			answer := all
			if r.URL.Query().Get("from") == "recent" {
				answer = recent
			}
			_, _ = io.WriteString(w, answer)
		})
		s.good(`{"operation":"recommend","arxiv_id":"2305.18290"}`, "Showing 3 result(s)", "### 1. Report shows slight improvement", "### 3. Neural Variational Inference and Learning in Belief Networks\nYear: 2014 | Citations: 707 | Venue: International Conference on Machine Learning | arxiv_id: 1402.0030")
	})
	t.Run("resources", func(t *testing.T) {
		s := newStage(t)
		s.File("/hub/api/arxiv/2401.00001/repos", 200, "hub-arxiv-repos.json")
		s.File("/hub/api/collections", 200, "hub-collections-item.json")
		s.File("/hub/api/models", 200, "hub-models-by-arxiv.json")
		s.File("/hub/api/datasets", 200, "hub-datasets-by-arxiv.json")
		s.good(`{"operation":"find_all_resources","arxiv_id":"2401.00001"}`, "- **openai/gsm8k** (20,000 downloads)", "- **google/gemma** (1,200,000 downloads) (text-generation)", "- **huggingface/agents-course** (50 likes)", "- **Test Collection** by huggingfacejs (3 upvotes)")
		s.good(`{"operation":"find_collections","arxiv_id":"2401.00001"}`, "**1. Test Collection**\n   By: huggingfacejs | Upvotes: 3 | Items: 1\n   https://huggingface.co/collections/huggingfacejs/test-collection-690df2897fa1945492b8cf42\n   Only used in E2E tests")
		s.good(`{"operation":"find_models","arxiv_id":"2401.00001"}`, "**2. [acme/gemma-sft-lora](https://huggingface.co/acme/gemma-sft-lora)**\n   Downloads: 812 | Likes: 4 | Library: peft\n")
		s.good(`{"operation":"find_datasets","arxiv_id":"2401.00001"}`, "   Tags: task_categories:text-generation, language:en, license:mit, size_categories:10K<n<100K, format:parquet\n   Dataset Card for GSM8K Dataset Summary A set of linguistically diverse")
		s.File("/hub/api/arxiv/2401.00002/repos", 404, "hub-error-404.json")
		s.good(`{"operation":"find_all_resources","arxiv_id":"2401.00002"}`, "## Datasets (1)", "## Models (2)", "## Collections (1)")
	})
}
