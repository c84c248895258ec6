package sessions

import (
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
)

// Remove deletes a session: its journal with all beside it, and every JSON
// file of its id in the library's folders. One that is in use is refused.
func (l *Library) Remove(ctx context.Context, e Entry) error {
	if e.Journal {
		if err := l.opts.Journals.Remove(ctx, e.SessionID); err != nil {
			return err
		}
	} else if err := os.Remove(e.Path); err != nil {
		return fmt.Errorf("remove session %s: %w", e.Name(), err)
	}
	for _, path := range l.files(e.SessionID) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove session %s: %w", e.Name(), err)
		}
	}
	return l.known().Save() // what was remembered of it goes too
}

// files returns the JSON files named after a session, the newest first.
func (l *Library) files(session string) []string {
	if !isID(session) {
		return nil // the name might be a pattern
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

func isID(id string) bool {
	parsed, err := uuid.Parse(id)
	return err == nil && parsed.String() == id
}

// Sweep removes JSON files of ours that were last written before olderThan and
// whose session has no journal any more, and returns their paths. A folder of
// the Python original, which never removed any, is left alone.
func (l *Library) Sweep(ctx context.Context, olderThan time.Time) ([]string, error) {
	found, err := l.find()
	if err != nil {
		return nil, err
	}
	journals := map[string]bool{}
	for _, c := range found {
		journals[c.id] = true
	}
	var removed []string
	for _, c := range found {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		id := idInName(c.path)
		if !isID(id) || journals[id] || !c.info.ModTime().Before(olderThan) || filepath.Base(filepath.Dir(c.path)) == originalDir {
			continue
		}
		if err := os.Remove(c.path); err != nil {
			return removed, fmt.Errorf("remove old session: %w", err)
		}
		removed = append(removed, c.path)
	}
	return removed, nil
}
