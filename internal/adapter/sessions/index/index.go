// Package index remembers what was found in files, so that a list of many does
// not read them all again. What is known of a file counts as long as the file
// has the same size and time of change. The index is derived: without it
// everything is found again. It does not know what it remembers.
package index

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// limit is the most bytes of an index that are read: one of 10,000 sessions has
// a tenth of it.
const limit = 128 << 20

// Index is what is known of files. Its methods may be called from any
// goroutine.
type Index[T any] struct {
	path    string
	version int

	mu      sync.Mutex
	known   map[string]entry[T]
	changed bool
}

type entry[T any] struct {
	Size    int64 `json:"size"`
	Changed int64 `json:"changed"` // nanoseconds since 1970
	Value   T     `json:"value"`
}

// file is the index on disk.
type file[T any] struct {
	Version int                 `json:"version"`
	Files   map[string]entry[T] `json:"files"`
}

// Open reads the index at path, "" for one that is in memory only. One that is
// missing, damaged or of another version is empty.
func Open[T any](path string, version int) *Index[T] {
	x := &Index[T]{path: path, version: version, known: map[string]entry[T]{}}
	if path == "" {
		return x
	}
	if info, err := os.Stat(path); err != nil || info.Size() > limit {
		return x
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return x
	}
	var in file[T]
	if json.Unmarshal(raw, &in) == nil && in.Version == version && in.Files != nil {
		x.known = in.Files
	}
	return x
}

// Get returns what is known of a file as it is now.
func (x *Index[T]) Get(path string, now fs.FileInfo) (T, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	e, ok := x.known[path]
	if !ok || e.Size != now.Size() || e.Changed != now.ModTime().UnixNano() {
		var none T
		return none, false
	}
	return e.Value, true
}

// Put notes what was found in a file. Info is from before it was read: what
// has changed since is then seen as a change.
func (x *Index[T]) Put(path string, info fs.FileInfo, value T) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.known[path] = entry[T]{info.Size(), info.ModTime().UnixNano(), value}
	x.changed = true
}

// Save writes the index, for its owner alone, if something is new in it. Files
// that are gone are forgotten.
func (x *Index[T]) Save() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.path == "" {
		return nil
	}
	for path := range x.known {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			delete(x.known, path)
			x.changed = true
		}
	}
	if !x.changed {
		return nil
	}
	raw, err := json.Marshal(file[T]{x.version, x.known})
	if err == nil {
		err = replace(x.path, raw)
	}
	if err != nil {
		return fmt.Errorf("save the index %s: %w", x.path, err)
	}
	x.changed = false
	return nil
}

// replace puts a whole file in the place of another.
func replace(path string, raw []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(raw)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}
