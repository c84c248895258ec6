package event

import (
	"encoding/json"
	"math"
)

// Fields is the data of an event, read without trust: events of another program,
// or of another version of this one, may hold anything.
type Fields map[string]any

// Fields reads the data; data that is no object has no fields.
func (e Event) Fields() Fields {
	var f Fields
	_ = json.Unmarshal(e.Data, &f)
	return f
}

// Number returns a finite number; booleans and texts are none.
func (f Fields) Number(key string) (float64, bool) {
	n, ok := f[key].(float64)
	return n, ok && !math.IsNaN(n) && !math.IsInf(n, 0)
}

// Amount is a number, or nothing.
func (f Fields) Amount(key string) float64 {
	n, ok := f.Number(key)
	if !ok {
		return 0
	}
	return n
}

// Count is a whole number, or nothing.
func (f Fields) Count(key string) int64 {
	n := f.Amount(key)
	if math.Abs(n) > 1<<53 {
		return 0 // no count of anything
	}
	return int64(n)
}

// Label is a text that is not empty, or missing.
func (f Fields) Label(key, missing string) string {
	if text, ok := f[key].(string); ok && text != "" {
		return text
	}
	return missing
}

// True reports whether a field is true itself; numbers and texts are not.
func (f Fields) True(key string) bool { return f[key] == true }
