package notify

import (
	"context"
	"fmt"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/sink/notify/outbox"
)

// enter starts the workers with the first session.
func (p *Post) enter() {
	p.life.Lock()
	defer p.life.Unlock()
	if p.users++; p.users > 1 {
		return
	}
	var ctx context.Context
	ctx, p.cancel = context.WithCancel(context.Background())
	p.hurry = make(chan struct{})
	var all []outbox.Destination
	for _, d := range p.o.Destinations {
		all = append(all, d.Destination)
	}
	p.box.Inherit(all)
	p.threads.Forget()
	hurry := p.hurry
	for _, d := range p.o.Destinations {
		p.workers.Go(func() { p.work(ctx, d, hurry) })
	}
}

// leave ends the workers with the last session: they get a few seconds for what
// still waits.
func (p *Post) leave() {
	p.life.Lock()
	defer p.life.Unlock()
	if p.users--; p.users > 0 {
		return
	}
	close(p.hurry)
	late := time.AfterFunc(flushWait, p.cancel)
	p.workers.Wait()
	late.Stop()
	p.cancel()
	for _, d := range p.o.Destinations {
		switch n := p.box.Waiting(d.Destination); {
		case n == 0:
		case p.o.Dir == "":
			p.warn(fmt.Sprintf("%s to %s could not be delivered", amount.Count(n, "notification"), d.Name))
		default:
			p.warn(fmt.Sprintf("%s to %s could not be delivered yet: the next start tries again", amount.Count(n, "notification"), d.Name))
		}
	}
	if err := p.box.Close(); err != nil {
		p.o.Log.Warn("the outbox was not left in order", "error", err)
	}
}

// pauses are how long a destination that fails is left alone; the last holds for
// all further tries.
func pauses() []time.Duration {
	return []time.Duration{15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute}
}

// work delivers the messages to one destination, one after another, until ctx is
// done. In a hurry it ends when nothing waits, or when the destination fails.
func (p *Post) work(ctx context.Context, d Destination, hurry <-chan struct{}) {
	failures := 0
	for ctx.Err() == nil {
		changed, hurried := p.box.Changed(), closed(hurry)
		e, wait, ok := p.box.Next(d.Destination, hurried)
		switch {
		case ok:
		case hurried:
			return
		default:
			pause(ctx, wait, changed, hurry)
			continue
		}
		id, err := p.deliver(ctx, d, &e, failures > 0)
		if err == nil {
			failures = 0
			p.delivered(d, e, id)
			continue
		}
		f := messaging.FaultOf(err)
		if ctx.Err() == nil {
			p.o.Log.Warn("a message was not delivered", "destination", d.Name, "message", e.Message.ID, "reason", f.Reason, "retryable", f.Retryable)
		}
		if !f.Retryable {
			p.box.Done(e, false)
			p.warn(fmt.Sprintf("notifications to %s fail: %s", d.Name, f.Reason))
			continue
		}
		p.box.Keep(e)
		if closed(hurry) {
			return
		}
		rest := pauses()
		pause(ctx, max(rest[min(failures, len(rest)-1)], min(f.Wait, rest[len(rest)-1])), nil, hurry)
		failures++
	}
}

// deliver sends a message with a few tries, or with one where the last message
// failed too. What of it arrived is noted in e.
func (p *Post) deliver(ctx context.Context, d Destination, e *outbox.Entry, once bool) (string, error) {
	m := e.Message
	if d.Thread && m.Thread == "" {
		m.Thread = p.threads.Of(m.Session, d.Destination)
	}
	send := messaging.Deliver
	if once {
		send = func(ctx context.Context, g messaging.Gateway, m messaging.Message) (string, error) {
			return g.Send(ctx, m)
		}
	}
	id, err := send(ctx, d.Gateway, m)
	if err != nil {
		if f := messaging.FaultOf(err); f.Posts > e.Message.Posts {
			e.Message.Posts = f.Posts
			if m.Thread == "" {
				e.Message.Thread = f.ID
			}
		}
	}
	return id, err
}

func (p *Post) delivered(d Destination, e outbox.Entry, id string) {
	if e.Message.Thread != "" { // it went on where its first post is
		id = e.Message.Thread
	}
	if d.Thread {
		if err := p.threads.Begin(e.Message.Session, d.Destination, id); err != nil {
			p.o.Log.Warn("the next message begins another thread", "error", err)
		}
	}
	p.box.Done(e, true)
}

// warn tells a person a line once.
func (p *Post) warn(line string) {
	p.mu.Lock()
	told := p.warned[line]
	p.warned[line] = true
	p.mu.Unlock()
	if !told {
		p.o.Warn(line)
	}
}

// pause waits for d (0 is for ever), a change, a hurry or the end.
func pause(ctx context.Context, d time.Duration, changed, hurry <-chan struct{}) {
	var late <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		late = t.C
	}
	select {
	case <-ctx.Done():
	case <-changed:
	case <-hurry:
	case <-late:
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
