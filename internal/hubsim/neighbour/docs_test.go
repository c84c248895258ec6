package neighbour_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/hubsim/simtest"
)

func TestDocsHaveTheHubsForm(t *testing.T) {
	w := acme(t, nil)
	w.Equal(simtest.Each(w.get("", "/api/docs").Body, "id"), []any{"hub", "transformers", "trl"})
	covers(t, "catalogue", w.get("", "/api/docs").Body, recorded(t, "research", "hub-docs-catalog.json"))
	found := w.get("", "/api/docs/search?q=packing+sft&product=trl&limit=1")
	covers(t, "search", found.Body, recorded(t, "hub", "docs-search.json", "search"))
	full := w.get("", "/api/docs/search/full-text?q=sft&limit=1")
	covers(t, "full text", full.Body, recorded(t, "hub", "docs-search.json", "fullText"))
	if !strings.Contains(full.Text("hits", 0, "_formatted", "content"), "<em>SFT</em>") {
		t.Errorf("%s", full.Raw)
	}
	for _, bad := range []string{"q=", "q=x&limit=26", "q=x&limit=0", "q=" + strings.Repeat("x", 251)} {
		w.Must(http.StatusBadRequest, "", "GET", "/api/docs/search?"+bad, nil)
	}
}

func TestDocsAnswerQuestions(t *testing.T) {
	w := acme(t, nil)
	for q, want := range map[string]string{
		"SFTConfig max_length default":          "/docs/trl/sft_trainer#trl.SFTConfig",
		"columns of a preference dataset":       "/docs/trl/dataset_formats",
		"GRPO reward functions":                 "/docs/trl/grpo_trainer#reward-functions",
		"DPO beta learning rate":                "/docs/trl/dpo_trainer",
		"how do I push_to_hub a model":          "/docs/transformers/model_sharing",
		"CUDA out of memory":                    "/docs/transformers/perf_train_gpu_one",
		"timeout of a job":                      "/docs/hub/jobs",
		"gated model access request":            "/docs/hub/models-gated",
		"assistant_only_loss chat template":     "/docs/trl/sft_trainer",
		"secrets and variables of a Space":      "/docs/hub/spaces-overview",
		"LoRA rank and target modules":          "/docs/tr",
		"apply_chat_template generation prompt": "/docs/transformers/chat_templating",
	} {
		hits := w.get("", "/api/docs/search?q="+strings.ReplaceAll(q, " ", "+")+"&limit=3")
		urls := simtest.Each(hits.Body, "source_page_url")
		found := false
		for _, u := range urls {
			found = found || strings.HasPrefix(u.(string), "https://huggingface.co"+want)
		}
		if !found {
			t.Errorf("%s: %v, want %s", q, urls, want)
		}
	}
}

func TestDocsPages(t *testing.T) {
	w := acme(t, nil)
	list := string(w.get("", "/docs/trl/llms.txt").Raw)
	if !strings.HasPrefix(list, "# TRL\n\n## Docs\n\n- [TRL - ") || !strings.Contains(list, "- [SFT Trainer](https://huggingface.co/docs/trl/sft_trainer.md)\n") {
		t.Errorf("%s", list)
	}
	for _, line := range strings.Split(strings.TrimSpace(list), "\n")[4:] {
		_, url, _ := strings.Cut(line, "](https://huggingface.co")
		page := w.get("", strings.TrimSuffix(url, ")"))
		if !strings.HasPrefix(page.Header.Get("Content-Type"), "text/markdown") || !strings.HasPrefix(string(page.Raw), "# ") {
			t.Errorf("%s: %v", url, page.Header)
		}
	}
	for _, target := range []string{"/docs/trl/v1.12.0/sft_trainer.md", "/docs/trl/main/en/sft_trainer.md", "/docs/trl/sft_trainer.md"} {
		if text := string(w.get("", target).Raw); !strings.Contains(text, "## SFTConfig[[trl.SFTConfig]]") {
			t.Errorf("%s: %.80s", target, text)
		}
	}
	page := string(w.get("", "/docs/trl").Raw)
	for _, want := range []string{`<nav class="flex-auto`, `<a class="block" href="/docs/trl/sft_trainer">SFT Trainer</a>`} {
		if !strings.Contains(page, want) {
			t.Errorf("the sidebar has no %s", want)
		}
	}
	if full := w.get("", "/docs/hub/llms-full.txt").Raw; len(full) < 8000 || !strings.Contains(string(full), "Source: https://huggingface.co/docs/hub/jobs.md") {
		t.Errorf("%d bytes", len(full))
	}
	w.Must(http.StatusNotFound, "", "GET", "/docs/trl/none.md", nil)
	w.Must(http.StatusNotFound, "", "GET", "/docs/none/llms.txt", nil)
}

func TestGradio(t *testing.T) {
	w := acme(t, nil)
	if text := w.get("", "/gradio/llms.txt").Raw; !strings.HasPrefix(string(text), "# Gradio") {
		t.Errorf("%.60s", text)
	}
	body := map[string]any{"prompt_to_embed": "chatbot", "SYSTEM_PROMPT": "$INSERT_GUIDES_DOCS_DEMOS", "FALLBACK_PROMPT": "No results found"}
	found := w.Must(http.StatusOK, "", "POST", "/gradio-search/api/prompt", body)
	simtest.SameKeys(t, found.Body, recorded(t, "research", "gradio-prompt-search.json"))
	if !strings.Contains(found.Text("SYS_PROMPT"), "## gr.ChatInterface") {
		t.Errorf("%s", found.Raw)
	}
	body["prompt_to_embed"] = "zebra"
	w.Equal(w.Must(http.StatusOK, "", "POST", "/gradio-search/api/prompt", body).At("SYS_PROMPT"), "No results found")
}
