package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

const (
	// patience is how many tries in a row may bring no new byte.
	patience = 5
	// bufferSize is how much of an answer is in memory at once, in bytes.
	bufferSize = 256 << 10
	// maxWait is the longest wait a server may ask for.
	maxWait = 300 * time.Second
)

// content is one file's content on its way: where it is now, and how far.
type content struct {
	a    *API
	op   string
	src  Source // its revision is a commit, so that the content stays the same
	path string
	meta Meta

	mu       sync.Mutex
	location string // the signed address; "" asks the Hub
	done     int64
	resumed  int64 // how much of it an earlier download has left
}

// errWhole says that a server answered a range with the whole file.
var errWhole = errors.New("the server does not send ranges")

// body is one answer with the bytes from start on.
type body struct {
	io.ReadCloser
	whole bool // the request named a range, the answer does not
}

// open asks for the bytes from from up to, but without, to.
func (k *content) open(ctx context.Context, from, to int64) (body, error) {
	h := http.Header{"Accept-Encoding": {"identity"}}
	partly := from > 0 || to < k.meta.Size
	if partly {
		h.Set("Range", fmt.Sprintf("bytes=%d-%d", from, to-1))
	}
	k.mu.Lock()
	location := k.location
	k.mu.Unlock()
	if location == "" {
		resp, err := k.a.c.Do(ctx, wire.Request{
			Op: k.op, Path: k.src.resolve(k.path), Accept: "*/*", Header: h, Foreign: true, Retry: wire.Never,
		})
		if err != nil {
			return body{}, err
		}
		if resp.StatusCode < 300 {
			return k.answer(resp, from, partly)
		}
		resp.Body.Close()
		address, err := resp.Location()
		if err != nil {
			return body{}, &wire.Error{Kind: wire.Unexpected, Op: k.op, Status: resp.StatusCode, Message: "the redirect leads nowhere"}
		}
		location = address.String()
		k.mu.Lock()
		k.location = location
		k.mu.Unlock()
	}
	resp, err := k.a.c.Signed(ctx, wire.SignedRequest{Op: k.op, URL: location, Header: h, Retry: wire.Never})
	if err != nil {
		var e *wire.Error
		if errors.As(err, &e) && (e.Status == http.StatusForbidden || e.Status == http.StatusUnauthorized) {
			// The signature has expired: ask the Hub for a new one.
			k.forget(location)
			e.Retryable = true
		}
		return body{}, err
	}
	return k.answer(resp, from, partly)
}

// forget drops a signed address, unless somebody else has a newer one.
func (k *content) forget(location string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.location == location {
		k.location = ""
	}
}

// answer checks that what comes is what was asked for.
func (k *content) answer(resp *http.Response, from int64, partly bool) (body, error) {
	bad := func(format string, args ...any) (body, error) {
		resp.Body.Close()
		return body{}, &wire.Error{
			Kind: wire.Unexpected, Op: k.op, Status: resp.StatusCode, Message: fmt.Sprintf(format, args...), Retryable: true,
		}
	}
	if resp.StatusCode != http.StatusPartialContent {
		if n := resp.ContentLength; n >= 0 && n != k.meta.Size {
			return bad("the server sends %d bytes, not %d", n, k.meta.Size)
		}
		return body{resp.Body, partly}, nil
	}
	span, total, _ := strings.Cut(strings.TrimPrefix(resp.Header.Get("Content-Range"), "bytes "), "/")
	first, _, _ := strings.Cut(span, "-")
	start, err := strconv.ParseInt(first, 10, 64)
	if err != nil || start != from {
		return bad("the server sends another range than asked for")
	}
	if total != "*" && total != strconv.FormatInt(k.meta.Size, 10) {
		return bad("the server has a file of %s bytes, not %d", total, k.meta.Size)
	}
	return body{ReadCloser: resp.Body}, nil
}

// sink takes content at its place.
type sink interface {
	io.WriterAt
	Truncate(size int64) error
}

// pull brings the bytes from from up to to into out, with as many answers as
// it takes, and returns how far it came. Five tries in a row without a new
// byte are the end. A server that ignores ranges is followed only if whole
// allows it: out then starts over.
func (k *content) pull(ctx context.Context, out sink, from, to int64, whole bool) (int64, error) {
	stuck := 0
	for from < to {
		n, restart, err := k.once(ctx, out, from, to, whole)
		if restart {
			from = 0
		}
		from += n
		if from >= to {
			return from, nil
		}
		if n > 0 {
			stuck = 0
		} else {
			stuck++
		}
		if err := k.pause(ctx, err, stuck); err != nil {
			return from, err
		}
	}
	return from, nil
}

// pause waits before the next try, or says why there is none.
func (k *content) pause(ctx context.Context, err error, stuck int) error {
	var e *wire.Error
	if err == nil {
		err = &wire.Error{Kind: wire.Unreachable, Op: k.op, Retryable: true, Err: io.ErrUnexpectedEOF}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !errors.As(err, &e) || !e.Retryable || stuck >= patience || e.RetryAfter > maxWait {
		return err
	}
	d := e.RetryAfter
	if d == 0 && stuck > 0 && e.Status != http.StatusForbidden && e.Status != http.StatusUnauthorized {
		d = time.Second << (stuck - 1)
	}
	if d == 0 {
		return nil
	}
	if werr := k.a.c.Wait(ctx, d, fmt.Sprintf("%s: %v, trying again in %s", k.op, e.Kind, d)); werr != nil {
		return err
	}
	return nil
}

// once makes one request and writes what comes of it.
func (k *content) once(ctx context.Context, out sink, from, to int64, whole bool) (n int64, restart bool, err error) {
	if err := k.a.acquire(ctx); err != nil {
		return 0, false, err
	}
	defer k.a.release()
	in, err := k.open(ctx, from, to)
	if err != nil {
		return 0, false, err
	}
	defer in.Close()
	if in.whole {
		if !whole {
			return 0, false, errWhole
		}
		if err := out.Truncate(0); err != nil {
			return 0, false, fmt.Errorf("%s: %w", k.op, err)
		}
		restart, from = true, 0
		k.resume(0)
	}
	n, err = k.copy(out, in, from, to)
	return n, restart, err
}

// copy writes what in holds at from, but not beyond to.
func (k *content) copy(out sink, in io.Reader, from, to int64) (n int64, err error) {
	buf := make([]byte, min(bufferSize, to-from))
	for from+n < to {
		got, err := in.Read(buf[:min(int64(len(buf)), to-from-n)])
		if got > 0 {
			if _, err := out.WriteAt(buf[:got], from+n); err != nil {
				return n, fmt.Errorf("%s: %w", k.op, err)
			}
			n += int64(got)
			k.add(int64(got))
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, &wire.Error{Kind: wire.Unreachable, Op: k.op, Retryable: true, Err: err}
		}
	}
	return n, nil
}

// add counts bytes and tells how far the file is.
func (k *content) add(n int64) {
	k.mu.Lock()
	k.done += n
	done := k.done
	k.mu.Unlock()
	k.a.o.Progress(k.path, done, k.meta.Size)
}

// resume counts what an earlier download has left.
func (k *content) resume(n int64) {
	k.mu.Lock()
	k.done, k.resumed = 0, n
	k.mu.Unlock()
	k.add(n)
}
