// Package show writes what is known of a data set as text for a model: schema,
// rows, statistics, conversations, sizes. It asks nobody.
package show

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ml-intern/ml-intern/internal/domain/amount"

	"github.com/ml-intern/ml-intern/internal/adapter/viewer"
	"github.com/ml-intern/ml-intern/internal/domain/excerpt"
	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

const (
	// Value is how many characters of a value are shown.
	Value = 300
	// maxDepth is how deep values are looked into.
	maxDepth = 12
	// nameSize is how many characters of a name are shown.
	nameSize = 120
	// assets is where the viewer keeps pictures and sound: addresses there are
	// signed and expire.
	assets = "https://datasets-server.huggingface.co/"
)

// types are the types of the columns, and those of structs within them, by name.
type types struct {
	of map[string]viewer.Feature
	// within remembers structs by their first field.
	within map[*viewer.Field]map[string]viewer.Feature
}

func newTypes(features []viewer.Field) types {
	return types{of: byName(features), within: map[*viewer.Field]map[string]viewer.Feature{}}
}

func byName(fields []viewer.Field) map[string]viewer.Feature {
	all := make(map[string]viewer.Feature, len(fields))
	for _, f := range fields {
		all[f.Name] = f.Feature
	}
	return all
}

// member is the type of a struct's member, the zero type where it is not known.
func (t types) member(f viewer.Feature, name string) viewer.Feature {
	if len(f.Fields) == 0 {
		return viewer.Feature{}
	}
	key := &f.Fields[0]
	if t.within[key] == nil {
		t.within[key] = byName(f.Fields)
	}
	return t.within[key][name]
}

// cell shows a value as JSON in at most limit characters: labels with their
// names, pictures and sound as placeholders.
func (t types) cell(name string, r viewer.Row, limit int) string {
	text := t.json(t.of[name], r.Values[name], r.Cut[name])
	n := utf8.RuneCountInString(text)
	if n > limit {
		text = fmt.Sprintf("%s… (%s characters)", excerpt.Head(text, limit), amount.Grouped(int64(n)))
	}
	if r.Cut[name] {
		text += " (cut by the viewer)"
	}
	return text
}

// json is a value with labels named and media replaced, in one line.
func (t types) json(f viewer.Feature, value json.RawMessage, cut bool) string {
	if cut {
		// The beginning of a longer value: its type does not hold any more.
		if m, ok := media(f, 0); ok {
			return placeholder(m, nil)
		}
		var text string
		if f.Kind != viewer.Value && json.Unmarshal(value, &text) == nil {
			return line(text)
		}
		f = viewer.Feature{}
	}
	var b strings.Builder
	t.write(&b, f, value, 0)
	return line(b.String())
}

// line is a text in one line, without what a terminal would act on and without
// signed addresses.
func line(text string) string {
	return strings.ReplaceAll(plain.String(unsigned(text)), "\n", " ")
}

// media is the picture or sound in a type.
func media(f viewer.Feature, depth int) (viewer.Feature, bool) {
	if f.Media() {
		return f, true
	}
	if depth > maxDepth {
		return f, false
	}
	if f.Elem != nil {
		return media(*f.Elem, depth+1)
	}
	for _, one := range f.Fields {
		if m, ok := media(one.Feature, depth+1); ok {
			return m, true
		}
	}
	return f, false
}

func (t types) write(b *strings.Builder, f viewer.Feature, value json.RawMessage, depth int) {
	value = bytes.TrimSpace(value)
	switch {
	case len(value) == 0:
		b.WriteString("null")
	case depth > maxDepth && (value[0] == '[' || value[0] == '{'):
		b.WriteString(`"…"`)
	case string(value) == "null":
		b.WriteString("null")
	case f.Media() || signed(value):
		b.WriteString(placeholder(f, value))
	case f.Kind == viewer.ClassLabel:
		compact(b, value)
		if n, err := strconv.Atoi(string(value)); err == nil {
			if name, ok := f.Label(n); ok {
				b.WriteString(" ")
				b.Write(quoted(name))
			}
		}
	case value[0] == '[':
		t.writeList(b, f, value, depth)
	case value[0] == '{':
		t.writeObject(b, f, value, depth)
	default:
		compact(b, value)
	}
}

