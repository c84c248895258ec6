package data_test

import (
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
	"github.com/ml-intern/ml-intern/internal/tools/data"
)

// simulated returns the tools on a simulator, as the owner of token.
func simulated(t *testing.T, token string) (*data.Inspect, *data.Query) {
	t.Helper()
	hub := hubsimtest.Start(t, hubsim.Options{})
	client, err := httpx.New(httpx.Options{Version: "0.0.0-test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	env := map[string]string{"HF_ENDPOINT": hub.URL(), "ML_INTERN_DATASETS_SERVER_URL": hub.URL() + "/datasets-server"}
	same := func() string { return token }
	f, err := fetch.New(fetch.Options{HTTP: client, Services: lookup.Services(lookup.Places{
		Base: func(v string) string { return env[v] }, HubToken: same, ViewerToken: same, Unhurried: true,
	})})
	if err != nil {
		t.Fatal(err)
	}
	inspect, err := data.NewInspect(data.Options{Fetch: f})
	if err != nil {
		t.Fatal(err)
	}
	query, err := data.NewQuery(data.Options{Fetch: f})
	if err != nil {
		t.Fatal(err)
	}
	return inspect, query
}

// TestTheSeedsDatasets looks at the simulator's own data sets, from a fresh
// clone too.
func TestTheSeedsDatasets(t *testing.T) {
	inspect, query := simulated(t, "hf_bob_write")
	for _, c := range []struct {
		tool tool.Tool
		args string
		want []string
	}{
		{inspect, `{"dataset":"acme/chat-sft","trainer":"sft"}`, []string{
			"1,200", "| default | test | 100 |", "cc-by-nc-4.0", "gated: auto", "List<{role: string, content: string}>", "⚠ 89 % of the rows are web",
			"## Status\n✓ Valid", "## Schema (default)", "## Sample Rows (default/train)", "## Messages Column Format", "| SFT | yes |", "| DPO | no |", "## Files (Parquet)", "!**Warnings:**",
		}},
		{inspect, `{"dataset":"acme/audit-mini","where":"\"source\"='forum'","sample_rows":2}`, []string{
			"**Row 17:**", "**Row 52:**", "**prompt-completion**, standard", "| GKD | yes |", "| DPO | no |", "- completion (string_text): 1 null",
		}},
		{inspect, `{"dataset":"acme/audit-mini","split":"nope"}`, []string{"bad_argument", "train, test"}},
		{inspect, `{"dataset":"acme/chat-sfx"}`, []string{"(not_found)", "near names: acme/chat-sft, acme/toy-chat"}},
		{query, `{"operation":"rows","dataset":"acme/audit-mini","offset":70,"length":1}`, []string{"num_rows_total: 120, partial: false", `"completion":""`, `"offset":71`}},
		{query, `{"operation":"filter","dataset":"acme/audit-mini","where":"\"source\"=1 AND \"id\">'train-0020'"}`, []string{"num_rows_total: 2", `"row_idx":52`, `"row_idx":99`}},
		{query, `{"operation":"filter","dataset":"acme/audit-mini","where":"drop table"}`, []string{"(bad_argument)", "column names in double quotes", "id, prompt, completion, source"}},
		{query, `{"operation":"search","dataset":"acme/audit-mini","query":"repeatable training run","length":2}`, []string{`"row_idx":40`, `"row_idx":41`}},
		{query, `{"operation":"statistics","dataset":"acme/chat-sft"}`, []string{"num_rows_total: 1200", "web 1,068 (89 %)"}},
		{query, `{"operation":"size","dataset":"acme/audit-mini"}`, []string{"num_rows_total: 150"}},
	} {
		r := run(t, c.tool, c.args)
		if failing := strings.Contains(c.want[0], "bad_argument") || strings.Contains(c.want[0], "not_found"); r.OK == failing {
			t.Errorf("%s: OK is %v", c.args, r.OK)
		}
		contains(t, r.Output, c.want...)
	}
}

func TestTheSeedsGateIsTold(t *testing.T) {
	inspect, _ := simulated(t, "")
	r := run(t, inspect, `{"dataset":"acme/chat-sft"}`)
	if r.OK {
		t.Error("nobody may read it, and yet it is shown")
	}
	contains(t, r.Output, "https://huggingface.co/datasets/acme/chat-sft", "HF_TOKEN")
}
