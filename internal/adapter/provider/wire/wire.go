// Package wire is the part of a streamed model call that providers with the
// OpenAI family of APIs share: it posts a body, tells a stream of events from a
// plain JSON answer, watches over silence, reads usage and knows how OpenAI
// names its reasoning models. It knows neither messages nor what an event
// means, and it never repeats a request.
package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/fault"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
	"github.com/ml-intern/ml-intern/internal/platform/sse"
)

const (
	// maxLine bounds a line of a stream in bytes: encrypted reasoning is long.
	maxLine = 32 << 20
	// maxError bounds the body of a refused request in bytes.
	maxError = 1 << 20
	// maxDrain and drainTime bound what is read after an end marker.
	maxDrain  = 64 << 10
	drainTime = 10 * time.Millisecond
)

// How long a provider may take.
const (
	// FirstByte bounds the wait for the start of the answer's body.
	FirstByte = 300 * time.Second
	// Idle bounds the silence between two bytes; comments count as life.
	Idle = 180 * time.Second
)

// Call is one request.
type Call struct {
	HTTP *http.Client
	// Provider and Model (the user's id) are what faults name.
	Provider, Model string
	URL             string
	// Header carries credentials and whatever else the provider wants.
	Header http.Header
	Body   Body
}

// Reply is an answer with a good status: a stream, or one JSON document.
type Reply struct {
	Header http.Header
	// JSON is the whole body when it is no stream of events.
	JSON []byte

	call   Call
	body   *watched
	read   *bufio.Reader
	cancel context.CancelFunc
	stop   func() bool
}

// Post sends the request. Its error is the context's when ctx has ended, else
// an *llm.Fault. The caller closes the reply.
func Post(ctx context.Context, call Call) (*Reply, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	callCtx, cancel := context.WithCancel(ctx)
	r := &Reply{call: call, cancel: cancel, body: &watched{cancel: cancel}, stop: func() bool { return true }}
	r.body.wait(FirstByte)
	resp, err := r.send(callCtx)
	if err != nil {
		defer r.Close()
		return nil, r.Lost(ctx, err, false)
	}
	r.Header, r.body.body = resp.Header, resp.Body
	r.stop = context.AfterFunc(callCtx, r.body.close)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		defer r.Close()
		return nil, r.refused(ctx, resp.StatusCode)
	}
	if err := r.sniff(); err != nil {
		defer r.Close()
		return nil, r.Lost(ctx, err, false)
	}
	return r, nil
}

// refused reads the body of an answer with a bad status. The status is worth
// more than a body that broke off.
func (r *Reply) refused(ctx context.Context, status int) error {
	text, _ := io.ReadAll(io.LimitReader(r.body, maxError))
	if err := ctx.Err(); err != nil {
		return err
	}
	return fault.FromResponse(r.call.Provider, r.call.Model, status, r.Header, text)
}

func (r *Reply) send(ctx context.Context) (*http.Response, error) {
	body := r.call.Body
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.call.URL, body.Reader())
	if err != nil {
		return nil, err
	}
	// A connection that was closed while idle is only noticed on use: the
	// request is then sent once more on another.
	req.ContentLength = int64(body.Len())
	req.GetBody = func() (io.ReadCloser, error) { return body.Reader(), nil }
	for k, v := range r.call.Header {
		req.Header[k] = v
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/event-stream")
	// A compressed stream arrives in the compressor's blocks, not as written.
	req.Header.Set("Accept-Encoding", "identity")
	client := http.Client{}
	if r.call.HTTP != nil {
		client = *r.call.HTTP
	}
	// A redirected POST would carry the conversation elsewhere.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return httpx.ErrRedirect }
	return client.Do(req)
}

