// Package debuglog is the file for what only an operator should see: stack
// traces and background failures, without secrets. It knows neither sessions
// nor settings.
package debuglog

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// maxSize is when the log is rotated, in bytes; one older file is kept.
const maxSize = 5 << 20

// Log is safe for concurrent use. A log that cannot be written is not worth a
// failure: entries are then lost.
type Log struct {
	path  string
	scrub func(string) string

	mu sync.Mutex
}

// New returns the log at path, which need not exist. Scrub removes secrets.
func New(path string, scrub func(string) string) *Log { return &Log{path: path, scrub: scrub} }

// Path is where the log lies.
func (l *Log) Path() string { return l.path }

// Add writes one entry.
func (l *Log) Add(text string) {
	text = l.scrub(text)
	l.mu.Lock()
	defer l.mu.Unlock()
	if info, err := os.Stat(l.path); err == nil && info.Size() > maxSize {
		_ = os.Rename(l.path, l.path+".1")
	}
	if os.MkdirAll(filepath.Dir(l.path), 0o700) != nil {
		return
	}
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintf(f, "%s %s\n", time.Now().UTC().Format(time.RFC3339), text)
}

// Logger writes its lines to the log.
func (l *Log) Logger() *slog.Logger { return slog.New(slog.NewTextHandler(lines{l}, nil)) }

// lines is the log as something to write to, an entry a write.
type lines struct{ log *Log }

func (w lines) Write(p []byte) (int, error) {
	w.log.Add(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}