func (t types) writeList(b *strings.Builder, f viewer.Feature, value json.RawMessage, depth int) {
	var elem viewer.Feature
	if f.Elem != nil {
		elem = *f.Elem
	}
	var list []json.RawMessage
	if json.Unmarshal(value, &list) != nil {
		compact(b, value)
		return
	}
	b.WriteByte('[')
	for i, one := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		t.write(b, elem, one, depth+1)
	}
	b.WriteByte(']')
}

func (t types) writeObject(b *strings.Builder, f viewer.Feature, value json.RawMessage, depth int) {
	members, err := viewer.Members(value)
	if err != nil {
		compact(b, value)
		return
	}
	b.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			b.WriteString(", ")
		}
		b.Write(quoted(m.Name))
		b.WriteString(": ")
		t.write(b, t.member(f, m.Name), m.Value, depth+1)
	}
	b.WriteByte('}')
}

// compact writes JSON as it is, without the blanks; texts get the usual escapes.
func compact(b *strings.Builder, value json.RawMessage) {
	var text string
	if value[0] == '"' && json.Unmarshal(value, &text) == nil {
		b.Write(quoted(text))
		return
	}
	var c bytes.Buffer
	if json.Compact(&c, value) != nil {
		c.Reset()
		c.Write(quoted(string(value)))
	}
	b.Write(c.Bytes())
}

func quoted(text string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text)
	return bytes.TrimSpace(b.Bytes())
}

// signed reports whether a value is a file of the viewer's that has no type.
func signed(value json.RawMessage) bool {
	return value[0] == '{' && strings.HasPrefix(source(value).Src, assets)
}

// file is a picture or sound as the viewer writes it.
type file struct {
	Src           string  `json:"src"`
	Type          string  `json:"type"`
	Height, Width float64 `json:",omitempty"`
}

// source reads a file, or the first of a list of them.
func source(value json.RawMessage) file {
	var many []json.RawMessage
	if json.Unmarshal(value, &many) == nil && len(many) > 0 {
		value = many[0]
	}
	var one file
	_ = json.Unmarshal(value, &one)
	return one
}

// placeholder stands for a picture, sound or document.
func placeholder(f viewer.Feature, value json.RawMessage) string {
	one := source(value)
	kind := strings.ToLower(f.Kind)
	if !f.Media() {
		kind = "file"
		if major, _, ok := strings.Cut(one.Type, "/"); ok && (major == "audio" || major == "video" || major == "image") {
			kind = major
		} else if one.Width > 0 {
			kind = "image"
		}
	}
	if one.Width > 0 && one.Height > 0 {
		return fmt.Sprintf("<%s %.0fx%.0f>", kind, one.Width, one.Height)
	}
	return "<" + kind + ">"
}

// unsigned replaces addresses of the viewer's files wherever else they are.
func unsigned(text string) string {
	var b strings.Builder
	for {
		i := strings.Index(text, assets)
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		end := i + strings.IndexAny(text[i:]+`"`, "\"'\\<> \t\n")
		b.WriteString(text[:i])
		if address := text[i:end]; strings.Contains(address, "assets/") || strings.Contains(address, "Signature=") {
			b.WriteString("<file>")
		} else {
			b.WriteString(address)
		}
		text = text[min(end, len(text)):]
	}
}

// Name shows a name from outside in one cell of a table.
func Name(name string) string {
	name = strings.Join(strings.Fields(strings.ReplaceAll(plain.String(name), "|", "¦")), " ")
	if utf8.RuneCountInString(name) > nameSize {
		return string([]rune(name)[:nameSize]) + "…"
	}
	return name
}
