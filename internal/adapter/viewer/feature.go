package viewer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Kinds of features that hold others or need care; every other one has the name
// that the viewer gives it, such as "Image".
const (
	Value      = "Value"
	ClassLabel = "ClassLabel"
	List       = "List"
	Struct     = "Struct"
	Audio      = "Audio"
	Image      = "Image"
	Video      = "Video"
	PDF        = "Pdf"
	JSON       = "Json"
)

const (
	// maxDepth is how deep features are read; below it a type is "…".
	maxDepth = 12
	// maxNames is how many names of a label or fields of a struct are printed.
	maxNames = 10
)

// Feature is the type of a column or of a part of one.
type Feature struct {
	// Kind is one of the constants or the viewer's own name.
	Kind string
	// DType is the type of a Value or of an array's elements, such as "int64".
	DType string
	// Names are those of a ClassLabel, by number, or the languages of a
	// translation.
	Names []string
	// Elem is the element of a List; Length is its fixed length, else 0.
	Elem   *Feature
	Length int
	// Fields are those of a Struct, in order.
	Fields []Field
	// Rate is the sampling rate of an Audio in Hz, 0 where it is not fixed.
	Rate int
	// Shape is that of Array2D to Array5D; 0 is any.
	Shape []int
}

// Field is a feature with its name: a column, or a member of a struct.
type Field struct {
	Name string
	Feature
}

// Member is a member of a JSON object.
type Member struct {
	Name  string
	Value json.RawMessage
}

// Members reads an object with the order of its members.
func Members(object json.RawMessage) ([]Member, error) {
	dec := json.NewDecoder(bytes.NewReader(object))
	if t, err := dec.Token(); err != nil {
		return nil, err
	} else if t != json.Delim('{') {
		return nil, errors.New("it is no object")
	}
	var all []Member
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string)
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		all = append(all, Member{name, value})
	}
	_, err := dec.Token()
	return all, err
}

// ReadFeature reads a feature in any of its forms, those of older versions too.
func ReadFeature(data json.RawMessage) Feature { return readFeature(data, 0) }

func readFeature(data json.RawMessage, depth int) Feature {
	data = bytes.TrimSpace(data)
	if depth > maxDepth || len(data) == 0 {
		return Feature{Kind: "…"}
	}
	switch data[0] {
	case '[':
		var one []json.RawMessage
		if json.Unmarshal(data, &one) != nil || len(one) == 0 {
			return Feature{Kind: List, Elem: &Feature{Kind: "…"}}
		}
		elem := readFeature(one[0], depth+1)
		return Feature{Kind: List, Elem: &elem}
	case '"':
		var dtype string
		_ = json.Unmarshal(data, &dtype)
		return Feature{Kind: Value, DType: dtype}
	case '{':
		return readObject(data, depth)
	default:
		return Feature{Kind: "unknown"}
	}
}

// readObject reads a feature with a name, or a struct without.
func readObject(data json.RawMessage, depth int) Feature {
	members, err := Members(data)
	if err != nil {
		return Feature{Kind: "unknown"}
	}
	with := map[string]json.RawMessage{}
	for _, m := range members {
		with[m.Name] = m.Value
	}
	var kind string
	if json.Unmarshal(with["_type"], &kind) != nil || kind == "" {
		return readStruct(members, depth)
	}
	f := Feature{Kind: kind}
	_ = json.Unmarshal(with["dtype"], &f.DType)
	switch kind {
	case List, "LargeList", "Sequence":
		return readList(kind, with, depth)
	case ClassLabel:
		f.Names = readNames(with["names"])
		if n := 0; len(f.Names) == 0 && json.Unmarshal(with["num_classes"], &n) == nil {
			for i := range min(max(n, 0), 10_000) {
				f.Names = append(f.Names, strconv.Itoa(i))
			}
		}
	case "Translation", "TranslationVariableLanguages":
		f.Names = readNames(with["languages"])
	case Audio:
		var rate float64
		_ = json.Unmarshal(with["sampling_rate"], &rate)
		f.Rate = int(rate)
	default:
		var shape []*int // null is any size
		_ = json.Unmarshal(with["shape"], &shape)
		for _, n := range shape {
			if n == nil {
				n = new(int)
			}
			f.Shape = append(f.Shape, *n)
		}
	}
	return f
}

// readList reads a list; the old Sequence of a struct is a struct of lists.
func readList(kind string, with map[string]json.RawMessage, depth int) Feature {
	elem := readFeature(with["feature"], depth+1)
	f := Feature{Kind: List, Elem: &elem}
	if n := 0; json.Unmarshal(with["length"], &n) == nil && n > 0 {
		f.Length = n
	}
	if kind != "Sequence" || elem.Kind != Struct {
		return f
	}
	lists := Feature{Kind: Struct}
	for _, field := range elem.Fields {
		lists.Fields = append(lists.Fields, Field{field.Name, Feature{Kind: List, Elem: &field.Feature, Length: f.Length}})
	}
	return lists
}

func readStruct(members []Member, depth int) Feature {
	f := Feature{Kind: Struct}
	for _, m := range members {
		f.Fields = append(f.Fields, Field{m.Name, readFeature(m.Value, depth+1)})
	}
	return f
}

// readNames reads names by number: a list, or an object from numbers to names.
func readNames(data json.RawMessage) []string {
	var names []string
	if json.Unmarshal(data, &names) == nil {
		return names
	}
	members, _ := Members(data)
	for _, m := range members {
		var name string
		_ = json.Unmarshal(m.Value, &name)
		names = append(names, name)
	}
	return names
}

// Label is the name of a ClassLabel's number.
func (f Feature) Label(number int) (string, bool) {
	if f.Kind != ClassLabel || number < 0 || number >= len(f.Names) {
		return "", false
	}
	return f.Names[number], true
}

// Media reports whether values are pictures, sound or documents.
func (f Feature) Media() bool {
	return f.Kind == Image || f.Kind == Audio || f.Kind == Video || f.Kind == PDF
}

// String writes the type, such as `List<{role: string, content: string}>`.
func (f Feature) String() string {
	switch f.Kind {
	case Value:
		return f.DType
	case ClassLabel:
		return fmt.Sprintf("ClassLabel(%d: %s)", len(f.Names), some(f.Names))
	case "Translation", "TranslationVariableLanguages":
		return f.Kind + "(" + some(f.Names) + ")"
	case List:
		if f.Length > 0 {
			return fmt.Sprintf("List<%s, %d>", f.Elem, f.Length)
		}
		return "List<" + f.Elem.String() + ">"
	case Struct:
		parts := make([]string, len(f.Fields))
		for i, field := range f.Fields {
			parts[i] = field.Name + ": " + field.Feature.String()
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case Audio:
		if f.Rate > 0 {
			return fmt.Sprintf("Audio(%d)", f.Rate)
		}
	}
	if len(f.Shape) == 0 {
		return f.Kind
	}
	sides := make([]string, len(f.Shape))
	for i, n := range f.Shape {
		if sides[i] = "?"; n > 0 {
			sides[i] = strconv.Itoa(n)
		}
	}
	return strings.TrimRight(fmt.Sprintf("%s(%s %s", f.Kind, strings.Join(sides, "×"), f.DType), " ") + ")"
}

// some writes the first of many names.
func some(names []string) string {
	if len(names) <= maxNames {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:maxNames], ", ") + ", …"
}
