package outlets

import (
	"context"
	"time"

	"github.com/ml-intern/ml-intern/internal/app/live"
	"github.com/ml-intern/ml-intern/internal/sink/trace"
)

// traceUploads sends the session to the user's own data set, and its counters to
// a shared one where the user wants that.
func traceUploads(o Options) (live.Follower, error) {
	if !o.Kept || o.Simulated || o.Traces == nil {
		return nil, nil
	}
	desk, err := o.Traces()
	if err != nil {
		return nil, err
	}
	wanted, err := desk.Wanted()
	if len(wanted) == 0 || err != nil {
		return nil, err
	}
	if line := desk.First(); line != "" {
		o.Warn(line)
	}
	c := &o.Loaded.Config
	rhythm := trace.Rhythm{Turns: c.AutoSaveInterval, Heartbeat: time.Duration(c.HeartbeatIntervalS) * time.Second}
	return func(ctx context.Context, c *live.Chapter) error {
		return desk.Follow(ctx, c.ID, c.After, rhythm, c.Journal.Follow)
	}, nil
}
