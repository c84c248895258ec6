package messaging

import (
	"context"
	"time"
)

// MaxWait bounds how long a receiver may ask to be left alone between two tries
// of one delivery.
const MaxWait = 60 * time.Second

// Deliver sends m with up to four tries, 1, 2 and 4 seconds apart, or as far
// apart as the receiver asks, up to a minute. It gives up early when a fault is
// permanent or ctx is done. The error is a *Fault, which tells what of a message
// in several posts arrived.
func Deliver(ctx context.Context, g Gateway, m Message) (id string, err error) {
	pauses := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}
	for try := 0; ; try++ {
		sent, err := g.Send(ctx, m)
		if err == nil {
			return first(id, sent), nil
		}
		f := *FaultOf(err)
		id = first(id, f.ID)
		m.Posts, m.Thread = max(m.Posts, f.Posts), first(m.Thread, f.ID)
		f.ID, f.Posts = id, m.Posts
		if !f.Retryable || try == len(pauses) || !sleep(ctx, max(pauses[try], min(f.Wait, MaxWait))) {
			return id, &f
		}
	}
}

// first is the first of two texts that is not empty.
func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// sleep waits, and reports whether it was left in peace.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
