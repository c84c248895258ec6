// Package loose reads JSON of services that leave values out, send null, or now
// and then another type than they promise: [Decode] reads a whole answer, a
// [Value] is one member of it. It knows no service and no field.
package loose

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// Decode reads data into the struct or slice that v points to. A value of the
// wrong type inside is left out, as if it were not there; only data that is no
// JSON, or no object or list where v is one, is an error.
func Decode(data []byte, v any) error {
	want := byte('{')
	name := "object"
	if kind := reflect.TypeOf(v).Elem().Kind(); kind == reflect.Slice {
		want, name = '[', "list"
	}
	data = bytes.TrimSpace(data)
	if len(data) == 0 || data[0] != want {
		return fmt.Errorf("the answer is no JSON %s", name)
	}
	err := json.Unmarshal(data, v)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return nil // all the rest has been read
	}
	if err != nil {
		return fmt.Errorf("the answer is no JSON: %w", err)
	}
	return nil
}

// Value is a member that is absent when it is null or of another type than T.
type Value[T any] struct {
	V T
	// Set reports whether there was one.
	Set bool
}

// UnmarshalJSON reads the value. What does not fit is no error: the rest of the
// answer is still of use.
func (x *Value[T]) UnmarshalJSON(data []byte) error {
	*x = Value[T]{}
	var v T
	if string(data) != "null" && json.Unmarshal(data, &v) == nil {
		x.V, x.Set = v, true
	}
	return nil
}
