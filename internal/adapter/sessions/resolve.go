package sessions

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

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
		ids = append(ids, c.Name())
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
		return l.byPath(entries, path)
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

// ByPath returns the session of a file: that of the journal where its session
// has one.
func (l *Library) ByPath(ctx context.Context, path string) (Entry, error) {
	entries, err := l.List(ctx)
	if err != nil {
		return Entry{}, err
	}
	return l.byPath(entries, path)
}

// byPath describes the file at path; where its session has a journal, that is
// the session.
func (l *Library) byPath(entries []Entry, path string) (Entry, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Entry{}, fmt.Errorf("read session: %w", err)
	}
	for _, e := range entries {
		if other, err := os.Stat(e.Path); err == nil && os.SameFile(info, other) {
			return e, nil
		}
	}
	d, err := Read(path)
	if err != nil {
		return Entry{}, err
	}
	for _, e := range entries {
		if e.Journal && e.SessionID == d.SessionID {
			return e, nil
		}
	}
	entry, _ := ofFile(d, candidate{path: path, info: info}).entry()
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
	known := l.known()
	for _, c := range found {
		if err := ctx.Err(); err != nil {
			return Entry{}, err
		}
		entry, ok := l.describe(ctx, known, c)
		if !ok || entry.Cwd == "" || !entry.Journal && journals[entry.SessionID] {
			continue
		}
		if realPath(entry.Cwd) == want {
			l.held(&entry)
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
