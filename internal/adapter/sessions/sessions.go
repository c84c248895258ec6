// Package sessions finds the sessions on this machine, reads them in both of
// their forms (journals, and session JSON files of ours or of the Python
// original), searches them, imports files of others and exports all. How a
// conversation goes on is not its business.
package sessions

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/adapter/sessions/index"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
)

// Journals is where journals lie.
type Journals interface {
	// Sessions lists the ids of all sessions.
	Sessions() ([]string, error)
	Read(ctx context.Context, session string, after int64, limit int) ([]event.Event, error)
	JournalPath(session string) (string, error)
	// Held reports whether a process writes the session, and which.
	Held(session string) (pid int, held bool)
	// Remove deletes a session that nobody writes.
	Remove(ctx context.Context, session string) error
}

// Options of a library.
type Options struct {
	Journals Journals
	// Dirs hold session JSON files: ours first, then those that are only read.
	// They need not exist; one that is named twice counts once.
	Dirs []string
	// Model returns a saved model id in the form it is used in, and whether
	// that form is valid.
	Model func(saved string) (id string, ok bool)
	// Index is the file that remembers what sessions are about, so that a list
	// need not read those that have not changed; empty for none.
	Index string
}

// Library is every session on this machine.
type Library struct {
	opts Options
	// known is the index, read when it is first needed.
	known func() *index.Index[record]
}

// New returns a library over opts.
func New(opts Options) (*Library, error) {
	if opts.Journals == nil {
		return nil, errors.New("session library: Journals is missing")
	}
	if opts.Model == nil {
		return nil, errors.New("session library: Model is missing")
	}
	dirs := opts.Dirs
	opts.Dirs = nil
	for _, dir := range dirs {
		if !slices.Contains(opts.Dirs, dir) {
			opts.Dirs = append(opts.Dirs, dir)
		}
	}
	return &Library{opts, sync.OnceValue(func() *index.Index[record] {
		return index.Open[record](opts.Index, recordVersion)
	})}, nil
}

// List returns all sessions, newest first. A session with a journal and JSON
// files, or with several, is listed once; files that are no sessions are not.
func (l *Library) List(ctx context.Context) ([]Entry, error) {
	found, err := l.find()
	if err != nil {
		return nil, err
	}
	known := l.known()
	all := make([]*Entry, len(found))
	each(len(found), func(i int) {
		if ctx.Err() != nil {
			return
		}
		if entry, ok := l.describe(ctx, known, found[i]); ok {
			l.held(&entry)
			all[i] = &entry
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// A list that cannot be remembered is a list all the same.
	_ = known.Save()
	var entries []Entry
	for _, e := range all {
		if e != nil {
			entries = append(entries, *e)
		}
	}
	return merge(entries), nil
}

// each does n things, as many at once as there are processors.
func each(n int, do func(i int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wait.Wait()
}

// candidate is a file that may be a session.
type candidate struct {
	id   string // of a journal
	path string
	info fs.FileInfo
}

// find returns all journals and JSON files, newest change first.
func (l *Library) find() ([]candidate, error) {
	ids, err := l.opts.Journals.Sessions()
	if err != nil {
		return nil, err
	}
	var found []candidate
	for _, id := range ids {
		path, err := l.opts.Journals.JournalPath(id)
		if err != nil {
			return nil, err
		}
		if info, err := os.Stat(path); err == nil {
			found = append(found, candidate{id, path, info})
		}
	}
	for _, dir := range l.opts.Dirs {
		files, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list sessions: %w", err)
		}
		for _, file := range files {
			path := filepath.Join(dir, file.Name())
			if filepath.Ext(path) != ".json" {
				continue
			}
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				found = append(found, candidate{"", path, info})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return b.info.ModTime().Compare(a.info.ModTime()) })
	return found, nil
}

// describe tells what one candidate is about; ok is false when it is no
// session.
func (l *Library) describe(ctx context.Context, known *index.Index[record], c candidate) (Entry, bool) {
	if r, ok := known.Get(c.path, c.info); ok {
		return r.entry()
	}
	r, _ := l.look(ctx, c)
	if ctx.Err() == nil {
		known.Put(c.path, c.info, r)
	}
	return r.entry()
}

// look reads one candidate.
func (l *Library) look(ctx context.Context, c candidate) (record, document.Document) {
	if c.id == "" {
		d, err := document.Read(c.path)
		if err != nil {
			return record{None: true}, document.Document{}
		}
		return ofFile(d, c), d
	}
	events, err := l.opts.Journals.Read(ctx, c.id, 0, 0)
	var s *history.State
	if err == nil {
		s, err = history.Load(events)
	}
	if err != nil {
		at := c.info.ModTime().UTC()
		return record{
			Entry: Entry{SessionID: c.id, Path: c.path, Journal: true, UpdatedAt: at, Problem: err.Error()}, Order: at,
		}, document.Document{}
	}
	return ofJournal(s, c), document.Build(s, events, document.About{})
}

// held notes who works on a session now.
func (l *Library) held(e *Entry) {
	if e.Journal {
		e.PID, e.Running = l.opts.Journals.Held(e.SessionID)
	}
}
