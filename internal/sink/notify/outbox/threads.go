package outbox

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// threadAge is how long it is remembered where a session's messages are
// continued.
const threadAge = 30 * 24 * time.Hour

// Threads remembers, for every session and destination, the message that later
// ones follow. It is safe for concurrent use, by several processes too.
type Threads struct {
	dir string // empty keeps everything in memory

	mu    sync.Mutex
	known map[string]string
}

// NewThreads returns those below dir; an empty dir keeps them in memory.
func NewThreads(dir string) *Threads {
	if dir != "" {
		dir = filepath.Join(dir, threadsName)
	}
	return &Threads{dir: dir, known: map[string]string{}}
}

func name(session string, to Destination) string {
	sum := sha256.Sum256([]byte(to.Name + "\x00" + to.Key))
	return session + "-" + hex.EncodeToString(sum[:8])
}

// Of is the message that others of the session follow; empty where there is none.
func (t *Threads) Of(session string, to Destination) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := name(session, to)
	if id := t.known[key]; id != "" || t.dir == "" || !plain(session) {
		return id
	}
	raw, err := os.ReadFile(filepath.Join(t.dir, key))
	if err != nil {
		return ""
	}
	t.known[key] = strings.TrimSpace(string(raw))
	return t.known[key]
}

// Begin notes the first message of a session, unless one is known.
func (t *Threads) Begin(session string, to Destination, id string) error {
	if id == "" || t.Of(session, to) != "" {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	key := name(session, to)
	t.known[key] = id
	if t.dir == "" || !plain(session) {
		return nil
	}
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return fmt.Errorf("remember a thread: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(t.dir, key), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) { // another process was faster
		return nil
	}
	if err != nil {
		return fmt.Errorf("remember a thread: %w", err)
	}
	_, err = f.WriteString(id)
	return errors.Join(err, f.Close())
}

// plain reports whether a session's id can be part of a file's name.
func plain(session string) bool {
	return session != "" && !strings.ContainsAny(session, `/\:`) && !strings.HasPrefix(session, ".")
}

// Forget removes what is so old that nobody goes on with it.
func (t *Threads) Forget() {
	if t.dir == "" {
		return
	}
	files, _ := os.ReadDir(t.dir) // none is nothing to do
	for _, f := range files {
		if info, err := f.Info(); err == nil && time.Since(info.ModTime()) > threadAge {
			_ = os.Remove(filepath.Join(t.dir, f.Name()))
		}
	}
}
