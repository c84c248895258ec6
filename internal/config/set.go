package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/config/environ"
	"github.com/ml-intern/ml-intern/internal/config/layer"
	"github.com/ml-intern/ml-intern/internal/config/place"
	"github.com/ml-intern/ml-intern/internal/config/schema"
)

// Set writes one setting into the user's file, which it makes when it is
// missing, and keeps everything else in it. The value is text as typed in a
// shell: plain for strings, commas or JSON for lists, JSON for objects, "null"
// for unset. A member of an object key is named after a dot: "mcpServers.docs".
// A value that would not load is refused and nothing is written.
func (l *Loaded) Set(ctx context.Context, name, value string) error {
	key, path, err := find(name)
	if err != nil {
		return err
	}
	encoded, err := encode(key, value)
	if err != nil {
		return Problem{Where: "config set", Pointer: pointer(path), Reason: err.Error()}
	}
	return l.edit(ctx, path, encoded)
}

// Unset takes one setting out of the user's file.
func (l *Loaded) Unset(ctx context.Context, name string) error {
	_, path, err := find(name)
	if err != nil {
		return err
	}
	return l.edit(ctx, path, nil)
}

// AllowInProject adds a rule to permissions.allow of the project's file, which it
// makes when it is missing, and keeps everything else in it. Only a trusted folder
// may hold rules that permit.
func (l *Loaded) AllowInProject(ctx context.Context, rule string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	path := l.ProjectFile()
	if !l.Trusted {
		return fmt.Errorf("%s was not changed: this folder is not trusted (ml-intern trust)", path)
	}
	if !inside(path, l.Root()) {
		return fmt.Errorf("%s was not changed: it is a link to a place outside the project", path)
	}
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the project's settings: %w", err)
	}
	changed, err := withRule(old, rule)
	if err != nil {
		return Problem{Where: path, Pointer: layer.Pointer("permissions.allow"), Reason: err.Error()}
	}
	if changed == nil {
		return nil
	}
	return place.WriteShared(path, changed)
}

// inside reports whether a path, or the nearest folder above it that exists, lies
// in root with all links followed.
func inside(path, root string) bool {
	for p := path; ; p = filepath.Dir(p) {
		if _, err := os.Lstat(p); errors.Is(err, fs.ErrNotExist) && p != root {
			continue
		}
		real, err := filepath.EvalSymlinks(p)
		if err != nil {
			return false
		}
		rest, err := filepath.Rel(root, real)
		return err == nil && filepath.IsLocal(rest)
	}
}

// withRule returns the text of a settings file with one more rule that permits,
// nil when the rule is in it.
func withRule(text []byte, rule string) ([]byte, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		text = []byte("{}")
	}
	object, err := layer.ParseObject(text)
	if err != nil {
		return nil, err
	}
	permissions, _ := object["permissions"].(map[string]any)
	var rules []any
	switch listed := permissions["allow"].(type) {
	case nil:
	case []any:
		rules = listed
	default:
		return nil, errors.New("must be a list of rules; write it as one")
	}
	if slices.Contains(rules, any(rule)) {
		return nil, nil
	}
	return layer.Edit(text, []string{"permissions", "allow"}, layer.Text(append(rules, rule)))
}

// find gives the row of a key or of the object whose member is named, and the
// path in the file.
func find(name string) (schema.Key, []string, error) {
	if key, ok := schema.Find(name); ok {
		return key, strings.Split(name, "."), nil
	}
	for _, key := range schema.Keys {
		if member, ok := strings.CutPrefix(name, key.Name+"."); ok && key.Kind == schema.Object && member != "" {
			return key, append(strings.Split(key.Name, "."), member), nil
		}
	}
	return schema.Key{}, nil, Problem{Where: "config set", Pointer: layer.Pointer(name), Reason: schema.UnknownText(name)}
}

func pointer(path []string) string {
	at := ""
	for _, name := range path {
		at = layer.Join(at, name)
	}
	return at
}

// encode writes a typed value as JSON. Texts with a reference stay texts: they
// get their type when they are read.
func encode(key schema.Key, value string) ([]byte, error) {
	trimmed := strings.TrimSpace(value)
	switch {
	case trimmed == "null":
		return []byte("null"), nil
	case key.Kind == schema.Object, (key.Kind == schema.Strings || key.Kind == schema.Paths) && strings.HasPrefix(trimmed, "["):
		if _, err := layer.Decode([]byte(value)); err != nil {
			return nil, err
		}
		return []byte(trimmed), nil
	case strings.Contains(value, "${"):
		return layer.Text(value), nil
	}
	switch key.Kind {
	case schema.Bool:
		if b, ok := environ.ParseBool(value); ok {
			return layer.Text(b), nil
		}
	case schema.Int, schema.Number:
		if number, err := layer.Decode([]byte(trimmed)); err == nil {
			return layer.Text(number), nil
		}
	case schema.Strings, schema.Paths:
		list := []string{}
		for part := range strings.SplitSeq(value, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		return layer.Text(list), nil
	}
	return layer.Text(value), nil
}

// edit changes the file when the settings load with the change.
func (l *Loaded) edit(ctx context.Context, path []string, value []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	old, err := os.ReadFile(l.UserFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the settings: %w", err)
	}
	changed, err := layer.Edit(old, path, value)
	if err != nil {
		return Problem{Where: l.UserFile, Reason: err.Error()}
	}
	if value != nil {
		if err := l.judge(changed, pointer(path)); err != nil {
			return err
		}
	}
	return place.WritePrivate(l.UserFile, changed)
}

// judge loads a changed file without the project's and reports what is wrong at
// one place of it. Faults elsewhere are left for another call to mend.
func (l *Loaded) judge(text []byte, at string) error {
	object, err := layer.ParseObject(text)
	if err != nil {
		return Problem{Where: l.UserFile, Reason: err.Error()}
	}
	r := &reader{Reader: schema.Reader{Tree: layer.New(), Dir: l.Dir, Home: l.Places.Home}, env: l.env}
	r.Defaults(l.URL("HF_ENDPOINT").Value)
	r.Tree.Merge(object, layer.Source{Layer: "user", Name: l.UserFile})
	r.slack()
	r.Substitute(l.env.Lookup)
	r.Read()
	var here Problems
	for _, p := range r.Problems {
		if p.Pointer == at || strings.HasPrefix(p.Pointer, at+"/") {
			here = append(here, p)
		}
	}
	return here.Err()
}
