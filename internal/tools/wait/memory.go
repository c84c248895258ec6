package wait

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// memory is what a call needs to go on in another run of the program: absolute
// times, and how far each log was looked at.
type memory struct {
	Began    time.Time            `json:"began"`
	Deadline time.Time            `json:"deadline"`
	Times    []time.Time          `json:"times,omitempty"` // of conditions, in order
	Sources  map[string]*remember `json:"sources,omitempty"`

	path string
	old  bool // an earlier run has begun the waiting
}

// remember is what is known of one source.
type remember struct {
	// Taken is the number of the newest event of a job's log, or the bytes of
	// another, that conditions have been held against.
	Taken int64 `json:"taken,omitempty"`
	// Group and Log find a process of this machine again.
	Group string `json:"group,omitempty"`
	PID   int    `json:"pid,omitempty"`
	Log   string `json:"log,omitempty"`
	// Version is that of a file when the waiting began.
	Version string `json:"version,omitempty"`
	Known   bool   `json:"known,omitempty"`
}

// recall reads what an earlier run of the same call has left in dir; without a
// dir nothing is kept.
func recall(dir, call string) *memory {
	m := &memory{Sources: map[string]*remember{}}
	if dir == "" {
		return m
	}
	sum := sha256.Sum256([]byte(call))
	m.path = filepath.Join(dir, hex.EncodeToString(sum[:12])+".json")
	data, err := os.ReadFile(m.path)
	if err != nil {
		return m
	}
	var saved memory
	if json.Unmarshal(data, &saved) != nil || saved.Began.IsZero() || saved.Deadline.IsZero() {
		return m
	}
	saved.path, saved.old = m.path, true
	if saved.Sources == nil {
		saved.Sources = map[string]*remember{}
	}
	return &saved
}

// source is what is remembered of one.
func (m *memory) source(key string) *remember {
	if m.Sources[key] == nil {
		m.Sources[key] = &remember{}
	}
	return m.Sources[key]
}

// save keeps it, whole or not at all.
func (m *memory) save() error {
	if m.path == "" {
		return nil
	}
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(m.path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(m.path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(m.path+".new", m.path)
}

// forget removes it: the call has its result.
func (m *memory) forget() {
	if m.path != "" {
		_ = os.Remove(m.path)
	}
}
