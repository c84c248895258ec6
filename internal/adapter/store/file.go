package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// mark says where in the journal an event begins.
type mark struct {
	seq    int64
	offset int64
	line   int
}

// markEvery is how many events lie between two marks: what a read that starts
// in the middle may have to skip.
const markEvery = 256

// disk is what a journal asks of its file. It is there so that tests can let
// one fail.
type disk interface {
	io.WriteCloser
	Name() string
	Stat() (os.FileInfo, error)
	Truncate(size int64) error
	// Sync puts the bytes on the disk; times may lag behind.
	Sync() error
}

type diskFile struct{ *os.File }

func (d diskFile) Sync() error { return syncFile(d.File) }

// file is one session this process writes.
type file struct {
	session string
	dir     string
	wrap    func(disk) disk // nil outside tests

	mu      sync.Mutex
	lock    *lock
	journal disk // nil while nothing has been said
	held    []event.Event
	last    int64
	size    int64
	marks   []mark
	buf     []byte // the next write; kept to save its memory
	broken  error  // after a failure that left the file in doubt
}

// start takes the lock of a session on disk, mends its end and reads it once.
func (f *file) start() (err error) {
	if f.lock, err = takeLock(f.session, f.dir); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	path := filepath.Join(f.dir, journalName)
	if err = f.open(path, os.O_RDWR|os.O_APPEND); err != nil {
		return fmt.Errorf("open session %s: %w", f.session, err)
	}
	good, err := scan(path, mark{}, false, func(ev event.Event, at mark) error {
		if ev.SessionID != f.session {
			return fmt.Errorf("it belongs to session %q", ev.SessionID)
		}
		f.last = ev.Seq
		f.mark(at)
		return nil
	})
	if err != nil {
		return err
	}
	f.size = good
	return f.cutTail()
}

func (f *file) open(path string, flags int) error {
	on, err := os.OpenFile(path, flags, fileMode)
	if err != nil {
		return err
	}
	f.journal = diskFile{on}
	if f.wrap != nil {
		f.journal = f.wrap(f.journal)
	}
	return nil
}

// cutTail removes a torn last line: no follower has seen it.
func (f *file) cutTail() error {
	info, err := f.journal.Stat()
	if err != nil {
		return fmt.Errorf("open session %s: %w", f.session, err)
	}
	if info.Size() == f.size {
		return nil
	}
	if err := f.journal.Truncate(f.size); err != nil {
		return fmt.Errorf("cut the torn end of journal %s: %w", f.journal.Name(), err)
	}
	if err := f.journal.Sync(); err != nil {
		return fmt.Errorf("sync journal %s: %w", f.journal.Name(), err)
	}
	return nil
}

func (f *file) mark(at mark) {
	if at.seq%markEvery == 1 {
		f.marks = append(f.marks, at)
	}
}

func (f *file) append(events []event.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return f.broken
	}
	for i, ev := range events {
		if want := f.last + int64(i) + 1; ev.Seq != want {
			return fmt.Errorf("store event %d of session %s: the next number is %d", ev.Seq, f.session, want)
		}
	}
	if f.journal != nil {
		return f.write(events)
	}
	if !anySpoken(events) {
		f.held = append(f.held, events...)
		f.last += int64(len(events))
		return nil
	}
	return f.begin(events)
}

func (f *file) create() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.journal != nil || f.broken != nil {
		return f.broken
	}
	return f.begin(nil)
}

// begin creates the folder and writes what was held back, then events.
func (f *file) begin(events []event.Event) (err error) {
	if err := os.MkdirAll(f.dir, dirMode); err != nil {
		return fmt.Errorf("create session %s: %w", f.session, err)
	}
	if f.lock, err = takeLock(f.session, f.dir); err != nil {
		return err
	}
	path := filepath.Join(f.dir, journalName)
	if err = f.open(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|os.O_EXCL); err != nil {
		return errors.Join(fmt.Errorf("create session %s: %w", f.session, err), f.undoBegin())
	}
	// Without this a crash may lose the file although its bytes were synced.
	for _, dir := range []string{f.dir, filepath.Dir(f.dir)} {
		if err := syncDir(dir); err != nil {
			return errors.Join(fmt.Errorf("create session %s: sync folder: %w", f.session, err), f.undoBegin())
		}
	}
	all := append(f.held[:len(f.held):len(f.held)], events...)
	if len(all) == 0 {
		return nil
	}
	before := f.last
	f.last = 0
	if err := f.write(all); err != nil {
		f.last = before
		if f.broken == nil {
			err = errors.Join(err, f.undoBegin())
		}
		return err
	}
	f.held = nil
	return nil
}

