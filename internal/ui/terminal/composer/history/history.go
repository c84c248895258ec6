// Package history remembers what was typed, in a file that several processes
// write at the same time. It is given a text only after it was sent, and keeps
// no secret that its scrubber knows. It does not know how texts are shown.
package history

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// Limits of what is kept.
const (
	// kept is how many texts survive a compaction; slack is how many more there
	// may be before the next.
	kept  = 5000
	slack = 500
	// keptBytes is how much of the file is read, and survives a compaction.
	keptBytes = 8 << 20
	// textBytes is the longest text that goes to the file.
	textBytes = 1 << 20
	// lockWait is how long to wait for another process that makes the file
	// smaller, which takes some thousandths of a second; a person waits too.
	lockWait = 2 * time.Second
)

// Entry is one remembered text, and a line of the file.
type Entry struct {
	Text string    `json:"text"`
	Time time.Time `json:"time"`
	Cwd  string    `json:"cwd,omitempty"`
}

// Options say what is remembered where.
type Options struct {
	// Path is the file; empty keeps everything in memory.
	Path string
	// Cwd is the folder that is worked in.
	Cwd string
	// Scrub takes secrets out of a text before it is remembered; nil takes none.
	Scrub func(string) string
	// Now is the clock; nil is that of the machine.
	Now func() time.Time
}

// History is what was typed. It may be used by several goroutines.
type History struct {
	o    Options
	load sync.Once

	mu      sync.Mutex
	entries []Entry // oldest first
	lines   int     // about how many the file has
	size    int64   // how large it was when read or written last
}

// Open returns a history. The file is read when it is first asked for.
func Open(o Options) *History {
	if o.Scrub == nil {
		o.Scrub = func(s string) string { return s }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &History{o: o}
}

// Load reads the file, once. Whatever needs it calls Load; calling it early,
// beside the event loop, saves the person the wait. A file that cannot be read
// is an empty one: the next Add says what is wrong with it.
func (h *History) Load() {
	h.load.Do(func() {
		if h.o.Path == "" {
			return
		}
		raw, size, err := tail(h.o.Path)
		if err != nil {
			return
		}
		entries, lines := Parse(raw)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.entries, h.lines, h.size = entries, lines, size
	})
}

// Texts returns the remembered texts, each once: those of this folder, the
// newest first, then those of other folders. What other processes have added
// since Load is not among them.
func (h *History) Texts() []string {
	h.Load()
	h.mu.Lock()
	defer h.mu.Unlock()
	texts := make([]string, 0, len(h.entries))
	seen := make(map[string]bool, len(h.entries))
	for _, here := range []bool{true, false} {
		for i := len(h.entries) - 1; i >= 0; i-- {
			if e := h.entries[i]; (e.Cwd == h.o.Cwd) == here && !seen[e.Text] {
				seen[e.Text] = true
				texts = append(texts, e.Text)
			}
		}
	}
	return texts
}

// Add remembers a text. One that is the newest already is not added again. It
// is remembered in this process even if the file cannot be written.
func (h *History) Add(text string) error {
	text = h.o.Scrub(text)
	if strings.TrimSpace(text) == "" {
		return nil
	}
	h.Load()
	h.mu.Lock()
	defer h.mu.Unlock()
	e := Entry{Text: text, Time: h.o.Now().UTC().Truncate(time.Millisecond), Cwd: h.o.Cwd}
	if n := len(h.entries); n > 0 && same(h.entries[n-1], e) {
		return nil
	}
	h.entries = append(h.entries, e)
	if over := len(h.entries) - kept; over > 0 {
		h.entries = h.entries[over:]
	}
	if h.o.Path == "" || len(text) > textBytes {
		return nil
	}
	if err := h.write(e); err != nil {
		return fmt.Errorf("input history is not saved: %w", err)
	}
	return nil
}

func same(a, b Entry) bool { return a.Text == b.Text && a.Cwd == b.Cwd }

// write appends a line, and makes the file smaller when it is time.
func (h *History) write(e Entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(h.o.Path), 0o700); err != nil {
		return err
	}
	if err := h.share(line); err != nil {
		return err
	}
	h.lines++
	if h.full() {
		return h.compact()
	}
	return nil
}

// share appends a line. Those that append do so side by side; the lock keeps
// them from a file that is about to be replaced.
func (h *History) share(line []byte) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	lock := h.lock()
	defer func() { _ = lock.Close() }() // closing the file unlocks in any case
	// Without the lock the line is written all the same: at the worst it is one
	// that the other process forgets.
	_, _ = lock.TryRLockContext(ctx, 5*time.Millisecond)
	h.size, err = appendLine(h.o.Path, line)
	return err
}

func (h *History) lock() *flock.Flock {
	return flock.New(h.o.Path+".lock", flock.SetPermissions(0o600))
}

// appendLine adds a line with one write and returns how large the file is then.
func appendLine(path string, line []byte) (int64, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // what Write has said counts
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		if err := f.Chmod(0o600); err != nil {
			return 0, err
		}
	}
	line = append(line, '\n')
	// A process that was killed in the middle of a line must not spoil this one.
	last := []byte{'\n'}
	if size := info.Size(); size > 0 {
		if _, err := f.ReadAt(last, size-1); err != nil {
			return 0, err
		}
	}
	if last[0] != '\n' {
		line = append([]byte{'\n'}, line...)
	}
	if _, err := f.Write(line); err != nil {
		return 0, err
	}
	return info.Size() + int64(len(line)), nil
}

// compact replaces the file by one with its newest lines, unless somebody is
// writing: then it is for the next one to do.
func (h *History) compact() error {
	lock := h.lock()
	defer func() { _ = lock.Close() }() // closing the file unlocks in any case
	if ok, err := lock.TryLock(); !ok {
		return err
	}
	raw, size, err := tail(h.o.Path)
	if err != nil {
		return err
	}
	h.size, h.lines = size, bytes.Count(raw, []byte{'\n'})
	if !h.full() {
		return nil // another process has done it
	}
	for ; h.lines > kept; h.lines-- {
		_, raw, _ = bytes.Cut(raw, []byte{'\n'})
	}
	h.size = int64(len(raw))
	return replace(h.o.Path, raw)
}

// full reports whether it is time to make the file smaller.
func (h *History) full() bool { return h.lines > kept+slack || h.size > 2*keptBytes }

// replace puts a file with these bytes in the place of another.
func replace(path string, raw []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = temp.Write(raw)
	err = errors.Join(err, temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}

// tail reads the last lines of a file, at most keptBytes of them, and how large
// the file is.
func tail(path string) ([]byte, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }() // it is only read
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	size := info.Size()
	from := max(0, size-keptBytes)
	raw, err := io.ReadAll(io.NewSectionReader(f, from, size-from))
	if err != nil {
		return nil, 0, err
	}
	if from > 0 {
		_, raw, _ = bytes.Cut(raw, []byte{'\n'}) // the line that was cut
	}
	return raw, size, nil
}

// Parse reads the lines of a history file, the newest at the end, and says how
// many there were. Lines that are no entries are skipped, one that repeats the
// one before it too, and only the last 5,000 count.
func Parse(raw []byte) (entries []Entry, lines int) {
	for line := range bytes.Lines(raw) {
		lines++
		var e Entry
		if json.Unmarshal(line, &e) != nil || strings.TrimSpace(e.Text) == "" {
			continue
		}
		if n := len(entries); n > 0 && same(entries[n-1], e) {
			continue
		}
		entries = append(entries, e)
	}
	return entries[max(0, len(entries)-kept):], lines
}
