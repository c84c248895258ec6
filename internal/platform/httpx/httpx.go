// Package httpx is the program's one HTTP client: its timeouts, its redirect
// rules, its name, and the tokens that belong to certain origins. It knows no
// service, retries nothing and follows no server's advice beyond HTTP.
//
// The client it makes is an ordinary [http.Client]. Requests whose Accept
// names an event stream are never compressed; all others may be. There is no
// limit on a whole exchange: callers give their context a deadline.
package httpx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Timeouts used where [Options] leaves them zero.
const (
	DefaultConnect   = 15 * time.Second
	DefaultFirstByte = 300 * time.Second
	DefaultIdle      = 180 * time.Second
)

// maxHeader bounds the headers of an answer, in bytes.
const maxHeader = 512 << 10

// maxRedirects is how many hops one request may take.
const maxRedirects = 5

var (
	// ErrRedirect is in the chain of an error for a redirect not followed.
	ErrRedirect = errors.New("redirect refused")
	// ErrTooLarge is in the chain of an error for a response over its limit.
	ErrTooLarge = errors.New("response is over the limit")
)

// Token is a credential that belongs to one origin. It is added, as
// "Authorization: Bearer", to requests without an Authorization of their own
// whose scheme, host and port are those of Origin, after redirects too; never
// over plain http, unless to this machine itself.
type Token struct {
	Origin string        // a URL, of which path and query do not matter
	Value  func() string // asked for every request; "" adds nothing
}

// Options says how the client behaves. The zero value of a duration takes the
// default; a negative one switches that timeout off.
type Options struct {
	// Version is the program's version, for the User-Agent.
	Version string
	// Connect limits connecting and the TLS handshake together.
	Connect time.Duration
	// FirstByte limits the time from the request to the first byte of the
	// response's body: some servers send their headers at once and think then.
	FirstByte time.Duration
	// Idle limits the silence between two reads of the body. Any byte counts,
	// also a stream's comments and pings.
	Idle time.Duration
	// Proxy picks the proxy of a request, as [http.ProxyFromEnvironment]
	// does; nil means none.
	Proxy  func(*http.Request) (*url.URL, error)
	Tokens []Token
	// Dial replaces how connections are made; nil is the network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Transport replaces the network, for tests and special dialling. It then
	// has its own connect timeout and proxy.
	Transport http.RoundTripper
}

// New returns a client that behaves as o says. It is safe for use by many
// goroutines and keeps connections open between requests.
func New(o Options) (*http.Client, error) {
	if strings.ContainsFunc(o.Version, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, fmt.Errorf("make http client: version %q has characters that a header cannot hold", o.Version)
	}
	rt := &transport{
		base:  o.Transport,
		agent: "ml-intern/" + o.Version,
		limits: limits{
			connect:   orDefault(o.Connect, DefaultConnect),
			firstByte: orDefault(o.FirstByte, DefaultFirstByte),
			idle:      orDefault(o.Idle, DefaultIdle),
		},
	}
	for i, tok := range o.Tokens {
		origin, err := url.Parse(tok.Origin)
		if err != nil || origin.Host == "" || tok.Value == nil {
			return nil, fmt.Errorf("make http client: tokens[%d] needs a value and an absolute url as origin, not %q", i, tok.Origin)
		}
		rt.tokens = append(rt.tokens, boundToken{originOf(origin), tok.Value})
	}
	if rt.base == nil {
		rt.base = network(o, rt.limits.connect)
	}
	return &http.Client{Transport: rt, CheckRedirect: checkRedirect}, nil
}

func orDefault(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return max(d, 0)
}

func network(o Options, connect time.Duration) *http.Transport {
	dial := o.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}).DialContext
	}
	return &http.Transport{
		Proxy:                 o.Proxy,
		DialContext:           dial,
		TLSHandshakeTimeout:   connect,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          100,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,

		MaxResponseHeaderBytes: maxHeader,
		// A connection that died unnoticed is found by a ping, so that the
		// next request does not wait for its first byte in vain.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
}

// ReadAll reads r to its end, but no more than limit bytes: a longer response
// is an error with [ErrTooLarge] in its chain, and what was read of it is
// returned with it.
func ReadAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		return data[:limit], fmt.Errorf("read response: %w of %d bytes", ErrTooLarge, limit)
	}
	return data, err
}

// TimeoutError says which of the client's limits was exceeded. It is a
// [net.Error].
type TimeoutError struct {
	Phase string // "connect", "first byte" or "idle"
	After time.Duration
}

// Error names the phase and the limit.
func (e *TimeoutError) Error() string {
	switch e.Phase {
	case phaseConnect:
		return fmt.Sprintf("no connection after %s", e.After)
	case phaseFirst:
		return fmt.Sprintf("no answer after %s", e.After)
	}
	return fmt.Sprintf("the answer stopped for %s", e.After)
}

// Timeout is true.
func (e *TimeoutError) Timeout() bool { return true }

// Temporary is true: the next try may be faster.
func (e *TimeoutError) Temporary() bool { return true }

// Is makes errors.Is(err, context.DeadlineExceeded) true, as for other
// timeouts.
func (e *TimeoutError) Is(target error) bool { return target == context.DeadlineExceeded }
