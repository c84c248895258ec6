package toolserver

import (
	"context"
	"net/http"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/remote/wire"
)

// MaxRequests and MaxBody are the limits that tests count with.
const (
	MaxRequests = maxRequests
	MaxBody     = maxBody
	KeptReplays = keptReplays
	KeptFor     = keptFor
)

// Replays are remembered requests.
type Replays struct{ r *replays }

// NewReplays returns none.
func NewReplays() Replays { return Replays{newReplays()} }

// Do remembers a request and reports whether it is a new one.
func (r Replays) Do(id, what string) (first bool, err error) {
	e, first, err := r.r.claim(id, what, false)
	if first {
		r.r.finish(e)
	}
	return first, err
}

// Usage is what a server knows of its use.
type Usage struct{ u *usage }

// NewUsage returns one that was used just now.
func NewUsage() Usage { return Usage{newUsage()} }

// Begin counts a request until what it returns is called.
func (u Usage) Begin() func() { return u.u.begin() }

// Watch waits for the end of use.
func (u Usage) Watch(ctx context.Context, limit time.Duration, busy func() bool) {
	u.u.watch(ctx, limit, busy)
}

// ParseGPUs reads what nvidia-smi prints.
var ParseGPUs = parseGPUs

// Follow answers a request about a command that says text at its start and ends
// by itself after some time.
func Follow(w http.ResponseWriter, r *http.Request, text string, lasts time.Duration) {
	command := newRun()
	command.write([]byte(text))
	time.AfterFunc(lasts, func() { close(command.over) })
	follow(w, r, command, wire.ExecRequest{})
}
