// Package outbox keeps messages until they are delivered: in memory, in the order
// in which they came, and one file each, so that what one process could not
// deliver the next one can. It sends nothing.
//
//	<dir>/<run>/lock                       held while the process runs
//	            <number>-<destination>     one message, JSON
//	<dir>/threads/<session>-<hash>         where a session's messages are continued
package outbox

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
)

const (
	// Most is how many messages may wait for one destination.
	Most = 100
	// MaxAge is how old a message may be when it is delivered.
	MaxAge = 24 * time.Hour
	// together is how long the same is told once.
	together = 60 * time.Second

	lockName    = "lock"
	threadsName = "threads"
)

// Destination is where messages wait for. Key tells destinations of the same name
// in different projects apart.
type Destination struct{ Name, Key string }

// Entry is a message that waits.
type Entry struct {
	To      Destination       `json:"to"`
	Message messaging.Message `json:"message"`
	// Due is when the message may go; zero is at once.
	Due time.Time `json:"due,omitzero"`

	number  int64
	busy    bool // somebody delivers it
	dropped int  // how many dropped messages it tells of
}

// Outbox holds the messages of one process. It is safe for concurrent use.
type Outbox struct {
	dir string // empty keeps everything in memory
	log *slog.Logger

	mu      sync.Mutex // guards what follows
	run     string     // this process's folder, empty before it is needed
	lock    *flock.Flock
	number  int64
	waiting map[Destination][]*Entry
	last    map[Destination]map[string]time.Time // when something was told last
	dropped map[Destination]int
	changed chan struct{} // closed when something has changed
}

// New returns an empty outbox below dir; an empty dir keeps all in memory.
func New(dir string, log *slog.Logger) *Outbox {
	return &Outbox{
		dir: dir, log: log, waiting: map[Destination][]*Entry{}, last: map[Destination]map[string]time.Time{},
		dropped: map[Destination]int{}, changed: make(chan struct{}),
	}
}

// Changed is closed at the next change.
func (o *Outbox) Changed() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.changed
}

func (o *Outbox) wake() {
	close(o.changed)
	o.changed = make(chan struct{})
}

// Put adds a message behind the others. The same told again within a minute is
// counted instead; a message that waits already is not added again. Where too
// many wait, the oldest of the least weight goes.
func (o *Outbox) Put(to Destination, m messaging.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.wake()
	now := time.Now()
	for _, e := range o.waiting[to] {
		if e.Message.ID == m.ID {
			return
		}
	}
	e := &Entry{To: to, Message: m}
	told := now
	if at, ok := o.last[to][what(m)]; ok && now.Sub(at) < together {
		if same := o.same(to, m); same != nil {
			same.Message.Count = max(1, same.Message.Count) + 1
			o.write(same)
			return
		}
		e.Due = at.Add(together)
		told = e.Due
	}
	o.remember(to, what(m), told, now)
	o.number++
	e.number = o.number
	o.waiting[to] = append(o.waiting[to], e)
	o.write(e)
	o.bound(to)
}

// what identifies what a message says, and about which request. Of the facts only
// that one counts: durations and costs differ always.
func what(m messaging.Message) string {
	said := m.Event + "\x00" + m.Title + "\x00" + m.Text
	for _, f := range m.Fields {
		if f.Name == messaging.PromptField {
			said += "\x00" + f.Value
		}
	}
	return said
}

// same is the newest message that says the same, where it waits and nobody
// delivers it.
func (o *Outbox) same(to Destination, m messaging.Message) *Entry {
	for _, e := range slices.Backward(o.waiting[to]) {
		if what(e.Message) == what(m) {
			if e.busy {
				return nil
			}
			return e
		}
	}
	return nil
}

// remember notes when something is told, and forgets what was told long ago.
func (o *Outbox) remember(to Destination, what string, at, now time.Time) {
	if o.last[to] == nil {
		o.last[to] = map[string]time.Time{}
	}
	maps.DeleteFunc(o.last[to], func(_ string, before time.Time) bool { return now.Sub(before) >= together })
	o.last[to][what] = at
}

