package models

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/amount"

	"github.com/ml-intern/ml-intern/internal/platform/loose"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
)

// record is what the Hub knows of a model.
type record struct {
	SHA         loose.Value[string]   `json:"sha"`
	Task        loose.Value[string]   `json:"pipeline_tag"`
	Library     loose.Value[string]   `json:"library_name"`
	Tags        loose.Value[[]string] `json:"tags"`
	Downloads   loose.Value[float64]  `json:"downloads"`
	Likes       loose.Value[float64]  `json:"likes"`
	Modified    loose.Value[string]   `json:"lastModified"`
	Gated       json.RawMessage       `json:"gated"`
	Private     loose.Value[bool]     `json:"private"`
	Used        loose.Value[float64]  `json:"usedStorage"`
	Safetensors loose.Value[struct {
		Parameters map[string]float64 `json:"parameters"`
		Total      float64            `json:"total"`
	}] `json:"safetensors"`
	GGUF loose.Value[struct {
		Total        float64 `json:"total"`
		Architecture string  `json:"architecture"`
		Context      float64 `json:"context_length"`
	}] `json:"gguf"`
	Config loose.Value[struct {
		Tokenizer json.RawMessage     `json:"tokenizer_config"`
		Template  loose.Value[string] `json:"chat_template_jinja"`
	}] `json:"config"`
	Siblings loose.Value[[]sibling] `json:"siblings"`
	Index    json.RawMessage        `json:"model-index"`
}

type sibling struct {
	Name string `json:"rfilename"`
	Size int64  `json:"size"`
}

func (r *record) has(name string) bool {
	return slices.ContainsFunc(r.Siblings.V, func(s sibling) bool { return s.Name == name })
}

// tagged are the rests of the tags with a prefix.
func (r *record) tagged(prefix string) []string {
	var out []string
	for _, t := range r.Tags.V {
		if rest, ok := strings.CutPrefix(t, prefix); ok {
			out = append(out, rest)
		}
	}
	return out
}

// total is how many parameters there are; 0 is unknown.
func (r *record) total() float64 {
	n := max(r.Safetensors.V.Total, r.GGUF.V.Total)
	if n < 0 || n > 1e16 {
		return 0
	}
	return n
}

func or(s, other string) string {
	if strings.TrimSpace(s) == "" {
		return other
	}
	return lookup.Line(s, 300)
}

// overview is what the model is and whether it may be read.
func (v *view) overview(context.Context) string {
	r := v.record
	var b strings.Builder
	fmt.Fprintf(&b, "\n## Overview\n\n- Task: %s | Library: %s | Licence: %s\n", or(r.Task.V, "not stated"), or(r.Library.V, "not stated"), or(strings.Join(r.tagged("license:"), ", "), "not stated"))
	fmt.Fprintf(&b, "- Access: %s\n", v.access())
	fmt.Fprintf(&b, "- Downloads: %.0f | Likes: %.0f | Last change: %s | Commit: %s\n", r.Downloads.V, r.Likes.V, or(day(r.Modified.V), "?"), or(r.SHA.V, "?"))
	if n := r.total(); n > 0 {
		fmt.Fprintf(&b, "- Parameters: %s%s\n", amount.Short(n, 3), byType(r.Safetensors.V.Parameters))
	} else {
		b.WriteString("- Parameters: unknown (no safetensors metadata)\n")
	}
	var weights int64
	kinds := map[string]bool{}
	for _, s := range r.Siblings.V {
		for _, ending := range []string{".safetensors", ".bin", ".gguf", ".pt", ".pth"} {
			if strings.HasSuffix(s.Name, ending) {
				weights += max(s.Size, 0)
				kinds[ending] = true
			}
		}
	}
	var disk []string
	if weights > 0 {
		disk = append(disk, "weight files "+amount.Bytes(float64(weights)))
	}
	if r.Used.V > 0 {
		disk = append(disk, "whole repository with its history "+amount.Bytes(r.Used.V))
	}
	fmt.Fprintf(&b, "- On disk: %s\n", or(strings.Join(disk, ", "), "unknown"))
	if len(kinds) > 0 && !kinds[".safetensors"] && !kinds[".gguf"] {
		b.WriteString("- Warning: the weights are pickle files only; loading them runs code.\n")
	}
	if bases := r.tagged("base_model:"); len(bases) > 0 {
		fmt.Fprintf(&b, "- Base: %s\n", or(strings.Join(bases[:min(len(bases), 6)], ", "), ""))
	}
	return b.String()
}

// access says how access is limited and whether this caller has it: a small
// file is either read or refused.
func (v *view) access() string {
	var how string
	gated := json.Unmarshal(v.record.Gated, &how) == nil && how != ""
	text := "not gated"
	if gated {
		text = "gated (" + lookup.Line(how, 20) + ")"
	} else if string(v.record.Gated) == "true" {
		text = "gated"
	}
	if v.record.Private.V {
		text += ", private"
	}
	f, tried := v.files["config.json"]
	switch {
	case !tried:
		return text + "; whether the files may be read was not tried (there is no config.json)"
	case f.err == nil:
		return text + "; its files can be read with the present credentials"
	}
	switch status(f.err) {
	case 401:
		return text + "; its files need a token: none was sent, or it is not valid"
	case 403:
		return text + "; the token has no access: the user must ask for it at " + hub + "/" + v.Model
	}
	return text + "; whether the files may be read is unknown: " + lookup.Line(f.err.Error(), 200)
}

func day(s string) string { return s[:min(len(s), len("2006-01-02"))] }

func byType(parameters map[string]float64) string {
	if len(parameters) == 0 {
		return ""
	}
	var parts []string
	for _, dtype := range slices.Sorted(maps.Keys(parameters)) {
		parts = append(parts, lookup.Line(dtype, 20)+" "+amount.Short(parameters[dtype], 3))
	}
	return " (" + strings.Join(parts[:min(len(parts), 12)], ", ") + ")"
}

// list are the files.
func (v *view) list(context.Context) string {
	const most = 200
	var b strings.Builder
	fmt.Fprintf(&b, "\n## Files (%d)\n\n", len(v.record.Siblings.V))
	for i, s := range v.record.Siblings.V {
		if i == most {
			fmt.Fprintf(&b, "… and %d more\n", len(v.record.Siblings.V)-most)
			break
		}
		size := ""
		if s.Size > 0 {
			size = "  " + amount.Bytes(float64(s.Size))
		}
		fmt.Fprintf(&b, "%s%s\n", lookup.Line(s.Name, 300), size)
	}
	return b.String()
}

// card is the model card without its metadata.
func (v *view) card(context.Context) string {
	f, tried := v.files["README.md"]
	if !tried {
		return "\n## Card\n\nThere is none.\n"
	}
	if f.err != nil {
		return "\n## Card\n\nIt could not be read: " + lookup.Line(f.err.Error(), 300) + "\n"
	}
	text := lookup.Plain(string(f.data()))
	if rest, ok := strings.CutPrefix(text, "---\n"); ok {
		if _, body, ok := strings.Cut(rest, "\n---"); ok {
			text = body
		}
	}
	return "\n## Card\n\n" + strings.TrimSpace(text) + "\n"
}
