package mcpserver

import (
	"context"
	"sync"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ml-intern/ml-intern/internal/platform/plain"
)

// Bounds of what a call tells while it runs: the lines that wait for a client
// that reads slowly, beyond which the oldest is dropped, and the bytes of one.
const (
	waitingLines = 100
	lineBytes    = 2000
)

// reporter sends a call's lines as progress notifications, one after the other,
// without the call waiting for it.
type reporter struct {
	token any
	send  func(n int, line string) // nil when nobody wants to know
	wake  chan struct{}            // holds a token when something has changed
	done  sync.WaitGroup

	mu     sync.Mutex // guards what follows
	lines  []string
	closed bool
}

// newReporter returns the reporter of a call. Clients that want progress say so
// with a token.
func newReporter(ctx context.Context, req *mcp.CallToolRequest) *reporter {
	r := &reporter{token: req.Params.GetProgressToken(), wake: make(chan struct{}, 1)}
	if r.token == nil {
		return r
	}
	r.send = func(n int, line string) {
		_ = req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ // the call knows that the client has gone
			ProgressToken: r.token, Progress: float64(n), Message: line,
		})
	}
	r.done.Go(r.run)
	return r
}

// line takes a line. It never waits.
func (r *reporter) line(text string) {
	if text = plain.ForTerminal(text); r.send == nil || text == "" {
		return
	}
	if len(text) > lineBytes {
		cut := lineBytes
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	if len(r.lines) == waitingLines {
		r.lines = r.lines[1:]
	}
	r.lines = append(r.lines, text)
	r.poke()
}

func (r *reporter) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run sends lines until the call has ended and all are sent.
func (r *reporter) run() {
	sent := 0
	for range r.wake {
		for {
			line, more, over := r.next()
			if over {
				return
			}
			if !more {
				break
			}
			sent++
			r.send(sent, line)
		}
	}
}

// next takes the oldest line; over says that there will be none any more.
func (r *reporter) next() (line string, more, over bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lines) == 0 {
		return "", false, r.closed
	}
	line = r.lines[0]
	r.lines = r.lines[1:]
	return line, true, false
}

// close sends what waits: progress ends before the result.
func (r *reporter) close() {
	if r.send == nil {
		return
	}
	r.mu.Lock()
	r.closed = true
	r.poke()
	r.mu.Unlock()
	r.done.Wait()
}
