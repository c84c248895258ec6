package catalog

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// diskCopy is the file's shape. The base URL belongs to it: a list of another
// router is not this one's.
type diskCopy struct {
	Base      string          `json:"base_url"`
	ETag      string          `json:"etag,omitempty"`
	FetchedAt time.Time       `json:"fetched_at"`
	List      json.RawMessage `json:"list"`
}

// load reads the copy on disk, or returns nil when it is missing, broken, too
// old or another router's.
func (c *Catalog) load(base string) *snapshot {
	if c.opts.Path == "" {
		return nil
	}
	data, err := os.ReadFile(c.opts.Path)
	if err != nil {
		return nil
	}
	var in diskCopy
	if json.Unmarshal(data, &in) != nil || in.Base != base {
		return nil
	}
	if age := time.Since(in.FetchedAt); age < 0 || age > maxDiskAge {
		return nil
	}
	snap, err := newSnapshot(base, in.ETag, in.FetchedAt, in.List)
	if err != nil {
		return nil
	}
	return snap
}

// save writes the copy on disk, whole or not at all. A failure is silent: the
// copy is a convenience.
func (c *Catalog) save(s *snapshot) {
	if c.opts.Path == "" {
		return
	}
	data, err := json.Marshal(diskCopy{Base: s.base, ETag: s.etag, FetchedAt: s.at.UTC(), List: s.raw})
	if err != nil {
		return
	}
	dir := filepath.Dir(c.opts.Path)
	if os.MkdirAll(dir, 0o700) != nil {
		return
	}
	tmp, err := os.CreateTemp(dir, ".router-models-*")
	if err != nil {
		return
	}
	_, err = tmp.Write(data)
	if closed := tmp.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(tmp.Name(), c.opts.Path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
}
