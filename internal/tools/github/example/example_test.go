package example_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/tools/github/example"
)

func files(paths ...string) []example.File {
	out := make([]example.File, len(paths))
	for i, p := range paths {
		out[i].Path = p
	}
	return out
}

func names(fs []example.File) []string {
	out := []string{}
	for _, f := range fs {
		out = append(out, f.Path)
	}
	return out
}

func ranked(hits []example.Hit) []string {
	out := []string{}
	for _, h := range hits {
		out = append(out, h.Path)
	}
	return out
}

func TestCandidates(t *testing.T) {
	all := files("README.md", "src/a.py", "examples/a.py", "src/demo_chat.py", "Use_Cases/b.py", "examples/__init__.py", "examples/x.png", "examples/uv.lock",
		"examples/ds.yaml", "examples/tests/test_a.py", "examples/test_b.py", "examples/.gitignore", "docs/getting-started/c.md", "src/exampleless.py")
	for keyword, want := range map[string]string{
		"":      "examples/a.py src/demo_chat.py Use_Cases/b.py docs/getting-started/c.md",
		"ds":    "examples/a.py src/demo_chat.py Use_Cases/b.py examples/ds.yaml docs/getting-started/c.md",
		"tests": "examples/a.py src/demo_chat.py Use_Cases/b.py examples/tests/test_a.py examples/test_b.py docs/getting-started/c.md",
		"png":   "examples/a.py src/demo_chat.py Use_Cases/b.py examples/x.png docs/getting-started/c.md",
		"yaml":  "examples/a.py src/demo_chat.py Use_Cases/b.py examples/ds.yaml docs/getting-started/c.md",
	} {
		if d := cmp.Diff(want, strings.Join(names(example.Candidates(all, keyword)), " ")); d != "" {
			t.Errorf("%q: %s", keyword, d)
		}
	}
}

func TestScores(t *testing.T) {
	for _, c := range []struct {
		path, keyword string
		score         int
	}{
		{"examples/dpo.py", "dpo", 100},
		{"examples/dpo.py", "DPO", 100},
		{"examples/ppo.py", "dpo", 0},
		{"examples/gspo.py", "grpo", 0},
		{"examples/dpo/run.py", "dpo", 70},
		{"examples/quantize.py", "quant", 85},
		{"examples/quant.py", "quantization", 85},
		{"examples/lora.py", "lor", 0},
		{"examples/rewards.py", "rewardz", 60},
		{"examples/reward_model.py", "reward model", 100},
		{"examples/reward.py", "reward model", 50},
		{"examples/deepseek_v3.py", "DeepSeek", 100},
		{"examples/deep_seek.py", "DeepSeek", 100},
		{"examples/GRPOTrainer.py", "grpo", 100},
		{"examples/a.ipynb", "ipynb", 100},
	} {
		hits := example.Rank(files(c.path), c.keyword, 0)
		if len(hits) != 1 || hits[0].Score != c.score {
			t.Errorf("%s for %s: %+v, want %d", c.path, c.keyword, hits, c.score)
		}
		if len(example.Rank(files(c.path), c.keyword, c.score+1)) != 0 {
			t.Errorf("%s for %s passes a higher bar", c.path, c.keyword)
		}
	}
}

func TestOrder(t *testing.T) {
	all := files("notebooks/sft.ipynb", "examples/deep/er/sft.py", "examples/sft_long_name.py", "examples/sft.md", "lib/scripts/sft.py", "examples/sft.py")
	want := []string{"examples/sft.py", "examples/sft_long_name.py", "lib/scripts/sft.py", "examples/deep/er/sft.py", "notebooks/sft.ipynb", "examples/sft.md"}
	if d := cmp.Diff(want, ranked(example.Rank(all, "sft", 60))); d != "" {
		t.Error(d)
	}
	want = []string{"example/a.py", "examples/notebooks/b.py", "scripts/c.py", "docs/guides/d.md"}
	if d := cmp.Diff(want, ranked(example.Rank(files("docs/guides/d.md", "scripts/c.py", "examples/notebooks/b.py", "example/a.py"), "", 60))); d != "" {
		t.Error(d)
	}
}

// Scores are from 0 to 100 and ordered; what is ranked was given.
func TestRankHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		paths := rapid.SliceOf(rapid.StringMatching(`([a-zA-Zé_.-]{0,8}/){0,3}[a-zA-Z0-9é_.-]{0,10}`)).Draw(t, "paths")
		keyword := rapid.String().Draw(t, "keyword")
		floor := rapid.IntRange(0, 100).Draw(t, "floor")
		hits := example.Rank(example.Candidates(files(paths...), keyword), keyword, floor)
		for i, h := range hits {
			if h.Score < floor || h.Score > 100 || i > 0 && h.Score > hits[i-1].Score {
				t.Fatalf("%+v", hits)
			}
		}
		if len(hits) > len(paths) {
			t.Fatal("there are more than were given")
		}
	})
}
