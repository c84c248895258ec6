package value

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Filter applies a filter that needs nothing but its arguments; ok is false for
// one that is not known.
func Filter(m *Meter, name string, v any, a Args) (out any, ok bool, err error) {
	if err := m.Step(1); err != nil {
		return nil, true, err
	}
	switch name {
	case "tojson":
		indent := -1
		if x, given := a.At(0, "indent"); given {
			if n, isInt := x.(int64); isInt {
				indent = int(max(min(n, 16), 0))
			}
		}
		out, err = JSON(m, v, indent)
	case "default", "d":
		other, _ := a.At(0, "default_value")
		falsy, _ := a.At(1, "boolean")
		if _, is := v.(Undefined); is || Truth(falsy) && !Truth(v) {
			return other, true, nil
		}
		out = v
	case "length", "count":
		out, err = Length(m, v)
	case "first", "last", "list", "reverse", "sort", "unique", "sum", "min", "max", "join", "items", "dictsort", "batch":
		out, err = ofList(m, name, v, a)
	case "int", "float", "abs", "round":
		out, err = ofNumber(name, v, a)
	case "string":
		out, err = Str(m, v)
	case "safe":
		out = v
	default:
		return ofText(m, name, v, a)
	}
	return out, true, err
}

// ofText are the filters of texts.
func ofText(m *Meter, name string, v any, a Args) (any, bool, error) {
	switch name {
	case "trim", "upper", "lower", "capitalize", "title", "replace", "escape", "e", "forceescape", "indent", "wordcount":
	default:
		return nil, false, nil
	}
	s, err := Str(m, v)
	if err == nil {
		err = m.Bytes(len(s))
	}
	if err != nil {
		return nil, true, err
	}
	switch name {
	case "trim":
		out, err := trim(s, a, strings.TrimFunc, strings.Trim)
		return out, true, err
	case "replace":
		out, err := Replace(m, s, a)
		return out, true, err
	case "wordcount":
		return int64(len(strings.Fields(s))), true, nil
	case "indent":
		return indented(m, s, a)
	case "upper", "lower", "capitalize", "title":
		f, _ := textMethod(s, name)
		out, err := f(m, Args{})
		return out, true, err
	}
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;").Replace(s), true, m.Bytes(4 * len(s))
}

func indented(m *Meter, s string, a Args) (any, bool, error) {
	width := int64(4)
	if x, ok := a.At(0, "width"); ok {
		if n, isInt := x.(int64); isInt {
			width = max(min(n, 100), 0)
		}
	}
	if err := m.Bytes(int(width) * (1 + strings.Count(s, "\n"))); err != nil {
		return nil, true, err
	}
	head, _ := a.At(1, "first")
	blank, _ := a.At(2, "blank")
	lines := strings.Split(s, "\n")
	for i := range lines {
		if (i > 0 || Truth(head)) && (lines[i] != "" || Truth(blank)) {
			lines[i] = strings.Repeat(" ", int(width)) + lines[i]
		}
	}
	return strings.Join(lines, "\n"), true, nil
}

