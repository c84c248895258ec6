package tooltest

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

// agreement compares the schema with the parameters struct: the same names,
// the same types, and required exactly where the tag has no omitempty.
func (c Case) agreement(t *testing.T) {
	if c.Params == nil {
		t.Fatal("Params is missing")
	}
	compare(t, "arguments", c.schema(t), reflect.TypeOf(c.Params))
}

// compare reports every difference between schema s and Go type typ.
func compare(t *testing.T, where string, s *jsonschema.Schema, typ reflect.Type) {
	t.Helper()
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	want := schemaType(typ)
	if want == "" {
		return // any JSON
	}
	if s.Type != want {
		t.Errorf("%s: the schema says %q, the struct %s", where, s.Type, typ)
		return
	}
	switch want {
	case "array":
		if s.Items == nil {
			t.Errorf("%s: the schema does not describe its items", where)
			return
		}
		compare(t, where+"[]", s.Items, typ.Elem())
	case "object":
		if typ.Kind() == reflect.Struct {
			compareObject(t, where, s, typ)
		}
	}
}

func compareObject(t *testing.T, where string, s *jsonschema.Schema, typ reflect.Type) {
	t.Helper()
	if s.AdditionalProperties == nil || s.AdditionalProperties.Not == nil {
		t.Errorf("%s: additionalProperties is not false", where)
	}
	fields := map[string]bool{}
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			t.Errorf("%s: field %s has no JSON name", where, f.Name)
			continue
		}
		fields[name] = true
		property := s.Properties[name]
		if property == nil {
			t.Errorf("%s.%s is in the struct, not in the schema", where, name)
			continue
		}
		if required := slices.Contains(s.Required, name); required == strings.Contains(options, "omit") {
			t.Errorf("%s.%s: required is %v in the schema, the struct's tag is %q", where, name, required, f.Tag)
		}
		compare(t, where+"."+name, property, f.Type)
	}
	for name := range s.Properties {
		if !fields[name] {
			t.Errorf("%s.%s is in the schema, not in the struct", where, name)
		}
	}
	for _, name := range s.Required {
		if s.Properties[name] == nil {
			t.Errorf("%s: required property %s is not described", where, name)
		}
	}
}

// schemaType is the schema's word for a Go type; empty for any JSON.
func schemaType(typ reflect.Type) string {
	switch typ.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Slice, reflect.Array:
		if typ.Elem().Kind() == reflect.Uint8 {
			return "" // json.RawMessage
		}
		return "array"
	case reflect.Struct, reflect.Map:
		return "object"
	case reflect.Interface:
		return ""
	default:
		return "integer"
	}
}
