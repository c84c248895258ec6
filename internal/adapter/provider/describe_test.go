package provider_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/provider"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/price"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

func number(f float64) *float64 { return &f }

func badPrices() map[string]price.Override {
	return map[string]price.Override{"a/b": {Input: number(1)}}
}

func describe(t *testing.T, p *provider.Provider, id string) llm.Info {
	t.Helper()
	info, err := p.Describe(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// Windows and prices of router models; acceptance check 38: a model with a
// catalogue price costs something, one without is unknown.
func TestDescribeRouter(t *testing.T) {
	w := newWorld(t, nil)
	w.token, w.opts.CacheDir = "hf", t.TempDir()
	p := w.open()
	release := make(chan struct{})
	w.answer["GET /router/v1/models"] = func(rw http.ResponseWriter, _ *http.Request) {
		<-release
		_, _ = io.WriteString(rw, routerModels)
	}
	cold := describe(t, p, "moonshotai/Kimi-K2.6:novita") // does not wait for the list
	want := llm.Info{
		ID: "moonshotai/Kimi-K2.6:novita", Provider: "hf-router", Label: "HF router",
		Window: 200_000, PriceSource: llm.PriceUnknown, TokenFactor: 1,
	}
	if diff := cmp.Diff(want, cold); diff != "" {
		t.Errorf("cold: %s", diff)
	}
	close(release)
	ready, err := p.Refresh(context.Background(), "moonshotai/Kimi-K2.6:novita")
	if err != nil {
		t.Fatal(err)
	}
	want.Window, want.WindowKnown, want.PriceSource = 262_144, true, llm.PriceCatalog
	want.Prices = &llm.Prices{Input: 0.6, Output: 2.5, CacheRead: 0.6, CacheWrite: 0.6}
	if diff := cmp.Diff(want, ready); diff != "" {
		t.Errorf("after Refresh: %s", diff)
	}
	if cost := ready.Prices.Cost(llm.Usage{Prompt: 1000, Completion: 100}); cost <= 0 {
		t.Errorf("cost %v", cost)
	}
	if plain := describe(t, p, "some/plain"); plain.Prices != nil || plain.PriceSource != llm.PriceUnknown || plain.Window != 200_000 || plain.WindowKnown {
		t.Errorf("unknown: %+v", plain)
	}
	if opus := describe(t, p, "anthropic/claude-opus-4.8:fal-ai"); opus.PriceSource != llm.PriceTable || opus.Window != 1_000_000 || opus.TokenFactor != 1.3 {
		t.Errorf("not listed, but known by heart: %+v", opus)
	}

	offline := newWorld(t, nil)
	offline.vars["HF_ROUTER_BASE_URL"] = w.vars["HF_ROUTER_BASE_URL"]
	offline.token, offline.opts.CacheDir = "hf", w.opts.CacheDir
	if diff := cmp.Diff(want, describe(t, offline.open(), "moonshotai/Kimi-K2.6:novita")); diff != "" {
		t.Errorf("cold start with a copy on disk: %s", diff)
	}
}

func TestDescribeDirectAndOverrides(t *testing.T) {
	w := newWorld(t, map[string]string{"ANTHROPIC_API_KEY": "a", "OPENAI_API_KEY": "o"})
	w.token = "hf"
	w.opts.ContextTokens = map[string]int{"openai/gpt-5.4": 1234, "ollama/m": 5678}
	w.opts.Prices = map[string]price.Override{
		"moonshotai/Kimi-K2.6": {Input: number(1), Output: number(2)},
		"ollama/m":             {Input: number(0.1), Output: number(0.2)},
	}
	w.answer["GET /anthropic/v1/models/claude-opus-4-6"] = func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, `{"id":"claude-opus-4-6","max_input_tokens":1000000,"max_tokens":64000}`)
	}
	p := w.open()
	if gpt := describe(t, p, "openai/gpt-5.4"); gpt.Window != 1234 || !gpt.WindowKnown || gpt.Prices.Long == nil || gpt.MaxOutput != 128_000 || gpt.Label != "OpenAI API" {
		t.Errorf("gpt-5.4: %+v", gpt)
	}
	if kimi := describe(t, p, "moonshotai/Kimi-K2.6:novita"); kimi.Prices == nil || kimi.Prices.Input != 1 || kimi.PriceSource != llm.PriceTable {
		t.Errorf("own price: %+v", kimi)
	}
	if own := describe(t, p, "ollama/m"); own.Window != 5678 || own.Warnings != nil || own.Prices.Output != 0.2 {
		t.Errorf("ollama: %+v", own)
	}
	if hits := w.seen(); len(hits) != 0 {
		t.Errorf("%d requests", len(hits))
	}
	if opus := describe(t, p, "anthropic/claude-opus-4-6"); opus.Window != 200_000 || opus.MaxOutput != 128_000 {
		t.Errorf("opus, by heart: %+v", opus)
	}
	opus, err := p.Refresh(context.Background(), "anthropic/claude-opus-4-6")
	if err != nil || opus.Window != 1_000_000 || opus.MaxOutput != 64_000 || opus.Prices.Input != 5 {
		t.Errorf("opus, asked: %+v, %v", opus, err)
	}
	w.opts.CacheTTL = "1h"
	if long := describe(t, w.open(), "anthropic/claude-opus-4-6"); long.Prices.CacheWrite != 10 || opus.Prices.CacheWrite != 6.25 {
		t.Errorf("cache writes for an hour: %+v", long.Prices)
	}
	p.Prewarm(context.Background(), "anthropic/claude-opus-4-6")
	p.Prewarm(context.Background(), "not an id")
}

