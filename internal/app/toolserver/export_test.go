package toolserver

import (
	"context"
	"time"
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
