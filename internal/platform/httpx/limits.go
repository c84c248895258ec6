package httpx

import (
	"context"
	"io"
	"time"
)

// Limits replaces two of the client's timeouts for single requests. Zero
// leaves the client's own; a negative value switches it off.
//
// FirstByte then counts from the moment the request is out, body included, so
// that a large upload has all the time it needs; Idle also limits how long the
// request's own body may stand still on its way.
type Limits struct{ FirstByte, Idle time.Duration }

type limitsKey struct{}

// WithLimits makes the requests sent with the context follow l.
func WithLimits(ctx context.Context, l Limits) context.Context {
	return context.WithValue(ctx, limitsKey{}, l)
}

// limitsOf are the limits of one request, and whether its own body is watched
// apart from the answer.
func (t *transport) limitsOf(ctx context.Context) (limits, bool) {
	l := t.limits
	own, ok := ctx.Value(limitsKey{}).(Limits)
	if !ok {
		return l, false
	}
	l.firstByte, l.idle = orDefault(own.FirstByte, l.firstByte), orDefault(own.Idle, l.idle)
	return l, true
}

// upload watches a request's body on its way out: it may not stand still, and
// the wait for the answer begins when it is through.
type upload struct {
	io.ReadCloser
	w *watch
}

// Read is called whenever the connection takes more.
func (u *upload) Read(p []byte) (int, error) {
	u.w.pause(false) // the clock stands while the caller makes the body
	n, err := u.ReadCloser.Read(p)
	if err == nil {
		u.w.arm(phaseIdle, u.w.limits.idle, u.w.limits.idle)
	} else {
		u.w.sent()
	}
	return n, err
}

// sent starts the wait for the answer.
func (w *watch) sent() {
	w.mu.Lock()
	w.start = time.Now()
	w.mu.Unlock()
	w.armFirst()
}
