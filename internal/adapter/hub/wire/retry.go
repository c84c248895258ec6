package wire

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire/rate"
)

const (
	// tries of a request in all; limitTries when the Hub refuses for too many
	// requests without saying when more are welcome.
	tries      = 5
	limitTries = 4
	// maxWait is the longest wait the Hub may ask for; beyond it the request
	// fails at once.
	maxWait = 300 * time.Second
)

// again says whether a failed request is sent again, and after what wait.
func (c *Conn) again(k *call, e *Error, try int) (d time.Duration, why string, ok bool) {
	most := tries
	if e.Kind == RateLimited && e.RetryAfter == 0 {
		most = limitTries
	}
	switch {
	case !e.Retryable, e.Kind == Conflict, k.policy == Never, k.policy == CertainlyNotApplied && !e.refused, try >= most:
		return 0, "", false
	case e.RetryAfter > maxWait:
		return 0, "", false
	}
	d = e.RetryAfter
	if d == 0 {
		d = c.backoff(try)
	}
	reason := string(e.Kind)
	if e.Status != 0 {
		reason = fmt.Sprintf("HTTP %d", e.Status)
	}
	return d, fmt.Sprintf("%s: %s, trying again in %s", k.op, reason, d.Round(100*time.Millisecond)), true
}

// backoff is the wait after the given try: 1, 2, 4, 8 s and up to a quarter
// more, so that many clients do not come back together.
func (c *Conn) backoff(try int) time.Duration {
	d := time.Second << (try - 1)
	spread := int64(d / 4)
	if c.opts.Rand == nil {
		return d + time.Duration(rand.Int64N(spread))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return d + time.Duration(c.opts.Rand.Int64N(spread))
}

// untilReset is a wait for the next window, which may be as long as the longest
// that is taken: the second added for safety does not make it too long.
func untilReset(d time.Duration) time.Duration {
	if d <= maxWait+time.Second {
		return min(d, maxWait)
	}
	return d
}

// hold waits until the Hub's limit allows the request.
func (c *Conn) hold(ctx context.Context, k *call) *Error {
	d := untilReset(c.account.Reserve(rate.Class(c.route(k.url)), time.Now()))
	if d == 0 {
		return nil
	}
	e := &Error{
		Kind: RateLimited, Op: k.op, Method: k.method, URL: c.shown(k.url), RetryAfter: d, refused: true,
		Message: fmt.Sprintf("the Hub's limit is used up for another %s", d.Round(time.Second)),
		Remedy:  "wait " + d.Round(time.Second).String(),
	}
	if d > maxWait {
		return e
	}
	why := fmt.Sprintf("%s: the Hub's limit is nearly used up, waiting %s", k.op, d.Round(100*time.Millisecond))
	if err := c.opts.Wait(ctx, d, why); err != nil {
		e.Err, e.Message = err, ""
		return e
	}
	return nil
}
