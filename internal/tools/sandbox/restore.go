package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/sandbox"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/sandbox/bill"
	"github.com/ml-intern/ml-intern/internal/tools/sandbox/room"
)

// attach begins to serve a session: what an earlier run of the program has left
// is taken up, else a sandbox may be made ahead.
func (k *Keeper) attach(s tool.Session) {
	k.mu.Lock()
	k.session = s
	early := k.early
	k.early = nil
	k.mu.Unlock()
	s.Emit(early...)
	k.ahead(k.opts.Prefetch != PrefetchOff)
}

// prefetchEarly makes a sandbox ahead where that is wanted as soon as a session
// is opened. A session that has one of before takes that up later, with its
// money.
func (k *Keeper) prefetchEarly() {
	if k.opts.Prefetch == PrefetchOnCreate && len(k.opts.Records.All()) == 0 {
		k.ahead(true)
	}
}

// ahead takes up what an earlier run has left, once, else makes a free sandbox
// when that is wanted.
func (k *Keeper) ahead(wanted bool) {
	k.mu.Lock()
	begun := k.begun
	k.begun = true
	k.mu.Unlock()
	if begun {
		return
	}
	k.begin(true, func(ctx context.Context) (*box, error) {
		k.opts.Prices.Ask(ctx) // so that what a sandbox costs is known when one is asked for
		if b := k.restore(ctx); b != nil || ctx.Err() != nil || !wanted {
			return b, nil
		}
		return k.prefetch(ctx)
	})
}

// prefetch makes a sandbox that costs nothing; where there is none it makes
// none.
func (k *Keeper) prefetch(ctx context.Context) (*box, error) {
	_, kinds, err := k.opts.Choose(ctx)
	if err != nil {
		return nil, err
	}
	usd, _, ok := k.opts.Prices.PerHour(kinds[0], sandbox.Basic)
	if !ok || usd > 0 {
		return nil, nil
	}
	return k.build(ctx, wish{
		key: sandbox.NewKey(k.opts.Session, sandbox.NewToken()), hardware: sandbox.Basic, kinds: kinds[:1],
		say: k.say, made: func(string) error { return nil },
	})
}

// restore takes up what an earlier run of the program has left: the sandbox
// that worked, or one made ahead. What was to be removed is removed. One that a
// call was making is left to that call.
func (k *Keeper) restore(ctx context.Context) *box {
	var found *box
	for _, rec := range k.opts.Records.All() {
		maker := k.opts.Makers[rec.Kind]
		switch {
		case maker == nil:
		case rec.Status == sandbox.Orphan && rec.ID != "":
			k.discard(maker, rec)
		case rec.Status == sandbox.Orphan:
			if p, there, err := maker.Find(ctx, sandbox.Order{Key: rec.Key, Owner: rec.Owner, Hardware: rec.Hardware}); there {
				rec.Place = p
				k.discard(maker, rec)
			} else if err == nil {
				_ = k.opts.Records.Drop(rec.Key)
			}
		case rec.Status == sandbox.Creating && rec.Call == "":
			k.abandon(ctx, maker, rec)
		case rec.Status == sandbox.Active && found != nil: // it was being replaced
			k.discard(k.opts.Makers[found.record().Kind], found.record())
			_ = k.release(found)
			found = k.rejoin(ctx, rec)
		case rec.Status == sandbox.Active:
			found = k.rejoin(ctx, rec)
		case rec.Status == sandbox.Destroyed:
			k.notes.Add("The sandbox of before is gone, with its files.")
			_ = k.opts.Records.Drop(rec.Key)
		}
	}
	return found
}

// payer is the session that holds the reservation of a sandbox; nil when
// nothing is to be paid.
func (k *Keeper) payer(rec sandbox.Record) tool.Session {
	k.mu.Lock()
	defer k.mu.Unlock()
	if rec.Spend == "" {
		return nil
	}
	return k.session
}

// discard removes a sandbox and settles it.
func (k *Keeper) discard(maker sandbox.Maker, rec sandbox.Record) {
	minutes, _ := k.destroy(maker, rec)
	bill.Settle(k.payer(rec), rec, minutes)
}

// abandon removes what may have been made ahead when the program ended.
func (k *Keeper) abandon(ctx context.Context, maker sandbox.Maker, rec sandbox.Record) {
	p, there, err := maker.Find(ctx, sandbox.Order{Key: rec.Key, Owner: rec.Owner, Hardware: rec.Hardware})
	switch {
	case there:
		rec.Place = p
		k.discard(maker, rec)
	case err == nil:
		_ = k.opts.Records.Drop(rec.Key)
	}
}

// rejoin goes on with a sandbox that works.
func (k *Keeper) rejoin(ctx context.Context, rec sandbox.Record) *box {
	maker := k.opts.Makers[rec.Kind]
	c, err := maker.Look(ctx, rec.Place)
	if err == nil && (c.State == sandbox.Gone || c.State == sandbox.Down) {
		k.notes.Add(fmt.Sprintf("The sandbox %s of before has ended (stage %s), with its files.", rec.ID, c.Stage))
		k.discard(maker, rec)
		return nil
	}
	b, err := k.open(rec, k.payer(rec))
	if err != nil {
		k.say(fmt.Sprintf("sandbox %s cannot be taken up again: %v", rec.ID, err))
		return nil
	}
	err = sandbox.Await(ctx, maker, rec.Place, func(ctx context.Context) error {
		_, err := b.client.Health(ctx)
		return err
	})
	if err == nil {
		b.place, err = room.New(ctx, b.client, k.opts.Resync)
	}
	if err != nil {
		b.stop()
		b.client.Close()
		if ctx.Err() == nil {
			k.refuse(ctx, maker, rec, err)
		}
		return nil
	}
	k.say("Taking up sandbox " + rec.ID + " again")
	k.attend(b)
	return b
}