// undoBegin leaves a session whose start failed as it was: in memory only.
func (f *file) undoBegin() error {
	var errs []error
	if f.journal != nil {
		errs = append(errs, f.journal.Close(), os.Remove(f.journal.Name()))
		f.journal, f.marks, f.size = nil, nil, 0
	}
	if f.lock != nil {
		errs = append(errs, f.lock.release())
		f.lock = nil
	}
	return errors.Join(errs...)
}

// reopen is what to do about a file in doubt.
const reopen = "the session takes no more events until it is opened again"

// write appends events with one write(2).
func (f *file) write(events []event.Event) error {
	f.buf = f.buf[:0]
	durable := false
	marks := len(f.marks)
	for _, ev := range events {
		f.mark(mark{ev.Seq, f.size + int64(len(f.buf)), int(ev.Seq)})
		f.buf = append(ev.AppendJSON(f.buf, false), '\n')
		durable = durable || ev.Type.Durable()
	}
	n, err := f.journal.Write(f.buf)
	if err != nil {
		f.marks = f.marks[:marks]
		err = fmt.Errorf("write journal %s: %w", f.journal.Name(), err)
		if n > 0 { // part of a line: away with it, or no further line may follow
			if cut := f.journal.Truncate(f.size); cut != nil {
				f.broken = fmt.Errorf("%w; its torn last line could not be cut off (%w): %s", err, cut, reopen)
				return f.broken
			}
		}
		return err
	}
	f.size += int64(n)
	f.last = events[len(events)-1].Seq
	if cap(f.buf) > 1<<20 {
		f.buf = nil
	}
	if !durable {
		return nil
	}
	if err := f.journal.Sync(); err != nil {
		// What the disk holds is unknown now; only opening it anew can tell.
		f.broken = fmt.Errorf("sync journal %s: %w; %s", f.journal.Name(), err, reopen)
		return f.broken
	}
	return nil
}

func (f *file) read(after int64, limit int) ([]event.Event, error) {
	f.mu.Lock()
	if f.journal == nil {
		defer f.mu.Unlock()
		rest := f.held[min(max(after, 0), int64(len(f.held))):]
		if limit > 0 && len(rest) > limit {
			rest = rest[:limit]
		}
		return append([]event.Event(nil), rest...), nil
	}
	from, last := f.before(after+1), f.last
	f.mu.Unlock()
	if after >= last {
		return nil, nil
	}
	if room := int(last - max(after, 0)); limit <= 0 || limit > room {
		limit = room // an append in progress is not seen
	}
	return readLines(filepath.Join(f.dir, journalName), from, after, limit, true)
}

// before returns the last mark at or before seq.
func (f *file) before(seq int64) mark {
	i := min(int(max(seq-1, 0)/markEvery), len(f.marks)-1)
	if i < 0 {
		return mark{}
	}
	return f.marks[i]
}

func (f *file) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	if f.journal != nil {
		errs = append(errs, f.journal.Close())
		f.journal = nil
	}
	if f.lock != nil {
		errs = append(errs, f.lock.release())
		f.lock = nil
	}
	if f.broken == nil {
		f.broken = fmt.Errorf("session %s was released", f.session)
	}
	return errors.Join(errs...)
}

// anySpoken reports whether a person's words are among events.
func anySpoken(events []event.Event) bool {
	for _, ev := range events {
		if spoken(ev) {
			return true
		}
	}
	return false
}

func spoken(ev event.Event) bool {
	var messages []llm.Message
	switch ev.Type {
	case event.TypeInputAccepted:
		return true
	case event.TypeHistoryMessage:
		if in, err := event.Decode[event.HistoryMessage](ev); err == nil {
			messages = []llm.Message{in.Message}
		}
	case event.TypeHistoryRewritten:
		if in, err := event.Decode[event.HistoryRewritten](ev); err == nil {
			messages = in.Messages
		}
	}
	for _, m := range messages {
		if m.Role == llm.User && !m.Synthetic {
			return true
		}
	}
	return false
}
