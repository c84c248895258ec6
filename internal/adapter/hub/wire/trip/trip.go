// Package trip watches a request on its way: whether a connection was made and
// whether its body broke off. It sends nothing.
package trip

import (
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"net/url"
	"sync"
	"sync/atomic"
)

// Progress notes how far a request has come.
type Progress struct{ asked, got atomic.Bool }

// Trace takes the notes; it belongs into the context of the request.
func (p *Progress) Trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { p.asked.Store(true); p.got.Store(false) },
		GotConn: func(httptrace.GotConnInfo) { p.got.Store(true) },
	}
}

// Unconnected reports whether no connection was made.
func (p *Progress) Unconnected() bool { return p.asked.Load() && !p.got.Load() }

// DialFailed reports whether err comes from making a connection.
func DialFailed(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// Body remembers why a body broke off.
type Body struct {
	R      io.Reader
	err    atomic.Pointer[error]
	closed atomic.Bool
}

// Read implements [io.Reader].
func (b *Body) Read(p []byte) (int, error) {
	n, err := b.R.Read(p)
	if err != nil && err != io.EOF && !b.closed.Load() {
		b.err.Store(&err)
	}
	return n, err
}

// Close closes the body, if it can be. A read that fails from then on is no
// fault of the body: the answer came before its end.
func (b *Body) Close() error {
	b.closed.Store(true)
	if closer, ok := b.R.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// Again is a body for the same request once more; it is made when it is read,
// since not everybody who may repeat a request does.
func Again(body func() (io.Reader, int64, error)) *Body { return &Body{R: &later{body: body}} }

// later is a reader that is made when it is first read.
type later struct {
	body func() (io.Reader, int64, error)

	mu     sync.Mutex // it may be closed while it is read
	r      io.Reader
	closed bool
}

// Read implements [io.Reader].
func (l *later) Read(p []byte) (int, error) {
	r, err := l.open()
	if err != nil {
		return 0, err
	}
	return r.Read(p)
}

func (l *later) open() (io.Reader, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, io.ErrClosedPipe
	}
	if l.r == nil {
		r, _, err := l.body()
		if err != nil {
			return nil, err
		}
		l.r = r
	}
	return l.r, nil
}

// Close closes what was made, if it can be.
func (l *later) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if closer, ok := l.r.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// Failed is why the body broke off; nil if it did not.
func (b *Body) Failed() error {
	if err := b.err.Load(); err != nil {
		return *err
	}
	return nil
}

// Bare removes the address that net/http puts before a cause.
func Bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
