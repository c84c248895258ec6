package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/amount"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/lab/memory"
	"github.com/ml-intern/ml-intern/internal/platform/fetch"
)

// rank is that of the adapters that memory is estimated for.
const rank = 16

func status(err error) int {
	var f *fetch.Error
	if errors.As(err, &f) {
		return f.Status
	}
	return 0
}

// settings is config.json, or the part of it that describes the language model.
type settings map[string]json.RawMessage

// number is the first of the names that has a sensible number.
func (s settings) number(names ...string) float64 {
	for _, name := range names {
		var n float64
		if json.Unmarshal(s[name], &n) == nil && n > 0 && n < 1e15 {
			return n
		}
	}
	return 0
}

func (s settings) word(names ...string) string {
	for _, name := range names {
		var w string
		if json.Unmarshal(s[name], &w) == nil && w != "" {
			return lookup.Line(w, 100)
		}
	}
	return ""
}

func (s settings) words(name string) []string {
	var list []string
	if json.Unmarshal(s[name], &list) != nil {
		return nil
	}
	return list
}

func (s settings) object(name string) settings {
	var o settings
	if json.Unmarshal(s[name], &o) != nil {
		return nil
	}
	return o
}

// inner is where the language model is described, and how that part is called.
func (s settings) inner() (settings, string) {
	if s.number("num_hidden_layers", "n_layer", "num_layers", "n_layers") > 0 {
		return s, ""
	}
	for _, name := range []string{"text_config", "llm_config", "language_config", "thinker_config"} {
		if o := s.object(name); o != nil {
			deeper, more := o.inner()
			if more != "" {
				return deeper, name + "." + more
			}
			return o, name
		}
	}
	return s, ""
}

// shape is what the configuration says the model is built of.
func (s settings) shape() memory.Shape {
	m := memory.Shape{
		Layers:        s.number("num_hidden_layers", "n_layer", "num_layers", "n_layers"),
		Hidden:        s.number("hidden_size", "n_embd", "d_model", "dim"),
		Heads:         s.number("num_attention_heads", "n_head", "n_heads", "num_heads"),
		KVHeads:       s.number("num_key_value_heads", "num_kv_heads", "n_head_kv", "n_kv_heads"),
		HeadDim:       s.number("head_dim"),
		Intermediate:  s.number("intermediate_size", "n_inner", "ffn_dim", "d_ff"),
		Vocabulary:    s.number("vocab_size"),
		Experts:       s.number("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"),
		ExpertsActive: s.number("num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_top_k", "moe_k"),
		ExpertWidth:   s.number("moe_intermediate_size", "expert_hidden_size", "intermediate_size"),
		Shared:        s.number("n_shared_experts", "num_shared_experts"),
		DenseLayers:   s.number("first_k_dense_replace"),
	}
	if string(s["multi_query"]) == "true" && m.KVHeads == 0 {
		m.KVHeads = 1
	}
	if latent := s.number("kv_lora_rank"); latent > 0 {
		m.KVLatent = latent + s.number("qk_rope_head_dim")
	}
	if string(s["use_sliding_window"]) != "false" {
		m.Window = s.number("sliding_window", "attention_window")
	}
	for _, kind := range s.words("layer_types") {
		if kind == "full_attention" {
			m.FullLayers++
		}
	}
	return m
}

// config is what the model is built of, and the memory that takes.
func (v *view) config(context.Context) string {
	f, tried := v.files["config.json"]
	if !tried {
		text := "\n## Config\n\nThere is no config.json.\n"
		if g := v.record.GGUF.V; g.Architecture != "" {
			text += fmt.Sprintf("GGUF: architecture %s, context %.0f tokens.\n", lookup.Line(g.Architecture, 60), g.Context)
		}
		return text + v.memory(settings{}, memory.Shape{})
	}
	var whole settings
	err := f.err
	if err == nil {
		err = json.Unmarshal(f.data(), &whole)
	}
	if err != nil {
		return "\n## Config\n\nconfig.json could not be read: " + lookup.Line(err.Error(), 300) + "\n" + v.memory(settings{}, memory.Shape{})
	}
	s, name := whole.inner()
	shape := s.shape()
	var b strings.Builder
	b.WriteString("\n## Config\n\n")
	item := func(label, value string) {
		if value != "" && value != "0" {
			fmt.Fprintf(&b, "- %s: %s\n", label, value)
		}
	}
	figure := func(n float64) string { return fmt.Sprintf("%g", n) }
	item("Architecture", or(strings.Join(whole.words("architectures"), ", "), "not stated")+" (model_type "+or(whole.word("model_type"), "?")+")")
	if name != "" {
		item("Figures below are those of", name)
	}
	item("Layers", figure(shape.Layers))
	item("Hidden size", figure(shape.Hidden))
	if shape.Heads > 0 {
		kv := ""
		if shape.KVHeads > 0 {
			kv = fmt.Sprintf(", %g KV heads", shape.KVHeads)
		}
		item("Attention", fmt.Sprintf("%g heads%s, head width %g; %s", shape.Heads, kv, shape.Head(), shape.Attention()))
	}
	item("Vocabulary", figure(shape.Vocabulary))
	item("Context length", s.context())
	if shape.Window > 0 {
		item("Sliding window", window(shape))
	}
	if shape.Experts > 0 {
		item("Experts", fmt.Sprintf("%g, %g active for a token, %g shared", shape.Experts, shape.ExpertsActive, shape.Shared))
	}
	item("Stored type", or(first(s.word("torch_dtype", "dtype"), whole.word("torch_dtype", "dtype")), "not stated"))
	quantised := whole.object("quantization_config")
	if quantised != nil {
		item("Quantisation", fmt.Sprintf("%s, %g bits (0: not stated)", or(quantised.word("quant_method"), "?"), quantised.number("bits", "weight_bits")))
	}
	if code := whole.object("auto_map"); len(code) > 0 {
		b.WriteString("- Warning: auto_map: loading it runs code from the repository (trust_remote_code); read that code first and pin the commit.\n")
	}
	return b.String() + v.memory(whole, shape)
}

