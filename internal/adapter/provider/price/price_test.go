package price_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/price"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

func TestLookup(t *testing.T) {
	for model, want := range map[string]string{
		"claude-opus-4-8":                 "claude-opus-4-8",
		"claude-opus-4.8":                 "claude-opus-4-8",
		"anthropic/claude-opus-4.8:fal":   "claude-opus-4-8",
		"claude-opus-4-5-20251101":        "claude-opus-4-5",
		"claude-sonnet-4-6-2026-01-31":    "claude-sonnet-4-6",
		"claude-haiku-4-5-preview-x":      "claude-haiku-4-5",
		"gpt-5.5-2026-03-05":              "gpt-5.5",
		"gpt-5.4-mini-2026-03-05":         "gpt-5.4-mini",
		"gpt-5.4-turbo":                   "gpt-5.4",
		"gpt-5.3-codex":                   "gpt-5.3-codex",
		"openai/GPT-4o":                   "gpt-4o",
		"o3-deep-research":                "o3",
		"claude-opus-4-20250514":          "",
		"claude-opus-40":                  "",
		"gpt-5.3":                         "",
		"moonshotai/Kimi-K2.6:novita":     "",
		"":                                "",
		"gpt":                             "",
		"huggingface/anthropic/claude-x-": "",
	} {
		got, ok := price.Lookup(model)
		if (want != "") != ok {
			t.Errorf("Lookup(%q) found %v", model, ok)
			continue
		}
		exact, _ := price.Lookup(want)
		if diff := cmp.Diff(exact, got); diff != "" {
			t.Errorf("Lookup(%q) is not %s:\n%s", model, want, diff)
		}
	}
}

func TestTable(t *testing.T) {
	for model, want := range map[string]price.Entry{
		"claude-opus-4-8": {Prices: llm.Prices{Input: 5, Output: 25, CacheRead: 0.5, CacheWrite: 6.25}, Window: 1_000_000, MaxOutput: 128_000},
		"claude-opus-4-6": {Prices: llm.Prices{Input: 5, Output: 25, CacheRead: 0.5, CacheWrite: 6.25}, Window: 200_000, MaxOutput: 128_000},
		"gpt-5.5":         {Prices: llm.Prices{Input: 5, Output: 30, CacheRead: 0.5, CacheWrite: 5}, Window: 922_000, MaxOutput: 128_000},
		"gpt-5.2":         {Prices: llm.Prices{Input: 1.75, Output: 14, CacheRead: 0.175, CacheWrite: 1.75}, Window: 272_000, MaxOutput: 128_000},
	} {
		got, _ := price.Lookup(model)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", model, diff)
		}
	}
	for _, name := range price.Names() {
		e, _ := price.Lookup(name)
		if e.Window < 100_000 || e.MaxOutput == 0 || e.Prices.Input <= 0 || e.Prices.Output <= e.Prices.Input || e.Prices.CacheRead >= e.Prices.Input {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

// Acceptance check 38: the cost of the recorded cache write.
func TestCost(t *testing.T) {
	e, _ := price.Lookup("claude-sonnet-4-5")
	got := e.Prices.Cost(llm.Usage{Prompt: 1169, CacheWrite: 1165, Completion: 201})
	if want := 4*3 + 1165*3.75 + 201*15.0; math.Abs(got-want) > 1e-9 {
		t.Errorf("cost = %v, want %v", got, want)
	}
	long, _ := price.Lookup("gpt-5.4")
	if got := long.Prices.Cost(llm.Usage{Prompt: 200_000, Completion: 10}); got != 200_000*2.5+150 {
		t.Errorf("short prompt costs %v", got)
	}
	if got := long.Prices.Cost(llm.Usage{Prompt: 200_001, CacheRead: 1, Completion: 10}); got != 200_000*5+0.5+225 {
		t.Errorf("long prompt costs %v", got)
	}
}

func TestComplete(t *testing.T) {
	for model, want := range map[string]llm.Prices{
		"anthropic/claude-opus-4.8:fal-ai": {Input: 4, Output: 8, CacheRead: 0.4, CacheWrite: 5},
		"openai/gpt-5.5:fal-ai":            {Input: 4, Output: 8, CacheRead: 0.4, CacheWrite: 4},
		"moonshotai/Kimi-K2.6":             {Input: 4, Output: 8, CacheRead: 4, CacheWrite: 4},
	} {
		if diff := cmp.Diff(want, price.Complete(model, 4, 8)); diff != "" {
			t.Errorf("%s: %s", model, diff)
		}
	}
}

func TestOverride(t *testing.T) {
	one, two, bad := 1.0, 2.0, math.NaN()
	o := price.Override{Input: &one, Output: &two, CacheWrite: &two}
	if err := o.Check("x"); err != nil {
		t.Error(err)
	}
	if got := o.Prices("claude-x"); got != (llm.Prices{Input: 1, Output: 2, CacheRead: 0.1, CacheWrite: 2}) {
		t.Errorf("prices = %+v", got)
	}
	if err := (price.Override{Input: &one}).Check("x"); err == nil || !strings.Contains(err.Error(), `model_prices["x"].output`) {
		t.Errorf("missing output: %v", err)
	}
	if err := (price.Override{Input: &one, Output: &bad}).Check("x"); err == nil {
		t.Error("NaN passed")
	}
}

func TestFind(t *testing.T) {
	settings := map[string]int{"a/b:c": 1, "a/b": 2, "m": 3}
	for id, want := range map[string]int{"a/b:c": 1, "a/b:d": 2, "a/b": 2, "openai/m": 3, "x/y": 0, "m": 3} {
		if got, ok := price.Find(settings, id); got != want || ok != (want > 0) {
			t.Errorf("Find(%q) = %d, %v", id, got, ok)
		}
	}
}

func TestMaxOutput(t *testing.T) {
	for model, want := range map[string]int{
		"claude-opus-4-8": 128_000, "claude-opus-4-6": 128_000, "claude-sonnet-4-6": 128_000, "claude-sonnet-5": 128_000,
		"claude-opus-4-5-20251101": 64_000, "claude-sonnet-4-5": 64_000, "claude-haiku-4-5": 64_000,
		"claude-sonnet-4-20250514": 64_000, "claude-opus-4-20250514": 32_000, "claude-opus-4-1-20250805": 32_000,
		"claude-3-5-sonnet-20241022": 8_192, "claude-3-opus-20240229": 4_096, "claude-next": 128_000,
		"anthropic/claude-opus-4.8:fal-ai": 128_000, "gpt-4o-2024-11-20": 16_384, "x/y": 0,
	} {
		if got := price.MaxOutput(model); got != want {
			t.Errorf("MaxOutput(%q) = %d, want %d", model, got, want)
		}
	}
	for model, want := range map[string]float64{"claude-opus-4-8": 1.3, "claude-opus-4.7": 1.3, "claude-opus-5": 1.3, "claude-opus-4-6": 1, "claude-sonnet-5": 1, "x": 1} {
		if got := price.TokenFactor(model); got != want {
			t.Errorf("TokenFactor(%q) = %v", model, got)
		}
	}
}

func FuzzLookup(f *testing.F) {
	f.Add("claude-opus-4.8-2026-01-01")
	f.Fuzz(func(t *testing.T, model string) {
		price.Lookup(model)
		if price.MaxOutput(model) < 0 {
			t.Fatal("negative")
		}
	})
}
