// Package store keeps sessions in files, one folder each:
//
//	<root>/<session id>/journal.jsonl          one event a line, only ever appended to
//	                    lock                   held while a process writes; its pid is inside
//	                    cursors/<name>.json    how far a follower has come
//	                    spill/                 output too long for the journal
//
// It knows lines and numbers, not what a session does.
package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// Names inside a session's folder.
const (
	journalName = "journal.jsonl"
	lockName    = "lock"
	cursorsName = "cursors"
	spillName   = "spill"
)

// Permissions: a session may hold anything its user typed.
const (
	dirMode  = 0o700
	fileMode = 0o600
)

// Options of a store.
type Options struct {
	// Root is the folder of all sessions; it is created when the first is.
	Root string
}

// Store is a folder of sessions. Its methods may be called from any goroutine.
type Store struct {
	root string
	wrap func(disk) disk // nil outside tests

	mu     sync.Mutex
	open   map[string]*file // sessions this process writes
	closed bool
}

// New returns the store in opts.Root, which need not exist.
func New(opts Options) (*Store, error) {
	if opts.Root == "" {
		return nil, errors.New("session store: Root is missing")
	}
	root, err := filepath.Abs(opts.Root)
	if err != nil {
		return nil, fmt.Errorf("session store: find folder %s: %w", opts.Root, err)
	}
	return &Store{root: root, open: map[string]*file{}}, nil
}

// HeldError says that a session is being written by another process.
type HeldError struct {
	SessionID string
	PID       int // 0 when it could not be read
}

func (e *HeldError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("session %s is held by another process", e.SessionID)
	}
	return fmt.Sprintf("session %s is held by process %d", e.SessionID, e.PID)
}

// LineError says that a journal is damaged in the middle: it is not read any
// further, for a history with a hole would mislead.
type LineError struct {
	Path string
	Line int // from 1
	Err  error
}

func (e *LineError) Error() string {
	return fmt.Sprintf("journal %s: line %d is damaged: %v", e.Path, e.Line, e.Err)
}

// Unwrap returns what is wrong with the line.
func (e *LineError) Unwrap() error { return e.Err }

// dir returns the folder of a session whose id has been checked: only a UUID
// in its usual form ever becomes part of a path.
func (s *Store) dir(session string) (string, error) {
	id, err := uuid.Parse(session)
	if err != nil || id.String() != session {
		return "", fmt.Errorf("session id %q is not a UUID", session)
	}
	return filepath.Join(s.root, session), nil
}

// JournalPath returns where the journal of a session lies, if it has one.
func (s *Store) JournalPath(session string) (string, error) {
	dir, err := s.dir(session)
	return filepath.Join(dir, journalName), err
}

// SpillDir returns the folder for output too long for the journal. The caller
// creates it, with mode 0700; it goes when the session goes.
func (s *Store) SpillDir(session string) (string, error) {
	dir, err := s.dir(session)
	return filepath.Join(dir, spillName), err
}

// Acquire takes the session for writing by this process, cuts off a torn last
// line and checks all others. A session that has no folder yet is taken
// without creating one. The error is a *HeldError when another process has it.
func (s *Store) Acquire(ctx context.Context, session string) error {
	_, err := s.acquire(ctx, session)
	return err
}

func (s *Store) acquire(ctx context.Context, session string) (*file, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	dir, err := s.dir(session)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.New("the session store is closed")
	}
	if f := s.open[session]; f != nil {
		return f, nil
	}
	f := &file{session: session, dir: dir, wrap: s.wrap}
	if _, err := os.Stat(filepath.Join(dir, journalName)); err == nil {
		if err := f.start(); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open session %s: %w", session, err)
	}
	s.open[session] = f
	return f, nil
}

// Append writes events with one write and syncs them when one of them is
// durable. Until a person's message arrives they are only held in memory, so
// that a session in which nothing was said leaves nothing behind; Create ends
// that wait. The session is taken for writing if it was not.
func (s *Store) Append(ctx context.Context, session string, _ int64, events []event.Event) error {
	f, err := s.acquire(ctx, session)
	if err != nil {
		return err
	}
	return f.append(events)
}

