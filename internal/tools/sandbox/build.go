package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox"
	hub "github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/sandbox/bill"
	"github.com/ml-intern/ml-intern/internal/tools/sandbox/room"
)

const (
	// removeLimit bounds the removal of a sandbox with its tries.
	removeLimit = 25 * time.Second
	// lookAgain is how often a sandbox is looked for of which nobody knows whether
	// it was made: a new one may be hidden for some seconds.
	lookAgain = 3
)

// removeWaits are the pauses between the tries to remove a sandbox.
func removeWaits() []time.Duration { return []time.Duration{time.Second, 2 * time.Second} }

// wish is a sandbox that is wanted.
type wish struct {
	key, call string // call is empty for one made ahead
	hardware  string
	secrets   map[string]string
	// kinds narrows what is tried; nil takes what is chosen.
	kinds []sandbox.Kind
	// spend is the reservation of the first hour, held by session; spendUSD is
	// the price by the hour it was made with.
	spend    string
	spendUSD float64
	session  tool.Session
	say      func(string)
	// made records durably what now exists.
	made func(ref string) error
}

// unpaidError is the Hub's wish for money, after everything was tried.
type unpaidError struct{ err error }

func (e unpaidError) Error() string { return e.err.Error() }
func (e unpaidError) Unwrap() error { return e.err }

// failedError is a sandbox that was made in vain, and what it has cost.
type failedError struct {
	err   error
	micro int64
}

func (e failedError) Error() string { return e.err.Error() }
func (e failedError) Unwrap() error { return e.err }

// build makes a sandbox. When it fails, nothing is left of it.
func (k *Keeper) build(ctx context.Context, w wish) (_ *box, err error) {
	defer func() { w.giveBack(err) }()
	owner, kinds, err := k.kinds(ctx, w)
	if err != nil {
		return nil, err
	}
	done, err := k.opts.Slot(ctx, owner, func() { w.say("Waiting for sandbox creation slot...") })
	if err != nil {
		return nil, err
	}
	defer done()
	for i, kind := range kinds {
		if i > 0 {
			w.say(fmt.Sprintf("The Hub wants money for that (%v): trying a %s instead", hubWords(err), kind))
		}
		if err := k.afford(&w, kind); err != nil {
			return nil, err
		}
		var b *box
		if b, err = k.one(ctx, w, owner, kind); err == nil {
			return b, nil
		}
		if !errors.Is(err, hub.Payment) {
			return nil, err
		}
	}
	return nil, unpaidError{err}
}

// kinds tells who pays and which kinds of sandboxes can have the hardware.
func (k *Keeper) kinds(ctx context.Context, w wish) (owner string, kinds []sandbox.Kind, err error) {
	owner, kinds, err = k.opts.Choose(ctx)
	if err != nil {
		return "", nil, err
	}
	if w.kinds != nil {
		kinds = w.kinds
	}
	k.opts.Prices.Ask(ctx)
	kinds = slices.DeleteFunc(slices.Clone(kinds), func(kind sandbox.Kind) bool {
		_, _, ok := k.opts.Prices.PerHour(kind, w.hardware)
		return !ok
	})
	if len(kinds) == 0 {
		err = fmt.Errorf("no sandbox can have hardware %q", w.hardware)
	}
	return owner, kinds, err
}

// giveBack ends the reservation of a sandbox that was not made.
func (w wish) giveBack(why error) {
	if why == nil || w.session == nil || w.spend == "" {
		return
	}
	var failed failedError
	errors.As(why, &failed)
	bill.End(w.session, w.spend, failed.micro)
}

// hubWords is what the Hub has said.
func hubWords(err error) string {
	var e *hub.Error
	if errors.As(err, &e) && e.Message != "" {
		return e.Message
	}
	return err.Error()
}

// afford makes sure that the first hour of a kind is reserved: one that is
// dearer than what was reserved needs the rest as well.
func (k *Keeper) afford(w *wish, kind sandbox.Kind) error {
	usd, source, _ := k.opts.Prices.PerHour(kind, w.hardware)
	if w.session == nil || usd <= w.spendUSD {
		return nil
	}
	if w.spend != "" {
		w.session.Release(w.spend)
	}
	w.spend, w.spendUSD = bill.Renewal(), usd
	if err := w.session.Reserve(w.spend, "", bill.Hour(usd, source)); err != nil {
		return fmt.Errorf("a %s of hardware %s costs %.4g USD an hour: %w", kind, w.hardware, usd, err)
	}
	return nil
}

// one makes a sandbox of one kind.
func (k *Keeper) one(ctx context.Context, w wish, owner string, kind sandbox.Kind) (*box, error) {
	usd, source, _ := k.opts.Prices.PerHour(kind, w.hardware)
	o := k.order(w, owner, sandbox.NewToken())
	k.opts.Hold(o.Token)
	rec := sandbox.Record{
		Place: sandbox.Place{Kind: kind, Owner: owner, Hardware: w.hardware}, Key: w.key, Token: o.Token, Call: w.call,
		Created: time.Now(), Status: sandbox.Creating, Spend: w.spend, USDPerHour: usd, Source: source,
	}
	if err := k.opts.Records.Put(rec); err != nil {
		return nil, err
	}
	w.say(fmt.Sprintf("Creating a sandbox for %s (%s)", owner, w.hardware))
	maker := k.opts.Makers[kind]
	p, err := maker.Create(ctx, o, w.say)
	if err != nil {
		k.undo(ctx, maker, o, rec, err)
		return nil, err
	}
	rec.Place = p
	if err = k.opts.Records.Put(rec); err == nil {
		err = w.made(p.Ref())
	}
	if err != nil {
		return nil, k.scrap(maker, rec, err)
	}
	return k.finish(ctx, w, o, rec)
}

