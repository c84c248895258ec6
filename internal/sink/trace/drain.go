package trace

import (
	"context"
	"errors"
	"slices"
	"time"
)

// ErrBusy says that another process works on the queue.
var ErrBusy = errors.New("another process works on the queue of uploads")

// Drain sends what is left in the queue, but for sessions that a process writes:
// those are its own affair. Until is when something may be tried again; zero for
// nothing that time alone helps. ErrBusy says that somebody is at it.
func (u *Uploader) Drain(ctx context.Context) (all []Outcome, until time.Time, err error) {
	if err := u.o.Queue.Forget(ctx, u.o.Source.Sessions); err != nil {
		return nil, time.Time{}, err
	}
	due, err := u.o.Queue.Due()
	if err != nil || len(due) == 0 {
		return nil, time.Time{}, err
	}
	release, ok, err := u.o.Queue.hold(".drain.lock")
	if err != nil {
		return nil, time.Time{}, err
	}
	if !ok {
		return nil, time.Time{}, ErrBusy
	}
	defer release()
	for _, session := range due {
		if err := ctx.Err(); err != nil {
			return all, until, err
		}
		if _, held := u.o.Source.Held(session); held {
			continue
		}
		for _, out := range u.Send(ctx, session, false) {
			all = append(all, out)
			if !out.Until.IsZero() && (until.IsZero() || out.Until.Before(until)) {
				until = out.Until
			}
		}
	}
	return all, until, nil
}

// rest sends what earlier runs have left, once.
func (u *Uploader) rest(ctx context.Context) {
	u.once.Do(func() {
		if _, _, err := u.Drain(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, ErrBusy) {
			u.o.Log.Warn("what was left to upload stays", "error", err)
		}
	})
}

// Finish drains the queue until nothing is left that waiting helps, before ctx
// ends.
func (u *Uploader) Finish(ctx context.Context) error {
	for {
		_, until, err := u.Drain(ctx)
		if err != nil || until.IsZero() {
			if errors.Is(err, ErrBusy) {
				return nil
			}
			return err
		}
		if end, ok := ctx.Deadline(); ok && until.After(end) {
			return nil
		}
		timer := time.NewTimer(time.Until(until))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// Left reports whether Finish has something to do: something is due at a place
// that has not refused this token, and that has not been out of reach.
func (u *Uploader) Left(ctx context.Context) bool {
	due, err := u.o.Queue.Due()
	if err != nil || len(due) == 0 {
		return false
	}
	places, err := u.o.Queue.Places()
	if err != nil {
		return false
	}
	for _, wanted := range u.o.Wanted(ctx) {
		to, err := u.o.Target(ctx, wanted.Kind)
		if err != nil {
			continue
		}
		place := places[to.Repo]
		if place.Away || place.Refused != "" && place.Token == to.Token {
			continue
		}
		if slices.ContainsFunc(due, func(session string) bool { return u.left(session, wanted.Kind, to.Repo) }) {
			return true
		}
	}
	return false
}

// left reports whether a session is due at a place, and nobody writes it.
func (u *Uploader) left(session string, kind Kind, repo string) bool {
	if _, held := u.o.Source.Held(session); held {
		return false
	}
	record, _, err := u.o.Queue.Load(session)
	item := record.Items[kind]
	return err == nil && item.Due() && (item.Repo == "" || item.Repo == repo)
}
