package viewer

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// Kinds of features.
const (
	valueKind  = "Value"
	labelKind  = "ClassLabel"
	listKind   = "List"
	structKind = "struct"
	jsonKind   = "Json" // values of several types
)

// feature is the type of a column.
type feature struct {
	kind   string
	dtype  string   // of a value: string, int64, float64, bool, null
	names  []string // of a label
	item   *feature // of a list
	fields []field  // of a struct
}

type field struct {
	name string
	feature
}

// MarshalJSON writes the type as the datasets library does.
func (f feature) MarshalJSON() ([]byte, error) {
	switch f.kind {
	case labelKind:
		return plain(object{{"names", f.names}, {"_type", labelKind}})
	case listKind:
		return plain(object{{"feature", *f.item}, {"_type", listKind}})
	case jsonKind:
		return plain(object{{"_type", jsonKind}})
	case structKind:
		o := object{}
		for _, x := range f.fields {
			o = append(o, member{x.name, x.feature})
		}
		return plain(o)
	}
	return plain(object{{"dtype", f.dtype}, {"_type", valueKind}})
}

func value(dtype string) feature { return feature{kind: valueKind, dtype: dtype} }

// of is the type of one cell.
func of(v any) feature {
	switch v := v.(type) {
	case bool:
		return value("bool")
	case string:
		return value("string")
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return value("float64")
		}
		return value("int64")
	case []any:
		item := value("null")
		for _, x := range v {
			item = merge(item, of(x))
		}
		return feature{kind: listKind, item: &item}
	case object:
		f := feature{kind: structKind}
		for _, m := range v {
			f.fields = append(f.fields, field{m.key, of(m.value)})
		}
		return f
	}
	return value("null")
}

func (f feature) null() bool { return f.kind == valueKind && f.dtype == "null" }

// merge is the type that holds both.
func merge(a, b feature) feature {
	switch {
	case a.null():
		return b
	case b.null():
		return a
	case a.kind != b.kind:
		return feature{kind: jsonKind}
	case a.kind == listKind:
		item := merge(*a.item, *b.item)
		return feature{kind: listKind, item: &item}
	case a.kind == structKind:
		out := feature{kind: structKind, fields: slices.Clone(a.fields)}
		for _, x := range b.fields {
			i := slices.IndexFunc(out.fields, func(y field) bool { return y.name == x.name })
			if i < 0 {
				out.fields = append(out.fields, x)
				continue
			}
			out.fields[i].feature = merge(out.fields[i].feature, x.feature)
		}
		return out
	case a.dtype == b.dtype:
		return a
	case a.kind == valueKind && strings.Contains("int64 float64", a.dtype) && strings.Contains("int64 float64", b.dtype):
		return value("float64")
	}
	return feature{kind: jsonKind}
}

// shape brings a cell into the form of its column: members in order, absent
// ones null, labels as numbers.
func (f feature) shape(v any) any {
	switch x := v.(type) {
	case []any:
		if f.kind != listKind {
			return v
		}
		out := make([]any, len(x))
		for i := range x {
			out[i] = f.item.shape(x[i])
		}
		return out
	case object:
		if f.kind != structKind {
			return v
		}
		out := object{}
		for _, fd := range f.fields {
			m, _ := x.get(fd.name)
			out = append(out, member{fd.name, fd.shape(m)})
		}
		return out
	case string:
		if f.kind == labelKind {
			return json.Number(strconv.Itoa(slices.Index(f.names, x)))
		}
	}
	return v
}

// declared reads the types that a card's dataset_info gives to columns: labels
// and plain values; the rest is seen from the data.
func declared(card map[string]any, config string) map[string]feature {
	info := card["dataset_info"]
	if list, ok := info.([]any); ok {
		info = nil
		for _, e := range list {
			if m, ok := e.(map[string]any); ok && (m["config_name"] == config || m["config_name"] == nil) {
				info = m
				break
			}
		}
	}
	m, _ := info.(map[string]any)
	columns, _ := m["features"].([]any)
	out := map[string]feature{}
	for _, c := range columns {
		col, _ := c.(map[string]any)
		name, _ := col["name"].(string)
		switch d := col["dtype"].(type) {
		case string:
			if slices.Contains([]string{"string", "int32", "int64", "float32", "float64", "bool"}, d) {
				out[name] = value(d)
			}
		case map[string]any:
			if names := labels(d); names != nil {
				out[name] = feature{kind: labelKind, names: names}
			}
		}
	}
	return out
}

// labels reads class_label: names: {'0': a, '1': b}.
func labels(d map[string]any) []string {
	label, _ := d["class_label"].(map[string]any)
	switch names := label["names"].(type) {
	case map[string]any:
		out := make([]string, len(names))
		for i := range out {
			out[i], _ = names[strconv.Itoa(i)].(string)
		}
		return out
	case []any:
		var out []string
		for _, n := range names {
			s, _ := n.(string)
			out = append(out, s)
		}
		return out
	}
	return nil
}