// Create makes the session's folder now and writes what was held back.
func (s *Store) Create(ctx context.Context, session string) error {
	f, err := s.acquire(ctx, session)
	if err != nil {
		return err
	}
	return f.create()
}

// Read returns at most limit events above after, all for a limit of 0. It
// needs no lock: a line being written by another process is not seen until it
// is complete.
func (s *Store) Read(ctx context.Context, session string, after int64, limit int) ([]event.Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	dir, err := s.dir(session)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	f := s.open[session]
	s.mu.Unlock()
	if f != nil {
		return f.read(after, limit)
	}
	return readLines(filepath.Join(dir, journalName), mark{}, after, limit, false)
}

// LastSeq takes the session for writing and returns the number of its newest
// event, 0 when there is none.
func (s *Store) LastSeq(ctx context.Context, session string) (int64, error) {
	f, err := s.acquire(ctx, session)
	if err != nil {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last, nil
}

// Release gives the session up: others may write it.
func (s *Store) Release(session string) error {
	s.mu.Lock()
	f := s.open[session]
	delete(s.open, session)
	s.mu.Unlock()
	if f == nil {
		return nil
	}
	return f.close()
}

// Close releases every session.
func (s *Store) Close() error {
	s.mu.Lock()
	open := s.open
	s.open, s.closed = map[string]*file{}, true
	s.mu.Unlock()
	var errs []error
	for _, f := range open {
		errs = append(errs, f.close())
	}
	return errors.Join(errs...)
}

// Sessions lists the ids of all sessions on disk, in order.
func (s *Store) Sessions() ([]string, error) {
	entries, err := os.ReadDir(s.root)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	var ids []string
	for _, entry := range entries {
		if path, err := s.JournalPath(entry.Name()); err == nil && entry.IsDir() {
			if _, err := os.Stat(path); err == nil {
				ids = append(ids, entry.Name())
			}
		}
	}
	return ids, nil
}

// Remove deletes a session's folder with all it holds. One that another
// process writes, or this one, is refused with a *HeldError.
func (s *Store) Remove(ctx context.Context, session string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.remove(session, time.Time{})
}

// remove deletes the session under its lock, unless its newest event is not
// older than a given time.
func (s *Store) remove(session string, olderThan time.Time) error {
	dir, err := s.dir(session)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock() // nobody here may open it meanwhile
	if s.open[session] != nil {
		return &HeldError{SessionID: session, PID: os.Getpid()}
	}
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("remove session %s: %w", session, err)
	}
	lock, err := takeLock(session, dir)
	if err != nil {
		return err
	}
	if !olderThan.IsZero() && !newest(dir).Before(olderThan) {
		return lock.release()
	}
	return removeAll(session, dir, lock)
}

// removeAll empties dir while the lock is held and removes the rest after it:
// not every system removes a file that is open. Whatever somebody has put
// there in between stays.
func removeAll(session, dir string, lock *lock) error {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		if entry.Name() != lockName {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, entry.Name())))
		}
	}
	err = errors.Join(err, lock.release())
	if err == nil {
		err = errors.Join(os.Remove(filepath.Join(dir, lockName)), os.Remove(dir))
	}
	if err != nil {
		return fmt.Errorf("remove session %s: %w", session, err)
	}
	return nil
}

// Sweep removes the sessions whose newest event is before olderThan and
// returns their ids. A session in use stays.
func (s *Store) Sweep(ctx context.Context, olderThan time.Time) ([]string, error) {
	ids, err := s.Sessions()
	if err != nil {
		return nil, err
	}
	var removed []string
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		dir := filepath.Join(s.root, id)
		if !newest(dir).Before(olderThan) {
			continue
		}
		err := s.remove(id, olderThan)
		var held *HeldError
		switch {
		case errors.As(err, &held):
			continue
		case err != nil:
			return removed, err
		}
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			removed = append(removed, id)
		}
	}
	slices.Sort(removed)
	return removed, nil
}

// checkName refuses a follower's name that is not a plain file name.
func checkName(name string) error {
	if name == "" || strings.ContainsAny(name, `/\:`) || strings.HasPrefix(name, ".") {
		return fmt.Errorf("cursor name %q is not a plain name", name)
	}
	return nil
}
