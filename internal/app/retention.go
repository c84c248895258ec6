package app

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ml-intern/ml-intern/internal/config/place"
)

// sweepEvery is the least time between two searches for old sessions.
const sweepEvery = 24 * time.Hour

// sweep removes, in the background and at most once a day, sessions that are
// older than session_retention_days. It stops when the program ends.
func (a *App) sweep() {
	days := a.Config().SessionRetentionDays
	if days <= 0 || a.memory != nil {
		return
	}
	mark := filepath.Join(a.Loaded.Places.State, "last_sweep")
	if info, err := os.Stat(mark); err == nil && time.Since(info.ModTime()) < sweepEvery {
		return
	}
	a.background.run(func(ctx context.Context) {
		before := time.Now().AddDate(0, 0, -days)
		_, err := a.store.Sweep(ctx, before)
		if err == nil {
			err = sweepFiles(ctx, a.Loaded.Places.Sessions(), before)
		}
		if err == nil {
			err = place.WritePrivate(mark, nil)
		}
		if err != nil && ctx.Err() == nil {
			a.Debug("remove old sessions: " + err.Error())
		}
	})
}

// sweepFiles removes old session files. Those in a folder of the user's choice
// are not touched.
func sweepFiles(ctx context.Context, dir string, before time.Time) error {
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
