package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

const (
	maxSchema      = 24 << 10 // bytes of one tool's
	maxSchemaDepth = 32
	maxSchemaText  = 1000 // characters of one text in it
	// maxParts is how many schemas may have to fit one value: alternatives of
	// alternatives multiply.
	maxParts = 500
)

// property is what providers of models take as the name of an argument.
var property = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`) })

// Schema bounds the schema of a tool's arguments and takes out hidden characters;
// every keyword stays. The error says why it cannot be taken.
func Schema(foreign any) (map[string]any, error) {
	root, ok := foreign.(map[string]any)
	if !ok && foreign != nil {
		return nil, errors.New("its schema is no object")
	}
	if t, has := root["type"]; has && t != "object" {
		return nil, errors.New("its arguments are no object")
	}
	w := &walk{}
	out := w.object(root, 0)
	if w.err != nil {
		return nil, w.err
	}
	if err := bounded(out); err != nil {
		return nil, err
	}
	if _, err := encode(out); err != nil {
		return nil, err
	}
	return out, nil
}

// Parameters is a schema such that no provider of models refuses it, and with it
// the whole request. Alternatives for all arguments together are none that they
// take; the server itself still checks them.
func Parameters(schema map[string]any) (json.RawMessage, error) {
	out := maps.Clone(schema)
	for _, key := range []string{"anyOf", "oneOf", "allOf", "not", "if", "then", "else", "enum", "const"} {
		delete(out, key)
	}
	out["type"] = "object"
	properties, _ := out["properties"].(map[string]any)
	if properties == nil {
		out["properties"] = map[string]any{}
	}
	for name := range properties {
		if !property().MatchString(name) {
			return nil, fmt.Errorf("no model takes an argument with the name %q", Line(name, 60))
		}
	}
	return encode(out)
}

func encode(schema map[string]any) (json.RawMessage, error) {
	raw, err := json.Marshal(schema)
	if err != nil {
		return nil, fmt.Errorf("its schema cannot be written: %w", err)
	}
	if len(raw) > maxSchema {
		return nil, fmt.Errorf("its schema has %d bytes, %d are taken", len(raw), maxSchema)
	}
	return raw, nil
}

// walk copies a schema.
type walk struct {
	err   error
	count int
	plain int // above 0 within a value that is no schema
}

func (w *walk) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *walk) object(m map[string]any, depth int) map[string]any {
	out := make(map[string]any, len(m))
	for name, value := range m {
		if w.err != nil {
			return out
		}
		if Line(name, maxSchemaText) != name {
			w.fail("its schema has a name with characters that nobody sees")
			return out
		}
		out[name] = w.member(name, value, depth)
	}
	return out
}

func (w *walk) member(name string, value any, depth int) any {
	switch text, isText := value.(string); {
	case w.plain > 0:
	case isText && (name == "description" || name == "title" || name == "$comment"):
		return Text(text, maxSchemaText)
	case isText && (name == "$ref" || name == "$dynamicRef") && !strings.HasPrefix(text, "#"):
		w.fail("its schema leads to another document")
	case name == "type":
		w.types(value)
	case slices.Contains([]string{"default", "examples", "const", "enum"}, name):
		w.plain++
		defer func() { w.plain-- }()
	}
	return w.value(value, depth+1)
}

// types checks the names of types; of a property that is called "type" there are
// none.
func (w *walk) types(value any) {
	known := []string{"object", "array", "string", "number", "integer", "boolean", "null"}
	switch v := value.(type) {
	case string:
		if !slices.Contains(known, v) {
			w.fail("its schema has a type %q", Line(v, 60))
		}
	case []any:
		for _, t := range v {
			if name, ok := t.(string); !ok || !slices.Contains(known, name) {
				w.fail("its schema has a type that is none")
			}
		}
	}
}

func (w *walk) value(value any, depth int) any {
	w.count++
	switch {
	case depth > maxSchemaDepth:
		w.fail("its schema is nested more than %d deep", maxSchemaDepth)
		return nil
	case w.count > maxSchema/2:
		w.fail("its schema has more than %d bytes", maxSchema)
		return nil
	}
	switch v := value.(type) {
	case map[string]any:
		return w.object(v, depth)
	case []any:
		list := make([]any, 0, len(v))
		for _, item := range v {
			if w.err != nil {
				break
			}
			list = append(list, w.value(item, depth+1))
		}
		return list
	case string:
		if len(v) > maxSchemaText || !seen(v) {
			w.fail("its schema has a value that is long, or has characters that nobody sees")
		}
	}
	return value
}

// bounded checks that no value has to fit too many schemas at once.
func bounded(root map[string]any) error {
	var check func(v any) error
	check = func(v any) error {
		switch v := v.(type) {
		case map[string]any:
			parts := 0
			if count(root, v, 0, &parts); parts > maxParts {
				return fmt.Errorf("its schema has more than %d alternatives for one value", maxParts)
			}
			for _, below := range v {
				if err := check(below); err != nil {
					return err
				}
			}
		case []any:
			for _, below := range v {
				if err := check(below); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return check(root)
}

// count follows what applies to the same value.
func count(root, s map[string]any, depth int, parts *int) {
	*parts++
	if *parts > maxParts {
		return
	}
	if depth > maxParts {
		*parts = maxParts + 1
		return
	}
	for _, key := range []string{"anyOf", "oneOf", "allOf"} {
		list, _ := s[key].([]any)
		for _, part := range list {
			if sub, ok := part.(map[string]any); ok && *parts <= maxParts {
				count(root, sub, depth+1, parts)
			}
		}
	}
	for _, key := range []string{"not", "if", "then", "else"} {
		if sub, ok := s[key].(map[string]any); ok && *parts <= maxParts {
			count(root, sub, depth+1, parts)
		}
	}
	if ref, ok := s["$ref"].(string); ok && *parts <= maxParts {
		if sub := local(root, ref); sub != nil {
			count(root, sub, depth+1, parts)
		}
	}
}

// local is the schema that a reference within the document means.
func local(root map[string]any, ref string) map[string]any {
	var at any = root
	for name := range strings.SplitSeq(strings.TrimPrefix(strings.TrimPrefix(ref, "#"), "/"), "/") {
		if name == "" {
			continue
		}
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		object, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = object[name]
	}
	object, _ := at.(map[string]any)
	return object
}
