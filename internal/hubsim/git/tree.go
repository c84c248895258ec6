package git

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Modes of entries, as git writes them.
const (
	FileMode       = "100644"
	ExecutableMode = "100755"
	DirMode        = "40000"
)

// Entry is a name in a directory.
type Entry struct {
	Name string
	Mode string
	OID  string
}

// Dir reports whether the entry is a directory.
func (e Entry) Dir() bool { return e.Mode == DirMode }

// ErrConflict says that a change wants a file where a folder is, or the other
// way round.
var ErrConflict = errors.New("a file and a folder have the same name")

// Key orders entries and paths as git does: a directory counts as if its name
// ended in a slash.
func Key(path string, dir bool) string {
	if dir {
		return path + "/"
	}
	return path
}

func encodeTree(entries []Entry) []byte {
	slices.SortFunc(entries, func(x, y Entry) int {
		return strings.Compare(Key(x.Name, x.Dir()), Key(y.Name, y.Dir()))
	})
	var b bytes.Buffer
	for _, e := range entries {
		b.WriteString(e.Mode + " " + e.Name + "\x00")
		raw, _ := hex.DecodeString(e.OID)
		b.Write(raw)
	}
	return b.Bytes()
}

func decodeTree(body []byte) ([]Entry, error) {
	var entries []Entry
	for len(body) > 0 {
		head, rest, ok := bytes.Cut(body, []byte{0})
		mode, name, spaced := strings.Cut(string(head), " ")
		if !ok || !spaced || len(rest) < 20 {
			return nil, errors.New("a tree's entry is cut short")
		}
		entries = append(entries, Entry{Name: name, Mode: mode, OID: hex.EncodeToString(rest[:20])})
		body = rest[20:]
	}
	return entries, nil
}

// EmptyTree is the name of the directory without entries.
const EmptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

// Tree lists a directory, in git's order.
func (o *Objects) Tree(oid string) ([]Entry, error) {
	if oid == EmptyTree {
		return nil, nil
	}
	o.mu.Lock()
	entries, ok := o.trees[oid]
	o.mu.Unlock()
	if ok {
		return entries, nil
	}
	body, err := o.read(TreeKind, oid)
	if err != nil {
		return nil, err
	}
	if entries, err = decodeTree(body); err != nil {
		return nil, fmt.Errorf("read tree %s: %w", oid, err)
	}
	o.mu.Lock()
	o.trees[oid] = entries
	o.mu.Unlock()
	return entries, nil
}

// Lookup finds path below the tree root. The empty path is the root itself.
func (o *Objects) Lookup(root, path string) (Entry, error) {
	e := Entry{Mode: DirMode, OID: root}
	for path != "" {
		name, rest, _ := strings.Cut(path, "/")
		if !e.Dir() {
			return Entry{}, ErrMissing
		}
		entries, err := o.Tree(e.OID)
		if err != nil {
			return Entry{}, err
		}
		i := slices.IndexFunc(entries, func(e Entry) bool { return e.Name == name })
		if i < 0 {
			return Entry{}, ErrMissing
		}
		e, path = entries[i], rest
	}
	return e, nil
}

// Walk calls visit for everything below the tree root, each path with prefix
// before it, directories before what they hold. It does not descend where
// visit answers false.
func (o *Objects) Walk(root, prefix string, visit func(path string, e Entry) (descend bool)) error {
	entries, err := o.Tree(root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		p := prefix + e.Name
		if visit(p, e) && e.Dir() {
			if err := o.Walk(e.OID, p+"/", visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// Flat lists the files below the tree root by path.
func (o *Objects) Flat(root string) (map[string]Entry, error) {
	files := map[string]Entry{}
	err := o.Walk(root, "", func(path string, e Entry) bool {
		if !e.Dir() {
			files[path] = e
		}
		return true
	})
	return files, err
}

// Edit puts files into the tree root and returns the new one. A nil entry
// removes the path; only mode and object of the others count. Directories come
// and go with what they hold.
func (o *Objects) Edit(root string, edits map[string]*Entry) (string, error) {
	here := map[string]*Entry{}
	below := map[string]map[string]*Entry{}
	for path, e := range edits {
		name, rest, deeper := strings.Cut(path, "/")
		if !deeper {
			here[name] = e
			continue
		}
		if below[name] == nil {
			below[name] = map[string]*Entry{}
		}
		below[name][rest] = e
	}
	old, err := o.Tree(root)
	if err != nil {
		return "", err
	}
	entries := map[string]Entry{}
	for _, e := range old {
		entries[e.Name] = e
	}
	for name, e := range here {
		if e != nil {
			continue // files come after the directories that may make room for them
		}
		if !entries[name].Dir() {
			delete(entries, name)
		}
	}
	for name, edits := range below {
		if err := o.editDir(entries, name, edits); err != nil {
			return "", err
		}
	}
	for name, e := range here {
		if e == nil {
			continue
		}
		if there, ok := entries[name]; ok && there.Dir() {
			return "", fmt.Errorf("%q: %w", name, ErrConflict)
		}
		entries[name] = Entry{Name: name, Mode: e.Mode, OID: e.OID}
	}
	list := make([]Entry, 0, len(entries))
	for _, e := range entries {
		list = append(list, e)
	}
	return o.Put(TreeKind, encodeTree(list))
}

// editDir applies edits below the directory name of entries.
func (o *Objects) editDir(entries map[string]Entry, name string, edits map[string]*Entry) error {
	sub := EmptyTree
	there, ok := entries[name]
	if ok && there.Dir() {
		sub = there.OID
	}
	next, err := o.Edit(sub, edits)
	switch {
	case err != nil:
		return fmt.Errorf("in %q: %w", name, err)
	case next == EmptyTree:
		if ok && there.Dir() {
			delete(entries, name)
		}
	case ok && !there.Dir():
		return fmt.Errorf("%q: %w", name, ErrConflict)
	default:
		entries[name] = Entry{Name: name, Mode: DirMode, OID: next}
	}
	return nil
}
