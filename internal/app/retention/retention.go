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
)

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