func TestDescribeLocal(t *testing.T) {
	w := newWorld(t, nil)
	w.answer["GET /local/props"] = func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, `{"default_generation_settings":{"n_ctx":8192}}`)
	}
	p := w.open()
	info := describe(t, p, "llamacpp/m")
	want := llm.Info{
		ID: "llamacpp/m", Provider: "llamacpp", Label: "llama.cpp", Local: true, Window: 8192, WindowKnown: true,
		Prices: &llm.Prices{}, PriceSource: llm.PriceLocal, TokenFactor: 1,
	}
	if diff := cmp.Diff(want, info); diff != "" {
		t.Error(diff)
	}
	describe(t, p, "llamacpp/m")
	if hits := w.seen(); len(hits) != 1 {
		t.Errorf("%d questions, want 1", len(hits))
	}
	unknown := describe(t, p, "lm_studio/m")
	if unknown.Window != 32_768 || unknown.WindowKnown || len(unknown.Warnings) != 1 || !strings.Contains(unknown.Warnings[0], "model_context_tokens") {
		t.Errorf("unknown: %+v", unknown)
	}
}

// Acceptance check 16 and the report before a switch.
func TestCheckLocal(t *testing.T) {
	w := newWorld(t, nil)
	p := w.open()
	if _, err := p.Check(context.Background(), "vllm/m"); err != nil {
		t.Fatal(err)
	}
	hits := w.seen()
	if hits[0].path != "/local/v1/chat/completions" || hits[0].body["max_tokens"] != 1.0 {
		t.Errorf("ping: %+v", hits[0])
	}
	w.vars["OLLAMA_BASE_URL"] = "http://127.0.0.1:1"
	_, err := p.Check(context.Background(), "ollama/x")
	var f *llm.Fault
	if !errors.As(err, &f) || f.Class != llm.ClassNetwork {
		t.Errorf("dead server: %v", err)
	}
	if _, err := p.Check(context.Background(), "ollama/"); err == nil {
		t.Error("an invalid id passed")
	}
	if _, err := p.Check(context.Background(), "replay/none"); err == nil {
		t.Error("a missing recording passed")
	}
	if _, err := p.Check(context.Background(), "replay/demo"); err != nil {
		t.Error(err)
	}
}

func TestCheckRouter(t *testing.T) {
	w := newWorld(t, nil)
	w.token = "hf"
	p := w.open()
	for id, want := range map[string]struct{ routing, warning string }{
		"moonshotai/Kimi-K2.6:novita":   {"pinned to novita", ""},
		"moonshotai/Kimi-K2.6":          {"auto (fastest)", ""},
		"moonshotai/Kimi-K2.6:cheapest": {"cheapest", ""},
		"moonshotai/Kimi-K2.6:together": {"pinned to together", "together does not serve moonshotai/Kimi-K2.6 at the moment; live providers: novita"},
		"moonshotai/kimi-k2.6":          {"auto (fastest)", "lists it as moonshotai/Kimi-K2.6"},
		"moonshotai/Kimi-K2":            {"auto (fastest)", "does not list moonshotai/Kimi-K2; similar: moonshotai/Kimi-K2.6"},
		"some/plain":                    {"auto (fastest)", "supports tool calls"},
		"some/gone":                     {"auto (fastest)", "no provider serves some/gone"},
	} {
		r, err := p.Check(context.Background(), id)
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		warnings := strings.Join(r.Warnings, "\n")
		if r.Routing != want.routing || !strings.Contains(warnings, want.warning) || (want.warning == "") != (warnings == "") {
			t.Errorf("%s: %q, %q", id, r.Routing, warnings)
		}
	}
	r, _ := p.Check(context.Background(), "moonshotai/Kimi-K2.6")
	if len(r.Offers) != 1 || r.Offers[0].Provider != "novita" || r.Info.Window != 262_144 {
		t.Errorf("report: %+v", r)
	}
}

