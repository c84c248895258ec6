package tool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// ParseSpec reads a tool's own description file: an object with "name",
// "description" and "parameters", and "example" if it likes. The parameters are
// compacted, because every request carries them.
func ParseSpec(data []byte, maxOutput int) (Spec, error) {
	var file struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
		Example     json.RawMessage `json:"example"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return Spec{}, fmt.Errorf("read a tool's description: %w", err)
	}
	if file.Name == "" || file.Description == "" || len(file.Parameters) == 0 {
		return Spec{}, fmt.Errorf("read a tool's description: name, description and parameters are all needed (tool %q)", file.Name)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, file.Parameters); err != nil {
		return Spec{}, fmt.Errorf("read the parameters of tool %s: %w", file.Name, err)
	}
	return Spec{
		Name: file.Name, Description: file.Description,
		Parameters: compact.Bytes(), MaxOutput: maxOutput, Example: file.Example,
	}, nil
}

// Decode reads a call's arguments into the struct params points to. A field
// whose tag has no omitempty is required; null counts as missing. Unknown
// properties are ignored. The error names the field and what it should be, in
// words for the model.
func Decode(args json.RawMessage, params any) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(args, &object); err != nil || object == nil {
		return errors.New("the arguments must be one JSON object")
	}
	shape := reflect.TypeOf(params).Elem()
	for i := range shape.NumField() {
		name, options, _ := strings.Cut(shape.Field(i).Tag.Get("json"), ",")
		if name == "" || name == "-" || strings.Contains(options, "omit") {
			continue
		}
		if v, ok := object[name]; !ok || string(v) == "null" {
			return fmt.Errorf("%s is required (%s)", name, jsonType(shape.Field(i).Type))
		}
	}
	err := json.Unmarshal(args, params)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("%s must be of type %s, not %s", wrong.Field, jsonType(wrong.Type), wrong.Value)
	}
	if err != nil {
		return fmt.Errorf("the arguments cannot be read: %w", err)
	}
	return nil
}

// jsonType is the JSON schema's word for a Go type.
func jsonType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return jsonType(t.Elem())
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Slice, reflect.Array:
		return "array"
	case reflect.Struct, reflect.Map:
		return "object"
	default:
		return "integer"
	}
}
