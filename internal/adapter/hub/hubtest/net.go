// Package hubtest is a network in memory, with servers at any address and a
// record of what reached them, for tests of the Hub's clients. Its connections
// stand still while the clock of testing/synctest does. It knows no route of
// the Hub.
package hubtest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"

	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

// Hub is an address that may be sent a token: it is this machine's.
const (
	Hub    = "http://127.0.0.1:7870"
	hubAt  = "127.0.0.1:7870"
	CDN    = "http://cdn.test:80"
	cdnAt  = "cdn.test:80"
	refuse = syscall.ECONNREFUSED
)

// Seen is one request that reached a server.
type Seen struct {
	Host, Method, Path, Query, Range, Authorization string
	Header                                          http.Header
}

// Net is a network. It is safe for concurrent use.
type Net struct {
	t testing.TB

	mu    sync.Mutex
	hosts map[string]*listener
	seen  []Seen
	deny  map[string]int
}

// New makes a network without servers.
func New(t testing.TB) *Net {
	return &Net{t: t, hosts: map[string]*listener{}, deny: map[string]int{}}
}

// ServeHub answers at [Hub].
func (n *Net) ServeHub(h http.HandlerFunc) { n.Serve(hubAt, h) }

// ServeCDN answers at [CDN].
func (n *Net) ServeCDN(h http.HandlerFunc) { n.Serve(cdnAt, h) }

// Serve answers at "host:port" until the test ends.
func (n *Net) Serve(address string, h http.Handler) {
	l := &listener{address: address, conns: make(chan net.Conn), done: make(chan struct{})}
	busy := handlers{idle: make(chan struct{})}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !busy.begin() {
			return
		}
		defer busy.end()
		n.mu.Lock()
		n.seen = append(n.seen, Seen{
			Host: address, Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Range: r.Header.Get("Range"),
			Authorization: r.Header.Get("Authorization"), Header: r.Header.Clone(),
		})
		n.mu.Unlock()
		h.ServeHTTP(w, r)
	})}
	n.mu.Lock()
	n.hosts[address] = l
	n.mu.Unlock()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = server.Serve(l)
	}()
	n.t.Cleanup(func() {
		_ = server.Close()
		<-stopped
		busy.wait()
	})
}

// RefuseHub refuses the next connections to [Hub].
func (n *Net) RefuseHub(times int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.deny[hubAt] = times
}

// Seen is what reached the servers so far.
func (n *Net) Seen() []Seen {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]Seen(nil), n.seen...)
}

// Count is how many requests reached the server at an address of this package.
func (n *Net) Count(base string) int {
	count := 0
	for _, s := range n.Seen() {
		if "http://"+s.Host == base {
			count++
		}
	}
	return count
}

// Client is the program's client on this network.
func (n *Net) Client() *http.Client {
	transport := &http.Transport{DialContext: n.dial, MaxIdleConnsPerHost: 16}
	n.t.Cleanup(transport.CloseIdleConnections)
	client, err := httpx.New(httpx.Options{Version: "1.0", Transport: transport})
	if err != nil {
		n.t.Fatal(err)
	}
	return client
}

func (n *Net) dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	l := n.hosts[address]
	denied := n.deny[address] > 0
	n.deny[address]--
	n.mu.Unlock()
	if l == nil || denied {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: refuse}
	}
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-l.done:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: refuse}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// handlers counts those that run, also while the server is being closed.
type handlers struct {
	mu     sync.Mutex
	n      int
	closed bool
	idle   chan struct{}
}

func (h *handlers) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.n++
	}
	return !h.closed
}

func (h *handlers) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n--; h.closed && h.n == 0 {
		close(h.idle)
	}
}

// wait lets none begin and waits for those that run.
func (h *handlers) wait() {
	h.mu.Lock()
	h.closed = true
	n := h.n
	h.mu.Unlock()
	if n > 0 {
		<-h.idle
	}
}

// listener hands the connections of one address to its server.
type listener struct {
	address string
	conns   chan net.Conn
	done    chan struct{}
	once    sync.Once
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, errors.New("the listener is closed")
	}
}

// Close implements [net.Listener].
func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements [net.Listener].
func (l *listener) Addr() net.Addr { return address(l.address) }

type address string

// Network implements [net.Addr].
func (address) Network() string { return "tcp" }

// String implements [net.Addr].
func (a address) String() string { return string(a) }
