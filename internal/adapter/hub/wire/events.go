package wire

import (
	"context"
	"iter"
	"time"

	"github.com/ml-intern/ml-intern/internal/platform/sse"
)

const (
	// lineLimit bounds one line of an event stream, in bytes; the rest of a
	// longer one is dropped.
	lineLimit = 1 << 20
	// silence is how long an event stream may say nothing, not even a comment.
	silence = 120 * time.Second
)

// Event is one event of a stream.
type Event struct {
	Name string
	Data []byte
	// Cut says that the data is only the beginning of what was sent.
	Cut bool
}

// Events sends a request and yields the events of the answer. The sequence
// ends when the stream does; a connection that breaks, or says nothing for
// 120 s, ends it with an error of Kind [Unreachable]. Connecting anew is the
// caller's business: only he knows what he has seen.
func (c *Conn) Events(ctx context.Context, r Request) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		r.Accept = "text/event-stream"
		r.FirstByte = silence
		k, err := c.prepare(r)
		if err != nil {
			yield(Event{}, err)
			return
		}
		k.idle = silence
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		resp, err := c.send(ctx, k, nil)
		if err != nil {
			yield(Event{}, err)
			return
		}
		defer resp.Body.Close()
		for ev, err := range sse.ReadCut(resp.Body, lineLimit) {
			if err != nil {
				if ctx.Err() != nil {
					err = context.Cause(ctx)
				}
				e := c.spoiled(k, resp.Request.URL, resp, err)
				e.Retryable = ctx.Err() == nil
				yield(Event{}, e)
				return
			}
			if !yield(Event{Name: ev.Name, Data: ev.Data, Cut: ev.Cut}, nil) {
				return
			}
		}
	}
}
