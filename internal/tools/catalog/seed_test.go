package catalog_test

import (
	"encoding/json"
	"testing"

	api "github.com/ml-intern/ml-intern/internal/adapter/github"
	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
	"github.com/ml-intern/ml-intern/internal/tools/catalog"
	"github.com/ml-intern/ml-intern/internal/tools/github"
)

// simulated is a client that takes a simulator for the Hub and GitHub.
func simulated(t *testing.T, github string) *fetch.Client {
	t.Helper()
	h := hubsimtest.Start(t, hubsim.Options{})
	client, err := httpx.New(httpx.Options{Version: "0.0.0-test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	base := map[string]string{"HF_ENDPOINT": h.URL(), "ML_INTERN_GITHUB_API_URL": h.URL() + "/github"}
	c, err := fetch.New(fetch.Options{HTTP: client, Services: lookup.Services(lookup.Places{
		Base: func(v string) string { return base[v] }, GitHubToken: func() string { return github }, Unhurried: true,
	})})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The tools of GitHub and of the catalogue on what the simulator holds.
func TestAgainstTheSimulator(t *testing.T) {
	c := simulated(t, "sim")
	hub := catalog.Options{Fetch: c}
	client, err := api.New(api.Options{Fetch: c, Authorised: func() bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	gh := github.Options{Client: client}
	made := func(tl tool.Tool, err error) tool.Tool {
		if err != nil {
			t.Fatal(err)
		}
		return tl
	}
	list, find := made(github.NewListRepos(gh)), made(github.NewFindExamples(gh))
	read, search := made(github.NewReadFile(gh)), made(github.NewSearch(gh))
	catalogue, board := made(catalog.NewSearch(hub)), made(catalog.NewLeaderboard(hub))
	for _, step := range []struct {
		tool   tool.Tool
		args   string
		wanted []string
	}{
		{list, `{"owner":"acme"}`, []string{"Found 3 repositories for acme", "1. **acme/recipes**", "⭐ 57 stars", "License: Apache-2.0"}},
		{list, `{"owner":"acme","sort":"created","order":"asc","limit":1}`, []string{"1. **acme/"}},
		{find, `{"repo":"acme/recipes","keyword":"sft"}`, []string{"1. **examples/scripts/sft.py**", "Supervised fine-tuning", "SFTConfig, SFTTrainer", "sft_lora.py"}},
		{find, `{"repo":"recipes","org":"acme"}`, []string{"examples/notebooks/look_at_rows.ipynb"}},
		{find, `{"repo":"acme/recipe"}`, []string{"acme/recipes"}},
		{find, `{"repo":"acme/recipes","keyword":"likelihood"}`, []string{"Files whose text has it", "evaluate.py"}},
		{read, `{"repo":"acme/recipes","path":"examples/scripts/dpo.py"}`, []string{"**File content:**", "DPOTrainer"}},
		{read, `{"repo":"acme/recipes","path":"examples/scripts"}`, []string{"grpo.py"}},
		{read, `{"repo":"acme/recipes","path":"examples/notebooks/look_at_rows.ipynb"}`, []string{"```python"}},
		{read, `{"repo":"acme/recipes","path":"examples/scripts/grpo.py","symbol":"def questions"}`, []string{"def questions(n, seed):", "Showing lines"}},
		{search, `{"kind":"code","query":"DPOTrainer","org":"acme"}`, []string{"examples/scripts/dpo.py", "DPOTrainer"}},
		{search, `{"kind":"issues","query":"rewards","repo":"acme/recipes","state":"open"}`, []string{"GRPO: all rewards are zero", "acme/recipes#7"}},
		{search, `{"issue":"acme/recipes#3"}`, []string{"**bob** (owner", "chat_template_path"}},
		{search, `{"kind":"repositories","query":"audit user:acme"}`, []string{"Found"}},
		{search, `{"kind":"commits","query":"x","repo":"acme/recipes"}`, []string{"Nothing matches"}},
		{catalogue, `{"type":"models","query":"tiny","sort":"downloads","max_params":"1M"}`, []string{"acme/tiny-gpt | text-generation", "19k params", "apache-2.0"}},
		{catalogue, `{"type":"models","gated":true}`, []string{"acme/gated", "gated: "}},
		{catalogue, `{"type":"datasets","author":"acme","limit":2}`, []string{"Found 2 datasets", "There are more"}},
		{catalogue, `{"type":"spaces","query":"demo"}`, []string{"acme/demo"}},
		{catalogue, `{"type":"spaces","query":"chat with a model","semantic":true}`, []string{"spaces"}},
		{catalogue, `{"type":"collections"}`, []string{"collections"}},
		{catalogue, `{"type":"kernels"}`, []string{"Nothing matches"}},
		{board, `{"query":"mini"}`, []string{"Leaderboard of acme/mini-bench", "acme/tiny-gpt | 34.8", "19k", "apache-2.0"}},
		{board, `{"dataset":"acme/mini-bench","max_params":"1k"}`, []string{"No entry fits"}},
	} {
		env := &tooltest.Env{}
		r, err := step.tool.Run(t.Context(), env, json.RawMessage(step.args))
		if err != nil || !r.OK && step.args != `{"repo":"acme/recipe"}` {
			t.Errorf("%s %s: %v %s", step.tool.Spec().Name, step.args, err, r.Output)
			continue
		}
		has(t, r.Output, step.wanted...)
		if r.OK && len(env.Sources()) == 0 {
			t.Errorf("%s %s leaves no evidence", step.tool.Spec().Name, step.args)
		}
	}
}
