package app

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/config/place"
	"github.com/ml-intern/ml-intern/internal/platform/redact"
)

// debugLogSize is when the debug log is rotated, in bytes; one older file is
// kept.
const debugLogSize = 5 << 20

// debugLog is the file for what only an operator should see: stack traces and
// background failures, without secrets.
type debugLog struct {
	path  string
	scrub *redact.Scrubber
	mu    sync.Mutex
}

// Debug writes one entry to the debug log. A log that cannot be written is not
// worth a failure.
func (a *App) Debug(text string) { a.debugLog.write(text) }

func (l *debugLog) write(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.scrub != nil {
		text, _ = l.scrub.String(text)
	}
	if info, err := os.Stat(l.path); err == nil && info.Size() > debugLogSize {
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

// SaveCrash writes the stack trace of a panic to the debug log and returns the
// log's path.
func SaveCrash(environ []string, what string, stack []byte) string {
	env := map[string]string{}
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok {
			env[name] = value
		}
	}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	places, err := place.Find(lookup, runtime.GOOS, ".")
	if err != nil {
		return "unavailable: " + err.Error()
	}
	log := debugLog{path: places.DebugLog(), scrub: redact.New(redact.Options{})}
	log.write(fmt.Sprintf("panic: %s\n%s", what, stack))
	return log.path
}
