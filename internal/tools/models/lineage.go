package models

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/platform/loose"

	"github.com/ml-intern/ml-intern/internal/adapter/lookup"
)

// lineage is where the model comes from and what was made of it.
func (v *view) lineage(context.Context) string {
	var b strings.Builder
	b.WriteString("\n## Lineage\n\n")
	bases := v.record.tagged("base_model:")
	if len(bases) == 0 {
		b.WriteString("- Made from: not stated\n")
	}
	for _, base := range bases[:min(len(bases), 10)] {
		fmt.Fprintf(&b, "- Made from: %s\n", lookup.Line(base, 200))
	}
	for _, set := range v.record.tagged("dataset:")[:min(len(v.record.tagged("dataset:")), 10)] {
		fmt.Fprintf(&b, "- Trained on: %s\n", lookup.Line(set, 200))
	}
	for _, relation := range relations() {
		raw, ok := v.more[relation]
		if !ok {
			fmt.Fprintf(&b, "- Made of it (%s): could not be read\n", relation)
			continue
		}
		var list []struct {
			ID string `json:"id"`
		}
		_ = json.Unmarshal(raw, &list) // another form has no names
		var names []string
		for _, m := range list {
			names = append(names, lookup.Line(m.ID, 150))
		}
		if len(names) > 0 {
			fmt.Fprintf(&b, "- Made of it (%s, the most loaded): %s\n", relation, strings.Join(names, ", "))
		}
	}
	if f, tried := v.files["adapter_config.json"]; tried && f.err == nil {
		var s settings
		if json.Unmarshal(f.data(), &s) == nil {
			targets := or(strings.Join(s.words("target_modules"), ", "), or(s.word("target_modules"), "?"))
			fmt.Fprintf(&b, "- It is an adapter (%s): base %s, r %g, alpha %g, on %s\n", or(s.word("peft_type"), "?"), or(s.word("base_model_name_or_path"), "?"), s.number("r"), s.number("lora_alpha"), targets)
		}
	}
	return b.String()
}

// eval are the results that are stated for the model.
func (v *view) eval(context.Context) string {
	var answer struct {
		Results loose.Value[[]struct {
			Verified loose.Value[bool]   `json:"verified"`
			File     loose.Value[string] `json:"filename"`
			Data     loose.Value[struct {
				Dataset struct {
					ID   string `json:"id"`
					Task string `json:"task_id"`
				} `json:"dataset"`
				Value json.RawMessage `json:"value"`
			}] `json:"data"`
		}] `json:"evalResults"`
		Index json.RawMessage `json:"model-index"`
	}
	_ = json.Unmarshal(v.more["eval"], &answer) // another form has no results
	var rows []string
	for _, r := range answer.Results.V {
		d := r.Data.V
		verified := ""
		if r.Verified.V {
			verified = ", verified"
		}
		rows = append(rows, fmt.Sprintf("| %s %s | | %s | %s%s |\n", cell(d.Dataset.ID), cell(d.Dataset.Task), cell(string(d.Value)), cell(r.File.V), verified))
	}
	index := v.record.Index
	if len(answer.Index) > 0 && string(answer.Index) != "null" {
		index = answer.Index
	}
	rows = append(rows, indexed(index)...)
	if len(rows) == 0 {
		return "\n## Evaluation\n\nNo results are stated.\n"
	}
	return "\n## Evaluation\n\n| Benchmark | Metric | Value | Stated in |\n| --- | --- | --- | --- |\n" + strings.Join(rows[:min(len(rows), 100)], "")
}

// indexed are the rows of a card's model-index.
func indexed(raw json.RawMessage) []string {
	var models []struct {
		Results []struct {
			Dataset struct {
				Name string `json:"name"`
				Type string `json:"type"`
			} `json:"dataset"`
			Metrics []struct {
				Type  string          `json:"type"`
				Name  string          `json:"name"`
				Value json.RawMessage `json:"value"`
			} `json:"metrics"`
		} `json:"results"`
	}
	if loose.Decode(raw, &models) != nil {
		return nil
	}
	var rows []string
	for _, m := range models {
		for _, r := range m.Results {
			for _, metric := range r.Metrics {
				rows = append(rows, fmt.Sprintf("| %s | %s | %s | model card |\n", cell(first(r.Dataset.Type, r.Dataset.Name)), cell(first(metric.Name, metric.Type)), cell(string(metric.Value))))
			}
		}
	}
	return rows
}

func cell(s string) string {
	return strings.ReplaceAll(lookup.Line(strings.Trim(s, `"`), 150), "|", `\|`)
}
