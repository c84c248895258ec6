package card

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxShort is the length of a Space's short description, in characters.
const maxShort = 60

var licenses = strings.Fields(`apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m
	bigscience-bloom-rail-1.0 bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause
	bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0
	cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
	cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0
	epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc
	h-research intel-research lppl-1.3c ms-pl apple-ascl apple-amlr mpl-2.0 odc-by odbl openmdw-1.0 openrail++
	osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license
	fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 grok2-community gemma
	unknown other`)

var (
	colors   = []string{"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
	sdks     = []string{"gradio", "docker", "static", "streamlit"}
	language = regexp.MustCompile(`^[a-z]{2,3}([-_][A-Za-z0-9]{1,8})*$|^(multilingual|code)$`)
)

// rule checks the value of a field and says what is wrong with it.
type rule func(field string, v any) []string

// rules of the fields that all cards share, then those of each kind.
var (
	common = map[string]rule{
		"license": oneOrMany(among(licenses)), "license_name": text, "license_link": text,
		"language": oneOrMany(matching(language, "must be an ISO 639 code")), "tags": list(text), "pretty_name": text,
	}
	byKind = map[string]map[string]rule{
		"model": {
			"base_model": oneOrMany(text), "base_model_relation": among([]string{"adapter", "merge", "quantized", "finetune"}),
			"datasets": oneOrMany(text), "metrics": oneOrMany(text), "library_name": text, "pipeline_tag": text,
			"model-index": list(indexEntry), "new_version": text, "inference": boolOrObject,
		},
		"dataset": {
			"task_categories": oneOrMany(text), "task_ids": oneOrMany(text), "size_categories": oneOrMany(text),
			"annotations_creators": oneOrMany(text), "source_datasets": oneOrMany(text), "multilinguality": oneOrMany(text),
			"paperswithcode_id": text, "configs": list(config), "viewer": boolean,
		},
		"space": {
			"title": text, "emoji": text, "colorFrom": among(colors), "colorTo": among(colors), "sdk": among(sdks),
			"sdk_version": textOrNumber, "python_version": textOrNumber, "app_file": text, "app_port": integer,
			"pinned": boolean, "models": oneOrMany(text), "datasets": oneOrMany(text), "short_description": short,
			"hf_oauth": boolean, "header": among([]string{"default", "mini"}), "suggested_hardware": text,
		},
	}
)

// Validate says what is wrong with the card of a README in a repository of a
// kind: model, dataset or space. Errors keep it from being committed.
func Validate(readme, kind string) (errs, warnings []string) {
	c, err := Parse(readme)
	switch {
	case err != nil:
		return []string{err.Error()}, nil
	case c == nil:
		return nil, []string{"empty or missing yaml metadata in repo card"}
	}
	for _, rules := range []map[string]rule{common, byKind[kind]} {
		for field, check := range rules {
			if v := c[field]; v != nil {
				errs = append(errs, check(field, v)...)
			}
		}
	}
	slices.Sort(errs)
	if c["license"] == "other" && c["license_name"] == nil && kind != "space" {
		warnings = append(warnings, `"license_name" is recommended when "license" is "other"`)
	}
	return errs, warnings
}

func say(field, what string) []string { return []string{fmt.Sprintf("%q %s", field, what)} }

func text(field string, v any) []string {
	if _, ok := v.(string); !ok {
		return say(field, "must be a string")
	}
	return nil
}

func boolean(field string, v any) []string {
	if _, ok := v.(bool); !ok {
		return say(field, "must be a boolean")
	}
	return nil
}

func integer(field string, v any) []string {
	if _, ok := v.(int); !ok {
		return say(field, "must be an integer")
	}
	return nil
}

func textOrNumber(field string, v any) []string {
	switch v.(type) {
	case string, int, float64:
		return nil
	}
	return say(field, "must be a string")
}

func boolOrObject(field string, v any) []string {
	switch v.(type) {
	case bool, map[string]any:
		return nil
	}
	return say(field, "must be a boolean")
}

func short(field string, v any) []string {
	if utf8.RuneCountInString(fmt.Sprint(v)) > maxShort {
		return say(field, fmt.Sprintf("length must be less than or equal to %d characters long", maxShort))
	}
	return text(field, v)
}

func among(values []string) rule {
	return func(field string, v any) []string {
		if bad := text(field, v); bad != nil {
			return bad
		}
		if !slices.Contains(values, v.(string)) {
			return say(field, "must be one of ["+strings.Join(values, ", ")+"]")
		}
		return nil
	}
}

func matching(re *regexp.Regexp, what string) rule {
	return func(field string, v any) []string {
		if bad := text(field, v); bad != nil {
			return bad
		}
		if !re.MatchString(v.(string)) {
			return say(field, what)
		}
		return nil
	}
}

func list(each rule) rule {
	return func(field string, v any) []string {
		values, ok := v.([]any)
		if !ok {
			return say(field, "must be an array")
		}
		var bad []string
		for i, e := range values {
			bad = append(bad, each(fmt.Sprintf("%s[%d]", field, i), e)...)
		}
		return bad
	}
}

func oneOrMany(each rule) rule {
	return func(field string, v any) []string {
		if _, ok := v.([]any); ok {
			return list(each)(field, v)
		}
		return each(field, v)
	}
}

func object(field string, v any, required ...string) []string {
	m, ok := v.(map[string]any)
	if !ok {
		return say(field, "must be of type object")
	}
	var bad []string
	for _, name := range required {
		if m[name] == nil {
			bad = append(bad, say(field+"."+name, "is required")...)
		}
	}
	return bad
}

func indexEntry(field string, v any) []string { return object(field, v, "name", "results") }

func config(field string, v any) []string { return object(field, v, "config_name") }
