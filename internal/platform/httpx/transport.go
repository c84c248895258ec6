package httpx

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"
)

const (
	phaseConnect = "connect"
	phaseFirst   = "first byte"
	phaseIdle    = "idle"
)

type limits struct{ connect, firstByte, idle time.Duration }

// transport adds the program's headers and watches the clock.
type transport struct {
	base   http.RoundTripper
	agent  string
	limits limits
	tokens []boundToken
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	limits, apart := t.limitsOf(req.Context())
	w := newWatch(limits)
	ctx, cancel := context.WithCancelCause(req.Context())
	w.stop = func(cause error) { cancel(cause) }
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { w.connecting() },
		GotConn: func(httptrace.GotConnInfo) { w.connected() },
	})
	req = req.Clone(ctx)
	t.dress(req)
	if apart && req.Body != nil && req.Body != http.NoBody {
		req.Body = &upload{req.Body, w}
	}
	w.connected()
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		w.end()
		return nil, w.explain(err)
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		w.leave() // a connection of its own now, with its owner's rules
		return resp, nil
	}
	resp.Body = w.guard(resp.Body)
	return resp, nil
}

// CloseIdleConnections lets [http.Client.CloseIdleConnections] through.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// dress adds the headers every request has.
func (t *transport) dress(req *http.Request) {
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", t.agent)
	}
	if strings.Contains(req.Header.Get("Accept"), "text/event-stream") && req.Header.Get("Accept-Encoding") == "" {
		req.Header.Set("Accept-Encoding", "identity")
	}
	if req.Header.Get("Authorization") == "" {
		if value := bearer(t.tokens, req.URL); value != "" {
			req.Header.Set("Authorization", "Bearer "+value)
		}
	}
}

// watch ends an exchange that exceeds a limit. One timer runs at a time, for
// the phase the exchange is in.
type watch struct {
	limits limits
	start  time.Time
	stop   func(cause error)

	mu     sync.Mutex
	timer  *time.Timer
	phase  int // counts phases, so that a timer that fired late is ignored
	err    *TimeoutError
	over   bool
	opened bool // the first byte of the body has arrived
	body   io.Closer
}

func newWatch(l limits) *watch { return &watch{limits: l, start: time.Now()} }

// connecting starts the limit for a new connection.
func (w *watch) connecting() { w.arm(phaseConnect, w.limits.connect, w.limits.connect) }

// connected starts, or starts again, what is left for the first byte.
func (w *watch) connected() { w.armFirst() }

func (w *watch) armFirst() {
	w.mu.Lock()
	left := w.limits.firstByte - time.Since(w.start)
	w.mu.Unlock()
	if w.limits.firstByte <= 0 {
		left = 0
	} else if left <= 0 {
		left = time.Nanosecond
	}
	w.arm(phaseFirst, w.limits.firstByte, left)
}

// arm replaces the running timer by one for the named phase; a wait of zero
// or less means no limit.
func (w *watch) arm(phase string, limit, wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return
	}
	w.disarm()
	if wait <= 0 {
		return
	}
	n := w.phase
	w.timer = time.AfterFunc(wait, func() { w.expire(n, &TimeoutError{Phase: phase, After: limit}) })
}

// disarm stops the timer; the caller holds the lock.
func (w *watch) disarm() {
	w.phase++
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}

func (w *watch) expire(phase int, err *TimeoutError) {
	w.mu.Lock()
	if w.over || w.phase != phase {
		w.mu.Unlock()
		return
	}
	w.over, w.err = true, err
	body := w.body
	w.mu.Unlock()
	w.stop(err)
	if body != nil {
		// Not every body ends its read when the request's context does.
		_ = body.Close()
	}
}

// end stops the clock and frees the request's context.
func (w *watch) end() {
	w.mu.Lock()
	w.over = true
	w.disarm()
	w.mu.Unlock()
	w.stop(context.Canceled)
}

// leave stops the clock and leaves the request's context alone.
func (w *watch) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.disarm()
}

// explain replaces the error that the timeout caused by the timeout itself.
func (w *watch) explain(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	return err
}

// guard watches the reads of a body.
func (w *watch) guard(body io.ReadCloser) io.ReadCloser {
	w.mu.Lock()
	expired := w.over
	w.body = body
	w.mu.Unlock()
	if expired {
		_ = body.Close()
	}
	return &guarded{body, w}
}

type guarded struct {
	io.ReadCloser
	w *watch
}

// Read reads with the clock running: it stands still while the caller works.
func (g *guarded) Read(p []byte) (int, error) {
	if g.w.isOpened() {
		g.w.arm(phaseIdle, g.w.limits.idle, g.w.limits.idle)
	} else {
		g.w.armFirst()
	}
	n, err := g.ReadCloser.Read(p)
	g.w.pause(n > 0)
	if err != nil && err != io.EOF {
		err = g.w.explain(err)
	}
	if err != nil {
		g.w.end()
	}
	return n, err
}

// Close ends the exchange.
func (g *guarded) Close() error {
	g.w.end()
	return g.ReadCloser.Close()
}

func (w *watch) isOpened() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.opened
}

func (w *watch) pause(progress bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opened = w.opened || progress
	if !w.over {
		w.disarm()
	}
}
