package card_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/hubsim/repo/card"
)

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		readme, matter, body string
		ok                   bool
	}{
		{"---\na: 1\n---\n# hi\n", "a: 1\n", "# hi\n", true},
		{"\ufeff---\r\na: 1\r\n---\r\nx", "a: 1\n", "x", true},
		{"---  \n---", "", "", true},
		{"\n \n---\na: 1\n---\nx", "a: 1\n", "x", true},
		{"# no\n---\na: 1\n---\n", "", "# no\n---\na: 1\n---\n", false},
		{"---\nopen", "", "---\nopen", false},
		{"---", "", "---", false},
		{"", "", "", false},
		{"---\ntext: |\n  a --- b\n---\nrest\n---\n", "text: |\n  a --- b\n", "rest\n---\n", true},
	} {
		m, b, ok := card.Split(c.readme)
		if m != c.matter || b != c.body || ok != c.ok {
			t.Errorf("%q: %q, %q, %v", c.readme, m, b, ok)
		}
	}
}

func TestParse(t *testing.T) {
	got, err := card.Parse("---\nlicense: mit\nlanguage: [no, en]\nday: 2024-02-03\nat: 2024-02-03T04:05:06Z\n1: x\nn: .nan\ndeep: {2: [a]}\n---\n")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"license": "mit", "language": []any{"no", "en"}, "day": "2024-02-03", "at": "2024-02-03T04:05:06Z", "1": "x",
		"n": "NaN", "deep": map[string]any{"2": []any{"a"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, none := range []string{"# no card", "---\n---\n", "---\n{}\n---\n", "---\n# a remark\n---\n"} {
		if got, err := card.Parse(none); got != nil || err != nil {
			t.Errorf("%q: %v, %v", none, got, err)
		}
	}
	for _, bad := range []string{
		"---\n- a\n---\n", "---\na: [\n---\n", "---\na: b: c\n---\n", "---\n\xff\n---\n",
		"---\n" + strings.Repeat("a", 2<<20) + "\n---\n", "---\na: " + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "\n---\n",
	} {
		if got, err := card.Parse(bad); err == nil {
			t.Errorf("%.20q: %v, no error", bad, got)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		kind, matter string
		want         []string // each a piece of one error, in order
	}{
		{"model", "license: mit\nlanguage: en\ntags: [a]\nmodel-index:\n- name: x\n  results: []", nil},
		{"model", "license: 3", []string{`"license" must be a string`}},
		{"model", "license: [mit, nope]", []string{`"license[1]" must be one of [apache-2.0, mit,`}},
		{"model", "language: English", []string{`"language" must be an ISO 639 code`}},
		{"model", "tags: a", []string{`"tags" must be an array`}},
		{"model", "tags: [1]\nlicense: 3", []string{`"license" must`, `"tags[0]" must be a string`}},
		{"model", "base_model_relation: child", []string{`"base_model_relation" must be one of`}},
		{"model", "model-index:\n- results: []\n- 3", []string{`"model-index[0].name" is required`, `"model-index[1]" must be of type object`}},
		{"model", "a: [", []string{"invalid YAML"}},
		{"model", "- a", []string{`"metadata" must be of type object`}},
		{"model", "sdk: nothing a model has", nil},
		{"dataset", "task_categories: [text-generation]\nconfigs:\n- config_name: default", nil},
		{"dataset", "task_categories: 1\nconfigs:\n- data_files: x", []string{`"configs[0].config_name" is required`, `"task_categories" must be a string`}},
		{"space", "sdk: docker\napp_port: 7860\npinned: false\nsdk_version: 5.0\ncolorFrom: red", nil},
		{"space", "sdk: cobol\napp_port: x\npinned: 1\ncolorTo: mauve", []string{`"app_port"`, `"colorTo"`, `"pinned"`, `"sdk" must be one of [gradio`}},
		{"space", "short_description: " + strings.Repeat("x", 61), []string{`"short_description" length`}},
	} {
		errs, _ := card.Validate("---\n"+c.matter+"\n---\n", c.kind)
		if len(errs) != len(c.want) {
			t.Errorf("%s %q: %q, want %q", c.kind, c.matter, errs, c.want)
			continue
		}
		for i := range errs {
			if !strings.Contains(errs[i], c.want[i]) {
				t.Errorf("%s %q: %q, want %q", c.kind, c.matter, errs, c.want)
			}
		}
	}
	if errs, warnings := card.Validate("# no card", "model"); len(errs) != 0 || len(warnings) != 1 {
		t.Errorf("without a card: %q, %q", errs, warnings)
	}
}

func TestTagsOfAModel(t *testing.T) {
	c, err := card.Parse("---\nlicense: apache-2.0\nlanguage: [en, de]\ndatasets: acme/chat-sft\nbase_model: acme/base\n" +
		"tags: [chat, 'arxiv:2401.00001', chat]\nmodel-index: []\n---\n")
	if err != nil {
		t.Fatal(err)
	}
	got := card.Tags(card.Facts{
		Kind: "model", Card: c, Body: "see https://arxiv.org/abs/2402.00002 and https://huggingface.co/papers/2401.00001",
		Files:  []string{"adapter_config.json", "adapter_model.safetensors", "runs/events.out.tfevents.1", ".eval_results/a.yaml"},
		Config: map[string]any{"model_type": "llama", "architectures": []any{"LlamaForCausalLM"}}, Extra: []string{"deploy:sagemaker"},
	})
	want := []string{
		"peft", "safetensors", "tensorboard", "llama", "text-generation", "chat", "arxiv:2401.00001", "en", "de",
		"dataset:acme/chat-sft", "arxiv:2402.00002", "base_model:acme/base", "base_model:adapter:acme/base",
		"license:apache-2.0", "model-index", "eval-results", "deploy:sagemaker", "region:us",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestRelations(t *testing.T) {
	for want, f := range map[string]card.Facts{
		"finetune":  {Card: map[string]any{"base_model": "a/b"}},
		"merge":     {Card: map[string]any{"base_model": []any{"a/b", "c/d"}}},
		"quantized": {Files: []string{"m.Q4.gguf"}},
		"adapter":   {Card: map[string]any{"base_model_relation": "adapter", "base_model": []any{"a/b", "c/d"}}},
	} {
		if got := card.Relation(f); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestTagsOfDatasetsAndSpaces(t *testing.T) {
	c := map[string]any{"license": "mit", "language": []any{"en"}, "task_categories": []any{"text-generation"}, "size_categories": "n<1K", "tags": []any{"x"}}
	got := card.Tags(card.Facts{Kind: "dataset", Card: c, Files: []string{"README.md", "data/train.jsonl"}})
	want := []string{
		"task_categories:text-generation", "language:en", "license:mit", "size_categories:n<1K", "format:json",
		"modality:text", "library:datasets", "library:pandas", "library:polars", "library:mlcroissant", "x", "region:us",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	got = card.Tags(card.Facts{Kind: "space", Card: map[string]any{"sdk": "docker", "license": "mit"}})
	if want := []string{"docker", "license:mit", "region:us"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func FuzzCard(f *testing.F) {
	for _, s := range []string{
		"---\nlicense: mit\n---\n", "---\na: &x [*x]\n---\n", "---\n<<: {a: 1}\n? [1]\n: 2\n---", "---\n!!binary aGk=: 1\n---\n",
		"---\nlanguage: [no]\nmodel-index:\n- name: a\n---\nbody https://arxiv.org/pdf/2401.00001",
	} {
		f.Add(s, "model")
		f.Add(s, "space")
	}
	f.Fuzz(func(t *testing.T, readme, kind string) {
		c, err := card.Parse(readme)
		if err == nil {
			if _, err := json.Marshal(c); err != nil {
				t.Fatalf("%q has no JSON form: %v", readme, err)
			}
		}
		errs, warnings := card.Validate(readme, kind)
		if (err != nil) && len(errs) == 0 || slices.Contains(append(errs, warnings...), "") {
			t.Fatalf("%q: %v, but %q and %q", readme, err, errs, warnings)
		}
		_, body, _ := card.Split(readme)
		if tags := card.Tags(card.Facts{Kind: kind, Card: c, Body: body}); tags[len(tags)-1] != "region:us" && !slices.Contains(tags, "region:us") {
			t.Fatalf("tags %q", tags)
		}
	})
}
