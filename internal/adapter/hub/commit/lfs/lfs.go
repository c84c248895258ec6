// Package lfs brings large files into a repository's store of large files, in
// one piece or in parts, several at once. It knows the store's protocol, not
// which files belong there and what is committed afterwards.
//
// Addresses to upload to are signed and grow old: when one is refused the store
// is asked again for that file alone. What has arrived stays: a part is sent
// again only when the store misses it.
package lfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

const (
	// batchSize is how many files the store is asked about at once. Their
	// addresses grow old together, so it is no more than needed.
	batchSize = 100
	// objectsAtOnce is how many files are on their way at the same time.
	objectsAtOnce = 4
	// renewals is how often one file's addresses are asked for again without a
	// new part having arrived in between.
	renewals = 3
	// verifyTries is how often the store is asked whether a file has arrived.
	verifyTries = 3
	// settle bounds the wait until the store has put a file's parts together.
	settle = 5 * time.Minute
)

// Source is where a file's bytes come from. Every call begins anew.
type Source interface {
	Open(ctx context.Context) (io.ReadCloser, error)
	Part(ctx context.Context, offset, n int64) (io.ReadCloser, error)
}

// Object is one file.
type Object struct {
	Path   string // for errors and progress
	OID    string // SHA-256 in hex
	Size   int64
	Source Source
}

// Options of a store.
type Options struct {
	Conn *wire.Conn
	// Repo is the path of the repository's page, escaped, such as
	// /datasets/bob/d1.
	Repo string
	// Ref is the branch that will hold the files; "" when it is not made yet.
	Ref string
	// Streams is how many bodies are sent at once; 0 means 8.
	Streams int
	// Sent, if set, is told of bytes that went out; a negative number takes
	// those of a failed try back. It is called from several goroutines.
	Sent func(path string, n int64)
}

// Store is one repository's store of large files.
type Store struct {
	o     Options
	slots chan struct{}
}

// New checks the options.
func New(o Options) (*Store, error) {
	switch {
	case o.Conn == nil:
		return nil, errors.New("open store of large files: Options.Conn is missing")
	case o.Repo == "":
		return nil, errors.New("open store of large files: Options.Repo is missing")
	case o.Streams < 0 || o.Streams > 64:
		return nil, fmt.Errorf("open store of large files: Options.Streams is %d, not 0 to 64", o.Streams)
	}
	if o.Streams == 0 {
		o.Streams = 8
	}
	if o.Sent == nil {
		o.Sent = func(string, int64) {}
	}
	return &Store{o: o, slots: make(chan struct{}, o.Streams)}, nil
}

// Upload brings the files into the store, but those it has already. On the
// first failure the rest is given up.
func (s *Store) Upload(ctx context.Context, objects []Object) error {
	for group := range slices.Chunk(unique(objects), batchSize) {
		answers, err := s.batch(ctx, group)
		if err != nil {
			return err
		}
		err = each(ctx, objectsAtOnce, len(group), func(ctx context.Context, i int) error {
			return s.upload(ctx, group[i], answers[i])
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unique leaves out equal content under another name.
func unique(objects []Object) []Object {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(objects), func(o Object) bool {
		again := seen[o.OID]
		seen[o.OID] = true
		return again
	})
}

// upload brings one file into the store, by as many addresses as it takes.
func (s *Store) upload(ctx context.Context, o Object, a *actions) error {
	t := transfer{Store: s, object: o}
	left, verified := renewals, 0
	for {
		if a == nil || a.Upload == nil {
			return nil // it is there
		}
		arrived := t.arrived()
		err := t.put(ctx, a)
		if err == nil {
			err = s.verify(ctx, o, a)
			if missing(err) {
				t.forget()
				if verified++; verified > 1 {
					return err
				}
			}
		}
		if err == nil || !errors.Is(err, errAskAgain) {
			return err
		}
		if t.arrived() > arrived {
			left = renewals
		}
		if left--; left < 0 {
			return err
		}
		again, batchErr := s.batch(ctx, []Object{o})
		if batchErr != nil {
			return batchErr
		}
		a = again[0]
	}
}

// errAskAgain marks a failure that new addresses may help.
var errAskAgain = errors.New("the store must be asked again")

// stale is a failure that new addresses may help, with its own text.
type stale struct{ err error }

func (s *stale) Error() string        { return s.err.Error() }
func (s *stale) Unwrap() error        { return s.err }
func (s *stale) Is(target error) bool { return target == errAskAgain }

// lost is the store's word that a file has not arrived.
type lost struct{ stale }

func missing(err error) bool {
	var l *lost
	return errors.As(err, &l)
}

// verify asks the store whether the file has arrived.
func (s *Store) verify(ctx context.Context, o Object, a *actions) error {
	if a.Verify == nil || a.Verify.Href == "" {
		return nil
	}
	var err error
	for try := range verifyTries {
		if try > 0 {
			if err := s.o.Conn.Wait(ctx, time.Duration(try)*time.Second, "the store does not have "+o.Path+" yet"); err != nil {
				return err
			}
		}
		err = s.post(ctx, wire.SignedRequest{
			Op: "verify the upload of " + o.Path, URL: a.Verify.Href, Auth: true, Type: "application/json",
			JSON: map[string]any{"oid": o.OID, "size": o.Size}, Accept: mediaType,
			Retry: wire.CertainlyNotApplied, FirstByte: settle,
		})
		var e *wire.Error
		if err == nil || ctx.Err() != nil || !errors.As(err, &e) ||
			e.Status != 404 && e.Status < 500 && e.Kind != wire.Unreachable {
			return err
		}
	}
	return &lost{stale{err}}
}

// post sends a request of which only the success matters.
func (s *Store) post(ctx context.Context, r wire.SignedRequest) error {
	r.Method = "POST"
	resp, err := s.o.Conn.Signed(ctx, r)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	return resp.Body.Close()
}

// each runs n tasks, at most width at once, and waits for all; the first
// failure stops those that have not begun and ends the others' context.
func each(ctx context.Context, width, n int, task func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(width, n) {
		wg.Go(func() {
			for i := range next {
				if err := task(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
feed:
	for i := range n {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}
