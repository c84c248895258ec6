package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Status is where a sandbox of a session stands.
type Status string

// The stages.
const (
	Creating  Status = "creating"
	Active    Status = "active"
	Orphan    Status = "orphan" // it could not be removed
	Destroyed Status = "destroyed"
)

// Record is what is remembered of a sandbox.
type Record struct {
	Place
	Key     string    `json:"key"`
	Token   string    `json:"token,omitempty"`
	Call    string    `json:"call,omitempty"` // the tool call it is for; empty for one made ahead
	Created time.Time `json:"sandbox_created_at"`
	Status  Status    `json:"sandbox_status"`
	// Spend is the reservation that pays for the present window, and Windows how
	// many were settled in full before it.
	Spend   string `json:"spend,omitempty"`
	Windows int    `json:"windows,omitempty"`
	// USDPerHour is what it costs.
	USDPerHour float64 `json:"usd_per_hour"`
	Source     string  `json:"price_source,omitempty"`
}

// Records are the sandboxes of one session, in a file of its folder that only
// its user can read: it holds the tokens. They are safe for concurrent use.
type Records struct {
	path string // empty keeps them in memory

	mu  sync.Mutex
	all []Record
}

// file is the form on disk.
type file struct {
	Sandboxes []Record `json:"sandboxes"`
}

// FileName is the name of the file in a session's folder.
const FileName = "sandbox.json"

// OpenRecords reads the records at path; there need be none yet. An empty path
// keeps them in memory.
func OpenRecords(path string) (*Records, error) {
	r := &Records{path: path}
	if path == "" {
		return r, nil
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	var f file
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	if err != nil {
		return nil, fmt.Errorf("read what is known of sandboxes: %w", err)
	}
	r.all = f.Sandboxes
	return r, nil
}

// All are the records, oldest first.
func (r *Records) All() []Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// Find returns the record of a key.
func (r *Records) Find(key string) (Record, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.index(key)
	if i < 0 {
		return Record{}, false
	}
	return r.all[i], true
}

func (r *Records) index(key string) int {
	return slices.IndexFunc(r.all, func(x Record) bool { return x.Key == key })
}

// Put stores a record under its key. Of those destroyed only the newest stays,
// without its token.
func (r *Records) Put(x Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.index(x.Key); i >= 0 {
		r.all = slices.Delete(r.all, i, i+1)
	}
	if x.Status == Destroyed {
		x.Token = ""
		r.all = slices.DeleteFunc(r.all, func(y Record) bool { return y.Status == Destroyed })
	}
	r.all = append(r.all, x)
	return r.save()
}

// Drop forgets a record.
func (r *Records) Drop(key string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.index(key)
	if i < 0 {
		return nil
	}
	r.all = slices.Delete(r.all, i, i+1)
	return r.save()
}

// save writes the file whole. The lock is held.
func (r *Records) save() error {
	if r.path == "" {
		return nil
	}
	data, err := json.MarshalIndent(file{r.all}, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(r.path), 0o700)
	}
	if err == nil {
		err = replace(r.path, append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("remember the sandbox: %w", err)
	}
	return nil
}

// replace puts data in the place of a file, on disk when it returns, readable
// by its user alone.
func replace(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".sandbox-*") // has mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err = tmp.Write(data); err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	return err
}
