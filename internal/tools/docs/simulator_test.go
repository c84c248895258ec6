package docs_test

import (
	"context"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/hubsimtest"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
	"github.com/ml-intern/ml-intern/internal/tools/docs"
)

// All three tools read what the simulator serves.
func TestAgainstTheSimulator(t *testing.T) {
	sim := hubsimtest.Start(t, hubsim.Options{AllowUnserved: true})
	env, err := sim.Env("")
	if err != nil {
		t.Fatal(err)
	}
	base := func(variable string) string {
		for _, entry := range env {
			if value, ok := strings.CutPrefix(entry, variable+"="); ok {
				return value
			}
		}
		return ""
	}
	client, err := httpx.New(httpx.Options{Version: "0.0.0-test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	getter, err := fetch.New(fetch.Options{HTTP: client, Services: lookup.Services(lookup.Places{
		Base: base, HubToken: func() string { return base("HF_TOKEN") }, Unhurried: true,
	})})
	if err != nil {
		t.Fatal(err)
	}
	tools, err := docs.New(docs.Options{Fetch: getter, Endpoint: base("HF_ENDPOINT")})
	if err != nil {
		t.Fatal(err)
	}
	defer tools.Close()
	w := &world{t: t, env: &tooltest.Env{}, Tools: tools}

	out := w.good(tools.Explore, `{"endpoint":"trl"}`)
	w.wants(out, "SFT", "https://huggingface.co/docs/trl/sft_trainer", "Glimpse: ")
	w.lacks(out, "Could not fetch")
	out = w.good(tools.Explore, `{"endpoint":"trl","query":"SFTConfig max_length","max_results":5}`)
	w.wants(out, "sft_trainer#trl.SFTConfig")
	w.wants(w.good(tools.Page, `{"url":"https://huggingface.co/docs/trl/sft_trainer#trl.SFTConfig"}`), "max_length")
	w.wants(w.good(tools.Page, `{"url":"`+base("HF_ENDPOINT")+`/docs/trl/sft_trainer"}`), "Documentation from: https://huggingface.co/docs/trl/sft_trainer")
	w.wants(w.good(tools.Explore, `{"endpoint":"hub","query":"hardware of jobs"}`), "https://huggingface.co/docs/hub/jobs")
	w.wants(w.good(tools.Explore, `{"endpoint":"gradio"}`), "# Gradio Documentation")
	w.wants(w.good(tools.Explore, `{"endpoint":"gradio","query":"chatbot"}`), "Query: 'chatbot'")
	w.bad(tools.Explore, `{"endpoint":"peft"}`)
	w.wants(w.good(tools.API, `{"query":"create a repository"}`), "**Writes:**", `"Authorization: Bearer $HF_TOKEN"`, base("HF_ENDPOINT"))
	w.wants(w.good(tools.API, `{"tag":"jobs"}`), "## 1. ")

	// Its searches break down: the whole set is indexed here.
	offline := &brokenSearch{getter}
	local, err := docs.New(docs.Options{Fetch: offline})
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	w.Tools = local
	w.wants(w.good(local.Explore, `{"endpoint":"trl","query":"max_length of SFTConfig"}`), "from the local index", "sft_trainer#trl.SFTConfig")
}

// brokenSearch passes on everything but searches.
type brokenSearch struct{ fetch.Getter }

func (b *brokenSearch) Do(ctx context.Context, req fetch.Request) (*fetch.Response, error) {
	if strings.Contains(req.URL, "/api/docs/search") {
		return nil, &fetch.Error{Kind: fetch.Upstream, Service: "the Hub", URL: req.URL, Status: 500}
	}
	return b.Getter.Do(ctx, req)
}
