package fault

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Options of a set of faults. The functions may be nil.
type Options struct {
	// Now is the simulated time; nil is the real one.
	Now func() time.Time
	// Owner names the user of a request's token.
	Owner func(*http.Request) string
	// EndToken expires or revokes the token a request carries.
	EndToken func(r *http.Request, revoke bool)
	// MoveHead commits path to the branch a commit request is for.
	MoveHead func(r *http.Request, path string)
	// Foreign is the origin of links to another host.
	Foreign func() string
	// CloseIdle closes connections that wait for a request: a fault of new
	// connections would not be met through an old one.
	CloseIdle func()
}

// Set is the rules in force. It is safe for concurrent use.
type Set struct {
	o Options

	mu      sync.Mutex
	rules   []*active
	hidden  map[string]time.Time // path part of something new to the time it appears
	expired map[string]bool      // signed addresses that are no longer good
	dialled bool                 // connection faults are played at the dialer
}

// New returns a set without rules.
func New(o Options) *Set {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Set{o: o, hidden: map[string]time.Time{}, expired: map[string]bool{}}
}

// Add appends rules.
func (s *Set) Add(rules ...Rule) error {
	compiled := make([]*active, 0, len(rules))
	for _, r := range rules {
		a, err := compile(r)
		if err != nil {
			return err
		}
		compiled = append(compiled, a)
	}
	s.mu.Lock()
	s.rules = append(s.rules, compiled...)
	s.mu.Unlock()
	if s.o.CloseIdle != nil && slices.ContainsFunc(compiled, (*active).onConnect) {
		s.o.CloseIdle()
	}
	return nil
}

// Clear removes all rules and what they left behind.
func (s *Set) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = nil
	clear(s.hidden)
	clear(s.expired)
}

// Played is a rule and how often it matched and was played.
type Played struct {
	Rule
	Seen int `json:"seen"`
	Hits int `json:"hits"`
}

// Rules lists the rules, in order.
func (s *Set) Rules() []Played {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Played, 0, len(s.rules))
	for _, a := range s.rules {
		all = append(all, Played{Rule: a.Rule, Seen: a.seen, Hits: a.hits})
	}
	return all
}

// pick finds the fault a request meets.
func (s *Set) pick(host string, r *http.Request) (Do, bool) {
	s.mu.Lock()
	none := len(s.rules) == 0
	s.mu.Unlock()
	if none {
		return Do{}, false
	}
	owner := ""
	if s.o.Owner != nil {
		owner = s.o.Owner(r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.rules {
		if a.matches(host, owner, r) && a.due() {
			return a.Do, true
		}
	}
	return Do{}, false
}

// connect finds the fault a new connection meets.
func (s *Set) connect(host string) (Do, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.rules {
		if a.onConnect() && (a.Match.Host == "" || a.Match.Host == host) && a.due() {
			return a.Do, true
		}
	}
	return Do{}, false
}

type doKey struct{}

// From returns the fault the request of ctx meets; its members are zero when
// there is none. Areas ask it for StickStage and FailStage when a request
// starts a job or a Space; the middleware plays everything else by itself.
func From(ctx context.Context) Do {
	d, _ := ctx.Value(doKey{}).(Do)
	return d
}

// With returns ctx with a fault, for callers below the middleware.
func With(ctx context.Context, d Do) context.Context { return context.WithValue(ctx, doKey{}, d) }

// partNumber reads the part's number off an upload address: a query value, else
// the last element of the path.
func partNumber(u *url.URL) int {
	q := u.Query()
	for _, key := range []string{"partNumber", "part"} {
		if n, err := strconv.Atoi(q.Get(key)); err == nil {
			return n
		}
	}
	n, _ := strconv.Atoi(path.Base(u.Path))
	return n
}

// Listener plays the faults that meet connections.
func (s *Set) Listener(host string, l net.Listener) net.Listener { return &listener{l, s, host} }

type listener struct {
	net.Listener
	set  *Set
	host string
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if !l.set.refuses(l.host) {
			return conn, nil
		}
		reset(conn)
	}
}

// refuses reports whether the listener ends a connection that was made.
func (s *Set) refuses(host string) bool {
	s.mu.Lock()
	dialled := s.dialled
	s.mu.Unlock()
	if dialled {
		return false
	}
	_, ok := s.connect(host)
	return ok
}

// reset closes a connection so that the other side sees a reset.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// errNoHost is what a name that does not resolve answers.
var errNoHost = errors.New("no such host")

// Dial wraps a client's dialer: the connection faults look to it as they do
// when the name does not resolve or nobody listens. host tells which of the two
// an address is, "" is neither. From then on the listeners play none of them.
func (s *Set) Dial(host func(addr string) string, next func(ctx context.Context, network, addr string) (net.Conn, error)) func(ctx context.Context, network, addr string) (net.Conn, error) {
	s.mu.Lock()
	s.dialled = true
	s.mu.Unlock()
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		which := host(addr)
		if which == "" {
			return next(ctx, network, addr)
		}
		d, ok := s.connect(which)
		switch {
		case !ok:
			return next(ctx, network, addr)
		case d.DNSFail:
			name, _, _ := net.SplitHostPort(addr)
			return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: errNoHost.Error(), Name: name, IsNotFound: true}}
		}
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
}
