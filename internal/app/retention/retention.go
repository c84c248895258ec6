// Package retention removes what was kept long enough. It does not know how long
// that is.
package retention

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ml-intern/ml-intern/internal/config/place"
)

// every is the least time between two searches for what is old.
const every = 24 * time.Hour

// Due reports whether the newest search, of which mark is the trace, was long
// enough ago.
func Due(mark string) bool {
	info, err := os.Stat(mark)
	return err != nil || time.Since(info.ModTime()) >= every
}

// Journals is a store of sessions.
type Journals interface {
	// Sweep removes the sessions whose newest event is before olderThan.
	Sweep(ctx context.Context, olderThan time.Time) ([]string, error)
}

// Sweep removes the sessions that were not written to since before, with their
// files in dir, and leaves a mark that it did.
func Sweep(ctx context.Context, journals Journals, dir string, before time.Time, mark string) error {
	if _, err := journals.Sweep(ctx, before); err != nil {
		return err
	}
	if err := Files(ctx, dir, before); err != nil {
		return err
	}
	return place.WritePrivate(mark, nil)
}

// Files removes session files of dir that were not changed since before. Those in a
// folder of the user's choice are not touched.
func Files(ctx context.Context, dir string, before time.Time) error {
	paths, err := filepath.Glob(filepath.Join(dir, "session_*.json"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() || !info.ModTime().Before(before) {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
