// Package layer merges JSON objects into one tree and remembers which layer each
// value came from. It replaces ${NAME} in texts and edits a JSON file in place.
// It knows no setting by name.
package layer

import (
	"slices"
	"strings"
)

// Source says where a value came from.
type Source struct {
	Layer string // "default", "user", "project", "environment" or "flag"
	Name  string // the file, variable or flag; "" for a default
}

func (s Source) String() string { return strings.TrimSpace(s.Layer + " " + s.Name) }

// Where names the source in an error: the file first.
func (s Source) Where() string {
	switch s.Layer {
	case "user", "project":
		return s.Name
	case "default":
		return "built-in defaults"
	}
	return s.String()
}

// Tree is a JSON object merged from layers, with the source of every value.
type Tree struct {
	Root map[string]any    // members are objects, arrays and plain values as encoding/json gives them
	from map[string]Source // by JSON pointer
}

// New makes an empty tree.
func New() *Tree { return &Tree{Root: map[string]any{}, from: map[string]Source{}} }

// Merge lays an object over the tree: objects are merged, everything else is
// replaced.
func (t *Tree) Merge(layer map[string]any, source Source) { t.mergeAt(t.Root, layer, "", source) }

func (t *Tree) mergeAt(into, layer map[string]any, at string, source Source) {
	for name, value := range layer {
		pointer := Join(at, name)
		below, isObject := value.(map[string]any)
		existing, wasObject := into[name].(map[string]any)
		if !wasObject || !isObject {
			t.forget(pointer)
		}
		t.from[pointer] = source
		if !isObject {
			into[name] = value
			continue
		}
		if !wasObject {
			existing = map[string]any{}
			into[name] = existing
		}
		t.mergeAt(existing, below, pointer, source)
	}
}

// forget drops the sources of what a layer replaces.
func (t *Tree) forget(pointer string) {
	for p := range t.from {
		if strings.HasPrefix(p, pointer+"/") {
			delete(t.from, p)
		}
	}
}

// Source finds where a value came from; parts of a value have the value's.
func (t *Tree) Source(pointer string) Source {
	for p := pointer; p != ""; p = p[:strings.LastIndexByte(p, '/')] {
		if s, ok := t.from[p]; ok {
			return s
		}
	}
	return Source{Layer: "default"}
}

// Attribute says where a part of a value came from, where that is another place
// than the value's.
func (t *Tree) Attribute(pointer string, source Source) { t.from[pointer] = source }

// Set puts one value at a dotted key.
func (t *Tree) Set(key string, value any, source Source) {
	names := strings.Split(key, ".")
	for i := len(names) - 1; i > 0; i-- {
		value = map[string]any{names[i]: value}
	}
	t.Merge(map[string]any{names[0]: value}, source)
}

// Find gives the value at a dotted key.
func (t *Tree) Find(key string) (any, bool) {
	var at any = t.Root
	for name := range strings.SplitSeq(key, ".") {
		object, ok := at.(map[string]any)
		if !ok {
			return nil, false
		}
		if at, ok = object[name]; !ok {
			return nil, false
		}
	}
	return at, true
}

// Join adds a name to a JSON pointer.
func Join(pointer, name string) string {
	if strings.ContainsAny(name, "~/") {
		name = strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
	}
	return pointer + "/" + name
}

// Pointer is the JSON pointer of a dotted key.
func Pointer(key string) string { return "/" + strings.ReplaceAll(key, ".", "/") }

// Sorted lists an object's names in a steady order.
func Sorted[V any](object map[string]V) []string {
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