func TestCheckDirect(t *testing.T) {
	w := newWorld(t, map[string]string{"ANTHROPIC_API_KEY": "a", "OPENAI_API_KEY": "o"})
	status := http.StatusOK
	body := `{"id":"m"}`
	answer := func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(status); _, _ = io.WriteString(rw, body) }
	w.answer["GET /openai/v1/models/gpt-5.5"] = answer
	w.answer["GET /anthropic/v1/models/claude-opus-4-8"] = answer
	for _, c := range []struct {
		status int
		body   string
		class  llm.Class
		warns  bool
	}{
		{200, `{"id":"m"}`, "", false},
		{401, `{"error":{"message":"bad key","type":"authentication_error"}}`, llm.ClassAuth, false},
		{404, `{"error":{"message":"model not found","type":"not_found_error"}}`, "", true}, // a gateway need not list its models
		{503, `{}`, "", true},
	} {
		status, body = c.status, c.body
		for _, id := range []string{"openai/gpt-5.5", "anthropic/claude-opus-4-8"} {
			r, err := w.open().Check(context.Background(), id)
			var f *llm.Fault
			if errors.As(err, &f) != (c.class != "") || f != nil && (f.Class != c.class || f.Text == "") {
				t.Errorf("%s, HTTP %d: %v", id, c.status, err)
			}
			if (len(r.Warnings) > 0) != c.warns {
				t.Errorf("%s, HTTP %d: warnings %q", id, c.status, r.Warnings)
			}
		}
	}
}

// Anthropic says for nothing which efforts a model takes; where it does not,
// the probe is a real call. Acceptance check 14, the part of the model.
func TestEffortProbe(t *testing.T) {
	w := newWorld(t, map[string]string{"ANTHROPIC_API_KEY": "a"})
	capabilities := `{"id":"m","capabilities":{"effort":{"low":{"supported":true},"medium":{"supported":true},"high":{"supported":true},"xhigh":{"supported":false},"max":{"supported":true}},"thinking":{"types":{"adaptive":{"supported":true},"enabled":{"supported":true}}}}}`
	w.answer["GET /anthropic/v1/models/claude-opus-4-8"] = func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, capabilities) }
	p := w.open()
	probe := func(model string, level llm.Effort) error {
		_, err := call(p, model, func(r *llm.Request) {
			r.Kind, r.Effort, r.Strict, r.MaxTokens = llm.KindEffortProbe, level, true, 64
		})
		return err
	}
	if err := probe("anthropic/claude-opus-4-8", llm.EffortHigh); err != nil {
		t.Error(err)
	}
	err := probe("anthropic/claude-opus-4-8", llm.EffortXHigh)
	var f *llm.Fault
	if !errors.As(err, &f) || f.Class != llm.ClassInvalidEffort || !cmp.Equal(f.Supported, []llm.Effort{"low", "medium", "high", "max"}) {
		t.Errorf("xhigh: %v", err)
	}
	if hits := w.seen(); len(hits) != 1 || hits[0].method != http.MethodGet {
		t.Errorf("requests: %+v", hits)
	}
	for _, level := range []llm.Effort{llm.EffortXHigh, llm.EffortHigh} { // this model's endpoint answers 404
		if err := probe("anthropic/claude-opus-4-6", level); err != nil {
			t.Error(err)
		}
	}
	var got []string
	for _, h := range w.seen() {
		got = append(got, h.method)
	}
	if diff := cmp.Diff([]string{"GET", "POST", "POST"}, got); diff != "" {
		t.Errorf("requests: %s", diff)
	}
}

func TestExplainAgain(t *testing.T) {
	w := newWorld(t, map[string]string{"OPENAI_API_KEY": "o"})
	p := w.open()
	f := &llm.Fault{Class: llm.ClassOverloaded, Provider: "openai", Model: "openai/gpt-5.5"}
	p.Explain(context.Background(), f, 90*time.Second)
	names(t, f.Text, "OpenAI API", "90 s")
}
