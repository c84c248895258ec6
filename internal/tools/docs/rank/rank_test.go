package rank_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/tools/docs/rank"
)

func TestStemsMeet(t *testing.T) {
	for _, family := range [][]string{
		{"train", "trains", "training", "trained", "trainer"},
		{"quantize", "quantized", "quantization", "quantizing"},
		{"generate", "generation", "generates", "generator"},
		{"log", "logs"},
		{"logging", "logged"},
		{"library", "libraries"},
		{"evaluate", "evaluation"},
		{"cache", "caches", "caching"},
		{"deploy", "deployment"},
		{"class", "classes"},
		{"status"},
		{"gpu"},
		{"4bit"},
	} {
		for _, word := range family[1:] {
			if a, b := rank.Stem(family[0]), rank.Stem(word); a != b {
				t.Errorf("%s is %s, %s is %s", family[0], a, word, b)
			}
		}
	}
	for _, pair := range [][2]string{{"data", "date"}, {"model", "mode"}, {"token", "took"}, {"loss", "lose"}} {
		if rank.Stem(pair[0]) == rank.Stem(pair[1]) {
			t.Errorf("%s and %s are one", pair[0], pair[1])
		}
	}
}

func TestNamesInCode(t *testing.T) {
	for text, want := range map[string][]string{
		"SFTConfig":      {"SFT", "Config"},
		"max_length":     {"max_length"},
		"fromPretrained": {"from", "Pretrained"},
		"LoRA":           {"Lo", "RA"},
		"GRPO":           {"GRPO"},
		"":               {""},
	} {
		if diff := cmp.Diff(want, rank.Parts(text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	if diff := cmp.Diff([]string{"max", "length", "sftconfig", "sft", "config"}, rank.Words("max_length: SFTConfig")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSearch(t *testing.T) {
	x := rank.New([][]rank.Field{
		{{"Create a webhook", 3}, {"Watches repositories for changes", 1}},
		{{"List models", 3}, {"Models of the Hub, filtered", 1}},
		{{"Delete a webhook", 3}},
		{{"", 3}},
	})
	for query, want := range map[string][]int{
		"creating webhooks":          {0, 2},
		"how do I list the model":    {1},
		"delete":                     {2},
		"nothing of it":              nil,
		"":                           nil,
		"webhook webhook delete del": {2, 0},
	} {
		var got []int
		for _, hit := range x.Search(query) {
			got = append(got, hit.Text)
		}
		if !cmp.Equal(want, got) {
			t.Errorf("%q finds %v, want %v", query, got, want)
		}
	}
}

func TestQueriesOfStopWordsAloneAreAsked(t *testing.T) {
	if diff := cmp.Diff([]string{"how", "to"}, rank.Query("how to how")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := len(rank.Query(strings.Repeat("a b c d e f ", 1000))); n > 6 {
		t.Errorf("%d words", n)
	}
}

func TestAnythingCanBeAsked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.String(), 0, 6).Draw(t, "texts")
		var fields [][]rank.Field
		for _, text := range texts {
			fields = append(fields, []rank.Field{{text, 1}})
		}
		x := rank.New(fields)
		hits := x.Search(rapid.String().Draw(t, "query"))
		for i, h := range hits {
			if h.Text < 0 || h.Text >= len(texts) || h.Score <= 0 || i > 0 && hits[i-1].Score < h.Score {
				t.Fatalf("%v", hits)
			}
		}
	})
}