// refuse gives up a sandbox of before that does not answer. It is removed, but
// for one of which the Hub cannot tell anything now.
func (k *Keeper) refuse(ctx context.Context, maker sandbox.Maker, rec sandbox.Record, why error) {
	k.say(fmt.Sprintf("sandbox %s cannot be taken up again: %v", rec.ID, why))
	if _, err := maker.Look(ctx, rec.Place); err != nil {
		k.notes.Add(fmt.Sprintf("The sandbox %s of before cannot be reached now.", rec.ID))
		return
	}
	k.notes.Add(fmt.Sprintf("The sandbox %s of before does not answer and was removed.", rec.ID))
	k.discard(maker, rec)
}

// intent is what finding a sandbox again needs.
type intent struct {
	Key string `json:"key"`
}

// Intent names the sandbox that a call will make.
func (c *creator) Intent(_ context.Context, env tool.Env, args json.RawMessage) (json.RawMessage, error) {
	var p Params
	if err := tool.Decode(args, &p); err != nil {
		return nil, err
	}
	return json.Marshal(intent{key(env)})
}

// Recover looks for the sandbox of an earlier run of the program and goes on
// making it.
func (c *creator) Recover(ctx context.Context, env tool.Env, args, saved json.RawMessage) (tool.Outcome, tool.Result, error) {
	var in intent
	if err := json.Unmarshal(saved, &in); err != nil || in.Key == "" {
		return tool.Unknown, tool.Result{}, fmt.Errorf("the intent of the call cannot be read: %q", saved)
	}
	var p Params
	if err := tool.Decode(args, &p); err != nil {
		return tool.Unknown, tool.Result{}, err
	}
	k := c.keeper
	if _, m := k.current(); m != nil { // what is left is being taken up
		if _, err := m.wait(ctx); ctx.Err() != nil {
			return tool.Unknown, tool.Result{}, err
		}
	}
	if b, _ := k.current(); b != nil && b.record().Key == in.Key {
		return tool.Happened, k.created(env.CallID(), b, ""), nil
	}
	rec, known := k.opts.Records.Find(in.Key)
	if !known || rec.Status != sandbox.Creating {
		return tool.NotHappened, tool.Result{}, nil
	}
	return c.resume(ctx, env, p, rec)
}

// resume goes on with a sandbox whose creation may have been cut short at any
// step.
func (c *creator) resume(ctx context.Context, env tool.Env, p Params, rec sandbox.Record) (tool.Outcome, tool.Result, error) {
	k := c.keeper
	maker := k.opts.Makers[rec.Kind]
	if maker == nil {
		return tool.Unknown, tool.Result{}, fmt.Errorf("the sandbox was made as a %s, which is not possible any more", rec.Kind)
	}
	w := c.wish(env, p)
	o := k.order(w, rec.Owner, rec.Token)
	place, found, err := maker.Find(ctx, o)
	if err != nil {
		return tool.Unknown, tool.Result{}, err
	}
	if !found {
		_ = k.opts.Records.Drop(rec.Key)
		return tool.NotHappened, tool.Result{}, nil
	}
	rec.Place = place
	w.spend = rec.Spend
	m := k.begin(false, func(ctx context.Context) (b *box, err error) {
		defer func() { w.giveBack(err) }()
		if err := w.made(place.Ref()); err != nil {
			return nil, k.scrap(maker, rec, err)
		}
		return k.finish(ctx, w, o, rec)
	})
	if m == nil {
		return tool.Unknown, tool.Result{}, errors.New("another sandbox is being created")
	}
	if env.Abandoned() {
		r := tool.Success("The sandbox is being created: " + facts(rec))
		if rec.Spend == env.CallID() {
			r.Holding = rec.Ref()
		}
		return tool.Happened, r, nil
	}
	made, err := k.await(ctx, m)
	switch {
	case ctx.Err() != nil && made == nil:
		return tool.Unknown, tool.Result{}, ctx.Err()
	case err != nil:
		return tool.Happened, k.failed(env, err), nil
	}
	return tool.Happened, k.created(env.CallID(), made, ""), nil
}

// move copies the work folder from one sandbox to another and removes the
// first. When that fails the first stays, and the other one is removed.
func (k *Keeper) move(ctx context.Context, from, to *box) (string, error) {
	packed, err := room.Carry(ctx, from.client, to.client)
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = k.teardown(to)
		return "", fmt.Errorf("%s could not be moved from %s, which is still there: %w; remove what is large, or save what matters and call sandbox_delete first",
			sandbox.Dir, from.record().ID, err)
	}
	old := from.record().ID
	k.say(fmt.Sprintf("moved %d files (%d bytes) from %s to %s", packed.Files, packed.Bytes, old, to.record().ID))
	_ = k.teardown(from) // it has told what went wrong
	return fmt.Sprintf("\nMoved from %s: %d files of %s, %d bytes, without caches and virtual environments. The old sandbox is deleted, with its processes and installed packages.",
		old, packed.Files, sandbox.Dir, packed.Bytes), nil
}
