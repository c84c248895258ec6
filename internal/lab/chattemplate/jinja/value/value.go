// Package value holds the values that templates work with, as Python has them:
// how they compare, what they look like as text and as JSON, and what their
// methods and filters do. Everything pays for its steps and bytes to a meter.
// It knows no syntax.
//
// A value is nil, bool, int64, float64, string, []any, *Dict, *Namespace, Func
// or Undefined.
package value

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bounds of one rendering.
const (
	// MaxSteps bounds what is evaluated, MaxBytes the text made on the way.
	MaxSteps = 1_000_000
	MaxBytes = 64 << 20
	// maxDepth bounds how deep values lie in each other.
	maxDepth = 100
)

// Meter counts what a rendering has cost.
type Meter struct {
	ended        func() error
	steps, bytes int
}

// NewMeter returns a meter that ends with ctx at the latest.
func NewMeter(ctx context.Context) *Meter { return &Meter{ended: ctx.Err} }

// Step pays for n steps.
func (m *Meter) Step(n int) error {
	before := m.steps
	if m.steps += max(n, 0); m.steps > MaxSteps || m.steps < 0 {
		return fmt.Errorf("it takes more than %d steps", MaxSteps)
	}
	if before>>10 != m.steps>>10 {
		return m.ended()
	}
	return nil
}

// Bytes pays for n bytes of text, before they are made.
func (m *Meter) Bytes(n int) error {
	if m.bytes += max(n, 0); m.bytes > MaxBytes || m.bytes < 0 {
		return fmt.Errorf("it makes more than %d bytes of text", MaxBytes)
	}
	return m.Step(n >> 8)
}

// Undefined is what a name stands for that nobody has set.
type Undefined struct{ Name string }

// Wrong is the error of using it.
func (u Undefined) Wrong() error { return fmt.Errorf("%q is undefined", u.Name) }

// Dict is a dictionary in order of its keys' first use.
type Dict struct {
	keys []string
	m    map[string]any
}

// NewDict returns an empty dictionary.
func NewDict() *Dict { return &Dict{m: map[string]any{}} }

// Set adds or replaces a member.
func (d *Dict) Set(key string, v any) {
	if _, ok := d.m[key]; !ok {
		d.keys = append(d.keys, key)
	}
	d.m[key] = v
}

// Member returns a member.
func (d *Dict) Member(key string) (any, bool) {
	v, ok := d.m[key]
	return v, ok
}

// Keys are the keys in order.
func (d *Dict) Keys() []any {
	out := make([]any, len(d.keys))
	for i, k := range d.keys {
		out[i] = k
	}
	return out
}

// Namespace is an object whose members a template may set from within loops.
type Namespace struct{ Members map[string]any }

// Args are the arguments of a call.
type Args struct {
	Places []any
	Named  map[string]any
}

// At is the argument at a place or of a name; nil when it is not given.
func (a Args) At(i int, name string) (any, bool) {
	if i < len(a.Places) {
		return a.Places[i], true
	}
	v, ok := a.Named[name]
	return v, ok
}

// Func is something that can be called.
type Func func(m *Meter, a Args) (any, error)

// Truth is what a condition makes of v.
func Truth(v any) bool {
	switch v := v.(type) {
	case nil, Undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case *Dict:
		return len(v.keys) > 0
	}
	return true
}

// Str is v as text.
func Str(m *Meter, v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, m.Step(1)
	case Undefined:
		return "", m.Step(1)
	}
	var b strings.Builder
	err := repr(m, &b, v, 0)
	return b.String(), err
}

// repr writes v as Python's repr does.
func repr(m *Meter, b *strings.Builder, v any, depth int) error {
	if depth > maxDepth {
		return errors.New("a value is nested too deeply")
	}
	if err := m.Step(1); err != nil {
		return err
	}
	s := ""
	switch v := v.(type) {
	case nil:
		s = "None"
	case bool:
		s = map[bool]string{true: "True", false: "False"}[v]
	case int64:
		s = strconv.FormatInt(v, 10)
	case float64:
		s = float(v)
	case string:
		quote := "'"
		if strings.Contains(v, "'") && !strings.Contains(v, `"`) {
			quote = `"`
		}
		s = quote + strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\t", `\t`, "\r", `\r`, quote, `\`+quote).Replace(v) + quote
	case []any:
		return sequence(m, b, "[", "]", len(v), func(i int) error { return repr(m, b, v[i], depth+1) })
	case *Dict:
		return sequence(m, b, "{", "}", len(v.keys), func(i int) error {
			if err := repr(m, b, v.keys[i], depth+1); err != nil {
				return err
			}
			b.WriteString(": ")
			return repr(m, b, v.m[v.keys[i]], depth+1)
		})
	case Undefined:
		s = "Undefined"
	default:
		s = "<object>"
	}
	if err := m.Bytes(len(s)); err != nil {
		return err
	}
	b.WriteString(s)
	return nil
}

