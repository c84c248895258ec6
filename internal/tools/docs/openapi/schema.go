package openapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Bounds of what is told of a schema.
const (
	maxFields = 60 // of an object
	maxValues = 12 // of an enumeration
	// maxSteps is how many schemas are looked at for one question: references
	// may lead around in circles.
	maxSteps = 5000
)

// walk is a way through schemas that ends.
type walk struct {
	*Spec
	left int // steps
}

func (s *Spec) walk() *walk { return &walk{s, maxSteps} }

// Type is a schema in a word or a few: string, integer, array of object, one of
// a few values.
func (s *Spec) Type(schema any) string { return s.walk().typeOf(schema, 0) }

func (s *walk) typeOf(schema any, depth int) string {
	fields := s.merged(schema, depth)
	if depth > maxDepth || len(fields) == 0 {
		return "any"
	}
	if values := list(fields["enum"]); len(values) > 0 {
		return oneOf(values)
	}
	if v, ok := fields["const"]; ok {
		return value(v)
	}
	switch kind := fields["type"].(type) {
	case string:
		if kind == "array" {
			if items := s.typeOf(fields["items"], depth+1); items != "any" {
				return "array of " + items
			}
		}
		return kind
	case []any:
		var kinds []string
		for _, k := range kind {
			kinds = append(kinds, text(k))
		}
		return strings.Join(kinds, " or ")
	}
	if fields["properties"] != nil {
		return "object"
	}
	return "any"
}

func oneOf(values []any) string {
	var all []string
	for _, v := range values[:min(len(values), maxValues)] {
		all = append(all, value(v))
	}
	if len(values) > maxValues {
		all = append(all, "…")
	}
	return strings.Join(all, " | ")
}

func value(v any) string {
	data, err := json.Marshal(v)
	if err != nil || len(data) > 200 {
		return "…"
	}
	return string(data)
}

// merged is a schema with its references followed: of several that all hold,
// the fields of each; of alternatives, the first that says something.
func (s *walk) merged(schema any, depth int) map[string]any {
	if s.left--; s.left < 0 {
		return nil
	}
	fields := s.resolve(schema)
	if depth > maxDepth || fields == nil {
		return fields
	}
	if all := list(fields["allOf"]); len(all) > 0 {
		out := maps.Clone(fields)
		properties := map[string]any{}
		var required []any
		for _, part := range append([]any{withoutAllOf(fields)}, all[:min(len(all), maxFields)]...) {
			m := s.merged(part, depth+1)
			for k, v := range m {
				out[k] = v
			}
			own, _ := m["properties"].(map[string]any)
			maps.Copy(properties, own)
			required = append(required, list(m["required"])...)
		}
		delete(out, "allOf")
		if len(properties) > 0 {
			out["properties"], out["required"] = properties, required
		}
		return out
	}
	for _, key := range [...]string{"oneOf", "anyOf"} {
		for _, choice := range list(fields[key]) {
			if m := s.merged(choice, depth+1); len(m) > 0 && m["type"] != "null" {
				return m
			}
		}
	}
	return fields
}

func withoutAllOf(fields map[string]any) map[string]any {
	out := maps.Clone(fields)
	delete(out, "allOf")
	return out
}

// Fields lists what an object, or the objects of an array, has: a line each, to
// a depth of levels.
func (s *Spec) Fields(schema any, levels int) []string {
	var out []string
	s.walk().fields(&out, schema, "", levels, 0)
	return out
}

func (s *walk) fields(out *[]string, schema any, prefix string, levels, depth int) {
	m := s.merged(schema, 0)
	for range maxDepth {
		if m["type"] != "array" {
			break
		}
		m = s.merged(m["items"], 0)
	}
	properties, _ := m["properties"].(map[string]any)
	required := list(m["required"])
	for _, name := range slices.Sorted(maps.Keys(properties))[:min(len(properties), maxFields)] {
		p := s.merged(properties[name], 0)
		line := fmt.Sprintf("%s`%s` (%s)", prefix, name, s.typeOf(properties[name], 0))
		if slices.Contains(required, any(name)) {
			line += " always"
		}
		if d := text(p["description"]); d != "" {
			line += ": " + d
		}
		*out = append(*out, line)
		if depth+1 < levels && len(*out) < 10*maxFields {
			s.fields(out, properties[name], prefix+"  ", levels, depth+1)
		}
	}
	if len(properties) > maxFields {
		*out = append(*out, fmt.Sprintf("%s… %d more", prefix, len(properties)-maxFields))
	}
}

// Example is a value that fits a schema: what it gives as one, else its required
// properties.
func (s *Spec) Example(schema any) any { return s.walk().made(schema, "", 0) }

func (s *walk) made(schema any, name string, depth int) any {
	fields := s.merged(schema, 0)
	if v := s.example(fields); v != nil {
		return v
	}
	if v, ok := fields["const"]; ok {
		return v
	}
	if v, ok := fields["default"]; ok && v != nil {
		return v
	}
	if values := list(fields["enum"]); len(values) > 0 {
		return values[0]
	}
	kind := text(fields["type"])
	if kinds := list(fields["type"]); len(kinds) > 0 {
		kind = text(kinds[0])
	}
	properties, _ := fields["properties"].(map[string]any)
	switch {
	case depth > 4:
		return map[string]any{}
	case kind == "integer" || kind == "number":
		if v, ok := fields["minimum"].(float64); ok {
			return v
		}
		return 1
	case kind == "boolean":
		return true
	case kind == "array":
		if fields["items"] == nil {
			return []any{}
		}
		return []any{s.made(fields["items"], name, depth+1)}
	case kind == "object" || properties != nil:
		out := map[string]any{}
		for _, r := range list(fields["required"]) {
			if key := text(r); properties[key] != nil && len(out) < maxFields {
				out[key] = s.made(properties[key], key, depth+1)
			}
		}
		return out
	}
	if name == "" {
		name = "text"
	}
	return "<" + name + ">"
}
