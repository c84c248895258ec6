// Package trip watches a request on its way: whether a connection was made and
// whether its body broke off. It sends nothing.
package trip

import (
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"net/url"
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
