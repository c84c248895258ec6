package outlets

import (
	"context"

	"github.com/ml-intern/ml-intern/internal/app/live"
	"github.com/ml-intern/ml-intern/internal/app/messenger"
	"github.com/ml-intern/ml-intern/internal/sink/notify"
)

// notifications tells people who look elsewhere of the session, where somebody
// wants to be told.
func notifications(o Options) (live.Follower, error) {
	f := messenger.Following{Headless: o.Headless, Log: o.Log}
	if o.Kept {
		cursor, err := o.Store.Cursor("notify")
		if err != nil {
			return nil, err
		}
		f.Cursor = cursor
	}
	post, err := messenger.New(messenger.Options{
		Loaded: o.Loaded, HTTP: o.HTTP, Kept: o.Kept, Simulated: o.Simulated, Warn: o.Warn,
		Scrub: func(text string) string { return first(o.Scrubber().String(text)) },
	}).Post(f)
	if err != nil || post == nil {
		return nil, err
	}
	return func(ctx context.Context, c *live.Chapter) error {
		return post.Run(ctx, notify.Session{ID: c.ID, After: c.After, Follow: c.Journal.Follow, Shown: c.Shown, Watched: c.Watched})
	}, nil
}

// first drops a count.
func first(text string, _ int) string { return text }
