// Package sessions finds the sessions on this machine, reads them in both of
// their forms (journals, and session JSON files of ours or of the Python
// original), imports the latter and exports both. It changes none; how a
// conversation goes on is not its business.
package sessions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/document"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Journals is where journals lie.
type Journals interface {
	// Sessions lists the ids of all sessions.
	Sessions() ([]string, error)
	Read(ctx context.Context, session string, after int64, limit int) ([]event.Event, error)
	JournalPath(session string) (string, error)
	// Remove deletes a session that nobody writes.
	Remove(ctx context.Context, session string) error
}

// Options of a library.
type Options struct {
	Journals Journals
	// Dirs hold session JSON files: ours first, then those that are only read.
	// They need not exist.
	Dirs []string
	// Model returns a saved model id in the form it is used in, and whether
	// that form is valid.
	Model func(saved string) (id string, ok bool)
}

// Library is every session on this machine.
type Library struct{ opts Options }

// New returns a library over opts.
func New(opts Options) (*Library, error) {
	if opts.Journals == nil {
		return nil, errors.New("session library: Journals is missing")
	}
	if opts.Model == nil {
		return nil, errors.New("session library: Model is missing")
	}
	return &Library{opts}, nil
}

// Entry is one session in a list.
type Entry struct {
	SessionID string `json:"session_id"`
	Title     string `json:"title"`
	Cwd       string `json:"cwd"`
	Model     string `json:"model"`
	// UpdatedAt is zero when unknown.
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	// Messages counts all but the system message.
	Messages int `json:"messages"`
	// Preview is the beginning of the first thing a person said, on one line.
	Preview string `json:"preview"`
	// Problem says why the session cannot be opened; empty for most.
	Problem string `json:"problem,omitempty"`

	// Path is the journal or the JSON file; Journal tells which.
	Path    string `json:"path"`
	Journal bool   `json:"journal"`
	// Next is the session the conversation went on in, if a person began anew.
	Next string `json:"next,omitempty"`

	order time.Time // the newest comes first
}

// List returns all sessions, newest first. A session with a journal and JSON
// files, or with several, is listed once; files that are no sessions are not.
func (l *Library) List(ctx context.Context) ([]Entry, error) {
	found, err := l.find()
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, c := range found {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if entry, ok := l.describe(ctx, c); ok {
			entries = append(entries, entry)
		}
	}
	return merge(entries), nil
}

// merge keeps one entry a session, the journal or else the newest file, and
// sorts them.
func merge(entries []Entry) []Entry {
	slices.SortStableFunc(entries, func(a, b Entry) int {
		if a.Journal != b.Journal {
			return map[bool]int{true: -1, false: 1}[a.Journal]
		}
		return b.order.Compare(a.order)
	})
	seen := map[string]bool{}
	entries = slices.DeleteFunc(entries, func(e Entry) bool {
		id := cmp.Or(e.SessionID, e.Path)
		twice := seen[id]
		seen[id] = true
		return twice
	})
	slices.SortStableFunc(entries, func(a, b Entry) int { return b.order.Compare(a.order) })
	return entries
}

// candidate is a file that may be a session.
type candidate struct {
	id       string // of a journal
	path     string
	modified time.Time
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
			found = append(found, candidate{id, path, info.ModTime()})
		}
	}
	for _, dir := range l.opts.Dirs {
		files, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list sessions: %w", err)
		}
		for _, file := range files {
			path := filepath.Join(dir, file.Name())
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && filepath.Ext(path) == ".json" {
				found = append(found, candidate{"", path, info.ModTime()})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return b.modified.Compare(a.modified) })
	return found, nil
}

// describe reads one candidate; ok is false when it is no session.
func (l *Library) describe(ctx context.Context, c candidate) (Entry, bool) {
	if c.id == "" {
		d, err := document.Read(c.path)
		if err != nil {
			return Entry{}, false
		}
		return documentEntry(d, c), true
	}
	entry := Entry{SessionID: c.id, Path: c.path, Journal: true, order: c.modified, UpdatedAt: c.modified.UTC()}
	events, err := l.opts.Journals.Read(ctx, c.id, 0, 0)
	var s *history.State
	if err == nil {
		s, err = history.Load(events)
	}
	if err != nil {
		entry.Problem = err.Error()
		return entry, true
	}
	if !s.Time.IsZero() {
		entry.order, entry.UpdatedAt = s.Time, s.Time
	}
	entry.Cwd, entry.Model, entry.Next = s.Cwd, s.Model, s.Next
	entry.Messages, entry.Preview, entry.Title = count(s.Messages), document.Shorten(s.First()), s.Name()
	return entry, true
}

func documentEntry(d document.Document, c candidate) Entry {
	entry := Entry{
		SessionID: d.SessionID, Title: d.Title, Cwd: d.Cwd, Model: d.Model, Messages: count(d.Messages),
		Preview: document.Preview(d.Messages), UpdatedAt: d.Updated(), Path: c.path, order: c.modified,
	}
	entry.Title = cmp.Or(entry.Title, document.Title(d.Messages))
	if entry.Cwd == "" && filepath.Base(filepath.Dir(c.path)) == originalDir {
		// The original kept its files below the folder it was started in.
		if dir, err := filepath.Abs(filepath.Dir(filepath.Dir(c.path))); err == nil {
			entry.Cwd = dir
		}
	}
	return entry
}

// originalDir is where the Python original puts its files.
const originalDir = "session_logs"

