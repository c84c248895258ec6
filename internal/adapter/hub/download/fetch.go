package download

import (
	"context"
	"crypto/sha1" //nolint:gosec // what git calls things
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// lockPoll is how often a lock that another process holds is tried.
const lockPoll = 200 * time.Millisecond

// place is where the content of a file goes: to final in the end; until then
// it is in part, or in ranges together with a journal.
type place struct{ final, part, ranges, journal, lock string }

// exclusively runs f while no other process works on the place.
func (p place) exclusively(ctx context.Context, f func() error) error {
	for _, name := range []string{p.final, p.part, p.lock} {
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			return fmt.Errorf("make room for a download: %w", err)
		}
	}
	l := flock.New(p.lock)
	ok, err := l.TryLockContext(ctx, lockPoll)
	if err != nil || !ok {
		return fmt.Errorf("wait for another download of the same file: %w", err)
	}
	defer func() { _ = l.Unlock() }()
	return f()
}

// fetch brings content to its final place, if it is not there. The content is
// checked before it gets there.
func (k *content) fetch(ctx context.Context, p place, fresh bool) error {
	return p.exclusively(ctx, func() error {
		if _, err := os.Stat(p.final); err == nil && !fresh {
			return nil // by another process, while this one waited
		}
		name, err := k.complete(ctx, p)
		if err != nil {
			return err
		}
		if err := os.Rename(name, p.final); err != nil {
			return fmt.Errorf("%s: %w", k.op, err)
		}
		_ = os.Remove(p.journal)
		return nil
	})
}

// complete brings all bytes together and checks them. What is not right is
// removed; if some of it was there before, all is fetched anew.
func (k *content) complete(ctx context.Context, p place) (string, error) {
	for {
		name, err := k.gather(ctx, p)
		if err != nil {
			return "", err
		}
		err = k.verify(name)
		if !errors.Is(err, ErrMismatch) {
			return name, err
		}
		_, _ = os.Remove(name), os.Remove(p.journal)
		if k.resumed == 0 {
			return "", err
		}
		k.mu.Lock()
		k.done, k.resumed = 0, 0
		k.mu.Unlock()
	}
}

// gather brings all bytes into one of the unfinished files and names it.
func (k *content) gather(ctx context.Context, p place) (string, error) {
	if k.meta.Size > k.a.o.ParallelAbove && k.a.o.Connections > 1 {
		err := k.inRanges(ctx, p)
		if err == nil {
			return p.ranges, nil
		}
		if !errors.Is(err, errWhole) {
			return "", err
		}
		_, _ = os.Remove(p.ranges), os.Remove(p.journal)
	}
	return p.part, k.inOne(ctx, p)
}

// inOne fetches from the first missing byte to the end.
func (k *content) inOne(ctx context.Context, p place) (err error) {
	f, err := os.OpenFile(p.part, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return fmt.Errorf("%s: %w", k.op, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("%s: %w", k.op, err)
	}
	have := info.Size()
	if have > k.meta.Size {
		have = 0
		if err := f.Truncate(0); err != nil {
			return fmt.Errorf("%s: %w", k.op, err)
		}
	}
	k.resume(have)
	_, err = k.pull(ctx, f, have, k.meta.Size, true)
	return err
}

// inRanges fetches the missing ranges, several at once.
func (k *content) inRanges(ctx context.Context, p place) (err error) {
	f, err := os.OpenFile(p.ranges, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return fmt.Errorf("%s: %w", k.op, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	j, err := openJournal(p.journal, f, k.meta, k.a.o.RangeSize)
	if err != nil {
		return fmt.Errorf("%s: %w", k.op, err)
	}
	defer func() { err = errors.Join(err, j.close()) }()
	k.resume(j.bytes())
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var workers sync.WaitGroup
	for range k.a.o.Connections {
		workers.Go(func() {
			for {
				n, from, to, ok := j.take()
				if !ok || ctx.Err() != nil {
					return
				}
				if _, err := k.pull(ctx, f, from, to, false); err != nil {
					cancel(err)
					return
				}
				if err := j.finish(n); err != nil {
					cancel(fmt.Errorf("%s: %w", k.op, err))
					return
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// verify compares a finished file with what the Hub has said of it.
func (k *content) verify(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("%s: %w", k.op, err)
	}
	defer f.Close()
	var h hash.Hash = sha256.New()
	if len(k.meta.ETag) == 40 {
		h = sha1.New() //nolint:gosec // what git calls things
		fmt.Fprintf(h, "blob %d\x00", k.meta.Size)
	}
	n, err := io.CopyBuffer(h, io.LimitReader(f, k.meta.Size+1), make([]byte, bufferSize))
	if err != nil {
		return fmt.Errorf("%s: %w", k.op, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); n != k.meta.Size || got != k.meta.ETag {
		return &wire.Error{
			Kind: wire.Unexpected, Op: k.op, Retryable: true, Err: ErrMismatch,
			Message: fmt.Sprintf("hash mismatch: %s arrived, %s was expected; nothing of it was kept", got, k.meta.ETag),
		}
	}
	return nil
}