// bound drops what is too much.
func (o *Outbox) bound(to Destination) {
	for len(o.waiting[to]) > Most {
		drop := -1
		for _, severity := range messaging.Severities() {
			if drop = slices.IndexFunc(o.waiting[to], func(e *Entry) bool { return !e.busy && e.Message.Severity == severity }); drop >= 0 {
				break
			}
		}
		if drop < 0 {
			drop = len(o.waiting[to]) - 1 // of no known severity
		}
		e := o.waiting[to][drop]
		o.waiting[to] = slices.Delete(o.waiting[to], drop, drop+1)
		o.dropped[to]++
		o.log.Warn("a message was dropped: too many wait", "destination", to.Name, "message", e.Message.ID)
		o.remove(e)
	}
}

// Next takes the first message to a destination that is due; the caller gives it
// back with Done or Keep. Wait is how long it is until one is due, where none is;
// 0 is for ever. With early, messages are not held back.
func (o *Outbox) Next(to Destination, early bool) (m Entry, wait time.Duration, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	for _, e := range slices.Clone(o.waiting[to]) {
		switch {
		case e.busy:
		case now.Sub(e.Message.Time) > MaxAge:
			o.log.Debug("a message was dropped: it is too old", "destination", to.Name, "message", e.Message.ID, "time", e.Message.Time)
			o.take(e)
			o.remove(e)
		case !early && now.Before(e.Due):
			if left := e.Due.Sub(now); wait == 0 || left < wait {
				wait = left
			}
		default:
			e.busy = true
			out := *e
			if out.dropped = o.dropped[to]; out.dropped > 0 {
				out.Message.Fields = append(slices.Clone(out.Message.Fields), messaging.Field{
					Name: "dropped", Value: fmt.Sprintf("%d earlier, because more than %d were waiting", out.dropped, Most),
				})
			}
			return out, 0, true
		}
	}
	return Entry{}, wait, false
}

// Waiting is how many messages wait for a destination.
func (o *Outbox) Waiting(to Destination) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.waiting[to])
}

// Done removes a message: it is delivered, or will never be.
func (o *Outbox) Done(m Entry, delivered bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.wake()
	if e := o.entry(m); e != nil {
		if delivered {
			o.dropped[e.To] -= m.dropped
		}
		o.take(e)
		o.remove(e)
	}
}

// Keep gives a message back, with what of it was delivered.
func (o *Outbox) Keep(m Entry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.wake()
	if e := o.entry(m); e != nil {
		e.busy = false
		if m.Message.Posts != e.Message.Posts || m.Message.Thread != e.Message.Thread {
			e.Message.Posts, e.Message.Thread = m.Message.Posts, m.Message.Thread
			o.write(e)
		}
	}
}

func (o *Outbox) entry(m Entry) *Entry {
	at := slices.IndexFunc(o.waiting[m.To], func(e *Entry) bool { return e.number == m.number })
	if at < 0 {
		return nil
	}
	return o.waiting[m.To][at]
}

func (o *Outbox) take(e *Entry) {
	o.waiting[e.To] = slices.DeleteFunc(o.waiting[e.To], func(other *Entry) bool { return other == e })
}

// path is the file of a message.
func (o *Outbox) path(e *Entry) string {
	return filepath.Join(o.run, fmt.Sprintf("%012d-%s", e.number, e.To.Name))
}

// write puts a message on disk. One that cannot be kept there is delivered from
// memory.
func (o *Outbox) write(e *Entry) {
	if o.dir == "" {
		return
	}
	err := o.begin()
	if err == nil {
		err = replace(o.path(e), e)
	}
	if err != nil {
		o.log.Warn("a message is kept in memory only", "error", err)
	}
}

func (o *Outbox) remove(e *Entry) {
	if o.run == "" {
		return
	}
	if err := os.Remove(o.path(e)); err != nil && !errors.Is(err, os.ErrNotExist) {
		o.log.Warn("a delivered message stays on disk and may be sent again", "error", err)
	}
}

