package app

import (
	"context"
	"path/filepath"
	"time"

	"github.com/ml-intern/ml-intern/internal/app/retention"
)

// sweep removes, in the background, sessions that are older than
// session_retention_days. It stops when the program ends.
func (a *App) sweep() {
	days, mark := a.Config().SessionRetentionDays, filepath.Join(a.Loaded.Places.State, "last_sweep")
	if days <= 0 || a.memory != nil || !retention.Due(mark) {
		return
	}
	a.background.Run(func(ctx context.Context) {
		err := retention.Sweep(ctx, a.store, a.Loaded.Places.Sessions(), time.Now().AddDate(0, 0, -days), mark)
		if err != nil && ctx.Err() == nil {
			a.Debug("remove old sessions: " + err.Error())
		}
	})
}
