package arguments

import (
	"regexp"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// typesOf returns the types a schema names, or none.
func typesOf(s *jsonschema.Schema) []kind {
	if s.Type != "" {
		return []kind{kind(s.Type)}
	}
	out := make([]kind, 0, len(s.Types))
	for _, t := range s.Types {
		out = append(out, kind(t))
	}
	return out
}

// maxReferences bounds how many references are followed in a row.
const maxReferences = 32

// follow returns the schema that a local reference stands for, or nil.
func follow(root, s *jsonschema.Schema, depth int) *jsonschema.Schema {
	if s.Ref == "" || depth > maxReferences {
		return nil
	}
	if s.Ref == "#" {
		return root
	}
	for prefix, defs := range map[string]map[string]*jsonschema.Schema{
		"#/$defs/": root.Defs, "#/definitions/": root.Definitions,
	} {
		if name, ok := strings.CutPrefix(s.Ref, prefix); ok {
			return defs[name]
		}
	}
	return nil
}

// alternatives are the schemas of which one has to fit.
func alternatives(s *jsonschema.Schema) []*jsonschema.Schema {
	return slices.Concat(s.AnyOf, s.OneOf)
}

// names lists every property that s or a part of it declares, sorted.
func names(root, s *jsonschema.Schema, depth int) []string {
	if s == nil || depth > maxReferences {
		return nil
	}
	var out []string
	for name := range s.Properties {
		out = append(out, name)
	}
	parts := append(slices.Concat(s.AllOf, alternatives(s)), follow(root, s, depth), s.If, s.Then, s.Else)
	for name := range s.DependentSchemas {
		parts = append(parts, s.DependentSchemas[name])
	}
	for _, part := range parts {
		out = append(out, names(root, part, depth+1)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// scope is what the schemas around a part of a schema declare for the same
// value: a part does not drop what another one knows.
type scope struct {
	names []string
	open  bool
}

// within returns the scope for the parts of s: of one alternative, the others
// are no concern.
func (sc scope) within(root, s *jsonschema.Schema, alternative bool) scope {
	own := *s
	if alternative {
		own.AnyOf, own.OneOf = nil, nil
	}
	declared := names(root, &own, 0)
	closed := len(names(root, s, 0)) > 0
	return scope{names: slices.Concat(sc.names, declared), open: sc.open || !closed && open(root, s, nil) || opened(s)}
}

// opened reports whether s says that other members are welcome.
func opened(s *jsonschema.Schema) bool {
	return s.AdditionalProperties != nil && !isFalse(s.AdditionalProperties)
}

// open reports whether s takes members that it does not declare: it says so,
// or it declares nothing at all.
func open(root, s *jsonschema.Schema, declared []string) bool {
	if a := s.AdditionalProperties; a != nil {
		return !isFalse(a)
	}
	if s.UnevaluatedProperties != nil {
		return !isFalse(s.UnevaluatedProperties)
	}
	if to := follow(root, s, 0); to != nil {
		return open(root, to, declared)
	}
	return s.Properties == nil && len(declared) == 0
}

// isFalse reports whether s is the schema false, which nothing fits.
func isFalse(s *jsonschema.Schema) bool { return s.Not != nil && len(typesOf(s)) == 0 }

// patterned returns the schema of the first name pattern that fits.
func patterned(s *jsonschema.Schema, name string) *jsonschema.Schema {
	for pattern, inner := range s.PatternProperties {
		if re, err := regexp.Compile(pattern); err == nil && re.MatchString(name) {
			return inner
		}
	}
	return nil
}

// loosen removes patterns that cannot be compiled, in place.
func loosen(s *jsonschema.Schema, depth int) {
	if s == nil || depth > maxDepth {
		return
	}
	if _, err := regexp.Compile(s.Pattern); err != nil {
		s.Pattern = ""
	}
	for pattern := range s.PatternProperties {
		if _, err := regexp.Compile(pattern); err != nil {
			delete(s.PatternProperties, pattern)
			s.AdditionalProperties = nil // the members it was for must still pass
		}
	}
	parts := slices.Concat(s.AllOf, s.AnyOf, s.OneOf, s.PrefixItems, s.ItemsArray)
	parts = append(parts, s.Items, s.AdditionalProperties, s.AdditionalItems, s.Not, s.If, s.Then, s.Else, s.Contains, s.PropertyNames)
	for _, group := range []map[string]*jsonschema.Schema{s.Properties, s.PatternProperties, s.Defs, s.Definitions, s.DependentSchemas} {
		for _, inner := range group {
			parts = append(parts, inner)
		}
	}
	for _, part := range parts {
		loosen(part, depth+1)
	}
}