// begin makes this process's folder.
func (o *Outbox) begin() error {
	if o.run != "" {
		return nil
	}
	var id [8]byte
	_, _ = rand.Read(id[:]) // it never fails
	run := filepath.Join(o.dir, time.Now().UTC().Format("20060102T150405.000000000")+"-"+hex.EncodeToString(id[:]))
	if err := os.MkdirAll(run, 0o700); err != nil {
		return fmt.Errorf("make the outbox: %w", err)
	}
	lock := flock.New(filepath.Join(run, lockName))
	if ok, err := lock.TryLock(); err != nil || !ok {
		return errors.Join(fmt.Errorf("make the outbox %s: it cannot be locked", run), err)
	}
	o.run, o.lock = run, lock
	return nil
}

// replace writes a file as a whole.
func replace(path string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write a message: %w", err)
	}
	tmp := filepath.Join(filepath.Dir(path), ".new-"+filepath.Base(path))
	if err := os.WriteFile(tmp, raw, 0o600); err != nil {
		return fmt.Errorf("write a message: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("write a message: %w", err)
	}
	return nil
}

// Inherit takes over what processes that have ended could not deliver to these
// destinations, oldest first. What is for others stays for those.
func (o *Outbox) Inherit(to []Destination) {
	if o.dir == "" {
		return
	}
	runs, err := os.ReadDir(o.dir) // sorted by time
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		o.log.Warn("what earlier runs have left cannot be read", "error", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range runs {
		if run := filepath.Join(o.dir, r.Name()); r.IsDir() && r.Name() != threadsName && run != o.run {
			if err := o.inherit(run, to); err != nil && !errors.Is(err, os.ErrNotExist) { // it may just have been removed
				o.log.Warn("what an earlier run has left cannot be taken over", "error", err)
			}
		}
	}
	o.wake()
}

// inherit takes over what is in the folder of one process, unless that runs.
func (o *Outbox) inherit(run string, to []Destination) error {
	lock := flock.New(filepath.Join(run, lockName))
	ok, err := lock.TryLock()
	if err != nil || !ok {
		return err
	}
	defer func() { _ = lock.Close() }()
	files, err := os.ReadDir(run)
	if err != nil {
		return err
	}
	left := 0
	for _, f := range files {
		path := filepath.Join(run, f.Name())
		switch {
		case f.Name() == lockName:
		case strings.HasPrefix(f.Name(), "."): // torn
			_ = os.Remove(path)
		default:
			if !o.adopt(path, to) {
				left++
			}
		}
	}
	if left == 0 {
		removeRun(run)
	}
	return nil
}

// removeRun removes an empty folder; its lock must be held. Somebody who looks at
// it at the same moment removes it in our place.
func removeRun(run string) {
	_ = os.Remove(filepath.Join(run, lockName))
	_ = os.Remove(run)
}

// adopt takes over one message, or removes what is none or too old; false leaves
// it where it is.
func (o *Outbox) adopt(path string, to []Destination) bool {
	raw, err := os.ReadFile(path)
	var e Entry
	if err != nil || json.Unmarshal(raw, &e) != nil || time.Since(e.Message.Time) > MaxAge {
		o.log.Debug("a message was dropped: it is too old or cannot be read", "file", filepath.Base(path))
		return os.Remove(path) == nil
	}
	if !slices.Contains(to, e.To) {
		return false
	}
	if slices.ContainsFunc(o.waiting[e.To], func(w *Entry) bool { return w.Message.ID == e.Message.ID }) {
		return os.Remove(path) == nil
	}
	if err := o.begin(); err != nil {
		o.log.Warn("a message of an earlier run stays where it is", "error", err)
		return false
	}
	o.number++
	e.number = o.number
	if err := os.Rename(path, o.path(&e)); err != nil {
		o.log.Warn("a message of an earlier run stays where it is", "error", err)
		return false
	}
	o.waiting[e.To] = append(o.waiting[e.To], &e)
	o.bound(e.To)
	return true
}

// Close gives the folder up: what is left in it is for the next run, which may be
// this process's own.
func (o *Outbox) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.run == "" {
		return nil
	}
	left := 0
	for _, all := range o.waiting {
		left += len(all)
	}
	if left == 0 {
		removeRun(o.run)
	}
	err := o.lock.Close()
	o.run, o.lock = "", nil
	clear(o.waiting)
	return err
}
