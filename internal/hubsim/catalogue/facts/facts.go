// Package facts tells what the files of a commit say of a repository: its card
// and tags, the configuration and parameters of a model, its evaluation results.
// It does not know who asks.
package facts

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/catalogue/weights"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo/card"
)

// maxRead is how much of a text file is read, in bytes.
const maxRead = 4 << 20

// Facts are what the files of a commit say. They are not changed once made.
type Facts struct {
	OID   string
	Files []repo.File
	Size  int64          // of all files, in bytes
	Card  map[string]any // the README's front matter
	Body  string         // the README behind it
	Tags  []string

	// Of models: what the Hub shows of the configuration, what the model is
	// for and with, how it came from its base, its parameters and how many
	// those are, its evaluation results.
	Config                      map[string]any
	Library, Pipeline, Relation string
	Safetensors                 map[string]any
	GGUF                        *weights.GGUF
	Params                      int64
	Evals                       []any
}

// source reads the files of one commit.
type source struct {
	repo *repo.Repo
	oid  string
}

// text is the beginning of a file, empty when there is none.
func (s source) text(name string) string {
	r, _, err := s.repo.Open(context.Background(), s.oid, name)
	if err != nil {
		return ""
	}
	defer r.Close()                                  //nolint:errcheck // only read
	raw, _ := io.ReadAll(io.LimitReader(r, maxRead)) // what could be read counts
	return string(raw)
}

// object is a JSON file, nil when there is none.
func (s source) object(name string) map[string]any {
	var m map[string]any
	if json.Unmarshal([]byte(s.text(name)), &m) != nil {
		return nil
	}
	return m
}

// Read collects what a commit says.
func Read(r *repo.Repo, oid string) *Facts {
	s := source{r, oid}
	f := &Facts{OID: oid, Files: r.Files(oid)}
	names := make([]string, len(f.Files))
	for i, file := range f.Files {
		names[i] = file.Path
		f.Size += file.Size
	}
	readme := s.text("README.md")
	f.Card, _ = card.Parse(readme) // a broken card counts as none
	_, f.Body, _ = card.Split(readme)
	about := card.Facts{Kind: string(r.Type()), Card: f.Card, Body: f.Body, Files: names}
	if r.Type() == repo.Model {
		full := s.object("config.json")
		about.Config = full
		f.Config = s.shownConfig(full)
		f.Library, f.Pipeline, f.Relation = card.Library(about), card.Pipeline(about), card.Relation(about)
		f.readWeights(s)
		f.readEvals(s)
	}
	f.Tags = card.Tags(about)
	return f
}

// shownConfig is the part of a model's configuration that its info has.
func (s source) shownConfig(full map[string]any) map[string]any {
	shown := map[string]any{}
	for _, k := range []string{"architectures", "model_type", "auto_map", "quantization_config"} {
		if v, ok := full[k]; ok {
			shown[k] = v
		}
	}
	if adapter := s.object("adapter_config.json"); adapter != nil {
		peft := map[string]any{}
		for _, k := range []string{"base_model_name_or_path", "task_type"} {
			if v, ok := adapter[k]; ok {
				peft[k] = v
			}
		}
		shown["peft"] = peft
	}
	if tokenizer := s.object("tokenizer_config.json"); tokenizer != nil {
		said := map[string]any{}
		for _, k := range []string{"bos_token", "eos_token", "pad_token", "unk_token", "use_default_system_prompt", "chat_template"} {
			if v, ok := tokenizer[k]; ok {
				said[k] = v
			}
		}
		shown["tokenizer_config"] = said
	}
	return shown
}

// weightFiles are the files whose parameters count together: one file, or the
// parts of one.
func weightFiles(files []repo.File, suffix string) []string {
	var single, parts []string
	for _, f := range files {
		switch {
		case strings.Contains(f.Path, "/") || path.Ext(f.Path) != suffix:
		case strings.Contains(f.Path, "-of-"):
			parts = append(parts, f.Path)
		default:
			single = append(single, f.Path)
		}
	}
	for _, whole := range []string{"model.safetensors", "adapter_model.safetensors"} {
		if slices.Contains(single, whole) {
			return []string{whole}
		}
	}
	if len(parts) > 0 {
		return parts
	}
	return single[:min(1, len(single))]
}

// readWeights counts the parameters; a file whose header cannot be read has
// none, as on the Hub.
func (f *Facts) readWeights(s source) {
	counts := map[string]int64{}
	for _, name := range weightFiles(f.Files, ".safetensors") {
		r, _, err := s.repo.Open(context.Background(), s.oid, name)
		if err != nil {
			continue
		}
		some, err := weights.Safetensors(r)
		_ = r.Close()
		if err != nil {
			continue
		}
		for dtype, n := range some {
			counts[dtype] += n
		}
	}
	if len(counts) > 0 {
		for n := range maps.Values(counts) {
			f.Params += n
		}
		f.Safetensors = map[string]any{"parameters": counts, "total": f.Params}
	}
	for _, name := range weightFiles(f.Files, ".gguf") {
		r, _, err := s.repo.Open(context.Background(), s.oid, name)
		if err != nil {
			continue
		}
		g, err := weights.ReadGGUF(r)
		_ = r.Close()
		if err == nil && f.GGUF == nil {
			f.GGUF = &g
			if f.Params == 0 {
				f.Params = g.Total
			}
		}
	}
}

// readEvals collects the evaluation results that lie in a folder of their own.
func (f *Facts) readEvals(s source) {
	f.Evals = []any{}
	for _, file := range f.Files {
		ext := path.Ext(file.Path)
		if path.Dir(file.Path) != ".eval_results" || ext != ".yaml" && ext != ".yml" {
			continue
		}
		v, err := card.YAML(s.text(file.Path))
		entries, ok := v.([]any)
		if err != nil || !ok {
			continue
		}
		for _, e := range entries {
			data, ok := e.(map[string]any)
			if !ok {
				continue
			}
			_, verified := data["verifyToken"]
			f.Evals = append(f.Evals, map[string]any{"filename": file.Path, "verified": verified, "data": data})
		}
	}
}
