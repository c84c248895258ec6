package models

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
	"github.com/ml-intern/ml-intern/internal/lab/chattemplate"
	"github.com/ml-intern/ml-intern/internal/platform/markup"
)

// names are those of the special tokens.
var tokenNames = [...]string{"bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token"}

// tokens are the special tokens, by their names.
func (v *view) tokens() map[string]string {
	out := map[string]string{}
	for _, raw := range [][]byte{v.record.Config.V.Tokenizer, v.files["special_tokens_map.json"].data(), v.files["tokenizer_config.json"].data()} {
		var s settings
		if len(raw) == 0 || json.Unmarshal(raw, &s) != nil {
			continue
		}
		for _, name := range tokenNames {
			var object struct {
				Content string `json:"content"`
			}
			var plain string
			if json.Unmarshal(s[name], &plain) != nil && json.Unmarshal(s[name], &object) == nil {
				plain = object.Content
			}
			if plain != "" {
				out[name] = plain
			}
		}
	}
	return out
}

// tokenizer are the special tokens and what is wrong with them.
func (v *view) tokenizer(context.Context) string {
	var b strings.Builder
	b.WriteString("\n## Tokenizer\n\n")
	f, tried := v.files["tokenizer_config.json"]
	var s settings
	switch {
	case !tried:
		b.WriteString("There is no tokenizer_config.json.\n")
	case f.err != nil:
		fmt.Fprintf(&b, "tokenizer_config.json could not be read: %s\n", lookup.Line(f.err.Error(), 300))
	case json.Unmarshal(f.data(), &s) != nil:
		b.WriteString("tokenizer_config.json is no JSON object.\n")
	default:
		fmt.Fprintf(&b, "- Class: %s\n", or(s.word("tokenizer_class"), "not stated"))
		if n := s.number("model_max_length"); n > 0 && n < 1e12 {
			fmt.Fprintf(&b, "- Longest input: %g tokens\n", n)
		}
	}
	tokens := v.tokens()
	for _, name := range tokenNames {
		if token, ok := tokens[name]; ok {
			fmt.Fprintf(&b, "- %s: `%s`\n", name, lookup.Line(token, 80))
		}
	}
	eos, pad := tokens["eos_token"], tokens["pad_token"]
	switch {
	case eos == "":
		b.WriteString("- Warning: no eos_token is stated.\n")
	case pad == "":
		b.WriteString("- Warning: there is no pad_token: set one before batches are padded, best one that is not the eos_token.\n")
	case pad == eos:
		b.WriteString("- Warning: pad_token is the eos_token: where padding is masked, the end of answers is not learned.\n")
	}
	return b.String()
}

// source is the chat template and where it stands.
func (v *view) source() (text, from string) {
	if data := v.files["chat_template.jinja"].data(); len(data) > 0 {
		return string(data), "chat_template.jinja"
	}
	for _, place := range []struct {
		name string
		data []byte
	}{
		{"chat_template.json", v.files["chat_template.json"].data()},
		{"tokenizer_config.json", v.files["tokenizer_config.json"].data()},
		{"the record", v.record.Config.V.Tokenizer},
	} {
		var s settings
		if len(place.data) == 0 || json.Unmarshal(place.data, &s) != nil {
			continue
		}
		var one string
		if json.Unmarshal(s["chat_template"], &one) == nil && one != "" {
			return one, place.name
		}
		type named struct{ Name, Template string }
		var several []named
		if json.Unmarshal(s["chat_template"], &several) == nil && len(several) > 0 {
			at := max(slices.IndexFunc(several, func(t named) bool { return t.Name == "default" }), 0)
			return several[at].Template, fmt.Sprintf("%s (%q, one of %d)", place.name, lookup.Line(several[at].Name, 40), len(several))
		}
	}
	return v.record.Config.V.Template.V, "the record"
}

// template is what the chat template does.
func (v *view) template(ctx context.Context) string {
	text, from := v.source()
	if text == "" {
		return "\n## Chat template\n\nThere is none: it is a base model, or its format is applied by other means. Training on conversations needs a template to be set.\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n## Chat template\n\nFrom %s, %d characters.\n\n", from, len([]rune(text)))
	t, err := chattemplate.Parse(text, v.tokens())
	var report *chattemplate.Report
	if err == nil {
		report, err = t.Inspect(ctx)
	}
	if err != nil {
		clean := strings.TrimRight(lookup.Plain(text), "\n")
		f := markup.Fence(clean)
		fmt.Fprintf(&b, "It could not be rendered here (%s); this is the template as it stands:\n\n%sjinja\n%s\n%s\n", lookup.Line(err.Error(), 300), f, clean, f)
		return b.String()
	}
	v.checks(&b, report)
	sample, what := report.Sample, "A question and an answer render to"
	if len(v.Context) > 0 {
		what = "The context renders to"
		if sample, _, err = t.Render(ctx, messages(v.Context), chattemplate.Options{Prompt: ends(v.Context)}); err != nil {
			fmt.Fprintf(&b, "\nThe context cannot be rendered: %s\n", lookup.Line(err.Error(), 400))
			return b.String()
		}
	}
	sample = lookup.Plain(sample)
	f := markup.Fence(sample)
	fmt.Fprintf(&b, "\n%s:\n\n%s\n%s\n%s\n", what, f, strings.TrimRight(sample, "\n"), f)
	return b.String()
}

func messages(context []map[string]any) []chattemplate.Message {
	out := make([]chattemplate.Message, len(context))
	for i, m := range context {
		out[i] = m
	}
	return out
}

// ends reports whether an answer of the model would come next.
func ends(context []map[string]any) bool {
	role, _ := context[len(context)-1]["role"].(string)
	return role != "assistant"
}

// checks are the findings, one a line.
func (v *view) checks(b *strings.Builder, r *chattemplate.Report) {
	yes := func(label string, d chattemplate.Verdict) {
		word := "no"
		if d.Yes {
			word = "yes"
		}
		if d.Note != "" {
			word += ": " + lookup.Line(d.Note, 300)
		}
		fmt.Fprintf(b, "- %s: %s\n", label, word)
	}
	yes("System message", r.System)
	if r.Default != "" {
		fmt.Fprintf(b, "- Default system prompt, where there is none: “%s”\n", lookup.Line(r.Default, 400))
	}
	yes("Tools", r.Tools)
	yes("Tool calls and results", r.ToolResults)
	yes("Thinking", r.Thinking)
	yes("Beginning of an answer (add_generation_prompt)", chattemplate.Verdict{Yes: r.Prompt})
	switch {
	case !r.Marked:
		b.WriteString("- {% generation %} marks: no; assistant_only_loss needs them (TRL puts in those of the families it knows)\n")
	case r.StopMarked:
		b.WriteString("- {% generation %} marks: yes, with the stop token\n")
	default:
		b.WriteString("- {% generation %} marks: yes, but without the stop token: trained on answers alone, the model does not learn to stop\n")
	}
	stops := chattemplate.Verdict{Yes: r.Stops}
	if !r.Stops {
		stops.Note = "what follows an answer is not the eos_token"
	}
	yes("Answers end with the eos_token", stops)
	if r.Begins {
		b.WriteString("- The text begins with the bos_token: do not let the tokenizer add it again.\n")
	}
	yes("Prefix kept (n messages begin n+1), plain", r.Prefix)
	if r.ToolResults.Yes {
		yes("Prefix kept with tool results (GRPO with tools needs it)", r.PrefixTools)
	}
	if r.Thinking.Yes && (r.PrefixThinking.Yes || r.PrefixThinking.Note != "") {
		yes("Prefix kept with thinking", r.PrefixThinking)
	}
}