// ofList are the filters of what a loop can go over.
func ofList(m *Meter, name string, v any, a Args) (any, error) {
	if name == "items" || name == "dictsort" {
		d, ok := v.(*Dict)
		if !ok {
			return []any{}, nil
		}
		list := pairs(d)
		if name == "dictsort" {
			slices.SortStableFunc(list, func(x, y any) int {
				return strings.Compare(strings.ToLower(x.([]any)[0].(string)), strings.ToLower(y.([]any)[0].(string)))
			})
		}
		return list, m.Step(8 * len(list))
	}
	if name == "join" {
		sep, _ := a.At(0, "d")
		s, err := Str(m, sep)
		if sep == nil {
			s = ""
		}
		if err != nil {
			return nil, err
		}
		return Join(m, v, s)
	}
	if s, ok := v.(string); ok && name == "reverse" {
		runes := []rune(s)
		slices.Reverse(runes)
		return string(runes), m.Bytes(5 * len(s))
	}
	items, err := Items(m, v)
	if err != nil {
		return nil, err
	}
	if err := m.Bytes(16 * len(items)); err != nil {
		return nil, err
	}
	switch name {
	case "first", "last":
		if len(items) == 0 {
			return Undefined{Name: name}, nil
		}
		if name == "last" {
			return items[len(items)-1], nil
		}
		return items[0], nil
	case "list":
		return slices.Clone(items), nil
	case "reverse":
		items = slices.Clone(items)
		slices.Reverse(items)
		return items, nil
	case "sort":
		return Sort(m, items, a, func(x any) (any, error) { return x, nil })
	case "unique":
		out := []any{}
		for _, x := range items {
			if is, err := In(m, x, out); err != nil {
				return nil, err
			} else if !is {
				out = append(out, x)
			}
		}
		return out, nil
	case "sum":
		return sum(items)
	case "min", "max":
		return extreme(m, items, name == "max")
	}
	return nil, fmt.Errorf("the filter %q is not supported", name)
}

// Sort orders items by their keys.
func Sort(m *Meter, items []any, a Args, key func(any) (any, error)) (any, error) {
	type keyed struct{ key, item any }
	all := make([]keyed, len(items))
	for i, x := range items {
		k, err := key(x)
		if err != nil {
			return nil, err
		}
		if s, ok := k.(string); ok { // case does not matter unless asked for
			if sensitive, _ := a.At(1, "case_sensitive"); !Truth(sensitive) {
				k = strings.ToLower(s)
			}
		}
		all[i] = keyed{k, x}
	}
	back, _ := a.At(0, "reverse")
	var failed error
	slices.SortStableFunc(all, func(x, y keyed) int {
		if failed != nil {
			return 0
		}
		c, err := Compare(m, x.key, y.key)
		if err != nil {
			failed = err
		}
		if Truth(back) {
			return -c
		}
		return c
	})
	out := make([]any, len(all))
	for i, k := range all {
		out[i] = k.item
	}
	return out, failed
}

func sum(items []any) (any, error) {
	total, whole := 0.0, true
	for _, x := range items {
		n, ok := Number(x)
		if !ok {
			return nil, errors.New("only numbers have a sum")
		}
		_, float := x.(float64)
		whole = whole && !float
		total += n
	}
	if whole && math.Abs(total) < 1<<53 {
		return int64(total), nil
	}
	return total, nil
}

func extreme(m *Meter, items []any, greatest bool) (any, error) {
	if len(items) == 0 {
		return Undefined{Name: "min or max of nothing"}, nil
	}
	best := items[0]
	for _, x := range items[1:] {
		c, err := Compare(m, x, best)
		if err != nil {
			return nil, err
		}
		if c > 0 == greatest && c != 0 {
			best = x
		}
	}
	return best, nil
}

// ofNumber are the filters of numbers.
func ofNumber(name string, v any, a Args) (any, error) {
	n, ok := Number(v)
	if s, isText := v.(string); isText && (name == "int" || name == "float") && len(s) < 400 {
		f, err := strconv.ParseFloat(strings.TrimFunc(s, unicode.IsSpace), 64)
		n, ok = f, err == nil
	}
	switch name {
	case "int":
		if !ok || math.Abs(n) >= 1<<62 || math.IsNaN(n) {
			if other, given := a.At(0, "default"); given {
				return other, nil
			}
			return int64(0), nil
		}
		return int64(n), nil
	case "float":
		if !ok {
			return 0.0, nil
		}
		return n, nil
	}
	if !ok {
		return nil, fmt.Errorf("%s takes a number", name)
	}
	if name == "abs" {
		if i, isInt := v.(int64); isInt {
			return max(i, -i), nil
		}
		return math.Abs(n), nil
	}
	digits := 0.0
	if x, given := a.At(0, "precision"); given {
		digits, _ = Number(x)
	}
	scale := math.Pow(10, max(min(digits, 15), -15))
	return math.RoundToEven(n*scale) / scale, nil
}
