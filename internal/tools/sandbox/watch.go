package sandbox

import (
	"context"
	"fmt"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox"
	"github.com/ml-intern/ml-intern/internal/tools/sandbox/bill"
)

const (
	// renewBefore the end of a window the next one is reserved: at 95 %.
	renewBefore = bill.Window / 20
	// aliveEvery is how often a sandbox in which something runs is asked, so that
	// the silence does not put it to sleep.
	aliveEvery = 5 * time.Minute
	// wakeLimit is how long a sandbox may take to come back.
	wakeLimit = 5 * time.Minute
	wakePoll  = 5 * time.Second
	// quiet is how long a sandbox must have answered for an outage to be a new
	// one.
	quiet = time.Minute
)

// attend looks after a sandbox until it is removed.
func (k *Keeper) attend(b *box) {
	k.spawn(func() { k.keepAlive(b) })
	if rec := b.record(); rec.USDPerHour > 0 && b.session != nil {
		k.spawn(func() { k.pay(b) })
	}
}

// pay reserves one hour after the other.
func (k *Keeper) pay(b *box) {
	for {
		rec := b.record()
		end := rec.Paid.Add(time.Duration(rec.Windows+1) * bill.Window)
		if sandbox.Pause(b.watch, time.Until(end.Add(-renewBefore))) != nil {
			return
		}
		if !k.renew(b, rec) {
			return
		}
		if sandbox.Pause(b.watch, time.Until(end)) != nil {
			return
		}
		hours := rec.Windows + 1
		k.say(fmt.Sprintf("sandbox %s has cost %.2f USD in %d h (%s at %.4g USD/h)",
			rec.ID, rec.USDPerHour*float64(hours), hours, rec.Hardware, rec.USDPerHour))
	}
}

// renew settles a window and reserves the next one. Where the cap refuses it,
// the sandbox is removed.
func (k *Keeper) renew(b *box, rec sandbox.Record) bool {
	hour := bill.Hour(rec.USDPerHour, rec.Source)
	id := bill.Renewal()
	if err := b.session.Reserve(id, rec.Ref(), hour); err != nil {
		k.say(fmt.Sprintf("the next hour of sandbox %s (%.2f USD) does not fit under the spending cap: it is removed (%v)", rec.ID, float64(hour.MicroUSD)/1e6, err))
		k.notes.Add(fmt.Sprintf("The sandbox %s was removed, with its files, because its next hour did not fit under the spending cap.", rec.ID))
		_ = k.teardown(b) // it has told what went wrong
		return false
	}
	b.mu.Lock()
	over := b.over
	if !over {
		b.rec.Spend, b.rec.Windows = id, rec.Windows+1
		_ = k.opts.Records.Put(b.rec)
	}
	b.mu.Unlock()
	if over {
		b.session.Release(id)
		return false
	}
	b.session.Settle(rec.Spend, &hour.MicroUSD)
	return true
}

// keepAlive asks the sandbox now and then while something runs in it.
func (k *Keeper) keepAlive(b *box) {
	busy := false
	for sandbox.Pause(b.watch, aliveEvery) == nil {
		if !b.used.Swap(false) && !busy {
			continue
		}
		h, err := b.client.Health(b.watch)
		busy = err == nil && h.Children > 0
	}
}

// teardown removes a sandbox and settles what it has cost. Of several calls
// for one sandbox only the first does.
func (k *Keeper) teardown(b *box) error {
	if !k.release(b) {
		return nil
	}
	rec := b.record()
	minutes, err := k.destroy(b.maker, rec)
	bill.Settle(b.session, rec, minutes)
	return err
}

// release ends all use of a sandbox; it reports whether that was still to do.
func (k *Keeper) release(b *box) bool {
	k.mu.Lock()
	if k.now == b {
		k.now = nil
	}
	k.mu.Unlock()
	b.mu.Lock()
	first := !b.over
	b.over = true
	b.mu.Unlock()
	if first {
		b.stop()
		b.client.Close()
	}
	return first
}

// restarted hears that the tool server is another one: the disk is empty.
func (k *Keeper) restarted(b *box) {
	rec := b.record()
	k.mu.Lock()
	forget := k.forget
	k.mu.Unlock()
	if forget != nil {
		forget()
	}
	k.say("sandbox " + rec.ID + " was restarted")
	text := fmt.Sprintf("The sandbox %s was restarted: its files, installed packages and processes are gone.", rec.ID)
	if b.place != nil {
		n, err := b.place.Restore(b.watch)
		if n > 0 {
			text += fmt.Sprintf(" %d files that write and edit had made were sent again.", n)
		}
		if err != nil {
			text += " What was written could not be sent again: " + err.Error()
		}
	}
	k.notes.Add(text)
}

// unreachable waits until it makes sense to ask a sandbox again, or says why
// that is in vain.
func (k *Keeper) unreachable(ctx context.Context, b *box, why error) error {
	rec := b.record()
	b.mu.Lock()
	if time.Since(b.down) > quiet {
		b.from = time.Now()
	}
	b.down = time.Now()
	from := b.from
	b.mu.Unlock()
	for stage := ""; ; {
		if time.Since(from) > wakeLimit {
			return fmt.Errorf("the sandbox %s does not answer for %s (%s): %w", rec.ID, wakeLimit, stage, why)
		}
		c, err := b.maker.Look(ctx, rec.Place)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil: // the Hub does not answer either
		case c.State == sandbox.Up:
			return sandbox.Pause(ctx, time.Second)
		case c.Stage == "SLEEPING":
			return nil // asking wakes it up
		case c.State == sandbox.Down || c.State == sandbox.Gone:
			return k.lost(b, c)
		case c.Stage != stage:
			stage = c.Stage
			k.say(fmt.Sprintf("sandbox %s is in stage %s: waiting up to %s", rec.ID, stage, wakeLimit))
		}
		if err := sandbox.Pause(ctx, wakePoll); err != nil {
			return err
		}
		b.mu.Lock()
		b.down = time.Now()
		b.mu.Unlock()
	}
}

// lost gives up a sandbox that has ended.
func (k *Keeper) lost(b *box, c sandbox.Condition) error {
	rec := b.record()
	// Whoever waits for an answer is one of those the client's end waits for.
	k.spawn(func() { _ = k.teardown(b) })
	return fmt.Errorf("the sandbox %s has ended (stage %s): its files and processes are lost; make a new one with sandbox_create", rec.ID, c.Stage)
}