// sniff reads a body that is one JSON document: some servers ignore that a
// stream was asked for, and some send errors so under a good status. A line of
// an event stream never begins with a brace or bracket.
func (r *Reply) sniff() error {
	r.read = bufio.NewReaderSize(r.body, 4096)
	if b, _ := r.read.Peek(3); bytes.Equal(b, []byte("\xef\xbb\xbf")) {
		_, _ = r.read.Discard(3) // just peeked at
	}
	for {
		b, err := r.read.Peek(1)
		if err != nil {
			return ignoreEOF(err)
		}
		switch b[0] {
		case ' ', '\t', '\r', '\n':
			_, _ = r.read.Discard(1) // just peeked at
			continue
		case '{', '[':
			r.JSON, err = io.ReadAll(io.LimitReader(r.read, maxLine))
			return err
		}
		return nil
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// Events yields the events of the stream until ctx, which is the one given to
// [Post], ends. An error is the last pair; give it to [Reply.Lost].
func (r *Reply) Events(ctx context.Context) iter.Seq2[sse.Event, error] {
	return func(yield func(sse.Event, error) bool) {
		for ev, err := range sse.Read(r.read, maxLine) {
			if ended := ctx.Err(); ended != nil {
				yield(sse.Event{}, ended)
				return
			}
			if !yield(ev, err) {
				return
			}
		}
	}
}

// Close ends the call.
func (r *Reply) Close() {
	r.stop()
	r.cancel()
	r.body.dog.Stop()
	r.body.close()
}

// Drain reads the little that may follow an answer's end marker, so that the
// connection can carry the next call. A server that keeps the stream open is
// not waited for.
func (r *Reply) Drain() {
	impatience := time.AfterFunc(drainTime, r.cancel)
	defer impatience.Stop()
	_, _ = io.CopyN(io.Discard, r.read, maxDrain) // the answer is complete already
}

// Lost names the reason why the call ended without a proper end: ctx, which is
// the one given to [Post], a silence that lasted too long, or the connection.
// err is that of [Reply.Events], nil for a stream that ended too early.
func (r *Reply) Lost(ctx context.Context, err error, afterOutput bool) error {
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	if quiet := silence(r.body.quiet.Load()); quiet > 0 {
		err = quiet
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return fault.FromTransport(r.call.Provider, r.call.Model, err, afterOutput)
}

// Fault reads an error object found in the answer; what is no JSON at all is a
// fault of the server.
func (r *Reply) Fault(raw []byte, afterOutput bool) *llm.Fault {
	return fault.FromStream(r.call.Provider, r.call.Model, raw, afterOutput)
}

// silence is how long nothing was received.
type silence time.Duration

func (s silence) Error() string {
	return fmt.Sprintf("nothing received for %d seconds", int(time.Duration(s).Seconds()))
}

// Timeout makes this a timeout in the eyes of package net.
func (silence) Timeout() bool { return true }

// Is makes this a deadline for errors.Is.
func (silence) Is(target error) bool { return target == context.DeadlineExceeded }

// watched is a body whose silence ends the call.
type watched struct {
	body   io.ReadCloser // nil until the headers have arrived
	cancel context.CancelFunc
	dog    *time.Timer
	quiet  atomic.Int64 // the silence that ended the call, in nanoseconds
	once   sync.Once
	begun  bool
}

// wait starts the clock: nothing received for d ends the call.
func (w *watched) wait(d time.Duration) {
	w.dog = time.AfterFunc(d, func() {
		w.quiet.Store(int64(d))
		w.cancel()
	})
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.body.Read(p)
	if n > 0 {
		w.alive()
	}
	return n, err
}

// alive restarts the clock; after the first byte the shorter limit holds.
func (w *watched) alive() {
	if w.begun {
		w.dog.Reset(Idle)
		return
	}
	w.begun = true
	w.dog.Stop()
	w.wait(Idle)
}

func (w *watched) close() {
	if w.body != nil {
		w.once.Do(func() { _ = w.body.Close() }) // nothing is left to be lost
	}
}

// JoinURL appends a path to a base URL.
func JoinURL(base, path string) string { return strings.TrimRight(base, "/") + path }