func first(values ...string) string {
	for _, s := range values {
		if s != "" {
			return s
		}
	}
	return ""
}

// context is how long a text may be, and how that was stretched.
func (s settings) context() string {
	n := s.number("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length", "max_sequence_length")
	if n == 0 {
		return ""
	}
	text := fmt.Sprintf("%g tokens", n)
	for _, name := range []string{"rope_scaling", "rope_parameters"} {
		rope := s.object(name)
		kind := rope.word("rope_type", "type")
		if kind == "" || kind == "default" {
			continue
		}
		text += fmt.Sprintf("; %s %s, factor %g", name, kind, rope.number("factor"))
		if original := rope.number("original_max_position_embeddings"); original > 0 {
			text += fmt.Sprintf(", trained on %g", original)
		}
		break
	}
	return text
}

func window(s memory.Shape) string {
	text := fmt.Sprintf("%g tokens", s.Window)
	if s.FullLayers > 0 && s.FullLayers < s.Layers {
		text += fmt.Sprintf(" on %g of %g layers; the others see all", s.Layers-s.FullLayers, s.Layers)
	}
	return text
}

// memory are estimates, each with how it was computed.
func (v *view) memory(whole settings, s memory.Shape) string {
	n := v.record.total()
	var b strings.Builder
	b.WriteString("\n### Memory (estimates; 1 GB = 10^9 bytes; activations and overhead come on top)\n\n")
	if n == 0 {
		b.WriteString("- Weights: unknown, as the number of parameters is.\n")
	} else {
		v.weights(&b, n)
		adapters := s.LoRA(rank)
		size := fmt.Sprintf("%s adapter parameters at rank %d on all linear layers", amount.Short(adapters, 3), rank)
		if adapters == 0 {
			adapters = n / 100
			size = amount.Short(adapters, 3) + " adapter parameters, taken as 1 %"
		}
		fmt.Fprintf(&b, "- Full fine-tune with AdamW: %s = 16 bytes × %s (2 weight + 2 gradient + 4 master copy + 8 moments)\n", amount.Bytes(memory.FullTune(n)), amount.Short(n, 3))
		fmt.Fprintf(&b, "- LoRA: %s = 2 bytes × %s + 16 bytes × %s\n", amount.Bytes(memory.Adapters(n, adapters, false)), amount.Short(n, 3), size)
		fmt.Fprintf(&b, "- QLoRA: %s = %g bytes × %s (4 bits with scales) + 16 bytes × %s adapter parameters\n", amount.Bytes(memory.Adapters(n, adapters, true)), memory.Quarter, amount.Short(n, 3), amount.Short(adapters, 3))
		if active := s.Active(n); active > 0 {
			fmt.Fprintf(&b, "- Experts: about %s of %s parameters are active for a token; all must be held.\n", amount.Short(active, 3), amount.Short(n, 3))
		} else if s.Experts > 0 {
			fmt.Fprintf(&b, "- Experts: all %s parameters must be held; how many are active for a token does not follow from the config.\n", amount.Short(n, 3))
		}
		if whole.object("quantization_config") != nil {
			b.WriteString("- The weights are quantised: types that pack several values count as one, and training needs an unquantised version or adapters.\n")
		}
	}
	kv, formula := s.PerToken(2)
	if kv == 0 {
		b.WriteString("- KV cache: unknown, as the attention's figures are.\n")
		return b.String()
	}
	fmt.Fprintf(&b, "- KV cache per 1,000 tokens of a sequence, 16 bits: %s = 1,000 × %s\n", amount.Bytes(1000*kv), formula)
	if s.Window > 0 {
		fmt.Fprintf(&b, "  Layers with the sliding window keep at most %g tokens, so long sequences take less.\n", s.Window)
	}
	return b.String()
}

func (v *view) weights(b *strings.Builder, n float64) {
	types := v.record.Safetensors.V.Parameters
	bytes, unknown := memory.Weights(types)
	if len(types) == 0 || bytes <= 0 || bytes > 1e17 {
		fmt.Fprintf(b, "- Weights: %s = 2 bytes × %s (their types are not known)\n", amount.Bytes(2*n), amount.Short(n, 3))
		return
	}
	var sum []string
	for dtype, k := range types {
		if w := memory.Bytes(dtype); w > 0 {
			sum = append(sum, fmt.Sprintf("%g bytes × %s %s", w, amount.Short(k, 3), lookup.Line(dtype, 20)))
		}
	}
	slices.Sort(sum)
	fmt.Fprintf(b, "- Weights: %s = %s", amount.Bytes(bytes), strings.Join(sum, " + "))
	if len(unknown) > 0 {
		fmt.Fprintf(b, " (without %s)", or(strings.Join(unknown, ", "), ""))
	}
	b.WriteString("\n")
}
