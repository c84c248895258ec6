package app

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/ml-intern/ml-intern/internal/app/retention"
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
	a.background.Run(func(ctx context.Context) {
		before := time.Now().AddDate(0, 0, -days)
		_, err := a.store.Sweep(ctx, before)
		if err == nil {
			err = retention.Files(ctx, a.Loaded.Places.Sessions(), before)
		}
		if err == nil {
			err = place.WritePrivate(mark, nil)
		}
		if err != nil && ctx.Err() == nil {
			a.Debug("remove old sessions: " + err.Error())
		}
	})
}