func count(messages []llm.Message) int {
	n := 0
	for _, m := range messages {
		if m.Role != llm.System {
			n++
		}
	}
	return n
}

// NotFoundError says that no session, or more than one, is meant.
type NotFoundError struct {
	Arg string
	// Candidates are the sessions an ambiguous prefix could mean.
	Candidates []Entry
}

func (e *NotFoundError) Error() string {
	if len(e.Candidates) == 0 {
		return fmt.Sprintf("session %q was not found", e.Arg)
	}
	var ids []string
	for _, c := range e.Candidates {
		ids = append(ids, cmp.Or(c.SessionID, filepath.Base(c.Path)))
	}
	return fmt.Sprintf("session %q was not found: it could be any of %s", e.Arg, strings.Join(ids, ", "))
}

// Resolve returns the session that arg names: its place in the list from 1, a
// path, a file name, or the beginning of an id or file name that only one
// session has. The error is a *NotFoundError when that is none.
func (l *Library) Resolve(ctx context.Context, arg string) (Entry, error) {
	entries, err := l.List(ctx)
	if err != nil {
		return Entry{}, err
	}
	if i, ok := listIndex(arg, len(entries)); ok {
		return entries[i], nil
	}
	if path, ok := l.file(arg); ok {
		return l.byPath(ctx, entries, path)
	}
	if arg == "" {
		return Entry{}, &NotFoundError{Arg: arg}
	}
	var matches []Entry
	for _, e := range entries {
		if e.SessionID == arg {
			return e, nil
		}
		if strings.HasPrefix(e.SessionID, arg) || !e.Journal && strings.HasPrefix(filepath.Base(e.Path), arg) {
			matches = append(matches, e)
		}
	}
	if len(matches) != 1 {
		return Entry{}, &NotFoundError{Arg: arg, Candidates: matches}
	}
	return matches[0], nil
}

func listIndex(arg string, n int) (int, bool) {
	if arg == "" || strings.Trim(arg, "0123456789") != "" || len(arg) > 9 {
		return 0, false
	}
	i := 0
	for _, digit := range arg {
		i = i*10 + int(digit-'0')
	}
	return i - 1, i >= 1 && i <= n
}

// file returns the existing path that arg names.
func (l *Library) file(arg string) (string, bool) {
	if arg == "" {
		return "", false
	}
	paths := []string{arg}
	for _, dir := range l.opts.Dirs {
		paths = append(paths, filepath.Join(dir, arg), filepath.Join(dir, arg+".json"))
	}
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, true
		}
	}
	return "", false
}

// byPath describes the file at path; where its session has a journal, that is
// the session.
func (l *Library) byPath(ctx context.Context, entries []Entry, path string) (Entry, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Entry{}, fmt.Errorf("read session: %w", err)
	}
	for _, e := range entries {
		if other, err := os.Stat(e.Path); err == nil && os.SameFile(info, other) {
			return e, nil
		}
	}
	d, err := document.Read(path)
	if err != nil {
		return Entry{}, err
	}
	for _, e := range entries {
		if e.Journal && e.SessionID == d.SessionID {
			return e, nil
		}
	}
	entry, _ := l.describe(ctx, candidate{"", path, info.ModTime()})
	return entry, nil
}

// Newest returns the session that was used last in the working directory dir.
// It reads only as many as it must.
func (l *Library) Newest(ctx context.Context, dir string) (Entry, error) {
	want := realPath(dir)
	found, err := l.find()
	if err != nil {
		return Entry{}, err
	}
	journals := map[string]bool{}
	for _, c := range found {
		journals[c.id] = true
	}
	for _, c := range found {
		if err := ctx.Err(); err != nil {
			return Entry{}, err
		}
		entry, ok := l.describe(ctx, c)
		if !ok || entry.Cwd == "" || !entry.Journal && journals[entry.SessionID] {
			continue
		}
		if realPath(entry.Cwd) == want {
			return entry, nil
		}
	}
	return Entry{}, &NotFoundError{Arg: dir}
}

// realPath resolves links as far as the path exists.
func realPath(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return filepath.Clean(path)
}

// Remove deletes a session: its journal with all beside it, and every JSON
// file of its id in the library's folders. One that is in use is refused.
func (l *Library) Remove(ctx context.Context, e Entry) error {
	if e.Journal {
		if err := l.opts.Journals.Remove(ctx, e.SessionID); err != nil {
			return err
		}
	} else if err := os.Remove(e.Path); err != nil {
		return fmt.Errorf("remove session %s: %w", e.SessionID, err)
	}
	for _, path := range l.files(e.SessionID) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove session %s: %w", e.SessionID, err)
		}
	}
	return nil
}

// files returns the JSON files named after a session, the newest first.
func (l *Library) files(session string) []string {
	if _, err := uuid.Parse(session); err != nil {
		return nil // the name is no id, so it might be a pattern
	}
	var paths []string
	for _, dir := range l.opts.Dirs {
		matches, err := filepath.Glob(filepath.Join(escape(dir), "session_"+session+"_*.json"))
		if err == nil { // only a bad pattern fails
			paths = append(paths, matches...)
		}
	}
	slices.SortFunc(paths, func(a, b string) int { return strings.Compare(filepath.Base(b), filepath.Base(a)) })
	return paths
}

// escape makes a path stand for itself in a pattern.
func escape(dir string) string {
	return strings.NewReplacer(`[`, `[[]`, `*`, `[*]`, `?`, `[?]`).Replace(dir)
}