func sequence(m *Meter, b *strings.Builder, begin, end string, n int, item func(i int) error) error {
	b.WriteString(begin)
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		if err := item(i); err != nil {
			return err
		}
	}
	b.WriteString(end)
	return m.Bytes(2 * (n + 1))
}

func float(f float64) string {
	switch {
	case math.IsInf(f, 0) || math.IsNaN(f):
		return strings.ToLower(strings.TrimPrefix(fmt.Sprint(f), "+"))
	case f == math.Trunc(f) && math.Abs(f) < 1e16:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// Equal is Python's ==.
func Equal(m *Meter, x, y any) (bool, error) { return equal(m, x, y, 0) }

func equal(m *Meter, x, y any, depth int) (bool, error) {
	if err := m.Step(1); err != nil || depth > maxDepth {
		return false, cmp.Or(err, errors.New("a value is nested too deeply"))
	}
	if a, ok := Number(x); ok {
		b, ok := Number(y)
		return ok && a == b, nil
	}
	switch x := x.(type) {
	case nil:
		return y == nil, nil
	case string:
		y, ok := y.(string)
		return ok && x == y, m.Step(len(x) >> 8)
	case []any:
		y, ok := y.([]any)
		if !ok || len(x) != len(y) {
			return false, nil
		}
		for i := range x {
			if same, err := equal(m, x[i], y[i], depth+1); err != nil || !same {
				return false, err
			}
		}
		return true, nil
	case *Dict:
		y, ok := y.(*Dict)
		if !ok || len(x.keys) != len(y.keys) {
			return false, nil
		}
		for _, k := range x.keys {
			other, ok := y.m[k]
			if !ok {
				return false, nil
			}
			if same, err := equal(m, x.m[k], other, depth+1); err != nil || !same {
				return false, err
			}
		}
		return true, nil
	case Undefined:
		_, ok := y.(Undefined)
		return ok, nil
	}
	return false, nil
}

// Number is a number's or a bool's value.
func Number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// Compare orders numbers and texts.
func Compare(m *Meter, x, y any) (int, error) {
	if a, ok := Number(x); ok {
		if b, ok := Number(y); ok {
			return cmp.Compare(a, b), m.Step(1)
		}
	}
	a, ok := x.(string)
	b, both := y.(string)
	if !ok || !both {
		return 0, errors.New("values of these types have no order")
	}
	return strings.Compare(a, b), m.Step(1 + min(len(a), len(b))>>8)
}

// In is Python's x in y.
func In(m *Meter, x, y any) (bool, error) {
	switch y := y.(type) {
	case string:
		s, ok := x.(string)
		if !ok {
			return false, errors.New("only a text is in a text")
		}
		return strings.Contains(y, s), m.Step(1 + len(y)>>6)
	case []any:
		for _, v := range y {
			if same, err := Equal(m, x, v); err != nil || same {
				return same, err
			}
		}
		return false, nil
	case *Dict:
		s, ok := x.(string)
		_, has := y.m[s]
		return ok && has, m.Step(1)
	case Undefined:
		return false, m.Step(1) // an absent thing holds nothing
	}
	return false, errors.New("nothing is in a value of this type")
}

// Items are what a loop goes over.
func Items(m *Meter, v any) ([]any, error) {
	switch v := v.(type) {
	case []any:
		return v, m.Step(1)
	case *Dict:
		return v.Keys(), m.Step(len(v.keys))
	case Undefined:
		return nil, m.Step(1)
	case string:
		if err := m.Step(len(v)); err != nil {
			return nil, err
		}
		out := make([]any, 0, len(v))
		for _, r := range v {
			out = append(out, string(r))
		}
		return out, m.Bytes(16 * len(out))
	case *Namespace:
		return nil, errors.New("a namespace is nothing to go over")
	}
	return nil, errors.New("there is nothing to go over")
}

// Length is Python's len.
func Length(m *Meter, v any) (int64, error) {
	switch v := v.(type) {
	case string:
		return int64(len([]rune(v))), m.Step(1 + len(v)>>6)
	case []any:
		return int64(len(v)), m.Step(1)
	case *Dict:
		return int64(len(v.keys)), m.Step(1)
	case Undefined:
		return 0, m.Step(1)
	}
	return 0, errors.New("a value of this type has no length")
}

// Member is what .name or ["name"] gives; ok is false without one.
func Member(v any, key string) (any, bool) {
	switch v := v.(type) {
	case *Dict:
		return v.Member(key)
	case *Namespace:
		member, ok := v.Members[key]
		return member, ok
	}
	return nil, false
}
