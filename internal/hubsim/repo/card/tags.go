package card

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// Facts are what the tags of a repository follow from.
type Facts struct {
	Kind   string // model, dataset, space
	Card   map[string]any
	Body   string   // the README behind its front matter
	Files  []string // paths
	Config map[string]any
	Extra  []string // further tags, put before the region
}

var paperLink = regexp.MustCompile(`(?:arxiv\.org/(?:abs|pdf|html)|(?:huggingface\.co|hf\.co)/papers)/(\d{4}\.\d{4,5})`)

// Papers lists the arXiv ids that a card's tags and text name, in order.
func Papers(f Facts) []string {
	var ids []string
	for _, t := range Strings(f.Card["tags"]) {
		if id, ok := strings.CutPrefix(t, "arxiv:"); ok {
			ids = append(ids, id)
		}
	}
	for _, m := range paperLink.FindAllStringSubmatch(f.Body, -1) {
		ids = append(ids, m[1])
	}
	return unique(ids)
}

// Tags lists what a repository can be filtered by, in the Hub's order.
func Tags(f Facts) []string {
	var tags []string
	switch f.Kind {
	case "dataset":
		tags = datasetTags(f)
	case "space":
		tags = append(Strings(f.Card["sdk"]), Strings(f.Card["tags"])...)
	default:
		tags = modelTags(f)
	}
	for _, id := range Papers(f) {
		tags = append(tags, "arxiv:"+id)
	}
	if f.Kind != "dataset" {
		tags = append(tags, baseModelTags(f)...)
		tags = append(tags, prefixed("license:", f.Card["license"])...)
	}
	if f.Card["model-index"] != nil {
		tags = append(tags, "model-index")
	}
	if slices.ContainsFunc(f.Files, func(p string) bool { return strings.HasPrefix(p, ".eval_results/") }) || f.Card["model-index"] != nil {
		tags = append(tags, "eval-results")
	}
	return unique(append(append(tags, f.Extra...), "region:us"))
}

// formats of weights that become tags, by suffix.
var weightFormats = []struct{ suffix, tag string }{
	{".safetensors", "safetensors"},
	{"pytorch_model.bin", "pytorch"},
	{"tf_model.h5", "tf"},
	{"flax_model.msgpack", "jax"},
	{".onnx", "onnx"},
	{".gguf", "gguf"},
	{"events.out.tfevents", "tensorboard"},
}

func modelTags(f Facts) []string {
	tags := Strings(Library(f))
	for _, w := range weightFormats {
		if slices.ContainsFunc(f.Files, func(p string) bool {
			return strings.HasSuffix(p, w.suffix) || strings.HasPrefix(path.Base(p), w.suffix)
		}) {
			tags = append(tags, w.tag)
		}
	}
	tags = append(tags, Strings(f.Config["model_type"])...)
	tags = append(tags, Strings(Pipeline(f))...)
	tags = append(tags, Strings(f.Card["tags"])...)
	tags = append(tags, Strings(f.Card["language"])...)
	return append(tags, prefixed("dataset:", f.Card["datasets"])...)
}

// Library is what a model is used with, as its card or its files say.
func Library(f Facts) string {
	has := func(name string) bool { return slices.Contains(f.Files, name) }
	switch {
	case Text(f.Card, "library_name") != "":
		return Text(f.Card, "library_name")
	case has("adapter_config.json"):
		return "peft"
	case has("model_index.json"):
		return "diffusers"
	case has("modules.json"):
		return "sentence-transformers"
	case f.Config["model_type"] != nil:
		return "transformers"
	}
	return ""
}

// Pipeline is the task of a model, as its card or its architecture says.
func Pipeline(f Facts) string {
	if t := Text(f.Card, "pipeline_tag"); t != "" {
		return t
	}
	for _, a := range Strings(f.Config["architectures"]) {
		for _, task := range []struct{ suffix, tag string }{
			{"ForCausalLM", "text-generation"},
			{"LMHeadModel", "text-generation"},
			{"ForSequenceClassification", "text-classification"},
			{"ForTokenClassification", "token-classification"},
			{"ForMaskedLM", "fill-mask"},
			{"ForQuestionAnswering", "question-answering"},
			{"ForImageClassification", "image-classification"},
			{"ForConditionalGeneration", "text2text-generation"},
		} {
			if strings.HasSuffix(a, task.suffix) {
				return task.tag
			}
		}
	}
	return ""
}

// Relation is how a model came from those its card names as its base.
func Relation(f Facts) string {
	if r := Text(f.Card, "base_model_relation"); r != "" {
		return r
	}
	has := func(ok func(string) bool) bool { return slices.ContainsFunc(f.Files, ok) }
	switch {
	case len(Strings(f.Card["base_model"])) > 1:
		return "merge"
	case has(func(p string) bool { return p == "adapter_config.json" }):
		return "adapter"
	case f.Config["quantization_config"] != nil, has(func(p string) bool { return strings.HasSuffix(p, ".gguf") }):
		return "quantized"
	}
	return "finetune"
}

func baseModelTags(f Facts) []string {
	var tags []string
	for _, id := range Strings(f.Card["base_model"]) {
		tags = append(tags, "base_model:"+id, "base_model:"+Relation(f)+":"+id)
	}
	return tags
}

// dataFormats of data files, by suffix: the format, what it holds, and whether
// the table libraries read it.
var dataFormats = []struct {
	suffix, format, modality string
	table                    bool
}{
	{".csv", "csv", "text", true},
	{".tsv", "csv", "text", true},
	{".jsonl", "json", "text", true},
	{".json", "json", "text", true},
	{".parquet", "parquet", "text", true},
	{".txt", "text", "text", false},
	{".png", "imagefolder", "image", false},
	{".jpg", "imagefolder", "image", false},
	{".wav", "audiofolder", "audio", false},
	{".mp3", "audiofolder", "audio", false},
	{".tar", "webdataset", "", false},
}

func datasetTags(f Facts) []string {
	var tags []string
	for _, field := range []string{"task_categories", "task_ids", "language", "license", "size_categories"} {
		tags = append(tags, prefixed(field+":", f.Card[field])...)
	}
	for _, d := range dataFormats {
		if !slices.ContainsFunc(f.Files, func(p string) bool { return strings.HasSuffix(p, d.suffix) }) {
			continue
		}
		tags = append(tags, "format:"+d.format)
		if d.modality != "" {
			tags = append(tags, "modality:"+d.modality)
		}
		tags = append(tags, "library:datasets")
		if d.table {
			tags = append(tags, "library:pandas", "library:polars")
		}
		tags = append(tags, "library:mlcroissant")
		break
	}
	return append(tags, Strings(f.Card["tags"])...)
}

func prefixed(prefix string, v any) []string {
	all := slices.Clone(Strings(v))
	for i := range all {
		all[i] = prefix + all[i]
	}
	return all
}

// unique drops what was there before.
func unique(all []string) []string {
	seen := map[string]bool{}
	kept := []string{}
	for _, s := range all {
		if !seen[s] {
			seen[s] = true
			kept = append(kept, s)
		}
	}
	return kept
}