// order is the sandbox of a wish as its maker wants it.
func (k *Keeper) order(w wish, owner, token string) sandbox.Order {
	o := sandbox.Order{
		Key: w.key, Session: k.opts.Session, Owner: owner, Hardware: w.hardware, Token: token,
		Secrets: map[string]string{}, Variables: k.opts.Variables(),
	}
	for _, all := range []map[string]string{k.opts.Secrets(), w.secrets} {
		for name, value := range all {
			o.Secrets[name] = value
		}
	}
	return o
}

// finish waits until a sandbox that was made answers.
func (k *Keeper) finish(ctx context.Context, w wish, o sandbox.Order, rec sandbox.Record) (*box, error) {
	maker := k.opts.Makers[rec.Kind]
	p, err := maker.Ready(ctx, o, rec.Place, w.say)
	rec.Place = p
	if err != nil {
		return nil, k.scrap(maker, rec, err)
	}
	w.say(fmt.Sprintf("The machine runs (%s); waiting for the tool server", rec.Hardware))
	b, err := k.open(rec, w.session)
	if err == nil {
		err = sandbox.Await(ctx, maker, p, func(ctx context.Context) error {
			_, err := b.client.Health(ctx)
			return err
		})
	}
	if err == nil {
		rec.Status = sandbox.Active
		b.rec = rec
		err = k.opts.Records.Put(rec)
	}
	if err == nil {
		b.place, err = room.New(ctx, b.client, k.opts.Resync)
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		if b != nil {
			b.stop()
			b.client.Close()
		}
		return nil, k.scrap(maker, rec, err)
	}
	w.say(fmt.Sprintf("Sandbox ready: %s (%s)", rec.ID, rec.Page))
	k.tell(event.SandboxCreate{SandboxID: rec.ID, Hardware: rec.Hardware, CreateLatencyS: time.Since(rec.Created).Seconds()})
	k.attend(b)
	return b, nil
}

// open makes the client of a sandbox.
func (k *Keeper) open(rec sandbox.Record, s tool.Session) (*box, error) {
	b := &box{maker: k.opts.Makers[rec.Kind], rec: rec, session: s}
	b.watch, b.stop = context.WithCancel(k.life)
	client, err := k.opts.Connect(Address{
		URL: rec.URL, Token: rec.Token,
		Restarted:   func(string, string) { k.restarted(b) },
		Unreachable: func(ctx context.Context, why error) error { return k.unreachable(ctx, b, why) },
	})
	if err != nil {
		b.stop()
		return nil, err
	}
	b.client = client
	return b, nil
}

// scrap removes a sandbox that is of no use and returns why, with what it has
// cost.
func (k *Keeper) scrap(maker sandbox.Maker, rec sandbox.Record, why error) error {
	minutes, _ := k.destroy(maker, rec)
	if micro := bill.Micro(rec, minutes); micro > 0 {
		return failedError{why, micro}
	}
	return why
}

// undo looks after a creation that failed: where nobody knows whether something
// was made, it is looked for.
func (k *Keeper) undo(ctx context.Context, maker sandbox.Maker, o sandbox.Order, rec sandbox.Record, why error) {
	if ctx.Err() == nil && !hub.Ambiguous(why) {
		_ = k.opts.Records.Drop(rec.Key) // what stays says that nothing was made yet
		return
	}
	rec.Status = sandbox.Orphan
	_ = k.opts.Records.Put(rec)
	clear, stop := context.WithTimeout(context.WithoutCancel(ctx), removeLimit)
	defer stop()
	for look := range lookAgain {
		p, found, err := maker.Find(clear, o)
		if found {
			rec.Place = p
			_, _ = k.destroy(maker, rec)
			return
		}
		if err == nil && look+1 == lookAgain {
			_ = k.opts.Records.Drop(rec.Key)
			return
		}
		if sandbox.Pause(clear, 2*time.Second) != nil {
			return // the record stays, and the next run looks again
		}
	}
}

// destroy removes a sandbox with three tries. What stays is an orphan. Minutes
// are what is to be paid.
func (k *Keeper) destroy(maker sandbox.Maker, rec sandbox.Record) (minutes int64, err error) {
	ctx, stop := context.WithTimeout(context.Background(), removeLimit)
	defer stop()
	rec.Status = sandbox.Orphan // until it is known to be gone
	_ = k.opts.Records.Put(rec)
	k.say("Deleting sandbox " + rec.ID + "...")
	waits := removeWaits()
	for try := 0; ; try++ {
		if minutes, err = maker.Delete(ctx, rec.Place); err == nil {
			break
		}
		if try == len(waits) || sandbox.Pause(ctx, waits[try]) != nil {
			k.say(fmt.Sprintf("Sandbox %s could not be deleted and is left behind: %v. Remove it with: ml-intern sandbox rm %s", rec.ID, err, rec.ID))
			return bill.Minutes(rec, -1), err
		}
	}
	k.say("Sandbox " + rec.ID + " deleted")
	minutes = bill.Minutes(rec, minutes)
	rec.Status = sandbox.Destroyed
	_ = k.opts.Records.Put(rec)
	lifetime := time.Since(rec.Created).Seconds()
	usd := float64(bill.Micro(rec, minutes)) / 1e6
	k.tell(event.SandboxDestroy{SandboxID: rec.ID, Hardware: rec.Hardware, LifetimeS: &lifetime, EstimatedCostUSD: &usd})
	return minutes, nil
}
