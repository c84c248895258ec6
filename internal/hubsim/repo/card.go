package repo

import (
	"fmt"
	"math"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// cachedCard is the front matter last read.
type cachedCard struct {
	blob string
	data map[string]any
}

// Card is the front matter of the README of a commit, nil when there is none.
// It must not be changed.
func (r *Repo) Card(oid string) map[string]any {
	e, err := r.Stat(oid, "README.md")
	if err != nil || e.Dir || e.LFS != nil {
		return nil
	}
	r.mu.Lock()
	known := r.card
	r.mu.Unlock()
	if known.blob == e.OID {
		return known.data
	}
	body, err := r.Objects().Blob(e.OID)
	if err != nil {
		return nil
	}
	data, _ := ParseCard(body) // a broken card counts as none
	r.mu.Lock()
	r.card = cachedCard{blob: e.OID, data: data}
	r.mu.Unlock()
	return data
}

// ParseCard reads the front matter of a README, nil when there is none. Values
// are those of JSON.
func ParseCard(readme []byte) (map[string]any, error) {
	text := strings.ReplaceAll(strings.TrimPrefix(string(readme), "\ufeff"), "\r\n", "\n")
	rest, ok := strings.CutPrefix(strings.TrimLeft(text, " \n\t"), "---\n")
	if !ok {
		return nil, nil
	}
	block, _, ok := strings.Cut("\n"+rest, "\n---")
	if !ok {
		return nil, nil
	}
	var data map[string]any
	if err := yaml.Unmarshal([]byte(block), &data); err != nil {
		return nil, fmt.Errorf("read the card's metadata: %w", err)
	}
	if plain, ok := plainValue(data).(map[string]any); ok && len(plain) > 0 {
		return plain, nil
	}
	return nil, nil
}

// plainValue makes what YAML may hold a value JSON can write.
func plainValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = plainValue(x)
		}
		return out
	case map[any]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[fmt.Sprint(k)] = plainValue(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = plainValue(x)
		}
		return out
	case time.Time:
		return v.Format(time.RFC3339)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
	}
	return v
}

// Shapes a member of a card may have.
const (
	aString = iota
	strings1
	list
	flag
)

type cardRule struct {
	name  string
	shape int
}

// cardRules are the members whose shape the Hub checks.
func cardRules(t Type) []cardRule {
	rules := []cardRule{
		{"license", strings1},
		{"license_name", aString},
		{"license_link", aString},
		{"language", strings1},
		{"tags", list},
		{"datasets", strings1},
		{"thumbnail", aString},
	}
	switch t {
	case Model:
		return append(rules, cardRule{"pipeline_tag", aString}, cardRule{"library_name", aString}, cardRule{"base_model", strings1},
			cardRule{"metrics", strings1}, cardRule{"model-index", list}, cardRule{"widget", list})
	case Dataset:
		return append(rules, cardRule{"pretty_name", aString}, cardRule{"task_categories", strings1},
			cardRule{"size_categories", strings1}, cardRule{"configs", list})
	}
	return append(rules, cardRule{"title", aString}, cardRule{"emoji", aString}, cardRule{"colorFrom", aString},
		cardRule{"colorTo", aString}, cardRule{"sdk", aString}, cardRule{"app_file", aString}, cardRule{"pinned", flag},
		cardRule{"models", list}, cardRule{"short_description", aString})
}

// CheckCard lists what is wrong with the metadata of a README, and what is only
// worth a warning.
func CheckCard(t Type, readme []byte) (errs, warnings []string) {
	data, err := ParseCard(readme)
	if err != nil {
		return []string{err.Error()}, nil
	}
	if data == nil {
		return nil, []string{"empty or missing yaml metadata in repo card"}
	}
	for _, rule := range cardRules(t) {
		v, ok := data[rule.name]
		if !ok || v == nil {
			continue
		}
		if want := misshapen(v, rule.shape); want != "" {
			errs = append(errs, fmt.Sprintf("%q must be %s", rule.name, want))
		}
	}
	if sdk, ok := data["sdk"].(string); t == Space && ok && sdk != "gradio" && sdk != "docker" && sdk != "static" && sdk != "streamlit" {
		errs = append(errs, `"sdk" must be one of [gradio, docker, static, streamlit]`)
	}
	return errs, warnings
}

// misshapen says what v should be, empty when it is right.
func misshapen(v any, shape int) string {
	_, isString := v.(string)
	_, isFlag := v.(bool)
	items, isList := v.([]any)
	allStrings := isList
	for _, item := range items {
		if _, ok := item.(string); !ok {
			allStrings = false
		}
	}
	switch {
	case shape == aString && !isString:
		return "a string"
	case shape == strings1 && !isString && !allStrings:
		return "a string"
	case shape == list && !isList:
		return "an array"
	case shape == flag && !isFlag:
		return "a boolean"
	}
	return ""
}
